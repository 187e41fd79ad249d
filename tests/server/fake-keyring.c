/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A Secret Service (org.freedesktop.secrets) that does what its test says:
 *
 *   fake-keyring [BEHAVIOUR...]
 *
 * on the session bus; it prints "ready" when it has the name, and ends with the bus. Behaviours are
 * in the table below. /control, interface test.Keyring, is for the test: Put(a{ss}, ay) stores a
 * secret, Behave(as) changes the behaviours, Log() returns the calls that came, Get(a{ss}) a
 * secret.
 */
#include <stdarg.h>
#include <systemd/sd-bus.h>

#include "common/buffer.h"
#include "common/paths.h"
#include "common/secret-session.h"

#define ROOT       "/org/freedesktop/secrets"
#define COLLECTION ROOT "/collection/login"
#define SESSION    ROOT "/session/1"
#define PROMPT     ROOT "/prompt/1"
#define ITEMS_MAX  160U
#define ERROR      "org.freedesktop.Secret.Error."

static const char *const behaviours[] = {
        "locked",       /* what is there, and the collection */
        "prompting",    /* unlocking and creating ask the person, who does it at once */
        "dismissed",    /* who does not want to */
        "silent",       /* who is not there */
        "dying-prompt", /* it ends while it asks */
        "hang-open",
        "hang-search",
        "hang-secret", /* no answer to that */
        "dying-open",
        "dying-secret", /* it ends in the middle of that */
        "plain",        /* it knows no encrypted session */
        "plain-anyway", /* it opens one that is not */
        "public-empty",
        "public-one",
        "public-long",   /* of a key of its own */
        "other-session", /* a secret of another session */
        "iv-short",
        "value-empty",
        "value-odd",
        "value-unpadded",
        "value-huge",
        "refusing",  /* an error of its own for each secret */
        "malformed", /* answers of other types */
        "no-collection",
};

typedef struct Item {
        char **attributes; /* names and values in turn */
        Buffer secret;
        bool deleted;
} Item;

static struct Keyring {
        sd_bus *bus;
        SecretSession *session;
        bool is[ELEMENTSOF(behaviours)];
        Item items[ITEMS_MAX];
        unsigned n_items;
        Buffer log;
        bool unlocked;
} k;

_noreturn_ static void give_up(const char *what)
{
        (void) fprintf(stderr, "fake-keyring: %s\n", what);
        exit(EXIT_FAILURE);
}

static void check(int r, const char *what)
{
        if (r < 0)
                give_up(what);
}

static bool is(const char *name)
{
        for (size_t i = 0; i < ELEMENTSOF(behaviours); i++)
                if (streq(behaviours[i], name))
                        return k.is[i];
        give_up(name);
}

static void behave(const char *name)
{
        for (size_t i = 0; i < ELEMENTSOF(behaviours); i++)
                if (streq(behaviours[i], name)) {
                        k.is[i] = true;
                        return;
                }
        give_up(name);
}

_noreturn_ static void die(void)
{
        sd_bus_flush_close_unref(k.bus);
        exit(EXIT_SUCCESS);
}

static bool is_locked(void)
{
        return is("locked") && !k.unlocked;
}

/* ---- items ---- */

static char **read_attributes(sd_bus_message *m)
{
        char **list = calloc(64, sizeof *list);
        const char *name, *value;
        size_t n = 0;

        if (!list)
                give_up("memory");
        check(sd_bus_message_enter_container(m, 'a', "{ss}"), "attributes");
        while (n < 62 && sd_bus_message_read(m, "{ss}", &name, &value) > 0) {
                list[n++] = strdup(name);
                list[n++] = strdup(value);
        }
        check(sd_bus_message_exit_container(m), "attributes");
        return list;
}

/* The item has all of these. */
static bool matches(const Item *item, char **wanted)
{
        for (char **w = wanted; *w; w += 2) {
                bool found = false;

                for (char **a = item->attributes; *a; a += 2)
                        found = found || (streq(a[0], w[0]) && streq(a[1], w[1]));
                if (!found)
                        return false;
        }
        return !item->deleted;
}

