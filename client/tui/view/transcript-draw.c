/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/tui/view/transcript-internal.h"

#define NEAR_EDGE   10U /* messages: then more are asked for */
#define ROW_TEXT    4096U
#define BAR_USER    "\u258c"
#define BAR_THOUGHT "\u2502"

static bool is_ascii(const Transcript *t)
{
        return t->flags & TRANSCRIPT_ASCII;
}

/* ---- rows ---- */

static void draw_text(Transcript *t, Screen *s, const Layout *layout, const Row *text, int row)
{
        int column = t->area.column + MARGIN_LEFT, end = column + t->width,
            first = column + text->indent, *used = t->used + (row - t->area.row);
        char words[ROW_TEXT];
        Style style = STYLE_NORMAL;
        size_t n_words = 0;

        column = first;
        for (uint32_t i = 0; i < text->n_runs; i++) {
                const Run *run = layout->runs + text->first_run + i;
                const char *bytes = layout->text + run->start;

                style = run->style;
                column += screen_draw(s, row, column, end - column, style, bytes, run->size);
                if (t->words && run->size <= sizeof words - n_words) {
                        memcpy(words + n_words, bytes, run->size);
                        n_words += run->size;
                }
        }
        if ((text->flags & ROW_FILL) && column < end) {
                screen_fill(s, (Area){ row, column, 1, end - column }, style);
                column = end;
        }
        if (column > first)
                *used = MAX(*used, column - t->area.column);
        if (t->words)
                words_mark(s, (Area){ row, first, 1, end - first }, words, n_words, t->words);
}

static void draw_bar(Transcript *t, Screen *s, const MessageItem *m, Part part, int row)
{
        const char *bar = NULL;
        Style style = STYLE_USER;

        if (part == PART_GAP || part == PART_TAIL || (part == PART_HEADING && m->id == t->marked))
                return;
        if (m->role == ROLE_USER)
                bar = is_ascii(t) ? "|" : BAR_USER;
        else if (part == PART_REASONING) {
                bar = is_ascii(t) ? "|" : BAR_THOUGHT;
                style = STYLE_DIM;
        }
        if (bar)
                (void) row_draw(t, s, row, t->area.column, 1, style, bar);
}

static void draw_row(Transcript *t, Screen *s, MessageItem *m, Position p, int row, usec_t now)
{
        Document *d = part_document(t, m, p.part);
        const Layout *layout;
        const Row *text;
        int r;

        draw_bar(t, s, m, p.part, row);
        if (!d) {
                fixed_draw(t, s, m, p, row, now);
                return;
        }
        r = document_row(d, p.row, &layout, &text);
        if (r == -ENOMEM)
                (void) row_draw(t, s, row, t->area.column + MARGIN_LEFT, t->width, STYLE_BAD,
                        "(no memory to show this)");
        else if (r >= 0 && text)
                draw_text(t, s, layout, text, row);
}

/* ---- nothing to show ---- */

static void draw_centred(Transcript *t, Screen *s, int row, Style style, const char *text)
{
        int cells = MIN((int) text_cells(text, strlen(text)), t->area.columns);

        if (row >= t->area.row && row < t->area.row + t->area.rows)
                (void) row_draw(t, s, row, t->area.column + (t->area.columns - cells) / 2,
                        t->area.columns, style, text);
}

static void draw_sentence(Transcript *t, Screen *s, int row, Style style, const char *sentence)
{
        size_t start = 0, at = 0, size;

        for (; words_wrap(sentence, t->width, &start, &size); at = start) {
                Words w = { 0 };

                words_add(&w, "%.*s", (int) size, sentence + at);
                draw_centred(t, s, row++, style, w.text);
        }
}

