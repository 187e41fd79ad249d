/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>

#include "common/parse.h"
#include "service/config/config-internal.h"

bool config_is_masked(const ConfigFiles *files, const char *engine)
{
        for (size_t i = 0; i < files->n; i++) {
                const char *rest = startswith(files->files[i].name, engine);

                if (rest && streq(rest, ".conf") && files->files[i].masked)
                        return true;
        }
        return false;
}

/* ---- $OLLAMA_HOST ---- */

typedef struct HostPort {
        char host[256];
        uint64_t port;
} HostPort;

static uint64_t read_port(const char *text, size_t size, uint64_t default_port)
{
        char digits[8];
        uint64_t port;

        if (size >= sizeof digits)
                return default_port;
        memcpy(digits, text, size);
        digits[size] = 0;
        return parse_u64(digits, &port) >= 0 && port >= 1 && port <= UINT16_MAX ? port
                                                                                : default_port;
}

/* host, host:port, :port, [v6], [v6]:port, v6. A port that is none is the default one. */
static int split_host_port(const char *text, size_t size, uint64_t default_port, HostPort *ret)
{
        const char *colon = memrchr(text, ':', size);
        struct in6_addr six;

        ret->port = default_port;
        if (size >= sizeof ret->host)
                return -EINVAL;
        memcpy(ret->host, text, size);
        ret->host[size] = 0;

        if (!colon || text[size - 1] == ']' || inet_pton(AF_INET6, ret->host, &six) == 1)
                return 0;
        ret->host[colon - text] = 0;
        ret->port = read_port(colon + 1, (size_t) (text + size - colon) - 1, default_port);
        return 0;
}

/* Addresses that a server listens on but that nobody can connect to, and missing brackets. */
static const char *connectable(const char *host, char *bracketed, size_t size)
{
        struct in6_addr six;

        if (isempty(host) || streq(host, "0.0.0.0"))
                return "127.0.0.1";
        if (streq(host, "::") || streq(host, "[::]"))
                return "[::1]";
        if (inet_pton(AF_INET6, host, &six) == 1) {
                (void) snprintf(bracketed, size, "[%s]", host);
                return bracketed;
        }
        return host;
}

static int compose(
        const char *scheme, const HostPort *hp, const char *path, size_t size, char **ret)
{
        char bracketed[sizeof hp->host + 2];
        _cleanup_free_ char *url = NULL;

        if (asprintf(&url, "%s://%s:%u%.*s", scheme,
                    connectable(hp->host, bracketed, sizeof bracketed), (unsigned) hp->port,
                    (int) size, path) < 0) {
                url = NULL;
                return -ENOMEM;
        }
        return config_url_normalize(url, ret);
}

int config_ollama_url(const char *host, char **ret)
{
        const char *text = strempty(host), *scheme = "http", *separator, *slash;
        size_t size, authority;
        uint64_t port = 11434;
        HostPort hp;
        int r;

        text += strspn(text, " \t\"'");
        size = strcspn(text, " \t\"'");
        separator = memmem(text, size, "://", 3);
        if (separator) {
                size_t n = separator - text;

                if (n == strlen("http") && memcmp(text, "http", n) == 0)
                        port = 80;
                else if (n == strlen("https") && memcmp(text, "https", n) == 0) {
                        scheme = "https";
                        port = 443;
                } else
                        return -EINVAL;
                size -= n + 3;
                text = separator + 3;
        }

        slash = memchr(text, '/', size);
        authority = slash ? (size_t) (slash - text) : size;
        if (memchr(text, '@', authority))
                return -EINVAL; /* what is before it would be taken for the host */
        r = split_host_port(text, authority, port, &hp);
        if (r < 0)
                return r;
        return compose(scheme, &hp, text + authority, size - authority, ret);
}

/* ---- the usual places ---- */

/* source: a variable's name, or what a person calls the place. */
static int add(EngineList *l, const char *name, EngineType type, const char *url,
        const char *source, const char *key_environment)
{
        EngineConfig e;
        int r;

        r = engine_config_init(&e, name, type, url, source);
        if (r >= 0)
                r = free_and_strdup(&e.key_environment, key_environment);
        if (r < 0) {
                engine_config_done(&e);
                return r;
        }
        e.found = true;
        engine_config_complete(&e);
        return engine_list_add(l, &e);
}

static int find_ollama(EngineList *l, ConfigWarnings *warnings)
{
        const char *host = getenv("OLLAMA_HOST");
        _cleanup_free_ char *url = NULL;
        int r;

        r = config_ollama_url(host, &url);
        if (r == -EINVAL)
                return config_warn(warnings, "$OLLAMA_HOST", 0,
                        "Is no address of an Ollama server, ignoring it.");
        if (r < 0)
                return r;
        return add(l, "ollama", ENGINE_OLLAMA, url, isempty(host) ? "usual place" : "$OLLAMA_HOST",
                "");
}

static int find_openai(EngineList *l, ConfigWarnings *warnings)
{
        const char *base = getenv("OPENAI_BASE_URL"), *key = getenv("OPENAI_API_KEY");
        _cleanup_free_ char *url = NULL;
        int r;

        if (isempty(base) && isempty(key))
                return 0;
        r = config_url_normalize(
                isempty(base) ? engine_type_default_url(ENGINE_OPENAI) : base, &url);
        if (r == -EINVAL)
                return config_warn(warnings, "$OPENAI_BASE_URL", 0,
                        "Is no http:// or https:// address without a password, ignoring it.");
        if (r < 0)
                return r;
        return add(l, "openai", ENGINE_OPENAI, url,
                isempty(base) ? "$OPENAI_API_KEY" : "$OPENAI_BASE_URL", "OPENAI_API_KEY");
}

int config_find_engines(EngineList *l, const ConfigFiles *masks, ConfigWarnings *warnings)
{
        int r = 0;

        if (!config_is_masked(masks, "ollama"))
                r = find_ollama(l, warnings);
        if (r >= 0 && !config_is_masked(masks, "llama-server"))
                r = add(l, "llama-server", ENGINE_OPENAI, "http://127.0.0.1:8080", "usual place",
                        "");
        if (r >= 0 && !config_is_masked(masks, "openai"))
                r = find_openai(l, warnings);
        if (r >= 0 && !config_is_masked(masks, "anthropic") &&
                !isempty(getenv("ANTHROPIC_API_KEY")))
                r = add(l, "anthropic", ENGINE_ANTHROPIC, engine_type_default_url(ENGINE_ANTHROPIC),
                        "$ANTHROPIC_API_KEY", "ANTHROPIC_API_KEY");
        return r;
}
