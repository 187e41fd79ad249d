/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/tui/text/layout-markdown.h"

static uint32_t source_of(const Markdown *m, const char *text)
{
        size_t at, low = 0, high = m->n_starts;

        if (text < m->text || text > m->text + m->size)
                return SOURCE_NONE;
        at = (size_t) (text - m->text);
        if (m->n_starts == 0)
                return (uint32_t) at;
        while (high - low > 1) {
                size_t middle = low + (high - low) / 2;

                if (m->starts[middle].copy <= at)
                        low = middle;
                else
                        high = middle;
        }
        return m->starts[low].source + (uint32_t) at - m->starts[low].copy;
}

static Style style_now(const Markdown *m)
{
        Style style = m->n_quotes > 0 ? STYLE_QUOTE : m->b->role;

        if (m->heading > 0) {
                style = STYLE_TITLE;
                if (m->heading <= 2)
                        style |= STYLE_BOLD;
                if (m->heading == 1)
                        style |= STYLE_UNDERLINE;
        }
        if (m->n_links > 0)
                style = STYLE_ACCENT | STYLE_UNDERLINE;
        if (m->span_code > 0)
                style = STYLE_CODE;
        if (m->in_head || m->strong > 0)
                style |= STYLE_BOLD;
        if (m->emphasis > 0)
                style |= STYLE_ITALIC;
        if (m->strike > 0)
                style |= STYLE_STRIKE;
        return style;
}

/* A tab between words is a blank. */
static int add_text(Markdown *m, Style style, uint32_t source, const char *text, size_t size)
{
        int r;

        while (size > 0) {
                const char *tab = memchr(text, '\t', size);
                size_t n = tab ? (size_t) (tab - text) : size;

                r = flow_append(m->target, style, source, text, n);
                if (r >= 0 && tab)
                        r = flow_append(m->target, style, SOURCE_NONE, " ", 1);
                if (r < 0)
                        return r;
                n += tab ? 1 : 0;
                text += n;
                if (source != SOURCE_NONE)
                        source += (uint32_t) n;
                size -= n;
        }
        return 0;
}

static bool is_break(const char *text, size_t size)
{
        static const char *const tags[] = { "<br>", "<br/>", "<br />" };

        for (size_t i = 0; i < ELEMENTSOF(tags); i++)
                if (strlen(tags[i]) == size && strncasecmp(tags[i], text, size) == 0)
                        return true;
        return false;
}

static int add_entity(Markdown *m, const char *text, size_t size)
{
        uint32_t source = source_of(m, text);
        char decoded[8];
        size_t n = entity_decode(text, size, decoded);

        if (n == 0)
                return add_text(m, style_now(m), source, text, size);
        return flow_append(m->target, style_now(m), source, decoded, n);
}

int inline_text(MD_TEXTTYPE type, const MD_CHAR *text, MD_SIZE size, void *userdata)
{
        Markdown *m = ASSERT_PTR(userdata);
        uint32_t source = source_of(m, text);

        switch (type) {
        case MD_TEXT_NULLCHAR:
                return flow_append(m->target, style_now(m), source, "\xef\xbf\xbd", 3);
        case MD_TEXT_BR:
        case MD_TEXT_SOFTBR:
                return flow_append(m->target, style_now(m), SOURCE_NONE,
                        m->in_table || m->heading > 0 ? " " : "\n", 1);
        case MD_TEXT_ENTITY:
                return add_entity(m, text, size);
        case MD_TEXT_HTML:
                if (is_break(text, size))
                        return flow_append(m->target, style_now(m), source, "\n", 1);
                break;
        case MD_TEXT_CODE:
                if (m->in_code)
                        return flow_append(&m->flow, STYLE_CODE, source, text, size);
                break;
        case MD_TEXT_NORMAL:
        case MD_TEXT_LATEXMATH:
                break;
        }
        return add_text(m, style_now(m), source, text, size);
}

/* ---- links ---- */

static int enter_link(Markdown *m, const MD_ATTRIBUTE *address)
{
        Link *link;

        if (m->n_links++ >= LINKS_MAX)
                return 0;
        link = m->links + m->n_links - 1;
        link->start = m->target->text.size;
        buffer_clear(&link->address);
        return buffer_append(&link->address, address->text, MIN((size_t) address->size, HREF_MAX));
}

/* The text is the address, or the address without what everybody knows. */
static bool is_same(const char *text, size_t size, const Buffer *address)
{
        static const char *const prefixes[] = { "", "mailto:", "http://", "https://" };

        for (size_t i = 0; i < ELEMENTSOF(prefixes); i++) {
                size_t n = strlen(prefixes[i]);

                if (address->size == n + size && memcmp(address->data, prefixes[i], n) == 0 &&
                        (size == 0 || memcmp(address->data + n, text, size) == 0))
                        return true;
        }
        return false;
}

static int leave_link(Markdown *m)
{
        const Link *link;
        const char *text;
        bool empty;
        int r;

        if (m->n_links-- > LINKS_MAX)
                return 0;
        link = m->links + m->n_links;
        text = buffer_text(&m->target->text) + link->start;
        empty = m->target->text.size == link->start;
        if (link->address.size == 0 ||
                is_same(text, m->target->text.size - link->start, &link->address))
                return 0;
        r = flow_append(m->target, STYLE_DIM, SOURCE_NONE, empty ? "(" : " (", empty ? 1 : 2);
        if (r >= 0)
                r = add_text(m, STYLE_DIM, SOURCE_NONE, link->address.data, link->address.size);
        if (r >= 0)
                r = flow_append(m->target, STYLE_DIM, SOURCE_NONE, ")", 1);
        return r;
}

int inline_enter_span(MD_SPANTYPE type, void *detail, void *userdata)
{
        Markdown *m = ASSERT_PTR(userdata);

        switch (type) {
        case MD_SPAN_EM:
                m->emphasis++;
                break;
        case MD_SPAN_STRONG:
                m->strong++;
                break;
        case MD_SPAN_DEL:
                m->strike++;
                break;
        case MD_SPAN_CODE:
                m->span_code++;
                break;
        case MD_SPAN_A:
                return enter_link(m, &((MD_SPAN_A_DETAIL *) detail)->href);
        case MD_SPAN_IMG:
                return enter_link(m, &((MD_SPAN_IMG_DETAIL *) detail)->src);
        case MD_SPAN_LATEXMATH:
        case MD_SPAN_LATEXMATH_DISPLAY:
        case MD_SPAN_WIKILINK:
        case MD_SPAN_U:
                break;
        }
        return 0;
}

int inline_leave_span(MD_SPANTYPE type, void *detail, void *userdata)
{
        Markdown *m = ASSERT_PTR(userdata);

        switch (type) {
        case MD_SPAN_EM:
                m->emphasis--;
                break;
        case MD_SPAN_STRONG:
                m->strong--;
                break;
        case MD_SPAN_DEL:
                m->strike--;
                break;
        case MD_SPAN_CODE:
                m->span_code--;
                break;
        case MD_SPAN_A:
        case MD_SPAN_IMG:
                return leave_link(m);
        case MD_SPAN_LATEXMATH:
        case MD_SPAN_LATEXMATH_DISPLAY:
        case MD_SPAN_WIKILINK:
        case MD_SPAN_U:
                break;
        }
        return 0;
}