static Item *find(char **wanted)
{
        for (unsigned i = 0; i < k.n_items; i++)
                if (matches(k.items + i, wanted))
                        return k.items + i;
        return NULL;
}

static Item *add_item(char **attributes)
{
        Item *item;

        if (k.n_items == ITEMS_MAX)
                give_up("too many items");
        item = k.items + k.n_items++;
        item->attributes = attributes;
        item->secret = BUFFER_INIT(MIB(1));
        return item;
}

static int append_items(sd_bus_message *m, char **wanted, bool wanted_here)
{
        int r = sd_bus_message_open_container(m, 'a', "o");

        for (unsigned i = 0; wanted_here && r >= 0 && i < k.n_items; i++) {
                char path[64];

                (void) snprintf(path, sizeof path, COLLECTION "/%u", i);
                if (matches(k.items + i, wanted))
                        r = sd_bus_message_append(m, "o", path);
        }
        return r < 0 ? r : sd_bus_message_close_container(m);
}

/* ---- the service ---- */

static int open_session(sd_bus_message *m)
{
        static const uint8_t one[SECRET_PUBLIC_SIZE + 1] = { 1 };
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const char *algorithm;
        const void *peer;
        size_t size, n = SECRET_PUBLIC_SIZE;
        const uint8_t *public;

        if (is("hang-open"))
                return 1;
        if (is("dying-open"))
                die();
        check(sd_bus_message_read(m, "s", &algorithm), "OpenSession");
        if (is("plain") || !streq(algorithm, SECRET_ALGORITHM))
                return sd_bus_reply_method_errorf(m, SD_BUS_ERROR_NOT_SUPPORTED, "no");
        check(sd_bus_message_enter_container(m, 'v', "ay"), "OpenSession");
        check(sd_bus_message_read_array(m, 'y', &peer, &size), "OpenSession");
        if (size != SECRET_PUBLIC_SIZE)
                give_up("a public key of another size");
        k.session = secret_session_free(k.session);
        check(secret_session_new(&k.session), "session");
        check(secret_session_agree(k.session, peer, size), "agreement");
        if (is("plain-anyway"))
                return sd_bus_reply_method_return(m, "vo", "s", "", SESSION);
        if (is("malformed"))
                return sd_bus_reply_method_return(m, "su", "x", 1);
        public = secret_session_public(k.session);
        if (is("public-empty"))
                n = 0;
        else if (is("public-one") || is("public-long")) {
                public = one;
                n = is("public-one") ? 1 : sizeof one;
        }
        check(sd_bus_message_new_method_return(m, &reply), "reply");
        check(sd_bus_message_open_container(reply, 'v', "ay"), "reply");
        check(sd_bus_message_append_array(reply, 'y', public, n), "reply");
        check(sd_bus_message_close_container(reply), "reply");
        check(sd_bus_message_append(reply, "o", SESSION), "reply");
        return sd_bus_send(NULL, reply, NULL);
}

static int search_items(sd_bus_message *m)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(strv_freep) char **wanted = NULL;

        if (is("hang-search"))
                return 1;
        wanted = read_attributes(m);
        check(sd_bus_message_new_method_return(m, &reply), "reply");
        check(append_items(reply, wanted, !is_locked()), "reply");
        check(append_items(reply, wanted, is_locked()), "reply");
        return sd_bus_send(NULL, reply, NULL);
}

static int unlock(sd_bus_message *m)
{
        if (is("prompting") || is("dismissed") || is("silent") || is("dying-prompt"))
                return sd_bus_reply_method_return(m, "aoo", 0, PROMPT);
        k.unlocked = true;
        return sd_bus_reply_method_return(m, "aoo", 0, "/");
}

static int prompt(sd_bus_message *m)
{
        int r = sd_bus_reply_method_return(m, "");

        if (is("dying-prompt"))
                die();
        if (r < 0 || is("silent"))
                return r;
        k.unlocked = !is("dismissed");
        return sd_bus_emit_signal(k.bus, PROMPT, "org.freedesktop.Secret.Prompt", "Completed", "bv",
                is("dismissed"), "ao", 0);
}

/* ---- secrets ---- */

