/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/tui/keeper.h"

#include "client/tui/helper.h"
#include "client/tui/settings.h"

typedef enum TaskKind {
        TASK_READ_DRAFT,
        TASK_WRITE_DRAFT,
        TASK_DRAFT_SENT,
        TASK_WRITE_HISTORY,
        TASK_TIDY_HISTORY,
        TASK_FORGET,
        TASK_AVATAR_ON,
        TASK_AVATAR_OFF,
        _TASK_MAX,
} TaskKind;

typedef struct Task {
        struct Task *next;
        TaskKind kind;
        DraftWrite how;
        Drafts *drafts;
        char id[DRAFT_ID];
        char *text;
        size_t size;
} Task;

struct Keeper {
        sd_event *event;
        Drafts *drafts;
        const KeeperOps *ops;
        void *userdata;
        Task *tasks; /* the first one is being done, if there is a helper */
        Helper *helper;
        sd_event_source *next; /* outside of the helper's own callback */
        HeldList held;
        HeldList unread; /* ids of which is not known what is on disk; the texts are empty */
        Failure said;    /* the last sentence */
        Failure unkept;
};

static Task *task_free(Task *t)
{
        if (!t)
                return NULL;
        free(t->text);
        return mfree(t);
}
DEFINE_CLEANUP(Task *, task_free)

/* ---- in the child ---- */

/* One byte when it is done, and behind it what was read; else the errno's. */
static void do_task(int fd, const void *what)
{
        _cleanup_buffer_ Buffer answer = BUFFER_INIT(DRAFT_MAX);
        const Task *t = what;
        int r = 0;

        switch (t->kind) {
        case TASK_READ_DRAFT:
                r = draft_read(t->drafts, t->id, &answer);
                break;
        case TASK_WRITE_DRAFT:
                r = draft_write(t->drafts, t->id, t->how, t->text, t->size);
                break;
        case TASK_DRAFT_SENT:
                r = draft_sent(t->drafts, t->id, t->text, t->size);
                break;
        case TASK_WRITE_HISTORY:
                r = history_write(t->drafts, t->id, t->text, t->size);
                break;
        case TASK_TIDY_HISTORY:
                r = history_tidy(t->drafts);
                break;
        case TASK_FORGET:
                r = drafts_forget(t->drafts, t->text);
                break;
        case TASK_AVATAR_ON:
        case TASK_AVATAR_OFF:
                r = settings_remember_avatar(t->kind == TASK_AVATAR_ON);
                break;
        case _TASK_MAX:
                break;
        }
        r = -r;
        helper_answer(fd, (const char *) &r, sizeof r);
        helper_answer(fd, buffer_text(&answer), answer.size);
}

/* ---- one after another ---- */

static const char *const attempts[_TASK_MAX] = {
        [TASK_READ_DRAFT] = "What was written here before cannot be read, and is not written over",
        [TASK_WRITE_DRAFT] = "What is written cannot be kept on disk",
        [TASK_DRAFT_SENT] = "What is written cannot be kept on disk",
        [TASK_WRITE_HISTORY] = "What was sent cannot be kept on disk",
        [TASK_TIDY_HISTORY] = "What was sent cannot be kept on disk",
        [TASK_FORGET] = "What was written in a conversation that is gone cannot be removed",
        [TASK_AVATAR_ON] = "The setting cannot be kept on disk",
        [TASK_AVATAR_OFF] = "The setting cannot be kept on disk",
};

static bool is_pending(const Keeper *k, TaskKind kind, const char *id)
{
        for (const Task *t = k->tasks; t; t = t->next)
                if (t->kind == kind && (!id || streq(t->id, id)))
                        return true;
        return false;
}

static bool is_for_disk(const Held *h)
{
        return !(h->flags & (HELD_PRIVATE | HELD_UNSURE));
}

static bool holds_for_disk(const Keeper *k)
{
        for (const Held *h = k->held.first; h; h = h->next)
                if (is_for_disk(h))
                        return true;
        return false;
}

static void note(Failure *place, const Failure *failure)
{
        failure_done(place);
        *place = FAILURE_NULL;
        failure_copy(place, failure);
}

