/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/tui/avatar/avatar.h"

/* A clock that stood (a suspended machine) is not caught up with, frame by frame. */
#define CATCH_UP_MAX (2 * USEC_PER_SEC)

typedef enum Place {
        PLACE_LEFT,
        PLACE_CENTER,
        PLACE_RIGHT,
        _PLACE_MAX,
        _PLACE_INVALID = -EINVAL,
} Place;

struct Avatar {
        const Sprites *sprites;
        SpriteAnimation activity;
        SpriteAnimation gesture; /* invalid: none */
        SpriteMood mood;
        SpriteSize wanted;
        SpriteSize size; /* what fits; invalid: nothing does */
        Place place;
        int rows, columns; /* the room */
        int column;        /* where it is */
        bool visible, focused;

        SpriteAnimation playing;
        size_t frame;
        unsigned n_played;
        usec_t due; /* the present frame's end; infinite: it stands still */
        bool shown; /* false: hidden, or gone after the vanishing */
        bool changed;
        SpritePicture picture;
};

static const char *const place_table[_PLACE_MAX] = {
        [PLACE_LEFT] = "left",
        [PLACE_CENTER] = "center",
        [PLACE_RIGHT] = "right",
};

int avatar_new(const Sprites *sprites, Avatar **ret)
{
        Avatar *a;

        a = calloc(1, sizeof *a);
        if (!a)
                return -ENOMEM;
        a->sprites = sprites;
        a->activity = a->playing = ANIMATION_IDLE;
        a->gesture = _SPRITE_ANIMATION_INVALID;
        a->wanted = SPRITE_MEDIUM;
        a->size = _SPRITE_SIZE_INVALID;
        a->place = PLACE_RIGHT;
        a->visible = a->focused = true;
        a->due = USEC_INFINITY;
        *ret = a;
        return 0;
}

Avatar *avatar_free(Avatar *a)
{
        return mfree(a);
}

static const Animation *animation(const Avatar *a)
{
        return sprites_animation(a->sprites, a->size, a->playing);
}

static int target_column(const Avatar *a)
{
        int free_columns = a->columns - sprites_columns(a->sprites, a->size);

        switch (a->place) {
        case PLACE_LEFT:
                return 0;
        case PLACE_CENTER:
                return free_columns / 2;
        case PLACE_RIGHT:
        case _PLACE_MAX:
        case _PLACE_INVALID:
                break;
        }
        return free_columns;
}

/* Shows the present frame; it stands from now on, or from when the last one ended. */
static void show_frame(Avatar *a, usec_t start)
{
        const Animation *now = animation(a);
        bool ends = now->n_times > 0 && a->n_played + 1 >= now->n_times &&
                a->frame + 1 == now->n_frames && a->playing == a->activity;

        sprites_compose(a->sprites, a->size, a->mood, &now->frames[a->frame], &a->picture);
        a->changed = true;
        a->due = ends || !a->focused ? USEC_INFINITY : start + now->frames[a->frame].duration;
}

static void play(Avatar *a, SpriteAnimation what, usec_t now)
{
        a->playing = what;
        a->frame = a->n_played = 0;
        show_frame(a, now);
}

/* What it does when nothing else is to be played: it walks, or does what the service says. */
static void play_next(Avatar *a, usec_t now)
{
        int target = target_column(a);

        if (!a->visible)
                a->shown = false;
        if (!a->shown) {
                a->due = USEC_INFINITY;
                a->changed = true;
        } else if (a->column != target)
                play(a, a->column < target ? ANIMATION_WALK_RIGHT : ANIMATION_WALK_LEFT, now);
        else if (a->gesture >= 0)
                play(a, a->gesture, now);
        else
                play(a, a->activity, now);
}

/* Without focus: the last frame of its activity, where it is to be. */
static void stand(Avatar *a)
{
        a->gesture = _SPRITE_ANIMATION_INVALID;
        a->column = target_column(a);
        a->shown = a->visible;
        a->playing = a->activity;
        a->frame = animation(a)->n_frames - 1;
        a->n_played = animation(a)->n_times;
        show_frame(a, 0);
}

/* Something else is to be done: by a blink, which is not begun twice. */
static void blend(Avatar *a, usec_t now)
{
        if (a->size < 0)
                return;
        if (!a->focused)
                stand(a);
        else if (a->shown && a->visible && a->playing != ANIMATION_CHANGE &&
                a->playing != ANIMATION_APPEAR)
                play(a, ANIMATION_CHANGE, now);
}

int avatar_set_activity(Avatar *a, const char *activity, usec_t now)
{
        SpriteAnimation animation = sprite_animation_from_string(activity);

        if (animation < 0 || animation > ANIMATION_WORRIED)
                return -EINVAL;
        if (animation == a->activity)
                return 0;
        a->activity = animation;
        if (a->gesture < 0)
                blend(a, now);
        return 0;
}

int avatar_set_mood(Avatar *a, const char *mood, usec_t now)
{
        SpriteMood m = sprite_mood_from_string(mood);

        if (m < 0)
                return m;
        if (m == a->mood)
                return 0;
        a->mood = m;
        if (a->gesture < 0)
                blend(a, now);
        return 0;
}

