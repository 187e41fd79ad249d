/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The conversations on disk. SQLite lives on one worker thread; every function here queues a
 * request and returns, and the completion comes on the loop. What succeeded is durable (fsync'ed).
 *
 * Message ids are given by the caller (store_next_id()), increase with time, are never 0 and never
 * used twice. A conversation is named by its number, likewise (store_next_number()).
 *
 * Private conversations live in a second, in-memory database of the same shape: a number with
 * STORE_PRIVATE set goes there, and their message ids come from the same counter. */

#include <systemd/sd-event.h>
#include <systemd/sd-id128.h>

#include "common/failure.h"
#include "common/text.h"
#include "service/store/worker.h"

typedef struct Store Store;

#define STORE_PRIVATE (UINT64_C(1) << 62)

/* ---- opening ---- */

typedef enum StoreNoticeKind {
        STORE_NOTICE_SALVAGED, /* the database was damaged; detail names the copy set aside */
        STORE_NOTICE_CHECKED,  /* the check after an unclean end found it whole */
        STORE_NOTICE_FULL,     /* a background write (a live reply's partial text) found no space */
        STORE_NOTICE_FAILED,   /* a background write failed */
} StoreNoticeKind;

typedef void (*store_notice_t)(StoreNoticeKind kind, const char *detail, void *userdata);

typedef struct StoreConversation {
        uint64_t number;
        sd_id128_t id;
        char *title;              /* "" when it has none yet */
        char *model;              /* "" = the default model */
        usec_t created, modified; /* CLOCK_REALTIME */
        usec_t deleted;           /* 0, or when it was set aside */
        uint64_t head;            /* newest message of the current branch, 0 = none */
        uint64_t messages;        /* in all branches */
        uint64_t read;            /* newest message id that a surface has shown to a person */
        uint64_t context_used, context_size;
        bool archived, hidden;
        bool title_set; /* by a person, or already made from the first exchange */
} StoreConversation;

typedef struct StoreIndex {
        StoreConversation *conversations; /* newest modified first, deleted ones included */
        size_t n_conversations;
        char *default_model;  /* "" = not set */
        char *last_model;     /* the one used last; "" = none */
        uint64_t interrupted; /* replies that the last run left live and that are now `interrupted`
                               */
} StoreIndex;

void store_index_free(StoreIndex *i);
DEFINE_CLEANUP(StoreIndex *, store_index_free)

/* failure is NULL on success; index belongs to the callee then. */
typedef void (*store_opened_t)(const Failure *failure, StoreIndex *index, void *userdata);

/* Makes the folder (0700), takes the lock file (FAILURE_BUSY: a second service), opens, migrates,
 * reads the index, ends replies left live as `interrupted`. The callback is called exactly once.
 * path: the database file, e.g. from path_database(). */
int store_open(Store **ret, sd_event *event, const char *path, store_opened_t opened,
        store_notice_t notice, void *userdata);

/* The database was salvaged while the service ran: what is stored now, which may be less than what
 * was known, belongs to the callee. Called after all that had been written before it, and before
 * the notice. NULL = nobody wants to know. */
typedef void (*store_salvaged_t)(StoreIndex *index, void *userdata);
void store_set_salvaged(Store *s, store_salvaged_t salvaged, void *userdata);

/* Waits for what was queued, then closes. Call after the loop has ended. */
Store *store_free(Store *s);
DEFINE_CLEANUP(Store *, store_free)

/* For other blocking work (configuration, keys). Owned by the store. */
Worker *store_worker(Store *s);

/* Requests not yet completed: a reason to stay. */
unsigned store_pending(const Store *s);

/* Transactions that were written, each with one fsync, whatever the number of requests in it. */
uint64_t store_commits(const Store *s);

uint64_t store_next_number(Store *s, bool private);
uint64_t store_next_id(Store *s);

/* ---- slots ---- */

/* Where a function has a ret_slot and it is not NULL, the caller owns the slot: freeing it before
 * the completion means that the callback is not called (the request is carried out all the same).
 * After the callback the slot is only memory, still to be freed. With NULL the callback always
 * comes, except when the store is freed first. */
typedef struct StoreSlot StoreSlot;
StoreSlot *store_slot_free(StoreSlot *slot);
DEFINE_CLEANUP(StoreSlot *, store_slot_free)

/* failure is NULL on success. */
typedef void (*store_done_t)(const Failure *failure, void *userdata);

/* ---- writing ---- */

/* Strings are copied. All writes are in the order in which they are called. */

int store_create_conversation(Store *s, const StoreConversation *c, const char *system,
        store_done_t done, void *userdata, StoreSlot **ret_slot);

typedef enum StoreField {
        STORE_TITLE = 1 << 0, /* and title_set */
        STORE_MODEL = 1 << 1,
        STORE_HEAD = 1 << 2,
        STORE_MODIFIED = 1 << 3,
        STORE_DELETED = 1 << 4,
        STORE_ARCHIVED = 1 << 5,
        STORE_HIDDEN = 1 << 6,
        STORE_READ = 1 << 7,
        STORE_CONTEXT = 1 << 8, /* used and size */
} StoreField;

/* Writes the fields named in the mask. done may be NULL: then a failure is reported as a notice. */
int store_update_conversation(Store *s, const StoreConversation *c, StoreField fields,
        store_done_t done, void *userdata, StoreSlot **ret_slot);
int store_set_system(Store *s, uint64_t number, const char *system, store_done_t done,
        void *userdata, StoreSlot **ret_slot);
int store_set_setting(Store *s, const char *key, const char *value, store_done_t done,
        void *userdata, StoreSlot **ret_slot); /* keys: "default_model", "last_model" */

typedef struct StoreAttachment {
        char *name, *type; /* type: a MIME type */
        void *data;
        size_t size;
        size_t counted; /* by attachment_memory_take(); given back with the data */
} StoreAttachment;

void store_attachments_free(StoreAttachment *a, size_t n);

typedef struct StoreMessage {
        uint64_t id, parent; /* parent 0 = a root */
        Role role;
        char *content, *reasoning; /* valid UTF-8; reasoning "" except for replies */
        size_t content_size, reasoning_size;
        char *metadata;    /* a JSON object, "" = {} */
        EndReason reason;  /* replies: how they ended; REASON_NONE for a live one and for others */
        bool live;         /* a reply that has not ended: its text is what was appended so far */
        usec_t created;    /* CLOCK_REALTIME */
        uint64_t branches; /* reading: it and its siblings */
        StoreAttachment *attachments; /* reading: data is NULL unless asked for */
        size_t n_attachments;
} StoreMessage;

void store_message_done(StoreMessage *m);

/* One transaction: the messages in order (a question and its live reply; or a reply alone), the
 * conversation's head, modified and count. A parent is a message of this
 * conversation, older than its child. token: the client's own word, kept with the first two ids
 * ("" or NULL: none); FAILURE_BUSY when it is kept already. The messages' attachments are consumed:
 * the store takes each array over and frees it, also on failure. */
int store_add_messages(Store *s, uint64_t number, StoreMessage *messages, size_t n_messages,
        uint64_t head, usec_t modified, const char *token, store_done_t done, void *userdata,
        StoreSlot **ret_slot);

/* A conversation that is there at once with its messages, as an imported one: all of it in one
 * transaction. Its head and modified are those of c; the rest as store_add_messages(). */
int store_create_whole(Store *s, const StoreConversation *c, const char *system,
        StoreMessage *messages, size_t n_messages, store_done_t done, void *userdata,
        StoreSlot **ret_slot);

/* The ids that a token stands for. user = reply = 0 when it is unknown. Tokens are kept 7 days. */
typedef void (*store_token_done_t)(
        const Failure *failure, uint64_t user, uint64_t reply, void *userdata);
int store_find_token(Store *s, uint64_t number, const char *token, store_token_done_t done,
        void *userdata, StoreSlot **ret_slot);

/* Appends to a live reply's stored text. Failures come as notices, too; what is behind a part that
 * failed does not count until that is there, or store_end_reply() brings the whole. */
int store_append_reply(Store *s, uint64_t number, uint64_t reply, Channel channel, uint64_t offset,
        const char *text, size_t size, store_done_t done, void *userdata, StoreSlot **ret_slot);

/* What the store reads without a copy: nobody changes it until release() is called, on the loop,
 * also where the call failed; from store_free(), too. The worker, or NULL, is there to free it. */
typedef struct StoreLoan {
        void (*release)(void *owner, Worker *worker);
        void *owner;
} StoreLoan;

/* The reply's whole text and how it ended (id, reason, metadata, content, reasoning); replaces what
 * was appended. Content and reasoning are lent. */
int store_end_reply(Store *s, uint64_t number, const StoreMessage *reply, const StoreLoan *loan,
        store_done_t done, void *userdata, StoreSlot **ret_slot);

/* Makes an ended reply live again, its text kept (Continue). */
int store_reopen_reply(Store *s, uint64_t number, uint64_t reply, store_done_t done, void *userdata,
        StoreSlot **ret_slot);

/* Removes bytes, index entries and WAL of conversations set aside before the given time
 * (CLOCK_REALTIME; USEC_INFINITY = all that are set aside), or of one, whatever its state. */
int store_purge_deleted(
        Store *s, usec_t before, store_done_t done, void *userdata, StoreSlot **ret_slot);
int store_purge(Store *s, uint64_t number, store_done_t done, void *userdata, StoreSlot **ret_slot);

/* ---- reading ---- */

typedef struct StoreMessages {
        StoreMessage *messages; /* oldest first */
        size_t n_messages;
        char *system;   /* only from store_get_context(): the conversation's system prompt */
        size_t counted; /* of all attachments */
} StoreMessages;

void store_messages_free(StoreMessages *m);
DEFINE_CLEANUP(StoreMessages *, store_messages_free)
/* The same; the kernel's part of what is large is the thread's. */
void store_messages_dispose(Store *s, StoreMessages *m);

/* messages belong to the callee on success (store_messages_free() frees the struct too). */
typedef void (*store_messages_done_t)(
        const Failure *failure, StoreMessages *messages, void *userdata);

/* The branch that ends at id, upwards, at most limit messages and max_bytes of text (the newest one
 * always comes, whatever its size). id 0: none. FAILURE_NO_SUCH_MESSAGE when id is not in this
 * conversation. */
int store_get_page(Store *s, uint64_t number, uint64_t id, uint32_t limit, size_t max_bytes,
        store_messages_done_t done, void *userdata, StoreSlot **ret_slot);

/* The messages that follow `after` (0: from the first on) on the branch that ends at head, with the
 * same limits. FAILURE_NO_SUCH_MESSAGE when it turns out that `after` is not on that branch: where
 * no branch forks within the page, that is seen by the branch's end. */
int store_get_after(Store *s, uint64_t number, uint64_t after, uint64_t head, uint32_t limit,
        size_t max_bytes, store_messages_done_t done, void *userdata, StoreSlot **ret_slot);

/* So many messages are read in one go. */
#define STORE_CONTEXT_SHORT 32U

/* The whole branch that ends at id, with the attachments' data and the system prompt, without
 * metadata and reasoning: what an engine's request is made of. FAILURE_BUSY when the attachments
 * are over ATTACHMENTS_ASKED_MAX together with those of others. */
int store_get_context(Store *s, uint64_t number, uint64_t id, store_messages_done_t done,
        void *userdata, StoreSlot **ret_slot);

/* One message, its attachments' data included. FAILURE_BUSY as above. */
int store_get_message(Store *s, uint64_t number, uint64_t id, store_messages_done_t done,
        void *userdata, StoreSlot **ret_slot);

/* All messages of all branches after id, oldest first, with attachments: for exports, in pages. */
int store_get_all(Store *s, uint64_t number, uint64_t after, uint32_t limit, size_t max_bytes,
        store_messages_done_t done, void *userdata, StoreSlot **ret_slot);

/* A part of a stored reply's text. */
typedef struct StoreText {
        char *text; /* cut at character borders; NUL-terminated */
        size_t size;
        uint64_t offset; /* of the text's first byte: the one asked for, or the border before it */
        uint64_t total;  /* of the channel */
        char *metadata;
        EndReason reason;
        bool live;
} StoreText;
typedef void (*store_text_done_t)(const Failure *failure, const StoreText *text, void *userdata);
int store_get_text(Store *s, uint64_t number, uint64_t reply, Channel channel, uint64_t offset,
        size_t maximum, store_text_done_t done, void *userdata, StoreSlot **ret_slot);

/* The messages with the same parent as id, itself included, oldest first (id 0: the conversation's
 * first messages); and the newest message below one, itself when it is the last. */
typedef void (*store_ids_done_t)(
        const Failure *failure, const uint64_t *ids, size_t n, void *userdata);
int store_list_siblings(Store *s, uint64_t number, uint64_t id, store_ids_done_t done,
        void *userdata, StoreSlot **ret_slot);
int store_find_head_below(Store *s, uint64_t number, uint64_t id, store_ids_done_t done,
        void *userdata, StoreSlot **ret_slot);

int store_get_system(Store *s, uint64_t number,
        void (*done)(const Failure *failure, const char *system, void *userdata), void *userdata,
        StoreSlot **ret_slot);

/* Full text search in all conversations, private, deleted and (by flag) hidden ones excepted. */
typedef struct StoreHit {
        uint64_t number, message;
        Role role;
        char *snippet; /* plain text around the hit, one line, at most 200 bytes */
        usec_t created;
} StoreHit;

typedef enum StoreSearchFlags {
        STORE_SEARCH_RANKED = 1 << 0, /* by rank within the newest 2,000 hits; else newest first */
        STORE_SEARCH_NO_HIDDEN = 1 << 1,
        STORE_SEARCH_ARCHIVED = 1 << 2, /* archived ones too */
} StoreSearchFlags;

/* The words of query must all occur, of the last one three characters are enough; Chinese, Japanese
 * and Korean is found in any part of a text. Quoting for FTS5 is done here. before: only messages
 * with a smaller id (0 = no limit): to page. */
typedef void (*store_search_done_t)(
        const Failure *failure, const StoreHit *hits, size_t n, void *userdata);
int store_search(Store *s, const char *query, StoreSearchFlags flags, uint64_t before,
        uint32_t limit, store_search_done_t done, void *userdata, StoreSlot **ret_slot);
