/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/store/worker.h"

#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>

#include <cmocka.h>

#define JOBS 1000U

typedef struct Log {
        sd_event *event;
        Worker *worker;
        pthread_t loop;
        pthread_mutex_t gate; /* held, it keeps the first job from ending */
        unsigned run[JOBS], n_run;
        unsigned done[JOBS], n_done, n_discarded;
        unsigned n_ended, n_after;
        _Atomic unsigned run_when_ended; /* jobs that had run at the last batch's end */
        unsigned n_settled;              /* so many of the first jobs need no end of their batch */
        bool gated;                      /* a batch's end is told, and waits to be let go */
        sem_t at_end, go;
        unsigned refill; /* jobs still to be submitted from completions */
        bool elsewhere, signals_blocked;
} Log;

typedef struct Job {
        Log *log;
        unsigned number;
} Job;

static void on_run(void *data)
{
        Job *job = data;
        sigset_t set;

        (void) pthread_mutex_lock(&job->log->gate);
        job->log->run[job->log->n_run++] = job->number;
        (void) pthread_mutex_unlock(&job->log->gate);
        job->log->elsewhere = !pthread_equal(pthread_self(), job->log->loop);
        (void) pthread_sigmask(SIG_BLOCK, NULL, &set);
        job->log->signals_blocked = sigismember(&set, SIGTERM) == 1 && sigismember(&set, SIGUSR1);
}

static void submit(Log *log, unsigned number);

static void on_done(void *data)
{
        Job *job = data;
        Log *log = job->log;

        assert_true(pthread_equal(pthread_self(), log->loop));
        assert_true(log->run_when_ended > log->n_done);
        log->done[log->n_done++] = job->number;
        if (log->refill > 0) {
                log->refill--;
                submit(log, job->number + 1);
        }
        free(job);
}

static void on_discard(void *data)
{
        Job *job = data;

        job->log->n_discarded++;
        free(job);
}

static bool on_settled(void *userdata)
{
        Log *log = userdata;

        if (log->n_run > log->n_settled)
                return false;
        log->run_when_ended = log->n_run;
        return true;
}

static void on_end(void *userdata)
{
        Log *log = userdata;

        if (log->gated) {
                (void) sem_post(&log->at_end);
                (void) sem_wait(&log->go);
        }
        log->n_ended++;
        log->run_when_ended = log->n_run;
}

static void on_after(void *userdata)
{
        Log *log = userdata;

        log->n_after++;
}

static void submit(Log *log, unsigned number)
{
        Job *job = malloc(sizeof *job);

        assert_non_null(job);
        *job = (Job){ log, number };
        assert_return_code(
                worker_submit(log->worker, &(WorkerJob){ on_run, on_done, on_discard, job }), 0);
}

static int setup(void **state)
{
        Log *log = calloc(1, sizeof *log);

        assert_non_null(log);
        log->loop = pthread_self();
        log->gate = (pthread_mutex_t) PTHREAD_MUTEX_INITIALIZER;
        assert_return_code(sem_init(&log->at_end, 0, 0), 0);
        assert_return_code(sem_init(&log->go, 0, 0), 0);
        assert_return_code(sd_event_new(&log->event), 0);
        assert_return_code(worker_new(&log->worker, log->event, "test",
                                   &(WorkerBatch){ on_settled, on_end, on_after, log }),
                0);
        *state = log;
        return 0;
}

static int teardown(void **state)
{
        Log *log = *state;

        worker_free(log->worker);
        sd_event_unref(log->event);
        (void) pthread_mutex_destroy(&log->gate);
        (void) sem_destroy(&log->at_end);
        (void) sem_destroy(&log->go);
        free(log);
        return 0;
}

static void run_until(Log *log, unsigned n_done)
{
        while (log->n_done < n_done)
                assert_return_code(sd_event_run(log->event, UINT64_MAX), 0);
}

static void test_order(void **state)
{
        Log *log = *state;

        (void) pthread_mutex_lock(&log->gate);
        for (unsigned i = 0; i < JOBS; i++)
                submit(log, i);
        assert_int_equal(worker_pending(log->worker), JOBS);
        (void) pthread_mutex_unlock(&log->gate);
        run_until(log, JOBS);

        assert_int_equal(worker_pending(log->worker), 0);
        for (unsigned i = 0; i < JOBS; i++) {
                assert_int_equal(log->run[i], i);
                assert_int_equal(log->done[i], i);
        }
        assert_true(log->elsewhere);
        assert_true(log->signals_blocked);

        /* What came while the gate was closed is one batch, beside the first that met it. */
        log->worker = worker_free(log->worker);
        assert_in_range(log->n_ended, 1, 2);
        assert_int_equal(log->n_after, log->n_ended);
}

/* The first are delivered while the end of their batch is still kept from happening. */
static void test_settled(void **state)
{
        Log *log = *state;

        log->n_settled = 4;
        log->gated = true;
        submit(log, 0);
        (void) sem_wait(&log->at_end);
        for (unsigned i = 1; i < 10; i++)
                submit(log, i);
        (void) sem_post(&log->go);
        run_until(log, 4);
        (void) sem_wait(&log->at_end);
        assert_int_equal(log->n_done, 4);
        (void) sem_post(&log->go);
        run_until(log, 10);
        for (unsigned i = 0; i < 10; i++)
                assert_int_equal(log->done[i], i);
}

