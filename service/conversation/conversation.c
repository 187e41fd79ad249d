/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What one conversation says of itself, and what a person sets about it. */

#include "common/log.h"
#include "common/names.h"
#include "common/utf8.h"
#include "service/conversation/conversation-internal.h"

/* ---- what it says ---- */

sd_id128_t conversation_id(const Conversation *c)
{
        return c->id;
}

const char *conversation_path(Conversation *c)
{
        /* Without memory: a wrong path would be an acknowledgement of something else. */
        static char spare[sizeof PATH_CONVERSATION + SD_ID128_STRING_MAX];
        char id[SD_ID128_STRING_MAX];

        /* Made when first asked for: most of a long list never is. */
        if (!c->path &&
                asprintf(&c->path, PATH_CONVERSATION "/%s", sd_id128_to_string(c->id, id)) < 0)
                c->path = NULL;
        if (c->path)
                return c->path;
        (void) snprintf(spare, sizeof spare, PATH_CONVERSATION "/%s", id);
        return spare;
}

uint64_t conversation_number(const Conversation *c)
{
        return c->number;
}

const char *conversation_title(const Conversation *c)
{
        return c->title;
}

const char *conversation_model(const Conversation *c)
{
        return c->model;
}

static ConversationState current_state(const Conversation *c)
{
        ConversationState s = CONVERSATION_IDLE;

        for (const Reply *r = c->replies; r; r = r->next) {
                if (!reply_is_live(r) || !(r->flags & REPLY_DURABLE) ||
                        (r->flags & REPLY_STUCK_TOLD))
                        continue;
                if (reply_state(r) == REPLY_STREAMING)
                        return CONVERSATION_STREAMING;
                s = CONVERSATION_WAITING;
        }
        return s;
}

const char *conversation_state(const Conversation *c)
{
        switch (current_state(c)) {
        case CONVERSATION_IDLE:
                return "idle";
        case CONVERSATION_WAITING:
                return "waiting";
        case CONVERSATION_STREAMING:
                return "streaming";
        }
        return NULL;
}

uint64_t conversation_head(const Conversation *c)
{
        return c->head;
}

uint64_t conversation_messages(const Conversation *c)
{
        return c->messages;
}

uint64_t conversation_unread(const Conversation *c)
{
        return c->unread;
}

uint64_t conversation_context_used(const Conversation *c)
{
        return c->context_used;
}

uint64_t conversation_context_size(const Conversation *c)
{
        return c->context_size;
}

usec_t conversation_created(const Conversation *c)
{
        return c->created;
}

usec_t conversation_modified(const Conversation *c)
{
        return c->modified;
}

usec_t conversation_deleted(const Conversation *c)
{
        return c->deleted;
}

bool conversation_archived(const Conversation *c)
{
        return c->flags & CONVERSATION_ARCHIVED;
}

bool conversation_hidden(const Conversation *c)
{
        return c->flags & CONVERSATION_HIDDEN;
}

bool conversation_private(const Conversation *c)
{
        return c->number & STORE_PRIVATE;
}

Reply *conversation_live_reply(Conversation *c)
{
        Reply *live = NULL;

        for (Reply *r = c->replies; r; r = r->next)
                if (reply_is_live(r) && (r->flags & REPLY_DURABLE))
                        live = r;
        return live;
}

Reply *conversation_find_reply(Conversation *c, uint64_t id)
{
        Reply *found = NULL;

        /* One that was continued may still be watched in its earlier life: the newer one counts. */
        for (Reply *r = c->replies; r; r = r->next)
                if (r->id == id && (r->flags & REPLY_DURABLE))
                        found = r;
        return found;
}

/* ---- changes ---- */

void conversation_set_flag(Conversation *c, ConversationFlags flag, bool on)
{
        c->flags = on ? c->flags | flag : c->flags & ~flag;
}

void conversation_changed(Conversation *c, ConversationChange what)
{
        if (c->parent)
                conversations_tell(c->parent, changed, c, what);
}

void conversation_update_state(Conversation *c)
{
        ConversationState s = current_state(c);

        if (s == c->state)
                return;
        c->state = s;
        conversation_changed(c, CONVERSATION_CHANGED_STATE);
}

int conversation_check_usable(const Conversation *c, Failure *failure)
{
        char id[SD_ID128_STRING_MAX];

        if (!c->parent)
                return failure_set(failure, FAILURE_NO_SUCH_CONVERSATION, NULL);
        if (conversations_stopping(c->parent))
                return failure_set(failure, FAILURE_BUSY,
                        "The service is stopping; it is started again by the next call.");
        if (c->deleted > 0)
                return failure_set(failure, FAILURE_NO_SUCH_CONVERSATION,
                        "The conversation was deleted. 'conductor restore %s' brings it back.",
                        sd_id128_to_string(c->id, id));
        return 0;
}

