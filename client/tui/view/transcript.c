/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/tui/view/transcript.h"

#include "client/tui/view/transcript-internal.h"

int transcript_new(Mirror *mirror, Transcript **ret)
{
        Transcript *t;

        assert(mirror);
        assert(ret);

        t = calloc(1, sizeof *t);
        if (!t)
                return -ENOMEM;
        t->mirror = mirror;
        t->follow = true;
        t->width = 1;
        *ret = t;
        return 0;
}

Transcript *transcript_free(Transcript *t)
{
        if (!t)
                return NULL;
        free(t->words);
        free(t->toggled);
        free(t);
        return NULL;
}

void transcript_set_flags(Transcript *t, TranscriptFlags flags)
{
        assert(t);
        t->flags = flags;
}

void transcript_set_keys(Transcript *t, const TranscriptKeys *keys)
{
        assert(t);
        assert(keys);
        t->keys = *keys;
}

int transcript_highlight(Transcript *t, const char *words)
{
        assert(t);

        if (words && words[strspn(words, WORDS_SEPARATORS)] == 0)
                words = NULL;
        return free_and_strdup(&t->words, words);
}

void transcript_reset(Transcript *t)
{
        const ConversationItem *c;
        const char *id;

        assert(t);

        c = mirror_open_conversation(t->mirror);
        id = c ? c->id : "";
        if (streq(id, t->conversation))
                return;
        (void) snprintf(t->conversation, sizeof t->conversation, "%s", id);

        t->follow = true;
        t->marked = t->code_message = 0;
        t->n_toggled = 0;
        t->n_rows = 0;
        t->anchor = (Anchor){ 0 };
        memset(t->kept, 0, sizeof t->kept);
        /* A message that was asked for may be of this conversation; of the next one it is not. */
        if (!t->wanted_is_next)
                t->wanted = 0;
        t->wanted_is_next = false;
}

static MessageItem *message_of(const Transcript *t, ssize_t index)
{
        size_t n;
        MessageItem *const *messages = mirror_messages(t->mirror, &n);

        return index >= 0 && (size_t) index < n ? messages[index] : NULL;
}

static void mark(Transcript *t, const MessageItem *m)
{
        t->marked = m ? m->id : 0;
        t->marked_parent = m ? m->parent : 0;
        t->code_message = 0;
}

void transcript_update(Transcript *t)
{
        assert(t);

        if (!message_of(t, 0)) /* they are on their way */
                return;
        if (t->wanted != 0 && find_message(t, t->wanted, SIZE_MAX) >= 0)
                (void) transcript_show(t, t->wanted);
        else if (t->marked != 0)
                mark(t, message_of(t, find_branch(t, t->marked, t->marked_parent)));
}

bool transcript_is_waiting(const Transcript *t)
{
        assert(t);
        return t->waiting;
}

/* ---- moving ---- */

static bool has_messages(const Transcript *t)
{
        return message_of(t, 0) != NULL;
}

/* The screen begins here, or as near as the end of the text lets it. Returns how far it was moved
 * up for that. */
static int settle(Transcript *t, Position p)
{
        int up;
        bool at_end = position_fill(t, &p, &up);

        t->wanted = 0;
        t->follow = at_end && !mirror_has_newer(t->mirror);
        if (!t->follow)
                anchor_set(t, p);
        return up;
}

int transcript_scroll(Transcript *t, int rows)
{
        Position p;
        int moved;

        assert(t);

        if (!has_messages(t) || rows == 0)
                return 0;
        mark(t, NULL);
        p = position_top(t);
        moved = position_move(t, &p, rows);
        if (rows > 0)
                return moved - settle(t, p);
        if (moved > 0) {
                t->follow = false;
                t->wanted = 0;
                anchor_set(t, p);
        }
        return -moved;
}

int transcript_page(Transcript *t, int pages)
{
        assert(t);
        /* Two rows of the page before, so that the eye finds its place. */
        return transcript_scroll(t, pages * MAX(t->area.rows - 2, 1));
}

/* From which the next and previous ones are counted: the marked one, else the topmost whose
 * heading is, or was, on the first row. */
static ssize_t current_index(Transcript *t, int by)
{
        Position top;
        ssize_t marked = t->marked != 0 ? find_message(t, t->marked, SIZE_MAX) : -ENOENT;
        size_t n;

        if (marked >= 0)
                return marked;
        (void) mirror_messages(t->mirror, &n);
        if (t->follow)
                return (ssize_t) n;
        top = position_top(t);
        /* From within a message, the one before is its own beginning. */
        if (by < 0)
                return (ssize_t) top.index + (top.part > PART_HEADING ? 1 : 0);
        return (ssize_t) top.index - (top.part == PART_GAP ? 1 : 0);
}

int transcript_message(Transcript *t, int by)
{
        ssize_t index;
        MessageItem *m;
        size_t n;

        assert(t);

        if (!has_messages(t))
                return 0;
        (void) mirror_messages(t->mirror, &n);
        index = current_index(t, by) + by;
        if (index >= (ssize_t) n) {
                if (!mirror_has_newer(t->mirror))
                        transcript_end(t);
                return 0;
        }
        index = MAX(index, 0);
        m = message_of(t, index);
        (void) settle(t, (Position){ .index = (size_t) index, .part = PART_HEADING });
        mark(t, m);
        return 1;
}

