/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/engine/doctor.h"

#include "common/buffer.h"

#define INPUT_MAX    2000U /* bytes of a question that are looked at */
#define WORDS_MAX    64U   /* in one clause */
#define STARS_MAX    4U
#define REMEMBER_MAX 32U /* messages that are searched for something to come back to */
#define MEMORY_RANK  36U
#define MEMORY_WORDS 8U
#define ANSWER_MAX   KIB(8)

/* One clause: words point into text (as written) and lower (for comparing). */
typedef struct Clause {
        const char *words[WORDS_MAX], *lower[WORDS_MAX];
        size_t n;
} Clause;

typedef struct Capture {
        size_t first, n; /* words */
} Capture;

typedef struct Match {
        const DoctorRule *rule;
        Capture captures[STARS_MAX];
        Clause clause;
} Match;

/* What was said, cut into words and clauses, in two copies. */
typedef struct Said {
        char *text, *lower;
        size_t size;
} Said;

static void said_done(Said *s)
{
        s->text = mfree(s->text);
        s->lower = mfree(s->lower);
}

/* ---- reading ---- */

static bool ends_clause(char c)
{
        return c == '.' || c == '!' || c == '?' || c == ';' || c == ':' || c == ',' || c == '\n';
}

/* Bytes of UTF-8 beyond ASCII belong to words: so no character is ever cut. */
static bool is_word(char c)
{
        unsigned char u = c;

        return u >= 0x80 || (u >= '0' && u <= '9') || (u >= 'a' && u <= 'z') ||
                (u >= 'A' && u <= 'Z') || u == '\'' || u == '-' || u == '_' || u == '/' || u == '+';
}

static size_t cut_input(const char *text, size_t size)
{
        if (size <= INPUT_MAX)
                return size;
        size = INPUT_MAX;
        while (size > 0 && ((unsigned char) text[size] & 0xc0) == 0x80)
                size--;
        return size;
}

/* Separators become NUL, the end of a clause becomes a line break. */
static int said_new(const char *text, size_t size, Said *ret)
{
        static const char apostrophe[] = "\xe2\x80\x99";
        _cleanup_(said_done) Said s = { 0 };
        size_t out = 0;

        size = cut_input(text, size);
        s.text = calloc(1, size + 1);
        s.lower = calloc(1, size + 1);
        if (!s.text || !s.lower)
                return -ENOMEM;

        for (size_t i = 0; i < size; i++) {
                char c = text[i];

                if (size - i >= 3 && memcmp(text + i, apostrophe, 3) == 0) {
                        c = '\'';
                        i += 2;
                }
                /* "3.14" and "a.out" are one word. */
                if (c == '.' && i + 1 < size && is_word(text[i + 1]))
                        c = '.';
                else if (ends_clause(c))
                        c = '\n';
                else if (!is_word(c))
                        c = 0;
                s.text[out] = c;
                s.lower[out++] = c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
        }
        s.size = out;
        *ret = s;
        s = (Said){ 0 };
        return 0;
}

/* Reads one clause from *position on and ends its words; false at the end. */
static bool said_next_clause(Said *s, size_t *position, Clause *ret)
{
        size_t i = *position;

        ret->n = 0;
        while (i < s->size && ret->n == 0) {
                for (; i < s->size && s->text[i] != '\n'; i++) {
                        bool begins = s->text[i] && (i == *position || !s->text[i - 1]);

                        if (begins && ret->n < WORDS_MAX) {
                                ret->words[ret->n] = s->text + i;
                                ret->lower[ret->n++] = s->lower + i;
                        }
                }
                if (i < s->size)
                        s->text[i] = s->lower[i] = 0;
                i++;
                *position = i;
        }
        return ret->n > 0;
}

/* ---- matching ---- */

static bool word_matches(const char *token, size_t token_size, const char *word)
{
        size_t n = strlen(word);

        for (const char *p = token, *end = token + token_size; p < end;) {
                size_t k = strcspn(p, "| ");

                if (k == n && memcmp(p, word, n) == 0)
                        return true;
                p += k + 1;
        }
        return false;
}

