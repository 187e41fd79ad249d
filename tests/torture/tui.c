/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/torture/tui.h"

#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>

#include "tests/torture/commands.h"
#include "tests/torture/rack.h"

/* More than anybody is patient. */
#define ALARM_SECONDS 120

/* So long nothing that was expected comes after a failure: then it has gone another way. Once the
 * link has tried again that is sure. */
#define STRAY_MSEC 1500

#define OUTPUT_MAX MIB(4)
#define ROWS       30
#define COLUMNS    100

#define PASTE(text) "\033[200~" text "\033[201~"
#define ESCAPE      "\033[27u"
#define LEAVE       "\003\003" /* Ctrl-C, twice */
#define CTRL_G      "\007"
#define CTRL_X      "\030"
#define CTRL_Z      "\032"
#define F5          "\033[15~"

/* client/tui/main.c */
int tui_main(int argc, char *argv[]);

typedef struct Screen {
        Torture *t;
        pid_t pid;
        int terminal, end, err; /* its side; a pidfd; what it says */
        struct termios before;
        Buffer out;
        size_t seen; /* of that */
        bool ended, strayed;
        int status;
} Screen;

/* ---- in its process ---- */

/* A folder in which there is one file. */
static int prepare_folder(const Torture *t)
{
        static const char text[] = "what is attached\n";
        _cleanup_free_ char *folder = NULL;
        _cleanup_close_ int fd = -EBADF;

        if (asprintf(&folder, "%s/files", t->folder) < 0)
                return -ENOMEM;
        if ((mkdir(folder, 0700) < 0 && errno != EEXIST) || chdir(folder) < 0)
                return -errno;
        fd = open("note.txt", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        return fd < 0 || write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

/* An editor that says that it writes, and a pager that stays until a line is typed. */
static int prepare_programs(const Torture *t)
{
        static const char pager[] = "page() { sed s/question/paged/g; read -r line </dev/tty; }; "
                                    "page";
        char editor[128];

        (void) snprintf(editor, sizeof editor,
                "edit() { echo wrote%u; echo edit%u >>\"$1\"; }; edit", t->n_runs, t->n_runs);
        return setenv("EDITOR", editor, 1) < 0 || setenv("PAGER", pager, 1) < 0 ? -errno : 0;
}

_noreturn_ static void be_tui(Torture *t, char *argv[], pid_t parent, const char *name, int err)
{
        int argc = 0, fd, status;

        while (argv[argc])
                argc++;
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent || setsid() < 0)
                _exit(EXIT_FAILURE);
        fd = open(name, O_RDWR); /* now it is the session's */
        if (fd < 0 || dup2(fd, STDIN_FILENO) < 0 || dup2(fd, STDOUT_FILENO) < 0 ||
                dup2(err, STDERR_FILENO) < 0 || client_environment(t) < 0 ||
                prepare_folder(t) < 0 || prepare_programs(t) < 0)
                _exit(EXIT_FAILURE);
        (void) close_range(STDERR_FILENO + 1, ~0U, 0);
        (void) alarm(ALARM_SECONDS);

        points_arm(t->run);
        status = tui_main(argc, argv);
        points_disarm();
        exit(status); /* where the sanitizer looks for leaks */
}

/* ---- its watcher ---- */

static usec_t now(void)
{
        struct timespec ts;

        (void) clock_gettime(CLOCK_MONOTONIC, &ts);
        return (usec_t) ts.tv_sec * USEC_PER_SEC + (usec_t) ts.tv_nsec / 1000;
}

static int open_terminal(Screen *s, char *name, size_t size)
{
        const struct winsize window = { .ws_row = ROWS, .ws_col = COLUMNS };

        s->terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (s->terminal < 0 || grantpt(s->terminal) < 0 || unlockpt(s->terminal) < 0 ||
                ptsname_r(s->terminal, name, size) != 0 ||
                ioctl(s->terminal, TIOCSWINSZ, &window) < 0 ||
                tcgetattr(s->terminal, &s->before) < 0)
                return -errno;
        return 0;
}

static int start(Screen *s)
{
        const char *const *words = s->t->scenario->tui->words;
        char *argv[TUI_WORDS_MAX + 2] = { (char *) "conductor-tui" }, name[64];
        pid_t parent = getpid();
        int r;

        r = open_terminal(s, name, sizeof name);
        s->err = r < 0 ? r : memfd_create("torture", MFD_CLOEXEC);
        if (s->err < 0)
                return s->err;
        for (size_t i = 0; words[i]; i++)
                argv[i + 1] = command_fill_in(s->t, words[i]);
        /* Whatever of it lives on is the job's to wait for. */
        (void) prctl(PR_SET_CHILD_SUBREAPER, 1);
        s->pid = fork();
        if (s->pid == 0)
                be_tui(s->t, argv, parent, name, s->err);
        for (size_t i = 1; argv[i]; i++)
                free(argv[i]);
        s->end = s->pid < 0 ? -errno : (int) syscall(SYS_pidfd_open, s->pid, 0);
        return s->end;
}

static void done(Screen *s)
{
        safe_close(s->terminal);
        safe_close(s->err);
        safe_close(s->end);
        buffer_done(&s->out);
}

/* False when nobody has the terminal any more. */
static bool take_output(Screen *s)
{
        char *place;
        ssize_t n;

        if (buffer_reserve(&s->out, KIB(16), &place) < 0) {
                found(s->t, "it writes without an end");
                return false;
        }
        n = read(s->terminal, place, KIB(16));
        if (n > 0)
                buffer_advance(&s->out, (size_t) n);
        return n > 0;
}

static bool was_seen(const Screen *s, size_t from, const char *text)
{
        return memmem(buffer_text(&s->out) + from, s->out.size - from, text, strlen(text));
}

/* Until the text came since then, or nothing more does. */
static void wait_for(Screen *s, const char *text)
{
        struct pollfd p[] = { { s->terminal, POLLIN, 0 }, { s->end, POLLIN, 0 } };
        usec_t began = now();

        while (!s->ended && !was_seen(s, s->seen, text)) {
                usec_t most = !client_may_fail(s->t) ? patience + STARVED_MAX
                        : s->strayed                 ? STRAY_MSEC * USEC_PER_MSEC / 10
                                                     : STRAY_MSEC * USEC_PER_MSEC,
                       at = now();

                if (at - began >= most) {
                        s->strayed = true;
                        if (!client_may_fail(s->t))
                                found(s->t, "\"%s\" does not come", text);
                        return;
                }
                /* What fails meanwhile makes it shorter. */
                (void) poll(p, ELEMENTSOF(p), MIN((int) ((most - (at - began)) / 1000) + 1, 200));
                if (p[0].revents & POLLIN)
                        (void) take_output(s);
                s->ended = p[1].revents & POLLIN && !(p[0].revents & POLLIN);
        }
}

static void play_steps(Screen *s)
{
        for (const Step *step = s->t->scenario->tui->steps; step->wants && !s->ended; step++) {
                _cleanup_free_ char *wants = command_fill_in(s->t, step->wants),
                                    *keys = command_fill_in(s->t, step->keys);

                wait_for(s, wants);
                s->seen = s->out.size;
                if (!s->ended && write(s->terminal, keys, strlen(keys)) < 0 &&
                        !client_may_fail(s->t))
                        found(s->t, "nothing can be typed");
        }
}

/* ---- its end ---- */

static bool ends_within(Screen *s, usec_t usec)
{
        struct pollfd p[] = { { s->terminal, POLLIN, 0 }, { s->end, POLLIN, 0 } };
        usec_t began = now(), at;

        while (!(p[1].revents & POLLIN) && (at = now()) - began < usec) {
                (void) poll(p, ELEMENTSOF(p), (int) ((usec - (at - began)) / 1000) + 1);
                if (p[0].revents && !take_output(s))
                        p[0].fd = -1;
        }
        return p[1].revents & POLLIN;
}

/* The job's own children are told of by others. */
static void reap_orphans(const Screen *s)
{
        siginfo_t info = { 0 };

        while (waitpid(-s->pid, NULL, 0) > 0)
                ;
        while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid > 0 &&
                info.si_pid != s->t->service && info.si_pid != s->t->bus_pid &&
                info.si_pid != s->t->user_manager)
                (void) waitpid(info.si_pid, NULL, 0);
}

