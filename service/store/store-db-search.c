/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>

#include "common/utf8.h"
#include "service/store/store-db-internal.h"

/* A hit is looked for in so much of a message; beyond it the snippet is the message's beginning. */
#define SNIPPET_SEARCHED MIB(1)

/* Text before the hit, so that the hit has a context and is still within the snippet. */
#define SNIPPET_BEFORE 60U

#define WORDS_MAX 32U

/* The last word may be the beginning of one, when it has so many characters: with fewer, half of
 * the index would have to be read. */
#define PREFIX_MIN 3U

void store_hits_free(StoreHit *hits, size_t n)
{
        for (size_t i = 0; i < n; i++)
                free(hits[i].snippet);
        free(hits);
}

/* ---- the query ---- */

typedef struct Word {
        const char *text;
        size_t size;
} Word;

typedef struct Words {
        Word words[WORDS_MAX];
        size_t n;
} Words;

static bool is_space(char c)
{
        return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Something that the tokenizer may keep; all of Unicode above ASCII may be letters. */
static bool is_token_byte(char c)
{
        return isalnum((unsigned char) c) || (unsigned char) c >= 0x80;
}

static bool word_has_token(const Word *w)
{
        for (size_t i = 0; i < w->size; i++)
                if (is_token_byte(w->text[i]))
                        return true;
        return false;
}

static int split_words(const char *query, Words *ret, Failure *failure)
{
        Words words = { 0 };

        for (const char *p = query; *p;) {
                Word w = { .text = p };

                while (*p && !is_space(*p))
                        p++;
                w.size = (size_t) (p - w.text);
                while (is_space(*p))
                        p++;
                /* Punctuation alone is in no index: it would match nothing. */
                if (!word_has_token(&w))
                        continue;
                if (words.n == WORDS_MAX)
                        return failure_set(failure, FAILURE_TOO_LARGE,
                                "A search may have at most %u words.", WORDS_MAX);
                words.words[words.n++] = w;
        }
        if (words.n == 0)
                return failure_set(failure, FAILURE_INVALID_ARGUMENT,
                        "There is no word to search for. Give at least one letter or digit.");
        *ret = words;
        return 0;
}

/* As a string of FTS5, in which only the quotation mark is special: nothing that a person types is
 * an operator. */
static int quote(Buffer *out, const char *text, size_t size)
{
        int r;

        r = buffer_append_string(out, "\"");
        for (size_t i = 0; r >= 0 && i < size; i++)
                r = text[i] == '"' ? buffer_append_string(out, "\"\"")
                                   : buffer_append(out, text + i, 1);
        return r < 0 ? r : buffer_append_string(out, "\"");
}

/* Characters of the last word of the index in it. */
static size_t count_last(const char *text, size_t size)
{
        size_t n = 0;

        while (size > 0 && !is_token_byte(text[size - 1]))
                size--;
        for (; size > 0 && is_token_byte(text[size - 1]); size--)
                n += ((unsigned char) text[size - 1] & 0xc0) != 0x80;
        return n;
}

static int quote_word(Buffer *out, const Word *w, bool last)
{
        _cleanup_free_ char *split = NULL;
        const char *text = w->text;
        size_t size = w->size;
        int r;

        r = words_split(w->text, w->size, &split, &size);
        if (r < 0)
                return r;
        if (r > 0)
                text = split;
        r = quote(out, text, size);
        if (r < 0 || !last || count_last(text, size) < PREFIX_MIN)
                return r;
        return buffer_append_string(out, " *");
}

static int quote_words(const Words *words, char **ret)
{
        _cleanup_buffer_ Buffer out = BUFFER_INIT(3 * STORE_QUERY_MAX + 8 * WORDS_MAX);
        int r = 0;

        for (size_t i = 0; r >= 0 && i < words->n; i++) {
                if (i > 0)
                        r = buffer_append(&out, " ", 1);
                if (r >= 0)
                        r = quote_word(&out, &words->words[i], i + 1 == words->n);
        }
        return r < 0 ? r : buffer_steal(&out, ret, NULL);
}

/* ---- snippets ---- */

static const char *find_word(const char *text, size_t size, const char *word, size_t word_size)
{
        const char *anywhere = NULL;

        for (size_t i = 0; i + word_size <= size; i++) {
                if (strncasecmp(text + i, word, word_size) != 0)
                        continue;
                if (i == 0 || !is_token_byte(text[i - 1]))
                        return text + i;
                if (!anywhere)
                        anywhere = text + i;
        }
        return anywhere;
}

static size_t find_hit(const char *text, size_t size, const Words *words)
{
        for (size_t i = 0; i < words->n; i++) {
                const char *start = words->words[i].text, *hit;
                size_t n = words->words[i].size;

                while (n > 0 && !is_token_byte(*start))
                        start++, n--;
                while (n > 0 && !is_token_byte(start[n - 1]))
                        n--;
                hit = find_word(text, MIN(size, SNIPPET_SEARCHED), start, n);
                if (hit)
                        return (size_t) (hit - text);
        }
        return 0;
}

static int make_snippet(const char *text, size_t size, const Words *words, char **ret)
{
        size_t hit = find_hit(text, size, words),
               start = hit > SNIPPET_BEFORE ? hit - SNIPPET_BEFORE : 0;

        /* From the beginning of a word where there is one, else of a character. */
        if (start > 0) {
                size_t word = start;

                while (word < hit && !is_space(text[word]))
                        word++;
                if (word < hit)
                        start = word;
                else
                        while (start < hit && ((unsigned char) text[start] & 0xc0) == 0x80)
                                start++;
        }
        return utf8_sanitize_line(text + start, MIN(size - start, (size_t) 4 * STORE_SNIPPET_MAX),
                STORE_SNIPPET_MAX, ret);
}

/* ---- searching ---- */

/* One row more is never read than is wanted: the index gives its hits newest first. */
#define SEARCH_FROM \
        " FROM search s CROSS JOIN messages m ON m.id = s.rowid" \
        " CROSS JOIN conversations c ON c.number = m.conversation" \
        " WHERE search MATCH ?1 AND s.rowid < ?2" \
        " AND c.deleted = 0 AND (NOT c.hidden OR ?3) AND (NOT c.archived OR ?4)" \
        " ORDER BY s.rowid DESC LIMIT ?5"

static const char search_newest[] =
        "SELECT m.id, m.conversation, m.role, m.created, m.content" SEARCH_FROM;

static const char search_ranked[] =
        "SELECT m.id, m.conversation, m.role, m.created, m.content FROM"
        " (SELECT s.rowid AS hit, s.rank AS score" SEARCH_FROM ")"
        " CROSS JOIN messages m ON m.id = hit ORDER BY score, hit DESC LIMIT ?6";

static int read_hit(sqlite3_stmt *stmt, const Words *words, StoreHit *ret, Failure *failure)
{
        StoreHit hit = {
                .message = statement_u64(stmt, 0),
                .number = statement_u64(stmt, 1),
                .role = statement_enum(stmt, 2, _ROLE_MAX, ROLE_USER),
                .created = statement_u64(stmt, 3),
        };
        const char *text = strempty((const char *) sqlite3_column_text(stmt, 4));
        int r;

        r = make_snippet(text, (size_t) sqlite3_column_bytes(stmt, 4), words, &hit.snippet);
        if (r < 0)
                return failure_set_errno(failure, r, "Searching");
        *ret = hit;
        return 0;
}

static int read_hits(Database *d, sqlite3_stmt *stmt, const Words *words, uint32_t limit,
        StoreHit **ret, size_t *ret_n, Failure *failure)
{
        StoreHit *hits = calloc(MAX(limit, 1U), sizeof *hits);
        size_t n = 0;
        int r;

        if (!hits)
                return failure_set_errno(failure, -ENOMEM, "Searching");
        while (n < limit && (r = database_step(d, stmt, failure)) > 0) {
                r = read_hit(stmt, words, &hits[n], failure);
                if (r < 0)
                        break;
                n++;
        }
        if (n < limit && r < 0) {
                store_hits_free(hits, n);
                return r;
        }

        *ret = hits;
        *ret_n = n;
        return 0;
}

int store_db_search(StoreDb *db, const char *query, StoreSearchFlags flags, uint64_t before,
        uint32_t limit, StoreHit **ret, size_t *ret_n, Failure *failure)
{
        _cleanup_statement_ sqlite3_stmt *stmt = NULL;
        _cleanup_free_ char *match = NULL;
        size_t size = strlen(query);
        Words words = { 0 };
        Database *d;
        int r;

        r = store_db_of(db, /* number= */ 0, &d, failure);
        if (r < 0)
                return r;
        if (size > STORE_QUERY_MAX)
                return failure_set(failure, FAILURE_TOO_LARGE,
                        "A search may have at most %zu bytes.", STORE_QUERY_MAX);
        r = check_text(query, size, "search", failure);
        if (r < 0)
                return r;
        r = split_words(query, &words, failure);
        if (r < 0)
                return r;
        r = quote_words(&words, &match);
        if (r < 0)
                return failure_set_errno(failure, r, "Searching");

        before = before == 0 ? INT64_MAX : MIN(before, (uint64_t) INT64_MAX);
        limit = MIN(limit, STORE_SEARCH_MAX);
        if (flags & STORE_SEARCH_RANKED)
                r = database_query(d, &stmt, failure, search_ranked, "suuuuu", match, before,
                        (uint64_t) !(flags & STORE_SEARCH_NO_HIDDEN),
                        (uint64_t) !!(flags & STORE_SEARCH_ARCHIVED), (uint64_t) STORE_RANKED_HITS,
                        (uint64_t) limit);
        else
                r = database_query(d, &stmt, failure, search_newest, "suuuu", match, before,
                        (uint64_t) !(flags & STORE_SEARCH_NO_HIDDEN),
                        (uint64_t) !!(flags & STORE_SEARCH_ARCHIVED), (uint64_t) limit);
        if (r < 0)
                return r;
        return read_hits(d, stmt, &words, limit, ret, ret_n, failure);
}

/* ---- upkeep ---- */

/* Pages of the index that one step rewrites: at most about a millisecond, a commit may come. */
#define MERGE_STEP 4

int store_db_merge_index(StoreDb *db, Failure *failure)
{
        Database *d = &db->disk;
        int before, r;

        if (!d->sqlite)
                return 0;
        before = sqlite3_total_changes(d->sqlite);
        r = database_run(d, failure, "INSERT INTO search (search, rank) VALUES ('merge', ?1)", "u",
                (uint64_t) MERGE_STEP);
        if (r < 0)
                return r;
        return sqlite3_total_changes(d->sqlite) - before >= 2;
}
