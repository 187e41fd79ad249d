/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What only the curses client calls. */

#include <dirent.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <systemd/sd-event.h>

#include "tests/torture/wrap.h"

#define SYSTEM(type, name, error, parameters, arguments) \
        WRAP(KIND_SYSTEM, type, name, FAIL(error, -1), parameters, arguments)

SYSTEM(pid_t, fork, EAGAIN, (void), ())
SYSTEM(int, pidfd_open, EMFILE, (pid_t pid, unsigned flags), (pid, flags))
SYSTEM(int, socketpair, EMFILE, (int domain, int type, int protocol, int *ends),
        (domain, type, protocol, ends))
SYSTEM(ssize_t, recvmsg, EIO, (int fd, struct msghdr *m, int flags), (fd, m, flags))
SYSTEM(int, fstatat64, EIO, (int folder, const char *name, struct stat *st, int flags),
        (folder, name, st, flags))
SYSTEM(int, flock, ENOLCK, (int fd, int what), (fd, what))
SYSTEM(int, mkostemps64, EACCES, (char *path, int ending, int flags), (path, ending, flags))
WRAP(KIND_SYSTEM, int, posix_spawnp, EAGAIN,
        (pid_t *restrict pid, const char *restrict name,
                const posix_spawn_file_actions_t *restrict actions,
                const posix_spawnattr_t *restrict attributes, char *const *restrict argv,
                char *const *restrict environment),
        (pid, name, actions, attributes, argv, environment))
WRAP(KIND_SYSTEM, int, posix_spawn_file_actions_adddup2, ENOMEM,
        (posix_spawn_file_actions_t * actions, int fd, int to), (actions, fd, to))
WRAP(KIND_SYSTEM, DIR *, fdopendir, FAIL(EMFILE, NULL), (int fd), (fd))

#define LOOP(name, parameters, arguments) WRAP(KIND_LOOP, int, name, -ENOMEM, parameters, arguments)

LOOP(sd_event_default, (sd_event * *ret), (ret))
LOOP(sd_event_source_set_floating, (sd_event_source * s, int b), (s, b))
LOOP(sd_event_add_child,
        (sd_event * e, sd_event_source **ret, pid_t pid, int options,
                sd_event_child_handler_t callback, void *userdata),
        (e, ret, pid, options, callback, userdata))
