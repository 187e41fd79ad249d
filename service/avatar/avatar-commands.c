/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/avatar/avatar-internal.h"

static const char *const moods[] = { "neutral", "happy", "sad", "curious", "thoughtful",
        "surprised", "excited", "confused", "worried", "proud", "sleepy", "playful", "shy", "calm",
        NULL };
static const char *const gestures[] = { "none", "wave", "nod", "shake", "dance", "bow", "shrug",
        "clap", "point", NULL };
static const char *const positions[] = { "left", "center", "right", NULL };
static const char *const sizes[] = { "small", "medium", "large", NULL };

/* A verb either takes one of the words in values, or stands alone for the value given. */
static const AvatarCommand commands[] = {
        { "mood", AVATAR_CHANGED_MOOD, moods, NULL },
        { "gesture", AVATAR_CHANGED_GESTURE, gestures, NULL },
        { "wave", AVATAR_CHANGED_GESTURE, NULL, "wave" },
        { "nod", AVATAR_CHANGED_GESTURE, NULL, "nod" },
        { "dance", AVATAR_CHANGED_GESTURE, NULL, "dance" },
        { "bow", AVATAR_CHANGED_GESTURE, NULL, "bow" },
        { "move", AVATAR_CHANGED_POSITION, positions, NULL },
        { "size", AVATAR_CHANGED_SIZE, sizes, NULL },
        { "show", AVATAR_CHANGED_VISIBLE, NULL, "yes" },
        { "hide", AVATAR_CHANGED_VISIBLE, NULL, "no" },
};

static const char *find_word(const char *const *words, const char *word)
{
        for (; *words; words++)
                if (streq(*words, word))
                        return *words;
        return NULL;
}

const AvatarCommand *avatar_command_find(
        const char *verb, char *const *arguments, const char **ret_value)
{
        for (size_t i = 0; i < ELEMENTSOF(commands); i++) {
                const AvatarCommand *c = commands + i;
                const char *value;

                if (!streq(c->verb, verb))
                        continue;
                if (c->values) {
                        if (!arguments[0] || arguments[1])
                                return NULL;
                        value = find_word(c->values, arguments[0]);
                        if (!value)
                                return NULL;
                } else {
                        if (arguments[0])
                                return NULL;
                        value = c->value;
                }
                if (ret_value)
                        *ret_value = value;
                return c;
        }
        return NULL;
}
