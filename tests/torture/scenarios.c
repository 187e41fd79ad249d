/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <sys/mman.h>

#include "tests/torture/commands.h"
#include "tests/torture/neighbours.h"
#include "tests/torture/torture.h"
#include "tests/torture/tui.h"

#define OLLAMA    "ollama/tiny:latest"
#define OPENAI    "openai/tiny:latest"
#define ANTHROPIC "anthropic/tiny:latest"
#define BUILTIN   "builtin/doctor"
/* Three words, one after the other: where one could not be told, the next one tells of both. Then
 * no more. */
#define HELD "@tokens=20 @rate=200 @fault=hold:3"

static bool manager(Torture *t, const char *member)
{
        return client_call(t, NULL, PATH_ROOT, INTERFACE_MANAGER, member, "");
}

/* A call with one string. */
static bool tell(Torture *t, const char *path, const char *member, const char *text)
{
        return client_call(t, NULL, path, INTERFACE_CONVERSATION, member, "s", text);
}

static void get_all(Torture *t, const char *path, const char *interface)
{
        (void) client_call(
                t, NULL, path, "org.freedesktop.DBus.Properties", "GetAll", "s", interface);
}

static void get_messages(Torture *t, const char *path)
{
        (void) client_call(t, NULL, path, INTERFACE_CONVERSATION, "GetMessages", "tu", UINT64_C(0),
                (uint32_t) 100);
        (void) client_call(t, NULL, path, INTERFACE_CONVERSATION, "GetMessagesAfter", "tu",
                UINT64_C(0), (uint32_t) 100);
}

static void get_reply(Torture *t, const char *path, uint64_t reply)
{
        (void) client_call(t, NULL, path, INTERFACE_CONVERSATION, "GetReply", "tstt", reply,
                "content", UINT64_C(0), UINT64_C(100000));
}

static const char *seeded(const Torture *t, char *path, size_t size)
{
        (void) snprintf(path, size, PATH_CONVERSATION "/%s", t->acks[0].conversation);
        return path;
}

/* ---- conversations ---- */

static void play_start(Torture *t)
{
        (void) manager(t, "GetStatistics");
}

static void play_create(Torture *t)
{
        _cleanup_free_ char *path = client_create(t, OLLAMA);

        (void) client_call(t, NULL, path, INTERFACE_CONVERSATION, "SetTitle", "s", "Another");
        (void) tell(t, path, "SetModel", OPENAI);
        (void) tell(t, path, "SetSystem", "Be brief.");
        (void) client_call(t, NULL, path, INTERFACE_CONVERSATION, "GetSystem", "");
        get_all(t, path, INTERFACE_CONVERSATION);
        (void) client_call(t, NULL, path, INTERFACE_CONVERSATION, "Archive", "b", true);
        (void) client_call(t, NULL, path, INTERFACE_CONVERSATION, "Hide", "b", true);
        (void) client_call(t, NULL, PATH_ROOT, INTERFACE_MANAGER, "CreateConversation", "a{sv}", 2,
                "private", "b", true, "system", "s", "Nothing of it is kept.");
}

static void play_lists(Torture *t)
{
        char path[128];

        (void) client_call(t, NULL, PATH_ROOT, INTERFACE_MANAGER, "ListConversations", "a{sv}", 1,
                "limit", "u", (uint32_t) 10);
        (void) client_call(t, NULL, PATH_ROOT, INTERFACE_MANAGER, "OpenConversation", "s",
                t->acks[0].conversation);
        get_messages(t, seeded(t, path, sizeof path));
        (void) manager(t, "GetSnapshot");
        (void) manager(t, "ListEngines");
        (void) client_call(t, NULL, PATH_ROOT, INTERFACE_MANAGER, "ListModels", "b", true);
        (void) client_call(
                t, NULL, PATH_ROOT, INTERFACE_MANAGER, "SetDefaultModel", "s", "ollama/big:latest");
        get_all(t, PATH_ROOT, INTERFACE_MANAGER);
        (void) client_call(t, NULL, PATH_CONVERSATION, "org.freedesktop.DBus.Introspectable",
                "Introspect", "");
}

