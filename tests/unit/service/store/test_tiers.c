/* SPDX-License-Identifier: Apache-2.0 */
/* test_tiers.c - tiers in and out, found by name, and a bad row that must not take the page down. */
#include "store_case.h"

#include <string.h>

static dreamd_tier find(const store_case *self, const char *name, dreamd_tier_by by, bool *out_found)
{
    dreamd_tier tier = DREAMD_TIER_INIT;
    assert_ok(dreamd_tier_find(self->db, &self->project, name, by, self->arena, &tier, out_found));
    return tier;
}

static void test_insert__gives_back_every_field(void **state)
{
    store_case *self = *state;
    const dreamd_tier shirt = { .name = "tshirt",
                                .display_name = "T-Shirt",
                                .price_minor = 2500,
                                .limit = 12,
                                .rate_limit = 34,
                                .price_id = "price_t",
                                .product_id = "prod_t",
                                .features_json = "[\"M\",\"L\"]",
                                .description = "Cotton",
                                .billing_mode = "one_off",
                                .image_url = "https://img.example.test/t.png",
                                .inventory = 10,
                                .is_sold_out = true,
                                .is_popular = true,
                                .trial_days = 14,
                                .meters_json = "{}" };
    bool is_found = false;
    assert_ok(dreamd_tier_insert(self->db, &self->project, &shirt, T0));
    dreamd_tier found = find(self, "tshirt", DREAMD_TIER_BY_NAME, &is_found);
    assert_true(is_found);
    assert_string_equal(found.name, "tshirt");
    assert_string_equal(found.display_name, "T-Shirt");
    assert_int_equal(found.price_minor, 2500);
    assert_int_equal(found.limit, 12);
    assert_int_equal(found.rate_limit, 34);
    assert_string_equal(found.price_id, "price_t");
    assert_string_equal(found.product_id, "prod_t");
    assert_string_equal(found.features_json, "[\"M\",\"L\"]");
    assert_string_equal(found.description, "Cotton");
    assert_string_equal(found.billing_mode, "one_off");
    assert_string_equal(found.image_url, "https://img.example.test/t.png");
    assert_int_equal(found.inventory, 10);
    assert_true(found.is_sold_out);
    assert_true(found.is_popular);
    assert_int_equal(found.trial_days, 14);
    assert_string_equal(found.meters_json, "{}");
}

static void test_insert__defaults_are_unlimited_with_the_hosted_rate(void **state)
{
    store_case *self = *state;
    dreamd_tier plain = DREAMD_TIER_INIT;
    bool is_found = false;
    plain.name = "plain";
    assert_ok(dreamd_tier_insert(self->db, &self->project, &plain, T0));
    dreamd_tier found = find(self, "plain", DREAMD_TIER_BY_NAME, &is_found);
    assert_string_equal(found.display_name, "plain");
    assert_int_equal(found.limit, DREAMD_UNLIMITED);
    assert_int_equal(found.rate_limit, 100);
    assert_int_equal(found.inventory, DREAMD_UNLIMITED);
    assert_int_equal(found.trial_days, DREAMD_NO_TRIAL);
    assert_null(found.price_id);
    assert_null(found.image_url);
    assert_null(found.meters_json);
}

static void test_insert__refuses_what_makes_no_sense(void **state)
{
    store_case *self = *state;
    dreamd_tier good = DREAMD_TIER_INIT;
    good.name = "x";
    dreamd_tier bad[10];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        bad[i] = good;
    bad[0].name = "free"; /* taken */
    bad[1].name = "";
    bad[2].price_minor = -1;
    bad[3].limit = -1;
    bad[4].rate_limit = -1;
    bad[5].inventory = -1;
    bad[6].features_json = "{}";
    bad[7].features_json = "[";
    bad[8].meters_json = "[]";
    bad[9].billing_mode = "weekly";
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (dreamd_tier_insert(self->db, &self->project, &bad[i], T0) != DREAMD_DB_CONFLICT)
            fail_msg("row %zu was not refused", i);
    }
}

