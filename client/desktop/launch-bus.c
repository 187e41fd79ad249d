/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/desktop/launch-bus.h"

#include <inttypes.h>
#include <sys/random.h>

#include "client/desktop/names.h"
#include "common/log.h"

#define SYSTEMD       "org.freedesktop.systemd1"
#define ARGUMENTS_MAX 8U
#define INPUT_MAX     MIB(1)

typedef struct Command {
        const char *description;
        const char *const *arguments; /* NULL-ended */
        const char *token, *input;
} Command;

typedef struct Launch {
        Session *session;
        sd_bus_message *call;
} Launch;

static Launch *launch_free(Launch *l)
{
        if (!l)
                return NULL;
        session_release(l->session);
        sd_bus_message_unref(l->call);
        free(l);
        return NULL;
}
DEFINE_CLEANUP(Launch *, launch_free)

static void on_slot_gone(void *userdata)
{
        launch_free(userdata);
}

static int on_started(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        const Launch *l = ASSERT_PTR(userdata);
        const sd_bus_error *error = sd_bus_message_get_error(m);

        if (error)
                log_warning("systemd does not start it: %s",
                        isempty(error->message) ? error->name : error->message);
        if (!l->call)
                return 0;
        return error ? sd_bus_reply_method_error(l->call, error)
                     : sd_bus_reply_method_return(l->call, NULL);
}

/* ---- the unit ---- */

/* Ex: systemd would put its variables in the place of ${NAME}, and $ in that of $$. */
static int append_command(sd_bus_message *m, const Command *c)
{
        int r;

        r = sd_bus_message_open_container(m, 'r', "sv");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", "ExecStartEx");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', "a(sasas)");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "(sasas)");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'r', "sasas");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", c->arguments[0]);
        if (r >= 0)
                r = sd_bus_message_append_strv(m, (char **) c->arguments);
        if (r >= 0)
                r = sd_bus_message_append(m, "as", 1, "no-env-expand");
        for (unsigned i = 0; i < 4 && r >= 0; i++)
                r = sd_bus_message_close_container(m);
        return r;
}

static int append_input(sd_bus_message *m, const char *text)
{
        int r;

        r = sd_bus_message_append(m, "(sv)", "StandardInput", "s", "data");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'r', "sv");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", "StandardInputData");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', "ay");
        if (r >= 0)
                r = sd_bus_message_append_array(m, 'y', text, strlen(text));
        for (unsigned i = 0; i < 2 && r >= 0; i++)
                r = sd_bus_message_close_container(m);
        return r;
}

static int append_token(sd_bus_message *m, const char *token)
{
        _cleanup_free_ char *variable = NULL;

        if (isempty(token) || strlen(token) > ACTIVATION_TOKEN_MAX)
                return 0;
        if (asprintf(&variable, "XDG_ACTIVATION_TOKEN=%s", token) < 0) {
                variable = NULL;
                return -ENOMEM;
        }
        return sd_bus_message_append(m, "(sv)", "Environment", "as", 1, variable);
}

static int append_unit(sd_bus_message *m, const Command *c)
{
        uint64_t random = 0;
        char name[sizeof "app-" APPLICATION_ID "-0123456789abcdef.service"];
        int r;

        /* In one call systemd refuses a name that it has. */
        if (getrandom(&random, sizeof random, GRND_NONBLOCK) < 0)
                log_debug_errno(-errno, "No random number, ignoring: %m");
        (void) snprintf(name, sizeof name, "app-" APPLICATION_ID "-%016" PRIx64 ".service", random);
        r = sd_bus_message_append(m, "ss", name, "fail");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "(sv)");
        if (r >= 0)
                r = sd_bus_message_append(m, "(sv)(sv)(sv)(sv)", "Description", "s", c->description,
                        "CollectMode", "s", "inactive-or-failed", "Slice", "s", "app.slice",
                        /* Some terminals go on in another process. */ "ExitType", "s", "cgroup");
        if (r >= 0)
                r = append_command(m, c);
        if (r >= 0)
                r = append_token(m, c->token);
        if (r >= 0 && c->input)
                r = append_input(m, c->input);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : sd_bus_message_append(m, "a(sa(sv))", 0);
}

static int launch(Session *s, const Command *c, sd_bus_message *call)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_(sd_bus_slot_unrefp) sd_bus_slot *slot = NULL;
        Launch *l;
        int r;

        r = sd_bus_message_new_method_call(session_bus(s), &m, SYSTEMD, "/org/freedesktop/systemd1",
                SYSTEMD ".Manager", "StartTransientUnit");
        if (r >= 0)
                r = sd_bus_message_set_auto_start(m, /* b= */ false);
        if (r >= 0)
                r = append_unit(m, c);
        if (r < 0)
                return r;
        l = calloc(1, sizeof *l);
        if (!l)
                return -ENOMEM;
        l->session = s;
        l->call = sd_bus_message_ref(call);
        session_hold(s);
        r = sd_bus_call_async(session_bus(s), &slot, m, on_started, l, /* usec= */ 0);
        if (r >= 0)
                r = sd_bus_slot_set_destroy_callback(slot, on_slot_gone);
        if (r < 0) {
                launch_free(l);
                return r;
        }
        return sd_bus_slot_set_floating(slot, true);
}

int launch_client(Session *s, const char *const *arguments, const char *token, sd_bus_message *call)
{
        _cleanup_free_ char *terminal = NULL;
        const char *all[ARGUMENTS_MAX + 3] = { NULL, CONDUCTOR_TUI };

        if (asprintf(&terminal, "%s/conductor-terminal", session_folder(s)) < 0) {
                terminal = NULL;
                return -ENOMEM;
        }
        all[0] = terminal;

        for (size_t i = 0; arguments[i]; i++) {
                assert(i < ARGUMENTS_MAX);
                all[i + 2] = arguments[i];
        }
        return launch(s,
                &(Command){
                        .description = "Conductor in a terminal",
                        .arguments = all,
                        .token = token,
                },
                call);
}

int launch_at(Session *s, const Place *place, const char *token, sd_bus_message *call)
{
        char number[sizeof "18446744073709551615"];
        const char *arguments[] = { "--conversation", place->conversation, "--message", number,
                NULL };

        (void) snprintf(number, sizeof number, "%" PRIu64, place->message);
        if (place->message == 0)
                arguments[2] = NULL;
        return launch_client(s, arguments, token, call);
}

int launch_with_input(Session *s, const char *const *command, const char *text)
{
        if (strlen(text) > INPUT_MAX)
                return -E2BIG;
        return launch(s,
                &(Command){
                        .description = "The clipboard",
                        .arguments = command,
                        .input = text,
                },
                /* call= */ NULL);
}
