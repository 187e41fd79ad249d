/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* How much of a conversation fits into a model's context, and which exchanges are left out. */

#include "service/engine/prompt.h"

/* Bytes of UTF-8 that a token stands for. No engine's tokenizer is asked: the first guess errs on
 * the full side for most languages, then what the engine counted of earlier prompts says it better.
 * It depends on the model's tokenizer and on the languages that its user writes. */
#define CONTEXT_RATIO     3.5
#define CONTEXT_RATIO_MIN 1.5
#define CONTEXT_RATIO_MAX 6.0

/* About as many tokens as the prompt without its oldest skip messages takes. */
uint64_t context_estimate(const Prompt *p, unsigned skip, double ratio);

/* The ratio after an engine counted that prompt's tokens. A fuller count is believed at once, an
 * emptier one by and by: an estimate that is too low costs text. Counts out of the bounds are no
 * measure (an engine that counts only what it had not cached, or that cut the prompt). */
double context_calibrate(const Prompt *p, unsigned skip, uint64_t tokens, double ratio);

/* How many messages are left out when the oldest exchange that is still there goes too. An exchange
 * is a question with what answered it: it goes whole or not at all. The last question always stays:
 * then the result equals skip. */
unsigned context_skip_exchange(const Prompt *p, unsigned skip);

/* Leaves exchanges out, beginning with skip, until the estimate is at most tokens or only the last
 * question is left. */
unsigned context_fit(const Prompt *p, unsigned skip, double ratio, uint64_t tokens);

/* What of a context of so many tokens the prompt may take, so that the answer has room. */
uint64_t context_budget(uint64_t context_size, uint64_t max_tokens);
