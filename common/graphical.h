/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Whether somebody sits in front of a screen on which a keyring can ask for its password. */

#include "common/macro.h"

/* The user has a graphical session in use, and this process belongs to it. Reads small files. */
bool session_is_graphical(void);