static void play_delete(Torture *t)
{
        char path[128];

        (void) seeded(t, path, sizeof path);
        if (client_call(t, NULL, PATH_ROOT, INTERFACE_MANAGER, "DeleteConversation", "s",
                    path + strlen(PATH_CONVERSATION "/")))
                (void) client_call(t, NULL, PATH_ROOT, INTERFACE_MANAGER, "RestoreConversation",
                        "s", path + strlen(PATH_CONVERSATION "/"));
        (void) client_call(t, NULL, PATH_ROOT, INTERFACE_MANAGER, "DeleteConversation", "s",
                path + strlen(PATH_CONVERSATION "/"));
        client_forget(t, path);
        (void) manager(t, "PurgeDeleted");
}

static void play_search(Torture *t)
{
        (void) client_call(t, NULL, PATH_ROOT, INTERFACE_MANAGER, "Search", "sa{sv}", "question", 1,
                "limit", "u", (uint32_t) 5);
        (void) client_call(t, NULL, PATH_ROOT, INTERFACE_MANAGER, "Search", "sa{sv}", "que word", 1,
                "order", "s", "rank");
}

/* ---- replies ---- */

static void stream(Torture *t, const char *model, const char *words)
{
        _cleanup_free_ char *path = client_create(t, model);
        uint64_t message, reply;

        client_follow(t, path);
        if (!client_send(t, path, words, &message, &reply))
                return;
        client_wait_end(t, path, reply);
        get_reply(t, path, reply);
        get_messages(t, path);
}

static void play_ollama(Torture *t)
{
        stream(t, OLLAMA, "@tokens=100 @reasoning=3");
}

static void play_openai(Torture *t)
{
        stream(t, OPENAI, "@tokens=9 @think @say=\"[yolla:wave] x\"");
}

static void play_anthropic(Torture *t)
{
        stream(t, ANTHROPIC, "@tokens=9 @reasoning=3");
}

static void play_builtin(Torture *t)
{
        stream(t, BUILTIN, "");
}

static void play_keyring(Torture *t)
{
        if (keyring_unlock(t) < 0)
                found(t, "the keyring does not answer");
        stream(t, "keyed/tiny:latest", "@tokens=2");
        if (keyring_lock(t) < 0)
                found(t, "the keyring does not answer");
        stream(t, "locked/tiny:latest", "@tokens=2");
        if (!keyring_prompted(t) && !client_may_fail(t))
                found(t, "the keyring did not ask its person");
}

static void play_unit(Torture *t)
{
        stream(t, "unit/tiny:latest", "@tokens=2");
}

static void play_pipe(Torture *t)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;
        _cleanup_free_ char *path = client_create(t, OLLAMA);
        uint64_t message, reply;

        if (!client_send(t, path, "@tokens=50 @size=100", &message, &reply))
                return;
        if (client_call(t, &answer, path, INTERFACE_CONVERSATION, "OpenStream", "t", reply))
                (void) client_read_stream(t, answer);
}

static void play_cancel(Torture *t)
{
        _cleanup_free_ char *path = client_create(t, OLLAMA);
        uint64_t message, reply;

        client_follow(t, path);
        if (!client_send(t, path, HELD, &message, &reply))
                return;
        client_wait_text(t, reply, 1);
        if (client_call(t, NULL, path, INTERFACE_CONVERSATION, "Cancel", "t", UINT64_C(0)))
                client_wait_end(t, path, reply);
        (void) client_call(t, NULL, path, INTERFACE_CONVERSATION, "Unfollow", "");
}

static void again(Torture *t, const char *path, const char *member, const char *types, uint64_t id)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;
        uint64_t reply;
        bool ok;

        if (streq(types, "ts"))
                ok = client_call(t, &answer, path, INTERFACE_CONVERSATION, member, types, id,
                        "worded otherwise");
        else
                ok = client_call(t, &answer, path, INTERFACE_CONVERSATION, member, types, id, 0);
        if (!ok)
                return;
        if (streq(types, "ts") ? sd_bus_message_read(answer, "tt", NULL, &reply) < 0
                               : sd_bus_message_read(answer, "t", &reply) < 0)
                found(t, "%s answered something else", member);
        else
                client_wait_end(t, path, reply);
}

