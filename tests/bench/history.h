/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A database as years of use leave it, written by the service's own store, without the service. */

#define HISTORY_BATCH 1000U

/* So many conversations of so many messages (a multiple of HISTORY_BATCH, or fewer than it), of
 * words as frequent and rare as in any language; the word `needle` is in every 9,973rd. */
void history_write(const char *database, unsigned conversations, unsigned messages);
