/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/manager-bus.h"

#include "build-config.h"
#include "common/log.h"
#include "common/names.h"
#include "service/bus/error.h"
#include "service/bus/options.h"
#include "service/bus/property.h"
#include "service/conversation/conversation-bus.h"
#include "service/surface/surface-bus.h"

/* ---- finding ---- */

int manager_find_conversation(Manager *m, const char *id, Conversation **ret, sd_bus_error *error)
{
        const char *tail = startswith(id, PATH_CONVERSATION "/");
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        Conversation *c = NULL;
        sd_id128_t key;

        if (sd_id128_from_string(tail ? tail : id, &key) >= 0)
                c = conversations_find(m->conversations, key);
        if (!c) {
                (void) failure_set(&failure, FAILURE_NO_SUCH_CONVERSATION, NULL);
                return bus_error_from_failure(error, &failure);
        }
        *ret = c;
        return 0;
}

/* ---- answers that come later ---- */

static void answer_done(const Failure *failure, Conversation *c, void *userdata)
{
        (void) call_finish(ASSERT_PTR(userdata), failure, NULL);
}

static void answer_path(const Failure *failure, Conversation *c, void *userdata)
{
        Call *call = ASSERT_PTR(userdata);

        if (failure)
                (void) call_fail(call, failure);
        else
                (void) call_reply(call, "o", conversation_path(c));
}

static void answer_plain(const Failure *failure, void *userdata)
{
        (void) call_finish(ASSERT_PTR(userdata), failure, NULL);
}

/* ---- methods ---- */

/* As it stands in the object's path. */
static int parse_id(sd_bus_message *m, void *value, sd_bus_error *error)
{
        char again[SD_ID128_STRING_MAX];
        sd_id128_t *id = value;
        const char *s;
        int r;

        r = sd_bus_message_read(m, "s", &s);
        if (r < 0)
                return r;
        if (sd_id128_from_string(s, id) < 0 || sd_id128_is_null(*id) ||
                !streq(sd_id128_to_string(*id, again), s))
                return bus_error_invalid(
                        error, "id must be 32 hexadecimal digits, in small letters, not all 0.");
        return 0;
}

static int method_create_conversation(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Manager *manager = ASSERT_PTR(userdata);
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        ConversationOptions o = { 0 };
        Call *call;
        int r;

        const BusOption options[] = {
                { "title", "s", &o.title },
                { "model", "s", &o.model },
                { "system", "s", &o.system },
                { "private", "b", &o.private },
                { "id", "s", &o.id, NULL, parse_id },
        };
        r = bus_read_options(m, options, ELEMENTSOF(options), error);
        if (r < 0)
                return r;

        r = call_new(manager->doors, m, &call, error);
        if (r < 0)
                return r;
        r = conversations_create(manager->conversations, &o, answer_path, call, &failure);
        return call_handed_over(call, r, &failure);
}

static int method_open_conversation(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Manager *manager = ASSERT_PTR(userdata);
        Conversation *c;
        const char *id;
        int r;

        r = sd_bus_message_read(m, "s", &id);
        if (r < 0)
                return r;
        r = manager_find_conversation(manager, id, &c, error);
        if (r < 0)
                return r;
        return sd_bus_reply_method_return(m, "o", conversation_path(c));
}

typedef int (*conversation_verb_t)(
        Conversation *c, conversation_done_t done, void *userdata, Failure *failure);

static int on_conversation(
        sd_bus_message *m, Manager *manager, conversation_verb_t verb, sd_bus_error *error)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        Conversation *c;
        const char *id;
        Call *call;
        int r;

        r = sd_bus_message_read(m, "s", &id);
        if (r < 0)
                return r;
        r = manager_find_conversation(manager, id, &c, error);
        if (r < 0)
                return r;
        r = call_new(manager->doors, m, &call, error);
        if (r < 0)
                return r;
        r = verb(c, answer_done, call, &failure);
        return call_handed_over(call, r, &failure);
}

static int method_delete_conversation(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        return on_conversation(m, ASSERT_PTR(userdata), conversation_delete, error);
}

static int method_restore_conversation(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        return on_conversation(m, ASSERT_PTR(userdata), conversation_restore, error);
}

