/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/tui/view/bars.h"

#include <time.h>

#include "client/tui/view/figures.h"
#include "client/tui/view/words.h"

/* ---- the list ---- */

#define AGE_CELLS     4 /* "12m" and a blank before */
#define COLUMNS_AGE   18
#define COLUMNS_FRAME 1

static const char *state_mark(const ConversationItem *c, bool ascii, Style *ret_style)
{
        switch (c->state) {
        case CONVERSATION_STREAMING:
                *ret_style = STYLE_GOOD;
                return ascii ? "*" : "\u25cf";
        case CONVERSATION_WAITING:
                *ret_style = STYLE_WARNING;
                return ascii ? "o" : "\u25cc";
        case CONVERSATION_IDLE:
                break;
        }
        *ret_style = c->failed ? STYLE_BAD : STYLE_ACCENT;
        return c->failed ? "!" : c->unread > 0 ? ascii ? "+" : "\u2022" : " ";
}

static usec_t real_now(void)
{
        struct timespec ts;

        (void) clock_gettime(CLOCK_REALTIME, &ts);
        return (usec_t) ts.tv_sec * USEC_PER_SEC;
}

typedef struct ListRow {
        const ConversationItem *item;
        bool open, selected, focused, ascii;
} ListRow;

static void draw_item(Screen *s, int row, int column, int columns, const ListRow *r)
{
        const ConversationItem *c = r->item;
        usec_t now = real_now();
        int title = columns - 2;
        Style style = isempty(c->title) ? STYLE_DIM : STYLE_NORMAL, mark_style;
        const char *mark = state_mark(c, r->ascii, &mark_style);

        if (r->open || c->unread > 0)
                style |= STYLE_BOLD;
        (void) words_draw(s, row, column, 1, mark_style, mark);
        if (columns >= COLUMNS_AGE) {
                Words w = { 0 };

                words_add_age(&w, now > c->modified ? now - c->modified : 0);
                (void) words_draw(
                        s, row, column + columns - (int) w.size, (int) w.size, STYLE_DIM, w.text);
                title -= AGE_CELLS;
        }
        (void) words_draw(
                s, row, column + 2, title, style, !isempty(c->title) ? c->title : "(no title)");
        if (r->selected && r->focused)
                screen_restyle(s, (Area){ row, column, 1, columns }, STYLE_SELECTED);
        else if (r->open)
                screen_restyle(s, (Area){ row, column + 2, 1, title }, STYLE_ACCENT);
}

static void keep_visible(List *l, size_t n, size_t rows)
{
        if (l->selected >= n)
                l->selected = n > 0 ? n - 1 : 0;
        if (l->first + rows > n)
                l->first = n > rows ? n - rows : 0;
        if (l->selected < l->first)
                l->first = l->selected;
        if (l->selected >= l->first + rows)
                l->first = l->selected - rows + 1;
}

void list_draw(List *l, Mirror *m, Screen *screen, Area area, bool focused, bool ascii)
{
        const ConversationItem *items, *open;
        int columns = area.columns - COLUMNS_FRAME;
        size_t n;

        assert(l);
        assert(m);
        assert(screen);

        if (area.rows < 1 || columns < 1)
                return;
        items = mirror_list(m, &n);
        open = mirror_open_conversation(m);
        keep_visible(l, n, (size_t) area.rows);

        for (int i = 0; i < area.rows; i++) {
                size_t index = l->first + (size_t) i;

                (void) screen_print(screen, area.row + i, area.column + columns, 1,
                        focused ? STYLE_ACCENT : STYLE_DIM, ascii ? "|" : "\u2502");
                if (index < n)
                        draw_item(screen, area.row + i, area.column, columns,
                                &(ListRow){ .item = items + index,
                                        .open = open && streq(open->id, items[index].id),
                                        .selected = index == l->selected,
                                        .focused = focused,
                                        .ascii = ascii });
        }
        if (n == 0)
                (void) words_draw(screen, area.row, area.column, columns, STYLE_DIM,
                        mirror_link(m, NULL, NULL) == LINK_UP ? "No conversations" : "");
        if (n > 0 && l->first + (size_t) area.rows >= n && mirror_list_has_more(m))
                (void) mirror_list_more(m); /* what fails is seen in the link */
}

