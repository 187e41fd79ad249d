/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/avatar/avatar.h"

#include "service/avatar/avatar-internal.h"

#define GESTURE_NONE "none"

/* The words are those of the table of commands: static, so that nothing is copied. */
struct Avatar {
        const char *mood, *gesture, *size, *position;
        AvatarActivity activity;
        bool visible;
        AvatarObserver observer;
};

static const char *const activity_table[_AVATAR_ACTIVITY_MAX] = {
        [AVATAR_IDLE] = "idle",
        [AVATAR_LISTENING] = "listening",
        [AVATAR_THINKING] = "thinking",
        [AVATAR_TALKING] = "talking",
        [AVATAR_WORKING] = "working",
        [AVATAR_WORRIED] = "worried",
};

const char *avatar_activity_to_string(AvatarActivity a)
{
        assert(a >= 0 && a < _AVATAR_ACTIVITY_MAX);
        return activity_table[a];
}

int avatar_new(Avatar **ret)
{
        Avatar *a;

        a = malloc(sizeof *a);
        if (!a)
                return -ENOMEM;
        *a = (Avatar){
                .mood = "neutral",
                .gesture = GESTURE_NONE,
                .size = "medium",
                .position = "right",
                .visible = true,
        };
        *ret = a;
        return 0;
}

Avatar *avatar_free(Avatar *a)
{
        return mfree(a);
}

void avatar_set_observer(Avatar *a, const AvatarObserver *observer)
{
        a->observer = observer ? *observer : (AvatarObserver){ 0 };
}

const char *avatar_mood(const Avatar *a)
{
        return a->mood;
}

const char *avatar_gesture(const Avatar *a)
{
        return a->gesture;
}

const char *avatar_size(const Avatar *a)
{
        return a->size;
}

const char *avatar_position(const Avatar *a)
{
        return a->position;
}

AvatarActivity avatar_activity(const Avatar *a)
{
        return a->activity;
}

bool avatar_visible(const Avatar *a)
{
        return a->visible;
}

static void tell_changed(Avatar *a, AvatarChange what)
{
        if (what != 0 && a->observer.changed)
                a->observer.changed(a, what, a->observer.userdata);
}

static AvatarChange set_word(const char **word, const char *value, AvatarChange what)
{
        if (streq(*word, value))
                return 0;
        *word = value;
        return what;
}

/* A gesture ends when the avatar comes to rest: what was waved at has been said. */
void avatar_set_activity(Avatar *a, AvatarActivity activity)
{
        AvatarChange what = 0;

        assert(activity >= 0 && activity < _AVATAR_ACTIVITY_MAX);

        if (a->activity != activity) {
                a->activity = activity;
                what |= AVATAR_CHANGED_ACTIVITY;
        }
        if (activity == AVATAR_IDLE)
                what |= set_word(&a->gesture, GESTURE_NONE, AVATAR_CHANGED_GESTURE);
        tell_changed(a, what);
}

static AvatarChange apply(Avatar *a, AvatarChange what, const char *value)
{
        bool visible;

        switch (what) {
        case AVATAR_CHANGED_MOOD:
                return set_word(&a->mood, value, what);
        case AVATAR_CHANGED_GESTURE:
                return set_word(&a->gesture, value, what);
        case AVATAR_CHANGED_SIZE:
                return set_word(&a->size, value, what);
        case AVATAR_CHANGED_POSITION:
                return set_word(&a->position, value, what);
        case AVATAR_CHANGED_VISIBLE:
                visible = streq(value, "yes");
                if (a->visible == visible)
                        return 0;
                a->visible = visible;
                return what;
        case AVATAR_CHANGED_ACTIVITY:
                break; /* follows the replies, never a command */
        }
        return 0;
}

int avatar_apply(Avatar *a, const char *verb, char *const *arguments)
{
        const AvatarCommand *c;
        const char *value;

        c = avatar_command_find(verb, arguments, &value);
        if (!c)
                return -EINVAL;
        tell_changed(a, apply(a, c->what, value));
        if (a->observer.command)
                a->observer.command(a, verb, arguments, a->observer.userdata);
        return 0;
}