static int check_title(const char *title, Failure *failure)
{
        size_t size = strlen(title);

        if (size > CONVERSATION_TITLE_MAX)
                return failure_set(failure, FAILURE_TOO_LARGE,
                        "A title has at most %u bytes; this one has %zu.", CONVERSATION_TITLE_MAX,
                        size);
        if (!utf8_is_clean_line(title, size))
                return failure_set(failure, FAILURE_INVALID_ARGUMENT,
                        "A title is one line of text without control characters.");
        return 0;
}

static int check_system(const char *system, Failure *failure)
{
        size_t size = strlen(system);

        if (size > CONVERSATION_MESSAGE_MAX)
                return failure_set(failure, FAILURE_TOO_LARGE,
                        "A system prompt has at most %zu bytes; this one has %zu.",
                        CONVERSATION_MESSAGE_MAX, size);
        if (!utf8_is_valid(system, size))
                return failure_set(
                        failure, FAILURE_INVALID_ARGUMENT, "A system prompt is UTF-8 text.");
        return 0;
}

static int check_model(const Conversations *cs, const char *model, Failure *failure)
{
        return isempty(model) ? 0 : engines_check_model(cs->engines, model, failure);
}

/* ---- creating ---- */

static int created(Pending *p, Failure *failure)
{
        if (conversations_add(p->parent, p->conversation) < 0)
                return failure_set(failure, FAILURE_NO_MEMORY, NULL);
        conversations_tell(p->parent, added, p->conversation);
        return 0;
}

static int new_conversation(
        Conversation **ret, Conversations *cs, const ConversationOptions *options, Failure *failure)
{
        _cleanup_(conversation_unrefp) Conversation *c = NULL;
        sd_id128_t id = options->id;
        int r;

        r = sd_id128_is_null(id) ? sd_id128_randomize(&id) : 0;
        if (r < 0)
                return failure_set_errno(failure, r, "No random id for a conversation");
        r = conversation_new(&c, id, store_next_number(cs->store, options->private));
        if (r < 0 || free_and_strdup(&c->title, strempty(options->title)) < 0 ||
                free_and_strdup(&c->model, strempty(options->model)) < 0)
                return failure_set(failure, FAILURE_NO_MEMORY, NULL);
        c->created = c->modified = usec_now(CLOCK_REALTIME);
        conversation_set_flag(c, CONVERSATION_TITLE_SET, !isempty(options->title));

        *ret = TAKE_PTR(c);
        return 0;
}

static Conversation *find_created(Conversations *cs, sd_id128_t id)
{
        Conversation *c = sd_id128_is_null(id) ? NULL : conversations_find(cs, id);

        for (Pending *p = cs->pending; p && !c; p = p->next)
                if (p->apply == created && sd_id128_equal(p->conversation->id, id))
                        c = p->conversation;
        return c;
}

/* A write that changes nothing: done when what is under way is on disk, and not when it fails. */
static int create_again(
        Conversation *c, Conversations *cs, conversation_done_t done, void *u, Failure *failure)
{
        _cleanup_(pending_freep) Pending *p = NULL;
        int r;

        if (c->parent) {
                r = conversation_check_usable(c, failure);
                if (r < 0)
                        return r;
        }
        r = pending_new(&p, cs, c, done, u, failure);
        if (r < 0)
                return r;
        return pending_write(&p, failure);
}

int conversations_create(Conversations *cs, const ConversationOptions *options,
        conversation_done_t done, void *userdata, Failure *failure)
{
        _cleanup_(conversation_unrefp) Conversation *c = NULL;
        _cleanup_(pending_freep) Pending *p = NULL;
        StoreConversation stored;
        Conversation *known;
        int r;

        if (conversations_stopping(cs))
                return failure_set(failure, FAILURE_BUSY, "The service is stopping.");
        known = find_created(cs, options->id);
        if (known)
                return create_again(known, cs, done, userdata, failure);
        r = check_title(strempty(options->title), failure);
        if (r < 0)
                return r;
        r = check_model(cs, options->model, failure);
        if (r < 0)
                return r;
        r = check_system(strempty(options->system), failure);
        if (r < 0)
                return r;
        r = new_conversation(&c, cs, options, failure);
        if (r < 0)
                return r;
        r = pending_new(&p, cs, c, done, userdata, failure);
        if (r < 0)
                return r;

        stored = (StoreConversation){
                .number = c->number,
                .id = c->id,
                .title = c->title,
                .model = c->model,
                .created = c->created,
                .modified = c->modified,
                .title_set = c->flags & CONVERSATION_TITLE_SET,
        };
        p->apply = created;
        r = store_create_conversation(
                cs->store, &stored, strempty(options->system), pending_done, p, &p->slot);
        return pending_begun(&p, r, failure);
}

