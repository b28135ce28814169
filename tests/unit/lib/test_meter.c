/* SPDX-License-Identifier: Apache-2.0 */
/* test_meter.c - meters through the public interface, over the scripted transport and the virtual clock. At the other end is a
 * server of a few lines: it books and grants by what each request says, so that tests state plans and failures alone. */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "fixture.h"
#include "lib/client.h"
#include "lib/meter/metering.h"
#include "lib/settings.h"

enum { SOON_S = 60, TTL_MS = 60000, ROWS = 256 };
static const char path[] = "/api/leases";

typedef struct server_row {
    char id[40];
    int64_t granted, admitted, charged;
    bool is_over;
} server_row;

/* What the server goes by; a test changes it as it goes. */
static struct {
    fixture *f;
    int64_t limit, used, most; /* most: units of one grant */
    const char *error;         /* what wishes are refused with */
    int64_t retry_after_ms;
    const char *grant_state;
    const char *settled_state; /* of check-ins */
    const char *rate;          /* JSON */
    const char *raw;           /* the whole answer */
    const char *recall;
    int http_status;
    dreamapi_failure failure;
    bool goes_down; /* after the next answer */
    int64_t delay_ms, epoch;
    size_t row_count;
    server_row rows[ROWS];
    dreamapi_status (*start)(void *instance, dreamapi_exchange *exchange);
} server;

static server_row *row_of(const char *id)
{
    for (size_t i = 0; i < server.row_count; i++) {
        if (strcmp(server.rows[i].id, id) == 0)
            return &server.rows[i];
    }
    assert_true(server.row_count < ROWS);
    server.rows[server.row_count] = (server_row){ 0 };
    (void)snprintf(server.rows[server.row_count].id, sizeof(server.rows[0].id), "%s", id);
    return &server.rows[server.row_count++];
}

static int64_t held(void)
{
    int64_t sum = 0;

    for (size_t i = 0; i < server.row_count; i++)
        sum += server.rows[i].is_over ? 0 : server.rows[i].granted - server.rows[i].admitted;
    return sum;
}

static const char *text_of(const cJSON *item, const char *name)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(item, name));
}

static int64_t number_of(const cJSON *item, const char *name)
{
    return (int64_t)cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(item, name));
}

static bool is_true(const cJSON *item, const char *name)
{
    return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(item, name));
}

static void book(const cJSON *item, cJSON *out)
{
    server_row *row = row_of(text_of(item, "leaseId"));
    int64_t net = number_of(item, "admitted") - number_of(item, "refunded");
    bool is_final = is_true(item, "final");
    cJSON *settled = cJSON_CreateObject();

    row->admitted = number_of(item, "admitted");
    row->granted = number_of(item, "granted");
    server.used += (net > 0 ? net : 0) - row->charged;
    row->charged = net > 0 ? net : 0;
    row->is_over = row->is_over || is_final || is_true(item, "unproven");
    cJSON_AddStringToObject(settled, "leaseId", row->id);
    cJSON_AddStringToObject(settled, "state",
                            is_final                    ? "final"
                            : is_true(item, "unproven") ? "unproven"
                                                        : server.settled_state);
    cJSON_AddItemToArray(out, settled);
}

static void add_numbers(cJSON *grant)
{
    cJSON_AddStringToObject(grant, "plan", "pro");
    cJSON_AddNumberToObject(grant, "limit", (double)server.limit);
    cJSON_AddNumberToObject(grant, "used", (double)server.used);
    cJSON_AddNumberToObject(grant, "held", (double)held());
    cJSON_AddNumberToObject(grant, "lost", 0);
    cJSON_AddStringToObject(grant, "periodStart", "2023-11-01");
    cJSON_AddStringToObject(grant, "periodEnd", "2023-11-30");
}

static void grant(const cJSON *item, cJSON *out)
{
    const char *id = text_of(item, "requestId");
    int64_t units = server.limit - server.used - held();
    const char *error = server.error != NULL ? server.error : units > 0 ? NULL : held() > 0 ? "held" : "limit_reached";
    cJSON *answer = cJSON_CreateObject();

    cJSON_AddStringToObject(answer, "requestId", id);
    if (error != NULL) {
        cJSON_AddStringToObject(answer, "error", error);
        cJSON_AddNumberToObject(answer, "retryAfterMs", (double)server.retry_after_ms);
    } else {
        server_row *row = row_of(id);
        row->granted = units < number_of(item, "want") ? units : number_of(item, "want");
        row->granted = row->granted < server.most ? row->granted : server.most;
        cJSON_AddStringToObject(answer, "leaseId", row->id);
        cJSON_AddStringToObject(answer, "state", server.grant_state);
        cJSON_AddNumberToObject(answer, "granted", (double)row->granted);
        cJSON_AddNumberToObject(answer, "ttlMs", TTL_MS);
        cJSON_AddItemToObject(answer, "rate", server.rate == NULL ? cJSON_CreateNull() : cJSON_Parse(server.rate));
    }
    add_numbers(answer);
    cJSON_AddItemToArray(out, answer);
}

static void apply_refund(const cJSON *item, cJSON *out)
{
    cJSON *refunded = cJSON_CreateObject();

    server.used -= number_of(item, "units");
    cJSON_AddStringToObject(refunded, "id", text_of(item, "id"));
    cJSON_AddStringToObject(refunded, "state", "applied");
    cJSON_AddItemToArray(out, refunded);
}

static void each(const cJSON *request, const char *name, void (*act)(const cJSON *item, cJSON *out), cJSON *out)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(request, name)) act(item, out);
}

static char *work_out(const char *body)
{
    cJSON *request = cJSON_Parse(body);
    cJSON *answer = cJSON_CreateObject();
    char *text;

    cJSON_AddNumberToObject(answer, "storeEpoch", (double)server.epoch);
    cJSON_AddStringToObject(answer, "project", "prj_1");
    each(request, "settle", book, cJSON_AddArrayToObject(answer, "settled"));
    each(request, "refunds", apply_refund, cJSON_AddArrayToObject(answer, "refunded"));
    each(request, "acquire", grant, cJSON_AddArrayToObject(answer, "grants"));
    if (server.recall != NULL)
        cJSON_AddItemToArray(cJSON_AddArrayToObject(answer, "recall"), cJSON_CreateString(server.recall));
    text = cJSON_PrintUnformatted(answer);
    cJSON_Delete(request);
    cJSON_Delete(answer);
    return text;
}

/* Scripts the answer just before the request that it is for. */
static dreamapi_status start(void *instance, dreamapi_exchange *exchange)
{
    const char *url = dreamapi_exchange_url(exchange);
    dreamapi_test_answer answer = DREAMAPI_TEST_ANSWER_INIT;
    bool is_served = server.http_status == 200 && server.raw == NULL;
    char *text = NULL;

    if (strlen(url) >= sizeof(path) && strcmp(url + strlen(url) - (sizeof(path) - 1), path) == 0) {
        text = is_served ? work_out(dreamapi_exchange_body(exchange, NULL)) : NULL;
        answer.path = path;
        answer.http_status = server.http_status;
        answer.failure = server.failure;
        answer.delay_ms = server.delay_ms;
        answer.body = text != NULL ? text : server.raw != NULL ? server.raw : "{\"error\":\"e\",\"message\":\"m\"}";
        (void)dreamapi_test_transport_add(server.f->transport, &answer);
        cJSON_free(text);
        if (server.goes_down) {
            server.http_status = 0;
            server.failure = DREAMAPI_FAILURE_CONNECT;
            server.goes_down = false;
        }
    }
    return server.start(instance, exchange);
}

/* A server with a plan of 100 units, which the test has answer GET /health. */
static int set_up_unannounced(void **state)
{
    fixture *f;

    (void)fixture_set_up(state);
    f = *state;
    (void)memset(&server, 0, sizeof(server));
    server.f = f;
    server.limit = 100;
    server.most = 1000;
    server.grant_state = server.settled_state = "active";
    server.http_status = 200;
    server.epoch = 1;
    server.retry_after_ms = 60000;
    server.start = f->options->transport.start;
    f->options->transport.start = start;
    return 0;
}

/* A client of it. */
static int set_up(void **state)
{
    (void)set_up_unannounced(state);
    fixture_extensions(*state, EVERY_EXTENSION);
    fixture_make_client(*state);
    return 0;
}

static dreamapi_meter *open_with(fixture *f, const dreamapi_meter_params *params)
{
    dreamapi_meter *meter = NULL;

    fixture_expect(f, dreamapi_meter_open(f->client, "user_1", params, &meter, &f->error), DREAMAPI_OK);
    return meter;
}

static dreamapi_meter *open_as(fixture *f, dreamapi_policy policy)
{
    dreamapi_meter_params params = DREAMAPI_METER_PARAMS_INIT;

    params.policy = policy;
    params.allow_units = policy == DREAMAPI_POLICY_ALLOW ? 3 : 0;
    return open_with(f, &params);
}

/* Lets virtual time pass, and the client work as it comes. */
static void pass(fixture *f, int64_t ms)
{
    for (int64_t step = ms / 20 > 0 ? ms / 20 : 1; ms >= 0; ms -= step) {
        for (int i = 0; i < 4; i++)
            assert_int_equal(dreamapi_client_perform(f->client), DREAMAPI_OK);
        dreamapi_test_clock_advance(f->clock, ms < step ? ms : step);
    }
    for (int i = 0; i < 4; i++)
        assert_int_equal(dreamapi_client_perform(f->client), DREAMAPI_OK);
}

static uint32_t use_all(dreamapi_meter *meter, dreamapi_status end)
{
    uint32_t count = 0;
    dreamapi_decision decision;
    dreamapi_status status;

    while ((status = dreamapi_meter_use(meter, 1, &decision)) == DREAMAPI_OK)
        assert_true(++count < 100000);
    assert_int_equal(status, end);
    return count;
}

