/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The vectors are from another implementation: Python's integers, hmac and cryptography. */
#include "common/secret-session.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define PUBLIC_1 \
        "457120764f3a1e6fd58103e41a4093a6c8bc1d97cb8759de41c21afdd2d3048a" \
        "5ef3d88ce24aa6ba4fe30bcfb0b0f75abf1a8aeaff3723f1bf53740c902005e1" \
        "199fabad7c538e94a7034fd585339a02f3634893f748929d2a7257643e398130" \
        "541ae64124c17d4507a97f1cbebeb7b933642b8df479eb59e36cfeffbf1671dd"
#define PUBLIC_2 \
        "0cfaaafb160cda22c4b61bc983d934b3953eaf41645c7936908b573e512116d5" \
        "ad177dbb3e5bdd566fa953af8fecd9edca184a033f917e7517bff399a6a8aa01" \
        "240321ff82be7d764f9f7cbb4151aec400f2925aa1cbccc3e6108751f2a9e31a" \
        "5c1c0a7d6396cd79f178ae67608c5318b180106c6f7d4c5cf0c2ab54a3286d2b"
#define PUBLIC_3 \
        "945fe17a04b674eee81382d896d8694d10dd132525acafa536800beb8acd0ad0" \
        "8e5f74259908796c6cb0d4585161820388f6ddbcfa897099a766f052e1cccc1e" \
        "2ceb8439e3126a84f961a087fa5b21260042f360b184d737716f88fc61ae241e" \
        "c9c47bc8e039dc59f48180afcec4b3cee66df3f17ecff27f557d8b066d1163bf"
#define PRIME_LESS_1 \
        "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a08798e" \
        "3404ddef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b0bff" \
        "5cb6f406b7edee386bfb5a899fa5ae9f24117c4b1fe649286651ece65381fffffffffffffffe"

static void from_hex(const char *hex, uint8_t *ret)
{
        for (size_t i = 0; hex[2 * i]; i++)
                assert_int_equal(sscanf(hex + 2 * i, "%2hhx", ret + i), 1);
}

/* Private keys of consecutive bytes. */
static SecretSession *session(uint8_t first, uint8_t last)
{
        SecretSession *s = NULL;
        uint8_t private[32];

        for (unsigned i = 0; i < sizeof private; i++)
        private[i] = first + i;
        private[31] = last;
        assert_int_equal(secret_session_new_with(private, sizeof private, &s), 0);
        return s;
}

static void agree(SecretSession *s, const char *hex)
{
        uint8_t peer[SECRET_PUBLIC_SIZE];

        from_hex(hex, peer);
        assert_int_equal(secret_session_agree(s, peer, sizeof peer), 0);
}

static void expect(const void *bytes, const char *hex)
{
        uint8_t wanted[SECRET_PUBLIC_SIZE];

        from_hex(hex, wanted);
        assert_memory_equal(bytes, wanted, strlen(hex) / 2);
}

