/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/engine/http-private.h"

#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "common/event-util.h"
#include "common/log.h"

#define HTTP_LINGER_USEC     (30 * USEC_PER_SEC)
#define HTTP_CONNECTIONS_MAX 32L /* idle ones that are kept */

void http_source_enable(sd_event_source *source)
{
        event_source_arm(source, "a transfer");
}

void http_arm_idle(Http *h)
{
        int r;

        if (!h->multi || h->pending.head || h->active.head || h->ended.head || h->dead.head)
                return;

        r = sd_event_source_set_time_relative(h->idle, h->linger);
        if (r >= 0)
                r = sd_event_source_set_enabled(h->idle, SD_EVENT_ONESHOT);
        if (r < 0)
                log_warning_errno(
                        r, "Failed to arm the timer that closes connections, ignoring: %m");
}

/* libcurl gave itself up (out of memory in a callback): its transfers fail, the next one starts
 * anew. */
static void http_give_up(Http *h, CURLMcode code)
{
        log_error("libcurl failed: %s. All transfers end.", curl_multi_strerror(code));

        while (h->active.head) {
                (void) failure_set(&h->active.head->result.failure, FAILURE_INTERNAL,
                        "the transfer failed inside this service: %s. Try again.",
                        curl_multi_strerror(code));
                transfer_end(h->active.head);
        }
}

static void http_collect(Http *h)
{
        CURLMsg *m;
        int left;

        while ((m = curl_multi_info_read(h->multi, &left))) {
                HttpTransfer *t = NULL;
                CURLcode code = m->data.result;

                if (m->msg != CURLMSG_DONE)
                        continue;
                (void) curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **) &t);
                assert(t && t->list == &h->active);

                transfer_read_headers(t);
                /* Cut off in the headers: for libcurl that is an answer. */
                if (code == CURLE_OK && !t->headers_told)
                        code = CURLE_GOT_NOTHING;
                if (code != CURLE_OK)
                        transfer_fail(t, code);
                transfer_end(t);
        }
}

static void http_close(Http *h)
{
        if (!h->multi)
                return;

        (void) curl_multi_cleanup(TAKE_PTR(h->multi));
        h->distrust = false;
        for (size_t i = 0; i < h->n_sockets; i++)
                h->sockets[i] = sd_event_source_disable_unref(h->sockets[i]);
        h->sockets = mfree(h->sockets);
        h->n_sockets = 0;
        (void) sd_event_source_set_enabled(h->timer, SD_EVENT_OFF);
}

/* The only place from which libcurl moves bytes. */
static void http_drive(Http *h, curl_socket_t fd, int events)
{
        CURLMcode code;
        int running;

        if (!h->multi)
                return;

        h->in_curl = true;
        code = curl_multi_socket_action(h->multi, fd, events, &running);
        h->in_curl = false;

        /* Those that their owner freed while libcurl was on the stack go first: libcurl may report
         * them as done. */
        for (HttpTransfer *t; (t = h->dead.head);) {
                transfer_move(t, &h->active);
                http_transfer_free(t);
        }
        http_collect(h);
        if (code != CURLM_OK) {
                http_give_up(h, code);
                http_close(h);
        }
        http_arm_idle(h);
}

static int http_on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        Http *h = ASSERT_PTR(userdata);
        int events = 0;

        if (revents & (EPOLLIN | EPOLLHUP | EPOLLERR))
                events |= CURL_CSELECT_IN;
        if (revents & (EPOLLOUT | EPOLLHUP | EPOLLERR))
                events |= CURL_CSELECT_OUT;
        http_drive(h, fd, events);
        return 0;
}

static int http_on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
        http_drive(ASSERT_PTR(userdata), CURL_SOCKET_TIMEOUT, 0);
        return 0;
}

static int on_timer_change(CURLM *multi, long ms, void *userdata)
{
        Http *h = ASSERT_PTR(userdata);
        int r;

        if (sd_event_get_state(h->event) == SD_EVENT_FINISHED)
                return 0;

        if (ms == 0 || h->pending.head)
                http_source_enable(h->kick);
        else
                (void) sd_event_source_set_enabled(h->kick, SD_EVENT_OFF);
        if (ms <= 0)
                r = sd_event_source_set_enabled(h->timer, SD_EVENT_OFF);
        else {
                r = sd_event_source_set_time_relative(h->timer, (usec_t) ms * USEC_PER_MSEC);
                if (r >= 0)
                        r = sd_event_source_set_enabled(h->timer, SD_EVENT_ONESHOT);
        }
        return r < 0 ? -1 : 0;
}