static void test_list__is_ordered_by_name_and_of_this_project_only(void **state)
{
    store_case *self = *state;
    dreamd_project other = self->project;
    dreamd_tier *tiers;
    size_t count;
    assert_ok(dreamd_tier_list(self->db, &self->project, self->arena, &tiers, &count));
    assert_int_equal(count, 5);
    for (size_t i = 1; i < count; i++)
        assert_true(strcmp(tiers[i - 1].name, tiers[i].name) < 0);
    other.project_id[0] = 'x';
    assert_ok(dreamd_tier_list(self->db, &other, self->arena, &tiers, &count));
    assert_int_equal(count, 0);
}

static void test_list__holds_more_than_one_growth(void **state)
{
    store_case *self = *state;
    dreamd_tier *tiers;
    size_t count;
    for (int i = 0; i < 40; i++) {
        dreamd_tier tier = DREAMD_TIER_INIT;
        tier.name = dream_arena_printf(self->arena, "tier%02d", i);
        assert_ok(dreamd_tier_insert(self->db, &self->project, &tier, T0));
    }
    assert_ok(dreamd_tier_list(self->db, &self->project, self->arena, &tiers, &count));
    assert_int_equal(count, 45);
    assert_string_equal(tiers[0].name, "enterprise");
    assert_string_equal(tiers[44].name, "tier39");
}

static void test_list__leaves_out_a_bad_row_and_keeps_the_page(void **state)
{
    store_case *self = *state;
    dreamd_tier *tiers;
    size_t count;
    bool is_found = true;
    assert_ok(dreamd_db_script(self->db, "UPDATE tiers SET features_json = 'not json' WHERE name = 'pro'"));
    assert_ok(dreamd_tier_list(self->db, &self->project, self->arena, &tiers, &count));
    assert_int_equal(count, 4);
    for (size_t i = 0; i < count; i++)
        assert_string_not_equal(tiers[i].name, "pro");
    (void)find(self, "pro", DREAMD_TIER_BY_NAME, &is_found);
    assert_false(is_found);
}

static void test_find__tries_lower_case_then_exact_then_display_name(void **state)
{
    store_case *self = *state;
    bool is_found = false;
    assert_string_equal(find(self, "PRO", DREAMD_TIER_BY_NAME, &is_found).name, "pro");
    (void)find(self, "Pro Plan", DREAMD_TIER_BY_NAME, &is_found);
    assert_false(is_found);
    assert_string_equal(find(self, "pro plan", DREAMD_TIER_BY_NAME_OR_DISPLAY_NAME, &is_found).name, "pro");
    assert_true(is_found);
    (void)find(self, "platinum", DREAMD_TIER_BY_NAME_OR_DISPLAY_NAME, &is_found);
    assert_false(is_found);
}

static void test_stock__is_taken_and_never_below_zero(void **state)
{
    store_case *self = *state;
    dreamd_tier mug = DREAMD_TIER_INIT;
    bool is_found = false;
    mug.name = "mug";
    mug.price_id = "price_mug";
    mug.inventory = 10;
    assert_ok(dreamd_tier_insert(self->db, &self->project, &mug, T0));
    assert_ok(dreamd_tier_take_stock(self->db, &self->project, "price_mug", 3, &is_found));
    assert_true(is_found);
    assert_int_equal(find(self, "mug", DREAMD_TIER_BY_NAME, &is_found).inventory, 7);
    assert_ok(dreamd_tier_take_stock(self->db, &self->project, "price_mug", 20, &is_found));
    assert_int_equal(find(self, "mug", DREAMD_TIER_BY_NAME, &is_found).inventory, 0);
    assert_ok(dreamd_tier_take_stock(self->db, &self->project, "price_none", 1, &is_found));
    assert_false(is_found);
    assert_int_equal(dreamd_tier_take_stock(self->db, &self->project, "price_mug", -1, &is_found), DREAMD_DB_CONFLICT);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, store_case_setup, store_case_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_insert__gives_back_every_field),
        CASE(test_insert__defaults_are_unlimited_with_the_hosted_rate),
        CASE(test_insert__refuses_what_makes_no_sense),
        CASE(test_list__is_ordered_by_name_and_of_this_project_only),
        CASE(test_list__holds_more_than_one_growth),
        CASE(test_list__leaves_out_a_bad_row_and_keeps_the_page),
        CASE(test_find__tries_lower_case_then_exact_then_display_name),
        CASE(test_stock__is_taken_and_never_below_zero),
    };
    return cmocka_run_group_tests_name("tiers", tests, NULL, NULL);
}
