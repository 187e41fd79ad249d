/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/json-util.h"
#include "service/engine/repeat.h"

#define HEAD \
        "{\"model\":\"m\",\"created_at\":\"2026-03-01T10:00:00.1Z\",\"message\":{\"content\":\""
#define LATE \
        "{\"model\":\"m\",\"created_at\":\"2026-03-01T10:00:01.2345Z\",\"message\":{\"content\":\""
#define TAIL "\"},\"done\":false}"

/* What the parser says: the text, or NULL for a line that is not the plain sort. */
static bool parse_text(const char *line, struct json_object **ret, const char **ret_text)
{
        struct json_object *message;

        return json_parse(line, strlen(line), ret) >= 0 &&
                json_get_object(*ret, "message", &message) >= 0 &&
                json_get_string(message, "content", ret_text, NULL) >= 0;
}

static bool learn(Repeat *r, const char *line)
{
        _cleanup_(json_putp) struct json_object *o = NULL;
        const char *text;

        assert_true(parse_text(line, &o, &text));
        repeat_learn(r, line, strlen(line), "content", text, strlen(text));
        return r->size > 0;
}

static void test_matches(void **state)
{
        static const struct {
                const char *line;
                bool match;
        } table[] = {
                { HEAD "token" TAIL, true },
                { HEAD "other" TAIL, true },
                { HEAD "" TAIL, true },
                { HEAD "longer than before, with \xc3\xbc and , : { } [ ]" TAIL, true },
                { LATE "x" TAIL, true },
                /* to the parser */
                { HEAD "x\\n" TAIL, false },
                { HEAD "\\\"" TAIL, false },
                { HEAD "x\ty" TAIL, false },
                { HEAD "x" TAIL " ", false },
                { HEAD "x\"},\"done\":true}", false },
                { HEAD "x\",\"error\":\"y" TAIL, false },
                { HEAD "x", false },
                { HEAD, false },
                { TAIL, false },
                { "", false },
                { "{\"model\":\"m\",\"created_at\":\"now\",\"message\":{\"content\":\"x" TAIL,
                        false },
                { "{\"model\":\"n\",\"created_at\":\"2026-03-01T10:00:00.1Z\",\"message\":{\"content\":\"x" TAIL,
                        false },
        };
        Repeat r = { 0 };

        assert_true(learn(&r, HEAD "token" TAIL));
        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                _cleanup_(json_putp) struct json_object *o = NULL;
                const char *text = NULL, *expect;
                size_t size = 0;

                if (repeat_match(&r, table[i].line, strlen(table[i].line), &text, &size) !=
                        table[i].match)
                        fail_msg("%s", table[i].line);
                if (!table[i].match)
                        continue;
                assert_true(parse_text(table[i].line, &o, &expect));
                assert_int_equal(size, strlen(expect));
                assert_memory_equal(text, expect, size);
        }
}

/* Lines of which it cannot be said for certain where the text is are not learnt. */
static void test_not_learnt(void **state)
{
        static const char *const lines[] = {
                HEAD "\\u0041" TAIL,
                "{\"message\":{\"content\" : \"x\"},\"done\":false}",
                "{\"other\":{\"content\":\"x\"},\"message\":{\"content\":\"x\"}}",
                "{\"other\":{\"content\":\"x\"},\"message\":{\"content\" :\"x\"}}",
                "{\"other\":{\"content\":\"x\"},\"message\":{\"cont\\u0065nt\":\"x\"}}",
                "{\"message\":{\"content\":\"content\"}}",
                "{\"message\":{\"role\":\"content\",\"content\":\"x\"}}",
        };
        Repeat r = { 0 };

        for (size_t i = 0; i < ELEMENTSOF(lines); i++) {
                assert_true(learn(&r, HEAD "token" TAIL));
                assert_false(learn(&r, lines[i]));
        }
}

static void test_stamp_behind(void **state)
{
        static const char same[] = "{\"message\":{\"content\":\"yz\"},\"created_at\":\"1\"}";
        static const char later[] = "{\"message\":{\"content\":\"yz\"},\"created_at\":\"2\"}";
        Repeat r = { 0 };
        const char *text;
        size_t size;

        assert_true(learn(&r, "{\"message\":{\"content\":\"x\"},\"created_at\":\"1\"}"));
        assert_true(repeat_match(&r, same, strlen(same), &text, &size));
        assert_int_equal(size, 2);
        assert_false(repeat_match(&r, later, strlen(later), &text, &size));
}

static void test_longest_line(void **state)
{
        char line[REPEAT_LINE_MAX + 2];

        for (size_t n = REPEAT_LINE_MAX; n <= REPEAT_LINE_MAX + 1; n++) {
                Repeat r = { 0 };

                (void) snprintf(line, sizeof line, HEAD "%0*d" TAIL,
                        (int) (n - strlen(HEAD) - strlen(TAIL)), 0);
                assert_int_equal(strlen(line), n);
                assert_int_equal(learn(&r, line), n <= REPEAT_LINE_MAX);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_matches),
                cmocka_unit_test(test_not_learnt),
                cmocka_unit_test(test_stamp_behind),
                cmocka_unit_test(test_longest_line),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
