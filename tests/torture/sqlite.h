/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Puts our points into SQLite: its allocator and the system calls of its "unix" file system. In a
 * process that has not used SQLite yet. */
int sqlite_torture(void);
