/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <execinfo.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "tests/torture/planted.h"
#include "tests/torture/sqlite.h"
#include "tests/torture/torture.h"

#define LISTEN_FD 3

/* More than anybody is patient. */
#define ALARM_SECONDS 180

#define TEXT_OF_(x) #x
#define TEXT_OF(x)  TEXT_OF_(x)

/* service/main.c */
int conductord_main(int argc, char *argv[]);

const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
        return "exitcode=" TEXT_OF(EXIT_SANITIZER) ":detect_stack_use_after_return=0";
}

const char *__ubsan_default_options(void);
const char *__ubsan_default_options(void)
{
        return "halt_on_error=1:print_stacktrace=1:exitcode=" TEXT_OF(EXIT_SANITIZER);
}

/* ---- in its process ---- */

/* Where it was when it crashed, or stood when its watcher lost patience. The sanitizers say it
 * themselves. */
static void on_abort(int signal)
{
        void *stack[POINT_DEPTH];

        backtrace_symbols_fd(stack, backtrace(stack, POINT_DEPTH), STDERR_FILENO);
        (void) raise(signal);
}

static int catch_crashes(void)
{
        static const int signals[] = { SIGABRT, SIGSEGV, SIGBUS, SIGFPE };
        const struct sigaction action = { .sa_handler = on_abort, .sa_flags = SA_RESETHAND };
        struct sigaction now;

        for (size_t i = 0; i < ELEMENTSOF(signals); i++)
                if (sigaction(signals[i], NULL, &now) < 0 ||
                        (now.sa_handler == SIG_DFL && sigaction(signals[i], &action, NULL) < 0))
                        return -errno;
        return 0;
}

static int set(const char *name, const char *value)
{
        return value ? setenv(name, value, /* overwrite= */ 1) : unsetenv(name);
}

static int prepare_environment(const Torture *t)
{
        _cleanup_free_ char *config = NULL, *state = NULL, *pid = NULL;
        bool session = t->scenario->flags & SCENARIO_SESSION,
             listen = t->scenario->flags & SCENARIO_LISTEN;

        if (asprintf(&config, "%s/config", t->folder) < 0 ||
                asprintf(&state, "%s/state", t->folder) < 0 ||
                asprintf(&pid, "%ld", (long) getpid()) < 0)
                return -ENOMEM;
        if (set("HOME", t->folder) < 0 || set("XDG_RUNTIME_DIR", t->runtime) < 0 ||
                set("XDG_CONFIG_HOME", config) < 0 || set("XDG_STATE_HOME", state) < 0 ||
                set("DBUS_SESSION_BUS_ADDRESS", session ? t->bus_address : NULL) < 0 ||
                set("LISTEN_FDS", listen ? NULL : "1") < 0 ||
                set("LISTEN_PID", listen ? NULL : pid) < 0 || set("NOTIFY_SOCKET", NULL) < 0 ||
                set("JOURNAL_STREAM", NULL) < 0 || set("CONDUCTOR_LOG_LEVEL", "info") < 0)
                return -errno;
        return 0;
}

_noreturn_ static void be_service(const Torture *t, int listener, pid_t parent)
{
        char *argv[] = { (char *) "conductord", NULL };
        int log = open(t->log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), status;

        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent || log < 0 ||
                dup2(log, STDERR_FILENO) < 0 || dup2(log, STDOUT_FILENO) < 0 ||
                (listener >= 0 && dup2(listener, LISTEN_FD) < 0) || prepare_environment(t) < 0 ||
                sqlite_torture() < 0 || catch_crashes() < 0)
                _exit(EXIT_FAILURE);
        /* The watcher's connections would not end with it. */
        (void) close_range(LISTEN_FD + (listener >= 0), ~0U, 0);
        (void) alarm(ALARM_SECONDS);

        points_arm(t->run);
        if (t->scenario->flags & SCENARIO_PLANTED)
                planted();
        status = conductord_main(1, argv);
        points_disarm();
        exit(status); /* where the sanitizer looks for leaks */
}

/* ---- its watcher ---- */

static int listen_private(const Torture *t)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (fd < 0)
                return -errno;
        if (strlen(t->socket) >= sizeof address.sun_path)
                return -ENAMETOOLONG;
        strcpy(address.sun_path, t->socket);
        if (bind(fd, (struct sockaddr *) &address, sizeof address) < 0 || listen(fd, SOMAXCONN) < 0)
                return -errno;
        return TAKE_FD(fd);
}

int service_start(Torture *t)
{
        _cleanup_close_ int listener = -EBADF;
        pid_t parent = getpid();

        (void) unlink(t->socket);
        if (!(t->scenario->flags & SCENARIO_LISTEN)) {
                listener = listen_private(t);
                if (listener < 0)
                        return listener;
        }
        t->status = -EBUSY;
        t->service = fork();
        if (t->service < 0)
                return -errno;
        if (t->service == 0)
                be_service(t, listener, parent);
        return 0;
}

static void ended(Torture *t, int status, const struct rusage *usage)
{
        t->cpu = (usec_t) (usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * USEC_PER_SEC +
                (usec_t) (usage->ru_utime.tv_usec + usage->ru_stime.tv_usec);
        t->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        t->service = 0;
}

bool service_lives(Torture *t)
{
        struct rusage usage;
        int status;

        if (t->service > 0 && wait4(t->service, &status, WNOHANG, &usage) == t->service)
                ended(t, status, &usage);
        return t->service > 0;
}

static bool ends_within(const Torture *t, usec_t usec)
{
        _cleanup_close_ int fd = (int) syscall(SYS_pidfd_open, t->service, 0);
        struct pollfd p = { .fd = fd, .events = POLLIN };

        return fd >= 0 && poll(&p, 1, (int) (usec / USEC_PER_MSEC)) > 0;
}

void service_may_end(Torture *t)
{
        if (service_lives(t))
                (void) ends_within(t, USEC_PER_SEC);
}

void service_wait(Torture *t)
{
        struct rusage usage;
        int status;

        if (!service_lives(t))
                return;
        if (!ends_within(t, PATIENCE)) {
                found(t, "it does not end");
                (void) kill(t->service, SIGABRT);
        }
        if (wait4(t->service, &status, 0, &usage) == t->service)
                ended(t, status, &usage);
}

void service_stop(Torture *t)
{
        if (service_lives(t))
                (void) kill(t->service, SIGTERM);
        service_wait(t);
}

char *service_log(const Torture *t)
{
        _cleanup_buffer_ Buffer b = BUFFER_INIT(MIB(1));
        _cleanup_close_ int fd = open(t->log, O_RDONLY | O_CLOEXEC);
        char *text = NULL, *place;
        ssize_t n = 1;
        size_t size;

        while (fd >= 0 && n > 0 && buffer_reserve(&b, KIB(16), &place) >= 0) {
                n = read(fd, place, KIB(16));
                if (n > 0)
                        buffer_advance(&b, (size_t) n);
        }
        return buffer_steal(&b, &text, &size) < 0 ? NULL : text;
}
