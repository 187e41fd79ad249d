/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A file to import: taken or refused with a sentence; of what is taken all parents are there, and
 * exported and imported again it is the same. */

#include <sys/mman.h>

#include "common/utf8.h"
#include "service/conversation/export-format.h"
#include "service/conversation/import.h"
#include "tests/fuzz/fuzz.h"

static Import *open_import(const void *data, size_t size)
{
        _cleanup_failure_ Failure f = FAILURE_NULL;
        int fd = memfd_create("fuzz", MFD_CLOEXEC);
        Import *i = NULL;

        CHECK(fd >= 0 && write(fd, data, size) == (ssize_t) size);
        CHECK(import_new(&i, fd, &f) == 0);
        return i;
}

static void check_text(const char *text, size_t size)
{
        CHECK(text && utf8_is_valid(text, size) && text[size] == 0);
}

static void check_message(const StoreMessage *m, size_t place)
{
        CHECK(m->parent <= place && m->role >= 0 && m->role < _ROLE_MAX && !m->live);
        check_text(m->content, m->content_size);
        check_text(m->reasoning, m->reasoning_size);
        check_text(m->metadata, strlen(m->metadata));
        for (size_t i = 0; i < m->n_attachments; i++) {
                check_text(m->attachments[i].name, strlen(m->attachments[i].name));
                check_text(m->attachments[i].type, strlen(m->attachments[i].type));
        }
}

static uint64_t next_id(void *userdata)
{
        return ++*(uint64_t *) userdata;
}

/* As service/conversation/export.c writes it. */
static void write_export(const Imported *c, ExportFormat format, Buffer *out)
{
        const ExportHead head = {
                .id = c->conversation.id,
                .title = c->conversation.title,
                .model = c->conversation.model,
                .created = c->conversation.created,
                .modified = c->conversation.modified,
                .head = c->conversation.head,
                .archived = c->conversation.archived,
                .hidden = c->conversation.hidden,
        };

        if (format == EXPORT_MARKDOWN) {
                CHECK(export_markdown_head(out, &head, c->system) == 0);
                for (size_t i = 0; i < c->n_messages; i++)
                        CHECK(export_markdown_message(out, &c->messages[i]) == 0);
                return;
        }
        CHECK(export_json_head(out, format, &head, c->system) == 0);
        for (size_t i = 0; i < c->n_messages; i++) {
                const StoreMessage *m = &c->messages[i];

                CHECK(export_json_message(out, format, m, i == 0) == 0);
                for (size_t k = 0; k < m->n_attachments; k++)
                        CHECK(export_json_attachment(out, format, m, k) == 0);
                CHECK(export_json_message_end(out, format) == 0);
        }
        CHECK(export_json_end(out, format, c->n_messages) == 0);
}

/* What is one document for others is JSON that a reader takes, and text is text. */
static void check_others(const Imported *c)
{
        _cleanup_buffer_ Buffer json = BUFFER_INIT(MIB(64)), markdown = BUFFER_INIT(MIB(64));

        write_export(c, EXPORT_JSON, &json);
        CHECK(utf8_is_valid(json.data, json.size));
        write_export(c, EXPORT_MARKDOWN, &markdown);
        CHECK(utf8_is_valid(buffer_text(&markdown), markdown.size));
}

static void check_round_trip(const Imported *c)
{
        _cleanup_buffer_ Buffer first = BUFFER_INIT(MIB(64)), second = BUFFER_INIT(MIB(64));
        _cleanup_(imported_done) Imported again = { 0 };
        _cleanup_(import_freep) Import *i = NULL;
        _cleanup_failure_ Failure f = FAILURE_NULL;
        uint64_t id = 0;

        write_export(c, EXPORT_JSONL, &first);
        i = open_import(first.data, first.size);
        if (import_next(i, &again, &f) != 1) {
                (void) fprintf(stderr, "%s\n%s\n", failure_message(&f), first.data);
                CHECK(!"an export can be imported");
        }
        CHECK(again.n_messages == c->n_messages);
        imported_number(&again, next_id, &id);
        write_export(&again, EXPORT_JSONL, &second);
        CHECK_SAME(&first, &second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(import_freep) Import *i = open_import(data, size);
        _cleanup_failure_ Failure f = FAILURE_NULL;
        int r;

        for (;;) {
                _cleanup_(imported_done) Imported c = { 0 };
                uint64_t id = 0;

                r = import_next(i, &c, &f);
                CHECK((r < 0) == failure_is_set(&f));
                if (r <= 0)
                        break;
                for (size_t n = 0; n < c.n_messages; n++)
                        check_message(&c.messages[n], n);
                CHECK(c.conversation.head <= c.n_messages);
                imported_number(&c, next_id, &id);
                check_round_trip(&c);
                check_others(&c);
        }
        return 0;
}
