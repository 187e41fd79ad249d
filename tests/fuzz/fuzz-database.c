/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A database file that is damaged: refused with a sentence, read, or salvaged; never more than that
 * goes wrong, and what is salvaged can be written again. The input is a list of changes to a small
 * database of our own making, each of six bytes and those to write: the kind, where (page, place in
 * it), how many. */

#include <fcntl.h>
#include <sys/stat.h>

#include "common/utf8.h"
#include "service/store/store-db.h"
#include "tests/fuzz/fuzz.h"

#define PAGE         4096U
#define CHANGES_MAX  16U
#define MESSAGES_MAX 100000U

static Buffer base = BUFFER_INIT(MIB(16));
static char path[128];

static void add_messages(StoreDb *db)
{
        for (uint64_t id = 1; id <= 12; id++) {
                char text[600];
                StoreMessage m = {
                        .id = id,
                        .parent = id - 1,
                        .role = id % 2 ? ROLE_USER : ROLE_ASSISTANT,
                        .content = text,
                        .reasoning = (char *) "",
                        .metadata = (char *) "{}",
                        .reason = id % 2 ? REASON_NONE : REASON_STOP,
                        .live = id == 12,
                        .created = 1000 + id,
                };

                memset(text, 'a' + (int) id, sizeof text - 1);
                text[sizeof text - 1] = 0;
                memcpy(text, "some words ", 11);
                m.content_size = m.live ? 0 : strlen(text);
                CHECK(store_db_add_messages(db, 1, &m, 1, id, 1000 + id, NULL, NULL) == 0);
        }
        CHECK(store_db_append_reply(db, 1, 12, CHANNEL_CONTENT, 0, "half of a", 9, NULL) == 0);
}

static void read_base(void)
{
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
        struct stat st;
        char *space;

        CHECK(fd >= 0 && fstat(fd, &st) >= 0 && st.st_size > 0);
        CHECK(buffer_reserve(&base, (size_t) st.st_size, &space) == 0);
        CHECK(read(fd, space, (size_t) st.st_size) == st.st_size);
        buffer_advance(&base, (size_t) st.st_size);
}

static void make_base(void)
{
        const StoreConversation c = {
                .number = 1,
                .id.bytes = { 1, 2, 3, 4 },
                .title = (char *) "title",
                .model = (char *) "model",
                .created = 1000,
                .modified = 1000,
        };
        _cleanup_(store_db_freep) StoreDb *db = NULL;
        StoreDbOpened opened = { 0 };

        if (base.size > 0)
                return;
        (void) snprintf(path, sizeof path, "%s/state/a.db", fuzz_folder());
        CHECK(store_db_open(&db, path, &opened, NULL) == 0);
        store_db_opened_done(&opened);
        CHECK(store_db_create_conversation(db, &c, "system", NULL) == 0);
        add_messages(db);
        db = store_db_free(db);
        read_base();
}

static void change(Buffer *file, FuzzInput *in)
{
        unsigned kind = fuzz_byte(in), page = fuzz_byte(in);
        size_t at = page * PAGE + fuzz_u16(in) % PAGE, n;
        const char *bytes = fuzz_bytes(in, fuzz_byte(in), &n);

        if (file->size == 0)
                return;
        at %= file->size;
        switch (kind % 4) {
        case 0: /* bytes */
                memcpy(file->data + at, bytes, MIN(n, file->size - at));
                break;
        case 1: /* a page of one byte */
                memset(file->data + at / PAGE * PAGE, n > 0 ? bytes[0] : 0,
                        MIN((size_t) PAGE, file->size - at / PAGE * PAGE));
                break;
        case 2: /* cut off */
                if (kind < 64)
                        file->size = at;
                break;
        case 3: /* a bit */
                file->data[at] = (char) (file->data[at] ^ 1 << (kind >> 2 & 7));
                break;
        }
}

static void use(StoreDb *db)
{
        _cleanup_(store_messages_freep) StoreMessages *all = NULL, *branch = NULL;
        _cleanup_free_ char *system = NULL;
        StoreText text = { 0 };
        StoreHit *hits = NULL;
        size_t n = 0;
        const StoreMessage m = {
                .id = 1000000,
                .role = ROLE_USER,
                .content = (char *) "goes on",
                .content_size = 7,
                .reasoning = (char *) "",
                .metadata = (char *) "",
        };

        if (store_db_get_all(db, 1, 0, MESSAGES_MAX, SIZE_MAX, &all, NULL) >= 0)
                for (size_t i = 0; i < all->n_messages; i++)
                        CHECK(utf8_is_valid(
                                all->messages[i].content, all->messages[i].content_size));
        (void) store_db_get_branch(db, 1, 12, MESSAGES_MAX, SIZE_MAX, 0, &branch, NULL);
        if (store_db_get_text(db, 1, 12, CHANNEL_CONTENT, 0, KIB(1), &text, NULL) >= 0) {
                free(text.text);
                free(text.metadata);
        }
        (void) store_db_get_system(db, 1, &system, NULL);
        if (store_db_search(db, "words", 0, 0, 100, &hits, &n, NULL) >= 0) {
                for (size_t i = 0; i < n; i++)
                        CHECK(utf8_is_valid(hits[i].snippet, strlen(hits[i].snippet)));
                store_hits_free(hits, n);
        }
        (void) store_db_add_messages(db, 1, &m, 1, m.id, 5000, NULL, NULL);
}

/* As the store's thread does it: read and write, and salvage when that is said to be needed. */
static void open_and_use(void)
{
        static const _Atomic bool stop = false;
        _cleanup_(store_db_freep) StoreDb *db = NULL;
        _cleanup_failure_ Failure f = FAILURE_NULL;
        _cleanup_free_ char *aside = NULL;
        StoreDbOpened opened = { 0 };
        int r;

        r = store_db_open(&db, path, &opened, &f);
        CHECK((r < 0) == failure_is_set(&f));
        if (r < 0) {
                CHECK(*failure_message(&f));
                return;
        }
        CHECK(opened.index);
        for (size_t i = 0; i < opened.index->n_conversations; i++) {
                const StoreConversation *c = &opened.index->conversations[i];

                CHECK(utf8_is_valid(c->title, strlen(c->title)));
                CHECK(utf8_is_valid(c->model, strlen(c->model)));
        }
        store_db_opened_done(&opened);
        use(db);
        if (!store_db_is_damaged(db) && store_db_check(path, &stop) != STORE_CHECK_DAMAGED)
                return;
        if (store_db_salvage(db, &aside, &f) < 0) {
                CHECK(failure_is_set(&f));
                return;
        }
        CHECK(access(aside, F_OK) >= 0);
        use(db);
        CHECK(!store_db_is_damaged(db));
        CHECK(store_db_check(path, &stop) == STORE_CHECK_WHOLE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        FuzzInput in = { data, size };
        _cleanup_buffer_ Buffer file = BUFFER_INIT(MIB(16));

        make_base();
        fuzz_append(&file, base.data, base.size);
        for (unsigned i = 0; i < CHANGES_MAX && in.size > 0; i++)
                change(&file, &in);
        fuzz_empty_folder("state");
        fuzz_write_file("state/a.db", file.data, file.size);
        open_and_use();
        return 0;
}
