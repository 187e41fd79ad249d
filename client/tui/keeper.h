/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What is kept on disk from one run to the next, written by child processes, one after another in
 * the order in which it is asked for: a disk that is asleep must not freeze the screen. A draft
 * that the disk does not take is held in memory, and given back as if it were read; it is written
 * when the disk takes another one. */

#include <systemd/sd-event.h>

#include "client/tui/held.h"
#include "common/failure.h"

typedef struct KeeperOps {
        /* May be called again and again; each sentence once. */
        void (*failed)(const Failure *failure, void *userdata);
        /* Each time: this draft is not on disk as it was to be. */
        void (*unkept)(const char *id, void *userdata);
        /* text: may be empty; valid during the call. Negative: it is not seen, and so what is on
         * disk must not be written over. */
        int (*draft)(const char *id, const char *text, size_t size, void *userdata);
        /* What was in memory only; more may come from disk. Returns whether it is the callee's now,
         * who has it written or held again. */
        bool (*held)(const char *id, const char *text, size_t size, void *userdata);
        void (*idle)(void *userdata); /* all of it is on disk */
} KeeperOps;

typedef struct Keeper Keeper;

/* drafts: borrowed; what is in its memory is the caller's. */
int keeper_new(sd_event *event, Drafts *drafts, const KeeperOps *ops, void *userdata, Keeper **ret);
/* What is not begun is not done. */
Keeper *keeper_free(Keeper *k);
DEFINE_CLEANUP(Keeper *, keeper_free)

bool keeper_is_idle(const Keeper *k);
/* What could not be kept, and nothing since then could, or a draft is still held for it; NULL when
 * all is well. */
const Failure *keeper_failure(const Keeper *k);

/* Not for the disk (HELD_PRIVATE, HELD_UNSURE): above what is held there already. */
int keeper_hold(Keeper *k, const char *id, HeldFlags flags, const char *text, size_t size);
/* What is held, and nothing from the disk. */
void keeper_read_held(Keeper *k, const char *id);
/* It is known now. */
int keeper_settle(Keeper *k, const char *id, bool private);
bool keeper_is_unsure(const Keeper *k); /* of anything that is held */
/* Tries all again that the disk did not take. */
int keeper_retry(Keeper *k);

/* See drafts.h. */
int keeper_read_draft(Keeper *k, const char *id);
int keeper_write_draft(Keeper *k, const char *id, const char *text, size_t size);
int keeper_draft_sent(Keeper *k, const char *id, const char *text, size_t size);
int keeper_write_history(Keeper *k, const char *id, const char *text, size_t size);
int keeper_tidy_history(Keeper *k);
int keeper_forget(Keeper *k, const char *ids);
/* See settings.h. */
int keeper_remember_avatar(Keeper *k, bool on);
