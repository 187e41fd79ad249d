/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <time.h>

#include "client/tui/view/transcript-internal.h"

#define STATE_ROWS_MAX 8U
#define NAME_CELLS_MIN 10

static bool is_ascii(const Transcript *t)
{
        return t->flags & TRANSCRIPT_ASCII;
}

static const char *key_name(const char *key, const char *otherwise)
{
        return isempty(key) ? otherwise : key;
}

int row_draw(
        Transcript *t, Screen *s, int row, int column, int columns, Style style, const char *text)
{
        int used = words_draw(s, row, column, columns, style, text);
        int *end = t->used + (row - t->area.row);

        *end = MAX(*end, column + used - t->area.column);
        return used;
}

static bool is_last(const Transcript *t, size_t index)
{
        size_t n;

        (void) mirror_messages(t->mirror, &n);
        return index + 1 == n && !mirror_has_newer(t->mirror);
}

/* ---- how a reply ended ---- */

static void say_end(const Transcript *t, const MessageItem *m, bool last, Words *w)
{
        const char *resume = key_name(t->keys.resume, "Alt-c"),
                   *retry = key_name(t->keys.retry, "Alt-r"), *try = NULL;
        EndReason reason = m->cancelling ? REASON_CANCELLED : m->reason;

        switch (reason) {
        case REASON_NONE:
        case _REASON_MAX:
        case _REASON_INVALID:
                return;
        case REASON_STOP:
                if (m->live || !document_is_empty(m->channels[CHANNEL_CONTENT]))
                        return;
                words_add(w, "the model said nothing");
                try = retry;
                break;
        case REASON_CANCELLED:
                words_add(w, "cancelled");
                break;
        case REASON_LENGTH:
                words_add(w, "cut at the limit of its length");
                break;
        case REASON_INTERRUPTED:
                words_add(w, "interrupted");
                break;
        case REASON_INCOMPLETE:
                words_add(w, "the engine broke off");
                break;
        case REASON_FILTERED:
                words_add(w, "the engine withheld the rest");
                break;
        case REASON_TOOL:
                words_add(w, "ended with the wish to use a tool");
                break;
        case REASON_FAILED:
                words_add(w, "failed%s%s", isempty(m->error) ? "" : ": ", strempty(m->error));
                try = retry;
                break;
        }
        if (!last)
                return;
        if (reason == REASON_LENGTH || reason == REASON_INTERRUPTED || reason == REASON_INCOMPLETE)
                words_add(w, "; %s continues", resume);
        else if (try)
                words_add(w, "%s %s tries again",
                        w->size > 0 && strchr(".!?", w->text[w->size - 1]) ? "" : ";", try);
}

static Style end_style(const MessageItem *m)
{
        if (m->cancelling)
                return STYLE_WARNING;
        return m->reason == REASON_FAILED  ? STYLE_BAD
                : m->reason == REASON_STOP ? STYLE_DIM
                                           : STYLE_WARNING;
}

static void say_state(const Transcript *t, const MessageItem *m, size_t index, Words *w)
{
        if (m->role != ROLE_ASSISTANT)
                return;
        say_end(t, m, is_last(t, index), w);
        if (w->size == 0 && m->dropped > 0)
                words_add(w, "the oldest %" PRIu64 " message%s left out: the context was full",
                        m->dropped, m->dropped == 1 ? " was" : "s were");
}

static size_t wrapped_rows(const Transcript *t, const Words *w)
{
        size_t n = 0, start = 0, size;

        while (n < STATE_ROWS_MAX && words_wrap(w->text, t->width, &start, &size))
                n++;
        return n;
}

static void draw_wrapped(Transcript *t, Screen *s, Words *w, size_t nth, int row, Style style)
{
        size_t start = 0, size = 0, first = 0;

        for (size_t i = 0; i <= nth; i++) {
                first = start;
                if (!words_wrap(w->text, t->width, &start, &size))
                        return;
        }
        w->text[first + size] = 0;
        (void) row_draw(t, s, row, t->area.column + MARGIN_LEFT, t->width, style, w->text + first);
}

static size_t state_rows(const Transcript *t, const MessageItem *m, size_t index)
{
        Words w = { 0 };

        say_state(t, m, index, &w);
        return wrapped_rows(t, &w);
}

static void draw_state(Transcript *t, Screen *s, const MessageItem *m, Position p, int row)
{
        Words w = { 0 };

        say_state(t, m, p.index, &w);
        draw_wrapped(t, s, &w, p.row.row, row, end_style(m));
}

/* ---- attachments ---- */

static void say_chip(const Attachment *a, Words *w)
{
        words_add(w, " %s, ", strempty(a->name));
        words_add_bytes(w, a->size);
        words_add(w, " ");
}

static int chip_cells(const Transcript *t, const Attachment *a)
{
        Words w = { 0 };

        say_chip(a, &w);
        return MIN((int) text_cells(w.text, w.size), t->width);
}

/* The chips that are on a row, one after another as far as they fit; returns the next row's first.
 */
