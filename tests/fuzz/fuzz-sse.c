/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Server-sent events: any split gives the same events and the same end; so do lines that all end
 * with LF. */

#include "service/engine/sse.h"
#include "tests/fuzz/fuzz.h"

#define MAXIMUM 64 /* of an event and of a line: reached by small inputs */

static int on_event(const char *data, size_t size, void *userdata)
{
        CHECK(size <= MAXIMUM);
        fuzz_format(userdata, "[%zu:", size);
        fuzz_append(userdata, data, size);
        fuzz_append(userdata, "]", 1);
        return size > 0 && data[0] == '!' ? -ECANCELED : 0;
}

static void run(FuzzCut cut, uint32_t seed, const uint8_t *data, size_t size, Buffer *out)
{
        Sse s;
        int r = 0;

        sse_init(&s, MAXIMUM);
        while (r == 0 && size > 0) {
                size_t n = fuzz_piece(cut, &seed, size);

                r = sse_feed(&s, (const char *) data, n, on_event, out);
                data += n;
                size -= n;
        }
        if (r == 0)
                r = sse_finish(&s, on_event, out);
        CHECK(r == 0 || r == -EFBIG || r == -ECANCELED);
        fuzz_format(out, "%d", r);
        sse_done(&s);
}

/* CR and CRLF as LF. */
static void with_lf(const uint8_t *data, size_t size, Buffer *out)
{
        for (size_t i = 0; i < size; i++)
                if (data[i] != '\r')
                        fuzz_append(out, data + i, 1);
                else if (i + 1 == size || data[i + 1] != '\n')
                        fuzz_append(out, "\n", 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        FuzzInput in = { data, size };
        uint32_t seed = fuzz_u16(&in);
        _cleanup_buffer_ Buffer whole = BUFFER_INIT(MIB(64)), lf = BUFFER_INIT(MIB(1)),
                                same = BUFFER_INIT(MIB(64));

        run(FUZZ_WHOLE, seed, in.data, in.size, &whole);
        for (FuzzCut cut = FUZZ_BYTES; cut < _FUZZ_CUT_MAX; cut++) {
                _cleanup_buffer_ Buffer out = BUFFER_INIT(MIB(64));

                run(cut, seed, in.data, in.size, &out);
                CHECK_SAME(&whole, &out);
        }
        with_lf(in.data, in.size, &lf);
        run(FUZZ_WHOLE, seed, (const uint8_t *) buffer_text(&lf), lf.size, &same);
        CHECK_SAME(&whole, &same);
        return 0;
}
