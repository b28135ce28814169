/* SPDX-License-Identifier: Apache-2.0 */
/* test_customer_list.c - pages of customers: their order, where the next one begins, and what is searched for. */
#include "store_case.h"

#include <stdio.h>
#include <string.h>

#include "service/store/customer_list.h"

typedef struct listing {
    dreamd_listed_customer *rows;
    size_t count;
    bool has_more;
    dreamd_customer_place next;
} listing;

static dreamd_customer_query query_of(size_t limit)
{
    return (dreamd_customer_query){ .limit = limit, .now_ms = T0 };
}

static listing list(const store_case *self, const dreamd_customer_query *query)
{
    listing out;
    assert_ok(dreamd_customer_list(self->db, &self->project, query, self->arena, &out.rows, &out.count, &out.next));
    out.has_more = out.next.is_there;
    return out;
}

static void put(const store_case *self, const char *user, const char *email, const char *plan, int64_t created_at_ms)
{
    dreamd_customer customer = { .user_id = user, .email = email, .plan = plan, .created_at_ms = created_at_ms };
    assert_ok(dreamd_customer_put(self->db, &self->project, &customer, T0));
}

/* user_00 ... the later the newer; every third has the plan pro. */
static void put_many(const store_case *self, int count, const char *email_format)
{
    for (int i = 0; i < count; i++) {
        char user[32];
        char email[64];
        (void)snprintf(user, sizeof user, "user_%04d", i);
        (void)snprintf(email, sizeof email, "%s%04d@example.test", email_format, i);
        put(self, user, email, i % 3 == 0 ? "pro" : NULL, T0 + i);
    }
}

static void subscribe(const store_case *self, const char *user, const char *id, const char *plan, const char *status)
{
    static int number;
    char event_id[32];
    dreamd_event_outcome outcome;
    dreamd_subscription subscription = DREAMD_SUBSCRIPTION_INIT;
    (void)snprintf(event_id, sizeof event_id, "evt_%d", ++number);
    subscription.user_id = user;
    subscription.subscription_id = id;
    subscription.plan = plan;
    subscription.status = status;
    dreamd_event event = { .source = "stripe-live",
                           .event_id = event_id,
                           .type = "customer.subscription.updated",
                           .created_s = T0 / 1000 + number,
                           .project = &self->project,
                           .subscription = &subscription };
    assert_ok(dreamd_event_apply(self->db, &event, T0, &outcome));
}

static void go_behind(dreamd_customer_query *query, const listing *page)
{
    query->after = page->next;
}

static void test_list__an_empty_project_has_an_empty_page(void **state)
{
    dreamd_customer_query query = query_of(20);
    listing page = list(*state, &query);
    assert_int_equal(page.count, 0);
    assert_false(page.has_more);
}

static void test_list__newest_come_first_and_ids_settle_ties(void **state)
{
    const store_case *self = *state;
    dreamd_customer_query query = query_of(20);
    put(self, "user_b", NULL, NULL, T0);
    put(self, "user_a", NULL, NULL, T0);
    put(self, "user_c", NULL, NULL, T0 - 1);
    listing page = list(self, &query);
    assert_int_equal(page.count, 3);
    assert_string_equal(page.rows[0].customer.user_id, "user_b");
    assert_string_equal(page.rows[1].customer.user_id, "user_a");
    assert_string_equal(page.rows[2].customer.user_id, "user_c");
    assert_string_equal(page.rows[0].plan, "free");
    assert_false(page.rows[0].has_plan);
}

static void test_list__pages_meet_without_gap_or_overlap_while_rows_come_and_go(void **state)
{
    const store_case *self = *state;
    dreamd_customer_query query = query_of(7);
    bool is_found = false;
    int seen = 0;
    put_many(self, 30, "u");
    for (listing page = list(self, &query);; page = list(self, &query)) {
        for (size_t i = 0; i < page.count; i++) {
            char expected[32];
            (void)snprintf(expected, sizeof expected, "user_%04d", 29 - seen);
            assert_string_equal(page.rows[i].customer.user_id, expected);
            seen++;
        }
        if (!page.has_more)
            break;
        go_behind(&query, &page);
        /* A newer one, and the row where the page ended, do not move what is still to come. */
        char newer[32];
        (void)snprintf(newer, sizeof newer, "newer_%d", seen);
        put(self, newer, NULL, NULL, T0 + 1000 + seen);
        assert_ok(dreamd_customer_delete(self->db, &self->project, query.after.user_id, T0, &is_found));
    }
    assert_int_equal(seen, 30);
}

