/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* conductor key: list, set, remove. The service is told where a key is, never what it is. */

#include "client/cli/key.h"

#include "client/cli/engine.h"
#include "client/cli/user-file.h"
#include "client/cli/verbs.h"
#include "common/json-util.h"
#include "common/key-text.h"

/* ---- list ---- */

static int print_keys(json_object *engines)
{
        _cleanup_buffer_ Buffer b = BUFFER_INIT(MIB(1));
        int r = 0;

        for (size_t i = 0; r >= 0 && i < json_object_array_length(engines); i++) {
                json_object *engine = json_object_array_get_idx(engines, i);
                const char *source = engine_detail(engine, "key_source");
                const char *failure = engine_detail(engine, "key_failure");

                if (streq(cli_member(engine, "type"), "builtin"))
                        continue;
                r = buffer_append_format(&b, "%-14s %-12s %s%s%s\n", cli_member(engine, "name"),
                        isempty(source) ? "-" : source, engine_detail(engine, "key_place"),
                        isempty(failure) ? "" : "  ", failure);
        }
        if (r >= 0)
                return cli_print(buffer_text(&b), b.size);
        cli_error("conductor: the keys cannot be shown: %s", strerror(-r));
        return EXIT_FAILED;
}

static int add_key(json_object *array, json_object *engine)
{
        _cleanup_(json_putp) json_object *o = json_object_new_object();

        if (!o || cli_add_string(o, "engine", cli_member(engine, "name")) < 0 ||
                cli_add_string(o, "source", engine_detail(engine, "key_source")) < 0 ||
                cli_add_string(o, "place", engine_detail(engine, "key_place")) < 0 ||
                cli_add_string(o, "failure", engine_detail(engine, "key_failure")) < 0 ||
                json_object_array_add(array, o) < 0)
                return -ENOMEM;
        TAKE_PTR(o);
        return 0;
}

static int print_keys_json(const Cli *cli, json_object *engines)
{
        json_object *array = json_object_new_array();
        int r = array ? 0 : -ENOMEM;

        for (size_t i = 0; r >= 0 && i < json_object_array_length(engines); i++) {
                json_object *engine = json_object_array_get_idx(engines, i);

                if (!streq(cli_member(engine, "type"), "builtin"))
                        r = add_key(array, engine);
        }
        if (r < 0) {
                json_object_put(array);
                array = NULL;
        }
        return cli_print_json(cli, array);
}

static int key_list(Cli *cli, int argc, char *argv[])
{
        _cleanup_(json_putp) json_object *engines = NULL;
        int r;

        r = engine_fetch_all(cli, &engines);
        if (r != EXIT_DONE)
                return r;
        return cli->json == JSON_OFF ? print_keys(engines) : print_keys_json(cli, engines);
}

/* ---- the engine ---- */

/* One that was found at its usual place gets a file like what was found. *ret_others: so many were
 * found besides, and are not looked for where there is a file. */
static int describe_found(Cli *cli, const char *name, KeyConfig *c, unsigned *ret_others)
{
        _cleanup_(json_putp) json_object *engines = NULL;
        const char *type = NULL, *url = "";
        int r;

        r = engine_fetch_all(cli, &engines);
        if (r != EXIT_DONE)
                return r;
        for (size_t i = 0; i < json_object_array_length(engines); i++) {
                json_object *engine = json_object_array_get_idx(engines, i);

                if (streq(cli_member(engine, "name"), name)) {
                        type = cli_member(engine, "type");
                        url = engine_detail(engine, "url");
                } else if (!streq(cli_member(engine, "type"), "builtin"))
                        *ret_others += streq(engine_detail(engine, "found"), "true");
        }
        /* These two are known by their names. */
        if (!type && (streq(name, "openai") || streq(name, "anthropic")))
                type = name;
        if (!type || streq(type, "builtin")) {
                cli_error("conductor: there is no engine '%s' that takes a key; 'conductor engine "
                          "list' shows them, 'conductor engine add' adds one.",
                        name);
                return EXIT_NOT_FOUND;
        }
        r = buffer_append_format(&c->text, "[Engine]\nType=%s\n%s%s%s", type,
                isempty(url) ? "" : "Url=", url, isempty(url) ? "" : "\n");
        if (r >= 0)
                return EXIT_DONE;
        cli_error("conductor: the engine's file cannot be made: %s", strerror(-r));
        return EXIT_FAILED;
}

