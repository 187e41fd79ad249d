/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* KeySecret=: which secret of the desktop's keyring is meant. */
#include "common/paths.h"
#include "service/config/config-internal.h"

#define NAME_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:._-"

/* A value's end: after a closing quote, or before the next blank. NULL: the quote is not closed. */
static const char *value_end(const char *value)
{
        return *value == '"' ? strchr(value + 1, '"') : value + strcspn(value, " \"");
}

static int add(char **list, size_t *n, const char *begin, const char *end)
{
        list[*n] = strndup(begin, (size_t) (end - begin));
        if (!list[*n])
                return -ENOMEM;
        list[++*n] = NULL;
        return 0;
}

/* One name=value; *text goes behind it. */
static int read_one(const char **text, char **list, size_t *n)
{
        const char *name = *text, *value = name + strspn(name, NAME_LETTERS), *end;
        int r;

        if (value == name || *value != '=')
                return -EINVAL;
        r = add(list, n, name, value);
        if (r < 0)
                return r;
        end = value_end(++value);
        if (!end || (end == value && *value != '"'))
                return -EINVAL;
        r = *value == '"' ? add(list, n, value + 1, end) : add(list, n, value, end);
        if (r < 0)
                return r;
        end += *value == '"';
        if (*end && *end != ' ')
                return -EINVAL;
        *text = end + strspn(end, " ");
        return 0;
}

int config_parse_attributes(const char *text, char ***ret)
{
        _cleanup_(strv_freep) char **list = NULL;
        size_t n = 0;
        int r;

        list = calloc(2 * CONFIG_ATTRIBUTES_MAX + 1, sizeof *list);
        if (!list)
                return -ENOMEM;
        text += strspn(text, " ");
        while (*text) {
                if (n == 2 * CONFIG_ATTRIBUTES_MAX)
                        return -EINVAL;
                r = read_one(&text, list, &n);
                if (r < 0)
                        return r;
        }
        /* Without any, every secret there is would be meant. */
        if (n == 0)
                return -EINVAL;
        *ret = TAKE_PTR(list);
        return 0;
}

int config_read_secret(const char *value, void *field)
{
        _cleanup_(strv_freep) char **attributes = NULL;
        int r;

        if (*value) {
                r = config_parse_attributes(value, &attributes);
                if (r < 0)
                        return r;
        }
        return config_read_string(value, field);
}
