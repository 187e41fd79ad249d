/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <limits.h>

#include "common/parse.h"
#include "common/utf8.h"
#include "service/config/config-internal.h"

#define ENGINE_NAME_MAX 64
#define UNIT_NAME_MAX   255

#define CONNECT_TIMEOUT           (10 * USEC_PER_SEC)
#define FIRST_BYTE_TIMEOUT_REMOTE (600 * USEC_PER_SEC)
#define STALL_TIMEOUT             (300 * USEC_PER_SEC)
#define CONCURRENT_UNSET          UINT_MAX
#define CONCURRENT_LOCAL          4
#define CONCURRENT_REMOTE         16

static const struct {
        const char *name, *url;
} types[_ENGINE_TYPE_MAX] = {
        [ENGINE_OLLAMA] = { "ollama", "http://127.0.0.1:11434" },
        [ENGINE_OPENAI] = { "openai", "https://api.openai.com/v1" },
        [ENGINE_ANTHROPIC] = { "anthropic", "https://api.anthropic.com" },
        [ENGINE_BUILTIN] = { "builtin", "" },
};

const char *engine_type_to_string(EngineType t)
{
        assert(t >= 0 && t < _ENGINE_TYPE_MAX);
        return types[t].name;
}

static EngineType engine_type_from_string(const char *s)
{
        for (EngineType t = 0; t < _ENGINE_TYPE_MAX; t++)
                if (streq_ptr(types[t].name, s))
                        return t;
        return _ENGINE_TYPE_INVALID;
}

const char *engine_type_default_url(EngineType t)
{
        assert(t >= 0 && t < _ENGINE_TYPE_MAX);
        return types[t].url;
}

/* ---- one engine ---- */

int engine_config_init(
        EngineConfig *e, const char *name, EngineType type, const char *url, const char *source)
{
        char **const empty[] = { &e->keep_alive, &e->unit, &e->key_credential, &e->key_secret,
                &e->key_file, &e->key_environment, &e->ca_file, &e->proxy };
        int r;

        *e = (EngineConfig){ .type = type, .max_concurrent = CONCURRENT_UNSET };
        r = free_and_strdup(&e->name, name);
        if (r >= 0)
                r = free_and_strdup(&e->url, url);
        if (r >= 0)
                r = free_and_strdup(&e->source, source);
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(empty); i++)
                r = free_and_strdup(empty[i], "");
        return r;
}

static void clear_models(EngineConfig *e)
{
        for (size_t i = 0; i < e->n_models; i++) {
                free(e->models[i].alias);
                free(e->models[i].model);
        }
        e->models = mfree(e->models);
        e->n_models = 0;
}

void engine_config_done(EngineConfig *e)
{
        free(e->name);
        free(e->url);
        free(e->keep_alive);
        free(e->unit);
        free(e->key_credential);
        free(e->key_secret);
        free(e->key_file);
        free(e->key_environment);
        free(e->ca_file);
        free(e->proxy);
        free(e->source);
        clear_models(e);
        *e = (EngineConfig){ 0 };
}

void engine_config_complete(EngineConfig *e)
{
        bool local = config_url_is_local(e->url);

        if (e->connect_timeout == 0)
                e->connect_timeout = CONNECT_TIMEOUT;
        if (e->first_byte_timeout == 0)
                e->first_byte_timeout = local ? USEC_INFINITY : FIRST_BYTE_TIMEOUT_REMOTE;
        if (e->stall_timeout == 0)
                e->stall_timeout = STALL_TIMEOUT;
        if (e->max_concurrent != CONCURRENT_UNSET)
                return;
        switch (e->type) {
        case ENGINE_OLLAMA:
                e->max_concurrent = 1;
                break;
        case ENGINE_OPENAI:
        case ENGINE_ANTHROPIC:
                e->max_concurrent = local ? CONCURRENT_LOCAL : CONCURRENT_REMOTE;
                break;
        case ENGINE_BUILTIN:
        case _ENGINE_TYPE_MAX:
        case _ENGINE_TYPE_INVALID:
                e->max_concurrent = 0;
                break;
        }
}

void engine_list_done(EngineList *l)
{
        for (size_t i = 0; i < l->n; i++)
                engine_config_done(l->engines + i);
        l->engines = mfree(l->engines);
        l->n = 0;
}

int engine_list_add(EngineList *l, EngineConfig *e)
{
        EngineConfig *engines;

        engines = realloc(l->engines, (l->n + 1) * sizeof *engines);
        if (!engines) {
                engine_config_done(e);
                return -ENOMEM;
        }
        l->engines = engines;
        l->engines[l->n++] = *e;
        *e = (EngineConfig){ 0 };
        return 0;
}

/* ---- its file ---- */

/* What a file said, before it is known whether that makes an engine. */
typedef struct EngineFile {
        EngineConfig engine;
        bool bad; /* Type= or Url= was refused */
} EngineFile;

