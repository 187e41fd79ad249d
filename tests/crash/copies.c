/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/crash/copies.h"

#include <fcntl.h>
#include <sys/mman.h>

#include "common/buffer.h"
#include "tests/unit/sqlite-util.h"

#define COPIES_EACH   3U  /* in one load */
#define MESSAGES_EACH 24U /* in one copy */

/* Nobody deletes one: what is in the trash is a rest, too. */
#define RESTS_SQL \
        "SELECT count(*) FROM conversations c WHERE title LIKE 'copy%' AND (deleted <> 0" \
        " OR 24 <> (SELECT count(*) FROM messages m WHERE m.conversation = c.number))"
static_assert(MESSAGES_EACH == 24, "RESTS_SQL says it in words");

struct Copies {
        Harness *h;
        sd_bus *bus;
        unsigned n_asked, n_begun; /* all; of this load */
        bool *acknowledged;        /* by number */
        bool killed;
        Buffer text; /* of the export */
        int pipe;
        sd_event_source *source;
        unsigned n_imported, n_exported;
};

Copies *copies_new(Harness *h)
{
        Copies *c = calloc(1, sizeof *c);

        assert_non_null(c);
        c->h = h;
        c->pipe = -EBADF;
        c->text = BUFFER_INIT(MIB(1));
        return c;
}

static void export_done(Copies *c)
{
        c->source = sd_event_source_disable_unref(c->source);
        c->pipe = safe_close(c->pipe);
        buffer_clear(&c->text);
}

Copies *copies_free(Copies *c)
{
        if (!c)
                return NULL;
        export_done(c);
        buffer_done(&c->text);
        free(c->acknowledged);
        free(c);
        return NULL;
}

/* Each message names its copy and its place. */
static int new_file(unsigned copy)
{
        int fd = memfd_create("copy", MFD_CLOEXEC);

        assert_return_code(fd, errno);
        assert_true(dprintf(fd,
                            "{\"type\":\"conversation\",\"version\":1,\"id\":\"%032x\","
                            "\"title\":\"copy %u\",\"model\":\"\",\"system\":\"\","
                            "\"created\":1,\"modified\":1,\"head\":%u,\"archived\":false}\n",
                            copy + 1, copy, MESSAGES_EACH) > 0);
        for (unsigned i = 1; i <= MESSAGES_EACH; i++)
                assert_true(dprintf(fd,
                                    "{\"type\":\"message\",\"id\":%u,\"parent\":%u,\"role\":\"%s\","
                                    "\"created\":1,\"content\":\"c%uc%um\"%s}\n",
                                    i, i - 1, i % 2 ? "user" : "assistant", copy, i,
                                    i % 2 ? "" : ",\"reason\":\"stop\"") > 0);
        assert_true(dprintf(fd, "{\"type\":\"end\",\"messages\":%u}\n", MESSAGES_EACH) > 0);
        assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
        return fd;
}

static void begin_import(Copies *c);

/* All of what was imported, and its end. */
static void check_export(const Copies *c)
{
        const char *at = buffer_text(&c->text);
        char wanted[64];

        for (unsigned i = 1; i <= MESSAGES_EACH; i++) {
                (void) snprintf(wanted, sizeof wanted, "\"c%uc%um\"", c->n_asked - 1, i);
                at = strstr(at, wanted);
                if (!at)
                        fail_msg("copy %u, exported without message %u: '%s'", c->n_asked - 1, i,
                                buffer_text(&c->text));
        }
        assert_non_null(strstr(at, "\"end\""));
}

static int on_readable(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        Copies *c = ASSERT_PTR(userdata);
        char *space;
        ssize_t n;

        assert_return_code(buffer_reserve(&c->text, KIB(64), &space), 0);
        n = read(fd, space, KIB(64));
        if (n < 0) {
                assert_int_equal(errno, EAGAIN);
                return 0;
        }
        if (n > 0) {
                buffer_advance(&c->text, (size_t) n);
                return 0;
        }
        /* Cut by the kill, it is what came. */
        if (!c->killed) {
                check_export(c);
                c->n_exported++;
        }
        export_done(c);
        begin_import(c);
        return 0;
}

/* As of all that the kill came before. */
static bool is_error(const Copies *c, sd_bus_message *m)
{
        const sd_bus_error *error = sd_bus_message_get_error(m);

        if (error && !c->killed)
                fail_msg("copy %u: %s", c->n_asked - 1, error->message);
        return error;
}

static int on_exported(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Copies *c = ASSERT_PTR(userdata);
        int fd;

        if (is_error(c, m))
                return 0;
        assert_return_code(sd_bus_message_read(m, "h", &fd), 0);
        c->pipe = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        assert_return_code(c->pipe, errno);
        assert_return_code(fcntl(c->pipe, F_SETFL, O_NONBLOCK), errno);
        assert_return_code(
                sd_event_add_io(c->h->event, &c->source, c->pipe, EPOLLIN, on_readable, c), 0);
        return 0;
}

static int on_imported(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Copies *c = ASSERT_PTR(userdata);
        const char *path;

        if (is_error(c, m))
                return 0;
        assert_true(sd_bus_message_enter_container(m, 'a', "o") > 0);
        assert_true(sd_bus_message_read(m, "o", &path) > 0);
        c->acknowledged[c->n_asked - 1] = true;
        c->n_imported++;
        if (c->killed)
                return 0;
        return sd_bus_call_method_async(c->bus, NULL, BUS_NAME, path, INTERFACE_CONVERSATION,
                "Export", on_exported, c, "s", "jsonl");
}

static void begin_import(Copies *c)
{
        _cleanup_close_ int file = -EBADF;

        if (c->killed || c->n_begun == COPIES_EACH)
                return;
        c->n_begun++;
        c->acknowledged = reallocarray(c->acknowledged, c->n_asked + 1, sizeof *c->acknowledged);
        assert_non_null(c->acknowledged);
        c->acknowledged[c->n_asked] = false;
        file = new_file(c->n_asked++);
        assert_return_code(sd_bus_call_method_async(c->bus, NULL, BUS_NAME, PATH_ROOT,
                                   INTERFACE_MANAGER, "Import", on_imported, c, "h", file),
                0);
}

void copies_begin(Copies *c, sd_bus *bus)
{
        c->bus = bus;
        c->killed = false;
        c->n_begun = 0;
        begin_import(c);
}

void copies_killed(Copies *c)
{
        c->killed = true;
}

void copies_end(Copies *c)
{
        c->bus = NULL;
        export_done(c);
}

void copies_check(const Copies *c, sqlite3 *sqlite)
{
        char sql[128];

        if (sqlite_get(sqlite, RESTS_SQL, 0) != 0)
                fail_msg("%lld copies are there in part",
                        (long long) sqlite_get(sqlite, RESTS_SQL, 0));
        for (unsigned i = 0; i < c->n_asked; i++) {
                int64_t n;

                (void) snprintf(sql, sizeof sql,
                        "SELECT count(*) FROM conversations WHERE title = 'copy %u'", i);
                n = sqlite_get(sqlite, sql, 0);
                if (n > 1 || n < c->acknowledged[i])
                        fail_msg("copy %u is there %lld times", i, (long long) n);
        }
}

unsigned copies_imported(const Copies *c)
{
        return c->n_imported;
}

unsigned copies_exported(const Copies *c)
{
        return c->n_exported;
}
