/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Reading the lists and dictionaries that the service answers with. */

#include "client/cli/cli.h"

#define SIGNATURE_MAX 32U

static int skip_rest(sd_bus_message *m)
{
        int r;

        while ((r = sd_bus_message_at_end(m, /* complete= */ false)) == 0) {
                r = sd_bus_message_skip(m, NULL);
                if (r < 0)
                        return r;
        }
        return r < 0 ? r : 0;
}

static int each_row(sd_bus_message *m, const char *types, cli_row_t row, void *userdata)
{
        char contents[SIGNATURE_MAX];
        int r, code;

        r = snprintf(contents, sizeof contents, "(%s)", types);
        assert(r > 0 && (size_t) r < sizeof contents);
        r = sd_bus_message_rewind(m, /* complete= */ true);
        if (r < 0)
                return r;
        r = sd_bus_message_enter_container(m, 'a', contents);
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(m, 'r', types)) > 0) {
                code = row(m, userdata);
                if (code != EXIT_DONE)
                        return code;
                r = skip_rest(m);
                if (r < 0)
                        return r;
                r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        return r;
}

int cli_each_row(sd_bus_message *m, const char *types, cli_row_t row, void *userdata)
{
        int r = each_row(m, types, row, userdata);

        if (r >= 0)
                return r;
        cli_error("conductor: the service's answer cannot be read: %s", strerror(-r));
        return EXIT_FAILED;
}

int cli_each_entry(sd_bus_message *m, cli_entry_t entry, void *userdata)
{
        const char *key;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                r = sd_bus_message_read(m, "s", &key);
                if (r < 0)
                        return r;
                r = entry(m, key, userdata);
                if (r == 0)
                        r = sd_bus_message_skip(m, "v");
                if (r < 0)
                        return r;
                r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}