static size_t chips_on_row(const Transcript *t, const MessageItem *m, size_t first)
{
        size_t i = first;
        int cells = 0;

        for (; i < m->n_attachments; i++) {
                int c = chip_cells(t, m->attachments + i);

                if (i > first && cells + c > t->width)
                        break;
                cells += c + 1;
        }
        return i;
}

static size_t chip_rows(const Transcript *t, const MessageItem *m)
{
        size_t n = 0;

        for (size_t i = 0; i < m->n_attachments; i = chips_on_row(t, m, i))
                n++;
        return n;
}

static void draw_chips(Transcript *t, Screen *s, const MessageItem *m, size_t nth, int row)
{
        int column = t->area.column + MARGIN_LEFT, end = column + t->width;
        size_t first = 0, behind;

        while (nth-- > 0)
                first = chips_on_row(t, m, first);
        behind = chips_on_row(t, m, first);
        for (size_t i = first; i < behind; i++) {
                Words w = { 0 };

                say_chip(m->attachments + i, &w);
                column += row_draw(t, s, row, column, end - column, STYLE_CHIP, w.text) + 1;
        }
}

/* ---- the heading ---- */

static const char *name_of(const MessageItem *m)
{
        switch (m->role) {
        case ROLE_USER:
                return "You";
        case ROLE_SYSTEM:
                return "System";
        case ROLE_ASSISTANT:
        case _ROLE_MAX:
        case _ROLE_INVALID:
                break;
        }
        return isempty(m->model) ? "Reply" : m->model;
}

static void say_time(usec_t when, Words *w)
{
        time_t at = (time_t) (when / USEC_PER_SEC), now = time(NULL);
        struct tm tm, today;
        char text[32];

        if (when == 0 || !localtime_r(&at, &tm) || !localtime_r(&now, &today))
                return;
        if (strftime(text, sizeof text,
                    tm.tm_year == today.tm_year && tm.tm_yday == today.tm_yday ? "%H:%M"
                                                                               : "%Y-%m-%d %H:%M",
                    &tm) > 0)
                words_add(w, "%s", text);
}

static bool is_waiting(const MessageItem *m)
{
        return m->live && !m->cancelling && m->first_text == 0;
}

static void say_unsent(const Transcript *t, const MessageItem *m, Words *w)
{
        if (m->send == SEND_DONE)
                return;
        if (m->cancelling)
                words_add(w, "cancelled");
        else if (m->send == SEND_WAITING)
                words_add(w, "%s waiting to be sent", is_ascii(t) ? "o" : "\u25cc");
}

static void say_live(const Transcript *t, const MessageItem *m, usec_t now, Words *w)
{
        if (!m->live || m->cancelling)
                return;
        if (!is_waiting(m)) {
                words_add(w, "%s %s", is_ascii(t) ? "*" : "\u25cf", message_activity(m));
                return;
        }
        words_add(
                w, "%s %s", is_ascii(t) ? "o" : "\u25cc", isempty(m->phase) ? "waiting" : m->phase);
        if (m->started != 0 && now >= m->started) {
                words_add(w, ", ");
                words_add_duration(w, now - m->started);
        }
        if (m->place > 0)
                words_add(w, ", %u before it", m->place);
}

static void say_branch(const MessageItem *m, Words *w)
{
        for (size_t i = 0; m->n_siblings > 1 && i < m->n_siblings; i++)
                if (m->siblings[i] == m->id)
                        words_add(w, "%zu/%zu", i + 1, m->n_siblings);
}

static void draw_heading(Transcript *t, Screen *s, const MessageItem *m, int row, usec_t now)
{
        int column = t->area.column + MARGIN_LEFT, end = column + t->width, name, others = 0;
        Words parts[3] = { 0 };
        const Style styles[ELEMENTSOF(parts)] = { STYLE_DIM, STYLE_ACCENT, STYLE_WARNING };
        Style style = m->role == ROLE_USER ? STYLE_USER : STYLE_TITLE;

        say_branch(m, parts + 1);
        say_live(t, m, now, parts + 2);
        say_unsent(t, m, parts + 2);
        if (parts[2].size == 0)
                say_time(m->created, parts + 0);
        if (is_waiting(m))
                t->waiting = true;
        for (size_t i = 0; i < ELEMENTSOF(parts); i++)
                if (parts[i].size > 0)
                        others += 2 + (int) text_cells(parts[i].text, parts[i].size);

        if (m->id == t->marked)
                (void) row_draw(t, s, row, t->area.column, 1, STYLE_ACCENT | STYLE_BOLD,
                        is_ascii(t) ? ">" : "\u25b6");
        name = MAX(t->width - others, MIN(NAME_CELLS_MIN, t->width));
        column += row_draw(t, s, row, column, name, style | STYLE_BOLD, name_of(m));
        for (size_t i = 0; i < ELEMENTSOF(parts); i++)
                if (parts[i].size > 0 && column + 2 < end)
                        column += 2 +
                                row_draw(t, s, row, column + 2, end - column - 2, styles[i],
                                        parts[i].text);
}

