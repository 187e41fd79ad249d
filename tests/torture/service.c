/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <execinfo.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#include "tests/torture/planted.h"
#include "tests/torture/sqlite.h"
#include "tests/torture/torture.h"

#define LISTEN_FD 3

/* Between two looks at how much CPU it is given. */
#define LOOK_MSEC 100

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
        bool session = t->scenario->flags & (SCENARIO_SESSION | SCENARIO_KEYRING),
             screen = t->scenario->flags & SCENARIO_KEYRING,
             listen = t->scenario->flags & SCENARIO_LISTEN;

        if (asprintf(&config, "%s/config", t->folder) < 0 ||
                asprintf(&state, "%s/state", t->folder) < 0 ||
                asprintf(&pid, "%ld", (long) getpid()) < 0)
                return -ENOMEM;
        if (set("HOME", t->folder) < 0 || set("XDG_RUNTIME_DIR", t->runtime) < 0 ||
                set("XDG_CONFIG_HOME", config) < 0 || set("XDG_STATE_HOME", state) < 0 ||
                set("DBUS_SESSION_BUS_ADDRESS", session ? t->bus_address : NULL) < 0 ||
                set("DISPLAY", screen ? ":0" : NULL) < 0 || set("WAYLAND_DISPLAY", NULL) < 0 ||
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
        /* That of the clients is there for all of their runs. */
        if (!is_of_client(t->scenario)) {
                (void) alarm(ALARM_SECONDS);
                points_arm(t->run);
        }
        if (t->scenario->flags & SCENARIO_PLANTED)
                planted();
        status = conductord_main(1, argv);
        points_disarm();
        if (t->scenario->flags & SCENARIO_PLANTED)
                planted_end(t->database);
        exit(status); /* where the sanitizer looks for leaks */
}

/* ---- its watcher ---- */

static usec_t now(void)
{
        struct timespec ts;

        (void) clock_gettime(CLOCK_MONOTONIC, &ts);
        return (usec_t) ts.tv_sec * USEC_PER_SEC + (usec_t) ts.tv_nsec / 1000;
}

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
        (void) unlink(t->log); /* what it says is not what the last one said */
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

usec_t service_starved(const Torture *t)
{
        unsigned long long ran, waited, longest = 0;
        char path[64];
        glob_t g = { 0 };

        (void) snprintf(path, sizeof path, "/proc/%ld/task/*/schedstat", (long) t->service);
        if (glob(path, GLOB_NOSORT, NULL, &g) == 0)
                for (size_t i = 0; i < g.gl_pathc; i++) {
                        FILE *f = fopen(g.gl_pathv[i], "re");

                        if (f && fscanf(f, "%llu %llu", &ran, &waited) == 2)
                                longest = MAX(longest, waited);
                        if (f)
                                (void) fclose(f);
                }
        globfree(&g);
        return longest / 1000;
}

bool service_lives(Torture *t)
{
        struct rusage usage;
        int status;

        if (t->service > 0 && wait4(t->service, &status, WNOHANG, &usage) == t->service)
                ended(t, status, &usage);
        return t->service > 0;
}

/* It looks how the threads fare while they are there. */
static bool ends_within(Torture *t, usec_t usec)
{
        _cleanup_close_ int fd = (int) syscall(SYS_pidfd_open, t->service, 0);
        struct pollfd p = { .fd = fd, .events = POLLIN };
        usec_t began = now(), before = service_starved(t), waited;
        bool ended = false;

        t->starved = 0;
        while (fd >= 0 && !ended && now() - began < usec + MIN(t->starved, STARVED_MAX)) {
                ended = poll(&p, 1, LOOK_MSEC) > 0;
                waited = service_starved(t);
                t->starved = MAX(t->starved, waited > before ? waited - before : 0);
        }
        t->stop = now() - began;
        return ended;
}

void service_may_end(Torture *t)
{
        if (service_lives(t))
                (void) ends_within(t, USEC_PER_SEC);
}

bool service_ends(Torture *t)
{
        return !service_lives(t) || ends_within(t, patience);
}

bool service_wait_until(
        Torture *t, bool (*there)(const Torture *t, const void *userdata), const void *userdata)
{
        _cleanup_close_ int watch = inotify_init1(IN_CLOEXEC), end = -EBADF;
        char events[4096];

        if (!service_lives(t))
                return false;
        end = (int) syscall(SYS_pidfd_open, t->service, 0);
        if (inotify_add_watch(watch, t->folder, IN_MODIFY) < 0)
                found(t, "the log cannot be watched");
        while (!there(t, userdata)) {
                struct pollfd p[] = { { watch, POLLIN, 0 }, { end, POLLIN, 0 } };

                if (poll(p, ELEMENTSOF(p), (int) (patience / USEC_PER_MSEC)) <= 0 || p[1].revents)
                        return false;
                (void) !read(watch, events, sizeof events);
        }
        return true;
}

static bool log_has(const Torture *t, const void *userdata)
{
        _cleanup_free_ char *log = service_log(t);

        for (const char *const *w = userdata; log && *w; w++)
                if (strstr(log, *w))
                        return true;
        return false;
}

bool service_wait_log(Torture *t, const char *const *words)
{
        return service_wait_until(t, log_has, words);
}

void service_wait(Torture *t)
{
        struct rusage usage;
        int status;

        if (!service_lives(t))
                return;
        if (!ends_within(t, patience)) {
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
