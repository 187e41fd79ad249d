/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Whole files by their descriptor. Both wait for it: not for pipes and sockets of a loop. */

#include "common/buffer.h"

/* Appends what is read until the end or until it is so many bytes. -EFBIG beyond b's maximum. */
int fd_read(int fd, size_t size, Buffer *b);
int fd_write(int fd, const void *data, size_t size);
