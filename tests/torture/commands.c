/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/torture/commands.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "client/cli/cli.h"

/* More than anybody is patient. */
#define ALARM_SECONDS 60

#define OUTPUT_MAX KIB(256)

/* client/cli/main.c */
int conductor_main(int argc, char *argv[]);

typedef struct Ended {
        int status; /* 128 and more: a signal */
        char *out, *err;
} Ended;

static void ended_done(Ended *e)
{
        free(e->out);
        free(e->err);
}

/* ---- in its process ---- */

/* The way to another machine is to this one, and the same bridge is at its end. */
static int prepare_ssh(const Torture *t)
{
        static const char script[] = "#!/bin/sh\nshift 3\nexec sh -c \"$*\"\n";
        _cleanup_free_ char *folder = NULL, *path = NULL, *ssh = NULL;
        _cleanup_close_ int fd = -EBADF;

        if (asprintf(&folder, "%s/bin", t->folder) < 0 || asprintf(&ssh, "%s/ssh", folder) < 0 ||
                asprintf(&path, "%s:/usr/bin:/bin", folder) < 0)
                return -ENOMEM;
        if (setenv("PATH", path, 1) < 0 ||
                setenv("DBUS_SESSION_BUS_ADDRESS", t->bus_address, 1) < 0)
                return -errno;
        if (mkdir(folder, 0700) < 0 && errno != EEXIST)
                return -errno;
        fd = open(ssh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
        if (fd < 0)
                return errno == EEXIST ? 0 : -errno;
        return write(fd, script, strlen(script)) == (ssize_t) strlen(script) ? 0 : -EIO;
}

int client_environment(const Torture *t)
{
        _cleanup_free_ char *config = NULL, *state = NULL, *bus = NULL;
        static char avatar[PATH_MAX]; /* no leak in the client's eyes */
        ScenarioFlags flags = t->scenario->flags;

        if (asprintf(&config, "%s/config", t->folder) < 0 ||
                asprintf(&state, "%s/tui", t->folder) < 0 ||
                (flags & SCENARIO_SESSION ? asprintf(&bus, "bus:%s", t->bus_address)
                                          : asprintf(&bus, "peer:unix:path=%s", t->socket)) < 0)
                return -ENOMEM;
        (void) snprintf(avatar, sizeof avatar, "%s", strempty(getenv("CONDUCTOR_AVATAR_DIR")));
        if (clearenv() < 0 || setenv("HOME", t->folder, 1) < 0 ||
                setenv("XDG_RUNTIME_DIR", t->runtime, 1) < 0 ||
                setenv("XDG_CONFIG_HOME", config, 1) < 0 ||
                setenv("XDG_STATE_HOME", state, 1) < 0 || setenv("CONDUCTOR_BUS", bus, 1) < 0 ||
                setenv("TERM", "xterm-256color", 1) < 0 || setenv("LC_ALL", "C.UTF-8", 1) < 0 ||
                setenv("CONDUCTOR_AVATAR_DIR", avatar, 1) < 0)
                return -errno;
        return flags & SCENARIO_HOST ? prepare_ssh(t) : 0;
}

_noreturn_ static void be_command(
        const Torture *t, char *argv[], pid_t parent, int in, int out, int err)
{
        int argc = 0, status;

        while (argv[argc])
                argc++;
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent ||
                dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
                dup2(err, STDERR_FILENO) < 0 || client_environment(t) < 0)
                _exit(EXIT_FAILURE);
        (void) close_range(STDERR_FILENO + 1, ~0U, 0);
        (void) alarm(ALARM_SECONDS);

        points_arm(t->run);
        status = conductor_main(argc, argv);
        points_disarm();
        exit(status); /* where the sanitizer looks for leaks */
}

/* ---- its watcher ---- */

static int make_file(const char *text)
{
        _cleanup_close_ int fd = memfd_create("torture", MFD_CLOEXEC);
        size_t size = text ? strlen(text) : 0;

        if (fd < 0 || (size > 0 && write(fd, text, size) != (ssize_t) size) ||
                lseek(fd, 0, SEEK_SET) < 0)
                return -errno;
        return TAKE_FD(fd);
}

char *command_read_file(int fd)
{
        char *text = malloc(OUTPUT_MAX);
        ssize_t n = text ? pread(fd, text, OUTPUT_MAX - 1, 0) : -1;

        if (text)
                text[MAX(n, (ssize_t) 0)] = 0;
        return text;
}

