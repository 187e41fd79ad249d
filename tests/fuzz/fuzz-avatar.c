/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The filter of the avatar's commands: any split gives the same; the commands put back where they
 * were, the text is that which went in; none that is known is left in it. */

#include "service/avatar/avatar-internal.h"
#include "tests/fuzz/fuzz.h"

typedef struct Filtered {
        Buffer events; /* the commands marked */
        Buffer joined; /* the commands as they are written */
        Buffer text;   /* since the last command */
} Filtered;

/* A command that the filter knows, seen in plain text by other means than the filter's. */
static void check_has_none(const Buffer *text)
{
        static const char opening[] = "[yolla:";
        const char *at = buffer_text(text), *end = at + text->size;

        while ((at = memmem(at, (size_t) (end - at), opening, strlen(opening)))) {
                const char *verb = at + strlen(opening);
                const char *close = memchr(verb, ']', (size_t) (end - verb));
                char word[AVATAR_COMMAND_MAX] = "", argument[AVATAR_COMMAND_MAX] = "";
                char *arguments[] = { argument, NULL };
                const char *space;

                at = verb;
                if (!close || close - verb >= AVATAR_COMMAND_MAX - (ssize_t) strlen(opening) - 1)
                        continue;
                space = memchr(verb, ' ', (size_t) (close - verb));
                if (!space)
                        arguments[0] = NULL;
                memcpy(word, verb, (size_t) ((space ? space : close) - verb));
                if (space)
                        memcpy(argument, space + 1, (size_t) (close - space - 1));
                if (memchr(verb, 0, (size_t) (close - verb)))
                        continue;
                CHECK(!avatar_command_find(word, arguments, NULL));
        }
}

static int on_text(const char *text, size_t size, void *userdata)
{
        Filtered *f = userdata;

        CHECK(size > 0);
        fuzz_append(&f->events, text, size);
        fuzz_append(&f->joined, text, size);
        fuzz_append(&f->text, text, size);
        return 0;
}

static int on_command(const char *verb, char *const *arguments, void *userdata)
{
        Filtered *f = userdata;

        CHECK(avatar_command_find(verb, arguments, NULL));
        fuzz_format(&f->joined, "[yolla:%s", verb);
        for (char *const *a = arguments; *a; a++)
                fuzz_format(&f->joined, " %s", *a);
        fuzz_append(&f->joined, "]", 1);
        fuzz_format(&f->events, "%c%s%c", 0, verb, 0);
        check_has_none(&f->text);
        buffer_clear(&f->text);
        return 0;
}

static void run(FuzzCut cut, uint32_t seed, FuzzInput in, Filtered *f)
{
        const AvatarFilterOps ops = { on_text, on_command };
        AvatarFilter filter = { 0 };

        while (in.size > 0) {
                size_t n;
                const char *piece = fuzz_bytes(&in, fuzz_piece(cut, &seed, in.size), &n);

                CHECK(avatar_filter_feed(&filter, piece, n, &ops, f) == 0);
                CHECK(filter.n_held <= AVATAR_COMMAND_MAX);
        }
        CHECK(avatar_filter_flush(&filter, &ops, f) == 0);
        check_has_none(&f->text);
}

static void filtered_done(Filtered *f)
{
        buffer_done(&f->events);
        buffer_done(&f->joined);
        buffer_done(&f->text);
}

#define FILTERED_INIT \
        { \
                BUFFER_INIT(MIB(1)), BUFFER_INIT(MIB(1)), BUFFER_INIT(MIB(1)) \
        }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        FuzzInput in = { data, size };
        uint32_t seed = fuzz_u16(&in);
        _cleanup_(filtered_done) Filtered whole = FILTERED_INIT;

        run(FUZZ_WHOLE, seed, in, &whole);
        CHECK(whole.joined.size == in.size);
        CHECK(in.size == 0 || memcmp(whole.joined.data, in.data, in.size) == 0);
        for (FuzzCut cut = FUZZ_BYTES; cut < _FUZZ_CUT_MAX; cut++) {
                _cleanup_(filtered_done) Filtered f = FILTERED_INIT;

                run(cut, seed, in, &f);
                CHECK_SAME(&whole.events, &f.events);
        }
        return 0;
}
