/* SPDX-License-Identifier: Apache-2.0 */
/* test_user.c - for whom a request acts: a name that a developer's backend gives, a token, or neither. What makes a token good is
 * test_identity.c's and test_token.c's; whole requests with good ones are the wire cases. */
#include "service/api/user.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../common/rsa_vectors.h"
#include "service/store/customers.h"
#include "service/store/tiers.h"
#include "stage.h"

#define SECRET "Authorization: Bearer " STAGE_SK
#define PUBLISHABLE "X-Publishable-Key: " STAGE_PK
#define KEYS "{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"py-key\",\"e\":\"AQAB\",\"n\":\"" VECTOR_MODULUS "\"}]}"
/* {"alg":"RS256","kid":"k"}.{}.x: well formed, and signed by nobody. */
#define ROGUE "eyJhbGciOiJSUzI1NiIsImtpZCI6ImsifQ.e30.eA"

static dreamd_db_status fill(dreamd_db *db, void *arg)
{
    dreamd_tier tier = DREAMD_TIER_INIT;
    dreamd_db_status status = dreamd_customer_ensure(db, &stage_project, "user_1", NULL, 1);

    (void)arg;
    tier.name = "free";
    tier.limit = 5;
    return status == DREAMD_DB_OK ? dreamd_tier_insert(db, &stage_project, &tier, 1) : status;
}

static int begin(void **state)
{
    (void)state;
    return stage_begin(fill);
}

static int end(void **state)
{
    (void)state;
    return stage_end();
}

static void expect(stage_answer answer, int status, const char *part)
{
    if (answer.status != status || !strstr(answer.body, part))
        fail_msg("%d %s: not %d with %s", answer.status, answer.body, status, part);
}

static void test_user__a_backend_names_its_user(void **state)
{
    (void)state;
    expect(stage_ask("POST", "/api/data", SECRET, "{\"userId\":\"user_1\"}"), 200, "\"count\":1");
    expect(stage_ask("GET", "/api/usage?userId=user_1", SECRET, NULL), 200, "\"userId\":\"user_1\"");
    expect(stage_ask("GET", "/api/usage?userId=user%5F1", SECRET, NULL), 200, "\"userId\":\"user_1\"");
    expect(stage_ask("POST", "/api/data", SECRET, "{\"userId\":\"user_2\"}"), 404, "Customer not found");
}

static void test_user__a_name_must_be_a_name(void **state)
{
    static const struct {
        const char *body;
        int status;
        const char *part;
    } cases[] = {
        { "{\"userId\":7}", 400, "userId must be a string" },
        { "{\"userId\":[\"user_1\"]}", 400, "userId must be a string" },
        { "{\"userId\":\"\"}", 400, "1 to 128 characters" },
        { "{\"userId\":null}", 401, "Missing end-user token" },
        { "{}", 401, "Missing end-user token" },
        { "", 401, "Missing end-user token" },
        { "{nope", 400, "Invalid JSON body" },
        { "[\"user_1\"]", 400, "Invalid JSON body" },
    };
    char endless[200] = "";

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect(stage_ask("POST", "/api/data", SECRET, cases[i].body), cases[i].status, cases[i].part);
    expect(stage_ask("GET", "/api/usage?userId=", SECRET, NULL), 400, "1 to 128 characters");
    (void)snprintf(endless, sizeof endless, "/api/usage?userId=user_%0124d", 0);
    expect(stage_ask("GET", endless, SECRET, NULL), 400, "1 to 128 characters");
    assert_int_equal(stage_call_count(), 0);
}

static void test_user__a_publishable_key_names_nobody(void **state)
{
    (void)state;
    expect(stage_ask("POST", "/api/data", PUBLISHABLE, "{\"userId\":\"user_1\"}"), 401, "Missing end-user token");
    expect(stage_ask("GET", "/api/usage?userId=user_1", PUBLISHABLE, NULL), 401, "Missing end-user token");
}

static void test_user__a_bad_token_is_not_made_good_by_a_name(void **state)
{
    static const char *const names[] = { "X-Clerk-Token", "X-User-Token", "X-End-User-Token" };

    (void)state;
    stage_tell("GET /v1/jwks", 200, KEYS);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char header[300];

        (void)snprintf(header, sizeof header, SECRET "\n%s: not.a.token", names[i]);
        expect(stage_ask("POST", "/api/data", header, "{\"userId\":\"user_1\"}"), 401, "Invalid or missing");
    }
    expect(stage_ask("GET", "/api/usage", PUBLISHABLE "\nX-Clerk-Token: x", NULL), 401, "Invalid or missing");
}

static void test_user__a_token_that_cannot_be_checked_is_a_502(void **state)
{
    (void)state;
    stage_tell("GET /v1/jwks", 503, "{}");
    expect(stage_ask("GET", "/api/usage", PUBLISHABLE "\nX-Clerk-Token: " ROGUE, NULL), 502,
           "End-user token could not be verified");
}

static void test_user__the_short_checkout_needs_a_name(void **state)
{
    (void)state;
    expect(stage_ask("POST", "/checkout", SECRET, "{\"tier\":\"free\"}"), 400, "userId is required");
    expect(stage_ask("POST", "/checkout", SECRET "\nX-Clerk-Token: " ROGUE, "{}"), 400, "userId is required");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        CASE(test_user__a_backend_names_its_user),
        CASE(test_user__a_name_must_be_a_name),
        CASE(test_user__a_publishable_key_names_nobody),
        CASE(test_user__a_bad_token_is_not_made_good_by_a_name),
        CASE(test_user__a_token_that_cannot_be_checked_is_a_502),
        CASE(test_user__the_short_checkout_needs_a_name),
    };

    return cmocka_run_group_tests_name("user", tests, NULL, NULL);
}
