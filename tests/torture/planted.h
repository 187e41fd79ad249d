/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Faults of the kinds that torture looks for, by $TORTURE_PLANTED: leak, crash, hang, silent (an
 * end without a word), loss. It shows that they are seen. Nothing without it. */
void planted(void);
/* After the service's end. */
void planted_end(const char *database);
