/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The one table of actions: name, keys, what it does in words. The key map, the palette, the help
 * screen, the manual page and the configuration are made from it. */

#include "client/tui/terminal/input.h"
#include "common/failure.h"

/* X(ENUM, "name", "default keys, by spaces", context, "what it does") */
#include "client/tui/view/actions.inc"

typedef enum KeyContext {
        CONTEXT_ANY,
        CONTEXT_INPUT,      /* the input box has the keys */
        CONTEXT_TRANSCRIPT, /* reading: after Tab or scrolling up */
        CONTEXT_LIST,
        _CONTEXT_MAX,
} KeyContext;

typedef enum Action {
        ACTION_NONE,
#define X(name, ...) ACTION_##name,
        ACTIONS(X)
#undef X
                _ACTION_MAX,
} Action;

typedef struct ActionInfo {
        const char *name;
        const char *keys; /* by default */
        KeyContext context;
        const char *description;
} ActionInfo;

const ActionInfo *action_info(Action a);
Action action_from_string(const char *name); /* ACTION_NONE when there is none */

typedef struct Keymap Keymap;
typedef struct ViMode ViMode;

/* vi: the input box is edited in vi's way, see vi.h; what that does not know has these keys too. */
int keymap_new(bool vi, Keymap **ret);
Keymap *keymap_free(Keymap *k);
DEFINE_CLEANUP(Keymap *, keymap_free)

/* "Ctrl-X Alt-x": these and no other, whatever they did in the action's context; "" = none. Nothing
 * changes when one of them cannot be: a character alone where text is written. */
int keymap_set(Keymap *k, const char *action, const char *keys, Failure *failure);
Action keymap_find(const Keymap *k, KeyContext context, Key key);

/* The same with vi's keys, where they are wanted, before the others: a key may stand for several
 * actions, one after the other. Returns how many (0: taken, and nothing is to be done), -ENOENT for
 * a key that does nothing here: a character is typed then. */
#define KEYMAP_ACTIONS_MAX 3U
int keymap_look_up(const Keymap *k, ViMode *mode, KeyContext context, Key key,
        Action ret[static KEYMAP_ACTIONS_MAX]);

/* "Ctrl-C, Esc": the keys of an action now. The caller frees. */
int keymap_keys(const Keymap *k, Action a, char **ret);
