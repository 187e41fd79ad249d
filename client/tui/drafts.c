/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/tui/drafts.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "common/json-util.h"
#include "common/log.h"
#include "common/paths.h"
#include "common/utf8.h"

#define ID_SIZE      32U
#define HISTORY_NAME "history"
/* A character takes six bytes at most in JSON, and nothing larger than this is ever read. */
#define LINE_BYTES_MAX (6 * HISTORY_TEXT + 3)
#define FILE_MAX       MIB(4)
#define PENDING_MAX    MIB(1)
#define FILE_NAME_MAX  64

struct Drafts {
        int folder;     /* -EBADF: nothing is kept */
        char **history; /* oldest first */
        size_t n_history, history_bytes;
        Buffer pending; /* lines that another client's rewriting kept from the file */
};

/* ---- files in the folder ---- */

/* Of one that is larger than the buffer its end, or -EFBIG. */
static int read_file(int folder, const char *name, bool end_will_do, Buffer *out)
{
        size_t left;
        _cleanup_close_ int fd = -EBADF;
        struct stat st;
        char *end;
        int r;

        fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
        if (fd < 0)
                return -errno;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EINVAL;
        if ((uint64_t) st.st_size > out->maximum && !end_will_do)
                return -EFBIG;
        left = (size_t) MIN((uint64_t) st.st_size, (uint64_t) out->maximum);
        if (lseek(fd, st.st_size - (off_t) left, SEEK_SET) < 0)
                return -errno;
        r = buffer_reserve(out, left, &end);
        if (r < 0)
                return r;
        while (left > 0) {
                ssize_t n = read(fd, end, left);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                buffer_advance(out, (size_t) n);
                end += n;
                left -= (size_t) n;
        }
        return 0;
}

static int write_all(int fd, const char *data, size_t size)
{
        while (size > 0) {
                ssize_t n = write(fd, data, size);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                data += n;
                size -= (size_t) n;
        }
        return 0;
}

/* Whole or not at all, for whoever reads it. It is not waited for the disk, which can take seconds:
 * over a power failure the former one may come back. */
static int replace_file(int folder, const char *name, const char *data, size_t size)
{
        _cleanup_close_ int fd = -EBADF;
        char temporary[FILE_NAME_MAX];
        int r;

        (void) snprintf(temporary, sizeof temporary, ".%s.%i", name, (int) getpid());
        fd = openat(folder, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return -errno;
        r = write_all(fd, data, size);
        if (r >= 0 && renameat(folder, temporary, folder, name) < 0)
                r = -errno;
        if (r < 0)
                (void) unlinkat(folder, temporary, 0);
        return r;
}

/* ---- drafts ---- */

/* "draft-<id>"; nothing that is not an id comes into a name. */
static int draft_name(const char *id, char ret[static FILE_NAME_MAX])
{
        if (*id && (strlen(id) != ID_SIZE || strspn(id, "0123456789abcdef") != ID_SIZE))
                return -EINVAL;
        (void) snprintf(ret, FILE_NAME_MAX, "draft-%s", *id ? id : "new");
        return 0;
}

int drafts_read(Drafts *d, const char *id, char **ret)
{
        _cleanup_buffer_ Buffer text = BUFFER_INIT(DRAFT_MAX);
        char name[FILE_NAME_MAX];
        int r;

        r = draft_name(id, name);
        if (r < 0)
                return r;
        if (d->folder >= 0) {
                r = read_file(d->folder, name, false, &text);
                if (r == -ENOMEM)
                        return r;
                if (r < 0 && r != -ENOENT)
                        log_debug_errno(r, "Cannot read %s, ignoring: %m", name);
                if (r >= 0 && text.size > 0 && utf8_is_valid(text.data, text.size))
                        return buffer_steal(&text, ret, NULL);
        }
        *ret = NULL;
        return 0;
}

int drafts_write(Drafts *d, const char *id, const char *text, size_t size)
{
        char name[FILE_NAME_MAX];
        int r;

        r = draft_name(id, name);
        if (r < 0)
                return r;
        if (d->folder < 0)
                return 0;
        /* Of a text that is too large no older part may come back either. */
        if (size == 0 || size > DRAFT_MAX)
                return unlinkat(d->folder, name, 0) < 0 && errno != ENOENT ? -errno : 0;
        return replace_file(d->folder, name, text, size);
}

/* ---- what was sent ---- */

static void drop_oldest(Drafts *d, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                d->history_bytes -= strlen(d->history[i]);
                free(d->history[i]);
        }
        memmove(d->history, d->history + n, (d->n_history - n) * sizeof *d->history);
        d->n_history -= n;
}

