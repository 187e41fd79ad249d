/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* conductor engine add and remove: an engine is one small file of the user's, written whole or not
 * at all, which the service reads again then. */

#include <fcntl.h>

#include "client/cli/engine.h"
#include "common/buffer.h"
#include "common/names.h"
#include "common/paths.h"
#include "common/utf8.h"

#define ENGINE_NAME_MAX 64U

/* ---- what is to be written ---- */

static bool is_engine_name(const char *name)
{
        return !isempty(name) && strlen(name) <= ENGINE_NAME_MAX && name[0] != '.' &&
                strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") ==
                strlen(name);
}

/* A value that is read as it is written: one line, and no backslash at its end, which would join
 * the next one. */
static bool is_value(const char *value)
{
        size_t size = strlen(value);

        return size > 0 && utf8_is_clean_line(value, size) && value[0] != ' ' &&
                value[size - 1] != ' ' && value[size - 1] != '\\';
}

static int check_type(const char *type)
{
        static const char *const types[] = { "ollama", "openai", "anthropic", "builtin" };

        for (size_t i = 0; i < ELEMENTSOF(types); i++)
                if (streq(type, types[i]))
                        return EXIT_DONE;
        cli_error("conductor: '%s' is no type of engine; it may be ollama, openai, anthropic or "
                  "builtin.",
                type);
        return EXIT_USAGE;
}

static int check_url(const char *type, const char *url)
{
        if (streq(type, "builtin")) {
                if (!url)
                        return EXIT_DONE;
                cli_error("conductor: the built-in engine has no address.");
                return EXIT_USAGE;
        }
        if (url && (startswith(url, "http://") || startswith(url, "https://")) && is_value(url))
                return EXIT_DONE;
        cli_error("conductor: an engine needs its address, as http://127.0.0.1:11434.");
        return EXIT_USAGE;
}

static int check_new(const Cli *cli, int argc, char *argv[])
{
        int r;

        if (!is_engine_name(argv[1])) {
                cli_error("conductor: '%s' cannot name an engine: letters, digits, '-', '_' and "
                          "'.' can.",
                        argv[1]);
                return EXIT_USAGE;
        }
        r = check_type(argv[2]);
        if (r == EXIT_DONE)
                r = check_url(argv[2], argc > 3 ? argv[3] : NULL);
        if (r != EXIT_DONE || !cli->key_file)
                return r;
        if (cli->key_file[0] != '/' || !is_value(cli->key_file)) {
                cli_error("conductor: --key-file takes the whole path of a file, from / on.");
                return EXIT_USAGE;
        }
        if (access(cli->key_file, F_OK) < 0)
                cli_error("conductor: %s is not there yet; the engine is used once it is (mode "
                          "0600).",
                        cli->key_file);
        return EXIT_DONE;
}

static int build_file(const Cli *cli, int argc, char *argv[], Buffer *b)
{
        int r;

        r = buffer_append_format(b, "[Engine]\nType=%s\n", argv[2]);
        if (r >= 0 && argc > 3)
                r = buffer_append_format(b, "Url=%s\n", argv[3]);
        if (r >= 0 && cli->key_file)
                r = buffer_append_format(b, "KeyFile=%s\n", cli->key_file);
        return r;
}

/* ---- writing ---- */

static int engine_folder(char **ret)
{
        _cleanup_free_ char *home = NULL;
        int r;

        r = path_config_home(&home);
        if (r < 0)
                return r;
        return asprintf(ret, "%s/engines.d", home) < 0 ? -ENOMEM : 0;
}

static int write_all(int fd, const char *data, size_t size)
{
        while (size > 0) {
                ssize_t n = write(fd, data, size);

                if (n < 0)
                        return -errno;
                data += n;
                size -= n;
        }
        return fsync(fd) < 0 ? -errno : 0;
}

/* -EEXIST when there is one of that name. */
static int rename_new(int folder, const char *from, const char *to)
{
        if (renameat2(folder, from, folder, to, RENAME_NOREPLACE) == 0)
                return 0;
        if (errno != EINVAL && errno != ENOSYS)
                return -errno;
        /* A file system that cannot do it in one step. */
        if (faccessat(folder, to, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
                return -EEXIST;
        return renameat(folder, from, folder, to) < 0 ? -errno : 0;
}

/* A name with a dot before it is not read by the service until it is whole. */
static int write_new(const char *path, const char *name, const Buffer *content)
{
        _cleanup_close_ int folder = -EBADF, fd = -EBADF;
        _cleanup_free_ char *temporary = NULL;
        int r;

        folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (folder < 0)
                return -errno;
        if (asprintf(&temporary, ".%s.%d", name, (int) getpid()) < 0) {
                temporary = NULL;
                return -ENOMEM;
        }
        fd = openat(folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return -errno;
        r = write_all(fd, buffer_text(content), content->size);
        if (r >= 0)
                r = rename_new(folder, temporary, name);
        if (r < 0) {
                (void) unlinkat(folder, temporary, 0);
                return r;
        }
        return fsync(folder) < 0 ? -errno : 0;
}

static int reload(Cli *cli)
{
        return cli_call(cli, PATH_ROOT, INTERFACE_MANAGER, "Reload", NULL, NULL);
}

int engine_add(Cli *cli, int argc, char *argv[])
{
        _cleanup_free_ char *folder = NULL, *name = NULL;
        _cleanup_buffer_ Buffer b = BUFFER_INIT(KIB(64));
        int r;

        r = check_new(cli, argc, argv);
        if (r != EXIT_DONE)
                return r;
        r = engine_folder(&folder);
        if (r >= 0)
                r = mkdir_private(folder);
        if (r >= 0 && asprintf(&name, "%s.conf", argv[1]) < 0) {
                name = NULL;
                r = -ENOMEM;
        }
        if (r >= 0)
                r = build_file(cli, argc, argv, &b);
        if (r >= 0)
                r = write_new(folder, name, &b);
        if (r == -EEXIST) {
                cli_error("conductor: there is an engine '%s' already; change %s/%s, or run "
                          "'conductor engine remove %s' first.",
                        argv[1], folder, name, argv[1]);
                return EXIT_FAILED;
        }
        if (r < 0) {
                cli_error("conductor: the engine's file cannot be written in %s: %s",
                        folder ? folder : "the configuration", strerror(-r));
                return EXIT_FAILED;
        }
        if (!cli->quiet)
                cli_error("%s/%s is written; 'conductor engine test %s' tries it.", folder, name,
                        argv[1]);
        return reload(cli);
}

int engine_remove(Cli *cli, int argc, char *argv[])
{
        _cleanup_free_ char *folder = NULL, *path = NULL;
        int r;

        if (!is_engine_name(argv[1])) {
                cli_error("conductor: '%s' cannot name an engine.", argv[1]);
                return EXIT_USAGE;
        }
        r = engine_folder(&folder);
        if (r >= 0 && asprintf(&path, "%s/%s.conf", folder, argv[1]) < 0) {
                path = NULL;
                r = -ENOMEM;
        }
        if (r >= 0 && unlink(path) < 0)
                r = -errno;
        if (r == -ENOENT) {
                cli_error("conductor: you have no file %s; an engine that was found at its usual "
                          "place, or that the machine's configuration has, cannot be removed here.",
                        path);
                return EXIT_NOT_FOUND;
        }
        if (r < 0) {
                cli_error(
                        "conductor: %s cannot be removed: %s", path ? path : argv[1], strerror(-r));
                return EXIT_FAILED;
        }
        return reload(cli);
}
