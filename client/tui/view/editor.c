/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/tui/view/editor.h"

#include "client/tui/view/editor-internal.h"

#define COLUMNS_DEFAULT 80

int editor_new(Editor **ret)
{
        Editor *e;

        e = calloc(1, sizeof *e);
        if (!e)
                return -ENOMEM;
        e->text = BUFFER_INIT(EDITOR_TEXT_MAX);
        e->columns = COLUMNS_DEFAULT;
        *ret = e;
        return 0;
}

Editor *editor_free(Editor *e)
{
        if (!e)
                return NULL;
        buffer_done(&e->text);
        steps_done(&e->undo);
        steps_done(&e->redo);
        kills_done(e);
        return mfree(e);
}

/* ---- the text ---- */

const char *editor_text(Editor *e, size_t *ret_size)
{
        if (ret_size)
                *ret_size = e->text.size;
        return buffer_text(&e->text);
}

bool editor_is_empty(const Editor *e)
{
        return e->text.size == 0;
}

size_t editor_cursor(const Editor *e)
{
        return e->cursor;
}

void editor_set_cursor(Editor *e, size_t offset)
{
        e->cursor = snap(e, offset);
        e->doing = DOING_NOTHING;
}

int editor_insert(Editor *e, const char *text, size_t size)
{
        _cleanup_buffer_ Buffer cleaned = BUFFER_INIT(EDITOR_TEXT_MAX);
        Piece piece = { 0 };
        bool word, joins;
        int r;

        r = clean_text(text, size, &cleaned, &piece.text, &piece.size);
        if (r < 0)
                return r;
        if (piece.size == 0)
                return 0;
        word = cluster_is_word(piece.text, piece.size);
        joins = e->doing == DOING_TYPING && (e->typed_word || !word) &&
                !memchr(piece.text, '\n', piece.size);
        r = joins ? change_typed(e, &piece) : change(e, e->cursor, 0, &piece);
        if (r < 0)
                return r;
        e->doing = DOING_TYPING;
        e->typed_word = word;
        return 1;
}

static bool is_large(const Piece *piece)
{
        size_t lines = 0;

        if (piece->size > EDITOR_FOLD_BYTES)
                return true;
        for (size_t i = 0; i < piece->size; i++)
                lines += piece->text[i] == '\n' || i + 1 == piece->size;
        return lines > EDITOR_FOLD_LINES;
}

int editor_paste(Editor *e, const char *text, size_t size)
{
        _cleanup_buffer_ Buffer cleaned = BUFFER_INIT(EDITOR_TEXT_MAX);
        Piece piece = { 0 };
        Chip chip;
        int r;

        e->doing = DOING_NOTHING;
        r = clean_text(text, size, &cleaned, &piece.text, &piece.size);
        if (r < 0)
                return r;
        if (piece.size == 0)
                return 0;
        if (e->n_chips < CHIPS_MAX && is_large(&piece)) {
                chip = (Chip){ 0, piece.size };
                piece.chips = &chip;
                piece.n_chips = 1;
        }
        r = change(e, e->cursor, 0, &piece);
        return r < 0 ? r : 1;
}

int editor_unfold(Editor *e)
{
        const Chip *c = chip_at(e, e->cursor);

        e->doing = DOING_NOTHING;
        if (!c)
                c = chip_before(e, e->cursor);
        if (!c)
                return 0;
        e->n_chips--;
        memmove(e->chips + (c - e->chips), c + 1,
                (e->n_chips - (size_t) (c - e->chips)) * sizeof *e->chips);
        return 1;
}

int editor_replace(Editor *e, size_t start, size_t end, const char *text)
{
        _cleanup_buffer_ Buffer cleaned = BUFFER_INIT(EDITOR_TEXT_MAX);
        Piece piece = { 0 };
        int r;

        if (start > end || end > e->text.size || snap(e, start) != start || snap(e, end) != end)
                return -EINVAL;
        e->doing = DOING_NOTHING;
        r = clean_text(text, strlen(text), &cleaned, &piece.text, &piece.size);
        if (r < 0)
                return r;
        r = change(e, start, end - start, &piece);
        return r < 0 ? r : 1;
}

