/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/hostile-service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/fd.h"
#include "tests/unit/folder.h"

static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Hostile *h = userdata;

        if (sd_bus_message_is_method_call(m, NULL, NULL) <= 0)
                return 0;
        h->answer(h, m, sd_bus_message_get_member(m));
        return 1;
}

static int on_client(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        static const sd_id128_t id = { .bytes = { 1 } };
        Hostile *h = userdata;
        int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        assert_true(client >= 0);
        h->bus = sd_bus_close_unref(h->bus);
        assert_return_code(sd_bus_new(&h->bus), 0);
        assert_return_code(sd_bus_set_fd(h->bus, client, client), 0);
        assert_return_code(sd_bus_set_server(h->bus, true, id), 0);
        assert_return_code(sd_bus_negotiate_fds(h->bus, false), 0);
        assert_return_code(sd_bus_set_sender(h->bus, BUS_NAME), 0);
        assert_return_code(sd_bus_add_filter(h->bus, NULL, on_message, h), 0);
        assert_return_code(sd_bus_start(h->bus), 0);
        assert_return_code(sd_bus_attach_event(h->bus, h->event, SD_EVENT_PRIORITY_NORMAL), 0);
        return 0;
}

Hostile *hostile_new(hostile_answer_t answer, void *userdata)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        Hostile *h = calloc(1, sizeof *h);

        assert_non_null(h);
        h->answer = answer;
        h->userdata = userdata;
        h->folder = folder_new();
        h->socket = folder_below(h->folder, "bus");
        assert_true(asprintf(&h->address, "peer:unix:path=%s", h->socket) > 0);
        assert_true(strlen(h->socket) < sizeof address.sun_path);
        memcpy(address.sun_path, h->socket, strlen(h->socket));
        assert_return_code(sd_event_new(&h->event), 0);
        h->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        assert_true(h->fd >= 0);
        assert_int_equal(bind(h->fd, (struct sockaddr *) &address, sizeof address), 0);
        assert_int_equal(listen(h->fd, 1), 0);
        assert_return_code(sd_event_add_io(h->event, &h->source, h->fd, EPOLLIN, on_client, h), 0);
        return h;
}

Hostile *hostile_free(Hostile *h)
{
        sd_bus_close_unref(h->bus);
        sd_event_source_disable_unref(h->source);
        sd_event_unref(h->event);
        safe_close(h->fd);
        folder_free(h->folder);
        free(h->socket);
        free(h->address);
        free(h);
        return NULL;
}

void hostile_reply(sd_bus_message *call, const char *types, ...)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        va_list ap;

        assert_return_code(sd_bus_message_new_method_return(call, &m), 0);
        va_start(ap, types);
        assert_return_code(sd_bus_message_appendv(m, types, ap), 0);
        va_end(ap);
        assert_return_code(sd_bus_send(sd_bus_message_get_bus(call), m, NULL), 0);
}

void hostile_say(Hostile *h, const char *path, const char *interface, const char *member,
        const char *types, ...)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        va_list ap;

        assert_return_code(sd_bus_message_new_signal(h->bus, &m, path, interface, member), 0);
        va_start(ap, types);
        assert_return_code(sd_bus_message_appendv(m, types, ap), 0);
        va_end(ap);
        assert_return_code(sd_bus_send(h->bus, m, NULL), 0);
}
