/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What ssh says on standard error would be written over the picture: while one of these lives it
 * comes here, line by line. */

#include <systemd/sd-event.h>

#include "common/macro.h"

typedef struct SshWords SshWords;

/* said: a line that is clean, without its end. */
int ssh_words_new(sd_event *event, void (*said)(const char *line, void *userdata), void *userdata,
        SshWords **ret);
SshWords *ssh_words_free(SshWords *w); /* standard error is what it was */
DEFINE_CLEANUP(SshWords *, ssh_words_free)
