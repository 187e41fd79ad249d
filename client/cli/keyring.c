/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The desktop's keyring, by its encrypted session only. */
#include <time.h>

#include "client/cli/key.h"
#include "common/graphical.h"
#include "common/secret-service-bus.h"

#define SCHEMA    "org.aiway.Conductor1.Key"
#define ITEMS_MAX 64U
/* Each call; then a person who is asked. */
#define ANSWER_USEC (3 * USEC_PER_SEC)
#define PERSON_USEC (120 * USEC_PER_SEC)

typedef struct Keyring {
        sd_bus *bus;
        SecretSession *session;
        char *path; /* of the session */
        bool graphical;
} Keyring;

static void keyring_done(Keyring *k)
{
        sd_bus_flush_close_unref(k->bus);
        secret_session_free(k->session);
        free(k->path);
}

/* ---- calls ---- */

static int fail_no_keyring(Failure *failure)
{
        return failure_set(failure, FAILURE_NO_SERVICE,
                "There is no keyring (Secret Service) in this session.");
}

static int fail_locked(const Keyring *k, Failure *failure)
{
        return failure_set(failure, FAILURE_KEY_REFUSED,
                k->graphical ? "The keyring is locked, and was not unlocked."
                             : "The keyring is locked, and without a graphical session it cannot "
                               "ask for its password: unlock it.");
}

static int fail_unencrypted(Failure *failure)
{
        return failure_set(failure, FAILURE_KEY_REFUSED,
                "The keyring offers no encrypted session, and no other is used.");
}

static int fail_malformed(Failure *failure)
{
        return failure_set(failure, FAILURE_KEY_REFUSED,
                "The keyring's answer is not what its interface promises.");
}

/* Its words are not shown: they are anybody's, and might tell something of the key. */
static int fail_call(const Keyring *k, int r, const sd_bus_error *error, Failure *failure)
{
        if (secrets_error_is_absent(error))
                return fail_no_keyring(failure);
        if (sd_bus_error_has_name(error, SECRETS_IS_LOCKED))
                return fail_locked(k, failure);
        if (sd_bus_error_has_name(error, SD_BUS_ERROR_NO_REPLY))
                return failure_set(failure, FAILURE_KEY_REFUSED,
                        "The keyring went away before it had answered.");
        if (r == -ETIMEDOUT)
                return failure_set(failure, FAILURE_KEY_REFUSED, "The keyring does not answer.");
        return failure_set(failure, FAILURE_KEY_REFUSED, "The keyring refuses (%.128s).",
                sd_bus_error_is_set(error) ? error->name : strerrordesc_np(-r));
}

static int new_call(const Keyring *k, const char *path, const char *interface, const char *member,
        sd_bus_message **ret)
{
        int r;

        r = sd_bus_message_new_method_call(k->bus, ret, SECRETS_NAME, path, interface, member);
        if (r < 0)
                return r;
        /* One that is started where nobody can unlock it is of no use. */
        return sd_bus_message_set_auto_start(*ret, k->graphical);
}

/* r: what building the call came to. */
static int send_call(
        const Keyring *k, int r, sd_bus_message *m, sd_bus_message **ret, Failure *failure)
{
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;

        if (r < 0)
                return failure_set_errno(failure, r, "Asking the keyring");
        r = sd_bus_call(k->bus, m, ANSWER_USEC, &error, ret);
        return r < 0 ? fail_call(k, r, &error, failure) : 0;
}

/* ---- the session ---- */

static int read_session(Keyring *k, sd_bus_message *m, Failure *failure)
{
        const char *path;
        int r;

        r = secrets_read_session(m, k->session, &path);
        if (r == -EPROTONOSUPPORT)
                return fail_unencrypted(failure);
        if (r < 0)
                return fail_malformed(failure);
        r = free_and_strdup(&k->path, path);
        return r < 0 ? failure_set_errno(failure, r, "Asking the keyring") : 0;
}

static int keyring_open(Keyring *k, Failure *failure)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        k->graphical = session_is_graphical();
        if (sd_bus_open_user(&k->bus) < 0)
                return fail_no_keyring(failure);
        r = secret_session_new(&k->session);
        if (r >= 0)
                r = new_call(k, SECRETS_PATH, SECRETS_SERVICE, "OpenSession", &m);
        if (r >= 0)
                r = secrets_append_session(m, k->session);
        if (r < 0)
                return failure_set_errno(failure, r, "Asking the keyring");
        r = sd_bus_call(k->bus, m, ANSWER_USEC, &error, &reply);
        if (secrets_error_is_unencrypted(&error))
                return fail_unencrypted(failure);
        if (r == -ECONNREFUSED || r == -ENOTCONN)
                return fail_no_keyring(failure);
        if (r < 0)
                return fail_call(k, r, &error, failure);
        return read_session(k, reply, failure);
}

