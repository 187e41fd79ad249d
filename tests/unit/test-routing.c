/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "service/engine/routing.h"

/* ---- a small world of engines ---- */

enum { OLLAMA, SERVER, CLOUD, BUILTIN, N_ENGINES };

typedef struct World {
        EngineConfig configs[N_ENGINES];
        RouteEngine engines[N_ENGINES];
} World;

static WireModel builtin_models[] = { { .name = (char *) "doctor", .chat = true } };
static ModelAlias cloud_aliases[] = {
        { (char *) "fast", (char *) "gpt-small" },
        { (char *) "both", (char *) "gpt-big" },
};
static ModelAlias server_aliases[] = { { (char *) "both", (char *) "local.gguf" } };
static WireModel ollama_models[] = {
        { .name = (char *) "qwen2.5:0.5b", .chat = true, .modified = 10 },
        { .name = (char *) "llama3:latest", .chat = true, .modified = 20 },
        { .name = (char *) "nomic-embed", .modified = 90 },
        { .name = (char *) "hf.co/x/y:Q4", .chat = true, .modified = 5 },
        { .name = (char *) "shared", .chat = true, .modified = 1 },
};
static WireModel server_models[] = {
        { .name = (char *) "local.gguf", .chat = true, .modified = 30 },
        { .name = (char *) "shared", .chat = true, .modified = 2 },
};
static WireModel cloud_models[] = {
        { .name = (char *) "gpt-small", .chat = true, .modified = 40 },
};

/* Ollama and the server are found, the cloud is from a file; all answer. */
static World world(void)
{
        return (World){
                .configs = {
                        [OLLAMA] = { .name = (char *) "ollama", .type = ENGINE_OLLAMA,
                                .found = true },
                        [SERVER] = { .name = (char *) "llama-server", .type = ENGINE_OPENAI,
                                .found = true, .models = server_aliases, .n_models = 1 },
                        [CLOUD] = { .name = (char *) "cloud", .type = ENGINE_OPENAI,
                                .models = cloud_aliases, .n_models = 2 },
                        [BUILTIN] = { .name = (char *) "builtin", .type = ENGINE_BUILTIN,
                                .found = true },
                },
                .engines = {
                        [OLLAMA] = { .display = "http://o", .state = ENGINE_READY, .known = true,
                                .models = ollama_models, .n_models = ELEMENTSOF(ollama_models) },
                        [SERVER] = { .display = "http://s", .state = ENGINE_READY, .known = true,
                                .models = server_models, .n_models = ELEMENTSOF(server_models) },
                        [CLOUD] = { .display = "http://c", .state = ENGINE_READY, .known = true,
                                .models = cloud_models, .n_models = ELEMENTSOF(cloud_models) },
                        [BUILTIN] = { .display = "", .state = ENGINE_READY, .known = true,
                                .models = builtin_models, .n_models = 1 },
                },
        };
}

static int route(World *w, RouteQuery q, Route *ret, Failure *failure)
{
        for (size_t i = 0; i < N_ENGINES; i++)
                w->engines[i].config = w->configs + i;
        q.engines = w->engines;
        q.n_engines = N_ENGINES;
        return route_model(&q, ret, failure);
}

static void expect(World *w, RouteQuery q, size_t engine, const char *model)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        Route r = { 0 };
        int k;

        k = route(w, q, &r, &failure);
        if (k != ROUTE_FOUND)
                fail_msg("'%s': %d %s", q.model, k, failure_message(&failure));
        assert_int_equal(r.engine, engine);
        assert_string_equal(r.model, model);
}

static void expect_ask(World *w, RouteQuery q)
{
        Route r;

        assert_int_equal(route(w, q, &r, NULL), ROUTE_ASK);
}

static void expect_failure(World *w, RouteQuery q, FailureCode code, const char *part)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        Route r;

        assert_true(route(w, q, &r, &failure) < 0);
        assert_int_equal(failure.code, code);
        if (!strstr(failure_message(&failure), part))
                fail_msg("'%s' does not say '%s'", failure_message(&failure), part);
}

#define ASK(m) ((RouteQuery){ .model = (m) })

/* ---- names ---- */

static void test_names(void **state)
{
        static const struct {
                const char *name;
                size_t engine;
                const char *model;
        } table[] = {
                { "ollama/qwen2.5:0.5b", OLLAMA, "qwen2.5:0.5b" },
                { "ollama/never-heard-of", OLLAMA, "never-heard-of" },
                { "ollama/hf.co/x/y:Q4", OLLAMA, "hf.co/x/y:Q4" },
                { "hf.co/x/y:Q4", OLLAMA, "hf.co/x/y:Q4" },
                { "qwen2.5:0.5b", OLLAMA, "qwen2.5:0.5b" },
                { "llama3", OLLAMA, "llama3:latest" },
                { "llama3:latest", OLLAMA, "llama3:latest" },
                { "ollama/shared", OLLAMA, "shared" },
                { "llama-server/shared", SERVER, "shared" },
                { "fast", CLOUD, "gpt-small" },
                { "cloud/fast", CLOUD, "gpt-small" },
                { "cloud/both", CLOUD, "gpt-big" },
                { "llama-server/both", SERVER, "local.gguf" },
                { "doctor", BUILTIN, "doctor" },
                { "builtin/doctor", BUILTIN, "doctor" },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                World w = world();

                expect(&w, ASK(table[i].name), table[i].engine, table[i].model);
        }
}