/* A value that is none. The size, or 0 when it is to be a good one. */
static size_t make_bad_value(uint8_t *value)
{
        static const struct {
                const char *behaviour;
                size_t size;
        } sizes[] = { { "value-odd", 33 }, { "value-huge", MIB(1) } };

        for (size_t i = 0; i < ELEMENTSOF(sizes); i++)
                if (is(sizes[i].behaviour)) {
                        memset(value, 'x', sizes[i].size);
                        return sizes[i].size;
                }
        return 0;
}

/* Without the block at its end that says where the text ends. What is only made up looks like one
 * that has it each 256th time. */
static size_t make_unpadded(uint8_t *iv, uint8_t *value)
{
        uint8_t text[2 * SECRET_BLOCK_SIZE];

        memset(text, 'x', sizeof text);
        check(secret_session_encrypt(k.session, text, sizeof text, iv, value), "encryption");
        return sizeof text;
}

static int get_secret(sd_bus_message *m, const Item *item)
{
        static uint8_t value[MIB(1) + 64];
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        uint8_t iv[SECRET_BLOCK_SIZE];
        size_t n = make_bad_value(value);

        if (is("hang-secret"))
                return 1;
        if (is("dying-secret"))
                die();
        if (is_locked())
                return sd_bus_reply_method_errorf(m, ERROR "IsLocked", "locked");
        if (is("refusing"))
                return sd_bus_reply_method_errorf(m, ERROR "Whatever", "%s", item->secret.data);
        if (is("value-unpadded"))
                n = make_unpadded(iv, value);
        if (n == 0) {
                check(secret_session_encrypt(
                              k.session, buffer_text(&item->secret), item->secret.size, iv, value),
                        "encryption");
                n = is("value-empty") ? 0 : secret_encrypted_size(item->secret.size);
        }
        check(sd_bus_message_new_method_return(m, &reply), "reply");
        check(sd_bus_message_open_container(reply, 'r', "oayays"), "reply");
        check(sd_bus_message_append(reply, "o", is("other-session") ? SESSION "2" : SESSION),
                "reply");
        check(sd_bus_message_append_array(reply, 'y', iv, is("iv-short") ? 15 : sizeof iv),
                "reply");
        check(sd_bus_message_append_array(reply, 'y', value, n), "reply");
        check(sd_bus_message_append(reply, "s", "text/plain"), "reply");
        check(sd_bus_message_close_container(reply), "reply");
        return sd_bus_send(NULL, reply, NULL);
}

static void read_secret(sd_bus_message *m, Item *item)
{
        const void *iv, *data;
        size_t iv_size, size, n;
        const char *path;
        char *room;

        check(sd_bus_message_enter_container(m, 'r', "oayays"), "secret");
        check(sd_bus_message_read(m, "o", &path), "secret");
        if (!streq(path, SESSION))
                give_up("another session");
        check(sd_bus_message_read_array(m, 'y', &iv, &iv_size), "secret");
        check(sd_bus_message_read_array(m, 'y', &data, &size), "secret");
        check(sd_bus_message_skip(m, "s"), "secret");
        check(sd_bus_message_exit_container(m), "secret");
        buffer_clear(&item->secret);
        check(buffer_reserve(&item->secret, size, &room), "secret");
        check(secret_session_decrypt(k.session, iv, iv_size, data, size, room, size, &n), "secret");
        buffer_advance(&item->secret, n);
}

static int create_item(sd_bus_message *m)
{
        _cleanup_(strv_freep) char **attributes = NULL;
        const char *key;
        Item *item;

        if (is_locked())
                return sd_bus_reply_method_errorf(m, ERROR "IsLocked", "locked");
        if (is("refusing"))
                return sd_bus_reply_method_errorf(m, ERROR "Whatever", "no");
        check(sd_bus_message_enter_container(m, 'a', "{sv}"), "CreateItem");
        while (sd_bus_message_enter_container(m, 'e', "sv") > 0) {
                check(sd_bus_message_read(m, "s", &key), "CreateItem");
                if (streq(key, "org.freedesktop.Secret.Item.Attributes")) {
                        check(sd_bus_message_enter_container(m, 'v', "a{ss}"), "CreateItem");
                        attributes = read_attributes(m);
                        check(sd_bus_message_exit_container(m), "CreateItem");
                } else
                        check(sd_bus_message_skip(m, "v"), "CreateItem");
                check(sd_bus_message_exit_container(m), "CreateItem");
        }
        check(sd_bus_message_exit_container(m), "CreateItem");
        if (!attributes)
                give_up("an item without attributes");
        item = find(attributes);
        read_secret(m, item ? item : add_item(TAKE_PTR(attributes)));
        return sd_bus_reply_method_return(m, "oo", COLLECTION "/0", "/");
}