static void test_list__a_full_last_page_says_that_it_is_the_last(void **state)
{
    const store_case *self = *state;
    dreamd_customer_query query = query_of(5);
    put_many(self, 5, "u");
    listing page = list(self, &query);
    assert_int_equal(page.count, 5);
    assert_false(page.has_more);
    put_many(self, 6, "u");
    assert_true(list(self, &query).has_more);
}

static void test_list__email_is_a_prefix_without_case(void **state)
{
    const store_case *self = *state;
    static const struct {
        const char *prefix;
        size_t count;
    } cases[] = {
        { "a", 2 }, { "ADA@", 1 }, { "ada@example.test", 1 }, { "ada@example.testx", 0 }, { "da", 0 }, { "a%", 0 },
        { "_", 0 }, { "z", 1 },    { "\xC3\xA9", 1 }
    };
    put(self, "user_1", "Ada@Example.test", NULL, T0);
    put(self, "user_2", "alan@example.test", "pro", T0 + 1);
    put(self, "user_3", "z@example.test", NULL, T0 + 2);
    put(self, "user_4", NULL, NULL, T0 + 3);
    put(self, "user_5", "\xC3\xA9ve@example.test", NULL, T0 + 4);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        dreamd_customer_query query = query_of(20);
        query.email_prefix = cases[i].prefix;
        if (list(self, &query).count != cases[i].count)
            fail_msg("%s: %zu", cases[i].prefix, list(self, &query).count);
    }
    dreamd_customer_query query = query_of(20);
    query.email_prefix = "a";
    query.plan = "PRO";
    listing page = list(self, &query);
    assert_int_equal(page.count, 1);
    assert_string_equal(page.rows[0].customer.user_id, "user_2");
}

/* So many that the search walks by age instead. */
static void test_list__a_common_email_prefix_gives_the_same_pages(void **state)
{
    const store_case *self = *state;
    dreamd_customer_query query = query_of(50);
    assert_ok(dreamd_db_begin(self->db));
    put_many(self, 2100, "common");
    assert_ok(dreamd_db_commit(self->db));
    put(self, "user_x", "rare@example.test", NULL, T0 + 5000);
    query.email_prefix = "COMMON";
    listing page = list(self, &query);
    assert_int_equal(page.count, 50);
    assert_true(page.has_more);
    assert_string_equal(page.rows[0].customer.user_id, "user_2099");
    go_behind(&query, &page);
    assert_string_equal(list(self, &query).rows[0].customer.user_id, "user_2049");
    query.plan = "pro";
    assert_string_equal(list(self, &query).rows[0].customer.user_id, "user_2049");
    assert_string_equal(list(self, &query).rows[1].customer.user_id, "user_2046");
}

/* Old ones that are few are found at once, however many are newer: by address. */
static void test_list__few_old_matches_fill_a_page(void **state)
{
    const store_case *self = *state;
    dreamd_customer_query query = query_of(50);
    assert_ok(dreamd_db_begin(self->db));
    put_many(self, 200, "old");
    for (int i = 0; i < DREAMD_CUSTOMER_SEEN_MAX + 10; i++) {
        char user[32];
        (void)snprintf(user, sizeof user, "newer_%d", i);
        put(self, user, "new@example.test", NULL, T0 + 10000 + i);
    }
    assert_ok(dreamd_db_commit(self->db));
    query.email_prefix = "Old";
    for (int first = 199; first > 0; first -= 50) {
        listing page = list(self, &query);
        assert_int_equal(page.count, 50);
        assert_int_equal(page.has_more, first > 49);
        assert_int_equal(page.rows[0].customer.created_at_ms, T0 + first);
        go_behind(&query, &page);
    }
}

/* However many do not match: a page looks at so many customers and no more, and says where to go on. */
static void test_list__a_page_that_looked_far_ends_early_and_none_is_missed(void **state)
{
    const store_case *self = *state;
    dreamd_customer_query query = query_of(50);
    int pages = 0;
    int seen = 0;
    assert_ok(dreamd_db_begin(self->db));
    put_many(self, 5100, "old");
    for (int i = 0; i < 2 * DREAMD_CUSTOMER_SEEN_MAX; i++) {
        char user[32];
        (void)snprintf(user, sizeof user, "newer_%d", i);
        put(self, user, i % 2 ? "new@example.test" : NULL, "pro", T0 + 10000 + i / 3);
    }
    assert_ok(dreamd_db_commit(self->db));
    query.email_prefix = "OLD";
    for (;;) {
        listing page = list(self, &query);
        go_behind(&query, &page);
        pages++;
        for (size_t i = 0; i < page.count; i++) {
            char expected[32];
            (void)snprintf(expected, sizeof expected, "user_%04d", 5099 - seen++);
            assert_string_equal(page.rows[i].customer.user_id, expected);
        }
        if (pages <= 2)
            assert_true(page.count == 0 && page.has_more);
        if (!page.has_more)
            break;
    }
    assert_int_equal(seen, 5100);
    assert_int_equal(pages, 2 + 5100 / 50);
    query = query_of(50);
    query.email_prefix = "old";
    query.plan = "pro";
    assert_int_equal(list(self, &query).count, 0);
    assert_true(list(self, &query).has_more);
}

