/* SPDX-License-Identifier: Apache-2.0 */
/* test_extensions.c - what was announced, and for how long that counts. */
#include "lib/extensions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "lib/object/health.h"

enum { HOUR_MS = 3600 * 1000 };

static void learn(dream_extensions *extensions, const char *body, int64_t now_ms)
{
    void *health = NULL;
    char problem[DREAM_PROBLEM_SIZE];

    assert_int_equal(dream_noun_health.parse(body, strlen(body), &health, problem), DREAMAPI_OK);
    dream_extensions_learn(extensions, health, now_ms);
    dream_noun_health.release(health);
}

static void test_extensions__must_be_asked_for_first(void **state)
{
    dream_extensions extensions = { 0 };

    (void)state;
    assert_int_equal(dream_extensions_look(&extensions, 1), DREAM_EXTENSIONS_ASK);
    assert_false(dream_extensions_has(&extensions, DREAM_EXTENSION_IDEMPOTENCY, 1));
}

static void test_extensions__count_for_an_hour(void **state)
{
    dream_extensions extensions = { 0 };

    (void)state;
    learn(&extensions, "{\"status\":\"ok\",\"extensions\":[\"leases\",\"idempotency\"]}", 1000);
    assert_int_equal(dream_extensions_look(&extensions, 1000), DREAM_EXTENSIONS_KNOWN);
    assert_true(dream_extensions_has(&extensions, DREAM_EXTENSION_IDEMPOTENCY, 1000 + HOUR_MS - 1));
    assert_false(dream_extensions_has(&extensions, DREAM_EXTENSION_SERVER_SIDE, 1000));
    assert_int_equal(dream_extensions_look(&extensions, 1000 + HOUR_MS), DREAM_EXTENSIONS_ASK);
    assert_false(dream_extensions_has(&extensions, DREAM_EXTENSION_IDEMPOTENCY, 1000 + HOUR_MS));
}

static void test_extensions__a_server_without_the_page_knows_of_none(void **state)
{
    dream_extensions extensions = { 0 };

    (void)state;
    dream_extensions_learn(&extensions, NULL, 0);
    assert_int_equal(dream_extensions_look(&extensions, 0), DREAM_EXTENSIONS_KNOWN);
    assert_false(dream_extensions_has(&extensions, DREAM_EXTENSION_IDEMPOTENCY, 0));
}

static void test_extensions__silence_forgets_them_and_is_believed_for_30_s(void **state)
{
    dream_extensions extensions = { 0 };

    (void)state;
    learn(&extensions, "{\"status\":\"ok\",\"extensions\":[\"idempotency\",\"server-side\"]}", 0);
    assert_true(dream_extensions_has(&extensions, DREAM_EXTENSION_SERVER_SIDE, 0));
    dream_extensions_fail(&extensions, 0);
    assert_false(dream_extensions_has(&extensions, DREAM_EXTENSION_SERVER_SIDE, 0));
    assert_int_equal(dream_extensions_look(&extensions, 29999), DREAM_EXTENSIONS_SILENT);
    assert_int_equal(dream_extensions_look(&extensions, 30000), DREAM_EXTENSIONS_ASK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_extensions__must_be_asked_for_first),
        cmocka_unit_test(test_extensions__count_for_an_hour),
        cmocka_unit_test(test_extensions__a_server_without_the_page_knows_of_none),
        cmocka_unit_test(test_extensions__silence_forgets_them_and_is_believed_for_30_s),
    };
    return cmocka_run_group_tests_name("extensions", tests, NULL, NULL);
}
