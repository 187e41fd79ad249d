/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/tui/view/editor-internal.h"

static void kill_done(Kill *k)
{
        free(k->text);
        free(k->chips);
        *k = (Kill){ 0 };
}

void kills_done(Editor *e)
{
        while (e->n_kills > 0)
                kill_done(e->kills + --e->n_kills);
}

/* A copy of a part of the text between what comes before and behind it. */
static int join(const Editor *e, size_t start, size_t end, const Kill *old, bool before, Kill *ret)
{
        size_t size = end - start, n = 0, shift = before ? 0 : old->size;
        _cleanup_free_ char *text = NULL;
        _cleanup_free_ Chip *chips = NULL;

        text = malloc(size + old->size + 1);
        chips = calloc(e->n_chips + old->n_chips + 1, sizeof *chips);
        if (!text || !chips)
                return -ENOMEM;
        memcpy(text + shift, e->text.data + start, size);
        if (old->size > 0)
                memcpy(text + (before ? size : 0), old->text, old->size);
        if (!before)
                for (size_t i = 0; i < old->n_chips; i++)
                        chips[n++] = old->chips[i];
        for (size_t i = 0; i < e->n_chips; i++)
                if (e->chips[i].start >= start && e->chips[i].start < end)
                        chips[n++] = (Chip){ e->chips[i].start - start + shift, e->chips[i].size };
        if (before)
                for (size_t i = 0; i < old->n_chips; i++)
                        chips[n++] = (Chip){ old->chips[i].start + size, old->chips[i].size };
        *ret = (Kill){ TAKE_PTR(text), size + old->size, TAKE_PTR(chips), n };
        return 0;
}

/* The newest first; the oldest go when there are too many or they are too large. */
static void push(Editor *e, const Kill *k)
{
        size_t sum = k->size, keep = 0;

        while (keep < e->n_kills && keep < KILLS_MAX - 1 &&
                sum + e->kills[keep].size <= EDITOR_TEXT_MAX)
                sum += e->kills[keep++].size;
        while (e->n_kills > keep)
                kill_done(e->kills + --e->n_kills);
        memmove(e->kills + 1, e->kills, e->n_kills * sizeof *e->kills);
        e->kills[0] = *k;
        e->n_kills++;
}

/* Cuts [start, end) out. What is cut in a row is one. */
static int cut(Editor *e, size_t start, size_t end)
{
        static const Kill none = { 0 };
        bool joins = e->doing == DOING_KILL && e->n_kills > 0 &&
                e->kills[0].size + (end - start) <= EDITOR_TEXT_MAX;
        Kill k = { 0 };
        int r;

        r = join(e, start, end, joins ? e->kills : &none, start < e->cursor, &k);
        if (r < 0)
                return r;
        r = change(e, start, end - start, &(Piece){ 0 });
        if (r < 0) {
                kill_done(&k);
                return r;
        }
        if (joins) {
                kill_done(e->kills);
                e->kills[0] = k;
        } else
                push(e, &k);
        e->doing = DOING_KILL;
        return 1;
}

/* One cluster, not kept. */
static int erase(Editor *e, size_t start, size_t end)
{
        bool word = !chip_at(e, start) && cluster_is_word(e->text.data + start, end - start);
        bool joins = e->doing == DOING_ERASING && (e->typed_word || !word);
        int r;

        r = joins ? change_erased(e, start, end - start)
                  : change(e, start, end - start, &(Piece){ 0 });
        if (r < 0)
                return r;
        e->doing = DOING_ERASING;
        e->typed_word = word;
        return 1;
}

static void find_range(const Editor *e, EditorKill kill, size_t *start, size_t *end)
{
        *start = *end = e->cursor;
        switch (kill) {
        case KILL_LEFT:
                *start = previous_cluster(e, e->cursor);
                break;
        case KILL_RIGHT:
                *end = next_cluster(e, e->cursor);
                break;
        case KILL_WORD_LEFT:
                *start = word_left(e, e->cursor);
                break;
        case KILL_WORD_RIGHT:
                *end = word_right(e, e->cursor);
                break;
        case KILL_LINE_START: /* at the start the line end before it */
                *start = line_start(e, e->cursor);
                if (*start == e->cursor)
                        *start = previous_cluster(e, e->cursor);
                break;
        case KILL_LINE_END:
                *end = line_end(e, e->cursor);
                if (*end == e->cursor)
                        *end = next_cluster(e, e->cursor);
                break;
        case KILL_WHOLE_LINE: /* with a line end: its own, or of the last line the one before */
                *start = line_start(e, e->cursor);
                *end = line_end(e, e->cursor);
                if (*end < e->text.size)
                        *end = next_cluster(e, *end);
                else if (*start > 0)
                        *start = previous_cluster(e, *start);
                break;
        case KILL_ALL:
                *start = 0;
                *end = e->text.size;
                break;
        }
}

int editor_kill(Editor *e, EditorKill kill)
{
        size_t start, end;

        find_range(e, kill, &start, &end);
        if (start == end) {
                e->doing = DOING_NOTHING;
                return 0;
        }
        return kill == KILL_LEFT || kill == KILL_RIGHT ? erase(e, start, end) : cut(e, start, end);
}

/* Puts a kill in the place of the bytes. */
static int yank(Editor *e, size_t offset, size_t size, size_t nth)
{
        const Kill *k = e->kills + nth;
        int r;

        r = change(e, offset, size, &(Piece){ k->text, k->size, k->chips, k->n_chips });
        if (r < 0)
                return r;
        e->doing = DOING_YANK;
        e->yank_start = offset;
        e->yank = nth;
        return 1;
}

int editor_yank(Editor *e)
{
        e->doing = DOING_NOTHING;
        return e->n_kills > 0 ? yank(e, e->cursor, 0, 0) : 0;
}

int editor_yank_pop(Editor *e)
{
        if (e->doing != DOING_YANK || e->n_kills < 2)
                return 0;
        return yank(e, e->yank_start, e->kills[e->yank].size, (e->yank + 1) % e->n_kills);
}