static void test_list__plan_is_the_one_that_counts_now(void **state)
{
    const store_case *self = *state;
    dreamd_customer_query query = query_of(20);
    put(self, "user_1", NULL, "free", T0);
    put(self, "user_2", NULL, "Pro", T0 + 1);
    subscribe(self, "user_1", "sub_1", "Pro", "active");
    subscribe(self, "user_2", "sub_2", "enterprise", "canceled");
    query.plan = "pro";
    listing page = list(self, &query);
    assert_int_equal(page.count, 1);
    assert_string_equal(page.rows[0].customer.user_id, "user_1");
    assert_string_equal(page.rows[0].plan, "Pro");
    assert_true(page.rows[0].has_subscription);
    query.plan = "free";
    assert_int_equal(list(self, &query).count, 1);
    subscribe(self, "user_1", "sub_1", "Pro", "past_due");
    query.plan = "pro";
    assert_int_equal(list(self, &query).count, 0);
    bool is_found = false;
    assert_ok(dreamd_customer_set_plan(self->db, &self->project, "user_2", "PRO", T0, &is_found));
    assert_int_equal(list(self, &query).count, 1);
    assert_int_equal(violations_of(self->db, T0), 0);
}

static void test_list__rows_carry_the_running_count_alone(void **state)
{
    const store_case *self = *state;
    dreamd_customer_query query = query_of(20);
    dreamd_usage_request request = request_of(self, "user_1", T0);
    (void)admit(self, &request);
    listing page = list(self, &query);
    assert_true(page.rows[0].has_period);
    assert_int_equal(page.rows[0].usage.used, 1);
    query.now_ms = T0 + 30 * DAY;
    page = list(self, &query);
    assert_false(page.rows[0].has_period);
    assert_int_equal(page.rows[0].usage.used, 0);
}

static void test_list__shows_neither_deleted_ones_nor_other_projects(void **state)
{
    const store_case *self = *state;
    dreamd_customer_query query = query_of(20);
    dreamd_project other = self->project;
    bool is_found = false;
    memcpy(other.project_id, "prj_2", 6);
    assert_ok(dreamd_project_insert(self->db, &other, T0));
    put(self, "user_1", "a@example.test", NULL, T0);
    put(self, "user_2", "b@example.test", NULL, T0);
    dreamd_customer foreign = { .user_id = "user_3" };
    assert_ok(dreamd_customer_put(self->db, &other, &foreign, T0));
    assert_ok(dreamd_customer_delete(self->db, &self->project, "user_1", T0, &is_found));
    listing page = list(self, &query);
    assert_int_equal(page.count, 1);
    assert_string_equal(page.rows[0].customer.user_id, "user_2");
}

static void test_list__refuses_a_page_out_of_bounds(void **state)
{
    const store_case *self = *state;
    static const size_t bad[] = { 0, DREAMD_CUSTOMER_PAGE_MAX + 1 };
    for (size_t i = 0; i < 2; i++) {
        listing out;
        dreamd_customer_query query = query_of(bad[i]);
        assert_int_equal(
            dreamd_customer_list(self->db, &self->project, &query, self->arena, &out.rows, &out.count, &out.next),
            DREAMD_DB_CONFLICT);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, store_case_setup, store_case_teardown)
    static const struct CMUnitTest tests[] = {
        TEST(test_list__an_empty_project_has_an_empty_page),
        TEST(test_list__newest_come_first_and_ids_settle_ties),
        TEST(test_list__pages_meet_without_gap_or_overlap_while_rows_come_and_go),
        TEST(test_list__a_full_last_page_says_that_it_is_the_last),
        TEST(test_list__email_is_a_prefix_without_case),
        TEST(test_list__a_common_email_prefix_gives_the_same_pages),
        TEST(test_list__few_old_matches_fill_a_page),
        TEST(test_list__a_page_that_looked_far_ends_early_and_none_is_missed),
        TEST(test_list__plan_is_the_one_that_counts_now),
        TEST(test_list__rows_carry_the_running_count_alone),
        TEST(test_list__shows_neither_deleted_ones_nor_other_projects),
        TEST(test_list__refuses_a_page_out_of_bounds),
    };
    return cmocka_run_group_tests_name("store customer list", tests, NULL, NULL);
}