static void use(dreamapi_meter *meter, int64_t units)
{
    assert_int_equal(dreamapi_meter_use(meter, units, NULL), DREAMAPI_OK);
}

static void flush(fixture *f)
{
    fixture_expect(f, dreamapi_client_flush(f->client, 1000, &f->error), DREAMAPI_OK);
}

static size_t requests(const fixture *f)
{
    return fixture_count(f, path);
}

/* An item of the last request; NULL if that has fewer. Freed with the test's end by the caller's `*out_root`. */
static const cJSON *last_item(const fixture *f, const char *list, int index, cJSON **out_root)
{
    *out_root = cJSON_Parse(dreamapi_test_request_body(fixture_request(f, path, requests(f) - 1)));
    return cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(*out_root, list), index);
}

static void expect_settle(const fixture *f, int64_t admitted, int64_t refunded, bool is_final)
{
    cJSON *root;
    const cJSON *item = last_item(f, "settle", 0, &root);

    if (item == NULL)
        fail_msg("nothing was settled");
    assert_int_equal(number_of(item, "admitted"), admitted);
    assert_int_equal(number_of(item, "refunded"), refunded);
    assert_int_equal(is_true(item, "final"), is_final);
    assert_false(is_true(item, "unproven"));
    assert_string_equal(text_of(item, "userId"), "user_1");
    assert_string_equal(text_of(item, "meter"), "default");
    assert_string_equal(text_of(item, "periodStart"), "2023-11-01");
    cJSON_Delete(root);
}

static dreamapi_meter_stats stats_of(fixture *f)
{
    dreamapi_meter_stats stats;

    assert_int_equal(dreamapi_client_meter_stats(f->client, &stats), DREAMAPI_OK);
    return stats;
}

/* ---- from the first use to the limit ---- */

static void test_meter__the_first_use_waits_for_the_grant(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter = open_as(f, DREAMAPI_POLICY_WAIT);
    cJSON *root;
    const cJSON *wish;

    assert_int_equal(requests(f), 0);
    server.delay_ms = 300;
    use(meter, 1);
    assert_int_equal(requests(f), 1);
    wish = last_item(f, "acquire", 0, &root);
    assert_string_equal(text_of(wish, "userId"), "user_1");
    assert_string_equal(text_of(wish, "meter"), "default");
    assert_int_equal(strlen(text_of(wish, "requestId")), 32);
    assert_int_equal(strlen(text_of(root, "holder")), 36);
    assert_null(text_of(root, "project"));
    cJSON_Delete(root);
    dreamapi_meter_close(meter);
}

static void test_meter__as_many_uses_as_the_plan_has_are_admitted_and_billed(void **state)
{
    static const int64_t mosts[] = { 1, 2, 7, 99, 100, 1000 };

    for (size_t i = 0; i < sizeof(mosts) / sizeof(mosts[0]); i++) {
        fixture *f = *state;
        dreamapi_meter *meter = open_as(f, DREAMAPI_POLICY_WAIT);
        server.most = mosts[i];
        server.used = 0;
        assert_int_equal(use_all(meter, DREAMAPI_LIMIT), 100);
        flush(f);
        assert_int_equal(server.used, 100);
        assert_int_equal(held(), 0);
        dreamapi_meter_close(meter);
        fixture_tear_down(state);
        set_up(state);
    }
}

static void test_meter__units_beyond_one_grant_are_refused_all_or_none(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter = open_as(f, DREAMAPI_POLICY_WAIT);

    use(meter, 98);
    assert_int_equal(dreamapi_meter_use(meter, 3, NULL), DREAMAPI_LIMIT);
    use(meter, 2);
    flush(f);
    assert_int_equal(server.used, 100);
    dreamapi_meter_close(meter);
}

/* What is asked for again at once would be handed back and forth as fast as the server answers. */
static void test_meter__a_use_larger_than_a_grant_asks_once_a_second(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter = open_as(f, DREAMAPI_POLICY_WAIT);
    dreamapi_decision decision;
    size_t before;

    server.most = 50;
    assert_int_equal(dreamapi_meter_use(meter, 60, &decision), DREAMAPI_RATE_LIMITED);
    assert_int_equal(decision.reason, DREAMAPI_REASON_HELD);
    assert_int_equal(dreamapi_meter_use(meter, 101, &decision), DREAMAPI_RATE_LIMITED);
    before = requests(f);
    assert_true(before <= 2);
    for (int i = 0; i < 10; i++)
        assert_int_equal(dreamapi_meter_use(meter, 60, NULL), DREAMAPI_RATE_LIMITED);
    pass(f, 900);
    assert_int_equal(requests(f), before);
    use(meter, 50);
    dreamapi_test_clock_advance(f->clock, 200);
    assert_int_equal(dreamapi_meter_use(meter, 51, &decision), DREAMAPI_LIMIT);
    assert_int_equal(decision.reason, DREAMAPI_REASON_LIMIT);
    use(meter, 50);
    dreamapi_meter_close(meter);
}

static void test_meter__two_meters_of_one_user_share_their_counts(void **state)
{
    fixture *f = *state;
    dreamapi_meter *a = open_as(f, DREAMAPI_POLICY_WAIT);
    dreamapi_meter *b = open_as(f, DREAMAPI_POLICY_WAIT);

    use(a, 60);
    assert_int_equal(use_all(b, DREAMAPI_LIMIT), 40);
    dreamapi_meter_close(a);
    dreamapi_meter_close(b);
}

static void test_meter__with_units_at_hand_nothing_is_asked(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter = open_as(f, DREAMAPI_POLICY_WAIT);

    use(meter, 1);
    for (int i = 0; i < 40; i++)
        use(meter, 1);
    pass(f, 0);
    assert_int_equal(requests(f), 1);
    dreamapi_meter_close(meter);
}

/* ---- refusals ---- */

static void test_meter__a_refusal_is_repeated_for_a_second_without_a_request(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter = open_as(f, DREAMAPI_POLICY_WAIT);
    dreamapi_decision decision;
    size_t before;

    server.used = 100;
    assert_int_equal(dreamapi_meter_use(meter, 1, &decision), DREAMAPI_LIMIT);
    assert_int_equal(decision.allowed, 0);
    assert_int_equal(decision.reason, DREAMAPI_REASON_LIMIT);
    assert_in_range(decision.retry_after_ms, 1, 1001);
    before = requests(f);
    assert_int_equal(before, 1);
    pass(f, 900);
    for (int i = 0; i < 10; i++)
        assert_int_equal(dreamapi_meter_use(meter, 1, NULL), DREAMAPI_LIMIT);
    pass(f, 0);
    assert_int_equal(requests(f), before);
    dreamapi_test_clock_advance(f->clock, 101);
    assert_int_equal(dreamapi_meter_use(meter, 1, NULL), DREAMAPI_LIMIT);
    assert_int_equal(requests(f), before + 1);
    dreamapi_meter_close(meter);
}

static void test_meter__an_upgrade_shows_within_a_second(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter = open_as(f, DREAMAPI_POLICY_WAIT);

    assert_int_equal(use_all(meter, DREAMAPI_LIMIT), 100);
    server.limit = 150;
    dreamapi_test_clock_advance(f->clock, 1001);
    assert_int_equal(use_all(meter, DREAMAPI_LIMIT), 50);
    dreamapi_meter_close(meter);
}

static void test_meter__each_refusal_has_its_reason_and_status(void **state)
{
    static const struct {
        const char *error;
        dreamapi_reason reason;
        dreamapi_status status;
    } rows[] = {
        { "limit_reached", DREAMAPI_REASON_LIMIT, DREAMAPI_LIMIT },
        { "held", DREAMAPI_REASON_HELD, DREAMAPI_RATE_LIMITED },
        { "rate_limited", DREAMAPI_REASON_RATE, DREAMAPI_RATE_LIMITED },
        { "not_found", DREAMAPI_REASON_NO_CUSTOMER, DREAMAPI_NOT_FOUND },
        { "deleted", DREAMAPI_REASON_NO_CUSTOMER, DREAMAPI_NOT_FOUND },
        { "recovering", DREAMAPI_REASON_UNAVAILABLE, DREAMAPI_UNAVAILABLE },
        { "unavailable", DREAMAPI_REASON_UNAVAILABLE, DREAMAPI_UNAVAILABLE },
        { "invalid", DREAMAPI_REASON_REFUSED, DREAMAPI_FORBIDDEN },
        { "of_tomorrow", DREAMAPI_REASON_REFUSED, DREAMAPI_FORBIDDEN },
    };
    fixture *f = *state;
    dreamapi_meter *meter = open_as(f, DREAMAPI_POLICY_WAIT);
    dreamapi_decision decision;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        dreamapi_status status;
        server.error = rows[i].error;
        status = dreamapi_meter_use(meter, 1, &decision);
        if (status != rows[i].status || decision.reason != rows[i].reason)
            fail_msg("%s: %s, reason %d", rows[i].error, dreamapi_status_name(status), (int)decision.reason);
        assert_int_equal(stats_of(f).denied[rows[i].reason] > 0, 1);
        pass(f, 60001);
    }
    server.error = NULL;
    use(meter, 1);
    dreamapi_meter_close(meter);
}

/* No window is longer than a day. */
static void test_meter__a_refusal_for_the_rate_lasts_a_day_at_most(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter = open_as(f, DREAMAPI_POLICY_WAIT);
    dreamapi_decision decision;

    server.error = "rate_limited";
    server.retry_after_ms = INT64_C(1) << 53;
    assert_int_equal(dreamapi_meter_use(meter, 1, &decision), DREAMAPI_RATE_LIMITED);
    assert_in_range(decision.retry_after_ms, DREAMAPI_MAX_TIMEOUT_MS - 1000, DREAMAPI_MAX_TIMEOUT_MS + 1);
    server.error = NULL;
    dreamapi_test_clock_advance(f->clock, DREAMAPI_MAX_TIMEOUT_MS + 1);
    use(meter, 1);
    dreamapi_meter_close(meter);
}

