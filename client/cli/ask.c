/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* conductor ask: words, standard input or both; the answer streams to standard output. */

#include <signal.h>
#include <sys/eventfd.h>
#include <systemd/sd-event.h>

#include "client/bus/message-json.h"
#include "client/bus/reply-stream.h"
#include "client/cli/progress.h"
#include "client/cli/question.h"
#include "client/cli/rejoin.h"
#include "client/cli/verbs.h"
#include "common/json-util.h"
#include "common/utf8.h"

#define REPLY_MAX MIB(64) /* the interface's limit */

typedef struct Ask {
        Cli *cli;
        sd_event *event;
        ReplyStream *stream;
        Rejoin *rejoin;  /* once the connection broke, */
        Failure failure; /* so */
        Progress *progress;
        char *conversation; /* object path, once known */
        uint64_t reply;
        Buffer content, reasoning; /* kept for --json only */
        char last;                 /* byte written, 0 = none */
        bool done;
        bool doubtful; /* the engine failed, or is none of those one installs */
        uint64_t interrupts;
        int exit_code;
} Ask;

static void ask_done(Ask *a)
{
        progress_free(a->progress);
        rejoin_free(a->rejoin);
        reply_stream_free(a->stream);
        failure_done(&a->failure);
        sd_event_unref(a->event);
        free(a->conversation);
        buffer_done(&a->content);
        buffer_done(&a->reasoning);
}

static void leave(Ask *a, int exit_code)
{
        a->done = true;
        a->exit_code = exit_code;
}

/* ---- Ctrl-C ---- */

static int interrupt_fd = -EBADF;

/* No SA_RESTART: a write to a reader that does not read returns, and Ctrl-C is seen. */
static void on_signal(int signal)
{
        static const uint64_t one = 1;
        int saved = errno;

        (void) !write(interrupt_fd, &one, sizeof one);
        errno = saved;
}

/* The first one cancels the answer, the second one leaves. */
static int take_interrupts(Ask *a)
{
        uint64_t n, before = a->interrupts;

        if (read(interrupt_fd, &n, sizeof n) != sizeof n)
                return 0;
        a->interrupts += n;
        if (a->interrupts > 1) {
                leave(a, EXIT_CANCELLED);
                return 0;
        }
        if (a->last == 0)
                progress_set_phase(a->progress, "cancelling", 0);
        return before == 0 ? reply_stream_cancel(a->stream) : 0;
}

static int on_interrupt(sd_event_source *s, int fd, uint32_t events, void *userdata)
{
        return take_interrupts(ASSERT_PTR(userdata));
}

static int watch_interrupts(Ask *a)
{
        struct sigaction action = { .sa_handler = on_signal }, before;
        uint64_t stale;
        int r;

        /* A job in a script's background is not meant by Ctrl-C. */
        if (sigaction(SIGINT, NULL, &before) < 0)
                return -errno;
        if (before.sa_handler == SIG_IGN)
                return 0;

        if (interrupt_fd < 0) {
                interrupt_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
                if (interrupt_fd < 0)
                        return -errno;
        }
        (void) !read(interrupt_fd, &stale, sizeof stale); /* meant for the question before */
        r = sd_event_add_io(a->event, NULL, interrupt_fd, EPOLLIN, on_interrupt, a);
        if (r < 0)
                return r;
        return sigaction(SIGINT, &action, NULL) < 0 ? -errno : 0;
}

static void unwatch_interrupts(void)
{
        struct sigaction now;

        if (sigaction(SIGINT, NULL, &now) >= 0 && now.sa_handler == on_signal)
                (void) signal(SIGINT, SIG_DFL);
}

/* ---- the answer ---- */

static void on_asked(const char *conversation, uint64_t reply, void *userdata)
{
        Ask *a = ASSERT_PTR(userdata);

        a->reply = reply;
        if (free_and_strdup(&a->conversation, conversation) >= 0)
                return;
        /* A program would not know where it is, and the next line would not belong to it. */
        cli_error("conductor: out of memory; the answer is kept: 'conductor show'.");
        leave(a, EXIT_FAILED);
}

static void on_phase(const char *phase, unsigned place, void *userdata)
{
        Ask *a = ASSERT_PTR(userdata);

        if (a->last == 0 && a->interrupts == 0)
                progress_set_phase(a->progress, phase, place);
}

