/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Yollayah: which picture is to be seen now, and when the next one is. Knows neither clock nor
 * terminal: time comes in, cells go out. Sprites are text files (see sprites.h), several sizes of
 * each activity and gesture; gestures play over the activity, a blink is between two of them, and
 * it walks to the place that `move` named. Standing still has no next time. */

#include "client/tui/avatar/sprites.h"

typedef struct Avatar Avatar;

/* sprites is borrowed for the avatar's life. It has no room at first. */
int avatar_new(const Sprites *sprites, Avatar **ret);
Avatar *avatar_free(Avatar *a);
DEFINE_CLEANUP(Avatar *, avatar_free)

/* Words as org.aiway.Conductor1.Avatar has them; what is not known changes nothing (-EINVAL).
 * Moods and activities that are those already change nothing; a gesture plays from its start also
 * when it is played now, and "none" ends it. */
int avatar_set_activity(Avatar *a, const char *activity, usec_t now);
int avatar_set_mood(Avatar *a, const char *mood, usec_t now);
int avatar_set_gesture(Avatar *a, const char *gesture, usec_t now);
int avatar_set_position(Avatar *a, const char *position, usec_t now); /* left, center, right */
int avatar_set_size(Avatar *a, const char *size, usec_t now);
void avatar_set_visible(Avatar *a, bool visible, usec_t now);

/* The room that there is for it: cells, of which it uses the largest sprite that fits (at most the
 * size wanted); none fits: it hides. */
void avatar_set_room(Avatar *a, int rows, int columns, usec_t now);

/* Whether the terminal has focus: without it nothing moves, and what changes is seen at once. */
void avatar_set_focused(Avatar *a, bool focused, usec_t now);

/* Advances to now. Returns true when what is to be seen has changed since the last call. */
bool avatar_advance(Avatar *a, usec_t now);

/* When the next frame is due; USEC_INFINITY while nothing moves. */
usec_t avatar_next(const Avatar *a);

/* What to draw: *ret_row, *ret_column: where in its room its top left cell is. NULL: nothing. No
 * allocation. */
const SpriteFrame *avatar_frame(const Avatar *a, int *ret_row, int *ret_column);