static int on_item(sd_bus_message *m, Item *item, const char *member)
{
        if (streq(member, "GetSecret"))
                return get_secret(m, item);
        if (streq(member, "Delete")) {
                item->deleted = true;
                return sd_bus_reply_method_return(m, "o", "/");
        }
        return 0;
}

static int on_call(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        const char *member = sd_bus_message_get_member(m), *path = sd_bus_message_get_path(m);
        const char *number = startswith(path, COLLECTION "/");

        check(buffer_append_format(&k.log, "%s%s", k.log.size > 0 ? " " : "", member), "log");
        if (number)
                return on_item(m, k.items + strtoul(number, NULL, 10), member);
        if (streq(member, "OpenSession"))
                return open_session(m);
        if (streq(member, "SearchItems"))
                return search_items(m);
        if (streq(member, "Unlock"))
                return unlock(m);
        if (streq(member, "Prompt"))
                return prompt(m);
        if (streq(member, "Dismiss"))
                return sd_bus_reply_method_return(m, "");
        if (streq(member, "ReadAlias"))
                return sd_bus_reply_method_return(m, "o", is("no-collection") ? "/" : COLLECTION);
        if (streq(member, "Get")) /* the property Locked */
                return sd_bus_reply_method_return(m, "v", "b", is_locked());
        if (streq(member, "CreateItem"))
                return create_item(m);
        return 0;
}

/* ---- for the test ---- */

static int on_put(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Item *item = add_item(read_attributes(m));
        const void *secret;
        size_t size;

        check(sd_bus_message_read_array(m, 'y', &secret, &size), "Put");
        check(buffer_append(&item->secret, secret, size), "Put");
        return sd_bus_reply_method_return(m, "");
}

static int on_get(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        _cleanup_(strv_freep) char **wanted = read_attributes(m);
        const Item *item = find(wanted);

        return sd_bus_reply_method_return(m, "s", item ? buffer_text(&item->secret) : "");
}

static int on_behave(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        const char *name;

        memset(k.is, 0, sizeof k.is);
        k.unlocked = false;
        check(sd_bus_message_enter_container(m, 'a', "s"), "Behave");
        while (sd_bus_message_read(m, "s", &name) > 0)
                behave(name);
        return sd_bus_reply_method_return(m, "");
}

static int on_log(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        int r = sd_bus_reply_method_return(m, "s", buffer_text(&k.log));

        buffer_clear(&k.log);
        return r;
}

static const sd_bus_vtable control[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("Put", "a{ss}ay", "", on_put, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Get", "a{ss}", "s", on_get, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Behave", "as", "", on_behave, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Log", "", "s", on_log, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

int main(int argc, char *argv[])
{
        int r;

        k.log = BUFFER_INIT(MIB(1));
        for (int i = 1; i < argc; i++)
                behave(argv[i]);
        check(sd_bus_open_user(&k.bus), "no bus");
        check(sd_bus_add_object_vtable(k.bus, NULL, "/control", "test.Keyring", control, NULL),
                "object");
        check(sd_bus_add_fallback(k.bus, NULL, ROOT, on_call, NULL), "objects");
        check(sd_bus_request_name(k.bus, "org.freedesktop.secrets", 0), "the name is taken");
        (void) puts("ready");
        (void) fflush(stdout);
        do {
                r = sd_bus_process(k.bus, NULL);
                if (r == 0)
                        r = sd_bus_wait(k.bus, UINT64_MAX);
        } while (r >= 0);
        return EXIT_SUCCESS;
}
