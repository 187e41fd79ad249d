/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/engine/http-private.h"

#include "common/log.h"

#define HTTP_HEADERS_MAX  KIB(64)
#define HTTP_LOCATION_MAX 512
/* libcurl's least for what it sends; by default each live transfer would have 64 KiB more. */
#define HTTP_SEND_SIZE       (16L * 1024)
#define HTTP_READ_SIZE       (16L * 1024)
#define HTTP_TURN_MAX        KIB(16) /* of the body, in one turn of the loop */
#define HTTP_RETRY_AFTER_MAX 86400   /* seconds */

void transfer_move(HttpTransfer *t, TransferList *to)
{
        TransferList *from = t->list;

        if (from) {
                *(t->previous ? &t->previous->next : &from->head) = t->next;
                *(t->next ? &t->next->previous : &from->tail) = t->previous;
        }
        t->list = to;
        t->previous = t->next = NULL;
        if (to) {
                t->previous = to->tail;
                *(to->tail ? &to->tail->next : &to->head) = t;
                to->tail = t;
        }
}

/* ---- what is sent ---- */

static ssize_t read_text(size_t offset, char *to, size_t size, void *userdata)
{
        memcpy(to, (const char *) userdata + offset, size);
        return (ssize_t) size;
}

HttpBody http_body_of(char *text)
{
        if (!text)
                return (HttpBody){ 0 };
        return (HttpBody){
                .size = strlen(text), .read = read_text, .release = free, .userdata = text
        };
}

void http_body_done(HttpBody *b)
{
        if (b->release)
                b->release(b->userdata);
        *b = (HttpBody){ 0 };
}

/* ---- its end ---- */

static void transfer_free_body(HttpTransfer *t)
{
        http_body_done(&t->body);
        t->body_sent = 0;
}

void transfer_release(HttpTransfer *t)
{
        if (t->easy) {
                if (t->http && t->http->multi && t->list == &t->http->active)
                        (void) curl_multi_remove_handle(t->http->multi, t->easy);
                curl_easy_cleanup(TAKE_PTR(t->easy));
        }
        curl_slist_free_all(TAKE_PTR(t->headers)); /* keys and all: http-memory.c */
        transfer_free_body(t);
        t->timer = sd_event_source_disable_unref(t->timer);
}

void transfer_end(HttpTransfer *t)
{
        transfer_release(t);
        transfer_move(t, &t->http->ended);
        http_source_enable(t->http->finish);
}

HttpTransfer *http_transfer_free(HttpTransfer *t)
{
        Http *h;

        if (!t)
                return NULL;

        h = t->http;
        if (h && h->in_curl && t->list == &h->active) {
                t->ops = (HttpOps){ 0 };
                transfer_move(t, &h->dead);
                return NULL;
        }

        transfer_release(t);
        transfer_move(t, NULL);
        failure_done(&t->result.failure);
        free(t->origin);
        free(t->content_type);
        free(t->location);
        free(t);
        if (h)
                http_arm_idle(h);
        return NULL;
}

/* ---- limits ---- */

static int transfer_on_timer(sd_event_source *source, uint64_t usec, void *userdata);

static int transfer_arm(HttpTransfer *t)
{
        usec_t limit = t->limits[t->phase];
        int r;

        if (limit == USEC_INFINITY || t->alive > USEC_INFINITY - limit)
                return t->timer ? sd_event_source_set_enabled(t->timer, SD_EVENT_OFF) : 0;
        if (!t->timer)
                return sd_event_add_time(t->http->event, &t->timer, CLOCK_MONOTONIC,
                        t->alive + limit, USEC_PER_MSEC, transfer_on_timer, t);

        r = sd_event_source_set_time(t->timer, t->alive + limit);
        if (r < 0)
                return r;
        return sd_event_source_set_enabled(t->timer, SD_EVENT_ONESHOT);
}

