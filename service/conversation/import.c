/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/conversation/import.h"

#include <sys/stat.h>

#include "common/buffer.h"
#include "service/conversation/import-line.h"

#define READ_SIZE KIB(256)

struct Import {
        int fd;
        uint64_t offset; /* read up to here */
        Buffer text;
        size_t at;      /* the next line begins here, */
        size_t scanned; /* and up to here there is no end of it */
        uint64_t line;  /* the number of the line given out last */
        bool end;
};

void imported_done(Imported *i)
{
        for (size_t n = 0; n < i->n_messages; n++)
                store_message_done(&i->messages[n]);
        free(i->messages);
        free(i->system);
        free(i->conversation.title);
        free(i->conversation.model);
        *i = (Imported){ 0 };
}

void imported_number(Imported *i, uint64_t (*next_id)(void *userdata), void *userdata)
{
        for (size_t n = 0; n < i->n_messages; n++) {
                StoreMessage *m = &i->messages[n];

                m->id = next_id(userdata);
                if (m->parent > 0)
                        m->parent = i->messages[m->parent - 1].id;
        }
        if (i->conversation.head > 0)
                i->conversation.head = i->messages[i->conversation.head - 1].id;
}

int import_new(Import **ret, int fd, Failure *failure)
{
        struct stat st;
        Import *i;

        if (fstat(fd, &st) < 0)
                return failure_set_errno(failure, -errno, "The file cannot be looked at");
        if (!S_ISREG(st.st_mode))
                return failure_set(failure, FAILURE_INVALID_ARGUMENT,
                        "Only regular files and memfds can be imported.");
        i = calloc(1, sizeof *i);
        if (!i)
                return failure_set(failure, FAILURE_NO_MEMORY, NULL);
        i->fd = fd;
        i->text = BUFFER_INIT(IMPORT_LINE_MAX + READ_SIZE);
        *ret = i;
        return 0;
}

Import *import_free(Import *i)
{
        if (!i)
                return NULL;
        safe_close(i->fd);
        buffer_done(&i->text);
        free(i);
        return NULL;
}

/* ---- lines ---- */

static int fail_line_size(const Import *i, Failure *failure)
{
        return failure_set(failure, FAILURE_TOO_LARGE, "Line %ju is longer than %zu bytes.",
                (uintmax_t) i->line + 1, IMPORT_LINE_MAX);
}

/* Reads some more. What was given out goes first, so that a line is moved at most once. */
static int import_fill(Import *i, Failure *failure)
{
        char *space;
        ssize_t n;
        int r;

        buffer_consume(&i->text, i->at);
        i->scanned -= i->at;
        i->at = 0;
        r = buffer_reserve(&i->text, READ_SIZE, &space);
        if (r == -EFBIG)
                return fail_line_size(i, failure);
        if (r < 0)
                return failure_set(failure, FAILURE_NO_MEMORY, NULL);
        do
                n = pread(i->fd, space, READ_SIZE, i->offset);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return failure_set(failure, FAILURE_INVALID_ARGUMENT,
                        "The file cannot be read: %s.", strerrordesc_np(errno));
        buffer_advance(&i->text, n);
        i->offset += n;
        i->end = n == 0;
        return 0;
}

/* 1 with the next line that is not empty, valid until the next call; 0 at the end. */
static int import_read_line(Import *i, const char **ret, size_t *ret_size, Failure *failure)
{
        for (;;) {
                const char *line = buffer_text(&i->text) + i->at;
                const char *from = buffer_text(&i->text) + i->scanned;
                const char *newline = memchr(from, '\n', i->text.size - i->scanned);
                size_t size;
                int r;

                if (!newline && !i->end) {
                        i->scanned = i->text.size;
                        r = import_fill(i, failure);
                        if (r < 0)
                                return r;
                        continue;
                }
                size = newline ? (size_t) (newline - line) : i->text.size - i->at;
                if (!newline && size == 0)
                        return 0;
                if (size > IMPORT_LINE_MAX)
                        return fail_line_size(i, failure);
                i->at = i->scanned = i->at + size + (newline ? 1 : 0);
                i->line++;
                if (size > 0 && line[size - 1] == '\r')
                        size--;
                if (size == 0)
                        continue;
                *ret = line;
                *ret_size = size;
                return 1;
        }
}

/* ---- conversations ---- */

static int import_lines(Import *i, Imported *c, Failure *failure)
{
        ImportState state = { .imported = c };
        const char *line = NULL;
        size_t size = 0;
        int r;

        for (;;) {
                _cleanup_failure_ Failure reason = FAILURE_NULL;

                r = import_read_line(i, &line, &size, failure);
                if (r < 0)
                        break;
                if (r == 0 && state.began)
                        r = failure_set(failure, FAILURE_INVALID_ARGUMENT,
                                "The file ends in the middle of a conversation, after line %ju.",
                                (uintmax_t) i->line);
                if (r <= 0)
                        break;
                r = import_line(&state, line, size, &reason);
                if (r < 0)
                        r = failure_set(failure, reason.code, "Line %ju: %s", (uintmax_t) i->line,
                                failure_message(&reason));
                if (r != 0)
                        break;
        }
        import_state_done(&state);
        return r;
}

int import_next(Import *i, Imported *ret, Failure *failure)
{
        Imported c = { 0 };
        int r;

        r = import_lines(i, &c, failure);
        if (r <= 0) {
                imported_done(&c);
                return r;
        }
        *ret = c;
        return 1;
}
