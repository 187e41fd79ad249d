/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Allocations so far. They are counted where the C library's can be stood before: under a sanitizer
 * there are none. */

#include <stddef.h>

extern size_t n_allocations;
