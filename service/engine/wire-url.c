/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/engine/wire.h"

/* The url without trailing slashes and without what people paste along: the path of a chat. */
static size_t base_length(const char *url, const char *chat_path)
{
        size_t n = strlen(url), m = strlen(chat_path);

        while (n > 0 && url[n - 1] == '/')
                n--;
        if (n > m && strncmp(url + n - m, chat_path, m) == 0)
                n -= m;
        return n;
}

/* Does the path have a part such as "v1" or "v1beta"? Then the version is said already. */
static bool has_version(const char *url, size_t n)
{
        const char *p = strstr(url, "://"), *end = url + n;

        p = memchr(p ? p + 3 : url, '/', end - (p ? p + 3 : url));
        while (p && p + 2 < end) {
                if (p[1] == 'v' && p[2] >= '0' && p[2] <= '9')
                        return true;
                p = memchr(p + 1, '/', end - p - 1);
        }
        return false;
}

static int compose(
        const char *url, const char *chat_path, bool versioned, const char *path, char **ret)
{
        size_t n = base_length(url, chat_path);

        if (asprintf(ret, "%.*s%s%s", (int) n, url, versioned && !has_version(url, n) ? "/v1" : "",
                    path) < 0)
                return -ENOMEM;
        return 0;
}

static int wire_url(EngineType type, const char *url, bool models, char **ret)
{
        switch (type) {
        case ENGINE_OLLAMA:
                return compose(url, "/api/chat", false, models ? "/api/tags" : "/api/chat", ret);
        case ENGINE_OPENAI:
                return compose(url, "/chat/completions", true,
                        models ? "/models" : "/chat/completions", ret);
        case ENGINE_ANTHROPIC:
                return compose(
                        url, "/messages", true, models ? "/models?limit=1000" : "/messages", ret);
        case ENGINE_BUILTIN:
        case _ENGINE_TYPE_MAX:
        case _ENGINE_TYPE_INVALID:
                break;
        }
        return -EINVAL;
}

int wire_chat_url(EngineType type, const char *url, char **ret)
{
        return wire_url(type, url, false, ret);
}

int wire_models_url(EngineType type, const char *url, char **ret)
{
        return wire_url(type, url, true, ret);
}
