/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <sys/stat.h>
#include <sys/statvfs.h>

#include "build-config.h"
#include "client/bus/call.h"
#include "client/bus/message-json.h"
#include "client/cli/doctor.h"
#include "common/names.h"
#include "common/paths.h"

#define SPACE_WANTED MIB(100) /* bytes free where the conversations are */

/* ---- the service ---- */

static int get_version(Doctor *d, char **ret, Failure *failure)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const char *version;
        int r;

        r = client_call(d->cli->bus, PATH_ROOT, "org.freedesktop.DBus.Properties", "Get", &reply,
                failure, "ss", INTERFACE_MANAGER, "Version");
        if (r < 0)
                return r;
        r = sd_bus_message_read(reply, "v", "s", &version);
        if (r < 0)
                return failure_set_errno(failure, r, "The service's version cannot be read");
        return free_and_strdup(ret, version);
}

static bool examine_version(Doctor *d)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        ClientOptions options = { .host = d->cli->host };
        _cleanup_free_ char *version = NULL;

        if ((!d->cli->bus && client_connect(&options, &d->cli->bus, &d->cli->door, &failure) < 0) ||
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

static json_object *fetch(Doctor *d, const char *member, const char *types, int argument)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        json_object *rows = NULL;
        int r;

        r = client_call(d->cli->bus, PATH_ROOT, INTERFACE_MANAGER, member, &reply, &failure, types,
                argument);
        if (r >= 0)
                r = message_to_json(reply, &rows);
        if (r < 0)
                doctor_say(d, FINDING_FAIL, NULL, "%s failed: %s", member,
                        failure_is_set(&failure) ? failure_message(&failure) : strerror(-r));
        return rows;
}

static const char *field(json_object *row, size_t i)
{
        return strempty(json_object_get_string(json_object_array_get_idx(row, i)));
}

static json_object *detail(json_object *row, const char *key)
{
        json_object *value = NULL;

        (void) json_object_object_get_ex(json_object_array_get_idx(row, 3), key, &value);
        return value;
}

static unsigned count_models(json_object *models, const char *engine)
{
        unsigned n = 0;

        for (size_t i = 0; models && i < json_object_array_length(models); i++)
                n += streq(field(json_object_array_get_idx(models, i), 1), engine);
        return n;
}

/* Returns whether it is a real engine that answers. */
static bool examine_engine(Doctor *d, json_object *row, json_object *models)
{
        const char *name = field(row, 0), *state = field(row, 2);
        const char *url = strempty(json_object_get_string(detail(row, "url")));
        const char *error = strempty(json_object_get_string(detail(row, "last_error")));
        const char *key = strempty(json_object_get_string(detail(row, "key_source")));
        bool found = json_object_get_boolean(detail(row, "found"));
        _cleanup_free_ char *mend = NULL;

        if (streq(field(row, 1), "builtin"))
                return false;
        if (streq(state, "ready"))
                doctor_say(d, FINDING_OK, NULL, "Engine %s answers at %s: %u models.", name, url,
                        count_models(models, name));
        else if (!found && asprintf(&mend, "conductor engine test %s", name) >= 0)
                doctor_say(d, FINDING_FAIL, mend, "Engine %s is %s: %s", name, state,
                        isempty(error) ? url : error);
        if (streq(key, "environment"))
                doctor_say(d, FINDING_WARN,
                        "write the key to a file of mode 0600 and name it with KeyFile=",
                        "Engine %s has its key from the environment, which other programs of "
                        "yours see too.",
                        name);
        return streq(state, "ready");
}

static void examine_engines(Doctor *d)
{
        json_object *models = fetch(d, "ListModels", "b", true);
        json_object *engines = models ? fetch(d, "ListEngines", NULL, 0) : NULL;
        unsigned real = 0;

        for (size_t i = 0; engines && i < json_object_array_length(engines); i++)
                real += examine_engine(d, json_object_array_get_idx(engines, i), models);
        if (engines && real == 0)
                doctor_say(d, FINDING_WARN,
                        "start Ollama or llama-server, or: conductor engine add NAME TYPE URL",
                        "No engine with a language model answers; the built-in partner does.");
        json_object_put(models);
        json_object_put(engines);
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
        if (examine_version(d))
                examine_engines(d);
}
