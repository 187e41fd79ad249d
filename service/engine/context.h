/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* How much of a conversation fits into a model's context, and which exchanges are left out. */

#include "service/engine/prompt.h"

/* About as many tokens as the prompt without its oldest skip messages takes. No engine's tokenizer
 * is asked: 3.5 bytes of UTF-8 a token, which errs on the full side for most languages. */
uint64_t context_estimate(const Prompt *p, unsigned skip);

/* How many messages are left out when the oldest exchange that is still there goes too. An exchange
 * is a question with what answered it: it goes whole or not at all. The last question always stays:
 * then the result equals skip. */
unsigned context_skip_exchange(const Prompt *p, unsigned skip);

/* Leaves exchanges out, beginning with skip, until the estimate is at most tokens or only the last
 * question is left. */
unsigned context_fit(const Prompt *p, unsigned skip, uint64_t tokens);

/* What of a context of so many tokens the prompt may take, so that the answer has room. */
uint64_t context_budget(uint64_t context_size, uint64_t max_tokens);
