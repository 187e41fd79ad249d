/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/fd.h"

#define STEP KIB(16)

int fd_read(int fd, size_t size, Buffer *b)
{
        while (size > 0) {
                size_t wanted = MIN(size, (size_t) STEP);
                ssize_t n;
                char *end;
                int r;

                r = buffer_reserve(b, wanted, &end);
                if (r < 0)
                        return r;
                n = read(fd, end, wanted);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                buffer_advance(b, (size_t) n);
                size -= (size_t) n;
        }
        return 0;
}

int fd_write(int fd, const void *data, size_t size)
{
        const char *next = data;

        while (size > 0) {
                ssize_t n = write(fd, next, size);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                next += n;
                size -= (size_t) n;
        }
        return 0;
}
