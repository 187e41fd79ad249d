/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Time that is skipped and not waited for, in a whole test program: its libraries come here, too.
 */

/* So much later from now on, for whoever looks; from any thread. */
void clock_skip(unsigned seconds);