static void play_branches(Torture *t)
{
        _cleanup_free_ char *path = client_create(t, OLLAMA);
        uint64_t message, reply;

        client_follow(t, path);
        if (!client_send(t, path, "", &message, &reply))
                return;
        client_wait_end(t, path, reply);
        again(t, path, "Regenerate", "ta{sv}", reply);
        again(t, path, "Edit", "ts", message);
        (void) client_call(t, NULL, path, INTERFACE_CONVERSATION, "ListBranches", "t", message);
        (void) client_call(t, NULL, path, INTERFACE_CONVERSATION, "SelectBranch", "t", message);
        if (!client_send(t, path, "@fault=eof:3", &message, &reply))
                return;
        client_wait_end(t, path, reply);
        again(t, path, "Continue", "t", reply);
}

/* Whoever is told that it failed does it again. */
static void cancel(Torture *t, const char *path, uint64_t reply)
{
        if (!client_call(t, NULL, path, INTERFACE_CONVERSATION, "Cancel", "t", reply) && t->bus)
                (void) client_call(t, NULL, path, INTERFACE_CONVERSATION, "Cancel", "t", reply);
}

/* A second question waits for the first one's reply, which is cancelled. Where nothing of that is
 * stored, the engine is asked both in one message. */
static void play_queue(Torture *t)
{
        static const char question[] = "the second @fault=none";
        _cleanup_free_ char *path = client_create(t, OLLAMA);
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;
        uint64_t message, reply, second;

        client_follow(t, path);
        if (!client_send(t, path, HELD, &message, &reply))
                return;
        client_wait_text(t, reply, 1);
        if (client_call(t, &answer, path, INTERFACE_CONVERSATION, "Send", "sa{sv}", question, 1,
                    "queue", "b", true) &&
                sd_bus_message_read(answer, "tt", &message, &second) >= 0) {
                client_acknowledged(t, path, message, question);
                cancel(t, path, reply);
                client_wait_end(t, path, second);
        }
}

static void play_failing_engine(Torture *t)
{
        _cleanup_free_ char *path = client_create(t, OPENAI);
        uint64_t message, reply;

        client_follow(t, path);
        if (client_send(t, path, "@fail-first=1", &message, &reply))
                client_wait_end(t, path, reply);
        if (client_send(t, path, "@fault=cut-json:3", &message, &reply))
                client_wait_end(t, path, reply);
        if (client_send(t, path, "@fault=reset:3", &message, &reply))
                client_wait_end(t, path, reply);
}

static void play_ask(Torture *t)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;

        if (client_call(t, &answer, PATH_ROOT, INTERFACE_MANAGER, "Ask", "sa{sv}", "asked once", 2,
                    "model", "s", OLLAMA, "title", "s", "Asked"))
                (void) client_call(t, NULL, PATH_ROOT, INTERFACE_MANAGER, "Ask", "sa{sv}",
                        "asked twice", 2, "model", "s", ANTHROPIC, "follow", "b", true);
}

/* ---- files ---- */

static int make_file(const char *content)
{
        _cleanup_close_ int fd = memfd_create("attachment", MFD_CLOEXEC);

        if (fd < 0 || write(fd, content, strlen(content)) < 0 || lseek(fd, 0, SEEK_SET) < 0)
                return -errno;
        return TAKE_FD(fd);
}

/* 0: there is none. */
static uint64_t send_file(Torture *t, const char *path, const char *text, int fd)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *answer = NULL;
        uint64_t message, reply;

        client_follow(t, path);
        m = client_message(t, path, INTERFACE_CONVERSATION, "Send");
        if (!m ||
                sd_bus_message_append(m, "sa{sv}", text, 1, "attachments", "a(sh)", 2, "file.txt",
                        fd, "file.png", fd) < 0)
                return 0;
        if (!client_call_message(t, m, &answer) ||
                sd_bus_message_read(answer, "tt", &message, &reply) < 0)
                return 0;
        client_acknowledged(t, path, message, text);
        client_wait_end(t, path, reply);
        return reply;
}

static void play_attachments(Torture *t)
{
        _cleanup_free_ char *path = client_create(t, ANTHROPIC);
        _cleanup_close_ int fd = make_file("What is in the file.\n");

        if (send_file(t, path, "with a file", fd) > 0)
                get_messages(t, path);
}

