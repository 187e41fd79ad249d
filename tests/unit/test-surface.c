/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/surface/surface.h"

static char *const text_only[] = { (char *) "text", NULL };

static int make(Surfaces *all, bool passive, Surface **ret)
{
        return surface_new(all, "test", text_only, passive, ret, NULL);
}

static void test_one(void **state)
{
        char *const capabilities[] = { (char *) "avatar", (char *) "text", (char *) "text", NULL };
        _cleanup_(surfaces_freep) Surfaces *all = NULL;
        Surface *s = NULL;

        assert_int_equal(surfaces_new(&all), 0);
        assert_int_equal(surface_new(all, "Terminal \xc3\xa9", capabilities, false, &s, NULL), 0);
        assert_int_equal(surface_number(s), 1);
        assert_string_equal(surface_name(s), "Terminal \xc3\xa9");
        assert_int_equal(surface_capabilities(s), SURFACE_TEXT | SURFACE_AVATAR);
        assert_string_equal(surface_capability_to_string(SURFACE_AVATAR), "avatar");
        assert_string_equal(surface_focus(s), "/");

        assert_int_equal(surface_set_focus(s, "/a"), 1);
        assert_int_equal(surface_set_focus(s, "/a"), 0);
        assert_string_equal(surface_focus(s), "/a");
        assert_true(surfaces_any_focus(all, "/a"));
        assert_false(surfaces_any_focus(all, "/"));
        assert_null(surface_free(NULL));
}

static void test_order_and_numbers(void **state)
{
        _cleanup_(surfaces_freep) Surfaces *all = NULL;
        Surface *a, *b, *c, *d;

        assert_int_equal(surfaces_new(&all), 0);
        assert_int_equal(make(all, false, &a), 0);
        assert_int_equal(make(all, true, &b), 0);
        assert_int_equal(make(all, false, &c), 0);
        assert_int_equal(surfaces_count(all), 3);
        assert_int_equal(surfaces_active(all), 2);
        assert_ptr_equal(surfaces_find(all, 2), b);
        assert_null(surfaces_find(all, 0));
        assert_null(surfaces_find(all, 4));

        surface_free(b);
        assert_null(surfaces_find(all, 2));
        assert_ptr_equal(surfaces_next(all, NULL), a);
        assert_ptr_equal(surfaces_next(all, a), c);
        assert_null(surfaces_next(all, c));
        assert_int_equal(surfaces_active(all), 2);

        surface_free(c);
        assert_int_equal(make(all, false, &d), 0);
        assert_int_equal(surface_number(d), 4); /* numbers do not come again */
        assert_ptr_equal(surfaces_next(all, a), d);
        surface_free(a);
        assert_ptr_equal(surfaces_next(all, NULL), d);
        surface_free(d);
        assert_int_equal(surfaces_count(all), 0);
        assert_int_equal(surfaces_active(all), 0);
}

static void test_limit(void **state)
{
        _cleanup_(surfaces_freep) Surfaces *all = NULL;
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        Surface *s = NULL, *last = NULL;

        assert_int_equal(surfaces_new(&all), 0);
        for (unsigned i = 0; i < SURFACES_MAX; i++)
                assert_int_equal(make(all, true, &s), 0);
        assert_true(surface_new(all, "test", text_only, true, &last, &failure) < 0);
        assert_int_equal(failure.code, FAILURE_BUSY);
        assert_non_null(strstr(failure.message, "64"));
        assert_null(last);
        surface_free(s);
        assert_int_equal(make(all, true, &last), 0);
}

static void expect_failure(
        const char *name, char *const *capabilities, FailureCode code, const char *word)
{
        _cleanup_(surfaces_freep) Surfaces *all = NULL;
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        Surface *s = NULL;

        assert_int_equal(surfaces_new(&all), 0);
        assert_true(surface_new(all, name, capabilities, false, &s, &failure) < 0);
        assert_int_equal(failure.code, code);
        assert_non_null(strstr(failure.message, word));
        assert_int_equal(surfaces_count(all), 0);
}

static void test_bad_input(void **state)
{
        char *const unknown[] = { (char *) "text", (char *) "tex\x1bt", NULL };
        char *many[SURFACE_CAPABILITIES_MAX + 2] = { 0 };
        _cleanup_(surfaces_freep) Surfaces *all = NULL;
        char name[SURFACE_NAME_MAX + 2] = { 0 };
        Surface *s = NULL;

        assert_int_equal(surfaces_new(&all), 0);
        expect_failure("", text_only, FAILURE_INVALID_ARGUMENT, "name");
        expect_failure("a\nb", text_only, FAILURE_INVALID_ARGUMENT, "name");
        expect_failure("\xe2\x80\xae", text_only, FAILURE_INVALID_ARGUMENT, "name");
        expect_failure("test", unknown, FAILURE_INVALID_ARGUMENT, "'tex t'");

        memset(name, 'x', SURFACE_NAME_MAX + 1);
        expect_failure(name, text_only, FAILURE_TOO_LARGE, "256");
        name[SURFACE_NAME_MAX] = 0;
        assert_int_equal(surface_new(all, name, text_only, false, &s, NULL), 0);

        for (size_t i = 0; i <= SURFACE_CAPABILITIES_MAX; i++)
                many[i] = (char *) "text";
        expect_failure("test", many, FAILURE_TOO_LARGE, "16");
        many[SURFACE_CAPABILITIES_MAX] = NULL;
        assert_int_equal(surface_new(all, "test", many, false, &s, NULL), 0);
        many[0] = NULL;
        assert_int_equal(surface_new(all, "test", many, false, &s, NULL), 0);
        assert_int_equal(surface_capabilities(s), 0);
}

static void count(void *userdata)
{
        ++*(unsigned *) userdata;
}

static void test_userdata_is_destroyed_once(void **state)
{
        Surfaces *all = NULL;
        Surface *a, *b;
        unsigned n = 0;

        assert_int_equal(surfaces_new(&all), 0);
        assert_int_equal(make(all, false, &a), 0);
        assert_int_equal(make(all, false, &b), 0);
        surface_set_userdata(a, &n, count);
        surface_set_userdata(b, &n, count);
        assert_ptr_equal(surface_userdata(a), &n);
        surface_free(a);
        assert_int_equal(n, 1);
        surfaces_free(all);
        assert_int_equal(n, 2);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_one),
                cmocka_unit_test(test_order_and_numbers),
                cmocka_unit_test(test_limit),
                cmocka_unit_test(test_bad_input),
                cmocka_unit_test(test_userdata_is_destroyed_once),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
