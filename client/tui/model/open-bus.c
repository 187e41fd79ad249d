/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The open conversation's pages. An answer is never older than the deltas that came before it, for
 * the service makes it of what it has sent: so text is compared, not counted. */

#include "client/tui/model/mirror-internal.h"
#include "common/log.h"

#define HALF_PAGE (MIRROR_PAGE / 2)

/* ---- reading ---- */

static int take_meta(Mirror *m, Message *msg, Meta *meta, const MirrorCall *call)
{
        bool ends_since = call->ends != m->open.ends, was_live = msg->item.live;
        int r;

        if (meta->live && (was_live || !ends_since)) {
                if (!was_live) {
                        message_begin(msg, mirror_now(m));
                        msg->item.started -= MIN(meta->elapsed, msg->item.started);
                }
                r = message_set_meta(msg, meta);
        } else if (meta->live)
                r = message_set_meta(msg, meta);
        else
                r = message_end(msg, end_reason_from_string(strempty(meta->reason)), meta);
        if (r < 0)
                return r;
        /* It may have ended since this was read from disk, or is too long for a page. */
        if ((meta->live && ends_since) || meta->content_size > message_size(msg, CHANNEL_CONTENT) ||
                meta->reasoning_size > message_size(msg, CHANNEL_REASONING))
                msg->flags |= MESSAGE_GAP;
        return 0;
}

typedef struct PageRead {
        Mirror *mirror;
        const MirrorCall *call;
} PageRead;

static int read_message(sd_bus_message *answer, void *item, void *userdata)
{
        const PageRead *page = userdata;
        Mirror *m = page->mirror;
        _cleanup_(message_freep) Message *fresh = NULL;
        _cleanup_(meta_done) Meta meta = { 0 };
        const char *role, *content;
        uint64_t id, parent;
        Message *msg;
        int r;

        r = sd_bus_message_read(answer, "ttss", &id, &parent, &role, &content);
        if (r < 0)
                return r;
        r = read_meta(answer, &meta);
        if (r < 0)
                return r;
        msg = window_find(m, id);
        if (!msg) {
                if (role_from_string(role) < 0)
                        return -EBADMSG;
                r = message_new(m, id, parent, role_from_string(role), &fresh);
                if (r < 0)
                        return r;
                msg = fresh;
        }
        r = message_set_text(m, msg, CHANNEL_CONTENT, content, meta.live);
        if (r >= 0)
                r = message_set_text(
                        m, msg, CHANNEL_REASONING, strempty(meta.reasoning), meta.live);
        if (r >= 0)
                r = take_meta(m, msg, &meta, page->call);
        if (r < 0)
                return r;
        if (meta.branches != msg->item.n_siblings && meta.branches > 1) {
                r = open_fetch_siblings(m, id);
                if (r < 0)
                        return r;
        }
        TAKE_PTR(fresh);
        *(MessageItem **) item = &msg->item;
        return 0;
}

static void page_free(MessageItem **messages, size_t n, const Mirror *m)
{
        for (size_t i = 0; i < n; i++)
                if (messages[i] && message_of(messages[i]) != window_find(m, messages[i]->id))
                        message_free(message_of(messages[i]));
        free(messages);
}

/* A message is made after the one that it answers: one that came twice would be freed twice. */
static bool is_in_order(MessageItem *const *messages, size_t n)
{
        for (size_t i = 1; i < n; i++)
                if (messages[i]->id <= messages[i - 1]->id)
                        return false;
        return true;
}

static int page_read(Mirror *m, sd_bus_message *answer, const MirrorCall *call, MessageItem ***ret,
        size_t *ret_n)
{
        PageRead page = { m, call };
        const Rows rows = { "ttssa{sv}", sizeof(MessageItem *), read_message, &page };
        MessageItem **messages = NULL;
        size_t n = 0;
        int r;

        r = read_rows(answer, &rows, &messages, &n);
        if (r >= 0 && !is_in_order(messages, n))
                r = -EBADMSG;
        if (r < 0) {
                page_free(messages, n, m);
                return r;
        }
        *ret = messages;
        *ret_n = n;
        return 0;
}