/* All of its children have the terminal, or are in its group. */
static void wait_for_children(Screen *s)
{
        struct pollfd p = { s->terminal, POLLIN, 0 };

        while (poll(&p, 1, (int) (patience / USEC_PER_MSEC)) > 0)
                if (!take_output(s)) {
                        reap_orphans(s);
                        return;
                }
        found(s->t, "something of it keeps the terminal");
        (void) kill(-s->pid, SIGKILL);
}

/* What it asked instead of doing what it was to do may have taken them. */
static bool leaves_after_all(Screen *s)
{
        static const char keys[] = ESCAPE LEAVE;

        for (unsigned i = 0; i < 3 && s->t->run->mode == MODE_ONCE; i++)
                if (write(s->terminal, keys, strlen(keys)) > 0 &&
                        ends_within(s, STRAY_MSEC * USEC_PER_MSEC))
                        return true;
        return false;
}

static void wait_end(Screen *s)
{
        usec_t most = patience + STARVED_MAX;
        int status = 0;

        /* Where its memory fails for good, keys may do nothing. */
        if (!ends_within(s,
                    client_may_fail(s->t) && (s->strayed || s->t->run->mode == MODE_ON)
                            ? STRAY_MSEC * USEC_PER_MSEC / 3
                            : most) &&
                !leaves_after_all(s)) {
                s->strayed = true;
                if (s->t->run->mode != MODE_ON)
                        found(s->t, "it is not left by its keys");
                (void) kill(s->pid, SIGTERM);
                if (!ends_within(s, most)) {
                        found(s->t, "it does not end");
                        (void) kill(s->pid, SIGKILL);
                }
        }
        (void) waitpid(s->pid, &status, 0);
        s->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        wait_for_children(s);
}