static void test_meter__a_refused_client_is_told_so(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter = open_as(f, DREAMAPI_POLICY_WAIT);
    dreamapi_decision decision;
    int64_t before_ms = fixture_now_ms(f);

    server.http_status = 401;
    assert_int_equal(dreamapi_meter_use(meter, 1, &decision), DREAMAPI_AUTH);
    assert_int_equal(decision.reason, DREAMAPI_REASON_REFUSED);
    assert_true(fixture_now_ms(f) - before_ms < 1000);
    dreamapi_meter_close(meter);
}

/* ---- policies ---- */

static void test_meter__waiting_ends_with_wait_ms(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter = open_as(f, DREAMAPI_POLICY_WAIT);
    dreamapi_decision decision;
    int64_t before_ms = fixture_now_ms(f);

    server.delay_ms = DREAMAPI_TEST_NEVER;
    assert_int_equal(dreamapi_meter_use(meter, 1, &decision), DREAMAPI_TIMEOUT);
    assert_int_equal(decision.reason, DREAMAPI_REASON_EMPTY);
    assert_int_equal(decision.source, DREAMAPI_SOURCE_NONE);
    assert_in_range(fixture_now_ms(f) - before_ms, 2000, 2050);
    dreamapi_meter_close(meter);
}

static void test_meter__denying_refuses_at_once_and_asks_meanwhile(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter = open_as(f, DREAMAPI_POLICY_DENY);
    dreamapi_decision decision;
    int64_t before_ms = fixture_now_ms(f);

    assert_int_equal(dreamapi_meter_use(meter, 1, &decision), DREAMAPI_TIMEOUT);
    assert_int_equal(decision.reason, DREAMAPI_REASON_EMPTY);
    assert_int_equal(fixture_now_ms(f), before_ms);
    pass(f, 1);
    use(meter, 1);
    dreamapi_meter_close(meter);
}

static void test_meter__units_at_hand_are_never_refused_while_the_next_lease_comes(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter = open_as(f, DREAMAPI_POLICY_DENY);

    (void)dreamapi_meter_use(meter, 1, NULL);
    pass(f, 1);
    for (int i = 0; i < 58; i++) {
        use(meter, 1);
        pass(f, 1000);
    }
    dreamapi_meter_close(meter);
}

static void test_meter__allowing_admits_a_bound_and_bills_it_from_the_next_lease(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter = open_as(f, DREAMAPI_POLICY_ALLOW);
    dreamapi_decision decision;

    server.http_status = 503;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(dreamapi_meter_use(meter, 1, &decision), DREAMAPI_OK);
        assert_int_equal(decision.allowed, 1);
        assert_int_equal(decision.source, DREAMAPI_SOURCE_FALLBACK);
        assert_int_equal(decision.max_over, 3);
        assert_int_equal(dreamapi_meter_refund(meter, &decision), DREAMAPI_UNSUPPORTED);
    }
    assert_int_not_equal(dreamapi_meter_use(meter, 1, &decision), DREAMAPI_OK);
    assert_int_equal(decision.allowed, 0);
    server.http_status = 200;
    pass(f, 10000);
    assert_int_equal(dreamapi_meter_use(meter, 1, &decision), DREAMAPI_OK);
    assert_int_equal(decision.source, DREAMAPI_SOURCE_LEASE);
    flush(f);
    assert_int_equal(server.used, 4);
    dreamapi_meter_close(meter);
}

/* Meters that are opened alike share a copy of their parameters, as long as there are few kinds. */
static void test_meter__each_of_many_meters_goes_by_its_own_parameters(void **state)
{
    enum { KINDS = 12, EACH = 3 };
    fixture *f = *state;
    dreamapi_meter_params params = DREAMAPI_METER_PARAMS_INIT;
    dreamapi_meter *meters[KINDS * EACH];
    dreamapi_decision decision;
    char user[16], token[16];

    server.http_status = 503;
    params.policy = DREAMAPI_POLICY_ALLOW;
    for (int i = 0; i < KINDS * EACH; i++) {
        (void)snprintf(user, sizeof(user), "user_%d", i);
        (void)snprintf(token, sizeof(token), "token-%d", i);
        params.allow_units = 1 + i % KINDS;
        params.user_token = i / KINDS == 2 ? token : NULL;
        assert_int_equal(dreamapi_meter_open(f->client, user, &params, &meters[i], &f->error), DREAMAPI_OK);
        /* Copied. */
        (void)memset(token, 'x', sizeof(token) - 1);
    }
    for (int i = 0; i < KINDS * EACH; i++) {
        assert_int_not_equal(dreamapi_meter_use(meters[i], 2 + i % KINDS, &decision), DREAMAPI_OK);
        assert_int_equal(dreamapi_meter_use(meters[i], 1 + i % KINDS, &decision), DREAMAPI_OK);
        assert_int_equal(decision.max_over, 1 + i % KINDS);
    }
    for (int i = 0; i < KINDS * EACH; i += 2)
        dreamapi_meter_close(meters[i]);
    for (int i = 1; i < KINDS * EACH; i += 2) {
        assert_int_not_equal(dreamapi_meter_use(meters[i], 1, &decision), DREAMAPI_OK);
        dreamapi_meter_close(meters[i]);
    }
}

static void test_meter__allowing_never_overrules_a_refusal(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter = open_as(f, DREAMAPI_POLICY_ALLOW);

    server.used = 100;
    assert_int_equal(dreamapi_meter_use(meter, 1, NULL), DREAMAPI_OK); /* nothing was heard yet */
    pass(f, 1);
    assert_int_equal(dreamapi_meter_use(meter, 1, NULL), DREAMAPI_LIMIT);
    dreamapi_meter_close(meter);
}

/* One unit beyond any lease, which the plan does not cover. */
static dreamapi_meter *owe_one(fixture *f)
{
    dreamapi_meter *meter = open_as(f, DREAMAPI_POLICY_ALLOW);

    server.used = 100;
    use(meter, 1);
    pass(f, 1);
    assert_int_equal(stats_of(f).units_owed, 1);
    return meter;
}

static void test_meter__what_was_allowed_is_billed_without_another_use(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter = owe_one(f);

    pass(f, 300000);
    assert_in_range(requests(f), 3, 11); /* asked again each half a minute */
    server.limit = 200;
    pass(f, 120000);
    assert_int_equal(stats_of(f).units_owed, 0);
    assert_int_equal(server.used, 101);
    dreamapi_meter_close(meter);
}

static void test_meter__a_flush_bills_what_was_allowed_or_says_why_not(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter = owe_one(f);

    fixture_expect(f, dreamapi_client_flush(f->client, 1000, &f->error), DREAMAPI_LIMIT);
    server.limit = 200;
    pass(f, 1100);
    flush(f);
    assert_int_equal(server.used, 101);
    assert_int_equal(stats_of(f).units_owed, 0);
    dreamapi_meter_close(meter);
}

/* Grants of one unit: three are owed, and one more waits. */
static void test_meter__a_debt_larger_than_grants_takes_several(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter = open_as(f, DREAMAPI_POLICY_ALLOW);

    server.most = 1;
    for (int i = 0; i < 3; i++)
        use(meter, 1);
    flush(f);
    assert_int_equal(server.used, 3);
    dreamapi_meter_close(meter);
}

static void name_journal(fixture *f, char file[])
{
    int fd = mkstemp(file);

    assert_true(fd >= 0);
    (void)close(fd);
    (void)unlink(file);
    assert_int_equal(dreamapi_options_set_journal(f->options, file), DREAMAPI_OK);
    assert_int_equal(dreamapi_options_set_close_timeout_ms(f->options, 0), DREAMAPI_OK);
}

static void make_again(fixture *f)
{
    dreamapi_client_free(f->client);
    f->client = NULL;
    fixture_make_client(f);
}

static void test_meter__what_was_allowed_is_billed_by_the_next_run(void **state)
{
    fixture *f = *state;
    char file[] = "/tmp/dreamapi-meter-XXXXXX";

    name_journal(f, file);
    make_again(f);
    dreamapi_meter_close(owe_one(f));
    server.limit = 200;
    make_again(f);
    flush(f);
    assert_int_equal(server.used, 101);
    (void)unlink(file);
}

/* Where a server turns out to have no leases, after units were allowed beyond one, and after leases were granted. */
static void test_meter__what_was_allowed_is_reported_to_a_server_without_leases(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter;

    fixture_extensions(f, ALL_EXTENSIONS);
    fixture_make_client(f);
    fixture_answer(f, "/api/data", 200, NULL, "{\"usage\":{\"count\":1,\"limit\":5,\"plan\":\"free\"}}");
    fixture_answer(f, "/api/data", 200, NULL, "{\"usage\":{\"count\":2,\"limit\":5,\"plan\":\"free\"}}");
    meter = open_as(f, DREAMAPI_POLICY_ALLOW);
    use(meter, 1);
    use(meter, 1);
    assert_int_equal(stats_of(f).units_owed, 2);
    flush(f);
    assert_int_equal(fixture_count(f, "/api/data"), 2);
    assert_int_equal(stats_of(f).units_owed, 0);
    dreamapi_meter_close(meter);
}

static void test_meter__leases_of_a_server_that_has_none_any_more_end_a_flush(void **state)
{
    fixture *f = *state;
    char file[] = "/tmp/dreamapi-meter-XXXXXX";
    dreamapi_meter *meter;
    int64_t began_ms;

    name_journal(f, file);
    fixture_answer(f, "/health", 200, NULL, EVERY_EXTENSION);
    fixture_make_client(f);
    meter = open_as(f, DREAMAPI_POLICY_WAIT);
    use(meter, 1);
    dreamapi_meter_close(meter);
    fixture_extensions(f, ALL_EXTENSIONS);
    make_again(f);
    began_ms = fixture_now_ms(f);
    fixture_expect(f, dreamapi_client_flush(f->client, 60000, &f->error), DREAMAPI_UNSUPPORTED);
    assert_non_null(strstr(f->error.message, "announces none"));
    assert_in_range(fixture_now_ms(f) - began_ms, 0, 2000);
    assert_int_equal(stats_of(f).leases_unsettled, 1);
    (void)unlink(file);
}

