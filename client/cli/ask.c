/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* conductor ask: words, standard input or both; the answer streams to standard output. */

#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <systemd/sd-event.h>

#include "client/bus/message-json.h"
#include "client/bus/reply-stream.h"
#include "client/cli/cli.h"
#include "client/cli/progress.h"
#include "client/cli/verbs.h"
#include "common/buffer.h"
#include "common/names.h"
#include "common/utf8.h"

#define QUESTION_MAX MIB(16)

typedef struct Ask {
        Cli *cli;
        sd_event *event;
        ReplyStream *stream;
        Progress *progress;
        char *conversation; /* object path, once known */
        uint64_t reply;
        Buffer content, reasoning; /* kept for --json only */
        char last;                 /* byte written, 0 = none */
        bool reader_gone, done;
        unsigned interrupts;
        int exit_code;
} Ask;

static void ask_done(Ask *a)
{
        progress_free(a->progress);
        reply_stream_free(a->stream);
        sd_event_unref(a->event);
        free(a->conversation);
        buffer_done(&a->content);
        buffer_done(&a->reasoning);
}

/* ---- the question ---- */

static int read_standard_input(Buffer *b)
{
        for (;;) {
                char *end;
                ssize_t n;
                int r;

                r = buffer_reserve(b, KIB(64), &end);
                if (r < 0)
                        return r;
                n = read(STDIN_FILENO, end, KIB(64));
                if (n < 0)
                        return -errno;
                if (n == 0)
                        return 0;
                buffer_advance(b, n);
        }
}

static int add_words(Buffer *b, int argc, char *argv[])
{
        int r;

        for (int i = 1; i < argc; i++) {
                if (i > 1) {
                        r = buffer_append_string(b, " ");
                        if (r < 0)
                                return r;
                }
                r = buffer_append_string(b, argv[i]);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* An ExitCode. The words come first: they say what to do with what is piped in. */
static int read_question(int argc, char *argv[], Buffer *b)
{
        size_t words;
        int r;

        r = add_words(b, argc, argv);
        words = b->size;
        if (r >= 0 && !cli_is_terminal(STDIN_FILENO)) {
                if (words > 0)
                        r = buffer_append_string(b, "\n\n");
                if (r >= 0)
                        r = read_standard_input(b);
                if (r >= 0 && words > 0 && b->size == words + 2)
                        b->size = words; /* nothing was piped in */
                if (r >= 0 && b->data)
                        b->data[b->size] = 0;
        }
        if (r == -EFBIG) {
                cli_error("conductor: the question is over %zu MiB; put it into a file and use "
                          "--file.",
                        QUESTION_MAX / MIB(1));
                return EXIT_LIMIT;
        }
        if (r < 0) {
                cli_error("conductor: standard input cannot be read: %s", strerror(-r));
                return EXIT_FAILED;
        }
        if (!utf8_is_valid(buffer_text(b), b->size) || memchr(buffer_text(b), 0, b->size)) {
                cli_error("conductor: the question is not text in UTF-8; attach binary data with "
                          "--file.");
                return EXIT_USAGE;
        }
        return EXIT_DONE;
}

/* ---- the call ---- */

static int append_option(sd_bus_message *m, const char *key, const char *value)
{
        return value ? sd_bus_message_append(m, "{sv}", key, "s", value) : 0;
}

static int append_file(sd_bus_message *m, const char *path)
{
        _cleanup_free_ char *copy = strdup(path);
        _cleanup_close_ int fd = -EBADF;

        if (!copy)
                return -ENOMEM;
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0) {
                cli_error("conductor: %s cannot be opened: %m", path);
                return -errno;
        }
        return sd_bus_message_append(m, "(sh)", basename(copy), fd);
}

static int append_files(sd_bus_message *m, const Cli *cli)
{
        int r;

        if (cli->n_files == 0)
                return 0;
        r = sd_bus_message_open_container(m, 'e', "sv");
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "s", "attachments");
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(m, 'v', "a(sh)");
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(m, 'a', "(sh)");
        if (r < 0)
                return r;
        for (unsigned i = 0; i < cli->n_files; i++) {
                r = append_file(m, cli->files[i]);
                if (r < 0)
                        return r;
        }
        for (unsigned i = 0; i < 3; i++) {
                r = sd_bus_message_close_container(m);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Leaves the options dictionary open: reply_stream_new() closes it. */
static int build_call(Ask *a, const char *question, sd_bus_message **ret)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        const Cli *cli = a->cli;
        int r;

        r = sd_bus_message_new_method_call(
                cli->bus, &m, BUS_NAME, PATH_ROOT, INTERFACE_MANAGER, "Ask");
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "s", question);
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r < 0)
                return r;
        r = append_option(m, "conversation", a->conversation);
        if (r < 0)
                return r;
        r = append_option(m, "model", cli->model);
        if (r < 0)
                return r;
        r = append_option(m, "title", cli->title);
        if (r < 0)
                return r;
        r = append_option(m, "system", cli->system);
        if (r < 0)
                return r;
        if (cli->private) {
                r = sd_bus_message_append(m, "{sv}", "private", "b", true);
                if (r < 0)
                        return r;
        }
        r = append_files(m, cli);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(m);
        return 0;
}