/* Each question reads them from the database again; one is asked without a conversation. */
static void play_attachments_again(Torture *t)
{
        _cleanup_free_ char *path = client_create(t, OPENAI);
        _cleanup_close_ int fd = make_file("What is in the file.\n");
        uint64_t reply;

        reply = send_file(t, path, "with a file", fd);
        if (reply > 0)
                again(t, path, "Regenerate", "ta{sv}", reply);
        (void) client_call(t, NULL, PATH_ROOT, INTERFACE_MANAGER, "Ask", "sa{sv}", "asked of it", 2,
                "model", "s", OLLAMA, "attachments", "a(sh)", 1, "file.txt", fd);
}

static void export(Torture *t, const char *path, const char *format)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;

        if (client_call(t, &answer, path, INTERFACE_CONVERSATION, "Export", "s", format))
                (void) client_read_stream(t, answer);
}

static void play_export(Torture *t)
{
        char path[128];

        (void) seeded(t, path, sizeof path);
        export(t, path, "markdown");
        export(t, path, "json");
        export(t, path, "jsonl");
}

static void play_import(Torture *t)
{
        static const char line[] =
                "{\"type\":\"conversation\",\"version\":1,"
                "\"id\":\"0123456789abcdef0123456789abcdef\",\"title\":\"A title\",\"model\":\"m\","
                "\"created\":1,\"modified\":2,\"head\":7,\"archived\":false,\"hidden\":true,"
                "\"system\":\"be kind\"}\n"
                "{\"type\":\"message\",\"id\":3,\"parent\":0,\"role\":\"user\",\"created\":5,"
                "\"content\":\"hi\\t\\u20ac\"}\n"
                "{\"type\":\"attachment\",\"message\":3,\"name\":\"a.txt\","
                "\"mime\":\"text/plain\",\"data\":\"aGVsbG8=\"}\n"
                "{\"type\":\"message\",\"id\":7,\"parent\":3,\"role\":\"assistant\",\"created\":6,"
                "\"content\":\"yo\",\"reasoning\":\"why\",\"reason\":\"stop\","
                "\"metadata\":{\"model\":\"m\",\"n\":1.5,\"x\":[null,true]}}\n"
                "{\"type\":\"end\",\"messages\":2}\n";
        _cleanup_close_ int fd = make_file(line);

        (void) client_call(t, NULL, PATH_ROOT, INTERFACE_MANAGER, "Import", "h", fd);
}

/* ---- databases ---- */

static void search(Torture *t)
{
        (void) client_call(
                t, NULL, PATH_ROOT, INTERFACE_MANAGER, "Search", "sa{sv}", "question", 0);
}

/* All that the check after the start can come to. */
static const char *const checked[] = { "was damaged", "is whole", "is damaged",
        "Cannot write the database", "could not be checked", "Cannot check", NULL };

/* The log's own: then a line of it is missing. */
static bool a_line_failed(const Torture *t)
{
        return client_may_fail(t) && streq(t->run->function, "write");
}

static void play_damaged(Torture *t)
{
        if (!service_wait_log(t, checked) && service_lives(t) && !a_line_failed(t))
                found(t, "nothing is said of the check that was owed");
        (void) manager(t, "GetStatistics");
}

static bool was_salvaged(const Torture *t)
{
        _cleanup_free_ char *pattern = NULL;
        glob_t g = { 0 };
        bool was;

        was = asprintf(&pattern, "%s.damaged-*", t->database) > 0 &&
                glob(pattern, GLOB_NOSORT, NULL, &g) == 0;
        globfree(&g);
        return was;
}

static void play_mended(Torture *t)
{
        char path[128];

        if (!was_salvaged(t))
                (void) service_wait_log(t, checked);
        get_messages(t, seeded(t, path, sizeof path));
        search(t);
}

static void play_old(Torture *t)
{
        char path[128];

        search(t);
        get_messages(t, seeded(t, path, sizeof path));
}

/* ---- the rest ---- */

