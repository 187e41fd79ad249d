/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Engines: of files, and found at their usual places. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/buffer.h"
#include "common/paths.h"
#include "tests/unit/config-world.h"

/* ---- engines from files ---- */

static void test_engine_defaults(void **state)
{
        static const struct {
                const char *type, *url, *wanted_url;
                unsigned concurrent;
                usec_t first_byte;
        } cases[] = {
                { "ollama", "", "http://127.0.0.1:11434", 1, USEC_INFINITY },
                { "ollama", "http://box:1/", "http://box:1", 1, 600 * USEC_PER_SEC },
                { "openai", "", "https://api.openai.com/v1", 16, 600 * USEC_PER_SEC },
                { "openai", "http://localhost:8080/v1/", "http://localhost:8080/v1", 4,
                        USEC_INFINITY },
                { "anthropic", "", "https://api.anthropic.com", 16, 600 * USEC_PER_SEC },
                { "builtin", "", "", 0, 600 * USEC_PER_SEC },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                char text[200];

                (void) snprintf(text, sizeof text, "[Engine]\nType=%s\nUrl=%s\n", cases[i].type,
                        cases[i].url);
                config_write(2, "engines.d/my.conf", text);
                _cleanup_(config_freep) Config *c = config_read();
                const EngineConfig *e = find_engine(c, "my");

                assert_non_null(e);
                assert_string_equal(engine_type_to_string(e->type), cases[i].type);
                assert_string_equal(e->url, cases[i].wanted_url);
                assert_int_equal(e->max_concurrent, cases[i].concurrent);
                assert_int_equal(e->connect_timeout, 10 * USEC_PER_SEC);
                assert_true(e->first_byte_timeout == cases[i].first_byte);
                assert_int_equal(e->stall_timeout, 300 * USEC_PER_SEC);
                assert_false(e->found);
                assert_non_null(strstr(e->source, "/home/engines.d/my.conf"));
                assert_string_equal(e->unit, "");
                assert_string_equal(e->key_file, "");
                assert_string_equal(e->key_environment, "");
                assert_int_equal(e->n_models, 0);
                assert_int_equal(config_warnings(c), 0);
        }
}

static void test_engine_settings(void **state)
{
        config_write(1, "engines.d/big.conf",
                "[Engine]\nType=openai\nUrl=HTTPS://Big.Example:8443/V1//\n"
                "Models=fast=qwen2.5:0.5b  big=meta/llama=3\nModels=plain-name a/b\n"
                "MaxConcurrent=0\nKeepAlive=5m\nContextSize=8192\nMaxTokens=100\n"
                "ConnectTimeoutSec=3s\nFirstByteTimeoutSec=2min\nStallTimeoutSec=infinity\n"
                "Unit=llama@big.service\nKeyCredential=big\nKeySecret=service=big user=\"me too\"\n"
                "KeyFile=/etc/keys/big\nKeyEnvironment=BIG_KEY\nCaFile=/etc/ca.pem\n"
                "Proxy=socks5h://user:word@proxy:1080\n");
        _cleanup_(config_freep) Config *c = config_read();
        const EngineConfig *e = find_engine(c, "big");

        assert_int_equal(config_warnings(c), 0);
        assert_int_equal(c->n_engines, 2);
        assert_string_equal(e->url, "https://big.example:8443/V1");
        assert_int_equal(e->n_models, 4);
        assert_string_equal(e->models[0].alias, "fast");
        assert_string_equal(e->models[0].model, "qwen2.5:0.5b");
        assert_string_equal(e->models[1].alias, "big");
        assert_string_equal(e->models[1].model, "meta/llama=3");
        assert_string_equal(e->models[2].alias, "plain-name");
        assert_string_equal(e->models[2].model, "plain-name");
        assert_string_equal(e->models[3].alias, "a/b");
        assert_int_equal(e->max_concurrent, 0);
        assert_string_equal(e->keep_alive, "5m");
        assert_int_equal(e->context_size, 8192);
        assert_int_equal(e->max_tokens, 100);
        assert_int_equal(e->connect_timeout, 3 * USEC_PER_SEC);
        assert_int_equal(e->first_byte_timeout, 120 * USEC_PER_SEC);
        assert_true(e->stall_timeout == USEC_INFINITY);
        assert_string_equal(e->unit, "llama@big.service");
        assert_string_equal(e->key_credential, "big");
        assert_string_equal(e->key_secret, "service=big user=\"me too\"");
        assert_string_equal(e->key_file, "/etc/keys/big");
        assert_string_equal(e->key_environment, "BIG_KEY");
        assert_string_equal(e->ca_file, "/etc/ca.pem");
        assert_string_equal(e->proxy, "socks5h://user:word@proxy:1080");

        e = find_engine(c, "builtin");
        assert_true(e && e->found);
}

