/* SPDX-License-Identifier: Apache-2.0 */
/* test_call.c - starting, waiting, fetching, cancelling and freeing, with the
 * client's own thread and without, in any order and from several threads at once. */
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "fixture.h"
#include "support/instant.h"

/* Real time: what must happen soon is waited for this long, and then the test fails. */
enum { SOON_MS = 10000, THREADS = 4, CALLS_A_THREAD = 50 };

static dreamapi_call *start_get(fixture *f)
{
    dreamapi_call *call = NULL;

    fixture_expect(f, dreamapi_customer_get_start(f->client, "user_1", NULL, &call, &f->error), DREAMAPI_OK);
    assert_non_null(call);
    return call;
}

static bool is_readable(int fd, int timeout_ms)
{
    struct pollfd poll_fd = { fd, POLLIN, 0 };

    return poll(&poll_fd, 1, timeout_ms) == 1;
}

static int set_up_threaded(void **state)
{
    fixture *f;

    (void)fixture_set_up(state);
    f = *state;
    dreamapi_options_set_threads(f->options, 1);
    fixture_make_client(f);
    return 0;
}

/* Real time, so that an answer that never comes stays under way. */
static int set_up_threaded_real(void **state)
{
    fixture *f;

    (void)fixture_set_up(state);
    f = *state;
    dreamapi_options_set_threads(f->options, 1);
    dreamapi_options_set_clock(f->options, NULL);
    fixture_make_client(f);
    return 0;
}

static int set_up_real(void **state)
{
    fixture *f;

    (void)fixture_set_up(state);
    f = *state;
    dreamapi_options_set_clock(f->options, NULL);
    fixture_make_client(f);
    return 0;
}

/* ---- with a thread ---- */

static void test_call__a_started_call_is_handed_out_once(void **state)
{
    fixture *f = *state;
    dreamapi_call *call;
    dreamapi_customer *customer = NULL;

    fixture_answer(f, NULL, 200, NULL, CUSTOMER);
    assert_false(is_readable(dreamapi_client_fd(f->client), 0));
    call = start_get(f);
    assert_true(is_readable(dreamapi_client_fd(f->client), SOON_MS));
    assert_ptr_equal(dreamapi_client_next(f->client), call);
    assert_null(dreamapi_client_next(f->client));
    assert_false(is_readable(dreamapi_client_fd(f->client), 0));
    assert_int_equal(dreamapi_call_result(call, &f->error), DREAMAPI_OK);
    assert_int_equal(dreamapi_customer_result(call, &customer, &f->error), DREAMAPI_OK);
    assert_string_equal(dreamapi_customer_id(customer), "user_1");
    assert_string_equal(dreamapi_call_json(call), CUSTOMER);
    dreamapi_call_free(call);
    assert_string_equal(dreamapi_customer_email(customer), "a@example.test");
    dreamapi_customer_free(customer);
}

static void test_call__one_that_was_waited_for_is_not_handed_out(void **state)
{
    fixture *f = *state;
    dreamapi_call *call;

    fixture_answer(f, NULL, 200, NULL, CUSTOMER);
    call = start_get(f);
    fixture_expect(f, dreamapi_call_wait(call, -1, &f->error), DREAMAPI_OK);
    assert_null(dreamapi_client_next(f->client));
    assert_false(is_readable(dreamapi_client_fd(f->client), 0));
    dreamapi_call_free(call);
}

static void test_call__one_that_was_freed_is_not_handed_out(void **state)
{
    fixture *f = *state;
    dreamapi_call *call;

    fixture_answer(f, NULL, 200, NULL, CUSTOMER);
    call = start_get(f);
    assert_true(is_readable(dreamapi_client_fd(f->client), SOON_MS));
    dreamapi_call_free(call);
    assert_null(dreamapi_client_next(f->client));
    assert_false(is_readable(dreamapi_client_fd(f->client), 0));
}

static void test_call__blocking_ones_are_not_handed_out(void **state)
{
    fixture *f = *state;

    fixture_answer(f, NULL, 200, NULL, CUSTOMER);
    fixture_expect(f, dreamapi_customer_get(f->client, "user_1", NULL, NULL, &f->error), DREAMAPI_OK);
    assert_null(dreamapi_client_next(f->client));
}

