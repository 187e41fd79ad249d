/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/conversation/export.h"

#include "service/conversation/export-format.h"

/* One page of the store: enough that asking costs little, not so much that it is felt. */
#define PAGE_MESSAGES 256U
#define PAGE_BYTES    MIB(1)
/* Text is gathered up to this much before it is offered. */
#define PIECE KIB(64)

typedef enum Phase {
        PHASE_SYSTEM, /* the system prompt is read, then the head is written */
        PHASE_BRANCH, /* markdown: the branch's pages are found, newest first */
        PHASE_MESSAGES,
        PHASE_END,
        PHASE_DONE,
} Phase;

/* A page of the current branch, by its last message: read backwards once to find them, then
 * forwards to write them, so that no more than one is in memory. */
typedef struct BranchPage {
        uint64_t last;
        uint32_t messages;
} BranchPage;

struct Export {
        Store *store;
        StoreSlot *slot; /* while the store is asked */
        ExportHead head;
        char *title, *model;
        ExportFormat format;
        export_wake_t wake;
        void *userdata;

        Phase phase;
        int error;

        BranchPage *branch; /* newest first: taken from the end */
        size_t n_branch, allocated_branch;
        uint64_t above; /* finding: the page that ends here is next */

        StoreMessages *page;   /* or NULL */
        size_t at, attachment; /* the next message, the next of its attachments */
        bool message_open;
        uint64_t after, n_messages;

        Buffer text;
        size_t taken;
};

ExportFormat export_format_from_string(const char *s)
{
        static const char *const names[_EXPORT_FORMAT_MAX] = {
                [EXPORT_MARKDOWN] = "markdown",
                [EXPORT_JSON] = "json",
                [EXPORT_JSONL] = "jsonl",
        };

        for (ExportFormat f = 0; f < _EXPORT_FORMAT_MAX; f++)
                if (streq_ptr(names[f], s))
                        return f;
        return _EXPORT_FORMAT_INVALID;
}

int export_new(Export **ret, Store *store, const ExportHead *head, ExportFormat format,
        export_wake_t wake, void *userdata)
{
        _cleanup_(export_freep) Export *e = NULL;

        e = calloc(1, sizeof *e);
        if (!e)
                return -ENOMEM;
        e->store = store;
        e->format = format;
        e->wake = wake;
        e->userdata = userdata;
        e->text = BUFFER_INIT(SIZE_MAX / 4);
        e->head = *head;
        e->head.title = e->title = strdup(strempty(head->title));
        e->head.model = e->model = strdup(strempty(head->model));
        if (!e->title || !e->model)
                return -ENOMEM;
        e->above = head->head;
        *ret = TAKE_PTR(e);
        return 0;
}

Export *export_free(Export *e)
{
        if (!e)
                return NULL;
        store_slot_free(e->slot);
        store_messages_free(e->page);
        buffer_done(&e->text);
        free(e->branch);
        free(e->title);
        free(e->model);
        free(e);
        return NULL;
}

/* ---- what the store answers ---- */

/* The slot's request came to its end. */
static void export_answered(Export *e, int error)
{
        e->slot = store_slot_free(e->slot);
        if (e->error == 0)
                e->error = error;
        e->wake(e->userdata);
}

static int begin_text(Export *e, const char *system)
{
        if (e->format != EXPORT_MARKDOWN) {
                e->phase = PHASE_MESSAGES;
                return export_json_head(&e->text, e->format, &e->head, system);
        }
        e->phase = PHASE_BRANCH;
        return export_markdown_head(&e->text, &e->head, system);
}

static void on_system(const Failure *failure, const char *system, void *userdata)
{
        Export *e = ASSERT_PTR(userdata);

        export_answered(e,
                failure ? failure_code_to_errno(failure->code) : begin_text(e, strempty(system)));
}

static int note_branch_page(Export *e, const StoreMessages *page)
{
        if (page->n_messages == 0)
                return -EIO;
        if (e->n_branch == e->allocated_branch) {
                size_t n = MAX(e->allocated_branch * 2, (size_t) 16);
                BranchPage *branch = reallocarray(e->branch, n, sizeof *branch);

                if (!branch)
                        return -ENOMEM;
                e->branch = branch;
                e->allocated_branch = n;
        }
        e->branch[e->n_branch++] = (BranchPage){
                .last = e->above,
                .messages = page->n_messages,
        };
        e->above = page->messages[0].parent;
        return 0;
}