static void transfer_touch(HttpTransfer *t)
{
        (void) sd_event_now(t->http->event, CLOCK_MONOTONIC, &t->alive);
}

void transfer_enter(HttpTransfer *t, Phase phase)
{
        int r;

        t->phase = phase;
        transfer_touch(t);
        r = transfer_arm(t);
        if (r < 0)
                log_warning_errno(r, "Failed to arm a transfer's time limit, ignoring: %m");
}

static int transfer_on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
        HttpTransfer *t = ASSERT_PTR(userdata);
        usec_t limit = t->limits[t->phase];

        /* Bytes only note the time: the timer moves when it fires, not with each byte. */
        if (usec < t->alive + limit)
                return transfer_arm(t);

        transfer_fail_limit(t);
        transfer_end(t);
        return 0;
}

/* ---- what libcurl calls ---- */

static void lower_case_type(const char *type, char **ret)
{
        size_t n = strcspn(strempty(type), "; \t");

        *ret = strndup(strempty(type), n);
        for (char *p = *ret; p && *p; p++)
                if (*p >= 'A' && *p <= 'Z')
                        *p += 'a' - 'A';
}

void transfer_read_headers(HttpTransfer *t)
{
        HttpHeaders *h = &t->result.headers;
        curl_off_t retry_after = 0;
        char *type = NULL;

        (void) curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &h->status);
        (void) curl_easy_getinfo(t->easy, CURLINFO_CONTENT_TYPE, &type);
        (void) curl_easy_getinfo(t->easy, CURLINFO_RETRY_AFTER, &retry_after);

        free(t->content_type);
        lower_case_type(type, &t->content_type);
        h->content_type = strempty(t->content_type);
        if (retry_after > 0)
                h->retry_after = MIN(retry_after, HTTP_RETRY_AFTER_MAX) * USEC_PER_SEC;
}

/* Only to name it: no redirect is followed. */
static void transfer_keep_location(HttpTransfer *t, const char *value, size_t size)
{
        while (size > 0 && (*value == ' ' || *value == '\t')) {
                value++;
                size--;
        }
        free(t->location);
        t->location = strndup(value, MIN(size, (size_t) HTTP_LOCATION_MAX));
        if (t->location)
                t->location[strcspn(t->location, "\r\n")] = 0;
}

/* libcurl unpacks what is packed in transfer, asked for or not: some KiB from the network would
 * keep the loop busy for seconds. */
static bool is_packed(const char *value, size_t size)
{
        _cleanup_free_ char *text = strndup(value, size);
        char *coding, *rest = text;

        while ((coding = strsep(&rest, ", \t\r\n")))
                if (*coding && strcasecmp(coding, "chunked") != 0 &&
                        strcasecmp(coding, "identity") != 0)
                        return true;
        return !text;
}

/* The value of this header, or NULL when the line is another one's. */
static const char *header_value(const char *line, size_t size, const char *name, size_t *ret_size)
{
        size_t n = strlen(name);

        if (size <= n || strncasecmp(line, name, n) != 0)
                return NULL;
        *ret_size = size - n;
        return line + n;
}

/* 0 when the answer is not to be read further. */
static size_t read_header(HttpTransfer *t, const char *line, size_t size)
{
        const char *value;
        size_t n;

        value = header_value(line, size, "Location:", &n);
        if (value)
                transfer_keep_location(t, value, n);
        value = header_value(line, size, "Transfer-Encoding:", &n);
        if (!value || !is_packed(value, n))
                return size;
        (void) failure_set(&t->result.failure, FAILURE_ENGINE_FAILED,
                "%s sent a compressed answer, which nobody asked for. Is there a proxy before it?",
                t->origin);
        return 0;
}

