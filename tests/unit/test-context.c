/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "service/engine/context.h"

#define MESSAGE 105U /* tokens of one of the messages below */

static char text[351];

/* u, a: a message of 100 tokens and its 5 of overhead. */
static Prompt prompt(PromptMessage *messages, const char *roles)
{
        Prompt p = { .messages = messages, .n_messages = strlen(roles) };

        memset(text, 'x', 350);
        for (size_t i = 0; i < p.n_messages; i++)
                messages[i] = (PromptMessage){
                        .role = roles[i] == 'u' ? ROLE_USER : ROLE_ASSISTANT,
                        .text = text,
                        .size = 350,
                };
        return p;
}

static void test_estimate(void **state)
{
        PromptAttachment attachments[] = {
                { .type = (char *) "image/png", .size = MIB(1) },
                { .type = (char *) "text/plain", .size = 700 },
                { .type = (char *) "application/octet-stream", .size = MIB(32) },
        };
        PromptMessage m[4];
        Prompt p = prompt(m, "uauu");

        assert_int_equal(context_estimate(&p, 0, CONTEXT_RATIO), 4 * MESSAGE);
        assert_int_equal(context_estimate(&p, 3, CONTEXT_RATIO), MESSAGE);
        p.system = text;
        assert_int_equal(context_estimate(&p, 3, CONTEXT_RATIO), 2 * MESSAGE);
        m[3].attachments = attachments;
        m[3].n_attachments = ELEMENTSOF(attachments);
        assert_int_equal(context_estimate(&p, 3, CONTEXT_RATIO), 2 * MESSAGE + 768 + 200);
}

static void test_exchanges(void **state)
{
        static const struct {
                const char *roles;
                unsigned skips[5]; /* one after another, until nothing more goes */
        } table[] = {
                { "u", { 0 } },
                { "uau", { 2, 2 } },
                { "uauau", { 2, 4, 4 } },
                { "uuau", { 1, 3, 3 } },
                { "uaaau", { 4, 4 } },
                { "auau", { 1, 3, 3 } },
                { "uaua", { 2, 2 } }, /* goes on with its last answer */
                { "a", { 0 } },
                { "", { 0 } },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                PromptMessage m[8];
                Prompt p = prompt(m, table[i].roles);
                unsigned skip = 0;

                for (size_t k = 0; k < 5; k++) {
                        unsigned next = context_skip_exchange(&p, skip);

                        assert_int_equal(next, table[i].skips[k]);
                        if (next == skip)
                                break;
                        skip = next;
                }
        }
}

static void test_fit(void **state)
{
        static const struct {
                uint64_t tokens;
                unsigned skip;
        } table[] = {
                { UINT64_MAX, 0 },
                { 5 * MESSAGE, 0 },
                { 5 * MESSAGE - 1, 2 },
                { 3 * MESSAGE, 2 },
                { 3 * MESSAGE - 1, 4 },
                { MESSAGE, 4 },
                { MESSAGE - 1, 4 }, /* the last question always stays */
                { 0, 4 },
        };
        PromptMessage m[5];
        Prompt p = prompt(m, "uauau");

        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                assert_int_equal(context_fit(&p, 0, CONTEXT_RATIO, table[i].tokens), table[i].skip);
        assert_int_equal(context_fit(&p, 2, CONTEXT_RATIO, UINT64_MAX), 2);
}

/* What an engine counted makes the next estimate; what cannot be a count of that prompt does not.
 */
static void test_calibrate(void **state)
{
        static const struct {
                uint64_t bytes, tokens;
                double before, after;
        } table[] = {
                { 6000, 3005, 3.5, 2.0 },   /* fuller: at once */
                { 6000, 1205, 3.5, 3.875 }, /* emptier: a quarter of the way */
                { 6000, 1005, 3.5, 4.125 }, /* the upper border */
                { 6000, 1004, 3.5, 3.5 },   /* and over it */
                { 6000, 4005, 3.5, 1.5 },   /* the lower border */
                { 6000, 4006, 3.5, 3.5 }, { 2000, 1005, 3.5, 2.0 },
                { 1999, 1005, 3.5, 3.5 },                     /* too short */
                { 6000, 5, 3.5, 3.5 }, { 6000, 0, 3.5, 3.5 }, /* it did not say */
        };
        PromptAttachment image = { .type = (char *) "image/png", .size = 10 };
        char large[6001];

        memset(large, 'x', 6000);
        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                PromptMessage m = {
                        .role = ROLE_USER,
                        .text = large,
                        .size = table[i].bytes,
                };
                Prompt p = { .messages = &m, .n_messages = 1 };
                double after = context_calibrate(&p, 0, table[i].tokens, table[i].before);

                assert_int_equal(after * 1000, table[i].after * 1000);
                m.attachments = &image;
                m.n_attachments = 1;
                after = context_calibrate(&p, 0, table[i].tokens, table[i].before);
                assert_int_equal(after * 1000, table[i].before * 1000);
        }
}

/* Rounded up, whatever the ratio. */
static void test_ratio(void **state)
{
        static const struct {
                double ratio;
                uint64_t tokens;
        } table[] = { { 1.5, 234 + 5 }, { 2, 175 + 5 }, { 3.5, 100 + 5 }, { 6, 59 + 5 } };
        PromptMessage m[1];
        Prompt p = prompt(m, "u");

        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                assert_int_equal(context_estimate(&p, 0, table[i].ratio), table[i].tokens);
}

static void test_budget(void **state)
{
        assert_int_equal(context_budget(8192, 0), 8192 - 1024);
        assert_int_equal(context_budget(2048, 0), 2048 - 512);
        assert_int_equal(context_budget(8192, 100), 8092);
        assert_int_equal(context_budget(8192, 1000000), 8192 - 2048);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_estimate),
                cmocka_unit_test(test_exchanges),
                cmocka_unit_test(test_fit),
                cmocka_unit_test(test_calibrate),
                cmocka_unit_test(test_ratio),
                cmocka_unit_test(test_budget),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
