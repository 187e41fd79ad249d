/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Imports of text. */

#include "service/conversation/import.h"

/* A file of it, from its beginning. */
int import_file(const char *text, size_t size);
/* What import_next() says of a file of one conversation, or of one that is refused. */
int import_text(const char *text, size_t size, Imported *ret, Failure *failure);
