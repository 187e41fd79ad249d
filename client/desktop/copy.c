/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/desktop/copy.h"

static const struct {
        const char *display; /* what it needs */
        const char *program, *arguments[COPY_ARGUMENTS];
} programs[] = {
        { "WAYLAND_DISPLAY", "wl-copy", { NULL } },
        { "DISPLAY", "xclip", { "-selection", "clipboard", "-in" } },
        { "DISPLAY", "xsel", { "--clipboard", "--input" } },
};

/* 1: *ret is it. */
static int find_in(const char *folders, const char *program, char **ret)
{
        _cleanup_free_ char *all = strdup(folders);
        char *rest = all, *folder;

        if (!all)
                return -ENOMEM;
        while ((folder = strsep(&rest, ":"))) {
                _cleanup_free_ char *path = NULL;

                if (folder[0] != '/')
                        continue;
                if (asprintf(&path, "%s/%s", folder, program) < 0) {
                        path = NULL;
                        return -ENOMEM;
                }
                if (access(path, X_OK) >= 0) {
                        *ret = TAKE_PTR(path);
                        return 1;
                }
        }
        return 0;
}

int copy_find(Copy *ret)
{
        const char *folders = getenv("PATH");
        int r;

        *ret = (Copy){ 0 };
        for (size_t i = 0; folders && i < ELEMENTSOF(programs); i++) {
                if (isempty(getenv(programs[i].display)))
                        continue;
                r = find_in(folders, programs[i].program, &ret->path);
                if (r < 0)
                        return r;
                if (r == 0)
                        continue;
                ret->command[0] = ret->path;
                for (size_t k = 0; k < COPY_ARGUMENTS - 1; k++)
                        ret->command[k + 1] = programs[i].arguments[k];
                break;
        }
        return 0;
}

void copy_done(Copy *c)
{
        c->path = mfree(c->path);
}
