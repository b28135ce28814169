/* SPDX-License-Identifier: Apache-2.0 */
/* test_placeholders.c - a fixture's "<...>" texts: one value each, days reckoned from the load, nothing guessed. */
#include "dreamapid/placeholders.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/json.h"

/* 2026-11-23T12:00:00Z. */
static const int64_t noon_ms = INT64_C(1795435200000);

static void test_placeholders__makes_a_value_once(void **state)
{
    dreamd_placeholders all;
    char first[64];
    (void)state;
    assert_true(dreamd_placeholders_init(&all, noon_ms));
    (void)snprintf(first, sizeof first, "%s", dreamd_placeholder_make(&all, "<pk>", "pk_live_", 16));
    assert_int_equal(strlen(first), 8 + 32);
    assert_int_equal(strncmp(first, "pk_live_", 8), 0);
    assert_string_equal(dreamd_placeholder_make(&all, "<pk>", "pk_live_", 16), first);
    assert_string_not_equal(dreamd_placeholder_make(&all, "<pk-other>", "pk_live_", 16), first);
    assert_string_equal(dreamd_placeholder_make(&all, "pk_live_literal", "pk_live_", 16), "pk_live_literal");
    assert_int_equal(cJSON_GetArraySize(all.values), 2);
    dreamd_placeholders_clear(&all);
}

static void test_placeholders__refuses_a_value_longer_than_it_can_make(void **state)
{
    dreamd_placeholders all;
    (void)state;
    assert_true(dreamd_placeholders_init(&all, noon_ms));
    assert_null(dreamd_placeholder_make(&all, "<x>", "", 64));
    dreamd_placeholders_clear(&all);
}

static void test_placeholders__reckons_days_from_the_load(void **state)
{
    static const char *const rows[][2] = {
        { "<today>", "2026-11-23" },   { "<today+29>", "2026-12-22" }, { "<today-40>", "2026-10-14" },
        { "<today+0>", "2026-11-23" }, { "<today-0>", "2026-11-23" },
    };
    dreamd_placeholders all;
    char error[256];
    (void)state;
    assert_true(dreamd_placeholders_init(&all, noon_ms));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cJSON *value = cJSON_CreateString(rows[i][0]);
        assert_true(dreamd_placeholders_resolve(&all, value, error));
        assert_string_equal(value->valuestring, rows[i][1]);
        cJSON_Delete(value);
    }
    assert_int_equal(cJSON_GetArraySize(all.values), 0); /* a day is no name to print */
    dreamd_placeholders_clear(&all);
}

static void test_placeholders__resolves_everywhere_in_a_tree_and_leaves_the_rest(void **state)
{
    static const char text[] =
        "{\"a\":[\"<pk>\",\"plain\",\"a <pk> inside\",{\"b\":\"<user>\"}],\"c\":5,\"<pk>\":null,\"d\":\"<user>\"}";
    dreamd_placeholders all;
    char error[256];
    (void)state;
    assert_true(dreamd_placeholders_init(&all, noon_ms));
    assert_true(dreamd_placeholder_set(&all, "<pk>", "pk_live_1"));
    cJSON *tree = dream_json_parse(text, strlen(text), NULL);
    assert_true(dreamd_placeholders_resolve(&all, tree, error));
    const cJSON *a = dream_json_get(tree, "a");
    assert_string_equal(cJSON_GetArrayItem(a, 0)->valuestring, "pk_live_1");
    assert_string_equal(cJSON_GetArrayItem(a, 1)->valuestring, "plain");
    assert_string_equal(cJSON_GetArrayItem(a, 2)->valuestring, "a <pk> inside");
    const char *user = dream_json_string(cJSON_GetArrayItem(a, 3), "b");
    assert_int_equal(strncmp(user, "user_", 5), 0);
    assert_string_equal(dream_json_string(tree, "d"), user);
    assert_string_equal(dream_json_string(all.values, "<user>"), user);
    cJSON_Delete(tree);
    dreamd_placeholders_clear(&all);
}

static void test_placeholders__refuses_what_stands_for_nothing(void **state)
{
    static const char *const rows[] = { "<nobody>",
                                        "<today*2>",
                                        "<today+>",
                                        "<today+x>",
                                        "<today+1x>",
                                        "<today+99999999>",
                                        "<today-99999999999999999999>",
                                        "<today-36000>",
                                        "<today+-3>" };
    dreamd_placeholders all;
    (void)state;
    assert_true(dreamd_placeholders_init(&all, noon_ms));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char error[256] = "", expected[256];
        cJSON *value = cJSON_CreateString(rows[i]);
        assert_false(dreamd_placeholders_resolve(&all, value, error));
        (void)snprintf(expected, sizeof expected, "the placeholder %s stands for nothing", rows[i]);
        assert_string_equal(error, expected);
        cJSON_Delete(value);
    }
    dreamd_placeholders_clear(&all);
}

static void test_placeholders__knows_one_when_it_sees_one(void **state)
{
    (void)state;
    assert_true(dreamd_is_placeholder("<a>"));
    assert_false(dreamd_is_placeholder("<>"));
    assert_false(dreamd_is_placeholder("<a"));
    assert_false(dreamd_is_placeholder("a>"));
    assert_false(dreamd_is_placeholder(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_placeholders__makes_a_value_once),
        cmocka_unit_test(test_placeholders__refuses_a_value_longer_than_it_can_make),
        cmocka_unit_test(test_placeholders__reckons_days_from_the_load),
        cmocka_unit_test(test_placeholders__resolves_everywhere_in_a_tree_and_leaves_the_rest),
        cmocka_unit_test(test_placeholders__refuses_what_stands_for_nothing),
        cmocka_unit_test(test_placeholders__knows_one_when_it_sees_one),
    };
    return cmocka_run_group_tests_name("placeholders", tests, NULL, NULL);
}
