/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/torture/wrap.h"

#include <curl/curl.h>
#include <gcrypt.h>
#include <json-c/json.h>
#include <stdarg.h>

/* ---- json-c ---- */

#define JSON(type, name, parameters, arguments) \
        WRAP(KIND_JSON, type, name, NULL, parameters, arguments)

JSON(struct json_tokener *, json_tokener_new_ex, (int depth), (depth))
JSON(struct json_object *, json_tokener_parse, (const char *text), (text))
JSON(struct json_object *, json_tokener_parse_ex,
        (struct json_tokener * t, const char *text, int size), (t, text, size))
JSON(const char *, json_object_to_json_string_ext, (struct json_object * o, int flags), (o, flags))
JSON(const char *, json_object_to_json_string_length,
        (struct json_object * o, int flags, size_t *size), (o, flags, size))

#define JSON_NEW(name, parameters, arguments) \
        JSON(struct json_object *, name, parameters, arguments)

JSON_NEW(json_object_new_object, (void), ())
JSON_NEW(json_object_new_array, (void), ())
JSON_NEW(json_object_new_boolean, (json_bool b), (b))
JSON_NEW(json_object_new_double, (double n), (n))
JSON_NEW(json_object_new_int, (int32_t n), (n))
JSON_NEW(json_object_new_int64, (int64_t n), (n))
JSON_NEW(json_object_new_uint64, (uint64_t n), (n))
JSON_NEW(json_object_new_string, (const char *text), (text))
JSON_NEW(json_object_new_string_len, (const char *text, int size), (text, size))
WRAP(KIND_JSON, int, json_object_object_add, -1,
        (struct json_object * o, const char *key, struct json_object *value), (o, key, value))
WRAP(KIND_JSON, int, json_object_array_add, -1, (struct json_object * o, struct json_object *value),
        (o, value))

/* ---- libcurl ---- */

/* The headers have macros of these names, which check types. */
#undef curl_easy_setopt
#undef curl_multi_setopt

#define CURL_CALL(type, name, returns, parameters, arguments) \
        WRAP(KIND_CURL, type, name, returns, parameters, arguments)

CURL_CALL(CURLcode, curl_global_init_mem, CURLE_OUT_OF_MEMORY,
        (long flags, curl_malloc_callback m, curl_free_callback f, curl_realloc_callback r,
                curl_strdup_callback s, curl_calloc_callback c),
        (flags, m, f, r, s, c))
CURL_CALL(CURL *, curl_easy_init, NULL, (void), ())
CURL_CALL(CURLM *, curl_multi_init, NULL, (void), ())
CURL_CALL(CURLMcode, curl_multi_add_handle, CURLM_OUT_OF_MEMORY, (CURLM * m, CURL *e), (m, e))
CURL_CALL(CURLMcode, curl_multi_socket_action, CURLM_OUT_OF_MEMORY,
        (CURLM * m, curl_socket_t fd, int events, int *running), (m, fd, events, running))
CURL_CALL(CURLcode, curl_easy_pause, CURLE_OUT_OF_MEMORY, (CURL * e, int what), (e, what))
CURL_CALL(struct curl_slist *, curl_slist_append, NULL, (struct curl_slist * l, const char *s),
        (l, s))

/* Each option's value is as wide as a pointer where this is built. */
static_assert(sizeof(long) == sizeof(void *) && sizeof(curl_off_t) == sizeof(void *),
        "options are passed on as pointers");

CURLcode __real_curl_easy_setopt(CURL *e, CURLoption option, ...);
CURLcode __wrap_curl_easy_setopt(CURL *e, CURLoption option, ...);
CURLcode __wrap_curl_easy_setopt(CURL *e, CURLoption option, ...)
{
        va_list ap;
        void *value;

        if (point_fails(KIND_CURL, "curl_easy_setopt"))
                return CURLE_OUT_OF_MEMORY;
        va_start(ap, option);
        value = va_arg(ap, void *);
        va_end(ap);
        return __real_curl_easy_setopt(e, option, value);
}

CURLMcode __real_curl_multi_setopt(CURLM *m, CURLMoption option, ...);
CURLMcode __wrap_curl_multi_setopt(CURLM *m, CURLMoption option, ...);
CURLMcode __wrap_curl_multi_setopt(CURLM *m, CURLMoption option, ...)
{
        va_list ap;
        void *value;

        if (point_fails(KIND_CURL, "curl_multi_setopt"))
                return CURLM_OUT_OF_MEMORY;
        va_start(ap, option);
        value = va_arg(ap, void *);
        va_end(ap);
        return __real_curl_multi_setopt(m, option, value);
}

/* ---- libgcrypt ---- */

#define CRYPTO(name, parameters, arguments) \
        WRAP(KIND_CRYPTO, gcry_error_t, name, gcry_error(GPG_ERR_ENOMEM), parameters, arguments)

WRAP(KIND_CRYPTO, const char *, gcry_check_version, NULL, (const char *version), (version))
CRYPTO(gcry_mpi_scan,
        (gcry_mpi_t * ret, enum gcry_mpi_format format, const void *data, size_t size,
                size_t *ret_size),
        (ret, format, data, size, ret_size))
CRYPTO(gcry_mpi_print,
        (enum gcry_mpi_format format, unsigned char *room, size_t size, size_t *ret_size,
                const gcry_mpi_t n),
        (format, room, size, ret_size, n))
CRYPTO(gcry_md_hash_buffers,
        (int algorithm, unsigned flags, void *ret, const gcry_buffer_t *parts, int n),
        (algorithm, flags, ret, parts, n))
CRYPTO(gcry_cipher_open, (gcry_cipher_hd_t * ret, int algorithm, int mode, unsigned flags),
        (ret, algorithm, mode, flags))
CRYPTO(gcry_cipher_setkey, (gcry_cipher_hd_t c, const void *key, size_t size), (c, key, size))
CRYPTO(gcry_cipher_setiv, (gcry_cipher_hd_t c, const void *iv, size_t size), (c, iv, size))
CRYPTO(gcry_cipher_encrypt,
        (gcry_cipher_hd_t c, void *out, size_t out_size, const void *in, size_t size),
        (c, out, out_size, in, size))
CRYPTO(gcry_cipher_decrypt,
        (gcry_cipher_hd_t c, void *out, size_t out_size, const void *in, size_t size),
        (c, out, out_size, in, size))
