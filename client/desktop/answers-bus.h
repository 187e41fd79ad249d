/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Questions that were asked from the runner, and the beginnings of their answers: kept, so that the
 * same question shows its answer in place. */

#include "client/desktop/place.h"
#include "client/desktop/session-bus.h"

#define QUESTION_MAX KIB(4)
#define ANSWERS_KEPT 16U /* the oldest ended one is forgotten */

typedef struct Answers Answers;

typedef enum AnswerState {
        ANSWER_NONE, /* this was not asked */
        ANSWER_COMING,
        ANSWER_HERE,
        ANSWER_FAILED,
} AnswerState;

int answers_new(Session *session, Answers **ret);
Answers *answers_free(Answers *a);
DEFINE_CLEANUP(Answers *, answers_free)

/* -EBUSY: too many are under way; nothing is done when this is asked or answered already. */
int answers_ask(Answers *a, const char *question);

/* *ret_text: the answer without control characters but newlines, or why it failed. *ret_place:
 * where it is, of ANSWER_HERE only. */
AnswerState answers_find(
        const Answers *a, const char *question, const char **ret_text, Place *ret_place);