/* ---- wishes of the dead ---- */

/* As a process leaves it that sent a wish and was killed. */
static void leave_a_wish(fixture *f, const dreamapi_meter *meter)
{
    dream_journal *journal = meter->metering->journal;
    pid_t pid = fork();
    dream_lease *lease;
    dream_line line;

    if (pid == 0)
        _exit(0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_true(dream_journal_lock(journal));
    line = dream_journal_take(journal, DREAM_TAG_LEASE, sizeof(*lease));
    lease = dream_journal_at(journal, line);
    memset(lease->request_id, 7, sizeof(lease->request_id));
    lease->account = dream_journal_line(journal, meter->account);
    lease->wanted = 64;
    lease->asked_at_ns = (fixture_now_ms(f) - 200) * 1000000;
    lease->main.owner_pid = (uint32_t)pid;
    lease->main.owner_start = journal->process_start ^ UINT64_C(1) << 20;
    atomic_store(&lease->state, DREAM_LEASE_PENDING);
    atomic_store(&meter->account->pending, line);
    dream_journal_unlock(journal);
}

static void test_meter__the_wish_of_a_dead_process_is_asked_again_at_once(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter = open_as(f, DREAMAPI_POLICY_WAIT);
    int64_t began_ms = fixture_now_ms(f);
    cJSON *root;

    leave_a_wish(f, meter);
    use(meter, 1);
    assert_in_range(fixture_now_ms(f) - began_ms, 0, 100);
    assert_string_equal(text_of(last_item(f, "acquire", 0, &root), "requestId"), "07070707070707070707070707070707");
    cJSON_Delete(root);
    dreamapi_meter_close(meter);
}

/* One client of this process is closed before its wish is answered, while it is asked for or between two tries; another one stays. */
static void take_a_left_wish(fixture *f)
{
    dreamapi_client *first = f->client;
    dreamapi_meter *meter = open_as(f, DREAMAPI_POLICY_DENY);
    int64_t began_ms;

    fixture_make_client(f);
    assert_int_equal(dreamapi_meter_use(meter, 1, NULL), DREAMAPI_TIMEOUT);
    assert_int_equal(dreamapi_client_perform(first), DREAMAPI_OK);
    assert_int_equal(dreamapi_client_perform(first), DREAMAPI_OK);
    assert_int_equal(requests(f), 1);
    dreamapi_meter_close(meter);
    dreamapi_client_free(first);
    server.delay_ms = 0;
    server.http_status = 200;
    dreamapi_test_clock_advance(f->clock, 200);
    meter = open_as(f, DREAMAPI_POLICY_WAIT);
    began_ms = fixture_now_ms(f);
    use(meter, 1);
    assert_in_range(fixture_now_ms(f) - began_ms, 0, 100);
    dreamapi_meter_close(meter);
}

static void test_meter__the_wish_of_a_closed_client_is_asked_again_at_once(void **state)
{
    fixture *f = *state;
    char file[] = "/tmp/dreamapi-meter-XXXXXX";

    name_journal(f, file);
    make_again(f);
    server.delay_ms = DREAMAPI_TEST_NEVER;
    take_a_left_wish(f);
    (void)unlink(file);
}

static void test_meter__a_wish_that_failed_is_asked_again_by_whoever_needs_it(void **state)
{
    fixture *f = *state;
    char file[] = "/tmp/dreamapi-meter-XXXXXX";

    name_journal(f, file);
    dreamapi_options_set_max_retries(f->options, 0);
    make_again(f);
    server.http_status = 0;
    take_a_left_wish(f);
    (void)unlink(file);
}

/* ---- the rate ---- */

static void test_meter__the_rate_refuses_until_its_window_turns(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter = open_as(f, DREAMAPI_POLICY_DENY);
    dreamapi_decision decision;

    server.rate = "{\"limit\":3,\"windowMs\":60000,\"windowEndsInMs\":10000,\"granted\":3}";
    (void)dreamapi_meter_use(meter, 1, NULL);
    pass(f, 1);
    for (int i = 0; i < 3; i++)
        use(meter, 5);
    server.error = "rate_limited";
    server.retry_after_ms = 10000;
    assert_int_equal(dreamapi_meter_use(meter, 1, &decision), DREAMAPI_RATE_LIMITED);
    assert_int_equal(decision.reason, DREAMAPI_REASON_RATE);
    assert_in_range(decision.retry_after_ms, 1, 10100);
    pass(f, 5000);
    assert_int_equal(dreamapi_meter_use(meter, 1, &decision), DREAMAPI_RATE_LIMITED);
    pass(f, decision.retry_after_ms + 50);
    for (int i = 0; i < 3; i++)
        use(meter, 1);
    assert_int_equal(dreamapi_meter_use(meter, 1, &decision), DREAMAPI_RATE_LIMITED);
    dreamapi_meter_close(meter);
}

/* ---- refunds ---- */

static void test_meter__a_use_is_refunded_once(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter = open_as(f, DREAMAPI_POLICY_WAIT);
    dreamapi_decision decision;

    use(meter, 4);
    assert_int_equal(dreamapi_meter_use(meter, 3, &decision), DREAMAPI_OK);
    assert_int_equal(dreamapi_meter_refund(meter, &decision), DREAMAPI_OK);
    assert_int_equal(dreamapi_meter_refund(meter, &decision), DREAMAPI_INVALID);
    flush(f);
    expect_settle(f, 7, 3, true);
    assert_int_equal(server.used, 4);
    dreamapi_meter_close(meter);
}

static void test_meter__after_the_settlement_a_refund_is_an_event(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter = open_as(f, DREAMAPI_POLICY_WAIT);
    dreamapi_decision decision;
    cJSON *root;
    const cJSON *item;

    assert_int_equal(dreamapi_meter_use(meter, 3, &decision), DREAMAPI_OK);
    flush(f);
    assert_int_equal(server.used, 3);
    assert_int_equal(dreamapi_meter_refund(meter, &decision), DREAMAPI_OK);
    assert_int_equal(dreamapi_meter_refund(meter, &decision), DREAMAPI_INVALID);
    flush(f);
    item = last_item(f, "refunds", 0, &root);
    assert_int_equal(number_of(item, "units"), 3);
    assert_string_equal(text_of(item, "leaseId"), server.rows[0].id);
    cJSON_Delete(root);
    assert_int_equal(server.used, 0);
    pass(f, 20000);
    assert_int_equal(server.used, 0);
    dreamapi_meter_close(meter);
}

static void test_meter__what_was_not_admitted_cannot_be_refunded(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter = open_as(f, DREAMAPI_POLICY_WAIT);
    dreamapi_decision decision;

    use(meter, 1);
    assert_int_equal(dreamapi_meter_check(meter, 1, &decision), DREAMAPI_OK);
    assert_int_equal(dreamapi_meter_refund(meter, &decision), DREAMAPI_INVALID);
    server.error = "limit_reached";
    use(meter, 63);
    assert_int_equal(dreamapi_meter_use(meter, 1, &decision), DREAMAPI_LIMIT);
    assert_int_equal(dreamapi_meter_refund(meter, &decision), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_meter_refund(meter, NULL), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_meter_refund(NULL, &decision), DREAMAPI_INVALID);
    dreamapi_meter_close(meter);
}

typedef struct refunder {
    dreamapi_meter *meter;
    dreamapi_decision *decision;
    _Atomic pid_t thread; /* 0: it has not come that far */
    dreamapi_status status;
} refunder;

static void *refund_apart(void *argument)
{
    refunder *r = argument;

    atomic_store(&r->thread, (pid_t)syscall(SYS_gettid));
    r->status = dreamapi_meter_refund(r->meter, r->decision);
    return NULL;
}

/* Until a thread of this process waits for something: a lock, as there is nothing else that it could wait for. */
static void wait_until_it_waits(const refunder *r)
{
    char file[64];
    char state = 'R';

    while (atomic_load(&r->thread) == 0)
        (void)sched_yield();
    (void)snprintf(file, sizeof(file), "/proc/self/task/%d/stat", (int)atomic_load(&r->thread));
    while (state != 'S') {
        FILE *stat = fopen(file, "r");
        assert_non_null(stat);
        assert_int_equal(fscanf(stat, "%*d (%*[^)]) %c", &state), 1);
        (void)fclose(stat);
        (void)sched_yield();
    }
}

/* One that waits for the lock while the other refunds finds it done. */
static void test_meter__of_two_threads_one_refunds_a_decision(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter = open_as(f, DREAMAPI_POLICY_WAIT);
    dreamapi_decision decision;
    refunder waits = { .meter = meter, .decision = &decision };
    pthread_t thread;

    assert_int_equal(dreamapi_meter_use(meter, 3, &decision), DREAMAPI_OK);
    assert_true(dream_journal_lock(meter->metering->journal));
    assert_int_equal(pthread_create(&thread, NULL, refund_apart, &waits), 0);
    wait_until_it_waits(&waits);
    decision.refund_token[0] = 0; /* as the other thread leaves it */
    dream_journal_unlock(meter->metering->journal);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(waits.status, DREAMAPI_INVALID);
    flush(f);
    expect_settle(f, 3, 0, true);
    dreamapi_meter_close(meter);
}

/* ---- reservations ---- */

static dreamapi_reservation reserve(dreamapi_meter *meter, int64_t units, int64_t hold_ms)
{
    dreamapi_reservation reservation;

    assert_int_equal(dreamapi_meter_reserve(meter, units, hold_ms, &reservation, NULL), DREAMAPI_OK);
    assert_int_equal(reservation.units, units);
    return reservation;
}

static void test_meter__a_commit_books_what_the_work_took(void **state)
{
    static const struct {
        int64_t reserved, took, booked;
    } rows[] = { { 10, 10, 10 }, { 10, 4, 4 }, { 10, 0, 0 }, { 10, 25, 25 } };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        fixture *f = *state;
        dreamapi_meter *meter = open_as(f, DREAMAPI_POLICY_WAIT);
        dreamapi_reservation reservation = reserve(meter, rows[i].reserved, 1000);
        assert_int_equal(dreamapi_meter_commit(meter, &reservation, rows[i].took, NULL), DREAMAPI_OK);
        assert_int_equal(dreamapi_meter_commit(meter, &reservation, rows[i].took, NULL), DREAMAPI_NOT_FOUND);
        flush(f);
        assert_int_equal(server.used, rows[i].booked);
        dreamapi_meter_close(meter);
        fixture_tear_down(state);
        set_up(state);
    }
}

