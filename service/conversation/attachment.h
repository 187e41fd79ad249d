/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Files that come with a message, as descriptors from a stranger: only regular files and memfds are
 * read, on a thread of their own, never more than the limit. */

#include "common/failure.h"
#include "service/store/store.h"

#define ATTACHMENT_NAME_MAX 255U /* bytes */

/* A name that can be shown, stored and made a file of: UTF-8 without control characters and '/'. */
bool attachment_name_is_valid(const char *name);
/* FAILURE_INVALID_ARGUMENT for any other. */
int attachment_check_name(const char *name, Failure *failure);

/* Blocks. Fills in type, data and size of *ret; the name is copied. The file's offset is left
 * alone. FAILURE_TOO_LARGE over maximum. Its memory is counted, as *counted of the same message was
 * before it, which becomes more: FAILURE_BUSY when all are over ATTACHMENTS_SENT_MAX. */
int attachment_read(int fd, const char *name, size_t maximum, size_t *counted, StoreAttachment *ret,
        Failure *failure);

/* What the bytes are: "text/plain" for any UTF-8 text, the usual images, "application/pdf", else
 * "application/octet-stream". Never NULL. */
const char *attachment_guess_type(const void *data, size_t size);
