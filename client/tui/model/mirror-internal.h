/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the files of the mirror share. Those named *-bus.c talk to the service; the others keep what
 * came of it. */

#include <systemd/sd-bus.h>

#include "client/bus/limits.h"
#include "client/bus/read.h"
#include "client/tui/model/mirror.h"
#include "common/names.h"

#define REPLY_TEXT_MAX      MIB(64)
#define MESSAGE_TEXT_MAX    MIB(16)
#define MEMBERS_COUNTED_MAX 40U

typedef char ConversationPath[sizeof PATH_CONVERSATION + 1 + CONVERSATION_ID];

/* ---- messages ---- */

typedef enum MessageFlags {
        MESSAGE_FETCHING = 1 << 0, /* its text is being read with GetReply */
        MESSAGE_GAP = 1 << 1,      /* text was passed over meanwhile: read on */
} MessageFlags;

typedef struct Message {
        MessageItem item; /* first: what is handed out */
        unsigned flags;
        Channel channel; /* that is being read */
} Message;

/* What the service says of a message or reply. Strings are the bus message's. */
typedef struct Meta {
        const char *reason, *reasoning, *model, *engine, *phase, *note, *error;
        uint64_t created, place, elapsed, first_token, tokens_in, tokens_out, context_used,
                context_size, dropped, content_size, reasoning_size, branches;
        double tokens_per_second;
        int live, estimated;
        Attachment *attachments;
        size_t n_attachments;
} Meta;

void meta_done(Meta *meta);

int message_new(const Mirror *m, uint64_t id, uint64_t parent, Role role, Message **ret);
Message *message_free(Message *msg);
DEFINE_CLEANUP(Message *, message_free)
static inline Message *message_of(MessageItem *item)
{
        return (Message *) item;
}
uint64_t message_size(const Message *msg, Channel c);
/* The whole text as the service has it: what is there already is kept, and only the rest added, if
 * the one begins with the other. Of a live reply more may be known already. */
int message_set_text(const Mirror *m, Message *msg, Channel c, const char *text, bool live);
/* Text from an offset on, of which some may be known. -ESPIPE: something is missing before it. */
int message_add_text(Message *msg, Channel c, uint64_t offset, const char *text);
int message_set_meta(Message *msg, Meta *meta); /* takes the attachments */
int message_end(Message *msg, EndReason reason, Meta *meta);
void message_begin(Message *msg, usec_t now);   /* it lives (again) */
void message_measure(Message *msg, usec_t now); /* some of it came */
usec_t message_time(void); /* for one whose time the service has not yet said */

/* ---- pending calls ---- */

typedef enum CallFlags {
        CALL_OF_OPEN = 1 << 0, /* of no interest when another conversation is opened */
        CALL_PAGE = 1 << 1,    /* of messages; there is one at most */
        CALL_WHOLE = 1 << 6,   /* a page that takes the place of all there is */
        CALL_LIST = 1 << 2,
        CALL_ENGINES = 1 << 3,
        CALL_SEARCH = 1 << 4,
        CALL_MODELS = 1 << 5,
        CALL_ANY = 1 << 7,   /* of every one */
        CALL_REPLY = 1 << 8, /* asks for a reply */
} CallFlags;

typedef enum PageKind {
        PAGE_NEWEST,
        PAGE_AGAIN, /* what is there, after a reconnection */
        PAGE_OLDER,
        PAGE_NEWER,
        PAGE_AROUND, /* the half up to a message; the other follows */
} PageKind;

typedef struct MirrorCall MirrorCall;
typedef struct MirrorExport MirrorExport;

/* Exactly one of answer and failure is given. A negative errno: the answer could not be read. */
typedef int (*call_answer_t)(
        Mirror *m, const MirrorCall *call, sd_bus_message *answer, const Failure *failure);

struct MirrorCall {
        unsigned flags;
        call_answer_t answer; /* may be NULL */
        mirror_done_t done;   /* may be NULL */
        void *userdata;
        uint64_t id; /* of a message */
        unsigned ends;
        PageKind page;
        ConversationPath path; /* with CALL_REPLY */
        bool cancelling;       /* as soon as there is an id by which it can be */
        union {
                mirror_hits_t hits;
                mirror_models_t models;
        } done_with; /* for the answer's own use */

        Mirror *mirror;
        sd_bus_slot *slot;
        MirrorCall *next, **previous;
};

int mirror_new_call(Mirror *m, const char *path, const char *interface, const char *member,
        sd_bus_message **ret);