static void test_meter__what_was_reserved_is_no_use_to_refund(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter = open_as(f, DREAMAPI_POLICY_WAIT);
    dreamapi_reservation reservation;
    dreamapi_decision decision;

    use(meter, 30);
    assert_int_equal(dreamapi_meter_reserve(meter, 20, 1000, &reservation, &decision), DREAMAPI_OK);
    assert_int_equal(decision.allowed, 1);
    assert_int_equal(dreamapi_meter_refund(meter, &decision), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_meter_commit(meter, &reservation, 0, &decision), DREAMAPI_OK);
    assert_int_equal(dreamapi_meter_refund(meter, &decision), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_meter_reserve(meter, 20, 1000, &reservation, NULL), DREAMAPI_OK);
    assert_int_equal(dreamapi_meter_commit(meter, &reservation, 5, &decision), DREAMAPI_OK);
    assert_int_equal(dreamapi_meter_refund(meter, &decision), DREAMAPI_OK); /* what was booked is one */
    flush(f);
    assert_int_equal(server.used, 30);
    dreamapi_meter_close(meter);
}

static void test_meter__an_excess_that_is_refused_leaves_the_reserved_units_booked(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter = open_as(f, DREAMAPI_POLICY_WAIT);
    dreamapi_reservation reservation = reserve(meter, 90, 1000);

    assert_int_not_equal(dreamapi_meter_commit(meter, &reservation, 101, NULL), DREAMAPI_OK);
    flush(f);
    assert_int_equal(server.used, 90);
    dreamapi_meter_close(meter);
}

static void test_meter__units_of_an_expired_reservation_are_used_by_others(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter = open_as(f, DREAMAPI_POLICY_WAIT);
    dreamapi_reservation reservation = reserve(meter, 90, 1000);
    dreamapi_decision decision;

    assert_int_not_equal(dreamapi_meter_use(meter, 50, NULL), DREAMAPI_OK);
    pass(f, 2500);
    use(meter, 50);
    assert_int_equal(dreamapi_meter_commit(meter, &reservation, 90, &decision), DREAMAPI_NOT_FOUND);
    assert_int_equal(decision.allowed, 0);
    flush(f);
    assert_int_equal(server.used, 50);
    dreamapi_meter_close(meter);
}

static void test_meter__a_reservation_may_outlast_its_lease(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter = open_as(f, DREAMAPI_POLICY_WAIT);
    dreamapi_reservation reservation = reserve(meter, 10, 2 * TTL_MS);

    pass(f, TTL_MS + 1000);
    assert_false(server.rows[0].is_over);
    assert_int_equal(dreamapi_meter_commit(meter, &reservation, 6, NULL), DREAMAPI_OK);
    flush(f);
    assert_true(server.rows[0].is_over);
    assert_int_equal(server.used, 6);
    dreamapi_meter_close(meter);
}

static void test_meter__a_reservation_never_committed_bills_nothing(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter = open_as(f, DREAMAPI_POLICY_WAIT);

    (void)reserve(meter, 10, 1000);
    pass(f, 3 * TTL_MS);
    assert_int_equal(server.used, 0);
    assert_int_equal(held(), 0);
    dreamapi_meter_close(meter);
}

/* ---- by id, and checks ---- */

static void test_meter__uses_by_id_share_the_meters_counts(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter = open_as(f, DREAMAPI_POLICY_WAIT);
    dreamapi_decision decision;

    assert_int_equal(dreamapi_client_use(f->client, "user_1", NULL, 60, &decision), DREAMAPI_OK);
    assert_int_equal(decision.source, DREAMAPI_SOURCE_LEASE);
    assert_int_equal(use_all(meter, DREAMAPI_LIMIT), 40);
    assert_int_equal(dreamapi_client_use(f->client, "user_1", "default", 1, NULL), DREAMAPI_LIMIT);
    assert_int_equal(dreamapi_client_use(f->client, "user 1\n", NULL, 1, NULL), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_client_use(f->client, "user_1", "", 1, NULL), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_client_use(f->client, NULL, NULL, 1, NULL), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_client_use(NULL, "user_1", NULL, 1, NULL), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_client_use(f->client, "user_1", NULL, 0, &decision), DREAMAPI_INVALID);
    assert_int_equal(decision.allowed, 0);
    dreamapi_meter_close(meter);
}

static void test_meter__a_check_counts_and_asks_nothing(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter = open_as(f, DREAMAPI_POLICY_WAIT);
    dreamapi_decision decision;

    assert_int_equal(dreamapi_meter_check(meter, 1, &decision), DREAMAPI_TIMEOUT);
    assert_int_equal(decision.reason, DREAMAPI_REASON_EMPTY);
    pass(f, 100);
    assert_int_equal(requests(f), 0);
    server.most = 50;
    use(meter, 30);
    for (int i = 0; i < 20; i++)
        assert_int_equal(dreamapi_meter_check(meter, 20, &decision), DREAMAPI_OK);
    assert_int_equal(decision.allowed, 1);
    assert_int_not_equal(dreamapi_meter_check(meter, 21, &decision), DREAMAPI_OK);
    flush(f);
    assert_int_equal(server.used, 30);
    dreamapi_meter_close(meter);
}

/* ---- what a decision tells ---- */

static void test_meter__a_decision_tells_plan_counts_and_age(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter = open_as(f, DREAMAPI_POLICY_WAIT);
    dreamapi_decision decision;

    server.used = 10;
    server.most = 50;
    use(meter, 1);
    pass(f, 500);
    (void)memset(&decision, 0xA5, sizeof(decision));
    assert_int_equal(dreamapi_meter_use(meter, 2, &decision), DREAMAPI_OK);
    assert_int_equal(decision.allowed, 1);
    assert_int_equal(decision.reason, DREAMAPI_REASON_NONE);
    assert_int_equal(decision.source, DREAMAPI_SOURCE_LEASE);
    assert_int_equal(decision.reserved, 0);
    assert_int_equal(decision.units, 2);
    assert_string_equal(decision.plan, "pro");
    assert_int_equal(decision.limit, 100);
    assert_int_equal(decision.used, 13);
    assert_int_equal(decision.remaining, 87);
    assert_int_equal(decision.retry_after_ms, 0);
    assert_in_range(decision.age_ms, 500, 600);
    assert_int_equal(decision.max_over, 0);
    dreamapi_meter_close(meter);
}

static void test_meter__statistics_add_up(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter = open_as(f, DREAMAPI_POLICY_WAIT);
    dreamapi_meter_stats stats;

    assert_int_equal(use_all(meter, DREAMAPI_LIMIT), 100);
    flush(f);
    stats = stats_of(f);
    assert_int_equal(stats.units_granted, 100);
    assert_int_equal(stats.units_settled, 100);
    assert_int_equal(stats.requests, requests(f));
    assert_int_equal(stats.requests_failed, 0);
    assert_int_equal(stats.denied[DREAMAPI_REASON_LIMIT], 1);
    assert_int_equal(stats.leases_active, 0);
    assert_int_equal(stats.leases_unsettled, 0);
    assert_int_equal(stats.meters_open, 1);
    assert_in_range(stats.journal_used_bytes, 64 * 64, stats.journal_bytes);
    dreamapi_meter_close(meter);
    assert_int_equal(stats_of(f).meters_open, 0);
    assert_int_equal(dreamapi_client_meter_stats(f->client, NULL), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_client_meter_stats(NULL, &stats), DREAMAPI_INVALID);
}

static void test_meter__arguments_that_make_no_sense_are_refused(void **state)
{
    static const dreamapi_meter_params good = DREAMAPI_METER_PARAMS_INIT;
    static char long_name[66];
    fixture *f = *state;
    dreamapi_meter_params bad[12];
    dreamapi_meter *meter = NULL;
    dreamapi_reservation reservation;

    (void)memset(long_name, 'a', 65);
    for (size_t i = 0; i < 12; i++)
        bad[i] = good;
    bad[0].meter = "";
    bad[1].meter = "a\n";
    bad[2].meter = long_name;
    bad[3].policy = (dreamapi_policy)3;
    bad[4].wait_ms = -1;
    bad[5].wait_ms = DREAMAPI_MAX_TIMEOUT_MS + INT64_C(1);
    bad[6].allow_units = -1;
    bad[7].allow_units = DREAMAPI_MAX_UNITS + INT64_C(1);
    bad[8].cached_units = -1;
    bad[9].cached_units = DREAMAPI_MAX_UNITS + INT64_C(1);
    bad[10].user_token = "a b";
    bad[11].struct_size = 0;
    for (size_t i = 0; i < 12; i++) {
        if (dreamapi_meter_open(f->client, "user_1", &bad[i], &meter, &f->error) != DREAMAPI_INVALID || meter != NULL)
            fail_msg("row %zu", i);
    }
    assert_int_equal(dreamapi_meter_open(f->client, "", NULL, &meter, NULL), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_meter_open(f->client, NULL, NULL, &meter, NULL), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_meter_open(NULL, "user_1", NULL, &meter, NULL), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_meter_open(f->client, "user_1", NULL, NULL, NULL), DREAMAPI_INVALID);
    meter = open_with(f, NULL);
    assert_int_equal(dreamapi_meter_use(meter, 0, NULL), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_meter_use(meter, -1, NULL), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_meter_use(meter, DREAMAPI_MAX_UNITS + INT64_C(1), NULL), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_meter_use(NULL, 1, NULL), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_meter_reserve(meter, 1, 0, &reservation, NULL), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_meter_reserve(meter, 1, 1, NULL, NULL), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_meter_commit(meter, &reservation, 1, NULL), DREAMAPI_NOT_FOUND);
    assert_int_equal(dreamapi_meter_commit(meter, &reservation, -1, NULL), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_client_flush(f->client, -1, NULL), DREAMAPI_INVALID);
    assert_int_equal(requests(f), 0);
    dreamapi_meter_close(meter);
    dreamapi_meter_close(NULL);
}