/* A bad value leaves the default and the engine. */
static void test_bad_engine_settings(void **state)
{
        static const char *const bad[] = { "MaxConcurrent=SECRET", "MaxConcurrent=-1",
                "MaxConcurrent=4294967295", "ContextSize=SECRET", "MaxTokens=1K",
                "ConnectTimeoutSec=0", "ConnectTimeoutSec=SECRET", "StallTimeoutSec=-1",
                "FirstByteTimeoutSec=1 fortnight", "Unit=SECRET", "Unit=../SECRET.service",
                "Unit=.service", "Unit=SECRET.timer", "Unit=SECRET@.service",
                "Unit=@SECRET.service", "Unit=SECRET .service", "KeyFile=SECRET", "CaFile=SECRET",
                "KeyEnvironment=SECRET-1", "KeyEnvironment=1SECRET", "Proxy=SECRET",
                "Proxy=ftp://SECRET", "Proxy=http://", "KeepAlive=SECRET\x1b", "Models==SECRET",
                "Models=SECRET=", "Models=a/b=SECRET", "Key=SECRET", "KeySecret=SECRET",
                "KeySecret==SECRET", "KeySecret=a=", "KeySecret=a=b SECRET", "KeySecret=a=\"SECRET",
                "KeySecret=a=\"SECRET\"b", "KeySecret=a=SECRET\"b", "KeySecret=a b=SECRET",
                "KeySecret=a=b c=SECRET d=\"" };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                char text[200];

                (void) snprintf(text, sizeof text, "[Engine]\nType=ollama\n%s\n", bad[i]);
                config_write(2, "engines.d/my.conf", text);
                _cleanup_(config_freep) Config *c = config_read();
                const EngineConfig *e = find_engine(c, "my");

                assert_non_null(e);
                if (config_warnings(c) != 1)
                        fail_msg("%zu warnings for %s", config_warnings(c), bad[i]);
                expect_warning(c, 0, "/engines.d/my.conf:3: ", "ignoring it");
                assert_null(strstr(c->warnings[0], "SECRET"));
                assert_int_equal(e->max_concurrent, 1);
                assert_int_equal(e->connect_timeout, 10 * USEC_PER_SEC);
                assert_string_equal(e->key_file, "");
                assert_string_equal(e->key_secret, "");
                assert_string_equal(e->proxy, "");
                assert_int_equal(e->n_models, 0);
        }
}

static void expect_attributes(const char *text, size_t n, const char *const *wanted)
{
        _cleanup_(strv_freep) char **list = NULL;

        assert_int_equal(config_parse_attributes(text, &list), 0);
        for (size_t i = 0; i < n; i++)
                assert_string_equal(list[i], wanted[i]);
        assert_null(list[n]);
}

static void test_attributes(void **state)
{
        static const char *const two[] = { "application", "conductor", "xdg:schema", "a b" },
                                 *const empty[] = { "a", "" }, *const equals[] = { "a", "=b" };
        _cleanup_buffer_ Buffer b = BUFFER_INIT(KIB(1));
        char **none = NULL;

        expect_attributes("application=conductor xdg:schema=\"a b\"", 4, two);
        expect_attributes("  application=conductor   xdg:schema=\"a b\" ", 4, two);
        expect_attributes("a=\"\"", 2, empty);
        expect_attributes("a==b", 2, equals);

        for (unsigned i = 0; i < CONFIG_ATTRIBUTES_MAX; i++)
                assert_int_equal(buffer_append_string(&b, "a=b "), 0);
        {
                _cleanup_(strv_freep) char **list = NULL;

                assert_int_equal(config_parse_attributes(buffer_text(&b), &list), 0);
                assert_string_equal(list[2 * CONFIG_ATTRIBUTES_MAX - 1], "b");
        }
        assert_int_equal(buffer_append_string(&b, "a=b"), 0);
        assert_int_equal(config_parse_attributes(buffer_text(&b), &none), -EINVAL);
        /* Each secret would be meant. */
        assert_int_equal(config_parse_attributes("", &none), -EINVAL);
        assert_int_equal(config_parse_attributes("  ", &none), -EINVAL);
        assert_null(none);
}

