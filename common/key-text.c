/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/key-text.h"

#include <sys/mman.h>
#include <sys/prctl.h>

static unsigned n_texts; /* of all threads */

/* Threads may come and go here at once: who acted last looks whether it is still right. */
static void guard_process(void)
{
        bool none;

        do {
                none = __atomic_load_n(&n_texts, __ATOMIC_SEQ_CST) == 0;
                (void) prctl(PR_SET_DUMPABLE, none, 0, 0, 0);
        } while (none != (__atomic_load_n(&n_texts, __ATOMIC_SEQ_CST) == 0));
}

char *key_text_new(void)
{
        /* A mapping of its own, so that MADV_DONTDUMP covers the key and nothing else. */
        void *text = mmap(
                NULL, KEY_TEXT_ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (text == MAP_FAILED)
                return NULL;
        (void) madvise(text, KEY_TEXT_ROOM, MADV_DONTDUMP);
        (void) __atomic_add_fetch(&n_texts, 1, __ATOMIC_SEQ_CST);
        guard_process();
        return text;
}

char *key_text_free(char *text)
{
        if (!text)
                return NULL;

        explicit_bzero(text, KEY_TEXT_ROOM);
        (void) munmap(text, KEY_TEXT_ROOM);
        (void) __atomic_sub_fetch(&n_texts, 1, __ATOMIC_SEQ_CST);
        guard_process();
        return NULL;
}

static bool is_space(char c)
{
        return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

int key_text_finish(char *text, size_t size, const char *where, Failure *failure)
{
        size_t begin = 0;

        if (size > KEY_SIZE_MAX)
                return failure_set(failure, FAILURE_KEY_REFUSED,
                        "The key in %s is longer than %zu bytes.", where, KEY_SIZE_MAX);

        while (size > 0 && is_space(text[size - 1]))
                size--;
        while (begin < size && is_space(text[begin]))
                begin++;
        size -= begin;
        memmove(text, text + begin, size);
        explicit_bzero(text + size, KEY_TEXT_ROOM - size);

        if (size == 0)
                return failure_set(
                        failure, FAILURE_KEY_REFUSED, "There is no key in %s: it is empty.", where);
        for (size_t i = 0; i < size; i++)
                if (text[i] < 0x20 || text[i] > 0x7e)
                        return failure_set(failure, FAILURE_KEY_REFUSED,
                                "The key in %s has a character that no key has; it must be one "
                                "line of plain ASCII.",
                                where);
        return 0;
}
