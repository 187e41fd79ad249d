/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* conductor: the command line client. Verbs are in a table; each family of them has a file. */

#include <fcntl.h>
#include <getopt.h>
#include <signal.h>

#include "build-config.h"
#include "client/cli/cli.h"
#include "client/cli/verbs.h"
#include "common/parse.h"

static void print_help(FILE *f)
{
        (void) fprintf(f,
                "conductor [OPTIONS…] VERB [ARGUMENTS…]\n\n"
                "Talk with language models through the conversation service.\n\n");
        for (const Verb *v = cli_verbs; v->name; v++)
                (void) fprintf(f, "  %-11s %-24s %s\n", v->name, v->arguments, v->help);
        (void) fprintf(f,
                "\nOptions:\n"
                "  -c --continue           go on with the newest conversation\n"
                "     --conversation ID    go on with this one (the beginning of an id will do)\n"
                "  -m --model MODEL        answer with this model (engine/model, alias or name)\n"
                "     --system TEXT        the system prompt of a new conversation\n"
                "     --title TEXT         the title of a new conversation\n"
                "     --file PATH          attach a file (up to 16 times)\n"
                "     --private            keep nothing on disk\n"
                "  -n --limit N            so many entries\n"
                "     --format FORMAT      of an export: markdown, json, jsonl\n"
                "     --order ORDER        of search hits: newest, rank\n"
                "     --archived --deleted list those instead\n"
                "     --all                all of them\n"
                "     --undo               take it out of the archive again\n"
                "     --refresh            ask the engines anew\n"
                "     --key-file PATH      where a new engine's key is (mode 0600)\n"
                "     --json[=MODE]        for programs: pretty, short or off\n"
                "  -q --quiet              no notes beside the answer\n"
                "  -H --host USER@HOST     the service of another machine, over ssh\n"
                "  -h --help               this text\n"
                "     --version            the version\n"
                "\nmanual: conductor(1)\n");
}

enum {
        OPTION_CONVERSATION = 256,
        OPTION_SYSTEM,
        OPTION_TITLE,
        OPTION_FILE,
        OPTION_PRIVATE,
        OPTION_FORMAT,
        OPTION_ORDER,
        OPTION_ARCHIVED,
        OPTION_DELETED,
        OPTION_ALL,
        OPTION_UNDO,
        OPTION_REFRESH,
        OPTION_JSON,
        OPTION_KEY_FILE,
        OPTION_VERSION,
};

static const struct option long_options[] = {
        { "continue", no_argument, NULL, 'c' },
        { "conversation", required_argument, NULL, OPTION_CONVERSATION },
        { "model", required_argument, NULL, 'm' },
        { "system", required_argument, NULL, OPTION_SYSTEM },
        { "title", required_argument, NULL, OPTION_TITLE },
        { "file", required_argument, NULL, OPTION_FILE },
        { "private", no_argument, NULL, OPTION_PRIVATE },
        { "limit", required_argument, NULL, 'n' },
        { "format", required_argument, NULL, OPTION_FORMAT },
        { "order", required_argument, NULL, OPTION_ORDER },
        { "archived", no_argument, NULL, OPTION_ARCHIVED },
        { "deleted", no_argument, NULL, OPTION_DELETED },
        { "all", no_argument, NULL, OPTION_ALL },
        { "undo", no_argument, NULL, OPTION_UNDO },
        { "refresh", no_argument, NULL, OPTION_REFRESH },
        { "json", optional_argument, NULL, OPTION_JSON },
        { "key-file", required_argument, NULL, OPTION_KEY_FILE },
        { "quiet", no_argument, NULL, 'q' },
        { "host", required_argument, NULL, 'H' },
        { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, OPTION_VERSION },
        { NULL, 0, NULL, 0 },
};

/* Each of these: 0 to go on, or -EINVAL when it has said what is wrong. */

static int set_limit(Cli *cli, const char *text)
{
        uint64_t n;

        if (parse_u64(text, &n) < 0 || n < 1 || n > 1000) {
                cli_error("conductor: --limit takes a number from 1 to 1000, not '%s'.", text);
                return -EINVAL;
        }
        cli->limit = n;
        return 0;
}

static int set_json(Cli *cli, const char *text)
{
        static const char *const names[] = { "off", "short", "pretty" };

        if (!text) {
                cli->json = cli_is_terminal(STDOUT_FILENO) ? JSON_PRETTY : JSON_SHORT;
                return 0;
        }
        for (JsonMode mode = JSON_OFF; mode <= JSON_PRETTY; mode++)
                if (streq(text, names[mode])) {
                        cli->json = mode;
                        return 0;
                }
        cli_error("conductor: --json takes pretty, short or off, not '%s'.", text);
        return -EINVAL;
}

static int add_file(Cli *cli, const char *path)
{
        if (cli->n_files == CLI_FILES_MAX) {
                cli_error("conductor: %u files can be attached at most.", CLI_FILES_MAX);
                return -EINVAL;
        }
        cli->files[cli->n_files++] = path;
        return 0;
}

static int set_option(Cli *cli, int option, const char *value)
{
        switch (option) {
        case 'c':
                cli->continue_last = true;
                return 0;
        case OPTION_CONVERSATION:
                cli->conversation = value;
                return 0;
        case 'm':
                cli->model = value;
                return 0;
        case OPTION_SYSTEM:
                cli->system = value;
                return 0;
        case OPTION_TITLE:
                cli->title = value;
                return 0;
        case OPTION_FILE:
                return add_file(cli, value);
        case OPTION_PRIVATE:
                cli->private = true;
                return 0;
        case 'n':
                return set_limit(cli, value);
        case OPTION_FORMAT:
                cli->format = value;
                return 0;
        case OPTION_ORDER:
                cli->order = value;
                return 0;
        case OPTION_ARCHIVED:
                cli->archived = true;
                return 0;
        case OPTION_DELETED:
                cli->deleted = true;
                return 0;
        case OPTION_ALL:
                cli->all = true;
                return 0;
        case OPTION_UNDO:
                cli->undo = true;
                return 0;
        case OPTION_REFRESH:
                cli->refresh = true;
                return 0;
        case OPTION_JSON:
                return set_json(cli, value);
        case OPTION_KEY_FILE:
                cli->key_file = value;
                return 0;
        case 'q':
                cli->quiet = true;
                return 0;
        case 'H':
                cli->host = value;
                return 0;
        default:
                return -EINVAL;
        }
}

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

int main(int argc, char *argv[])
{
        Cli cli = { 0 };
        int option, r;

        (void) signal(SIGPIPE, SIG_IGN);
        if (keep_standard_descriptors() < 0)
                return EXIT_FAILED;

        while ((option = getopt_long(argc, argv, "cm:n:qH:h", long_options, NULL)) >= 0) {
                if (option == 'h') {
                        print_help(stdout);
                        return EXIT_DONE;
                }
                if (option == OPTION_VERSION) {
                        (void) puts("conductor " CONDUCTOR_VERSION);
                        return EXIT_DONE;
                }
                if (option == '?') {
                        cli_error("Words that begin with '-' go after '--'; 'conductor --help' "
                                  "lists the options.");
                        return EXIT_USAGE;
                }
                if (set_option(&cli, option, optarg) < 0)
                        return EXIT_USAGE;
        }
        if (optind >= argc) {
                print_help(stderr);
                return EXIT_USAGE;
        }

        if (streq(argv[optind], "help")) {
                print_help(stdout);
                return EXIT_DONE;
        }
        r = run_verb(&cli, argc - optind, argv + optind);
        sd_bus_flush_close_unref(cli.bus);
        return r;
}