static int hold(Keeper *k, const char *id, HeldFlags flags, const char *text, size_t size)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        int r;

        r = held_put(&k->held, id, flags, text, size);
        if (r <= 0)
                return r;
        (void) failure_set(&failure, FAILURE_TOO_LARGE,
                "Too much is written that is not on disk; the oldest of it is given up.");
        k->ops->failed(&failure, k->userdata);
        return 0;
}

/* Unless there is newer text already. */
static void hold_draft(Keeper *k, const Task *t)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        int r;

        if (is_pending(k, TASK_WRITE_DRAFT, t->id) || held_find(&k->held, t->id))
                return;
        r = hold(k, t->id, t->how == DRAFT_BELOW ? HELD_BELOW : 0, t->text, t->size);
        if (r >= 0)
                return;
        (void) failure_set_errno(&failure, r, "What is written is lost");
        k->ops->failed(&failure, k->userdata);
}

static void task_failed(Keeper *k, const Task *t, int error)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;

        (void) failure_set_errno(&failure, error, "%s", attempts[t->kind]);
        if (t->kind == TASK_READ_DRAFT)
                (void) held_put(&k->unread, t->id, 0, "", 0);
        else if (t->kind == TASK_WRITE_DRAFT || !holds_for_disk(k))
                note(&k->unkept, &failure);
        if (t->kind == TASK_WRITE_DRAFT)
                hold_draft(k, t);
        if (t->kind == TASK_WRITE_DRAFT || t->kind == TASK_DRAFT_SENT)
                k->ops->unkept(t->id, k->userdata);
        /* A disk that is full is so with every word. */
        if (failure_is_set(&k->said) && streq(failure_message(&k->said), failure_message(&failure)))
                return;
        note(&k->said, &failure);
        k->ops->failed(&failure, k->userdata);
}

/* It works again: the next time is news. */
static void task_done(Keeper *k, const Task *t)
{
        if (t->kind == TASK_WRITE_DRAFT) {
                if (t->size > 0)
                        held_drop(&k->unread, t->id);
                (void) keeper_retry(k);
        }
        if (holds_for_disk(k) ||
                (failure_is_set(&k->unkept) && is_pending(k, TASK_WRITE_DRAFT, NULL)))
                return;
        note(&k->said, &FAILURE_NULL);
        note(&k->unkept, &FAILURE_NULL);
}

/* Whether that is all that is known of it. */
static bool give_held(Keeper *k, const char *id)
{
        const Held *h = held_find(&k->held, id);

        if (!h)
                return false;
        if (is_for_disk(h) && !(h->flags & HELD_BELOW)) {
                (void) k->ops->draft(id, h->text, h->size, k->userdata);
                return true;
        }
        if (k->ops->held(id, h->text, h->size, k->userdata))
                held_drop(&k->held, id);
        return false;
}

static void take_draft(Keeper *k, const Task *t, int error, const Buffer *answer)
{
        /* One that is read again is given once, with all that was written meanwhile. */
        if (is_pending(k, TASK_READ_DRAFT, t->id) || give_held(k, t->id))
                return;
        if (error != 0) {
                task_failed(k, t, -error);
                return;
        }
        held_drop(&k->unread, t->id);
        if (k->ops->draft(t->id, answer->data + sizeof error, answer->size - sizeof error,
                    k->userdata) < 0)
                (void) held_put(&k->unread, t->id, 0, "", 0);
}

/* Of what is held, too, what was sent is not written any more. */
static void take_sent(Keeper *k, const Task *t)
{
        const Held *h = held_find(&k->held, t->id);
        size_t sent;

        if (!h || !is_for_disk(h))
                return;
        sent = draft_sent_size(h->text, h->size, t->text, t->size);
        if (sent > 0)
                (void) held_put(&k->held, t->id, h->flags, h->text + sent, h->size - sent);
}

static void forget(Keeper *k, const char *ids)
{
        for (; strlen(ids) >= DRAFT_ID - 1; ids += DRAFT_ID - 1) {
                char id[DRAFT_ID] = "";

                memcpy(id, ids, DRAFT_ID - 1);
                held_drop(&k->held, id);
                held_drop(&k->unread, id);
        }
}