static void keep_text(Ask *a, Channel channel, const char *text, size_t size)
{
        int r;

        r = buffer_append(channel == CHANNEL_CONTENT ? &a->content : &a->reasoning, text, size);
        if (r < 0) {
                cli_error("conductor: the answer cannot be kept: %s", strerror(-r));
                leave(a, EXIT_FAILED);
        }
}

/* A reader that does not read holds this program, and so in the end its window, but not Ctrl-C. */
static int write_text(Ask *a, const char *text, size_t size)
{
        size_t done = 0;
        int r;

        do {
                r = cli_write_on(STDOUT_FILENO, text, size, &done);
                if (r != -EINTR)
                        break;
                r = take_interrupts(a);
                if (r >= 0 && sd_bus_is_open(a->cli->bus) > 0)
                        r = sd_bus_flush(a->cli->bus);
        } while (r >= 0 && !a->done);
        if (done > 0)
                a->last = text[done - 1];
        return r;
}

static void on_text(Channel channel, const char *text, size_t size, void *userdata)
{
        Ask *a = ASSERT_PTR(userdata);
        int r;

        if (a->done || size == 0)
                return;
        if (a->rejoin)
                rejoin_progressed(a->rejoin);
        if (a->cli->json != JSON_OFF) {
                keep_text(a, channel, text, size);
                return;
        }
        if (channel == CHANNEL_REASONING) {
                if (a->last == 0 && a->interrupts == 0)
                        progress_set_phase(a->progress, "thinking", 0);
                return;
        }
        progress_hide(a->progress);
        r = write_text(a, text, size);
        if (r >= 0)
                return;
        /* The reply goes on in the service and is kept; only this reader has left. */
        if (r != -EPIPE)
                cli_error("conductor: standard output cannot be written: %s", strerror(-r));
        leave(a, EXIT_FAILED);
}

/* ---- the end ---- */

static int add_member(json_object *o, const char *key, json_object *value)
{
        if (!value)
                return -ENOMEM;
        if (json_object_object_add(o, key, value) < 0) {
                json_object_put(value);
                return -ENOMEM;
        }
        return 0;
}

static int add_failure(json_object *o, const Failure *failure)
{
        int r;

        r = add_member(o, "error", json_object_new_string(failure_code_to_string(failure->code)));
        if (r < 0)
                return r;
        return add_member(o, "message", json_object_new_string(failure_message(failure)));
}

static json_object *answer_to_json(Ask *a, const Failure *failure, json_object *metadata)
{
        _cleanup_(json_putp) json_object *o = json_object_new_object();

        if (!o ||
                add_member(o, "conversation",
                        json_object_new_string(a->conversation ? cli_id(a->conversation) : "")) <
                        0 ||
                add_member(o, "reply", json_object_new_uint64(a->reply)) < 0 ||
                add_member(o, "text",
                        json_object_new_string_len(buffer_text(&a->content), a->content.size)) <
                        0 ||
                add_member(o, "reasoning",
                        json_object_new_string_len(buffer_text(&a->reasoning), a->reasoning.size)) <
                        0)
                return NULL;
        if (failure && add_failure(o, failure) < 0)
                return NULL;
        if (metadata && add_member(o, "metadata", json_object_get(metadata)) < 0)
                return NULL;
        return TAKE_PTR(o);
}

/* What a person should know beside the text; an ExitCode. */
static int say_reason(const Ask *a, const char *reason)
{
        const char *id = a->conversation ? cli_id(a->conversation) : "last";

        switch (isempty(reason) ? REASON_STOP : end_reason_from_string(reason)) {
        case REASON_NONE:
        case REASON_STOP:
        case REASON_TOOL:
                return EXIT_DONE;
        case REASON_LENGTH:
                cli_error("conductor: the reply was cut at its length limit; 'conductor ask "
                          "--conversation %.*s go on' continues.",
                        ID_SHOWN, id);
                return EXIT_DONE;
        case REASON_CANCELLED:
                cli_error("conductor: cancelled; what came is kept.");
                return EXIT_CANCELLED;
        case REASON_INTERRUPTED:
                cli_error("conductor: the service was stopped while it answered; what came is "
                          "kept: 'conductor show %.*s'.",
                        ID_SHOWN, id);
                return EXIT_NO_SERVICE;
        case REASON_INCOMPLETE:
                cli_error("conductor: the engine ended in the middle of its answer; what came is "
                          "kept.");
                return EXIT_ENGINE;
        case REASON_FILTERED:
                cli_error("conductor: the engine's filter ended the answer; what came is kept.");
                return EXIT_ENGINE;
        case REASON_FAILED:
        case _REASON_MAX:
        case _REASON_INVALID:
                break;
        }
        cli_error("conductor: the reply ended early (%s); what came is kept.", reason);
        return EXIT_FAILED;
}

