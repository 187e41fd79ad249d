/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/bus/harness.h"

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#include "common/fd.h"
#include "tests/bus/private-bus.h"
#include "tests/bus/process.h"
#include "tests/sanitized.h"

#define EXIT_SKIPPED 77

/* ---- waiting ---- */

usec_t harness_now(void)
{
        struct timespec ts;

        (void) clock_gettime(CLOCK_MONOTONIC, &ts);
        return (usec_t) ts.tv_sec * USEC_PER_SEC + (usec_t) ts.tv_nsec / 1000;
}

/* What cannot be measured is what takes many times as long. */
usec_t harness_patience(void)
{
        return (harness_can_measure() ? 30 : 120) * USEC_PER_SEC;
}

void harness_turn(Harness *h, usec_t deadline, const char *what)
{
        usec_t now = harness_now();

        if (now >= deadline)
                fail_msg("waited in vain for: %s%s%s", what, h->doing ? ", while: " : "",
                        strempty(h->doing));
        assert_true(sd_event_run(h->event, deadline - now) >= 0);
}

/* ---- the folder ---- */

static char *below(const char *folder, const char *name)
{
        char *path = NULL;

        assert_true(asprintf(&path, "%s/%s", folder, name) > 0);
        return path;
}

static char *make_below(const char *folder, const char *name)
{
        char *path = below(folder, name);

        assert_return_code(mkdir(path, 0700), errno);
        return path;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
        return remove(path);
}

static void make_folders(Harness *h)
{
        char template[] = "/tmp/conductor-test-XXXXXX";
        _cleanup_free_ char *config = NULL, *engines = NULL, *data = NULL;

        assert_non_null(mkdtemp(template));
        h->folder = strdup(template);
        assert_non_null(h->folder);
        h->home = make_below(h->folder, "home");
        h->runtime = make_below(h->folder, "run");
        config = make_below(h->folder, "config");
        h->config = make_below(config, "conductor");
        engines = make_below(h->config, "engines.d");
        data = make_below(h->folder, "state");
        h->state = below(data, "conductor");
        h->database = below(h->state, "conversations.db");
        h->socket = below(h->runtime, "conductor/bus");
        h->log = below(h->folder, "log");
}

char *harness_read_file(const char *path, size_t *ret_size)
{
        _cleanup_buffer_ Buffer b = BUFFER_INIT(MIB(256));
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
        char *text;

        assert_return_code(fd, errno);
        assert_return_code(fd_read(fd, SIZE_MAX, &b), 0);
        assert_return_code(buffer_steal(&b, &text, ret_size), 0);
        return text;
}

void harness_write_config(Harness *h, const char *name, const char *format, ...)
{
        _cleanup_free_ char *path = below(h->config, name), *fresh = below(h->folder, "new.conf");
        _cleanup_fclose_ FILE *f = fopen(fresh, "we");
        va_list ap;

        assert_non_null(f);
        assert_return_code(fchmod(fileno(f), 0600), errno);
        va_start(ap, format);
        assert_true(vfprintf(f, format, ap) >= 0);
        va_end(ap);
        assert_int_equal(fflush(f), 0);
        /* Whole or not at all: the service watches the folder. */
        assert_return_code(rename(fresh, path), errno);
}

void harness_remove_config(Harness *h, const char *name)
{
        _cleanup_free_ char *path = below(h->config, name);

        assert_return_code(unlink(path), errno);
}

/* ---- what the service tells systemd ---- */

static int on_notify(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        Harness *h = ASSERT_PTR(userdata);
        char message[4096], *rest = message, *line;
        ssize_t n = recv(fd, message, sizeof message - 1, MSG_DONTWAIT);

        if (n < 0)
                return 0;
        message[n] = 0;
        while ((line = strsep(&rest, "\n"))) {
                const char *status = startswith(line, "STATUS=");

                h->ready = h->ready || streq(line, "READY=1");
                h->stopping = h->stopping || streq(line, "STOPPING=1");
                h->n_watchdog += streq(line, "WATCHDOG=1");
                h->n_extended += startswith(line, "EXTEND_TIMEOUT_USEC=") != NULL;
                if (status)
                        assert_return_code(free_and_strdup(&h->status, status), 0);
        }
        return 0;
}

static void open_notify(Harness *h)
{
        _cleanup_free_ char *path = below(h->folder, "notify");
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        h->notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        assert_return_code(h->notify, errno);
        assert_true(strlen(path) < sizeof address.sun_path);
        strcpy(address.sun_path, path);
        assert_return_code(bind(h->notify, (struct sockaddr *) &address, sizeof address), errno);
        assert_return_code(
                sd_event_add_io(h->event, &h->notify_source, h->notify, EPOLLIN, on_notify, h), 0);
}