static int read_config(const char *name, KeyConfig *c)
{
        int r;

        if (!engine_is_name(name)) {
                cli_error("conductor: '%s' cannot name an engine.", name);
                return EXIT_USAGE;
        }
        r = key_config_read(name, c);
        if (r >= 0)
                return EXIT_DONE;
        cli_error(r == -ELOOP
                        ? "conductor: the file of engine %s is a link, which is not replaced; "
                          "change what it leads to.%s"
                        : "conductor: the file of engine %s cannot be read: %s",
                name, r == -ELOOP ? "" : strerror(-r));
        return EXIT_FAILED;
}

/* ---- set ---- */

/* Where the key went. */
typedef struct Place {
        char *line; /* for the engine's file */
        char *words;
} Place;

static void place_done(Place *p)
{
        free(p->line);
        free(p->words);
}

static int set_place(Place *p, const char *setting, const char *value, const char *words)
{
        if (asprintf(&p->line, "%s=%s", setting, value) < 0)
                p->line = NULL;
        if (asprintf(&p->words, "%s%s", words, value) < 0)
                p->words = NULL;
        if (p->line && p->words)
                return EXIT_DONE;
        cli_error("conductor: out of memory.");
        return EXIT_FAILED;
}

static int key_file_path(const char *name, char **ret_folder, char **ret_path)
{
        int r;

        r = user_file_folder("keys", ret_folder);
        if (r < 0)
                return r;
        return asprintf(ret_path, "%s/%s", *ret_folder, name) < 0 ? -ENOMEM : 0;
}

static int store_in_file(const char *name, const char *text, Place *p)
{
        _cleanup_free_ char *folder = NULL, *path = NULL;
        int r;

        r = key_file_path(name, &folder, &path);
        if (r >= 0)
                r = user_file_write(folder, name, text, strlen(text), USER_FILE_REPLACE);
        if (r < 0) {
                cli_error("conductor: the key cannot be written to %s: %s", path ? path : "a file",
                        strerror(-r));
                return EXIT_FAILED;
        }
        return set_place(p, "KeyFile", path, "the file ");
}

/* EXIT_NO_SERVICE: there is no keyring. */
static int store_in_keyring(const char *name, const char *text, Place *p)
{
        _cleanup_free_ char *attributes = NULL, *folder = NULL, *path = NULL;
        _cleanup_failure_ Failure failure = FAILURE_NULL;

        if (keyring_store(name, text, &failure) < 0) {
                if (failure.code == FAILURE_NO_SERVICE)
                        return EXIT_NO_SERVICE;
                cli_error("conductor: %s The key is not stored; 'conductor key set %s file' stores "
                          "it in a file of mode 0600.",
                        failure_message(&failure), name);
                return EXIT_FAILED;
        }
        /* The one of a day without a keyring. */
        if (key_file_path(name, &folder, &path) >= 0)
                (void) unlink(path);
        if (asprintf(&attributes, KEYRING_SETTING, name) < 0)
                attributes = NULL;
        return set_place(p, "KeySecret", strempty(attributes), "the keyring, as ");
}

static int store(const Cli *cli, const char *name, const char *where, const char *text, Place *p)
{
        int r;

        if (streq_ptr(where, "file"))
                return store_in_file(name, text, p);
        r = store_in_keyring(name, text, p);
        if (r != EXIT_NO_SERVICE)
                return r;
        if (where) {
                cli_error("conductor: there is no keyring (Secret Service) in this session.");
                return EXIT_FAILED;
        }
        if (!cli->quiet)
                cli_error("There is no keyring (Secret Service) in this session.");
        return store_in_file(name, text, p);
}

static int name_place(KeyConfig *c, const Place *p)
{
        int r;

        r = key_config_change(c, p->line, /* mine= */ NULL);
        if (r >= 0)
                r = key_config_write(c);
        if (r >= 0)
                return EXIT_DONE;
        cli_error("conductor: the key is in %s, but %s/%s cannot be written (%s): put %s into it.",
                p->words, c->folder, c->name, strerror(-r), p->line);
        return EXIT_FAILED;
}

