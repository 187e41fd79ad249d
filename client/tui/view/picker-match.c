/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/tui/view/picker-match.h"

#include <ctype.h>

#define SCORE_LETTER     1
#define SCORE_SUCCESSION 8 /* right behind the letter before */
#define SCORE_WORD       6 /* begins a word */
#define SCORE_START      4 /* begins the text */
#define TEXT_MAX         256U

static bool is_word_byte(char c)
{
        return isalnum((unsigned char) c) || (unsigned char) c >= 0x80;
}

static char lower(char c)
{
        return (char) tolower((unsigned char) c);
}

static int score_at(const char *text, size_t i)
{
        if (i == 0)
                return SCORE_LETTER + SCORE_WORD + SCORE_START;
        return SCORE_LETTER + (is_word_byte(text[i - 1]) ? 0 : SCORE_WORD);
}

/* The best places by looking at all of them: best[k][i] is the score of the first k + 1 letters
 * with the last of them at i. Two rows suffice for the score; where each came from is kept for
 * the way back. */
int match_score(const char *text, const char *letters, uint16_t *places, size_t *ret_n)
{
        int16_t rows[2][TEXT_MAX], *before = rows[0], *now = rows[1];
        uint16_t from[MATCH_LETTERS_MAX][TEXT_MAX];
        size_t n = strnlen(text, TEXT_MAX), k = 0, end = 0, begin = 0;
        char folded[TEXT_MAX];
        int best = 0;

        assert(text);
        assert(letters);

        if (ret_n)
                *ret_n = 0;
        for (size_t i = 0; i < n; i++)
                folded[i] = lower(text[i]);
        for (; *letters && k < MATCH_LETTERS_MAX; letters++) {
                int16_t reached = -1, *swap;          /* the best of those at least two before */
                size_t reached_at = 0, first = begin; /* nothing of the row before is before it */
                char letter = lower(*letters);

                if (letter == ' ')
                        continue;
                best = -1;
                for (size_t i = k > 0 ? first + 1 : 0; i < n; i++) {
                        if (k > 0 && i >= first + 2 && before[i - 2] > reached) {
                                reached = before[i - 2];
                                reached_at = i - 2;
                        }
                        now[i] = -1;
                        if (folded[i] != letter)
                                continue;
                        if (k == 0)
                                now[i] = (int16_t) score_at(text, i);
                        else if (before[i - 1] >= 0 &&
                                before[i - 1] + SCORE_SUCCESSION >= reached) {
                                now[i] = (int16_t) (before[i - 1] + SCORE_SUCCESSION +
                                        score_at(text, i));
                                from[k][i] = (uint16_t) (i - 1);
                        } else if (reached >= 0) {
                                now[i] = (int16_t) (reached + score_at(text, i));
                                from[k][i] = (uint16_t) reached_at;
                        }
                        if (best < 0)
                                begin = i;
                        if (now[i] > best) {
                                best = now[i];
                                end = i;
                        }
                }
                if (best < 0)
                        return -1;
                k++;
                swap = before;
                before = now;
                now = swap;
        }
        if (ret_n)
                *ret_n = k;
        for (size_t i = k; places && i > 0; i--) {
                places[i - 1] = (uint16_t) end;
                if (i > 1)
                        end = from[i - 1][end];
        }
        return best;
}
