/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/tui/view/vi.h"

#define INPUT(keys, description, ...) \
        { \
                keys, CONTEXT_INPUT, false, { __VA_ARGS__ }, description \
        }
#define INSERT(keys, description, ...) \
        { \
                keys, CONTEXT_INPUT, true, { __VA_ARGS__ }, description \
        }
#define READING(keys, description, ...) \
        { \
                keys, CONTEXT_TRANSCRIPT, false, { __VA_ARGS__ }, description \
        }

static const ViCommand commands[] = {
        INSERT("i", "Type here", ACTION_NONE),
        INSERT("a", "Type behind the character", ACTION_RIGHT_IN_LINE),
        INSERT("I", "Type at the line's start", ACTION_LINE_START),
        INSERT("A", "Type at the line's end", ACTION_LINE_END),
        INSERT("o", "Type in a new line below", ACTION_LINE_END, ACTION_NEWLINE),
        INSERT("O", "Type in a new line above", ACTION_LINE_START, ACTION_NEWLINE, ACTION_LEFT),
        INPUT("h", "A character left", ACTION_LEFT_IN_LINE),
        INPUT("l", "A character right", ACTION_RIGHT_IN_LINE),
        INPUT("j", "A line down", ACTION_DOWN),
        INPUT("k", "A line up", ACTION_UP),
        INPUT("w", "A word right", ACTION_WORD_RIGHT),
        INPUT("b", "A word left", ACTION_WORD_LEFT),
        INPUT("0", "To the line's start", ACTION_LINE_START),
        INPUT("$", "To the line's end", ACTION_LINE_END),
        INPUT("x", "Erase the character", ACTION_ERASE_RIGHT),
        INPUT("D", "Cut to the line's end", ACTION_KILL_LINE),
        INPUT("dd", "Cut the line", ACTION_KILL_WHOLE_LINE),
        INPUT("p", "Put back what was cut", ACTION_YANK),
        INPUT("u", "Undo", ACTION_UNDO),
        INPUT("Ctrl-R", "Do it again", ACTION_REDO),
        READING("gg", "To the oldest message that is loaded", ACTION_START),
        READING("G", "To the end", ACTION_FINISH),
};

const ViCommand *vi_commands(size_t *ret_n)
{
        *ret_n = ELEMENTSOF(commands);
        return commands;
}

static bool is_character(Key key)
{
        return key.code < KEY_ENTER && !(key.modifiers & (KEY_CONTROL | KEY_ALT));
}

typedef enum Match {
        MATCH_NONE,
        MATCH_BEGINNING, /* the first of two */
        MATCH_WHOLE,
} Match;

static Match match(const ViCommand *c, uint32_t before, Key key)
{
        const char *keys = c->keys;
        Key named;

        if (strlen(keys) > 2) {
                bool same = key_from_string(keys, &named) >= 0 && named.code == key.code &&
                        named.modifiers == key.modifiers;

                return same && before == 0 ? MATCH_WHOLE : MATCH_NONE;
        }
        if (!is_character(key))
                return MATCH_NONE;
        if (before != 0)
                return keys[1] && before == (uint32_t) keys[0] && key.code == (uint32_t) keys[1]
                        ? MATCH_WHOLE
                        : MATCH_NONE;
        if (key.code != (uint32_t) keys[0])
                return MATCH_NONE;
        return keys[1] ? MATCH_BEGINNING : MATCH_WHOLE;
}

static int take(const ViCommand *c, ViMode *v, Action *ret)
{
        size_t n = 0;

        while (n < KEYMAP_ACTIONS_MAX && c->actions[n] != ACTION_NONE) {
                ret[n] = c->actions[n];
                n++;
        }
        if (c->insert)
                v->normal = false;
        return (int) n;
}

int vi_look_up(ViMode *v, KeyContext context, Key key, Action ret[static KEYMAP_ACTIONS_MAX])
{
        uint32_t before = v->before;

        v->before = 0;
        if (context == CONTEXT_INPUT && !v->normal) {
                if (key.code != KEY_ESCAPE || key.modifiers != 0)
                        return -ENOENT;
                v->normal = true;
                ret[0] = ACTION_LEFT_IN_LINE; /* vi's cursor stands on what was typed last */
                return 1;
        }
        for (size_t i = 0; i < ELEMENTSOF(commands); i++) {
                Match m = commands[i].context == context ? match(commands + i, before, key)
                                                         : MATCH_NONE;

                if (m == MATCH_WHOLE)
                        return take(commands + i, v, ret);
                if (m == MATCH_BEGINNING) {
                        v->before = key.code;
                        return 0;
                }
        }
        /* In its normal mode nothing is typed by mistake; Esc ends a command that was begun. */
        if (context == CONTEXT_INPUT && (is_character(key) || (before && key.code == KEY_ESCAPE)))
                return 0;
        return -ENOENT;
}
