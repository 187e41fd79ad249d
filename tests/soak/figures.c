/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/soak/soak.h"

#include <dirent.h>
#include <inttypes.h>

/* So long it is looked at, and so often at most until it rests. */
#define WINDOW_USEC (2 * USEC_PER_SEC)
#define WINDOWS_MAX 30U

static int on_time(sd_event_source *source, uint64_t usec, void *userdata)
{
        bool *over = userdata;

        *over = true;
        return 0;
}

void soak_wait(Soak *s, usec_t usec)
{
        _cleanup_(sd_event_source_disable_unrefp) sd_event_source *timer = NULL;
        bool over = false;

        assert_return_code(sd_event_add_time_relative(
                                   s->h->event, &timer, CLOCK_MONOTONIC, usec, 1, on_time, &over),
                0);
        while (!over)
                harness_turn(s->h, harness_now() + usec + HARNESS_PATIENCE, "a timer");
}

static DIR *open_folder(pid_t pid, const char *name)
{
        char path[64];
        DIR *folder;

        (void) snprintf(path, sizeof path, "/proc/%d/%s", (int) pid, name);
        folder = opendir(path);
        assert_non_null(folder);
        return folder;
}

static unsigned count_entries(pid_t pid, const char *name)
{
        DIR *folder = open_folder(pid, name);
        const struct dirent *e;
        unsigned n = 0;

        while ((e = readdir(folder)))
                n += e->d_name[0] != '.';
        assert_int_equal(closedir(folder), 0);
        return n;
}

/* The sum of the numbers behind this word in a file of the process; missing: 0. */
static uint64_t sum_of(pid_t pid, const char *file, const char *word)
{
        char path[384], line[256];
        _cleanup_fclose_ FILE *f = NULL;
        uint64_t sum = 0;

        (void) snprintf(path, sizeof path, "/proc/%d/%s", (int) pid, file);
        f = fopen(path, "re");
        while (f && fgets(line, sizeof line, f)) {
                const char *value = startswith(line, word);

                if (value)
                        sum += strtoull(value, NULL, 10);
        }
        return sum;
}

static uint64_t count_switches(pid_t pid)
{
        DIR *folder = open_folder(pid, "task");
        const struct dirent *e;
        uint64_t sum = 0;

        while ((e = readdir(folder))) {
                char file[300];

                if (e->d_name[0] == '.')
                        continue;
                (void) snprintf(file, sizeof file, "task/%s/status", e->d_name);
                sum += sum_of(pid, file, "voluntary_ctxt_switches:");
        }
        assert_int_equal(closedir(folder), 0);
        return sum;
}

void figures_take(Soak *s, pid_t pid, Figures *ret)
{
        uint64_t before = count_switches(pid), now;

        /* What follows the last event: texts are saved, connections closed, an avatar rests. */
        for (unsigned i = 0; i < WINDOWS_MAX; i++) {
                soak_wait(s, WINDOW_USEC);
                now = count_switches(pid);
                ret->wakeups = now - before;
                before = now;
                if (ret->wakeups == 0)
                        break;
        }
        ret->memory = sum_of(pid, "smaps_rollup", "Private_Dirty:") * 1024;
        ret->descriptors = count_entries(pid, "fd");
        ret->tasks = count_entries(pid, "task");
        assert_true(ret->memory > 0);
}

void figures_print(const char *who, const Figures *before, const Figures *after)
{
        printf("# tried | %s after all that, and before it | 2 looks | memory %zu KiB (%zu), "
               "descriptors %u (%u), tasks %u (%u), wake-ups in 2 idle seconds %" PRIu64
               " (%" PRIu64 ") |\n",
                who, after->memory / 1024, before->memory / 1024, after->descriptors,
                before->descriptors, after->tasks, before->tasks, after->wakeups, before->wakeups);
}
