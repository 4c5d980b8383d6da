#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/sha256.h"

static void assert_digest(const unsigned char digest[SHA256_SIZE], const char *hex)
{
    char text[2 * SHA256_SIZE + 1];
    for (size_t i = 0; i < SHA256_SIZE; i++) snprintf(text + 2 * i, 3, "%02x", digest[i]);
    assert_string_equal(text, hex);
}

/* The examples of FIPS 180-2 (appendix B) and of NIST's CAVP. */
static void test_published_vectors(void **state)
{
    (void)state;
    static const struct {
        const char *text, *digest;
    } published[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrl"
         "mn"
         "opqrsmnopqrstnopqrstu",
         "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
    };
    unsigned char digest[SHA256_SIZE];
    for (size_t i = 0; i < sizeof published / sizeof *published; i++) {
        sha256(published[i].text, strlen(published[i].text), digest);
        assert_digest(digest, published[i].digest);
    }
    sha256(NULL, 0, digest);
    assert_digest(digest, published[0].digest);
}

static void test_a_million_a(void **state)
{
    (void)state;
    char piece[1000];
    struct sha256 hash;
    unsigned char digest[SHA256_SIZE];
    memset(piece, 'a', sizeof piece);
    sha256_init(&hash);
    for (int i = 0; i < 1000; i++) sha256_update(&hash, piece, sizeof piece);
    sha256_final(&hash, digest);
    assert_digest(digest, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void fill(unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) bytes[i] = (unsigned char)(7 * i * i + 31 * i + 5);
}

/* Every length around the block's edges; the digest of all digests is that of Python's hashlib. */
static void test_every_length(void **state)
{
    (void)state;
    unsigned char bytes[201], digest[SHA256_SIZE];
    struct sha256 all;
    fill(bytes, sizeof bytes);
    sha256_init(&all);
    for (size_t size = 0; size <= 200; size++) {
        sha256(bytes, size, digest);
        sha256_update(&all, digest, sizeof digest);
    }
    sha256_final(&all, digest);
    assert_digest(digest, "a2ac672a1b92974034c0321282f68cccfef46e10cd87c49363bfa28bc1014755");
}

static void test_in_pieces(void **state)
{
    (void)state;
    unsigned char bytes[201], whole[SHA256_SIZE], pieces[SHA256_SIZE];
    fill(bytes, sizeof bytes);
    for (size_t size = 0; size <= 200; size++) {
        sha256(bytes, size, whole);
        for (size_t step = 1; step <= 67; step += size < 70 ? 1 : 11) {
            struct sha256 hash;
            sha256_init(&hash);
            for (size_t at = 0; at < size; at += step) {
                sha256_update(&hash, bytes + at, size - at < step ? size - at : step);
                sha256_update(&hash, NULL, 0);
            }
            sha256_final(&hash, pieces);
            assert_memory_equal(whole, pieces, SHA256_SIZE);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_vectors),
        cmocka_unit_test(test_a_million_a),
        cmocka_unit_test(test_every_length),
        cmocka_unit_test(test_in_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