static void say_place(
        const Cli *cli, const KeyConfig *c, const char *name, const Place *p, unsigned others)
{
        if (cli->quiet)
                return;
        cli_error("The key of %s is in %s; %s/%s says so.", name, p->words, c->folder, c->name);
        if (others > 0)
                cli_error("From now on engines are what %s has, and are not looked for elsewhere: "
                          "'conductor engine add' adds the others.",
                        c->folder);
        if (c->source && !startswith(c->source, c->folder))
                cli_error("It is a copy of %s, whose later changes it hides.", c->source);
}

static int key_set(Cli *cli, int argc, char *argv[])
{
        _cleanup_(key_config_done) KeyConfig c = { 0 };
        _cleanup_(key_text_freep) char *text = NULL;
        const char *name = argv[1], *where = argc > 2 ? argv[2] : NULL;
        _cleanup_(place_done) Place p = { 0 };
        unsigned others = 0;
        int r;

        if (where && !streq(where, "keyring") && !streq(where, "file")) {
                cli_error("conductor: a key is stored in the keyring or in a file, not in '%s'; "
                          "the key itself is read from standard input.",
                        strlen(where) <= 16 ? where : "that");
                return EXIT_USAGE;
        }
        r = read_config(name, &c);
        if (r == EXIT_DONE && !c.source)
                r = describe_found(cli, name, &c, &others);
        if (r == EXIT_DONE)
                r = key_input(name, &text);
        if (r == EXIT_DONE)
                r = store(cli, name, where, text, &p);
        text = key_text_free(text);
        if (r == EXIT_DONE)
                r = name_place(&c, &p);
        if (r != EXIT_DONE)
                return r;
        say_place(cli, &c, name, &p, others);
        return engine_reload(cli);
}

/* ---- remove ---- */

/* Whether there was one. A negative errno. */
static int remove_file(const char *path)
{
        if (unlink(path) >= 0)
                return true;
        return errno == ENOENT || errno == ENOTDIR ? false : -errno;
}

/* What its file says of a key that was stored here. */
static int forget_place(KeyConfig *c, const char *attributes, const char *path)
{
        const char *const mine[] = { attributes, path, NULL };
        int r;

        if (!c->source || !startswith(c->source, c->folder))
                return false;
        r = key_config_change(c, /* line= */ NULL, mine);
        if (r > 0) {
                int k = key_config_write(c);

                return k < 0 ? k : true;
        }
        return r;
}

static int key_remove(Cli *cli, int argc, char *argv[])
{
        _cleanup_free_ char *attributes = NULL, *folder = NULL, *path = NULL;
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        _cleanup_(key_config_done) KeyConfig c = { 0 };
        const char *name = argv[1];
        unsigned n = 0;
        int r, file = 0;

        r = read_config(name, &c);
        if (r != EXIT_DONE)
                return r;
        if (keyring_remove(name, &n, &failure) < 0 && failure.code != FAILURE_NO_SERVICE) {
                cli_error("conductor: %s The key is not removed.", failure_message(&failure));
                return EXIT_FAILED;
        }
        r = key_file_path(name, &folder, &path);
        if (r >= 0 && asprintf(&attributes, KEYRING_SETTING, name) < 0) {
                attributes = NULL;
                r = -ENOMEM;
        }
        if (r >= 0)
                r = file = remove_file(path);
        if (r >= 0)
                r = forget_place(&c, attributes, path);
        if (r < 0) {
                cli_error("conductor: the key cannot be removed: %s", strerror(-r));
                return EXIT_FAILED;
        }
        if (n == 0 && !file && !r) {
                cli_error("conductor: no key of '%s' was stored by 'conductor key set'; 'conductor "
                          "key list' shows where one is.",
                        name);
                return EXIT_NOT_FOUND;
        }
        if (!cli->quiet)
                cli_error("The key of %s is removed%s.", name, n > 0 ? " from the keyring" : "");
        return engine_reload(cli);
}

/* ---- the verb ---- */

int verb_key(Cli *cli, int argc, char *argv[])
{
        static const SubVerb verbs[] = {
                { "list", 1, 1, NULL, key_list, "list" },
                { "set", 2, 3, "keys", key_set, "set ENGINE [keyring|file]" },
                { "remove", 2, 2, "keys", key_remove, "remove ENGINE" },
                { NULL, 0, 0, NULL, NULL, NULL },
        };

        return cli_run_sub_verb(cli, verbs, "list|set|remove", argc, argv);
}