static int method_purge_deleted(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Manager *manager = ASSERT_PTR(userdata);
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        Call *call;
        int r;

        r = call_new(manager->doors, m, &call, error);
        if (r < 0)
                return r;
        r = conversations_purge_deleted(manager->conversations, answer_done, call, &failure);
        return call_handed_over(call, r, &failure);
}

static int method_reload(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Manager *manager = ASSERT_PTR(userdata);
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        Call *call;
        int r;

        r = call_new(manager->doors, m, &call, error);
        if (r < 0)
                return r;
        r = manager_reload(manager, answer_plain, call);
        if (r < 0)
                (void) failure_set_errno(&failure, r, "The configuration cannot be read again");
        return call_handed_over(call, r, &failure);
}

/* A new default is answered when it is on disk; only then is it everybody's. */
typedef struct DefaultModel {
        Manager *manager;
        Call *call;
        char *model;
} DefaultModel;

static DefaultModel *default_model_free(DefaultModel *d)
{
        free(d->model);
        free(d);
        return NULL;
}
DEFINE_CLEANUP(DefaultModel *, default_model_free)

static void on_default_model_stored(const Failure *failure, void *userdata)
{
        _cleanup_(default_model_freep) DefaultModel *d = ASSERT_PTR(userdata);
        int r;

        if (failure) {
                (void) call_fail(d->call, failure);
                return;
        }
        r = engines_set_default_model(d->manager->engines, d->model);
        if (r < 0)
                log_warning_errno(r, "Cannot use the new default model before a restart: %m");
        manager_emit_default_model(d->manager);
        (void) call_reply(d->call, NULL);
}

static int method_set_default_model(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Manager *manager = ASSERT_PTR(userdata);
        _cleanup_(default_model_freep) DefaultModel *d = NULL;
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        const char *model;
        int r;

        r = sd_bus_message_read(m, "s", &model);
        if (r < 0)
                return r;
        if (*model && engines_check_model(manager->engines, model, &failure) < 0)
                return bus_error_from_failure(error, &failure);

        d = calloc(1, sizeof *d);
        if (!d)
                return -ENOMEM;
        d->manager = manager;
        d->model = strdup(model);
        if (!d->model)
                return -ENOMEM;
        r = call_new(manager->doors, m, &d->call, error);
        if (r < 0)
                return r;
        r = store_set_setting(
                manager->store, "default_model", model, on_default_model_stored, d, NULL);
        if (r < 0) {
                (void) failure_set_errno(&failure, r, "The default model cannot be stored");
                return call_handed_over(d->call, r, &failure);
        }
        TAKE_PTR(d);
        return 1;
}

/* ---- properties ---- */

#define GETTER(name, type, value) \
        BUS_DEFINE_GETTER(name, type, const Manager *m = ASSERT_PTR(userdata), value)

BUS_DEFINE_GETTER(property_version, "s", , CONDUCTOR_VERSION)
GETTER(property_default_model, "s", engines_default_model(m->engines))
GETTER(property_live_replies, "u",
        conversations_live(m->conversations) + conversations_waiting(m->conversations))
GETTER(property_surfaces, "u", surfaces_count(m->surfaces))

/* ---- signals ---- */

typedef struct Strings {
        const char *strings[3];
        size_t n;
} Strings;

static int fill_strings(sd_bus_message *m, void *userdata)
{
        const Strings *s = ASSERT_PTR(userdata);
        int r;

        for (size_t i = 0; i < s->n; i++) {
                r = sd_bus_message_append(m, "s", s->strings[i]);
                if (r < 0)
                        return r;
        }
        return 0;
}

static void emit_strings(Manager *m, const char *signal, Strings s)
{
        int r;

        if (!m->doors)
                return;
        r = doors_emit(m->doors, DOOR_BOTH, PATH_ROOT, INTERFACE_MANAGER, signal, fill_strings, &s);
        if (r < 0)
                log_warning_errno(r, "Cannot send %s, ignoring: %m", signal);
}

void manager_emit_engine_changed(Manager *m, const char *engine, EngineState state)
{
        emit_strings(m, "EngineChanged", (Strings){ { engine, engine_state_to_string(state) }, 2 });
        /* Which model the default is depends on which engines answer. */
        manager_emit_default_model(m);
}

