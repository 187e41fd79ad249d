/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/bench/history.h"

#include "service/store/store-db.h"
#include "tests/bench/bench.h"
#include "tests/bus/process.h"

#define WORDS        24U /* in each message */
#define VOCABULARY   20000U
#define NEEDLE_EVERY 9973U
#define FIRST_TIME   (UINT64_C(1700000000) * USEC_PER_SEC)

typedef struct History {
        const char *path;
        unsigned conversations, messages;
        uint64_t last_id;
        uint32_t state; /* of the random numbers, always the same ones */
} History;

static uint32_t next_random(History *history)
{
        history->state = history->state * 1664525U + 1013904223U;
        return history->state >> 8;
}

/* Few words are frequent, most are rare, as in any language. */
static unsigned next_word(History *history)
{
        double x = (double) next_random(history) / (1U << 24);

        return (unsigned) (x * x * x * VOCABULARY);
}

static void write_text(History *history, StoreMessage *m)
{
        size_t allocated;
        FILE *f = open_memstream(&m->content, &allocated);

        assert_non_null(f);
        if (m->id % NEEDLE_EVERY == 0)
                assert_true(fputs("needle ", f) >= 0);
        for (unsigned i = 0; i < WORDS; i++)
                assert_true(fprintf(f, "w%x ", next_word(history)) > 0);
        assert_int_equal(fclose(f), 0);
        m->content_size = strlen(m->content);
}

static void add_batch(StoreDb *db, History *history, uint64_t number, size_t n, uint64_t *parent)
{
        static StoreMessage messages[HISTORY_BATCH];

        for (size_t i = 0; i < n; i++) {
                StoreMessage *m = &messages[i];

                *m = (StoreMessage){ .id = ++history->last_id,
                        .parent = *parent,
                        .role = i % 2 ? ROLE_ASSISTANT : ROLE_USER,
                        .reason = i % 2 ? REASON_STOP : REASON_NONE,
                        .created = FIRST_TIME + history->last_id * USEC_PER_SEC };
                write_text(history, m);
                *parent = m->id;
        }
        assert_return_code(store_db_add_messages(db, number, messages, n, *parent,
                                   messages[n - 1].created, NULL, NULL),
                0);
        for (size_t i = 0; i < n; i++)
                free(messages[i].content);
}

/* In a process of its own, so that its memory is not the benchmark's. */
static void write_history(int ready, void *userdata)
{
        History history = *(const History *) userdata;
        StoreDbOpened opened = { 0 };
        StoreDb *db = NULL;

        assert_return_code(store_db_open(&db, history.path, &opened, NULL), 0);
        for (uint64_t number = 1; number <= history.conversations; number++) {
                uint64_t parent = 0;
                char title[] = "A conversation of long ago", model[] = "test/tiny:latest";
                StoreConversation c = { .number = number,
                        .title = title,
                        .model = model,
                        .created = FIRST_TIME,
                        .modified = FIRST_TIME,
                        .title_set = true };

                assert_return_code(sd_id128_randomize(&c.id), 0);
                assert_return_code(store_db_savepoint(db, number, NULL), 0);
                assert_return_code(store_db_create_conversation(db, &c, "", NULL), 0);
                for (unsigned done = 0; done < history.messages; done += HISTORY_BATCH)
                        add_batch(db, &history, number, MIN(HISTORY_BATCH, history.messages - done),
                                &parent);
                assert_return_code(
                        store_db_savepoint_end(db, number, /* failed= */ false, NULL), 0);
                assert_return_code(store_db_commit(db, NULL), 0);
                store_db_checkpoint(db);
        }
        store_db_remember(db, history.last_id, history.conversations);
        store_db_opened_done(&opened);
        store_db_free(db);
        assert_int_equal(write(ready, "", 1), 1);
}

void history_write(const char *database, unsigned conversations, unsigned messages)
{
        History history = {
                .path = database,
                .conversations = conversations,
                .messages = messages,
                .state = 1,
        };

        assert_int_equal(process_wait(bench_fork(write_history, &history), HARNESS_PATIENCE), 0);
}
