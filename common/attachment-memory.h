/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* How much memory the attachments take that are on their way, of all conversations together: read
 * and not yet stored, or held for an engine's request. It is counted with the bytes themselves:
 * whoever frees them gives it back. From any thread. */

#include "common/macro.h"

#define ATTACHMENTS_SENT_MAX MIB(128) /* over it no message with attachments is taken */
/* Over it no engine is asked: more, so that what was taken finds room, and older attachments of its
 * conversation. A request needs the same once more, as text. */
#define ATTACHMENTS_ASKED_MAX MIB(256)

/* Size more, by somebody who has counted own already. True where all together then is within the
 * maximum, or nobody else has any: so the largest message passes alone. */
bool attachment_memory_take(size_t size, size_t own, size_t maximum);
void attachment_memory_give(size_t size);
size_t attachment_memory_used(void);
