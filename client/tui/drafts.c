/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/tui/drafts.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "common/fd.h"
#include "common/json-util.h"
#include "common/log.h"
#include "common/paths.h"
#include "common/utf8.h"

#define ID_SIZE      32U
#define HISTORY_NAME "history"
/* A character takes six bytes at most in JSON, and nothing larger than this is ever read. */
#define LINE_BYTES_MAX (6 * HISTORY_TEXT + 2 * ID_SIZE)
#define FILE_MAX       MIB(4)
#define FILE_NAME_MAX  64
#define ASIDE_NAME_MAX 44   /* of a draft, without what makes it another's */
#define ASIDE_MAX      9U   /* of one conversation, of what could not be read */
#define LISTED_MAX     200U /* conversations of which is asked whether there are any more */

typedef struct Sent {
        char id[DRAFT_ID]; /* "": not known */
        char *text;
} Sent;

struct Drafts {
        DraftsFlags flags;
        char *folder;
        Sent *history; /* oldest first */
        size_t n_history, history_bytes;
        bool untidy;
};

/* ---- files in the folder ---- */

/* Of one that is larger than the buffer its end, or -EFBIG. */
static int read_file(int folder, const char *name, bool end_will_do, Buffer *out)
{
        size_t left;
        _cleanup_close_ int fd = -EBADF;
        struct stat st;

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
        return fd_read(fd, left, out);
}