static int wait_end(Torture *t, pid_t pid)
{
        _cleanup_close_ int fd = (int) syscall(SYS_pidfd_open, pid, 0);
        struct pollfd p = { .fd = fd, .events = POLLIN };
        int status = 0;

        /* Whatever the machine has to do besides. */
        if (fd < 0 || poll(&p, 1, (int) ((patience + STARVED_MAX) / USEC_PER_MSEC)) <= 0) {
                found(t, "it does not end");
                (void) kill(pid, SIGKILL);
        }
        if (waitpid(pid, &status, 0) < 0)
                return -errno;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

char *command_fill_in(const Torture *t, const char *word)
{
        const char *brace = strchr(word, '{');
        char number[16], *text = NULL;

        (void) snprintf(number, sizeof number, "%u", t->n_runs);
        if (asprintf(&text, "%.*s%s%s", brace ? (int) (brace - word) : -1, word,
                    !brace                              ? ""
                            : startswith(brace, "{id}") ? t->acks[0].conversation
                                                        : number,
                    brace ? strchr(brace, '}') + 1 : "") < 0)
                abort();
        return text;
}

static int run(Torture *t, const Command *c, Ended *ret)
{
        _cleanup_close_ int in = make_file(c->input), out = make_file(NULL), err = make_file(NULL);
        char *argv[COMMAND_WORDS_MAX + 2] = { (char *) "conductor" };
        pid_t parent = getpid(), pid;

        if (in < 0 || out < 0 || err < 0)
                return -EIO;
        for (size_t i = 0; c->words[i]; i++)
                argv[i + 1] = command_fill_in(t, c->words[i]);
        pid = fork();
        if (pid == 0)
                be_command(t, argv, parent, in, out, err);
        for (size_t i = 1; argv[i]; i++)
                free(argv[i]);
        if (pid < 0)
                return -errno;
        ret->status = wait_end(t, pid);
        ret->out = command_read_file(out);
        ret->err = command_read_file(err);
        return ret->out && ret->err ? 0 : -ENOMEM;
}

/* ---- its end ---- */

void command_forget(Torture *t)
{
        for (size_t i = 0; i < PRINTED_MAX; i++)
                t->printed[i] = mfree(t->printed[i]);
}

/* i: of the command in its scenario. */
static bool is_right(const Torture *t, const Command *c, size_t i, const char *out)
{
        _cleanup_free_ char *wanted = c->wants ? command_fill_in(t, c->wants) : NULL;

        if (c->flags & COMMAND_FILLED && strstr(out, ":\"\""))
                return false;
        return wanted ? strstr(out, wanted) != NULL : !t->printed[i] || streq(out, t->printed[i]);
}

/* Who completes is not kept waiting, whatever a busy machine takes. */
static bool has_given_up(const Command *c, const Ended *e)
{
        return c->flags & COMMAND_MUTE && e->status == EXIT_NO_SERVICE && isempty(e->out);
}

/* Nothing failed in it. */
static void judge_clean(Torture *t, const Command *c, size_t i, Ended *e)
{
        if (has_given_up(c, e))
                return;
        if (!t->printed[i] && !client_may_fail(t))
                t->printed[i] = strdup(e->out);
        if (e->status != c->status)
                found(t, "%s ended with %d", c->words[0], e->status);
        else if (!is_right(t, c, i, e->out))
                found(t, "%s printed something else:\n%s", c->words[0], e->out);
}

/* The sentence may be what could not be written. */
static bool has_said_why(const Torture *t, const Command *c, const Ended *e)
{
        return !isempty(e->err) || c->flags & COMMAND_MUTE ||
                (c->flags & COMMAND_TELLS && !isempty(e->out)) ||
                (e->status == c->status && streq(t->run->function, "write"));
}

static void judge_failed(Torture *t, const Command *c, size_t i, const Ended *e)
{
        if (e->status == EXIT_SANITIZER)
                found(t, "the sanitizer stopped it");
        else if (e->status >= 128 && e->status != c->status)
                found(t, "signal %d (%s) ended it", e->status - 128, strsignal(e->status - 128));
        else if (e->status == 0 && c->status != 0)
                found(t, "it ended as if all were well");
        else if (e->status == 0 && !is_right(t, c, i, e->out))
                found(t, "it ended as if all were well, and printed\n%s", e->out);
        else if (e->status != 0 && !has_said_why(t, c, e))
                found(t, "it ended with %d and without a word", e->status);
        t->n_refused += e->status != c->status;
        t->status = e->status;
}

static void play_one(Torture *t, const Command *c, size_t i)
{
        bool armed = !client_may_fail(t) && !(c->flags & COMMAND_PREPARES);
        _cleanup_(ended_done) Ended e = { 0 };
        Mode mode = t->run->mode;

        if (!armed)
                t->run->mode = MODE_NONE;
        if (run(t, c, &e) < 0)
                found(t, "%s cannot be run", c->words[0]);
        else if (armed && client_may_fail(t))
                judge_failed(t, c, i, &e);
        else if (!(c->flags & COMMAND_PREPARES) && t->status == 0)
                judge_clean(t, c, i, &e);
        t->run->mode = mode;
        if (t->found.size > 0 && !isempty(e.err))
                found(t, "it said:\n%s", e.err);
}

void command_play(Torture *t)
{
        t->n_runs++;
        t->status = 0;
        for (size_t i = 0; t->scenario->commands[i].words[0] && t->found.size == 0; i++)
                if (i == PRINTED_MAX)
                        found(t, "the scenario has too many commands");
                else
                        play_one(t, &t->scenario->commands[i], i);
}

/* ---- what is tried ---- */

#define ASK "--model=ollama/tiny:latest", "ask"

const Command command_ask[] = {
        { .words = { ASK, "tell", "@tokens=5", "@reasoning=2" } },
        {},
};

const Command command_ask_json[] = {
        { .words = { "--json", "--title=Short", "--system=Be brief.", ASK, "@tokens=5",
                  "@reasoning=2" },
                .input = "What is that?",
                .flags = COMMAND_FILLED,
                .wants = "\"reason\":\"stop\"" },
        {},
};

/* The engine ends in the middle: EXIT_ENGINE. */
const Command command_ask_failing[] = {
        { .words = { ASK, "@tokens=9", "@fault=eof:3" }, .status = 4 },
        {},
};

const Command command_ask_host[] = {
        { .words = { "--host=there", ASK, "tell", "@tokens=5", "@reasoning=2" } },
        {},
};

const Command command_list[] = {
        { .words = { "list" } },
        { .words = { "--json", "list" } },
        {},
};

const Command command_show[] = {
        { .words = { "show", "{id}" } },
        { .words = { "--json", "show", "{id}" } },
        {},
};

const Command command_search[] = {
        { .words = { "search", "question" } },
        { .words = { "--json", "--order=rank", "search", "question" } },
        {},
};

const Command command_models[] = {
        { .words = { "models" }, .wants = "tiny:latest" },
        { .words = { "--json", "models" }, .wants = "tiny:latest" },
        { .words = { "default", "ollama/big:latest" } },
        { .words = { "default" } },
        {},
};

const Command command_rename[] = {
        { .words = { "rename", "{id}", "Renamed", "{n}" } },
        { .words = { "list" }, .wants = "Renamed {n}" },
        {},
};

const Command command_delete[] = {
        { .words = { "restore", "{id}" }, .flags = COMMAND_PREPARES },
        { .words = { "delete", "{id}" } },
        { .words = { "--deleted", "--json", "list" }, .wants = "{id}" },
        { .words = { "restore", "{id}" } },
        { .words = { "--json", "list" }, .wants = "{id}" },
        {},
};

const Command command_archive[] = {
        { .words = { "--undo", "archive", "{id}" }, .flags = COMMAND_PREPARES },
        { .words = { "archive", "{id}" } },
        { .words = { "--archived", "--json", "list" }, .wants = "{id}" },
        {},
};

const Command command_export[] = {
        { .words = { "export", "{id}" } },
        { .words = { "--all", "export" } },
        {},
};

const Command command_import[] = {
        { .words = { "import", "-" },
                .input = "{\"type\":\"conversation\",\"version\":1,"
                         "\"id\":\"0123456789abcdef0123456789abcdef\",\"title\":\"A title\","
                         "\"model\":\"m\",\"created\":1,\"modified\":2,\"head\":0,"
                         "\"archived\":true,\"hidden\":false,\"system\":\"\"}\n"
                         "{\"type\":\"end\",\"messages\":0}\n",
                .wants = "\n" },
        {},
};

const Command command_engines[] = {
        { .words = { "engine", "list" }, .wants = "anthropic" },
        { .words = { "engine", "remove", "added" }, .flags = COMMAND_PREPARES },
        { .words = { "engine", "add", "added", "builtin" } },
        { .words = { "--json", "engine", "list" }, .wants = "\"added\"" },
        { .words = { "engine", "remove", "added" } },
        {},
};

const Command command_key[] = {
        { .words = { "--quiet", "key", "set", "openai", "file" }, .input = "a-new-key\n" },
        { .words = { "key", "list" }, .wants = "/keys/openai" },
        { .words = { "--json", "key", "list" }, .wants = "/keys/openai" },
        {},
};

const Command command_status[] = {
        { .words = { "status" }, .wants = "version" },
        { .words = { "--json", "status" }, .wants = "\"version\"" },
        { .words = { "reload" } },
        {},
};

const Command command_doctor[] = {
        { .words = { "doctor" }, .wants = "ollama", .flags = COMMAND_TELLS },
        {},
};

const Command command_complete[] = {
        { .words = { "complete", "ID", "" }, .flags = COMMAND_MUTE },
        { .words = { "complete", "MODEL", "tiny" }, .wants = "tiny:latest", .flags = COMMAND_MUTE },
        { .words = { "complete", "ENGINE", "oll" }, .flags = COMMAND_MUTE },
        { .words = { "complete", "table" } },
        {},
};
