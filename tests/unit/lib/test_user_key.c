/* SPDX-License-Identifier: Apache-2.0 */
/* test_user_key.c - one key a user, however the user is named. */
#include "lib/user_key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/buffer.h"
#include "common/encoding.h"

static dream_user_key of(const char *user_id, const char *token)
{
    dream_user_key key;

    assert_true(dream_user_key_make(user_id, token, &key));
    return key;
}

static dream_user_key of_payload(const char *payload)
{
    dream_buffer token = DREAM_BUFFER_INIT;
    dream_user_key key;

    dream_buffer_text(&token, "header.");
    dream_base64url_encode(&token, payload, strlen(payload));
    dream_buffer_text(&token, ".signature");
    key = of(NULL, dream_buffer_str(&token));
    dream_buffer_clear(&token);
    return key;
}

static void assert_same(dream_user_key a, dream_user_key b)
{
    assert_memory_equal(&a, &b, sizeof(a));
}

static void assert_other(dream_user_key a, dream_user_key b)
{
    assert_memory_not_equal(&a, &b, sizeof(a));
}

static void test_user_key__id_and_subject_of_a_token_are_the_same_user(void **state)
{
    (void)state;
    assert_same(of("user_1", NULL), of_payload("{\"sub\":\"user_1\",\"exp\":1}"));
    assert_same(of_payload("{\"sub\":\"user_1\",\"exp\":1}"), of_payload("{\"sub\":\"user_1\",\"exp\":2}"));
    assert_other(of("user_1", NULL), of("user_2", NULL));
}

static void test_user_key__a_token_without_a_subject_is_known_by_itself(void **state)
{
    (void)state;
    assert_same(of(NULL, "opaque"), of(NULL, "opaque"));
    assert_other(of(NULL, "opaque"), of(NULL, "opaque2"));
    assert_other(of_payload("{\"exp\":1}"), of_payload("{\"exp\":2}"));
    assert_other(of_payload("{\"sub\":5}"), of_payload("{\"sub\":6}"));
}

static void test_user_key__a_token_cannot_pose_as_a_user_by_its_text(void **state)
{
    (void)state;
    assert_other(of("opaque", NULL), of(NULL, "opaque"));
}

static void test_user_key__malformed_tokens_are_taken_as_they_are(void **state)
{
    static const char *const tokens[] = { "..", "a..c", "a.!!!.c", "a.e30.c", "a.bnVsbA.c", "." };

    (void)state;
    for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++)
        assert_same(of(NULL, tokens[i]), of(NULL, tokens[i]));
    assert_other(of(NULL, ".."), of(NULL, "a..c"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_user_key__id_and_subject_of_a_token_are_the_same_user),
        cmocka_unit_test(test_user_key__a_token_without_a_subject_is_known_by_itself),
        cmocka_unit_test(test_user_key__a_token_cannot_pose_as_a_user_by_its_text),
        cmocka_unit_test(test_user_key__malformed_tokens_are_taken_as_they_are),
    };
    return cmocka_run_group_tests_name("user_key", tests, NULL, NULL);
}
