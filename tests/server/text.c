/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/server/text.h"

#include "tests/server/server.h"

#define SAY_SIZE_DEFAULT 8

static const char *const unicode_tokens[] = { "\xc3\xa9t\xc3\xa9 ", "\xe6\xbc\xa2\xe5\xad\x97",
        "\xf0\x9f\xa6\x8a", "e\xcc\x81 ", "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x94\xac " };

static const char *const escape_tokens[] = { "\033[31mred ", "\033]0;title\007", "\033[2J",
        "\302\2331m", "\rback" };

/* A lone continuation, a cut sequence, an overlong one, a surrogate, beyond the last. */
static const char *const invalid_tokens[] = { "a\200b ", "\xe6\xbc ", "\xc0\xaf ", "\xed\xa0\x80 ",
        "\xf5\x80\x80\x80 ", "\xff " };

/* The next piece of a whole text; a character is never cut, so that each event is valid. */
static int next_piece(TextSource *t, Buffer *b, const char *text, size_t size)
{
        size_t step = t->script->size ?: SAY_SIZE_DEFAULT, n;

        if (t->at == size && ++t->repeated < t->script->repeat)
                t->at = 0;
        if (t->at == size)
                return 0;
        n = MIN(step, size - t->at);
        while (t->at + n < size && (text[t->at + n] & 0xc0) == 0x80)
                n++;
        t->at += n;
        return buffer_append(b, text + t->at - n, n) ?: 1;
}

static int fill(Buffer *b, size_t begin, uint64_t size)
{
        while (b->size - begin < size) {
                int r = buffer_append(b, "........", MIN((size_t) 8, size - (b->size - begin)));

                if (r < 0)
                        return r;
        }
        return 1;
}

static int next_token(TextSource *t, Buffer *b)
{
        const char *token;

        switch (t->script->text) {
        case TEXT_WORDS:
                return buffer_append_format(b, "word%llu ", (unsigned long long) t->made);
        case TEXT_CLOCK:
                return buffer_append_format(b, "%llu ", (unsigned long long) now_usec());
        case TEXT_NUL:
                return buffer_append(b, "a\0b ", 4);
        case TEXT_UNICODE:
                token = unicode_tokens[t->made % ELEMENTSOF(unicode_tokens)];
                return buffer_append_string(b, token);
        case TEXT_ESCAPE:
                token = escape_tokens[t->made % ELEMENTSOF(escape_tokens)];
                return buffer_append_string(b, token);
        case TEXT_INVALID:
                token = invalid_tokens[t->made % ELEMENTSOF(invalid_tokens)];
                return buffer_append_string(b, token);
        case TEXT_ECHO:
        case TEXT_SAY:
                break;
        }
        return -EINVAL;
}

int text_next(TextSource *t, Buffer *b)
{
        size_t begin = b->size;
        int r;

        if (t->script->text == TEXT_SAY)
                return next_piece(t, b, t->script->say, t->script->say_size);
        if (t->script->text == TEXT_ECHO)
                return next_piece(t, b, t->echo, strlen(t->echo));
        if (t->made == t->script->tokens)
                return 0;
        r = next_token(t, b);
        if (r < 0)
                return r;
        t->made++;
        return fill(b, begin, t->script->size);
}

int text_reasoning(Buffer *b, uint64_t n)
{
        return buffer_append_format(b, "thought%llu ", (unsigned long long) n);
}
