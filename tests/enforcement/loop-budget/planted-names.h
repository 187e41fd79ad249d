/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* In a static library of its own, as one that we are given might have it. */
void planted_look_up(void);
