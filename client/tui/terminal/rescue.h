/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Gives the terminal's modes back when nobody else can: a handler for deadly signals, and for
 * SIGKILL a small process that waits for this one's end. For one terminal in a program. */

#include <termios.h>

#include "common/macro.h"

#define RESCUE_BYTES_MAX 256U

/* fd: non-blocking, of the terminal. modes: what to restore; bytes: what to send. Until
 * rescue_disarm(). On failure only the handlers watch, and SIGKILL leaves the terminal as it is. */
int rescue_arm(int fd, const struct termios *modes, const char *bytes, size_t size);

/* Done by somebody else from now on, or again by us: for the time in which another program has the
 * terminal. */
void rescue_pause(bool paused);

/* restored: false leaves it to the waiting process, which can block where we cannot. */
void rescue_disarm(bool restored);
