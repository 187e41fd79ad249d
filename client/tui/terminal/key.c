/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <strings.h>

#include "client/tui/terminal/input-internal.h"

static const struct {
        uint32_t code;
        const char *name;
} key_names[] = {
        { ' ', "Space" },
        { KEY_ENTER, "Enter" },
        { KEY_TAB, "Tab" },
        { KEY_BACKSPACE, "Backspace" },
        { KEY_ESCAPE, "Esc" },
        { KEY_UP, "Up" },
        { KEY_DOWN, "Down" },
        { KEY_LEFT, "Left" },
        { KEY_RIGHT, "Right" },
        { KEY_HOME, "Home" },
        { KEY_END, "End" },
        { KEY_PAGE_UP, "PageUp" },
        { KEY_PAGE_DOWN, "PageDown" },
        { KEY_INSERT, "Insert" },
        { KEY_DELETE, "Delete" },
        { KEY_F1, "F1" },
        { KEY_F1 + 1, "F2" },
        { KEY_F1 + 2, "F3" },
        { KEY_F1 + 3, "F4" },
        { KEY_F1 + 4, "F5" },
        { KEY_F1 + 5, "F6" },
        { KEY_F1 + 6, "F7" },
        { KEY_F1 + 7, "F8" },
        { KEY_F1 + 8, "F9" },
        { KEY_F1 + 9, "F10" },
        { KEY_F1 + 10, "F11" },
        { KEY_F12, "F12" },
};

static const struct {
        unsigned modifier;
        const char *name;
} modifier_names[] = {
        { KEY_CONTROL, "Ctrl-" },
        { KEY_ALT, "Alt-" },
        { KEY_SHIFT, "Shift-" },
};

static size_t encode(uint32_t c, char s[static 4])
{
        size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
        static const unsigned char leads[] = { 0, 0, 0xc0, 0xe0, 0xf0 };

        s[0] = (char) (leads[n] | c >> (6 * (n - 1)));
        for (size_t i = 1; i < n; i++)
                s[i] = (char) (0x80 | (c >> (6 * (n - 1 - i)) & 0x3f));
        return n;
}

bool key_is_clean(uint32_t code)
{
        char s[4];

        return code >= KEY_ENTER || utf8_is_clean_line(s, encode(code, s));
}

int key_to_string(Key key, char **ret)
{
        _cleanup_buffer_ Buffer b = BUFFER_INIT(64);
        char s[4];
        int r;

        for (size_t i = 0; i < ELEMENTSOF(modifier_names); i++)
                if (key.modifiers & modifier_names[i].modifier) {
                        r = buffer_append_string(&b, modifier_names[i].name);
                        if (r < 0)
                                return r;
                }
        for (size_t i = 0; i < ELEMENTSOF(key_names); i++)
                if (key_names[i].code == key.code) {
                        r = buffer_append_string(&b, key_names[i].name);
                        return r < 0 ? r : buffer_steal(&b, ret, NULL);
                }
        if (key.code >= KEY_ENTER || !key_is_clean(key.code))
                return -EINVAL;
        if ((key.modifiers & KEY_CONTROL) && key.code >= 'a' && key.code <= 'z')
                key.code -= 'a' - 'A';
        r = buffer_append(&b, s, encode(key.code, s));
        return r < 0 ? r : buffer_steal(&b, ret, NULL);
}

/* The one character that the string is. */
static int parse_character(const char *s, uint32_t *ret)
{
        size_t n = strlen(s);
        unsigned char lead = (unsigned char) s[0];
        size_t length = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
        uint32_t c = length == 1 ? lead : lead & (0x7fU >> length);

        if (n == 0 || n != length || !utf8_is_clean_line(s, n))
                return -EINVAL;
        for (size_t i = 1; i < n; i++)
                c = c << 6 | ((unsigned char) s[i] & 0x3f);
        *ret = c;
        return 0;
}

int key_from_string(const char *s, Key *ret)
{
        Key key = { 0 };
        int r;

        for (size_t i = 0; i < ELEMENTSOF(modifier_names); i++) {
                size_t n = strlen(modifier_names[i].name);

                if (strncasecmp(s, modifier_names[i].name, n) != 0 || s[n] == 0)
                        continue;
                if (key.modifiers & modifier_names[i].modifier)
                        return -EINVAL;
                key.modifiers |= modifier_names[i].modifier;
                s += n;
                i = SIZE_MAX; /* they come in any order */
        }
        for (size_t i = 0; i < ELEMENTSOF(key_names); i++)
                if (strcasecmp(key_names[i].name, s) == 0) {
                        key.code = key_names[i].code;
                        *ret = key;
                        return 0;
                }
        r = parse_character(s, &key.code);
        if (r < 0)
                return r;
        if ((key.modifiers & KEY_CONTROL) && key.code >= 'A' && key.code <= 'Z')
                key.code += 'a' - 'A';
        else if (!(key.modifiers & KEY_CONTROL) && (key.modifiers & KEY_SHIFT))
                return -EINVAL; /* it is another character */
        *ret = key;
        return 0;
}
