/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* conductor doctor: looks at everything that an answer needs, in the order in which it is needed.
 */

#include "client/cli/doctor.h"

#include <stdarg.h>

#include "client/cli/verbs.h"
#include "common/buffer.h"
#include "common/json-util.h"

static const char *const finding_names[] = {
        [FINDING_OK] = "ok",
        [FINDING_WARN] = "warn",
        [FINDING_FAIL] = "fail",
};

/* An ExitCode. Colours are this program's own and pass a terminal as they are. */
static int print_line(Finding finding, const char *text, const char *mend)
{
        static const char *const colors[] = { "\033[32m", "\033[33m", "\033[31m" };
        _cleanup_buffer_ Buffer b = BUFFER_INIT(KIB(64));
        bool color = cli_colors();

        if (printf("%s%-4s%s  ", color ? colors[finding] : "", finding_names[finding],
                    color ? "\033[0m" : "") < 0 ||
                fflush(stdout) < 0)
                return EXIT_FAILED;
        if (buffer_append_format(&b, "%s\n%s%s%s", text, mend ? "      → " : "", strempty(mend),
                    mend ? "\n" : "") < 0)
                return EXIT_FAILED;
        return cli_print(buffer_text(&b), b.size);
}

static int add_line(Doctor *d, Finding finding, const char *text, const char *mend)
{
        _cleanup_(json_putp) json_object *line = json_object_new_object();

        if (!line || cli_add_string(line, "finding", finding_names[finding]) < 0 ||
                cli_add_string(line, "text", text) < 0 ||
                (mend && cli_add_string(line, "mend", mend) < 0))
                return -ENOMEM;
        if (json_object_array_add(d->lines, line) < 0)
                return -ENOMEM;
        TAKE_PTR(line);
        return 0;
}

void doctor_say(Doctor *d, Finding finding, const char *mend, const char *format, ...)
{
        _cleanup_free_ char *text = NULL;
        va_list ap;
        int n;

        d->fails += finding == FINDING_FAIL;
        va_start(ap, format);
        n = vasprintf(&text, format, ap);
        va_end(ap);
        if (n < 0) {
                text = NULL;
                d->broken = true;
                return;
        }
        if (d->lines ? add_line(d, finding, text, mend) < 0
                     : print_line(finding, text, mend) != EXIT_DONE)
                d->broken = true;
}

int verb_doctor(Cli *cli, int argc, char *argv[])
{
        Doctor d = { .cli = cli };
        int r = EXIT_DONE;

        if (cli->json != JSON_OFF) {
                d.lines = json_object_new_array();
                if (!d.lines)
                        return cli_print_json(cli, NULL);
        }
        /* Of another machine only the service itself can be asked. */
        if (!cli->host)
                doctor_examine_session(&d);
        doctor_examine_service(&d);

        sd_bus_flush_close_unref(d.session);
        if (d.lines)
                r = cli_print_json(cli, d.lines);
        return d.fails > 0 || d.broken ? EXIT_FAILED : r;
}
