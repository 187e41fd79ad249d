/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <dlfcn.h>
#include <limits.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <syslog.h>

#include "common/buffer.h"
#include "common/paths.h"
#include "service/config/config-internal.h"
#include "tests/unit/folder.h"

/* So many entries of a folder are read, then it fails. */
static unsigned entries = UINT_MAX;

/* In the place of libc's. */
struct dirent *readdir(DIR *d)
{
        static struct dirent *(*real)(DIR * d);

        if (!real)
                *(void **) &real = dlsym(RTLD_NEXT, "readdir64");
        if (entries == 0) {
                errno = EIO;
                return NULL;
        }
        entries -= entries < UINT_MAX;
        return real(d);
}

/* Three folders in place of /usr/lib, /etc and the user's own. */
static char *top;
static char *folders[4];

static int setup(void **state)
{
        static const char *const names[] = { "usr", "etc", "home" };
        static const char *const variables[] = { "OLLAMA_HOST", "OPENAI_BASE_URL", "OPENAI_API_KEY",
                "ANTHROPIC_API_KEY" };

        top = folder_new();
        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                folders[i] = folder_below(top, names[i]);
        for (size_t i = 0; i < ELEMENTSOF(variables); i++)
                (void) unsetenv(variables[i]);
        return 0;
}

static int teardown(void **state)
{
        for (size_t i = 0; folders[i]; i++)
                folders[i] = mfree(folders[i]);
        top = folder_free(top);
        return 0;
}

static char *path_of(unsigned folder, const char *name)
{
        char *path, *slash;

        assert_true(asprintf(&path, "%s/%s", folders[folder], name) > 0);
        slash = strrchr(path, '/');
        *slash = 0;
        assert_int_equal(mkdir_private(path), 0);
        *slash = '/';
        return path;
}

static void write_bytes(unsigned folder, const char *name, const char *data, size_t size)
{
        _cleanup_free_ char *path = path_of(folder, name);
        _cleanup_fclose_ FILE *f = fopen(path, "we");

        assert_non_null(f);
        assert_int_equal(fwrite(data, 1, size, f), size);
}

static void write_text(unsigned folder, const char *name, const char *text)
{
        write_bytes(folder, name, text, strlen(text));
}

static Config *load(void)
{
        Config *c = NULL;

        assert_int_equal(config_load_from(folders, &c), 0);
        return c;
}

static size_t n_warnings(const Config *c)
{
        size_t n = 0;

        while (c->warnings[n])
                n++;
        return n;
}

static void expect_warning(const Config *c, size_t i, const char *place, const char *words)
{
        if (n_warnings(c) <= i)
                fail_msg("no warning with '%s'", words);
        if (!strstr(c->warnings[i], place) || !strstr(c->warnings[i], words))
                fail_msg("'%s' is not in '%s'", words, c->warnings[i]);
}

static const EngineConfig *find_engine(const Config *c, const char *name)
{
        for (size_t i = 0; i < c->n_engines; i++)
                if (streq(c->engines[i].name, name))
                        return c->engines + i;
        return NULL;
}

/* ---- conductor.conf ---- */

static void test_defaults(void **state)
{
        _cleanup_(config_freep) Config *c = load();

        assert_string_equal(c->default_model, "");
        assert_int_equal(c->idle_timeout, 300 * USEC_PER_SEC);
        assert_int_equal(c->trash_keep, 7 * 86400 * USEC_PER_SEC);
        assert_true(c->avatar);
        assert_int_equal(c->log_level, -1);
        assert_string_equal(c->directory, folders[2]);
        assert_int_equal(n_warnings(c), 0);
}

static void test_settings(void **state)
{
        write_text(2, "conductor.conf",
                "[Service]\nIdleTimeoutSec=infinity\nTrashKeepDays=0\nLogLevel=debug\n"
                "[Conversation]\nDefaultModel=ollama/x\nAvatar=no\n");
        _cleanup_(config_freep) Config *c = load();

        assert_true(c->idle_timeout == USEC_INFINITY);
        assert_int_equal(c->trash_keep, 0);
        assert_int_equal(c->log_level, LOG_DEBUG);
        assert_string_equal(c->default_model, "ollama/x");
        assert_false(c->avatar);
        assert_int_equal(n_warnings(c), 0);
}