void manager_emit_notice(Manager *m, int level, const char *title, const char *text)
{
        emit_strings(m, "Notice", (Strings){ { log_level_to_string(level), title, text }, 3 });
}

void manager_emit_property(Manager *m, const char *name)
{
        const char *const names[] = { name, NULL };
        int r;

        if (!m->doors)
                return;
        r = doors_emit_properties(m->doors, PATH_ROOT, INTERFACE_MANAGER, names);
        if (r < 0)
                log_warning_errno(r, "Cannot announce %s, ignoring: %m", name);
}

void manager_emit_default_model(Manager *m)
{
        const char *now;

        if (!m->doors)
                return;
        now = engines_default_model(m->engines);
        if (streq_ptr(m->default_told, now))
                return;
        if (free_and_strdup(&m->default_told, now) < 0)
                log_oom();
        manager_emit_property(m, "DefaultModel");
}

/* clang-format off */
const sd_bus_vtable manager_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_ARGS("CreateConversation",
                SD_BUS_ARGS("a{sv}", options), SD_BUS_RESULT("o", conversation),
                method_create_conversation, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("OpenConversation",
                SD_BUS_ARGS("s", id), SD_BUS_RESULT("o", conversation),
                method_open_conversation, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListConversations",
                SD_BUS_ARGS("a{sv}", options), SD_BUS_RESULT("a(osstta{sv})", conversations),
                manager_method_list_conversations, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("DeleteConversation",
                SD_BUS_ARGS("s", id), SD_BUS_NO_RESULT,
                method_delete_conversation, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("RestoreConversation",
                SD_BUS_ARGS("s", id), SD_BUS_NO_RESULT,
                method_restore_conversation, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("PurgeDeleted", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT,
                method_purge_deleted, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Search",
                SD_BUS_ARGS("s", query, "a{sv}", options), SD_BUS_RESULT("a(otssa{sv})", hits),
                manager_method_search, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Import",
                SD_BUS_ARGS("h", file), SD_BUS_RESULT("ao", conversations),
                conversation_method_import, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Ask",
                SD_BUS_ARGS("s", question, "a{sv}", options),
                SD_BUS_RESULT("s", answer, "a{sv}", metadata),
                manager_method_ask, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListModels",
                SD_BUS_ARGS("b", refresh), SD_BUS_RESULT("a(sssa{sv})", models),
                manager_method_list_models, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListEngines",
                SD_BUS_NO_ARGS, SD_BUS_RESULT("a(sssa{sv})", engines),
                manager_method_list_engines, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("SetDefaultModel",
                SD_BUS_ARGS("s", model), SD_BUS_NO_RESULT,
                method_set_default_model, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("RegisterSurface",
                SD_BUS_ARGS("s", name, "as", capabilities, "a{sv}", options),
                SD_BUS_RESULT("o", surface),
                surface_method_register, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetSnapshot",
                SD_BUS_NO_ARGS, SD_BUS_RESULT("a{sv}", snapshot),
                manager_method_get_snapshot, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetStatistics",
                SD_BUS_NO_ARGS, SD_BUS_RESULT("a{sv}", statistics),
                manager_method_get_statistics, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Reload", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT,
                method_reload, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_PROPERTY("Version", "s", property_version, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("DefaultModel", "s", property_default_model, 0,
                SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("LiveReplies", "u", property_live_replies, 0,
                SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Surfaces", "u", property_surfaces, 0,
                SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_SIGNAL_WITH_ARGS("ConversationAdded",
                SD_BUS_ARGS("o", conversation, "s", title), 0),
        SD_BUS_SIGNAL_WITH_ARGS("ConversationRemoved", SD_BUS_ARGS("o", conversation), 0),
        SD_BUS_SIGNAL_WITH_ARGS("EngineChanged", SD_BUS_ARGS("s", engine, "s", state), 0),
        SD_BUS_SIGNAL_WITH_ARGS("Notice",
                SD_BUS_ARGS("s", level, "s", title, "s", text), 0),
        SD_BUS_VTABLE_END,
};
/* clang-format on */