static int http_grow_sockets(Http *h, size_t n)
{
        sd_event_source **sockets;

        if (n <= h->n_sockets)
                return 0;

        n = MAX(n, h->n_sockets * 2);
        sockets = reallocarray(h->sockets, n, sizeof *sockets);
        if (!sockets)
                return -ENOMEM;
        memset(sockets + h->n_sockets, 0, (n - h->n_sockets) * sizeof *sockets);
        h->sockets = sockets;
        h->n_sockets = n;
        return 0;
}

/* The easy handle may be one of libcurl's own: it is not looked at. */
static int on_socket_change(CURL *easy, curl_socket_t fd, int what, void *userdata, void *unused)
{
        static const uint32_t events[] = {
                [CURL_POLL_NONE] = 0,
                [CURL_POLL_IN] = EPOLLIN,
                [CURL_POLL_OUT] = EPOLLOUT,
                [CURL_POLL_INOUT] = EPOLLIN | EPOLLOUT,
        };
        Http *h = ASSERT_PTR(userdata);
        int r;

        if (sd_event_get_state(h->event) == SD_EVENT_FINISHED)
                return 0;

        if (what == CURL_POLL_REMOVE) {
                if ((size_t) fd < h->n_sockets)
                        h->sockets[fd] = sd_event_source_disable_unref(h->sockets[fd]);
                return 0;
        }

        assert(what >= 0 && what < (int) ELEMENTSOF(events));
        r = http_grow_sockets(h, (size_t) fd + 1);
        if (r < 0)
                return -1;

        if (h->sockets[fd]) {
                if (sd_event_source_set_io_events(h->sockets[fd], events[what]) >= 0)
                        return 0;
                h->sockets[fd] = sd_event_source_disable_unref(h->sockets[fd]);
        }
        r = sd_event_add_io(h->event, &h->sockets[fd], fd, events[what], http_on_io, h);
        return r < 0 ? -1 : 0;
}

static void transfer_begin(HttpTransfer *t)
{
        Http *h = t->http;
        CURLMcode code;

        code = curl_multi_add_handle(h->multi, t->easy);
        if (code != CURLM_OK) {
                (void) failure_set(&t->result.failure, FAILURE_INTERNAL,
                        "the transfer could not be started: %s. Try again.",
                        curl_multi_strerror(code));
                transfer_end(t);
                return;
        }
        transfer_move(t, &h->active);
        transfer_enter(t, PHASE_CONNECT);
        if (t->ops.phase)
                t->ops.phase("connecting", t->userdata); /* may free t */
}

static int http_on_kick(sd_event_source *source, void *userdata)
{
        Http *h = ASSERT_PTR(userdata);

        /* Without a multi handle the beginning fails, and each says so. */
        (void) http_open(h);
        while (h->pending.head)
                transfer_begin(h->pending.head);
        http_drive(h, CURL_SOCKET_TIMEOUT, 0);
        return 0;
}

static int http_on_resume(sd_event_source *source, void *userdata)
{
        Http *h = ASSERT_PTR(userdata);
        HttpTransfer *t = h->active.head;
        CURLcode code;

        while (t && !t->paused)
                t = t->next;
        if (!t)
                return 0;

        /* Behind the others, who then have their turn before it. */
        transfer_move(t, &h->active);
        http_source_enable(h->resume);
        t->paused = false;
        h->in_curl = true;
        code = curl_easy_pause(t->easy, CURLPAUSE_CONT);
        h->in_curl = false;
        if (code != CURLE_OK && t->list == &h->active) {
                transfer_fail(t, code);
                transfer_end(t);
        }
        http_drive(h, CURL_SOCKET_TIMEOUT, 0);
        return 0;
}

static int http_on_finish(sd_event_source *source, void *userdata)
{
        Http *h = ASSERT_PTR(userdata);
        HttpTransfer *t = h->ended.head;
        _cleanup_free_ char *content_type = NULL;
        _cleanup_failure_ Failure failure = FAILURE_NULL;
        HttpResult result;

        if (!t)
                return 0;

        transfer_move(t, NULL);
        t->http = NULL;
        if (h->ended.head)
                http_source_enable(h->finish);
        http_arm_idle(h);

        /* The callee frees the transfer when it likes, even before it reads the result. */
        content_type = TAKE_PTR(t->content_type);
        result = t->result;
        failure = result.failure;
        t->result.failure = FAILURE_NULL;
        if (t->ops.done)
                t->ops.done(&result, t->userdata);
        return 0;
}

static int http_on_idle(sd_event_source *source, uint64_t usec, void *userdata)
{
        http_close(ASSERT_PTR(userdata));
        (void) malloc_trim(0);
        return 0;
}