static void draw_empty(Transcript *t, Screen *s)
{
        int middle = t->area.row + t->area.rows / 2;
        const char *sentence = NULL;
        LinkState link = mirror_link(t->mirror, &sentence, NULL);
        Words w = { 0 };

        if (link != LINK_UP) {
                draw_sentence(t, s, middle - 1, link == LINK_DOWN ? STYLE_WARNING : STYLE_DIM,
                        !isempty(sentence) ? sentence : "Connecting to the service\u2026");
                return;
        }
        if (mirror_is_loading(t->mirror)) {
                draw_centred(t, s, middle, STYLE_DIM, "Loading the conversation\u2026");
                return;
        }
        draw_centred(t, s, middle - 2, STYLE_TITLE, "What would you like to talk about?");
        words_add(&w, "Enter sends, %s begins a new line",
                isempty(t->keys.newline) ? "Alt-Enter" : t->keys.newline);
        draw_centred(t, s, middle, STYLE_DIM, w.text);
        w.size = 0;
        words_add(&w, "%s shows the keys, %s finds actions",
                isempty(t->keys.help) ? "F1" : t->keys.help,
                isempty(t->keys.palette) ? "Ctrl-P" : t->keys.palette);
        draw_centred(t, s, middle + 1, STYLE_DIM, w.text);
}

/* ---- a frame ---- */

static bool same_row(const RowKey *a, const RowKey *b)
{
        return a->message == b->message && a->position.part == b->position.part &&
                a->position.row.segment == b->position.row.segment &&
                a->position.row.row == b->position.row.row;
}

/* How far what the last frame showed has moved up. */
static int find_shift(const Transcript *t, const RowKey *first)
{
        for (int i = 1; i < t->n_rows; i++)
                if (same_row(t->rows + i, first))
                        return i;
        return 0;
}

static void load_near(Transcript *t, size_t first, size_t last)
{
        size_t n;

        (void) mirror_messages(t->mirror, &n);
        if (mirror_is_loading(t->mirror))
                return;
        /* What fails is said where the link's state is. */
        if (first < NEAR_EDGE && mirror_has_older(t->mirror))
                (void) mirror_load_older(t->mirror);
        else if (last + NEAR_EDGE >= n && mirror_has_newer(t->mirror))
                (void) mirror_load_newer(t->mirror);
}

static void draw_messages(Transcript *t, Screen *s, bool same_area, usec_t now)
{
        size_t n;
        MessageItem *const *messages = mirror_messages(t->mirror, &n);
        Position p = position_top(t), first = p;
        RowKey old_top = t->rows[0], key = { messages[p.index]->id, p };
        int shift = same_area ? find_shift(t, &key) : 0;
        bool had_rows = same_area && t->n_rows > 0;

        t->n_rows = 0;
        do {
                t->rows[t->n_rows] = (RowKey){ messages[p.index]->id, p };
                draw_row(t, s, messages[p.index], p, t->area.row + t->n_rows, now);
                if (shift == 0 && had_rows && t->n_rows > 0 &&
                        same_row(t->rows + t->n_rows, &old_top))
                        shift = -t->n_rows;
        } while (++t->n_rows < t->area.rows && position_move(t, &p, 1) == 1);

        screen_scrolled(s, t->area, shift);
        trim_others(t, first.index, p.index);
        load_near(t, first.index, p.index);
}

void transcript_draw(Transcript *t, Screen *screen, Area area, usec_t now)
{
        bool same_area;
        size_t n;

        assert(t);
        assert(screen);

        area.rows = MIN(area.rows, SCREEN_ROWS_MAX);
        if (area.rows < 1 || area.columns < 1)
                return;
        same_area = memcmp(&area, &t->area, sizeof area) == 0;
        t->area = area;
        t->width = MIN(area.columns - MARGIN_LEFT - MARGIN_RIGHT, TRANSCRIPT_COLUMNS_MAX);
        t->width = MAX(t->width, 1);
        t->waiting = false;
        memset(t->used, 0, sizeof(int) * (size_t) area.rows);

        (void) mirror_messages(t->mirror, &n);
        if (n > 0)
                draw_messages(t, screen, same_area, now);
        else {
                t->n_rows = 0;
                draw_empty(t, screen);
        }
}

Area transcript_free_area(const Transcript *t, int rows)
{
        Area a = t->area;
        int used = 0;

        assert(t);

        if (rows < 1 || rows > a.rows)
                return (Area){ 0 };
        for (int i = a.rows - rows; i < a.rows; i++)
                used = MAX(used, t->used[i] > 0 ? t->used[i] + 1 : 0);
        used = MIN(used, a.columns);
        return (Area){ a.row + a.rows - rows, a.column + used, rows, a.columns - used };
}