static void take_answer(Keeper *k, const Task *t, const Buffer *answer)
{
        int error = EIO; /* it died without a word */

        if (answer->size >= sizeof error)
                memcpy(&error, answer->data, sizeof error);
        if (t->kind == TASK_DRAFT_SENT)
                take_sent(k, t);
        if (t->kind == TASK_FORGET)
                forget(k, t->text);
        if (t->kind == TASK_READ_DRAFT)
                take_draft(k, t, error, answer);
        else if (error != 0)
                task_failed(k, t, -error);
        else
                task_done(k, t);
}

static void on_done(Buffer *answer, int *file, void *userdata)
{
        Keeper *k = ASSERT_PTR(userdata);
        _cleanup_(task_freep) Task *t = k->tasks;

        k->tasks = t->next;
        take_answer(k, t, answer);
        (void) sd_event_source_set_enabled(k->next, SD_EVENT_ONESHOT);
}

static int on_next(sd_event_source *source, void *userdata)
{
        Keeper *k = ASSERT_PTR(userdata);
        const HelperJob job = {
                .flags = HELPER_STAYS,
                .work = do_task,
                .what = k->tasks,
                .answer_max = DRAFT_MAX + KIB(1),
                .done = on_done,
                .userdata = k,
        };
        int r;

        k->helper = helper_free(k->helper);
        if (!k->tasks) {
                k->ops->idle(k->userdata);
                return 0;
        }
        if (held_find(&k->unread, k->tasks->id))
                k->tasks->how = DRAFT_ASIDE;
        r = helper_start(k->event, &job, &k->helper);
        if (r < 0) {
                _cleanup_(task_freep) Task *t = k->tasks;

                k->tasks = t->next;
                task_failed(k, t, r);
                (void) sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        }
        return 0;
}

static int add(Keeper *k, TaskKind kind, const char *id, const char *text, size_t size)
{
        _cleanup_(task_freep) Task *t = NULL;
        Task **place = &k->tasks;

        if (strlen(id) >= DRAFT_ID)
                return -EINVAL;
        t = calloc(1, sizeof *t);
        if (!t)
                return -ENOMEM;
        t->kind = kind;
        t->drafts = k->drafts;
        t->size = size;
        (void) snprintf(t->id, sizeof t->id, "%s", id);
        t->text = strndup(strempty(text), size);
        if (!t->text)
                return -ENOMEM;
        while (*place)
                place = &(*place)->next;
        *place = TAKE_PTR(t);
        return k->helper ? 0 : sd_event_source_set_enabled(k->next, SD_EVENT_ONESHOT);
}

/* The last task of this draft, if it is to write it and not begun: a disk that is slow gets only
 * the newest text. */
static Task *find_write(Keeper *k, const char *id)
{
        Task *last = NULL;

        for (Task *t = k->tasks; t; t = t->next)
                if (streq(t->id, id) && t->kind <= TASK_DRAFT_SENT)
                        last = t;
        return last && last->kind == TASK_WRITE_DRAFT && (last != k->tasks || !k->helper) ? last
                                                                                          : NULL;
}

static int write_draft(Keeper *k, const char *id, DraftWrite how, const char *text, size_t size)
{
        Task *t = find_write(k, id);
        char *copy;
        int r;

        if (!t) {
                r = add(k, TASK_WRITE_DRAFT, id, text, size);
                if (r < 0)
                        return r;
                for (t = k->tasks; t->next; t = t->next)
                        ;
                t->how = how;
                return 0;
        }
        copy = strndup(text, size);
        if (!copy)
                return -ENOMEM;
        free(t->text);
        t->text = copy;
        t->size = size;
        t->how = how;
        return 0;
}

/* ---- what is held ---- */

int keeper_hold(Keeper *k, const char *id, HeldFlags flags, const char *text, size_t size)
{
        _cleanup_buffer_ Buffer both = BUFFER_INIT(HELD_BYTES);
        const Held *h = held_find(&k->held, id);
        int r;

        if (size == 0)
                return 0;
        if (!h)
                return hold(k, id, flags, text, size);
        r = buffer_append(&both, text, size);
        if (r >= 0)
                r = buffer_append(&both, "\n", 1);
        if (r >= 0)
                r = buffer_append(&both, h->text, h->size);
        return r < 0 ? r : hold(k, id, flags | h->flags, both.data, both.size);
}

