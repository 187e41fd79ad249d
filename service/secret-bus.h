/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Fetches one secret from the desktop's keyring (org.freedesktop.secrets on the session bus),
 * without ever blocking the loop: by a connection of its own, which ends with it, and by an
 * encrypted session only. */

#include <systemd/sd-event.h>

#include "service/engine/engines.h"

/* Each part of it that is not a person's may take so long. */
#define SECRET_ANSWER_USEC (2500 * USEC_PER_MSEC)
/* A person has so long to unlock the keyring. */
#define SECRET_PROMPT_USEC (60 * USEC_PER_SEC)

/* As EngineSecrets has it. */
int secret_lookup_new(SecretLookup **ret, sd_event *event, const SecretQuestion *question,
        secret_found_t done, void *userdata, Failure *failure);
SecretLookup *secret_lookup_free(SecretLookup *s);
DEFINE_CLEANUP(SecretLookup *, secret_lookup_free)
