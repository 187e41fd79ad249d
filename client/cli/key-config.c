/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <sys/stat.h>

#include "client/cli/key.h"
#include "client/cli/user-file.h"
#include "common/fd.h"
#include "common/paths.h"

#define FILE_MAX MIB(1) /* as the service reads it */

void key_config_done(KeyConfig *c)
{
        free(c->folder);
        free(c->name);
        free(c->source);
        buffer_done(&c->text);
        *c = (KeyConfig){ 0 };
}

/* ---- reading ---- */

/* -ENOENT also for a mask: an empty file, or no regular one. */
static int read_file(const char *path, int flags, Buffer *b)
{
        _cleanup_close_ int fd = -EBADF;
        struct stat st;

        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | flags);
        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode) || st.st_size == 0)
                return -ENOENT;
        return fd_read(fd, (size_t) st.st_size, b);
}

int key_config_read(const char *engine, KeyConfig *ret)
{
        _cleanup_(key_config_done) KeyConfig c = { .text = BUFFER_INIT(FILE_MAX) };
        _cleanup_(strv_freep) char **folders = NULL;
        size_t n = 0;
        int r;

        r = path_config_dirs(&folders);
        if (r >= 0)
                r = user_file_folder("engines.d", &c.folder);
        if (r >= 0 && asprintf(&c.name, "%s.conf", engine) < 0) {
                c.name = NULL;
                r = -ENOMEM;
        }
        if (r < 0)
                return r;
        while (folders[n])
                n++;
        for (size_t i = n; i-- > 0;) {
                _cleanup_free_ char *path = NULL;

                if (asprintf(&path, "%s/engines.d/%s", folders[i], c.name) < 0) {
                        path = NULL;
                        return -ENOMEM;
                }
                /* The user's own file would be another one after it was written. */
                r = read_file(path, i == n - 1 ? O_NOFOLLOW : 0, &c.text);
                if (r == -ENOENT || r == -ENOTDIR)
                        continue;
                if (r < 0)
                        return r;
                c.source = TAKE_PTR(path);
                break;
        }
        *ret = c;
        c = (KeyConfig){ 0 };
        return 0;
}

/* ---- changing ---- */

/* A line without the white space around it. */
typedef struct Line {
        const char *text;
        size_t size;
} Line;

static Line strip(const char *text, size_t size)
{
        while (size > 0 && strchr(" \t\r\n", text[size - 1]))
                size--;
        while (size > 0 && strchr(" \t", *text)) {
                text++;
                size--;
        }
        return (Line){ text, size };
}

static bool line_is(Line l, const char *text)
{
        return l.size == strlen(text) && memcmp(l.text, text, l.size) == 0;
}

/* A setting of a key, with one of these values where they are given. */
static bool is_key_setting(Line l, const char *const *mine)
{
        static const char *const names[] = { "KeySecret", "KeyFile", "KeyCredential",
                "KeyEnvironment" };
        const char *equals = l.size > 0 ? memchr(l.text, '=', l.size) : NULL;
        Line name, value;

        if (!equals)
                return false;
        name = strip(l.text, (size_t) (equals - l.text));
        value = strip(equals + 1, l.size - (size_t) (equals + 1 - l.text));
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                if (!line_is(name, names[i]))
                        continue;
                if (!mine)
                        return true;
                for (const char *const *m = mine; *m; m++)
                        if (line_is(value, *m))
                                return true;
        }
        return false;
}

typedef struct Changing {
        const char *line; /* to be put in, until it is */
        const char *const *mine;
        Buffer out;
        bool in_engine, continued, dropping;
        int dropped;
} Changing;

static int put_line(Changing *c, const char *line)
{
        return line ? buffer_append_format(&c->out, "%s\n", line) : 0;
}

/* A line as it stands in the file, its end too. */
static int change_line(Changing *c, const char *text, size_t size)
{
        static const char mark[] = "\xef\xbb\xbf";
        Line l = strip(text, size);
        bool comment = l.size > 0 && (*l.text == '#' || *l.text == ';');
        int r;

        if (l.size >= 3 && memcmp(l.text, mark, 3) == 0)
                l = (Line){ l.text + 3, l.size - 3 };
        if (!c->continued) {
                if (l.size > 0 && *l.text == '[')
                        c->in_engine = line_is(l, "[Engine]");
                c->dropping = c->in_engine && !comment && is_key_setting(l, c->mine);
                c->dropped += c->dropping;
        }
        if (!comment)
                c->continued = l.size > 0 && l.text[l.size - 1] == '\\';
        if (c->dropping && !comment)
                return 0;
        r = buffer_append(&c->out, text, size);
        if (r >= 0 && (size == 0 || text[size - 1] != '\n'))
                r = buffer_append_string(&c->out, "\n");
        if (r >= 0 && c->in_engine && l.size > 0 && *l.text == '[')
                r = put_line(c, TAKE_PTR(c->line));
        return r;
}

int key_config_change(KeyConfig *config, const char *line, const char *const *mine)
{
        Changing c = { .line = line, .mine = mine, .out = BUFFER_INIT(FILE_MAX) };
        const char *text = buffer_text(&config->text), *end = text + config->text.size;
        int r = 0;

        while (r >= 0 && text < end) {
                const char *newline = memchr(text, '\n', (size_t) (end - text));
                size_t size = (size_t) ((newline ? newline + 1 : end) - text);

                r = change_line(&c, text, size);
                text += size;
        }
        if (r >= 0 && c.line) {
                r = buffer_append_string(&c.out, "[Engine]\n");
                if (r >= 0)
                        r = put_line(&c, c.line);
        }
        if (r < 0) {
                buffer_done(&c.out);
                return r;
        }
        buffer_done(&config->text);
        config->text = c.out;
        return c.dropped > 0;
}

int key_config_write(const KeyConfig *c)
{
        return user_file_write(
                c->folder, c->name, buffer_text(&c->text), c->text.size, USER_FILE_REPLACE);
}