static void test_bad_names(void **state)
{
        static const struct {
                const char *name, *part;
        } table[] = {
                { "nothing", "'conductor models'" },
                { "nothing", "ollama/qwen2.5:0.5b" },
                { "unknown/model", "No engine has a model 'unknown/model'" },
                { "qwen2.5", "No engine has" },
                { "ollama/", "No engine has" },
                { "ollama", "No engine has" },
                { "shared", "ollama/shared, llama-server/shared" },
                { "both", "llama-server/both, cloud/both" },
                { "line\nbreak", "control characters" },
                { "del\x7f", "control characters" },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                World w = world();

                expect_failure(&w, ASK(table[i].name), FAILURE_NO_SUCH_MODEL, table[i].part);
        }
}

static void test_name_size(void **state)
{
        char name[MODEL_NAME_MAX + 2];
        World w = world();

        memset(name, 'x', sizeof name);
        memcpy(name, "ollama/", 7);
        name[MODEL_NAME_MAX] = 0;
        expect(&w, ASK(name), OLLAMA, name + 7);
        name[MODEL_NAME_MAX] = 'x';
        name[MODEL_NAME_MAX + 1] = 0;
        expect_failure(&w, ASK(name), FAILURE_NO_SUCH_MODEL, "256 bytes");
}

/* Only a bare name depends on what the engines say. */
static void test_unknown_engines(void **state)
{
        World w = world();

        w.engines[SERVER].known = false;
        expect(&w, ASK("llama-server/any"), SERVER, "any");
        expect(&w, ASK("fast"), CLOUD, "gpt-small");
        expect_ask(&w, ASK("qwen2.5:0.5b"));
        expect_ask(&w, ASK("nothing"));
        w.engines[SERVER].known = true;
        w.engines[SERVER].state = ENGINE_UNREACHABLE;
        expect(&w, ASK("shared"), OLLAMA, "shared");
}

static void test_silent_engine_is_named(void **state)
{
        World w = world();

        w.engines[CLOUD].state = ENGINE_UNREACHABLE;
        expect_failure(&w, ASK("nothing"), FAILURE_NO_SUCH_MODEL, "conductor engine test cloud");
}

/* ---- the default ---- */

static void test_default_set(void **state)
{
        World w = world();

        expect(&w, (RouteQuery){ .model = "", .default_model = "fast", .last_model = "ollama/x" },
                CLOUD, "gpt-small");
        expect_failure(&w, (RouteQuery){ .model = "", .default_model = "gone/x" },
                FAILURE_NO_SUCH_MODEL, "'conductor default ENGINE/MODEL'");
        /* It may be down: that is for the request to find out, never a reason for another. */
        w.engines[OLLAMA].state = ENGINE_UNREACHABLE;
        expect(&w, (RouteQuery){ .model = "", .default_model = "ollama/x" }, OLLAMA, "x");
        w.engines[OLLAMA].known = false;
        expect(&w, (RouteQuery){ .model = "", .default_model = "ollama/x" }, OLLAMA, "x");
        expect_failure(&w, (RouteQuery){ .model = "", .default_model = "both" },
                FAILURE_NO_SUCH_MODEL, "not unique");
        expect(&w, (RouteQuery){ .model = "", .default_model = "builtin/doctor" }, BUILTIN,
                "doctor");
}

static void test_default_last(void **state)
{
        RouteQuery q = { .model = "", .last_model = "ollama/hf.co/x/y:Q4" };
        World w = world();

        expect(&w, q, OLLAMA, "hf.co/x/y:Q4");
        w.engines[OLLAMA].known = false;
        expect(&w, q, OLLAMA, "hf.co/x/y:Q4");
        q.verify = true;
        expect_ask(&w, q);

        /* Removed since, by the list: the rule goes on. */
        w = world();
        q = (RouteQuery){ .model = "", .last_model = "ollama/gone" };
        expect(&w, q, CLOUD, "gpt-small");
        /* An engine that is not configured any more. */
        q.last_model = "old/model";
        expect(&w, q, CLOUD, "gpt-small");
        /* A found one that is down now. */
        q.last_model = "ollama/llama3:latest";
        w.engines[OLLAMA].state = ENGINE_UNREACHABLE;
        expect(&w, q, OLLAMA, "llama3:latest");
        /* The built-in one is no habit. */
        q.last_model = "builtin/doctor";
        expect(&w, q, CLOUD, "gpt-small");
}

