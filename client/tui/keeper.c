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
        Failure said;
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
                r = draft_write(t->drafts, t->id, t->text, t->size);
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
        [TASK_READ_DRAFT] = "What was written here before cannot be read",
        [TASK_WRITE_DRAFT] = "What is written cannot be kept on disk",
        [TASK_DRAFT_SENT] = "What is written cannot be kept on disk",
        [TASK_WRITE_HISTORY] = "What was sent cannot be kept on disk",
        [TASK_TIDY_HISTORY] = "What was sent cannot be kept on disk",
        [TASK_FORGET] = "What was written in a conversation that is gone cannot be removed",
        [TASK_AVATAR_ON] = "The setting cannot be kept on disk",
        [TASK_AVATAR_OFF] = "The setting cannot be kept on disk",
};

static void task_failed(Keeper *k, const Task *t, int error)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;

        if (t->kind == TASK_WRITE_DRAFT || t->kind == TASK_DRAFT_SENT)
                k->ops->unkept(t->id, k->userdata);
        (void) failure_set_errno(&failure, error, "%s", attempts[t->kind]);
        /* A disk that is full is so with every word. */
        if (failure_is_set(&k->said) && streq(failure_message(&k->said), failure_message(&failure)))
                return;
        failure_done(&k->said);
        failure_copy(&k->said, &failure);
        k->ops->failed(&failure, k->userdata);
}

static void take_answer(Keeper *k, const Task *t, const Buffer *answer)
{
        int error = EIO; /* it died without a word */

        if (answer->size >= sizeof error)
                memcpy(&error, answer->data, sizeof error);
        if (error != 0) {
                task_failed(k, t, -error);
                return;
        }
        if (t->kind == TASK_READ_DRAFT)
                k->ops->draft(t->id, answer->data + sizeof error, answer->size - sizeof error,
                        k->userdata);
        else if (failure_is_set(&k->said)) { /* it works again: the next time is news */
                failure_done(&k->said);
                k->said = FAILURE_NULL;
        }
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

/* ---- what is asked for ---- */

int keeper_read_draft(Keeper *k, const char *id)
{
        return add(k, TASK_READ_DRAFT, id, NULL, 0);
}

int keeper_write_draft(Keeper *k, const char *id, const char *text, size_t size)
{
        return add(k, TASK_WRITE_DRAFT, id, text, size);
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
        return failure_is_set(&k->said) ? &k->said : NULL;
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
        failure_done(&k->said);
        sd_event_unref(k->event);
        return mfree(k);
}