static void test_call__is_pending_until_it_is_finished(void **state)
{
    fixture *f = *state;
    dreamapi_call *call;
    dreamapi_customer *customer = (dreamapi_customer *)f;

    fixture_never(f, NULL);
    call = start_get(f);
    assert_int_equal(dreamapi_call_result(call, &f->error), DREAMAPI_PENDING);
    assert_int_equal(f->error.status, DREAMAPI_PENDING);
    assert_int_equal(dreamapi_call_wait(call, 0, NULL), DREAMAPI_PENDING);
    assert_int_equal(dreamapi_call_wait(call, 5, NULL), DREAMAPI_PENDING);
    assert_int_equal(dreamapi_customer_result(call, &customer, &f->error), DREAMAPI_PENDING);
    assert_null(customer);
    assert_null(dreamapi_call_json(call));
    assert_null(dreamapi_client_next(f->client));
    dreamapi_call_cancel(call);
    assert_int_equal(dreamapi_call_wait(call, INT64_MAX, &f->error), DREAMAPI_CANCELLED);
    assert_null(dreamapi_call_json(call));
    dreamapi_call_free(call);
}

static void test_call__its_object_is_taken_once_and_by_the_right_name(void **state)
{
    fixture *f = *state;
    dreamapi_call *call;
    dreamapi_customer *customer = NULL;
    dreamapi_usage *usage = (dreamapi_usage *)f;

    fixture_answer(f, NULL, 200, NULL, CUSTOMER);
    call = start_get(f);
    fixture_expect(f, dreamapi_call_wait(call, -1, &f->error), DREAMAPI_OK);
    assert_int_equal(dreamapi_usage_result(call, &usage, &f->error), DREAMAPI_INVALID);
    assert_null(usage);
    assert_int_equal(dreamapi_customer_result(call, NULL, &f->error), DREAMAPI_OK);
    assert_int_equal(dreamapi_customer_result(call, &customer, &f->error), DREAMAPI_OK);
    assert_non_null(customer);
    dreamapi_customer_free(customer);
    assert_int_equal(dreamapi_customer_result(call, &customer, &f->error), DREAMAPI_INVALID);
    assert_null(customer);
    dreamapi_call_free(call);
}

static void test_call__keeps_the_body_of_an_error(void **state)
{
    fixture *f = *state;
    dreamapi_call *call;

    fixture_answer(f, NULL, 404, NULL, "{\"error\":\"Not found\",\"extra\":1}");
    call = start_get(f);
    assert_int_equal(dreamapi_call_wait(call, -1, &f->error), DREAMAPI_NOT_FOUND);
    assert_string_equal(dreamapi_call_json(call), "{\"error\":\"Not found\",\"extra\":1}");
    dreamapi_call_free(call);
}

static void test_call__knows_its_key_and_carries_user_data(void **state)
{
    fixture *f = *state;
    dreamapi_customer_params params = DREAMAPI_CUSTOMER_PARAMS_INIT;
    dreamapi_call *call = NULL;

    params.email = "a@example.test";
    fixture_answer(f, NULL, 201, NULL, CUSTOMER);
    fixture_expect(f, dreamapi_customer_create_start(f->client, &params, NULL, &call, &f->error), DREAMAPI_OK);
    assert_null(dreamapi_call_user_data(call));
    dreamapi_call_set_user_data(call, f);
    assert_ptr_equal(dreamapi_call_user_data(call), f);
    fixture_expect(f, dreamapi_call_wait(call, -1, &f->error), DREAMAPI_OK);
    assert_string_equal(dreamapi_call_idempotency_key(call), fixture_header(f, "/api/customers", 0, "Idempotency-Key"));
    dreamapi_call_free(call);
}

static void test_call__null_is_taken_everywhere(void **state)
{
    dreamapi_error error;
    dreamapi_customer *customer;

    (void)state;
    assert_int_equal(dreamapi_call_wait(NULL, -1, &error), DREAMAPI_INVALID);
    assert_int_equal(error.status, DREAMAPI_INVALID);
    assert_int_equal(dreamapi_call_result(NULL, NULL), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_customer_result(NULL, &customer, NULL), DREAMAPI_INVALID);
    assert_null(dreamapi_call_json(NULL));
    assert_null(dreamapi_call_idempotency_key(NULL));
    assert_null(dreamapi_call_user_data(NULL));
    dreamapi_call_set_user_data(NULL, NULL);
    dreamapi_call_cancel(NULL);
    dreamapi_call_free(NULL);
    dreamapi_client_free(NULL);
    assert_null(dreamapi_client_next(NULL));
    assert_int_equal(dreamapi_client_fd(NULL), -1);
    assert_int_equal(dreamapi_client_perform(NULL), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_client_timeout_ms(NULL), -1);
    assert_int_equal(dreamapi_customer_get(NULL, "x", NULL, NULL, &error), DREAMAPI_INVALID);
}

