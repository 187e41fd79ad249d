/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <sys/stat.h>

#include "common/buffer.h"
#include "common/ini.h"
#include "common/parse.h"
#include "common/utf8.h"
#include "service/config/config-internal.h"

#define STRING_MAX KIB(4)
#define LETTERS    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define NOBODY     65534U
#define NAME_SHOWN 24U /* an unknown section's or key's name is shown up to so many bytes */

static int ignore_unread(const char *path, int error, ConfigWarnings *warnings)
{
        int r;

        r = config_note_unread(warnings, path, error);
        if (r < 0)
                return r;
        return config_warn(warnings, path, 0, "Cannot be read, ignoring it: %s.", strerror(error));
}

/* It says where keys and conversations go. A group is often a person's own (umask 002). */
static int check_writers(const char *path, const struct stat *st, ConfigWarnings *warnings)
{
        int r;

        if (st->st_mode & S_IWOTH) {
                r = config_warn(warnings, path, 0,
                        "Every user can change it, ignoring it: run 'chmod o-w %s'.", path);
                return r < 0 ? r : false;
        }
        /* In a user namespace root may be nobody. */
        if (st->st_uid != 0 && st->st_uid != geteuid() && st->st_uid != NOBODY) {
                r = config_warn(warnings, path, 0, "Belongs to another user, who can change it.");
                if (r < 0)
                        return r;
        }
        return true;
}

/* A FIFO or a device in a file's place must neither stop us nor be read. */
static int read_whole(const char *path, Buffer *out, ConfigWarnings *warnings)
{
        _cleanup_close_ int fd = -EBADF;
        struct stat st;
        char *end;
        ssize_t n;
        int r;

        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0 || fstat(fd, &st) < 0)
                return ignore_unread(path, errno, warnings);
        if (!S_ISREG(st.st_mode))
                return config_warn(warnings, path, 0, "Is no regular file, ignoring it.");
        r = check_writers(path, &st, warnings);
        if (r <= 0)
                return r;

        for (;;) {
                size_t room = MIN(out->maximum - out->size, KIB(64));
                char probe;

                r = buffer_reserve(out, room, &end);
                if (r < 0)
                        return r;
                n = read(fd, room > 0 ? end : &probe, room > 0 ? room : 1);
                if (n < 0) {
                        if (errno == EINTR)
                                continue;
                        buffer_clear(out);
                        return ignore_unread(path, errno, warnings);
                }
                if (n == 0)
                        return 0;
                if (room == 0) {
                        buffer_clear(out);
                        return config_warn(warnings, path, 0,
                                "Is larger than %zu bytes, ignoring it.", out->maximum);
                }
                buffer_advance(out, n);
        }
}

typedef struct Reading {
        const char *path;
        const ConfigTable *table;
        void *object;
        void (*refused)(const char *key, void *object);
        ConfigWarnings *warnings;
} Reading;

static int warn_unknown(
        Reading *reading, unsigned line, const char *what, const char *name, const char *where)
{
        /* What is no name may be a key in the wrong place: those in base64 end with a '='. */
        if (strlen(name) > NAME_SHOWN || name[strspn(name, LETTERS)])
                return config_warn(reading->warnings, reading->path, line,
                        "This is no name of a %s, ignoring it.", what);
        return config_warn(reading->warnings, reading->path, line,
                "There is no %s '%s'%s, ignoring it.", what, name, where);
}

static int on_assign(
        const char *section, const char *key, const char *value, unsigned line, void *userdata)
{
        Reading *reading = ASSERT_PTR(userdata);
        bool section_known = false;
        int r;

        for (size_t i = 0; i < reading->table->n; i++) {
                const ConfigSetting *s = reading->table->settings + i;

                if (!streq(s->section, section))
                        continue;
                section_known = true;
                if (!streq(s->key, key))
                        continue;
                r = s->read(value, (char *) reading->object + s->offset);
                if (r >= 0 || r == -ENOMEM)
                        return r;
                if (reading->refused)
                        reading->refused(key, reading->object);
                return config_warn(reading->warnings, reading->path, line,
                        "%s= wants %s, ignoring it.", key, s->expected);
        }
        if (section_known)
                return warn_unknown(reading, line, "setting", key, " in this section");
        return warn_unknown(reading, line, "section", section, "");
}

static int on_diagnose(unsigned line, const char *sentence, void *userdata)
{
        Reading *reading = ASSERT_PTR(userdata);

        return config_warn(reading->warnings, reading->path, line, "%s", sentence);
}

int config_read_file(const char *path, const ConfigTable *table, void *object,
        void (*refused)(const char *key, void *object), ConfigWarnings *warnings)
{
        static const IniOps ops = { .assign = on_assign, .diagnose = on_diagnose };
        _cleanup_buffer_ Buffer text = BUFFER_INIT(CONFIG_FILE_MAX);
        Reading reading = { path, table, object, refused, warnings };
        int r;

        r = read_whole(path, &text, warnings);
        if (r < 0)
                return r;
        return ini_parse(buffer_text(&text), text.size, &ops, &reading);
}

/* ---- values ---- */

int config_read_string(const char *value, void *field)
{
        size_t n = strlen(value);

        if (n > STRING_MAX || !utf8_is_clean_line(value, n))
                return -EINVAL;
        return free_and_strdup(field, value);
}

int config_read_path(const char *value, void *field)
{
        return *value && *value != '/' ? -EINVAL : config_read_string(value, field);
}

int config_read_url(const char *value, void *field)
{
        char **url = field, *normalized;
        int r;

        if (!*value)
                return free_and_strdup(url, "");
        r = config_url_normalize(value, &normalized);
        if (r < 0)
                return r;
        free(*url);
        *url = normalized;
        return 0;
}

int config_read_timeout(const char *value, void *field)
{
        usec_t t = 0;
        int r;

        if (*value) {
                r = parse_usec(value, &t);
                if (r < 0 || t == 0)
                        return -EINVAL;
        }
        *(usec_t *) field = t;
        return 0;
}

int config_read_number(const char *value, void *field)
{
        uint64_t n = 0;

        if (*value && parse_u64(value, &n) < 0)
                return -EINVAL;
        *(uint64_t *) field = n;
        return 0;
}
