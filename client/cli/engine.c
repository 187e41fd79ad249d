/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* conductor engine: list, add, test, remove. An engine is one small file of the user's; adding and
 * removing write it whole or not at all, and the service reads it again. */

#include <fcntl.h>
#include <sys/stat.h>

#include "client/bus/message-json.h"
#include "client/cli/verbs.h"
#include "common/buffer.h"
#include "common/names.h"
#include "common/paths.h"

#define ENGINE_NAME_MAX 64U

static bool is_engine_name(const char *name)
{
        return !isempty(name) && strlen(name) <= ENGINE_NAME_MAX && name[0] != '.' &&
                strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") ==
                strlen(name);
}

static int engine_path(const char *name, char **ret)
{
        _cleanup_free_ char *folder = NULL;
        int r;

        r = path_config_home(&folder);
        if (r < 0)
                return r;
        return asprintf(ret, "%s/engines.d/%s.conf", folder, name) < 0 ? -ENOMEM : 0;
}

static int reload(Cli *cli)
{
        return cli_call(cli, PATH_ROOT, INTERFACE_MANAGER, "Reload", NULL, NULL);
}

/* ---- list and test ---- */

static int fetch_engines(Cli *cli, json_object **ret)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = cli_call(cli, PATH_ROOT, INTERFACE_MANAGER, "ListEngines", &reply, NULL);
        if (r != EXIT_DONE)
                return r;
        return message_to_json(reply, ret) < 0 ? EXIT_FAILED : EXIT_DONE;
}

static const char *field(json_object *row, size_t i)
{
        return strempty(json_object_get_string(json_object_array_get_idx(row, i)));
}

static const char *detail(json_object *row, const char *key)
{
        json_object *value;

        return json_object_object_get_ex(json_object_array_get_idx(row, 3), key, &value)
                ? strempty(json_object_get_string(value))
                : "";
}

static int list(Cli *cli, int argc, char *argv[])
{
        _cleanup_buffer_ Buffer b = BUFFER_INIT(MIB(1));
        json_object *rows = NULL;
        int r;

        r = fetch_engines(cli, &rows);
        if (r != EXIT_DONE)
                return r;
        if (cli->json_given)
                return cli_print_json(cli, rows);
        for (size_t i = 0; r >= 0 && i < json_object_array_length(rows); i++) {
                json_object *row = json_object_array_get_idx(rows, i);

                r = buffer_append_format(&b, "%-14s %-10s %-12s %s %s\n", field(row, 0),
                        field(row, 1), field(row, 2), detail(row, "url"),
                        detail(row, "last_error"));
        }
        json_object_put(rows);
        if (r >= 0)
                r = cli_write(STDOUT_FILENO, buffer_text(&b), b.size);
        return r < 0 ? EXIT_FAILED : EXIT_DONE;
}

static json_object *find_engine(json_object *rows, const char *name)
{
        for (size_t i = 0; i < json_object_array_length(rows); i++)
                if (streq(field(json_object_array_get_idx(rows, i), 0), name))
                        return json_object_array_get_idx(rows, i);
        return NULL;
}

static int count_models(Cli *cli, const char *engine, unsigned *ret)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        json_object *rows = NULL;
        unsigned n = 0;
        int r;

        r = cli_call(cli, PATH_ROOT, INTERFACE_MANAGER, "ListModels", &reply, "b", true);
        if (r != EXIT_DONE)
                return r;
        if (message_to_json(reply, &rows) < 0)
                return EXIT_FAILED;
        for (size_t i = 0; i < json_object_array_length(rows); i++)
                n += streq(field(json_object_array_get_idx(rows, i), 1), engine);
        json_object_put(rows);
        *ret = n;
        return EXIT_DONE;
}

static int test(Cli *cli, int argc, char *argv[])
{
        json_object *rows = NULL, *row;
        unsigned models = 0;
        int r;

        /* Asking for the models is what finds out how the engine is. */
        r = count_models(cli, argv[1], &models);
        if (r == EXIT_DONE)
                r = fetch_engines(cli, &rows);
        if (r != EXIT_DONE)
                return r;

        row = find_engine(rows, argv[1]);
        if (!row) {
                cli_error("conductor: there is no engine '%s'; 'conductor engine list' shows them.",
                        argv[1]);
                r = EXIT_NOT_FOUND;
        } else if (streq(field(row, 2), "ready"))
                r = printf("%s answers at %s, with %u models.\n", argv[1], detail(row, "url"),
                            models) < 0
                        ? EXIT_FAILED
                        : EXIT_DONE;
        else {
                cli_error("conductor: %s at %s: %s%s%s", argv[1], detail(row, "url"), field(row, 2),
                        isempty(detail(row, "last_error")) ? "" : ": ", detail(row, "last_error"));
                r = EXIT_ENGINE;
        }
        json_object_put(rows);
        return r;
}

/* ---- add and remove ---- */