static void test_call__start_needs_a_place_for_the_call(void **state)
{
    fixture *f = *state;

    assert_int_equal(dreamapi_customer_get_start(f->client, "user_1", NULL, NULL, &f->error), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_client_new(f->options, NULL, &f->error), DREAMAPI_INVALID);
}

static void test_call__the_host_is_told_nothing_to_do_when_a_thread_does_it(void **state)
{
    fixture *f = *state;
    dreamapi_call *call;

    fixture_never(f, NULL);
    call = start_get(f);
    assert_int_equal(dreamapi_client_perform(f->client), DREAMAPI_OK);
    assert_int_equal(dreamapi_client_timeout_ms(f->client), -1);
    dreamapi_call_free(call);
}

/* ---- cancelling, phase by phase ---- */

static bool wait_for_requests(const fixture *f, const char *path, size_t count)
{
    struct timespec tick = { 0, 1000000 };

    for (int i = 0; i < SOON_MS; i++) {
        if (fixture_count(f, path) >= count)
            return true;
        nanosleep(&tick, NULL);
    }
    return false;
}

static void test_call__cancelled_while_its_request_is_under_way(void **state)
{
    fixture *f = *state;
    dreamapi_call *call;

    fixture_never(f, NULL);
    call = start_get(f);
    assert_true(wait_for_requests(f, "user_1", 1));
    dreamapi_call_cancel(call);
    dreamapi_call_cancel(call);
    assert_int_equal(dreamapi_call_wait(call, SOON_MS, &f->error), DREAMAPI_CANCELLED);
    assert_int_equal(f->error.retriable, 1);
    dreamapi_call_free(call);
}

static void test_call__a_cancelled_post_says_that_it_may_have_been_carried_out(void **state)
{
    fixture *f = *state;
    dreamapi_customer_params params = DREAMAPI_CUSTOMER_PARAMS_INIT;
    dreamapi_call *call;

    params.email = "a@example.test";
    fixture_never(f, NULL);
    fixture_expect(f, dreamapi_customer_create_start(f->client, &params, NULL, &call, &f->error), DREAMAPI_OK);
    assert_true(wait_for_requests(f, "/api/customers", 1));
    dreamapi_call_cancel(call);
    assert_int_equal(dreamapi_call_wait(call, SOON_MS, &f->error), DREAMAPI_CANCELLED);
    assert_int_equal(f->error.retriable, 0);
    assert_non_null(strstr(f->error.message, "may have been carried out"));
    dreamapi_call_free(call);
}

static void test_call__cancelled_while_it_waits_for_the_health_page(void **state)
{
    fixture *f = *state;
    dreamapi_customer_params params = DREAMAPI_CUSTOMER_PARAMS_INIT;
    dreamapi_call *call;

    params.email = "a@example.test";
    fixture_never(f, "/health");
    fixture_expect(f, dreamapi_customer_create_start(f->client, &params, NULL, &call, &f->error), DREAMAPI_OK);
    assert_true(wait_for_requests(f, "/health", 1));
    dreamapi_call_cancel(call);
    assert_int_equal(dreamapi_call_wait(call, SOON_MS, &f->error), DREAMAPI_CANCELLED);
    assert_int_equal(f->error.retriable, 1);
    assert_int_equal(fixture_count(f, "/api/customers"), 0);
    dreamapi_call_free(call);
}

static void test_call__cancelled_while_it_pauses_before_a_retry(void **state)
{
    fixture *f = *state;
    dreamapi_call *call;

    fixture_answer(f, NULL, 503, "Retry-After: 20", "{}");
    call = start_get(f);
    assert_true(wait_for_requests(f, "user_1", 1));
    assert_int_equal(dreamapi_call_wait(call, 20, NULL), DREAMAPI_PENDING);
    dreamapi_call_cancel(call);
    assert_int_equal(dreamapi_call_wait(call, SOON_MS, &f->error), DREAMAPI_CANCELLED);
    dreamapi_call_free(call);
}

static void test_call__cancelled_before_anybody_looked_at_it(void **state)
{
    fixture *f = *state;
    dreamapi_call *call = start_get(f); /* no thread: it lies in the inbox */

    dreamapi_call_cancel(call);
    assert_int_equal(dreamapi_call_wait(call, SOON_MS, &f->error), DREAMAPI_CANCELLED);
    assert_int_equal(dreamapi_test_transport_request_count(f->transport), 0);
    dreamapi_call_free(call);
}

