/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/failure.h"

#include <stdarg.h>

#include "common/utf8.h"

static const struct {
        const char *name;
        int error;
        const char *sentence;
} failure_table[_FAILURE_MAX] = {
        [FAILURE_NONE] = { "None", 0, "Nothing failed." },
        [FAILURE_INVALID_ARGUMENT] = { "InvalidArgument", -EINVAL, "An argument is not valid." },
        [FAILURE_NO_SUCH_CONVERSATION] = { "NoSuchConversation", -ENXIO,
                "There is no such conversation. 'conductor list' shows those there are." },
        [FAILURE_NO_SUCH_MESSAGE] = { "NoSuchMessage", -ENOENT,
                "There is no such message in this conversation." },
        [FAILURE_NO_SUCH_MODEL] = { "NoSuchModel", -ESRCH,
                "There is no such model. 'conductor models' shows those there are." },
        [FAILURE_ENGINE_UNREACHABLE] = { "EngineUnreachable", -EHOSTUNREACH,
                "The engine cannot be reached." },
        [FAILURE_ENGINE_REFUSED] = { "EngineRefused", -ECONNREFUSED,
                "The engine refused the request." },
        [FAILURE_ENGINE_FAILED] = { "EngineFailed", -EBADMSG,
                "The engine's answer could not be understood." },
        [FAILURE_ENGINE_STALLED] = { "EngineStalled", -ETIMEDOUT, "The engine went silent." },
        [FAILURE_KEY_REFUSED] = { "KeyRefused", -EKEYREJECTED,
                "The engine's key is missing or was refused." },
        [FAILURE_CONTEXT_TOO_LONG] = { "ContextTooLong", -EMSGSIZE,
                "The conversation does not fit into the model's context." },
        [FAILURE_BUSY] = { "Busy", -EBUSY, "Busy; try again when the present work has ended." },
        [FAILURE_TOO_LARGE] = { "TooLarge", -EFBIG, "That is over a limit." },
        [FAILURE_NOT_SUPPORTED] = { "NotSupported", -EOPNOTSUPP, "That is not supported here." },
        [FAILURE_CANCELLED] = { "Cancelled", -ECANCELED, "Cancelled." },
        [FAILURE_STORE_FULL] = { "StoreFull", -ENOSPC,
                "The disk is full: nothing was stored. Free some space and try again." },
        [FAILURE_STORE_FAILED] = { "StoreFailed", -EIO,
                "The database could not be read or written. 'conductor doctor' says more." },
        [FAILURE_CONFIGURATION] = { "Configuration", -EUCLEAN, "The configuration is not valid." },
        [FAILURE_NO_MEMORY] = { "NoMemory", -ENOMEM, "Out of memory." },
        [FAILURE_NO_SERVICE] = { "NoService", -EHOSTDOWN,
                "The conductor service cannot be reached. 'conductor doctor' finds out why." },
        [FAILURE_INTERNAL] = { "Internal", -ENOTRECOVERABLE, "An internal error occurred." },
};

void failure_done(Failure *f)
{
        assert(f);
        f->message = mfree(f->message);
        f->code = FAILURE_NONE;
}

int failure_code_to_errno(FailureCode code)
{
        assert(code >= 0 && code < _FAILURE_MAX);
        return failure_table[code].error;
}

const char *failure_code_to_string(FailureCode code)
{
        assert(code >= 0 && code < _FAILURE_MAX);
        return failure_table[code].name;
}

FailureCode failure_code_from_string(const char *name)
{
        for (FailureCode c = FAILURE_INVALID_ARGUMENT; c < _FAILURE_MAX; c++)
                if (streq_ptr(name, failure_table[c].name))
                        return c;
        return FAILURE_INTERNAL;
}

const char *failure_message(const Failure *f)
{
        assert(f);
        return f->message ? f->message : failure_table[f->code].sentence;
}

/* A path or a foreign word in it may be no UTF-8. The bus refuses such a sentence, so that whoever
 * waits would get no answer at all. */
static char *repair_text(char *text)
{
        _cleanup_buffer_ Buffer buffer = BUFFER_INIT(SIZE_MAX / 4);
        _cleanup_free_ char *broken = text;
        char *repaired = NULL;
        Utf8Repair u = { 0 };
        int r;

        if (utf8_is_valid(text, strlen(text)))
                return TAKE_PTR(broken);
        r = utf8_repair(&u, text, strlen(text), &buffer);
        if (r >= 0)
                r = utf8_repair_flush(&u, &buffer);
        if (r >= 0)
                (void) buffer_steal(&buffer, &repaired, NULL);
        return repaired;
}

static _printf_(3, 0) void failure_setv(
        Failure *f, FailureCode code, const char *format, va_list ap)
{
        if (!f || f->code != FAILURE_NONE)
                return;

        f->code = code;
        if (format && vasprintf(&f->message, format, ap) < 0)
                f->message = NULL;
        if (f->message)
                f->message = repair_text(f->message);
}

int failure_set(Failure *f, FailureCode code, const char *format, ...)
{
        va_list ap;

        assert(code > FAILURE_NONE && code < _FAILURE_MAX);

        va_start(ap, format);
        failure_setv(f, code, format, ap);
        va_end(ap);
        return failure_table[code].error;
}

int failure_set_errno(Failure *f, int error, const char *format, ...)
{
        _cleanup_free_ char *text = NULL;
        FailureCode code;
        char buffer[128];
        va_list ap;
        int n;

        assert(error < 0);

        switch (-error) {
        case ENOMEM:
                code = FAILURE_NO_MEMORY;
                break;
        case ENOSPC:
        case EDQUOT:
                code = FAILURE_STORE_FULL;
                break;
        default:
                code = FAILURE_INTERNAL;
        }

        va_start(ap, format);
        n = vasprintf(&text, format, ap);
        va_end(ap);
        if (n < 0)
                text = NULL;

        (void) failure_set(
                f, code, "%s: %s", strempty(text), strerror_r(-error, buffer, sizeof buffer));
        return error;
}

void failure_copy(Failure *ret, const Failure *f)
{
        assert(ret);
        *ret = (Failure){ .code = f->code, .message = f->message ? strdup(f->message) : NULL };
}