/* What makes no engine is said, nothing else is asked in its place: not even the built-in one. */
static void test_useless_engine_files(void **state)
{
        static const char *const bad[] = { "[Engine]\nUrl=http://a\n", "[Engine]\nType=gpt\n",
                "[Engine]\nType=\n", "nonsense\n", "[Engine]\nType=ollama\nUrl=a\n",
                "[Engine]\nType=ollama\nUrl=http://user:SECRET@a\n" };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                config_write(2, "engines.d/my.conf", bad[i]);
                _cleanup_(config_freep) Config *c = config_read();

                assert_int_equal(c->n_engines, 0);
                assert_true(config_warnings(c) > 0);
                expect_warning(
                        c, config_warnings(c) - 1, "/engines.d/my.conf: ", "this makes no engine");
                for (size_t w = 0; w < config_warnings(c); w++)
                        assert_null(strstr(c->warnings[w], "SECRET"));
        }
        config_write(2, "engines.d/good.conf", "[Engine]\nType=ollama\n");
        _cleanup_(config_freep) Config *c = config_read();

        assert_int_equal(c->n_engines, 2);
}

static void test_engine_names(void **state)
{
        char name[100] = "engines.d/";

        memset(name + 10, 'x', 65);
        (void) strcpy(name + 75, ".conf");
        config_write(2, name, "[Engine]\nType=builtin\n");
        config_write(2, "engines.d/with space.conf", "[Engine]\nType=builtin\n");
        config_write(2, "engines.d/-x.conf", "[Engine]\nType=builtin\n");
        {
                _cleanup_(config_freep) Config *c = config_read();

                assert_int_equal(c->n_engines, 0);
                assert_int_equal(config_warnings(c), 3);
                expect_warning(c, 1, "with space.conf: ", "An engine's name");
        }
        (void) strcpy(name + 74, ".conf");
        config_write(2, name, "[Engine]\nType=builtin\n");
        _cleanup_(config_freep) Config *c = config_read();

        assert_non_null(find_engine(c, strndupa(name + 10, 64)));
}

static void test_number_of_engines(void **state)
{
        for (unsigned i = 0; i < CONFIG_ENGINES_MAX; i++) {
                char name[40];

                (void) snprintf(name, sizeof name, "engines.d/e%02u.conf", i);
                config_write(2, name, "[Engine]\nType=ollama\n");
        }
        {
                _cleanup_(config_freep) Config *c = config_read();

                assert_int_equal(c->n_engines, CONFIG_ENGINES_MAX + 1); /* and the built-in one */
                assert_int_equal(config_warnings(c), 0);
        }
        config_write(2, "engines.d/more.conf", "[Engine]\nType=ollama\n");
        _cleanup_(config_freep) Config *c = config_read();

        assert_int_equal(c->n_engines, CONFIG_ENGINES_MAX + 1);
        expect_warning(c, 0, "engines.d: ", "more than 64 files");
}

static void test_number_of_models(void **state)
{
        for (unsigned extra = 0; extra < 2; extra++) {
                _cleanup_buffer_ Buffer text = BUFFER_INIT(KIB(64));

                assert_int_equal(buffer_append_string(&text, "[Engine]\nType=ollama\nModels="), 0);
                for (unsigned i = 0; i < CONFIG_MODELS_MAX + extra; i++)
                        assert_int_equal(buffer_append_format(&text, "m%u ", i), 0);
                config_write(2, "engines.d/my.conf", text.data);
                _cleanup_(config_freep) Config *c = config_read();

                assert_int_equal(find_engine(c, "my")->n_models, CONFIG_MODELS_MAX);
                assert_int_equal(config_warnings(c), extra);
        }
}

