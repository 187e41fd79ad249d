/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <time.h>

#include "common/utf8.h"
#include "service/engine/wire-private.h"

#define MODELS_MAX       4096
#define CAPABILITIES_MAX 32

static void strings_free(char **list)
{
        for (char **s = list; s && *s; s++)
                free(*s);
        free(list);
}

static void model_done(WireModel *m)
{
        free(m->name);
        strings_free(m->capabilities);
}

void wire_models_free(WireModel *m, size_t n)
{
        for (size_t i = 0; i < n; i++)
                model_done(&m[i]);
        free(m);
}

/* Of Greenwich, as timegm() has it, which reads the file of the local time zone. */
static int64_t seconds_since_1970(const struct tm *tm)
{
        /* Years begin with March here, so that the day that is not in each of them is the last. */
        int64_t month = (tm->tm_mon + 10) % 12, year = tm->tm_year + INT64_C(1900) - month / 10;
        int64_t days = year * 365 + year / 4 - year / 100 + year / 400;

        days += (month * 153 + 2) / 5 + tm->tm_mday - 1 - INT64_C(719468);
        return ((days * 24 + tm->tm_hour) * 60 + tm->tm_min) * 60 + tm->tm_sec;
}

/* "2026-11-21T02:31:46.300722553Z", or with an offset; 0 when it is no time. */
static usec_t parse_time(const char *text)
{
        struct tm tm = { 0 };
        unsigned hours, minutes;
        const char *p;
        int64_t t;

        p = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
        if (!p)
                return 0;
        if (*p == '.')
                p += 1 + strspn(p + 1, "0123456789");
        t = seconds_since_1970(&tm);
        if ((*p == '+' || *p == '-') && sscanf(p + 1, "%2u:%2u", &hours, &minutes) == 2)
                t += (*p == '+' ? -1 : 1) * (int64_t) (hours * 3600 + minutes * 60);
        return t > 0 ? (usec_t) t * USEC_PER_SEC : 0;
}

static void read_time(struct json_object *o, const char *key, usec_t *ret)
{
        const char *text;
        uint64_t seconds;

        if (json_get_string(o, key, &text, NULL) >= 0)
                *ret = parse_time(text);
        else if (json_get_u64(o, key, &seconds) >= 0 && seconds < USEC_INFINITY / USEC_PER_SEC)
                *ret = seconds * USEC_PER_SEC;
}

static bool is_usable_name(const char *name, size_t size)
{
        return size > 0 && size <= MODEL_NAME_MAX && utf8_is_clean_line(name, size);
}

static int read_capabilities(struct json_object *o, char ***ret)
{
        struct json_object *array;
        size_t n, k = 0;
        char **list;

        if (json_get_array(o, "capabilities", &array) < 0)
                return 0;

        n = MIN(json_object_array_length(array), (size_t) CAPABILITIES_MAX);
        list = calloc(n + 1, sizeof *list);
        if (!list)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                struct json_object *item = json_object_array_get_idx(array, i);
                const char *name = json_object_get_string(item);

                if (!json_object_is_type(item, json_type_string) ||
                        !is_usable_name(name, json_object_get_string_len(item)))
                        continue;
                list[k] = strdup(name);
                if (!list[k]) {
                        strings_free(list);
                        return -ENOMEM;
                }
                k++;
        }
        strings_free(*ret);
        *ret = list;
        return 0;
}

/* A server that says nothing of capabilities may chat. */
static bool can_chat(const WireModel *m)
{
        static const char *const others[] = { "embed", "whisper", "tts-", "dall-e", "moderation",
                "rerank", "transcribe" };

        if (m->capabilities) {
                for (char **c = m->capabilities; *c; c++)
                        if (streq(*c, "completion") || streq(*c, "chat"))
                                return true;
                return false;
        }
        for (size_t i = 0; i < ELEMENTSOF(others); i++)
                if (strcasestr(m->name, others[i]))
                        return false;
        return true;
}