/* ---- what is looked at ---- */

static void check_terminal(Screen *s)
{
        const char *taken = "\033[?1049h", *given = "\033[?1049l";
        struct termios after;

        if (was_seen(s, 0, taken) && !was_seen(s, 0, given))
                found(s->t, "the terminal's other screen is left there");
        if (tcgetattr(s->terminal, &after) < 0 || after.c_iflag != s->before.c_iflag ||
                after.c_oflag != s->before.c_oflag || after.c_lflag != s->before.c_lflag ||
                memcmp(after.c_cc, s->before.c_cc, sizeof after.c_cc) != 0)
                found(s->t, "the terminal's modes are not as they were");
}

/* For nftw(), which passes nothing on. */
static const char *looked_for;
static bool is_there;

static int look_into(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
        _cleanup_close_ int fd = type == FTW_F ? open(path, O_RDONLY | O_CLOEXEC) : -EBADF;
        _cleanup_free_ char *text = fd >= 0 ? malloc(KIB(64)) : NULL;
        ssize_t n = text ? read(fd, text, KIB(64)) : -1;

        is_there = is_there || (n > 0 && memmem(text, (size_t) n, looked_for, strlen(looked_for)));
        return 0;
}

static bool is_below(const char *path, const char *word)
{
        looked_for = word;
        is_there = false;
        (void) nftw(path, look_into, /* fds= */ 16, FTW_PHYS);
        return is_there;
}

static bool is_kept(const Torture *t, const char *word)
{
        _cleanup_free_ char *folder = NULL;

        if (asprintf(&folder, "%s/tui", t->folder) < 0)
                abort();
        return is_below(folder, word);
}

static unsigned count_messages(Torture *t, const char *word)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;
        unsigned n = 0;

        if (!client_call(t, &answer, PATH_ROOT, INTERFACE_MANAGER, "Search", "sa{sv}", word, 0) ||
                sd_bus_message_enter_container(answer, 'a', "(otssa{sv})") < 0)
                found(t, "the service does not say what was asked");
        else
                while (sd_bus_message_skip(answer, "(otssa{sv})") > 0)
                        n++;
        return n;
}

/* What the editor wrote is what is written now, or stays in the editor's file, which is named. */
static void check_edited(const Screen *s)
{
        char wrote[16], edit[16];

        (void) snprintf(wrote, sizeof wrote, "wrote%u", s->t->n_runs);
        (void) snprintf(edit, sizeof edit, "edit%u", s->t->n_runs);
        if (!was_seen(s, 0, wrote) || is_kept(s->t, edit))
                return;
        if (!is_below(s->t->runtime, edit))
                found(s->t, "what the editor wrote is lost");
        else if (s->t->run->mode == MODE_ONCE && !was_seen(s, 0, "stays in"))
                found(s->t, "nobody is told where what the editor wrote is");
}