/* ---- found engines ---- */

static void expect_engines(const char *const *wanted)
{
        _cleanup_(config_freep) Config *c = config_read();
        size_t n = 0;

        for (; wanted[n]; n++) {
                const EngineConfig *e = find_engine(c, wanted[n]);

                if (!e)
                        fail_msg("%s is not there", wanted[n]);
                assert_true(e->found);
        }
        assert_int_equal(c->n_engines, n);
}

#define EXPECT_ENGINES(...) expect_engines((const char *const[]){ __VA_ARGS__, NULL })

static void test_found(void **state)
{
        EXPECT_ENGINES("ollama", "llama-server", "builtin");
        (void) setenv("OPENAI_API_KEY", "SECRET", 1);
        (void) setenv("ANTHROPIC_API_KEY", "", 1);
        EXPECT_ENGINES("ollama", "llama-server", "openai", "builtin");
        (void) setenv("ANTHROPIC_API_KEY", "SECRET", 1);
        {
                _cleanup_(config_freep) Config *c = config_read();

                assert_string_equal(find_engine(c, "openai")->url, "https://api.openai.com/v1");
                assert_string_equal(find_engine(c, "openai")->key_environment, "OPENAI_API_KEY");
                assert_string_equal(
                        find_engine(c, "anthropic")->key_environment, "ANTHROPIC_API_KEY");
                assert_string_equal(find_engine(c, "ollama")->key_environment, "");
                assert_string_equal(find_engine(c, "llama-server")->url, "http://127.0.0.1:8080");
        }
        (void) unsetenv("OPENAI_API_KEY");
        (void) setenv("OPENAI_BASE_URL", "http://here:1/v1", 1);
        {
                _cleanup_(config_freep) Config *c = config_read();

                assert_string_equal(find_engine(c, "openai")->url, "http://here:1/v1");
                assert_string_equal(find_engine(c, "openai")->source, "$OPENAI_BASE_URL");
        }
}

/* The key that is for one server is not sent to the other. */
static void test_found_with_bad_variables(void **state)
{
        (void) setenv("OPENAI_API_KEY", "SECRET", 1);
        (void) setenv("OPENAI_BASE_URL", "here:1/v1", 1);
        (void) setenv("OLLAMA_HOST", "unix:///run/x", 1);
        EXPECT_ENGINES("llama-server", "builtin");
        _cleanup_(config_freep) Config *c = config_read();

        assert_int_equal(config_warnings(c), 2);
        expect_warning(c, 0, "$OLLAMA_HOST: ", "no address");
        expect_warning(c, 1, "$OPENAI_BASE_URL: ", "no http");
}

static void test_any_file_ends_finding(void **state)
{
        config_write(0, "engines.d/my.conf", "[Engine]\nType=ollama\nUrl=http://box:1\n");
        _cleanup_(config_freep) Config *c = config_read();

        assert_int_equal(c->n_engines, 2);
        assert_false(find_engine(c, "my")->found);
        assert_true(find_engine(c, "builtin")->found);
}

static void test_masks_hide_found_ones(void **state)
{
        config_write(0, "engines.d/ollama.conf", "[Engine]\nType=ollama\nUrl=http://box:1\n");
        config_write(2, "engines.d/ollama.conf", "");
        EXPECT_ENGINES("llama-server", "builtin");
        config_write(2, "engines.d/builtin.conf", "");
        EXPECT_ENGINES("llama-server");
        config_write(2, "engines.d/llama-server.conf", "");
        _cleanup_(config_freep) Config *c = config_read();

        assert_int_equal(c->n_engines, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, config_setup, config_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(test_engine_defaults),
                TEST(test_engine_settings),
                TEST(test_bad_engine_settings),
                TEST(test_attributes),
                TEST(test_useless_engine_files),
                TEST(test_engine_names),
                TEST(test_number_of_engines),
                TEST(test_number_of_models),
                TEST(test_found),
                TEST(test_found_with_bad_variables),
                TEST(test_any_file_ends_finding),
                TEST(test_masks_hide_found_ones),
        };

        return cmocka_run_group_tests_name("config-engine", tests, NULL, NULL);
}
