/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/engine/builtin.h"

#include "common/event-util.h"
#include "service/engine/doctor.h"

#define WORD_DELAY_MIN    (15 * USEC_PER_MSEC)
#define WORD_DELAY_MAX    (30 * USEC_PER_MSEC)
#define WORD_DELAY_LETTER (2 * USEC_PER_MSEC)

struct BuiltinAnswer {
        char *text;
        size_t size, position;
        unsigned words;
        sd_event_source *timer;
        const BuiltinOps *ops;
        void *userdata;
};

BuiltinAnswer *builtin_answer_free(BuiltinAnswer *a)
{
        if (!a)
                return NULL;

        sd_event_source_disable_unref(a->timer);
        free(a->text);
        free(a);
        return NULL;
}

/* The spaces before a word and the word. */
static size_t next_word(const BuiltinAnswer *a)
{
        const char *p = a->text + a->position;
        size_t n = strspn(p, " \n");

        return n + strcspn(p + n, " \n");
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
        BuiltinAnswer *a = ASSERT_PTR(userdata);
        size_t n = next_word(a), position = a->position;
        usec_t delay;
        int r;

        if (n == 0) {
                a->ops->ended(a->words, a->userdata);
                return 0;
        }

        /* All before the callback, which may free the answer. The end comes with the last word. */
        a->position += n;
        a->words++;
        delay = a->position == a->size
                ? 0
                : MIN(WORD_DELAY_MIN + n * WORD_DELAY_LETTER, WORD_DELAY_MAX);
        r = sd_event_source_set_time_relative(source, delay);
        if (r >= 0)
                r = sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        if (r < 0) {
                /* Else nobody would be told that it never ends. */
                event_give_up(sd_event_source_get_event(source), r, "the built-in engine's answer");
                return 0;
        }
        a->ops->text(a->text + position, n, a->userdata);
        return 0;
}

int builtin_answer_new(BuiltinAnswer **ret, sd_event *event, const Prompt *prompt,
        const BuiltinOps *ops, void *userdata)
{
        _cleanup_(builtin_answer_freep) BuiltinAnswer *a = NULL;
        int r;

        assert(ret && event && prompt && ops);

        a = calloc(1, sizeof *a);
        if (!a)
                return -ENOMEM;
        a->ops = ops;
        a->userdata = userdata;

        r = doctor_answer(prompt, &a->text);
        if (r < 0)
                return r;
        a->size = strlen(a->text);

        r = sd_event_add_time_relative(
                event, &a->timer, CLOCK_MONOTONIC, WORD_DELAY_MIN, USEC_PER_MSEC, on_timer, a);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(a->timer, "builtin-word");

        *ret = TAKE_PTR(a);
        return 0;
}
