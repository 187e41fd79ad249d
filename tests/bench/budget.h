/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What each figure may be at most, or at least: a row of the report, beside what was measured. */

#include <stdio.h>

typedef struct BudgetMeasured {
        double median, p99, floor; /* floor < 0: there is none */
} BudgetMeasured;

/* The member "budgets" of the JSON line of this name, with a comma before it; nothing where there
 * is no budget. */
void budget_print(FILE *f, const char *name, const BudgetMeasured *m);
