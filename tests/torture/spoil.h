/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Databases that no service of ours leaves. */

#include "common/macro.h"

typedef enum Spoil {
        SPOIL_DAMAGE, /* a page is unreadable; all that was acknowledged is in others */
        SPOIL_AGE,    /* it is an earlier version's */
} Spoil;

int spoil_database(const char *path, Spoil how);
