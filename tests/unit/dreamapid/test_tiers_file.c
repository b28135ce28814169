/* SPDX-License-Identifier: Apache-2.0 */
/* test_tiers_file.c - tiers as a user writes them: every field, its bounds, and a message that names tier and field. */
#include "dreamapid/tiers_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/json.h"

struct reading {
    dream_arena *arena;
    dreamd_tier_set set;
    char error[256];
};

/* Reads `{"tiers":[TIERS]}`. */
static bool read_tiers(struct reading *reading, const char *tiers)
{
    char text[4096];
    (void)snprintf(text, sizeof text, "{\"tiers\":[%s]}", tiers);
    cJSON *document = dream_json_parse(text, strlen(text), NULL);
    assert_non_null(document);
    reading->arena = dream_arena_new();
    bool is_read = dreamd_tiers_document_read(document, reading->arena, &reading->set, reading->error);
    cJSON_Delete(document); /* nothing may borrow from it */
    return is_read;
}

static void test_tiers_file__reads_every_field(void **state)
{
    struct reading reading;
    (void)state;
    assert_true(read_tiers(
        &reading,
        "{\"name\":\"pro\",\"displayName\":\"Pro Plan\",\"price\":2900,\"limit\":100,\"billingMode\":\"subscription\","
        "\"description\":\"For teams\",\"imageUrl\":\"https://img.test/p.png\",\"inventory\":7,\"trialDays\":14,"
        "\"features\":[\"a\",\"b, c\"],\"popular\":true,\"soldOut\":true,\"rateLimit\":30,"
        "\"meters\":{\"tokens\":{\"limit\":1000},\"jobs\":{\"limit\":\"unlimited\"}}}"));
    assert_int_equal(reading.set.count, 1);
    const dreamd_tier *tier = &reading.set.tiers[0];
    assert_string_equal(tier->name, "pro");
    assert_string_equal(tier->display_name, "Pro Plan");
    assert_int_equal(tier->price_minor, 2900);
    assert_int_equal(tier->limit, 100);
    assert_string_equal(tier->billing_mode, "subscription");
    assert_string_equal(tier->description, "For teams");
    assert_string_equal(tier->image_url, "https://img.test/p.png");
    assert_int_equal(tier->inventory, 7);
    assert_int_equal(tier->trial_days, 14);
    assert_string_equal(tier->features_json, "[\"a\",\"b, c\"]");
    assert_true(tier->is_popular);
    assert_true(tier->is_sold_out);
    assert_int_equal(tier->rate_limit, 30);
    assert_string_equal(tier->meters_json, "{\"tokens\":{\"limit\":1000},\"jobs\":{\"limit\":null}}");
    assert_null(tier->price_id);
    assert_null(tier->product_id);
    dream_arena_free(reading.arena);
}

static void test_tiers_file__has_defaults_for_what_is_absent_or_null(void **state)
{
    static const char *const rows[] = {
        "{\"name\":\"x\",\"price\":0,\"limit\":null}",
        "{\"name\":\"x\",\"price\":0,\"limit\":\"unlimited\",\"displayName\":null,\"billingMode\":null,\"description\":"
        "\"\","
        "\"imageUrl\":null,\"inventory\":null,\"trialDays\":0,\"features\":null,\"meters\":null}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct reading reading;
        assert_true(read_tiers(&reading, rows[i]));
        const dreamd_tier *tier = &reading.set.tiers[0];
        assert_string_equal(tier->display_name, "x");
        assert_true(tier->limit == DREAMD_UNLIMITED);
        assert_true(tier->inventory == DREAMD_UNLIMITED);
        assert_int_equal(tier->rate_limit, DREAMD_DEFAULT_RATE_LIMIT);
        assert_int_equal(tier->trial_days, DREAMD_NO_TRIAL);
        assert_string_equal(tier->billing_mode, "subscription");
        assert_string_equal(tier->description, "");
        assert_string_equal(tier->features_json, "[]");
        assert_null(tier->image_url);
        assert_null(tier->meters_json);
        dream_arena_free(reading.arena);
    }
}

static void test_tiers_file__has_no_rate_limit_where_it_says_null(void **state)
{
    struct reading reading;
    (void)state;
    assert_true(read_tiers(&reading, "{\"name\":\"x\",\"price\":0,\"limit\":1,\"rateLimit\":null}"));
    assert_true(reading.set.tiers[0].rate_limit == DREAMD_UNLIMITED);
    dream_arena_free(reading.arena);
}