static void test_default_best(void **state)
{
        WireModel models[ELEMENTSOF(ollama_models)];
        World w = world();

        /* The newest that can chat: never the embedding, though it is newer. */
        expect(&w, ASK(""), CLOUD, "gpt-small");
        w.engines[CLOUD].state = ENGINE_UNREACHABLE;
        expect(&w, ASK(""), SERVER, "local.gguf");

        memcpy(models, ollama_models, sizeof models);
        models[0].loaded = true;
        models[2].loaded = true;
        w = world();
        w.engines[OLLAMA].models = models;
        expect(&w, ASK(""), OLLAMA, "qwen2.5:0.5b");
        /* What is loaded need not wait for an engine that hangs. */
        w.engines[CLOUD].known = false;
        expect(&w, ASK(""), OLLAMA, "qwen2.5:0.5b");
        models[0].loaded = false;
        expect_ask(&w, ASK(""));
}

static void test_default_builtin(void **state)
{
        World w = world();

        w.engines[OLLAMA].state = w.engines[SERVER].state = ENGINE_UNREACHABLE;
        w.configs[CLOUD].found = true;
        w.engines[CLOUD].state = ENGINE_UNREACHABLE;
        expect(&w, ASK(""), BUILTIN, "doctor");
        /* Another server at that port is no engine either. */
        w.engines[SERVER].state = ENGINE_REFUSING;
        w.engines[SERVER].n_models = w.configs[SERVER].n_models = 0;
        expect(&w, ASK(""), BUILTIN, "doctor");
        w.engines[OLLAMA].known = false;
        expect_ask(&w, ASK(""));
}

/* Configured or answering: then the built-in one is no way out. */
static void test_default_no_way_out(void **state)
{
        World w = world();

        w.engines[OLLAMA].state = w.engines[SERVER].state = ENGINE_UNREACHABLE;
        w.engines[CLOUD].state = ENGINE_UNREACHABLE;
        expect_failure(&w, ASK(""), FAILURE_ENGINE_UNREACHABLE, "http://c");
        w.engines[CLOUD].last_error = "Engine 'cloud' is asleep.";
        expect_failure(&w, ASK(""), FAILURE_ENGINE_UNREACHABLE, "is asleep");

        /* Without a list, but with a name in its file. */
        w.engines[CLOUD].state = ENGINE_REFUSING;
        w.engines[CLOUD].n_models = 0;
        expect(&w, ASK(""), CLOUD, "gpt-small");
        w.configs[CLOUD].n_models = 0;
        expect_failure(&w, ASK(""), FAILURE_ENGINE_REFUSED, "is asleep");

        w = world();
        w.configs[CLOUD].found = true;
        w.engines[CLOUD].state = w.engines[SERVER].state = ENGINE_UNREACHABLE;
        w.engines[OLLAMA].n_models = 0;
        expect_failure(&w, ASK(""), FAILURE_NO_SUCH_MODEL, "ollama pull");

        /* A found one whose key is refused was meant. */
        w = world();
        w.configs[CLOUD].found = true;
        w.configs[CLOUD].n_models = 0;
        w.engines[OLLAMA].state = w.engines[SERVER].state = ENGINE_UNREACHABLE;
        w.engines[CLOUD].state = ENGINE_REFUSING;
        w.engines[CLOUD].n_models = 0;
        w.engines[CLOUD].key_refused = true;
        expect_failure(&w, ASK(""), FAILURE_KEY_REFUSED, "http://c");
}

/* One question went wrong: the engine is there all the same. */
static void test_refusing_for_once(void **state)
{
        World w = world();

        w.configs[CLOUD].found = true;
        w.engines[CLOUD].state = w.engines[SERVER].state = ENGINE_UNREACHABLE;
        w.engines[OLLAMA].state = ENGINE_REFUSING;
        expect(&w, ASK(""), OLLAMA, "llama3:latest");
        expect(&w, ASK("qwen2.5:0.5b"), OLLAMA, "qwen2.5:0.5b");
}

static void test_nothing_at_all(void **state)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        Route r;

        assert_true(route_model(&ASK(""), &r, &failure) < 0);
        assert_int_equal(failure.code, FAILURE_NO_SUCH_MODEL);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_names),
                cmocka_unit_test(test_bad_names),
                cmocka_unit_test(test_name_size),
                cmocka_unit_test(test_unknown_engines),
                cmocka_unit_test(test_silent_engine_is_named),
                cmocka_unit_test(test_default_set),
                cmocka_unit_test(test_default_last),
                cmocka_unit_test(test_default_best),
                cmocka_unit_test(test_default_builtin),
                cmocka_unit_test(test_default_no_way_out),
                cmocka_unit_test(test_refusing_for_once),
                cmocka_unit_test(test_nothing_at_all),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
