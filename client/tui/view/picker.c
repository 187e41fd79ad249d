/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/tui/view/picker.h"

#include "client/tui/view/picker-match.h"
#include "client/tui/view/words.h"

#define COLUMNS_MAX 96
#define ROWS_MAX    20 /* of the list */
#define ROWS_AROUND 4  /* the box, the line, and what parts it from the list */

#define WHOLE_ROWS_MAX 3 /* of an item that is cut in the list */
#define ROWS_LEFT_MIN  2 /* of the list above them */

typedef struct Found {
        int score;
        uint16_t index;
} Found;

struct Picker {
        char *title;
        const PickerOps *ops;
        void *userdata;
        Editor *editor;
        const char *message;
        bool is_list, stale; /* stale: what is found is not what the line says */

        PickerItem *items;
        size_t n_items, n_allocated;
        Found *found; /* as many as items */
        size_t n_found;
        size_t selected, first;
};

int picker_new(
        const char *title, const char *line, const PickerOps *ops, void *userdata, Picker **ret)
{
        _cleanup_(picker_freep) Picker *p = NULL;
        int r;

        assert(title);
        assert(ops);
        assert(ret);

        p = calloc(1, sizeof *p);
        if (!p)
                return -ENOMEM;
        p->ops = ops;
        p->userdata = userdata;
        p->title = strdup(title);
        if (!p->title)
                return -ENOMEM;
        r = editor_new(&p->editor);
        if (r < 0)
                return r;
        if (!isempty(line)) {
                r = editor_set_text(p->editor, line, strlen(line));
                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(p);
        return 0;
}

static void item_done(PickerItem *i)
{
        free(i->text);
        free(i->detail);
        free(i->value);
}

void picker_clear(Picker *p)
{
        assert(p);

        for (size_t i = 0; i < p->n_items; i++)
                item_done(p->items + i);
        p->n_items = p->n_found = 0;
        p->selected = p->first = 0;
        p->is_list = true;
}

bool picker_is(const Picker *p, const PickerOps *ops)
{
        return p && p->ops == ops;
}

Picker *picker_free(Picker *p)
{
        if (!p)
                return NULL;
        picker_clear(p);
        free(p->items);
        free(p->found);
        free(p->title);
        editor_free(p->editor);
        free(p);
        return NULL;
}

void picker_set_message(Picker *p, const char *sentence)
{
        assert(p);
        p->message = sentence;
        p->is_list = true;
}

Editor *picker_editor(Picker *p)
{
        assert(p);
        return p->editor;
}

/* ---- narrowing ---- */

/* What is found in the name counts more than in what explains it. */
static int score_item(const PickerItem *item, const char *line, size_t *steps)
{
        int text = match_score(item->text, line, steps, NULL, NULL),
            detail = item->detail ? match_score(item->detail, line, steps, NULL, NULL) : -1;

        return MAX(text >= 0 ? text * 2 : -1, detail);
}

static bool narrows(const Picker *p)
{
        return !p->ops->typed;
}

/* Best first, and of equals the one that was added first. */
static void add_found(Picker *p, size_t index, const char *line, size_t *steps)
{
        int score = narrows(p) && *line ? score_item(p->items + index, line, steps) : 0;
        size_t at = p->n_found;

        if (score < 0)
                return;
        while (at > 0 && p->found[at - 1].score < score)
                at--;
        memmove(p->found + at + 1, p->found + at, (p->n_found - at) * sizeof *p->found);
        p->found[at] = (Found){ score, (uint16_t) index };
        p->n_found++;
}

static const char *line_of(Picker *p)
{
        size_t size;

        return strempty(editor_text(p->editor, &size));
}

/* Once for all that is typed and added in one turn of the loop. */
static void narrow(Picker *p)
{
        const char *line = line_of(p);
        size_t steps = 0;

        if (!p->stale)
                return;
        p->stale = false;
        p->n_found = 0;
        for (size_t i = 0; i < p->n_items; i++)
                add_found(p, i, line, &steps);
}

static int grow(Picker *p)
{
        size_t n = MAX(p->n_allocated * 2, (size_t) 16);
        PickerItem *items;
        Found *found;

        if (p->n_items < p->n_allocated)
                return 0;
        items = reallocarray(p->items, n, sizeof *items);
        if (!items)
                return -ENOMEM;
        p->items = items;
        found = reallocarray(p->found, n, sizeof *found);
        if (!found)
                return -ENOMEM;
        p->found = found;
        p->n_allocated = n;
        return 0;
}

static int item_init(
        PickerItem *i, const char *text, const char *detail, const char *value, uint64_t number)
{
        int r;

        *i = (PickerItem){ .number = number };
        r = free_and_strdup(&i->text, text);
        if (r >= 0)
                r = free_and_strdup(&i->detail, detail);
        if (r >= 0)
                r = free_and_strdup(&i->value, value);
        if (r < 0)
                item_done(i);
        return r;
}

int picker_add(Picker *p, const char *text, const char *detail, const char *value, uint64_t number)
{
        int r;

        assert(p);
        assert(text);

        if (p->n_items >= PICKER_ITEMS_MAX)
                return -E2BIG;
        r = grow(p);
        if (r < 0)
                return r;
        r = item_init(p->items + p->n_items, text, detail, value, number);
        if (r < 0)
                return r;
        p->is_list = true;
        p->n_items++;
        p->stale = true;
        return 0;
}

int picker_changed(Picker *p)
{
        const char *line;

        assert(p);

        line = line_of(p);
        if (!narrows(p)) {
                p->ops->typed(line, p->userdata);
                return 0;
        }
        p->selected = p->first = 0;
        p->stale = true;
        return 0;
}

/* ---- choosing ---- */

void picker_move(Picker *p, int by)
{
        int64_t to;

        assert(p);

        narrow(p);
        to = MAX((int64_t) p->selected + by, (int64_t) 0);
        if (p->n_found > 0)
                p->selected = (size_t) MIN(to, (int64_t) p->n_found - 1);
}

void picker_accept(Picker *p)
{
        const PickerItem *item = NULL;

        assert(p);

        narrow(p);
        if (p->n_found > 0)
                item = p->items + p->found[p->selected].index;
        p->ops->picked(item, line_of(p), p->userdata);
}

void picker_cancel(Picker *p)
{
        assert(p);
        if (p->ops->cancelled)
                p->ops->cancelled(p->userdata);
}

/* ---- drawing ---- */

static Area box_of(const Picker *p, const Screen *s)
{
        int rows = screen_rows(s), columns = screen_columns(s), list = ROWS_MAX;
        Area a;

        if (narrows(p)) /* so that it keeps its size while it is narrowed */
                list = MIN((int) MAX(p->n_items, (size_t) 1), ROWS_MAX);
        a.columns = MIN(columns < 60 ? columns : columns - 8, COLUMNS_MAX);
        a.rows = MIN(p->is_list ? list + ROWS_AROUND : 3, rows < 16 ? rows : rows - 4);
        a.row = (rows - a.rows) / 2;
        a.column = (columns - a.columns) / 2;
        return a;
}

static void draw_edge(Screen *s, Area a, int row, const char *left, const char *right)
{
        int end = a.column + a.columns - 1;

        (void) screen_print(s, row, a.column, 1, STYLE_DIM, left);
        for (int i = a.column + 1; i < end; i++)
                (void) screen_print(s, row, i, 1, STYLE_DIM, "\u2500");
        (void) screen_print(s, row, end, 1, STYLE_DIM, right);
}

static void draw_box(const Picker *p, Screen *s, Area a)
{
        Words w = { 0 };

        screen_fill(s, a, STYLE_NORMAL);
        draw_edge(s, a, a.row, "\u250c", "\u2510");
        for (int row = a.row + 1; row < a.row + a.rows - 1; row++) {
                (void) screen_print(s, row, a.column, 1, STYLE_DIM, "\u2502");
                (void) screen_print(s, row, a.column + a.columns - 1, 1, STYLE_DIM, "\u2502");
        }
        draw_edge(s, a, a.row + a.rows - 1, "\u2514", "\u2518");
        words_add(&w, " %s ", p->title);
        (void) words_draw(s, a.row, a.column + 2, a.columns - 4, STYLE_TITLE, w.text);
        if (p->is_list)
                draw_edge(s, a, a.row + 2, "\u251c", "\u2524");
        if (p->n_found > 0) {
                w.size = 0;
                words_add(&w, " %zu/%zu ", p->selected + 1, p->n_found);
                (void) screen_print(s, a.row + a.rows - 1, a.column + a.columns - 2 - (int) w.size,
                        (int) w.size, STYLE_DIM, w.text);
        }
}

static void mark_letters(
        Screen *s, int row, int column, int columns, const char *text, const char *line)
{
        uint16_t places[MATCH_LETTERS_MAX];
        size_t n, steps = 0; /* what is in sight is little */

        if (match_score(text, line, &steps, places, &n) < 0)
                return;
        for (size_t i = 0; i < n; i++) {
                int at = (int) text_cells(text, places[i]);

                if (at < columns)
                        screen_restyle(
                                s, (Area){ row, column + at, 1, 1 }, STYLE_ACCENT | STYLE_BOLD);
        }
}

/* From where the first word that was searched for is in sight. */
static const char *text_in_sight(const char *text, const char *words, int columns)
{
        size_t size = strlen(text), n, at = words_find(text, size, words, &n), start;
        int skip;

        if (at == size || (int) text_cells(text, at + n) < columns)
                return text;
        /* Some of what is before it; no less than fits. */
        skip = MIN((int) text_cells(text, at) - columns / 3,
                (int) text_cells(text, size) - columns + 1);
        start = text_fit(text, at, (unsigned) MAX(skip, 0), NULL);
        /* At a word, where there is one before it. */
        for (size_t i = start; i < at; i++)
                if (text[i] == ' ')
                        return text + i + 1;
        return text + start;
}

static void draw_detail(Screen *s, Area a, const char *detail)
{
        const char *tab = strchr(detail, '\t'), *kept = tab ? tab + 1 : "";
        int cells = (int) text_cells(kept, strlen(kept)), rest = a.columns - cells - (tab ? 2 : 0);

        if (!tab) {
                (void) words_draw(s, a.row, a.column, a.columns, STYLE_DIM, detail);
                return;
        }
        (void) words_draw_part(
                s, a.row, a.column, rest, STYLE_DIM, detail, (size_t) (tab - detail));
        (void) words_draw(
                s, a.row, a.column + a.columns - cells, MIN(cells, a.columns), STYLE_DIM, kept);
}

/* The tab counts as the two blanks that it is drawn as. */
static int detail_cells(const char *detail)
{
        const char *tab = strchr(strempty(detail), '\t');

        if (isempty(detail))
                return 0;
        if (!tab)
                return (int) text_cells(detail, strlen(detail));
        return (int) (text_cells(detail, (size_t) (tab - detail)) +
                       text_cells(tab + 1, strlen(tab + 1))) +
                2;
}

static void draw_item(const Picker *p, Screen *s, Area a, size_t nth, const char *line)
{
        const PickerItem *item = p->items + p->found[nth].index;
        const char *seen = item->text;
        int text = (int) text_cells(item->text, strlen(item->text)),
            detail = detail_cells(item->detail), room = a.columns, before = 0;

        /* The text has what it wants, up to two thirds; the detail is cut first. */
        if (detail > 0)
                room = MAX(a.columns - detail - 2, MIN(text, a.columns * 2 / 3));
        room = MIN(text, room);
        if (!narrows(p))
                seen = text_in_sight(item->text, line, room);
        if (seen > item->text)
                before = screen_print(s, a.row, a.column, 1, STYLE_DIM, "\u2026");
        text = before + words_draw(s, a.row, a.column + before, room - before, STYLE_NORMAL, seen);
        if (detail > 0 && text + 2 < a.columns) {
                detail = MIN(detail, a.columns - text - 2);
                draw_detail(
                        s, (Area){ a.row, a.column + a.columns - detail, 1, detail }, item->detail);
        }
        if (narrows(p) && *line)
                mark_letters(s, a.row, a.column, text, item->text, line);
        if (nth == p->selected)
                screen_restyle(s, (Area){ a.row, a.column - 1, 1, a.columns + 2 }, STYLE_SELECTED);
        if (!narrows(p))
                words_mark(s, (Area){ a.row, a.column + before, 1, text - before }, seen,
                        strlen(seen), line);
}

/* All of an item whose row is cut; columns and tabs are no more than a blank here. */
static void say_whole(const PickerItem *item, Words *w)
{
        size_t n = 0;

        words_add(w, "%s", item->text);
        if (!isempty(item->detail))
                words_add(w, "  (%s)", item->detail);
        for (size_t i = 0; i < w->size; i++) {
                char c = w->text[i] == '\t' ? ' ' : w->text[i];

                if (c != ' ' || (n > 0 && w->text[n - 1] != ' '))
                        w->text[n++] = c;
        }
        w->size = n;
        w->text[n] = 0;
}

/* The rows below the list that the chosen one wants, if it is cut above. */
static int whole_rows(const Picker *p, Area a)
{
        const PickerItem *item = p->items + p->found[p->selected].index;
        int cells = (int) text_cells(item->text, strlen(item->text)),
            detail = detail_cells(item->detail), rows = 0;
        size_t start = 0, size;
        Words w = { 0 };

        if (cells + (detail > 0 ? detail + 2 : 0) <= a.columns)
                return 0;
        say_whole(item, &w);
        while (rows < WHOLE_ROWS_MAX && words_wrap(w.text, a.columns, &start, &size))
                rows++;
        return rows <= a.rows - ROWS_LEFT_MIN ? rows : 0;
}

static void draw_whole(const Picker *p, Screen *s, Area a)
{
        size_t start = 0, first = 0, size;
        Words w = { 0 };

        say_whole(p->items + p->found[p->selected].index, &w);
        for (int i = 0; i < a.rows && words_wrap(w.text, a.columns, &start, &size); i++) {
                (void) words_draw_part(s, a.row + i, a.column, a.columns, STYLE_ACCENT,
                        w.text + first, i + 1 < a.rows ? size : strlen(w.text + first));
                first = start;
        }
}

static void draw_list(Picker *p, Screen *s, Area a)
{
        const char *line = line_of(p);
        int whole = p->n_found > 0 ? whole_rows(p, a) : 0;
        size_t rows = (size_t) MAX(a.rows - whole, 1);

        if (whole > 0)
                draw_whole(p, s, (Area){ a.row + a.rows - whole, a.column, whole, a.columns });
        if (p->selected < p->first)
                p->first = p->selected;
        if (p->selected >= p->first + rows)
                p->first = p->selected - rows + 1;
        for (size_t i = 0; i < rows && p->first + i < p->n_found; i++)
                draw_item(p, s, (Area){ a.row + (int) i, a.column, 1, a.columns }, p->first + i,
                        line);
        if (p->n_found == 0)
                (void) words_draw(s, a.row, a.column, a.columns, STYLE_DIM,
                        p->n_items > 0 || !p->message ? "Nothing is named like this" : p->message);
}

void picker_draw(Picker *p, Screen *screen)
{
        Area a, inner;

        assert(p);
        assert(screen);

        narrow(p);
        a = box_of(p, screen);
        inner = (Area){ a.row + 3, a.column + 2, a.rows - ROWS_AROUND, a.columns - 4 };
        draw_box(p, screen, a);
        if (p->is_list && inner.rows > 0)
                draw_list(p, screen, inner);
        editor_draw(p->editor, screen, (Area){ a.row + 1, inner.column, 1, inner.columns }, NULL);
}
