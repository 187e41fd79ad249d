/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The configuration's files: whatever they say, there is a configuration, and what it holds can be
 * used. A file is conductor.conf up to the first NUL, and engines.d/a.conf behind it. */

#include <sys/stat.h>

#include "common/utf8.h"
#include "service/config/config-internal.h"
#include "tests/fuzz/fuzz.h"

static void set_up(void)
{
        static bool done;
        _cleanup_free_ char *path = NULL;

        if (done)
                return;
        done = true;
        /* What the machine has must not count. */
        CHECK(clearenv() == 0);
        CHECK(setenv("HOME", fuzz_folder(), 1) == 0);
        CHECK(asprintf(&path, "%s/engines.d", fuzz_folder()) > 0);
        CHECK(mkdir(path, 0700) == 0);
}

static void check_string(const char *s)
{
        CHECK(s && utf8_is_clean_line(s, strlen(s)));
}

static void check_engine(const EngineConfig *e)
{
        const char *const strings[] = { e->name, e->url, e->keep_alive, e->unit, e->key_credential,
                e->key_secret, e->key_file, e->key_environment, e->ca_file, e->proxy, e->source };

        for (size_t i = 0; i < ELEMENTSOF(strings); i++)
                check_string(strings[i]);
        CHECK(*e->name && e->type >= 0 && e->type < _ENGINE_TYPE_MAX);
        CHECK(e->connect_timeout > 0 && e->first_byte_timeout > 0 && e->stall_timeout > 0);
        CHECK(e->n_models <= CONFIG_MODELS_MAX);
        for (size_t i = 0; i < e->n_models; i++) {
                check_string(e->models[i].alias);
                check_string(e->models[i].model);
                CHECK(*e->models[i].alias && *e->models[i].model);
        }
        if (*e->url) {
                _cleanup_free_ char *again = NULL;

                CHECK(config_url_normalize(e->url, &again) == 0 && streq(again, e->url));
        } else
                CHECK(e->type == ENGINE_BUILTIN);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        const uint8_t *zero = size > 0 ? memchr(data, 0, size) : NULL;
        size_t n = zero ? (size_t) (zero - data) : size;
        _cleanup_(config_freep) Config *c = NULL;
        char *folders[] = { (char *) fuzz_folder(), NULL };

        set_up();
        fuzz_write_file("conductor.conf", data, n);
        fuzz_write_file("engines.d/a.conf", zero ? zero + 1 : data, zero ? size - n - 1 : 0);
        CHECK(config_load_from(folders, &c) == 0);

        check_string(c->default_model);
        check_string(c->directory);
        CHECK(c->idle_timeout > 0 && c->log_level >= -1 && c->log_level <= 7);
        CHECK(c->n_engines <= CONFIG_ENGINES_MAX + 1);
        for (size_t i = 0; i < c->n_engines; i++)
                check_engine(&c->engines[i]);
        for (char **w = c->warnings; w && *w; w++)
                check_string(*w);
        return 0;
}