static void test_call__cancelling_a_finished_one_changes_nothing(void **state)
{
    fixture *f = *state;
    dreamapi_call *call;

    fixture_answer(f, NULL, 200, NULL, CUSTOMER);
    call = start_get(f);
    fixture_expect(f, dreamapi_call_wait(call, -1, &f->error), DREAMAPI_OK);
    dreamapi_call_cancel(call);
    assert_int_equal(dreamapi_call_result(call, NULL), DREAMAPI_OK);
    dreamapi_call_free(call);
}

/* A transport whose exchanges end within start, when somebody cancels the call at that very moment. */
struct hasty {
    dreamapi_call *call;
    int cancels;
};

static dreamapi_status end_in_start(void *instance, dreamapi_exchange *exchange)
{
    dreamapi_exchange_fail(exchange, DREAMAPI_FAILURE_RESET, 1, "at once");
    dreamapi_call_cancel(((struct hasty *)instance)->call);
    return DREAMAPI_OK;
}

static int count_cancel(void *instance, dreamapi_exchange *exchange)
{
    (void)exchange;
    ((struct hasty *)instance)->cancels++;
    return 1;
}

static void test_call__cancelled_after_its_exchange_ended_unseen(void **state)
{
    fixture *f = *state;
    struct hasty hasty = { NULL, 0 };
    dreamapi_transport transport = instant_transport(&hasty, end_in_start);

    transport.cancel = count_cancel;
    dreamapi_options_set_transport(f->options, &transport);
    fixture_make_client(f);
    hasty.call = start_get(f);
    assert_int_equal(dreamapi_client_perform(f->client), DREAMAPI_OK);
    assert_int_equal(dreamapi_call_result(hasty.call, NULL), DREAMAPI_CANCELLED);
    assert_int_equal(hasty.cancels, 0); /* the exchange was not the transport's any more */
    dreamapi_call_free(hasty.call);
}

/* ---- any order of freeing ---- */

static void test_call__outlives_its_client(void **state)
{
    fixture *f = *state;
    dreamapi_call *finished;
    dreamapi_call *listed;
    dreamapi_call *under_way;
    dreamapi_customer *customer = NULL;

    fixture_answer(f, NULL, 200, NULL, CUSTOMER);
    finished = start_get(f);
    fixture_expect(f, dreamapi_call_wait(finished, -1, &f->error), DREAMAPI_OK);
    fixture_answer(f, NULL, 200, NULL, CUSTOMER);
    listed = start_get(f);
    assert_true(is_readable(dreamapi_client_fd(f->client), SOON_MS));
    fixture_never(f, NULL);
    under_way = start_get(f);
    dreamapi_client_free(f->client);
    f->client = NULL;

    assert_int_equal(dreamapi_call_wait(under_way, -1, &f->error), DREAMAPI_CANCELLED);
    dreamapi_call_cancel(under_way);
    assert_int_equal(dreamapi_customer_result(finished, &customer, &f->error), DREAMAPI_OK);
    assert_int_equal(dreamapi_call_result(listed, &f->error), DREAMAPI_OK);
    dreamapi_call_free(listed);
    dreamapi_call_free(under_way);
    dreamapi_call_free(finished);
    assert_string_equal(dreamapi_customer_id(customer), "user_1");
    dreamapi_customer_free(customer);
}

static void test_call__freed_before_it_is_finished_is_cancelled(void **state)
{
    fixture *f = *state;

    fixture_never(f, NULL);
    dreamapi_call_free(start_get(f));
    dreamapi_call_free(start_get(f));
    assert_null(dreamapi_client_next(f->client));
}

static void *wait_in_thread(void *call)
{
    return (void *)(intptr_t)dreamapi_call_wait(call, -1, NULL);
}

static void test_call__waiting_threads_are_let_go_when_the_client_is_freed(void **state)
{
    fixture *f = *state;
    pthread_t threads[THREADS];
    dreamapi_call *calls[THREADS];

    for (int i = 0; i < THREADS; i++) {
        fixture_never(f, NULL);
        calls[i] = start_get(f);
        assert_int_equal(pthread_create(&threads[i], NULL, wait_in_thread, calls[i]), 0);
    }
    dreamapi_client_free(f->client);
    f->client = NULL;
    for (int i = 0; i < THREADS; i++) {
        void *status;
        pthread_join(threads[i], &status);
        assert_int_equal((intptr_t)status, DREAMAPI_CANCELLED);
        dreamapi_call_free(calls[i]);
    }
}

