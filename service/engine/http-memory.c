/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* libcurl copies header lines, which have keys in them, and frees its copies as they are. So its
 * memory is wiped here, all of it: which of it had a key, only libcurl knows. */

#include "service/engine/http-private.h"

#include <malloc.h>

static void wipe_and_free(void *p)
{
        if (p)
                explicit_bzero(p, malloc_usable_size(p));
        free(p);
}

/* Never by realloc(), which leaves what was there behind where it moves a block. */
static void *move(void *p, size_t size)
{
        size_t room = p ? malloc_usable_size(p) : 0;
        void *to;

        if (p && size <= room)
                return p;
        to = malloc(size);
        if (!to)
                return NULL;
        if (p)
                memcpy(to, p, room);
        wipe_and_free(p);
        return to;
}

CURLcode http_start_curl(void)
{
        return curl_global_init_mem(
                CURL_GLOBAL_DEFAULT, malloc, wipe_and_free, move, strdup, calloc);
}
