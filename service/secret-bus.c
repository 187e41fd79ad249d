/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/secret-bus.h"

#include "common/key-text.h"
#include "common/paths.h"
#include "common/secret-service-bus.h"
#include "service/bus/address.h"
#include "service/config/config.h"

struct SecretLookup {
        sd_event_source *timer;
        sd_bus *bus;
        SecretSession *session;
        SecretFlags flags;
        char **attributes;          /* names and values in turn */
        char *path, *item, *prompt; /* of the session, the secret, the question to the person */
        bool prompting;
        secret_found_t done;
        void *userdata;
};

SecretLookup *secret_lookup_free(SecretLookup *s)
{
        if (!s)
                return NULL;
        /* Its session ends with the connection. */
        sd_bus_close_unref(s->bus);
        sd_event_source_disable_unref(s->timer);
        secret_session_free(s->session);
        strv_free(s->attributes);
        free(s->path);
        free(s->item);
        free(s->prompt);
        free(s);
        return NULL;
}

/* ---- what came of it: done() frees s ---- */

/* So that sd-bus leaves the connection alone, which is closed: after a call that had no answer in
 * time it would write next, which is an assertion there. */
#define ENDED 1

static int fail(SecretLookup *s, const char *why)
{
        _cleanup_failure_ Failure failure = FAILURE_NULL;

        (void) failure_set(&failure, FAILURE_KEY_REFUSED, "%s", why);
        s->done(NULL, 0, &failure, s->userdata);
        return ENDED;
}

static int fail_locked(SecretLookup *s)
{
        return fail(s,
                s->flags & SECRET_MAY_PROMPT
                        ? "The keyring is locked: unlock it."
                        : "The keyring is locked, and it cannot ask for its password from here: "
                          "unlock it.");
}

static int fail_malformed(SecretLookup *s)
{
        return fail(s, "The keyring's answer is not what its interface promises.");
}

/* Its words are not shown: they are anybody's, and might tell something of the secret. */
static int fail_by_error(SecretLookup *s, const sd_bus_error *error)
{
        _cleanup_free_ char *why = NULL;

        if (secrets_error_is_absent(error))
                return fail(s, "No keyring (Secret Service) runs in this session.");
        if (sd_bus_error_has_name(error, SD_BUS_ERROR_NO_REPLY))
                return fail(s, "The keyring went away before it had answered.");
        if (sd_bus_error_has_name(error, SECRETS_IS_LOCKED))
                return fail_locked(s);
        if (sd_bus_error_has_name(error, SECRETS_NO_OBJECT))
                return fail(s, "The secret went away from the keyring.");
        if (asprintf(&why, "The keyring refuses (%.128s).", error->name) < 0) {
                why = NULL;
                return fail(s, "The keyring refuses.");
        }
        return fail(s, why);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
        SecretLookup *s = ASSERT_PTR(userdata);

        if (!s->prompting)
                return fail(s, "The keyring does not answer.");
        /* Its window goes; whether it did is of no interest any more. */
        (void) sd_bus_call_method_async(
                s->bus, NULL, SECRETS_NAME, s->prompt, SECRETS_PROMPT, "Dismiss", NULL, NULL, "");
        return fail(s, "The keyring is locked, and nobody has unlocked it.");
}

static int arm(SecretLookup *s, usec_t delay)
{
        int r;

        r = sd_event_source_set_time_relative(s->timer, delay);
        return r < 0 ? r : sd_event_source_set_enabled(s->timer, SD_EVENT_ONESHOT);
}

/* ---- calls ---- */

static int new_call(SecretLookup *s, const char *path, const char *interface, const char *member,
        sd_bus_message **ret)
{
        int r;

        r = sd_bus_message_new_method_call(s->bus, ret, SECRETS_NAME, path, interface, member);
        if (r < 0)
                return r;
        return sd_bus_message_set_auto_start(*ret, (s->flags & SECRET_MAY_START) != 0);
}

/* The answer's handler gets a result that is none: what went wrong was told. */
static int next(SecretLookup *s, int r, sd_bus_message *m, sd_bus_message_handler_t handler)
{
        if (r >= 0)
                r = sd_bus_call_async(s->bus, NULL, m, handler, s, /* usec= */ 0);
        return r < 0 ? fail(s, "The keyring cannot be asked.") : 0;
}

/* ---- the secret itself ---- */

