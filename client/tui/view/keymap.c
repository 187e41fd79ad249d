/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/tui/view/keymap.h"

#include "client/tui/view/vi.h"
#include "common/utf8.h"

#define BINDINGS_MAX 1000U
#define NAME_SHOWN   64U

static const ActionInfo infos[_ACTION_MAX] = { [ACTION_NONE] = { "", "", CONTEXT_ANY, "" },
#define X(id, name, keys, context, description) \
        [ACTION_##id] = { name, keys, context, description },
        ACTIONS(X)
#undef X
};

typedef struct Binding {
        Key key;
        KeyContext context;
        Action action;
} Binding;

struct Keymap {
        bool vi;
        Binding *bindings;
        size_t n, allocated;
};

const ActionInfo *action_info(Action a)
{
        assert(a >= 0 && a < _ACTION_MAX);
        return infos + a;
}

Action action_from_string(const char *name)
{
        for (Action a = ACTION_NONE + 1; a < _ACTION_MAX; a++)
                if (streq(infos[a].name, name))
                        return a;
        return ACTION_NONE;
}

static bool same_key(Key a, Key b)
{
        return a.code == b.code && a.modifiers == b.modifiers;
}

static Binding *find(const Keymap *k, KeyContext context, Key key)
{
        for (size_t i = 0; i < k->n; i++)
                if (k->bindings[i].context == context && same_key(k->bindings[i].key, key))
                        return k->bindings + i;
        return NULL;
}

static int put(Keymap *k, Action a, Key key)
{
        KeyContext context = infos[a].context;
        Binding *b = find(k, context, key);

        if (!b) {
                if (k->n == BINDINGS_MAX)
                        return -ENOSPC;
                if (k->n == k->allocated) {
                        size_t n = k->allocated ? k->allocated * 2 : 128;
                        Binding *bindings = reallocarray(k->bindings, n, sizeof *bindings);

                        if (!bindings)
                                return -ENOMEM;
                        k->bindings = bindings;
                        k->allocated = n;
                }
                b = k->bindings + k->n++;
        }
        *b = (Binding){ .key = key, .context = context, .action = a };
        return 0;
}

static void take_all(Keymap *k, Action a)
{
        size_t n = 0;

        for (size_t i = 0; i < k->n; i++)
                if (k->bindings[i].action != a)
                        k->bindings[n++] = k->bindings[i];
        k->n = n;
}

/* What a terminal sends for some keys with Ctrl is another key's byte. */
static Key as_received(Key key)
{
        static const struct {
                uint32_t letter, code;
        } same[] = {
                { 'h', KEY_BACKSPACE },
                { 'i', KEY_TAB },
                { 'm', KEY_ENTER },
                { '[', KEY_ESCAPE },
        };

        for (size_t i = 0; i < ELEMENTSOF(same); i++)
                if ((key.modifiers & KEY_CONTROL) && key.code == same[i].letter)
                        return (Key){ same[i].code, key.modifiers & ~KEY_CONTROL };
        return key;
}

static int parse_key(const char *word, KeyContext context, Key *ret, Failure *failure)
{
        _cleanup_free_ char *shown = NULL;
        Key key;
        int r;

        r = utf8_sanitize_line(word, strlen(word), NAME_SHOWN, &shown);
        if (r < 0)
                return failure_set_errno(failure, r, "Cannot read a key");
        if (key_from_string(word, &key) < 0)
                return failure_set(failure, FAILURE_CONFIGURATION,
                        "There is no key '%s'; write it as Ctrl-X, Alt-x, F1, PageUp or Esc.",
                        shown);
        key = as_received(key);
        if ((context == CONTEXT_INPUT || context == CONTEXT_ANY) && key.code < KEY_ENTER &&
                !(key.modifiers & (KEY_CONTROL | KEY_ALT)))
                return failure_set(failure, FAILURE_CONFIGURATION,
                        "'%s' is typed into the input; use it with Ctrl or Alt.", shown);
        *ret = key;
        return 0;
}

static int parse_action(const char *name, Action *ret, Failure *failure)
{
        _cleanup_free_ char *shown = NULL;
        Action a = action_from_string(name);
        int r;

        if (a == ACTION_NONE) {
                r = utf8_sanitize_line(name, strlen(name), NAME_SHOWN, &shown);
                if (r < 0)
                        return failure_set_errno(failure, r, "Cannot read an action's name");
                return failure_set(failure, FAILURE_CONFIGURATION,
                        "There is no action '%s'; conductor-tui(1) has their names.", shown);
        }
        *ret = a;
        return 0;
}

/* What is next of the words, ended by a NUL in place; NULL behind the last. */
static char *next_word(char **words)
{
        char *word;

        do
                word = strsep(words, " \t");
        while (word && *word == 0);
        return word;
}

int keymap_set(Keymap *k, const char *action, const char *keys, Failure *failure)
{
        _cleanup_free_ char *words = NULL;
        Key parsed[8];
        size_t n = 0;
        char *rest;
        Action a = ACTION_NONE;
        int r;

        r = parse_action(action, &a, failure);
        if (r < 0)
                return r;
        words = rest = strdup(keys);
        if (!words)
                return failure_set_errno(failure, -ENOMEM, "Cannot bind keys");
        for (char *word = next_word(&rest); word; word = next_word(&rest)) {
                if (n == ELEMENTSOF(parsed))
                        return failure_set(failure, FAILURE_CONFIGURATION,
                                "An action has at most %zu keys.", ELEMENTSOF(parsed));
                r = parse_key(word, infos[a].context, parsed + n, failure);
                if (r < 0)
                        return r;
                n++;
        }

        take_all(k, a);
        for (size_t i = 0; i < n; i++) {
                r = put(k, a, parsed[i]);
                if (r < 0)
                        return failure_set_errno(failure, r, "Cannot bind keys");
        }
        return 0;
}

int keymap_new(bool vi, Keymap **ret)
{
        _cleanup_(keymap_freep) Keymap *k = NULL;
        int r;

        k = malloc(sizeof *k);
        if (!k)
                return -ENOMEM;
        *k = (Keymap){ .vi = vi };
        for (Action a = ACTION_NONE + 1; a < _ACTION_MAX; a++) {
                _cleanup_failure_ Failure failure = FAILURE_NULL;

                r = keymap_set(k, infos[a].name, infos[a].keys, &failure);
                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(k);
        return 0;
}

Keymap *keymap_free(Keymap *k)
{
        if (!k)
                return NULL;
        free(k->bindings);
        return mfree(k);
}

Action keymap_find(const Keymap *k, KeyContext context, Key key)
{
        const Binding *b = find(k, context, key);

        if (!b && context != CONTEXT_ANY)
                b = find(k, CONTEXT_ANY, key);
        return b ? b->action : ACTION_NONE;
}

int keymap_look_up(const Keymap *k, ViMode *mode, KeyContext context, Key key,
        Action ret[static KEYMAP_ACTIONS_MAX])
{
        Action a = ACTION_NONE;
        int r;

        if (k->vi) {
                r = vi_look_up(mode, context, key, ret);
                if (r != -ENOENT)
                        return r;
        }
        a = keymap_find(k, context, key);
        if (a == ACTION_NONE)
                return -ENOENT;
        ret[0] = a;
        return 1;
}

int keymap_keys(const Keymap *k, Action a, char **ret)
{
        _cleanup_buffer_ Buffer b = BUFFER_INIT(KIB(64));
        int r;

        for (size_t i = 0; i < k->n; i++) {
                _cleanup_free_ char *name = NULL;

                if (k->bindings[i].action != a)
                        continue;
                r = key_to_string(k->bindings[i].key, &name);
                if (r < 0)
                        return r;
                if (b.size > 0) {
                        r = buffer_append_string(&b, ", ");
                        if (r < 0)
                                return r;
                }
                r = buffer_append_string(&b, name);
                if (r < 0)
                        return r;
        }
        return buffer_steal(&b, ret, NULL);
}
