/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* torture [--jobs=N] [--part=N] [--times=N] [--seconds=N] [--runs=N] [--patience=N]
 * [--scenario=NAME]: see README.md. */

#include <execinfo.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "tests/torture/commands.h"
#include "tests/torture/neighbours.h"
#include "tests/torture/rack.h"
#include "tests/torture/torture.h"
#include "tests/torture/tui.h"

/* First every sixteenth point, then every fourth, then all: where the time ends, the points that
 * were not tried are not those at the end. */
#define COARSE 16U
#define FINER  4U

/* So many runs in a row must find no new point: what the threads do differs between runs. */
#define CLEAN_RUNS 2U

/* Findings that are written out; the others are counted. */
#define WRITTEN_MAX 200U

#define SCENARIOS_MAX 64U

/* Of the second and a half in which the service wants to have stopped. */
#define STARVED_MIN (USEC_PER_SEC / 2)

/* ---- what all jobs count ---- */

/* The worst that came of a point. */
typedef enum Outcome {
        OUTCOME_NOTHING, /* that a client sees */
        OUTCOME_REFUSED, /* a named error */
        OUTCOME_LOST,    /* a connection ended */
        OUTCOME_ENDED,   /* the service, by its own decision, with a sentence */
        OUTCOME_WRONG,
        _OUTCOME_MAX,
} Outcome;

typedef enum Place {
        IN_SERVICE,
        IN_COMMAND,
        IN_TUI,
        _PLACE_MAX,
} Place;

typedef struct Totals {
        atomic_uint outcomes[_PLACE_MAX][_KIND_MAX][_OUTCOME_MAX]; /* of points */
        atomic_uint found;
        atomic_uint unfinished; /* there was no more time */
        atomic_ulong acknowledged;
        atomic_uint next; /* work, in the order of the list */
        atomic_uint runs[SCENARIOS_MAX], wrong[SCENARIOS_MAX];
} Totals;

typedef struct Options {
        unsigned jobs, part, times, seconds, runs;
        const char *scenario;
} Options;

usec_t patience = 15 * USEC_PER_SEC;

static Totals *totals;
static usec_t give_up = UINT64_MAX;

static usec_t now(void)
{
        struct timespec ts;

        (void) clock_gettime(CLOCK_MONOTONIC, &ts);
        return (usec_t) ts.tv_sec * USEC_PER_SEC + (usec_t) ts.tv_nsec / 1000;
}

void found(Torture *t, const char *format, ...)
{
        _cleanup_free_ char *text = NULL;
        char *rest, *line;
        va_list ap;

        va_start(ap, format);
        if (vasprintf(&text, format, ap) < 0)
                abort();
        va_end(ap);
        rest = text;
        while ((line = strsep(&rest, "\n")))
                if (*line)
                        (void) buffer_append_format(&t->found, "#   %s\n", line);
}

/* ---- telling ---- */

static void indent(Buffer *b, char *text)
{
        char *rest = text, *line;

        while (text && (line = strsep(&rest, "\n")))
                if (*line)
                        (void) buffer_append_format(b, "#     %s\n", line);
}

/* The program's own frames, by name and line where addr2line is there. */
static void append_stack(Buffer *b, const Run *run)
{
        _cleanup_buffer_ Buffer command = BUFFER_INIT(KIB(16));
        char line[512];
        FILE *f;

        (void) buffer_append_string(&command, "addr2line -pifs -e /proc/$PPID/exe");
        for (int i = 2; i < run->depth; i++)
                (void) buffer_append_format(&command, " %#tx", points_offset(run->stack[i]) - 1);
        (void) buffer_append_string(&command, " 2>/dev/null");
        f = popen(buffer_text(&command), "r");
        while (f && fgets(line, sizeof line, f))
                if (!startswith(line, "??"))
                        (void) buffer_append_format(b, "#     %s", line);
        if (f)
                (void) pclose(f);
}

