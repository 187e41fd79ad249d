/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Named after the fault that it has: what each build of the matrix is there to find. In place of
 * the service it is found only where what a test's service says is looked at. */

#include <limits.h>
#include <pthread.h>

#include "common/macro.h"

/* Nobody knows at compile time what is in here. */
static void *(*volatile get)(size_t) = malloc;
static volatile size_t five = 5;
static volatile int largest = INT_MAX;
static volatile unsigned shared;

static void leak(void)
{
        char *volatile lost = get(five);

        lost = NULL;
        (void) lost;
}

static void overflow(void)
{
        _cleanup_free_ volatile char *text = get(five);

        if (text)
                text[five] = 0;
}

static void undefined(void)
{
        largest = largest + 1;
}

static void undecided(void)
{
        _cleanup_free_ volatile char *text = get(five);

        if (text && text[1] == 'x')
                puts("x");
}

static void fortify(void)
{
        char text[4];

        memset(text, 'x', five);
        if (text[0] != 'x')
                puts("x");
}

static void *raise_shared(void *userdata)
{
        for (unsigned i = 0; i < 1000; i++)
                shared++;
        return NULL;
}

static void race(void)
{
        pthread_t other;

        if (pthread_create(&other, NULL, raise_shared, NULL) != 0)
                return;
        (void) raise_shared(NULL);
        (void) pthread_join(other, NULL);
}

int main(int argc, char **argv)
{
        static const struct {
                const char *name;
                void (*function)(void);
        } faults[] = {
                { "leak", leak },
                { "overflow", overflow },
                { "undefined", undefined },
                { "undecided", undecided },
                { "fortify", fortify },
                { "race", race },
        };
#ifdef PLANTED_WARNING
        int unused;
#endif

        for (size_t i = 0; i < ELEMENTSOF(faults); i++)
                if (streq(basename(argv[0]), faults[i].name)) {
                        faults[i].function();
                        return EXIT_SUCCESS;
                }
        return EXIT_FAILURE;
}
