/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/cli/options.h"

#include <getopt.h>

#include "common/parse.h"

#define OPTIONS_MAX 32U

/* ---- each of them ---- */

#define DEFINE_FLAG(name) \
        static int set_##name(Cli *cli, const char *value) \
        { \
                cli->name = true; \
                return 0; \
        }

DEFINE_FLAG(continue_last)
DEFINE_FLAG(private)
DEFINE_FLAG(archived)
DEFINE_FLAG(deleted)
DEFINE_FLAG(all)
DEFINE_FLAG(undo)
DEFINE_FLAG(refresh)
DEFINE_FLAG(quiet)
DEFINE_FLAG(help)
DEFINE_FLAG(version)

#define DEFINE_STRING(name) \
        static int set_##name(Cli *cli, const char *value) \
        { \
                cli->name = value; \
                return 0; \
        }

DEFINE_STRING(conversation)
DEFINE_STRING(model)
DEFINE_STRING(system)
DEFINE_STRING(title)
DEFINE_STRING(format)
DEFINE_STRING(order)
DEFINE_STRING(key_file)
DEFINE_STRING(host)

static int set_limit(Cli *cli, const char *value)
{
        uint64_t n;

        if (parse_u64(value, &n) < 0 || n < 1 || n > 1000) {
                cli_error("conductor: --limit takes a number from 1 to 1000, not '%s'.", value);
                return -EINVAL;
        }
        cli->limit = n;
        return 0;
}

static int set_json(Cli *cli, const char *value)
{
        static const char *const names[] = { "off", "short", "pretty" };

        if (!value) {
                cli->json = cli_is_terminal(STDOUT_FILENO) ? JSON_PRETTY : JSON_SHORT;
                return 0;
        }
        for (JsonMode mode = JSON_OFF; mode <= JSON_PRETTY; mode++)
                if (streq(value, names[mode])) {
                        cli->json = mode;
                        return 0;
                }
        cli_error("conductor: --json takes pretty, short or off, not '%s'.", value);
        return -EINVAL;
}

static int add_file(Cli *cli, const char *value)
{
        if (cli->n_files == CLI_FILES_MAX) {
                cli_error("conductor: %u files can be attached at most.", CLI_FILES_MAX);
                return -EINVAL;
        }
        cli->files[cli->n_files++] = value;
        return 0;
}

/* clang-format off */
const Option cli_options[] = {
        { "continue",     'c', NULL,                  "go on with the newest conversation",             set_continue_last },
        { "conversation", 0,   "ID",                  "go on with this one (the beginning will do)",    set_conversation },
        { "model",        'm', "MODEL",               "answer with this model (engine/model or alias)", set_model },
        { "system",       0,   "TEXT",                "the system prompt of a new conversation",        set_system },
        { "title",        0,   "TEXT",                "the title of a new conversation",                set_title },
        { "file",         0,   "FILE",                "attach a file (up to 16 times)",                 add_file },
        { "private",      0,   NULL,                  "keep nothing on disk",                           set_private },
        { "limit",        'n', "N",                   "so many entries",                                set_limit },
        { "format",       0,   "markdown|json|jsonl", "of an export",                                   set_format },
        { "order",        0,   "newest|rank",         "of search hits",                                 set_order },
        { "archived",     0,   NULL,                  "list the archived ones instead",                 set_archived },
        { "deleted",      0,   NULL,                  "list the deleted ones instead",                  set_deleted },
        { "all",          0,   NULL,                  "all of them",                                    set_all },
        { "undo",         0,   NULL,                  "take it out of the archive again",               set_undo },
        { "refresh",      0,   NULL,                  "ask the engines anew",                           set_refresh },
        { "key-file",     0,   "FILE",                "where a new engine's key is (mode 0600)",        set_key_file },
        { "json",         0,   "[pretty|short|off]",  "for programs",                                   set_json },
        { "quiet",        'q', NULL,                  "no notes beside the answer",                     set_quiet },
        { "host",         'H', "USER@HOST",           "the service of another machine, over ssh",       set_host },
        { "help",         'h', NULL,                  "this text",                                      set_help },
        { "version",      0,   NULL,                  "the version",                                    set_version },
        { NULL,           0,   NULL,                  NULL,                                             NULL },
};
/* clang-format on */

/* ---- all of them ---- */

static int argument_kind(const Option *o)
{
        if (!o->argument)
                return no_argument;
        return o->argument[0] == '[' ? optional_argument : required_argument;
}

/* The table as getopt_long() wants it. */
static void describe(struct option *options, char *letters)
{
        size_t n = 0;

        for (const Option *o = cli_options; o->name; o++) {
                assert(n + 1 < OPTIONS_MAX);
                options[n] = (struct option){
                        .name = o->name,
                        .has_arg = argument_kind(o),
                        .val = UINT8_MAX + 1 + (int) n,
                };
                n++;
                if (!o->letter)
                        continue;
                *letters++ = o->letter;
                if (o->argument)
                        *letters++ = ':';
        }
        options[n] = (struct option){ 0 };
        *letters = 0;
}

static const Option *find_option(int found)
{
        if (found > UINT8_MAX)
                return cli_options + (found - UINT8_MAX - 1);
        for (const Option *o = cli_options; o->name; o++)
                if (o->letter == found)
                        return o;
        return NULL;
}

int cli_parse_options(Cli *cli, int argc, char *argv[])
{
        struct option options[OPTIONS_MAX];
        char letters[2 * OPTIONS_MAX];
        const Option *option;
        int found;

        describe(options, letters);
        while ((found = getopt_long(argc, argv, letters, options, NULL)) >= 0) {
                option = find_option(found);
                if (!option) {
                        cli_error("Words that begin with '-' go after '--'; 'conductor --help' "
                                  "lists the options.");
                        return -EINVAL;
                }
                if (option->set(cli, optarg) < 0)
                        return -EINVAL;
                if (cli->help || cli->version)
                        break; /* whatever else there is */
        }
        return optind;
}

void cli_print_options(FILE *f)
{
        for (const Option *o = cli_options; o->name; o++) {
                char words[64], letter[] = { '-', o->letter, 0 };
                const char *argument = strempty(o->argument);
                bool optional = argument[0] == '[';

                (void) snprintf(words, sizeof words, "--%s%s%.*s%s", o->name,
                        optional              ? "[="
                                : o->argument ? " "
                                              : "",
                        (int) strlen(argument) - 2 * optional, argument + optional,
                        optional ? "]" : "");
                (void) fprintf(f, "  %-2s %-28s %s\n", o->letter ? letter : "", words, o->help);
        }
}