static int say_failure(const Ask *a, const Failure *failure)
{
        int code = cli_fail(a->cli, failure);

        if (!a->conversation || (!a->last && a->content.size == 0 && code != EXIT_NO_SERVICE))
                return code;
        if (a->cli->host && code == EXIT_NO_SERVICE) /* only the way there may have ended */
                cli_error("The reply is kept, and goes on where the service does: 'conductor "
                          "--host %s show %.*s'.",
                        a->cli->host, ID_SHOWN, cli_id(a->conversation));
        else
                cli_error("What came is kept: 'conductor %s%s%sshow %.*s'.",
                        a->cli->host ? "--host " : "", strempty(a->cli->host),
                        a->cli->host ? " " : "", ID_SHOWN, cli_id(a->conversation));
        return code;
}

/* Ask fails as its reply does; who came back to the reply reads that of it. */
static bool read_failure(json_object *metadata, Failure *ret)
{
        const char *error = cli_member(metadata, "error");

        if (isempty(error))
                return false;
        (void) failure_set(
                ret, failure_code_from_string(error), "%s", cli_member(metadata, "message"));
        return true;
}

static void on_ended(const Failure *failure, sd_bus_message *m, void *userdata)
{
        Ask *a = ASSERT_PTR(userdata);
        _cleanup_(json_putp) json_object *metadata = NULL;
        _cleanup_failure_ Failure of_reply = FAILURE_NULL;
        int code = EXIT_DONE, printed = EXIT_DONE, r = 0;
        const char *note;

        if (a->done)
                return;
        progress_hide(a->progress);
        if (a->last && a->last != '\n')
                printed = cli_print("\n", 1);
        if (m)
                r = message_to_json(m, &metadata);
        if (!failure && metadata && read_failure(metadata, &of_reply))
                failure = &of_reply;
        if (a->cli->json != JSON_OFF)
                printed = cli_print_json(a->cli, answer_to_json(a, failure, metadata));

        if (failure)
                code = say_failure(a, failure);
        else if (r < 0) {
                cli_error("conductor: how the reply ended cannot be read: %s", strerror(-r));
                code = EXIT_FAILED;
        } else
                code = say_reason(a, cli_member(metadata, "reason"));
        note = cli_member(metadata, "note");
        if (!isempty(note) && cli_is_terminal(STDERR_FILENO) && !a->cli->quiet)
                cli_error("(%s)", note);
        a->doubtful = code == EXIT_ENGINE || !isempty(note);
        leave(a, code != EXIT_DONE ? code : printed);
}

/* ---- a connection that broke ---- */

static void on_given_up(void *userdata)
{
        Ask *a = ASSERT_PTR(userdata);

        on_ended(&a->failure, NULL, a);
}

static void say_broken(Ask *a)
{
        progress_hide(a->progress);
        /* Not behind the words that are on the terminal. */
        if (a->last && a->last != '\n' && cli_is_terminal(STDOUT_FILENO))
                (void) cli_write(STDERR_FILENO, "\n", 1);
        cli_error("conductor: the connection to %s broke; this connects again and goes on where "
                  "it was.",
                a->cli->host);
}

static void on_broken(const Failure *failure, void *userdata)
{
        Ask *a = ASSERT_PTR(userdata);
        int r;

        if (a->rejoin) {
                rejoin_failed(a->rejoin, failure);
                return;
        }
        failure_copy(&a->failure, failure);
        say_broken(a);
        r = rejoin_new(a->event, a->cli->host, a->stream, on_given_up, a, &a->rejoin);
        if (r < 0)
                on_given_up(a);
        else
                rejoin_start(a->rejoin);
}

