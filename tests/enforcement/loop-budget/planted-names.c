/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/enforcement/loop-budget/planted-names.h"

#include <netdb.h>
#include <stddef.h>

void planted_look_up(void)
{
        struct addrinfo *found = NULL;

        if (getaddrinfo("localhost", NULL, NULL, &found) == 0)
                freeaddrinfo(found);
}
