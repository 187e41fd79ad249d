/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "build-config.h"
#include "common/log.h"
#include "service/manager.h"

/* Private connections, engines' connections, pipes: more than a shell's usual 1,024. */
#define DESCRIPTORS_WANTED 8192U

static int help(void)
{
        printf("conductord [OPTION…]\n"
               "\n"
               "The conversation service of a user session. systemd starts it when it is called:\n"
               "  systemctl --user start conductor.socket\n"
               "\n"
               "  -h --help             Show this\n"
               "     --version          Show the version\n"
               "     --introspect=PATH  Print the D-Bus interfaces of an object (list: all paths)\n"
               "\n"
               "See conductord(8), conductor.conf(5) and org.aiway.Conductor1(5).\n");
        return EXIT_SUCCESS;
}

static int introspect(const char *path)
{
        if (bus_object_introspect(stdout, &manager_object, path) < 0) {
                fprintf(stderr, "conductord: no object at \"%s\"; --introspect=list shows all.\n",
                        path);
                return EXIT_FAILURE;
        }
        return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static void prepare_process(void)
{
        const struct rlimit none = { 0 };
        struct rlimit files;
        sigset_t signals;

        /* Before there is a second thread, which inherits them. */
        (void) sigemptyset(&signals);
        (void) sigaddset(&signals, SIGTERM);
        (void) sigaddset(&signals, SIGINT);
        (void) sigaddset(&signals, SIGHUP);
        (void) sigprocmask(SIG_BLOCK, &signals, NULL);
        (void) signal(SIGPIPE, SIG_IGN); /* a reader of OpenStream may go */
        (void) signal(SIGXFSZ, SIG_IGN); /* ulimit -f: as a disk that is full, not our end */
        (void) umask(0077);
        /* Engines' keys are in memory. The unit says so too, but not all start us by it. */
        (void) setrlimit(RLIMIT_CORE, &none);

        /* The store's thread would get a heap of its own, of which little is ever given back. */
        (void) mallopt(M_ARENA_MAX, 1);
        /* Set, they stay: else each long reply that is freed raises them, and memory is kept. */
        (void) mallopt(M_MMAP_THRESHOLD, KIB(128));
        (void) mallopt(M_TRIM_THRESHOLD, KIB(128));
        /* What a thread freed in small pieces would else be joined all at once, by the next larger
         * allocation of the loop: 8 ms behind a list of 4,096 models. */
        (void) mallopt(M_MXFAST, 0);

        if (getrlimit(RLIMIT_NOFILE, &files) >= 0 && files.rlim_cur < DESCRIPTORS_WANTED) {
                files.rlim_cur = MIN(files.rlim_max, (rlim_t) DESCRIPTORS_WANTED);
                (void) setrlimit(RLIMIT_NOFILE, &files);
        }
}

int main(int argc, char *argv[])
{
        static const struct option options[] = {
                { "help", no_argument, NULL, 'h' },
                { "version", no_argument, NULL, 'V' },
                { "introspect", required_argument, NULL, 'i' },
                { 0 },
        };
        _cleanup_(manager_freep) Manager *m = NULL;
        int c, r;

        while ((c = getopt_long(argc, argv, "h", options, NULL)) >= 0)
                switch (c) {
                case 'h':
                        return help();
                case 'V':
                        printf("conductord " CONDUCTOR_VERSION "\n");
                        return EXIT_SUCCESS;
                case 'i':
                        return introspect(optarg);
                default:
                        return EXIT_FAILURE;
                }
        if (optind < argc) {
                fprintf(stderr, "conductord: unknown argument \"%s\"; see --help.\n", argv[optind]);
                return EXIT_FAILURE;
        }

        prepare_process();
        log_open("conductord");

        r = manager_new(&m);
        if (r < 0)
                return log_error_errno(r, "Cannot start: %m"), EXIT_FAILURE;
        return manager_run(m);
}
