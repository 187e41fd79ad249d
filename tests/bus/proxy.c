/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/bus/proxy.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

typedef struct Side {
        Proxy *proxy;
        struct Side *other;
        int fd;
        sd_event_source *source;
        bool held;
} Side;

struct Proxy {
        Harness *harness;
        char *path, *address;
        int listening;
        sd_event_source *source;
        Side client, service;
        const char *word;
};

static void side_close(Side *s)
{
        s->source = sd_event_source_disable_unref(s->source);
        s->fd = safe_close(s->fd);
        s->held = false;
}

void proxy_cut(Proxy *p)
{
        side_close(&p->client);
        side_close(&p->service);
        p->word = NULL;
}

static void side_hold(Side *s, bool held)
{
        s->held = held;
        if (s->source)
                assert_return_code(
                        sd_event_source_set_enabled(s->source, held ? SD_EVENT_OFF : SD_EVENT_ON),
                        0);
}

/* Both ends are the test's and the service's, which read: this waits for them. */
static bool pass_on(int fd, const char *data, size_t size)
{
        while (size > 0) {
                ssize_t n = send(fd, data, size, MSG_NOSIGNAL);

                if (n < 0)
                        return false;
                data += n;
                size -= (size_t) n;
        }
        return true;
}

static int on_data(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        Side *s = userdata;
        Proxy *p = s->proxy;
        char data[4096];
        ssize_t n = read(fd, data, sizeof data);

        if (n <= 0 || !pass_on(s->other->fd, data, (size_t) n)) {
                proxy_cut(p);
                return 0;
        }
        if (s == &p->client && p->word && memmem(data, (size_t) n, p->word, strlen(p->word))) {
                p->word = NULL;
                side_hold(s, true);
        }
        return 0;
}

static void side_open(Proxy *p, Side *s, int fd)
{
        s->fd = fd;
        assert_return_code(
                sd_event_add_io(p->harness->event, &s->source, fd, EPOLLIN, on_data, s), 0);
}

static void set_path(struct sockaddr_un *address, const char *path)
{
        *address = (struct sockaddr_un){ .sun_family = AF_UNIX };
        assert_true(strlen(path) < sizeof address->sun_path);
        strcpy(address->sun_path, path);
}

static int on_client(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        struct sockaddr_un address;
        Proxy *p = userdata;
        int service, client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

        assert_return_code(client, errno);
        proxy_cut(p);
        set_path(&address, p->harness->socket);
        service = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_return_code(service, errno);
        side_open(p, &p->client, client);
        side_open(p, &p->service, service);
        if (connect(service, (struct sockaddr *) &address, sizeof address) < 0)
                proxy_cut(p); /* as the client would see it without us */
        return 0;
}

Proxy *proxy_new(Harness *h)
{
        struct sockaddr_un address;
        Proxy *p = calloc(1, sizeof *p);

        assert_non_null(p);
        p->harness = h;
        p->client = (Side){ .proxy = p, .other = &p->service, .fd = -EBADF };
        p->service = (Side){ .proxy = p, .other = &p->client, .fd = -EBADF };
        assert_true(asprintf(&p->path, "%s/proxy", h->folder) > 0);
        assert_true(asprintf(&p->address, "peer:unix:path=%s", p->path) > 0);
        set_path(&address, p->path);
        p->listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_return_code(p->listening, errno);
        assert_return_code(bind(p->listening, (struct sockaddr *) &address, sizeof address), errno);
        assert_return_code(listen(p->listening, 4), errno);
        assert_return_code(
                sd_event_add_io(h->event, &p->source, p->listening, EPOLLIN, on_client, p), 0);
        return p;
}

Proxy *proxy_free(Proxy *p)
{
        if (!p)
                return NULL;
        proxy_cut(p);
        sd_event_source_disable_unref(p->source);
        safe_close(p->listening);
        (void) unlink(p->path);
        free(p->path);
        free(p->address);
        free(p);
        return NULL;
}

const char *proxy_address(const Proxy *p)
{
        return p->address;
}

void proxy_hold_client_after(Proxy *p, const char *word)
{
        p->word = word;
}

void proxy_hold_service(Proxy *p)
{
        side_hold(&p->service, true);
}

void proxy_release(Proxy *p)
{
        side_hold(&p->client, false);
        side_hold(&p->service, false);
}

bool proxy_is_holding_client(const Proxy *p)
{
        return p->client.held;
}
