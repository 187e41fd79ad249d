/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/bus/append.h"

#include <stdarg.h>

#define ROW_SIGNATURE_MAX 32U

int bus_append_text(sd_bus_message *m, const char *text, size_t size)
{
        char *space;
        int r;

        r = sd_bus_message_append_string_space(m, size, &space);
        if (r < 0)
                return r;
        if (size > 0)
                memcpy(space, text, size);
        return 0;
}

static int append_entry(sd_bus_message *m, const BusEntry *e)
{
        switch (e->type) {
        case 's':
                if (e->optional && isempty(e->s))
                        return 0;
                return sd_bus_message_append(m, "{sv}", e->key, "s", e->s);
        case 'b':
                if (e->optional && !e->b)
                        return 0;
                return sd_bus_message_append(m, "{sv}", e->key, "b", (int) e->b);
        case 'u':
                if (e->optional && e->u == 0)
                        return 0;
                return sd_bus_message_append(m, "{sv}", e->key, "u", e->u);
        case 't':
                if (e->optional && e->t == 0)
                        return 0;
                return sd_bus_message_append(m, "{sv}", e->key, "t", e->t);
        case 'd':
                if (e->optional && !(e->d > 0 || e->d < 0))
                        return 0;
                return sd_bus_message_append(m, "{sv}", e->key, "d", e->d);
        default:
                return -EINVAL;
        }
}

int bus_append_entries(sd_bus_message *m, const BusEntry *entries, size_t n_entries)
{
        int r;

        for (size_t i = 0; i < n_entries; i++) {
                r = append_entry(m, entries + i);
                if (r < 0)
                        return r;
        }
        return 0;
}

int bus_open_entry(sd_bus_message *m, const char *key, const char *signature)
{
        int r;

        r = sd_bus_message_open_container(m, 'e', "sv");
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "s", key);
        if (r < 0)
                return r;
        return sd_bus_message_open_container(m, 'v', signature);
}

int bus_open_row(sd_bus_message *m, const char *types, ...)
{
        char signature[ROW_SIGNATURE_MAX];
        va_list ap;
        int r;

        r = snprintf(signature, sizeof signature, "%sa{sv}", types);
        assert(r > 0 && (size_t) r < sizeof signature);
        r = sd_bus_message_open_container(m, 'r', signature);
        if (r < 0)
                return r;
        va_start(ap, types);
        r = sd_bus_message_appendv(m, types, ap);
        va_end(ap);
        if (r < 0)
                return r;
        return sd_bus_message_open_container(m, 'a', "{sv}");
}

int bus_open_answer(sd_bus_message *call, const char *contents, sd_bus_message **ret)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_return(call, &m);
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(m, 'a', contents);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(m);
        return 0;
}

int bus_close_containers(sd_bus_message *m, unsigned n)
{
        int r;

        while (n-- > 0) {
                r = sd_bus_message_close_container(m);
                if (r < 0)
                        return r;
        }
        return 0;
}
