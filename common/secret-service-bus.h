/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What all who talk to a Secret Service (org.freedesktop.secrets) have in common: its names, and
 * how an encrypted session is opened. */

#include <systemd/sd-bus.h>

#include "common/secret-session.h"

#define SECRETS_NAME       "org.freedesktop.secrets"
#define SECRETS_PATH       "/org/freedesktop/secrets"
#define SECRETS_SERVICE    "org.freedesktop.Secret.Service"
#define SECRETS_COLLECTION "org.freedesktop.Secret.Collection"
#define SECRETS_ITEM       "org.freedesktop.Secret.Item"
#define SECRETS_PROMPT     "org.freedesktop.Secret.Prompt"
#define SECRETS_IS_LOCKED  "org.freedesktop.Secret.Error.IsLocked"
#define SECRETS_NO_OBJECT  "org.freedesktop.Secret.Error.NoSuchObject"
#define SECRETS_NO_PATH    "/" /* stands for no object and no prompt */
#define SECRETS_OWNER_CHANGED \
        "type='signal',sender='org.freedesktop.DBus'," \
        "interface='org.freedesktop.DBus',member='NameOwnerChanged'," \
        "arg0='" SECRETS_NAME "'"

/* The error says that there is no such service, or that it cannot be started. */
bool secrets_error_is_absent(const sd_bus_error *error);
/* OpenSession's error says that this way to encrypt is none of its. */
bool secrets_error_is_unencrypted(const sd_bus_error *error);

/* The arguments of OpenSession. */
int secrets_append_session(sd_bus_message *m, const SecretSession *s);
/* Its answer: the key is agreed on. The path is m's. -EPROTONOSUPPORT: it does not encrypt;
 * -EBADMSG: it is not what the interface promises. */
int secrets_read_session(sd_bus_message *m, SecretSession *s, const char **ret_path);
