/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* print-keys FILE: the manual page, with the keys where it says @KEYS@. A tool of the build, made
 * from the same tables as the client. */

#include "client/tui/view/vi.h"

static const ActionInfo infos[] = {
#define X(id, name, keys, context, description) { name, keys, context, description },
        ACTIONS(X)
#undef X
};

static const char *const titles[_CONTEXT_MAX] = {
        [CONTEXT_ANY] = "Everywhere",
        [CONTEXT_INPUT] = "Writing",
        [CONTEXT_TRANSCRIPT] = "Reading",
        [CONTEXT_LIST] = "In the list of conversations",
};

/* A sentence of the table, as mdoc has it. */
static void print_text(const char *text)
{
        bool open = false;

        for (; *text; text++)
                if (*text == '`') {
                        (void) fputs(open ? "\\(cq" : "\\(oq", stdout);
                        open = !open;
                } else if (*text == '\\')
                        (void) fputs("\\e", stdout);
                else
                        (void) putchar(*text);
        (void) puts(".");
}

/* \& keeps a key that is punctuation from being that. */
static void print_keys(const char *keys)
{
        while (*keys) {
                size_t n = strcspn(keys, " ");

                if (n > 0)
                        (void) printf(" , Ic \\&%.*s", (int) n, keys);
                keys += n + strspn(keys + n, " ");
        }
        (void) putchar('\n');
}

static void print_context(KeyContext context)
{
        (void) printf(".Ss %s\n.Bl -tag -width Ds\n", titles[context]);
        for (size_t i = 0; i < ELEMENTSOF(infos); i++)
                if (infos[i].context == context) {
                        (void) printf(".It Cm %s", infos[i].name);
                        print_keys(infos[i].keys);
                        print_text(infos[i].description);
                }
        (void) puts(".El");
}

static void print_vi(void)
{
        size_t n;
        const ViCommand *commands = vi_commands(&n);

        (void) puts(".Ss With Editing=vi\n"
                    "Writing begins with typing;\n"
                    ".Ic Esc\n"
                    "begins the normal mode, in which letters are commands, and there cancels.\n"
                    "There are no counts, registers and marks.\n"
                    ".Bl -tag -width Ds -compact");
        for (size_t i = 0; i < n; i++) {
                (void) printf(".It Ic \\&%s%s\n", commands[i].keys,
                        commands[i].context == CONTEXT_TRANSCRIPT ? " Pq reading" : "");
                print_text(commands[i].description);
        }
        (void) puts(".El");
}

int main(int argc, char *argv[])
{
        _cleanup_fclose_ FILE *f = argc == 2 ? fopen(argv[1], "re") : NULL;
        char line[256];

        if (!f) {
                (void) fprintf(stderr, "print-keys: cannot read the page.\n");
                return EXIT_FAILURE;
        }
        while (fgets(line, sizeof line, f)) {
                if (!streq(line, "@KEYS@\n")) {
                        (void) fputs(line, stdout);
                        continue;
                }
                for (KeyContext c = CONTEXT_ANY; c < _CONTEXT_MAX; c++)
                        print_context(c);
                print_vi();
        }
        return ferror(f) || fflush(stdout) != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
