/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/graphical.h"

#include <systemd/sd-login.h>

#include "common/parse.h"

bool session_is_graphical(void)
{
        static const char *const types[] = { "x11", "wayland", "mir" };
        _cleanup_free_ char *session = NULL, *type = NULL;

        /* ssh forwards a display, too, and a user manager keeps the one of a session that ended:
         * one of both alone says nothing. */
        if (isempty(getenv("DISPLAY")) && isempty(getenv("WAYLAND_DISPLAY")))
                return false;
        if (sd_uid_get_display(getuid(), &session) < 0 || sd_session_is_active(session) <= 0 ||
                sd_session_get_type(session, &type) < 0)
                return false;
        return parse_word(types, ELEMENTSOF(types), type) >= 0;
}
