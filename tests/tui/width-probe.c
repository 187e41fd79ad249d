/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* width-probe RESULT: runs in a terminal, which is asked for its ways as the curses client asks it;
 * then writes every cluster of Unicode's lists whose cells are taken for certain, asks where the
 * cursor is, and compares. RESULT gets one line for each that is not so, and at the end
 * "CLUSTERS WRONG UNCERTAIN". */

#include <termios.h>

#include "client/tui/terminal/terminal.h"
#include "common/buffer.h"

/* Where distributions have them. */
static const char *const folders[] = { "/usr/share/unicode", "/usr/share/unicode/ucd" };
static const char *const lists[] = { "auxiliary/GraphemeBreakTest.txt", "emoji/emoji-test.txt" };

static unsigned n_clusters, n_wrong, n_uncertain;

/* The answer to "where is the cursor": ESC [ ROW ; COLUMN R. */
static int read_column(void)
{
        int row = 0, column = 0;

        return scanf("\033[%d;%dR", &row, &column) == 2 ? column : -1;
}

static void probe(FILE *result, const char *text, const Cluster *c)
{
        int column;

        (void) printf("\r\033[K%.*s\033[6n", (int) c->size, text);
        (void) fflush(stdout);
        column = read_column();
        n_clusters++;
        if (column == (int) c->cells + 1)
                return;
        n_wrong++;
        (void) fprintf(result, "# ");
        for (size_t i = 0; i < c->size; i++)
                (void) fprintf(result, "%02x ", (unsigned char) text[i]);
        (void) fprintf(result, "is %u cells for us, %d for the terminal\n", c->cells, column - 1);
}

static void append_character(Buffer *b, unsigned long c)
{
        char s[4];
        size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
        static const unsigned char first[] = { 0, 0, 0xc0, 0xe0, 0xf0 };

        for (size_t i = n; i-- > 1; c >>= 6)
                s[i] = (char) (0x80 | (c & 0x3f));
        s[0] = (char) (first[n] | c);
        (void) buffer_append(b, s, n);
}

/* Hexadecimal numbers, with ÷ and × between them; ; and # begin what is no more of them. */
static void probe_line(FILE *result, const char *line)
{
        _cleanup_buffer_ Buffer b = BUFFER_INIT(KIB(4));
        size_t at = 0;

        while (*line && *line != ';' && *line != '#') {
                char *end;
                unsigned long c = strtoul(line, &end, 16);

                if (end == line) {
                        line++;
                        continue;
                }
                /* Surrogates are no characters. */
                if (c < 0xd800 || c > 0xdfff)
                        append_character(&b, c);
                line = end;
        }
        while (at < b.size) {
                Cluster c;

                cluster_measure(b.data + at, b.size - at, &c);
                if (c.certain && c.kind == CLUSTER_TEXT)
                        probe(result, b.data + at, &c);
                else
                        n_uncertain++;
                at += c.size;
        }
}

static int probe_list(FILE *result, const char *name)
{
        _cleanup_fclose_ FILE *f = NULL;
        char path[256], line[1024];

        for (size_t i = 0; i < ELEMENTSOF(folders) && !f; i++) {
                (void) snprintf(path, sizeof path, "%s/%s", folders[i], name);
                f = fopen(path, "re");
        }
        if (!f)
                return -ENOENT;
        while (fgets(line, sizeof line, f))
                probe_line(result, line);
        return 0;
}

static void on_changed(void *userdata)
{
        (void) sd_event_exit(userdata, 0);
}

static void on_closed(int error, void *userdata)
{
        (void) sd_event_exit(userdata, EXIT_FAILURE);
}

/* What is measured stays known when the terminal is given back. */
static int measure(void)
{
        static const TerminalOps ops = { .changed = on_changed, .closed = on_closed };
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        _cleanup_(terminal_freep) Terminal *t = NULL;
        const TerminalOptions options = { .theme = "dark" };
        int r;

        r = sd_event_default(&event);
        if (r >= 0)
                r = terminal_open(event, &ops, &options, event, &t, NULL);
        return r < 0 ? r : sd_event_loop(event);
}

int main(int argc, char *argv[])
{
        _cleanup_fclose_ FILE *result = fopen(argc > 1 ? argv[1] : "", "we");
        struct termios raw;

        if (!result || measure() != 0 || tcgetattr(STDIN_FILENO, &raw) < 0)
                return EXIT_FAILURE;
        cfmakeraw(&raw);
        if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) < 0)
                return EXIT_FAILURE;
        for (size_t i = 0; i < ELEMENTSOF(lists); i++)
                if (probe_list(result, lists[i]) < 0)
                        return EXIT_FAILURE;
        (void) fprintf(result, "%u %u %u\n", n_clusters, n_wrong, n_uncertain);
        return EXIT_SUCCESS;
}
