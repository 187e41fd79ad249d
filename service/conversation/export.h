/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A whole conversation as text, made page by page while it is read.
 *
 * jsonl is what import.h reads back. One JSON object a line; files may be joined:
 *
 *   {"type":"conversation","version":1,"id":"<32 hex digits>","title":"…","model":"…",
 *    "created":<µs>,"modified":<µs>,"head":<id>,"archived":false,"hidden":false,"system":"…"}
 *   {"type":"message","id":<id>,"parent":<id, 0 = a root>,"role":"user"|"assistant"|"system",
 *    "created":<µs>,"content":"…"}          in the order of their ids; a reply also has
 *       "reasoning":"…","reason":"stop"|… ("" = it was live), "metadata":{…}
 *   {"type":"attachment","message":<id of the line before>,"name":"…","mime":"…","data":"<base64>"}
 *   {"type":"end","messages":<how many>}    a conversation without it was cut off
 *
 * Times are CLOCK_REALTIME. A line's members that a reader does not know it ignores.
 *
 * json is one document of the same members: {"version":1,"conversation":{…},"messages":[{…,
 * "attachments":[{"name","mime","data"}]}]}. markdown is for people: the current branch only,
 * attachments by name, type and size. */

#include <systemd/sd-id128.h>

#include "service/store/store.h"

#define EXPORT_VERSION 1U

typedef enum ExportFormat {
        EXPORT_MARKDOWN,
        EXPORT_JSON,
        EXPORT_JSONL,
        _EXPORT_FORMAT_MAX,
        _EXPORT_FORMAT_INVALID = -EINVAL,
} ExportFormat;

ExportFormat export_format_from_string(const char *s);

/* What is known of the conversation without reading; strings are copied. */
typedef struct ExportHead {
        uint64_t number;
        sd_id128_t id;
        const char *title, *model;
        usec_t created, modified;
        uint64_t head;
        bool archived, hidden;
} ExportHead;

typedef struct Export Export;
typedef void (*export_wake_t)(void *userdata);

/* wake is called when there is something after a peek that found nothing. */
int export_new(Export **ret, Store *store, const ExportHead *head, ExportFormat format,
        export_wake_t wake, void *userdata);
Export *export_free(Export *e);
DEFINE_CLEANUP(Export *, export_free)

/* As PipeSource has them. */
int export_peek(Export *e, const char **ret, size_t *ret_size);
void export_taken(Export *e, size_t n);
