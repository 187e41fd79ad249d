/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* For the tests of the engines: two scripted servers, the engines that know them, and questions
 * that note what they are told. */

#include "service/engine/engine.h"
#include "tests/unit/engine-server.h"

#define TAGS(names) "{\"models\":[" names "]}"
#define TAG(name)   "{\"name\":\"" name "\",\"modified_at\":\"2026-01-01T00:00:00Z\"}"

typedef struct Fixture {
        Server servers[2];
        sd_event *event;
        sd_event_source *timeout, *pokes[2];
        Worker *worker;
        Engines *engines;
        EngineConfig configs[2];
        Config config;
        Buffer notices, changes;
} Fixture;

/* One engine "one" (Ollama) at the first server; a test may change it and add "two". */
int fixture_setup(void **state);
int fixture_teardown(void **state);
EngineConfig engine_config(const char *name, EngineType type, const char *url);
void fixture_start(Fixture *f);
void turn(Fixture *f);
void wait_count(Fixture *f, Server *s, const unsigned *counter, unsigned n);

/* ---- one question ---- */

typedef struct Question {
        EngineReply *reply;
        Buffer text, log; /* log: r(outed), a place, f(irst text), e(nded) */
        Buffer phases;
        bool ended;
        EngineOutcome outcome;
        char *engine, *model, *message;
        FailureCode code;
        char free_at; /* a letter of the log: the reply is freed there */
} Question;

void question_done(Question *q);
#define _cleanup_question_ _cleanup_(question_done)

/* The user's messages and the assistant's in turn, each so many bytes of text's first letter. */
Prompt *make_prompt(const char *text, const size_t *sizes, size_t n);
int ask_prompt(Fixture *f, Question *q, const char *model, Prompt *p, Failure *failure);
void ask(Fixture *f, Question *q, const char *model, const char *text);
void wait_end(Fixture *f, Question *q);
void expect_good(Question *q, const char *engine, unsigned attempts);
/* The message has both parts in it. */
void expect_failed(Question *q, FailureCode code, const char *part, const char *part2);