/* ---- what time brings ---- */

static void test_meter__counts_are_told_at_a_third_of_the_lease(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter = open_as(f, DREAMAPI_POLICY_WAIT);

    use(meter, 7);
    pass(f, TTL_MS / 3 - 1000);
    assert_int_equal(requests(f), 1);
    pass(f, 1200);
    assert_int_equal(requests(f), 2);
    expect_settle(f, 7, 0, false);
    assert_int_equal(server.used, 7);
    dreamapi_meter_close(meter);
}

static void test_meter__an_idle_lease_is_handed_back(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter = open_as(f, DREAMAPI_POLICY_WAIT);

    use(meter, 7);
    pass(f, 2 * TTL_MS / 3 + 2000);
    expect_settle(f, 7, 0, true);
    assert_int_equal(held(), 0);
    assert_int_equal(stats_of(f).leases_active, 0);
    use(meter, 1);
    dreamapi_meter_close(meter);
}

static void test_meter__nothing_is_spent_past_the_end_of_a_lease(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter = open_as(f, DREAMAPI_POLICY_DENY);

    (void)dreamapi_meter_use(meter, 1, NULL);
    pass(f, 1);
    use(meter, 1);
    server.http_status = 503;
    dreamapi_test_clock_advance(f->clock, TTL_MS);
    assert_int_not_equal(dreamapi_meter_use(meter, 1, NULL), DREAMAPI_OK);
    server.http_status = 200;
    pass(f, 10000);
    expect_settle(f, 1, 0, true);
    dreamapi_meter_close(meter);
}

static void test_meter__a_lease_ends_counted_from_before_it_was_asked_for(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter = open_as(f, DREAMAPI_POLICY_WAIT);
    int64_t sent_ms;

    server.delay_ms = 1500;
    use(meter, 1);
    sent_ms = dreamapi_test_request_at_ms(fixture_request(f, path, 0));
    server.delay_ms = DREAMAPI_TEST_NEVER;
    dreamapi_test_clock_advance(f->clock, sent_ms + TTL_MS - 1 - fixture_now_ms(f));
    use(meter, 1);
    dreamapi_test_clock_advance(f->clock, 1);
    assert_int_not_equal(dreamapi_meter_use(meter, 1, NULL), DREAMAPI_OK);
    dreamapi_meter_close(meter);
}

static void test_meter__what_is_recalled_is_handed_back(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter = open_as(f, DREAMAPI_POLICY_WAIT);

    use(meter, 7);
    server.recall = server.rows[0].id;
    pass(f, TTL_MS / 3 + 1000);
    expect_settle(f, 7, 0, true);
    assert_true(server.rows[0].is_over);
    server.recall = NULL;
    use(meter, 1);
    dreamapi_meter_close(meter);
}

static void test_meter__a_lease_that_the_server_gave_up_is_settled_and_not_spent(void **state)
{
    static const char *const states[] = { "lost", "unproven", "final", "closed", "invalid" };

    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        fixture *f = *state;
        dreamapi_meter *meter = open_as(f, DREAMAPI_POLICY_WAIT);
        use(meter, 7);
        server.settled_state = states[i];
        pass(f, TTL_MS / 3 + 1000);
        expect_settle(f, 7, 0, true);
        use(meter, 1);
        assert_int_equal(server.row_count, 2);
        dreamapi_meter_close(meter);
        fixture_tear_down(state);
        set_up(state);
    }
}

static void test_meter__a_grant_that_is_no_longer_active_is_handed_back_unspent(void **state)
{
    static const char *const states[] = { "lost", "unproven" };

    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        fixture *f = *state;
        dreamapi_meter *meter = open_as(f, DREAMAPI_POLICY_DENY);
        server.grant_state = states[i];
        (void)dreamapi_meter_use(meter, 1, NULL);
        pass(f, 1);
        expect_settle(f, 0, 0, true);
        assert_int_not_equal(dreamapi_meter_use(meter, 1, NULL), DREAMAPI_OK);
        server.grant_state = "active";
        pass(f, 10);
        use(meter, 1);
        dreamapi_meter_close(meter);
        fixture_tear_down(state);
        set_up(state);
    }
}

static void test_meter__a_grant_that_is_final_is_forgotten(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter = open_as(f, DREAMAPI_POLICY_DENY);

    server.grant_state = "final";
    (void)dreamapi_meter_use(meter, 1, NULL);
    pass(f, 1);
    assert_int_not_equal(dreamapi_meter_use(meter, 1, NULL), DREAMAPI_OK);
    server.grant_state = "active";
    pass(f, 10);
    use(meter, 1);
    dreamapi_meter_close(meter);
}

/* Settles seven units, and restores a backup that was made before. `first` is the lease that they were of. */
static void settle_and_restore(fixture *f, dreamapi_meter *meter, char first[40])
{
    use(meter, 7);
    flush(f);
    (void)memcpy(first, server.rows[0].id, sizeof(server.rows[0].id));
    server.epoch = 2;
    server.used = 0;
    server.row_count = 0;
}

static void test_meter__a_restored_store_is_told_what_was_settled(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter = open_as(f, DREAMAPI_POLICY_WAIT);
    char first[40];

    settle_and_restore(f, meter, first);
    use(meter, 1);
    pass(f, 1000);
    assert_int_equal(row_of(first)->admitted, 7);
    assert_true(row_of(first)->is_over);
    flush(f);
    assert_int_equal(server.used, 8);
    dreamapi_meter_close(meter);
}

/* It hears of the restore in time, and the server cannot be reached for longer than it would have remembered. */
static void test_meter__what_a_restored_store_is_owed_is_not_forgotten_meanwhile(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter = open_as(f, DREAMAPI_POLICY_WAIT);
    char first[40];

    settle_and_restore(f, meter, first);
    server.goes_down = true;
    use(meter, 1);
    for (int minutes = 0; minutes < 70; minutes++)
        pass(f, 60000);
    server.http_status = 200;
    pass(f, 60000);
    assert_int_equal(row_of(first)->admitted, 7);
    assert_int_equal(server.used, 8);
    dreamapi_meter_close(meter);
}

/* ---- answers that make no sense, and none ---- */

/* Puts the id for each dollar. */
static void fill_in(char *out, const char *with_dollars, const char *id)
{
    for (const char *at = with_dollars; *at != '\0'; at++) {
        if (*at == '$')
            out = stpcpy(out, id);
        else
            *out++ = *at;
    }
    *out = '\0';
}

