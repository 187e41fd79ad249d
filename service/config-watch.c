/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/config-watch.h"

#include <sys/inotify.h>

#include "common/log.h"
#include "common/message-ids.h"
#include "common/paths.h"
#include "service/lifecycle.h"
#include "service/manager-bus.h"

/* An editor writes, renames and deletes: one reading for all of it. */
#define CONFIG_SETTLE_USEC (200 * USEC_PER_MSEC)

#define CONFIG_WATCH_MASK \
        (IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR)
/* The file of a running program is never written to; an upgrade puts another in its place, which
 * takes a link off it. */
#define PROGRAM_WATCH_MASK (IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF)

struct ConfigWatch {
        Manager *manager;
        sd_event_source **sources;
        size_t n_sources;
        sd_event_source *settle;
};

void config_watch_apply_log(const Config *config)
{
        if (config->log_level >= 0)
                log_set_max_level(config->log_level);
        for (char **w = config->warnings; w && *w; w++)
                log_warning("%s", *w);
}

/* ---- reading again ---- */

typedef struct Reload {
        Manager *manager;
        Config *config;
        int error;
        bool replaced; /* the service's own program */
        manager_reloaded_t done;
        void *userdata;
} Reload;

static void reload_free(void *data)
{
        Reload *r = data;

        config_free(r->config);
        free(r);
}

static void reload_run(void *data)
{
        Reload *r = data;

        r->error = config_load(&r->config);
        r->replaced = lifecycle_is_replaced();
}

/* At a start the journal has them; whoever edits a file now looks at a client. */
static void tell_warnings(Manager *m)
{
        char **warnings = m->config->warnings;
        _cleanup_free_ char *text = NULL;
        size_t n = 0;

        while (warnings && warnings[n])
                n++;
        if (n == 0)
                return;
        if (n > 1 && asprintf(&text, "%s (%zu more in the journal)", warnings[0], n - 1) < 0)
                text = NULL;
        manager_emit_notice(
                m, LOG_WARNING, "The configuration has a mistake", text ? text : warnings[0]);
}

static int install_config(Manager *m, Config **config)
{
        int r;

        r = engines_reconfigure(m->engines, *config);
        if (r < 0)
                return r;
        config_free(m->config);
        m->config = TAKE_PTR(*config);

        conversations_set_avatar(m->conversations, m->config->avatar ? m->avatar : NULL);
        conversations_set_trash_keep(m->conversations, m->config->trash_keep);
        config_watch_apply_log(m->config);
        manager_emit_default_model(m);
        tell_warnings(m);
        log_struct(
                LOG_INFO, MESSAGE_CONFIGURATION_LOADED, NULL, "The configuration was read again.");
        return 0;
}

static void reload_done(void *data)
{
        Reload *reload = data;
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        int r = reload->error;

        if (r >= 0 && reload->config->unread)
                r = failure_set(&failure, FAILURE_CONFIGURATION, "%s The old one stays.",
                        reload->config->unread);
        if (r >= 0)
                r = install_config(reload->manager, &reload->config);
        if (r < 0) {
                (void) failure_set_errno(&failure, r, "It could not be read, the old one stays");
                manager_notice(
                        reload->manager, LOG_ERR, "The configuration", failure_message(&failure));
        }
        if (reload->replaced)
                lifecycle_set_replaced(reload->manager->lifecycle);
        if (reload->done)
                reload->done(r < 0 ? &failure : NULL, reload->userdata);
        reload_free(reload);
}

int manager_reload(Manager *m, manager_reloaded_t done, void *userdata)
{
        Reload *reload;
        int r;

        if (!m->conversations)
                return -EAGAIN; /* it still starts, and reads it anyway */

        reload = calloc(1, sizeof(Reload));
        if (!reload)
                return -ENOMEM;
        reload->manager = m;
        reload->done = done;
        reload->userdata = userdata;

        r = worker_submit(store_worker(m->store),
                &(WorkerJob){ reload_run, reload_done, reload_free, reload });
        if (r < 0)
                reload_free(reload);
        return r;
}

/* ---- watching ---- */

static int on_settled(sd_event_source *s, usec_t usec, void *userdata)
{
        ConfigWatch *w = ASSERT_PTR(userdata);
        int r;

        r = manager_reload(w->manager, /* done= */ NULL, /* userdata= */ NULL);
        if (r < 0 && r != -EAGAIN)
                log_error_errno(r, "Cannot read the configuration again, ignoring: %m");
        return 0;
}

static int on_inotify(sd_event_source *s, const struct inotify_event *event, void *userdata)
{
        ConfigWatch *w = ASSERT_PTR(userdata);
        int enabled, r;

        /* Not put off by those that follow: who writes again and again would never be heard. */
        r = sd_event_source_get_enabled(w->settle, &enabled);
        if (r >= 0 && enabled != SD_EVENT_OFF)
                return 0;
        if (r >= 0)
                r = sd_event_source_set_time_relative(w->settle, CONFIG_SETTLE_USEC);
        if (r >= 0)
                r = sd_event_source_set_enabled(w->settle, SD_EVENT_ONESHOT);
        if (r < 0)
                log_warning_errno(r, "Cannot wait for the configuration to settle, ignoring: %m");
        return 0;
}

static int watch(ConfigWatch *w, const char *path, uint32_t mask, const char *description)
{
        sd_event_source *s;
        int r;

        r = sd_event_add_inotify(w->manager->event, &s, path, mask, on_inotify, w);
        if (r == -ENOENT || r == -ENOTDIR)
                return 0; /* not there: a reload finds it when it comes */
        if (r < 0) {
                log_warning_errno(r, "Cannot watch \"%s\", ignoring: %m", path);
                return 0;
        }
        (void) sd_event_source_set_description(s, description);
        w->sources[w->n_sources++] = s;
        return 0;
}

int config_watch_new(ConfigWatch **ret, Manager *m)
{
        _cleanup_(config_watch_freep) ConfigWatch *w = NULL;
        _cleanup_(strv_freep) char **folders = NULL;
        size_t n = 0;
        int r;

        w = calloc(1, sizeof(ConfigWatch));
        if (!w)
                return -ENOMEM;
        w->manager = m;

        r = sd_event_add_time(m->event, &w->settle, CLOCK_MONOTONIC, 0, 0, on_settled, w);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(w->settle, "config-settle");
        r = sd_event_source_set_enabled(w->settle, SD_EVENT_OFF);
        if (r < 0)
                return r;

        r = config_watched_folders(&folders);
        if (r < 0)
                return r;
        while (folders[n])
                n++;
        w->sources = calloc(n + 1, sizeof(sd_event_source *));
        if (!w->sources)
                return -ENOMEM;
        for (char **f = folders; *f; f++) {
                r = watch(w, *f, CONFIG_WATCH_MASK, "config-inotify");
                if (r < 0)
                        return r;
        }
        r = watch(w, "/proc/self/exe", PROGRAM_WATCH_MASK, "program-inotify");
        if (r < 0)
                return r;

        *ret = TAKE_PTR(w);
        return 0;
}

ConfigWatch *config_watch_free(ConfigWatch *w)
{
        if (!w)
                return NULL;

        for (size_t i = 0; i < w->n_sources; i++)
                sd_event_source_disable_unref(w->sources[i]);
        free(w->sources);
        sd_event_source_disable_unref(w->settle);
        free(w);
        return NULL;
}
