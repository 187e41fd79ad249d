/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/config/config.h"

#include <sys/stat.h>
#include <syslog.h>

#include "common/log.h"
#include "common/parse.h"
#include "common/paths.h"
#include "service/config/config-internal.h"

#define IDLE_TIMEOUT (5 * 60 * USEC_PER_SEC)
#define DAY          (24 * 60 * 60 * USEC_PER_SEC)
#define TRASH_KEEP   (7 * DAY)

static const char *const subfolders[] = { "conductor.conf.d", "engines.d" };

/* ---- conductor.conf ---- */

static int read_idle(const char *value, void *field)
{
        usec_t t = 0;

        if (config_read_timeout(value, &t) < 0)
                return -EINVAL;
        *(usec_t *) field = t > 0 ? t : IDLE_TIMEOUT;
        return 0;
}

/* A plain number is days, as the name says; 0 and other times are understood too. */
static int read_trash(const char *value, void *field)
{
        usec_t t = TRASH_KEEP;
        uint64_t days;

        if (parse_u64(value, &days) >= 0) {
                if (__builtin_mul_overflow(days, DAY, &t))
                        return -EINVAL;
        } else if (*value && parse_usec(value, &t) < 0)
                return -EINVAL;
        *(usec_t *) field = t;
        return 0;
}

static int read_level(const char *value, void *field)
{
        int level = *value ? log_level_from_string(value) : -1;

        if (*value && level < LOG_ERR)
                return -EINVAL;
        *(int *) field = level;
        return 0;
}

static int read_avatar(const char *value, void *field)
{
        bool b = true;

        if (*value && parse_bool(value, &b) < 0)
                return -EINVAL;
        *(bool *) field = b;
        return 0;
}

static const ConfigSetting settings[] = {
        { "Service", "IdleTimeoutSec", read_idle, offsetof(Config, idle_timeout),
                "a time over 0 such as 5min, or infinity" },
        { "Service", "TrashKeepDays", read_trash, offsetof(Config, trash_keep),
                "a number of days, a time such as 12h, or infinity" },
        { "Service", "LogLevel", read_level, offsetof(Config, log_level),
                "one of err, warning, notice, info, debug" },
        { "Conversation", "DefaultModel", config_read_string, offsetof(Config, default_model),
                "a model's name" },
        { "Conversation", "Avatar", read_avatar, offsetof(Config, avatar), "yes or no" },
};

static int load_settings(char *const *folders, Config *c, ConfigWarnings *warnings)
{
        static const ConfigTable table = { settings, ELEMENTSOF(settings) };
        _cleanup_(config_files_done) ConfigFiles dropins = { 0 };
        _cleanup_free_ char *path = NULL;
        int r;

        r = config_find_file(folders, "conductor.conf", &path);
        if (r < 0)
                return r;
        if (path) {
                r = config_read_file(path, &table, c, NULL, warnings);
                if (r < 0)
                        return r;
        }
        r = config_list_files(folders, "conductor.conf.d", CONFIG_DROPINS_MAX, warnings, &dropins);
        for (size_t i = 0; r >= 0 && i < dropins.n; i++)
                if (!dropins.files[i].masked)
                        r = config_read_file(dropins.files[i].path, &table, c, NULL, warnings);
        return r < 0 ? r : 0;
}

/* ---- the whole ---- */

Config *config_free(Config *c)
{
        EngineList l;

        if (!c)
                return NULL;
        l = (EngineList){ c->engines, c->n_engines };
        engine_list_done(&l);
        free(c->default_model);
        strv_free(c->warnings);
        free(c->unread);
        free(c->directory);
        return mfree(c);
}

int config_load_from(char *const *folders, Config **ret)
{
        _cleanup_(config_freep) Config *c = NULL;
        ConfigWarnings warnings = { 0 };
        EngineList engines = { 0 };
        char *const *own = folders;
        int r;

        assert(folders && folders[0]);

        c = malloc(sizeof *c);
        if (!c)
                return -ENOMEM;
        *c = (Config){
                .idle_timeout = IDLE_TIMEOUT,
                .trash_keep = TRASH_KEEP,
                .avatar = true,
                .log_level = -1,
        };
        while (own[1])
                own++;
        c->directory = strdup(*own);
        c->default_model = strdup("");
        c->warnings = calloc(1, sizeof *c->warnings);
        if (!c->directory || !c->default_model || !c->warnings)
                return -ENOMEM;

        r = load_settings(folders, c, &warnings);
        if (r >= 0)
                r = config_load_engines(folders, &engines, &warnings);
        c->engines = engines.engines;
        c->n_engines = engines.n;
        if (warnings.list) {
                strv_free(c->warnings);
                c->warnings = warnings.list;
        }
        c->unread = warnings.unread;
        if (r < 0)
                return r;
        *ret = TAKE_PTR(c);
        return 0;
}

int config_load(Config **ret)
{
        _cleanup_(strv_freep) char **folders = NULL;
        int r;

        r = path_config_dirs(&folders);
        if (r < 0)
                return r;
        return config_load_from(folders, ret);
}

/* ---- what to watch ---- */

static int add_folder(char **list, size_t *n, const char *folder, const char *subfolder, bool make)
{
        _cleanup_free_ char *path = NULL;
        struct stat st;
        int r;

        if (asprintf(&path, "%s%s%s", folder, *subfolder ? "/" : "", subfolder) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        if (make) {
                r = mkdir_private(path);
                if (r < 0)
                        log_warning_errno(r, "Cannot make %s, ignoring: %m", path);
        }
        if (stat(path, &st) >= 0 && S_ISDIR(st.st_mode))
                list[(*n)++] = TAKE_PTR(path);
        return 0;
}

int config_watched_folders(char ***ret)
{
        _cleanup_(strv_freep) char **folders = NULL, **list = NULL;
        size_t n_folders = 0, n = 0;
        int r;

        r = path_config_dirs(&folders);
        if (r < 0)
                return r;
        while (folders[n_folders])
                n_folders++;
        list = calloc(n_folders * (ELEMENTSOF(subfolders) + 1) + 1, sizeof *list);
        if (!list)
                return -ENOMEM;

        for (size_t i = n_folders; i-- > 0;) {
                bool own = i == n_folders - 1;

                r = add_folder(list, &n, folders[i], "", own);
                for (size_t k = 0; r >= 0 && k < ELEMENTSOF(subfolders); k++)
                        r = add_folder(list, &n, folders[i], subfolders[k], own);
                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(list);
        return 0;
}
