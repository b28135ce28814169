/* SPDX-License-Identifier: Apache-2.0 */
/* test_siphash.c - the authors' key and texts (bytes 00, 01, 02 ...); the names are what OpenSSL's SIPHASH makes of them. */
#include "common/siphash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_siphash__is_what_another_makes_of_every_length_of_the_last_word(void **state)
{
    static const struct {
        size_t size;
        uint64_t low, high;
    } vectors[] = {
        { 0, 0xe6a825ba047f81a3, 0x930255c71472f66d },   { 1, 0x44af996bd8c187da, 0x45fc229b11597634 },
        { 2, 0xc75da4a48d227781, 0xe4ff0af6de8ba3fc },   { 3, 0x4ea967520cb6709c, 0x51ed8529b0b6335f },
        { 4, 0xaf8f9c2dc16481f8, 0x7955cd7b7c6e0f7d },   { 5, 0x886f778059876813, 0x27960e69077a5254 },
        { 6, 0x1386208b33caee14, 0x5ea1d78f30a05e48 },   { 7, 0x53c1dbd8beebf1a1, 0x3982f01fa64ab8c0 },
        { 8, 0x61f55862baa9623b, 0xb49714f364e2830f },   { 9, 0xabbad90a06994426, 0xed716dbb028b7fc4 },
        { 15, 0x11a8b03399e99354, 0xd9c3cf970fec087e },  { 16, 0xbb54b067caa4e26e, 0x77052385bf1533fd },
        { 17, 0x98b88d73e8063d47, 0x4077e47ac466c054 },  { 63, 0x4a83502f77d15051, 0x7cbd3f979a063e50 },
        { 64, 0x3fcdd4c07d07af1e, 0x4ba75836384dad8c },  { 255, 0x8e5f162875b69b1c, 0xab0e9b79e3488246 },
        { 256, 0x464c83d30403a067, 0xcb9a575f7beeea12 }, { 1000, 0x863de09a78fada24, 0xa60b2f37574b6a53 },
    };
    unsigned char key[DREAM_SIPHASH_KEY_SIZE], text[1024];

    (void)state;
    for (size_t i = 0; i < sizeof(key); i++)
        key[i] = (unsigned char)i;
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (unsigned char)i;
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        /* Nothing before or behind it is read: it is a block of its own. */
        unsigned char *copy = malloc(vectors[i].size);
        dream_siphash name;

        for (size_t at = 0; at < vectors[i].size; at++)
            copy[at] = text[at];
        name = dream_siphash_of(key, copy, vectors[i].size);
        free(copy);
        assert_int_equal(name.low, vectors[i].low);
        assert_int_equal(name.high, vectors[i].high);
    }
    assert_int_equal(dream_siphash_of(key, NULL, 0).low, vectors[0].low);
}

static void test_siphash__another_key_gives_another_name(void **state)
{
    unsigned char key[DREAM_SIPHASH_KEY_SIZE] = { 0 };
    dream_siphash before = dream_siphash_of(key, "token", 5);

    (void)state;
    for (size_t i = 0; i < sizeof(key); i++) {
        dream_siphash after;

        key[i] ^= 1;
        after = dream_siphash_of(key, "token", 5);
        assert_true(after.low != before.low && after.high != before.high);
        key[i] ^= 1;
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_siphash__is_what_another_makes_of_every_length_of_the_last_word),
        cmocka_unit_test(test_siphash__another_key_gives_another_name),
    };

    return cmocka_run_group_tests_name("siphash", tests, NULL, NULL);
}
