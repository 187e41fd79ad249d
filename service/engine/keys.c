/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/engine/keys.h"

#include <fcntl.h>
#include <sys/stat.h>

struct Key {
        char *text; /* key_text_new() */
        size_t size;
        KeySource source;
};

const char *key_source_to_string(KeySource s)
{
        static const char *const table[_KEY_SOURCE_MAX] = {
                [KEY_SOURCE_NONE] = "",
                [KEY_SOURCE_FILE] = "file",
                [KEY_SOURCE_CREDENTIAL] = "credential",
                [KEY_SOURCE_ENVIRONMENT] = "environment",
                [KEY_SOURCE_KEYRING] = "keyring",
        };

        assert(s >= 0 && s < _KEY_SOURCE_MAX);
        return table[s];
}

const char *key_text(const Key *k)
{
        return k->text;
}

KeySource key_source(const Key *k)
{
        return k ? k->source : KEY_SOURCE_NONE;
}

bool key_equal(const Key *a, const Key *b)
{
        if (!a || !b)
                return a == b;
        return streq(a->text, b->text);
}

Key *key_free(Key *k)
{
        if (!k)
                return NULL;

        key_text_free(k->text);
        free(k);
        return NULL;
}

static int key_new(KeySource source, Key **ret)
{
        _cleanup_(key_freep) Key *k = NULL;

        k = calloc(1, sizeof *k);
        if (!k)
                return -ENOMEM;
        k->source = source;

        k->text = key_text_new();
        if (!k->text)
                return -errno;

        *ret = TAKE_PTR(k);
        return 0;
}

static int key_read_fd(int fd, Key *k)
{
        while (k->size <= KEY_SIZE_MAX) {
                ssize_t n;

                n = read(fd, k->text + k->size, KEY_SIZE_MAX + 1 - k->size);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                k->size += n;
        }
        return 0;
}

/* Nobody else may read a key file: what others could read they may have read already, so that the
 * person must know. systemd guards credentials itself, by its own means. */
static int check_key_file(const char *path, const struct stat *st, Failure *failure)
{
        if (st->st_uid != geteuid())
                return failure_set(failure, FAILURE_KEY_REFUSED,
                        "The key file %s belongs to another user: make it your own with "
                        "'sudo chown %u %s'.",
                        path, (unsigned) geteuid(), path);
        if (st->st_mode & (S_IRWXG | S_IRWXO))
                return failure_set(failure, FAILURE_KEY_REFUSED,
                        "Others can read the key file %s: run 'chmod 600 %s', and think of a new "
                        "key.",
                        path, path);
        return 0;
}

static int key_read_file(const char *path, KeySource source, Key **ret, Failure *failure)
{
        _cleanup_(key_freep) Key *k = NULL;
        _cleanup_close_ int fd = -EBADF;
        struct stat st;
        int r;

        /* O_NONBLOCK: opening a FIFO must not hang. */
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0)
                return failure_set(failure, FAILURE_KEY_REFUSED,
                        "The key file %s cannot be opened: %m.", path);
        if (fstat(fd, &st) < 0)
                return failure_set(failure, FAILURE_KEY_REFUSED,
                        "The key file %s cannot be examined: %m.", path);
        if (!S_ISREG(st.st_mode))
                return failure_set(failure, FAILURE_KEY_REFUSED,
                        "The key file %s is not a regular file.", path);
        if (source == KEY_SOURCE_FILE) {
                r = check_key_file(path, &st, failure);
                if (r < 0)
                        return r;
        }

        r = key_new(source, &k);
        if (r < 0)
                return failure_set_errno(failure, r, "Getting memory for a key");
        r = key_read_fd(fd, k);
        if (r < 0)
                return failure_set(failure, FAILURE_KEY_REFUSED,
                        "The key file %s cannot be read: %s.", path, strerrordesc_np(-r));
        r = key_text_finish(k->text, k->size, path, failure);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(k);
        return 0;
}

static int key_read_credential(const char *name, Key **ret, Failure *failure)
{
        _cleanup_free_ char *path = NULL;
        const char *directory;

        if (strchr(name, '/') || streq(name, ".") || streq(name, ".."))
                return failure_set(failure, FAILURE_KEY_REFUSED,
                        "KeyCredential=%s is not the name of a systemd credential.", name);
        directory = secure_getenv("CREDENTIALS_DIRECTORY");
        if (isempty(directory))
                return failure_set(failure, FAILURE_KEY_REFUSED,
                        "The service has no systemd credential '%s': add LoadCredential=%s:FILE to "
                        "conductor.service ('systemctl --user edit conductor.service') and "
                        "restart it.",
                        name, name);
        if (asprintf(&path, "%s/%s", directory, name) < 0) {
                path = NULL;
                return failure_set_errno(failure, -ENOMEM, "Reading a credential");
        }
        return key_read_file(path, KEY_SOURCE_CREDENTIAL, ret, failure);
}

static int key_read_environment(const char *variable, Key **ret, Failure *failure)
{
        _cleanup_(key_freep) Key *k = NULL;
        _cleanup_free_ char *where = NULL;
        const char *value;
        int r;

        value = secure_getenv(variable);
        if (isempty(value)) {
                *ret = NULL;
                return 0;
        }
        if (asprintf(&where, "the variable %s", variable) < 0) {
                where = NULL;
                return failure_set_errno(failure, -ENOMEM, "Reading a key");
        }
        r = key_new(KEY_SOURCE_ENVIRONMENT, &k);
        if (r < 0)
                return failure_set_errno(failure, r, "Getting memory for a key");
        k->size = strnlen(value, KEY_SIZE_MAX + 1);
        memcpy(k->text, value, k->size);
        r = key_text_finish(k->text, k->size, where, failure);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(k);
        return 0;
}

int key_from_keyring(const char *text, size_t size, Key **ret, Failure *failure)
{
        _cleanup_(key_freep) Key *k = NULL;
        int r;

        r = key_new(KEY_SOURCE_KEYRING, &k);
        if (r < 0)
                return failure_set_errno(failure, r, "Getting memory for a key");
        k->size = MIN(size, KEY_SIZE_MAX + 1);
        memcpy(k->text, text, k->size);
        r = key_text_finish(k->text, k->size, "the keyring", failure);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(k);
        return 0;
}

int key_read(const KeyPlaces *places, Key **ret, Failure *failure)
{
        _cleanup_failure_ Failure first = FAILURE_NULL;
        Key *k = NULL;

        assert(places && ret);

        /* A place that fails is passed over for the next; the first failure is told when none of
         * them has a key. */
        if (!isempty(places->credential) &&
                key_read_credential(places->credential, &k, &first) >= 0) {
                *ret = k;
                return 0;
        }
        if (!isempty(places->file)) {
                if (places->file[0] != '/')
                        (void) failure_set(&first, FAILURE_KEY_REFUSED,
                                "KeyFile=%s is not an absolute path.", places->file);
                else if (key_read_file(places->file, KEY_SOURCE_FILE, &k, &first) >= 0) {
                        *ret = k;
                        return 0;
                }
        }
        if (!isempty(places->environment) &&
                key_read_environment(places->environment, &k, &first) >= 0 && k) {
                *ret = k;
                return 0;
        }

        if (failure_is_set(&first))
                return failure_set(failure, first.code, "%s", failure_message(&first));
        *ret = NULL;
        return 0;
}