/* ---- the rest ---- */

/* Counted on from where the last frame counted to: long reasoning that grows costs what is new. */
static size_t count_characters(Transcript *t, const MessageItem *m)
{
        Kept *k = kept_of(t, m);
        size_t size;
        const char *text = document_source(m->channels[CHANNEL_REASONING], &size);

        if (size < k->counted)
                k->counted = k->characters = 0;
        for (; k->counted < size; k->counted++)
                if (((unsigned char) text[k->counted] & 0xc0) != 0x80)
                        k->characters++;
        return k->characters;
}

static void draw_fold(Transcript *t, Screen *s, const MessageItem *m, int row)
{
        bool unfolded = is_unfolded(t, m);
        Words w = { 0 };

        words_add(&w, "%s reasoning, ",
                unfolded              ? is_ascii(t) ? "v" : "\u25be"
                        : is_ascii(t) ? ">"
                                      : "\u25b8");
        words_add_count(&w, count_characters(t, m));
        words_add(&w, " characters");
        (void) row_draw(t, s, row, t->area.column + MARGIN_LEFT, t->width, STYLE_REASONING, w.text);
}

static void say_metadata(const Transcript *t, const MessageItem *m, Words *w)
{
        if (!(t->flags & TRANSCRIPT_METADATA) || m->role != ROLE_ASSISTANT || m->live)
                return;
        words_add(w, "%s", strempty(m->engine));
        if (m->tokens_in > 0 || m->tokens_out > 0) {
                words_add(w, "%s", w->size > 0 ? ", " : "");
                words_add_count(w, m->tokens_in);
                words_add(w, " tokens in, ");
                words_add_count(w, m->tokens_out);
                words_add(w, " out");
        }
        if (m->elapsed > 0) {
                words_add(w, "%s", w->size > 0 ? ", " : "");
                words_add_elapsed(w, m->elapsed);
        }
        if (m->tokens_per_second > 0) {
                words_add(w, "%s", w->size > 0 ? ", " : "");
                words_add_rate(w, m->tokens_per_second);
                words_add(w, " tokens/s");
        }
        if (!isempty(m->note))
                words_add(w, "%s%s", w->size > 0 ? "; " : "", m->note);
}

static size_t metadata_rows(const Transcript *t, const MessageItem *m)
{
        Words w = { 0 };

        say_metadata(t, m, &w);
        return wrapped_rows(t, &w);
}

static void draw_metadata(Transcript *t, Screen *s, const MessageItem *m, Position p, int row)
{
        Words w = { 0 };

        say_metadata(t, m, &w);
        draw_wrapped(t, s, &w, p.row.row, row, STYLE_DIM);
}

static void draw_edge(Transcript *t, Screen *s, int row, const char *which)
{
        Words w = { 0 };

        words_add(&w,
                mirror_is_loading(t->mirror) ? "%s messages are being loaded\u2026"
                                             : "%s messages are not loaded",
                which);
        (void) row_draw(t, s, row, t->area.column + MARGIN_LEFT, t->width, STYLE_DIM, w.text);
}

size_t fixed_rows(const Transcript *t, const MessageItem *m, size_t index, Part part)
{
        switch (part) {
        case PART_GAP:
                return index > 0 || mirror_has_older(t->mirror);
        case PART_HEADING:
                return 1;
        case PART_ATTACHMENTS:
                return chip_rows(t, m);
        case PART_FOLD:
                return !document_is_empty(m->channels[CHANNEL_REASONING]);
        case PART_PAUSE:
                return !document_is_empty(m->channels[CHANNEL_REASONING]) && is_unfolded(t, m) &&
                        !document_is_empty(m->channels[CHANNEL_CONTENT]);
        case PART_STATE:
                return state_rows(t, m, index);
        case PART_METADATA:
                return metadata_rows(t, m);
        case PART_TAIL: {
                size_t n;

                (void) mirror_messages(t->mirror, &n);
                return index + 1 == n && mirror_has_newer(t->mirror);
        }
        case PART_REASONING:
        case PART_CONTENT:
        case _PART_MAX:
                break;
        }
        return 0;
}

void fixed_draw(Transcript *t, Screen *s, const MessageItem *m, Position p, int row, usec_t now)
{
        switch (p.part) {
        case PART_GAP:
                if (p.index == 0)
                        draw_edge(t, s, row, "older");
                break;
        case PART_HEADING:
                draw_heading(t, s, m, row, now);
                break;
        case PART_ATTACHMENTS:
                draw_chips(t, s, m, p.row.row, row);
                break;
        case PART_FOLD:
                draw_fold(t, s, m, row);
                break;
        case PART_STATE:
                draw_state(t, s, m, p, row);
                break;
        case PART_METADATA:
                draw_metadata(t, s, m, p, row);
                break;
        case PART_TAIL:
                draw_edge(t, s, row, "newer");
                break;
        case PART_PAUSE:
        case PART_REASONING:
        case PART_CONTENT:
        case _PART_MAX:
                break;
        }
}