/* What is said to be in a file is there: all of it, when it was asked what was to be asked. */
static void check_exported(const Screen *s)
{
        _cleanup_free_ char *path = NULL;
        char ask[16];

        if (!was_seen(s, 0, "Exported to"))
                return;
        if (asprintf(&path, "%s/out%u.md", s->t->folder, s->t->n_runs) < 0)
                abort();
        (void) snprintf(ask, sizeof ask, "ask%u", s->t->n_runs);
        if (s->strayed ? !is_below(path, "") : !is_below(path, ask) || !is_below(path, "note.txt"))
                found(s->t, "what was exported is not in its file");
        (void) unlink(path);
}

/* What was on the screen is kept, or asked, or it was said that it is not. */
static void check_texts(Screen *s)
{
        char ask[16], draft[16];
        unsigned n;

        (void) snprintf(ask, sizeof ask, "ask%u", s->t->n_runs);
        (void) snprintf(draft, sizeof draft, "draft%u", s->t->n_runs);
        n = was_seen(s, 0, ask) ? count_messages(s->t, ask) : 0;
        if (n > 1)
                found(s->t, "what was asked once is there %u times", n);
        if (s->status != 0)
                return;
        if (n == 0 && was_seen(s, 0, ask) && !is_kept(s->t, ask))
                found(s->t, "what was asked is lost");
        if (was_seen(s, 0, draft) && !is_kept(s->t, draft))
                found(s->t, "what was written is lost");
        check_edited(s);
}

static void judge(Screen *s)
{
        _cleanup_free_ char *said = command_read_file(s->err);
        Torture *t = s->t;

        if (s->status == EXIT_SANITIZER)
                found(t, "the sanitizer stopped it");
        else if (s->status >= 128)
                found(t, "signal %d (%s) ended it", s->status - 128, strsignal(s->status - 128));
        else if (s->status != 0 && isempty(said))
                found(t, "it ended with %d and without a word", s->status);
        else if (s->status != 0 && !client_may_fail(t))
                found(t, "it ended with %d", s->status);
        check_terminal(s);
        check_texts(s);
        check_exported(s);
        if (t->found.size > 0 && !isempty(said))
                found(t, "it said:\n%s", said);
        t->n_refused += s->status != 0 || s->strayed;
        t->status = s->status;
}

void tui_play(Torture *t)
{
        _cleanup_(done) Screen s = { .t = t,
                .terminal = -EBADF,
                .end = -EBADF,
                .err = -EBADF,
                .out = BUFFER_INIT(OUTPUT_MAX) };

        t->n_runs++;
        if (rack_forget_kept(t) < 0 || start(&s) < 0) {
                found(t, "it cannot be started");
                return;
        }
        play_steps(&s);
        wait_end(&s);
        judge(&s);
}

/* ---- what is tried ---- */

const bool tui_is_built = true;

static const Step ask_steps[] = {
        { "Ask something", PASTE("ask{n} @tokens=3 @reasoning=1") },
        { "ask{n}", "\r" },
        { "word2", PASTE("draft{n}") },
        { "draft{n}", LEAVE },
        {},
};
const Tui tui_ask = { { "--model=ollama/tiny:latest" }, ask_steps };

static const Step read_steps[] = {
        { "question 0", "\020" },
        { "Actions", ESCAPE "/search question\r" },
        { "Search all", ESCAPE "\033OP" },
        { "Keys", ESCAPE PASTE("draft{n}") },
        { "draft{n}", LEAVE },
        {},
};
const Tui tui_read = { { "--conversation={id}" }, read_steps };

/* A stop that nobody could end is none: the terminal is given and taken all the same. */
static const Step programs_steps[] = {
        { "question 0", CTRL_Z },
        { "question 0", F5 },
        { "paged 0", "\n" },
        { "question 0", PASTE("draft{n} ") },
        { "draft{n}", CTRL_G },
        { "edit{n}", LEAVE },
        {},
};
const Tui tui_programs = { { "--conversation={id}" }, programs_steps };

static const Step files_steps[] = {
        { "Ask something", CTRL_X },
        { "note.txt", "\r" },
        { "note.txt ", PASTE("ask{n} @tokens=3") },
        { "ask{n}", "\r" },
        { "word2", "/export ~/out{n}.md\r" },
        { "Exported to", PASTE("draft{n}") },
        { "draft{n}", LEAVE },
        {},
};
const Tui tui_files = { { "--model=ollama/tiny:latest" }, files_steps };

const Tui tui_host = { { "--host=there", "--conversation={id}" }, read_steps };
