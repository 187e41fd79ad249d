/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/notify.h"

#include <sys/socket.h>
#include <sys/un.h>

int notify_open(int *ret)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        const char *path = getenv("NOTIFY_SOCKET");
        _cleanup_close_ int fd = -EBADF;
        size_t length;

        if (isempty(path) || (path[0] != '/' && path[0] != '@'))
                return -ENXIO;
        length = strlen(path);
        if (length >= sizeof(address.sun_path))
                return -ENAMETOOLONG;
        memcpy(address.sun_path, path, length);
        if (path[0] == '@') /* the abstract namespace */
                address.sun_path[0] = 0;

        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        if (connect(fd, (const struct sockaddr *) &address,
                    (socklen_t) (offsetof(struct sockaddr_un, sun_path) + length)) < 0)
                return -errno;

        *ret = TAKE_FD(fd);
        return 0;
}

int notify_send(int fd, const char *text)
{
        return send(fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}
