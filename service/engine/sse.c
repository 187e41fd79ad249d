/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/engine/sse.h"

#define BYTE_ORDER_MARK "\xef\xbb\xbf"

void sse_init(Sse *s, size_t maximum)
{
        *s = (Sse){
                /* The field's name and the byte order mark come on top. */
                .lines = LINE_SPLITTER_INIT(LINE_ENDS_ANY, maximum + 16),
                .data = BUFFER_INIT(maximum),
        };
}

void sse_done(Sse *s)
{
        line_splitter_done(&s->lines);
        buffer_done(&s->data);
}

static int dispatch(Sse *s)
{
        int r;

        if (!s->has_data)
                return 0;

        r = s->event(buffer_text(&s->data), s->data.size, s->userdata);
        buffer_clear(&s->data);
        s->has_data = false;
        return r;
}

static int append_data(Sse *s, const char *value, size_t size)
{
        int r;

        if (s->has_data) {
                r = buffer_append(&s->data, "\n", 1);
                if (r < 0)
                        return r;
        }
        s->has_data = true;
        return buffer_append(&s->data, value, size);
}

static bool field_is(const char *line, size_t size, const char *name)
{
        return size == strlen(name) && memcmp(line, name, size) == 0;
}

static int on_line(const char *line, size_t size, void *userdata)
{
        const char *colon, *value;
        Sse *s = ASSERT_PTR(userdata);
        size_t name;

        if (!s->began && size >= strlen(BYTE_ORDER_MARK) &&
                memcmp(line, BYTE_ORDER_MARK, strlen(BYTE_ORDER_MARK)) == 0) {
                line += strlen(BYTE_ORDER_MARK);
                size -= strlen(BYTE_ORDER_MARK);
        }
        s->began = true;

        if (size == 0)
                return dispatch(s);

        colon = memchr(line, ':', size);
        name = colon ? (size_t) (colon - line) : size;
        value = colon ? colon + 1 : line + size;
        if (colon && value < line + size && *value == ' ')
                value++;

        if (field_is(line, name, "data"))
                return append_data(s, value, line + size - value);
        if (field_is(line, name, "error"))
                return (size_t) (line + size - value) <= s->data.maximum
                        ? s->event(value, line + size - value, s->userdata)
                        : -EFBIG;
        return 0;
}

int sse_feed(Sse *s, const char *data, size_t size, sse_event_t event, void *userdata)
{
        s->event = event;
        s->userdata = userdata;
        return line_splitter_feed(&s->lines, data, size, on_line, s);
}

int sse_finish(Sse *s, sse_event_t event, void *userdata)
{
        int r;

        s->event = event;
        s->userdata = userdata;
        r = line_splitter_finish(&s->lines, on_line, s);
        if (r < 0)
                return r;
        return dispatch(s);
}