static void tell(Torture *t)
{
        _cleanup_buffer_ Buffer b = BUFFER_INIT(MIB(4));
        _cleanup_free_ char *log = NULL;
        const Run *run = t->run;

        if (atomic_fetch_add(&totals->found, 1) >= WRITTEN_MAX)
                return;
        (void) buffer_append_format(&b, "# FOUND in \"%s\"", t->scenario->name);
        if (atomic_load(&run->failed))
                (void) buffer_append_format(&b, ": call %lu of %s, %s(), %s", run->n,
                        kind_to_string(run->kind), run->function, mode_to_string(run->mode));
        (void) buffer_append_format(
                &b, "; it ended with %d\n%s", t->status, buffer_text(&t->found));
        if (atomic_load(&run->failed))
                append_stack(&b, run);
        (void) buffer_append_string(&b, "#   its log:\n");
        log = service_log(t);
        indent(&b, log);
        (void) fputs(buffer_text(&b), stdout);
        (void) fflush(stdout);
}

/* ---- one run ---- */

/* It gave up stopping after a while: unless it was not let run for a part of that, something that
 * it waited for never came. */
static bool stopped_in_vain(const Torture *t, const char *log)
{
        return log && strstr(log, "without waiting any longer") && t->starved < STARVED_MIN;
}

/* Only what the sanitizers say, or a status that means success, or a signal, is wrong: where it
 * cannot go on, it ends with a sentence and a status, and loses nothing. */
static void judge_end(Torture *t, bool early)
{
        _cleanup_free_ char *log = service_log(t);

        if (t->status == EXIT_SANITIZER)
                found(t, "the sanitizer stopped it");
        else if (t->status >= 128)
                found(t, "signal %d (%s) ended it", t->status - 128, strsignal(t->status - 128));
        else if (stopped_in_vain(t, log))
                found(t, "it could not stop in order");
        else if (t->status != 0 && isempty(log))
                found(t, "it ended with %d and without a word", t->status);
        else if (t->status != 0 && !client_may_fail(t))
                found(t, "it ended with %d", t->status);
        else if (early && t->status == 0)
                found(t, "it ended as if all were well");
}

static Outcome outcome(const Torture *t)
{
        if (t->found.size > 0)
                return OUTCOME_WRONG;
        if (t->status != 0)
                return OUTCOME_ENDED;
        if (t->n_lost > 0)
                return OUTCOME_LOST;
        return t->n_refused > 0 ? OUTCOME_REFUSED : OUTCOME_NOTHING;
}

/* A service that cannot listen says so and waits for the session bus, which nobody starts here. */
static bool waits_for_session(const Torture *t)
{
        _cleanup_free_ char *log = service_log(t);

        return t->scenario->flags & SCENARIO_LISTEN && log &&
                strstr(log, "Cannot listen on") != NULL;
}

static bool serves(Torture *t, const char *model)
{
        _cleanup_free_ char *path = NULL;
        uint64_t message, reply;
        bool served;

        client_close(t);
        path = client_create(t, model);
        client_follow(t, path);
        served = client_send(t, path, "@tokens=1", &message, &reply);
        if (served)
                client_wait_end(t, path, reply);
        return served;
}

/* After one failure it serves as before, or it has begun to end. A scenario may still hold the
 * first engine; another one's file may be what could not be read. */
static void probe(Torture *t)
{
        if (serves(t, "anthropic/tiny:latest"))
                return;
        /* A connection that ended may be the first that is seen of the service's own end. */
        service_may_end(t);
        if (service_lives(t) && !serves(t, "builtin/doctor") && !waits_for_session(t) &&
                !service_ends(t))
                found(t, "it does not serve any more");
}

/* Of which no other run may know: what the first one left is what counts. */
static void play_again(Torture *t, const Scenario *s)
{
        Run before = *t->run;

        *t->run = (Run){ .mode = MODE_NONE };
        if (service_start(t) < 0)
                found(t, "the service cannot be forked");
        else {
                s->again(t);
                client_close(t);
                service_stop(t);
                judge_end(t, /* early= */ false);
        }
        *t->run = before;
}

static void count(const Torture *t, Place place, Outcome o)
{
        (void) atomic_fetch_add(&totals->outcomes[place][t->run->kind][o], 1);
}