int http_open(Http *h)
{
        if (!h->curl_started) {
                if (http_start_curl() != CURLE_OK)
                        return -ENOMEM;
                h->curl_started = true;
        }
        if (h->multi)
                return 0;

        h->multi = curl_multi_init();
        if (!h->multi)
                return -ENOMEM;
        if (curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, on_socket_change) != CURLM_OK ||
                curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h) != CURLM_OK ||
                curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, on_timer_change) != CURLM_OK ||
                curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h) != CURLM_OK ||
                curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, HTTP_CONNECTIONS_MAX) !=
                        CURLM_OK ||
                curl_multi_setopt(h->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING) != CURLM_OK) {
                http_close(h);
                return -ENOTRECOVERABLE;
        }
        return 0;
}

static int add_defer(Http *h, sd_event_source **ret, sd_event_handler_t handler)
{
        int r;

        r = sd_event_add_defer(h->event, ret, handler, h);
        if (r < 0)
                return r;
        return sd_event_source_set_enabled(*ret, SD_EVENT_OFF);
}

static int add_timer(
        Http *h, sd_event_source **ret, usec_t accuracy, sd_event_time_handler_t handler)
{
        int r;

        r = sd_event_add_time(h->event, ret, CLOCK_MONOTONIC, 0, accuracy, handler, h);
        if (r < 0)
                return r;
        return sd_event_source_set_enabled(*ret, SD_EVENT_OFF);
}

int http_new(Http **ret, sd_event *event)
{
        _cleanup_(http_freep) Http *h = NULL;
        int r;

        h = calloc(1, sizeof *h);
        if (!h)
                return -ENOMEM;
        h->event = sd_event_ref(event);
        h->linger = HTTP_LINGER_USEC;

        r = add_timer(h, &h->timer, USEC_PER_MSEC, http_on_timer);
        if (r < 0)
                return r;
        r = add_timer(h, &h->idle, 0, http_on_idle);
        if (r < 0)
                return r;
        r = add_defer(h, &h->kick, http_on_kick);
        if (r < 0)
                return r;
        r = add_defer(h, &h->finish, http_on_finish);
        if (r < 0)
                return r;
        r = add_defer(h, &h->resume, http_on_resume);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(h);
        return 0;
}

static void list_detach(TransferList *list)
{
        for (HttpTransfer *t; (t = list->head);) {
                transfer_release(t);
                transfer_move(t, NULL);
                t->http = NULL;
        }
}

Http *http_free(Http *h)
{
        if (!h)
                return NULL;

        assert(!h->in_curl);
        list_detach(&h->pending);
        list_detach(&h->active);
        list_detach(&h->ended);
        http_close(h);
        sd_event_source_disable_unref(h->timer);
        sd_event_source_disable_unref(h->idle);
        sd_event_source_disable_unref(h->kick);
        sd_event_source_disable_unref(h->finish);
        sd_event_source_disable_unref(h->resume);
        if (h->curl_started)
                curl_global_cleanup();
        sd_event_unref(h->event);
        return mfree(h);
}

/* The kernel asks the other side, which costs a live one nothing: one that is silent for its
 * reasons is not taken for a dead one. */
static void ask_for_life(curl_socket_t fd)
{
        static const struct {
                int option, value;
        } options[] = {
                { TCP_USER_TIMEOUT, 15000 }, /* ms, for what was sent */
                { TCP_KEEPCNT, 5 }, { TCP_KEEPINTVL, 2 },
                { TCP_KEEPIDLE, 1 }, /* asked from now on */
        };

        for (size_t i = 0; i < ELEMENTSOF(options); i++)
                if (setsockopt(fd, IPPROTO_TCP, options[i].option, &options[i].value,
                            sizeof options[i].value) < 0)
                        log_debug_errno(-errno, "A connection is not asked for life, ignoring: %m");
}

void http_distrust(Http *h)
{
        if (!h->pending.head && !h->active.head && !h->ended.head && !h->dead.head) {
                http_close(h);
                return;
        }
        h->distrust = true;
        for (HttpTransfer *t = h->active.head; t; t = t->next) {
                curl_socket_t fd = CURL_SOCKET_BAD;

                (void) curl_easy_setopt(t->easy, CURLOPT_FORBID_REUSE, 1L);
                if (curl_easy_getinfo(t->easy, CURLINFO_ACTIVESOCKET, &fd) == CURLE_OK &&
                        fd != CURL_SOCKET_BAD)
                        ask_for_life(fd);
        }
        for (HttpTransfer *t = h->pending.head; t; t = t->next)
                (void) curl_easy_setopt(t->easy, CURLOPT_FRESH_CONNECT, 1L);
}

void http_set_linger(Http *h, usec_t linger)
{
        h->linger = linger;
}
