/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <limits.h>
#include <locale.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <wchar.h>

#include "client/cli/cli.h"
#include "common/parse.h"
#include "common/utf8.h"

#define COLUMNS_USUAL 80
#define WINDOW        KIB(4) /* looked through before it is written */

bool cli_is_terminal(int fd)
{
        return isatty(fd) > 0;
}

bool cli_colors(void)
{
        const char *term = getenv("TERM");

        return isempty(getenv("NO_COLOR")) && cli_is_terminal(STDOUT_FILENO) && !isempty(term) &&
                !streq(term, "dumb");
}

/* ---- writing ---- */

/* Length of the control character that the text begins with: C0 but newline and tab, DEL, and C1
 * (two bytes in UTF-8, C2 80 to C2 9F); 0 when there is none. */
static size_t control_length(const char *text, size_t size)
{
        unsigned char c = text[0];

        if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f)
                return 1;
        return c == 0xc2 && size > 1 && (text[1] & 0xe0) == 0x80 ? 2 : 0;
}

/* The length of the beginning that a terminal may see: a model's text must never move the cursor,
 * set a title or answer for the user. */
static size_t harmless_length(const char *text, size_t size)
{
        size_t n = 0;

        while (n < size && control_length(text + n, size - n) == 0)
                n++;
        return utf8_valid_prefix(text, n);
}

/* What is shown instead of the byte or character that the text begins with; *ret_length is its
 * length. */
static size_t picture(const char *text, size_t size, char ret[static 3], size_t *ret_length)
{
        size_t length = control_length(text, size);
        unsigned char c = text[0];

        *ret_length = MAX(length, (size_t) 1);
        if (c == '\r')
                return 0;
        memcpy(ret, UTF8_REPLACEMENT, 3);
        if (length == 1) {
                ret[0] = (char) 0xe2; /* U+2400 and on: pictures of control characters */
                ret[1] = (char) 0x90;
                ret[2] = c == 0x7f ? (char) 0xa1 : (char) (0x80 + c);
        }
        return 3;
}

/* Whoever shares the terminal or the pipe may have made it non-blocking. */
static int wait_for_room(int fd)
{
        struct pollfd p = { .fd = fd, .events = POLLOUT };

        return poll(&p, 1, -1) < 0 ? -errno : 0;
}

/* Counts what was written; a part of it is all that a signal let through. */
static int write_once(int fd, const char *data, size_t size, size_t *done)
{
        ssize_t n;
        int r;

        while ((n = write(fd, data, size)) < 0 && errno == EAGAIN) {
                r = wait_for_room(fd);
                if (r < 0)
                        return r;
        }
        if (n < 0)
                return -errno;
        *done += n;
        return (size_t) n < size ? -EINTR : 0;
}

int cli_write_on(int fd, const char *text, size_t size, size_t *done)
{
        bool terminal = cli_is_terminal(fd);

        while (*done < size) {
                const char *p = text + *done;
                size_t rest = size - *done, window, n, skip, shown = 0;
                char instead[3];
                int r;

                window = MAX(utf8_cut(p, rest, WINDOW), (size_t) 1);
                n = terminal ? harmless_length(p, window) : rest;
                if (n > 0)
                        r = write_once(fd, p, n, done);
                else {
                        n = picture(p, rest, instead, &skip);
                        r = n > 0 ? write_once(fd, instead, n, &shown) : 0;
                        if (r >= 0 || shown > 0)
                                *done += skip;
                }
                if (r < 0)
                        return r;
        }
        return 0;
}

int cli_write(int fd, const char *text, size_t size)
{
        size_t done = 0;
        int r;

        do
                r = cli_write_on(fd, text, size, &done);
        while (r == -EINTR);
        return r;
}

static int fail_output(int error)
{
        if (error != -EPIPE)
                cli_error("conductor: standard output cannot be written: %s", strerror(-error));
        return EXIT_FAILED;
}

int cli_print(const char *text, size_t size)
{
        int r = cli_write(STDOUT_FILENO, text, size);

        return r < 0 ? fail_output(r) : EXIT_DONE;
}

int cli_flush(void)
{
        errno = 0;
        if (fflush(stdout) == 0 && !ferror(stdout))
                return EXIT_DONE;
        return fail_output(errno > 0 ? -errno : -EIO);
}

