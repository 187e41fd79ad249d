/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What an engine is asked: a system prompt and the messages of one branch, oldest first. */

#include "common/text.h"

typedef struct PromptAttachment {
        char *name, *type;
        void *data;
        size_t size;
        size_t counted; /* by attachment_memory_take() */
} PromptAttachment;

typedef struct PromptMessage {
        Role role;
        char *text;
        size_t size;
        PromptAttachment *attachments;
        size_t n_attachments;
} PromptMessage;

typedef struct Prompt {
        char *system; /* "" = none */
        PromptMessage *messages;
        size_t n_messages;
        bool continues; /* the last message is an assistant's: go on with its text */
        bool cut_told;  /* a person knows that this conversation is sent without its oldest part */
        unsigned n_shared; /* owners beside the first; the loop's */
} Prompt;

/* Bytes of all texts and attachments. */
size_t prompt_size(const Prompt *p);
/* One more owner, who frees it too. */
Prompt *prompt_share(Prompt *p);
Prompt *prompt_free(Prompt *p);
DEFINE_CLEANUP(Prompt *, prompt_free)
