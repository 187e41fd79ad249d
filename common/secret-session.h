/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The cryptography of an encrypted session with a Secret Service (org.freedesktop.secrets): keys
 * are agreed on after Diffie and Hellman, secrets pass as AES. Everything of it is wiped when it is
 * freed. The bus is somebody else's business. */

#include "common/macro.h"

#define SECRET_ALGORITHM   "dh-ietf1024-sha256-aes128-cbc-pkcs7"
#define SECRET_PUBLIC_SIZE 128U
#define SECRET_BLOCK_SIZE  16U

typedef struct SecretSession SecretSession;

/* Makes a key pair. The library reads small files the first time: for a worker. */
int secret_session_new(SecretSession **ret);
SecretSession *secret_session_free(SecretSession *s);
DEFINE_CLEANUP(SecretSession *, secret_session_free)

/* SECRET_PUBLIC_SIZE bytes for the other side. */
const uint8_t *secret_session_public(const SecretSession *s);

/* The other side's answer. -EBADMSG: it is no public key of this group, or one that would make the
 * agreed key known to everybody. */
int secret_session_agree(SecretSession *s, const void *peer, size_t size);

/* How many bytes so many become. */
static inline size_t secret_encrypted_size(size_t size)
{
        return (size / SECRET_BLOCK_SIZE + 1) * SECRET_BLOCK_SIZE;
}

/* iv: SECRET_BLOCK_SIZE bytes that this makes; ret: secret_encrypted_size() bytes. */
int secret_session_encrypt(
        SecretSession *s, const void *text, size_t size, uint8_t *iv, uint8_t *ret);

/* -EBADMSG: what came is not what such a session carries; -EFBIG: it has more than room bytes. What
 * is in ret after a failure is wiped. */
int secret_session_decrypt(SecretSession *s, const void *iv, size_t iv_size, const void *data,
        size_t size, void *ret, size_t room, size_t *ret_size);

/* ---- for tests ---- */

/* With this private key, in place of a random one. */
int secret_session_new_with(const uint8_t *private, size_t size, SecretSession **ret);
/* The agreed key, SECRET_BLOCK_SIZE bytes. */
const uint8_t *secret_session_key(const SecretSession *s);
