/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <sys/stat.h>
#include <sys/statvfs.h>

#include "build-config.h"
#include "client/bus/call.h"
#include "client/bus/start.h"
#include "client/cli/doctor.h"
#include "client/cli/engine.h"
#include "common/json-util.h"
#include "common/names.h"
#include "common/paths.h"

#define ANSWER_USEC  (10 * USEC_PER_SEC)
#define SPACE_WANTED MIB(100) /* bytes free where the conversations are */

/* ---- the service ---- */

/* A service that cannot be started must not hang the doctor: a bus may wait minutes for it. */
static int get_version(Doctor *d, char **ret, Failure *failure)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL, *reply = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        const char *version;
        int r;

        r = client_new_call(
                d->cli->bus, PATH_ROOT, "org.freedesktop.DBus.Properties", "Get", &call);
        if (r >= 0)
                r = sd_bus_message_append(call, "ss", INTERFACE_MANAGER, "Version");
        if (r >= 0)
                r = sd_bus_call(d->cli->bus, call, ANSWER_USEC, &error, &reply);
        if (r == -ETIMEDOUT)
                return failure_set(failure, FAILURE_NO_SERVICE, "it is silent for %u s.",
                        (unsigned) (ANSWER_USEC / USEC_PER_SEC));
        if (r < 0)
                return client_fail(failure, r, &error);
        r = sd_bus_message_read(reply, "v", "s", &version);
        if (r < 0)
                return failure_set_errno(failure, r, "its version cannot be read");
        r = free_and_strdup(ret, version);
        return r < 0 ? failure_set_errno(failure, r, "its version cannot be kept") : 0;
}

static bool examine_version(Doctor *d)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        ClientOptions options = { .host = d->cli->host, .flags = CLIENT_WAIT };
        _cleanup_free_ char *version = NULL;

        if ((!d->cli->bus && client_connect(&options, &d->cli->bus, &d->cli->door, &failure) < 0) ||
                client_start_service(d->cli->bus, d->cli->door, &failure) < 0 ||
                get_version(d, &version, &failure) < 0) {
                doctor_say(d, FINDING_FAIL, "journalctl --user -u conductor.service -n 20",
                        "The service does not answer: %s", failure_message(&failure));
                return false;
        }
        if (!streq(version, CONDUCTOR_VERSION))
                doctor_say(d, FINDING_WARN, "systemctl --user restart conductor.service",
                        "The service runs version %s, this program is %s.", version,
                        CONDUCTOR_VERSION);
        else
                doctor_say(d, FINDING_OK, NULL, "The service answers, version %s.", version);
        return true;
}

/* ---- engines ---- */

static unsigned count_models(json_object *models, const char *engine)
{
        unsigned n = 0;

        for (size_t i = 0; i < json_object_array_length(models); i++)
                n += streq(cli_member(json_object_array_get_idx(models, i), "engine"), engine);
        return n;
}

/* Returns whether it is a real engine that answers. */
static bool examine_engine(Doctor *d, json_object *engine, json_object *models)
{
        const char *name = cli_member(engine, "name"), *state = cli_member(engine, "state");
        const char *url = engine_detail(engine, "url");
        const char *error = engine_detail(engine, "last_error");
        bool found = streq(engine_detail(engine, "found"), "true");
        _cleanup_free_ char *mend = NULL;

        if (streq(cli_member(engine, "type"), "builtin"))
                return false;
        if (asprintf(&mend,
                    isempty(engine_detail(engine, "key_failure")) ? "conductor engine test %s"
                                                                  : "conductor key set %s",
                    name) < 0)
                mend = NULL;
        if (streq(state, "ready"))
                doctor_say(d, FINDING_OK, NULL, "Engine %s answers at %s: %u models.", name, url,
                        count_models(models, name));
        else if (!found)
                doctor_say(d, FINDING_FAIL, mend, "Engine %s is %s: %s", name, state,
                        isempty(error) ? url : error);
        else if (streq(state, "refusing")) /* something is there, at its usual place */
                doctor_say(d, FINDING_WARN, mend, "Engine %s is %s: %s", name, state,
                        isempty(error) ? url : error);
        if (streq(engine_detail(engine, "key_source"), "environment"))
                doctor_say(d, FINDING_WARN, "conductor key set NAME, and take the variable away",
                        "Engine %s has its key from the environment, which other programs of "
                        "yours see too.",
                        name);
        return streq(state, "ready");
}

static int fetch_models(Doctor *d, json_object **ret)
{
        static const char *const names[] = { "model", "engine", "state", "details" };
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = cli_call(d->cli, PATH_ROOT, INTERFACE_MANAGER, "ListModels", &reply, "b", true);
        if (r != EXIT_DONE)
                return r;
        *ret = cli_rows(reply, names, ELEMENTSOF(names));
        return *ret ? EXIT_DONE : EXIT_FAILED;
}

static void examine_engines(Doctor *d)
{
        _cleanup_(json_putp) json_object *models = NULL, *engines = NULL;
        unsigned real = 0;

        if (fetch_models(d, &models) != EXIT_DONE ||
                engine_fetch_all(d->cli, &engines) != EXIT_DONE) {
                doctor_say(d, FINDING_FAIL, "journalctl --user -u conductor.service -n 20",
                        "The service does not tell its engines and models.");
                return;
        }
        for (size_t i = 0; i < json_object_array_length(engines); i++)
                real += examine_engine(d, json_object_array_get_idx(engines, i), models);
        if (real == 0)
                doctor_say(d, FINDING_WARN,
                        "start Ollama or llama-server, or: conductor engine add NAME TYPE URL",
                        "No engine with a language model answers.");
}

/* ---- the store ---- */

static void examine_mode(Doctor *d, const char *path, mode_t unwanted)
{
        _cleanup_free_ char *mend = NULL;
        struct stat st;

        if (stat(path, &st) < 0 || !(st.st_mode & unwanted))
                return;
        if (asprintf(&mend, "chmod go= '%s'", path) < 0)
                mend = NULL;
        doctor_say(d, FINDING_WARN, mend, "%s can be read by others.", path);
}

static void examine_store(Doctor *d)
{
        _cleanup_free_ char *folder = NULL, *database = NULL;
        struct statvfs fs;
        uint64_t free_bytes;

        if (path_state(&folder) < 0 || path_database(&database) < 0)
                return;
        if (access(folder, F_OK) < 0) {
                doctor_say(d, FINDING_OK, NULL, "Nothing is stored yet; it will be in %s.", folder);
                return;
        }
        examine_mode(d, folder, 077);
        examine_mode(d, database, 077);
        if (access(folder, W_OK) < 0 ||
                (access(database, F_OK) >= 0 && access(database, W_OK) < 0)) {
                doctor_say(d, FINDING_FAIL, "ls -l ~/.local/state/conductor",
                        "%s cannot be written.", database);
                return;
        }
        if (statvfs(folder, &fs) < 0)
                return;
        free_bytes = (uint64_t) fs.f_bavail * fs.f_frsize;
        if (free_bytes < SPACE_WANTED)
                doctor_say(d, FINDING_FAIL, "conductor list --deleted; df -h ~",
                        "Only %llu MiB are free where the conversations are (%s).",
                        (unsigned long long) (free_bytes / MIB(1)), folder);
        else
                doctor_say(d, FINDING_OK, NULL, "Conversations are kept in %s.", database);
}

void doctor_examine_service(Doctor *d)
{
        if (!d->cli->host)
                examine_store(d);
        if (!d->service_failed && examine_version(d))
                examine_engines(d);
}
