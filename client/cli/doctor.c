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

static int fail_memory(void)
{
        cli_error("conductor: out of memory.");
        return EXIT_FAILED;
}

/* An ExitCode. */
static int print_line(Finding finding, const char *text, const char *mend)
{
        static const char *const colors[] = { "\033[32m", "\033[33m", "\033[31m" };
        _cleanup_buffer_ Buffer b = BUFFER_INIT(KIB(64));
        bool color = cli_colors();
        int r;

        r = cli_print_own("%s%-4s%s  ", color ? colors[finding] : "", finding_names[finding],
                color ? "\033[0m" : "");
        if (r != EXIT_DONE)
                return r;
        if (buffer_append_format(&b, "%s\n%s%s%s", text, mend ? "      → " : "", strempty(mend),
                    mend ? "\n" : "") < 0)
                return fail_memory();
        return cli_print(buffer_text(&b), b.size);
}

/* An ExitCode. */
static int add_line(Doctor *d, Finding finding, const char *text, const char *mend)
{
        _cleanup_(json_putp) json_object *line = json_object_new_object();

        if (!line || cli_add_string(line, "finding", finding_names[finding]) < 0 ||
                cli_add_string(line, "text", text) < 0 ||
                (mend && cli_add_string(line, "mend", mend) < 0) ||
                json_object_array_add(d->lines, line) < 0)
                return fail_memory();
        TAKE_PTR(line);
        return EXIT_DONE;
}

void doctor_say(Doctor *d, Finding finding, const char *mend, const char *format, ...)
{
        _cleanup_free_ char *text = NULL;
        va_list ap;
        int n, r;

        d->fails += finding == FINDING_FAIL;
        va_start(ap, format);
        n = vasprintf(&text, format, ap);
        va_end(ap);
        if (n < 0) {
                text = NULL;
                r = fail_memory();
        } else if (d->lines)
                r = add_line(d, finding, text, mend);
        else
                r = print_line(finding, text, mend);
        if (r != EXIT_DONE)
                d->broken = true;
}

int verb_doctor(Cli *cli, int argc, char *argv[])
{
        Doctor d = { .cli = cli };
        int r = EXIT_DONE;

        if (cli->json != JSON_OFF) {
                d.lines = json_object_new_array();
                if (!d.lines)
                        return fail_memory();
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
