/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/manager.h"

#include <inttypes.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <systemd/sd-daemon.h>

#include "common/log.h"
#include "common/message-ids.h"
#include "common/paths.h"
#include "service/avatar/avatar-bus.h"
#include "service/config-watch.h"
#include "service/conversation/conversation-bus.h"
#include "service/lifecycle.h"
#include "service/manager-bus.h"
#include "service/secret-bus.h"
#include "service/unit-bus.h"

/* ---- what the rooms tell ---- */

void manager_notice(Manager *m, int level, const char *title, const char *text)
{
        log_full(level, "%s: %s", title, text);
        manager_emit_notice(m, level, title, text);
}

static void on_engine_changed(const char *engine, EngineState state, void *userdata)
{
        log_struct(LOG_INFO, MESSAGE_ENGINE_CHANGED, NULL, "Engine \"%s\" is %s.", engine,
                engine_state_to_string(state));
        manager_emit_engine_changed(ASSERT_PTR(userdata), engine, state);
}

static void on_engine_notice(int level, const char *title, const char *text, void *userdata)
{
        manager_notice(ASSERT_PTR(userdata), level, title, text);
}

static void on_engine_models(void *userdata)
{
        manager_emit_default_model(ASSERT_PTR(userdata));
}

static void on_store_notice(StoreNoticeKind kind, const char *detail, void *userdata)
{
        Manager *m = ASSERT_PTR(userdata);

        switch (kind) {
        case STORE_NOTICE_SALVAGED:
                log_struct(LOG_WARNING, MESSAGE_DATABASE_SALVAGED, NULL,
                        "The database was damaged: %s", detail);
                manager_emit_notice(m, LOG_WARNING, "The database was damaged", detail);
                return;
        case STORE_NOTICE_CHECKED:
                log_info("The service did not end cleanly; its database was checked and is whole.");
                return;
        case STORE_NOTICE_FULL:
                log_struct(LOG_ERR, MESSAGE_STORE_FAILED, NULL, "The disk is full: %s", detail);
                manager_emit_notice(m, LOG_ERR, "The disk is full", detail);
                return;
        case STORE_NOTICE_FAILED:
                log_struct(LOG_ERR, MESSAGE_STORE_FAILED, NULL, "Cannot write the database: %s",
                        detail);
                manager_emit_notice(m, LOG_ERR, "The database cannot be written", detail);
                return;
        }
}

static void on_session_changed(bool connected, void *userdata)
{
        if (!connected)
                log_struct(LOG_NOTICE, MESSAGE_SESSION_BUS_LOST, NULL,
                        "The session bus is gone; it is opened again when it comes back.");
}

static void on_session_settled(void *userdata)
{
        Manager *m = ASSERT_PTR(userdata);

        lifecycle_ready(m->lifecycle);
}

static void on_name_lost(const char *why, void *userdata)
{
        Manager *m = ASSERT_PTR(userdata);

        lifecycle_fail(m->lifecycle, EX_TEMPFAIL, why);
}

/* ---- opening ---- */

static int start_unit(const char *unit, unit_started_t done, void *done_userdata, UnitStart **ret,
        Failure *failure, void *userdata)
{
        Manager *m = ASSERT_PTR(userdata);

        return unit_start_new(ret, m->event, unit, done, done_userdata, failure);
}

static int look_up_secret(const SecretQuestion *question, secret_found_t done, void *done_userdata,
        SecretLookup **ret, Failure *failure, void *userdata)
{
        Manager *m = ASSERT_PTR(userdata);

        return secret_lookup_new(ret, m->event, question, done, done_userdata, failure);
}

static int make_engines(Manager *m, const StoreIndex *index)
{
        const EnginesObserver observer = { on_engine_changed, on_engine_notice, on_engine_models,
                m };
        int r;

        r = engines_new(&m->engines, m->event, m->config, store_worker(m->store), &observer);
        if (r < 0)
                return r;
        engines_set_units(m->engines, &(EngineUnits){ start_unit, unit_start_free, m });
        engines_set_secrets(m->engines, &(EngineSecrets){ look_up_secret, secret_lookup_free, m });
        r = engines_set_default_model(m->engines, strempty(index->default_model));
        if (r < 0)
                return r;
        return engines_set_last_model(m->engines, strempty(index->last_model));
}

/* Takes the index over. */
static int make_rooms(Manager *m, StoreIndex *index)
{
        _cleanup_(store_index_freep) StoreIndex *owned = index;
        int r;

        r = make_engines(m, index);
        if (r < 0)
                return r;
        r = avatar_new(&m->avatar);
        if (r < 0)
                return r;
        r = surfaces_new(&m->surfaces);
        if (r < 0)
                return r;
        r = conversations_new(&m->conversations, m->event, m->store, m->engines,
                m->config->avatar ? m->avatar : NULL, TAKE_PTR(owned));
        if (r < 0)
                return r;
        conversations_set_trash_keep(m->conversations, m->config->trash_keep);
        return 0;
}

static int make_faces(Manager *m)
{
        const DoorsObserver observer = { on_session_changed, on_session_settled, on_name_lost, m };
        int r;

        r = doors_new(&m->doors, m->event, &manager_object, m, &observer);
        if (r < 0)
                return r;
        r = avatar_face_install(m);
        if (r < 0)
                return r;
        return conversation_face_new(&m->conversation_face, m);
}

