/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/store/store-db-internal.h"
#include "tests/crash/power.h"

_printf_(2, 3) static void problem(World *w, const char *format, ...)
{
        va_list ap;

        if (*w->problem)
                return;
        va_start(ap, format);
        (void) vsnprintf(w->problem, sizeof w->problem, format, ap);
        va_end(ap);
}

static Known purged(const World *w, uint64_t number)
{
        for (size_t i = 0; i < w->n_facts; i++)
                if (w->facts[i].kind == FACT_PURGED && w->facts[i].number == number)
                        return w->facts[i].known;
        return UNKNOWN;
}

static bool was_damaged(const World *w)
{
        for (size_t i = 0; i < w->n_facts; i++)
                if (w->facts[i].kind == FACT_DAMAGED && w->facts[i].known != UNKNOWN)
                        return true;
        return false;
}

static size_t count_hits(StoreDb *db, char kind, uint64_t id)
{
        StoreHit *hits;
        char query[64];
        size_t n;

        (void) snprintf(query, sizeof query, "%c%lu%c", kind, (unsigned long) id, kind);
        if (store_db_search(db, query, 0, 0, 10, &hits, &n, NULL) < 0)
                return SIZE_MAX;
        store_hits_free(hits, n);
        return n;
}

static StoreMessages *read_one(StoreDb *db, uint64_t number, uint64_t id)
{
        StoreMessages *m = NULL;

        (void) store_db_get_branch(db, number, id, 1, SIZE_MAX, STORE_DB_ATTACHMENTS, &m, NULL);
        return m;
}

static void check_question(World *w, StoreDb *db, const Fact *fact)
{
        _cleanup_(store_messages_freep) StoreMessages *m = NULL;
        char text[POWER_TEXT_MAX], data[POWER_DATA_SIZE];

        m = read_one(db, fact->number, fact->question);
        if (!m) {
                problem(w, "message %lu is lost", (unsigned long) fact->question);
                return;
        }
        make_question(fact->question, text);
        make_attachment(fact->question, data);
        if (!streq(m->messages[0].content, text))
                problem(w, "message %lu has another text", (unsigned long) fact->question);
        if (m->messages[0].n_attachments != 1 ||
                m->messages[0].attachments[0].size != sizeof data ||
                memcmp(m->messages[0].attachments[0].data, data, sizeof data) != 0)
                problem(w, "message %lu has no attachment", (unsigned long) fact->question);
        if (count_hits(db, 'q', fact->question) != 1)
                problem(w, "message %lu is not found once", (unsigned long) fact->question);
}

/* So many words at least, all others as they would have come, and an end. */
static void check_reply(World *w, StoreDb *db, const Fact *fact)
{
        _cleanup_(store_messages_freep) StoreMessages *m = NULL;
        _cleanup_free_ char *least = make_reply(fact->reply, fact->words),
                            *most = make_reply(fact->reply, REPLY_MAX);
        const StoreMessage *reply;
        unsigned long id = (unsigned long) fact->reply;

        m = read_one(db, fact->number, fact->reply);
        if (!m) {
                problem(w, "reply %lu is lost", id);
                return;
        }
        reply = &m->messages[0];
        if (reply->live || reply->reason == REASON_NONE)
                problem(w, "reply %lu has no end", id);
        if (!startswith(reply->content, fact->kind == FACT_ENDED ? most : least) ||
                !startswith(most, reply->content))
                problem(w, "reply %lu is '%.40s'", id, reply->content);
        if (fact->kind == FACT_ENDED && reply->reason != REASON_STOP)
                problem(w, "reply %lu ended as %d", id, (int) reply->reason);
        if (*reply->content && count_hits(db, 'r', fact->reply) != 1)
                problem(w, "reply %lu is not found once", id);
}

/* Asked for and not acknowledged: there with all that belongs to it, or not at all. */
static void check_whole(World *w, StoreDb *db, const Fact *fact)
{
        _cleanup_(store_messages_freep) StoreMessages *a = NULL, *b = NULL;

        a = read_one(db, fact->number, fact->question);
        b = read_one(db, fact->number, fact->reply);
        if (!a != !b)
                problem(w, "of question %lu and its reply there is one",
                        (unsigned long) fact->question);
        else if (a)
                check_question(w, db, fact);
}

static void check_gone(World *w, StoreDb *db, const Fact *fact)
{
        if (purged(w, fact->number) != ACKNOWLEDGED)
                return;
        if (count_hits(db, 'q', fact->question) != 0)
                problem(w, "purged message %lu is found", (unsigned long) fact->question);
}

