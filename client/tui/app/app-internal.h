/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the files of this folder share. */

#include "client/tui/app/app.h"
#include "client/tui/app/ssh-words.h"
#include "client/tui/avatar/avatar.h"
#include "client/tui/drafts.h"
#include "client/tui/files.h"
#include "client/tui/keeper.h"
#include "client/tui/model/mirror.h"
#include "client/tui/settings.h"
#include "client/tui/terminal/terminal.h"
#include "client/tui/view/bars.h"
#include "client/tui/view/editor.h"
#include "client/tui/view/picker.h"
#include "client/tui/view/transcript.h"
#include "client/tui/view/vi.h"

#define ATTACHMENTS_MAX    16U                  /* of a message: the service's limit */
#define PASTE_ATTACH_BYTES KIB(64)              /* a larger paste becomes an attachment */
#define NOTICE_USEC        (4 * USEC_PER_SEC)   /* how long a notice is there, */
#define NOTICE_BYTE_USEC   (60 * USEC_PER_MSEC) /* and for each byte of it */
#define LEAVE_USEC         USEC_PER_SEC         /* a second Ctrl-C within it leaves */
#define DRAFT_USEC         USEC_PER_SEC         /* after the last key a draft is kept */
#define KEEP_USEC          (5 * USEC_PER_SEC)   /* at the end it is waited for the disk so long */
#define FRAME_USEC         (USEC_PER_SEC / 60)

#define KEY_NAMES 5 /* of which the hints speak */

typedef struct App App;

typedef struct Attachments {
        char *names[ATTACHMENTS_MAX];
        int fds[ATTACHMENTS_MAX];
        size_t n;
} Attachments;

/* A question on its way: given back when it fails. */
typedef struct Outgoing Outgoing;
struct Outgoing {
        Outgoing *next;
        App *app;
        char *text;
        size_t size;
        char draft[DRAFT_ID]; /* whose draft it was */
        char id[DRAFT_ID];    /* of the conversation, as soon as there is one */
        Attachments attachments;
        bool private, remembered; /* remembered: it is a line of the history */
};

typedef struct Hit {
        char id[33];
        uint64_t message;
} Hit;

struct App {
        sd_event *event;
        const AppOptions *options;
        Settings settings;
        Terminal *terminal;
        Screen *screen; /* the terminal's */
        MirrorOps mirror_ops;
        Mirror *mirror;
        SshWords *ssh_words; /* or NULL */
        Transcript *transcript;
        Editor *editor;
        Picker *picker; /* or NULL */
        Drafts *drafts; /* what was sent, in memory; the rest is the keeper's */
        Keeper *keeper;
        char *kept_ids;   /* of conversations of which something is kept: some may be gone */
        Sprites *sprites; /* or NULL */
        Avatar *avatar;   /* or NULL */

        KeyContext place;
        ViMode vi;
        List list;
        bool list_shown, mouse, light;
        unsigned transcript_flags;                                /* TranscriptFlags */
        Area list_area, transcript_area, input_area, avatar_area; /* as last drawn */

        /* When the next frame is. */
        sd_event_source *paint, *frame, *seconds, *walk;
        usec_t painted;
        bool held; /* the terminal has not taken the last frame */

        char *key_names[KEY_NAMES];
        char *notice;
        sd_event_source *notice_end;
        usec_t cancelled_at; /* the last Ctrl-C */

        /* What is being written. */
        char draft_id[DRAFT_ID]; /* whose the editor's text is; "" = of a new conversation */
        bool draft_loaded, draft_dirty;
        bool private; /* nothing of it is kept */
        bool unsure;  /* nor of this, until the service has said whether it is private */
        bool making;  /* the first question of a new conversation is on its way */
        sd_event_source *draft_save;
        Outgoing *outgoing;
        uint64_t editing; /* the message that is written anew, or 0 */
        size_t history;   /* 0 = none, else the nth last */
        Attachments attachments;
        unsigned n_pastes;
        FilesJob *files;
        char *file_name; /* of the one that is being opened */
        char *model;     /* of new conversations, or NULL */

