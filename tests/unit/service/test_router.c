/* SPDX-License-Identifier: Apache-2.0 */
/* test_router.c - the order in which a request is refused, and what needs no key at all. */
#include "service/api/router.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "stage.h"

#define SECRET "Authorization: Bearer " STAGE_SK

static int begin(void **state)
{
    (void)state;
    return stage_begin(NULL);
}

static int end(void **state)
{
    (void)state;
    return stage_end();
}

struct expected {
    const char *method;
    const char *path;
    const char *header;
    const char *body;
    int status;
    const char *part;
};

static void check(const struct expected *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        stage_answer answer = stage_ask(cases[i].method, cases[i].path, cases[i].header, cases[i].body);

        if (answer.status != cases[i].status || !strstr(answer.body, cases[i].part))
            fail_msg("%s %s: %d %s", cases[i].method, cases[i].path, answer.status, answer.body);
    }
    assert_int_equal(stage_call_count(), 0);
}
#define CHECK(cases) check((cases), sizeof(cases) / sizeof(cases)[0])

static void test_router__some_paths_need_no_key(void **state)
{
    static const struct expected cases[] = {
        { "OPTIONS", "/api/data", NULL, NULL, 204, "" },
        { "OPTIONS", "/nowhere", NULL, NULL, 204, "" },
        { "GET", "/health", NULL, NULL, 200, "\"" },
        { "POST", "/webhook/stripe", NULL, "{}", 400, "No signature" },
    };

    (void)state;
    CHECK(cases);
}

static void test_router__the_key_comes_before_the_endpoint(void **state)
{
    static const struct expected cases[] = {
        { "GET", "/nowhere", NULL, NULL, 401, "error" },
        { "GET", "/webhook/stripe", NULL, NULL, 401, "error" },
        { "GET", "/api/usage?userId=%zz", NULL, NULL, 401, "error" },
        { "GET", "/nowhere", SECRET, NULL, 404, "Not found" },
        { "GET", "/nowhere?a=%zz", SECRET, NULL, 404, "Not found" },
        { "DELETE", "/api/tiers", SECRET, NULL, 404, "Not found" },
    };

    (void)state;
    CHECK(cases);
}

static void test_router__an_id_must_decode_to_one_part_of_a_path(void **state)
{
    static const struct expected cases[] = {
        { "GET", "/api/customers/user_%zz", SECRET, NULL, 404, "{\"error\":\"Not found\"}" },
        { "GET", "/api/customers/user_%00", SECRET, NULL, 404, "{\"error\":\"Not found\"}" },
        { "GET", "/api/customers/user_1%2Fx", SECRET, NULL, 404, "{\"error\":\"Not found\"}" },
        { "GET", "/api/customers/count", SECRET, NULL, 404, "Customer not found" },
        { "DELETE", "/api/customers/..", SECRET, NULL, 404, "Customer not found" },
        { "GET", "/api/customers/%ff", SECRET, NULL, 400, "Invalid path" },
        { "DELETE", "/api/customers/user_%c3", SECRET, NULL, 400, "Invalid path" },
        { "GET", "/api/customers/caf%c3%a9", SECRET, NULL, 404, "Customer not found" },
    };

    (void)state;
    CHECK(cases);
}

static void test_router__a_query_must_be_readable_as_a_whole(void **state)
{
    static const struct expected cases[] = {
        { "GET", "/api/usage?userId=a%00b", SECRET, NULL, 400, "Invalid query" },
        { "GET", "/api/usage?userId=user_1&x=%", SECRET, NULL, 400, "Invalid query" },
        { "GET", "/api/tiers?%f", SECRET, NULL, 400, "Invalid query" },
        { "GET", "/api/usage?userId=user_%ff", SECRET, NULL, 400, "Invalid query" },
        { "GET", "/api/tiers?%c0%af=1", SECRET, NULL, 400, "Invalid query" },
        { "GET", "/api/tiers?a=%20&&b=+", SECRET, NULL, 200, "tiers" },
    };

    (void)state;
    CHECK(cases);
}

static void test_router__the_user_comes_before_the_idempotency_key(void **state)
{
    static const struct expected cases[] = {
        { "POST", "/api/data", SECRET "\nIdempotency-Key: caf\xc3\xa9", "{}", 401, "end-user token" },
        { "POST", "/api/data", SECRET "\nIdempotency-Key: caf\xc3\xa9", "{\"userId\":\"user_1\"}", 400,
          "Invalid Idempotency-Key" },
        { "GET", "/api/tiers", SECRET "\nIdempotency-Key: caf\xc3\xa9", NULL, 200, "tiers" },
    };

    (void)state;
    CHECK(cases);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        CASE(test_router__some_paths_need_no_key),
        CASE(test_router__the_key_comes_before_the_endpoint),
        CASE(test_router__an_id_must_decode_to_one_part_of_a_path),
        CASE(test_router__a_query_must_be_readable_as_a_whole),
        CASE(test_router__the_user_comes_before_the_idempotency_key),
    };

    return cmocka_run_group_tests_name("router", tests, NULL, NULL);
}
