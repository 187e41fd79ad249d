/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* In a cmocka case, which then ends. cmocka keeps no reason: cmocka-tap puts it behind the case. */
#define skip_because(why) \
        do { \
                print_message("# skipped: %s\n", why); \
                skip(); \
        } while (0)