/* One line at a time; the empty one ends the headers. Trailers come here too, after the body. */
static size_t on_header(char *data, size_t size, size_t n, void *userdata)
{
        HttpTransfer *t = ASSERT_PTR(userdata);
        long status = 0;

        if (t->list == &t->http->dead)
                return 0;

        t->header_bytes += n;
        if (t->header_bytes > HTTP_HEADERS_MAX) {
                (void) failure_set(&t->result.failure, FAILURE_ENGINE_FAILED,
                        "%s sent more than %zu KiB of headers. Is that the right address?",
                        t->origin, HTTP_HEADERS_MAX / 1024);
                return 0;
        }

        if (n > 2 || t->headers_told || (n > 0 && data[0] != '\r' && data[0] != '\n'))
                return read_header(t, data, n);

        (void) curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
        if (status == 101) {
                (void) failure_set(&t->result.failure, FAILURE_ENGINE_FAILED,
                        "%s changed to another protocol, which nobody asked for. Is that the right "
                        "address?",
                        t->origin);
                return 0;
        }
        if (status < 200)
                return n;

        t->headers_told = true;
        transfer_read_headers(t);
        if (t->body_sent == t->body.size)
                transfer_free_body(t);
        if (status >= 300 && status < 400) {
                transfer_fail_redirect(t);
                return 0;
        }
        if (t->ops.headers)
                t->ops.headers(&t->result.headers, t->userdata);
        return n;
}

static void transfer_fail_body(HttpTransfer *t, int error)
{
        FailureCode code = FAILURE_ENGINE_FAILED;

        if (error == -EFBIG)
                code = FAILURE_TOO_LARGE;
        else if (error == -ENOMEM)
                code = FAILURE_NO_MEMORY;
        else if (error == -ECANCELED)
                code = FAILURE_CANCELLED;
        else if (error == -ETIMEDOUT)
                code = FAILURE_ENGINE_STALLED;
        (void) failure_set(&t->result.failure, code, NULL);
}

/* libcurl reads on while more is there. A fast engine's thousands of tiny lines would keep all
 * others waiting meanwhile. */
static bool had_its_share(HttpTransfer *t, size_t n)
{
        uint64_t turn = 0;

        (void) sd_event_get_iteration(t->http->event, &turn);
        if (t->turn != turn) {
                t->turn = turn;
                t->turn_bytes = 0;
        }
        if (t->turn_bytes > 0 && t->turn_bytes + n > HTTP_TURN_MAX)
                return true;
        t->turn_bytes += n;
        return false;
}

static size_t on_body(char *data, size_t size, size_t n, void *userdata)
{
        HttpTransfer *t = ASSERT_PTR(userdata);
        int r;

        if (t->list == &t->http->dead)
                return 0;
        if (had_its_share(t, n)) {
                t->paused = true;
                http_source_enable(t->http->resume);
                return CURL_WRITEFUNC_PAUSE;
        }

        t->result.body_began = true;
        if (t->phase == PHASE_STREAM)
                transfer_touch(t);
        else
                transfer_enter(t, PHASE_STREAM);

        r = t->ops.body ? t->ops.body(data, n, t->userdata) : 0;
        if (r < 0) {
                transfer_fail_body(t, r);
                return 0;
        }
        return n;
}

static size_t on_send(char *data, size_t size, size_t n, void *userdata)
{
        HttpTransfer *t = ASSERT_PTR(userdata);
        size_t k = MIN(size * n, t->body.size - t->body_sent);
        ssize_t got;

        if (t->list == &t->http->dead)
                return CURL_READFUNC_ABORT;
        if (k == 0)
                return 0;
        /* Its answer is waited for since the last of it left: a large one may take minutes. */
        transfer_touch(t);
        got = t->body.read(t->body_sent, data, k, t->body.userdata);
        if (got < 0) {
                transfer_fail_body(t, (int) got);
                return CURL_READFUNC_ABORT;
        }
        t->body_sent += got;
        return got;
}

