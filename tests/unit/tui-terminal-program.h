/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A program in a terminal: what it is told it says on a pipe, and some keys have it do something.
 * Returns its exit status. */
int terminal_program(int report_fd);
