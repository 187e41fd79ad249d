/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/bus/attack.h"

#include <dirent.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "tests/bus/reader.h"

/* Under the limit of calls in flight, which has a test of its own. */
#define WAITING_MAX 48U

unsigned attack_random(unsigned *state, unsigned below)
{
        *state = *state * 1103515245U + 12345U;
        return (*state >> 8) % below;
}

unsigned attack_times(unsigned n)
{
        const char *factor = getenv("CONDUCTOR_TEST_FACTOR");

        return factor ? MAX((unsigned) (n * strtod(factor, NULL)), 1U) : n;
}

/* ---- everybody is served ---- */

static void check_door(Harness *h, Via via)
{
        _cleanup_connection_ sd_bus *bus = harness_connect(h, via);
        _cleanup_(reader_freep) Reader *reader = NULL;
        _cleanup_free_ char *conversation = NULL;
        uint64_t reply;

        sd_bus_message_unref(
                harness_call(h, bus, PATH_ROOT, "org.freedesktop.DBus.Peer", "Ping", ""));
        conversation = harness_create(h, bus, ATTACK_MODEL);
        reader = reader_new(h, bus, conversation);
        reply = harness_send(h, bus, conversation, "@tokens=3");
        assert_string_equal(reader_wait(reader, reply), "stop");
        assert_string_equal(buffer_text(&reader->text[CHANNEL_CONTENT]), "word0 word1 word2 ");
        sd_bus_message_unref(harness_call(h, bus, PATH_ROOT, INTERFACE_MANAGER,
                "DeleteConversation", "s", strrchr(conversation, '/') + 1));
}

void attack_check_served(Harness *h)
{
        check_door(h, VIA_PRIVATE);
        check_door(h, VIA_SESSION);
}

unsigned attack_descriptors(Harness *h)
{
        _cleanup_free_ char *path = NULL;
        unsigned n = 0;
        DIR *folder;

        assert_true(asprintf(&path, "/proc/%d/fd", (int) h->service) > 0);
        folder = opendir(path);
        assert_non_null(folder);
        while (readdir(folder))
                n++;
        assert_int_equal(closedir(folder), 0);
        /* Connections to the engine are kept for the next question; one of them is this one's. */
        if (h->engine > 0) {
                uint64_t opened = harness_engine_count(h, "opened"),
                         closed = harness_engine_count(h, "closed");

                n -= (unsigned) (opened - MIN(opened, closed + 1));
        }
        return n;
}

void attack_wait_descriptors(Harness *h, unsigned n)
{
        usec_t deadline = harness_now() + HARNESS_PATIENCE;
        _cleanup_connection_ sd_bus *bus = harness_connect(h, VIA_SESSION);

        while (attack_descriptors(h) > n) {
                assert_in_range(harness_now(), 0, deadline);
                sd_bus_message_unref(
                        harness_call(h, bus, PATH_ROOT, "org.freedesktop.DBus.Peer", "Ping", ""));
        }
}

/* What is made with its first use and then kept: the threads that read files and write requests. */
static void use_once(Harness *h, sd_bus *bus)
{
        _cleanup_close_ int fd = memfd_create("import", MFD_CLOEXEC);

        assert_return_code(fd, errno);
        sd_bus_message_unref(harness_call(h, bus, PATH_ROOT, INTERFACE_MANAGER, "Import", "h", fd));
        assert_int_equal(write(fd, "text", 4), 4);
        sd_bus_message_unref(
                harness_call(h, bus, PATH_ROOT, INTERFACE_MANAGER, "Ask", "sa{sv}", "@tokens=1", 2,
                        "model", "s", ATTACK_MODEL, "attachments", "a(sh)", 1, "a.txt", fd));
}