/* A kept connection that turns out to be closed: the request goes out once more on a new one. */
static int on_rewind(void *userdata, curl_off_t offset, int origin)
{
        HttpTransfer *t = ASSERT_PTR(userdata);

        if (origin != SEEK_SET || offset != 0 || !t->body.read)
                return CURL_SEEKFUNC_FAIL;
        t->body_sent = 0;
        return CURL_SEEKFUNC_OK;
}

static int on_connected(void *userdata, char *address, char *local, int port, int local_port)
{
        HttpTransfer *t = ASSERT_PTR(userdata);

        if (t->list == &t->http->dead)
                return CURL_PREREQFUNC_ABORT;

        transfer_enter(t, PHASE_FIRST_BYTE);
        if (t->ops.phase)
                t->ops.phase("waiting for the first byte", t->userdata);
        return CURL_PREREQFUNC_OK;
}

/* ---- its start ---- */

static int transfer_add_header(HttpTransfer *t, const char *header)
{
        struct curl_slist *list;

        list = curl_slist_append(t->headers, header);
        if (!list)
                return -ENOMEM;
        t->headers = list;
        return 0;
}

static int transfer_add_headers(HttpTransfer *t, const char *const *headers, Failure *failure)
{
        /* Empty "Expect:" takes out the header with which libcurl would wait a second. */
        static const char *const own[] = { "Accept-Encoding: identity", "Expect:" };
        int r;

        for (size_t i = 0; i < ELEMENTSOF(own); i++) {
                r = transfer_add_header(t, own[i]);
                if (r < 0)
                        return failure_set(failure, FAILURE_NO_MEMORY, NULL);
        }
        for (; headers && *headers; headers++) {
                /* The value may be a key: it is not quoted. */
                for (const char *p = *headers; *p; p++)
                        if ((unsigned char) *p < ' ' || *p == 0x7f)
                                return failure_set(failure, FAILURE_CONFIGURATION,
                                        "a header for %s contains a line break or another control "
                                        "character. Check the engine's key.",
                                        t->origin);
                r = transfer_add_header(t, *headers);
                if (r < 0)
                        return failure_set(failure, FAILURE_NO_MEMORY, NULL);
        }
        return 0;
}

static bool transfer_set_options(HttpTransfer *t, const HttpRequest *request)
{
        bool ok = true;

#define SET(option, value) (ok = curl_easy_setopt(t->easy, option, value) == CURLE_OK && ok)
        SET(CURLOPT_URL, request->url);
        SET(CURLOPT_PRIVATE, t);
        SET(CURLOPT_ERRORBUFFER, t->error);
        SET(CURLOPT_USERAGENT, "conductor");
        SET(CURLOPT_HTTPHEADER, t->headers);
        SET(CURLOPT_HEADEROPT, (long) CURLHEADER_SEPARATE); /* keys are not for the proxy */
        SET(CURLOPT_UNRESTRICTED_AUTH, 0L);
        SET(CURLOPT_FOLLOWLOCATION, 0L);
        SET(CURLOPT_PROTOCOLS_STR, "http,https");
        SET(CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
        SET(CURLOPT_NOSIGNAL, 1L);
        SET(CURLOPT_QUICK_EXIT, 1L); /* cleanup does not wait for the resolver's thread */
        SET(CURLOPT_TCP_NODELAY, 1L);
        SET(CURLOPT_TCP_KEEPALIVE, 1L);
        SET(CURLOPT_FRESH_CONNECT, t->http->distrust ? 1L : 0L);
        SET(CURLOPT_BUFFERSIZE, HTTP_READ_SIZE);
        SET(CURLOPT_UPLOAD_BUFFERSIZE, HTTP_SEND_SIZE);
        SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
        SET(CURLOPT_SSL_VERIFYPEER, 1L);
        SET(CURLOPT_SSL_VERIFYHOST, 2L);
        SET(CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
        SET(CURLOPT_HEADERFUNCTION, on_header);
        SET(CURLOPT_HEADERDATA, t);
        SET(CURLOPT_WRITEFUNCTION, on_body);
        SET(CURLOPT_WRITEDATA, t);
        SET(CURLOPT_PREREQFUNCTION, on_connected);
        SET(CURLOPT_PREREQDATA, t);
        /* The limits are ours; libcurl's own default of 300 s must not come first. */
        SET(CURLOPT_CONNECTTIMEOUT_MS, (long) INT32_MAX);
        if (t->body.read) {
                SET(CURLOPT_POST, 1L);
                SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) t->body.size);
                SET(CURLOPT_READFUNCTION, on_send);
                SET(CURLOPT_READDATA, t);
                SET(CURLOPT_SEEKFUNCTION, on_rewind);
                SET(CURLOPT_SEEKDATA, t);
        }
        if (!isempty(request->ca_file))
                SET(CURLOPT_CAINFO, request->ca_file);
        /* With a folder of authorities beside the bundle libcurl would not keep what it parsed. */
        SET(CURLOPT_CAPATH, NULL);
        if (streq(strempty(request->proxy), "off") || http_url_is_loopback(request->url)) {
                SET(CURLOPT_PROXY, "");
        } else if (!isempty(request->proxy))
                SET(CURLOPT_PROXY, request->proxy);
#undef SET
        return ok;
}

