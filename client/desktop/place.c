/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/desktop/place.h"

#include <inttypes.h>

#include "common/names.h"
#include "common/parse.h"

static int set(Place *ret, const char *id, size_t size, uint64_t message)
{
        if (size != CONVERSATION_ID || strspn(id, "0123456789abcdef") < size)
                return -EINVAL;
        memcpy(ret->conversation, id, size);
        ret->conversation[size] = 0;
        ret->message = message;
        return 0;
}

int place_of(const char *path, uint64_t message, Place *ret)
{
        const char *id = startswith(path, PATH_CONVERSATION "/");

        return id ? set(ret, id, strlen(id), message) : -EINVAL;
}

void place_format(const Place *p, char ret[static PLACE_MAX])
{
        (void) snprintf(ret, PLACE_MAX, "%s/%" PRIu64, p->conversation, p->message);
}

int place_parse(const char *word, Place *ret)
{
        const char *slash = strchr(word, '/');
        uint64_t message;
        int r;

        if (!slash)
                return -EINVAL;
        r = parse_u64(slash + 1, &message);
        return r < 0 ? r : set(ret, word, (size_t) (slash - word), message);
}