static int open_secret(SecretLookup *s, const void *iv, size_t iv_size, const void *data, size_t n)
{
        _cleanup_(key_text_freep) char *text = key_text_new();
        size_t size;
        int r;

        if (!text)
                return fail(s, "There is no memory for a key.");
        r = secret_session_decrypt(
                s->session, iv, iv_size, data, n, text, KEY_TEXT_ROOM - 1, &size);
        if (r == -EFBIG)
                return fail(s, "The secret in the keyring is too long for a key.");
        if (r < 0)
                return fail_malformed(s);
        s->done(text, size, NULL, s->userdata);
        return ENDED;
}

static int on_secret(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        SecretLookup *s = ASSERT_PTR(userdata);
        const sd_bus_error *error = sd_bus_message_get_error(m);
        const void *iv, *data;
        size_t iv_size, size;
        const char *path;
        int r;

        if (error)
                return fail_by_error(s, error);
        r = sd_bus_message_enter_container(m, 'r', "oayays");
        if (r > 0)
                r = sd_bus_message_read(m, "o", &path);
        if (r > 0)
                r = sd_bus_message_read_array(m, 'y', &iv, &iv_size);
        if (r > 0)
                r = sd_bus_message_read_array(m, 'y', &data, &size);
        if (r <= 0 || !streq(path, s->path))
                return fail_malformed(s);
        return open_secret(s, iv, iv_size, data, size);
}

static int get_secret(SecretLookup *s)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = new_call(s, s->item, SECRETS_ITEM, "GetSecret", &m);
        if (r >= 0)
                r = sd_bus_message_append(m, "o", s->path);
        return next(s, r, m, on_secret);
}

/* ---- unlocking ---- */

static int unlocked(SecretLookup *s)
{
        s->prompting = false;
        return arm(s, SECRET_ANSWER_USEC) < 0 ? fail(s, "The keyring cannot be asked.")
                                              : get_secret(s);
}

static int on_completed(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        SecretLookup *s = ASSERT_PTR(userdata);
        int dismissed;

        if (!s->prompting)
                return 0;
        if (sd_bus_message_read(m, "b", &dismissed) <= 0)
                return fail_malformed(s);
        return dismissed ? fail(s, "The keyring is locked, and was not unlocked when it asked.")
                         : unlocked(s);
}

static int on_owner_changed(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        SecretLookup *s = ASSERT_PTR(userdata);

        /* A call's answer would not come either, but the bus tells that. */
        return s->prompting ? fail(s, "The keyring went away before it was unlocked.") : 0;
}

static int on_prompted(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        const sd_bus_error *error = sd_bus_message_get_error(m);

        return error ? fail_by_error(ASSERT_PTR(userdata), error) : 0;
}

static int ask_person(SecretLookup *s)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        /* Before the call: it may be answered at once. */
        r = sd_bus_match_signal_async(s->bus, NULL, SECRETS_NAME, s->prompt, SECRETS_PROMPT,
                "Completed", on_completed, NULL, s);
        if (r >= 0)
                r = sd_bus_add_match_async(
                        s->bus, NULL, SECRETS_OWNER_CHANGED, on_owner_changed, NULL, s);
        if (r >= 0)
                r = arm(s, SECRET_PROMPT_USEC);
        if (r >= 0)
                r = new_call(s, s->prompt, SECRETS_PROMPT, "Prompt", &m);
        if (r >= 0)
                r = sd_bus_message_append(m, "s", /* window= */ "");
        s->prompting = true;
        return next(s, r, m, on_prompted);
}

static int on_unlock(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        SecretLookup *s = ASSERT_PTR(userdata);
        const sd_bus_error *error = sd_bus_message_get_error(m);
        const char *prompt;
        int r;

        if (error)
                return fail_by_error(s, error);
        r = sd_bus_message_skip(m, "ao");
        if (r > 0)
                r = sd_bus_message_read(m, "o", &prompt);
        if (r <= 0)
                return fail_malformed(s);
        if (streq(prompt, SECRETS_NO_PATH))
                return unlocked(s);
        if (free_and_strdup(&s->prompt, prompt) < 0)
                return fail(s, "The keyring cannot be asked.");
        return ask_person(s);
}

static int unlock(SecretLookup *s)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = new_call(s, SECRETS_PATH, SECRETS_SERVICE, "Unlock", &m);
        if (r >= 0)
                r = sd_bus_message_append(m, "ao", 1, s->item);
        return next(s, r, m, on_unlock);
}

/* ---- finding it ---- */

