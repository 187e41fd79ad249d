/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What this client knows of the service: the list of conversations, one open conversation with a
 * window of its messages, engines, the avatar. All of it came over the bus and is thrown away when
 * the service goes; nothing here is drawn. Calls return at once: what came of them is seen in what
 * is mirrored, or said by the callback that was given. */

#include <systemd/sd-event.h>

#include "client/bus/link.h"
#include "client/tui/text/document.h"
#include "common/text.h"

#define MIRROR_PAGE 50U  /* messages of a page */
#define MIRROR_KEPT 300U /* kept at most; those far from the reader go */

/* ---- what there is ---- */

typedef enum ConversationState {
        CONVERSATION_IDLE,
        CONVERSATION_WAITING,
        CONVERSATION_STREAMING,
} ConversationState;

typedef struct ConversationItem {
        char id[33];
        char *title; /* "" = none yet */
        char *model; /* "" = the default */
        usec_t created, modified;
        ConversationState state;
        uint64_t messages, unread;
        bool archived, failed; /* failed: its last reply, seen by this client */
        bool private, known;   /* known: the service has said whether it is private */
} ConversationItem;

typedef struct Attachment {
        char *name, *type;
        uint64_t size;
} Attachment;

/* A question of this client's that the service does not yet have on disk. */
typedef enum SendState {
        SEND_DONE,
        SEND_ON_ITS_WAY,
        SEND_WAITING, /* for the service to be back */
} SendState;

typedef struct MessageItem {
        uint64_t id, parent; /* of what is not done: its own, of no meaning to the service */
        Role role;
        SendState send;
        usec_t created;
        Document *channels[_CHANNEL_MAX]; /* never NULL; reasoning empty where there is none */
        Attachment *attachments;
        size_t n_attachments;
        uint64_t *siblings; /* NULL until known; itself among them */
        size_t n_siblings;

        /* Of replies. */
        bool live;
        EndReason reason;
        char *model, *engine, *note, *error; /* error: the sentence for people */
        char *phase;                         /* while nothing has come: words */
        unsigned place;                      /* so many are before it */
        usec_t started, first_text;          /* CLOCK_MONOTONIC, of this client's; 0 = unknown */
        uint64_t elapsed, tokens_in, tokens_out, dropped;
        double tokens_per_second;
        uint64_t context_used; /* tokens, with it; 0 = unknown */
        bool estimated;        /* … by the service: the engine did not count */
        /* While it streams: when its first text came here and its bytes then; its bytes at the last
         * whole second since. */
        usec_t flow_since;
        uint64_t flow_first, flow_size, flow_seconds;
        bool cancelling; /* asked for; drawn as cancelled at once; of what is not yet sent, too */
} MessageItem;

/* What a live reply does of which some came: "reasoning" or "streaming". */
const char *message_activity(const MessageItem *m);

typedef struct EngineItem {
        char *name, *state;
} EngineItem;

typedef struct ModelItem {
        char *model, *engine, *state; /* model: "engine/model" */
        bool loaded, chat;
} ModelItem;

typedef struct SearchHit {
        char id[33];
        uint64_t message;
        Role role;
        char *snippet, *title;
        usec_t created;
} SearchHit;

/* ---- what is told ---- */

typedef enum MirrorChange {
        MIRROR_LINK = 1 << 0,
        MIRROR_LIST = 1 << 1,
        MIRROR_OPEN = 1 << 2,       /* another conversation, or its properties */
        MIRROR_MESSAGES = 1 << 3,   /* messages came, went, or changed their state */
        MIRROR_TEXT = 1 << 4,       /* a live reply grew */
        MIRROR_FIRST_TEXT = 1 << 5, /* … from nothing: worth a frame at once */
        MIRROR_ENGINES = 1 << 6,
} MirrorChange;

typedef struct MirrorOps {
        void (*changed)(MirrorChange change, void *userdata);
        void (*notice)(const char *level, const char *title, const char *text, void *userdata);
        /* verb: mood, gesture, move, size, show, hide, activity */
        void (*avatar)(const char *verb, const char *word, void *userdata);
        LayoutFlags layout; /* of all documents: LAYOUT_ASCII or none */
} MirrorOps;

typedef struct Mirror Mirror;

/* options->host: as for every client. Starts to connect. */
int mirror_new(sd_event *event, const ClientOptions *options, const MirrorOps *ops, void *userdata,
        Mirror **ret, Failure *failure);
Mirror *mirror_free(Mirror *m);
DEFINE_CLEANUP(Mirror *, mirror_free)

/* *ret_sentence: what is the matter, while it is not up; *ret_retry: when it tries again,
 * monotonic.
 */
LinkState mirror_link(const Mirror *m, const char **ret_sentence, usec_t *ret_retry);
const char *mirror_default_model(const Mirror *m);
/* What the next question is asked of: the open conversation's, the new one's, or the default. */
const char *mirror_model(const Mirror *m);

