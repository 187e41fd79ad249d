/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Yollayah: the state that every surface draws, and the filter that takes a model's commands
 * ([yolla:mood happy]) out of its text while it streams. */

#include "common/macro.h"

typedef enum AvatarActivity {
        AVATAR_IDLE,
        AVATAR_LISTENING,
        AVATAR_THINKING,
        AVATAR_TALKING,
        AVATAR_WORKING,
        AVATAR_WORRIED,
        _AVATAR_ACTIVITY_MAX,
} AvatarActivity;
const char *avatar_activity_to_string(AvatarActivity a);

typedef enum AvatarChange {
        AVATAR_CHANGED_MOOD = 1 << 0,
        AVATAR_CHANGED_GESTURE = 1 << 1,
        AVATAR_CHANGED_ACTIVITY = 1 << 2,
        AVATAR_CHANGED_VISIBLE = 1 << 3,
        AVATAR_CHANGED_SIZE = 1 << 4,
        AVATAR_CHANGED_POSITION = 1 << 5,
} AvatarChange;

typedef struct Avatar Avatar;
typedef struct AvatarObserver {
        void (*changed)(Avatar *a, AvatarChange what, void *userdata);
        void (*command)(Avatar *a, const char *verb, char *const *arguments, void *userdata);
        void *userdata;
} AvatarObserver;

int avatar_new(Avatar **ret);
Avatar *avatar_free(Avatar *a);
DEFINE_CLEANUP(Avatar *, avatar_free)
void avatar_set_observer(Avatar *a, const AvatarObserver *observer);

const char *avatar_mood(const Avatar *a), *avatar_gesture(const Avatar *a),
        *avatar_size(const Avatar *a), *avatar_position(const Avatar *a);
AvatarActivity avatar_activity(const Avatar *a);
bool avatar_visible(const Avatar *a);
void avatar_set_activity(Avatar *a, AvatarActivity activity);

/* A command that came out of a reply: changes the state, tells the observer. arguments NULL-ended.
 * -EINVAL for one that is not in this table:
 *   mood      neutral happy sad curious thoughtful surprised excited confused worried proud sleepy
 *             playful shy calm
 *   gesture   none wave nod shake dance bow shrug clap point; `wave`, `nod`, `dance` and `bow`
 * alone are the same. It lasts until the avatar is idle again. move      left center right size
 * small medium large show, hide */
int avatar_apply(Avatar *a, const char *verb, char *const *arguments);

/* ---- the filter ---- */

/* One for each reply's content, zeroed at its start. Text goes in at any chunk border; what is no
 * command of the table above, written exactly [yolla:VERB] or [yolla:VERB WORD], comes out byte for
 * byte. Holds back at most AVATAR_COMMAND_MAX bytes, from a '[' that may begin a
 * command. */
#define AVATAR_COMMAND_MAX 128
typedef struct AvatarFilter {
        char held[AVATAR_COMMAND_MAX];
        size_t n_held;
        bool off; /* all is text */
} AvatarFilter;

typedef struct AvatarFilterOps {
        int (*text)(const char *text, size_t size, void *userdata);
        int (*command)(const char *verb, char *const *arguments, void *userdata);
} AvatarFilterOps;

/* Calls ops in the order of the text. Returns the first negative result of one of them. */
int avatar_filter_feed(
        AvatarFilter *f, const char *text, size_t size, const AvatarFilterOps *ops, void *userdata);
/* At the text's end: what is held back comes out as text. */
int avatar_filter_flush(AvatarFilter *f, const AvatarFilterOps *ops, void *userdata);