/* Copies the template. */
int mirror_call(Mirror *m, sd_bus_message *message, const MirrorCall *template);
/* The same, for plain arguments. */
int mirror_call_with(Mirror *m, const char *path, const char *interface, const char *member,
        const MirrorCall *template, const char *types, ...);
/* No answer is wanted, and a service that is not there is not started by it. */
int mirror_call_quietly(Mirror *m, const char *path, const char *member, const char *types, ...);
bool mirror_has_call(const Mirror *m, unsigned flags);
/* Those with any of these: their answers are of no interest any more. Who waits for one to be done
 * is told all the same, but for CALL_ANY. */
void mirror_drop_calls(Mirror *m, unsigned flags);
void mirror_fail_calls(Mirror *m, const Failure *failure);

/* ---- the rest ---- */

#define UNSENT_ID \
        (UINT64_C(1) << 63) /* of a question that is not sent; the service counts from 1 */

typedef struct PendingSend {
        struct PendingSend *next;
        char token[33];
        char id[CONVERSATION_ID + 1];     /* "" until there is a conversation */
        char create[CONVERSATION_ID + 1]; /* the id that it is then asked to have */
        unsigned generation;              /* of what was open */
        char *text;
        uint64_t parent;
        bool is_edit; /* parent is said */
        char *model;  /* of a new conversation */
        bool private;
        char **names;
        int *fds;
        size_t n_attachments;
        mirror_done_t done;
        void *userdata;
        Message *shown; /* as long as the service's own is not here */
        bool on_its_way;
        bool cancelling;
        int error; /* it could not even be put on its way */
} PendingSend;

typedef struct AvatarState {
        char *mood, *gesture, *activity, *size, *position;
        int visible;
} AvatarState;

typedef struct OpenConversation {
        ConversationItem item; /* id "": none is open */
        ConversationPath path;
        uint64_t context_used, context_size;
        uint64_t head, newest; /* newest: told by signals since the last page was asked for */
        uint64_t wanted;       /* open at this message */
        MessageItem **messages;
        size_t n, allocated;
        bool newer;     /* there are more below */
        bool selecting; /* a branch, for a page that turned out not to be on the current one */
        bool following;
        unsigned ends;     /* of replies: what came of a page may be older */
        uint64_t promised; /* a reply that has an id and did not begin here yet; 0: none */
        /* Of a new one. */
        char *model;
        bool private;
        char create[CONVERSATION_ID + 1]; /* "" until it is needed */
        unsigned generation;
        /* Of the reply whose deltas come. */
        uint64_t reply, sequence;
        unsigned unacknowledged;
        size_t unacknowledged_bytes;
} OpenConversation;

struct Mirror {
        sd_event *event;
        const MirrorOps *ops;
        void *userdata;
        Link *link;
        sd_bus *bus; /* the link's; NULL while down */
        ClientDoor door;
        bool started; /* mirror_new() has returned */
        bool up;      /* the snapshot is here */
        sd_bus_slot *filter;
        char *service; /* its unique name; NULL on the private door */

        char *default_model;
        ConversationItem *list;
        size_t n_list;
        bool more;       /* conversations */
        bool list_stale; /* changed while it was being read */
        EngineItem *engines;
        size_t n_engines;
        AvatarState avatar;
        char *surface; /* its path */
        bool focused;

        OpenConversation open;
        PendingSend *sends;
        sd_event_source *unsendable; /* tells of those with an error: not inside of mirror_send() */
        uint64_t n_unsent;           /* so far, for their ids */
        MessageItem **shown;         /* the window and what is not yet sent, where there is any */
        size_t shown_allocated;
        MirrorCall *calls;
        MirrorExport *exports;
        struct {
                char *ids; /* those that may be; NULL: nobody asks */
                size_t at; /* so many bytes of them are asked */
                mirror_gone_t done;
                void *userdata;
        } gone;
        struct {
                const char *member;
                unsigned n;
        } counted[MEMBERS_COUNTED_MAX];
};

static inline void mirror_tell(Mirror *m, unsigned change)
{
        if (m->started)
                m->ops->changed((MirrorChange) change, m->userdata);
}
usec_t mirror_now(const Mirror *m);

bool conversation_id_is_valid(const char *id);
/* The id of a conversation's path, or NULL. */
const char *conversation_id_of(const char *path);
void conversation_path_of(const char *id, ConversationPath ret);

