/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A program in a terminal of our own: keys in, screen bytes out. */

#include "tests/bus/harness.h"

typedef struct Pty {
        int fd; /* the terminal's side */
        pid_t pid;
        size_t bytes, reads; /* that came from it */
        char tail[KIB(256)]; /* the last that came */
        size_t n_tail;
        bool modern; /* to be set at the start: it has margins and synchronized frames, and says so
                      */
        bool answered;
} Pty;

/* environment: NULL-ended, whole. rows and columns: of the terminal. */
void pty_start(Pty *p, const char *const *arguments, const char *const *environment, int rows,
        int columns);
/* conductor-tui (CONDUCTOR_TUI) as a person of this harness starts it; more: of its
 * environment, "NAME=VALUE", NULL-ended, or NULL. */
void pty_start_client(Pty *p, const Harness *h, const char *option, const char *const *more,
        int rows, int columns);
void pty_end(Pty *p); /* SIGTERM, and waits */

void pty_write(Pty *p, const char *bytes, size_t size);
/* Reads what is there, waiting for it until the deadline (µs, CLOCK_MONOTONIC). 0: it passed. */
size_t pty_read(Pty *p, double deadline);
/* Reads until this text came since the last pty_forget(); fails the benchmark when it does not. */
void pty_wait(Pty *p, const char *text);
void pty_forget(Pty *p);
