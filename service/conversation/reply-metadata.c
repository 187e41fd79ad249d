/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is kept of how a reply came about: a JSON object beside its text. */

#include <inttypes.h>
#include <math.h>

#include "common/json-util.h"
#include "service/conversation/conversation-internal.h"

static int append_key(Buffer *b, const char *key)
{
        return buffer_append_format(b, "%s\"%s\":", b->size > 1 ? "," : "", key);
}

/* What is not known is not said. */
static int append_string(Buffer *b, const char *key, const char *value)
{
        int r;

        if (isempty(value))
                return 0;
        r = append_key(b, key);
        if (r < 0)
                return r;
        return json_append_string(b, value, strlen(value));
}

static int append_number(Buffer *b, const char *key, uint64_t value)
{
        int r;

        if (value == 0)
                return 0;
        r = append_key(b, key);
        if (r < 0)
                return r;
        return buffer_append_format(b, "%" PRIu64, value);
}

/* Thousandths, written without the locale's decimal point. */
static int append_rate(Buffer *b, const char *key, double value)
{
        uint64_t thousandths;
        int r;

        if (!isfinite(value) || value <= 0 || value >= 1e12)
                return 0;
        r = append_key(b, key);
        if (r < 0)
                return r;
        thousandths = (uint64_t) llround(value * 1000);
        return buffer_append_format(
                b, "%" PRIu64 ".%03u", thousandths / 1000, (unsigned) (thousandths % 1000));
}

static int append_strings(Buffer *b, const ReplyInfo *info)
{
        const struct {
                const char *key, *value;
        } strings[] = {
                { "model", info->model },
                { "engine", info->engine },
                { "note", info->note },
                { "error", info->failure ? failure_code_to_string(info->failure->code) : NULL },
                { "message", info->failure ? failure_message(info->failure) : NULL },
        };

        for (size_t i = 0; i < ELEMENTSOF(strings); i++) {
                int r = append_string(b, strings[i].key, strings[i].value);

                if (r < 0)
                        return r;
        }
        return 0;
}

static int append_numbers(Buffer *b, const ReplyInfo *info)
{
        const struct {
                const char *key;
                uint64_t value;
        } numbers[] = {
                { "elapsed_us", info->elapsed },
                { "first_token_us", info->first_token },
                { "tokens_in", info->tokens_in },
                { "tokens_out", info->tokens_out },
                { "context_used", info->context_used },
                { "context_size", info->context_size },
                { "dropped_messages", info->dropped_messages },
        };

        for (size_t i = 0; i < ELEMENTSOF(numbers); i++) {
                int r = append_number(b, numbers[i].key, numbers[i].value);

                if (r < 0)
                        return r;
        }
        return append_rate(b, "tokens_per_second", info->tokens_per_second);
}

int reply_metadata(const Reply *reply, char **ret)
{
        _cleanup_buffer_ Buffer b = BUFFER_INIT(KIB(64));
        ReplyInfo info;
        int r;

        reply_get_stored_info(reply, &info);
        r = buffer_append_string(&b, "{");
        if (r < 0)
                return r;
        r = append_strings(&b, &info);
        if (r < 0)
                return r;
        r = append_numbers(&b, &info);
        if (r < 0)
                return r;
        if (info.estimated) {
                r = buffer_append_format(&b, "%s\"estimated\":true", b.size > 1 ? "," : "");
                if (r < 0)
                        return r;
        }
        r = buffer_append_string(&b, "}");
        if (r < 0)
                return r;
        return buffer_steal(&b, ret, NULL);
}