/* ---- what a page is for ---- */

static uint64_t last_id(const Mirror *m)
{
        return m->open.n > 0 ? m->open.messages[m->open.n - 1]->id : 0;
}

static int read_gaps(Mirror *m)
{
        int r;

        for (size_t i = 0; i < m->open.n; i++) {
                Message *msg = message_of(m->open.messages[i]);

                if (!(msg->flags & MESSAGE_GAP) || (msg->flags & MESSAGE_FETCHING))
                        continue;
                r = live_catch_up(m, msg);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int on_page(
        Mirror *m, const MirrorCall *call, sd_bus_message *answer, const Failure *failure);

static int ask(Mirror *m, const char *member, PageKind kind, uint64_t id, unsigned count)
{
        bool whole = kind != PAGE_OLDER && kind != PAGE_NEWER;

        if (whole)
                m->open.newest = 0;
        return mirror_call_with(m, m->open.path, INTERFACE_CONVERSATION, member,
                &(MirrorCall){
                        .flags = CALL_OF_OPEN | CALL_PAGE | (whole ? CALL_WHOLE : 0),
                        .answer = on_page,
                        .page = kind,
                        .id = id,
                        .ends = m->open.ends,
                },
                "tu", id, (uint32_t) count);
}

static int ask_below(Mirror *m, unsigned count)
{
        return ask(m, "GetMessagesAfter", PAGE_NEWER, last_id(m), count);
}

/* Whether the last one is the newest. */
static void find_newer(Mirror *m)
{
        m->open.newer = m->open.n > 0 && last_id(m) != m->open.head;
}

static int take_whole(Mirror *m, const MirrorCall *call, MessageItem **messages, size_t n)
{
        OpenConversation *o = &m->open;

        window_replace(m, messages, n);
        if (call->page == PAGE_AROUND)
                return ask_below(m, HALF_PAGE);
        if (call->id != 0) {
                find_newer(m);
                return 0;
        }
        o->newer = false;
        if (o->newest > last_id(m))
                return open_load_newest(m);
        o->head = last_id(m);
        return 0;
}

/* The page ends with the first message of the window, unless that changed meanwhile. */
static int take_older(Mirror *m, MessageItem **messages, size_t n)
{
        int r;

        if (m->open.n == 0 || n == 0 || messages[n - 1] != m->open.messages[0]) {
                page_free(messages, n, m);
                return 0;
        }
        n--;
        if (n == 0) /* there is nothing above, whatever it said */
                m->open.messages[0]->parent = 0;
        for (size_t i = 0; i < n; i++)
                if (window_find(m, messages[i]->id))
                        return -EBADMSG;
        r = window_prepend(m, messages, n);
        if (r >= 0)
                free(messages);
        return r;
}

static int take_newer(Mirror *m, MessageItem **messages, size_t n)
{
        int r;

        if (n > 0 && messages[0]->parent != last_id(m)) {
                page_free(messages, n, m);
                return 0;
        }
        for (size_t i = 0; i < n; i++)
                if (window_find(m, messages[i]->id))
                        return -EBADMSG;
        r = window_append(m, messages, n);
        if (r < 0)
                return r;
        free(messages);
        if (n == 0)
                m->open.head = last_id(m);
        find_newer(m);
        return 0;
}

static int on_selected(
        Mirror *m, const MirrorCall *call, sd_bus_message *answer, const Failure *failure)
{
        return failure ? 0 : ask_below(m, HALF_PAGE);
}

/* What is shown is not on the current branch, which is seen at its end: it is what the person
 * reads, so it becomes the current one. */
static int select_shown(Mirror *m)
{
        m->open.selecting = true;
        return mirror_call_with(m, m->open.path, INTERFACE_CONVERSATION, "SelectBranch",
                &(MirrorCall){ .flags = CALL_OF_OPEN | CALL_PAGE, .answer = on_selected }, "t",
                last_id(m));
}

static int page_failed(Mirror *m, const MirrorCall *call, const Failure *failure)
{
        if (!m->bus) /* asked again when it is back */
                return 0;
        if (call->page == PAGE_NEWER && failure->code == FAILURE_NO_SUCH_MESSAGE &&
                !m->open.selecting)
                return select_shown(m);
        if (call->page == PAGE_AROUND && failure->code == FAILURE_NO_SUCH_MESSAGE)
                return open_load_newest(m);
        m->ops->notice("warning", "The conversation cannot be read", failure_message(failure),
                m->userdata);
        mirror_tell(m, MIRROR_MESSAGES);
        return 0;
}

static int take_page(Mirror *m, const MirrorCall *call, MessageItem **messages, size_t n)
{
        int r;

        switch (call->page) {
        case PAGE_NEWEST:
        case PAGE_AGAIN:
        case PAGE_AROUND:
                return take_whole(m, call, messages, n);
        case PAGE_OLDER:
                r = take_older(m, messages, n);
                break;
        case PAGE_NEWER:
                r = take_newer(m, messages, n);
                break;
        }
        if (r < 0)
                page_free(messages, n, m);
        return r;
}

static int on_page(
        Mirror *m, const MirrorCall *call, sd_bus_message *answer, const Failure *failure)
{
        MessageItem **messages;
        size_t n;
        int r;

        if (failure)
                return page_failed(m, call, failure);
        r = page_read(m, answer, call, &messages, &n);
        if (r >= 0)
                r = take_page(m, call, messages, n);
        if (r >= 0)
                r = read_gaps(m);
        if (r >= 0 && !m->open.following)
                r = live_follow(m);
        if (call->page == PAGE_NEWER)
                m->open.selecting = false;
        mirror_tell(m, MIRROR_MESSAGES);
        return r;
}

/* ---- one message ---- */

static int on_one(Mirror *m, const MirrorCall *call, sd_bus_message *answer, const Failure *failure)
{
        MessageItem **messages;
        size_t n;
        int r;

        if (failure)
                return 0;
        r = page_read(m, answer, call, &messages, &n);
        if (r < 0)
                return r;
        page_free(messages, n, m);
        r = read_gaps(m);
        mirror_tell(m, MIRROR_MESSAGES);
        return r;
}

int open_fetch_one(Mirror *m, uint64_t message)
{
        return mirror_call_with(m, m->open.path, INTERFACE_CONVERSATION, "GetMessages",
                &(MirrorCall){ .flags = CALL_OF_OPEN, .answer = on_one, .ends = m->open.ends },
                "tu", message, UINT32_C(1));
}

static int on_siblings(
        Mirror *m, const MirrorCall *call, sd_bus_message *answer, const Failure *failure)
{
        Message *msg = window_find(m, call->id);
        const void *ids;
        size_t size;
        int r;

        if (failure || !msg)
                return 0;
        r = sd_bus_message_read_array(answer, SD_BUS_TYPE_UINT64, &ids, &size);
        if (r < 0)
                return r;
        free(msg->item.siblings);
        msg->item.n_siblings = 0;
        msg->item.siblings = malloc(MAX(size, sizeof(uint64_t)));
        if (!msg->item.siblings)
                return -ENOMEM;
        memcpy(msg->item.siblings, ids, size);
        msg->item.n_siblings = size / sizeof(uint64_t);
        mirror_tell(m, MIRROR_MESSAGES);
        return 0;
}

int open_fetch_siblings(Mirror *m, uint64_t message)
{
        return mirror_call_with(m, m->open.path, INTERFACE_CONVERSATION, "ListBranches",
                &(MirrorCall){ .flags = CALL_OF_OPEN, .answer = on_siblings, .id = message }, "t",
                message);
}

/* ---- loading ---- */

int open_load_newest(Mirror *m)
{
        mirror_drop_calls(m, CALL_PAGE);
        return ask(m, "GetMessages", PAGE_NEWEST, 0, MIRROR_PAGE);
}

int open_load_around(Mirror *m, uint64_t message)
{
        mirror_drop_calls(m, CALL_PAGE);
        m->open.selecting = false;
        return ask(m, "GetMessages", PAGE_AROUND, message, HALF_PAGE);
}

void open_head_changed(Mirror *m, uint64_t head)
{
        OpenConversation *o = &m->open;
        uint64_t before = o->head;
        bool elsewhere;
        int r = 0;

        o->head = head;
        if (mirror_has_call(m, CALL_PAGE) || head == 0)
                return;
        /* A reader in the middle stays there while the conversation only grows. */
        elsewhere = o->newer ? head < before || head != o->newest : last_id(m) != head;
        if (elsewhere)
                r = open_load_newest(m);
        if (r < 0)
                log_warning_errno(r, "The other branch cannot be asked for: %m");
}

static int on_properties(
        Mirror *m, const MirrorCall *call, sd_bus_message *answer, const Failure *failure)
{
        if (failure) {
                if (failure->code == FAILURE_NO_SUCH_CONVERSATION) {
                        m->ops->notice("warning", "This conversation is gone",
                                failure_message(failure), m->userdata);
                        (void) mirror_open_new(m, NULL, /* private= */ false);
                }
                return 0;
        }
        return conversation_read_properties(m, m->open.item.id, answer);
}

int open_load(Mirror *m)
{
        OpenConversation *o = &m->open;
        int r;

        mirror_drop_calls(m, CALL_OF_OPEN);
        open_reset_stream(o);
        for (size_t i = 0; i < o->n; i++)
                message_of(o->messages[i])->flags = 0;
        r = mirror_call_with(m, o->path, "org.freedesktop.DBus.Properties", "GetAll",
                &(MirrorCall){ .flags = CALL_OF_OPEN, .answer = on_properties }, "s",
                INTERFACE_CONVERSATION);
        if (r < 0)
                return r;
        if (o->n > 0)
                return ask(m, "GetMessages", PAGE_AGAIN, o->newer ? last_id(m) : 0,
                        (unsigned) MAX(o->n, (size_t) MIRROR_PAGE));
        if (o->wanted > 0)
                return open_load_around(m, o->wanted);
        return open_load_newest(m);
}

static void leave(Mirror *m)
{
        int r;

        mirror_drop_calls(m, CALL_OF_OPEN);
        if (!m->open.following)
                return;
        r = mirror_call_quietly(m, m->open.path, "Unfollow", "");
        if (r < 0)
                log_debug_errno(r, "Cannot leave a conversation, ignoring: %m");
}

int mirror_open(Mirror *m, const char *id, uint64_t message)
{
        int r;

        if (!conversation_id_is_valid(id))
                return -EINVAL;
        if (streq(id, m->open.item.id) && message == 0)
                return 0;
        if (streq(id, m->open.item.id)) {
                if (!window_find(m, message))
                        return m->up ? open_load_around(m, message) : -ENOTCONN;
                mirror_tell(m, MIRROR_MESSAGES);
                return 0;
        }
        leave(m);
        r = open_set(m, id);
        if (r < 0)
                return r;
        m->open.wanted = message;
        r = m->up ? open_load(m) : 0;
        surface_update_focus(m);
        mirror_tell(m, MIRROR_OPEN | MIRROR_MESSAGES | MIRROR_LIST);
        return r;
}

int mirror_open_new(Mirror *m, const char *model, bool private)
{
        _cleanup_free_ char *copy = strdup(strempty(model));
        const unsigned generation = m->open.generation + 1;

        if (!copy)
                return -ENOMEM;
        leave(m);
        window_clear(m);
        open_done(&m->open);
        m->open = (OpenConversation){
                .model = TAKE_PTR(copy),
                .private = private,
                .generation = generation,
        };
        surface_update_focus(m);
        mirror_tell(m, MIRROR_OPEN | MIRROR_MESSAGES);
        return 0;
}

int mirror_load_older(Mirror *m)
{
        if (!m->up)
                return -ENOTCONN;
        if (mirror_has_call(m, CALL_PAGE) || window_is_at_beginning(m))
                return 0;
        return ask(m, "GetMessages", PAGE_OLDER, m->open.messages[0]->id, MIRROR_PAGE + 1);
}

int mirror_load_newer(Mirror *m)
{
        if (!m->up)
                return -ENOTCONN;
        if (mirror_has_call(m, CALL_PAGE) || !m->open.newer)
                return 0;
        return ask_below(m, MIRROR_PAGE);
}