int editor_set_text(Editor *e, const char *text, size_t size)
{
        _cleanup_buffer_ Buffer cleaned = BUFFER_INIT(EDITOR_TEXT_MAX);
        Piece piece = { 0 };
        int r;

        e->doing = DOING_NOTHING;
        r = clean_text(text, size, &cleaned, &piece.text, &piece.size);
        if (r < 0)
                return r;
        if (piece.size == e->text.size &&
                memcmp(buffer_text(&e->text), piece.text, piece.size) == 0) {
                e->cursor = e->text.size;
                return 0;
        }
        r = change(e, 0, e->text.size, &piece);
        return r < 0 ? r : 1;
}

int editor_transpose(Editor *e)
{
        size_t at = e->cursor, start, end;
        char swapped[2 * CLUSTER_BYTES_MAX];
        int r;

        e->doing = DOING_NOTHING;
        if (at == line_end(e, at))
                at = previous_cluster(e, at);
        start = previous_cluster(e, at);
        end = next_cluster(e, at);
        if (start == at || at == end || chip_at(e, start) || chip_at(e, at) ||
                memchr(e->text.data + start, '\n', end - start))
                return 0;
        memcpy(swapped, e->text.data + at, end - at);
        memcpy(swapped + (end - at), e->text.data + start, at - start);
        r = change(e, start, end - start, &(Piece){ .text = swapped, .size = end - start });
        return r < 0 ? r : 1;
}

/* ---- moving ---- */

static bool is_word_at(const Editor *e, size_t offset)
{
        return !chip_at(e, offset) && cluster_is_word(e->text.data + offset, e->text.size - offset);
}

size_t word_left(const Editor *e, size_t offset)
{
        bool in_word = false;

        while (offset > 0) {
                size_t before = previous_cluster(e, offset);

                if (chip_at(e, before))
                        return in_word ? offset : before;
                if (in_word && !is_word_at(e, before))
                        break;
                in_word = in_word || is_word_at(e, before);
                offset = before;
        }
        return offset;
}

size_t word_right(const Editor *e, size_t offset)
{
        bool in_word = false;

        while (offset < e->text.size) {
                if (chip_at(e, offset))
                        return in_word ? offset : next_cluster(e, offset);
                if (in_word && !is_word_at(e, offset))
                        break;
                in_word = in_word || is_word_at(e, offset);
                offset = next_cluster(e, offset);
        }
        return offset;
}

static size_t find_place(const Editor *e, EditorMove move)
{
        size_t at = e->cursor;

        switch (move) {
        case MOVE_LEFT:
                return previous_cluster(e, at);
        case MOVE_RIGHT:
                return next_cluster(e, at);
        case MOVE_LEFT_IN_LINE:
                return at == line_start(e, at) ? at : previous_cluster(e, at);
        case MOVE_RIGHT_IN_LINE:
                return at == line_end(e, at) ? at : next_cluster(e, at);
        case MOVE_WORD_LEFT:
                return word_left(e, at);
        case MOVE_WORD_RIGHT:
                return word_right(e, at);
        case MOVE_LINE_START:
                return line_start(e, at);
        case MOVE_LINE_END:
                return line_end(e, at);
        case MOVE_START:
                return 0;
        case MOVE_END:
                return e->text.size;
        case MOVE_UP:
        case MOVE_DOWN:
                break;
        }
        return at;
}

int editor_move(Editor *e, EditorMove move)
{
        size_t at;

        if (move == MOVE_UP || move == MOVE_DOWN)
                return move_rows(e, move == MOVE_UP ? -1 : 1);
        at = find_place(e, move);
        e->doing = DOING_NOTHING;
        if (at == e->cursor)
                return 0;
        e->cursor = at;
        return 1;
}
