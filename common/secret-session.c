/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* libgcrypt, because libsystemd brings it along where it is loaded at all: neither the service nor
 * the command line client starts later for it. */

#include "common/secret-session.h"

#include <gcrypt.h>
#include <sys/random.h>

/* The Second Oakley Group of RFC 2409; its generator is 2. */
#define PRIME \
        "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E" \
        "3404DDEF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF" \
        "5CB6F406B7EDEE386BFB5A899FA5AE9F24117C4B1FE649286651ECE65381FFFFFFFFFFFFFFFF"
#define GENERATOR 2
/* Twice as many bits as the agreed key has are enough in a group with a safe prime (RFC 7919), and
 * cost a fifth of the time. */
#define PRIVATE_SIZE 32U
#define HASH_SIZE    32U

struct SecretSession {
        gcry_mpi_t prime, private;
        uint8_t public[SECRET_PUBLIC_SIZE];
        uint8_t key[SECRET_BLOCK_SIZE];
        bool agreed;
};

/* The library's errors that can come here: memory, or one that it should not have. */
static int to_errno(gcry_error_t error)
{
        if (error == 0)
                return 0;
        return gcry_err_code(error) == GPG_ERR_ENOMEM ? -ENOMEM : -EIO;
}

static int prepare_library(void)
{
        if (gcry_control(GCRYCTL_INITIALIZATION_FINISHED_P))
                return 0;
        if (!gcry_check_version(GCRYPT_VERSION))
                return -ELIBBAD;
        /* No locked pages for a key that is a string in our memory anyway. */
        (void) gcry_control(GCRYCTL_DISABLE_SECMEM, 0);
        (void) gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
        return 0;
}

SecretSession *secret_session_free(SecretSession *s)
{
        if (!s)
                return NULL;
        /* The library wipes what its numbers had. */
        gcry_mpi_release(s->prime);
        gcry_mpi_release(s->private);
        explicit_bzero(s, sizeof *s);
        free(s);
        return NULL;
}

static void mpi_done(gcry_mpi_t *n)
{
        gcry_mpi_release(*n);
}
#define _cleanup_mpi_ _cleanup_(mpi_done)

/* base^private, with zeros in front up to the group's size. */
static int raise(const SecretSession *s, gcry_mpi_t base, uint8_t *ret)
{
        _cleanup_mpi_ gcry_mpi_t power = gcry_mpi_new(SECRET_PUBLIC_SIZE * 8);
        size_t n;
        int r;

        gcry_mpi_powm(power, base, s->private, s->prime);
        r = to_errno(gcry_mpi_print(GCRYMPI_FMT_USG, ret, SECRET_PUBLIC_SIZE, &n, power));
        if (r < 0)
                return r;
        memmove(ret + SECRET_PUBLIC_SIZE - n, ret, n);
        memset(ret, 0, SECRET_PUBLIC_SIZE - n);
        return 0;
}

int secret_session_new_with(const uint8_t *private, size_t size, SecretSession **ret)
{
        _cleanup_(secret_session_freep) SecretSession *s = NULL;
        _cleanup_mpi_ gcry_mpi_t generator = NULL;
        int r;

        r = prepare_library();
        if (r < 0)
                return r;
        s = calloc(1, sizeof *s);
        if (!s)
                return -ENOMEM;
        r = to_errno(gcry_mpi_scan(&s->prime, GCRYMPI_FMT_HEX, PRIME, 0, NULL));
        if (r >= 0)
                r = to_errno(gcry_mpi_scan(&s->private, GCRYMPI_FMT_USG, private, size, NULL));
        if (r < 0)
                return r;
        generator = gcry_mpi_set_ui(NULL, GENERATOR);
        r = raise(s, generator, s->public);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(s);
        return 0;
}

int secret_session_new(SecretSession **ret)
{
        uint8_t private[PRIVATE_SIZE];
        int r;

        if (getrandom(private, sizeof private, 0) != (ssize_t) sizeof private)
                return -EIO;
        r = secret_session_new_with(private, sizeof private, ret);
        explicit_bzero(private, sizeof private);
        return r;
}

const uint8_t *secret_session_public(const SecretSession *s)
{
        return s->public;
}

const uint8_t *secret_session_key(const SecretSession *s)
{
        assert(s->agreed);
        return s->key;
}

/* 1 and prime - 1, and what is the same as these, make a key that everybody can tell. */
static bool is_public_key(const SecretSession *s, gcry_mpi_t n)
{
        _cleanup_mpi_ gcry_mpi_t last = gcry_mpi_new(SECRET_PUBLIC_SIZE * 8);

        gcry_mpi_sub_ui(last, s->prime, 1);
        return gcry_mpi_cmp_ui(n, 1) > 0 && gcry_mpi_cmp(n, last) < 0;
}

