/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* conductor: the command line client. Verbs are in a table; each family of them has a file. */

#include <fcntl.h>
#include <signal.h>

#include "build-config.h"
#include "client/cli/complete.h"
#include "client/cli/options.h"
#include "client/cli/verbs.h"

/* Number of letters to change, add or take away to turn a into b: for "did you mean". */
static unsigned edit_distance(const char *a, const char *b)
{
        unsigned row[32], above, left;
        size_t n = strlen(b);

        if (n >= ELEMENTSOF(row))
                return UINT32_MAX;
        for (size_t j = 0; j <= n; j++)
                row[j] = j;
        for (size_t i = 1; a[i - 1]; i++) {
                left = row[0];
                row[0] = i;
                for (size_t j = 1; j <= n; j++) {
                        above = row[j];
                        row[j] = MIN(
                                MIN(row[j] + 1, row[j - 1] + 1), left + (a[i - 1] != b[j - 1]));
                        left = above;
                }
        }
        return row[n];
}

static const Verb *find_verb(const char *name)
{
        const Verb *near = NULL;
        unsigned best = 3, distance;

        for (const Verb *v = cli_verbs; v->name; v++) {
                if (streq(v->name, name))
                        return v;
                distance = edit_distance(name, v->name);
                if (distance < best) {
                        best = distance;
                        near = v;
                }
        }
        if (near)
                cli_error("conductor: there is no verb '%s'; did you mean '%s'?", name, near->name);
        else
                cli_error("conductor: there is no verb '%s'; 'conductor --help' lists them.", name);
        return NULL;
}

static int run_verb(Cli *cli, int argc, char *argv[])
{
        const Verb *verb = find_verb(argv[0]);

        if (!verb)
                return EXIT_USAGE;
        if ((unsigned) argc - 1 < verb->min_args || (unsigned) argc - 1 > verb->max_args) {
                cli_error("conductor: use it as: conductor %s %s", verb->name, verb->arguments);
                return EXIT_USAGE;
        }
        return verb->run(cli, argc, argv);
}

/* A closed descriptor would be given to the bus, and the answer written into that. */
static int keep_standard_descriptors(void)
{
        int fd;

        do {
                /* Read-only: writing to what was closed stays an error. */
                fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
                if (fd < 0)
                        return -errno;
        } while (fd <= STDERR_FILENO);
        (void) close(fd);
        return 0;
}

static void print_help(FILE *f)
{
        (void) fprintf(f,
                "conductor [OPTIONS…] VERB [ARGUMENTS…]\n\n"
                "Talk with language models through the conversation service.\n\n");
        for (const Verb *v = cli_verbs; v->name; v++)
                (void) fprintf(f, "  %-8s %-32s %s\n", v->name, v->arguments, v->help);
        (void) fprintf(f, "\nOptions:\n");
        cli_print_options(f);
        (void) fprintf(f, "\nmanual: conductor(1)\n");
}

static int run(Cli *cli, int argc, char *argv[])
{
        if (argc == 0) {
                print_help(stderr);
                return EXIT_USAGE;
        }
        if (streq(argv[0], "help")) {
                print_help(stdout);
                return cli_flush();
        }
        if (streq(argv[0], "complete"))
                return cli_complete(cli, argc, argv);
        return run_verb(cli, argc, argv);
}

int main(int argc, char *argv[])
{
        Cli cli = { 0 };
        int n, r;

        (void) signal(SIGPIPE, SIG_IGN);
        r = keep_standard_descriptors();
        if (r < 0) {
                cli_error("conductor: /dev/null cannot be opened: %s", strerror(-r));
                return EXIT_FAILED;
        }

        n = cli_parse_options(&cli, argc, argv);
        if (n < 0)
                return EXIT_USAGE;
        if (cli.help) {
                print_help(stdout);
                return cli_flush();
        }
        if (cli.version) {
                (void) puts("conductor " CONDUCTOR_VERSION);
                return cli_flush();
        }
        r = run(&cli, argc - n, argv + n);
        sd_bus_flush_close_unref(cli.bus);
        return r;
}