/* Recursion is bounded by the tokens of our own patterns. */
static bool pattern_matches(const char *p, const Clause *c, size_t at, Capture *captures)
{
        size_t token = strcspn(p, " ");
        const char *rest = p + token + (p[token] == ' ');

        if (token == 0)
                return at == c->n;
        if (token == 1 && p[0] == '*') {
                if (!*rest) {
                        captures[0] = (Capture){ at, c->n - at };
                        return true;
                }
                for (size_t i = at; i <= c->n; i++)
                        if (pattern_matches(rest, c, i, captures + 1)) {
                                captures[0] = (Capture){ at, i - at };
                                return true;
                        }
                return false;
        }
        return at < c->n && word_matches(p, token, c->lower[at]) &&
                pattern_matches(rest, c, at + 1, captures);
}

static void match_clause(const Clause *c, Match *best)
{
        for (const DoctorRule *rule = doctor_rules; rule->pattern; rule++) {
                Capture captures[STARS_MAX] = { 0 };

                if (best->rule && rule->rank <= best->rule->rank)
                        continue;
                if (!pattern_matches(rule->pattern, c, 0, captures))
                        continue;
                best->rule = rule;
                best->clause = *c;
                memcpy(best->captures, captures, sizeof captures);
        }
}

static void match_said(Said *s, Match *ret)
{
        size_t position = 0;
        Clause c;

        ret->rule = NULL;
        while (said_next_clause(s, &position, &c))
                match_clause(&c, ret);
}

/* ---- answering ---- */

static const char *reflect(const Clause *c, size_t i)
{
        static const char *const table[][2] = {
                { "i", "you" },
                { "me", "you" },
                { "my", "your" },
                { "mine", "yours" },
                { "myself", "yourself" },
                { "am", "are" },
                { "i'm", "you are" },
                { "i've", "you have" },
                { "i'll", "you will" },
                { "i'd", "you would" },
                { "your", "my" },
                { "yours", "mine" },
                { "yourself", "myself" },
                { "you're", "I am" },
        };
        static const char *const verbs[] = { "are", "were", "have", "can", "will", "do", "did",
                "should", "could", "would", "must", "may", "know", "think", "want" };
        const char *w = c->lower[i];

        if (streq(w, "you")) {
                /* Subject or object: what follows tells. */
                for (size_t k = 0; i + 1 < c->n && k < ELEMENTSOF(verbs); k++)
                        if (streq(c->lower[i + 1], verbs[k]))
                                return "I";
                return "me";
        }
        if (i > 0 && streq(c->lower[i - 1], "you") && streq(w, "are"))
                return "am";
        if (i > 0 && streq(c->lower[i - 1], "you") && streq(w, "were"))
                return "was";
        if (i > 0 && streq(c->lower[i - 1], "i") && streq(w, "was"))
                return "were";
        for (size_t k = 0; k < ELEMENTSOF(table); k++)
                if (streq(w, table[k][0]))
                        return table[k][1];
        return c->words[i];
}

static int append_capture(Buffer *b, const Clause *c, const Capture *capture)
{
        int r;

        if (capture->n == 0)
                return buffer_append_string(b, "that");
        for (size_t i = capture->first; i < capture->first + capture->n; i++) {
                if (i > capture->first) {
                        r = buffer_append(b, " ", 1);
                        if (r < 0)
                                return r;
                }
                r = buffer_append_string(b, reflect(c, i));
                if (r < 0)
                        return r;
        }
        return 0;
}

