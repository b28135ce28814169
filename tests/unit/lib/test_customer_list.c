/* SPDX-License-Identifier: Apache-2.0 */
/* test_customer_list.c - pages of customers, one by one and as a walk; only where the server announces them. */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"

#define ANNOUNCED "{\"status\":\"ok\",\"extensions\":[\"customer-list\"]}"
#define PAGE(ids, cursor) "{\"customers\":[" ids "],\"nextCursor\":" cursor "}"
#define ID(id) "{\"id\":\"" id "\"}"

static const char path[] = "/api/customers";

static const char *sent_query(fixture *f, size_t index)
{
    const char *url = dreamapi_test_request_url(fixture_request(f, path, index));
    const char *query = strchr(url, '?');

    return query == NULL ? "" : query;
}

static void test_customer_list__a_page(void **state)
{
    static const char body[] = "{\"customers\":[{\"id\":\"user_2\",\"email\":\"b@example.test\",\"firstName\":\"Bob\","
                               "\"lastName\":null,\"plan\":\"pro\","
                               "\"status\":\"active\",\"publishableKey\":\"pk_1\",\"createdAt\":1767225610000,"
                               "\"usage\":{\"count\":3,\"limit\":\"unlimited\","
                               "\"periodStart\":null}},{\"id\":\"user_1\"}],\"nextCursor\":\"c1\"}";
    fixture *f = *state;
    dreamapi_customer_list_params params = DREAMAPI_CUSTOMER_LIST_PARAMS_INIT;
    dreamapi_customers *customers = NULL;
    const dreamapi_customer *customer;

    params.limit = 2;
    params.cursor = "a/b=";
    params.email = "b+x@";
    params.plan = "pro";
    fixture_extensions(f, ANNOUNCED);
    fixture_answer(f, path, 200, NULL, body);
    fixture_expect(f, dreamapi_customer_list(f->client, &params, NULL, &customers, &f->error), DREAMAPI_OK);
    assert_string_equal(sent_query(f, 0), "?limit=2&cursor=a%2Fb%3D&email=b%2Bx%40&plan=pro");
    assert_string_equal(dreamapi_test_request_method(fixture_request(f, path, 0)), "GET");
    assert_int_equal(dreamapi_customers_count(customers), 2);
    assert_string_equal(dreamapi_customers_next_cursor(customers), "c1");
    assert_string_equal(dreamapi_customers_json(customers), body);
    customer = dreamapi_customers_at(customers, 0);
    assert_string_equal(dreamapi_customer_id(customer), "user_2");
    assert_string_equal(dreamapi_customer_email(customer), "b@example.test");
    assert_string_equal(dreamapi_customer_first_name(customer), "Bob");
    assert_null(dreamapi_customer_last_name(customer));
    assert_string_equal(dreamapi_customer_plan(customer), "pro");
    assert_string_equal(dreamapi_customer_status(customer), "active");
    assert_string_equal(dreamapi_customer_publishable_key(customer), "pk_1");
    assert_int_equal(dreamapi_customer_created_at(customer), INT64_C(1767225610000));
    assert_int_equal(dreamapi_customer_usage_count(customer), 3);
    assert_int_equal(dreamapi_customer_usage_limit(customer), DREAMAPI_UNLIMITED);
    assert_null(dreamapi_customer_message(customer));
    assert_int_equal(dreamapi_customer_success(customer), 1);
    assert_null(dreamapi_customer_json(customer));
    customer = dreamapi_customers_at(customers, 1);
    assert_null(dreamapi_customer_status(customer));
    assert_int_equal(dreamapi_customer_usage_count(customer), -1);
    assert_int_equal(dreamapi_customer_usage_limit(customer), -1);
    assert_null(dreamapi_customers_at(customers, 2));
    dreamapi_customers_free(customers);
}

