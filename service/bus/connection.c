/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/bus/doors-internal.h"

#include <inttypes.h>
#include <malloc.h>
#include <sys/resource.h>

#include "common/event-util.h"
#include "common/log.h"
#include "common/names.h"
#include "service/bus/error.h"

/* The ring holds one message more than the limit: the one that goes over it. */
#define RING_SIZE (DOORS_QUEUE_MESSAGES_MAX + 1)

/* So much must be free that was not when memory was last given back, or pages touched since: what
 * was given back counts as free, too, and may have been used and freed again. */
#define RETURN_MIN       MIB(1)
#define RETURN_PAGES_MIN 256

void doors_return_memory(Doors *d)
{
        size_t n = mallinfo2().fordblks;
        struct rusage usage;

        if (getrusage(RUSAGE_SELF, &usage) < 0)
                return;
        d->n_free = MIN(d->n_free, n); /* the rest is in use again */
        if (n - d->n_free < RETURN_MIN &&
                (n < RETURN_MIN || usage.ru_minflt - d->n_faults < RETURN_PAGES_MIN))
                return;
        (void) malloc_trim(/* pad= */ 0);
        d->n_free = mallinfo2().fordblks;
        d->n_faults = usage.ru_minflt;
}

void connection_doom(Connection *c)
{
        if (c->doomed)
                return;
        c->doomed = true;
        doors_schedule_reap(c->doors);
}

/* In server mode sd-bus leaves a message that came together with BEGIN in its buffer until more
 * bytes come. One in each turn, as sd-bus does it; and late, as a flood begins with it. */
static int on_pump(sd_event_source *s, void *userdata)
{
        Connection *c = ASSERT_PTR(userdata);
        int r;

        if (c->doomed)
                return 0;
        r = sd_bus_process(c->bus, /* ret= */ NULL);
        if (r < 0)
                connection_doom(c);
        else if (r > 0 && !c->doomed)
                event_source_arm(s, "a connection's calls");
        return 0;
}

static int on_connected(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Connection *c = ASSERT_PTR(userdata);

        c->connected = true;
        log_debug("%s: connected.", peer_name(c->peer));
        return sd_event_source_set_enabled(c->pump, SD_EVENT_ONESHOT);
}

static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Connection *c = ASSERT_PTR(userdata);

        log_debug("%s: disconnected.", peer_name(c->peer));
        connection_doom(c);
        return 0;
}

static void ring_drop_sent(Connection *c, uint64_t n_queued)
{
        while (c->n_sizes > n_queued) {
                c->queued_bytes -= c->sizes[c->first_size];
                c->first_size = (c->first_size + 1) % RING_SIZE;
                c->n_sizes--;
        }
        if (c->n_sizes == 0)
                c->sizes = mfree(c->sizes);
}

static int check_queue(Connection *c)
{
        uint64_t n;

        if (c->doomed)
                return -ECONNRESET;
        if (sd_bus_get_n_queued_write(c->bus, &n) < 0)
                return 0; /* it is closing: its own end tells */

        ring_drop_sent(c, n);

        /* The oldest message is being written, however large one answer may be: what counts is what
         * waits behind it. */
        if (n <= DOORS_QUEUE_MESSAGES_MAX &&
                (c->n_sizes == 0 ||
                        c->queued_bytes - c->sizes[c->first_size] <= DOORS_QUEUE_BYTES_MAX))
                return 0;

        log_notice("%s: does not read its messages (%" PRIu64 " wait, %zu bytes); disconnected.",
                peer_name(c->peer), n, c->queued_bytes);
        connection_doom(c);
        return -ECONNRESET;
}

/* No broker has looked at what comes by this door. A method's handler answers for what it reads; a
 * property's value is read by sd-bus, which ends the connection when it is none. */
static int check_value(sd_bus_message *m, sd_bus_error *error)
{
        int r;

        if (sd_bus_message_is_method_call(m, "org.freedesktop.DBus.Properties", "Set") <= 0 ||
                !sd_bus_message_has_signature(m, "ssv"))
                return 0;
        r = sd_bus_message_skip(m, "ssv");
        if (r >= 0)
                r = sd_bus_message_rewind(m, /* complete= */ true);
        return r < 0 ? bus_error_invalid(error, "The value is not written as D-Bus writes it.") : 0;
}

static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Connection *c = ASSERT_PTR(userdata);
        int r;

        /* sd-bus answers some calls itself: a flood of them shows here; and what was announced
         * before a call is there before its answer. */
        if (connection_flush(c) < 0 || check_queue(c) < 0)
                return 1; /* handled: it gets no answer any more */
        r = check_value(m, ret_error);
        if (r < 0)
                return r;
        return doors_count_message(m, c->doors, ret_error);
}

static int connection_setup(Connection *c, int *fd)
{
        static const BusHandlers handlers = { on_message, on_connected, on_disconnected };
        sd_bus *bus = c->bus;
        int r;

        r = sd_bus_set_fd(bus, *fd, *fd);
        if (r < 0)
                return r;
        TAKE_FD(*fd); /* closed with the bus from here on */
        r = sd_bus_set_server(bus, /* b= */ true, c->doors->server_id);
        if (r < 0)
                return r;
        r = sd_bus_set_anonymous(bus, /* b= */ false);
        if (r < 0)
                return r;
        r = sd_bus_negotiate_fds(bus, /* b= */ true);
        if (r < 0)
                return r;
        /* Clients match signals by their sender, alike on both doors. */
        r = sd_bus_set_sender(bus, BUS_NAME);
        if (r < 0)
                return r;
        (void) sd_bus_set_description(bus, peer_name(c->peer));
        return doors_setup_bus(c->doors, bus, &handlers, c);
}