static void test_later_folder_replaces_and_dropins_add(void **state)
{
        write_text(0, "conductor.conf", "[Service]\nIdleTimeoutSec=1\nTrashKeepDays=1\n");
        write_text(1, "conductor.conf", "[Service]\nIdleTimeoutSec=2\n");
        write_text(2, "conductor.conf.d/10-a.conf", "[Conversation]\nDefaultModel=ten\n");
        write_text(0, "conductor.conf.d/20-b.conf", "[Conversation]\nDefaultModel=twenty\n");
        write_text(0, "conductor.conf.d/30-c.conf", "[Service]\nTrashKeepDays=9\n");
        write_text(1, "conductor.conf.d/30-c.conf", "[Service]\nTrashKeepDays=12h\n");
        write_text(0, "conductor.conf.d/40-d.conf", "[Conversation]\nAvatar=no\n");
        write_text(2, "conductor.conf.d/40-d.conf", ""); /* a mask */
        write_text(2, "conductor.conf.d/.hidden.conf", "[Service]\nLogLevel=err\n");
        write_text(2, "conductor.conf.d/50.conf~", "[Service]\nLogLevel=err\n");
        _cleanup_(config_freep) Config *c = load();

        assert_int_equal(c->idle_timeout, 2 * USEC_PER_SEC);
        assert_int_equal(c->trash_keep, 12 * 3600 * USEC_PER_SEC);
        assert_string_equal(c->default_model, "twenty");
        assert_true(c->avatar);
        assert_int_equal(c->log_level, -1);
        assert_int_equal(n_warnings(c), 0);
}

static void test_mask_of_the_main_file(void **state)
{
        _cleanup_free_ char *path = path_of(2, "conductor.conf");

        write_text(0, "conductor.conf", "[Service]\nIdleTimeoutSec=1\n");
        assert_int_equal(symlink("/dev/null", path), 0);
        _cleanup_(config_freep) Config *c = load();

        assert_int_equal(c->idle_timeout, 300 * USEC_PER_SEC);
        assert_int_equal(n_warnings(c), 0);
}

static void test_empty_value_is_the_default(void **state)
{
        write_text(0, "conductor.conf",
                "[Service]\nIdleTimeoutSec=1\nTrashKeepDays=1\nLogLevel=err\n"
                "[Conversation]\nDefaultModel=x\nAvatar=no\n");
        write_text(2, "conductor.conf.d/a.conf",
                "[Service]\nIdleTimeoutSec=\nTrashKeepDays=\nLogLevel=\n"
                "[Conversation]\nDefaultModel=\nAvatar=\n");
        _cleanup_(config_freep) Config *c = load();

        assert_int_equal(c->idle_timeout, 300 * USEC_PER_SEC);
        assert_int_equal(c->trash_keep, 7 * 86400 * USEC_PER_SEC);
        assert_int_equal(c->log_level, -1);
        assert_string_equal(c->default_model, "");
        assert_true(c->avatar);
        assert_int_equal(n_warnings(c), 0);
}

/* Each is one warning with file and line, the default stays, and the value is not repeated. */
static void test_bad_settings(void **state)
{
        static const char *const bad[] = {
                "[Service]\nIdleTimeoutSec=0\n",
                "[Service]\nIdleTimeoutSec=SECRET\n",
                "[Service]\nIdleTimeoutSec=-1\n",
                "[Service]\nTrashKeepDays=SECRET\n",
                "[Service]\nTrashKeepDays=18446744073709551615\n",
                "[Service]\nLogLevel=SECRET\n",
                "[Service]\nLogLevel=emerg\n",
                "[Service]\nKey=SECRET\n",
                "[Conversation]\nAvatar=SECRET\n",
                "[Conversation]\nDefaultModel=SECRET\x1b[31m\n",
                "[Conversation]\nDefaultModel=SECRET\xff\n",
                "[Unknown]\nKey=SECRET\n",
                "[Service]\nsk-SECRET=\n",
                "[Service]\nSECRETabcdefghijklmnopqrs=\n",
                "[sk-SECRET=]\nKey=\n",
                "\nSECRET\n",
                "\nKey=SECRET\n",
        };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                write_text(2, "conductor.conf", bad[i]);
                _cleanup_(config_freep) Config *c = load();

                assert_int_equal(c->idle_timeout, 300 * USEC_PER_SEC);
                assert_int_equal(c->trash_keep, 7 * 86400 * USEC_PER_SEC);
                assert_string_equal(c->default_model, "");
                if (n_warnings(c) != 1)
                        fail_msg("%zu warnings for %s", n_warnings(c), bad[i]);
                expect_warning(c, 0, "/home/conductor.conf:2: ", "ignoring it");
                assert_null(strstr(c->warnings[0], "SECRET"));
        }
}

