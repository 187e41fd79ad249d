/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/store/worker.h"

#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <time.h>

typedef struct Item Item;

struct Item {
        WorkerJob job;
        Item *next;
};

typedef struct ItemList {
        Item *first, *last;
} ItemList;

struct Worker {
        sd_event_source *source;
        int fd; /* an eventfd: written by the thread, read by the loop */
        char *name;
        WorkerBatch batch;
        unsigned n_pending;
        bool delivering;
        bool started;
        pthread_t thread;

        pthread_mutex_t mutex; /* guards what follows */
        pthread_cond_t wake;
        ItemList waiting;
        ItemList finished;
        bool stop;
        bool left; /* by worker_leave(): the thread frees it */
};

static void item_list_append(ItemList *list, const ItemList *tail)
{
        if (!tail->first)
                return;
        if (list->last)
                list->last->next = tail->first;
        else
                list->first = tail->first;
        list->last = tail->last;
}

static ItemList item_list_take(ItemList *list)
{
        ItemList taken = *list;

        *list = (ItemList){ 0 };
        return taken;
}

static void worker_lock(Worker *w)
{
        int r = pthread_mutex_lock(&w->mutex);

        assert(r == 0);
        (void) r;
}

static void worker_unlock(Worker *w)
{
        int r = pthread_mutex_unlock(&w->mutex);

        assert(r == 0);
        (void) r;
}

/* ---- on the thread ---- */

bool worker_is_wanted(Worker *w)
{
        bool wanted;

        worker_lock(w);
        wanted = w->waiting.first || w->stop;
        worker_unlock(w);
        return wanted;
}

/* False when the worker is to end and nothing waits any more. */
static bool worker_wait(Worker *w, ItemList *ret)
{
        worker_lock(w);
        while (!w->waiting.first && !w->stop)
                (void) pthread_cond_wait(&w->wake, &w->mutex);
        *ret = item_list_take(&w->waiting);
        worker_unlock(w);
        return ret->first;
}

static void worker_send(Worker *w, const ItemList *list)
{
        worker_lock(w);
        item_list_append(&w->finished, list);
        worker_unlock(w);
        /* Fails only when the counter is full, and then the loop is awake already. */
        (void) eventfd_write(w->fd, 1);
}

/* What is left in the batch then waits for its end. */
static void worker_run_batch(Worker *w, ItemList *batch)
{
        for (Item *i = batch->first, *next; i; i = next) {
                ItemList sent = { batch->first, i };

                next = i->next;
                i->job.run(i->job.data);
                if (!next || !w->batch.settled || !w->batch.settled(w->batch.userdata))
                        continue;
                i->next = NULL;
                batch->first = next;
                worker_send(w, &sent);
        }
}

static void free_rest(Worker *w)
{
        safe_close(w->fd);
        (void) pthread_cond_destroy(&w->wake);
        (void) pthread_mutex_destroy(&w->mutex);
        free(w->name);
        free(w);
}

static void *worker_main(void *userdata)
{
        Worker *w = ASSERT_PTR(userdata);
        ItemList batch;

        (void) pthread_setname_np(pthread_self(), w->name);

        while (worker_wait(w, &batch)) {
                worker_run_batch(w, &batch);
                if (w->batch.end)
                        w->batch.end(w->batch.userdata);
                worker_send(w, &batch);
                if (w->batch.after)
                        w->batch.after(w->batch.userdata);
        }
        if (w->left)
                free_rest(w);
        return NULL;
}

/* ---- on the loop ---- */

static usec_t now_usec(void)
{
        struct timespec t = { 0 };

        (void) clock_gettime(CLOCK_MONOTONIC, &t);
        return (usec_t) t.tv_sec * USEC_PER_SEC + (usec_t) t.tv_nsec / 1000;
}

/* In front of what has finished since. */
static void worker_put_back(Worker *w, ItemList *rest)
{
        worker_lock(w);
        item_list_append(rest, &w->finished);
        w->finished = *rest;
        worker_unlock(w);
        (void) eventfd_write(w->fd, 1);
}

