/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a store is asked for while a tape runs, and what of it has to be there after a cut. */

#include "tests/unit/store-fixture.h"

#define FACTS_MAX       1200U
#define POWER_TEXT_MAX  600U
#define POWER_DATA_SIZE 3000U
#define REPLY_MAX       40U /* words */

typedef enum FactKind {
        FACT_CREATED,
        FACT_PAIR, /* a question and its reply, the question with an attachment */
        FACT_TEXT, /* so much of the reply's text */
        FACT_ENDED,
        FACT_PURGED,
        FACT_SETTING,
        FACT_DAMAGED, /* by the test, on the disk; nothing is lost with it */
} FactKind;

typedef enum Known {
        UNKNOWN,
        ASKED,
        ACKNOWLEDGED,
        _KNOWN_MAX,
} Known;

typedef struct Fact {
        FactKind kind;
        uint64_t number, question, reply;
        unsigned words;
        Known known; /* while a tape is played */
} Fact;

typedef struct World {
        Fixture *f;
        Fact facts[FACTS_MAX];
        size_t n_facts;
        unsigned n_setting;
        char cut[80];   /* the folder after the cut */
        char path[112]; /* the database there */
        char problem[512];
        unsigned seed;
        unsigned n_cuts, n_second, n_salvaged, n_lost;
        uint64_t n_checked;
} World;

/* What a question, a reply of so many words and an attachment of this id are made of, whenever. */
void make_question(uint64_t id, char text[static POWER_TEXT_MAX]);
char *make_reply(uint64_t id, unsigned words);
void make_attachment(uint64_t id, char data[static POWER_DATA_SIZE]);

/* ---- power-life.c ---- */

/* So many questions with their replies, a setting, a purge; each is a fact. */
void live_session(World *w, unsigned pairs);
/* Leaves a database as that version of the schema has it, with a session in it. */
void make_earlier(World *w, size_t version);
/* Damages the database on the disk so that nothing is lost with it. */
void damage(World *w);

/* ---- power-check.c ---- */

/* Opens the store in the folder after the cut, as a start does; w->problem says what is not as it
 * has to be. */
void check_cut(World *w);
