/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Imports beside a load, one after the other, each exported again when it was acknowledged. Whoever
 * is killed under one has all of it or nothing. */

#include <sqlite3.h>

#include "tests/bus/harness.h"

typedef struct Copies Copies;

Copies *copies_new(Harness *h);
Copies *copies_free(Copies *c);

/* A load begins. */
void copies_begin(Copies *c, sd_bus *bus);
/* The service was killed: nothing more is asked, errors are expected. */
void copies_killed(Copies *c);
/* The connection ended. */
void copies_end(Copies *c);
/* After a restart: what was acknowledged is there, once; what was not is whole, or is not. */
void copies_check(const Copies *c, sqlite3 *sqlite);

unsigned copies_imported(const Copies *c);
unsigned copies_exported(const Copies *c);