static int connection_start(Connection *c)
{
        int r;

        r = sd_event_add_defer(c->doors->event, &c->pump, on_pump, c);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(c->pump, "doors-pump");
        r = sd_event_source_set_priority(c->pump, PRIORITY_LATE);
        if (r < 0)
                return r;
        r = sd_event_source_set_enabled(c->pump, SD_EVENT_OFF);
        if (r < 0)
                return r;

        r = sd_bus_start(c->bus);
        if (r < 0)
                return r;
        return sd_bus_attach_event(c->bus, c->doors->event, SD_EVENT_PRIORITY_NORMAL);
}

static void connection_link(Connection *c)
{
        Doors *d = c->doors;

        c->next = d->connections;
        if (c->next)
                c->next->previous = c;
        d->connections = c;
        d->n_connections++;
}

static void connection_unlink(Connection *c)
{
        if (c->previous)
                c->previous->next = c->next;
        else
                c->doors->connections = c->next;
        if (c->next)
                c->next->previous = c->previous;
        c->doors->n_connections--;
}

Connection *connection_free(Connection *c)
{
        if (!c)
                return NULL;

        if (c->peer) {
                peer_gone(c->peer);
                connection_unlink(c);
        }
        sd_event_source_disable_unref(c->pump);
        connection_forget_posted(c);
        sd_bus_close_unref(c->bus);
        free(c->sizes);
        free(c);
        return NULL;
}

int connection_new(Doors *d, int *fd)
{
        _cleanup_(connection_freep) Connection *c = NULL;
        char name[sizeof "private-" + 20];
        int r;

        c = calloc(1, sizeof *c);
        if (!c)
                return -ENOMEM;
        c->doors = d;

        r = sd_bus_new(&c->bus);
        if (r < 0)
                return r;

        (void) snprintf(name, sizeof name, "private-%" PRIu64, ++d->n_accepted);
        r = peer_new(d, name, c, &c->peer);
        if (r < 0)
                return r;
        connection_link(c);

        r = connection_setup(c, fd);
        if (r < 0)
                return r;
        r = connection_start(c);
        if (r < 0)
                return r;

        TAKE_PTR(c);
        return 0;
}

static size_t size_of_values(sd_bus_message *m);

static size_t size_of_array(sd_bus_message *m, const char *contents)
{
        const void *data;
        size_t size = 0;

        /* An array of numbers is taken in one piece. */
        if (strlen(contents) == 1 && strchr("ynqiuxtd", contents[0]))
                return sd_bus_message_read_array(m, contents[0], &data, &size) < 0 ? 0 : size + 8;

        if (sd_bus_message_enter_container(m, SD_BUS_TYPE_ARRAY, contents) < 0)
                return 0;
        size = size_of_values(m) + 8;
        (void) sd_bus_message_exit_container(m);
        return size;
}

static size_t size_of_values(sd_bus_message *m)
{
        const char *contents, *text;
        size_t size = 0;
        char type;

        while (sd_bus_message_peek_type(m, &type, &contents) > 0)
                switch (type) {
                case SD_BUS_TYPE_ARRAY:
                        size += size_of_array(m, contents);
                        break;
                case SD_BUS_TYPE_VARIANT:
                case SD_BUS_TYPE_STRUCT:
                case SD_BUS_TYPE_DICT_ENTRY:
                        if (sd_bus_message_enter_container(m, type, contents) < 0)
                                return size;
                        size += size_of_values(m) + 8;
                        (void) sd_bus_message_exit_container(m);
                        break;
                case SD_BUS_TYPE_STRING:
                case SD_BUS_TYPE_OBJECT_PATH:
                case SD_BUS_TYPE_SIGNATURE:
                        if (sd_bus_message_read_basic(m, type, &text) < 0)
                                return size;
                        size += strlen(text) + 8;
                        break;
                default:
                        if (sd_bus_message_read_basic(m, type, NULL) < 0)
                                return size;
                        size += 8;
                        break;
                }

        return size;
}

/* sd-bus does not tell how large a message is: it is read for that, and sd-bus checks all of its
 * text once more, which takes longer than to write it. */
static size_t message_size(sd_bus_message *m)
{
        size_t size;

        if (sd_bus_message_rewind(m, /* complete= */ true) < 0)
                return 0;
        size = size_of_values(m);
        (void) sd_bus_message_rewind(m, /* complete= */ true);
        return MIN(size, (size_t) UINT32_MAX);
}

static int ring_add(Connection *c, size_t size)
{
        if (!c->sizes) {
                c->sizes = calloc(RING_SIZE, sizeof *c->sizes);
                if (!c->sizes)
                        return -ENOMEM;
                c->first_size = 0;
        }
        c->sizes[(c->first_size + c->n_sizes) % RING_SIZE] = (uint32_t) size;
        c->n_sizes++;
        c->queued_bytes += size;
        return 0;
}

int connection_send(Connection *c, sd_bus_message *m)
{
        int r = connection_flush(c);

        return r < 0 ? r : connection_send_ahead(c, m);
}

int connection_send_ahead(Connection *c, sd_bus_message *m)
{
        uint64_t n;
        int r;

        r = check_queue(c);
        if (r < 0)
                return r;
        r = sd_bus_send(c->bus, m, /* ret_cookie= */ NULL);
        if (r < 0)
                return r;

        if (sd_bus_get_n_queued_write(c->bus, &n) < 0 || n == 0)
                return 0;
        /* The size of one that is being written does not matter, see check_queue(). */
        r = ring_add(c, n > 1 ? message_size(m) : 0);
        if (r < 0)
                return r;
        return check_queue(c);
}