static void run_once(Torture *t, const Scenario *s, Mode mode)
{
        bool early;

        t->scenario = s;
        *t->run = (Run){ .mode = mode, .kinds = UINT_MAX };
        if (mode == MODE_ON)
                t->run->kinds = 1U << KIND_MEMORY | 1U << KIND_SQLITE_MEMORY |
                        1U << KIND_SQLITE_FULL;
        t->n_lost = t->n_refused = 0;
        t->n_heard = 0;
        buffer_clear(&t->found);
        rack_seed(t, s->seed);

        if (service_start(t) < 0) {
                found(t, "the service cannot be forked");
                return;
        }
        if (s->flags & SCENARIO_LISTEN)
                rack_wait_socket(t);
        s->play(t);
        if (mode == MODE_ONCE && client_may_fail(t) && service_lives(t) && !s->again)
                probe(t);
        client_close(t);
        early = !service_lives(t) && !(s->flags & SCENARIO_STOPS);
        service_stop(t);
        judge_end(t, early);
        if (s->again)
                play_again(t, s);
        verify(t);

        (void) atomic_fetch_add(&totals->acknowledged, t->n_acks);
        if (client_may_fail(t))
                count(t, IN_SERVICE, outcome(t));
}

/* The service is there, and stays. */
static void run_client(Torture *t, Mode mode)
{
        *t->run = (Run){ .mode = mode, .kinds = (1U << KIND_SQLITE_MEMORY) - 1 };
        if (mode == MODE_ON)
                t->run->kinds = 1U << KIND_MEMORY;
        t->n_refused = 0;
        buffer_clear(&t->found);
        t->scenario->play(t);
        if (client_may_fail(t))
                count(t, t->scenario->tui ? IN_TUI : IN_COMMAND,
                        t->found.size > 0          ? OUTCOME_WRONG
                                : t->n_refused > 0 ? OUTCOME_REFUSED
                                                   : OUTCOME_NOTHING);
}

static void begin_clients(Torture *t, const Scenario *s)
{
        t->scenario = s;
        *t->run = (Run){ .mode = MODE_NONE };
        rack_seed(t, s->seed);
        command_forget(t);
        buffer_clear(&t->found);
        client_close(t);
        if (service_start(t) < 0)
                found(t, "the service cannot be forked");
        else if (client_call(t, NULL, PATH_ROOT, INTERFACE_MANAGER, "GetStatistics", ""))
                s->play(t); /* so it looks when nothing fails */
}

static void end_clients(Torture *t)
{
        *t->run = (Run){ .mode = MODE_NONE };
        buffer_clear(&t->found);
        client_close(t);
        service_stop(t);
        judge_end(t, /* early= */ false);
        verify(t);
        (void) atomic_fetch_add(&totals->acknowledged, t->n_acks);
}

/* ---- the sweep ---- */

static void tell_if_wrong(Torture *t, size_t i)
{
        if (t->found.size == 0)
                return;
        (void) atomic_fetch_add(&totals->wrong[i], 1);
        tell(t);
}

/* A long run shows how far it is, and which sweeps had not enough of it. */
static void tell_sweep(size_t i, Mode mode, unsigned runs, bool finished)
{
        if (!finished)
                (void) atomic_fetch_add(&totals->unfinished, 1);
        printf("# \"%s\", %s: %u runs%s\n", scenarios[i].name, mode_to_string(mode), runs,
                finished ? "" : ", not finished");
        (void) fflush(stdout);
}

/* False when it was not finished. */
static bool sweep_part(
        Torture *t, const Options *o, size_t i, Mode mode, usec_t until, unsigned *runs)
{
        for (unsigned clean = 0, n = 0; clean < CLEAN_RUNS && n < o->runs; n++) {
                if (now() >= until)
                        return false;
                if (is_of_client(&scenarios[i]))
                        run_client(t, mode);
                else
                        run_once(t, &scenarios[i], mode);
                (void) atomic_fetch_add(&totals->runs[i], 1);
                (*runs)++;
                clean = client_may_fail(t) ? 0 : clean + 1;
                tell_if_wrong(t, i);
                if (t->found.size > 0 && !client_may_fail(t))
                        break; /* it is wrong without us: once is enough */
        }
        return true;
}

static void sweep(Torture *t, const Options *o, size_t i, Mode mode, usec_t until)
{
        unsigned runs = 0;
        bool finished = true;

        for (unsigned coarse = COARSE; finished && coarse > 0; coarse /= FINER) {
                points_set_part(o->part * coarse);
                finished = sweep_part(t, o, i, mode, until, &runs);
        }
        tell_sweep(i, mode, runs, finished);
}