/* ---- many threads ---- */

static void *blocking_calls(void *data)
{
    fixture *f = data;
    intptr_t succeeded = 0;

    for (int i = 0; i < CALLS_A_THREAD; i++) {
        dreamapi_customer *customer = NULL;
        if (dreamapi_customer_get(f->client, "user_1", NULL, &customer, NULL) == DREAMAPI_OK)
            succeeded++;
        dreamapi_customer_free(customer);
    }
    return (void *)succeeded;
}

static void *mixed_calls(void *data)
{
    fixture *f = data;
    intptr_t finished = 0;

    for (int i = 0; i < CALLS_A_THREAD; i++) {
        dreamapi_call *call = NULL;
        if (dreamapi_customer_get_start(f->client, "user_1", NULL, &call, NULL) != DREAMAPI_OK)
            continue;
        if (i % 3 == 0)
            dreamapi_call_cancel(call);
        if (i % 3 != 1) {
            dreamapi_status status = dreamapi_call_wait(call, -1, NULL);
            finished += status == DREAMAPI_OK || status == DREAMAPI_CANCELLED;
        } else {
            finished++;
        }
        dreamapi_call_free(call);
    }
    return (void *)finished;
}

static void run_threads(fixture *f, void *(*function)(void *))
{
    pthread_t threads[THREADS];
    dreamapi_test_answer always = DREAMAPI_TEST_ANSWER_INIT;

    always.times = DREAMAPI_TEST_ALWAYS;
    always.body = CUSTOMER;
    assert_int_equal(dreamapi_test_transport_add(f->transport, &always), DREAMAPI_OK);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, function, f), 0);
    for (int i = 0; i < THREADS; i++) {
        void *count;
        pthread_join(threads[i], &count);
        assert_int_equal((intptr_t)count, CALLS_A_THREAD);
    }
}

static void test_call__many_threads_share_a_client(void **state)
{
    run_threads(*state, blocking_calls);
}

static void test_call__many_threads_start_cancel_and_free(void **state)
{
    run_threads(*state, mixed_calls);
    assert_null(dreamapi_client_next(((fixture *)*state)->client));
}

/* ---- threads = 0: a host's own loop ---- */

static void test_call__without_a_thread_nothing_happens_until_the_host_performs(void **state)
{
    fixture *f = *state;
    dreamapi_call *call;
    int fd = dreamapi_client_fd(f->client);

    fixture_answer(f, NULL, 200, NULL, CUSTOMER);
    assert_int_equal(dreamapi_client_timeout_ms(f->client), -1);
    assert_false(is_readable(fd, 0));
    call = start_get(f);
    assert_int_equal(dreamapi_test_transport_request_count(f->transport), 0);
    assert_true(is_readable(fd, 0));
    assert_int_equal(dreamapi_client_timeout_ms(f->client), 0);
    assert_int_equal(dreamapi_client_perform(f->client), DREAMAPI_OK);
    assert_true(is_readable(fd, 0)); /* now because of the finished call */
    assert_ptr_equal(dreamapi_client_next(f->client), call);
    assert_false(is_readable(fd, 0));
    assert_int_equal(dreamapi_client_timeout_ms(f->client), -1);
    dreamapi_call_free(call);
}

static void test_call__without_a_thread_the_host_is_told_when_to_come_back(void **state)
{
    fixture *f = *state;
    dreamapi_test_answer slow = DREAMAPI_TEST_ANSWER_INIT;
    dreamapi_call *call;

    slow.delay_ms = 250;
    slow.body = CUSTOMER;
    assert_int_equal(dreamapi_test_transport_add(f->transport, &slow), DREAMAPI_OK);
    call = start_get(f);
    assert_int_equal(dreamapi_client_perform(f->client), DREAMAPI_OK);
    assert_false(is_readable(dreamapi_client_fd(f->client), 0));
    assert_int_equal(dreamapi_client_timeout_ms(f->client), 250);
    dreamapi_test_clock_advance(f->clock, 249);
    assert_int_equal(dreamapi_client_timeout_ms(f->client), 1);
    assert_int_equal(dreamapi_client_perform(f->client), DREAMAPI_OK);
    assert_null(dreamapi_client_next(f->client));
    dreamapi_test_clock_advance(f->clock, 1);
    assert_int_equal(dreamapi_client_timeout_ms(f->client), 0);
    assert_int_equal(dreamapi_client_perform(f->client), DREAMAPI_OK);
    assert_ptr_equal(dreamapi_client_next(f->client), call);
    dreamapi_call_free(call);
}