void keeper_read_held(Keeper *k, const char *id)
{
        (void) give_held(k, id);
}

int keeper_settle(Keeper *k, const char *id, bool private)
{
        Held *h = held_find(&k->held, id);

        if (!h || !(h->flags & HELD_UNSURE))
                return 0;
        h->flags = private ? HELD_PRIVATE : HELD_BELOW;
        return private ? 0 : keeper_retry(k);
}

bool keeper_is_unsure(const Keeper *k)
{
        for (const Held *h = k->held.first; h; h = h->next)
                if (h->flags & HELD_UNSURE)
                        return true;
        return false;
}

int keeper_retry(Keeper *k)
{
        int r;

        for (Held *h = k->held.first, *next; h; h = next) {
                next = h->next;
                if (!is_for_disk(h))
                        continue;
                r = write_draft(k, h->id, h->flags & HELD_BELOW ? DRAFT_BELOW : DRAFT_REPLACE,
                        h->text, h->size);
                if (r < 0)
                        return r;
                held_drop(&k->held, h->id);
        }
        return 0;
}

/* ---- what is asked for ---- */

int keeper_read_draft(Keeper *k, const char *id)
{
        return give_held(k, id) ? 0 : add(k, TASK_READ_DRAFT, id, NULL, 0);
}

int keeper_write_draft(Keeper *k, const char *id, const char *text, size_t size)
{
        bool is_seen = !is_pending(k, TASK_READ_DRAFT, id);
        int r;

        r = write_draft(k, id, is_seen ? DRAFT_REPLACE : DRAFT_BELOW, text, size);
        if (r >= 0)
                held_drop(&k->held, id);
        return r;
}

int keeper_draft_sent(Keeper *k, const char *id, const char *text, size_t size)
{
        return add(k, TASK_DRAFT_SENT, id, text, size);
}

int keeper_write_history(Keeper *k, const char *id, const char *text, size_t size)
{
        return add(k, TASK_WRITE_HISTORY, id, text, size);
}

int keeper_tidy_history(Keeper *k)
{
        return add(k, TASK_TIDY_HISTORY, "", NULL, 0);
}

int keeper_forget(Keeper *k, const char *ids)
{
        return add(k, TASK_FORGET, "", ids, strlen(ids));
}

int keeper_remember_avatar(Keeper *k, bool on)
{
        return add(k, on ? TASK_AVATAR_ON : TASK_AVATAR_OFF, "", NULL, 0);
}

bool keeper_is_idle(const Keeper *k)
{
        return !k->tasks;
}

const Failure *keeper_failure(const Keeper *k)
{
        return failure_is_set(&k->unkept) ? &k->unkept : NULL;
}

/* ---- the whole ---- */

int keeper_new(sd_event *event, Drafts *drafts, const KeeperOps *ops, void *userdata, Keeper **ret)
{
        _cleanup_(keeper_freep) Keeper *k = NULL;
        int r;

        k = calloc(1, sizeof *k);
        if (!k)
                return -ENOMEM;
        k->event = sd_event_ref(event);
        k->drafts = drafts;
        k->ops = ops;
        k->userdata = userdata;
        r = sd_event_add_defer(event, &k->next, on_next, k);
        if (r >= 0)
                r = sd_event_source_set_enabled(k->next, SD_EVENT_OFF);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(k->next, "keeper");
        *ret = TAKE_PTR(k);
        return 0;
}

Keeper *keeper_free(Keeper *k)
{
        if (!k)
                return NULL;
        helper_free(k->helper);
        while (k->tasks) {
                Task *t = k->tasks;

                k->tasks = t->next;
                task_free(t);
        }
        sd_event_source_disable_unref(k->next);
        held_clear(&k->held);
        held_clear(&k->unread);
        failure_done(&k->said);
        failure_done(&k->unkept);
        sd_event_unref(k->event);
        return mfree(k);
}