static void test_file_sizes(void **state)
{
        static char text[CONFIG_FILE_MAX + 1];

        memset(text, '\n', sizeof text);
        memcpy(text, "[Service]\nIdleTimeoutSec=9\n", 27);
        write_bytes(2, "conductor.conf", text, CONFIG_FILE_MAX);
        {
                _cleanup_(config_freep) Config *c = load();

                assert_int_equal(c->idle_timeout, 9 * USEC_PER_SEC);
                assert_int_equal(n_warnings(c), 0);
        }
        write_bytes(2, "conductor.conf", text, sizeof text);
        {
                _cleanup_(config_freep) Config *c = load();

                assert_int_equal(c->idle_timeout, 300 * USEC_PER_SEC);
                expect_warning(c, 0, "conductor.conf: ", "larger than 1048576 bytes");
        }
}

/* Nothing that could stop a reader is read. */
static void test_what_is_no_file(void **state)
{
        _cleanup_free_ char *fifo = path_of(2, "conductor.conf"),
                            *folder = path_of(2, "conductor.conf.d/a.conf"),
                            *dangling = path_of(2, "conductor.conf.d/b.conf");

        assert_int_equal(mkfifo(fifo, 0600), 0);
        assert_int_equal(mkdir(folder, 0700), 0);
        assert_int_equal(symlink("/nonexistent/file", dangling), 0);
        _cleanup_(config_freep) Config *c = load();

        assert_int_equal(n_warnings(c), 3);
        expect_warning(c, 0, "conductor.conf: ", "no regular file");
        expect_warning(c, 1, "a.conf: ", "no regular file");
        expect_warning(c, 2, "b.conf: ", "No such file");
}

static void test_writable_by_others(void **state)
{
        static const struct {
                mode_t mode;
                bool read;
        } modes[] = { { 0600, true }, { 0644, true }, { 0664, true }, { 0602, false },
                { 0646, false }, { 0666, false } };
        _cleanup_free_ char *path = path_of(2, "conductor.conf");

        write_text(2, "conductor.conf", "[Service]\nIdleTimeoutSec=9\n");
        for (size_t i = 0; i < ELEMENTSOF(modes); i++) {
                assert_int_equal(chmod(path, modes[i].mode), 0);
                _cleanup_(config_freep) Config *c = load();

                assert_int_equal(c->idle_timeout, (modes[i].read ? 9 : 300) * USEC_PER_SEC);
                assert_int_equal(n_warnings(c), !modes[i].read);
                if (!modes[i].read)
                        expect_warning(c, 0, "conductor.conf: ", "Every user can change it");
        }
}

static void test_folder_writable_by_others(void **state)
{
        _cleanup_free_ char *path = path_of(2, "engines.d");

        write_text(2, "engines.d/a.conf", "[Engine]\nType=builtin\n");
        assert_int_equal(chmod(path, 0707), 0);
        {
                _cleanup_(config_freep) Config *c = load();

                assert_null(find_engine(c, "a"));
                expect_warning(c, 0, "engines.d: ", "Every user can put files there");
        }
        assert_int_equal(chmod(path, 0770), 0);
        _cleanup_(config_freep) Config *c = load();

        assert_non_null(find_engine(c, "a"));
        assert_int_equal(n_warnings(c), 0);
}

static void test_of_another_user(void **state)
{
        _cleanup_free_ char *path = path_of(2, "engines.d/a.conf");

        if (geteuid() != 0) {
                print_message("# only root can give files away\n");
                skip();
        }
        write_text(2, "engines.d/a.conf", "[Engine]\nType=builtin\n");
        assert_int_equal(chown(path, 4711, -1), 0);
        _cleanup_(config_freep) Config *c = load();

        assert_non_null(find_engine(c, "a"));
        assert_int_equal(n_warnings(c), 1);
        expect_warning(c, 0, "a.conf: ", "Belongs to another user");
}

static void test_warnings_have_a_limit(void **state)
{
        _cleanup_buffer_ Buffer text = BUFFER_INIT(MIB(1));

        for (unsigned i = 0; i < CONFIG_WARNINGS_MAX + 10; i++)
                assert_int_equal(buffer_append_string(&text, "nonsense\n"), 0);
        write_text(2, "conductor.conf", text.data);
        _cleanup_(config_freep) Config *c = load();

        assert_int_equal(n_warnings(c), CONFIG_WARNINGS_MAX + 1);
        expect_warning(c, CONFIG_WARNINGS_MAX, "", "more warnings");
}

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
                write_text(2, "engines.d/my.conf", text);
                _cleanup_(config_freep) Config *c = load();
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
                assert_int_equal(n_warnings(c), 0);
        }
}

