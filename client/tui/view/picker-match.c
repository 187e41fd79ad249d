/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/tui/view/picker-match.h"

#include <ctype.h>

#define SCORE_LETTER     1
#define SCORE_SUCCESSION 8 /* right behind the letter before */
#define SCORE_WORD       6 /* begins a word */
#define SCORE_START      4 /* begins the text */

/* A text and what is looked for in it, in small letters. */
typedef struct Match {
        const char *text;
        char folded[MATCH_TEXT_MAX], letters[MATCH_LETTERS_MAX];
        size_t n, n_letters;
        uint16_t places[MATCH_LETTERS_MAX];
} Match;

static bool is_word_byte(char c)
{
        return isalnum((unsigned char) c) || (unsigned char) c >= 0x80;
}

static char lower(char c)
{
        return (char) tolower((unsigned char) c);
}

static void match_init(Match *m, const char *text, const char *letters)
{
        m->text = text;
        m->n = strnlen(text, MATCH_TEXT_MAX);
        m->n_letters = 0;
        for (size_t i = 0; i < m->n; i++)
                m->folded[i] = lower(text[i]);
        for (; *letters && m->n_letters < MATCH_LETTERS_MAX; letters++)
                if (*letters != ' ')
                        m->letters[m->n_letters++] = lower(*letters);
}

static int score_at(const char *text, size_t i)
{
        if (i == 0)
                return SCORE_LETTER + SCORE_WORD + SCORE_START;
        return SCORE_LETTER + (is_word_byte(text[i - 1]) ? 0 : SCORE_WORD);
}

/* The places that end first, and those of them that begin last. */
static bool match_first(Match *m)
{
        size_t k = 0, i;

        for (i = 0; i < m->n && k < m->n_letters; i++)
                if (m->folded[i] == m->letters[k])
                        k++;
        if (k < m->n_letters)
                return false;
        while (k > 0)
                if (m->folded[--i] == m->letters[k - 1])
                        m->places[--k] = (uint16_t) i;
        return true;
}

static int score_places(const Match *m)
{
        int score = 0;

        for (size_t k = 0; k < m->n_letters; k++) {
                score += score_at(m->text, m->places[k]);
                if (k > 0 && m->places[k] == m->places[k - 1] + 1)
                        score += SCORE_SUCCESSION;
        }
        return score;
}

/* The best places by looking at all of them: best[k][i] is the score of the first k + 1 letters
 * with the last of them at i. Two rows suffice for the score; where each came from is kept for
 * the way back. */
static int match_best(Match *m)
{
        int16_t rows[2][MATCH_TEXT_MAX], *before = rows[0], *now = rows[1];
        uint16_t from[MATCH_LETTERS_MAX][MATCH_TEXT_MAX];
        size_t end = 0, begin = 0;
        int best = 0;

        for (size_t k = 0; k < m->n_letters; k++) {
                int16_t reached = -1, *swap;          /* the best of those at least two before */
                size_t reached_at = 0, first = begin; /* nothing of the row before is before it */

                best = -1;
                for (size_t i = k > 0 ? first + 1 : 0; i < m->n; i++) {
                        if (k > 0 && i >= first + 2 && before[i - 2] > reached) {
                                reached = before[i - 2];
                                reached_at = i - 2;
                        }
                        now[i] = -1;
                        if (m->folded[i] != m->letters[k])
                                continue;
                        if (k == 0)
                                now[i] = (int16_t) score_at(m->text, i);
                        else if (before[i - 1] >= 0 &&
                                before[i - 1] + SCORE_SUCCESSION >= reached) {
                                now[i] = (int16_t) (before[i - 1] + SCORE_SUCCESSION +
                                        score_at(m->text, i));
                                from[k][i] = (uint16_t) (i - 1);
                        } else if (reached >= 0) {
                                now[i] = (int16_t) (reached + score_at(m->text, i));
                                from[k][i] = (uint16_t) reached_at;
                        }
                        if (best < 0)
                                begin = i;
                        if (now[i] > best) {
                                best = now[i];
                                end = i;
                        }
                }
                swap = before;
                before = now;
                now = swap;
        }
        for (size_t k = m->n_letters; k > 0; k--) {
                m->places[k - 1] = (uint16_t) end;
                if (k > 1)
                        end = from[k - 1][end];
        }
        return best;
}

int match_score(
        const char *text, const char *letters, size_t *steps, uint16_t *places, size_t *ret_n)
{
        Match m;
        int score;

        assert(text);
        assert(letters);
        assert(steps);

        if (ret_n)
                *ret_n = 0;
        match_init(&m, text, letters);
        *steps += 3 * m.n + m.n_letters; /* taken in, there and back */
        if (!match_first(&m))
                return -1;
        if (*steps + m.n * m.n_letters <= MATCH_STEPS_MAX) {
                *steps += m.n * m.n_letters;
                score = match_best(&m);
        } else
                score = score_places(&m);
        if (places && m.n_letters > 0)
                memcpy(places, m.places, m.n_letters * sizeof *places);
        if (ret_n)
                *ret_n = m.n_letters;
        return score;
}
