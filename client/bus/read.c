/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/bus/read.h"

#define ROW_TYPE_MAX 32

static const Field *find_field(const Field *fields, size_t n, const char *key)
{
        for (size_t i = 0; i < n; i++)
                if (streq(fields[i].key, key))
                        return fields + i;
        return NULL;
}

static int read_number(sd_bus_message *m, char type, uint64_t *ret)
{
        uint32_t small;
        int r;

        if (type == SD_BUS_TYPE_UINT64)
                return sd_bus_message_read_basic(m, type, ret);
        r = sd_bus_message_read_basic(m, type, &small);
        if (r > 0)
                *ret = small;
        return r;
}

/* Inside of the variant. Another type than the expected one is passed over. */
static int read_value(sd_bus_message *m, const Field *f)
{
        const char *contents;
        char type;
        int r;

        r = sd_bus_message_peek_type(m, &type, &contents);
        if (r < 0)
                return r;
        if (f->type == '*')
                return f->read(m, f->value);
        if (f->type == 't' && (type == SD_BUS_TYPE_UINT64 || type == SD_BUS_TYPE_UINT32))
                return read_number(m, type, f->value);
        if (f->type == type || (f->type == 's' && type == SD_BUS_TYPE_OBJECT_PATH))
                return sd_bus_message_read_basic(m, type, f->value);
        return sd_bus_message_skip(m, NULL);
}

static int read_entry(sd_bus_message *m, const Field *fields, size_t n)
{
        const char *key, *contents;
        const Field *f;
        char type;
        int r;

        r = sd_bus_message_read_basic(m, SD_BUS_TYPE_STRING, &key);
        if (r < 0)
                return r;
        f = find_field(fields, n, key);
        if (!f)
                return sd_bus_message_skip(m, "v");
        r = sd_bus_message_peek_type(m, &type, &contents);
        if (r < 0)
                return r;
        r = sd_bus_message_enter_container(m, SD_BUS_TYPE_VARIANT, contents);
        if (r < 0)
                return r;
        r = read_value(m, f);
        if (r < 0)
                return r;
        return sd_bus_message_exit_container(m);
}

int read_dictionary(sd_bus_message *m, const Field *fields, size_t n)
{
        int r;

        r = sd_bus_message_enter_container(m, SD_BUS_TYPE_ARRAY, "{sv}");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(m, SD_BUS_TYPE_DICT_ENTRY, "sv")) > 0) {
                r = read_entry(m, fields, n);
                if (r < 0)
                        return r;
                r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return r;
        return sd_bus_message_exit_container(m);
}

static int append_row(sd_bus_message *m, const Rows *rows, char **items, size_t *n)
{
        char *more, *item;

        /* Doubled at each power of two. */
        if ((*n & (*n - 1)) == 0) {
                more = reallocarray(*items, MAX(*n * 2, (size_t) 1), rows->size);
                if (!more)
                        return -ENOMEM;
                *items = more;
        }
        item = *items + (*n)++ * rows->size;
        memset(item, 0, rows->size);
        return rows->read(m, item, rows->userdata);
}

int read_rows(sd_bus_message *m, const Rows *rows, void *items, size_t *n)
{
        char type[ROW_TYPE_MAX], *all;
        int r;

        (void) snprintf(type, sizeof type, "(%s)", rows->contents);
        memcpy(&all, items, sizeof all);
        r = sd_bus_message_enter_container(m, SD_BUS_TYPE_ARRAY, type);
        while (r >= 0 &&
                (r = sd_bus_message_enter_container(m, SD_BUS_TYPE_STRUCT, rows->contents)) > 0) {
                r = append_row(m, rows, &all, n);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        memcpy(items, &all, sizeof all);
        return r < 0 ? r : sd_bus_message_exit_container(m);
}