static int open_desktop(Torture *t, const Scenario *s)
{
        int r = 0;

        if (s->flags & (SCENARIO_SESSION | SCENARIO_KEYRING))
                r = rack_open_session(t);
        if (r >= 0 && s->flags & SCENARIO_KEYRING)
                r = keyring_start(t);
        if (r >= 0 && s->flags & SCENARIO_UNIT)
                r = user_manager_start(t);
        if (r >= 0 && s->flags & SCENARIO_HOST && access("/usr/bin/systemd-stdio-bridge", X_OK) < 0)
                r = -errno;
        return r;
}

static bool is_wanted(const Options *o, const char *name)
{
        const char *without = o->scenario ? startswith(o->scenario, "!") : NULL;

        return without ? !strstr(name, without) : !o->scenario || strstr(name, o->scenario);
}

/* Each of what is left gets as much of the time that is left. What is a point of several scenarios
 * is tried in the next one. */
static usec_t time_share(const Options *o, unsigned work)
{
        usec_t at = now();
        unsigned left = 0;

        if (give_up == UINT64_MAX || at >= give_up)
                return give_up;
        for (; work < 2 * n_scenarios; work++)
                left += is_wanted(o, scenarios[work / 2].name);
        return at + (give_up - at) * MIN(o->jobs, left) / left;
}

/* Takes scenarios from the list until there is none left. */
static int job(const Options *o)
{
        _cleanup_(rack_freep) Torture *t = NULL;
        unsigned work;
        int r;

        r = rack_new(&t);
        if (r < 0) {
                printf("# cannot begin: %s\n", strerror(-r));
                return EXIT_FAILURE;
        }
        rack_make_seeds(t);
        if (t->found.size > 0) {
                printf("# the seeds cannot be made\n%s", buffer_text(&t->found));
                return EXIT_FAILURE;
        }
        while ((work = atomic_fetch_add(&totals->next, 1)) < 2 * n_scenarios) {
                size_t i = work / 2;

                if (!is_wanted(o, scenarios[i].name))
                        continue;
                if (now() >= give_up) {
                        tell_sweep(
                                i, work % 2 == 0 ? MODE_ONCE : MODE_ON, 0, /* finished= */ false);
                        continue;
                }
                if (scenarios[i].tui && !tui_is_built) {
                        printf("# the curses client is not built: \"%s\" is left out\n",
                                scenarios[i].name);
                        continue;
                }
                if (open_desktop(t, &scenarios[i]) < 0) {
                        printf("# there is no dbus-daemon or no systemd-stdio-bridge: \"%s\" is left out\n",
                                scenarios[i].name);
                        continue;
                }
                if (is_of_client(&scenarios[i])) {
                        begin_clients(t, &scenarios[i]);
                        tell_if_wrong(t, i);
                }
                sweep(t, o, i, work % 2 == 0 ? MODE_ONCE : MODE_ON, time_share(o, work));
                if (is_of_client(&scenarios[i])) {
                        end_clients(t);
                        tell_if_wrong(t, i);
                }
        }
        return EXIT_SUCCESS;
}

/* ---- the end ---- */

static unsigned sum(Place place, Kind k, unsigned of[static _OUTCOME_MAX])
{
        unsigned n = 0;

        for (Outcome o = 0; o < _OUTCOME_MAX; o++)
                n += of[o] = atomic_load(&totals->outcomes[place][k][o]);
        return n;
}