static bool is_one_line(const char *value)
{
        for (const char *p = value; *p; p++)
                if ((unsigned char) *p < 0x20 || *p == 0x7f)
                        return false;
        return true;
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

/* Whole or not at all: a temporary file beside it, then a rename. */
static int write_file(const char *path, const Buffer *content)
{
        _cleanup_free_ char *temporary = NULL;
        _cleanup_close_ int fd = -EBADF;
        int r;

        if (asprintf(&temporary, "%s.XXXXXX", path) < 0) {
                temporary = NULL;
                return -ENOMEM;
        }
        fd = mkostemp(temporary, O_CLOEXEC);
        if (fd < 0)
                return -errno;
        r = write_all(fd, content->data, content->size);
        if (r >= 0 && rename(temporary, path) < 0)
                r = -errno;
        if (r < 0)
                (void) unlink(temporary);
        return r;
}

static int make_folder(const char *path)
{
        _cleanup_free_ char *folder = strdup(path);

        if (!folder)
                return -ENOMEM;
        *strrchr(folder, '/') = 0;
        return mkdir_private(folder);
}

static int build_file(const Cli *cli, char *argv[], Buffer *b)
{
        int r;

        r = buffer_append_format(b, "[Engine]\nType=%s\n", argv[2]);
        if (r < 0)
                return r;
        if (!streq(argv[2], "builtin")) {
                r = buffer_append_format(b, "Url=%s\n", argv[3]);
                if (r < 0)
                        return r;
        }
        if (cli->key_file)
                return buffer_append_format(b, "KeyFile=%s\n", cli->key_file);
        return 0;
}

static int check_new(const Cli *cli, int argc, char *argv[])
{
        static const char *const types[] = { "ollama", "openai", "anthropic", "builtin" };
        bool known = false;

        for (size_t i = 0; i < ELEMENTSOF(types); i++)
                known = known || streq(argv[2], types[i]);
        if (!is_engine_name(argv[1])) {
                cli_error("conductor: '%s' cannot name an engine: letters, digits, '-', '_' and "
                          "'.' can.",
                        argv[1]);
                return EXIT_USAGE;
        }
        if (!known) {
                cli_error("conductor: '%s' is no type of engine; it may be ollama, openai, "
                          "anthropic or builtin.",
                        argv[2]);
                return EXIT_USAGE;
        }
        if (!streq(argv[2], "builtin") &&
                (argc < 4 ||
                        !(startswith(argv[3], "http://") || startswith(argv[3], "https://")))) {
                cli_error("conductor: an engine needs its address, as http://127.0.0.1:11434.");
                return EXIT_USAGE;
        }
        if ((argc > 3 && !is_one_line(argv[3])) ||
                (cli->key_file && (cli->key_file[0] != '/' || !is_one_line(cli->key_file)))) {
                cli_error("conductor: an address and the whole path of a key file are one line "
                          "each.");
                return EXIT_USAGE;
        }
        return EXIT_DONE;
}

static int add(Cli *cli, int argc, char *argv[])
{
        _cleanup_buffer_ Buffer b = BUFFER_INIT(KIB(64));
        _cleanup_free_ char *path = NULL;
        int r;

        r = check_new(cli, argc, argv);
        if (r != EXIT_DONE)
                return r;
        r = engine_path(argv[1], &path);
        if (r >= 0)
                r = make_folder(path);
        if (r >= 0)
                r = build_file(cli, argv, &b);
        if (r >= 0)
                r = write_file(path, &b);
        if (r < 0) {
                cli_error(
                        "conductor: %s cannot be written: %s", path ? path : argv[1], strerror(-r));
                return EXIT_FAILED;
        }
        r = reload(cli);
        if (r == EXIT_DONE)
                cli_error("%s is written; 'conductor engine test %s' tries it.", path, argv[1]);
        return r;
}

static int remove_engine(Cli *cli, int argc, char *argv[])
{
        _cleanup_free_ char *path = NULL;

        if (!is_engine_name(argv[1]) || engine_path(argv[1], &path) < 0) {
                cli_error("conductor: '%s' cannot name an engine.", argv[1]);
                return EXIT_USAGE;
        }
        if (unlink(path) < 0) {
                cli_error("conductor: %s cannot be removed: %m", path);
                return errno == ENOENT ? EXIT_NOT_FOUND : EXIT_FAILED;
        }
        return reload(cli);
}

int verb_engine(Cli *cli, int argc, char *argv[])
{
        static const struct {
                const char *name;
                int min, max; /* with the word itself */
                bool local;
                int (*run)(Cli *cli, int argc, char *argv[]);
                const char *usage;
        } verbs[] = {
                { "list", 1, 1, false, list, "list" },
                { "add", 3, 4, true, add, "add NAME TYPE URL [--key-file PATH]" },
                { "test", 2, 2, false, test, "test NAME" },
                { "remove", 2, 2, true, remove_engine, "remove NAME" },
        };

        argc--;
        argv++;
        for (size_t i = 0; i < ELEMENTSOF(verbs); i++) {
                if (!streq(argv[0], verbs[i].name))
                        continue;
                if (argc < verbs[i].min || argc > verbs[i].max) {
                        cli_error("conductor: use it as: conductor engine %s", verbs[i].usage);
                        return EXIT_USAGE;
                }
                if (verbs[i].local && cli->host) {
                        cli_error("conductor: engines of another machine are changed there: "
                                  "'ssh %s conductor engine %s …'.",
                                cli->host, verbs[i].name);
                        return EXIT_USAGE;
                }
                return verbs[i].run(cli, argc, argv);
        }
        cli_error("conductor: use it as: conductor engine list|add|test|remove");
        return EXIT_USAGE;
}