static void test_engine_settings(void **state)
{
        write_text(1, "engines.d/big.conf",
                "[Engine]\nType=openai\nUrl=HTTPS://Big.Example:8443/V1//\n"
                "Models=fast=qwen2.5:0.5b  big=meta/llama=3\nModels=plain-name a/b\n"
                "MaxConcurrent=0\nKeepAlive=5m\nContextSize=8192\nMaxTokens=100\n"
                "ConnectTimeoutSec=3s\nFirstByteTimeoutSec=2min\nStallTimeoutSec=infinity\n"
                "Unit=llama@big.service\nKeyCredential=big\nKeySecret=service=big user=\"me too\"\n"
                "KeyFile=/etc/keys/big\nKeyEnvironment=BIG_KEY\nCaFile=/etc/ca.pem\n"
                "Proxy=socks5h://user:word@proxy:1080\n");
        _cleanup_(config_freep) Config *c = load();
        const EngineConfig *e = find_engine(c, "big");

        assert_int_equal(n_warnings(c), 0);
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
                write_text(2, "engines.d/my.conf", text);
                _cleanup_(config_freep) Config *c = load();
                const EngineConfig *e = find_engine(c, "my");

                assert_non_null(e);
                if (n_warnings(c) != 1)
                        fail_msg("%zu warnings for %s", n_warnings(c), bad[i]);
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
                write_text(2, "engines.d/my.conf", bad[i]);
                _cleanup_(config_freep) Config *c = load();

                assert_int_equal(c->n_engines, 0);
                assert_true(n_warnings(c) > 0);
                expect_warning(
                        c, n_warnings(c) - 1, "/engines.d/my.conf: ", "this makes no engine");
                for (size_t w = 0; w < n_warnings(c); w++)
                        assert_null(strstr(c->warnings[w], "SECRET"));
        }
        write_text(2, "engines.d/good.conf", "[Engine]\nType=ollama\n");
        _cleanup_(config_freep) Config *c = load();

        assert_int_equal(c->n_engines, 2);
}

static void test_engine_names(void **state)
{
        char name[100] = "engines.d/";

        memset(name + 10, 'x', 65);
        (void) strcpy(name + 75, ".conf");
        write_text(2, name, "[Engine]\nType=builtin\n");
        write_text(2, "engines.d/with space.conf", "[Engine]\nType=builtin\n");
        write_text(2, "engines.d/-x.conf", "[Engine]\nType=builtin\n");
        {
                _cleanup_(config_freep) Config *c = load();

                assert_int_equal(c->n_engines, 0);
                assert_int_equal(n_warnings(c), 3);
                expect_warning(c, 1, "with space.conf: ", "An engine's name");
        }
        (void) strcpy(name + 74, ".conf");
        write_text(2, name, "[Engine]\nType=builtin\n");
        _cleanup_(config_freep) Config *c = load();

        assert_non_null(find_engine(c, strndupa(name + 10, 64)));
}

static void test_number_of_engines(void **state)
{
        for (unsigned i = 0; i < CONFIG_ENGINES_MAX; i++) {
                char name[40];

                (void) snprintf(name, sizeof name, "engines.d/e%02u.conf", i);
                write_text(2, name, "[Engine]\nType=ollama\n");
        }
        {
                _cleanup_(config_freep) Config *c = load();

                assert_int_equal(c->n_engines, CONFIG_ENGINES_MAX + 1); /* and the built-in one */
                assert_int_equal(n_warnings(c), 0);
        }
        write_text(2, "engines.d/more.conf", "[Engine]\nType=ollama\n");
        _cleanup_(config_freep) Config *c = load();

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
                write_text(2, "engines.d/my.conf", text.data);
                _cleanup_(config_freep) Config *c = load();

                assert_int_equal(find_engine(c, "my")->n_models, CONFIG_MODELS_MAX);
                assert_int_equal(n_warnings(c), extra);
        }
}

/* ---- found engines ---- */

static void expect_engines(const char *const *wanted)
{
        _cleanup_(config_freep) Config *c = load();
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
                _cleanup_(config_freep) Config *c = load();

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
                _cleanup_(config_freep) Config *c = load();

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
        _cleanup_(config_freep) Config *c = load();

        assert_int_equal(n_warnings(c), 2);
        expect_warning(c, 0, "$OLLAMA_HOST: ", "no address");
        expect_warning(c, 1, "$OPENAI_BASE_URL: ", "no http");
}