static void test_customer_list__without_the_extension_nothing_is_sent(void **state)
{
    fixture *f = *state;
    dreamapi_customers *customers = (dreamapi_customers *)1;

    fixture_extensions(f, ALL_EXTENSIONS);
    fixture_expect(f, dreamapi_customer_list(f->client, NULL, NULL, &customers, &f->error), DREAMAPI_UNSUPPORTED);
    assert_null(customers);
    assert_int_equal(f->error.local, 1);
    assert_int_equal(f->error.retriable, 0);
    assert_non_null(strstr(f->error.message, "customer-list"));
    assert_int_equal(fixture_count(f, path), 0);
}

static void test_customer_list__a_silent_server_is_not_one_without_the_extension(void **state)
{
    fixture *f = *state;

    dreamapi_client_free(f->client);
    dreamapi_options_set_max_retries(f->options, 0);
    fixture_make_client(f);
    fixture_fail(f, "/health", DREAMAPI_FAILURE_CONNECT, 0);
    fixture_expect(f, dreamapi_customer_list(f->client, NULL, NULL, NULL, &f->error), DREAMAPI_UNAVAILABLE);
    assert_non_null(strstr(f->error.message, "lists customers"));
    assert_int_equal(fixture_count(f, path), 0);
    /* Asked again at once, since the call cannot do without. */
    fixture_extensions(f, ANNOUNCED);
    fixture_answer(f, path, 200, NULL, PAGE("", "null"));
    fixture_expect(f, dreamapi_customer_list(f->client, NULL, NULL, NULL, &f->error), DREAMAPI_OK);
    assert_string_equal(sent_query(f, 0), "");
}

static void test_customer_list__bad_parameters_send_nothing(void **state)
{
    fixture *f = *state;

    fixture_extensions(f, ANNOUNCED);
    for (int row = 0; row < 4; row++) {
        dreamapi_customer_list_params params = DREAMAPI_CUSTOMER_LIST_PARAMS_INIT;
        params.limit = row == 0 ? -1 : 0;
        params.cursor = row == 1 ? "a\n" : NULL;
        params.email = row == 2 ? "\xff" : NULL;
        params.plan = row == 3 ? "\x7f" : NULL;
        assert_int_equal(dreamapi_customer_list(f->client, &params, NULL, NULL, &f->error), DREAMAPI_INVALID);
        assert_int_equal(f->error.local, 1);
    }
    assert_int_equal(dreamapi_test_transport_request_count(f->transport), 0);
}

static void test_customer_list__a_page_is_taken_out_of_a_started_call(void **state)
{
    fixture *f = *state;
    dreamapi_call *call = NULL;
    dreamapi_customers *customers = NULL;
    dreamapi_customer *customer = NULL;

    fixture_extensions(f, ANNOUNCED);
    fixture_answer(f, path, 200, NULL, PAGE(ID("u"), "null"));
    assert_int_equal(dreamapi_customer_list_start(f->client, NULL, NULL, &call, NULL), DREAMAPI_OK);
    assert_int_equal(dreamapi_call_wait(call, -1, NULL), DREAMAPI_OK);
    assert_int_equal(dreamapi_customer_result(call, &customer, NULL), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_customers_result(call, &customers, NULL), DREAMAPI_OK);
    dreamapi_call_free(call);
    assert_null(dreamapi_customers_next_cursor(customers));
    dreamapi_customers_free(customers);
}

/* ---- a walk ---- */

static dreamapi_customer_pages *open_pages(fixture *f, const dreamapi_customer_list_params *params)
{
    dreamapi_customer_pages *pages = NULL;

    fixture_extensions(f, ANNOUNCED);
    fixture_expect(f, dreamapi_customer_pages_open(f->client, params, NULL, &pages, &f->error), DREAMAPI_OK);
    return pages;
}