static void tell_tried(Kind k)
{
        unsigned of[_OUTCOME_MAX], n;

        n = sum(IN_SERVICE, k, of);
        if (n > 0)
                printf("# tried | %s: each call fails in turn | %u | %u no client saw, %u were answered with a "
                       "named error, %u ended a connection, %u the service, with a sentence; %u crashes, "
                       "leaks, hangs or losses\n",
                        kind_to_string(k), n, of[OUTCOME_NOTHING], of[OUTCOME_REFUSED],
                        of[OUTCOME_LOST], of[OUTCOME_ENDED], of[OUTCOME_WRONG]);
        n = sum(IN_COMMAND, k, of);
        if (n > 0)
                printf("# tried | %s, in the command line client: each call fails in turn | %u | %u "
                       "changed nothing, %u ended it with a sentence and a status; %u crashes, leaks, "
                       "hangs or successes that were none\n",
                        kind_to_string(k), n, of[OUTCOME_NOTHING], of[OUTCOME_REFUSED],
                        of[OUTCOME_WRONG]);
        n = sum(IN_TUI, k, of);
        if (n > 0)
                printf("# tried | %s, in the curses client: each call fails in turn | %u | in %u it went "
                       "on, %u took it another way or ended it with a sentence and a status; %u crashes, "
                       "leaks, hangs, spoilt terminals or lost drafts\n",
                        kind_to_string(k), n, of[OUTCOME_NOTHING], of[OUTCOME_REFUSED],
                        of[OUTCOME_WRONG]);
}

static int report(const Options *o, bool jobs_ended_well)
{
        unsigned n = 0, wrong = 0;

        for (size_t i = 0; i < n_scenarios; i++) {
                unsigned runs = atomic_load(&totals->runs[i]);

                if (runs == 0)
                        continue;
                wrong += atomic_load(&totals->wrong[i]);
                printf("%sok %u - %s, %u runs\n", atomic_load(&totals->wrong[i]) ? "not " : "", ++n,
                        scenarios[i].name, runs);
        }
        printf("%sok %u - all jobs came to their end\n1..%u\n", jobs_ended_well ? "" : "not ",
                n + 1, n + 1);
        for (Kind k = 0; k < _KIND_MAX; k++)
                tell_tried(k);
        printf("# %lu acknowledgements were looked for in the databases; %u findings\n",
                atomic_load(&totals->acknowledged), atomic_load(&totals->found));
        if (atomic_load(&totals->unfinished) > 0)
                printf("# %u sweeps were not finished within %u s\n",
                        atomic_load(&totals->unfinished), o->seconds);
        return wrong || !jobs_ended_well ? EXIT_FAILURE : EXIT_SUCCESS;
}

static void parse(Options *o, int argc, char *argv[])
{
        static const struct option options[] = {
                { "jobs", required_argument, NULL, 'j' },
                { "part", required_argument, NULL, 'p' },
                { "times", required_argument, NULL, 't' },
                { "seconds", required_argument, NULL, 's' },
                { "runs", required_argument, NULL, 'r' },
                { "patience", required_argument, NULL, 'w' },
                { "scenario", required_argument, NULL, 'c' },
                { 0 },
        };
        int c;

        while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
                unsigned value = optarg ? (unsigned) strtoul(optarg, NULL, 10) : 0;

                switch (c) {
                case 'j':
                        o->jobs = value;
                        break;
                case 'p':
                        o->part = value;
                        break;
                case 't':
                        o->times = value;
                        break;
                case 's':
                        o->seconds = value;
                        break;
                case 'r':
                        o->runs = value;
                        break;
                case 'w':
                        patience = value * USEC_PER_SEC;
                        break;
                case 'c':
                        o->scenario = optarg;
                        break;
                default:
                        exit(EXIT_FAILURE);
                }
        }
        optind = 1; /* the service reads its own */
}

int main(int argc, char *argv[])
{
        Options o = { .jobs = 2, .part = 1, .times = 1, .runs = UINT_MAX };
        bool well = true;
        int status;

        parse(&o, argc, argv);
        if (o.seconds > 0)
                give_up = now() + o.seconds * USEC_PER_SEC;
        totals = mmap(
                NULL, sizeof *totals, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (totals == MAP_FAILED || points_open(o.part, o.times) < 0 || rack_reserve() < 0)
                return EXIT_FAILURE;
        if (n_scenarios > SCENARIOS_MAX)
                return EXIT_FAILURE;

        (void) fflush(stdout);
        for (unsigned i = 0; i < o.jobs; i++) {
                pid_t pid = fork();

                if (pid < 0)
                        return EXIT_FAILURE;
                if (pid == 0)
                        exit(job(&o));
        }
        while (wait(&status) > 0)
                well = well && WIFEXITED(status) && WEXITSTATUS(status) == 0;
        return report(&o, well);
}
