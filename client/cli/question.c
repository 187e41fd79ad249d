/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/cli/question.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include "client/bus/call.h"
#include "common/names.h"
#include "common/utf8.h"

#define READ_SIZE KIB(64)

/* ---- reading ---- */

/* Standard input may have been made non-blocking by whoever shares it. */
static int wait_for_input(void)
{
        struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };

        return poll(&p, 1, -1) < 0 && errno != EINTR ? -errno : 0;
}

/* Until its end, or until it is over the limit: -EFBIG. */
static int read_standard_input(Buffer *b)
{
        while (b->size <= QUESTION_MAX) {
                ssize_t n;
                char *end;
                int r;

                r = buffer_reserve(b, READ_SIZE, &end);
                if (r < 0)
                        return r;
                n = read(STDIN_FILENO, end, READ_SIZE);
                if (n == 0)
                        return 0;
                if (n > 0) {
                        buffer_advance(b, n);
                        continue;
                }
                if (errno == EAGAIN) {
                        r = wait_for_input();
                        if (r < 0)
                                return r;
                } else if (errno != EINTR)
                        return -errno;
        }
        return -EFBIG;
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

static int add_standard_input(Buffer *b)
{
        size_t words = b->size, begin;
        int r;

        if (cli_is_terminal(STDIN_FILENO))
                return 0;
        if (words > 0) {
                r = buffer_append_string(b, "\n\n");
                if (r < 0)
                        return r;
        }
        begin = b->size;
        r = read_standard_input(b);
        if (r < 0)
                return r;
        if (b->size == begin && b->data) { /* nothing was piped in */
                b->size = words;
                b->data[words] = 0;
        }
        return b->size > QUESTION_MAX ? -EFBIG : 0;
}

int question_read(const Cli *cli, int argc, char *argv[], Buffer *b)
{
        int r;

        r = add_words(b, argc, argv);
        if (r >= 0)
                r = add_standard_input(b);
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
        if (b->size == 0 && cli->n_files == 0) {
                cli_error("conductor: there is nothing to ask; give words, or pipe text in.");
                return EXIT_USAGE;
        }
        if (!utf8_is_valid(buffer_text(b), b->size)) {
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

static int append_options(sd_bus_message *m, const Cli *cli, const char *conversation)
{
        int r;

        r = append_option(m, "conversation", conversation);
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
        return cli->private ? sd_bus_message_append(m, "{sv}", "private", "b", true) : 0;
}

/* An ExitCode. */
static int append_file(sd_bus_message *m, const char *path)
{
        const char *name = strrchr(path, '/');
        _cleanup_close_ int fd = -EBADF;
        struct stat st;
        int r;

        /* O_NONBLOCK: opening a FIFO must not hang. */
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0) {
                cli_error("conductor: %s cannot be opened: %m", path);
                return EXIT_FAILED;
        }
        if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
                cli_error("conductor: %s is not a regular file.", path);
                return EXIT_FAILED;
        }
        r = sd_bus_message_append(m, "(sh)", name ? name + 1 : path, fd);
        if (r >= 0)
                return EXIT_DONE;
        cli_error("conductor: %s cannot be attached: %s", path,
                r == -EINVAL ? "its name is not text in UTF-8" : strerror(-r));
        return EXIT_FAILED;
}

static int open_attachments(sd_bus_message *m)
{
        int r;

        r = sd_bus_message_open_container(m, 'e', "sv");
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "s", "attachments");
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(m, 'v', "a(sh)");
        if (r < 0)
                return r;
        return sd_bus_message_open_container(m, 'a', "(sh)");
}

static int close_attachments(sd_bus_message *m)
{
        int r = 0;

        for (unsigned i = 0; r >= 0 && i < 3; i++)
                r = sd_bus_message_close_container(m);
        return r;
}

static int append_files(sd_bus_message *m, const Cli *cli)
{
        int r;

        if (cli->n_files == 0)
                return EXIT_DONE;
        r = open_attachments(m);
        for (unsigned i = 0; r >= 0 && i < cli->n_files; i++) {
                int code = append_file(m, cli->files[i]);

                if (code != EXIT_DONE)
                        return code;
        }
        if (r >= 0)
                r = close_attachments(m);
        if (r >= 0)
                return EXIT_DONE;
        cli_error("conductor: the files cannot be attached: %s", strerror(-r));
        return EXIT_FAILED;
}

int question_fail(const Cli *cli, int r)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;

        if (r == -ECONNRESET || r == -ENOTCONN || r == -EPIPE) {
                (void) client_fail(&failure, r, /* error= */ NULL);
                return cli_fail(cli, &failure);
        }
        cli_error("conductor: the question cannot be asked: %s", strerror(-r));
        return EXIT_FAILED;
}

int question_build_call(
        const Cli *cli, const char *conversation, const char *question, sd_bus_message **ret)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_call(
                cli->bus, &m, BUS_NAME, PATH_ROOT, INTERFACE_MANAGER, "Ask");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", question);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r >= 0)
                r = append_options(m, cli, conversation);
        if (r == -EINVAL) {
                cli_error("conductor: --model, --title and --system take text in UTF-8 only.");
                return EXIT_USAGE;
        }
        if (r < 0)
                return question_fail(cli, r);
        r = append_files(m, cli);
        if (r != EXIT_DONE)
                return r;
        *ret = TAKE_PTR(m);
        return EXIT_DONE;
}
