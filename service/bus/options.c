/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/bus/options.h"

#include "service/bus/error.h"

/* The keys that one dictionary may have: far more than any call knows, so that the table of what
 * was seen is a number's bits. */
#define OPTIONS_MAX 64U

/* So much of a caller's own word is shown in an error, cut between characters. */
#define SHOWN_MAX 64U

static int read_value(sd_bus_message *m, const BusOption *o, sd_bus_error *error)
{
        int b, r;

        if (o->parse)
                return o->parse(m, o->value, error);

        switch (o->type[0]) {
        case 'b':
                r = sd_bus_message_read_basic(m, 'b', &b); /* an int on the wire's side */
                if (r < 0)
                        return r;
                *(bool *) o->value = b;
                return 0;
        case 's':
        case 'o':
        case 'u':
        case 't':
                return sd_bus_message_read_basic(m, o->type[0], o->value);
        default:
                return -EINVAL;
        }
}

static int read_option(sd_bus_message *m, const BusOption *o, sd_bus_error *error)
{
        const char *contents = NULL;
        char type;
        int r;

        r = sd_bus_message_peek_type(m, &type, &contents);
        if (r < 0)
                return r;
        if (type != SD_BUS_TYPE_VARIANT || !streq_ptr(contents, o->type))
                return bus_error_invalid(error, "Option \"%s\" is of type \"%s\", not \"%s\".",
                        o->name, o->type, strempty(contents));

        r = sd_bus_message_enter_container(m, SD_BUS_TYPE_VARIANT, o->type);
        if (r < 0)
                return r;
        r = read_value(m, o, error);
        if (r < 0)
                return r;
        if (o->given)
                *o->given = true;
        return sd_bus_message_exit_container(m);
}

static size_t shown_length(const char *s)
{
        size_t n = strnlen(s, SHOWN_MAX + 1);

        if (n <= SHOWN_MAX)
                return n;
        for (n = SHOWN_MAX; n > 0 && ((unsigned char) s[n] & 0xC0) == 0x80;)
                n--;
        return n;
}

static int read_entry(sd_bus_message *m, const BusOption *options, size_t n_options, uint64_t *seen,
        sd_bus_error *error)
{
        const char *key;
        int r;

        r = sd_bus_message_read_basic(m, 's', &key);
        if (r < 0)
                return r;

        for (size_t i = 0; i < n_options; i++) {
                if (!streq(options[i].name, key))
                        continue;
                if (*seen & (UINT64_C(1) << i))
                        return bus_error_invalid(error, "Option \"%s\" is given twice.", key);
                *seen |= UINT64_C(1) << i;
                return read_option(m, options + i, error);
        }

        return bus_error_invalid(
                error, "There is no option \"%.*s\" here.", (int) shown_length(key), key);
}

static int read_dictionary(
        sd_bus_message *m, const BusOption *options, size_t n_options, sd_bus_error *error)
{
        uint64_t seen = 0;
        int r;

        r = sd_bus_message_enter_container(m, SD_BUS_TYPE_ARRAY, "{sv}");
        if (r < 0)
                return r;

        while ((r = sd_bus_message_enter_container(m, SD_BUS_TYPE_DICT_ENTRY, "sv")) > 0) {
                r = read_entry(m, options, n_options, &seen, error);
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

int bus_read_options(
        sd_bus_message *m, const BusOption *options, size_t n_options, sd_bus_error *error)
{
        int r;

        assert(n_options <= OPTIONS_MAX);

        r = read_dictionary(m, options, n_options, error);
        /* No broker has looked at what comes by the private door. Of sd-bus's numbers for lengths
         * that do not fit (-EBUSY, -ENXIO) nobody could tell what is wrong. */
        if (r < 0 && r != -ENOMEM && !sd_bus_error_is_set(error))
                return bus_error_invalid(error,
                        "The options are not a dictionary (a{sv}) as "
                        "D-Bus writes it.");
        return r;
}