        char removed[33]; /* what `undelete` takes back */
        bool removed_archived;
        Hit *hits;
        size_t n_hits, hit;
        char *words; /* of the last search */
        bool go_on;  /* still to be done, when the list is here */
        bool look;   /* options->search is, when the service is there */

        sd_event_source *child; /* $EDITOR, $PAGER: it has the terminal */
        char *child_file;       /* what the editor writes, or NULL */
        FilesJob *export;       /* one that is being written */
        char *export_path;
        Failure export_cut; /* why what it is written from ended early */

        /* The end waits until the draft is on disk. */
        bool leaving, by_signal;
        bool told;      /* that what is written cannot be kept, and it was not changed since then */
        Failure unkept; /* why it is not, or what else ended it */
        sd_event_source *leave;
};

typedef enum Damage {
        DAMAGE_SOON, /* with the next frame, 60 a second */
        DAMAGE_NOW,  /* a key's own frame */
} Damage;

void app_damage(App *app, Damage damage);
usec_t app_now(App *app);

/* A sentence above the status line for a while, or until Escape. */
void app_say(App *app, const char *format, ...) _printf_(2, 3);
void app_say_failure(App *app, const Failure *failure);
/* For calls that cannot even begin: says so, and returns 0. */
int app_check(App *app, int r);
/* A mirror_done_t that only says what failed. */
void app_done(const Failure *failure, void *userdata);

/* When what is written is on disk; again, a second later, at once. */
void app_leave(App *app);
/* keep.c: what the keeper is told, and what it says */
extern const KeeperOps app_keeper_ops;
bool app_is_written(const App *app, const char *key); /* whether it is the keeper's name for it */
int app_read_draft(App *app);
void app_read_held(App *app);
bool app_put_by(App *app); /* before another text takes its place; false: it must not */
int app_keep(App *app);    /* all that is not on disk */
int app_hold_private(App *app, const char *text, size_t size); /* for the next private one */
void app_settle_drafts(App *app);
void app_look_through_drafts(App *app);
/* Whether it is left though what is written is not kept. */
bool app_leaves_without(App *app, const Failure *failure);

/* draw.c */
void app_draw(App *app);

/* actions.c */
int app_act(App *app, Action action);
int app_key(App *app, Key key);

/* writing.c: what is written and sent */
int app_send(App *app);
void app_forget_outgoing(App *app); /* at the end: their drafts are on disk */
void app_paste(App *app, const char *text, size_t size);
void app_attach_fd(App *app, const char *name, int fd); /* takes fd */
void app_detach_all(App *app);
void app_switch_draft(App *app);
void app_edited(App *app); /* the text changed */
int app_save_draft(App *app);
int app_put_draft(App *app, const char *id, const char *text, size_t size);
bool app_put_held(App *app, const char *id, const char *text, size_t size);
void app_stop_editing(App *app); /* of a message that was sent; the draft comes back */
int app_history(App *app, int by);
int app_edit_message(App *app, const MessageItem *message);

/* commands.c: lines that begin with a slash, and Tab */
int app_command(App *app, const char *line);
bool app_complete(App *app); /* false: nothing to complete here */

/* pickers.c */
int app_pick_action(App *app);
int app_pick_model(App *app);
int app_pick_search(App *app, const char *words);
int app_pick_title(App *app);
int app_pick_file(App *app, const char *word);
int app_pick_export(App *app);
int app_pick_history(App *app);
int app_show_keys(App *app);
int app_open_hit(App *app, int by); /* the next (1) or previous (-1) hit of the last search */
int app_use_model(App *app, const char *model);
int app_rename(App *app, const char *title);

/* child.c: other programs that get the terminal, and exports */
int app_edit_in_editor(App *app);
int app_read_in_pager(App *app);
int app_export(App *app, const char *path);
