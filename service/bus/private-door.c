/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/bus/doors-internal.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "common/log.h"
#include "common/paths.h"

/* So many messages are taken before it is looked whether there are more behind them. */
#define BUSY_MESSAGES   64U
#define REAPED_PER_TURN 32U

static int set_listening(Doors *d, bool on)
{
        return d->listen_source
                ? sd_event_source_set_enabled(d->listen_source, on ? SD_EVENT_ON : SD_EVENT_OFF)
                : 0;
}

static int check_peer(int fd)
{
        struct ucred cred;
        socklen_t size = sizeof(cred);

        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) < 0)
                return -errno;
        if (cred.uid != geteuid()) {
                log_warning(
                        "A process of another user (uid %u) connected to the private socket; refused.",
                        (unsigned) cred.uid);
                return -EPERM;
        }
        return 0;
}

static int accept_one(Doors *d)
{
        _cleanup_close_ int fd = -EBADF;
        int r;

        fd = accept4(d->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
                return -errno;

        /* Before a bus object exists for it, and so before a byte of it is read. */
        r = check_peer(fd);
        if (r < 0)
                return r == -EPERM ? 0 : r;

        if (d->n_connections >= DOORS_PRIVATE_MAX) {
                /* Once, however many there are. */
                if (!d->full_told)
                        log_warning("There are %u private connections, the limit; more are refused "
                                    "until one of them ends.",
                                d->n_connections);
                d->full_told = true;
                return 0;
        }

        return connection_new(d, &fd);
}

static int on_listen(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
        Doors *d = ASSERT_PTR(userdata);
        int r;

        r = accept_one(d);
        switch (r) {
        case -EMFILE:
        case -ENFILE:
        case -ENOMEM:
        case -ENOBUFS:
                /* It stays in the queue and would wake us for ever: go on when a connection ends.
                 */
                log_warning_errno(r, "Cannot accept private connections for now: %m");
                (void) set_listening(d, d->n_connections == 0);
                return 0;
        default:
                if (r < 0) /* it is gone again, or speaks no D-Bus */
                        log_debug_errno(r, "A private connection came to nothing: %m");
                return 0;
        }
}

static bool has_more(Connection *c)
{
        int size = 0;

        return ioctl(sd_bus_get_fd(c->bus), FIONREAD, &size) >= 0 && size > 0;
}

/* One connection that never stops sending calls keeps new ones of its priority waiting for as long
 * as it does: sd-event gives no turn to the timer by which sd-bus says that a client is connected
 * (libsystemd 252). How many calls that takes depends on the machine; that there always is another
 * one does not. */
int connection_take_turns(Connection *c)
{
        bool late;
        int r;

        if (!c->late && ++c->n_unlooked < BUSY_MESSAGES)
                return 0;
        c->n_unlooked = 0;
        late = has_more(c);
        if (late == c->late)
                return 0;

        r = sd_bus_detach_event(c->bus);
        if (r < 0)
                return r;
        c->late = late;
        return sd_bus_attach_event(
                c->bus, c->doors->event, late ? PRIORITY_LATE : SD_EVENT_PRIORITY_NORMAL);
}

int doors_adopt_socket(Doors *d, int fd)
{
        int r, flags;

        assert(d->listen_fd < 0);

        flags = fcntl(fd, F_GETFL);
        if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
                fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
                return -errno;

        r = sd_event_add_io(d->event, &d->listen_source, fd, EPOLLIN, on_listen, d);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(d->listen_source, "doors-listen");

        d->listen_fd = fd;
        return 0;
}

/* Is it only what a service that was killed left behind? */
static int remove_stale(const struct sockaddr_un *address)
{
        _cleanup_close_ int fd = -EBADF;
        struct stat st;

        if (lstat(address->sun_path, &st) < 0)
                return errno == ENOENT ? 0 : -errno;
        if (!S_ISSOCK(st.st_mode))
                return -EEXIST;

        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        if (connect(fd, (const struct sockaddr *) address, sizeof(*address)) >= 0 ||
                errno == EAGAIN)
                return -EADDRINUSE;
        if (errno != ECONNREFUSED)
                return -errno;
        return unlink(address->sun_path) < 0 && errno != ENOENT ? -errno : 0;
}

/* The folder is ours and where it seems to be: clients look for the socket by this name alone. */
static int make_folder(const char *path)
{
        struct stat st;

        if (lstat(path, &st) >= 0 && S_ISLNK(st.st_mode))
                return -ELOOP;
        return mkdir_private(path);
}

int doors_listen(Doors *d, const char *path)
{
        _cleanup_close_ int fd = -EBADF;
        _cleanup_free_ char *folder = NULL;
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int r;

        assert(path[0] == '/');
        if (strlen(path) >= sizeof(address.sun_path))
                return -ENAMETOOLONG;
        memcpy(address.sun_path, path, strlen(path) + 1);

        folder = strndup(path, (size_t) (strrchr(path, '/') - path));
        if (!folder)
                return -ENOMEM;
        r = make_folder(folder);
        if (r < 0)
                return r;
        r = remove_stale(&address);
        if (r < 0)
                return r;

        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        if (bind(fd, (const struct sockaddr *) &address, sizeof(address)) < 0)
                return -errno;

        r = free_and_strdup(&d->listen_path, path);
        if (r < 0) {
                (void) unlink(path);
                return r;
        }

        /* Nobody can connect before listen(), so that the mode is right in time. */
        if (chmod(path, 0600) < 0 || listen(fd, SOMAXCONN) < 0)
                return -errno;

        r = doors_adopt_socket(d, fd);
        if (r < 0)
                return r;
        TAKE_FD(fd);
        return 0;
}

void doors_stop_listening(Doors *d)
{
        d->listen_source = sd_event_source_disable_unref(d->listen_source);
        d->listen_fd = safe_close(d->listen_fd);
        if (d->listen_path)
                (void) unlink(d->listen_path);
        d->listen_path = mfree(d->listen_path);
}

void doors_refuse(int fd)
{
        int client;

        if (fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
                return;
        while ((client = accept4(fd, NULL, NULL, SOCK_CLOEXEC)) >= 0)
                (void) safe_close(client);
}

/* Each may have a full queue, whose freeing takes a while: the others have their turn between. */
void doors_reap_connections(Doors *d)
{
        unsigned n = 0;

        for (Connection *c = d->connections, *next; c; c = next) {
                next = c->next;
                if (!c->doomed)
                        continue;
                if (n++ >= REAPED_PER_TURN) {
                        doors_schedule_reap(d);
                        break;
                }
                peer_gone(c->peer);
                /* What it called may have ended other connections, but frees none: only we do. */
                next = c->next;
                connection_free(c);
        }

        if (n > 0) {
                d->full_told = false;
                (void) set_listening(d, /* on= */ true);
        }
}