static void on_branch_page(const Failure *failure, StoreMessages *messages, void *userdata)
{
        Export *e = ASSERT_PTR(userdata);
        int r;

        if (failure) {
                export_answered(e, failure_code_to_errno(failure->code));
                return;
        }
        r = note_branch_page(e, messages);
        store_messages_free(messages);
        export_answered(e, r);
}

static void on_page(const Failure *failure, StoreMessages *messages, void *userdata)
{
        Export *e = ASSERT_PTR(userdata);

        if (failure) {
                export_answered(e, failure_code_to_errno(failure->code));
                return;
        }
        e->page = messages;
        e->at = 0;
        if (messages->n_messages > 0)
                e->after = messages->messages[messages->n_messages - 1].id;
        else
                e->phase = PHASE_END;
        export_answered(e, 0);
}

/* ---- one step of the text ---- */

static int ask_page(Export *e)
{
        BranchPage page;

        store_messages_free(e->page);
        e->page = NULL;
        if (e->format != EXPORT_MARKDOWN)
                return store_get_all(e->store, e->head.number, e->after, PAGE_MESSAGES, PAGE_BYTES,
                        on_page, e, &e->slot);
        if (e->n_branch == 0) {
                e->phase = PHASE_END;
                return 0;
        }
        page = e->branch[--e->n_branch];
        /* As many as were counted: a live reply has grown since. */
        return store_get_page(e->store, e->head.number, page.last, page.messages, SIZE_MAX / 2,
                on_page, e, &e->slot);
}

static int ask_branch_page(Export *e)
{
        if (e->above == 0) {
                e->phase = PHASE_MESSAGES;
                return 0;
        }
        return store_get_page(e->store, e->head.number, e->above, PAGE_MESSAGES, PAGE_BYTES,
                on_branch_page, e, &e->slot);
}

static int write_json_message(Export *e, const StoreMessage *m)
{
        int r;

        if (!e->message_open) {
                e->message_open = true;
                e->attachment = 0;
                return export_json_message(&e->text, e->format, m, e->n_messages == 0);
        }
        if (e->attachment < m->n_attachments)
                return export_json_attachment(&e->text, e->format, m, e->attachment++);
        r = export_json_message_end(&e->text, e->format);
        if (r < 0)
                return r;
        e->message_open = false;
        e->n_messages++;
        e->at++;
        return 0;
}

static int write_message(Export *e)
{
        const StoreMessage *m = &e->page->messages[e->at];

        if (e->format != EXPORT_MARKDOWN)
                return write_json_message(e, m);
        e->n_messages++;
        e->at++;
        return export_markdown_message(&e->text, m);
}

static int export_step(Export *e)
{
        switch (e->phase) {
        case PHASE_SYSTEM:
                return store_get_system(e->store, e->head.number, on_system, e, &e->slot);
        case PHASE_BRANCH:
                return ask_branch_page(e);
        case PHASE_MESSAGES:
                return e->page && e->at < e->page->n_messages ? write_message(e) : ask_page(e);
        case PHASE_END:
                e->phase = PHASE_DONE;
                return e->format == EXPORT_MARKDOWN
                        ? 0
                        : export_json_end(&e->text, e->format, e->n_messages);
        case PHASE_DONE:
                return -ENODATA;
        }
        return -EINVAL;
}

int export_peek(Export *e, const char **ret, size_t *ret_size)
{
        if (e->taken == e->text.size) {
                /* One large message does not make the memory stay. */
                if (e->text.allocated > 4 * PIECE)
                        buffer_done(&e->text);
                buffer_clear(&e->text);
                e->taken = 0;
        }
        while (e->text.size - e->taken < PIECE && !e->slot && e->error == 0)
                e->error = export_step(e);

        if (e->taken < e->text.size) {
                *ret = e->text.data + e->taken;
                *ret_size = e->text.size - e->taken;
                return 1;
        }
        return e->slot ? 0 : e->error;
}

void export_taken(Export *e, size_t n)
{
        e->taken += n;
}
