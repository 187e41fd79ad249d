/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The built-in engine: the doctor's answer, streamed word by word from the loop as a model's would
 * be. */

#include <systemd/sd-event.h>

#include "common/macro.h"
#include "service/engine/prompt.h"

#define BUILTIN_ENGINE "builtin"
#define BUILTIN_MODEL  "doctor"
#define BUILTIN_NOTE \
        "The built-in offline partner answered, after Weizenbaum's DOCTOR: it is not a language " \
        "model."

typedef struct BuiltinAnswer BuiltinAnswer;

typedef struct BuiltinOps {
        void (*text)(const char *text, size_t size, void *userdata);
        void (*ended)(unsigned words, void *userdata); /* exactly once, unless freed before */
} BuiltinOps;

/* ops must outlive the answer; both are called from the loop and may free it. */
int builtin_answer_new(BuiltinAnswer **ret, sd_event *event, const Prompt *prompt,
        const BuiltinOps *ops, void *userdata);
BuiltinAnswer *builtin_answer_free(BuiltinAnswer *a);
DEFINE_CLEANUP(BuiltinAnswer *, builtin_answer_free)