void transcript_home(Transcript *t)
{
        Position p = { 0 };

        assert(t);

        if (!has_messages(t))
                return;
        mark(t, NULL);
        if (!mirror_has_older(t->mirror))
                p.part = PART_HEADING;
        (void) settle(t, p);
}

void transcript_end(Transcript *t)
{
        const ConversationItem *c;

        assert(t);

        mark(t, NULL);
        t->wanted = 0;
        t->follow = true;
        c = mirror_open_conversation(t->mirror);
        if (c && mirror_has_newer(t->mirror))
                (void) mirror_open(t->mirror, c->id, 0); /* what fails is seen in the link */
}

int transcript_show(Transcript *t, uint64_t message)
{
        ssize_t index;

        assert(t);

        index = find_message(t, message, SIZE_MAX);
        if (index >= 0) {
                (void) settle(t, (Position){ .index = (size_t) index, .part = PART_HEADING });
                mark(t, message_of(t, index));
        }
        /* While others are on their way, it is to be shown among those. */
        if (index < 0 || mirror_is_loading(t->mirror)) {
                t->wanted_is_next = t->wanted != message;
                t->wanted = message;
        }
        return index >= 0;
}

/* ---- the message and its code ---- */

MessageItem *transcript_current(Transcript *t)
{
        ssize_t index;
        size_t n;

        assert(t);

        (void) mirror_messages(t->mirror, &n);
        if (t->marked != 0) {
                index = find_message(t, t->marked, SIZE_MAX);
                if (index >= 0)
                        return message_of(t, index);
        }
        if (t->follow || t->n_rows == 0)
                return message_of(t, (ssize_t) n - 1);
        index = find_message(t, t->rows[t->n_rows / 2].message, t->anchor.index);
        return message_of(t, index >= 0 ? index : (ssize_t) n - 1);
}

int transcript_toggle_reasoning(Transcript *t)
{
        MessageItem *m = transcript_current(t);
        uint64_t *bigger;

        if (!m || document_is_empty(m->channels[CHANNEL_REASONING]))
                return -ENOENT;
        for (size_t i = 0; i < t->n_toggled; i++)
                if (t->toggled[i] == m->id) {
                        t->toggled[i] = t->toggled[--t->n_toggled];
                        return 0;
                }
        if (t->n_toggled == TOGGLED_MAX)
                t->n_toggled = 0;
        bigger = reallocarray(t->toggled, t->n_toggled + 1, sizeof *bigger);
        if (!bigger)
                return -ENOMEM;
        t->toggled = bigger;
        t->toggled[t->n_toggled++] = m->id;
        return 0;
}

static Document *content_of(const Transcript *t, ssize_t index)
{
        MessageItem *m = message_of(t, index);

        return m ? m->channels[CHANNEL_CONTENT] : NULL;
}

static bool last_code(Document *d, size_t *ret)
{
        RowPlace p = document_last(d);

        if (document_is_empty(d))
                return false;
        for (p.row = 0;; p.segment--) {
                if (document_code_at(d, p, ret) == 0)
                        return true;
                if (p.segment == 0)
                        return false;
        }
}

/* The block that is on the screen, nearest to its middle. */
static bool visible_code(const Transcript *t, ssize_t *ret_index, size_t *ret)
{
        int middle = t->n_rows / 2;

        for (int i = 0; !t->follow && i < t->n_rows; i++) {
                int row = middle + (i % 2 ? -(i + 1) / 2 : i / 2);
                const RowKey *key = t->rows + MIN(MAX(row, 0), t->n_rows - 1);
                ssize_t index = find_message(t, key->message, key->position.index);

                if (index >= 0 && key->position.part == PART_CONTENT &&
                        document_code_at(content_of(t, index), key->position.row, ret) == 0) {
                        *ret_index = index;
                        return true;
                }
        }
        return false;
}

int transcript_code(Transcript *t, const char **ret, size_t *ret_size)
{
        ssize_t index = -ENOENT;
        size_t block = 0;
        bool found = false;

        assert(t);
        assert(ret);
        assert(ret_size);

        if (t->code_message != 0)
                index = find_message(t, t->code_message, SIZE_MAX);
        if (index >= 0) {
                found = t->code > 0;
                block = found ? t->code - 1 : 0;
                index -= !found;
        } else {
                MessageItem *m = transcript_current(t);

                found = t->marked == 0 && visible_code(t, &index, &block);
                if (!found && m)
                        index = find_message(t, m->id, SIZE_MAX);
        }
        for (; !found && index >= 0; index -= !found)
                found = last_code(content_of(t, index), &block);
        if (!found) {
                t->code_message = 0; /* the next call begins anew */
                return -ENOENT;
        }
        t->code_message = message_of(t, index)->id;
        t->code = block;
        return document_code(content_of(t, index), block, ret, ret_size);
}