static void play_surface(Torture *t)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;
        const char *surface;
        char path[128];

        (void) seeded(t, path, sizeof path);
        if (!client_call(t, &answer, PATH_ROOT, INTERFACE_MANAGER, "RegisterSurface", "sasa{sv}",
                    "tortured", 2, "text", "avatar", 0) ||
                sd_bus_message_read(answer, "o", &surface) < 0)
                return;
        (void) client_call(t, NULL, surface, "org.freedesktop.DBus.Properties", "Set", "ssv",
                INTERFACE_SURFACE, "Focus", "o", path);
        get_all(t, surface, INTERFACE_SURFACE);
        get_all(t, PATH_AVATAR, INTERFACE_AVATAR);
        client_close(t); /* and it is gone */
        (void) manager(t, "GetStatistics");
}

static void write_engine(Torture *t, const char *name, const char *text)
{
        _cleanup_free_ char *path = NULL;
        _cleanup_fclose_ FILE *f = NULL;

        if (asprintf(&path, "%s/engines.d/%s.conf", t->config, name) < 0)
                return;
        f = fopen(path, "we");
        if (!f || fputs(text, f) < 0)
                found(t, "%s cannot be written", path);
}

/* What is acknowledged is not half of the configuration. */
static void reload(Torture *t)
{
        static const char *const wanted[] = { "anthropic", "builtin", "ollama", "openai" };
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;
        const char *name;
        size_t n = 0;

        if (!manager(t, "Reload") ||
                !client_call(t, &answer, PATH_ROOT, INTERFACE_MANAGER, "ListEngines", "") ||
                sd_bus_message_enter_container(answer, 'a', "(sssa{sv})") < 0)
                return;
        while (sd_bus_message_enter_container(answer, 'r', "sssa{sv}") > 0) {
                if (sd_bus_message_read(answer, "s", &name) < 0 ||
                        sd_bus_message_skip(answer, "ssa{sv}") < 0 ||
                        sd_bus_message_exit_container(answer) < 0)
                        return;
                for (size_t i = 0; i < ELEMENTSOF(wanted); i++)
                        n += streq(name, wanted[i]);
        }
        if (n < ELEMENTSOF(wanted))
                found(t, "of the engines only %zu are left", n);
}

static void play_reload(Torture *t)
{
        write_engine(t, "fresh", "[Engine]\nType=builtin\n");
        reload(t);
        write_engine(t, "fresh", "[Engine]\nType=nonsense\nUrl=none\n");
        reload(t);
        if (t->service > 0)
                (void) kill(t->service, SIGHUP);
        (void) manager(t, "ListEngines");
}

/* It is told to end under a reply, a call that waits for one, and a follower. */
static void play_stop(Torture *t)
{
        _cleanup_free_ char *path = client_create(t, OLLAMA);
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        uint64_t message, reply;

        client_follow(t, path);
        if (!client_send(t, path, HELD, &message, &reply))
                return;
        client_wait_text(t, reply, 1);
        m = client_message(t, path, INTERFACE_CONVERSATION, "Send");
        if (m && sd_bus_message_append(m, "sa{sv}", "too late", 1, "queue", "b", true) >= 0)
                (void) sd_bus_send(t->bus, m, NULL);
        if (t->bus)
                (void) sd_bus_flush(t->bus);
        service_stop(t);
}

static void play_session(Torture *t)
{
        _cleanup_free_ char *path = client_create(t, OLLAMA);
        uint64_t message, reply;

        client_follow(t, path);
        if (client_send(t, path, "", &message, &reply))
                client_wait_end(t, path, reply);
        client_close(t);
        (void) manager(t, "GetStatistics");
}