static void test_any_file_ends_finding(void **state)
{
        write_text(0, "engines.d/my.conf", "[Engine]\nType=ollama\nUrl=http://box:1\n");
        _cleanup_(config_freep) Config *c = load();

        assert_int_equal(c->n_engines, 2);
        assert_false(find_engine(c, "my")->found);
        assert_true(find_engine(c, "builtin")->found);
}

static void test_masks_hide_found_ones(void **state)
{
        write_text(0, "engines.d/ollama.conf", "[Engine]\nType=ollama\nUrl=http://box:1\n");
        write_text(2, "engines.d/ollama.conf", "");
        EXPECT_ENGINES("llama-server", "builtin");
        write_text(2, "engines.d/builtin.conf", "");
        EXPECT_ENGINES("llama-server");
        write_text(2, "engines.d/llama-server.conf", "");
        _cleanup_(config_freep) Config *c = load();

        assert_int_equal(c->n_engines, 0);
}

/* ---- what the machine does not let us read ---- */

static void test_part_of_a_folder(void **state)
{
        write_text(2, "engines.d/one.conf", "[Engine]\nType=builtin\n");
        write_text(2, "engines.d/two.conf", "[Engine]\nType=builtin\n");
        /* A folder has "." and ".." too, and then says that it ends. */
        for (unsigned n = 0; n < 7; n++) {
                _cleanup_(config_freep) Config *c = NULL;

                entries = n;
                c = load();
                if (n > 4) {
                        assert_null(c->unread);
                        assert_int_equal(n_warnings(c), 0);
                        assert_int_equal(c->n_engines, 3);
                        continue;
                }
                assert_non_null(
                        strstr(c->unread, "/engines.d cannot be read: Input/output error."));
                expect_warning(c, 0, "/engines.d", "Cannot be read: Input/output error.");
        }
        entries = UINT_MAX;
}

static void test_no_descriptors(void **state)
{
        struct rlimit had, none;

        write_text(2, "conductor.conf", "");
        write_text(2, "conductor.conf.d/x.conf", "[Service]\nTrashKeepDays=0\n");
        write_text(2, "engines.d/builtin.conf", "[Engine]\nType=builtin\n");
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &had), 0);
        none = (struct rlimit){ .rlim_max = had.rlim_max };
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
        _cleanup_(config_freep) Config *c = load();

        assert_int_equal(setrlimit(RLIMIT_NOFILE, &had), 0);
        assert_non_null(
                strstr(c->unread, "/conductor.conf.d cannot be read: Too many open files."));
        expect_warning(c, 0, "/conductor.conf.d", "Cannot be read: Too many open files.");
}

/* Of that the file itself is the reason: it is as it will be the next time. */
static void test_unreadable_by_its_own_fault(void **state)
{
        _cleanup_free_ char *loop = path_of(2, "engines.d/loop.conf");

        assert_int_equal(symlink("loop.conf", loop), 0);
        _cleanup_(config_freep) Config *c = load();

        assert_null(c->unread);
        expect_warning(c, 0, "/loop.conf", "Cannot be read, ignoring it");
}

/* ---- watching ---- */

static void test_watched_folders(void **state)
{
        _cleanup_(strv_freep) char **list = NULL;
        _cleanup_free_ char *wanted = NULL;
        struct stat st;

        (void) setenv("XDG_CONFIG_HOME", top, 1);
        assert_int_equal(config_watched_folders(&list), 0);
        assert_true(asprintf(&wanted, "%s/conductor", top) > 0);
        assert_string_equal(list[0], wanted);
        assert_int_equal(stat(wanted, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0700);
        assert_non_null(strstr(list[1], "/conductor/conductor.conf.d"));
        assert_non_null(strstr(list[2], "/conductor/engines.d"));
        for (size_t i = 0; list[i]; i++)
                assert_int_equal(stat(list[i], &st), 0);
        (void) unsetenv("XDG_CONFIG_HOME");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(test_defaults),
                TEST(test_settings),
                TEST(test_later_folder_replaces_and_dropins_add),
                TEST(test_mask_of_the_main_file),
                TEST(test_empty_value_is_the_default),
                TEST(test_bad_settings),
                TEST(test_file_sizes),
                TEST(test_what_is_no_file),
                TEST(test_writable_by_others),
                TEST(test_folder_writable_by_others),
                TEST(test_of_another_user),
                TEST(test_warnings_have_a_limit),
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
                TEST(test_part_of_a_folder),
                TEST(test_no_descriptors),
                TEST(test_unreadable_by_its_own_fault),
                TEST(test_watched_folders),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
