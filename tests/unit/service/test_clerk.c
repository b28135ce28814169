/* SPDX-License-Identifier: Apache-2.0 */
/* test_clerk.c - requests to the identity provider as recorded, and users as it tells them. */
#include "service/provider/clerk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/json.h"
#include "script.h"

#define USER                                                                                                           \
    "{\"id\":\"user_1\",\"primary_email_address_id\":\"idn_2\",\"email_addresses\":[{\"id\":\"idn_1\","                \
    "\"email_address\":\"old@example.test\"},{\"id\":\"idn_2\",\"email_address\":\"ada@example.test\"}],"              \
    "\"first_name\":\"Ada\",\"last_name\":null,\"created_at\":1700000000123,"                                          \
    "\"public_metadata\":{\"publishableKey\":\"pk_live_1\",\"plan\":\"pro\"}}"

static dreamd_settings settings;
static script provider;
static dreamd_upstream *upstream;

static struct {
    int count;
    dreamd_upstream_outcome outcome;
    bool has_user;
    char email[64];
    char first_name[64];
    bool has_last_name;
    int64_t created_at_ms;
    char plan[16];
    char message[64];
} heard;

static void hear(void *context, const dreamd_upstream_answer *answer, const dreamd_clerk_user *user)
{
    const char *plan = user ? dream_json_string(user->metadata, "plan") : NULL;

    (void)context;
    heard.count++;
    heard.outcome = answer->outcome;
    heard.has_user = user != NULL;
    (void)snprintf(heard.message, sizeof heard.message, "%s", answer->message);
    (void)snprintf(heard.email, sizeof heard.email, "%s", user && user->email ? user->email : "none");
    (void)snprintf(heard.first_name, sizeof heard.first_name, "%s",
                   user && user->first_name ? user->first_name : "none");
    (void)snprintf(heard.plan, sizeof heard.plan, "%s", plan ? plan : "none");
    heard.has_last_name = user && user->last_name;
    heard.created_at_ms = user ? user->created_at_ms : -1;
}

static void hear_plain(void *context, const dreamd_upstream_answer *answer)
{
    hear(context, answer, NULL);
}

static int begin(void **state)
{
    (void)state;
    memset(&heard, 0, sizeof heard);
    memset(&provider, 0, sizeof provider);
    settings = script_settings();
    upstream = dreamd_upstream_new_over(&settings, NULL, script_send, &provider);
    return upstream ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    dreamd_upstream_free(upstream);
    return 0;
}

static void test_clerk__gets_a_user(void **state)
{
    (void)state;
    dreamd_clerk_get_user(upstream, DREAMD_LIVE, "user_1", hear, NULL);
    assert_string_equal(provider.calls[0].method, "GET");
    assert_string_equal(provider.calls[0].url, "https://clerk-live.test/v1/users/user_1");
    assert_non_null(strstr(provider.calls[0].headers, "Authorization: Bearer sk_clerk_live\n"));
    assert_string_equal(provider.calls[0].body, "");
    assert_int_equal(provider.calls[0].timeout_ms, DREAMD_UPSTREAM_TIMEOUT_MS);
    script_reply(&provider, 0, 200, USER);
    assert_int_equal(heard.outcome, DREAMD_UPSTREAM_OK);
    assert_string_equal(heard.email, "ada@example.test");
    assert_string_equal(heard.first_name, "Ada");
    assert_false(heard.has_last_name);
    assert_string_equal(heard.plan, "pro");
    assert_int_equal(heard.created_at_ms, INT64_C(1700000000123));
}

static void test_clerk__the_mode_picks_instance_and_secret(void **state)
{
    (void)state;
    dreamd_clerk_get_user(upstream, DREAMD_TEST, "user_1", hear, NULL);
    assert_string_equal(provider.calls[0].url, "https://clerk-test.test/v1/users/user_1");
    assert_non_null(strstr(provider.calls[0].headers, "Bearer sk_clerk_test\n"));
    script_reply(&provider, 0, 404, "{\"errors\":[{\"message\":\"Not Found\"}]}");
    assert_int_equal(heard.outcome, DREAMD_UPSTREAM_NOT_FOUND);
    assert_string_equal(heard.message, "Not Found");
    assert_false(heard.has_user);
}

