/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tests/server/connection.h"
#include "tests/server/format.h"

/* A question in one of the three formats. */
void chat_request(Connection *c, const Request *r, Format format);
