#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hash.h"

/* From the reference implementation (xxHash 0.8.1): the first `size` bytes of 7 i^2 + 31 i + 5 (mod
 * 256). */
static const struct {
    size_t size;
    uint64_t seed_0, seed_prime;
} published[] = {
    {0, 0xEF46DB3751D8E999, 0xC4349FC93C010000},   {1, 0x50FF15A81340970F, 0xDEF36D6AB0A6CC87},
    {3, 0x6F3A29D9DEF31388, 0xCB55F5B081AAAEC4},   {4, 0xD7DA423655CCC2D5, 0xE502276C335997ED},
    {7, 0xABC898BAFEBF2246, 0x490E010C2C8E8F05},   {8, 0x93EF0B9B3EBE2D62, 0x4ABED5CB479BA63F},
    {11, 0xCF5098A1AAFEC12C, 0x06C23FF608C3ACEB},  {12, 0x738601234CFB99D1, 0x235824D2FDAE59C2},
    {16, 0xE842AAAF76DFEAF0, 0xD79FCB1CB9229A45},  {31, 0x1FFB38E5E33E99B3, 0x1BD975C54738B846},
    {32, 0xC9076CBC5459012B, 0xA57D212E42A91C23},  {33, 0x50660237A0462256, 0x845AA7DE38A1D0C2},
    {39, 0x0188C8F101D6AD13, 0xA14B28B8FD9F04A4},  {63, 0xB31BAF68D09329A3, 0xF07EB14934AE6310},
    {64, 0xC6AAB932C6FC6B56, 0xB4E70E882316EB1A},  {100, 0xB3FC22E3F90C6C73, 0x4843EB0884D73C05},
    {300, 0x0E8F6B4A421BFDDA, 0x9D5285207FD7F6EA},
};

static void test_reference_values(void **state)
{
    (void)state;
    unsigned char bytes[301];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (unsigned char)(7 * i * i + 31 * i + 5);
    for (size_t i = 0; i < sizeof published / sizeof published[0]; i++) {
        size_t size = published[i].size;
        assert_true(hash_bytes(bytes, size, 0) == published[i].seed_0);
        assert_true(hash_bytes(bytes, size, 0x9E3779B97F4A7C15) == published[i].seed_prime);
    }
}

static void test_texts(void **state)
{
    (void)state;
    assert_true(hash_bytes("a", 1, 0) == 0xD24EC4F1A98C6E5B);
    assert_true(hash_bytes("abc", 3, 0) == 0x44BC2CF5AD770999);
    assert_true(hash_bytes("abc", 3, 20141025) == 0x15BF5082DE140C67);
    assert_true(hash_bytes("xxhash", 6, 20141025) == 0xB559B98D844E0635);
    assert_true(hash_bytes(NULL, 0, 0) == 0xEF46DB3751D8E999);
}

static void test_any_address(void **state)
{
    (void)state;
    char bytes[80];
    for (size_t shift = 0; shift < 9; shift++) {
        for (size_t i = 0; i < 70; i++) bytes[shift + i] = (char)i;
        char straight[70];
        for (size_t i = 0; i < 70; i++) straight[i] = (char)i;
        assert_true(hash_bytes(bytes + shift, 70, 1) == hash_bytes(straight, 70, 1));
    }
}

/* In parts of any sizes, also of none. */
static void test_parts(void **state)
{
    (void)state;
    unsigned char bytes[300];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (unsigned char)(7 * i * i + 31 * i + 5);
    for (size_t size = 0; size <= sizeof bytes; size += size < 70 ? 1 : 23)
        for (size_t part = 1; part <= 67; part++) {
            struct hash hash;
            hash_begin(&hash, 9);
            hash_add(&hash, bytes, 0);
            for (size_t at = 0; at < size; at += part)
                hash_add(&hash, bytes + at, size - at < part ? size - at : part);
            assert_true(hash_end(&hash) == hash_bytes(bytes, size, 9));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference_values),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_any_address),
        cmocka_unit_test(test_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
