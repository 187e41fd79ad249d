/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/tui/settings.h"

#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "common/fd.h"
#include "common/ini.h"
#include "common/parse.h"
#include "common/paths.h"
#include "common/utf8.h"

#define FILE_MAX   MIB(1)
#define NAME_SHOWN 64U /* bytes of a wrong name in a complaint */

/* A file is read twice: Editing= makes the key map, which [Keys] then changes, whichever of them
 * comes first. */
typedef enum Pass {
        PASS_SCREEN,
        PASS_KEYS,
} Pass;

typedef struct Reading {
        Settings *settings;
        const char *path;
        Pass pass;
} Reading;

_printf_(3, 4) static int complain(Reading *r, unsigned line, const char *format, ...)
{
        _cleanup_free_ char *sentence = NULL;
        char **to = &r->settings->complaint;
        va_list ap;
        int n;

        if (*to)
                return 0;
        va_start(ap, format);
        n = vasprintf(&sentence, format, ap);
        va_end(ap);
        if (n < 0) {
                sentence = NULL;
                return -ENOMEM;
        }
        n = line > 0 ? asprintf(to, "%s:%u: %s", r->path, line, sentence)
                     : asprintf(to, "%s: %s", r->path, sentence);
        if (n < 0) {
                *to = NULL;
                return -ENOMEM;
        }
        return 0;
}

static int complain_name(Reading *r, unsigned line, const char *what, const char *name)
{
        _cleanup_free_ char *shown = NULL;
        int k;

        k = utf8_sanitize_line(name, strlen(name), NAME_SHOWN, &shown);
        if (k < 0)
                return k;
        return complain(r, line, "There is no %s '%s', ignoring it.", what, shown);
}

static int assign_screen(Reading *reading, const char *key, const char *value, unsigned line)
{
        Settings *s = reading->settings;
        const struct {
                const char *key;
                bool *to;
        } switches[] = {
                { "Mouse", &s->mouse },
                { "List", &s->list },
                { "Avatar", &s->avatar },
        };

        for (size_t i = 0; i < ELEMENTSOF(switches); i++)
                if (streq(key, switches[i].key))
                        return parse_bool(value, switches[i].to) < 0
                                ? complain(reading, line, "%s= wants yes or no, ignoring it.", key)
                                : 0;
        if (streq(key, "Theme")) {
                if (!streq(value, "auto") && !streq(value, "dark") && !streq(value, "light"))
                        return complain(
                                reading, line, "Theme= wants auto, dark or light, ignoring it.");
                return free_and_strdup(&s->theme, value);
        }
        if (streq(key, "Editing")) {
                if (!streq(value, "emacs") && !streq(value, "vi"))
                        return complain(reading, line, "Editing= wants emacs or vi, ignoring it.");
                s->vi = streq(value, "vi");
                return 0;
        }
        return complain_name(reading, line, "setting", key);
}

static int assign_key(Reading *reading, const char *action, const char *keys, unsigned line)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        int r;

        r = keymap_set(reading->settings->keymap, action, keys, &failure);
        if (r >= 0 || r == -ENOMEM)
                return r;
        return complain(reading, line, "%s", failure_message(&failure));
}

static int on_assign(
        const char *section, const char *key, const char *value, unsigned line, void *userdata)
{
        Reading *reading = ASSERT_PTR(userdata);

        if (streq(section, "Screen"))
                return reading->pass == PASS_SCREEN ? assign_screen(reading, key, value, line) : 0;
        if (streq(section, "Keys"))
                return reading->pass == PASS_KEYS ? assign_key(reading, key, value, line) : 0;
        return complain_name(reading, line, "section", section);
}

static int on_diagnose(unsigned line, const char *sentence, void *userdata)
{
        return complain(ASSERT_PTR(userdata), line, "%s", sentence);
}

static int parse(Settings *s, const char *path, const Buffer *file, Pass pass)
{
        static const IniOps ops = { .assign = on_assign, .diagnose = on_diagnose };
        Reading reading = { .settings = s, .path = path, .pass = pass };

        return ini_parse(buffer_text(file), file->size, &ops, &reading);
}

/* ---- files ---- */

