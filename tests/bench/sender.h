/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The floor of the streams: a program that does nothing but send such signals at such a rate. */

#include "tests/bench/bench.h"

#define SENDER_PATHS_MAX 200U

typedef struct Sender {
        const char *address;            /* of the bus; NULL: */
        const int *fds;                 /* one end of a pair for each destination */
        const char *const *destination; /* on the bus, unique names */
        unsigned n_destinations;        /* each is sent each token */
        unsigned n_streams, n_tokens;   /* so many tokens in each stream */
        unsigned rate;                  /* tokens a second in each stream */
} Sender;

/* Returns when it is connected; it begins when a byte is written to *ret_go, which the caller
 * closes. */
pid_t sender_start(const Sender *s, int *ret_go);
