/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What an engine of the type FUZZ_ENGINE answers: any split gives the same text, end and failure;
 * the text is valid UTF-8; a failure has a sentence. */

#include "common/utf8.h"
#include "service/engine/wire.h"
#include "tests/fuzz/fuzz.h"

typedef struct Answer {
        Buffer text; /* of both channels, with a mark where the other one goes on */
        Channel channel;
} Answer;

static int on_text(Channel channel, const char *text, size_t size, void *userdata)
{
        Answer *a = userdata;

        CHECK(size > 0 && utf8_is_valid(text, size));
        if (channel != a->channel)
                fuzz_format(&a->text, "%c%d", 0, (int) channel);
        a->channel = channel;
        fuzz_append(&a->text, text, size);
        return 0;
}

static void note_end(Answer *a, int r, const WireEnd *end, const Failure *f)
{
        CHECK((r < 0) == failure_is_set(f));
        if (r < 0)
                CHECK(utf8_is_clean_line(failure_message(f), strlen(failure_message(f))));
        fuzz_format(&a->text, "%c%d %d %s", 0, r, (int) f->code, failure_message(f));
        if (r < 0)
                return;
        CHECK(end->reason > REASON_NONE && end->reason < _REASON_MAX);
        fuzz_format(&a->text, " %d %ju %ju %ju %ju %f", (int) end->reason,
                (uintmax_t) end->tokens_in, (uintmax_t) end->tokens_out,
                (uintmax_t) end->context_used, (uintmax_t) end->context_size,
                end->tokens_per_second);
}

static void run(FuzzCut cut, uint32_t seed, const char *type, FuzzInput in, Answer *a)
{
        const WireOps ops = { .text = on_text };
        _cleanup_(wire_decoder_freep) WireDecoder *d = NULL;
        _cleanup_failure_ Failure f = FAILURE_NULL;
        WireEnd end = { 0 };
        int r = 0;

        CHECK(wire_decoder_new(&d, FUZZ_ENGINE, type, &ops, a) == 0);
        while (r == 0 && in.size > 0) {
                size_t n;
                const char *piece = fuzz_bytes(&in, fuzz_piece(cut, &seed, in.size), &n);

                r = wire_decoder_feed(d, piece, n, &f);
                CHECK(r <= 1);
        }
        if (r >= 0)
                r = wire_decoder_finish(d, &end, &f);
        note_end(a, r, &end, &f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        FuzzInput in = { data, size };
        uint32_t seed = fuzz_byte(&in);
        const char *type = seed & 1 ? "text/event-stream" : "application/json";
        Answer whole = { .text = BUFFER_INIT(MIB(64)) };

        run(FUZZ_WHOLE, seed, type, in, &whole);
        for (FuzzCut cut = FUZZ_BYTES; cut < _FUZZ_CUT_MAX; cut++) {
                Answer a = { .text = BUFFER_INIT(MIB(64)) };

                run(cut, seed, type, in, &a);
                CHECK_SAME(&whole.text, &a.text);
                buffer_done(&a.text);
        }
        buffer_done(&whole.text);
        return 0;
}