/* ---- asking the person ---- */

static int on_completed(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        int *dismissed = ASSERT_PTR(userdata);

        if (sd_bus_message_read(m, "b", dismissed) <= 0)
                *dismissed = true;
        return 0;
}

/* Whoever asked is gone, and the question with it. */
static int on_owner_changed(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        int *dismissed = ASSERT_PTR(userdata);

        if (*dismissed < 0)
                *dismissed = true;
        return 0;
}

static usec_t now(void)
{
        struct timespec t;

        (void) clock_gettime(CLOCK_MONOTONIC, &t);
        return (usec_t) t.tv_sec * USEC_PER_SEC + (usec_t) t.tv_nsec / 1000;
}

/* Until it is known whether it was dismissed. */
static int wait_for_person(const Keyring *k, const int *dismissed)
{
        usec_t deadline = now() + PERSON_USEC, t;
        int r = 0;

        while (*dismissed < 0) {
                t = now();
                if (t >= deadline)
                        return -ETIMEDOUT;
                r = sd_bus_process(k->bus, NULL);
                if (r == 0)
                        r = sd_bus_wait(k->bus, deadline - t);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* prompt: "/" when nobody needs to be asked. */
static int ask_person(const Keyring *k, const char *prompt, Failure *failure)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_(sd_bus_slot_unrefp) sd_bus_slot *slot = NULL, *owner = NULL;
        int dismissed = -1, r;

        if (streq(prompt, SECRETS_NO_PATH))
                return 0;
        if (!k->graphical)
                return fail_locked(k, failure);
        r = sd_bus_match_signal(k->bus, &slot, SECRETS_NAME, prompt, SECRETS_PROMPT, "Completed",
                on_completed, &dismissed);
        if (r >= 0)
                r = sd_bus_add_match(
                        k->bus, &owner, SECRETS_OWNER_CHANGED, on_owner_changed, &dismissed);
        if (r >= 0)
                r = new_call(k, prompt, SECRETS_PROMPT, "Prompt", &m);
        if (r >= 0)
                r = sd_bus_message_append(m, "s", /* window= */ "");
        r = send_call(k, r, m, NULL, failure);
        if (r < 0)
                return r;
        cli_error("The keyring asks for its password.");
        r = wait_for_person(k, &dismissed);
        return r < 0 || dismissed ? fail_locked(k, failure) : 0;
}

static int unlock(const Keyring *k, const char *path, Failure *failure)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        const char *prompt;
        int r;

        r = new_call(k, SECRETS_PATH, SECRETS_SERVICE, "Unlock", &m);
        if (r >= 0)
                r = sd_bus_message_append(m, "ao", 1, path);
        r = send_call(k, r, m, &reply, failure);
        if (r < 0)
                return r;
        r = sd_bus_message_skip(reply, "ao");
        if (r > 0)
                r = sd_bus_message_read(reply, "o", &prompt);
        return r <= 0 ? fail_malformed(failure) : ask_person(k, prompt, failure);
}

/* ---- storing ---- */

static int find_collection(const Keyring *k, char **ret, Failure *failure)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        const char *path;
        int r;

        r = new_call(k, SECRETS_PATH, SECRETS_SERVICE, "ReadAlias", &m);
        if (r >= 0)
                r = sd_bus_message_append(m, "s", "default");
        r = send_call(k, r, m, &reply, failure);
        if (r < 0)
                return r;
        if (sd_bus_message_read(reply, "o", &path) <= 0)
                return fail_malformed(failure);
        if (streq(path, SECRETS_NO_PATH))
                return failure_set(failure, FAILURE_KEY_REFUSED,
                        "The keyring has no default collection for the key: make one in its "
                        "program (Passwords and Keys, KWalletManager).");
        r = free_and_strdup(ret, path);
        return r < 0 ? failure_set_errno(failure, r, "Asking the keyring") : 0;
}

static int is_locked(const Keyring *k, const char *collection, int *ret, Failure *failure)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        int r;

        r = new_call(k, collection, "org.freedesktop.DBus.Properties", "Get", &m);
        if (r >= 0)
                r = sd_bus_message_append(m, "ss", SECRETS_COLLECTION, "Locked");
        r = send_call(k, r, m, &reply, failure);
        if (r < 0)
                return r;
        return sd_bus_message_read(reply, "v", "b", ret) <= 0 ? fail_malformed(failure) : 0;
}

