/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One channel of one message: its segments, and the layouts of those that were looked at lately. A
 * row is named by its segment and its place there, so that no more than what is on the screen is
 * ever laid out, however long the message is. */

#include "client/tui/text/layout.h"

/* What is kept of layouts; those nearest to the one asked for stay. */
#define DOCUMENT_LAYOUTS_MAX      256U
#define DOCUMENT_LAYOUT_BYTES_MAX MIB(1)

typedef struct Document Document;

typedef struct RowPlace {
        size_t segment;
        size_t row; /* of the segment's layout; a blank row before it counts as its first */
} RowPlace;

/* maximum: bytes of source (see the service's limits). */
int document_new(StyleRole role, LayoutFlags flags, size_t maximum, Document **ret);
Document *document_free(Document *d);
DEFINE_CLEANUP(Document *, document_free)

int document_append(Document *d, const char *text, size_t size);
int document_finish(Document *d);
const char *document_source(const Document *d, size_t *ret_size);
bool document_is_empty(const Document *d); /* there is no row */

/* Lays out for this width from now on; the same width again costs nothing. */
void document_set_width(Document *d, unsigned width);
/* The terminal's widths of clusters became known: what was laid out is laid out anew. */
void document_forget_layouts(Document *d);

/* Places. Moving: `by` rows down (> 0) or up; returns how far it got (less at an end). Where memory
 * is short a segment counts as one row. */
RowPlace document_first(Document *d);
RowPlace document_last(Document *d);
int document_move(Document *d, RowPlace *place, int by);
/* The row's place after a change of the width, or after text was added: the row that shows the same
 * byte of the source. */
size_t document_offset(Document *d, RowPlace place);
RowPlace document_place(Document *d, size_t offset);

/* The row there: *ret_layout and *ret_row are NULL for a blank row. Valid until the next call.
 * -ENOENT: there is none. */
int document_row(Document *d, RowPlace place, const Layout **ret_layout, const Row **ret_row);

/* Rows in all, but never counted further than `limit`. */
size_t document_count(Document *d, size_t limit);

/* The nth fenced block, without its fences and the indentation of lists around it; -ENOENT.
 * Borrowed until the next call. */
int document_code(Document *d, size_t n, const char **ret, size_t *ret_size);
/* The code block whose rows this place is in, or -ENOENT. */
int document_code_at(const Document *d, RowPlace place, size_t *ret_n);

/* Memory of source and layouts; document_trim() gives back the layouts that are far from a place.
 */
size_t document_bytes(const Document *d);
void document_trim(Document *d, RowPlace near);

/* Segments that were laid out so far: what tests and benchmarks count. */
uint64_t document_layouts(const Document *d);
