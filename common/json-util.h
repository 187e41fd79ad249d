/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* json-c with ownership by scope, typed reading, and a writer that builds text directly. */

#include <json-c/json.h>

#include "common/buffer.h"

#define JSON_DEPTH_MAX 64
/* Objects and arrays. An empty object takes json-c 760 bytes: without a limit, 8 MiB of them are
 * 2 GiB of memory. A server's list of some thousand models is far below. */
#define JSON_CONTAINERS_MAX 65536U

DEFINE_CLEANUP(struct json_object *, json_object_put)
#define json_putp json_object_putp

DEFINE_CLEANUP(struct json_tokener *, json_tokener_free)

/* The whole input is one JSON value with nothing but white space after it, in valid UTF-8 and at
 * most JSON_DEPTH_MAX deep, with at most JSON_CONTAINERS_MAX objects and arrays; else -EBADMSG.
 * *ret is NULL for `null`. */
int json_parse(const char *data, size_t size, struct json_object **ret);

/* The same with a tokener that is used again for many values (json_tokener_new_ex(JSON_DEPTH_MAX)),
 * and bytes in strings as they come, UTF-8 or not: a server may cut a character in two, so that
 * only the joined text of many values can be judged, by utf8_repair(). */
int json_parse_with(
        struct json_tokener *t, const char *data, size_t size, struct json_object **ret);

/* A member of an object: -ENOENT when o is no object or the member is missing or null, -EINVAL when
 * it has another type. What comes back is borrowed from o. */
int json_get_string(struct json_object *o, const char *key, const char **ret, size_t *ret_size);
/* Numbers from 0 on; a fraction is cut off, -ERANGE over UINT64_MAX or below 0. */
int json_get_u64(struct json_object *o, const char *key, uint64_t *ret);
int json_get_double(struct json_object *o, const char *key, double *ret);
int json_get_bool(struct json_object *o, const char *key, bool *ret);
int json_get_object(struct json_object *o, const char *key, struct json_object **ret);
int json_get_array(struct json_object *o, const char *key, struct json_object **ret);

/* Appends "text" with quotes and escapes. text is valid UTF-8 and stays so; what a terminal would
 * take for a control character is escaped. */
int json_append_string(Buffer *b, const char *text, size_t size);
/* The same without the quotes: a piece of a string. On failure some of it may be there. */
int json_append_escaped(Buffer *b, const char *text, size_t size);
/* How many bytes that appends. */
size_t json_escaped_size(const char *text, size_t size);
