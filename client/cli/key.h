/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The parts of `conductor key`. */

#include "client/cli/cli.h"
#include "common/buffer.h"

/* ---- key-input.c ---- */

/* Reads the key of this engine: from the terminal without showing it, or all of standard input. An
 * ExitCode; *ret: key_text_free(). */
int key_input(const char *engine, char **ret);

/* ---- keyring.c: the desktop's keyring (org.freedesktop.secrets) ---- */

/* KeySecret= of what is stored for an engine there. */
#define KEYRING_SETTING "application=conductor engine=%s"

/* FAILURE_NO_SERVICE: there is no keyring, nor a session bus on which it would be. No call takes
 * more than 3 s, but for a person who is asked to unlock it. */
int keyring_store(const char *engine, const char *text, Failure *failure);
/* *ret: so many secrets were removed. FAILURE_TOO_LARGE: many were, and there are more. */
int keyring_remove(const char *engine, unsigned *ret, Failure *failure);

/* ---- key-config.c: what an engine's file says of its key ---- */

typedef struct KeyConfig {
        char *folder, *name; /* of the file in the user's own configuration */
        char *source;        /* the file that was read; NULL = there is none */
        Buffer text;
} KeyConfig;

void key_config_done(KeyConfig *c);

/* The file of this engine that counts now. -ELOOP: it is a link. */
int key_config_read(const char *engine, KeyConfig *ret);
/* Takes the settings of keys out of the text, and puts a line in (NULL: none). With mine, only the
 * settings with one of these values, NULL-ended. Returns whether any was taken out. */
int key_config_change(KeyConfig *c, const char *line, const char *const *mine);
int key_config_write(const KeyConfig *c);