static void test_customer_list__a_walk_reads_every_page_once(void **state)
{
    fixture *f = *state;
    dreamapi_customer_list_params params = DREAMAPI_CUSTOMER_LIST_PARAMS_INIT;
    dreamapi_customer_pages *pages;
    dreamapi_customers *page = NULL;
    char plan[] = "pro", seen[64] = "";

    params.limit = 2;
    params.plan = plan;
    fixture_answer(f, path, 200, NULL, PAGE(ID("a") "," ID("b"), "\"c1\""));
    fixture_answer(f, path, 200, NULL, PAGE("", "\"c2\""));
    fixture_answer(f, path, 200, NULL, PAGE(ID("c"), "null"));
    pages = open_pages(f, &params);
    memset(plan, 'x', 3); /* it was copied */
    assert_int_equal(fixture_count(f, path), 0);
    for (;;) {
        fixture_expect(f, dreamapi_customer_pages_next(pages, &page, &f->error), DREAMAPI_OK);
        if (page == NULL)
            break;
        for (size_t i = 0; i < dreamapi_customers_count(page); i++)
            (void)strcat(seen, dreamapi_customer_id(dreamapi_customers_at(page, i)));
        dreamapi_customers_free(page);
    }
    assert_string_equal(seen, "abc");
    assert_int_equal(fixture_count(f, path), 3);
    assert_string_equal(sent_query(f, 0), "?limit=2&plan=pro");
    assert_string_equal(sent_query(f, 1), "?limit=2&cursor=c1&plan=pro");
    assert_string_equal(sent_query(f, 2), "?limit=2&cursor=c2&plan=pro");
    /* It stays over. */
    fixture_expect(f, dreamapi_customer_pages_next(pages, &page, &f->error), DREAMAPI_OK);
    assert_null(page);
    dreamapi_customer_pages_close(pages);
}

static void test_customer_list__a_page_that_failed_may_be_asked_for_again(void **state)
{
    fixture *f = *state;
    dreamapi_customer_pages *pages = open_pages(f, NULL);
    dreamapi_customers *page = NULL;

    fixture_answer(f, path, 200, NULL, PAGE(ID("a"), "\"c1\""));
    fixture_answer(f, path, 400, NULL, "{\"error\":\"x\"}");
    fixture_answer(f, path, 200, NULL, PAGE(ID("b"), "null"));
    fixture_expect(f, dreamapi_customer_pages_next(pages, &page, &f->error), DREAMAPI_OK);
    dreamapi_customers_free(page);
    assert_int_equal(dreamapi_customer_pages_next(pages, &page, &f->error), DREAMAPI_INVALID);
    assert_null(page);
    fixture_expect(f, dreamapi_customer_pages_next(pages, &page, &f->error), DREAMAPI_OK);
    assert_string_equal(dreamapi_customer_id(dreamapi_customers_at(page, 0)), "b");
    assert_string_equal(sent_query(f, 2), "?cursor=c1");
    dreamapi_customers_free(page);
    dreamapi_customer_pages_close(pages);
}

static void test_customer_list__a_cursor_that_does_not_move_ends_no_walk_in_a_circle(void **state)
{
    fixture *f = *state;
    dreamapi_customer_pages *pages = open_pages(f, NULL);
    dreamapi_customers *page = NULL;

    fixture_answer(f, path, 200, NULL, PAGE(ID("a"), "\"c1\""));
    fixture_answer(f, path, 200, NULL, PAGE(ID("a"), "\"c1\""));
    fixture_expect(f, dreamapi_customer_pages_next(pages, &page, &f->error), DREAMAPI_OK);
    dreamapi_customers_free(page);
    assert_int_equal(dreamapi_customer_pages_next(pages, &page, &f->error), DREAMAPI_PROTOCOL);
    assert_null(page);
    dreamapi_customer_pages_close(pages);
}

static void test_customer_list__a_walk_outlives_its_client_and_sends_nothing_more(void **state)
{
    fixture *f = *state;
    dreamapi_customer_pages *pages = open_pages(f, NULL);
    dreamapi_customers *page = NULL;

    dreamapi_client_free(f->client);
    f->client = NULL;
    assert_int_equal(dreamapi_customer_pages_next(pages, &page, &f->error), DREAMAPI_CANCELLED);
    assert_int_equal(dreamapi_test_transport_request_count(f->transport), 0);
    dreamapi_customer_pages_close(pages);
}

