/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A small terminal: what bytes make of a picture. Whatever it does not know, or what goes over an
 * edge, fails the test. */

#include "client/tui/terminal/width.h"

typedef struct EmulatorLook {
        int64_t foreground, background; /* -1: its own; the parameters in one number else */
        uint64_t attributes;            /* 1 << the number that sets it; no padding */
} EmulatorLook;

typedef struct EmulatorCell {
        char text[CLUSTER_BYTES_MAX + 8];
        size_t size;
        unsigned cells; /* 0: the cluster to the left goes on */
        EmulatorLook look;
} EmulatorCell;

typedef struct Emulator {
        int rows, columns, row, column, top, bottom, left, right;
        bool erases_with_background, cursor_visible, synchronized;
        bool has_margins;          /* left and right ones are on */
        unsigned scrolled, beside; /* rows, and those of them that were not whole */
        int doubt; /* cells that it adds to clusters on which terminals do not agree */
        EmulatorLook look;
        EmulatorCell *cells;
} Emulator;

void emulator_init(Emulator *e, int rows, int columns);
void emulator_done(Emulator *e);
void emulator_feed(Emulator *e, const char *data, size_t size);
EmulatorCell *emulator_cell(const Emulator *e, int row, int column);