/* ---- setting ---- */

static void title_failed(Pending *p)
{
        /* Then it may still be made from the first exchange. */
        conversation_set_flag(
                p->conversation, CONVERSATION_TITLE_SET, *p->conversation->title != 0);
}

/* values has no number, and strings that are copied. */
static int change(Conversation *c, StoreField fields, const StoreConversation *values,
        conversation_done_t done, void *userdata, Failure *failure)
{
        _cleanup_(pending_freep) Pending *p = NULL;
        int r;

        r = pending_new(&p, c->parent, c, done, userdata, failure);
        if (r < 0)
                return r;
        p->fields = fields;
        p->values = *values;
        p->values.number = c->number;
        p->values.title = p->values.model = NULL;
        if (free_and_strdup(&p->values.title, values->title) < 0 ||
                free_and_strdup(&p->values.model, values->model) < 0)
                return failure_set(failure, FAILURE_NO_MEMORY, NULL);
        if (fields & STORE_TITLE) {
                /* Now, so that a reply which ends meanwhile does not put its own title over it. */
                conversation_set_flag(c, CONVERSATION_TITLE_SET, values->title_set);
                p->failed = title_failed;
        }
        if (fields & STORE_MODEL)
                pending_hold_asks(p);
        return pending_write(&p, failure);
}

int conversation_set_title(Conversation *c, const char *title, conversation_done_t done,
        void *userdata, Failure *failure)
{
        const StoreConversation values = { .title = (char *) title, .title_set = *title };
        int r;

        r = check_title(title, failure);
        if (r < 0)
                return r;
        return change(c, STORE_TITLE, &values, done, userdata, failure);
}

int conversation_set_model(Conversation *c, const char *model, conversation_done_t done,
        void *userdata, Failure *failure)
{
        const StoreConversation values = { .model = (char *) model };
        int r;

        r = check_model(c->parent, model, failure);
        if (r < 0)
                return r;
        return change(c, STORE_MODEL, &values, done, userdata, failure);
}

int conversation_set_archived(
        Conversation *c, bool archived, conversation_done_t done, void *userdata, Failure *failure)
{
        const StoreConversation values = { .archived = archived };

        return change(c, STORE_ARCHIVED, &values, done, userdata, failure);
}

int conversation_set_hidden(
        Conversation *c, bool hidden, conversation_done_t done, void *userdata, Failure *failure)
{
        const StoreConversation values = { .hidden = hidden };

        return change(c, STORE_HIDDEN, &values, done, userdata, failure);
}

int conversation_set_system(Conversation *c, const char *system, conversation_done_t done,
        void *userdata, Failure *failure)
{
        _cleanup_(pending_freep) Pending *p = NULL;
        int r;

        r = check_system(system, failure);
        if (r < 0)
                return r;
        r = pending_new(&p, c->parent, c, done, userdata, failure);
        if (r < 0)
                return r;
        r = store_set_system(c->parent->store, c->number, system, pending_done, p, &p->slot);
        return pending_begun(&p, r, failure);
}

int conversation_mark_read(Conversation *c)
{
        StoreConversation stored = { .number = c->number, .read = c->last_ended };

        c->unread = 0;
        if (c->read >= c->last_ended || !c->parent)
                return 0;
        c->read = c->last_ended;
        return store_update_conversation(c->parent->store, &stored, STORE_READ, NULL, NULL, NULL);
}

/* ---- branches ---- */

static void on_head_found(const Failure *failure, const uint64_t *ids, size_t n, void *userdata)
{
        Pending *p = ASSERT_PTR(userdata);
        _cleanup_failure_ Failure own = FAILURE_NULL;

        p->slot = store_slot_free(p->slot);
        if (!failure && n != 1)
                (void) failure_set(&own, FAILURE_NO_SUCH_MESSAGE, NULL);
        if (!failure && n == 1) {
                Pending *write = p;

                p->values.head = ids[0];
                p->fields = STORE_HEAD;
                if (pending_write(&write, &own) >= 0)
                        return;
        }
        pending_failed(p, failure ? failure : &own);
}

int conversation_select_branch(Conversation *c, uint64_t message, conversation_done_t done,
        void *userdata, Failure *failure)
{
        _cleanup_(pending_freep) Pending *p = NULL;
        int r;

        r = pending_new(&p, c->parent, c, done, userdata, failure);
        if (r < 0)
                return r;
        pending_hold_asks(p);
        r = store_find_head_below(c->parent->store, c->number, message, on_head_found, p, &p->slot);
        return pending_begun(&p, r, failure);
}