static void test_agree(void **state)
{
        static const struct {
                uint8_t last;
                const char *public, *key;
        } cases[] = {
                { 64, PUBLIC_2, "5d8124262036ed218dc0ab3d8b3bf568" },
                /* What both have in common begins with a zero byte. */
                { 0x8f, PUBLIC_3, "a7caec28130a1dfe6ab565b2d73a8e53" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(secret_session_freep) SecretSession *one = session(1, 32);
                _cleanup_(secret_session_freep) SecretSession *two = session(33, cases[i].last);

                expect(secret_session_public(one), PUBLIC_1);
                expect(secret_session_public(two), cases[i].public);
                agree(one, cases[i].public);
                agree(two, PUBLIC_1);
                expect(secret_session_key(one), cases[i].key);
                expect(secret_session_key(two), cases[i].key);
        }
}

static void test_random(void **state)
{
        _cleanup_(secret_session_freep) SecretSession *one = NULL, *two = NULL;

        assert_int_equal(secret_session_new(&one), 0);
        assert_int_equal(secret_session_new(&two), 0);
        assert_memory_not_equal(
                secret_session_public(one), secret_session_public(two), SECRET_PUBLIC_SIZE);
        assert_int_equal(
                secret_session_agree(one, secret_session_public(two), SECRET_PUBLIC_SIZE), 0);
        assert_int_equal(
                secret_session_agree(two, secret_session_public(one), SECRET_PUBLIC_SIZE), 0);
        assert_memory_equal(secret_session_key(one), secret_session_key(two), SECRET_BLOCK_SIZE);
}

static void test_bad_public(void **state)
{
        _cleanup_(secret_session_freep) SecretSession *s = session(1, 32);
        uint8_t bytes[SECRET_PUBLIC_SIZE + 1] = { 0 };

        assert_int_equal(secret_session_agree(s, bytes, 0), -EBADMSG);
        for (size_t n = 1; n <= SECRET_PUBLIC_SIZE; n++) {
                bytes[n - 1] = 0;
                assert_int_equal(secret_session_agree(s, bytes, n), -EBADMSG);
                bytes[n - 1] = 1;
                assert_int_equal(secret_session_agree(s, bytes, n), -EBADMSG);
                bytes[n - 1] = 2;
                assert_int_equal(secret_session_agree(s, bytes, n), 0);
                bytes[n - 1] = 0;
        }
        bytes[SECRET_PUBLIC_SIZE] = 2;
        assert_int_equal(secret_session_agree(s, bytes, sizeof bytes), -EBADMSG);

        from_hex(PRIME_LESS_1, bytes);
        assert_int_equal(secret_session_agree(s, bytes, SECRET_PUBLIC_SIZE), -EBADMSG);
        bytes[SECRET_PUBLIC_SIZE - 1] = 0xff; /* the prime */
        assert_int_equal(secret_session_agree(s, bytes, SECRET_PUBLIC_SIZE), -EBADMSG);
        bytes[SECRET_PUBLIC_SIZE - 1] = 0xfd;
        assert_int_equal(secret_session_agree(s, bytes, SECRET_PUBLIC_SIZE), 0);
        memset(bytes, 0xff, sizeof bytes);
        assert_int_equal(secret_session_agree(s, bytes, SECRET_PUBLIC_SIZE), -EBADMSG);
}

static const struct {
        const char *text, *encrypted;
} vectors[] = {
        { "sk-test-0123", "4723148e0b47b1855d7d11fbb8dc9e8f" },
        { "0123456789abcdef", "26d1f41102ff30de01365c207ff8ac793239e79163949ddfd36070ebb2f43952" },
        { "", "479e7a7da95018a2da3f3f0b5771d397" },
};

static void test_decrypt(void **state)
{
        _cleanup_(secret_session_freep) SecretSession *s = session(1, 32);
        uint8_t iv[SECRET_BLOCK_SIZE];

        for (uint8_t i = 0; i < sizeof iv; i++)
                iv[i] = i;
        agree(s, PUBLIC_2);
        for (size_t i = 0; i < ELEMENTSOF(vectors); i++) {
                size_t n = strlen(vectors[i].encrypted) / 2, size;
                uint8_t data[32];
                char text[32];

                from_hex(vectors[i].encrypted, data);
                assert_int_equal(n, secret_encrypted_size(strlen(vectors[i].text)));
                assert_int_equal(
                        secret_session_decrypt(s, iv, sizeof iv, data, n, text, n, &size), 0);
                assert_int_equal(size, strlen(vectors[i].text));
                assert_memory_equal(text, vectors[i].text, size);
                /* The rest of the room has nothing in it. */
                for (size_t k = size; k < n; k++)
                        assert_int_equal(text[k], 0);
                assert_int_equal(
                        secret_session_decrypt(s, iv, sizeof iv, data, n, text, n - 1, &size),
                        -EFBIG);
        }
}

static void test_every_size(void **state)
{
        _cleanup_(secret_session_freep) SecretSession *one = session(1, 32), *two = session(33, 64);
        uint8_t iv[SECRET_BLOCK_SIZE], data[80];
        char text[64], back[80];

        agree(one, PUBLIC_2);
        agree(two, PUBLIC_1);
        for (size_t n = 0; n <= sizeof text; n++) {
                size_t whole = secret_encrypted_size(n), size;

                memset(text, 'a' + (int) (n % 26), sizeof text);
                assert_int_equal(secret_session_encrypt(one, text, n, iv, data), 0);
                assert_int_equal(secret_session_decrypt(
                                         two, iv, sizeof iv, data, whole, back, sizeof back, &size),
                        0);
                assert_int_equal(size, n);
                assert_memory_equal(back, text, n);
        }
}

/* What came is cut anywhere, or another: no length and no byte of it is believed. */
static void test_bad_data(void **state)
{
        _cleanup_(secret_session_freep) SecretSession *s = session(1, 32);
        uint8_t iv[SECRET_BLOCK_SIZE], data[48];
        static const uint8_t nothing[64];
        unsigned refused = 0;
        char text[64];
        size_t size;

        agree(s, PUBLIC_2);
        assert_int_equal(secret_session_encrypt(s, "0123456789abcdef0123456789", 26, iv, data), 0);
        for (size_t n = 0; n < 32; n++) {
                if (n == SECRET_BLOCK_SIZE)
                        continue;
                assert_int_equal(
                        secret_session_decrypt(s, iv, sizeof iv, data, n, text, sizeof text, &size),
                        -EBADMSG);
                assert_int_equal(
                        secret_session_decrypt(s, iv, n, data, 32, text, sizeof text, &size),
                        -EBADMSG);
        }
        /* A byte of the last block's predecessor changes the padding. */
        for (unsigned bit = 1; bit < 256; bit++) {
                data[15] ^= bit;
                memset(text, 'x', sizeof text);
                if (secret_session_decrypt(s, iv, sizeof iv, data, 32, text, sizeof text, &size) <
                        0) {
                        refused++;
                        assert_memory_equal(text, nothing, 32);
                }
                data[15] ^= bit;
        }
        assert_true(refused >= 254); /* one of them may be the padding of a single byte */
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_agree),
                cmocka_unit_test(test_random),
                cmocka_unit_test(test_bad_public),
                cmocka_unit_test(test_decrypt),
                cmocka_unit_test(test_every_size),
                cmocka_unit_test(test_bad_data),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