static int open_private_door(Manager *m)
{
        _cleanup_free_ char *path = NULL;
        int r;

        if (m->listen_fd >= 0) {
                r = doors_adopt_socket(m->doors, m->listen_fd);
                if (r < 0)
                        return r;
                TAKE_FD(m->listen_fd);
                lifecycle_set_activated(m->lifecycle);
                return 0;
        }

        r = path_runtime_socket(&path);
        if (r == -ENXIO) {
                log_notice("XDG_RUNTIME_DIR is not set: there is no private socket.");
                return 0;
        }
        if (r < 0)
                return r;
        r = doors_listen(m->doors, path);
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                log_warning_errno(r, "Cannot listen on \"%s\", going on without it: %m", path);
        return 0;
}

static int open_doors(Manager *m)
{
        int r;

        r = make_faces(m);
        if (r < 0)
                return r;
        lifecycle_open(m->lifecycle);
        r = open_private_door(m);
        if (r < 0)
                return r;
        return doors_open_session(m->doors);
}

static void on_store_opened(const Failure *failure, StoreIndex *index, void *userdata)
{
        Manager *m = ASSERT_PTR(userdata);
        uint64_t interrupted;
        int r;

        if (failure) {
                lifecycle_fail(m->lifecycle,
                        failure->code == FAILURE_BUSY ? EX_TEMPFAIL : EX_UNAVAILABLE,
                        failure_message(failure));
                return;
        }

        interrupted = index->interrupted;
        r = make_rooms(m, index);
        if (r >= 0 && interrupted > 0)
                log_notice("The last run ended under %" PRIu64
                           " replies; what they had is kept, ended \"interrupted\".",
                        interrupted);
        if (r >= 0)
                r = open_doors(m);
        if (r < 0) {
                log_error_errno(r, "Cannot open the doors: %m");
                lifecycle_fail(m->lifecycle, EX_UNAVAILABLE, "The service cannot start.");
                return;
        }
}

/* ---- starting ---- */

static int take_listen_fd(Manager *m)
{
        int n, r;

        n = sd_listen_fds(/* unset_environment= */ true);
        if (n < 0)
                return log_error_errno(n, "Cannot take systemd's sockets: %m");
        if (n == 0)
                return 0;
        if (n > 1) {
                log_error("systemd passed %i sockets, one is expected: see conductor.socket.", n);
                return -EINVAL;
        }

        r = sd_is_socket(SD_LISTEN_FDS_START, AF_UNIX, SOCK_STREAM, /* listening= */ 1);
        if (r < 0)
                return log_error_errno(r, "Cannot examine the socket that systemd passed: %m");
        if (r == 0) {
                log_error("What systemd passed is no listening unix stream socket: "
                          "see ListenStream= in conductor.socket.");
                return -EINVAL;
        }
        m->listen_fd = SD_LISTEN_FDS_START;
        return 0;
}

static int load_config(Manager *m)
{
        int r;

        r = config_load(&m->config);
        if (r < 0)
                return log_error_errno(r, "Cannot read the configuration: %m");
        config_watch_apply_log(m->config);
        return 0;
}

static int manager_start(Manager *m)
{
        _cleanup_free_ char *path = NULL;
        int r;

        r = take_listen_fd(m);
        if (r < 0)
                return r;
        r = load_config(m);
        if (r < 0)
                return r;
        r = config_watch_new(&m->config_watch, m);
        if (r < 0)
                return log_error_errno(r, "Cannot watch the configuration: %m");

        r = path_database(&path);
        if (r < 0)
                return log_error_errno(r, "Cannot tell where the database is: %m");
        r = store_open(&m->store, m->event, path, on_store_opened, on_store_notice, m);
        if (r < 0)
                return log_error_errno(r, "Cannot open the database: %m");
        return 0;
}

int manager_new(Manager **ret)
{
        _cleanup_(manager_freep) Manager *m = NULL;
        int r;

        m = calloc(1, sizeof(Manager));
        if (!m)
                return -ENOMEM;
        m->listen_fd = -EBADF;

        r = sd_event_new(&m->event);
        if (r < 0)
                return r;
        r = lifecycle_new(&m->lifecycle, m);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(m);
        return 0;
}

Manager *manager_free(Manager *m)
{
        if (!m)
                return NULL;

        /* Faces before rooms, rooms before what they stand on. */
        lifecycle_free(m->lifecycle);
        config_watch_free(m->config_watch);
        manager_asks_free(m);
        conversation_face_free(m->conversation_face);
        conversations_free(m->conversations);
        surfaces_free(m->surfaces);
        avatar_free(m->avatar);
        engines_free(m->engines);
        doors_free(m->doors);
        store_free(m->store);
        config_free(m->config);
        free(m->default_told);
        safe_close(m->listen_fd);
        sd_event_unref(m->event);
        free(m);
        return NULL;
}

int manager_run(Manager *m)
{
        int r, status;

        r = manager_start(m);
        status = r < 0 ? EX_UNAVAILABLE : lifecycle_run(m->lifecycle);

        /* What waits in the socket would start us again at once, for the same end. */
        if (m->listen_fd >= 0)
                doors_refuse(m->listen_fd);
        return status;
}
