/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What an engine answers besides replies: lists of models, what is loaded, what one can do, errors.
 * What comes out fits on a line. */

#include "common/utf8.h"
#include "service/engine/wire.h"
#include "tests/fuzz/fuzz.h"

static void check_line(const char *text, size_t maximum)
{
        CHECK(text);
        CHECK(strlen(text) <= maximum && utf8_is_clean_line(text, strlen(text)));
}

static void parse_error(EngineType type, long status, const char *body, size_t size)
{
        _cleanup_failure_ Failure f = FAILURE_NULL;

        CHECK(wire_error(type, status, "application/json", body, size, "engine", &f) < 0);
        CHECK(failure_is_set(&f));
        check_line(failure_message(&f), KIB(1));
        (void) wire_error_is_stream_options(status, body, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const long statuses[] = { 400, 401, 403, 404, 413, 422, 429, 500, 503, 599 };
        FuzzInput in = { data, size };
        unsigned choice = fuzz_byte(&in);
        EngineType type = choice % 3;
        _cleanup_failure_ Failure f = FAILURE_NULL;
        WireModel *models = NULL;
        size_t n = 0, n_body;
        const char *body = fuzz_bytes(&in, SIZE_MAX, &n_body);
        int r;

        parse_error(type, statuses[choice / 3 % ELEMENTSOF(statuses)], body, n_body);

        r = wire_parse_models(type, body, n_body, &models, &n, &f);
        CHECK((r < 0) == failure_is_set(&f));
        if (r < 0) {
                check_line(failure_message(&f), KIB(1));
                models = calloc(1, sizeof *models);
                CHECK(models);
                models->name = strdup("m:latest");
                CHECK(models->name);
                n = 1;
        }
        (void) wire_parse_loaded(body, n_body, models, n);
        if (n > 0)
                (void) wire_parse_show(body, n_body, models);
        for (size_t i = 0; i < n; i++) {
                check_line(models[i].name, 256);
                CHECK(*models[i].name);
                for (char **c = models[i].capabilities; c && *c; c++)
                        check_line(*c, KIB(4));
        }
        wire_models_free(models, n);
        return 0;
}