const Scenario scenarios[] = {
        { "start", play_start, SEED_NONE, 0 },
        { "start with an existing database", play_start, SEED_CLEAN, SCENARIO_LISTEN },
        { "start after a crash", play_start, SEED_UNCLEAN, 0 },
        { "start with a damaged database", play_damaged, SEED_DAMAGED, 0, play_mended },
        { "start with an earlier version's database", play_old, SEED_OLD, 0, play_old },
        { "create", play_create, SEED_CLEAN, 0 },
        { "lists", play_lists, SEED_CLEAN, 0 },
        { "delete", play_delete, SEED_CLEAN, 0 },
        { "search", play_search, SEED_CLEAN, 0 },
        { "Ollama's stream", play_ollama, SEED_CLEAN, 0 },
        { "OpenAI's stream", play_openai, SEED_CLEAN, 0 },
        { "Anthropic's stream", play_anthropic, SEED_CLEAN, 0 },
        { "built-in engine", play_builtin, SEED_CLEAN, 0 },
        { "pipe", play_pipe, SEED_CLEAN, 0 },
        { "key in the keyring", play_keyring, SEED_CLEAN, SCENARIO_KEYRING },
        { "engine with a unit", play_unit, SEED_CLEAN, SCENARIO_UNIT },
        { "cancel", play_cancel, SEED_CLEAN, 0 },
        { "branches", play_branches, SEED_CLEAN, 0 },
        { "queue", play_queue, SEED_CLEAN, 0 },
        { "failing engine", play_failing_engine, SEED_CLEAN, SCENARIO_FAILS },
        { "ask", play_ask, SEED_CLEAN, 0 },
        { "attachments", play_attachments, SEED_CLEAN, 0 },
        { "attachments, asked again", play_attachments_again, SEED_CLEAN, 0 },
        { "export", play_export, SEED_CLEAN, 0 },
        { "import", play_import, SEED_CLEAN, 0 },
        { "surface", play_surface, SEED_CLEAN, 0 },
        { "reload", play_reload, SEED_CLEAN, 0 },
        { "stop", play_stop, SEED_CLEAN, SCENARIO_STOPS },
        { "session bus", play_session, SEED_CLEAN, SCENARIO_SESSION },
        { "conductor ask", command_play, SEED_CLEAN, 0, .commands = command_ask },
        { "conductor ask, for programs", command_play, SEED_CLEAN, 0,
                .commands = command_ask_json },
        { "conductor ask, an engine that ends early", command_play, SEED_CLEAN, 0,
                .commands = command_ask_failing },
        { "conductor list", command_play, SEED_CLEAN, 0, .commands = command_list },
        { "conductor show", command_play, SEED_CLEAN, 0, .commands = command_show },
        { "conductor search", command_play, SEED_CLEAN, 0, .commands = command_search },
        { "conductor models", command_play, SEED_CLEAN, 0, .commands = command_models },
        { "conductor rename", command_play, SEED_CLEAN, 0, .commands = command_rename },
        { "conductor delete", command_play, SEED_CLEAN, 0, .commands = command_delete },
        { "conductor archive", command_play, SEED_CLEAN, 0, .commands = command_archive },
        { "conductor export", command_play, SEED_CLEAN, 0, .commands = command_export },
        { "conductor import", command_play, SEED_CLEAN, 0, .commands = command_import },
        { "conductor engine", command_play, SEED_CLEAN, 0, .commands = command_engines },
        { "conductor key", command_play, SEED_CLEAN, 0, .commands = command_key },
        { "conductor status", command_play, SEED_CLEAN, 0, .commands = command_status },
        { "conductor doctor", command_play, SEED_CLEAN, 0, .commands = command_doctor },
        { "conductor complete", command_play, SEED_CLEAN, 0, .commands = command_complete },
        { "conductor list, on the session bus", command_play, SEED_CLEAN, SCENARIO_SESSION,
                .commands = command_list },
        { "conductor ask, on the session bus", command_play, SEED_CLEAN, SCENARIO_SESSION,
                .commands = command_ask },
        { "conductor --host ask", command_play, SEED_CLEAN, SCENARIO_SESSION | SCENARIO_HOST,
                .commands = command_ask_host },
        { "curses client, a question", tui_play, SEED_CLEAN, 0, .tui = &tui_ask },
        { "curses client, reading", tui_play, SEED_CLEAN, 0, .tui = &tui_read },
        { "curses client, other programs", tui_play, SEED_CLEAN, 0, .tui = &tui_programs },
        { "curses client, files", tui_play, SEED_CLEAN, 0, .tui = &tui_files },
        { "curses client, on the session bus", tui_play, SEED_CLEAN, SCENARIO_SESSION,
                .tui = &tui_ask },
        { "curses client, another machine", tui_play, SEED_CLEAN, SCENARIO_SESSION | SCENARIO_HOST,
                .tui = &tui_host },
        { "planted", play_start, SEED_CLEAN, SCENARIO_PLANTED },
};
const size_t n_scenarios = ELEMENTSOF(scenarios);
