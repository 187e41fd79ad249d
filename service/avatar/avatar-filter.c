/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/avatar/avatar-internal.h"

/* A verb and what it may take: no known command has more words. */
#define WORDS_MAX 3

static const char opening[] = "[yolla:";

/* Can what is held, with its last byte at position i, still become a command? */
static bool may_go_on(const AvatarFilter *f, size_t i)
{
        char c = f->held[i];

        if (i < strlen(opening))
                return c == opening[i];
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
                (c == ' ' && i > strlen(opening) && f->held[i - 1] != ' ');
}

static int emit_held(AvatarFilter *f, size_t size, const AvatarFilterOps *ops, void *userdata)
{
        f->n_held = 0;
        return size > 0 ? ops->text(f->held, size, userdata) : 0;
}

/* The held bytes end with the closing bracket: one word and another, each after a single space. */
static int emit_command(AvatarFilter *f, const AvatarFilterOps *ops, void *userdata)
{
        char text[AVATAR_COMMAND_MAX], *words[WORDS_MAX + 1] = { text };
        size_t size = f->n_held - strlen(opening) - 1, n = 1;

        memcpy(text, f->held + strlen(opening), size);
        text[size] = 0;
        for (char *c = text; *c; c++)
                if (*c == ' ') {
                        if (n == WORDS_MAX)
                                return emit_held(f, f->n_held, ops, userdata);
                        *c = 0;
                        words[n++] = c + 1;
                }

        if (!avatar_command_find(words[0], words + 1, NULL))
                return emit_held(f, f->n_held, ops, userdata);
        f->n_held = 0;
        return ops->command(words[0], words + 1, userdata);
}

/* One byte more of what may be a command. *ret_used tells whether the byte was taken; one that was
 * not ended it, and is looked at as text. */
static int feed_held(
        AvatarFilter *f, char c, const AvatarFilterOps *ops, void *userdata, bool *ret_used)
{
        size_t i = f->n_held;

        *ret_used = true;
        f->held[f->n_held++] = c;
        if (c == ']' && i > strlen(opening))
                return emit_command(f, ops, userdata);
        if (may_go_on(f, i) && f->n_held < AVATAR_COMMAND_MAX)
                return 0;

        *ret_used = false;
        return emit_held(f, i, ops, userdata);
}

int avatar_filter_feed(
        AvatarFilter *f, const char *text, size_t size, const AvatarFilterOps *ops, void *userdata)
{
        int r;

        if (f->off)
                return size > 0 ? ops->text(text, size, userdata) : 0;

        while (size > 0) {
                const char *bracket;
                size_t n;
                bool used;

                if (f->n_held > 0) {
                        r = feed_held(f, *text, ops, userdata, &used);
                        if (r < 0)
                                return r;
                        text += used;
                        size -= used;
                        continue;
                }

                bracket = memchr(text, opening[0], size);
                n = bracket ? (size_t) (bracket - text) : size;
                if (n > 0) {
                        r = ops->text(text, n, userdata);
                        if (r < 0)
                                return r;
                }
                if (bracket) {
                        f->held[f->n_held++] = *bracket;
                        n++;
                }
                text += n;
                size -= n;
        }
        return 0;
}

int avatar_filter_flush(AvatarFilter *f, const AvatarFilterOps *ops, void *userdata)
{
        return emit_held(f, f->n_held, ops, userdata);
}
