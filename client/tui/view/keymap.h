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

int keymap_new(bool vi, Keymap **ret);
Keymap *keymap_free(Keymap *k);
DEFINE_CLEANUP(Keymap *, keymap_free)

/* "Ctrl-X": replaces what it did in the action's context; "" as the key takes all keys from it. */
int keymap_bind(Keymap *k, const char *action, const char *key, Failure *failure);
Action keymap_find(const Keymap *k, KeyContext context, Key key);
/* "Ctrl-C, Esc": the keys of an action now. The caller frees. */
int keymap_keys(const Keymap *k, Action a, char **ret);