const ConversationItem *mirror_list(const Mirror *m, size_t *ret_n); /* newest first */
bool mirror_list_has_more(const Mirror *m);
int mirror_list_more(Mirror *m);
const EngineItem *mirror_engines(const Mirror *m, size_t *ret_n);

/* The open conversation; NULL while none is (a new one, not yet made, has none). */
const ConversationItem *mirror_open_conversation(const Mirror *m);
void mirror_context(const Mirror *m, uint64_t *ret_used, uint64_t *ret_size);
/* Oldest first, at the end what is not yet sent. All of it is valid until MIRROR_MESSAGES is next
 * told. */
MessageItem *const *mirror_messages(Mirror *m, size_t *ret_n);
bool mirror_has_older(const Mirror *m);
bool mirror_has_newer(const Mirror *m);
bool mirror_is_loading(const Mirror *m);
MessageItem *mirror_live(const Mirror *m); /* the live reply, or NULL */

/* ---- what is asked for ---- */

/* While the link is not up all of these are -ENOTCONN and nothing is called back, but for
 * mirror_open(), mirror_open_new() and mirror_send(), which are carried out when it is. */

/* failure: NULL on success. Called at most once, not after mirror_free(), never before the function
 * that it was given to has returned. */
typedef void (*mirror_done_t)(const Failure *failure, void *userdata);

/* message: 0 = at the end, else a page around it. */
int mirror_open(Mirror *m, const char *id, uint64_t message);
/* Nothing open: the next mirror_send() makes a conversation, of this model ("" = default). */
int mirror_open_new(Mirror *m, const char *model, bool private);
bool mirror_new_is_private(const Mirror *m);
int mirror_load_older(Mirror *m); /* a page more; nothing while one is on its way */
int mirror_load_newer(Mirror *m);

typedef struct SendRequest {
        const char *text;
        size_t size;
        uint64_t edit; /* the user message that this is another wording of; 0 = a new one */
        const char *const *names; /* of attachments */
        const int *fds;           /* borrowed */
        size_t n_attachments;
} SendRequest;

/* Done when it is durable. A connection that breaks in between is asked again with the same token:
 * it is sent once. A live reply makes it wait (queue). */
int mirror_send(Mirror *m, const SendRequest *request, mirror_done_t done, void *userdata);

/* Whether anything is live, or on its way to be, in the open conversation; seen here or not. */
bool mirror_can_cancel(const Mirror *m);
/* message: a live reply, or a question that is not sent yet; 0 = all of that. What waits for the
 * service to be back is not sent: it is done with FAILURE_CANCELLED. */
int mirror_cancel(Mirror *m, uint64_t message);
int mirror_regenerate(
        Mirror *m, uint64_t reply, const char *model, mirror_done_t done, void *userdata);
int mirror_continue(Mirror *m, uint64_t reply, mirror_done_t done, void *userdata);
int mirror_select_branch(Mirror *m, uint64_t message, mirror_done_t done, void *userdata);

/* By id, so that the list can do it. */
int mirror_rename(Mirror *m, const char *id, const char *title, mirror_done_t done, void *userdata);
int mirror_set_model(Mirror *m, const char *model, mirror_done_t done, void *userdata);
int mirror_archive(Mirror *m, const char *id, bool archived, mirror_done_t done, void *userdata);
int mirror_delete(Mirror *m, const char *id, mirror_done_t done, void *userdata);
int mirror_restore(Mirror *m, const char *id, mirror_done_t done, void *userdata);

/* fd: from where the export is read to its end, the callee's to close; -EBADF on failure. Where
 * what comes there is cut off, it is called once more before that end, with the failure. */
typedef void (*mirror_pipe_t)(const Failure *failure, int fd, void *userdata);
int mirror_export(Mirror *m, const char *format, mirror_pipe_t done, void *userdata);

/* The arrays are valid during the call. A newer call of the same kind replaces one on its way. */
typedef void (*mirror_hits_t)(
        const Failure *failure, const SearchHit *hits, size_t n, void *userdata);
int mirror_search(Mirror *m, const char *query, mirror_hits_t done, void *userdata);
typedef void (*mirror_models_t)(
        const Failure *failure, const ModelItem *models, size_t n, void *userdata);
int mirror_list_models(Mirror *m, mirror_models_t done, void *userdata);

/* Of these ids of conversations, one after another, those that are gone for good. Not told when
 * there are none, or when it cannot be known. -EBUSY: it is being asked already. */
typedef void (*mirror_gone_t)(const char *ids, void *userdata);
int mirror_find_gone(Mirror *m, const char *ids, mirror_gone_t done, void *userdata);

/* Whether a person looks at the open conversation (the surface's Focus). */
void mirror_set_focus(Mirror *m, bool focused);

/* Calls made to the service so far, by member: for tests ("GetSnapshot"). */
unsigned mirror_count_calls(const Mirror *m, const char *member);
