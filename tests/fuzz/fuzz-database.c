/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A database file that is damaged: refused with a sentence, read, or salvaged. Messages on pages
 * that were not changed are there, with their text; what is salvaged is whole and can be written;
 * the next start finds nothing; whatever goes on step by step comes to its end. The input is a list
 * of changes to a small database of our own making, each of six bytes and those to write: the kind,
 * where (page, place in it), how many. */

#include <fcntl.h>
#include <sys/stat.h>

#include "common/utf8.h"
#include "service/store/store-db-internal.h"
#include "tests/fuzz/fuzz.h"

#define PAGE         4096U
#define CHANGES_MAX  16U
#define MESSAGES_MAX 100000U
#define MESSAGES     12U
#define LIVE         12U
#define ADDED        1000000U
#define STEPS_MAX    1000U

static Buffer base = BUFFER_INIT(MIB(16));
static char path[128];
static size_t root; /* the page that leads to the messages */

static void make_text(uint64_t id, char text[static 600])
{
        memset(text, 'a' + (int) id, 599);
        text[599] = 0;
        memcpy(text, "some words ", 11);
}

static void add_messages(StoreDb *db)
{
        for (uint64_t id = 1; id <= MESSAGES; id++) {
                char text[600];
                StoreMessage m = {
                        .id = id,
                        .parent = id - 1,
                        .role = id % 2 ? ROLE_USER : ROLE_ASSISTANT,
                        .content = text,
                        .reasoning = (char *) "",
                        .metadata = (char *) "{}",
                        .reason = id % 2 ? REASON_NONE : REASON_STOP,
                        .live = id == LIVE,
                        .created = 1000 + id,
                };

                make_text(id, text);
                m.content_size = m.live ? 0 : strlen(text);
                CHECK(store_db_add_messages(db, 1, &m, 1, id, 1000 + id, NULL, NULL) == 0);
        }
        CHECK(store_db_append_reply(db, 1, LIVE, CHANNEL_CONTENT, 0, "half of a", 9, NULL) == 0);
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

static const char *base_page(size_t at)
{
        return base.data + at / PAGE * PAGE;
}

/* Its page, and those on the way there, are as they were. */
static bool is_left(const Buffer *file, const char *at)
{
        size_t page = (size_t) (at - base.data) / PAGE * PAGE;

        return file->size >= page + PAGE && memcmp(file->data + page, base.data + page, PAGE) == 0;
}

static bool schema_is_left(const Buffer *file)
{
        static const char word[] = "CREATE ";
        const char *end = base.data + base.size;

        for (const char *p = base.data; p; p = memmem(p, (size_t) (end - p), word, strlen(word))) {
                if (!is_left(file, p))
                        return false;
                p = base_page((size_t) (p - base.data)) + PAGE;
        }
        return is_left(file, base_page(root));
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
        uint64_t page = 0;

        if (base.size > 0)
                return;
        (void) snprintf(path, sizeof path, "%s/state/a.db", fuzz_folder());
        CHECK(store_db_open(&db, path, &opened, NULL) == 0);
        store_db_opened_done(&opened);
        CHECK(store_db_create_conversation(db, &c, "system", NULL) == 0);
        add_messages(db);
        CHECK(database_get(&db->disk, &page, 0, NULL,
                      "SELECT rootpage FROM sqlite_schema WHERE name = 'messages'", "") == 0);
        root = (size_t) (page - 1) * PAGE;
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

/* ---- what was found in it ---- */

static void check_messages(const StoreMessages *m)
{
        for (size_t i = 0; i < m->n_messages; i++) {
                const StoreMessage *message = &m->messages[i];

                CHECK(i == 0 || message->id > m->messages[i - 1].id);
                CHECK(utf8_is_valid(message->content, message->content_size));
                CHECK(utf8_is_valid(message->reasoning, message->reasoning_size));
                CHECK(utf8_is_valid(message->metadata, strlen(message->metadata)));
                CHECK(message->role >= 0 && message->role < _ROLE_MAX);
                CHECK(message->reason >= 0 && message->reason < _REASON_MAX);
        }
}

static void read_pages(StoreDb *db)
{
        uint64_t after = 0, last;

        for (unsigned n = 0;; n++) {
                _cleanup_(store_messages_freep) StoreMessages *page = NULL;

                CHECK(n < STEPS_MAX);
                if (store_db_get_all(db, 1, after, 5, SIZE_MAX, &page, NULL) < 0 ||
                        page->n_messages == 0)
                        return;
                check_messages(page);
                last = page->messages[page->n_messages - 1].id;
                CHECK(last > after);
                after = last;
        }
}

static void read_branches(StoreDb *db, uint64_t id)
{
        _cleanup_(store_messages_freep) StoreMessages *branch = NULL, *below = NULL;
        _cleanup_free_ uint64_t *siblings = NULL;
        StoreText text = { 0 };
        uint64_t head;
        size_t n;

        if (store_db_get_branch(db, 1, id, MESSAGES_MAX, SIZE_MAX, 0, &branch, NULL) >= 0)
                check_messages(branch);
        if (store_db_find_head_below(db, 1, id, &head, NULL) >= 0 && head >= id &&
                store_db_get_after(db, 1, id, head, MESSAGES_MAX, SIZE_MAX, &below, NULL) >= 0)
                check_messages(below);
        if (store_db_list_siblings(db, 1, id, &siblings, &n, NULL) >= 0)
                CHECK(id == 0 || n > 0);
        if (store_db_get_text(db, 1, id, CHANNEL_CONTENT, 0, KIB(1), &text, NULL) >= 0) {
                CHECK(utf8_is_valid(text.text, text.size));
                free(text.text);
                free(text.metadata);
        }
}

/* Returns the number of hits. */
static size_t search(StoreDb *db, const char *query, StoreSearchFlags flags)
{
        StoreHit *hits = NULL;
        size_t n = 0;

        if (store_db_search(db, query, flags, 0, 100, &hits, &n, NULL) < 0)
                return 0;
        for (size_t i = 0; i < n; i++)
                CHECK(utf8_is_valid(hits[i].snippet, strlen(hits[i].snippet)));
        store_hits_free(hits, n);
        return n;
}

static void check_index(const StoreIndex *index)
{
        for (size_t i = 0; i < index->n_conversations; i++) {
                const StoreConversation *c = &index->conversations[i];

                CHECK(utf8_is_valid(c->title, strlen(c->title)));
                CHECK(utf8_is_valid(c->model, strlen(c->model)));
                for (size_t k = 0; k < i; k++)
                        CHECK(index->conversations[k].number != c->number);
        }
}

/* What nothing happened to is there, and as it was. */
static void check_left(StoreDb *db, const Buffer *file)
{
        if (!schema_is_left(file))
                return;
        for (uint64_t id = 1; id <= MESSAGES; id++) {
                _cleanup_(store_messages_freep) StoreMessages *m = NULL;
                const char *at;
                char text[600];

                make_text(id, text);
                at = memmem(base.data, base.size, text, strlen(text));
                if (!at || !is_left(file, at))
                        continue;
                CHECK(store_db_get_branch(db, 1, id, 1, SIZE_MAX, 0, &m, NULL) == 0);
                CHECK(m->n_messages == 1 && m->messages[0].id == id);
                CHECK(strcmp(m->messages[0].content, text) == 0);
        }
}

static void use(StoreDb *db, uint64_t add)
{
        _cleanup_free_ char *system = NULL;
        const StoreMessage m = {
                .id = add,
                .role = ROLE_USER,
                .content = (char *) "goes on",
                .content_size = 7,
                .reasoning = (char *) "",
                .metadata = (char *) "",
        };

        read_pages(db);
        for (uint64_t id = 0; id <= MESSAGES + 1; id++)
                read_branches(db, id);
        (void) store_db_get_system(db, 1, &system, NULL);
        (void) search(db, "words", 0);
        (void) search(db, "wor som", STORE_SEARCH_RANKED);
        (void) store_db_add_messages(db, 1, &m, 1, m.id, 5000, NULL, NULL);
}

/* All of it agrees with itself, indexes too. */
static void check_whole(StoreDb *db)
{
        Database *d = &db->disk;
        uint64_t n;

        CHECK(database_get(d, &n, 1, NULL,
                      "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'",
                      "") == 0);
        CHECK(n == 0);
        CHECK(database_run(d, NULL, "INSERT INTO search (search) VALUES ('integrity-check')", "") >=
                0);
        CHECK(database_get(d, &n, 1, NULL,
                      "SELECT count(*) FROM messages m WHERE parent <> 0 AND NOT EXISTS"
                      " (SELECT 1 FROM messages WHERE id = m.parent AND id < m.id"
                      "  AND conversation = m.conversation)",
                      "") == 0);
        CHECK(n == 0);
}

/* Replies are ended when the service starts; one that a damaged index hid, with the next start. */
static void check_ended(StoreDb *db)
{
        uint64_t n;

        CHECK(database_get(
                      &db->disk, &n, 1, NULL, "SELECT count(*) FROM messages WHERE live", "") == 0);
        CHECK(n == 0);
}

/* As the store's thread does it: read and write, and salvage when that is said to be needed.
 * Returns false when it was refused. */
static bool open_and_use(const Buffer *file, uint64_t add, bool *ret_salvaged)
{
        static const _Atomic bool stop = false;
        _cleanup_(store_db_freep) StoreDb *db = NULL;
        _cleanup_failure_ Failure f = FAILURE_NULL;
        _cleanup_free_ char *aside = NULL;
        StoreDbOpened opened = { 0 };
        bool salvaged, damaged;
        int r;

        r = store_db_open(&db, path, &opened, &f);
        CHECK((r < 0) == failure_is_set(&f));
        if (r < 0) {
                CHECK(*failure_message(&f));
                CHECK(!schema_is_left(file));
                return false;
        }
        CHECK(opened.index);
        check_index(opened.index);
        salvaged = opened.salvaged;
        store_db_opened_done(&opened);
        if (salvaged) {
                check_whole(db);
                check_ended(db);
        }
        use(db, add);
        damaged = store_db_is_damaged(db) || store_db_check(path, &stop) == STORE_CHECK_DAMAGED;
        if (damaged) {
                /* Once is enough: what is made anew is whole. */
                CHECK(!salvaged);
                CHECK(store_db_salvage(db, &aside, &f) >= 0);
                CHECK(access(aside, F_OK) >= 0);
                use(db, add + 1);
                CHECK(!store_db_is_damaged(db));
                check_whole(db);
        }
        CHECK(store_db_check(path, &stop) == STORE_CHECK_WHOLE);
        check_left(db, file);
        *ret_salvaged = salvaged || damaged;
        return true;
}

/* What the store's thread does in steps, until it is said that nothing is left. */
static void take_steps(StoreDb *db)
{
        unsigned n = 0;

        while (store_db_convert_index(db, NULL) > 0)
                CHECK(n++ < STEPS_MAX);
        for (n = 0; store_db_merge_index(db, NULL) > 0;)
                CHECK(n++ < STEPS_MAX);
        for (n = 0; store_db_purge_one(db, 1, n == 0, NULL) > 0;)
                CHECK(n++ < STEPS_MAX);
        for (n = 0; store_db_purge_index(db, n == 0, NULL) > 0;)
                CHECK(n++ < STEPS_MAX);
        (void) store_db_purge_log(db, NULL);
}

static void open_and_purge(bool salvaged)
{
        _cleanup_(store_db_freep) StoreDb *db = NULL;
        StoreDbOpened opened = { 0 };

        CHECK(store_db_open(&db, path, &opened, NULL) >= 0);
        store_db_opened_done(&opened);
        if (salvaged)
                check_ended(db);
        take_steps(db);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        FuzzInput in = { data, size };
        _cleanup_buffer_ Buffer file = BUFFER_INIT(MIB(16));
        bool salvaged, again;

        make_base();
        fuzz_append(&file, base.data, base.size);
        for (unsigned i = 0; i < CHANGES_MAX && in.size > 0; i++)
                change(&file, &in);
        fuzz_empty_folder("state");
        fuzz_write_file("state/a.db", file.data, file.size);
        if (!open_and_use(&file, ADDED, &salvaged))
                return 0;
        CHECK(open_and_use(&file, ADDED + 2, &again));
        CHECK(!again || !salvaged);
        open_and_purge(salvaged || again);
        return 0;
}