/* 0 when it is the newest already. */
static int remember(Drafts *d, const char *text, size_t size)
{
        const char *newest = history_get(d, 0);
        char *copy;

        if (newest && strlen(newest) == size && memcmp(newest, text, size) == 0)
                return 0;
        copy = strndup(text, size);
        if (!copy)
                return -ENOMEM;
        while (d->n_history == HISTORY_MAX ||
                (d->n_history > 0 && d->history_bytes + size > HISTORY_BYTES))
                drop_oldest(d, 1);
        d->history[d->n_history++] = copy;
        d->history_bytes += size;
        return 1;
}

/* On a line of its own, whatever the file ended with: another's line may have been cut. */
static int append_line(Buffer *b, const char *text, size_t size)
{
        size_t before = b->size;
        int r;

        r = buffer_append(b, "\n", 1);
        if (r >= 0)
                r = json_append_string(b, text, size);
        if (r >= 0)
                r = buffer_append(b, "\n", 1);
        if (r < 0)
                b->size = before;
        return r;
}

/* One line of the file; what is none is passed over. */
static int read_line(Drafts *d, const char *line, size_t size)
{
        _cleanup_(json_putp) struct json_object *o = NULL;
        const char *text;
        size_t n;
        int r;

        if (size == 0 || size > LINE_BYTES_MAX)
                return 0;
        r = json_parse(line, size, &o);
        if (r == -ENOMEM)
                return r;
        if (r < 0 || !json_object_is_type(o, json_type_string))
                return 0;
        text = json_object_get_string(o);
        n = (size_t) json_object_get_string_len(o);
        if (n == 0 || n > HISTORY_TEXT || !utf8_is_valid(text, n))
                return 0;
        return remember(d, text, n);
}

/* Reads the file's lines after those that are remembered; returns how many there were. */
static int read_history(Drafts *d)
{
        _cleanup_buffer_ Buffer file = BUFFER_INIT(FILE_MAX);
        int lines = 0, r;

        r = read_file(d->folder, HISTORY_NAME, true, &file);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        for (const char *at = file.data, *end = at + file.size; at && at < end;) {
                const char *lf = memchr(at, '\n', (size_t) (end - at));
                size_t n = (size_t) ((lf ? lf : end) - at);

                r = read_line(d, at, n);
                if (r < 0)
                        return r;
                lines += n > 0;
                at += n + 1;
        }
        return lines;
}

/* What every writer holds shared, and who rewrites the file alone. It is not waited for: the other
 * one may be stopped. -EAGAIN. */