/* ---- the service ---- */

static char *setting(const char *name, const char *value)
{
        char *s = NULL;

        assert_true(asprintf(&s, "%s=%s", name, value) > 0);
        return s;
}

/* The number of the process is known only in it. */
#define AS_SYSTEMD "LISTEN_FDS=1 LISTEN_PID=$$ exec \"$@\""
#define LISTEN_FD  3

static int listen_private(const Harness *h)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        _cleanup_free_ char *folder = below(h->runtime, "conductor");

        assert_return_code(fd, errno);
        assert_true(strlen(h->socket) < sizeof address.sun_path);
        strcpy(address.sun_path, h->socket);
        assert_true(mkdir(folder, 0700) >= 0 || errno == EEXIST);
        assert_true(unlink(h->socket) >= 0 || errno == ENOENT);
        assert_return_code(bind(fd, (struct sockaddr *) &address, sizeof address), errno);
        assert_return_code(listen(fd, SOMAXCONN), errno);
        return TAKE_FD(fd);
}

static void spawn_service(Harness *h)
{
        const char *program = getenv("CONDUCTORD"), *wrapper = getenv("CONDUCTOR_WRAPPER");
        const char *const activated[] = { "sh", "-c", AS_SYSTEMD, "sh", wrapper ? wrapper : program,
                wrapper ? program : NULL, NULL };
        const char *const *directly = activated + 4;
        _cleanup_close_ int listener = h->activated ? listen_private(h) : -EBADF;
        _cleanup_free_ char *notify = below(h->folder, "notify"),
                            *config = below(h->folder, "config"),
                            *state = below(h->folder, "state");
        _cleanup_free_ char *home_s = setting("HOME", h->home),
                            *runtime_s = setting("XDG_RUNTIME_DIR", h->runtime),
                            *config_s = setting("XDG_CONFIG_HOME", config),
                            *state_s = setting("XDG_STATE_HOME", state),
                            *bus_s = setting("DBUS_SESSION_BUS_ADDRESS", h->address),
                            *system_s = setting("DBUS_SYSTEM_BUS_ADDRESS", h->system_address),
                            *notify_s = setting("NOTIFY_SOCKET", notify),
                            *path_s = setting("PATH", strempty(getenv("PATH"))),
                            *asan_s = setting("ASAN_OPTIONS", strempty(getenv("ASAN_OPTIONS"))),
                            *ubsan_s = setting("UBSAN_OPTIONS", strempty(getenv("UBSAN_OPTIONS"))),
                            *tsan_s = setting("TSAN_OPTIONS", strempty(getenv("TSAN_OPTIONS")));
        _cleanup_close_ int log = open(h->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

        assert_non_null(program);
        assert_return_code(log, errno);
        h->ready = h->stopping = false;
        assert_return_code(
                process_spawn(&(Spawn){ .arguments = h->activated ? activated : directly,
                                      .environment = (const char *const[]){ home_s, runtime_s,
                                              config_s, state_s, bus_s, system_s, notify_s, path_s,
                                              asan_s, ubsan_s, tsan_s, "LANG=C.UTF-8",
                                              "CONDUCTOR_LOG_LEVEL=debug", h->environment[0],
                                              h->environment[1], h->environment[2], NULL },
                                      .output = -EBADF,
                                      .errors = log,
                                      .pass = listener,
                                      .pass_as = LISTEN_FD },
                        &h->service),
                0);
}

static int on_child(sd_event_source *source, const siginfo_t *si, void *userdata)
{
        int *status = userdata;

        *status = si->si_code == CLD_EXITED ? si->si_status : 128 + si->si_status;
        return 0;
}

void harness_watch_exit(Harness *h, pid_t program, sd_event_source **ret, int *status)
{
        assert_return_code(
                sd_event_add_child(h->event, ret, program, WEXITED, on_child, status), 0);
        /* Under strace the end is told twice, and the first time there is nothing to wait for yet:
         * it is to be looked at more than once, which a source that was off is asked for. */
        assert_return_code(sd_event_source_set_enabled(*ret, SD_EVENT_OFF), 0);
        assert_return_code(sd_event_source_set_enabled(*ret, SD_EVENT_ON), 0);
}

int harness_try_start(Harness *h)
{
        _cleanup_(sd_event_source_disable_unrefp) sd_event_source *child = NULL;
        int status = -EISCONN;

        assert_int_equal(h->service, 0);
        spawn_service(h);
        harness_watch_exit(h, h->service, &child, &status);
        harness_run_until(h, h->ready || status >= 0);
        if (status >= 0)
                h->service = 0;
        return status;
}

void harness_start(Harness *h)
{
        int status = harness_try_start(h);

        if (status >= 0) {
                (void) fprintf(stderr, "conductord ended with %d; it said:\n", status);
                (void) harness_logged(h, NULL);
                fail();
        }
        if (h->bus > 0)
                harness_wait_name(h, /* owned= */ true);
}

int harness_wait_exit(Harness *h)
{
        int status = -EISCONN;
        _cleanup_(sd_event_source_disable_unrefp) sd_event_source *child = NULL;

        harness_watch_exit(h, h->service, &child, &status);
        harness_run_until(h, status >= 0);
        h->service = 0;
        return status;
}

int harness_stop(Harness *h)
{
        assert_return_code(kill(h->service, SIGTERM), errno);
        return harness_wait_exit(h);
}

void harness_kill(Harness *h, int signal)
{
        assert_return_code(kill(h->service, signal), errno);
        (void) harness_wait_exit(h);
}

void harness_memory(const Harness *h, Memory *ret)
{
        _cleanup_free_ char *path = NULL;
        _cleanup_fclose_ FILE *f = NULL;
        char line[256];

        *ret = (Memory){ 0 };
        assert_true(asprintf(&path, "/proc/%d/smaps_rollup", (int) h->service) > 0);
        f = fopen(path, "re");
        assert_non_null(f);
        while (fgets(line, sizeof line, f)) {
                const char *value = strchr(line, ':');
                size_t bytes = value ? strtoull(value + 1, NULL, 10) * 1024 : 0;

                if (startswith(line, "Rss:"))
                        ret->rss = bytes;
                else if (startswith(line, "Pss:"))
                        ret->pss = bytes;
                else if (startswith(line, "Private_Dirty:"))
                        ret->private_dirty = bytes;
        }
        assert_true(ret->rss > 0);
}

bool harness_can_measure(void)
{
        return !SANITIZED && !getenv("CONDUCTOR_WRAPPER");
}

/* text NULL: shows the whole log. */
bool harness_logged(const Harness *h, const char *text)
{
        _cleanup_fclose_ FILE *f = fopen(h->log, "re");
        _cleanup_free_ char *line = NULL;
        size_t allocated = 0;

        while (f && getline(&line, &allocated, f) > 0) {
                if (!text)
                        (void) fputs(line, stderr);
                else if (strstr(line, text))
                        return true;
        }
        return false;
}

/* ---- all together ---- */

void harness_require_bus(void)
{
        if (private_bus_installed())
                return;
        printf("1..0 # SKIP the wanted bus daemon is not installed\n");
        exit(EXIT_SKIPPED);
}

void harness_stop_bus(Harness *h)
{
        process_end(&h->bus);
        h->bus_control = safe_close(h->bus_control);
}

void harness_start_bus(Harness *h)
{
        _cleanup_free_ char *socket = below(h->folder, "bus");

        assert_true(unlink(socket) >= 0 || errno == ENOENT);
        assert_return_code(private_bus_start(h->folder, socket, &h->bus, &h->bus_control), 0);
}

int harness_setup(void **state)
{
        Harness *h = calloc(1, sizeof *h);
        _cleanup_free_ char *socket = NULL;
        sigset_t child;

        assert_non_null(h);
        *state = h;
        h->notify = h->bus_control = -EBADF;
        (void) sigemptyset(&child);
        (void) sigaddset(&child, SIGCHLD);
        assert_return_code(sigprocmask(SIG_BLOCK, &child, NULL), errno);
        assert_return_code(sd_event_new(&h->event), 0);
        make_folders(h);
        open_notify(h);
        harness_write_config(h, "engines.d/builtin.conf", "[Engine]\nType=builtin\n");

        socket = below(h->folder, "bus");
        assert_true(asprintf(&h->address, "unix:path=%s", socket) > 0);
        assert_true(asprintf(&h->system_address, "unix:path=%s/system-bus", h->folder) > 0);
        harness_start_bus(h);
        return 0;
}

int harness_teardown(void **state)
{
        Harness *h = ASSERT_PTR(*state);

        if (h->service > 0) {
                (void) kill(h->service, SIGTERM);
                if (process_wait(h->service, HARNESS_PATIENCE) < 0)
                        process_end(&h->service);
        }
        process_end(&h->engine);
        harness_stop_bus(h);
        sd_event_source_disable_unref(h->notify_source);
        safe_close(h->notify);
        sd_event_unref(h->event);
        if (getenv("CONDUCTOR_TEST_KEEP"))
                (void) fprintf(stderr, "kept: %s\n", h->folder);
        else
                (void) nftw(h->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
        free(h->folder);
        free(h->home);
        free(h->runtime);
        free(h->config);
        free(h->state);
        free(h->address);
        free(h->system_address);
        free(h->socket);
        free(h->database);
        free(h->log);
        free(h->status);
        free(h);
        return 0;
}
