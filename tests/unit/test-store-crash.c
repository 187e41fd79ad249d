/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/store-fixture.h"

#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>

/* A child writes and says what was acknowledged; it is killed at any moment, again and again on the
 * same database; then all that it said must be there. */

#define ROUNDS    12U
#define WORDS_MAX 10U
#define ACKS_MAX  400U

typedef enum AckKind {
        ACK_PAIR,     /* a question and its live reply */
        ACK_APPENDED, /* so many words of the reply */
        ACK_ENDED,
} AckKind;

typedef struct Ack {
        AckKind kind;
        uint64_t number, question, reply;
        unsigned words;
} Ack;

static void say(int fd, Ack ack)
{
        if (write(fd, &ack, sizeof ack) != sizeof ack)
                _exit(1);
}

static char *make_words(uint64_t reply, unsigned n)
{
        char *text = calloc(1, 64 * WORDS_MAX + 1), *end = text;

        for (unsigned i = 0; i < n; i++)
                end += sprintf(end, "r%lu-wörd-%u ", (unsigned long) reply, i);
        return text;
}

static void child_pair(Fixture *f, int fd, uint64_t number)
{
        StoreConversation touched = { .number = number, .read = 1 };
        StoreMessage pair[2] = {
                { .id = store_next_id(f->store),
                        .role = ROLE_USER,
                        .content = (char *) "question",
                        .content_size = 8 },
                { .role = ROLE_ASSISTANT, .live = true },
        };
        Ack ack = { ACK_PAIR, number, pair[0].id, 0, 0 };
        _cleanup_free_ char *all = NULL;
        size_t offset = 0;

        ack.reply = pair[1].id = store_next_id(f->store);
        pair[1].parent = pair[0].id;
        if (do_add_all(f, number, pair, 2, ack.reply, NULL) != FAILURE_NONE)
                _exit(1);
        say(fd, ack);

        for (ack.words = 1; ack.words <= WORDS_MAX; ack.words++) {
                _cleanup_free_ char *text = make_words(ack.reply, ack.words);

                (void) store_append_reply(f->store, number, ack.reply, CHANNEL_CONTENT, offset,
                        text + offset, strlen(text) - offset);
                offset = strlen(text);
                /* What comes after it is acknowledged: so it is durable as well. */
                if (do_update(f, &touched, STORE_READ) != FAILURE_NONE)
                        _exit(1);
                ack.kind = ACK_APPENDED;
                say(fd, ack);
        }
        all = make_words(ack.reply, WORDS_MAX);
        if (do_end(f, number, ack.reply, all, REASON_STOP) != FAILURE_NONE)
                _exit(1);
        ack.kind = ACK_ENDED;
        ack.words = WORDS_MAX;
        say(fd, ack);
}

_noreturn_ static void child_main(const char *path, int fd)
{
        Fixture f = { 0 };
        uint64_t number;

        (void) strcpy(f.path, path);
        if (fixture_open(&f) != FAILURE_NONE)
                _exit(1);
        number = store_next_number(f.store, /* private= */ false);
        if (do_create(&f, number, "crash") != FAILURE_NONE)
                _exit(1);
        for (;;)
                child_pair(&f, fd, number);
}

/* The newest word about each reply. */
static size_t collect(Ack *acks, size_t n, const Ack *ack)
{
        for (size_t i = 0; i < n; i++)
                if (acks[i].reply == ack->reply) {
                        acks[i] = *ack;
                        return n;
                }
        assert_true(n < ACKS_MAX);
        acks[n] = *ack;
        return n + 1;
}

static size_t run_child(const char *path, unsigned kill_after, Ack *acks, size_t n)
{
        int pipe_fds[2], status;
        unsigned seen = 0;
        pid_t pid;
        Ack ack;

        assert_return_code(pipe2(pipe_fds, O_CLOEXEC), errno);
        pid = fork();
        assert_return_code(pid, errno);
        if (pid == 0) {
                (void) close(pipe_fds[0]);
                child_main(path, pipe_fds[1]);
        }
        (void) close(pipe_fds[1]);

        while (seen < kill_after && read(pipe_fds[0], &ack, sizeof ack) == (ssize_t) sizeof ack) {
                n = collect(acks, n, &ack);
                seen++;
        }
        assert_int_equal(seen, kill_after);
        assert_return_code(kill(pid, SIGKILL), errno);
        /* It said more before it died. */
        while (read(pipe_fds[0], &ack, sizeof ack) == (ssize_t) sizeof ack)
                n = collect(acks, n, &ack);
        (void) close(pipe_fds[0]);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        return n;
}

static void check_acks(Fixture *f, const Ack *acks, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                _cleanup_free_ char *text = make_words(acks[i].reply, acks[i].words);
                const StoreMessage *m;

                assert_int_equal(
                        do_page(f, acks[i].number, acks[i].reply, 10, SIZE_MAX), FAILURE_NONE);
                assert_int_equal(f->messages->n_messages, 2);
                m = f->messages->messages;
                assert_int_equal(m[0].id, acks[i].question);
                assert_string_equal(m[0].content, "question");
                assert_false(m[1].live);
                assert_true(m[1].reason == REASON_STOP || m[1].reason == REASON_INTERRUPTED);
                if (acks[i].kind == ACK_ENDED)
                        assert_int_equal(m[1].reason, REASON_STOP);
                /* At least what was said, and nothing else. */
                assert_ptr_equal(startswith(m[1].content, text), m[1].content + strlen(text));
                text = mfree(text);
                text = make_words(acks[i].reply, WORDS_MAX);
                assert_non_null(startswith(text, m[1].content));
        }
}

static void check_integrity(const char *path)
{
        sqlite3_stmt *stmt;
        sqlite3 *sqlite;

        assert_int_equal(sqlite3_open_v2(path, &sqlite, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
        assert_int_equal(
                sqlite3_prepare_v2(sqlite, "PRAGMA integrity_check", -1, &stmt, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
        assert_string_equal((const char *) sqlite3_column_text(stmt, 0), "ok");
        (void) sqlite3_finalize(stmt);
        assert_int_equal(sqlite3_prepare_v2(sqlite, "SELECT count(*) FROM messages WHERE live", -1,
                                 &stmt, NULL),
                SQLITE_OK);
        assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
        assert_int_equal(sqlite3_column_int(stmt, 0), 0);
        (void) sqlite3_finalize(stmt);
        (void) sqlite3_close(sqlite);
}

static void test_kill(void **state)
{
        Fixture *f = *state;
        static Ack acks[ACKS_MAX];
        unsigned seed = (unsigned) getpid();
        size_t n = 0;

        print_message("# seed %u\n", seed);
        fixture_close(f);
        for (unsigned i = 0; i < ROUNDS; i++) {
                n = run_child(f->path, 1 + (unsigned) rand_r(&seed) % 60, acks, n);

                assert_int_equal(fixture_open(f), FAILURE_NONE);
                assert_in_range(f->index->interrupted, 0, 1);
                check_acks(f, acks, n);
                /* The check after such an end comes while requests are served. */
                if (i % 4 == 0) {
                        wait_notice(f, STORE_NOTICE_CHECKED);
                        assert_int_equal(do_search(f, "question", 0, 0, 64), FAILURE_NONE);
                        assert_true(f->n_hits > 0);
                }
                assert_int_equal(f->notices[STORE_NOTICE_SALVAGED], 0);
                fixture_close(f);
                check_integrity(f->path);
        }
        assert_int_equal(fixture_open(f), FAILURE_NONE);
        assert_int_equal(f->index->interrupted, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_kill, fixture_setup, fixture_teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