static int read_type(const char *value, void *field)
{
        EngineType t = engine_type_from_string(value);

        if (t < 0)
                return -EINVAL;
        *(EngineType *) field = t;
        return 0;
}

static int read_concurrent(const char *value, void *field)
{
        uint64_t n = CONCURRENT_UNSET;

        if (*value && (parse_u64(value, &n) < 0 || n >= CONCURRENT_UNSET))
                return -EINVAL;
        *(unsigned *) field = (unsigned) n;
        return 0;
}

/* systemd's grammar of names, and only kinds of units behind which a server can be. A template has
 * to name its instance. */
static int read_unit(const char *value, void *field)
{
        static const char *const kinds[] = { ".service", ".socket", ".target" };
        const char *kind = strrchr(value, '.'), *at = strchr(value, '@');

        if (!*value)
                return free_and_strdup(field, value);
        if (strlen(value) > UNIT_NAME_MAX ||
                value[strspn(value,
                        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:_.\\@-")])
                return -EINVAL;
        if (!kind || kind == value || at == value || (at && at + 1 == kind))
                return -EINVAL;
        if (parse_word(kinds, ELEMENTSOF(kinds), kind) < 0)
                return -EINVAL;
        return config_read_string(value, field);
}

static int read_environment(const char *value, void *field)
{
        if (value[strspn(value,
                    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                    "0123456789_")] ||
                (*value >= '0' && *value <= '9'))
                return -EINVAL;
        return config_read_string(value, field);
}

/* A proxy's address may need a password, there is no other place for it; it is never shown. */
static int read_proxy(const char *value, void *field)
{
        static const char *const schemes[] = { "http://", "https://", "socks4://", "socks4a://",
                "socks5://", "socks5h://" };

        if (!*value || streq(value, "off"))
                return free_and_strdup(field, value);
        for (size_t i = 0; i < ELEMENTSOF(schemes); i++) {
                const char *rest = startswith(value, schemes[i]);

                if (rest && *rest && !strpbrk(rest, " \t"))
                        return config_read_string(value, field);
        }
        return -EINVAL;
}

static int add_model(EngineConfig *e, const char *word, size_t size)
{
        const char *equal = memchr(word, '=', size);
        const char *model = equal ? equal + 1 : word;
        size_t alias_size = equal ? (size_t) (equal - word) : size;
        size_t model_size = (size_t) (word + size - model);
        ModelAlias *models;
        ModelAlias m;

        if (alias_size == 0 || alias_size > MODEL_NAME_MAX || model_size == 0 ||
                model_size > MODEL_NAME_MAX || e->n_models == CONFIG_MODELS_MAX)
                return -EINVAL;
        /* "engine/model" is how a model of a certain engine is named. */
        if (equal && memchr(word, '/', alias_size))
                return -EINVAL;

        models = realloc(e->models, (e->n_models + 1) * sizeof *models);
        if (!models)
                return -ENOMEM;
        e->models = models;
        m = (ModelAlias){ strndup(word, alias_size), strndup(model, model_size) };
        if (!m.alias || !m.model) {
                free(m.alias);
                free(m.model);
                return -ENOMEM;
        }
        e->models[e->n_models++] = m;
        return 0;
}

/* Several lines add up; an empty one begins anew. A bad word leaves the good ones. */
static int read_models(const char *value, void *field)
{
        EngineConfig *e = field;
        int r, result = 0;

        if (!*value)
                clear_models(e);
        if (!utf8_is_clean_line(value, strlen(value)))
                return -EINVAL;
        for (const char *word = value + strspn(value, " "); *word; word += strspn(word, " ")) {
                size_t n = strcspn(word, " ");

                r = add_model(e, word, n);
                if (r == -ENOMEM)
                        return r;
                result = r < 0 ? r : result;
                word += n;
        }
        return result;
}

#define ENGINE(key, reader, member, expected) \
        { \
                "Engine", key, reader, offsetof(EngineConfig, member), expected \
        }

static const ConfigSetting engine_settings[] = {
        ENGINE("Type", read_type, type, "one of ollama, openai, anthropic, builtin"),
        ENGINE("Url", config_read_url, url,
                "an http:// or https:// address without user, password and query"),
        { "Engine", "Models", read_models, 0,
                "words such as fast=qwen2.5:0.5b or a model's name, at most 256" },
        ENGINE("MaxConcurrent", read_concurrent, max_concurrent, "a number, 0 = no limit"),
        ENGINE("KeepAlive", config_read_string, keep_alive, "a time as Ollama writes it"),
        ENGINE("ContextSize", config_read_number, context_size, "a number of tokens"),
        ENGINE("MaxTokens", config_read_number, max_tokens, "a number of tokens"),
        ENGINE("ConnectTimeoutSec", config_read_timeout, connect_timeout,
                "a time over 0 such as 10s, or infinity"),
        ENGINE("FirstByteTimeoutSec", config_read_timeout, first_byte_timeout,
                "a time over 0 such as 10min, or infinity"),
        ENGINE("StallTimeoutSec", config_read_timeout, stall_timeout,
                "a time over 0 such as 5min, or infinity"),
        ENGINE("Unit", read_unit, unit,
                "a .service, .socket or .target of your user manager, such as ollama.service"),
        ENGINE("KeyCredential", config_read_string, key_credential, "the name of a credential"),
        ENGINE("KeySecret", config_read_secret, key_secret,
                "attributes of a secret such as application=conductor engine=openai, at most 16"),
        ENGINE("KeyFile", config_read_path, key_file, "the absolute path of a file"),
        ENGINE("KeyEnvironment", read_environment, key_environment, "the name of a variable"),
        ENGINE("CaFile", config_read_path, ca_file, "the absolute path of a file"),
        ENGINE("Proxy", read_proxy, proxy, "off, or an http, https or socks address"),
};

static void on_refused(const char *key, void *object)
{
        EngineFile *f = object;

        f->bad = f->bad || streq(key, "Type") || streq(key, "Url");
}

/* The name is part of models' names, of messages and of paths. */
static bool name_is_valid(const char *name, size_t size)
{
        return size > 0 && size <= ENGINE_NAME_MAX && name[0] != '-' && name[0] != '_' &&
                strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") >=
                size;
}

/* 1 when the file made an engine in *ret, 0 when it did not and a warning says why. */
static int read_engine(const ConfigFile *file, EngineConfig *ret, ConfigWarnings *warnings)
{
        static const ConfigTable table = { engine_settings, ELEMENTSOF(engine_settings) };
        size_t name_size = strlen(file->name) - strlen(".conf");
        _cleanup_free_ char *name = NULL;
        EngineFile f = { 0 };
        EngineConfig *e = &f.engine;
        int r;

        static_assert(offsetof(EngineFile, engine) == 0, "the settings' offsets are in the engine");

        if (!name_is_valid(file->name, name_size))
                return config_warn(warnings, file->path, 0,
                        "An engine's name has letters, digits, '.', '_' and '-', at most %d, "
                        "ignoring it.",
                        ENGINE_NAME_MAX);
        name = strndup(file->name, name_size);
        if (!name)
                return -ENOMEM;

        r = engine_config_init(e, name, _ENGINE_TYPE_INVALID, "", file->path);
        if (r >= 0)
                r = config_read_file(file->path, &table, &f, on_refused, warnings);
        if (r >= 0 && !f.bad && e->type < 0) {
                r = config_warn(warnings, file->path, 0,
                        "[Engine] Type= is missing: this makes no engine.");
                f.bad = true;
        } else if (r >= 0 && f.bad)
                r = config_warn(
                        warnings, file->path, 0, "Type= or Url= is bad: this makes no engine.");
        if (r >= 0 && !f.bad && isempty(e->url))
                r = free_and_strdup(&e->url, engine_type_default_url(e->type));
        if (r >= 0 && !f.bad && e->type == ENGINE_BUILTIN)
                e->url[0] = 0;
        if (r < 0 || f.bad) {
                engine_config_done(e);
                return r;
        }
        engine_config_complete(e);
        *ret = *e;
        return 1;
}

static int add_builtin(EngineList *l)
{
        EngineConfig e;
        int r;

        r = engine_config_init(&e, "builtin", ENGINE_BUILTIN, "", "usual place");
        if (r < 0) {
                engine_config_done(&e);
                return r;
        }
        e.found = true;
        engine_config_complete(&e);
        return engine_list_add(l, &e);
}

int config_load_engines(char *const *folders, EngineList *ret, ConfigWarnings *warnings)
{
        _cleanup_(config_files_done) ConfigFiles files = { 0 };
        _cleanup_(engine_list_done) EngineList l = { 0 };
        bool any = false, builtin = false;
        int r;

        r = config_list_files(folders, "engines.d", CONFIG_ENGINES_MAX, warnings, &files);
        if (r < 0)
                return r;

        for (size_t i = 0; i < files.n; i++) {
                EngineConfig e;

                if (files.files[i].masked)
                        continue;
                any = true;
                r = read_engine(files.files + i, &e, warnings);
                if (r > 0)
                        r = engine_list_add(&l, &e);
                if (r < 0)
                        return r;
        }
        if (!any) {
                r = config_find_engines(&l, &files, warnings);
                if (r < 0)
                        return r;
        }

        for (size_t i = 0; i < l.n; i++)
                builtin = builtin || streq(l.engines[i].name, "builtin");
        if (!builtin && (!any || l.n > 0) && !config_is_masked(&files, "builtin")) {
                r = add_builtin(&l);
                if (r < 0)
                        return r;
        }
        *ret = l;
        l = (EngineList){ 0 };
        return 0;
}
