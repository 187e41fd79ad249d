/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/bench/budget.h"

#include <fnmatch.h>

#include "common/macro.h"

/* What of the figure is compared. */
typedef enum BudgetKind {
        BUDGET_MEDIAN,
        BUDGET_P99,
        BUDGET_RATIO,       /* median / floor */
        BUDGET_RATIO_LEAST, /* of a throughput: at least this */
        BUDGET_ADDS,        /* median - floor */
        BUDGET_P99_ADDS,    /* p99 - floor */
} BudgetKind;

typedef struct Budget {
        const char *name; /* a pattern of the shell's kind */
        BudgetKind kind;
        double value;
} Budget;

static const Budget budgets[] = {
        { "activate-by-the-bus", BUDGET_MEDIAN, 30 },
        { "call-*", BUDGET_RATIO, 1.3 },
        { "cli-ask-long*", BUDGET_RATIO, 1.1 },
        { "cli-ask-one-token", BUDGET_MEDIAN, 8000 },
        { "cli-ask-one-token", BUDGET_RATIO, 1 },
        { "cli-ask-resident", BUDGET_MEDIAN, 5 * 1024 },
        { "cli-version", BUDGET_ADDS, 1000 },
        { "context-build-*", BUDGET_MEDIAN, 2000 },
        { "context-100k-memory-peak", BUDGET_MEDIAN, 2 },
        { "count-key-own", BUDGET_MEDIAN, 0 },
        { "count-send-fsyncs", BUDGET_MEDIAN, 1 },
        { "count-token-*-own", BUDGET_MEDIAN, 0 },
        { "first-token-*", BUDGET_ADDS, 500 },
        { "first-token-*", BUDGET_P99_ADDS, 2000 },
        { "desktop-search*", BUDGET_P99, 50000 },
        { "history-list*", BUDGET_MEDIAN, 2000 },
        { "history-search-*", BUDGET_MEDIAN, 20000 },
        { "history-start-ready*", BUDGET_ADDS, 5 },
        { "idle-*-wakeups", BUDGET_MEDIAN, 0 },
        { "idle-service-private-dirty", BUDGET_MEDIAN, 3 * 1024 },
        { "idle-service-pss", BUDGET_RATIO, 1.3 },
        { "send-durable", BUDGET_ADDS, 300 },
        { "start-private-dirty", BUDGET_MEDIAN, 3 * 1024 },
        { "start-pss", BUDGET_RATIO, 1.3 },
        { "start-ready", BUDGET_ADDS, 5 },
        { "stream-flat-private", BUDGET_RATIO_LEAST, 0.7 },
        { "stream-flat-session", BUDGET_RATIO_LEAST, 0.7 },
        { "streams-*-cpu-a-token/50", BUDGET_RATIO, 2 },
        { "streams-*-delay/50", BUDGET_P99, 5000 },
        { "tui-bytes-a-frame*", BUDGET_MEDIAN, 64 },
        { "tui-cancel-to-screen", BUDGET_MEDIAN, 50 },
        { "tui-frames-a-second", BUDGET_MEDIAN, 60 },
        { "tui-key-to-screen", BUDGET_P99, 2000 },
        { "tui-page/*", BUDGET_MEDIAN, 16 },
        { "tui-private-dirty", BUDGET_MEDIAN, 6 * 1024 },
};

static const struct {
        const char *name;
        bool needs_floor, least;
} kinds[] = {
        [BUDGET_MEDIAN] = { .name = "median" },
        [BUDGET_P99] = { .name = "p99" },
        [BUDGET_RATIO] = { .name = "ratio", .needs_floor = true },
        [BUDGET_RATIO_LEAST] = { .name = "ratio", .needs_floor = true, .least = true },
        [BUDGET_ADDS] = { .name = "median over the floor", .needs_floor = true },
        [BUDGET_P99_ADDS] = { .name = "p99 over the floor", .needs_floor = true },
};

static double budget_of(BudgetKind kind, const BudgetMeasured *m)
{
        switch (kind) {
        case BUDGET_MEDIAN:
                return m->median;
        case BUDGET_P99:
                return m->p99;
        case BUDGET_RATIO:
        case BUDGET_RATIO_LEAST:
                return m->floor > 0 ? m->median / m->floor : 0;
        case BUDGET_ADDS:
                return m->median - m->floor;
        case BUDGET_P99_ADDS:
                return m->p99 - m->floor;
        }
        return 0;
}

void budget_print(FILE *f, const char *name, const BudgetMeasured *m)
{
        bool first = true;

        for (const Budget *b = budgets; b < budgets + ELEMENTSOF(budgets); b++) {
                double value;
                bool met;

                if (fnmatch(b->name, name, 0) != 0 || (kinds[b->kind].needs_floor && m->floor < 0))
                        continue;
                value = budget_of(b->kind, m);
                met = kinds[b->kind].least ? value >= b->value : value <= b->value;
                fprintf(f, "%s{\"of\":\"%s\",\"%s\":%g,\"is\":%.3f,\"met\":%s}",
                        first ? ",\"budgets\":[" : ",", kinds[b->kind].name,
                        kinds[b->kind].least ? "least" : "most", b->value, value,
                        met ? "true" : "false");
                first = false;
        }
        if (!first)
                fputc(']', f);
}
