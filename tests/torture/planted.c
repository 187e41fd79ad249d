/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/torture/planted.h"

#include "common/macro.h"

/* As a careless function would: what it already has is forgotten when the next call fails. */
static _Atomic(char *) lost;

static int careless(void)
{
        lost = malloc(77);
        if (!lost)
                return -ENOMEM;
        lost = strdup("the second");
        if (!lost)
                return -ENOMEM;
        free(lost);
        return 0;
}

void planted(void)
{
        const char *what = getenv("TORTURE_PLANTED");
        _cleanup_free_ char *text = NULL;

        if (!what)
                return;
        if (streq(what, "leak")) {
                (void) careless();
                return;
        }
        text = strdup("a text");
        if (text)
                return;
        if (streq(what, "crash"))
                *(volatile char *) text = 0;
        else if (streq(what, "hang"))
                (void) pause();
        else if (streq(what, "silent"))
                exit(EXIT_SUCCESS);
}
