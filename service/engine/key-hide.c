/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a server sends back may have the key in it that it was sent: as it is, in part, or in the
 * forms that headers and addresses have. */

#include <ctype.h>
#include <limits.h>

#include "common/base64.h"
#include "service/engine/keys.h"

/* So many bytes of it in a row are taken for a part of it. */
#define HIDDEN_FROM 8U

/* The longest part of the form with which the text begins. Letters may have become others of the
 * other case on their way. */
static size_t match_part(const char *text, const char *form)
{
        size_t best = 0;

        for (; *form; form++) {
                size_t n = 0;

                while (form[n] &&
                        tolower((unsigned char) text[n]) == tolower((unsigned char) form[n]))
                        n++;
                best = MAX(best, n);
        }
        return best;
}

/* Which beginnings of parts a form has, as a set of hashes: a long key's forms are not compared
 * with each place of a text, which would take tens of milliseconds. */
typedef struct Beginnings {
        size_t size; /* of a part's beginning, in bytes */
        uint8_t set[UINT16_MAX / CHAR_BIT + 1];
} Beginnings;

static uint16_t hash_beginning(const char *text, size_t size)
{
        uint32_t hash = 2166136261; /* FNV-1a */

        for (size_t i = 0; i < size; i++)
                hash = (hash ^ (uint32_t) tolower((unsigned char) text[i])) * 16777619;
        return (uint16_t) (hash ^ hash >> 16);
}

static void find_beginnings(Beginnings *b, const char *form, size_t size)
{
        *b = (Beginnings){ .size = size };
        for (size_t n = strlen(form); n >= size; n--, form++) {
                uint16_t hash = hash_beginning(form, size);

                b->set[hash / CHAR_BIT] |= (uint8_t) (1U << hash % CHAR_BIT);
        }
}

static bool may_begin(const Beginnings *b, const char *text)
{
        uint16_t hash = hash_beginning(text, b->size);

        return b->set[hash / CHAR_BIT] & 1U << hash % CHAR_BIT;
}

/* Looked for in what was there at first: what one form hides could be in the middle of another. */
static void hide_form(const char *was, const char *form, char *text)
{
        size_t least = MIN(strlen(form), (size_t) HIDDEN_FROM), size = strlen(was);
        Beginnings beginnings;

        /* What is so short is in many words. */
        if (least < HIDDEN_FROM / 2)
                return;
        find_beginnings(&beginnings, form, least);
        for (size_t at = 0; at + least <= size;) {
                size_t n = may_begin(&beginnings, was + at) ? match_part(was + at, form) : 0;

                if (n >= least)
                        memset(text + at, '*', n);
                at += n >= least ? n : 1;
        }
        explicit_bzero(&beginnings, sizeof beginnings);
}

static void form_done(Buffer *b)
{
        if (b->data)
                explicit_bzero(b->data, b->allocated);
        buffer_done(b);
}

/* Which bytes make a group depends on what stood before the key: there are three ways. */
static int hide_base64(const char *was, const char *key, char *text)
{
        size_t size = strlen(key);

        for (size_t skip = 0; skip < 3 && size > skip + HIDDEN_FROM; skip++) {
                _cleanup_(form_done) Buffer form = BUFFER_INIT(2 * KEY_SIZE_MAX);
                char *room;
                int r;

                /* At once: growing would leave a copy behind. */
                r = buffer_reserve(&form, 2 * size, &room);
                if (r >= 0)
                        r = base64_append(&form, key + skip, (size - skip) / 3 * 3);
                if (r < 0)
                        return r;
                hide_form(was, form.data, text);
        }
        return 0;
}

static bool is_plain(char c)
{
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                strchr("-_.~", c);
}

static int hide_percent(const char *was, const char *key, char *text)
{
        static const char digits[] = "0123456789ABCDEF";
        _cleanup_(form_done) Buffer form = BUFFER_INIT(4 * KEY_SIZE_MAX);
        size_t size = strlen(key);
        char *at;
        int r;

        r = buffer_reserve(&form, 3 * size + 1, &at);
        if (r < 0)
                return r;
        for (; *key; key++)
                if (is_plain(*key))
                        *at++ = *key;
                else {
                        *at++ = '%';
                        *at++ = digits[(unsigned char) *key >> 4];
                        *at++ = digits[(unsigned char) *key & 15];
                }
        *at = 0;
        hide_form(was, form.data, text);
        return 0;
}

static void wipep(char **text)
{
        if (*text)
                explicit_bzero(*text, strlen(*text));
        free(*text);
}

int key_hide(const Key *k, char *text)
{
        _cleanup_(wipep) char *was = NULL;
        const char *key;
        int r;

        if (!k)
                return 0;
        was = strdup(text);
        if (!was)
                return -ENOMEM;
        key = key_text(k);
        hide_form(was, key, text);
        r = hide_base64(was, key, text);
        return r < 0 ? r : hide_percent(was, key, text);
}