static void test_customer_list__in_a_forked_child_a_walk_can_only_be_closed(void **state)
{
    fixture *f = *state;
    dreamapi_customer_pages *pages = open_pages(f, NULL);
    dreamapi_customers *page = NULL;
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        dreamapi_status got = dreamapi_customer_pages_next(pages, &page, NULL);
        dreamapi_customer_pages_close(pages);
        _exit(got == DREAMAPI_FORKED ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    dreamapi_customer_pages_close(pages);
}

static void test_customer_list__a_walk_wants_a_client_and_good_sizes(void **state)
{
    fixture *f = *state;
    dreamapi_customer_list_params params = DREAMAPI_CUSTOMER_LIST_PARAMS_INIT;
    dreamapi_customer_pages *pages = (dreamapi_customer_pages *)1;
    dreamapi_customers *page = NULL;

    assert_int_equal(dreamapi_customer_pages_open(NULL, NULL, NULL, &pages, &f->error), DREAMAPI_INVALID);
    assert_null(pages);
    assert_int_equal(dreamapi_customer_pages_open(f->client, NULL, NULL, NULL, &f->error), DREAMAPI_INVALID);
    params.struct_size = 0;
    assert_int_equal(dreamapi_customer_pages_open(f->client, &params, NULL, &pages, &f->error), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_customer_pages_next(NULL, &page, &f->error), DREAMAPI_INVALID);
    dreamapi_customer_pages_close(NULL);
}

/* ---- answers ---- */

static void test_customer_list__an_answer_that_breaks_the_contract_is_a_protocol_error(void **state)
{
    static const char *const bodies[] = {
        "{}",
        "{\"customers\":{}}",
        "{\"customers\":[1]}",
        "{\"customers\":[{}]}",
        "{\"customers\":[{\"id\":1}]}",
        "{\"customers\":[{\"id\":\"u\",\"usage\":{\"count\":\"1\"}}]}",
        "{\"customers\":[{\"id\":\"u\",\"usage\":{\"limit\":-1}}]}",
        "{\"customers\":[],\"nextCursor\":5}",
        "{\"customers\":[],\"nextCursor\":\"\"}",
    };
    fixture *f = *state;

    fixture_extensions(f, ANNOUNCED);
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        fixture_answer(f, path, 200, NULL, bodies[i]);
        fixture_expect(f, dreamapi_customer_list(f->client, NULL, NULL, NULL, &f->error), DREAMAPI_PROTOCOL);
    }
    assert_int_equal(fixture_count(f, path), sizeof(bodies) / sizeof(bodies[0]));
}

static void test_customer_list__accessors_take_null(void **state)
{
    (void)state;
    assert_int_equal(dreamapi_customers_count(NULL), 0);
    assert_null(dreamapi_customers_at(NULL, 0));
    assert_null(dreamapi_customers_next_cursor(NULL));
    assert_null(dreamapi_customers_json(NULL));
    dreamapi_customers_free(NULL);
    assert_null(dreamapi_customer_status(NULL));
    assert_int_equal(dreamapi_customer_usage_count(NULL), -1);
    assert_int_equal(dreamapi_customer_usage_limit(NULL), -1);
}

#define WITH(name) cmocka_unit_test_setup_teardown(name, fixture_set_up_client, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(test_customer_list__a_page),
        WITH(test_customer_list__without_the_extension_nothing_is_sent),
        WITH(test_customer_list__a_silent_server_is_not_one_without_the_extension),
        WITH(test_customer_list__bad_parameters_send_nothing),
        WITH(test_customer_list__a_page_is_taken_out_of_a_started_call),
        WITH(test_customer_list__a_walk_reads_every_page_once),
        WITH(test_customer_list__a_page_that_failed_may_be_asked_for_again),
        WITH(test_customer_list__a_cursor_that_does_not_move_ends_no_walk_in_a_circle),
        WITH(test_customer_list__a_walk_outlives_its_client_and_sends_nothing_more),
        WITH(test_customer_list__in_a_forked_child_a_walk_can_only_be_closed),
        WITH(test_customer_list__a_walk_wants_a_client_and_good_sizes),
        WITH(test_customer_list__an_answer_that_breaks_the_contract_is_a_protocol_error),
        cmocka_unit_test(test_customer_list__accessors_take_null),
    };
    return cmocka_run_group_tests_name("customer_list", tests, NULL, NULL);
}
