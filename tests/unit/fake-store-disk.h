/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the store in memory has stored, for its requests. */

#include "tests/unit/conversation-fakes.h"

typedef struct Row {
        uint64_t number;
        StoreMessage m;
} Row;

typedef struct Thread {
        StoreConversation c;
        char *system;
} Thread;

typedef struct Token {
        uint64_t number, user, reply;
        char *token;
} Token;

typedef struct FakeDisk {
        Row *rows;
        size_t n_rows;
        Thread *threads;
        size_t n_threads;
        Token *tokens;
        size_t n_tokens;
        uint64_t id, number;
} FakeDisk;
extern FakeDisk fake_disk;

char *fake_copy(const char *s, size_t size);
char *fake_copy_string(const char *s); /* "" for NULL */
/* data: that of its attachments too. */
StoreMessage fake_copy_message(const StoreMessage *m, bool data);
/* Room for one more than n. */
void *fake_grow(void *array, size_t n, size_t size);

/* NULL when it is not there. */
StoreMessage *fake_find_row(uint64_t number, uint64_t id);
Thread *fake_find_thread(uint64_t number);
void fake_remove_thread(uint64_t number);