int avatar_set_gesture(Avatar *a, const char *gesture, usec_t now)
{
        SpriteAnimation animation = sprite_animation_from_string(gesture);

        if (streq(gesture, "none")) {
                if (a->gesture >= 0) {
                        a->gesture = _SPRITE_ANIMATION_INVALID;
                        blend(a, now);
                }
                return 0;
        }
        if (animation < ANIMATION_WAVE || animation > ANIMATION_POINT)
                return -EINVAL;
        if (!a->focused || a->size < 0 || !a->visible)
                return 0;
        a->gesture = animation;
        if (a->playing != ANIMATION_APPEAR)
                play_next(a, now);
        return 0;
}

int avatar_set_position(Avatar *a, const char *position, usec_t now)
{
        for (Place i = 0; i < _PLACE_MAX; i++)
                if (streq(place_table[i], position)) {
                        if (i != a->place) {
                                a->place = i;
                                blend(a, now);
                        }
                        return 0;
                }
        return -EINVAL;
}

static SpriteSize fitting_size(const Avatar *a)
{
        for (SpriteSize size = a->wanted; size >= 0; size--)
                if (sprites_rows(a->sprites, size) <= a->rows &&
                        sprites_columns(a->sprites, size) <= a->columns)
                        return size;
        return _SPRITE_SIZE_INVALID;
}

/* Another size or room: it is there at once, as the rest of the screen is. */
static void settle(Avatar *a, usec_t now)
{
        SpriteSize size = fitting_size(a);

        a->changed = true;
        a->size = size;
        a->due = USEC_INFINITY;
        if (size < 0)
                return;
        a->column = target_column(a);
        a->shown = a->visible;
        if (a->focused)
                play_next(a, now);
        else
                stand(a);
}

int avatar_set_size(Avatar *a, const char *size, usec_t now)
{
        SpriteSize s = sprite_size_from_string(size);

        if (s < 0)
                return s;
        a->wanted = s;
        if (fitting_size(a) != a->size)
                settle(a, now);
        return 0;
}

void avatar_set_room(Avatar *a, int rows, int columns, usec_t now)
{
        if (a->rows == rows && a->columns == columns)
                return;
        a->rows = rows;
        a->columns = columns;
        settle(a, now);
}

void avatar_set_visible(Avatar *a, bool visible, usec_t now)
{
        if (a->visible == visible)
                return;
        a->visible = visible;
        if (!visible)
                a->gesture = _SPRITE_ANIMATION_INVALID;
        if (a->size < 0)
                return;
        if (!a->focused) {
                stand(a);
                return;
        }
        a->shown = true;
        if (visible)
                a->column = target_column(a);
        play(a, visible ? ANIMATION_APPEAR : ANIMATION_VANISH, now);
}

void avatar_set_focused(Avatar *a, bool focused, usec_t now)
{
        if (a->focused == focused)
                return;
        a->focused = focused;
        if (a->size < 0)
                return;
        if (!focused)
                stand(a);
        else if (a->shown && animation(a)->n_times == 0)
                play(a, a->activity, now);
}

static bool is_walking(const Avatar *a)
{
        return a->playing == ANIMATION_WALK_LEFT || a->playing == ANIMATION_WALK_RIGHT;
}

/* One cell a step, of large pictures two. Turns, or ends, where it is to be. */
static void step(Avatar *a, usec_t now)
{
        int target = target_column(a), cells = a->size == SPRITE_SMALL ? 1 : 2;

        if (a->column < target)
                a->column = MIN(a->column + cells, target);
        else
                a->column = MAX(a->column - cells, target);
        if (a->column == target) {
                play_next(a, now);
                return;
        }
        a->frame = (a->frame + 1) % animation(a)->n_frames;
        show_frame(a, now);
}

/* The present frame ended. */
static void next_frame(Avatar *a, usec_t now)
{
        const Animation *playing = animation(a);

        if (is_walking(a)) {
                step(a, now);
                return;
        }
        if (++a->frame == playing->n_frames) {
                a->frame = 0;
                if (playing->n_times > 0 && ++a->n_played >= playing->n_times) {
                        if (a->playing == a->gesture)
                                a->gesture = _SPRITE_ANIMATION_INVALID;
                        play_next(a, now);
                        return;
                }
        }
        show_frame(a, now);
}

bool avatar_advance(Avatar *a, usec_t now)
{
        bool changed;

        if (a->due != USEC_INFINITY && now > a->due && now - a->due > CATCH_UP_MAX)
                a->due = now;
        while (a->due <= now)
                next_frame(a, a->due);
        changed = a->changed;
        a->changed = false;
        return changed;
}

usec_t avatar_next(const Avatar *a)
{
        return a->due;
}

const SpriteFrame *avatar_frame(const Avatar *a, int *ret_row, int *ret_column)
{
        if (a->size < 0 || !a->shown)
                return NULL;
        *ret_row = a->rows - a->picture.frame.rows;
        *ret_column = a->column;
        return &a->picture.frame;
}