/* A FIFO or a device in a file's place must neither stop us nor be read. */
static int read_file(const char *path, Buffer *out)
{
        _cleanup_close_ int fd = -EBADF;
        struct stat st;

        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3))
                return 0; /* /dev/null hides the files of the folders before */
        if (!S_ISREG(st.st_mode))
                return -EINVAL;
        if ((uint64_t) st.st_size > FILE_MAX)
                return -EFBIG;
        return fd_read(fd, (size_t) st.st_size, out);
}

/* *ret_path: of the file that counts; NULL when there is none. */
static int read_configuration(Settings *s, Buffer *file, char **ret_path)
{
        _cleanup_(strv_freep) char **folders = NULL;
        size_t n = 0;
        int r;

        r = path_config_dirs(&folders);
        if (r == -ENOMEM)
                return r;
        while (r >= 0 && folders[n])
                n++;
        while (n-- > 0) {
                _cleanup_free_ char *path = NULL;

                if (asprintf(&path, "%s/tui.conf", folders[n]) < 0) {
                        path = NULL;
                        return -ENOMEM;
                }
                r = read_file(path, file);
                if (r == -ENOENT || r == -ENOTDIR)
                        continue;
                if (r == -ENOMEM)
                        return r;
                if (r < 0) {
                        Reading reading = { .settings = s, .path = path };

                        buffer_clear(file);
                        return complain(
                                &reading, 0, "Cannot be read, ignoring it: %s.", strerror(-r));
                }
                *ret_path = TAKE_PTR(path);
                return 0;
        }
        return 0;
}

static int state_file(char **ret_folder, char **ret_path)
{
        _cleanup_free_ char *state = NULL, *folder = NULL, *path = NULL;
        int r;

        r = path_state(&state);
        if (r < 0)
                return r;
        if (asprintf(&folder, "%s/tui", state) < 0) {
                folder = NULL;
                return -ENOMEM;
        }
        if (asprintf(&path, "%s/settings", folder) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        *ret_folder = TAKE_PTR(folder);
        *ret_path = TAKE_PTR(path);
        return 0;
}

static int read_remembered(Settings *s)
{
        _cleanup_free_ char *folder = NULL, *path = NULL;
        _cleanup_buffer_ Buffer file = BUFFER_INIT(FILE_MAX);
        int r;

        r = state_file(&folder, &path);
        if (r >= 0)
                r = read_file(path, &file);
        if (r == -ENOMEM)
                return r;
        return r < 0 ? 0 : parse(s, path, &file, PASS_SCREEN);
}

int settings_read(Settings *ret)
{
        _cleanup_(settings_done) Settings s = { .mouse = true, .list = true, .avatar = true };
        _cleanup_buffer_ Buffer file = BUFFER_INIT(FILE_MAX);
        _cleanup_free_ char *path = NULL;
        int r;

        s.theme = strdup("auto");
        if (!s.theme)
                return -ENOMEM;
        r = read_configuration(&s, &file, &path);
        if (r >= 0 && path)
                r = parse(&s, path, &file, PASS_SCREEN);
        if (r >= 0)
                r = read_remembered(&s);
        if (r >= 0)
                r = keymap_new(s.vi, &s.keymap);
        if (r >= 0 && path)
                r = parse(&s, path, &file, PASS_KEYS);
        if (r < 0)
                return r;
        *ret = s;
        s = (Settings){ 0 };
        return 0;
}

void settings_done(Settings *s)
{
        s->theme = mfree(s->theme);
        s->keymap = keymap_free(s->keymap);
        s->complaint = mfree(s->complaint);
}

int settings_remember_avatar(bool on)
{
        _cleanup_free_ char *folder = NULL, *path = NULL, *temporary = NULL;
        const char *text = on ? "[Screen]\nAvatar=yes\n" : "[Screen]\nAvatar=no\n";
        _cleanup_close_ int fd = -EBADF;
        int r;

        r = state_file(&folder, &path);
        if (r >= 0)
                r = mkdir_private(folder);
        if (r < 0)
                return r;
        if (asprintf(&temporary, "%s/.settings.%i", folder, (int) getpid()) < 0) {
                temporary = NULL;
                return -ENOMEM;
        }
        fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return -errno;
        (void) fchmod(fd, 0600); /* whatever the umask took */
        r = fd_write(fd, text, strlen(text));
        if (r >= 0 && (fsync(fd) < 0 || rename(temporary, path) < 0))
                r = -errno;
        if (r < 0)
                (void) unlink(temporary);
        return r;
}