/* Whole or not at all, also over a power failure. */
static int replace_file(int folder, const char *name, const char *data, size_t size)
{
        _cleanup_close_ int fd = -EBADF;
        char temporary[FILE_NAME_MAX];
        int r;

        (void) snprintf(temporary, sizeof temporary, ".%s.%i", name, (int) getpid());
        fd = openat(folder, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return -errno;
        (void) fchmod(fd, 0600); /* whatever the umask took */
        r = fd_write(fd, data, size);
        if (r >= 0 &&
                (fsync(fd) < 0 || renameat(folder, temporary, folder, name) < 0 ||
                        fsync(folder) < 0))
                r = -errno;
        if (r < 0)
                (void) unlinkat(folder, temporary, 0);
        return r;
}

/* Made if it is not there. */
static int open_folder(const Drafts *d)
{
        _cleanup_free_ char *parent = NULL;
        int r, fd;

        if (!d->folder)
                return -ENOENT;
        parent = strdup(d->folder);
        if (!parent)
                return -ENOMEM;
        *strrchr(parent, '/') = '\0';
        r = mkdir_private(parent);
        if (r >= 0)
                r = mkdir_private(d->folder);
        if (r < 0)
                return r;
        fd = open(d->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

static bool is_id(const char *id)
{
        return strlen(id) == ID_SIZE && strspn(id, "0123456789abcdef") == ID_SIZE;
}

/* ---- drafts ---- */

/* "draft-<id>"; nothing that is not an id comes into a name. */
static int draft_name(const Drafts *d, const char *id, char ret[static FILE_NAME_MAX])
{
        if (*id && !is_id(id))
                return -EINVAL;
        (void) snprintf(ret, FILE_NAME_MAX, "%s-%s", d->flags & DRAFTS_REMOTE ? "remote" : "draft",
                *id ? id : "new");
        return 0;
}

static int read_draft(int folder, const char *name, Buffer *ret)
{
        int r;

        r = read_file(folder, name, false, ret);
        if (r == -ENOENT)
                return 0;
        if (r >= 0 && !utf8_is_valid(buffer_text(ret), ret->size))
                r = -EILSEQ;
        if (r < 0)
                buffer_clear(ret);
        return r;
}

int draft_read(const Drafts *d, const char *id, Buffer *ret)
{
        _cleanup_close_ int folder = -EBADF;
        char name[FILE_NAME_MAX];
        int r;

        r = draft_name(d, id, name);
        if (r < 0)
                return r;
        folder = open_folder(d);
        return folder < 0 ? folder : read_draft(folder, name, ret);
}

static int write_draft(int folder, const char *name, const char *text, size_t size)
{
        if (size > DRAFT_MAX)
                return -EFBIG;
        if (size > 0)
                return replace_file(folder, name, text, size);
        if (unlinkat(folder, name, 0) < 0)
                return errno == ENOENT ? 0 : -errno;
        return fsync(folder) < 0 ? -errno : 0;
}

static void name_aside(const char *name, unsigned nth, char ret[static FILE_NAME_MAX])
{
        (void) snprintf(ret, FILE_NAME_MAX, "%.*s.unread-%u", ASIDE_NAME_MAX, name, nth);
}

/* Whatever it is, a person may still make something of it. */
static int set_aside(int folder, const char *name)
{
        for (unsigned i = 1; i <= ASIDE_MAX; i++) {
                char aside[FILE_NAME_MAX];

                name_aside(name, i, aside);
                if (renameat2(folder, name, folder, aside, RENAME_NOREPLACE) >= 0 ||
                        errno == ENOENT)
                        return 0;
                if (errno != EEXIST)
                        return -errno;
        }
        return -EEXIST;
}

static int remove_aside(int folder, const char *name)
{
        for (unsigned i = 1; i <= ASIDE_MAX; i++) {
                char aside[FILE_NAME_MAX];

                name_aside(name, i, aside);
                if (unlinkat(folder, aside, 0) < 0 && errno != ENOENT)
                        return -errno;
        }
        return 0;
}

/* Both, when what is there can be read and there is room. */
static int write_below(int folder, const char *name, const char *text, size_t size)
{
        _cleanup_buffer_ Buffer draft = BUFFER_INIT(DRAFT_MAX);
        int r;

        r = read_draft(folder, name, &draft);
        if (r >= 0 && draft.size > 0)
                r = buffer_append(&draft, "\n", 1);
        if (r >= 0)
                r = buffer_append(&draft, text, size);
        if (r >= 0)
                return write_draft(folder, name, draft.data, draft.size);
        r = set_aside(folder, name);
        return r < 0 ? r : write_draft(folder, name, text, size);
}

int draft_write(const Drafts *d, const char *id, DraftWrite how, const char *text, size_t size)
{
        _cleanup_close_ int folder = -EBADF;
        char name[FILE_NAME_MAX];
        int r;

        r = draft_name(d, id, name);
        if (r < 0)
                return r;
        folder = open_folder(d);
        if (folder < 0)
                return folder;
        if (how != DRAFT_REPLACE && size == 0)
                return 0;
        if (how == DRAFT_BELOW)
                return write_below(folder, name, text, size);
        if (how == DRAFT_ASIDE)
                r = set_aside(folder, name);
        return r < 0 ? r : write_draft(folder, name, text, size);
}

size_t draft_sent_size(const char *draft, size_t size, const char *sent, size_t sent_size)
{
        if (size < sent_size || memcmp(draft, sent, sent_size) != 0)
                return 0;
        return sent_size + (size > sent_size && draft[sent_size] == '\n');
}

int draft_sent(const Drafts *d, const char *id, const char *text, size_t size)
{
        _cleanup_buffer_ Buffer draft = BUFFER_INIT(DRAFT_MAX);
        _cleanup_close_ int folder = -EBADF;
        char name[FILE_NAME_MAX];
        size_t sent;
        int r;

        r = draft_name(d, id, name);
        if (r < 0)
                return r;
        folder = open_folder(d);
        if (folder < 0)
                return folder;
        r = read_draft(folder, name, &draft);
        if (r < 0)
                return r;
        sent = draft_sent_size(buffer_text(&draft), draft.size, text, size);
        if (sent == 0)
                return 0;
        return write_draft(folder, name, draft.data + sent, draft.size - sent);
}

/* ---- what was sent ---- */

static void drop(Drafts *d, size_t first, size_t n)
{
        for (size_t i = first; i < first + n; i++) {
                d->history_bytes -= strlen(d->history[i].text);
                free(d->history[i].text);
        }
        d->n_history -= n;
        memmove(d->history + first, d->history + first + n,
                (d->n_history - first) * sizeof *d->history);
}

/* 0 when it is the newest already. */
static int remember(Drafts *d, const char *id, const char *text, size_t size)
{
        const Sent *newest = d->n_history > 0 ? d->history + d->n_history - 1 : NULL;
        Sent sent = { .text = NULL };

        if (newest && streq(newest->id, id) && strlen(newest->text) == size &&
                memcmp(newest->text, text, size) == 0)
                return 0;
        sent.text = strndup(text, size);
        if (!sent.text)
                return -ENOMEM;
        (void) snprintf(sent.id, sizeof sent.id, "%s", id);
        while (d->n_history == HISTORY_MAX ||
                (d->n_history > 0 && d->history_bytes + size > HISTORY_BYTES))
                drop(d, 0, 1);
        d->history[d->n_history++] = sent;
        d->history_bytes += size;
        return 1;
}

/* {"<id>":"<text>"}, or the text alone, on a line of its own, whatever the file ended with:
 * another's line may have been cut. */
static int append_line(Buffer *b, const char *id, const char *text, size_t size)
{
        size_t before = b->size;
        int r;

        r = buffer_append(b, "\n", 1);
        if (r >= 0 && *id) {
                r = buffer_append(b, "{", 1);
                if (r >= 0)
                        r = json_append_string(b, id, strlen(id));
                if (r >= 0)
                        r = buffer_append(b, ":", 1);
        }
        if (r >= 0)
                r = json_append_string(b, text, size);
        if (r >= 0)
                r = buffer_append(b, *id ? "}\n" : "\n", *id ? 2 : 1);
        if (r < 0)
                b->size = before;
        return r;
}

/* One line of the file; what is none is passed over. */
static int read_line(Drafts *d, const char *line, size_t size)
{
        _cleanup_(json_putp) struct json_object *o = NULL;
        struct json_object *said;
        const char *text, *id = "";
        size_t n;
        int r;

        if (size == 0 || size > LINE_BYTES_MAX)
                return 0;
        r = json_parse(line, size, &o);
        if (r == -ENOMEM)
                return r;
        said = o;
        if (r >= 0 && json_object_is_type(o, json_type_object)) {
                json_object_object_foreach(o, key, value)
                {
                        id = is_id(key) ? key : "";
                        said = value;
                }
        }
        if (r < 0 || !json_object_is_type(said, json_type_string))
                return 0;
        text = json_object_get_string(said);
        n = (size_t) json_object_get_string_len(said);
        if (n == 0 || n > HISTORY_TEXT || !utf8_is_valid(text, n))
                return 0;
        return remember(d, id, text, n);
}

/* Reads the file's lines after those that are remembered; returns how many there were. */
static int read_history(Drafts *d, int folder)
{
        _cleanup_buffer_ Buffer file = BUFFER_INIT(FILE_MAX);
        int lines = 0, r;

        r = read_file(folder, HISTORY_NAME, true, &file);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        if (file.size == 0)
                return 0;
        for (const char *at = file.data, *end = at + file.size; at < end;) {
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

/* What every writer holds shared, and who rewrites the file alone. */
static int open_history(int folder, int operation)
{
        for (;;) {
                _cleanup_close_ int fd = -EBADF;
                struct stat st;

                fd = openat(folder, HISTORY_NAME,
                        O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
                if (fd < 0 || flock(fd, operation) < 0 || fstat(fd, &st) < 0)
                        return -errno;
                if (!S_ISREG(st.st_mode))
                        return -EINVAL;
                (void) fchmod(fd, 0600);
                if (st.st_nlink > 0)
                        return TAKE_FD(fd);
                /* It was replaced between the two: the lock is on a file that nobody reads. */
        }
}

/* Writes the file anew with what is worth to be kept, what others added included, and without what
 * is of these conversations. */
static int rewrite_history(Drafts *d, int folder, const char *without)
{
        _cleanup_buffer_ Buffer file = BUFFER_INIT(6 * HISTORY_BYTES + 4 * HISTORY_MAX);
        _cleanup_close_ int fd = -EBADF;
        int r;

        fd = open_history(folder, LOCK_EX);
        if (fd < 0)
                return fd;
        drop(d, 0, d->n_history);
        r = read_history(d, folder);
        history_forget(d, without);
        for (size_t i = 0; r >= 0 && i < d->n_history; i++)
                r = append_line(
                        &file, d->history[i].id, d->history[i].text, strlen(d->history[i].text));
        if (r < 0)
                return r;
        return replace_file(folder, HISTORY_NAME, buffer_text(&file), file.size);
}

int history_tidy(Drafts *d)
{
        _cleanup_close_ int folder = open_folder(d);

        return folder < 0 ? folder : rewrite_history(d, folder, "");
}

int history_write(const Drafts *d, const char *id, const char *text, size_t size)
{
        _cleanup_buffer_ Buffer line = BUFFER_INIT(LINE_BYTES_MAX);
        _cleanup_close_ int folder = open_folder(d), fd = -EBADF;
        int r;

        if (folder < 0)
                return folder;
        r = append_line(&line, d->flags & DRAFTS_REMOTE ? "" : id, text, size);
        if (r < 0)
                return r;
        fd = open_history(folder, LOCK_SH);
        if (fd < 0)
                return fd;
        /* One write(): lines of several clients never mix. */
        r = fd_write(fd, line.data, line.size);
        return r >= 0 && fsync(fd) < 0 ? -errno : r;
}

int history_remember(Drafts *d, const char *id, const char *text, size_t size)
{
        if (*id && !is_id(id))
                return -EINVAL;
        if (size == 0 || size > HISTORY_TEXT || !utf8_is_valid(text, size))
                return 0;
        return remember(d, id, text, size);
}

void history_adopt(Drafts *d, const char *text, const char *id)
{
        for (size_t i = d->n_history; is_id(id) && i > 0; i--) {
                Sent *sent = d->history + i - 1;

                if (*sent->id || !streq(sent->text, text))
                        continue;
                memcpy(sent->id, id, sizeof sent->id);
                return;
        }
}

const char *history_get(const Drafts *d, const char *id, size_t nth)
{
        for (unsigned others = 0; others < 2; others++)
                for (size_t i = d->n_history; i > 0; i--)
                        if (streq(d->history[i - 1].id, id) != others && nth-- == 0)
                                return d->history[i - 1].text;
        return NULL;
}

bool history_is_untidy(const Drafts *d)
{
        return d->untidy;
}

/* ---- what is gone ---- */

static bool contains(const char *ids, const char *id)
{
        for (size_t n = strlen(ids); n >= ID_SIZE; n -= ID_SIZE, ids += ID_SIZE)
                if (memcmp(ids, id, ID_SIZE) == 0)
                        return true;
        return false;
}

void history_forget(Drafts *d, const char *ids)
{
        for (size_t i = d->n_history; i > 0; i--)
                if (*d->history[i - 1].id && contains(ids, d->history[i - 1].id))
                        drop(d, i - 1, 1);
}

static int add_id(Buffer *ids, const char *id)
{
        if (!is_id(id) || contains(buffer_text(ids), id))
                return 0;
        return buffer_append(ids, id, ID_SIZE);
}

/* More are looked at by a later run. */
int drafts_list(const Drafts *d, Buffer *ret)
{
        int fd = d->flags & DRAFTS_REMOTE ? -EBADF : open_folder(d), r = 0;
        DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
        struct dirent *entry;

        if (!folder) {
                safe_close(fd);
                return 0;
        }
        while (r >= 0 && ret->size < (size_t) LISTED_MAX * ID_SIZE && (entry = readdir(folder)))
                if (startswith(entry->d_name, "draft-")) {
                        char id[DRAFT_ID]; /* without what it is set aside as */

                        (void) snprintf(id, sizeof id, "%.*s", (int) ID_SIZE,
                                entry->d_name + strlen("draft-"));
                        r = add_id(ret, id);
                }
        (void) closedir(folder);
        for (size_t i = 0; r >= 0 && ret->size < (size_t) LISTED_MAX * ID_SIZE && i < d->n_history;
                i++)
                r = add_id(ret, d->history[i].id);
        return r;
}

int drafts_forget(Drafts *d, const char *ids)
{
        _cleanup_close_ int folder = open_folder(d);
        int r;

        if (folder < 0)
                return folder;
        for (const char *at = ids; strlen(at) >= ID_SIZE; at += ID_SIZE) {
                char id[DRAFT_ID] = "", name[FILE_NAME_MAX];

                memcpy(id, at, ID_SIZE);
                r = draft_name(d, id, name);
                if (r >= 0)
                        r = remove_aside(folder, name);
                if (r >= 0)
                        r = write_draft(folder, name, "", 0);
                if (r < 0)
                        return r;
        }
        return rewrite_history(d, folder, ids);
}

/* ---- the whole ---- */

static int find_folder(Drafts *d)
{
        _cleanup_free_ char *state = NULL;
        int r;

        r = path_state(&state);
        if (r < 0)
                return r;
        if (asprintf(&d->folder, "%s/tui", state) < 0) {
                d->folder = NULL;
                return -ENOMEM;
        }
        return 0;
}

static int read_at_start(Drafts *d)
{
        _cleanup_close_ int folder = open_folder(d);
        int r;

        if (folder < 0)
                return folder;
        r = read_history(d, folder);
        if (r > (int) (2 * HISTORY_MAX))
                d->untidy = true;
        return r;
}

int drafts_new(DraftsFlags flags, Drafts **ret)
{
        _cleanup_(drafts_freep) Drafts *d = NULL;
        int r;

        d = calloc(1, sizeof *d);
        if (!d)
                return -ENOMEM;
        d->flags = flags;
        d->history = calloc(HISTORY_MAX, sizeof *d->history);
        if (!d->history)
                return -ENOMEM;
        r = find_folder(d);
        if (r >= 0)
                r = read_at_start(d);
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                log_debug_errno(r, "Cannot read what was sent, ignoring: %m");
        *ret = TAKE_PTR(d);
        return 0;
}

Drafts *drafts_free(Drafts *d)
{
        if (!d)
                return NULL;
        if (d->history)
                drop(d, 0, d->n_history);
        free(d->history);
        free(d->folder);
        return mfree(d);
}
