/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The header lines of an engine's answer, as libcurl gives them: one a call, their ends with them.
 * A line that ends the transfer has a sentence, which fits on a line; what is kept has its limit.
 */

#include "common/utf8.h"
/* The functions that libcurl calls are nobody else's. */
#include "service/engine/http-transfer.c"
#include "tests/fuzz/fuzz.h"

static unsigned n_told;

static void on_headers(const HttpHeaders *headers, void *userdata)
{
        n_told++;
}

/* Gives the lines out until one of them is refused. */
static bool feed_lines(HttpTransfer *t, FuzzInput *in)
{
        while (in->size > 0) {
                const uint8_t *lf = memchr(in->data, '\n', in->size);
                size_t n = lf ? (size_t) (lf - in->data) + 1 : in->size, taken;
                const char *line = fuzz_bytes(in, n, &n);
                _cleanup_free_ char *copy = malloc(n);

                CHECK(copy);
                memcpy(copy, line, n);
                taken = on_header(copy, 1, n, t);
                CHECK(taken == n || taken == 0);
                CHECK((taken == 0) == failure_is_set(&t->result.failure));
                if (taken == 0)
                        return false;
        }
        return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        FuzzInput in = { data, size };
        Http http = { 0 };
        HttpTransfer t = {
                .http = &http,
                .origin = strdup("http://127.0.0.1:1"),
                .easy = curl_easy_init(),
                .ops = { .headers = on_headers },
        };
        const char *sentence;

        CHECK(t.origin && t.easy);
        n_told = 0;
        /* So that the limit of all of them is near. */
        t.header_bytes = fuzz_byte(&in) & 1 ? HTTP_HEADERS_MAX - 64 : 0;
        (void) feed_lines(&t, &in);
        CHECK(n_told <= 1);
        CHECK(!t.location || strlen(t.location) <= HTTP_LOCATION_MAX);
        transfer_fail_redirect(&t);
        sentence = failure_message(&t.result.failure);
        CHECK(utf8_is_clean_line(sentence, strlen(sentence)));

        curl_easy_cleanup(t.easy);
        failure_done(&t.result.failure);
        free(t.origin);
        free(t.content_type);
        free(t.location);
        return 0;
}