static void on_rejoined(void *userdata)
{
        rejoin_succeeded(((Ask *) ASSERT_PTR(userdata))->rejoin);
}

/* A person wonders why it was not the engine that a variable of this shell names. */
static void say_variables(const Cli *cli)
{
        _cleanup_free_ char *names = NULL;

        if (cli->quiet || cli->door != CLIENT_SESSION ||
                cli_missing_variables(cli->bus, &names) < 0 || !names)
                return;
        cli_error("This shell has %s, which the service does not see. That mends it:\n  "
                  "systemctl --user import-environment %s && systemctl --user restart "
                  "conductor.service",
                names, names);
}

/* ---- one question ---- */

static int run(Ask *a, sd_bus_message *call)
{
        /* A service here that goes away takes its replies with it. */
        static const ReplyStreamOps here = {
                .asked = on_asked,
                .phase = on_phase,
                .text = on_text,
                .ended = on_ended,
        };
        static const ReplyStreamOps by_ssh = {
                .asked = on_asked,
                .phase = on_phase,
                .text = on_text,
                .ended = on_ended,
                .broken = on_broken,
                .rejoined = on_rejoined,
        };
        const ReplyStreamOps *ops = a->cli->door == CLIENT_REMOTE ? &by_ssh : &here;
        int r;

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
        r = reply_stream_new(a->cli->bus, call, ops, a, &a->stream);
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
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        _cleanup_(ask_done) Ask a = {
                .cli = cli,
                .content = BUFFER_INIT(REPLY_MAX),
                .reasoning = BUFFER_INIT(REPLY_MAX),
        };
        int r;

        r = question_build_call(cli, *conversation, question, &call);
        if (r != EXIT_DONE)
                return r;
        r = run(&a, call);
        (void) sd_bus_detach_event(cli->bus);
        unwatch_interrupts();
        if (a.rejoin) /* the next question opens one of its own, for which ssh may ask */
                cli->bus = sd_bus_close_unref(cli->bus);
        if (a.conversation) {
                free(*conversation);
                *conversation = TAKE_PTR(a.conversation);
        }
        if (r < 0 && !a.done)
                return question_fail(cli, r);
        if (a.doubtful)
                say_variables(cli);
        return a.exit_code;
}

/* What a new conversation, or the first question, was given is not given again. */
static void forget_options(Cli *cli)
{
        cli->title = cli->system = NULL;
        cli->private = false;
        cli->n_files = 0;
}

/* An open prompt: each line a question in one conversation, until end of file. */
static int ask_many(Cli *cli, char **conversation)
{
        _cleanup_free_ char *line = NULL;
        size_t allocated = 0;
        int r = EXIT_DONE;
        ssize_t n;

        if (!cli->quiet)
                cli_error("Ctrl-C cancels an answer, Ctrl-D leaves.");
        for (;;) {
                (void) cli_write(STDERR_FILENO, "> ", 2);
                n = getline(&line, &allocated, stdin);
                if (n < 0)
                        break;
                if (n > 0 && line[n - 1] == '\n')
                        line[--n] = 0;
                if (strspn(line, " \t") == (size_t) n)
                        continue;
                if (!utf8_is_valid(line, n)) {
                        cli_error("conductor: that line is not text in UTF-8.");
                        continue;
                }
                r = cli_connect(cli);
                if (r != EXIT_DONE)
                        return r;
                r = ask_one(cli, line, conversation);
                if (*conversation)
                        forget_options(cli);
                if (cli->bus && sd_bus_is_open(cli->bus) <= 0)
                        return r;
        }
        (void) cli_write(STDERR_FILENO, "\n", 1);
        return r;
}

int verb_ask(Cli *cli, int argc, char *argv[])
{
        _cleanup_buffer_ Buffer question = QUESTION_BUFFER_INIT;
        _cleanup_free_ char *conversation = NULL;
        bool prompt = argc == 1 && cli_is_terminal(STDIN_FILENO);
        int r;

        if (!prompt) {
                r = question_read(cli, argc, argv, &question);
                if (r != EXIT_DONE)
                        return r;
        }
        if (!cli->quiet)
                cli->flags |= CLIENT_WILL_ASK;
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
