/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the files of the conversations' D-Bus face share. The userdata of all handlers is the
 * Manager: a conversation is looked up by its path, so nothing can point to one that is gone. */

#include <systemd/sd-bus.h>

#include "service/bus/doors.h"
#include "service/conversation/conversation-bus.h"
#include "service/conversation/conversations.h"
#include "service/conversation/export.h"
#include "service/manager.h"

#define GET_REPLY_MAX MIB(1) /* bytes of one answer of GetReply */

typedef struct BusFollower BusFollower;
typedef struct BusPipe BusPipe;
typedef struct BusParts BusParts;
typedef struct BusRead BusRead;
typedef struct BusImport BusImport;
typedef struct BusSend BusSend;
typedef struct BusAttachments BusAttachments;
typedef struct Progress Progress;

/* What changed since it was last announced. */
typedef struct Change {
        uint64_t conversation;
        ConversationChange what;
} Change;

struct ConversationFace {
        Manager *manager;
        uint64_t epoch;

        BusFollower *followers;
        unsigned n_followers, n_active_followers;
        uint64_t stalls;

        BusPipe *pipes;
        unsigned n_pipes;
        BusParts *parts; /* exports without a pipe */
        uint64_t last_parts;
        unsigned n_exports; /* both */
        BusRead *reads;
        BusImport *imports; /* oldest first: the one that goes on */
        BusSend *sends;
        Progress *progress;

        Change *changes;
        size_t n_changes;
        sd_event_source *announce; /* a defer source, on while something is to be announced */
        bool replies_changed;      /* Manager.LiveReplies too */

        Worker *files; /* reads attachments and imports; started with the first */
};

/* The thread for files, made on first use. */
int conversation_face_files(ConversationFace *f, Worker **ret);

/* A send_done_t whose userdata is the call: answers it with both ids. */
void conversation_answer_ids(
        const Failure *failure, uint64_t message, uint64_t reply, void *userdata);

/* ---- reading from the store for a call (read-bus.c) ---- */

struct BusRead {
        ConversationFace *face;
        BusRead *next, *previous;
        Call *call;
        StoreSlot *slot;
        uint64_t conversation; /* its number: it may be gone when the answer comes */
        uint64_t id;
        Channel channel;
};

int bus_read_new(
        BusRead **ret, Manager *m, sd_bus_message *message, Conversation *c, sd_bus_error *error);
BusRead *bus_read_free(BusRead *r); /* does not answer */
DEFINE_CLEANUP(BusRead *, bus_read_free)
/* The end of a handler: r of the store's function. */
int bus_read_begun(BusRead *read, int r);
/* In the completion: frees the read and fails its call when there is a failure. */
bool bus_read_failed(BusRead *read, const Failure *failure);
/* Sends the answer, or an error when r says that it could not be built. Frees the read. */
void bus_read_answer(BusRead *read, sd_bus_message *answer, int r);

/* ---- metadata (metadata-bus.c) ---- */

/* The whole a{sv} of a live reply. */
int metadata_append_reply(sd_bus_message *m, const ReplyInfo *info);
/* What is stored of one, into an a{sv} that is open. */
int metadata_append_json(sd_bus_message *m, const char *json, EndReason reason);

/* ---- the option `attachments` (attachments-bus.c) ---- */

/* A BusOption of type "a(sh)"; value points to a BusAttachments *, NULL until it is given. */
int bus_attachments_parse(sd_bus_message *m, void *value, sd_bus_error *error);

/* Reads the files off the loop. done comes once, from the loop, unless this failed or it is freed
 * first; failure is NULL when all were read. */
typedef void (*bus_attachments_done_t)(const Failure *failure, void *userdata);
int bus_attachments_load(
        BusAttachments *a, ConversationFace *f, bus_attachments_done_t done, void *userdata);
/* What was read, for SendOptions; nothing for NULL. */
int bus_attachments_take(BusAttachments *a, StoreAttachment **ret, size_t *ret_n);
BusAttachments *bus_attachments_free(BusAttachments *a); /* also while it is being read */

void sends_free(ConversationFace *f);

/* ---- exports (export-bus.c) ---- */

/* An export, of which there are not many at once. A handler's negative errno. */
int bus_export_new(ConversationFace *f, Conversation *c, const char *format, export_wake_t wake,
        void *userdata, Export **ret, sd_bus_error *error);
Export *bus_export_free(ConversationFace *f, Export *e);

/* ---- handlers ---- */

int conversation_method_send(sd_bus_message *m, void *userdata, sd_bus_error *error);
int conversation_method_get_messages(sd_bus_message *m, void *userdata, sd_bus_error *error);
int conversation_method_get_messages_after(sd_bus_message *m, void *userdata, sd_bus_error *error);
int conversation_method_get_reply(sd_bus_message *m, void *userdata, sd_bus_error *error);
int conversation_method_list_branches(sd_bus_message *m, void *userdata, sd_bus_error *error);
int conversation_method_get_system(sd_bus_message *m, void *userdata, sd_bus_error *error);
int conversation_method_open_stream(sd_bus_message *m, void *userdata, sd_bus_error *error);
int conversation_method_export(sd_bus_message *m, void *userdata, sd_bus_error *error);
int conversation_method_export_part(sd_bus_message *m, void *userdata, sd_bus_error *error);
int conversation_method_follow(sd_bus_message *m, void *userdata, sd_bus_error *error);
int conversation_method_unfollow(sd_bus_message *m, void *userdata, sd_bus_error *error);
int conversation_method_ack(sd_bus_message *m, void *userdata, sd_bus_error *error);
int conversation_method_cancel(sd_bus_message *m, void *userdata, sd_bus_error *error);
int conversation_method_regenerate(sd_bus_message *m, void *userdata, sd_bus_error *error);
int conversation_method_edit(sd_bus_message *m, void *userdata, sd_bus_error *error);
int conversation_method_continue(sd_bus_message *m, void *userdata, sd_bus_error *error);
int conversation_method_select_branch(sd_bus_message *m, void *userdata, sd_bus_error *error);
int conversation_method_set_title(sd_bus_message *m, void *userdata, sd_bus_error *error);
int conversation_method_set_model(sd_bus_message *m, void *userdata, sd_bus_error *error);
int conversation_method_set_system(sd_bus_message *m, void *userdata, sd_bus_error *error);
int conversation_method_archive(sd_bus_message *m, void *userdata, sd_bus_error *error);
int conversation_method_hide(sd_bus_message *m, void *userdata, sd_bus_error *error);

/* ---- followers (follower-bus.c) ---- */

/* A reply began: all who follow its conversation get it. */
void followers_reply_started(ConversationFace *f, Reply *r);
/* Words for people, and the place in the engine's queue, while nothing has come yet. */
void followers_reply_phase(ConversationFace *f, Reply *r);
/* Those of a conversation that is gone. */
void followers_end(ConversationFace *f, uint64_t conversation);
void followers_free(ConversationFace *f); /* all */

/* ---- pipes (pipe-bus.c) ---- */

void pipes_free(ConversationFace *f);
void parts_free(ConversationFace *f);

/* ---- progress (progress-bus.c) ---- */

void progress_reply_started(ConversationFace *f, Reply *r); /* until it ends */
void progress_free(ConversationFace *f);

/* ---- imports (import-bus.c) ---- */

void imports_free(ConversationFace *f);

/* ---- signals (conversation-signals-bus.c) ---- */

void conversation_signals_install(ConversationFace *f);
void conversation_signals_remove(ConversationFace *f);
