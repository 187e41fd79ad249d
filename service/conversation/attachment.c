/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/conversation/attachment.h"

#include <sys/stat.h>

#include "common/attachment-memory.h"
#include "common/utf8.h"

bool attachment_name_is_valid(const char *name)
{
        size_t n = strlen(name);

        return n > 0 && n <= ATTACHMENT_NAME_MAX && !strchr(name, '/') && !streq(name, ".") &&
                !streq(name, "..") && utf8_is_clean_line(name, n);
}

int attachment_check_name(const char *name, Failure *failure)
{
        if (attachment_name_is_valid(name))
                return 0;
        return failure_set(failure, FAILURE_INVALID_ARGUMENT,
                "An attachment's name has 1 to %u bytes, no '/' and no control characters.",
                ATTACHMENT_NAME_MAX);
}

const char *attachment_guess_type(const void *data, size_t size)
{
        static const struct {
                const char *type, *magic;
                size_t at, size;
        } table[] = {
                { "image/png", "\x89PNG\r\n\x1a\n", 0, 8 },
                { "image/jpeg", "\xff\xd8\xff", 0, 3 },
                { "image/gif", "GIF87a", 0, 6 },
                { "image/gif", "GIF89a", 0, 6 },
                { "application/pdf", "%PDF-", 0, 5 },
        };
        const char *bytes = data;

        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                if (size >= table[i].size && memcmp(bytes, table[i].magic, table[i].size) == 0)
                        return table[i].type;
        if (size >= 12 && memcmp(bytes, "RIFF", 4) == 0 && memcmp(bytes + 8, "WEBP", 4) == 0)
                return "image/webp";
        return utf8_is_valid(bytes, size) ? "text/plain" : "application/octet-stream";
}

static int read_all(int fd, char *data, size_t size, size_t *ret_size)
{
        size_t at = 0;

        while (at < size) {
                ssize_t n = pread(fd, data + at, size - at, at);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        break; /* it became shorter meanwhile */
                at += n;
        }
        *ret_size = at;
        return 0;
}

/* The whole of a file whose size is known. */
static int read_file(
        int fd, const char *name, size_t maximum, StoreAttachment *ret, Failure *failure)
{
        _cleanup_free_ char *data = NULL, *copy = NULL, *type = NULL;
        size_t size = 0;
        int r;

        data = malloc(maximum + 1);
        copy = strdup(name);
        if (!data || !copy)
                return failure_set(failure, FAILURE_NO_MEMORY, NULL);
        r = read_all(fd, data, maximum, &size);
        if (r < 0)
                return failure_set(failure, FAILURE_INVALID_ARGUMENT, "\"%s\" cannot be read: %s.",
                        name, strerrordesc_np(-r));
        type = strdup(attachment_guess_type(data, size));
        if (!type)
                return failure_set(failure, FAILURE_NO_MEMORY, NULL);

        *ret = (StoreAttachment){
                .name = TAKE_PTR(copy),
                .type = TAKE_PTR(type),
                .data = TAKE_PTR(data),
                .size = size,
                .counted = maximum,
        };
        return 0;
}

int attachment_read(int fd, const char *name, size_t maximum, size_t *counted, StoreAttachment *ret,
        Failure *failure)
{
        struct stat st;
        int r;

        if (fstat(fd, &st) < 0)
                return failure_set_errno(failure, -errno, "\"%s\" cannot be looked at", name);
        if (!S_ISREG(st.st_mode))
                return failure_set(
                        failure, FAILURE_INVALID_ARGUMENT, "\"%s\" is not a regular file.", name);
        if ((uint64_t) st.st_size > maximum)
                return failure_set(failure, FAILURE_TOO_LARGE,
                        "\"%s\" has %ju bytes, which is over the limit of %zu.", name,
                        (uintmax_t) st.st_size, maximum);

        if (!attachment_memory_take(st.st_size, *counted, ATTACHMENTS_SENT_MAX))
                return failure_set(failure, FAILURE_BUSY,
                        "With \"%s\" the attachments of all messages and replies under way would "
                        "take more than %zu MiB. Send it again when a reply has ended.",
                        name, ATTACHMENTS_SENT_MAX / MIB(1));
        r = read_file(fd, name, st.st_size, ret, failure);
        if (r < 0) {
                attachment_memory_give(st.st_size);
                return r;
        }
        *counted += st.st_size;
        return 0;
}
