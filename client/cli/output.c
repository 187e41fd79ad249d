/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdarg.h>

#include "client/cli/cli.h"
#include "common/buffer.h"

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

static int write_all(int fd, const char *data, size_t size)
{
        while (size > 0) {
                ssize_t n = write(fd, data, size);

                if (n < 0)
                        return -errno;
                data += n;
                size -= n;
        }
        return 0;
}

/* C0 controls but newline and tab, DEL, and C1 controls (two bytes in UTF-8, C2 80 to C2 9F): a
 * model's text must never move the cursor, set a title or answer for the user. */
static size_t harmful_length(const char *text, size_t size)
{
        unsigned char c = text[0];

        if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f)
                return 1;
        if (c == 0xc2 && size > 1 && (unsigned char) text[1] >= 0x80 &&
                (unsigned char) text[1] <= 0x9f)
                return 2;
        return 0;
}

static int append_picture(Buffer *b, const char *text, size_t length)
{
        unsigned char c = text[0];
        char picture[3] = { (char) 0xe2, (char) 0x90, (char) 0x80 }; /* U+2400 */

        if (length == 2)
                return buffer_append_string(b, "\xef\xbf\xbd");
        if (c == '\r')
                return 0;
        picture[2] = c == 0x7f ? (char) 0xa1 : (char) (0x80 + c);
        return buffer_append(b, picture, sizeof picture);
}

int cli_write(int fd, const char *text, size_t size)
{
        _cleanup_buffer_ Buffer harmless = BUFFER_INIT(SIZE_MAX / 2);
        size_t begin = 0, length;
        int r;

        if (!cli_is_terminal(fd))
                return write_all(fd, text, size);

        for (size_t i = 0; i < size; i += MAX(length, (size_t) 1)) {
                length = harmful_length(text + i, size - i);
                if (length == 0)
                        continue;
                r = buffer_append(&harmless, text + begin, i - begin);
                if (r < 0)
                        return r;
                r = append_picture(&harmless, text + i, length);
                if (r < 0)
                        return r;
                begin = i + length;
        }
        if (begin == 0)
                return write_all(fd, text, size);
        r = buffer_append(&harmless, text + begin, size - begin);
        if (r < 0)
                return r;
        return write_all(fd, harmless.data, harmless.size);
}

void cli_error(const char *format, ...)
{
        _cleanup_free_ char *text = NULL;
        va_list ap;
        int n;

        va_start(ap, format);
        n = vasprintf(&text, format, ap);
        va_end(ap);
        if (n < 0) {
                text = NULL;
                return;
        }
        (void) cli_write(STDERR_FILENO, text, n);
        (void) cli_write(STDERR_FILENO, "\n", 1);
}

ExitCode cli_exit_code(FailureCode code)
{
        switch (code) {
        case FAILURE_NONE:
                return EXIT_DONE;
        case FAILURE_INVALID_ARGUMENT:
                return EXIT_USAGE;
        case FAILURE_NO_SUCH_CONVERSATION:
        case FAILURE_NO_SUCH_MESSAGE:
        case FAILURE_NO_SUCH_MODEL:
        case FAILURE_NO_SUCH_ENGINE:
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

int cli_fail(const Failure *failure)
{
        cli_error("conductor: %s", failure_message(failure));
        return cli_exit_code(failure->code);
}

int cli_print_json(const Cli *cli, json_object *object)
{
        int flags = JSON_C_TO_STRING_NOSLASHESCAPE |
                (cli->json == JSON_PRETTY ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED : 0);
        size_t size;
        const char *text = json_object_to_json_string_length(object, flags, &size);
        int r;

        r = text ? cli_write(STDOUT_FILENO, text, size) : -ENOMEM;
        if (r >= 0)
                r = cli_write(STDOUT_FILENO, "\n", 1);
        json_object_put(object);
        return r < 0 ? EXIT_FAILED : EXIT_DONE;
}
