/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A box over the rest with a line of input and a list below that it narrows: the command palette,
 * models, search hits, files, branches, the keys; or the line alone (a new title). One is open at a
 * time. */

#include "client/tui/terminal/screen.h"
#include "client/tui/view/editor.h"

#define PICKER_ITEMS_MAX 1000U

typedef struct PickerItem {
        char *text, *detail; /* detail: at the right, dim; may be NULL */
        char *value;         /* what is picked; NULL = text */
        uint64_t number;
} PickerItem;

typedef struct PickerOps {
        /* index: -1 for the line's text alone. The picker is closed already. */
        void (*picked)(const PickerItem *item, const char *line, void *userdata);
        /* The line changed: for lists that the service narrows. NULL: the picker narrows by itself,
         * by the letters in order, best first. */
        void (*typed)(const char *line, void *userdata);
        void (*cancelled)(void *userdata);
} PickerOps;

typedef struct Picker Picker;

int picker_new(
        const char *title, const char *line, const PickerOps *ops, void *userdata, Picker **ret);
Picker *picker_free(Picker *p);
DEFINE_CLEANUP(Picker *, picker_free)

/* Takes the strings (copies). -E2BIG over the maximum: the rest is left out. */
int picker_add(Picker *p, const char *text, const char *detail, const char *value, uint64_t number);
void picker_clear(Picker *p);
void picker_set_message(Picker *p, const char *sentence); /* in place of an empty list; borrowed */

/* Editing keys go to its line. */
Editor *picker_editor(Picker *p);
int picker_changed(Picker *p); /* after the line was edited */
void picker_move(Picker *p, int by);
void picker_accept(Picker *p); /* frees nothing: picked() may */
void picker_cancel(Picker *p);
void picker_draw(Picker *p, Screen *screen);
