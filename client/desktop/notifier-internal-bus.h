/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* notifier-bus.c knows the service, note-bus.c how a notification is made and what comes of it. */

#include "client/desktop/lock-bus.h"
#include "client/desktop/notifier-bus.h"
#include "client/desktop/server-bus.h"
#include "common/text.h"

typedef enum NoteFlags {
        NOTE_PRIVATE = 1 << 0,
        NOTE_LOCKED = 1 << 1,
        NOTE_SHOWING = 1 << 2, /* the server has it, and its id is not known yet */
        NOTE_AGAIN = 1 << 3,   /* another reply has ended meanwhile */
        NOTE_SEEN = 1 << 4,    /* and this: somebody looks at the conversation */
        NOTE_ARCHIVED = 1 << 5 /* looked for among the archived ones */
} NoteFlags;

/* Of one conversation, from the end of its reply to the notification's end. */
typedef struct Note {
        struct Note *next; /* newer ones come first */
        Notifier *notifier;
        char *path;
        uint64_t reply; /* the last that has ended */
        EndReason reason;
        char *error, *title, *text;
        uint32_t id; /* on the screen; 0: not yet */
        unsigned flags;
        sd_bus_slot *slot; /* what is being asked */
        Lock *lock;
} Note;

struct Notifier {
        Session *session;
        const Copy *copy;
        Server *server;
        sd_event_source *patience; /* for the service to have its name, at the start */
        bool service;              /* it is there */
        Note *notes;
};

/* A reply has ended: makes its notification, or that of an older one anew. */
int note_begin(Notifier *n, const char *path, uint64_t reply, EndReason reason, const char *error);
Note *note_find(const Notifier *n, const char *path);
Note *note_with(const Notifier *n, uint32_t id);
/* Takes it away, from the screen too. */
void note_drop(Note *note);
Note *note_free(Note *note);
int note_copy(const Note *note);
int note_answer(const Note *note, const char *text);

/* There may be no reason to stay any more. */
void notifier_check(Notifier *n);
