/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/torture/rack.h"

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "tests/bus/private-bus.h"
#include "tests/bus/process.h"
#include "tests/torture/commands.h"
#include "tests/torture/spoil.h"

#define LISTEN_FD 3

static const Scenario seeding = { .name = "the seeds" };

/* ---- folders ---- */

static char *below(const char *folder, const char *name)
{
        char *path = NULL;

        if (asprintf(&path, "%s/%s", folder, name) < 0)
                abort();
        return path;
}

static int make_below(const char *folder, const char *name, char **ret)
{
        char *path = below(folder, name);

        if (mkdir(path, 0700) < 0) {
                free(path);
                return -errno;
        }
        *ret = path;
        return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
        return remove(path);
}

static void remove_tree(const char *path)
{
        (void) nftw(path, remove_one, /* fds= */ 16, FTW_DEPTH | FTW_PHYS);
}

/* In memory where that is possible: no disk waits for what is thrown away. */
static int make_folders(Torture *t)
{
        char memory[] = "/dev/shm/conductor-torture-XXXXXX",
             disk[] = "/tmp/conductor-torture-XXXXXX";
        _cleanup_free_ char *config = NULL, *socket_folder = NULL;
        const char *folder = mkdtemp(memory);
        int r;

        folder = folder ?: mkdtemp(disk);
        t->folder = folder ? strdup(folder) : NULL;
        if (!t->folder)
                return -errno;
        t->state = below(t->folder, "state/conductor");
        t->database = below(t->state, "conversations.db");
        t->log = below(t->folder, "log");
        r = make_below(t->folder, "run", &t->runtime);
        if (r < 0)
                return r;
        r = make_below(t->runtime, "conductor", &socket_folder);
        if (r < 0)
                return r;
        t->socket = below(socket_folder, "bus");
        r = make_below(t->folder, "config", &config);
        return r < 0 ? r : make_below(config, "conductor", &t->config);
}

static int write_file(const char *folder, const char *name, const char *text)
{
        _cleanup_free_ char *path = below(folder, name);
        _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        if (fd < 0)
                return -errno;
        return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

static int write_config(Torture *t)
{
        static const struct {
                const char *name, *type;
                ScenarioFlags only; /* with this */
        } list[] = {
                { "ollama", "ollama", 0 },
                { "openai", "openai", 0 },
                { "anthropic", "anthropic", 0 },
                { "keyed", "openai", SCENARIO_KEYRING },
                { "locked", "openai", SCENARIO_KEYRING },
                { "unit", "ollama", SCENARIO_UNIT },
        };
        _cleanup_free_ char *engines = below(t->config, "engines.d");
        int r;

        remove_tree(engines);
        if (mkdir(engines, 0700) < 0)
                return -errno;
        for (size_t i = 0; i < ELEMENTSOF(list); i++) {
                _cleanup_free_ char *text = NULL, *name = NULL, *more = NULL;

                if ((list[i].only & t->scenario->flags) != list[i].only)
                        continue;
                if ((list[i].only == SCENARIO_KEYRING
                                    ? asprintf(&more, "KeySecret=application=conductor engine=%s",
                                              list[i].name)
                                    : asprintf(&more, "KeyFile=%s/key%s", t->folder,
                                              list[i].only == SCENARIO_UNIT
                                                      ? "\nUnit=engine.service"
                                                      : "")) < 0 ||
                        asprintf(&name, "%s.conf", list[i].name) < 0 ||
                        asprintf(&text,
                                "[Engine]\nType=%s\nUrl=http://127.0.0.1:%d\n%s\n"
                                "Models=quick=tiny:latest\n",
                                list[i].type, t->engine_port, more) < 0)
                        return -ENOMEM;
                r = write_file(engines, name, text);
                if (r < 0)
                        return r;
        }
        r = write_file(engines, "builtin.conf", "[Engine]\nType=builtin\n");
        if (r < 0)
                return r;
        return write_file(t->folder, "key", "a-key\n");
}

/* ---- databases ---- */

static int copy(const char *from, const char *to)
{
        _cleanup_close_ int in = open(from, O_RDONLY | O_CLOEXEC), out = -EBADF;
        char data[65536];
        ssize_t n;

        if (in < 0)
                return errno == ENOENT ? 0 : -errno;
        out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        while ((n = read(in, data, sizeof data)) > 0)
                if (write(out, data, (size_t) n) != n)
                        return -EIO;
        return n < 0 ? -errno : 0;
}

static void copy_database(Torture *t, const char *from, const char *to)
{
        static const char *const names[] = { "conversations.db", "conversations.db-wal" };

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                _cleanup_free_ char *a = below(from, names[i]), *b = below(to, names[i]);

                if (copy(a, b) < 0)
                        found(t, "%s cannot be copied", a);
        }
}

static char *seed_folder(const Torture *t, Seed s)
{
        static const char *const names[_SEED_MAX] = { [SEED_CLEAN] = "clean",
                [SEED_UNCLEAN] = "unclean",
                [SEED_DAMAGED] = "damaged",
                [SEED_OLD] = "old" };

        return below(t->folder, names[s]);
}

static void keep_seed(Torture *t, Seed s)
{
        _cleanup_free_ char *folder = seed_folder(t, s);

        if (mkdir(folder, 0700) < 0)
                found(t, "%s cannot be made", folder);
        copy_database(t, t->state, folder);
        memcpy(t->seed_acks[s], t->acks, sizeof t->acks);
        t->n_seed_acks[s] = t->n_acks;
}

