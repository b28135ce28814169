/* SPDX-License-Identifier: Apache-2.0 */
/* test_arena.c - memory of one request: zeroed, aligned, released in one step. */
#include "common/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_arena__free_takes_null(void **state)
{
    (void)state;
    dream_arena_free(NULL);
}

static void test_arena__allocations_are_zeroed_aligned_and_apart(void **state)
{
    static const size_t sizes[] = { 0, 1, 15, 16, 17, 900, 1024, 1025, 4096, 4097, 100000, 3 };
    unsigned char *given[12 * 40];
    dream_arena *arena = dream_arena_new();
    size_t count = 0, i, j;

    (void)state;
    assert_non_null(arena);
    for (i = 0; i < 40; i++) {
        for (j = 0; j < 12; j++) {
            unsigned char *bytes = dream_arena_alloc(arena, sizes[j]);
            size_t k;

            assert_non_null(bytes);
            assert_int_equal((uintptr_t)bytes % _Alignof(max_align_t), 0);
            for (k = 0; k < sizes[j]; k++)
                assert_int_equal(bytes[k], 0);
            memset(bytes, (int)(count % 251), sizes[j]);
            given[count++] = bytes;
        }
    }
    /* Nothing written to one was seen in another. */
    for (i = 0; i < count; i++) {
        for (j = 0; j < sizes[i % 12]; j++)
            assert_int_equal(given[i][j], i % 251);
    }
    dream_arena_free(arena);
}

static void test_arena__refuses_a_size_that_overflows(void **state)
{
    dream_arena *arena = dream_arena_new();

    (void)state;
    assert_null(dream_arena_alloc(arena, SIZE_MAX));
    assert_null(dream_arena_alloc(arena, SIZE_MAX - 8));
    assert_non_null(dream_arena_alloc(arena, 8));
    dream_arena_free(arena);
}

static void test_arena__copies_texts(void **state)
{
    dream_arena *arena = dream_arena_new();
    char source[] = "hello";
    char *copy = dream_arena_strdup(arena, source);

    (void)state;
    source[0] = 'j';
    assert_string_equal(copy, "hello");
    assert_string_equal(dream_arena_strdup(arena, ""), "");
    assert_null(dream_arena_strdup(arena, NULL));
    assert_string_equal(dream_arena_strndup(arena, "hello", 2), "he");
    assert_string_equal(dream_arena_strndup(arena, "hello", 50), "hello");
    assert_string_equal(dream_arena_strndup(arena, "hello", 0), "");
    assert_null(dream_arena_strndup(arena, NULL, 2));
    dream_arena_free(arena);
}

static void test_arena__prints_texts_of_any_length(void **state)
{
    dream_arena *arena = dream_arena_new();

    (void)state;
    assert_string_equal(dream_arena_printf(arena, "%s-%d", "a", 7), "a-7");
    assert_string_equal(dream_arena_printf(arena, "%s", ""), "");
    assert_int_equal(strlen(dream_arena_printf(arena, "%09000d", 1)), 9000);
    dream_arena_free(arena);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arena__free_takes_null),
        cmocka_unit_test(test_arena__allocations_are_zeroed_aligned_and_apart),
        cmocka_unit_test(test_arena__refuses_a_size_that_overflows),
        cmocka_unit_test(test_arena__copies_texts),
        cmocka_unit_test(test_arena__prints_texts_of_any_length),
    };

    return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