/* Each may be the answer to a call, of some MiB: others have their turn between. */
static int on_finished(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        Worker *w = ASSERT_PTR(userdata);
        usec_t began = now_usec();
        eventfd_t count;
        ItemList list;

        (void) eventfd_read(fd, &count);

        worker_lock(w);
        list = item_list_take(&w->finished);
        worker_unlock(w);

        w->delivering = true;
        for (Item *i; (i = list.first);) {
                list.first = i->next;
                assert(w->n_pending > 0);
                w->n_pending--;
                i->job.done(i->job.data);
                free(i);
                if (now_usec() - began >= WORKER_TURN_USEC)
                        break;
        }
        w->delivering = false;
        if (list.first)
                worker_put_back(w, &list);
        return 0;
}

int worker_new(Worker **ret, sd_event *event, const char *name, const WorkerBatch *batch)
{
        _cleanup_(worker_freep) Worker *w = NULL;
        int r;

        assert(ret);
        assert(event);
        assert(name);

        w = calloc(1, sizeof *w);
        if (!w)
                return -ENOMEM;
        w->fd = -EBADF;
        w->mutex = (pthread_mutex_t) PTHREAD_MUTEX_INITIALIZER;
        w->wake = (pthread_cond_t) PTHREAD_COND_INITIALIZER;
        if (batch)
                w->batch = *batch;

        w->name = strdup(name);
        if (!w->name)
                return -ENOMEM;

        w->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (w->fd < 0)
                return -errno;

        r = sd_event_add_io(event, &w->source, w->fd, EPOLLIN, on_finished, w);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(w->source, name);

        *ret = TAKE_PTR(w);
        return 0;
}

static void worker_stop(Worker *w)
{
        if (!w->started)
                return;

        worker_lock(w);
        w->stop = true;
        (void) pthread_cond_signal(&w->wake);
        worker_unlock(w);
        (void) pthread_join(w->thread, NULL);
}

Worker *worker_free(Worker *w)
{
        if (!w)
                return NULL;

        assert(!w->delivering);
        worker_stop(w);
        for (Item *i = w->finished.first, *next; i; i = next) {
                next = i->next;
                if (i->job.discard)
                        i->job.discard(i->job.data);
                free(i);
        }
        sd_event_source_disable_unref(w->source);
        free_rest(w);
        return NULL;
}

Worker *worker_leave(Worker *w)
{
        if (!w)
                return NULL;

        assert(!w->delivering);
        assert(w->n_pending == 0);
        if (!w->started)
                return worker_free(w);
        w->source = sd_event_source_disable_unref(w->source);
        (void) pthread_detach(w->thread);
        worker_lock(w);
        w->left = w->stop = true;
        (void) pthread_cond_signal(&w->wake);
        /* From here on it is the thread's, which needs the lock to see it. */
        worker_unlock(w);
        return NULL;
}

static int worker_start(Worker *w)
{
        sigset_t all, saved;
        int r;

        (void) sigfillset(&all);
        r = pthread_sigmask(SIG_BLOCK, &all, &saved);
        if (r > 0)
                return -r;
        r = pthread_create(&w->thread, NULL, worker_main, w);
        (void) pthread_sigmask(SIG_SETMASK, &saved, NULL);
        if (r > 0)
                return -r;

        w->started = true;
        return 0;
}

int worker_submit(Worker *w, const WorkerJob *job)
{
        Item *item;
        int r;

        assert(w);
        assert(job && job->run && job->done);

        if (!w->started) {
                r = worker_start(w);
                if (r < 0)
                        return r;
        }

        item = malloc(sizeof *item);
        if (!item)
                return -ENOMEM;
        *item = (Item){ .job = *job };

        w->n_pending++;
        worker_lock(w);
        item_list_append(&w->waiting, &(ItemList){ item, item });
        (void) pthread_cond_signal(&w->wake);
        worker_unlock(w);
        return 0;
}

unsigned worker_pending(const Worker *w)
{
        assert(w);
        return w->n_pending;
}

typedef struct Disposal {
        void (*release)(void *data);
        void *data;
} Disposal;

static void run_disposal(void *userdata)
{
        const Disposal *d = ASSERT_PTR(userdata);

        d->release(d->data);
}

void worker_dispose(Worker *w, void *data, void (*release)(void *data))
{
        Disposal *d = w ? malloc(sizeof *d) : NULL;

        if (d) {
                *d = (Disposal){ release, data };
                if (worker_submit(w,
                            &(WorkerJob){ .run = run_disposal,
                                    .done = free,
                                    .discard = free,
                                    .data = d }) >= 0)
                        return;
                free(d);
        }
        release(data);
}