/* How many paths the list has that comes next; the first of them. */
static int read_paths(sd_bus_message *m, size_t *ret_n, const char **ret_first)
{
        const char *path;
        size_t n = 0;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "o");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_read(m, "o", &path)) > 0)
                if (n++ == 0)
                        *ret_first = path;
        *ret_n = n;
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int on_found(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        SecretLookup *s = ASSERT_PTR(userdata);
        const sd_bus_error *error = sd_bus_message_get_error(m);
        const char *item = NULL, *locked = NULL;
        size_t n, n_locked;
        int r;

        if (error)
                return fail_by_error(s, error);
        r = read_paths(m, &n, &item);
        if (r >= 0)
                r = read_paths(m, &n_locked, &locked);
        if (r < 0)
                return fail_malformed(s);
        /* Which of several it is must not be left to chance: it is sent to a server. */
        if (n > 1 || (n == 0 && n_locked > 1))
                return fail(s,
                        "Several secrets in the keyring have the attributes of KeySecret=: add one "
                        "that only the right one has.");
        if (n + n_locked == 0)
                return fail(s, "The keyring has no secret with the attributes of KeySecret=.");
        if (free_and_strdup(&s->item, n > 0 ? item : locked) < 0)
                return fail(s, "The keyring cannot be asked.");
        if (n > 0)
                return get_secret(s);
        return s->flags & SECRET_MAY_PROMPT ? unlock(s) : fail_locked(s);
}

static int append_attributes(const SecretLookup *s, sd_bus_message *m)
{
        int r;

        r = sd_bus_message_open_container(m, 'a', "{ss}");
        for (char **a = s->attributes; r >= 0 && *a; a += 2)
                r = sd_bus_message_append(m, "{ss}", a[0], a[1]);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int search(SecretLookup *s)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = new_call(s, SECRETS_PATH, SECRETS_SERVICE, "SearchItems", &m);
        if (r >= 0)
                r = append_attributes(s, m);
        return next(s, r, m, on_found);
}

/* ---- the session ---- */

static int on_session(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        SecretLookup *s = ASSERT_PTR(userdata);
        const sd_bus_error *error = sd_bus_message_get_error(m);
        const char *path;
        int r;

        if (error && !secrets_error_is_unencrypted(error))
                return fail_by_error(s, error);
        r = error ? -EPROTONOSUPPORT : secrets_read_session(m, s->session, &path);
        if (r == -EPROTONOSUPPORT)
                return fail(s, "The keyring offers no encrypted session, and no other is used.");
        if (r < 0)
                return fail_malformed(s);
        if (free_and_strdup(&s->path, path) < 0)
                return fail(s, "The keyring cannot be asked.");
        return search(s);
}

static int open_session(SecretLookup *s)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = new_call(s, SECRETS_PATH, SECRETS_SERVICE, "OpenSession", &m);
        if (r >= 0)
                r = secrets_append_session(m, s->session);
        if (r >= 0)
                r = sd_bus_call_async(s->bus, NULL, m, on_session, s, /* usec= */ 0);
        return r;
}

static int connect_bus(SecretLookup *s, sd_event *event)
{
        _cleanup_free_ char *address = NULL;
        int r;

        r = address_of_session(&address);
        if (r < 0)
                return r;
        r = sd_bus_new(&s->bus);
        if (r < 0)
                return r;
        r = sd_bus_set_bus_client(s->bus, /* b= */ true);
        if (r < 0)
                return r;
        return address_connect(address, s->bus, "keyring", event);
}

int secret_lookup_new(SecretLookup **ret, sd_event *event, const SecretQuestion *question,
        secret_found_t done, void *userdata, Failure *failure)
{
        _cleanup_(secret_lookup_freep) SecretLookup *s = calloc(1, sizeof *s);
        int r;

        if (!s) {
                secret_session_free(question->session);
                return failure_set_errno(failure, -ENOMEM, "Asking the keyring");
        }
        s->session = question->session;
        s->flags = question->flags;
        s->done = done;
        s->userdata = userdata;

        r = config_parse_attributes(question->attributes, &s->attributes);
        if (r < 0)
                return failure_set_errno(failure, r, "Asking the keyring");
        r = sd_event_add_time_relative(event, &s->timer, CLOCK_MONOTONIC, SECRET_ANSWER_USEC,
                10 * USEC_PER_MSEC, on_timer, s);
        if (r < 0)
                return failure_set_errno(failure, r, "Asking the keyring");
        r = connect_bus(s, event);
        if (r >= 0)
                r = open_session(s);
        if (r < 0)
                return failure_set(failure, FAILURE_KEY_REFUSED,
                        "There is no session bus, on which the keyring would be (%s).",
                        r == -ENXIO ? "XDG_RUNTIME_DIR is not set" : strerrordesc_np(-r));

        *ret = TAKE_PTR(s);
        return 0;
}
