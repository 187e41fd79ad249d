/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A box over the rest with a line of input and a list below that it narrows: the command palette,
 * models, search hits, files, branches, the keys; or the line alone (a new title). One is open at a
 * time. */

#include "client/tui/terminal/screen.h"
#include "client/tui/view/editor.h"

#define PICKER_ITEMS_MAX 1000U

typedef struct PickerItem {
        char *text, *detail; /* detail: at the right, dim; may be NULL. Behind a tab: never cut */
        char *value;         /* what is picked; NULL = text */
        uint64_t number;
} PickerItem;

typedef struct PickerOps {
        /* item: NULL for the line's text alone. Both are the picker's: valid until it is freed,
         * which this may do when it is done with them. */
        void (*picked)(const PickerItem *item, const char *line, void *userdata);
        /* The line changed: for lists that the service narrows by the line's words, which are
         * marked where they are in the text. NULL: the picker narrows by itself,
         * by the letters in order, best first. */
        void (*typed)(const char *line, void *userdata);
        void (*cancelled)(void *userdata); /* may free it */
} PickerOps;

typedef struct Picker Picker;

/* ops and what it names are borrowed. */
int picker_new(
        const char *title, const char *line, const PickerOps *ops, void *userdata, Picker **ret);
/* Made with these: whose answer comes late may find another box. */
bool picker_is(const Picker *p, const PickerOps *ops);
Picker *picker_free(Picker *p);
DEFINE_CLEANUP(Picker *, picker_free)

/* Copies the strings. -E2BIG over the maximum: the rest is left out. A picker that never had an
 * item or a message is the line alone. */
int picker_add(Picker *p, const char *text, const char *detail, const char *value, uint64_t number);
void picker_clear(Picker *p);
void picker_set_message(Picker *p, const char *sentence); /* in place of an empty list; borrowed */

/* Editing keys go to its line. */
Editor *picker_editor(Picker *p);
int picker_changed(Picker *p); /* after the line was edited */
void picker_move(Picker *p, int by);
void picker_accept(Picker *p); /* where nothing was found: the line alone */
void picker_cancel(Picker *p);
void picker_draw(Picker *p, Screen *screen);