ssize_t list_at(const List *l, const Mirror *m, Area area, int row)
{
        size_t n, index;

        assert(l);
        assert(m);

        (void) mirror_list(m, &n);
        if (row < 0 || row >= area.rows)
                return -1;
        index = l->first + (size_t) row;
        return index < n ? (ssize_t) index : -1;
}

/* ---- the status line ---- */

/* In the order in which they stand; the last of these to go is the activity. */
typedef enum Item {
        ITEM_ACTIVITY,
        ITEM_MODEL,
        ITEM_ENGINE,
        ITEM_CONTEXT,
        ITEM_SPEED,
        _ITEM_MAX,
} Item;

/* An engine that is not well is no small matter. */
static const Item least_first[2][4] = {
        { ITEM_ENGINE, ITEM_SPEED, ITEM_CONTEXT, ITEM_MODEL },
        { ITEM_SPEED, ITEM_ENGINE, ITEM_CONTEXT, ITEM_MODEL },
};

typedef struct StatusItem {
        Words words;
        Style style;
        int cells;
} StatusItem;

static void say_link(LinkState link, usec_t retry, usec_t now, Words *w)
{
        if (link == LINK_CONNECTING) {
                words_add(w, "connecting\u2026");
                return;
        }
        words_add(w, "no connection");
        if (retry > now && retry != USEC_INFINITY) {
                words_add(w, "; tries again in ");
                words_add_duration(w, retry - now + USEC_PER_SEC - 1);
        }
}

static void say_live(const MessageItem *live, usec_t now, bool ascii, StatusItem *item)
{
        bool waiting = live->first_text == 0;
        const char *what = live->cancelling ? "cancelling"
                : !waiting                  ? message_activity(live)
                : isempty(live->phase)      ? "waiting"
                                            : live->phase;

        item->style = waiting || live->cancelling ? STYLE_BAR_WARNING : STYLE_BAR_GOOD;
        words_add(&item->words, "%s %s",
                waiting         ? ascii ? "o" : "\u25cc"
                        : ascii ? "*"
                                : "\u25cf",
                what);
        if (live->started != 0 && now >= live->started) {
                words_add(&item->words, " ");
                words_add_duration(&item->words, now - live->started);
        }
        if (waiting && live->place > 0)
                words_add(&item->words, ", %u before it", live->place);
}

static void say_activity(Mirror *m, usec_t now, bool ascii, StatusItem *item)
{
        const MessageItem *live = mirror_live(m);
        usec_t retry = USEC_INFINITY;
        LinkState link = mirror_link(m, NULL, &retry);

        if (link != LINK_UP) {
                item->style = link == LINK_DOWN ? STYLE_BAR_BAD : STYLE_BAR_WARNING;
                say_link(link, retry, now, &item->words);
        } else if (live)
                say_live(live, now, ascii, item);
        else if (mirror_is_loading(m))
                words_add(&item->words, "loading\u2026");
}

/* "engine/model" */
static const EngineItem *engine_of(const Mirror *m, const char *model)
{
        const char *slash = strchr(model, '/');
        size_t n, size = slash ? (size_t) (slash - model) : 0;
        const EngineItem *engines = mirror_engines(m, &n);

        for (size_t i = 0; slash && i < n; i++)
                if (strlen(engines[i].name) == size && memcmp(engines[i].name, model, size) == 0)
                        return engines + i;
        return NULL;
}

static void say_engine(const EngineItem *e, StatusItem *item)
{
        bool ready = streq(strempty(e->state), "ready"),
             unknown = isempty(e->state) || streq(e->state, "unknown");

        item->style = ready ? STYLE_BAR_GOOD : unknown ? STYLE_BAR : STYLE_BAR_BAD;
        words_add(&item->words, "%s %s", e->name, unknown ? "not tried yet" : e->state);
}

/* "engine/model": the conversation's, else the default, else the one that answered last. */
static void say_model(Mirror *m, Words *words)
{
        const char *model = mirror_model(m);
        MessageItem *const *messages;
        size_t n;

        if (!isempty(model)) {
                words_add(words, "%s", model);
                return;
        }
        messages = mirror_messages(m, &n);
        while (n-- > 0)
                if (messages[n]->role == ROLE_ASSISTANT && !isempty(messages[n]->engine)) {
                        words_add(
                                words, "%s/%s", messages[n]->engine, strempty(messages[n]->model));
                        return;
                }
}

