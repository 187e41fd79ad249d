/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A user service does not see a shell's variables: which of those that matter does it lack? */

#include <fcntl.h>

#include "client/cli/cli.h"
#include "common/fd.h"
#include "common/names.h"
#include "common/paths.h"

#define ENVIRONMENT_MAX MIB(4)

static const char *const variables[] = { "OLLAMA_HOST", "OPENAI_BASE_URL", "OPENAI_API_KEY",
        "ANTHROPIC_API_KEY", "HTTPS_PROXY", "https_proxy", "http_proxy", "ALL_PROXY", "all_proxy",
        "NO_PROXY", "no_proxy" };

/* What the running service has: NUL-ended strings, with an empty one at the end. */
static int read_environment_of_service(sd_bus *session, Buffer *ret)
{
        _cleanup_(sd_bus_creds_unrefp) sd_bus_creds *creds = NULL;
        _cleanup_free_ char *path = NULL;
        _cleanup_close_ int fd = -EBADF;
        pid_t pid;
        int r;

        r = sd_bus_get_name_creds(session, BUS_NAME, SD_BUS_CREDS_PID, &creds);
        if (r < 0)
                return r;
        r = sd_bus_creds_get_pid(creds, &pid);
        if (r < 0)
                return r;
        if (asprintf(&path, "/proc/%d/environ", (int) pid) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        r = fd_read(fd, SIZE_MAX, ret);
        return r < 0 ? r : buffer_append(ret, "", 1);
}

/* What the user manager would start it with. */
static int read_environment_of_manager(sd_bus *session, Buffer *ret)
{
        _cleanup_(strv_freep) char **environment = NULL;
        int r;

        r = sd_bus_get_property_strv(session, "org.freedesktop.systemd1",
                "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", "Environment",
                NULL, &environment);
        for (char **e = environment; r >= 0 && e && *e; e++)
                r = buffer_append(ret, *e, strlen(*e) + 1);
        return r < 0 ? r : buffer_append(ret, "", 1);
}

static bool has_variable(const Buffer *environment, const char *name)
{
        for (const char *p = buffer_text(environment); *p; p += strlen(p) + 1) {
                const char *rest = startswith(p, name);

                if (rest && *rest == '=')
                        return true;
        }
        return false;
}

int cli_missing_variables(sd_bus *session, char **ret)
{
        _cleanup_buffer_ Buffer environment = BUFFER_INIT(ENVIRONMENT_MAX),
                                names = BUFFER_INIT(KIB(4));
        int r;

        r = read_environment_of_service(session, &environment);
        /* While it holds a key, nobody may look into it. */
        if (r == -EACCES) {
                *ret = NULL;
                return 0;
        }
        if (r < 0) {
                buffer_clear(&environment);
                r = read_environment_of_manager(session, &environment);
        }
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(variables); i++)
                if (!isempty(getenv(variables[i])) && !has_variable(&environment, variables[i]))
                        r = buffer_append_format(
                                &names, "%s%s", names.size > 0 ? " " : "", variables[i]);
        if (r < 0 && r != -ENOMEM) {
                *ret = NULL;
                return 0;
        }
        if (r < 0)
                return r;
        if (names.size == 0) {
                *ret = NULL;
                return 0;
        }
        return buffer_steal(&names, ret, NULL);
}