/* ---- the answer ---- */

static void on_asked(const char *conversation, uint64_t reply, void *userdata)
{
        Ask *a = ASSERT_PTR(userdata);

        (void) free_and_strdup(&a->conversation, conversation);
        a->reply = reply;
}

static void on_phase(const char *phase, unsigned place, void *userdata)
{
        Ask *a = ASSERT_PTR(userdata);

        if (a->last == 0)
                progress_set_phase(a->progress, phase, place);
}

static void on_text(Channel channel, const char *text, size_t size, void *userdata)
{
        Ask *a = ASSERT_PTR(userdata);
        int r;

        if (a->cli->json_given) {
                (void) buffer_append(
                        channel == CHANNEL_CONTENT ? &a->content : &a->reasoning, text, size);
                return;
        }
        if (channel == CHANNEL_REASONING) {
                if (a->last == 0)
                        progress_set_phase(a->progress, "thinking", 0);
                return;
        }
        progress_hide(a->progress);
        if (a->reader_gone || size == 0)
                return;
        r = cli_write(STDOUT_FILENO, text, size);
        if (r < 0 && r != -EINTR) {
                /* The reply goes on in the service and is kept; only this reader has left. */
                a->reader_gone = true;
                a->done = true;
                a->exit_code = EXIT_FAILED;
                return;
        }
        a->last = text[size - 1];
}

static const char *metadata_string(json_object *metadata, const char *key)
{
        json_object *value;

        return json_object_object_get_ex(metadata, key, &value) ? json_object_get_string(value)
                                                                : "";
}

static void print_json_answer(Ask *a, json_object *metadata)
{
        json_object *o = json_object_new_object();
        const char *id = a->conversation ? strrchr(a->conversation, '/') : NULL;

        if (!o)
                return;
        (void) json_object_object_add(o, "conversation", json_object_new_string(id ? id + 1 : ""));
        (void) json_object_object_add(o, "reply", json_object_new_uint64(a->reply));
        (void) json_object_object_add(
                o, "text", json_object_new_string_len(buffer_text(&a->content), a->content.size));
        (void) json_object_object_add(o, "reasoning",
                json_object_new_string_len(buffer_text(&a->reasoning), a->reasoning.size));
        (void) json_object_object_add(o, "metadata", json_object_get(metadata));
        (void) cli_print_json(a->cli, o);
}

/* What a person should know beside the text. */
static void say_how_it_ended(Ask *a, json_object *metadata)
{
        const char *reason = metadata_string(metadata, "reason");
        const char *note = metadata_string(metadata, "note");

        if (streq(reason, "cancelled"))
                cli_error("conductor: cancelled; what came is kept.");
        else if (streq(reason, "length"))
                cli_error("conductor: the reply was cut at its length limit; "
                          "'conductor ask -c go on' continues.");
        else if (!isempty(reason) && !streq(reason, "stop"))
                cli_error("conductor: the reply ended early (%s); what came is kept.", reason);
        if (!isempty(note) && cli_is_terminal(STDERR_FILENO) && !a->cli->quiet)
                cli_error("(%s)", note);
        a->exit_code = streq(reason, "cancelled") ? EXIT_CANCELLED
                : isempty(reason) || streq(reason, "stop") || streq(reason, "length") ? EXIT_DONE
                                                                                      : EXIT_FAILED;
}

static void on_ended(const Failure *failure, sd_bus_message *m, void *userdata)
{
        Ask *a = ASSERT_PTR(userdata);
        json_object *metadata = NULL;

        a->done = true;
        progress_hide(a->progress);
        if (!a->cli->json_given && a->last && a->last != '\n')
                (void) cli_write(STDOUT_FILENO, "\n", 1);
        if (failure) {
                a->exit_code = cli_fail(failure);
                return;
        }
        if (m)
                (void) message_to_json(m, &metadata);
        if (a->cli->json_given)
                print_json_answer(a, metadata);
        say_how_it_ended(a, metadata);
        json_object_put(metadata);
}

/* ---- Ctrl-C ---- */

static int interrupt_fd = -EBADF;

/* No SA_RESTART: a write to a reader that does not read returns, and the loop gets to see this. */
static void on_signal(int signal)
{
        static const uint64_t one = 1;
        int saved = errno;

        (void) !write(interrupt_fd, &one, sizeof one);
        errno = saved;
}

