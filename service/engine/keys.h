/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* An engine's key and where it is read from. */

#include "common/key-text.h"

typedef enum KeySource {
        KEY_SOURCE_NONE,
        KEY_SOURCE_FILE,
        KEY_SOURCE_CREDENTIAL,
        KEY_SOURCE_ENVIRONMENT,
        KEY_SOURCE_KEYRING,
        _KEY_SOURCE_MAX,
} KeySource;
const char *key_source_to_string(KeySource s); /* "file"; KEY_SOURCE_NONE is "" */

typedef struct Key Key;

/* Where to look; each may be "" or NULL. */
typedef struct KeyPlaces {
        const char *credential;  /* a name below $CREDENTIALS_DIRECTORY */
        const char *file;        /* absolute; regular, ours, for nobody else to read */
        const char *environment; /* a variable's name; that it is unset is no failure */
} KeyPlaces;

/* The first of the places that has one. Blocks: for a worker thread. *ret is NULL when no place is
 * given, or only a variable that is not set. */
int key_read(const KeyPlaces *places, Key **ret, Failure *failure);
/* What the keyring had. */
int key_from_keyring(const char *text, size_t size, Key **ret, Failure *failure);
Key *key_free(Key *k);
DEFINE_CLEANUP(Key *, key_free)

const char *key_text(const Key *k);
KeySource key_source(const Key *k);         /* k may be NULL */
bool key_equal(const Key *a, const Key *b); /* NULL is equal to NULL */

/* Puts asterisks over every part of the key in the text that is long enough to be one: as it is, in
 * base64, percent-encoded. k may be NULL. -ENOMEM: then the text is not to be shown. */
int key_hide(const Key *k, char *text);
