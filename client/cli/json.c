/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/bus/message-json.h"
#include "client/cli/cli.h"
#include "common/json-util.h"

int cli_print_json(const Cli *cli, json_object *object)
{
        _cleanup_(json_putp) json_object *owned = object;
        int flags = JSON_C_TO_STRING_NOSLASHESCAPE |
                (cli->json == JSON_PRETTY ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED : 0);
        const char *text;
        size_t size;
        int r;

        text = owned ? json_object_to_json_string_length(owned, flags, &size) : NULL;
        if (!text) {
                cli_error("conductor: out of memory.");
                return EXIT_FAILED;
        }
        r = cli_print(text, size);
        return r != EXIT_DONE ? r : cli_print("\n", 1);
}

int cli_add_string(json_object *o, const char *key, const char *value)
{
        json_object *s = json_object_new_string(value);

        if (s && json_object_object_add(o, key, s) >= 0)
                return 0;
        json_object_put(s);
        return -ENOMEM;
}

int cli_add_shared(json_object *o, const char *key, json_object *value)
{
        if (json_object_object_add(o, key, json_object_get(value)) >= 0)
                return 0;
        json_object_put(value);
        return -ENOMEM;
}

static int add_row(json_object *array, json_object *row, const char *const *names, size_t n)
{
        _cleanup_(json_putp) json_object *object = json_object_new_object();

        if (!object)
                return -ENOMEM;
        if (!json_object_is_type(row, json_type_array) || json_object_array_length(row) != n)
                return -EBADMSG;
        for (size_t i = 0; i < n; i++)
                if (cli_add_shared(object, names[i], json_object_array_get_idx(row, i)) < 0)
                        return -ENOMEM;
        if (json_object_array_add(array, object) < 0)
                return -ENOMEM;
        TAKE_PTR(object);
        return 0;
}

int cli_add_rows(json_object *array, sd_bus_message *m, const char *const *names, size_t n)
{
        _cleanup_(json_putp) json_object *rows = NULL;
        int r;

        r = sd_bus_message_rewind(m, /* complete= */ true);
        if (r >= 0)
                r = message_to_json(m, &rows);
        if (r >= 0 && !json_object_is_type(rows, json_type_array))
                r = -EBADMSG;
        for (size_t i = 0; r >= 0 && i < json_object_array_length(rows); i++)
                r = add_row(array, json_object_array_get_idx(rows, i), names, n);
        if (r >= 0)
                return EXIT_DONE;
        cli_error("conductor: the service's answer cannot be read: %s", strerror(-r));
        return EXIT_FAILED;
}

json_object *cli_rows(sd_bus_message *m, const char *const *names, size_t n)
{
        _cleanup_(json_putp) json_object *array = json_object_new_array();

        if (!array) {
                cli_error("conductor: out of memory.");
                return NULL;
        }
        return cli_add_rows(array, m, names, n) == EXIT_DONE ? TAKE_PTR(array) : NULL;
}

const char *cli_member(json_object *object, const char *key)
{
        json_object *value;

        return json_object_object_get_ex(object, key, &value)
                ? strempty(json_object_get_string(value))
                : "";
}