static void test_submit_from_completion(void **state)
{
        Log *log = *state;

        log->refill = 9;
        submit(log, 0);
        run_until(log, 10);
        for (unsigned i = 0; i < 10; i++)
                assert_int_equal(log->done[i], i);
}

static void run_first_gated(void *data)
{
        Log *log = data;

        if (log->n_run++ == 0)
                (void) sem_wait(&log->go);
}

static void take_a_turn(void *data)
{
        struct timespec began, now;
        Log *log = data;

        (void) clock_gettime(CLOCK_MONOTONIC, &began);
        do
                (void) clock_gettime(CLOCK_MONOTONIC, &now);
        while ((usec_t) (now.tv_sec - began.tv_sec) * USEC_PER_SEC + now.tv_nsec / 1000 <
                began.tv_nsec / 1000 + WORKER_TURN_USEC);
        log->n_done++;
}

static void count_discarded(void *data)
{
        Log *log = data;

        log->n_discarded++;
}

static void tell_after(void *userdata)
{
        Log *log = userdata;

        log->run_when_ended = log->n_run;
        (void) sem_post(&log->at_end);
}

/* Several completions are there at once, each of which takes a whole turn of the loop: it gets one,
 * and what has not had its turn is neither lost nor forgotten. */
static void test_turns(void **state)
{
        const WorkerBatch batch = { .after = tell_after, .userdata = *state };
        Log *log = *state;

        worker_free(log->worker);
        assert_return_code(worker_new(&log->worker, log->event, "test", &batch), 0);
        for (unsigned i = 0; i < 4; i++)
                assert_return_code(
                        worker_submit(log->worker,
                                &(WorkerJob){ run_first_gated, take_a_turn, count_discarded, log }),
                        0);
        (void) sem_post(&log->go);
        while (log->run_when_ended < 4)
                (void) sem_wait(&log->at_end);
        while (log->n_done < 3) {
                unsigned n_done = log->n_done;

                assert_return_code(sd_event_run(log->event, UINT64_MAX), 0);
                assert_int_equal(log->n_done, n_done + 1);
                assert_int_equal(worker_pending(log->worker), 4 - log->n_done);
        }
        log->worker = worker_free(log->worker);
        assert_int_equal(log->n_done, 3);
        assert_int_equal(log->n_discarded, 1);
}

static void test_freed_first(void **state)
{
        Log *log = *state;

        for (unsigned i = 0; i < 10; i++)
                submit(log, i);
        log->worker = worker_free(log->worker);
        assert_int_equal(log->n_run, 10);
        assert_int_equal(log->n_done, 0);
        assert_int_equal(log->n_discarded, 10);
        assert_int_equal(log->run_when_ended, 10);
}

static void test_unused(void **state)
{
        Log *log = *state;

        /* No job, no thread; without a batch, too. */
        worker_free(log->worker);
        log->worker = NULL;
        assert_return_code(worker_new(&log->worker, log->event, "test", NULL), 0);
        log->run_when_ended = UINT32_MAX;
        submit(log, 0);
        run_until(log, 1);
        assert_int_equal(log->n_ended, 0);
        assert_null(worker_free(NULL));
}

static void on_release(void *data)
{
        Log *log = data;

        log->elsewhere = !pthread_equal(pthread_self(), log->loop);
        log->n_discarded++;
}

static void test_dispose(void **state)
{
        Log *log = *state;

        worker_dispose(log->worker, log, on_release);
        while (worker_pending(log->worker) > 0)
                assert_return_code(sd_event_run(log->event, UINT64_MAX), 0);
        assert_int_equal(log->n_discarded, 1);
        assert_true(log->elsewhere);

        worker_dispose(NULL, log, on_release);
        assert_int_equal(log->n_discarded, 2);
        assert_false(log->elsewhere);

        /* Not yet delivered when the worker goes. */
        worker_dispose(log->worker, log, on_release);
        log->worker = worker_free(log->worker);
        assert_int_equal(log->n_discarded, 3);
}

static void on_thread_end(void *data)
{
        (void) sem_post(data);
}

static void post_end(void *data)
{
        static pthread_key_t key;

        assert_int_equal(pthread_key_create(&key, on_thread_end), 0);
        assert_int_equal(pthread_setspecific(key, data), 0);
}

/* Its thread ends by itself; nobody waits for it but this test. */
static void test_leave(void **state)
{
        Log *log = *state;

        worker_dispose(log->worker, &log->go, post_end);
        while (worker_pending(log->worker) > 0)
                assert_return_code(sd_event_run(log->event, UINT64_MAX), 0);
        log->worker = worker_leave(log->worker);
        assert_null(log->worker);
        assert_int_equal(sem_wait(&log->go), 0);

        assert_return_code(worker_new(&log->worker, log->event, "test", NULL), 0);
        log->worker = worker_leave(log->worker); /* no thread was started */
        assert_null(worker_leave(NULL));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_order, setup, teardown),
                cmocka_unit_test_setup_teardown(test_settled, setup, teardown),
                cmocka_unit_test_setup_teardown(test_submit_from_completion, setup, teardown),
                cmocka_unit_test_setup_teardown(test_turns, setup, teardown),
                cmocka_unit_test_setup_teardown(test_freed_first, setup, teardown),
                cmocka_unit_test_setup_teardown(test_unused, setup, teardown),
                cmocka_unit_test_setup_teardown(test_dispose, setup, teardown),
                cmocka_unit_test_setup_teardown(test_leave, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