static void test_meter__a_malformed_answer_is_refused_whole(void **state)
{
    static const char *const answers[] = {
        "",
        "[]",
        "{}",
        "{\"storeEpoch\":\"1\",\"settled\":[],\"grants\":[]}",
        "{\"storeEpoch\":1,\"settled\":[]}",
        "{\"storeEpoch\":1,\"settled\":{},\"grants\":[]}",
        "{\"storeEpoch\":1,\"settled\":[{}],\"grants\":[]}",
        "{\"storeEpoch\":1,\"settled\":[{\"leaseId\":1,\"state\":\"final\"}],\"grants\":[]}",
        "{\"storeEpoch\":1,\"settled\":[],\"refunded\":[1],\"grants\":[]}",
        "{\"storeEpoch\":1,\"settled\":[],\"grants\":[{}]}",
        "{\"storeEpoch\":1,\"settled\":[],\"grants\":[{\"requestId\":\"$\",\"leaseId\":\"$\",\"state\":\"active\","
        "\"granted\":0,\"ttlMs\":1000,"
        "\"periodStart\":\"2023-11-01\",\"periodEnd\":\"2023-11-30\"}]}",
        "{\"storeEpoch\":1,\"settled\":[],\"grants\":[{\"requestId\":\"$\",\"leaseId\":\"$\",\"state\":\"active\","
        "\"granted\":2147483648,"
        "\"ttlMs\":1000,\"periodStart\":\"2023-11-01\",\"periodEnd\":\"2023-11-30\"}]}",
        "{\"storeEpoch\":1,\"settled\":[],\"grants\":[{\"requestId\":\"$\",\"leaseId\":\"$\",\"state\":\"active\","
        "\"granted\":5,\"ttlMs\":-1,"
        "\"periodStart\":\"2023-11-01\",\"periodEnd\":\"2023-11-30\"}]}",
        "{\"storeEpoch\":1,\"settled\":[],\"grants\":[{\"requestId\":\"$\",\"leaseId\":\"$\",\"state\":\"active\","
        "\"granted\":5,\"ttlMs\":1000,"
        "\"periodStart\":\"2023-11-31\",\"periodEnd\":\"2023-11-30\"}]}",
        "{\"storeEpoch\":1,\"settled\":[],\"grants\":[{\"requestId\":\"$\",\"leaseId\":\"zz\",\"state\":\"active\","
        "\"granted\":5,\"ttlMs\":1000,"
        "\"periodStart\":\"2023-11-01\",\"periodEnd\":\"2023-11-30\"}]}",
        "{\"storeEpoch\":1,\"settled\":[],\"grants\":[{\"requestId\":\"$\",\"leaseId\":\"$\",\"granted\":5,\"ttlMs\":"
        "1000,"
        "\"periodStart\":\"2023-11-01\",\"periodEnd\":\"2023-11-30\"}]}",
        "{\"storeEpoch\":1,\"settled\":[],\"grants\":[{\"requestId\":\"$\",\"leaseId\":\"$\",\"state\":\"active\","
        "\"granted\":5,\"ttlMs\":1000,"
        "\"periodStart\":\"2023-11-01\",\"periodEnd\":\"2023-11-30\",\"rate\":5}]}",
        "{\"storeEpoch\":1,\"settled\":[],\"grants\":[{\"requestId\":\"$\",\"leaseId\":\"$\",\"state\":\"active\","
        "\"granted\":5,\"ttlMs\":1000,"
        "\"periodStart\":\"2023-11-01\",\"periodEnd\":\"2023-11-30\",\"rate\":{\"windowMs\":0,\"windowEndsInMs\":0,"
        "\"granted\":1}}]}",
        "{\"storeEpoch\":1,\"settled\":[],\"grants\":[{\"requestId\":\"$\",\"leaseId\":\"$\",\"state\":\"active\","
        "\"granted\":5,\"ttlMs\":1000,"
        "\"periodStart\":\"2023-11-01\",\"periodEnd\":\"2023-11-30\",\"rate\":{\"windowMs\":10,\"windowEndsInMs\":11,"
        "\"granted\":1}}]}",
    };
    fixture *f = *state;
    dreamapi_meter *meter = open_as(f, DREAMAPI_POLICY_DENY);
    cJSON *root;
    char id[40];

    (void)dreamapi_meter_use(meter, 1, NULL);
    server.http_status = 503;
    pass(f, 1);
    (void)snprintf(id, sizeof(id), "%s", text_of(last_item(f, "acquire", 0, &root), "requestId"));
    cJSON_Delete(root);
    server.http_status = 200;
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        char text[1024] = "";
        size_t before = requests(f);
        fill_in(text, answers[i], id);
        server.raw = text;
        pass(f, 6000);
        server.raw = NULL;
        if (requests(f) == before)
            fail_msg("row %zu: not asked", i);
        if (dreamapi_meter_check(meter, 1, NULL) == DREAMAPI_OK || stats_of(f).units_granted != 0)
            fail_msg("row %zu: booked", i);
    }
    pass(f, 10000);
    use(meter, 1);
    /* The wish was one and the same all the time. */
    assert_int_equal(server.row_count, 1);
    assert_string_equal(server.rows[0].id, id);
    dreamapi_meter_close(meter);
}

static void test_meter__uses_go_on_while_the_server_is_down_as_long_as_the_lease_lasts(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter = open_as(f, DREAMAPI_POLICY_WAIT);
    dreamapi_decision decision;

    use(meter, 1);
    server.http_status = 0;
    server.failure = DREAMAPI_FAILURE_CONNECT;
    for (int i = 0; i < 58; i++) {
        pass(f, 1000);
        use(meter, 1);
    }
    pass(f, 3000);
    assert_int_equal(dreamapi_meter_use(meter, 1, &decision), DREAMAPI_UNAVAILABLE);
    assert_int_equal(decision.reason, DREAMAPI_REASON_UNAVAILABLE);
    assert_true(stats_of(f).requests_failed > 0);
    assert_int_equal(stats_of(f).leases_unsettled, 1);
    server.http_status = 200;
    pass(f, 10000);
    assert_int_equal(server.used, 59);
    use(meter, 1);
    dreamapi_meter_close(meter);
}

static void test_meter__a_grant_whose_answer_was_lost_is_asked_for_again_under_its_id(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter = open_as(f, DREAMAPI_POLICY_WAIT);
    cJSON *root;
    char id[40];

    server.http_status = 0;
    server.failure = DREAMAPI_FAILURE_RESET;
    assert_int_not_equal(dreamapi_meter_use(meter, 1, NULL), DREAMAPI_OK);
    (void)snprintf(id, sizeof(id), "%s", text_of(last_item(f, "acquire", 0, &root), "requestId"));
    cJSON_Delete(root);
    server.http_status = 200;
    pass(f, 10000);
    use(meter, 1);
    assert_int_equal(server.row_count, 1);
    assert_string_equal(server.rows[0].id, id);
    dreamapi_meter_close(meter);
}

/* ---- flush and close ---- */

static void test_meter__a_flush_settles_all_and_meters_go_on(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter = open_as(f, DREAMAPI_POLICY_WAIT);

    fixture_expect(f, dreamapi_client_flush(f->client, 0, &f->error), DREAMAPI_OK);
    use(meter, 7);
    flush(f);
    assert_int_equal(server.used, 7);
    assert_int_equal(held(), 0);
    use(meter, 1);
    dreamapi_meter_close(meter);
}

static void test_meter__a_flush_ends_with_its_time(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter = open_as(f, DREAMAPI_POLICY_WAIT);
    int64_t before_ms;

    use(meter, 7);
    server.delay_ms = DREAMAPI_TEST_NEVER;
    before_ms = fixture_now_ms(f);
    fixture_expect(f, dreamapi_client_flush(f->client, 500, &f->error), DREAMAPI_TIMEOUT);
    assert_in_range(fixture_now_ms(f) - before_ms, 500, 550);
    server.delay_ms = 0;
    fixture_expect(f, dreamapi_client_flush(f->client, 20000, &f->error), DREAMAPI_OK);
    assert_int_equal(server.used, 7);
    dreamapi_meter_close(meter);
}

static void test_meter__a_flush_tells_what_the_server_answered(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter = open_as(f, DREAMAPI_POLICY_WAIT);

    use(meter, 7);
    server.http_status = 401;
    fixture_expect(f, dreamapi_client_flush(f->client, 500, &f->error), DREAMAPI_AUTH);
    dreamapi_meter_close(meter);
}

static void test_meter__freeing_the_client_settles(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter = open_as(f, DREAMAPI_POLICY_WAIT);

    use(meter, 7);
    dreamapi_meter_close(meter);
    dreamapi_client_free(f->client);
    f->client = NULL;
    expect_settle(f, 7, 0, true);
}

static void test_meter__freeing_the_client_ends_with_its_time(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter = open_as(f, DREAMAPI_POLICY_WAIT);
    int64_t before_ms;

    use(meter, 7);
    dreamapi_meter_close(meter);
    server.delay_ms = DREAMAPI_TEST_NEVER;
    before_ms = fixture_now_ms(f);
    dreamapi_client_free(f->client);
    f->client = NULL;
    assert_in_range(fixture_now_ms(f) - before_ms, 2000, 2050);
}

static void test_meter__a_meter_outlives_its_client(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter = open_as(f, DREAMAPI_POLICY_WAIT);
    dreamapi_decision decision;

    use(meter, 7);
    dreamapi_client_free(f->client);
    f->client = NULL;
    assert_int_equal(server.used, 7);
    assert_int_equal(dreamapi_meter_use(meter, 1, &decision), DREAMAPI_CANCELLED);
    assert_int_equal(decision.allowed, 0);
    dreamapi_meter_close(meter);
}

/* The first to leave finds the other one staying; it still has the journal open when that leaves, too. */
static void test_meter__the_last_of_a_journal_that_leaves_settles(void **state)
{
    fixture *f = *state;
    char file[] = "/tmp/dreamapi-meter-XXXXXX";
    dreamapi_client *stays;
    dreamapi_meter *one;
    dreamapi_meter *other = NULL;

    name_journal(f, file);
    assert_int_equal(dreamapi_options_set_close_timeout_ms(f->options, 2000), DREAMAPI_OK);
    make_again(f);
    one = open_as(f, DREAMAPI_POLICY_WAIT);
    use(one, 7);
    fixture_expect(f, dreamapi_client_new(f->options, &stays, &f->error), DREAMAPI_OK);
    fixture_expect(f, dreamapi_meter_open(stays, "user_1", NULL, &other, &f->error), DREAMAPI_OK);
    dreamapi_client_free(f->client);
    f->client = NULL;
    assert_int_equal(held(), 64);
    use(other, 2);
    dreamapi_client_free(stays);
    expect_settle(f, 9, 0, true);
    assert_int_equal(held(), 0);
    dreamapi_meter_close(other);
    dreamapi_meter_close(one);
    (void)unlink(file);
}

/* ---- fork ---- */

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            (void)fprintf(stderr, "child: %s\n", #condition);                                                          \
            _exit(1);                                                                                                  \
        }                                                                                                              \
    } while (0)

static void in_child(void (*function)(fixture *f, dreamapi_meter *meter), fixture *f, dreamapi_meter *meter)
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        (void)alarm(SOON_S);
        function(f, meter);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("the child ended with %d", status);
}

static void use_in_child(fixture *f, dreamapi_meter *meter)
{
    dreamapi_decision decision;
    dreamapi_meter *own = NULL;

    CHECK(dreamapi_meter_use(meter, 5, &decision) == DREAMAPI_OK && decision.allowed);
    CHECK(dreamapi_meter_use(meter, 2, &decision) == DREAMAPI_OK);
    CHECK(dreamapi_meter_refund(meter, &decision) == DREAMAPI_OK);
    CHECK(dreamapi_meter_open(f->client, "user_2", NULL, &own, NULL) == DREAMAPI_FORKED);
    CHECK(dreamapi_client_flush(f->client, 0, NULL) == DREAMAPI_FORKED);
}

static void test_meter__a_forked_child_uses_an_inherited_meter(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter = open_as(f, DREAMAPI_POLICY_WAIT);

    use(meter, 7);
    in_child(use_in_child, f, meter);
    use(meter, 1);
    flush(f);
    expect_settle(f, 15, 2, true);
    assert_int_equal(server.used, 13);
    dreamapi_meter_close(meter);
}

