/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* conductor engine add and remove: an engine is one small file of the user's, written whole or not
 * at all, which the service reads again then. */

#include "client/cli/engine.h"
#include "client/cli/user-file.h"
#include "common/buffer.h"
#include "common/names.h"
#include "common/parse.h"
#include "common/utf8.h"

#define ENGINE_NAME_MAX 64U

/* ---- what is to be written ---- */

bool engine_is_name(const char *name)
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

        if (parse_word(types, ELEMENTSOF(types), type) >= 0)
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

        if (!engine_is_name(argv[1])) {
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

/* ---- the verbs ---- */

int engine_reload(Cli *cli)
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
        r = user_file_folder("engines.d", &folder);
        if (r >= 0 && asprintf(&name, "%s.conf", argv[1]) < 0) {
                name = NULL;
                r = -ENOMEM;
        }
        if (r >= 0)
                r = build_file(cli, argc, argv, &b);
        if (r >= 0)
                r = user_file_write(folder, name, buffer_text(&b), b.size, USER_FILE_NEW);
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
        return engine_reload(cli);
}

int engine_remove(Cli *cli, int argc, char *argv[])
{
        _cleanup_free_ char *folder = NULL, *path = NULL;
        int r;

        if (!engine_is_name(argv[1])) {
                cli_error("conductor: '%s' cannot name an engine.", argv[1]);
                return EXIT_USAGE;
        }
        r = user_file_folder("engines.d", &folder);
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
        return engine_reload(cli);
}