/* "~": not yet counted. */
static void say_figures(const Figures *f, StatusItem *context, StatusItem *speed)
{
        double n = f->per_second;

        if (f->used > 0 || f->size > 0) {
                words_add(
                        &context->words, "context %s", f->used > 0 && f->used_estimated ? "~" : "");
                words_add_context(&context->words, f->used, f->size);
                /* Nearly full: soon old messages are left out. */
                if (f->size > 0 && f->used > f->size - f->size / 8)
                        context->style = STYLE_BAR_WARNING;
        }
        if (n <= 0)
                return;
        if (f->per_second_estimated)
                words_add(&speed->words, "~");
        words_add_rate(&speed->words, n);
        words_add(&speed->words, " tok/s");
}

static void say_all(Mirror *m, usec_t now, bool ascii, StatusItem items[static _ITEM_MAX])
{
        const EngineItem *engine;
        Figures figures;

        say_activity(m, now, ascii, items + ITEM_ACTIVITY);
        say_model(m, &items[ITEM_MODEL].words);
        engine = engine_of(m, items[ITEM_MODEL].words.text);
        if (engine)
                say_engine(engine, items + ITEM_ENGINE);
        figures_of(m, now, &figures);
        say_figures(&figures, items + ITEM_CONTEXT, items + ITEM_SPEED);
}

static int total_cells(const StatusItem *items)
{
        int cells = 0;

        for (int i = 0; i < _ITEM_MAX; i++)
                if (items[i].words.size > 0)
                        cells += items[i].cells + (cells > 0 ? 3 : 0);
        return cells;
}

void status_draw(Mirror *m, Screen *screen, Area area, usec_t now, bool ascii)
{
        StatusItem items[_ITEM_MAX];
        const Item *least;
        int column = area.column + 1, end = area.column + area.columns - 1;
        bool first = true;

        assert(m);
        assert(screen);

        screen_fill(screen, area, STYLE_BAR);
        for (int i = 0; i < _ITEM_MAX; i++) {
                items[i].style = STYLE_BAR;
                items[i].words.size = 0;
                items[i].words.text[0] = 0;
        }
        say_all(m, now, ascii, items);
        for (int i = 0; i < _ITEM_MAX; i++)
                items[i].cells = (int) text_cells(items[i].words.text, items[i].words.size);
        least = least_first[items[ITEM_ENGINE].style == STYLE_BAR_BAD];
        for (size_t i = 0; i < ELEMENTSOF(*least_first) && total_cells(items) > end - column; i++)
                /* The last that is left is cut instead. */
                if (total_cells(items) > items[least[i]].cells)
                        items[least[i]].words.size = 0;

        for (int i = 0; i < _ITEM_MAX; i++) {
                if (items[i].words.size == 0)
                        continue;
                if (!first)
                        column += screen_print(screen, area.row, column, end - column, STYLE_BAR,
                                ascii ? " | " : " \u2502 ");
                column += words_draw(screen, area.row, column, end - column, items[i].style,
                        items[i].words.text);
                first = false;
        }
}

/* ---- notices ---- */

#define NOTICE_MARGIN 1 /* at both sides */

int notice_rows(const char *sentence, int columns, int most)
{
        size_t start = 0, size;
        int rows = 0;

        assert(sentence);

        while (rows < most && words_wrap(sentence, columns - 2 * NOTICE_MARGIN, &start, &size))
                rows++;
        return rows;
}

void notice_draw(Screen *screen, Area area, const char *sentence)
{
        int column = area.column + NOTICE_MARGIN, columns = area.columns - 2 * NOTICE_MARGIN;
        size_t start = 0, first = 0, size;

        assert(screen);
        assert(sentence);

        screen_fill(screen, area, STYLE_BAR);
        for (int i = 0; i < area.rows && words_wrap(sentence, columns, &start, &size); i++) {
                if (i + 1 == area.rows) /* all that is left: it fits, or says that it does not */
                        size = strlen(sentence + first);
                (void) words_draw_part(screen, area.row + i, column, columns,
                        STYLE_BAR | STYLE_BOLD, sentence + first, size);
                first = start;
        }
}
