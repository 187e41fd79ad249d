/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/desktop/options.h"

#include <getopt.h>

#include "build-config.h"
#include "common/parse.h"

static int fail(const ProgramHelp *help, const char *argument)
{
        (void) fprintf(stderr, "%s does not understand '%s'; see --help.\n", help->name, argument);
        return -EINVAL;
}

int options_read(int argc, char *argv[], const ProgramHelp *help)
{
        static const struct option options[] = {
                { "help", no_argument, NULL, 'h' },
                { "version", no_argument, NULL, 'V' },
                { "idle", required_argument, NULL, 'i' },
                { 0 },
        };
        int c;

        while ((c = getopt_long(argc, argv, "h", options, NULL)) >= 0)
                switch (c) {
                case 'h':
                        (void) printf("%s [OPTION…]\n\n%s\n\n"
                                      "  -h --help       this text\n"
                                      "     --version    the version\n%s"
                                      "\nSee conductor-desktop(8).\n",
                                help->name, help->what,
                                help->idle ? "     --idle=TIME  leave after this time without a "
                                             "call (30s)\n"
                                           : "");
                        return 0;
                case 'V':
                        (void) printf("%s %s\n", help->name, CONDUCTOR_VERSION);
                        return 0;
                case 'i':
                        if (!help->idle || parse_usec(optarg, help->idle) < 0)
                                return fail(help, optarg);
                        break;
                default:
                        return -EINVAL;
                }
        return optind < argc ? fail(help, argv[optind]) : 1;
}
