/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/tui-terminal-program.h"

#include <stdarg.h>
#include <sys/mman.h>

#include "client/tui/terminal/terminal.h"

typedef struct Program {
        sd_event *event;
        Terminal *terminal;
        FILE *report;
        unsigned frame;
        bool flooding;
} Program;

static _printf_(2, 3) void report(Program *p, const char *format, ...)
{
        va_list ap;

        va_start(ap, format);
        (void) vfprintf(p->report, format, ap);
        va_end(ap);
        (void) fputc('\n', p->report);
        (void) fflush(p->report);
}

static void draw(Program *p)
{
        Screen *s = terminal_screen(p->terminal);
        char text[64];
        int r;

        do {
                screen_begin(s);
                p->frame++;
                for (int row = 0; row < screen_rows(s); row++) {
                        (void) snprintf(text, sizeof text, "frame %u row %d", p->frame, row);
                        for (int column = 0; column < screen_columns(s); column += 20)
                                (void) screen_print(s, row, column, 20, STYLE_ACCENT, text);
                }
                r = terminal_show(p->terminal);
        } while (p->flooding && r == 0);
        if (r == -EBUSY)
                report(p, "busy");
        p->flooding = false;
}

static void crash(void)
{
        volatile char *page = mmap(NULL, 1, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        *page = 1;
}

static unsigned overflow(volatile unsigned *above)
{
        volatile unsigned room[1024] = { *above + 1 };

        return *above == UINT32_MAX ? 0 : overflow(room) + room[1];
}

static void on_key(Key key, void *userdata)
{
        Program *p = userdata;
        _cleanup_free_ char *name = NULL;

        (void) key_to_string(key, &name);
        report(p, "key %s", strempty(name));
        switch (key.code) {
        case 'q':
                (void) sd_event_exit(p->event, 0);
                break;
        case 'c':
                crash();
                break;
        case 'o':
                (void) overflow(&p->frame);
                break;
        case 'd':
                draw(p);
                break;
        case 'f':
                p->flooding = true;
                draw(p);
                break;
        case 'e':
                (void) terminal_release(p->terminal);
                report(p, "released");
                (void) getchar(); /* as another program would read, in its modes */
                (void) terminal_take(p->terminal);
                break;
        case 'w':
                report(p, "heart %u", text_cells("\u2764\ufe0f", 6));
                break;
        case 'y':
                (void) terminal_copy(p->terminal, "copied", 6);
                break;
        case 't':
                (void) terminal_set_title(p->terminal, "a\033title");
                break;
        case 'm':
                (void) terminal_set_mouse(p->terminal, true);
                break;
        }
}

static void on_paste(const char *text, size_t size, void *userdata)
{
        report(userdata, "paste %s", text);
}

static void on_focus(bool focused, void *userdata)
{
        report(userdata, "focus %d", terminal_has_focus(((Program *) userdata)->terminal));
}

static void on_resized(int rows, int columns, void *userdata)
{
        report(userdata, "size %d %d", rows, columns);
}

static void on_drained(void *userdata)
{
        report(userdata, "drained");
}

static void on_changed(void *userdata)
{
        report(userdata, "changed");
}

static void on_closed(int error, void *userdata)
{
        report(userdata, "closed");
        (void) sd_event_exit(((Program *) userdata)->event, 0);
}

int terminal_program(int report_fd)
{
        static const TerminalOps ops = {
                .input = { .key = on_key, .paste = on_paste, .focus = on_focus },
                .resized = on_resized,
                .drained = on_drained,
                .changed = on_changed,
                .closed = on_closed,
        };
        static const TerminalOptions options = { 0 };
        Failure failure = FAILURE_NULL;
        Program p = { .report = fdopen(report_fd, "w") };
        int r;

        r = sd_event_new(&p.event);
        if (r >= 0)
                r = terminal_open(p.event, &ops, &options, &p, &p.terminal, &failure);
        if (r < 0) {
                report(&p, "failed: %s", failure_message(&failure));
                return 1;
        }
        report(&p, "open %s", terminal_is_ascii(p.terminal) ? "ascii" : "utf8");
        r = sd_event_loop(p.event);
        p.terminal = terminal_free(p.terminal);
        p.event = sd_event_unref(p.event);
        report(&p, "end");
        (void) fclose(p.report);
        return r < 0 ? 1 : 0;
}
