/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The pieces of an export as text; each appends to the buffer. */

#include "common/buffer.h"
#include "service/conversation/export.h"

int export_json_head(Buffer *b, ExportFormat format, const ExportHead *head, const char *system);
/* The message, without its attachments; json leaves it open for them. */
int export_json_message(Buffer *b, ExportFormat format, const StoreMessage *m, bool first);
int export_json_attachment(
        Buffer *b, ExportFormat format, const StoreMessage *m, size_t attachment);
/* After the last attachment. */
int export_json_message_end(Buffer *b, ExportFormat format);
int export_json_end(Buffer *b, ExportFormat format, uint64_t messages);

int export_markdown_head(Buffer *b, const ExportHead *head, const char *system);
int export_markdown_message(Buffer *b, const StoreMessage *m);