static void test_clerk__what_is_no_id_of_a_user_is_known_to_be_unknown(void **state)
{
    static const char *const ids[] = {
        "count",   "banned",     "",           ".",        "..",      "user_",         "User_1",       "user_1/",
        "user_1.", "user_1%2Fx", "user_1?x=1", "user_1#y", "user_ 1", "user_\xc3\xa9", "../jwks?x=1#y"
    };
    char endless[140] = "user_";
    cJSON *metadata = cJSON_CreateObject();
    int asked = 0;

    (void)state;
    memset(endless + 5, 'a', 124); /* 129 in all */
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        dreamd_clerk_get_user(upstream, DREAMD_LIVE, ids[i], hear, NULL);
        dreamd_clerk_merge_metadata(upstream, DREAMD_LIVE, ids[i], metadata, hear, NULL);
        dreamd_clerk_delete_user(upstream, DREAMD_LIVE, ids[i], hear_plain, NULL);
        asked += 3;
        assert_int_equal(heard.count, asked);
        assert_int_equal(heard.outcome, DREAMD_UPSTREAM_NOT_FOUND);
        assert_string_equal(heard.message, "Not Found");
    }
    dreamd_clerk_get_user(upstream, DREAMD_LIVE, endless, hear, NULL);
    assert_int_equal(heard.count, asked + 1);
    assert_int_equal(provider.count, 0);
    cJSON_Delete(metadata);
    endless[128] = '\0';
    dreamd_clerk_get_user(upstream, DREAMD_LIVE, endless, hear, NULL);
    dreamd_clerk_get_user(upstream, DREAMD_LIVE, "user_2xY-9_z", hear, NULL);
    assert_int_equal(provider.count, 2);
    assert_string_equal(provider.calls[1].url, "https://clerk-live.test/v1/users/user_2xY-9_z");
    script_reply(&provider, 0, 404, "");
    script_reply(&provider, 1, 404, "");
}

static void test_clerk__creates_users_with_what_is_given(void **state)
{
    dreamd_clerk_new_user full = { "bob@example.test", "correct horse", "Bob", "Example", "pk_live_1", "pro" };
    dreamd_clerk_new_user minimal = { .email = "ann@example.test", .publishable_key = "pk_test_1", .plan = "free" };

    (void)state;
    dreamd_clerk_create_user(upstream, DREAMD_LIVE, &full, hear, NULL);
    dreamd_clerk_create_user(upstream, DREAMD_TEST, &minimal, hear, NULL);
    assert_string_equal(provider.calls[0].method, "POST");
    assert_string_equal(provider.calls[0].url, "https://clerk-live.test/v1/users");
    assert_non_null(strstr(provider.calls[0].headers, "Content-Type: application/json\n"));
    assert_string_equal(
        provider.calls[0].body,
        "{\"email_address\":[\"bob@example.test\"],\"password\":\"correct horse\",\"first_name\":\"Bob\","
        "\"last_name\":\"Example\",\"public_metadata\":{\"publishableKey\":\"pk_live_1\",\"plan\":\"pro\"}}");
    assert_string_equal(
        provider.calls[1].body,
        "{\"email_address\":[\"ann@example.test\"],\"public_metadata\":{\"publishableKey\":\"pk_test_1\","
        "\"plan\":\"free\"}}");
    script_reply(&provider, 0, 422,
                 "{\"errors\":[{\"message\":\"is invalid\",\"code\":\"form_param_format_invalid\"}]}");
    assert_int_equal(heard.outcome, DREAMD_UPSTREAM_REFUSED);
    assert_string_equal(heard.message, "is invalid");
    script_reply(&provider, 1, 200, USER);
    assert_true(heard.has_user);
}

static void test_clerk__finds_a_user_by_address(void **state)
{
    static const struct {
        const char *body;
        dreamd_upstream_outcome outcome;
    } cases[] = {
        { "[" USER "]", DREAMD_UPSTREAM_OK },
        { "[]", DREAMD_UPSTREAM_NOT_FOUND },
        { "{}", DREAMD_UPSTREAM_NOT_FOUND },
        { "[7]", DREAMD_UPSTREAM_UNAVAILABLE },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        provider.count = 0;
        dreamd_clerk_find_user(upstream, DREAMD_LIVE, "ada+1@example.test", hear, NULL);
        assert_string_equal(provider.calls[0].method, "GET");
        assert_string_equal(provider.calls[0].url,
                            "https://clerk-live.test/v1/users?email_address=ada%2B1%40example.test");
        script_reply(&provider, 0, 200, cases[i].body);
        assert_int_equal(heard.outcome, cases[i].outcome);
        assert_int_equal(heard.has_user, cases[i].outcome == DREAMD_UPSTREAM_OK);
    }
}

