/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/cli/progress.h"

#include "client/cli/cli.h"
#include "common/buffer.h"
#include "common/utf8.h"

#define PHASE_MAX 50 /* bytes of a phase: the line must not wrap */

struct Progress {
        sd_event *event;
        sd_event_source *timer;
        usec_t begin; /* CLOCK_MONOTONIC */
        char *phase;
        unsigned place;
        bool shown, hidden;
};

Progress *progress_free(Progress *p)
{
        if (!p)
                return NULL;
        progress_hide(p);
        sd_event_source_disable_unref(p->timer);
        sd_event_unref(p->event);
        free(p->phase);
        free(p);
        return NULL;
}

/* Only the controls are this program's own; the phase is the service's word. */
static void draw(Progress *p)
{
        const char *phase = p->phase ? p->phase : "asking";
        _cleanup_buffer_ Buffer line = BUFFER_INIT(KIB(1));
        unsigned seconds;
        usec_t now;
        int r;

        if (p->hidden || sd_event_now(p->event, CLOCK_MONOTONIC, &now) < 0)
                return;
        seconds = (now - p->begin) / USEC_PER_SEC;
        /* Nothing flickers up when the answer comes at once. */
        if (seconds == 0)
                return;
        if (p->place > 0)
                r = buffer_append_format(&line, "… %u before this one · %u s", p->place, seconds);
        else
                r = buffer_append_format(&line, "… %.*s · %u s",
                        (int) utf8_cut(phase, strlen(phase), PHASE_MAX), phase, seconds);
        if (r < 0)
                return;
        (void) fputs("\r\033[K", stderr);
        (void) fflush(stderr);
        (void) cli_write(STDERR_FILENO, buffer_text(&line), line.size);
        p->shown = true;
}

static int on_second(sd_event_source *s, uint64_t usec, void *userdata)
{
        Progress *p = ASSERT_PTR(userdata);
        int r;

        draw(p);
        r = sd_event_source_set_time_relative(s, USEC_PER_SEC);
        if (r < 0)
                return r;
        return sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
}

int progress_new(sd_event *event, Progress **ret)
{
        _cleanup_(progress_freep) Progress *p = NULL;
        int r;

        if (!cli_is_terminal(STDOUT_FILENO) || !cli_is_terminal(STDERR_FILENO)) {
                *ret = NULL;
                return 0;
        }
        p = calloc(1, sizeof *p);
        if (!p)
                return -ENOMEM;
        p->event = sd_event_ref(event);
        r = sd_event_now(event, CLOCK_MONOTONIC, &p->begin);
        if (r < 0)
                return r;
        r = sd_event_add_time_relative(
                event, &p->timer, CLOCK_MONOTONIC, USEC_PER_SEC, 0, on_second, p);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(p);
        return 0;
}

void progress_set_phase(Progress *p, const char *phase, unsigned place)
{
        if (!p)
                return;
        (void) free_and_strdup(&p->phase, phase);
        p->place = place;
        p->hidden = false;
        (void) sd_event_source_set_enabled(p->timer, SD_EVENT_ONESHOT);
        draw(p);
}

void progress_hide(Progress *p)
{
        if (!p || p->hidden)
                return;
        p->hidden = true;
        (void) sd_event_source_set_enabled(p->timer, SD_EVENT_OFF);
        if (p->shown) {
                (void) fputs("\r\033[K", stderr);
                (void) fflush(stderr);
                p->shown = false;
        }
}