void rack_seed(Torture *t, Seed s)
{
        _cleanup_free_ char *folder = seed_folder(t, s), *above = below(t->folder, "state");

        t->n_acks = 0;
        remove_tree(above);
        if (mkdir(above, 0700) < 0 || write_config(t) < 0)
                found(t, "the folders cannot be made");
        if (s == SEED_NONE)
                return;
        if (mkdir(t->state, 0700) < 0)
                found(t, "%s cannot be made", t->state);
        copy_database(t, folder, t->state);
        memcpy(t->acks, t->seed_acks[s], sizeof t->acks);
        t->n_acks = t->n_seed_acks[s];
}

int rack_forget_kept(const Torture *t)
{
        _cleanup_free_ char *folder = below(t->folder, "tui");

        remove_tree(folder);
        return mkdir(folder, 0700) < 0 ? -errno : 0;
}

static void converse(Torture *t, const char *words, bool wait)
{
        _cleanup_free_ char *path = client_create(t, "ollama/tiny:latest");
        uint64_t message, reply;

        client_follow(t, path);
        if (!client_send(t, path, words, &message, &reply))
                return;
        if (wait)
                client_wait_end(t, path, reply);
        else
                client_wait_text(t, reply, 1);
}

static void spoil_seed(Torture *t, Seed s, Spoil how)
{
        rack_seed(t, SEED_CLEAN);
        if (spoil_database(t->database, how) < 0)
                found(t, "the database cannot be spoilt");
        keep_seed(t, s);
}

void rack_make_seeds(Torture *t)
{
        t->scenario = &seeding;
        *t->run = (Run){ .mode = MODE_NONE };
        rack_seed(t, SEED_NONE);
        if (service_start(t) < 0) {
                found(t, "the service cannot be forked");
                return;
        }
        converse(t, "", /* wait= */ true);
        converse(t, "@reasoning=2 @text=unicode", /* wait= */ true);
        client_close(t);
        service_stop(t);
        keep_seed(t, SEED_CLEAN);

        rack_seed(t, SEED_CLEAN);
        if (service_start(t) < 0)
                return;
        converse(t, "@tokens=20 @fault=hold:5", /* wait= */ false);
        if (t->service > 0)
                (void) kill(t->service, SIGKILL);
        service_wait(t);
        client_close(t);
        keep_seed(t, SEED_UNCLEAN);
        spoil_seed(t, SEED_DAMAGED, SPOIL_DAMAGE);
        spoil_seed(t, SEED_OLD, SPOIL_AGE);
}

/* ---- processes ---- */

static int start_engine(Torture *t, pid_t *ret)
{
        const char *program = getenv("TEST_ENGINE"), *port;
        char line[64] = "";
        int out[2], r;
        ssize_t n;

        if (!program || pipe2(out, O_CLOEXEC) < 0)
                return -ENOENT;
        r = process_spawn(
                &(Spawn){ .arguments = (const char *const[]){ program, "--port", "0", NULL },
                        .environment = (const char *const[]){ NULL },
                        .output = out[1],
                        .errors = -EBADF,
                        .pass = -EBADF },
                ret);
        safe_close(out[1]);
        n = r < 0 ? -1 : read(out[0], line, sizeof line - 1);
        safe_close(out[0]);
        port = n > 0 ? startswith(line, "port ") : NULL;
        if (!port)
                return -EIO;
        t->engine_port = (int) strtol(port, NULL, 10);
        return 0;
}

int rack_open_session(Torture *t)
{
        _cleanup_free_ char *socket = NULL;
        int r;

        if (t->bus_address)
                return 0;
        if (!private_bus_installed())
                return -ENOENT;
        socket = below(t->folder, "session");
        r = private_bus_start(t->folder, socket, &t->bus_pid, &t->bus_control);
        if (r < 0)
                return r;
        return asprintf(&t->bus_address, "unix:path=%s", socket) < 0 ? -ENOMEM : 0;
}

static bool somebody_listens(const Torture *t, const void *userdata)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        (void) snprintf(address.sun_path, sizeof address.sun_path, "%s", t->socket);
        return fd >= 0 && connect(fd, (struct sockaddr *) &address, sizeof address) == 0;
}

/* It says in its log that it is ready. */
void rack_wait_socket(Torture *t)
{
        if (!service_wait_until(t, somebody_listens, NULL) && service_lives(t) &&
                !client_may_fail(t))
                found(t, "nobody listens");
}

/* ---- the whole ---- */

int rack_reserve(void)
{
        int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

        while (fd >= 0 && fd < LISTEN_FD)
                fd = dup(fd);
        return fd < 0 ? -errno : 0;
}

int rack_new(Torture **ret)
{
        _cleanup_(rack_freep) Torture *t = calloc(1, sizeof *t);
        pid_t engine;
        int r;

        if (!t)
                return -ENOMEM;
        t->found = BUFFER_INIT(KIB(64));
        t->bus_control = -EBADF;
        t->run = mmap(
                NULL, sizeof *t->run, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (t->run == MAP_FAILED) {
                t->run = NULL;
                return -ENOMEM;
        }
        r = make_folders(t);
        if (r < 0)
                return r;
        r = start_engine(t, &engine); /* it dies with the job */
        if (r < 0)
                return r;
        *ret = TAKE_PTR(t);
        return 0;
}

Torture *rack_free(Torture *t)
{
        if (!t)
                return NULL;

        command_forget(t);
        sd_bus_close_unref(t->keyring);
        process_end(&t->user_manager);
        process_end(&t->bus_pid);
        if (t->folder)
                remove_tree(t->folder);
        if (t->run)
                (void) munmap(t->run, sizeof *t->run);
        buffer_done(&t->found);
        free(t->folder);
        free(t->state);
        free(t->config);
        free(t->runtime);
        free(t->socket);
        free(t->database);
        free(t->log);
        free(t->bus_address);
        free(t);
        return NULL;
}
