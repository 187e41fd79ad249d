/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* conductor-tui: the curses client. */

#include <getopt.h>
#include <locale.h>
#include <time.h>

#include "build-config.h"
#include "client/tui/app/app.h"
#include "common/parse.h"

static void print_help(FILE *f)
{
        (void) fprintf(f,
                "conductor-tui [OPTIONS…]\n\n"
                "Talk with language models through the conversation service.\n\n"
                "  -c --continue         go on with the newest conversation\n"
                "     --conversation ID  go on with this one\n"
                "     --message NUMBER   show it at this message of it\n"
                "     --search WORDS     look for these words in all conversations\n"
                "  -m --model MODEL      answer with this model (engine/model, alias or name)\n"
                "  -H --host USER@HOST   the service of another machine, over ssh\n"
                "  -h --help             this text\n"
                "     --version          the version\n"
                "\nF1 shows the keys, Ctrl-P every action. manual: conductor-tui(1)\n");
}

enum {
        OPTION_CONVERSATION = 256,
        OPTION_MESSAGE,
        OPTION_SEARCH,
        OPTION_VERSION,
};

/* Returns 1 to go on, 0 when all is done, negative when it cannot be understood. */
static int parse_arguments(int argc, char *argv[], AppOptions *o)
{
        static const struct option options[] = {
                { "continue", no_argument, NULL, 'c' },
                { "conversation", required_argument, NULL, OPTION_CONVERSATION },
                { "message", required_argument, NULL, OPTION_MESSAGE },
                { "search", required_argument, NULL, OPTION_SEARCH },
                { "model", required_argument, NULL, 'm' },
                { "host", required_argument, NULL, 'H' },
                { "help", no_argument, NULL, 'h' },
                { "version", no_argument, NULL, OPTION_VERSION },
                { 0 },
        };
        int c;

        while ((c = getopt_long(argc, argv, "cm:H:h", options, NULL)) >= 0)
                switch (c) {
                case 'c':
                        o->go_on = true;
                        break;
                case OPTION_CONVERSATION:
                        o->conversation = optarg;
                        break;
                case OPTION_MESSAGE:
                        if (parse_u64(optarg, &o->message) < 0) {
                                (void) fprintf(stderr, "'%s' is no message's number.\n", optarg);
                                return -EINVAL;
                        }
                        break;
                case OPTION_SEARCH:
                        o->search = optarg;
                        break;
                case 'm':
                        o->model = optarg;
                        break;
                case 'H':
                        o->client = (ClientOptions){ optarg, CLIENT_WAIT | CLIENT_WILL_ASK };
                        break;
                case 'h':
                        print_help(stdout);
                        return 0;
                case OPTION_VERSION:
                        (void) printf("conductor-tui %s\n", CONDUCTOR_VERSION);
                        return 0;
                default:
                        return -EINVAL;
                }
        if (optind < argc) {
                (void) fprintf(stderr, "conductor-tui takes no '%s'; try --help.\n", argv[optind]);
                return -EINVAL;
        }
        if (o->message > 0 && !o->conversation) {
                (void) fprintf(stderr, "--message needs --conversation; try --help.\n");
                return -EINVAL;
        }
        return 1;
}

int main(int argc, char *argv[])
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        AppOptions options = { 0 };
        int r;

        (void) setlocale(LC_ALL, "");
        tzset(); /* it is a file, which is read now and not with the first time that is shown */
        r = parse_arguments(argc, argv, &options);
        if (r <= 0)
                return r == 0 ? EXIT_SUCCESS : 2;
        r = app_run(&options, &failure);
        if (r < 0) {
                (void) fprintf(stderr, "%s\n", failure_message(&failure));
                return EXIT_FAILURE;
        }
        return r;
}