static void check_fact(World *w, StoreDb *db, const Fact *fact)
{
        if (fact->kind == FACT_PAIR && fact->known != UNKNOWN)
                check_gone(w, db, fact);
        if (purged(w, fact->number) != UNKNOWN || fact->known == UNKNOWN)
                return;
        w->n_checked += fact->known == ACKNOWLEDGED;

        switch (fact->kind) {
        case FACT_PAIR:
                if (fact->known == ASKED)
                        check_whole(w, db, fact);
                else
                        check_question(w, db, fact);
                break;
        case FACT_TEXT:
        case FACT_ENDED:
                if (fact->known == ACKNOWLEDGED)
                        check_reply(w, db, fact);
                break;
        case FACT_CREATED:
        case FACT_PURGED:
        case FACT_SETTING:
        case FACT_DAMAGED:
                break;
        }
}

static void check_index(World *w, const StoreIndex *index)
{
        unsigned least = 0, most = 0, got = 0;

        for (size_t i = 0; i < w->n_facts; i++) {
                const Fact *fact = &w->facts[i];
                bool found = false;

                if (fact->kind == FACT_SETTING && fact->known != UNKNOWN)
                        *(fact->known == ACKNOWLEDGED ? &least : &most) = fact->words;
                if (fact->kind != FACT_CREATED || fact->known != ACKNOWLEDGED)
                        continue;
                for (size_t k = 0; k < index->n_conversations; k++)
                        found |= index->conversations[k].number == fact->number;
                if (!found && purged(w, fact->number) == UNKNOWN)
                        problem(w, "conversation %lu is lost", (unsigned long) fact->number);
                if (found && purged(w, fact->number) == ACKNOWLEDGED)
                        problem(w, "conversation %lu is purged and there",
                                (unsigned long) fact->number);
        }
        if (*index->last_model && sscanf(index->last_model, "model-%u", &got) != 1)
                problem(w, "a setting is '%s'", index->last_model);
        if (got < least || got > MAX(least, most))
                problem(w, "a setting is of turn %u, not %u", got, least);
}

static void check_agrees(World *w, StoreDb *db)
{
        static const char *const queries[] = {
                "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'",
                "SELECT count(*) FROM messages WHERE live",
                "SELECT count(*) FROM conversations c WHERE deleted <> " DELETED_PURGING
                " AND messages <> (SELECT count(*) FROM messages WHERE conversation = c.number)",
                "SELECT count(*) FROM conversations c WHERE deleted <> " DELETED_PURGING
                " AND head <> 0 AND NOT EXISTS"
                " (SELECT 1 FROM messages WHERE id = c.head AND conversation = c.number)",
                "SELECT count(*) FROM messages m WHERE parent <> 0 AND NOT EXISTS"
                " (SELECT 1 FROM messages WHERE id = m.parent AND conversation = m.conversation)"
                " AND EXISTS (SELECT 1 FROM conversations WHERE number = m.conversation"
                "  AND deleted <> " DELETED_PURGING ")",
        };

        for (size_t i = 0; i < ELEMENTSOF(queries); i++) {
                uint64_t n = 1;

                if (database_get(&db->disk, &n, 1, NULL, queries[i], "") < 0 || n != 0)
                        problem(w, "%lu of: %s", (unsigned long) n, queries[i]);
        }
        if (database_run(&db->disk, NULL, "INSERT INTO search (search) VALUES ('integrity-check')",
                    "") < 0)
                problem(w, "the search index does not agree with itself");
}

void check_cut(World *w)
{
        _cleanup_(store_db_freep) StoreDb *db = NULL;
        _cleanup_(store_db_opened_done) StoreDbOpened opened = { 0 };
        _cleanup_failure_ Failure f = FAILURE_NULL;

        if (store_db_open(&db, w->path, &opened, &f) < 0) {
                problem(w, "not opened: %s", failure_message(&f));
                return;
        }
        w->n_salvaged += opened.salvaged != NULL;
        if (opened.salvaged && !was_damaged(w))
                problem(w, "it was taken for damaged");
        while (store_db_convert_index(db, NULL) > 0)
                ;
        check_agrees(w, db);
        check_index(w, opened.index);
        for (size_t i = 0; i < w->n_facts; i++)
                check_fact(w, db, &w->facts[i]);
}
