/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the service must not do on its loop, in a program of its own that is the service but for
 * this: $PLANTED says which, and SIGUSR1 when. `planted-run` sees to it that each is noticed. */

#include <fcntl.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <time.h>

#include "common/macro.h"
#include "tests/enforcement/loop-budget/planted-names.h"

#define BURN_USEC (60 * USEC_PER_MSEC)

#define PLANTED(name) \
        static int name(sd_event_source *s, const struct signalfd_siginfo *si, void *userdata)

/* The compiler does not know what it points to, and neither does who reads the imports. */
static FILE *(*volatile open_file)(const char *, const char *) = fopen;

PLANTED(open_by_pointer)
{
        FILE *f = open_file("/proc/self/comm", "re");

        if (f)
                (void) fclose(f);
        return 0;
}

PLANTED(look_up_name)
{
        planted_look_up();
        return 0;
}

/* Nothing waits by it: `trace` has to refuse the call. */
PLANTED(doze)
{
        return usleep(1);
}

PLANTED(look_whether)
{
        return MAX(poll(NULL, 0, 1), 0);
}

PLANTED(connect_and_wait)
{
        const struct sockaddr_un nobody = { .sun_family = AF_UNIX, .sun_path = "/nobody" };
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        (void) connect(fd, (const struct sockaddr *) &nobody, sizeof nobody);
        return 0;
}

PLANTED(read_and_wait)
{
        int fds[2];
        char byte = 0;

        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        (void) !write(fds[1], &byte, 1);
        (void) !read(fds[0], &byte, 1);
        safe_close(fds[0]);
        safe_close(fds[1]);
        return 0;
}

PLANTED(wait_for_thread)
{
        struct timespec past = { 0, 1 };
        sem_t nobody;

        (void) sem_init(&nobody, /* pshared= */ 0, 0);
        (void) clock_gettime(CLOCK_REALTIME, &past);
        past.tv_sec++;
        (void) sem_timedwait(&nobody, &past);
        return 0;
}

PLANTED(wait_for_child)
{
        pid_t pid = fork();

        if (pid == 0)
                _exit(0);
        (void) waitpid(pid, NULL, 0);
        return 0;
}

PLANTED(lock)
{
        _cleanup_close_ int fd = memfd_create("planted", MFD_CLOEXEC);

        (void) flock(fd, LOCK_EX);
        return 0;
}

PLANTED(sync_file)
{
        _cleanup_close_ int fd = memfd_create("planted", MFD_CLOEXEC);

        (void) fsync(fd);
        return 0;
}

static usec_t cpu_time(void)
{
        struct timespec t;

        (void) clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
        return (usec_t) t.tv_sec * USEC_PER_SEC + (usec_t) t.tv_nsec / 1000;
}

PLANTED(burn)
{
        usec_t end = cpu_time() + BURN_USEC;

        while (cpu_time() < end)
                continue;
        return 0;
}

PLANTED(nothing)
{
        return 0;
}

static int every_second(sd_event_source *s, uint64_t usec, void *userdata)
{
        (void) sd_event_source_set_time_relative(s, USEC_PER_SEC);
        return sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
}

static const struct {
        const char *name;
        sd_event_signal_handler_t handler;
} planted[] = {
        { "open_by_pointer", open_by_pointer },
        { "look_up_name", look_up_name },
        { "doze", doze },
        { "look_whether", look_whether },
        { "connect_and_wait", connect_and_wait },
        { "read_and_wait", read_and_wait },
        { "wait_for_thread", wait_for_thread },
        { "wait_for_child", wait_for_child },
        { "lock", lock },
        { "sync_file", sync_file },
        { "burn", burn },
        { "nothing", nothing },
        { "every_second", nothing },
};

/* The service calls it once, while it begins. */
int __real_sd_event_set_watchdog(sd_event *e, int b);
int __wrap_sd_event_set_watchdog(sd_event *e, int b);
int __wrap_sd_event_set_watchdog(sd_event *e, int b)
{
        const char *wanted = strempty(getenv("PLANTED"));
        int r = -EINVAL;
        sigset_t set;

        (void) sigemptyset(&set);
        (void) sigaddset(&set, SIGUSR1);
        (void) sigprocmask(SIG_BLOCK, &set, NULL);
        for (size_t i = 0; i < ELEMENTSOF(planted); i++)
                if (streq(planted[i].name, wanted))
                        r = sd_event_add_signal(e, NULL, SIGUSR1, planted[i].handler, NULL);
        if (r >= 0 && streq(wanted, "every_second"))
                r = sd_event_add_time_relative(
                        e, NULL, CLOCK_MONOTONIC, USEC_PER_SEC, 0, every_second, NULL);
        return r < 0 ? r : __real_sd_event_set_watchdog(e, b);
}