/* list.c */
void conversation_item_done(ConversationItem *c);
int conversation_item_copy(const ConversationItem *from, ConversationItem *ret);
ConversationState conversation_state_from_string(const char *s);
ConversationItem *list_find(Mirror *m, const char *id);
void list_replace(Mirror *m, ConversationItem *items, size_t n); /* takes them */
int list_append(Mirror *m, ConversationItem *items, size_t n);   /* takes them, also on failure */
void list_remove(Mirror *m, const char *id);
void list_sort(Mirror *m);
void list_clear_items(ConversationItem *items, size_t n);
void engines_clear(EngineItem *items, size_t n);
void engines_replace(Mirror *m, EngineItem *items, size_t n);

/* open.c: the window of messages */
Message *window_find(const Mirror *m, uint64_t id);
bool window_is_at_beginning(const Mirror *m);
void window_clear(Mirror *m);
/* Takes the messages; those that are in the window already were updated in place and are given by
 * the same pointer. What is not among them is freed. */
void window_replace(Mirror *m, MessageItem **messages, size_t n);
int window_prepend(Mirror *m, MessageItem **messages, size_t n);
int window_append(Mirror *m, MessageItem **messages, size_t n);
/* Puts a message below its parent, and drops what stood there. -ENOENT: the parent is not in the
 * window. *ret_sibling: another one with the same parent was dropped. */
int window_attach(Mirror *m, Message *msg, bool *ret_sibling);
void open_done(OpenConversation *o);
/* Makes another one the open one; nothing is asked for yet. */
int open_set(Mirror *m, const char *id);
void open_reset_stream(OpenConversation *o);

/* read-bus.c */
int read_meta(sd_bus_message *m, Meta *ret);
int read_conversations(sd_bus_message *m, ConversationItem **ret, size_t *ret_n);
int read_engines(sd_bus_message *m, EngineItem **ret, size_t *ret_n);

/* list-bus.c */
int conversation_read_properties(Mirror *m, const char *id, sd_bus_message *message);
int list_refresh(Mirror *m);
int engines_refresh(Mirror *m);

/* open-bus.c */
int open_load(Mirror *m); /* what is open, from the service, also again */
int open_load_newest(Mirror *m);
int open_load_around(Mirror *m, uint64_t message);
int open_fetch_one(Mirror *m, uint64_t message);
int open_fetch_siblings(Mirror *m, uint64_t message);
void open_head_changed(Mirror *m, uint64_t head);

/* live-bus.c: signals of the open conversation */
int live_signal(Mirror *m, sd_bus_message *signal);
int live_follow(Mirror *m);
int live_catch_up(Mirror *m, Message *msg);

/* send-bus.c */
void sends_flush(Mirror *m);
void sends_lost(Mirror *m);
int sends_new(Mirror *m);
void sends_free(Mirror *m);
/* The service's own has come: it is shown in the place of ours. */
void sends_arrived(Mirror *m, const char *beginning);
bool sends_of_open(const Mirror *m); /* whether there are any */
/* Of the open conversation: question, or 0 = all. The first is for while the service is away; by
 * the second the question stays, and its reply is cancelled as soon as it has an id. */
void sends_take_back(Mirror *m, uint64_t question);
bool sends_cancel(Mirror *m, uint64_t question);

/* cancel-bus.c */
/* An answer said the id of a reply, in whatever conversation: from now on it can be cancelled, or
 * is. */
int reply_promised(Mirror *m, const char *path, uint64_t reply, bool cancelling);
void reply_came(Mirror *m, uint64_t reply); /* it began, or ended */
/* Calls what is answered by the id of a reply in the open conversation. */
int reply_ask(Mirror *m, sd_bus_message *message, mirror_done_t done, void *userdata);

/* export-bus.c */
void exports_free(Mirror *m);

/* gone-bus.c */
void gone_free(Mirror *m);

/* surface-bus.c */
int surface_register(Mirror *m);
void surface_update_focus(Mirror *m);
int avatar_read_snapshot(Mirror *m, sd_bus_message *snapshot);
int avatar_command(Mirror *m, sd_bus_message *signal);
int avatar_properties(Mirror *m, sd_bus_message *signal);
void avatar_state_done(AvatarState *a);

/* mirror-bus.c */
typedef struct SignalHandler {
        const char *member;
        int (*handle)(Mirror *m, sd_bus_message *signal);
} SignalHandler;

/* By the handler of its member, if the table has one. */
int mirror_handle_signal(
        Mirror *m, sd_bus_message *signal, const SignalHandler *handlers, size_t n);
extern const LinkOps mirror_link_ops;
void mirror_stop_listening(Mirror *m);