void attack_begin(Attack *a, Harness *h)
{
        _cleanup_connection_ sd_bus *bus = NULL;

        *a = (Attack){ .harness = h, .seed = 1 };
        /* Room for others beside those that the engine is told to hold. */
        harness_start_engine(h, "ollama", "MaxConcurrent=64", NULL);
        harness_start(h);
        bus = harness_connect(h, VIA_PRIVATE);
        a->path = harness_create(h, bus, ATTACK_MODEL);
        a->reply = harness_send(h, bus, a->path, "@tokens=3");
        use_once(h, bus);
        attack_check_served(h);
        harness_disconnectp(&bus);
        bus = NULL;
        attack_check_served(h);
        a->descriptors = attack_descriptors(h);
        harness_memory(h, &a->before);
}

static void attack_check(Attack *a, size_t growth, const char *what, unsigned n)
{
        char calls[64] = "";
        Memory after;

        assert_true(n > 0);
        assert_int_equal(a->n_answered, a->n_calls);
        if (a->n_calls > 0)
                (void) snprintf(calls, sizeof calls,
                        "%u calls answered, %u of them refused by name; ", a->n_answered,
                        a->n_refused);
        attack_check_served(a->harness);
        attack_wait_descriptors(a->harness, a->descriptors);
        harness_memory(a->harness, &after);
        if (harness_can_measure())
                assert_in_range(after.private_dirty, 1, a->before.private_dirty + growth);
        print_message("# tried | %s | %u | %sothers served, descriptors given back, memory %+lld "
                      "KiB\n",
                what, n, calls,
                ((long long) after.private_dirty - (long long) a->before.private_dirty) / 1024);
        a->n_calls = a->n_answered = a->n_refused = 0;
}

void attack_end(Attack *a, size_t growth, const char *what, unsigned n)
{
        attack_check(a, growth, what, n);
        a->path = mfree(a->path);
        assert_int_equal(harness_stop(a->harness), 0);
}

/* ---- calls ---- */

bool attack_error_is_named(const char *name)
{
        static const char *const standard[] = { "AccessDenied", "BadAddress", "FileExists",
                "FileNotFound", "InconsistentMessage", "InteractiveAuthorizationRequired",
                "InvalidArgs", "InvalidSignature", "LimitsExceeded", "NoMemory", "NoReply",
                "NotSupported", "PropertyReadOnly", "UnknownInterface", "UnknownMethod",
                "UnknownObject", "UnknownProperty" };
        const char *rest = startswith(name, ERROR_PREFIX);

        if (rest)
                return *rest;
        rest = startswith(name, "org.freedesktop.DBus.Error.");
        for (size_t i = 0; rest && i < ELEMENTSOF(standard); i++)
                if (streq(rest, standard[i]))
                        return true;
        return false;
}

static int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Attack *a = ASSERT_PTR(userdata);
        const sd_bus_error *e = sd_bus_message_get_error(m);

        a->n_answered++;
        if (!e)
                return 0;
        if (!attack_error_is_named(e->name) || isempty(e->message))
                fail_msg("an error that is nobody's: %s: %s", e->name, strempty(e->message));
        a->n_refused++;
        return 0;
}

void attack_call(Attack *a, sd_bus *bus, sd_bus_message *m)
{
        assert_return_code(sd_bus_call_async(bus, NULL, m, on_answer, a, UINT64_MAX), 0);
        sd_bus_message_unref(m);
        a->n_calls++;
        harness_run_until(a->harness, a->n_calls - a->n_answered < WAITING_MAX);
}

void attack_wait_answers(Attack *a)
{
        harness_run_until(a->harness, a->n_answered == a->n_calls);
}

/* ---- raw ---- */

int attack_raw_connect(const char *path)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        struct timeval patience = { .tv_sec = (time_t) (HARNESS_PATIENCE / USEC_PER_SEC) };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_return_code(fd, errno);
        assert_true(strlen(path) < sizeof address.sun_path);
        strcpy(address.sun_path, path);
        assert_return_code(
                setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), errno);
        assert_return_code(connect(fd, (struct sockaddr *) &address, sizeof address), errno);
        return fd;
}