static int transfer_new(HttpTransfer **ret, Http *h, const HttpRequest *request, const HttpOps *ops,
        void *userdata, Failure *failure)
{
        _cleanup_(http_transfer_freep) HttpTransfer *t = NULL;
        int r;

        t = calloc(1, sizeof *t);
        if (!t || http_url_origin(request->url, &t->origin) < 0)
                return failure_set(failure, FAILURE_NO_MEMORY, NULL);

        if (!startswith(request->url, "http://") && !startswith(request->url, "https://"))
                return failure_set(failure, FAILURE_CONFIGURATION,
                        "%s is no http:// or https:// address. Correct Url=.", t->origin);

        t->http = h;
        t->ops = *ops;
        t->userdata = userdata;
        t->limits[PHASE_CONNECT] = request->connect_timeout;
        t->limits[PHASE_FIRST_BYTE] = request->first_byte_timeout;
        t->limits[PHASE_STREAM] = request->stall_timeout;
        t->result.headers = (HttpHeaders){ .content_type = "", .retry_after = USEC_INFINITY };

        r = transfer_add_headers(t, request->headers, failure);
        if (r < 0)
                return r;

        t->easy = curl_easy_init();
        if (!t->easy)
                return failure_set(failure, FAILURE_NO_MEMORY, NULL);

        *ret = TAKE_PTR(t);
        return 0;
}

int http_start(Http *h, const HttpRequest *request, const HttpOps *ops, void *userdata,
        HttpTransfer **ret, Failure *failure)
{
        _cleanup_(http_transfer_freep) HttpTransfer *t = NULL;
        _cleanup_(http_body_done) HttpBody body = request->body;
        int r;

        r = http_open(h);
        if (r < 0)
                return failure_set(failure, FAILURE_INTERNAL,
                        "libcurl could not be started. Try again when there is more memory.");

        r = transfer_new(&t, h, request, ops, userdata, failure);
        if (r < 0)
                return r;
        t->body = body;
        body = (HttpBody){ 0 };
        if (!transfer_set_options(t, request))
                return failure_set(failure, FAILURE_CONFIGURATION,
                        "%s cannot be used as an address, or the proxy cannot. Correct Url= or "
                        "Proxy=.",
                        t->origin);

        r = sd_event_source_set_enabled(h->kick, SD_EVENT_ONESHOT);
        if (r < 0)
                return failure_set_errno(failure, r, "Starting a transfer");
        transfer_move(t, &h->pending);
        (void) sd_event_source_set_enabled(h->idle, SD_EVENT_OFF);
        *ret = TAKE_PTR(t);
        return 0;
}
