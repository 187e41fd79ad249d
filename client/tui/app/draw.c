/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The whole picture: the list at the left, the conversation, Yollayah where no text is, what is
 * being written, the status line. */

#include "client/tui/app/app-internal.h"

#define ROWS_MIN           10
#define COLUMNS_MIN        40
#define LIST_COLUMNS_MIN   20
#define LIST_COLUMNS_MAX   34
#define LIST_FROM_COLUMNS  70 /* narrower screens have no list, but while it has the keys */
#define INPUT_ROWS_MAX     10
#define ROWS_BESIDE_NOTICE 3  /* the status line, the border above the input, a row of text */
#define AVATAR_ROWS_MIN    16 /* of a screen where she is no bother */
#define AVATAR_COLUMNS_MIN 60
#define MARK_COLUMNS       2 /* before what is written */

static void draw_too_small(App *app, int rows, int columns)
{
        char text[80];

        (void) snprintf(text, sizeof text, "%d by %d is too small; %d by %d will do.", columns,
                rows, COLUMNS_MIN, ROWS_MIN);
        (void) screen_print(app->screen, rows / 2, 0, columns, STYLE_NORMAL, text);
}

static int list_columns(const App *app, int columns)
{
        if (app->place != CONTEXT_LIST && (!app->list_shown || columns < LIST_FROM_COLUMNS))
                return 0;
        if (columns < LIST_FROM_COLUMNS)
                return columns;
        return MAX(LIST_COLUMNS_MIN, MIN(LIST_COLUMNS_MAX, columns / 4));
}

static void draw_line(App *app, Area area, Style style)
{
        const char *dash = terminal_is_ascii(app->terminal) ? "-" : "─";

        for (int i = 0; i < area.columns; i++)
                (void) screen_print(app->screen, area.row, area.column + i, 1, style, dash);
}

/* The line above what is written: attachments, and what the text is for. */
static void draw_border(App *app, Area area)
{
        int column = area.column + 1, end = area.column + area.columns;

        draw_line(app, area, app->place == CONTEXT_INPUT ? STYLE_ACCENT : STYLE_DIM);
        if (app->editing != 0) /* just what fits on the smallest screen */
                column += screen_print(app->screen, area.row, column, end - column, STYLE_WARNING,
                                  " written anew, as a branch (Esc leaves)") +
                        1;
        for (size_t i = 0; i < app->attachments.n && column < end; i++) {
                column += screen_print(
                        app->screen, area.row, column, end - column, STYLE_CHIP, " ");
                column += screen_print(app->screen, area.row, column, end - column, STYLE_CHIP,
                        app->attachments.names[i]);
                column += screen_print(
                                  app->screen, area.row, column, end - column, STYLE_CHIP, " ") +
                        1;
        }
}

static void draw_input(App *app, Area area)
{
        const char *mark = terminal_is_ascii(app->terminal) ? ">" : "›";
        const char *hint = app->private ? "A private question: nothing of it is kept"
                                        : "Ask something; F1 shows the keys";

        (void) screen_print(app->screen, area.row, area.column, 1,
                app->place == CONTEXT_INPUT ? STYLE_ACCENT : STYLE_DIM, mark);
        area.column += MARK_COLUMNS;
        area.columns -= MARK_COLUMNS;
        editor_draw(app->editor, app->screen, area, hint);
        if (app->place != CONTEXT_INPUT || app->picker)
                screen_place_cursor(app->screen, -1, -1);
}

/* Where no text is: for the largest of her sizes that has room. */
static Area free_area(const App *app)
{
        static const struct {
                int rows, columns;
        } sizes[] = { { 12, 24 }, { 8, 16 }, { 4, 8 } };
        Area area = { 0 };

        if (screen_rows(app->screen) < AVATAR_ROWS_MIN ||
                screen_columns(app->screen) < AVATAR_COLUMNS_MIN)
                return area;
        for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
                area = transcript_free_area(app->transcript, sizes[i].rows);
                if (area.columns >= sizes[i].columns)
                        break;
        }
        return area;
}

static void draw_avatar(App *app, usec_t now)
{
        const SpriteFrame *frame;
        int row, column;

        if (!app->avatar)
                return;
        app->avatar_area = free_area(app);
        avatar_set_room(app->avatar, app->avatar_area.rows, app->avatar_area.columns, now);
        (void) avatar_advance(app->avatar, now);
        frame = avatar_frame(app->avatar, &row, &column);
        if (!frame)
                return;
        row += app->avatar_area.row;
        column += app->avatar_area.column;
        for (int i = 0; i < frame->rows; i++)
                for (size_t n = 0; n < frame->n_runs[i]; n++) {
                        const SpriteRun *run = &frame->runs[i][n];

                        (void) screen_draw(app->screen, row + i, column + run->column,
                                frame->columns, run->style, run->text, run->size);
                }
}

/* What is said above the status line: of a connection that is gone, as long as it is. */
static const char *sentence_of(const App *app)
{
        const char *sentence = NULL;

        if (app->notice)
                return app->notice;
        return mirror_link(app->mirror, &sentence, NULL) != LINK_UP ? sentence : NULL;
}

void app_draw(App *app)
{
        int rows = screen_rows(app->screen), columns = screen_columns(app->screen), left, input,
            notice = 0, above;
        const char *sentence = sentence_of(app);
        bool ascii = terminal_is_ascii(app->terminal);
        Area border;
        usec_t now = app_now(app);

        screen_begin(app->screen);
        if (rows < ROWS_MIN || columns < COLUMNS_MIN) {
                draw_too_small(app, rows, columns);
                return;
        }
        left = list_columns(app, columns);
        input = editor_rows(app->editor, columns - (left < columns ? left : 0) - MARK_COLUMNS,
                MIN(INPUT_ROWS_MAX, rows / 3));

        if (!isempty(sentence))
                notice = notice_rows(sentence, columns, rows - input - ROWS_BESIDE_NOTICE);
        above = rows - 1 - notice; /* the status line has the last row */
        app->list_area = (Area){ 0, 0, above, left };
        if (left > 0)
                list_draw(&app->list, app->mirror, app->screen, app->list_area,
                        app->place == CONTEXT_LIST, ascii);
        if (left < columns) {
                app->input_area = (Area){ above - input, left, input, columns - left };
                border = (Area){ app->input_area.row - 1, left, 1, columns - left };
                app->transcript_area = (Area){ 0, left, border.row, columns - left };
                transcript_draw(app->transcript, app->screen, app->transcript_area, now);
                draw_avatar(app, now);
                draw_border(app, border);
                draw_input(app, app->input_area);
        }
        if (notice > 0)
                notice_draw(app->screen, (Area){ above, 0, notice, columns }, sentence);
        status_draw(app->mirror, app->screen, (Area){ rows - 1, 0, 1, columns }, now, ascii);
        if (app->picker)
                picker_draw(app->picker, app->screen);
}
