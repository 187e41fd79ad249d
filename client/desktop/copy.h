/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The program that takes text into the clipboard, where there is one: on Wayland and on X11 only
 * one that stays, or owns a window, can. */

#include "common/macro.h"

#define COPY_ARGUMENTS 4U

typedef struct Copy {
        char *path; /* NULL: there is none */
        const char *command[COPY_ARGUMENTS + 1];
} Copy;

/* Looks for it: before the loop. */
int copy_find(Copy *ret);
void copy_done(Copy *c);