int cli_print_own(const char *format, ...)
{
        _cleanup_free_ char *text = NULL;
        size_t done = 0;
        va_list ap;
        int n, r;

        va_start(ap, format);
        n = vasprintf(&text, format, ap);
        va_end(ap);
        if (n < 0) {
                text = NULL;
                return fail_output(-ENOMEM);
        }
        do
                r = write_once(STDOUT_FILENO, text + done, (size_t) n - done, &done);
        while (r == -EINTR);
        return r < 0 ? fail_output(r) : EXIT_DONE;
}

/* ---- width ---- */

size_t cli_columns(void)
{
        struct winsize size;
        uint64_t columns;

        if (!cli_is_terminal(STDOUT_FILENO))
                return SIZE_MAX;
        if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
                return size.ws_col;
        if (parse_u64(strempty(getenv("COLUMNS")), &columns) >= 0 && columns > 0)
                return columns;
        return COLUMNS_USUAL;
}

size_t cli_fitting(const char *text, size_t columns)
{
        locale_t utf8, before;
        size_t used = 0, i = 0, n;
        mbstate_t state = { 0 };
        wchar_t c;
        int width;

        /* The text is UTF-8 even where the locale is not. */
        utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t) 0);
        if (!utf8)
                return utf8_cut(text, strlen(text), columns);
        before = uselocale(utf8);
        for (; text[i]; i += n) {
                n = mbrtowc(&c, text + i, MB_LEN_MAX, &state);
                if (n == 0 || n > MB_LEN_MAX)
                        break;
                width = wcwidth(c);
                used += width < 0 ? 1 : width;
                if (used > columns)
                        break;
        }
        (void) uselocale(before);
        freelocale(utf8);
        return i;
}

/* ---- errors ---- */

void cli_error(const char *format, ...)
{
        static const char none[] = "conductor: out of memory.\n";
        char *text = NULL;
        va_list ap;
        int n;

        va_start(ap, format);
        n = vasprintf(&text, format, ap);
        va_end(ap);
        if (n < 0) {
                (void) cli_write(STDERR_FILENO, none, strlen(none));
                return;
        }
        /* The newline takes the NUL's place: one line, one write. */
        text[n] = '\n';
        (void) cli_write(STDERR_FILENO, text, n + 1);
        free(text);
}

static ExitCode exit_code(FailureCode code)
{
        switch (code) {
        case FAILURE_NONE:
                return EXIT_DONE;
        case FAILURE_INVALID_ARGUMENT:
                return EXIT_USAGE;
        case FAILURE_NO_SERVICE:
                return EXIT_NO_SERVICE;
        case FAILURE_NO_SUCH_CONVERSATION:
        case FAILURE_NO_SUCH_MESSAGE:
        case FAILURE_NO_SUCH_MODEL:
                return EXIT_NOT_FOUND;
        case FAILURE_ENGINE_UNREACHABLE:
        case FAILURE_ENGINE_REFUSED:
        case FAILURE_ENGINE_FAILED:
        case FAILURE_ENGINE_STALLED:
        case FAILURE_KEY_REFUSED:
        case FAILURE_CONTEXT_TOO_LONG:
                return EXIT_ENGINE;
        case FAILURE_BUSY:
        case FAILURE_TOO_LARGE:
                return EXIT_LIMIT;
        case FAILURE_CANCELLED:
                return EXIT_CANCELLED;
        case FAILURE_STORE_FULL:
        case FAILURE_STORE_FAILED:
                return EXIT_STORE;
        case FAILURE_NOT_SUPPORTED:
        case FAILURE_CONFIGURATION:
        case FAILURE_NO_MEMORY:
        case FAILURE_INTERNAL:
        case _FAILURE_MAX:
                break;
        }
        return EXIT_FAILED;
}

int cli_fail(const Cli *cli, const Failure *failure)
{
        cli_error("conductor: %s", failure_message(failure));
        /* What the sentence names is to be done there. */
        if (cli->bus && cli->host &&
                (failure->code == FAILURE_NO_SERVICE || failure->code == FAILURE_NOT_SUPPORTED))
                cli_error("That is on %s, by ssh; 'ssh %s conductor doctor' finds out more.",
                        cli->host, cli->host);
        return exit_code(failure->code);
}
