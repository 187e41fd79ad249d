/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/config-world.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "common/paths.h"
#include "tests/unit/folder.h"

char *config_top;
char *config_folders[4];

int config_setup(void **state)
{
        static const char *const names[] = { "usr", "etc", "home" };
        static const char *const variables[] = { "OLLAMA_HOST", "OPENAI_BASE_URL", "OPENAI_API_KEY",
                "ANTHROPIC_API_KEY" };

        config_top = folder_new();
        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                config_folders[i] = folder_below(config_top, names[i]);
        for (size_t i = 0; i < ELEMENTSOF(variables); i++)
                (void) unsetenv(variables[i]);
        return 0;
}

int config_teardown(void **state)
{
        for (size_t i = 0; config_folders[i]; i++)
                config_folders[i] = mfree(config_folders[i]);
        config_top = folder_free(config_top);
        return 0;
}

char *config_path(unsigned folder, const char *name)
{
        char *path, *slash;

        assert_true(asprintf(&path, "%s/%s", config_folders[folder], name) > 0);
        slash = strrchr(path, '/');
        *slash = 0;
        assert_int_equal(mkdir_private(path), 0);
        *slash = '/';
        return path;
}

void config_write_bytes(unsigned folder, const char *name, const char *data, size_t size)
{
        _cleanup_free_ char *path = config_path(folder, name);
        _cleanup_fclose_ FILE *f = fopen(path, "we");

        assert_non_null(f);
        assert_int_equal(fwrite(data, 1, size, f), size);
}

void config_write(unsigned folder, const char *name, const char *text)
{
        config_write_bytes(folder, name, text, strlen(text));
}

Config *config_read(void)
{
        Config *c = NULL;

        assert_int_equal(config_load_from(config_folders, &c), 0);
        return c;
}

size_t config_warnings(const Config *c)
{
        size_t n = 0;

        while (c->warnings[n])
                n++;
        return n;
}

void expect_warning(const Config *c, size_t i, const char *place, const char *words)
{
        if (config_warnings(c) <= i)
                fail_msg("no warning with '%s'", words);
        if (!strstr(c->warnings[i], place) || !strstr(c->warnings[i], words))
                fail_msg("'%s' is not in '%s'", words, c->warnings[i]);
}

const EngineConfig *find_engine(const Config *c, const char *name)
{
        for (size_t i = 0; i < c->n_engines; i++)
                if (streq(c->engines[i].name, name))
                        return c->engines + i;
        return NULL;
}