static int hash_with_key(const void *key, size_t key_size, const void *data, size_t size, void *ret)
{
        const gcry_buffer_t parts[] = {
                { .data = (void *) key, .len = key_size },
                { .data = (void *) data, .len = size },
        };

        return to_errno(gcry_md_hash_buffers(
                GCRY_MD_SHA256, GCRY_MD_FLAG_HMAC, ret, parts, ELEMENTSOF(parts)));
}

/* HKDF (RFC 5869) without salt and info; one round has more bytes than the key. */
static int derive(const uint8_t *shared, uint8_t *ret)
{
        static const uint8_t salt[HASH_SIZE], round[] = { 1 };
        uint8_t extracted[HASH_SIZE], expanded[HASH_SIZE];
        int r;

        r = hash_with_key(salt, sizeof salt, shared, SECRET_PUBLIC_SIZE, extracted);
        if (r >= 0)
                r = hash_with_key(extracted, sizeof extracted, round, sizeof round, expanded);
        if (r >= 0)
                memcpy(ret, expanded, SECRET_BLOCK_SIZE);
        explicit_bzero(extracted, sizeof extracted);
        explicit_bzero(expanded, sizeof expanded);
        return r;
}

int secret_session_agree(SecretSession *s, const void *peer, size_t size)
{
        _cleanup_mpi_ gcry_mpi_t theirs = NULL;
        uint8_t shared[SECRET_PUBLIC_SIZE];
        int r;

        if (size == 0 || size > SECRET_PUBLIC_SIZE)
                return -EBADMSG;
        r = to_errno(gcry_mpi_scan(&theirs, GCRYMPI_FMT_USG, peer, size, NULL));
        if (r < 0)
                return r;
        if (!is_public_key(s, theirs))
                return -EBADMSG;
        r = raise(s, theirs, shared);
        if (r >= 0)
                r = derive(shared, s->key);
        explicit_bzero(shared, sizeof shared);
        s->agreed = r >= 0;
        return r;
}

static void cipher_done(gcry_cipher_hd_t *c)
{
        gcry_cipher_close(*c);
}

static int open_cipher(const SecretSession *s, const void *iv, gcry_cipher_hd_t *c)
{
        int r;

        assert(s->agreed);
        r = to_errno(gcry_cipher_open(c, GCRY_CIPHER_AES128, GCRY_CIPHER_MODE_CBC, 0));
        if (r >= 0)
                r = to_errno(gcry_cipher_setkey(*c, s->key, sizeof s->key));
        if (r >= 0)
                r = to_errno(gcry_cipher_setiv(*c, iv, SECRET_BLOCK_SIZE));
        return r;
}

int secret_session_encrypt(
        SecretSession *s, const void *text, size_t size, uint8_t *iv, uint8_t *ret)
{
        _cleanup_(cipher_done) gcry_cipher_hd_t c = NULL;
        size_t whole = secret_encrypted_size(size);
        int r;

        if (getrandom(iv, SECRET_BLOCK_SIZE, 0) != (ssize_t) SECRET_BLOCK_SIZE)
                return -EIO;
        r = open_cipher(s, iv, &c);
        if (r < 0)
                return r;
        memcpy(ret, text, size);
        memset(ret + size, (int) (whole - size), whole - size);
        r = to_errno(gcry_cipher_encrypt(c, ret, whole, NULL, 0));
        if (r < 0)
                explicit_bzero(ret, whole);
        return r;
}

/* PKCS #7: the last bytes say how many they are. The size without them, or -EBADMSG. */
static ssize_t unpad(const uint8_t *data, size_t size)
{
        size_t n = data[size - 1];

        if (n == 0 || n > SECRET_BLOCK_SIZE)
                return -EBADMSG;
        for (size_t i = size - n; i < size; i++)
                if (data[i] != n)
                        return -EBADMSG;
        return (ssize_t) (size - n);
}

int secret_session_decrypt(SecretSession *s, const void *iv, size_t iv_size, const void *data,
        size_t size, void *ret, size_t room, size_t *ret_size)
{
        _cleanup_(cipher_done) gcry_cipher_hd_t c = NULL;
        ssize_t n;
        int r;

        if (iv_size != SECRET_BLOCK_SIZE || size == 0 || size % SECRET_BLOCK_SIZE != 0)
                return -EBADMSG;
        if (size > room)
                return -EFBIG;
        r = open_cipher(s, iv, &c);
        if (r < 0)
                return r;
        r = to_errno(gcry_cipher_decrypt(c, ret, size, data, size));
        n = r < 0 ? r : unpad(ret, size);
        if (n < 0) {
                explicit_bzero(ret, size);
                return (int) n;
        }
        explicit_bzero((uint8_t *) ret + n, size - (size_t) n);
        *ret_size = (size_t) n;
        return 0;
}
