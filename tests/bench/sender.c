/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/bench/sender.h"

#include <fcntl.h>
#include <sys/epoll.h>

typedef struct Running Running;

typedef struct Stream {
        Running *running;
        sd_event_source *timer;
        char path[96];
        unsigned n_sent;
        uint64_t begin, offset;
} Stream;

struct Running {
        const Sender *sender;
        sd_event *event;
        sd_bus **buses; /* one for all on the bus, one for each destination on pairs */
        Stream streams[SENDER_PATHS_MAX];
};

static void send_one(Stream *s, unsigned destination, const char *text)
{
        const Sender *sender = s->running->sender;
        sd_bus *bus = s->running->buses[sender->address ? 0 : destination];
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

        assert_return_code(
                sd_bus_message_new_signal(bus, &m, s->path, INTERFACE_CONVERSATION, "ReplyDelta"),
                0);
        if (sender->address)
                assert_return_code(
                        sd_bus_message_set_destination(m, sender->destination[destination]), 0);
        assert_return_code(sd_bus_message_append(m, "ttsts", UINT64_C(1), (uint64_t) s->n_sent + 1,
                                   "content", s->offset, text),
                0);
        assert_return_code(sd_bus_send(bus, m, NULL), 0);
}

static int on_due(sd_event_source *source, uint64_t usec, void *userdata)
{
        Stream *s = ASSERT_PTR(userdata);
        const Sender *sender = s->running->sender;
        char text[32];

        (void) snprintf(text, sizeof text, "%llu ", (unsigned long long) harness_now());
        for (unsigned i = 0; i < sender->n_destinations; i++)
                send_one(s, i, text);
        s->offset += strlen(text);
        if (++s->n_sent == sender->n_tokens)
                return 0;
        assert_return_code(sd_event_source_set_time(
                                   s->timer, s->begin + s->n_sent * USEC_PER_SEC / sender->rate),
                0);
        return sd_event_source_set_enabled(s->timer, SD_EVENT_ONESHOT);
}

static void connect_all(Running *r)
{
        const Sender *s = r->sender;
        unsigned n = s->address ? 1 : s->n_destinations;

        r->buses = calloc(n, sizeof *r->buses);
        assert_non_null(r->buses);
        for (unsigned i = 0; i < n; i++) {
                assert_return_code(sd_bus_new(&r->buses[i]), 0);
                if (s->address) {
                        assert_return_code(sd_bus_set_address(r->buses[i], s->address), 0);
                        assert_return_code(sd_bus_set_bus_client(r->buses[i], true), 0);
                } else {
                        assert_return_code(sd_bus_set_fd(r->buses[i], s->fds[i], s->fds[i]), 0);
                        assert_return_code(sd_bus_set_server(r->buses[i], true, SD_ID128_NULL), 0);
                }
                assert_return_code(sd_bus_start(r->buses[i]), 0);
                assert_return_code(
                        sd_bus_attach_event(r->buses[i], r->event, SD_EVENT_PRIORITY_NORMAL), 0);
        }
}

static int on_go(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        Running *r = ASSERT_PTR(userdata);
        const Sender *sender = r->sender;
        uint64_t now = harness_now();

        for (unsigned i = 0; i < sender->n_streams; i++) {
                Stream *s = &r->streams[i];

                s->running = r;
                (void) snprintf(s->path, sizeof s->path, PATH_CONVERSATION "/%032x", i);
                /* Not all at the same moment. */
                s->begin = now + i * USEC_PER_SEC / sender->rate / sender->n_streams;
                assert_return_code(sd_event_add_time(r->event, &s->timer, CLOCK_MONOTONIC, s->begin,
                                           /* accuracy= */ 1, on_due, s),
                        0);
        }
        return sd_event_source_set_enabled(source, SD_EVENT_OFF);
}

typedef struct Start {
        const Sender *sender;
        int go;
} Start;

static void run(int ready, void *userdata)
{
        const Start *start = ASSERT_PTR(userdata);
        Running r = { .sender = start->sender };

        assert_true(r.sender->n_streams <= SENDER_PATHS_MAX);
        assert_return_code(sd_event_new(&r.event), 0);
        connect_all(&r);
        assert_return_code(sd_event_add_io(r.event, NULL, start->go, EPOLLIN, on_go, &r), 0);
        assert_int_equal(write(ready, "", 1), 1);
        (void) sd_event_loop(r.event);
}

pid_t sender_start(const Sender *s, int *ret_go)
{
        int go[2];
        pid_t pid;

        assert_return_code(pipe2(go, O_CLOEXEC), errno);
        pid = bench_fork(run, &(Start){ .sender = s, .go = go[0] });
        safe_close(go[0]);
        *ret_go = go[1];
        return pid;
}