static int append_properties(sd_bus_message *m, const char *engine)
{
        _cleanup_free_ char *label = NULL;

        if (asprintf(&label, "Conductor: key of engine %s", engine) < 0) {
                label = NULL;
                return -ENOMEM;
        }
        return sd_bus_message_append(m, "a{sv}", 2, "org.freedesktop.Secret.Item.Label", "s", label,
                "org.freedesktop.Secret.Item.Attributes", "a{ss}", 3, "xdg:schema", SCHEMA,
                "application", "conductor", "engine", engine);
}

static int append_secret(const Keyring *k, sd_bus_message *m, const char *text)
{
        size_t size = strlen(text), whole = secret_encrypted_size(size);
        _cleanup_free_ uint8_t *data = malloc(whole);
        uint8_t iv[SECRET_BLOCK_SIZE];
        int r;

        if (!data)
                return -ENOMEM;
        r = secret_session_encrypt(k->session, text, size, iv, data);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'r', "oayays");
        if (r >= 0)
                r = sd_bus_message_append(m, "o", k->path);
        if (r >= 0)
                r = sd_bus_message_append_array(m, 'y', iv, sizeof iv);
        if (r >= 0)
                r = sd_bus_message_append_array(m, 'y', data, whole);
        if (r >= 0)
                r = sd_bus_message_append(m, "s", "text/plain");
        return r < 0 ? r : sd_bus_message_close_container(m);
}

int keyring_store(const char *engine, const char *text, Failure *failure)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        _cleanup_(keyring_done) Keyring k = { 0 };
        _cleanup_free_ char *collection = NULL;
        const char *prompt;
        int locked, r;

        r = keyring_open(&k, failure);
        if (r >= 0)
                r = find_collection(&k, &collection, failure);
        if (r >= 0)
                r = is_locked(&k, collection, &locked, failure);
        if (r >= 0 && locked)
                r = unlock(&k, collection, failure);
        if (r < 0)
                return r;

        r = new_call(&k, collection, SECRETS_COLLECTION, "CreateItem", &m);
        if (r >= 0)
                r = append_properties(m, engine);
        if (r >= 0)
                r = append_secret(&k, m, text);
        if (r >= 0)
                r = sd_bus_message_append(m, "b", /* replace= */ true);
        r = send_call(&k, r, m, &reply, failure);
        if (r < 0)
                return r;
        if (sd_bus_message_read(reply, "oo", NULL, &prompt) <= 0)
                return fail_malformed(failure);
        return ask_person(&k, prompt, failure);
}

/* ---- removing ---- */

static int remove_one(const Keyring *k, const char *item, Failure *failure)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        const char *prompt;
        int r;

        r = new_call(k, item, SECRETS_ITEM, "Delete", &m);
        r = send_call(k, r, m, &reply, failure);
        if (r < 0)
                return r;
        return sd_bus_message_read(reply, "o", &prompt) <= 0 ? fail_malformed(failure)
                                                             : ask_person(k, prompt, failure);
}

static int remove_listed(
        const Keyring *k, sd_bus_message *list, bool locked, unsigned *n, Failure *failure)
{
        const char *item;
        int r;

        if (sd_bus_message_enter_container(list, 'a', "o") < 0)
                return fail_malformed(failure);
        while (sd_bus_message_at_end(list, /* complete= */ false) == 0) {
                if (*n == ITEMS_MAX)
                        return failure_set(failure, FAILURE_TOO_LARGE,
                                "%u secrets of this engine were removed, and the keyring has more: "
                                "do it again.",
                                ITEMS_MAX);
                if (sd_bus_message_read(list, "o", &item) <= 0)
                        return fail_malformed(failure);
                r = locked ? unlock(k, item, failure) : 0;
                if (r >= 0)
                        r = remove_one(k, item, failure);
                if (r < 0)
                        return r;
                ++*n;
        }
        return sd_bus_message_exit_container(list) < 0 ? fail_malformed(failure) : 0;
}

int keyring_remove(const char *engine, unsigned *ret, Failure *failure)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        _cleanup_(keyring_done) Keyring k = { 0 };
        unsigned n = 0;
        int r;

        r = keyring_open(&k, failure);
        if (r < 0)
                return r;
        r = new_call(&k, SECRETS_PATH, SECRETS_SERVICE, "SearchItems", &m);
        if (r >= 0)
                r = sd_bus_message_append(
                        m, "a{ss}", 2, "application", "conductor", "engine", engine);
        r = send_call(&k, r, m, &reply, failure);
        if (r >= 0)
                r = remove_listed(&k, reply, /* locked= */ false, &n, failure);
        if (r >= 0)
                r = remove_listed(&k, reply, /* locked= */ true, &n, failure);
        if (r < 0)
                return r;
        *ret = n;
        return 0;
}