static void test_tiers_file__splits_features_at_commas(void **state)
{
    static const char *const rows[][2] = {
        { "\"100 calls, Email ,,Chat\"", "[\"100 calls\",\"Email\",\"Chat\"]" },
        { "\"one\"", "[\"one\"]" },
        { "\"\"", "[]" },
        { "[]", "[]" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct reading reading;
        char text[256];
        (void)snprintf(text, sizeof text, "{\"name\":\"x\",\"price\":0,\"limit\":1,\"features\":%s}", rows[i][0]);
        assert_true(read_tiers(&reading, text));
        assert_string_equal(reading.set.tiers[0].features_json, rows[i][1]);
        dream_arena_free(reading.arena);
    }
}

static void test_tiers_file__names_tier_and_field_of_each_mistake(void **state)
{
    static const struct {
        const char *fields; /* of the second tier, without its name */
        const char *error;
    } rows[] = {
        { "\"limit\":1", "tier \"pro\": price is missing" },
        { "\"price\":1", "tier \"pro\": limit is missing" },
        { "\"price\":-1,\"limit\":1", "tier \"pro\": price must be a whole number from 0 to 99999999" },
        { "\"price\":9.99,\"limit\":1", "tier \"pro\": price must be a whole number from 0 to 99999999" },
        { "\"price\":\"900\",\"limit\":1", "tier \"pro\": price must be a whole number from 0 to 99999999" },
        { "\"price\":100000000,\"limit\":1", "tier \"pro\": price must be a whole number from 0 to 99999999" },
        { "\"price\":null,\"limit\":1", "tier \"pro\": price must be a whole number from 0 to 99999999" },
        { "\"price\":1,\"limit\":-1", "tier \"pro\": limit must be a whole number from 0 on, or \"unlimited\"" },
        { "\"price\":1,\"limit\":\"many\"", "tier \"pro\": limit must be a whole number from 0 on, or \"unlimited\"" },
        { "\"price\":1,\"limit\":1e300", "tier \"pro\": limit must be a whole number from 0 on, or \"unlimited\"" },
        { "\"price\":1,\"limit\":1,\"rateLimit\":0",
          "tier \"pro\": rateLimit must be a whole number from 1 on, or \"unlimited\"" },
        { "\"price\":1,\"limit\":1,\"inventory\":-1",
          "tier \"pro\": inventory must be a whole number from 0 on, or \"unlimited\"" },
        { "\"price\":1,\"limit\":1,\"trialDays\":731", "tier \"pro\": trialDays must be a whole number from 0 to 730" },
        { "\"price\":1,\"limit\":1,\"trialDays\":7,\"billingMode\":\"one_off\"",
          "tier \"pro\": trialDays makes no sense for what is paid once" },
        { "\"price\":1,\"limit\":1,\"billingMode\":\"yearly\"",
          "tier \"pro\": billingMode must be \"subscription\" or \"one_off\"" },
        { "\"price\":1,\"limit\":1,\"popular\":\"yes\"", "tier \"pro\": popular must be true or false" },
        { "\"price\":1,\"limit\":1,\"imageUrl\":\"javascript:1\"",
          "tier \"pro\": imageUrl must be an http or https address" },
        { "\"price\":1,\"limit\":1,\"displayName\":\"\"",
          "tier \"pro\": displayName must be a text that is not empty" },
        { "\"price\":1,\"limit\":1,\"displayName\":\"a\\nb\"",
          "tier \"pro\": displayName must not hold control characters" },
        { "\"price\":1,\"limit\":1,\"description\":5", "tier \"pro\": description must be a text that is not empty" },
        { "\"price\":1,\"limit\":1,\"features\":[1]", "tier \"pro\": features must be a list of texts" },
        { "\"price\":1,\"limit\":1,\"features\":{\"a\":\"b\"}", "tier \"pro\": features must be a list of texts" },
        { "\"price\":1,\"limit\":1,\"features\":7", "tier \"pro\": features must be a list of texts" },
        { "\"price\":1,\"limit\":1,\"meters\":[]",
          "tier \"pro\": meters must be an object such as {\"tokens\":{\"limit\":1000}}" },
        { "\"price\":1,\"limit\":1,\"meters\":{\"Big Name\":{\"limit\":1}}",
          "tier \"pro\": meters names must be a-z, 0-9, _ or - (\"default\" is the tier's own limit)" },
        { "\"price\":1,\"limit\":1,\"meters\":{\"default\":{\"limit\":1}}",
          "tier \"pro\": meters names must be a-z, 0-9, _ or - (\"default\" is the tier's own limit)" },
        { "\"price\":1,\"limit\":1,\"meters\":{\"tokens\":{}}", "tier \"pro\" meter tokens: limit is missing" },
        { "\"price\":1,\"limit\":1,\"meters\":{\"tokens\":{\"limit\":1,\"max\":2}}",
          "tier \"pro\" meter tokens: max is not a field of it" },
        { "\"price\":1,\"limit\":1,\"meters\":{\"tokens\":5}", "tier \"pro\" meter tokens: a JSON object is wanted" },
        { "\"price\":1,\"limmit\":1", "tier \"pro\": limmit is not a field of it" },
        { "\"price\":1,\"limit\":1,\"priceId\":\"price_1\"", "tier \"pro\": priceId is not a field of it" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct reading reading;
        char text[1024];
        (void)snprintf(text, sizeof text, "{\"name\":\"free\",\"price\":0,\"limit\":5},{\"name\":\"pro\",%s}",
                       rows[i].fields);
        assert_false(read_tiers(&reading, text));
        assert_string_equal(reading.error, rows[i].error);
        dream_arena_free(reading.arena);
    }
}

static void test_tiers_file__counts_tiers_that_have_no_name(void **state)
{
    static const char *const rows[][2] = {
        { "{\"name\":\"a\",\"price\":0,\"limit\":1},{\"price\":0,\"limit\":1}", "tier number 2: name is missing" },
        { "5", "tier number 1: a JSON object is wanted" },
        { "{\"name\":7,\"price\":0,\"limit\":1}", "tier number 1: name must be a text that is not empty" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct reading reading;
        assert_false(read_tiers(&reading, rows[i][0]));
        assert_string_equal(reading.error, rows[i][1]);
        dream_arena_free(reading.arena);
    }
}

static void test_tiers_file__refuses_names_that_differ_in_case_alone(void **state)
{
    struct reading reading;
    (void)state;
    assert_false(
        read_tiers(&reading, "{\"name\":\"Pro\",\"price\":0,\"limit\":1},{\"name\":\"pro\",\"price\":0,\"limit\":1}"));
    assert_string_equal(reading.error, "tier \"pro\": there are two tiers of this name");
    dream_arena_free(reading.arena);
}

static void test_tiers_file__refuses_documents_of_another_shape(void **state)
{
    static const char *const rows[][2] = {
        { "{}", "the file: \"tiers\" is missing" },
        { "{\"tiers\":[]}", "\"tiers\" must be a list of 1 to 500 tiers" },
        { "{\"tiers\":{}}", "\"tiers\" must be a list of 1 to 500 tiers" },
        { "{\"tiers\":[],\"mode\":\"live\"}", "the file: mode is not a field of it" },
        { "[]", "the file: a JSON object is wanted" },
    };
    dream_arena *arena = dream_arena_new();
    char error[256];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        dreamd_tier_set set;
        cJSON *document = dream_json_parse(rows[i][0], strlen(rows[i][0]), NULL);
        assert_false(dreamd_tiers_document_read(document, arena, &set, error));
        assert_string_equal(error, rows[i][1]);
        cJSON_Delete(document);
    }
    dream_arena_free(arena);
}

static void test_tiers_file__takes_ids_and_an_empty_list_in_a_fixture(void **state)
{
    static const char text[] =
        "[{\"name\":\"a\",\"price\":1,\"limit\":null,\"priceId\":\"price_a\",\"productId\":null}]";
    dream_arena *arena = dream_arena_new();
    dreamd_tier_set set;
    char error[256];
    (void)state;
    cJSON *array = dream_json_parse(text, strlen(text), NULL);
    assert_true(dreamd_tiers_read(array, DREAMD_TIERS_MADE, arena, &set, error));
    assert_string_equal(set.tiers[0].price_id, "price_a");
    assert_null(set.tiers[0].product_id);
    cJSON_Delete(array);
    array = cJSON_CreateArray();
    assert_true(dreamd_tiers_read(array, DREAMD_TIERS_MADE, arena, &set, error));
    assert_int_equal(set.count, 0);
    cJSON_Delete(array);
    dream_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tiers_file__reads_every_field),
        cmocka_unit_test(test_tiers_file__has_defaults_for_what_is_absent_or_null),
        cmocka_unit_test(test_tiers_file__has_no_rate_limit_where_it_says_null),
        cmocka_unit_test(test_tiers_file__splits_features_at_commas),
        cmocka_unit_test(test_tiers_file__names_tier_and_field_of_each_mistake),
        cmocka_unit_test(test_tiers_file__counts_tiers_that_have_no_name),
        cmocka_unit_test(test_tiers_file__refuses_names_that_differ_in_case_alone),
        cmocka_unit_test(test_tiers_file__refuses_documents_of_another_shape),
        cmocka_unit_test(test_tiers_file__takes_ids_and_an_empty_list_in_a_fixture),
    };
    return cmocka_run_group_tests_name("tiers_file", tests, NULL, NULL);
}
