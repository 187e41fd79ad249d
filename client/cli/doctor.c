/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* conductor doctor: looks at everything that an answer needs, in the order in which it is needed.
 */

#include "client/cli/doctor.h"

#include <stdarg.h>

#include "client/cli/verbs.h"

static const char *const finding_names[] = {
        [FINDING_OK] = "ok",
        [FINDING_WARN] = "warn",
        [FINDING_FAIL] = "fail",
};

static void print_line(Finding finding, const char *text, const char *mend)
{
        static const char *const colors[] = { "\033[32m", "\033[33m", "\033[31m" };
        bool color = cli_colors();

        (void) printf("%s%-4s%s  ", color ? colors[finding] : "", finding_names[finding],
                color ? "\033[0m" : "");
        (void) fflush(stdout);
        (void) cli_write(STDOUT_FILENO, text, strlen(text));
        (void) printf("\n");
        if (mend)
                (void) printf("      → %s\n", mend);
        (void) fflush(stdout);
}

void doctor_say(Doctor *d, Finding finding, const char *mend, const char *format, ...)
{
        _cleanup_free_ char *text = NULL;
        json_object *line;
        va_list ap;
        int n;

        va_start(ap, format);
        n = vasprintf(&text, format, ap);
        va_end(ap);
        if (n < 0) {
                text = NULL;
                return;
        }
        d->fails += finding == FINDING_FAIL;
        if (!d->cli->json_given) {
                print_line(finding, text, mend);
                return;
        }
        line = json_object_new_object();
        if (!line)
                return;
        (void) json_object_object_add(
                line, "finding", json_object_new_string(finding_names[finding]));
        (void) json_object_object_add(line, "text", json_object_new_string(text));
        if (mend)
                (void) json_object_object_add(line, "mend", json_object_new_string(mend));
        (void) json_object_array_add(d->lines, line);
}

int verb_doctor(Cli *cli, int argc, char *argv[])
{
        Doctor d = { .cli = cli };

        if (cli->json_given) {
                d.lines = json_object_new_array();
                if (!d.lines)
                        return EXIT_FAILED;
        }
        /* Of another machine only the service itself can be asked. */
        if (!cli->host)
                doctor_examine_session(&d);
        doctor_examine_service(&d);

        sd_bus_flush_close_unref(d.session);
        if (d.lines)
                (void) cli_print_json(cli, d.lines);
        return d.fails > 0 ? EXIT_FAILED : EXIT_DONE;
}