static void read_first_u64(struct json_object *o, const char *const *keys, size_t n, uint64_t *ret)
{
        for (size_t i = 0; i < n; i++)
                if (json_get_u64(o, keys[i], ret) >= 0 && *ret > 0)
                        return;
}

static void read_ollama(struct json_object *o, WireModel *m)
{
        struct json_object *details;

        (void) json_get_u64(o, "size", &m->size);
        read_time(o, "modified_at", &m->modified);
        if (json_get_object(o, "details", &details) >= 0)
                (void) json_get_u64(details, "context_length", &m->context_size);
}

/* The context's size has a name of its own with each server: vLLM, OpenRouter, llama-server. */
static void read_openai(struct json_object *o, WireModel *m)
{
        static const char *const sizes[] = { "max_model_len", "context_length", "context_window" };
        static const char *const meta_sizes[] = { "n_ctx", "n_ctx_train" };
        struct json_object *meta, *status;
        const char *word;

        read_first_u64(o, sizes, ELEMENTSOF(sizes), &m->context_size);
        if (json_get_object(o, "meta", &meta) >= 0) {
                read_first_u64(meta, meta_sizes, ELEMENTSOF(meta_sizes), &m->context_size);
                (void) json_get_u64(meta, "size", &m->size);
        }
        read_time(o, "created", &m->modified);
        read_time(o, "created_at", &m->modified);

        if (json_get_object(o, "status", &status) >= 0)
                m->loaded = json_get_string(status, "value", &word, NULL) >= 0 &&
                        streq(word, "loaded");
        else
                m->loaded = json_get_string(o, "owned_by", &word, NULL) >= 0 &&
                        streq(word, "llamacpp");
}

/* 0 = left out, 1 = read. */
static int read_model(EngineType type, struct json_object *o, WireModel *ret)
{
        WireModel m = { 0 };
        const char *name;
        size_t size;
        int r;

        if (json_get_string(o, type == ENGINE_OLLAMA ? "name" : "id", &name, &size) < 0 ||
                !is_usable_name(name, size))
                return 0;

        m.name = strdup(name);
        r = m.name ? read_capabilities(o, &m.capabilities) : -ENOMEM;
        if (r < 0) {
                model_done(&m);
                return r;
        }
        if (type == ENGINE_OLLAMA)
                read_ollama(o, &m);
        else
                read_openai(o, &m);
        m.chat = can_chat(&m);
        *ret = m;
        return 1;
}

int wire_parse_models(EngineType type, const char *body, size_t size, WireModel **ret,
        size_t *ret_n, Failure *failure)
{
        _cleanup_(json_putp) struct json_object *o = NULL;
        struct json_object *array = NULL;
        WireModel *models;
        size_t n, k = 0;
        int r = 0;

        if (json_parse(body, size, &o) < 0)
                return failure_set(failure, FAILURE_ENGINE_FAILED,
                        "the engine's list of models is no JSON. Check its Type= and Url=.");
        if (json_object_is_type(o, json_type_array))
                array = o;
        else if (json_get_array(o, type == ENGINE_OLLAMA ? "models" : "data", &array) < 0 &&
                (type == ENGINE_OLLAMA || !json_object_object_get_ex(o, "data", NULL)))
                return failure_set(failure, FAILURE_ENGINE_FAILED,
                        "the engine's list of models is not understood. Check its Type= and Url=.");

        n = array ? MIN(json_object_array_length(array), (size_t) MODELS_MAX) : 0;
        models = calloc(n + 1, sizeof *models);
        if (!models)
                return failure_set(failure, FAILURE_NO_MEMORY, NULL);
        for (size_t i = 0; i < n; i++) {
                r = read_model(type, json_object_array_get_idx(array, i), &models[k]);
                if (r < 0) {
                        wire_models_free(models, k);
                        return failure_set(failure, FAILURE_NO_MEMORY, NULL);
                }
                k += r;
        }
        *ret = models;
        *ret_n = k;
        return 0;
}

