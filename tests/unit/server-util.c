/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/server-util.h"

#include <string.h>
#include <sys/socket.h>

void server_send(int fd, const char *text)
{
        size_t n = strlen(text);

        while (n > 0) {
                ssize_t k = send(fd, text, n, MSG_NOSIGNAL);

                if (k <= 0)
                        return;
                text += k;
                n -= k;
        }
}
