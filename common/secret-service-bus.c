/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/secret-service-bus.h"

bool secrets_error_is_absent(const sd_bus_error *error)
{
        return sd_bus_error_has_names(
                       error, SD_BUS_ERROR_SERVICE_UNKNOWN, SD_BUS_ERROR_NAME_HAS_NO_OWNER) ||
                (sd_bus_error_is_set(error) &&
                        (strstr(error->name, ".Spawn.") ||
                                startswith(error->name, "org.freedesktop.systemd1.")));
}

bool secrets_error_is_unencrypted(const sd_bus_error *error)
{
        return sd_bus_error_has_names(error, SD_BUS_ERROR_NOT_SUPPORTED, SD_BUS_ERROR_INVALID_ARGS,
                SD_BUS_ERROR_UNKNOWN_METHOD);
}

int secrets_append_session(sd_bus_message *m, const SecretSession *s)
{
        int r;

        r = sd_bus_message_append(m, "s", SECRET_ALGORITHM);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', "ay");
        if (r >= 0)
                r = sd_bus_message_append_array(
                        m, 'y', secret_session_public(s), SECRET_PUBLIC_SIZE);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

int secrets_read_session(sd_bus_message *m, SecretSession *s, const char **ret_path)
{
        const void *peer;
        const char *path;
        size_t size;
        int r;

        if (sd_bus_message_verify_type(m, 'v', "ay") <= 0)
                return -EPROTONOSUPPORT;
        r = sd_bus_message_enter_container(m, 'v', "ay");
        if (r > 0)
                r = sd_bus_message_read_array(m, 'y', &peer, &size);
        if (r > 0)
                r = sd_bus_message_exit_container(m);
        if (r > 0)
                r = sd_bus_message_read(m, "o", &path);
        if (r <= 0 || secret_session_agree(s, peer, size) < 0)
                return -EBADMSG;
        *ret_path = path;
        return 0;
}