static int open_history(Drafts *d, int operation)
{
        for (;;) {
                _cleanup_close_ int fd = -EBADF;
                struct stat st;

                fd = openat(d->folder, HISTORY_NAME,
                        O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
                if (fd < 0)
                        return -errno;
                if (flock(fd, operation | LOCK_NB) < 0)
                        return errno == EWOULDBLOCK ? -EAGAIN : -errno;
                if (fstat(fd, &st) < 0)
                        return -errno;
                if (!S_ISREG(st.st_mode))
                        return -EINVAL;
                if (st.st_nlink > 0)
                        return TAKE_FD(fd);
                /* It was replaced between the two: the lock is on a file that nobody reads. */
        }
}

/* Writes the file anew with what is worth to be kept, what others added included. */
static int rewrite_history(Drafts *d)
{
        _cleanup_buffer_ Buffer file = BUFFER_INIT(6 * HISTORY_BYTES + 4 * HISTORY_MAX);
        _cleanup_close_ int fd = -EBADF;
        int r;

        fd = open_history(d, LOCK_EX);
        if (fd < 0)
                return fd;
        drop_oldest(d, d->n_history);
        r = read_history(d);
        for (size_t i = 0; r >= 0 && i < d->n_history; i++)
                r = append_line(&file, d->history[i], strlen(d->history[i]));
        if (r < 0)
                return r;
        return replace_file(d->folder, HISTORY_NAME, buffer_text(&file), file.size);
}

static int write_pending(Drafts *d)
{
        _cleanup_close_ int fd = -EBADF;
        struct stat st;
        int r;

        if (d->pending.size == 0)
                return 0;
        fd = open_history(d, LOCK_SH);
        if (fd < 0)
                return fd;
        /* One write(): lines of several clients never mix. */
        r = write_all(fd, d->pending.data, d->pending.size);
        buffer_clear(&d->pending);
        if (r < 0)
                return r;
        if (fstat(fd, &st) < 0 || st.st_size <= (off_t) FILE_MAX)
                return 0;
        fd = safe_close(fd);
        r = rewrite_history(d);
        return r == -EAGAIN ? 0 : r;
}

int history_add(Drafts *d, const char *text, size_t size)
{
        int r;

        if (size == 0 || size > HISTORY_TEXT || !utf8_is_valid(text, size))
                return 0;
        r = remember(d, text, size);
        if (r <= 0 || d->folder < 0)
                return MIN(r, 0);
        r = append_line(&d->pending, text, size);
        if (r < 0)
                return r;
        r = write_pending(d);
        return r < 0 && r != -EAGAIN ? r : 0;
}

const char *history_get(const Drafts *d, size_t nth)
{
        return nth < d->n_history ? d->history[d->n_history - 1 - nth] : NULL;
}

/* ---- the whole ---- */

static int open_folder(void)
{
        _cleanup_free_ char *state = NULL, *path = NULL;
        int r, fd;

        r = path_state(&state);
        if (r < 0)
                return r;
        if (asprintf(&path, "%s/tui", state) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        r = mkdir_private(state);
        if (r >= 0)
                r = mkdir_private(path);
        if (r < 0)
                return r;
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

int drafts_new(Drafts **ret)
{
        _cleanup_(drafts_freep) Drafts *d = NULL;
        int r;

        d = malloc(sizeof *d);
        if (!d)
                return -ENOMEM;
        *d = (Drafts){ .folder = -EBADF, .pending = BUFFER_INIT(PENDING_MAX) };
        d->history = calloc(HISTORY_MAX, sizeof *d->history);
        if (!d->history)
                return -ENOMEM;
        d->folder = open_folder();
        if (d->folder == -ENOMEM)
                return -ENOMEM;
        if (d->folder < 0)
                log_debug_errno(d->folder, "No folder for drafts, ignoring: %m");
        else {
                r = read_history(d);
                if (r == -ENOMEM)
                        return r;
                if (r > (int) (2 * HISTORY_MAX))
                        r = rewrite_history(d);
                if (r < 0)
                        log_debug_errno(r, "Cannot read what was sent, ignoring: %m");
        }
        *ret = TAKE_PTR(d);
        return 0;
}

Drafts *drafts_free(Drafts *d)
{
        int r;

        if (!d)
                return NULL;
        if (d->folder >= 0) {
                r = write_pending(d);
                if (r < 0)
                        log_debug_errno(r, "Cannot keep what was sent, ignoring: %m");
        }
        buffer_done(&d->pending);
        if (d->history)
                drop_oldest(d, d->n_history);
        free(d->history);
        safe_close(d->folder);
        return mfree(d);
}