static int compare_names(const void *a, const void *b)
{
        const WireModel *const *x = a, *const *y = b;

        return strcmp((*x)->name, (*y)->name);
}

/* Sorted, as each list may have thousands of names, and names may differ in their last bytes only:
 * comparing each with each would hold the loop for a tenth of a second. */
static int sort_models(WireModel *models, size_t n, WireModel ***ret)
{
        WireModel **sorted = calloc(n + 1, sizeof *sorted);

        if (!sorted)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++)
                sorted[i] = models + i;
        qsort(sorted, n, sizeof *sorted, compare_names);
        *ret = sorted;
        return 0;
}

/* The first one of this name, or NULL. */
static WireModel *find_model(WireModel *const *sorted, size_t n, const char *name)
{
        size_t low = 0, high = n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (strcmp(sorted[middle]->name, name) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low < n && streq(sorted[low]->name, name) ? sorted[low] : NULL;
}

int wire_parse_loaded(const char *body, size_t size, WireModel *models, size_t n)
{
        _cleanup_(json_putp) struct json_object *o = NULL;
        _cleanup_free_ WireModel **sorted = NULL;
        struct json_object *array;
        size_t n_loaded;
        int r;

        r = json_parse(body, size, &o);
        if (r < 0)
                return r;
        if (json_get_array(o, "models", &array) < 0)
                return -EBADMSG;
        r = sort_models(models, n, &sorted);
        if (r < 0)
                return r;

        for (size_t k = 0; k < n; k++)
                models[k].loaded = false;
        n_loaded = MIN(json_object_array_length(array), (size_t) MODELS_MAX);
        for (size_t i = 0; i < n_loaded; i++) {
                struct json_object *item = json_object_array_get_idx(array, i);
                WireModel *m;
                const char *name;

                if (json_get_string(item, "name", &name, NULL) < 0)
                        continue;
                m = find_model(sorted, n, name);
                if (!m)
                        continue;
                m->loaded = true;
                (void) json_get_u64(item, "context_length", &m->context_size);
        }
        /* A name that a list has several times is one model. */
        for (size_t k = 1; k < n; k++)
                if (sorted[k - 1]->loaded && streq(sorted[k]->name, sorted[k - 1]->name)) {
                        sorted[k]->loaded = true;
                        sorted[k]->context_size = sorted[k - 1]->context_size;
                }
        return 0;
}

/* "num_ctx    512" in a line of the parameters: what the model is loaded with. Neither sscanf() nor
 * strstr(): they may look for the whole text's end with each line. */
static void read_parameter(struct json_object *o, uint64_t *ret)
{
        const char *text, *end;
        size_t size;

        if (json_get_string(o, "parameters", &text, &size) < 0)
                return;
        end = text + size;
        for (const char *line = text, *next; line; line = next ? next + 1 : NULL) {
                const char *value = startswith(line, "num_ctx");
                unsigned long long n = value ? strtoull(value, NULL, 10) : 0;

                if (n > 0 && n <= UINT32_MAX)
                        *ret = n;
                next = memchr(line, '\n', end - line);
        }
}

int wire_parse_show(const char *body, size_t size, WireModel *model)
{
        _cleanup_(json_putp) struct json_object *o = NULL;
        struct json_object *info;
        int r;

        r = json_parse(body, size, &o);
        if (r < 0)
                return r;
        if (!json_object_is_type(o, json_type_object))
                return -EBADMSG;

        r = read_capabilities(o, &model->capabilities);
        if (r < 0)
                return r;
        if (json_get_object(o, "model_info", &info) >= 0) {
                json_object_object_foreach(info, key, value)
                {
                        size_t n = strlen(key), m = strlen(".context_length");

                        if (value && n > m && streq(key + n - m, ".context_length"))
                                (void) json_get_u64(info, key, &model->context_size);
                }
        }
        read_parameter(o, &model->context_size);
        model->chat = can_chat(model);
        return 0;
}