static int on_interrupt(sd_event_source *s, int fd, uint32_t events, void *userdata)
{
        Ask *a = ASSERT_PTR(userdata);
        uint64_t n;

        (void) !read(fd, &n, sizeof n);
        if (a->interrupts++ == 0) {
                progress_set_phase(a->progress, "cancelling", 0);
                return reply_stream_cancel(a->stream);
        }
        a->done = true;
        a->exit_code = EXIT_CANCELLED;
        return 0;
}

static int watch_interrupts(Ask *a)
{
        struct sigaction action = { .sa_handler = on_signal };
        int r;

        if (interrupt_fd < 0) {
                interrupt_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
                if (interrupt_fd < 0)
                        return -errno;
        }
        r = sd_event_add_io(a->event, NULL, interrupt_fd, EPOLLIN, on_interrupt, a);
        if (r < 0)
                return r;
        if (sigaction(SIGINT, &action, NULL) < 0)
                return -errno;
        return 0;
}

/* ---- one question ---- */

static int run(Ask *a, const char *question)
{
        static const ReplyStreamOps ops = {
                .asked = on_asked,
                .phase = on_phase,
                .text = on_text,
                .ended = on_ended,
        };
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        int r;

        r = build_call(a, question, &call);
        if (r < 0)
                return r;
        r = sd_event_new(&a->event);
        if (r < 0)
                return r;
        r = sd_bus_attach_event(a->cli->bus, a->event, SD_EVENT_PRIORITY_NORMAL);
        if (r < 0)
                return r;
        r = progress_new(a->event, &a->progress);
        if (r < 0)
                return r;
        r = watch_interrupts(a);
        if (r < 0)
                return r;
        r = reply_stream_new(a->cli->bus, call, &ops, a, &a->stream);
        if (r < 0)
                return r;
        while (!a->done) {
                r = sd_event_run(a->event, UINT64_MAX);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int ask_one(Cli *cli, const char *question, char **conversation)
{
        _cleanup_(ask_done) Ask a = {
                .cli = cli,
                .conversation = TAKE_PTR(*conversation),
                .content = BUFFER_INIT(MIB(64)),
                .reasoning = BUFFER_INIT(MIB(64)),
        };
        int r;

        r = run(&a, question);
        (void) sd_bus_detach_event(cli->bus);
        (void) signal(SIGINT, SIG_DFL);
        *conversation = TAKE_PTR(a.conversation);
        if (r < 0 && !a.done) {
                cli_error("conductor: the question cannot be asked: %s", strerror(-r));
                return EXIT_FAILED;
        }
        return a.exit_code;
}

/* An open prompt: each line a question in one conversation, until end of file. */
static int ask_many(Cli *cli, char **conversation)
{
        _cleanup_free_ char *line = NULL;
        size_t allocated = 0;
        ssize_t n;
        int r = EXIT_DONE;

        cli_error("Ctrl-C cancels an answer, Ctrl-D leaves.");
        for (;;) {
                (void) fputs("> ", stderr);
                (void) fflush(stderr);
                n = getline(&line, &allocated, stdin);
                if (n < 0)
                        break;
                if (n > 0 && line[n - 1] == '\n')
                        line[--n] = 0;
                if (strspn(line, " \t") == (size_t) n)
                        continue;
                if (!utf8_is_valid(line, n) || strlen(line) != (size_t) n) {
                        cli_error("conductor: that line is not text in UTF-8.");
                        continue;
                }
                r = ask_one(cli, line, conversation);
                if (r == EXIT_NO_SERVICE)
                        return r;
        }
        (void) fputs("\n", stderr);
        return r;
}

int verb_ask(Cli *cli, int argc, char *argv[])
{
        _cleanup_buffer_ Buffer question = BUFFER_INIT(QUESTION_MAX);
        _cleanup_free_ char *conversation = NULL;
        bool prompt = argc == 1 && cli_is_terminal(STDIN_FILENO);
        int r;

        if (!prompt) {
                r = read_question(argc, argv, &question);
                if (r != EXIT_DONE)
                        return r;
        }
        r = cli_connect(cli);
        if (r != EXIT_DONE)
                return r;
        if (cli->n_files > 0 && cli->door == CLIENT_REMOTE) {
                cli_error("conductor: files cannot be attached over --host; pipe their text in "
                          "instead.");
                return EXIT_FAILED;
        }
        if (cli->continue_last || cli->conversation) {
                r = cli_find_conversation(
                        cli, cli->conversation ? cli->conversation : "last", &conversation);
                if (r != EXIT_DONE)
                        return r;
        }
        return prompt ? ask_many(cli, &conversation)
                      : ask_one(cli, buffer_text(&question), &conversation);
}
