/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/parse.h"

#include <strings.h>

typedef struct Unit {
        const char *name;
        uint64_t factor;
} Unit;

#define MINUTE (60 * USEC_PER_SEC)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

static const Unit time_units[] = {
        { "us", 1 },
        { "usec", 1 },
        { "µs", 1 },
        { "ms", USEC_PER_MSEC },
        { "msec", USEC_PER_MSEC },
        { "", USEC_PER_SEC },
        { "s", USEC_PER_SEC },
        { "sec", USEC_PER_SEC },
        { "second", USEC_PER_SEC },
        { "seconds", USEC_PER_SEC },
        { "m", MINUTE },
        { "min", MINUTE },
        { "minute", MINUTE },
        { "minutes", MINUTE },
        { "h", HOUR },
        { "hr", HOUR },
        { "hour", HOUR },
        { "hours", HOUR },
        { "d", DAY },
        { "day", DAY },
        { "days", DAY },
        { "w", 7 * DAY },
        { "week", 7 * DAY },
        { "weeks", 7 * DAY },
};

static bool is_digit(char c)
{
        return c >= '0' && c <= '9';
}

static int read_digits(const char **s, uint64_t *ret)
{
        uint64_t n = 0;

        if (!is_digit(**s))
                return -EINVAL;
        for (; is_digit(**s); (*s)++)
                if (__builtin_mul_overflow(n, 10, &n) ||
                        __builtin_add_overflow(n, (uint64_t) (**s - '0'), &n))
                        return -ERANGE;
        *ret = n;
        return 0;
}

int parse_word(const char *const *table, size_t n, const char *s)
{
        for (size_t i = 0; i < n; i++)
                if (streq_ptr(table[i], s))
                        return (int) i;
        return -EINVAL;
}

int parse_u64(const char *s, uint64_t *ret)
{
        uint64_t n;
        int r;

        r = read_digits(&s, &n);
        if (r < 0)
                return r;
        if (*s)
                return -EINVAL;
        *ret = n;
        return 0;
}

int parse_bool(const char *s, bool *ret)
{
        static const char *const words[][2] = { { "no", "yes" }, { "false", "true" },
                { "off", "on" }, { "0", "1" }, { "n", "y" }, { "f", "t" } };

        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                for (size_t value = 0; value < 2; value++)
                        if (strcasecmp(s, words[i][value]) == 0) {
                                *ret = value;
                                return 0;
                        }
        return -EINVAL;
}

/* One "12.5min": digits, perhaps a fraction of at most six digits that count, perhaps space, unit.
 */
static int read_with_unit(const char **s, uint64_t *ret)
{
        uint64_t whole, part = 0, scale = 1, n;
        size_t size;
        int r;

        r = read_digits(s, &whole);
        if (r < 0)
                return r;
        if (**s == '.') {
                (*s)++;
                if (!is_digit(**s))
                        return -EINVAL;
                for (; is_digit(**s); (*s)++)
                        if (scale < 1000000) {
                                part = part * 10 + (uint64_t) (**s - '0');
                                scale *= 10;
                        }
        }
        while (**s == ' ')
                (*s)++;

        size = 0;
        while ((*s)[size] && (*s)[size] != ' ' && !is_digit((*s)[size]))
                size++;
        for (size_t i = 0; i < ELEMENTSOF(time_units); i++)
                if (strlen(time_units[i].name) == size &&
                        memcmp(time_units[i].name, *s, size) == 0) {
                        *s += size;
                        if (__builtin_mul_overflow(whole, time_units[i].factor, &n) ||
                                __builtin_add_overflow(n,
                                        (uint64_t) ((__uint128_t) time_units[i].factor * part /
                                                scale),
                                        &n))
                                return -ERANGE;
                        *ret = n;
                        return 0;
                }
        return -EINVAL;
}

int parse_usec(const char *s, usec_t *ret)
{
        uint64_t sum = 0, n;
        int r;

        if (streq(s, "infinity")) {
                *ret = USEC_INFINITY;
                return 0;
        }
        do {
                r = read_with_unit(&s, &n);
                if (r < 0)
                        return r;
                if (__builtin_add_overflow(sum, n, &sum) || sum == USEC_INFINITY)
                        return -ERANGE;
                while (*s == ' ')
                        s++;
        } while (*s);
        *ret = sum;
        return 0;
}