static int fill_in(const char *answer, const Match *m, char **ret)
{
        _cleanup_buffer_ Buffer b = BUFFER_INIT(ANSWER_MAX);
        int r;

        for (const char *p = answer; *p;) {
                size_t n = strcspn(p, "$");

                r = buffer_append(&b, p, n);
                if (r < 0)
                        return r;
                p += n;
                if (*p != '$')
                        break;
                assert(p[1] >= '1' && p[1] < '1' + (int) STARS_MAX);
                r = append_capture(&b, &m->clause, m->captures + (p[1] - '1'));
                if (r < 0)
                        return r;
                p += 2;
        }
        return buffer_steal(&b, ret, NULL);
}

static size_t count_answers(const char *const *answers, size_t maximum)
{
        size_t n = 0;

        while (n < maximum && answers[n])
                n++;
        return n;
}

/* Something with "my" in it that was said before this question: the newest of the last few. */
static int recall(const Prompt *p, size_t question, unsigned turn, char **ret)
{
        size_t oldest = question > REMEMBER_MAX ? question - REMEMBER_MAX : 0;

        for (size_t i = question; i > oldest; i--) {
                const PromptMessage *message = p->messages + i - 1;
                _cleanup_(said_done) Said s = { 0 };
                Match m = { 0 };
                int r;

                if (message->role != ROLE_USER)
                        continue;
                r = said_new(message->text, message->size, &s);
                if (r < 0)
                        return r;
                match_said(&s, &m);
                if (!m.rule || m.rule->rank != MEMORY_RANK || m.captures[1].n == 0)
                        continue;
                m.captures[0] = (Capture){ m.captures[1].first,
                        MIN(m.captures[1].n, (size_t) MEMORY_WORDS) };
                return fill_in(
                        doctor_memories[turn % count_answers(doctor_memories, SIZE_MAX)], &m, ret);
        }
        return -ENOENT;
}

static int answer_question(const Prompt *p, size_t question, char **ret)
{
        const PromptMessage *message = p->messages + question;
        _cleanup_(said_done) Said s = { 0 };
        unsigned turn = 0;
        Match m = { 0 };
        int r;

        for (size_t i = 0; i < question; i++)
                turn += p->messages[i].role == ROLE_USER;

        r = said_new(message->text, message->size, &s);
        if (r < 0)
                return r;
        match_said(&s, &m);
        if (m.rule) {
                size_t n = count_answers(m.rule->answers, DOCTOR_ANSWERS_MAX);

                return fill_in(m.rule->answers[turn % n], &m, ret);
        }
        if (message->n_attachments > 0)
                return fill_in(doctor_file, &m, ret);
        if (strnlen(message->text, message->size) == 0)
                return fill_in(doctor_empty, &m, ret);
        if (turn % 2 == 1) {
                r = recall(p, question, turn / 2, ret);
                if (r != -ENOENT)
                        return r;
        }
        return fill_in(doctor_fallbacks[turn % count_answers(doctor_fallbacks, SIZE_MAX)], &m, ret);
}

/* The rest of an answer that was cut short; another sentence where it was already whole. */
static int continue_answer(const PromptMessage *begun, char **answer)
{
        size_t n = strlen(*answer);
        char *rest;

        if (begun->size < n && memcmp(begun->text, *answer, begun->size) == 0)
                rest = strdup(*answer + begun->size);
        else if (asprintf(&rest, " %s", doctor_fallbacks[0]) < 0)
                rest = NULL;
        if (!rest)
                return -ENOMEM;
        free(*answer);
        *answer = rest;
        return 0;
}

int doctor_answer(const Prompt *prompt, char **ret)
{
        _cleanup_free_ char *answer = NULL;
        int r;

        assert(prompt && ret);

        for (size_t i = prompt->n_messages; i > 0 && !answer; i--)
                if (prompt->messages[i - 1].role == ROLE_USER) {
                        r = answer_question(prompt, i - 1, &answer);
                        if (r < 0)
                                return r;
                }
        if (!answer) {
                answer = strdup(doctor_empty);
                if (!answer)
                        return -ENOMEM;
        }
        if (prompt->continues && prompt->n_messages > 0) {
                r = continue_answer(prompt->messages + prompt->n_messages - 1, &answer);
                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(answer);
        return 0;
}
