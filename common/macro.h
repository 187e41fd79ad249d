/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Ownership by scope: every local that owns something is declared with one of these cleanup
 * attributes, initialised, and handed over with TAKE_PTR() or TAKE_FD() at the one place where the
 * function succeeds. */

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define _cleanup_(f)       __attribute__((cleanup(f)))
#define _printf_(fmt, arg) __attribute__((format(printf, fmt, arg)))
#define _unused_           __attribute__((unused))
#define _noreturn_         __attribute__((noreturn))

#define ELEMENTSOF(x) (sizeof(x) / sizeof((x)[0]))
/* Each use gets names of its own, so that they nest. */
#define CONCAT_(a, b) a##b
#define CONCAT(a, b)  CONCAT_(a, b)
#define MIN(a, b)     MIN_UNIQUE(__COUNTER__, a, b)
#define MAX(a, b)     MAX_UNIQUE(__COUNTER__, a, b)
#define MIN_UNIQUE(n, a, b) \
        ({ \
                __typeof__(a) CONCAT(_a, n) = (a); \
                __typeof__(b) CONCAT(_b, n) = (b); \
                CONCAT(_a, n) < CONCAT(_b, n) ? CONCAT(_a, n) : CONCAT(_b, n); \
        })
#define MAX_UNIQUE(n, a, b) \
        ({ \
                __typeof__(a) CONCAT(_a, n) = (a); \
                __typeof__(b) CONCAT(_b, n) = (b); \
                CONCAT(_a, n) > CONCAT(_b, n) ? CONCAT(_a, n) : CONCAT(_b, n); \
        })

/* The caller guarantees a non-NULL pointer (a callback's userdata): state it where it is used. */
#define ASSERT_PTR(p) \
        ({ \
                __typeof__(p) _p = (p); \
                assert(_p); \
                _p; \
        })

#define TAKE_PTR(p) \
        ({ \
                __typeof__(p) _taken = (p); \
                (p) = NULL; \
                _taken; \
        })

#define TAKE_FD(fd) \
        ({ \
                int _taken = (fd); \
                (fd) = -EBADF; \
                _taken; \
        })

/* Defines func##p(), which calls func on a non-NULL local: for use with _cleanup_(). */
#define DEFINE_CLEANUP(type, func) \
        _unused_ static inline void func##p(type *p) \
        { \
                if (*p) \
                        func(*p); \
        }

static inline void freep(void *p)
{
        free(*(void **) p);
}

static inline int safe_close(int fd)
{
        if (fd >= 0) {
                int saved = errno;

                (void) close(fd);
                errno = saved;
        }
        return -EBADF;
}

static inline void closep(int *fd)
{
        (void) safe_close(*fd);
}

static inline void fclosep(FILE **f)
{
        if (*f)
                (void) fclose(*f);
}

#define _cleanup_free_   _cleanup_(freep)
#define _cleanup_close_  _cleanup_(closep)
#define _cleanup_fclose_ _cleanup_(fclosep)

static inline void *mfree(void *p)
{
        free(p);
        return NULL;
}

static inline bool streq(const char *a, const char *b)
{
        return strcmp(a, b) == 0;
}

/* NULL is equal to NULL only. */
static inline bool streq_ptr(const char *a, const char *b)
{
        return a && b ? streq(a, b) : a == b;
}

static inline const char *strempty(const char *s)
{
        return s ? s : "";
}

static inline bool isempty(const char *s)
{
        return !s || !*s;
}

/* The rest of the string after the prefix, or NULL. */
static inline const char *startswith(const char *s, const char *prefix)
{
        size_t n = strlen(prefix);

        return strncmp(s, prefix, n) == 0 ? s + n : NULL;
}

/* free(*p); *p = strdup(s). Returns -ENOMEM and leaves *p alone on failure; s may be NULL. */
static inline int free_and_strdup(char **p, const char *s)
{
        char *copy = NULL;

        if (s) {
                copy = strdup(s);
                if (!copy)
                        return -ENOMEM;
        }
        free(*p);
        *p = copy;
        return 0;
}

/* Times are microseconds; the name says of which clock. */
typedef uint64_t usec_t;
#define USEC_PER_SEC  ((usec_t) 1000000)
#define USEC_PER_MSEC ((usec_t) 1000)
#define USEC_INFINITY ((usec_t) UINT64_MAX)

#define KIB(n) ((size_t) (n) *1024)
#define MIB(n) ((size_t) (n) *1024 * 1024)