static void test_call__without_a_thread_a_wait_drives_the_others_along(void **state)
{
    fixture *f = *state;
    dreamapi_call *first;
    dreamapi_call *second;

    fixture_answer(f, NULL, 200, NULL, CUSTOMER);
    fixture_answer(f, NULL, 404, NULL, "{}");
    first = start_get(f);
    second = start_get(f);
    assert_int_equal(dreamapi_call_wait(second, -1, NULL), DREAMAPI_NOT_FOUND);
    assert_int_equal(dreamapi_call_result(first, NULL), DREAMAPI_OK);
    assert_ptr_equal(dreamapi_client_next(f->client), first);
    dreamapi_call_free(first);
    dreamapi_call_free(second);
}

static void test_call__without_a_thread_a_wait_ends_when_its_own_time_is_over(void **state)
{
    fixture *f = *state;
    int64_t start_ms = fixture_now_ms(f);
    dreamapi_call *call;

    fixture_never(f, NULL);
    call = start_get(f);
    assert_int_equal(dreamapi_call_wait(call, 500, NULL), DREAMAPI_PENDING);
    assert_int_equal(fixture_now_ms(f) - start_ms, 500);
    assert_int_equal(dreamapi_call_wait(call, -1, NULL), DREAMAPI_TIMEOUT);
    assert_int_equal(fixture_now_ms(f) - start_ms, 30000);
    dreamapi_call_free(call);
}

#define WITH(set_up, name) cmocka_unit_test_setup_teardown(name, set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(set_up_threaded, test_call__a_started_call_is_handed_out_once),
        WITH(set_up_threaded, test_call__one_that_was_waited_for_is_not_handed_out),
        WITH(set_up_threaded, test_call__one_that_was_freed_is_not_handed_out),
        WITH(set_up_threaded, test_call__blocking_ones_are_not_handed_out),
        WITH(set_up_threaded_real, test_call__is_pending_until_it_is_finished),
        WITH(set_up_threaded, test_call__its_object_is_taken_once_and_by_the_right_name),
        WITH(set_up_threaded, test_call__keeps_the_body_of_an_error),
        WITH(set_up_threaded, test_call__knows_its_key_and_carries_user_data),
        cmocka_unit_test(test_call__null_is_taken_everywhere),
        WITH(fixture_set_up_client, test_call__start_needs_a_place_for_the_call),
        WITH(set_up_threaded_real, test_call__the_host_is_told_nothing_to_do_when_a_thread_does_it),
        WITH(set_up_threaded_real, test_call__cancelled_while_its_request_is_under_way),
        WITH(set_up_threaded_real, test_call__a_cancelled_post_says_that_it_may_have_been_carried_out),
        WITH(set_up_threaded_real, test_call__cancelled_while_it_waits_for_the_health_page),
        WITH(set_up_threaded_real, test_call__cancelled_while_it_pauses_before_a_retry),
        WITH(fixture_set_up_client, test_call__cancelled_before_anybody_looked_at_it),
        WITH(fixture_set_up_client, test_call__cancelling_a_finished_one_changes_nothing),
        WITH(fixture_set_up, test_call__cancelled_after_its_exchange_ended_unseen),
        WITH(set_up_threaded_real, test_call__outlives_its_client),
        WITH(set_up_threaded_real, test_call__freed_before_it_is_finished_is_cancelled),
        WITH(set_up_threaded_real, test_call__waiting_threads_are_let_go_when_the_client_is_freed),
        WITH(set_up_real, test_call__waiting_threads_are_let_go_when_the_client_is_freed),
        WITH(set_up_threaded, test_call__many_threads_share_a_client),
        WITH(set_up_threaded_real, test_call__many_threads_start_cancel_and_free),
        WITH(fixture_set_up_client, test_call__many_threads_share_a_client),
        WITH(set_up_real, test_call__many_threads_start_cancel_and_free),
        WITH(fixture_set_up_client, test_call__without_a_thread_nothing_happens_until_the_host_performs),
        WITH(fixture_set_up_client, test_call__without_a_thread_the_host_is_told_when_to_come_back),
        WITH(fixture_set_up_client, test_call__without_a_thread_a_wait_drives_the_others_along),
        WITH(fixture_set_up_client, test_call__without_a_thread_a_wait_ends_when_its_own_time_is_over),
    };
    return cmocka_run_group_tests_name("call", tests, NULL, NULL);
}
