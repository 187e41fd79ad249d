/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/tui/view/editor-internal.h"
#include "common/utf8.h"

/* The number of chips that begin before the offset. */
static size_t chips_before(const Editor *e, size_t offset)
{
        size_t low = 0, high = e->n_chips;

        while (low < high) {
                size_t middle = (low + high) / 2;

                if (e->chips[middle].start < offset)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

static size_t chip_end(const Chip *c)
{
        return c->start + c->size;
}

const Chip *chip_at(const Editor *e, size_t offset)
{
        size_t i = chips_before(e, offset);

        return i < e->n_chips && e->chips[i].start == offset ? e->chips + i : NULL;
}

const Chip *chip_before(const Editor *e, size_t offset)
{
        size_t i = chips_before(e, offset);

        return i > 0 && chip_end(e->chips + i - 1) == offset ? e->chips + i - 1 : NULL;
}

/* Where plain text around the offset, which is in no chip, begins and ends. */
static size_t plain_start(const Editor *e, size_t offset)
{
        size_t i = chips_before(e, offset);

        return i > 0 ? chip_end(e->chips + i - 1) : 0;
}

static size_t plain_end(const Editor *e, size_t offset)
{
        size_t i = chips_before(e, offset);

        return i < e->n_chips ? e->chips[i].start : e->text.size;
}

size_t next_cluster(const Editor *e, size_t offset)
{
        const Chip *c;
        unsigned cells;

        if (offset >= e->text.size)
                return e->text.size;
        c = chip_at(e, offset);
        if (c)
                return chip_end(c);
        return offset + cluster_next(e->text.data + offset, plain_end(e, offset) - offset, &cells);
}

size_t previous_cluster(const Editor *e, size_t offset)
{
        const Chip *c;
        size_t start;

        if (offset == 0)
                return 0;
        c = chip_before(e, offset);
        if (c)
                return c->start;
        start = plain_start(e, offset);
        return start + cluster_previous(e->text.data + start, offset - start);
}

size_t line_start(const Editor *e, size_t offset)
{
        while (offset > 0) {
                const Chip *c = chip_before(e, offset);
                size_t start;
                const char *lf;

                if (c) {
                        offset = c->start;
                        continue;
                }
                start = plain_start(e, offset);
                lf = memrchr(e->text.data + start, '\n', offset - start);
                if (lf)
                        return lf - e->text.data + 1;
                offset = start;
        }
        return 0;
}

size_t line_end(const Editor *e, size_t offset)
{
        while (offset < e->text.size) {
                const Chip *c = chip_at(e, offset);
                size_t end;
                const char *lf;

                if (c) {
                        offset = chip_end(c);
                        continue;
                }
                end = plain_end(e, offset);
                lf = memchr(e->text.data + offset, '\n', end - offset);
                if (lf)
                        return lf - e->text.data;
                offset = end;
        }
        return e->text.size;
}

size_t snap(const Editor *e, size_t offset)
{
        size_t i, start, end;

        if (offset >= e->text.size)
                return e->text.size;
        i = chips_before(e, offset);
        if (i > 0 && chip_end(e->chips + i - 1) > offset)
                return e->chips[i - 1].start;
        if (chip_at(e, offset))
                return offset;
        start = plain_start(e, offset);
        end = offset + 1;
        while (end < plain_end(e, offset) && ((unsigned char) e->text.data[end] & 0xc0) == 0x80)
                end++;
        return start + cluster_previous(e->text.data + start, end - start);
}

/* ---- changes ---- */

/* Chips in the range go; those behind it move. Of one that is only partly within the rest is plain
 * text. */
static void move_chips(Editor *e, size_t offset, size_t size, size_t new_size)
{
        size_t n = 0;

        for (size_t i = 0; i < e->n_chips; i++) {
                Chip c = e->chips[i];

                if (chip_end(&c) > offset && c.start < offset + size)
                        continue;
                if (size == 0 && c.start < offset && chip_end(&c) > offset)
                        continue;
                if (c.start >= offset + size)
                        c.start = c.start - size + new_size;
                e->chips[n++] = c;
        }
        e->n_chips = n;
}

static void add_chips(Editor *e, size_t offset, const Piece *piece)
{
        size_t at = chips_before(e, offset), n = MIN(piece->n_chips, CHIPS_MAX - e->n_chips);

        memmove(e->chips + at + n, e->chips + at, (e->n_chips - at) * sizeof *e->chips);
        for (size_t i = 0; i < n; i++) {
                e->chips[at + i] = piece->chips[i];
                e->chips[at + i].start += offset;
        }
        e->n_chips += n;
}

int splice(Editor *e, size_t offset, size_t size, const Piece *piece)
{
        size_t more = piece->size > size ? piece->size - size : 0;
        char *at;
        int r;

        assert(offset <= e->text.size && size <= e->text.size - offset);

        r = buffer_reserve(&e->text, more, NULL);
        if (r < 0)
                return r;
        move_chips(e, offset, size, piece->size);
        at = e->text.data + offset;
        memmove(at + piece->size, at + size, e->text.size - offset - size);
        if (piece->size > 0)
                memcpy(at, piece->text, piece->size);
        e->text.size = e->text.size - size + piece->size;
        e->text.data[e->text.size] = 0;
        if (piece->n_chips > 0)
                add_chips(e, offset, piece);
        return 0;
}

/* ---- text from outside ---- */

/* The bytes of a control character that begins there, or 0. */
static size_t control_size(const char *text, size_t size)
{
        unsigned char c = (unsigned char) text[0];

        if (c < 0x20)
                return c != '\n' && c != '\t' ? 1 : 0;
        if (c == 0x7f)
                return 1;
        return c == 0xc2 && size > 1 && (unsigned char) text[1] < 0xa0 ? 2 : 0;
}

static bool is_clean(const char *text, size_t size)
{
        for (size_t i = 0; i < size; i++)
                if (control_size(text + i, size - i) > 0)
                        return false;
        return utf8_is_valid(text, size);
}

int clean_text(const char *text, size_t size, Buffer *buffer, const char **ret, size_t *ret_size)
{
        Utf8Repair repair = { 0 };
        size_t n = 0;
        int r;

        if (is_clean(text, size)) {
                *ret = text;
                *ret_size = size;
                return 0;
        }
        r = utf8_repair(&repair, text, size, buffer);
        if (r >= 0)
                r = utf8_repair_flush(&repair, buffer);
        if (r < 0)
                return r;
        for (size_t i = 0; i < buffer->size;) {
                size_t control = control_size(buffer->data + i, buffer->size - i);

                if (buffer->data[i] == '\r') { /* of another system's line end */
                        if (i + 1 >= buffer->size || buffer->data[i + 1] != '\n')
                                buffer->data[n++] = '\n';
                } else if (control == 0)
                        buffer->data[n++] = buffer->data[i];
                i += MAX(control, (size_t) 1);
        }
        buffer->size = n;
        *ret = buffer_text(buffer);
        *ret_size = n;
        return 0;
}