static void use_past_the_lease_in_child(fixture *f, dreamapi_meter *meter)
{
    /* It needs a client of its own for that; the server of this process stands in. */
    CHECK(dreamapi_meter_use(meter, 60, NULL) == DREAMAPI_OK);
    CHECK(dreamapi_meter_use(meter, 60, NULL) != DREAMAPI_OK);
    (void)f;
}

static void test_meter__a_forked_child_gets_a_lease_by_itself(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter = open_as(f, DREAMAPI_POLICY_WAIT);

    in_child(use_past_the_lease_in_child, f, meter);
    dreamapi_meter_close(meter);
}

static int descriptors(void)
{
    int count = 0;

    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* The client that the child got for its meter stays until the meter is closed. */
static void free_the_client_between_uses(fixture *f, dreamapi_meter *meter)
{
    int before = descriptors();

    CHECK(dreamapi_meter_use(meter, 60, NULL) == DREAMAPI_OK);
    CHECK(descriptors() > before);
    dreamapi_client_free(f->client);
    CHECK(dreamapi_meter_use(meter, 40, NULL) == DREAMAPI_OK);
    CHECK(dreamapi_meter_use(meter, 1, NULL) == DREAMAPI_LIMIT);
    dreamapi_meter_close(meter);
    CHECK(descriptors() < before); /* those of the client that was inherited, and the journal */
}

static void free_the_client_before_any_use(fixture *f, dreamapi_meter *meter)
{
    dreamapi_client_free(f->client);
    CHECK(dreamapi_meter_use(meter, 60, NULL) == DREAMAPI_OK);
    CHECK(dreamapi_meter_use(meter, 40, NULL) == DREAMAPI_OK);
    dreamapi_meter_close(meter);
}

static void close_the_meter_first(fixture *f, dreamapi_meter *meter)
{
    int before = descriptors();

    CHECK(dreamapi_meter_use(meter, 60, NULL) == DREAMAPI_OK);
    dreamapi_meter_close(meter);
    dreamapi_client_free(f->client);
    CHECK(descriptors() < before);
}

static void test_meter__in_a_forked_child_a_meter_outlives_its_client(void **state)
{
    static void (*const orders[])(fixture *, dreamapi_meter *) = { free_the_client_between_uses,
                                                                   free_the_client_before_any_use,
                                                                   close_the_meter_first };

    for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
        fixture *f = *state;
        dreamapi_meter *meter = open_as(f, DREAMAPI_POLICY_WAIT);
        in_child(orders[i], f, meter);
        dreamapi_meter_close(meter);
        fixture_tear_down(state);
        set_up(state);
    }
}

static void use_what_has_ended(fixture *f, dreamapi_meter *meter)
{
    dreamapi_decision decision;

    CHECK(dreamapi_meter_use(meter, 1, &decision) == DREAMAPI_CANCELLED);
    CHECK(!decision.allowed);
    dreamapi_meter_close(meter);
    (void)f;
}

static void test_meter__a_child_forked_after_the_client_was_freed_is_told_so(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter = open_as(f, DREAMAPI_POLICY_WAIT);

    use(meter, 1);
    dreamapi_client_free(f->client);
    f->client = NULL;
    in_child(use_what_has_ended, f, meter);
    dreamapi_meter_close(meter);
}

static int left[2];

/* When the parent has left, though it has the journal open. */
static void settle_as_the_last(fixture *f, dreamapi_meter *meter)
{
    char byte;

    (void)close(left[1]);
    CHECK(read(left[0], &byte, 1) == 0);
    CHECK(dreamapi_meter_use(meter, 60, NULL) == DREAMAPI_OK && held() > 0);
    dreamapi_client_free(f->client);
    CHECK(held() > 0);
    dreamapi_meter_close(meter);
    CHECK(held() == 0 && server.used == 60);
}

static void test_meter__a_forked_child_that_is_the_last_settles(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter = open_as(f, DREAMAPI_POLICY_WAIT);
    int status;
    pid_t pid;

    assert_int_equal(pipe(left), 0);
    pid = fork();
    if (pid == 0) {
        (void)alarm(SOON_S);
        settle_as_the_last(f, meter);
        _exit(0);
    }
    (void)close(left[0]);
    dreamapi_client_free(f->client);
    f->client = NULL;
    (void)close(left[1]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    dreamapi_meter_close(meter);
}

#define WITH(name) cmocka_unit_test_setup_teardown(name, set_up, fixture_tear_down)
#define UNANNOUNCED(name) cmocka_unit_test_setup_teardown(name, set_up_unannounced, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(test_meter__the_first_use_waits_for_the_grant),
        WITH(test_meter__as_many_uses_as_the_plan_has_are_admitted_and_billed),
        WITH(test_meter__units_beyond_one_grant_are_refused_all_or_none),
        WITH(test_meter__a_use_larger_than_a_grant_asks_once_a_second),
        WITH(test_meter__two_meters_of_one_user_share_their_counts),
        WITH(test_meter__with_units_at_hand_nothing_is_asked),
        WITH(test_meter__a_refusal_is_repeated_for_a_second_without_a_request),
        WITH(test_meter__an_upgrade_shows_within_a_second),
        WITH(test_meter__each_refusal_has_its_reason_and_status),
        WITH(test_meter__a_refusal_for_the_rate_lasts_a_day_at_most),
        WITH(test_meter__a_refused_client_is_told_so),
        WITH(test_meter__waiting_ends_with_wait_ms),
        WITH(test_meter__denying_refuses_at_once_and_asks_meanwhile),
        WITH(test_meter__units_at_hand_are_never_refused_while_the_next_lease_comes),
        WITH(test_meter__allowing_admits_a_bound_and_bills_it_from_the_next_lease),
        WITH(test_meter__each_of_many_meters_goes_by_its_own_parameters),
        WITH(test_meter__allowing_never_overrules_a_refusal),
        WITH(test_meter__what_was_allowed_is_billed_without_another_use),
        WITH(test_meter__a_flush_bills_what_was_allowed_or_says_why_not),
        WITH(test_meter__a_debt_larger_than_grants_takes_several),
        WITH(test_meter__what_was_allowed_is_billed_by_the_next_run),
        UNANNOUNCED(test_meter__what_was_allowed_is_reported_to_a_server_without_leases),
        UNANNOUNCED(test_meter__leases_of_a_server_that_has_none_any_more_end_a_flush),
        WITH(test_meter__the_wish_of_a_dead_process_is_asked_again_at_once),
        WITH(test_meter__the_wish_of_a_closed_client_is_asked_again_at_once),
        WITH(test_meter__a_wish_that_failed_is_asked_again_by_whoever_needs_it),
        WITH(test_meter__the_rate_refuses_until_its_window_turns),
        WITH(test_meter__a_use_is_refunded_once),
        WITH(test_meter__after_the_settlement_a_refund_is_an_event),
        WITH(test_meter__what_was_not_admitted_cannot_be_refunded),
        WITH(test_meter__of_two_threads_one_refunds_a_decision),
        WITH(test_meter__a_commit_books_what_the_work_took),
        WITH(test_meter__what_was_reserved_is_no_use_to_refund),
        WITH(test_meter__an_excess_that_is_refused_leaves_the_reserved_units_booked),
        WITH(test_meter__units_of_an_expired_reservation_are_used_by_others),
        WITH(test_meter__a_reservation_may_outlast_its_lease),
        WITH(test_meter__a_reservation_never_committed_bills_nothing),
        WITH(test_meter__uses_by_id_share_the_meters_counts),
        WITH(test_meter__a_check_counts_and_asks_nothing),
        WITH(test_meter__a_decision_tells_plan_counts_and_age),
        WITH(test_meter__statistics_add_up),
        WITH(test_meter__arguments_that_make_no_sense_are_refused),
        WITH(test_meter__counts_are_told_at_a_third_of_the_lease),
        WITH(test_meter__an_idle_lease_is_handed_back),
        WITH(test_meter__nothing_is_spent_past_the_end_of_a_lease),
        WITH(test_meter__a_lease_ends_counted_from_before_it_was_asked_for),
        WITH(test_meter__what_is_recalled_is_handed_back),
        WITH(test_meter__a_lease_that_the_server_gave_up_is_settled_and_not_spent),
        WITH(test_meter__a_grant_that_is_no_longer_active_is_handed_back_unspent),
        WITH(test_meter__a_grant_that_is_final_is_forgotten),
        WITH(test_meter__a_restored_store_is_told_what_was_settled),
        WITH(test_meter__what_a_restored_store_is_owed_is_not_forgotten_meanwhile),
        WITH(test_meter__a_malformed_answer_is_refused_whole),
        WITH(test_meter__uses_go_on_while_the_server_is_down_as_long_as_the_lease_lasts),
        WITH(test_meter__a_grant_whose_answer_was_lost_is_asked_for_again_under_its_id),
        WITH(test_meter__a_flush_settles_all_and_meters_go_on),
        WITH(test_meter__a_flush_ends_with_its_time),
        WITH(test_meter__a_flush_tells_what_the_server_answered),
        WITH(test_meter__freeing_the_client_settles),
        WITH(test_meter__freeing_the_client_ends_with_its_time),
        WITH(test_meter__a_meter_outlives_its_client),
        WITH(test_meter__the_last_of_a_journal_that_leaves_settles),
        WITH(test_meter__a_forked_child_uses_an_inherited_meter),
        WITH(test_meter__a_forked_child_gets_a_lease_by_itself),
        WITH(test_meter__in_a_forked_child_a_meter_outlives_its_client),
        WITH(test_meter__a_child_forked_after_the_client_was_freed_is_told_so),
        WITH(test_meter__a_forked_child_that_is_the_last_settles),
    };
    return cmocka_run_group_tests_name("meter", tests, NULL, NULL);
}