static void test_clerk__knows_a_taken_address_by_its_code(void **state)
{
    static const struct {
        dreamd_upstream_outcome outcome;
        const char *body;
        bool is_taken;
    } cases[] = {
        { DREAMD_UPSTREAM_REFUSED, "{\"errors\":[{\"code\":\"form_identifier_exists\"}]}", true },
        { DREAMD_UPSTREAM_REFUSED, "{\"errors\":[{\"code\":\"form_password_pwned\"}]}", false },
        { DREAMD_UPSTREAM_REFUSED, "{\"errors\":[]}", false },
        { DREAMD_UPSTREAM_REFUSED, "{}", false },
        { DREAMD_UPSTREAM_UNAVAILABLE, "{\"errors\":[{\"code\":\"form_identifier_exists\"}]}", false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cJSON *json = dream_json_parse(cases[i].body, strlen(cases[i].body), NULL);
        dreamd_upstream_answer answer = { cases[i].outcome, 422, "", -1, json };

        assert_int_equal(dreamd_clerk_is_taken(&answer), cases[i].is_taken);
        cJSON_Delete(json);
    }
}

static void test_clerk__merges_metadata(void **state)
{
    cJSON *metadata = cJSON_CreateObject();

    (void)state;
    assert_true(dream_json_set_string(metadata, "plan", "pro"));
    dreamd_clerk_merge_metadata(upstream, DREAMD_LIVE, "user_1", metadata, hear, NULL);
    cJSON_Delete(metadata);
    assert_string_equal(provider.calls[0].method, "PATCH");
    assert_string_equal(provider.calls[0].url, "https://clerk-live.test/v1/users/user_1/metadata");
    assert_string_equal(provider.calls[0].body, "{\"public_metadata\":{\"plan\":\"pro\"}}");
    script_reply(&provider, 0, 200, USER);
    assert_true(heard.has_user);
}

static void test_clerk__deletes_users_and_lists_keys(void **state)
{
    (void)state;
    dreamd_clerk_delete_user(upstream, DREAMD_LIVE, "user_1", hear_plain, NULL);
    dreamd_clerk_get_keys(upstream, DREAMD_TEST, hear_plain, NULL);
    assert_string_equal(provider.calls[0].method, "DELETE");
    assert_string_equal(provider.calls[0].url, "https://clerk-live.test/v1/users/user_1");
    assert_string_equal(provider.calls[1].method, "GET");
    assert_string_equal(provider.calls[1].url, "https://clerk-test.test/v1/jwks");
    script_reply(&provider, 0, 200, "{\"id\":\"user_1\",\"deleted\":true}");
    script_reply(&provider, 1, 200, "{\"keys\":[]}");
    assert_int_equal(heard.count, 2);
}

static void test_clerk__odd_users_are_read_with_care(void **state)
{
    static const struct {
        const char *body;
        bool is_user;
        const char *email;
    } cases[] = {
        { "{\"id\":\"user_1\"}", true, "none" },
        { "{\"id\":\"user_1\",\"email_addresses\":[]}", true, "none" },
        { "{\"id\":\"user_1\",\"email_addresses\":{}}", true, "none" },
        { "{\"id\":\"user_1\",\"email_addresses\":[7],\"public_metadata\":[]}", true, "none" },
        { "{\"id\":\"user_1\",\"email_addresses\":[{\"id\":\"a\",\"email_address\":\"a@x.test\"}]}", true, "a@x.test" },
        { "{\"id\":\"user_1\",\"primary_email_address_id\":\"gone\",\"email_addresses\":[{\"id\":\"a\","
          "\"email_address\":\"a@x.test\"}]}",
          true, "a@x.test" },
        { "{\"id\":\"user_1\",\"email_addresses\":[{\"id\":\"a\",\"email_address\":null}]}", true, "none" },
        { "{}", false, "none" },
        { "{\"id\":\"\"}", false, "none" },
        { "[]", false, "none" },
        { "null", false, "none" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        provider.count = 0;
        dreamd_clerk_get_user(upstream, DREAMD_LIVE, "user_1", hear, NULL);
        script_reply(&provider, 0, 200, cases[i].body);
        assert_int_equal(heard.has_user, cases[i].is_user);
        assert_int_equal(heard.outcome == DREAMD_UPSTREAM_OK, cases[i].is_user);
        assert_string_equal(heard.email, cases[i].email);
        assert_string_equal(heard.plan, "none");
    }
}

static void test_clerk__without_a_secret_nothing_is_asked(void **state)
{
    (void)state;
    settings.clerk_end_user[DREAMD_TEST].secret_key = NULL;
    dreamd_clerk_get_user(upstream, DREAMD_TEST, "user_1", hear, NULL);
    assert_int_equal(provider.count, 0);
    assert_int_equal(heard.count, 1);
    assert_int_equal(heard.outcome, DREAMD_UPSTREAM_UNAVAILABLE);
    dreamd_clerk_get_user(upstream, DREAMD_LIVE, "user_1", hear, NULL);
    assert_int_equal(provider.count, 1);
    script_reply(&provider, 0, 0, "");
    assert_string_equal(heard.message, "The identity provider could not be reached");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_clerk__gets_a_user, begin, end),
        cmocka_unit_test_setup_teardown(test_clerk__the_mode_picks_instance_and_secret, begin, end),
        cmocka_unit_test_setup_teardown(test_clerk__what_is_no_id_of_a_user_is_known_to_be_unknown, begin, end),
        cmocka_unit_test_setup_teardown(test_clerk__creates_users_with_what_is_given, begin, end),
        cmocka_unit_test_setup_teardown(test_clerk__finds_a_user_by_address, begin, end),
        cmocka_unit_test_setup_teardown(test_clerk__knows_a_taken_address_by_its_code, begin, end),
        cmocka_unit_test_setup_teardown(test_clerk__merges_metadata, begin, end),
        cmocka_unit_test_setup_teardown(test_clerk__deletes_users_and_lists_keys, begin, end),
        cmocka_unit_test_setup_teardown(test_clerk__odd_users_are_read_with_care, begin, end),
        cmocka_unit_test_setup_teardown(test_clerk__without_a_secret_nothing_is_asked, begin, end),
    };

    return cmocka_run_group_tests_name("clerk", tests, NULL, NULL);
}
