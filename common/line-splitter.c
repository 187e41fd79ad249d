/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/line-splitter.h"

void line_splitter_done(LineSplitter *s)
{
        assert(s);
        buffer_done(&s->rest);
        s->swallow_lf = false;
}

static const char *find_end(const LineSplitter *s, const char *data, size_t size)
{
        const char *lf, *cr;

        lf = memchr(data, '\n', size);
        if (s->ends == LINE_ENDS_LF)
                return lf;
        cr = memchr(data, '\r', lf ? (size_t) (lf - data) : size);
        return cr ? cr : lf;
}

/* The kept beginning needs no second look: it has no line end in it, so only new data is searched.
 */
int line_splitter_feed(
        LineSplitter *s, const char *data, size_t size, line_splitter_line_t line, void *userdata)
{
        int r;

        assert(s);
        assert(line);

        while (size > 0) {
                const char *end;
                size_t n;

                if (s->swallow_lf) {
                        s->swallow_lf = false;
                        if (*data == '\n') {
                                data++;
                                size--;
                                continue;
                        }
                }

                end = find_end(s, data, size);
                n = end ? (size_t) (end - data) : size;
                if (!end || s->rest.size > 0) {
                        r = buffer_append(&s->rest, data, n);
                        if (r < 0)
                                return r;
                        if (!end)
                                return 0;
                        r = line(s->rest.data, s->rest.size, userdata);
                        buffer_clear(&s->rest);
                } else if (n > s->rest.maximum)
                        return -EFBIG;
                else
                        r = line(data, n, userdata);
                if (r < 0)
                        return r;

                s->swallow_lf = *end == '\r';
                data += n + 1;
                size -= n + 1;
        }
        return 0;
}

int line_splitter_finish(LineSplitter *s, line_splitter_line_t line, void *userdata)
{
        int r;

        assert(s);
        assert(line);

        s->swallow_lf = false;
        if (s->rest.size == 0)
                return 0;
        r = line(s->rest.data, s->rest.size, userdata);
        buffer_clear(&s->rest);
        return r < 0 ? r : 1;
}
