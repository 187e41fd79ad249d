/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/text.h"

#include "common/parse.h"

static const char *const role_table[_ROLE_MAX] = {
        [ROLE_SYSTEM] = "system",
        [ROLE_USER] = "user",
        [ROLE_ASSISTANT] = "assistant",
};

static const char *const channel_table[_CHANNEL_MAX] = {
        [CHANNEL_CONTENT] = "content",
        [CHANNEL_REASONING] = "reasoning",
};

static const char *const end_reason_table[_REASON_MAX] = {
        [REASON_NONE] = "",
        [REASON_STOP] = "stop",
        [REASON_LENGTH] = "length",
        [REASON_CANCELLED] = "cancelled",
        [REASON_INTERRUPTED] = "interrupted",
        [REASON_INCOMPLETE] = "incomplete",
        [REASON_FILTERED] = "filtered",
        [REASON_FAILED] = "failed",
        [REASON_TOOL] = "tool",
};

const char *role_to_string(Role r)
{
        assert(r >= 0 && r < _ROLE_MAX);
        return role_table[r];
}

Role role_from_string(const char *s)
{
        return parse_word(role_table, ELEMENTSOF(role_table), s);
}

const char *channel_to_string(Channel c)
{
        assert(c >= 0 && c < _CHANNEL_MAX);
        return channel_table[c];
}

Channel channel_from_string(const char *s)
{
        return parse_word(channel_table, ELEMENTSOF(channel_table), s);
}

const char *end_reason_to_string(EndReason r)
{
        assert(r >= 0 && r < _REASON_MAX);
        return end_reason_table[r];
}

EndReason end_reason_from_string(const char *s)
{
        return parse_word(end_reason_table, ELEMENTSOF(end_reason_table), s);
}
