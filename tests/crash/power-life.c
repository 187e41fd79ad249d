/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/crash/disk.h"
#include "tests/crash/power.h"
#include "tests/unit/sqlite-util.h"

static size_t ask(World *w, Fact fact)
{
        assert_true(w->n_facts < FACTS_MAX);
        w->facts[w->n_facts] = fact;
        disk_mark(w->n_facts * _KNOWN_MAX + ASKED);
        return w->n_facts++;
}

static void acknowledge(size_t fact)
{
        disk_mark(fact * _KNOWN_MAX + ACKNOWLEDGED);
}

void make_question(uint64_t id, char text[static POWER_TEXT_MAX])
{
        (void) snprintf(text, POWER_TEXT_MAX, "question q%luq of 東京 and more %0*d",
                (unsigned long) id, (int) (id % 500), 7);
}

char *make_reply(uint64_t id, unsigned words)
{
        char *text = calloc(1, 32 * REPLY_MAX + 1), *end = text;

        assert_non_null(text);
        for (unsigned i = 0; i < words; i++)
                end += sprintf(end, "r%lur-%u-ö ", (unsigned long) id, i);
        return text;
}

void make_attachment(uint64_t id, char data[static POWER_DATA_SIZE])
{
        for (size_t i = 0; i < POWER_DATA_SIZE; i++)
                data[i] = (char) ((i + 1) * id >> 3);
}

static uint64_t live_create(World *w)
{
        uint64_t number = store_next_number(w->f->store, /* private= */ false);
        size_t fact = ask(w, (Fact){ .kind = FACT_CREATED, .number = number });

        assert_int_equal(do_create(w->f, number, "power"), FAILURE_NONE);
        acknowledge(fact);
        return number;
}

static Fact live_ask(World *w, uint64_t number, uint64_t *parent)
{
        char text[POWER_TEXT_MAX], data[POWER_DATA_SIZE];
        StoreMessage pair[2] = {
                { .id = store_next_id(w->f->store), .parent = *parent, .role = ROLE_USER },
                { .role = ROLE_ASSISTANT, .live = true },
        };
        Fact asked = { .kind = FACT_PAIR, .number = number };
        size_t fact;

        asked.question = pair[0].id;
        asked.reply = *parent = pair[1].id = store_next_id(w->f->store);
        pair[1].parent = pair[0].id;
        make_question(asked.question, text);
        pair[0].content = text;
        pair[0].content_size = strlen(text);
        make_attachment(asked.question, data);
        pair[0].attachments = calloc(1, sizeof *pair[0].attachments);
        pair[0].attachments[0] = (StoreAttachment){
                .name = strdup("a.bin"),
                .type = strdup("application/octet-stream"),
                .data = malloc(sizeof data),
                .size = sizeof data,
        };
        memcpy(pair[0].attachments[0].data, data, sizeof data);
        pair[0].n_attachments = 1;

        fact = ask(w, asked);
        assert_int_equal(
                do_add_all(w->f, number, pair, 2, asked.reply, /* token= */ NULL), FAILURE_NONE);
        acknowledge(fact);
        return asked;
}

/* What follows an appended part is acknowledged: so the part is durable as well. */
static void live_stream(World *w, Fact reply, unsigned from, unsigned to)
{
        StoreConversation touched = { .number = reply.number, .read = reply.reply };

        for (unsigned words = from + 1; words <= to; words++) {
                _cleanup_free_ char *before = make_reply(reply.reply, words - 1),
                                    *text = make_reply(reply.reply, words);
                size_t offset = strlen(before), fact;

                reply.kind = FACT_TEXT;
                reply.words = words;
                fact = ask(w, reply);
                assert_return_code(
                        store_append_reply(w->f->store, reply.number, reply.reply, CHANNEL_CONTENT,
                                offset, text + offset, strlen(text) - offset, NULL, NULL, NULL),
                        errno);
                assert_int_equal(do_update(w->f, &touched, STORE_READ), FAILURE_NONE);
                acknowledge(fact);
        }
}

static void live_end(World *w, Fact reply)
{
        _cleanup_free_ char *text = make_reply(reply.reply, REPLY_MAX);
        size_t fact;

        reply.kind = FACT_ENDED;
        fact = ask(w, reply);
        assert_int_equal(do_end(w->f, reply.number, reply.reply, text, REASON_STOP), FAILURE_NONE);
        acknowledge(fact);
}

static void live_purge(World *w, uint64_t number)
{
        size_t fact = ask(w, (Fact){ .kind = FACT_PURGED, .number = number });

        assert_int_equal(do_purge(w->f, number), FAILURE_NONE);
        acknowledge(fact);
}

static void live_set(World *w)
{
        char value[32];
        size_t fact = ask(w, (Fact){ .kind = FACT_SETTING, .words = ++w->n_setting });

        (void) snprintf(value, sizeof value, "model-%u", w->n_setting);
        assert_int_equal(do_set_setting(w->f, "last_model", value), FAILURE_NONE);
        acknowledge(fact);
}

static void live_settle(World *w)
{
        fixture_settle(w->f);
}

void live_session(World *w, unsigned pairs)
{
        uint64_t a = live_create(w), b = live_create(w), last_a = 0, last_b = 0;
        Fact left;

        for (unsigned i = 0; i < pairs; i++) {
                Fact reply = live_ask(w, i % 3 ? a : b, i % 3 ? &last_a : &last_b);

                live_stream(w, reply, 0, 1 + i % 3);
                if (i % 4 != 3)
                        live_end(w, reply);
        }
        live_set(w);
        live_purge(w, b);
        live_settle(w);
        left = live_ask(w, a, &last_a);
        live_stream(w, left, 0, 2);
}

/* ---- the database of an earlier version ---- */

/* From each version to the one before it. */
static const char *const back[] = {
        "INSERT INTO search (search) VALUES ('rebuild');"
        "DELETE FROM meta WHERE key LIKE 'unsplit%';"
        "PRAGMA user_version = 1",
        "DELETE FROM search_config WHERE k IN ('automerge', 'crisismerge');"
        "PRAGMA user_version = 2",
};

void make_earlier(World *w, size_t version)
{
        assert_int_equal(fixture_open(w->f), FAILURE_NONE);
        live_session(w, 12);
        fixture_close(w->f);
        for (size_t i = ELEMENTSOF(back); i >= version; i--)
                (void) sqlite_change(w->f->path, back[i - 1]);
}

/* ---- damage that loses nothing ---- */

void damage(World *w)
{
        size_t fact = ask(w, (Fact){ .kind = FACT_DAMAGED });
        char page[4096];
        int64_t root;
        int fd;

        root = sqlite_number(
                w->f->path, "SELECT rootpage FROM sqlite_schema WHERE name = 'messages_live'");
        assert_true(root > 0);

        memset(page, 0xa5, sizeof page);
        fd = open(w->f->path, O_RDWR | O_CLOEXEC);
        assert_return_code(fd, errno);
        assert_int_equal(pwrite(fd, page, sizeof page, (root - 1) * 4096), sizeof page);
        assert_return_code(fsync(fd), errno);
        assert_return_code(close(fd), errno);
        acknowledge(fact);
}
