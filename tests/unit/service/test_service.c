/* SPDX-License-Identifier: Apache-2.0 */
/* test_service.c - the service whole, over loopback, where time matters: requests that cross, answers that come late or never,
 * a store that fails in the middle, a stop with work in hand. The providers are one server that holds every request until the
 * test answers it. What the endpoints answer in quiet times is the wire cases' business. */
#include "service/service.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "common/timefmt.h"
#include "common/webhook.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include "service/store/customers.h"
#include "service/store/keys.h"
#include "service/store/subscriptions.h"
#include "service/store/tenants.h"
#include "service/store/tiers.h"

#define PK "pk_live_00000000000000000000000000000001"
#define SK "sk_live_0000000000000000000000000000000000000000000000000000000000000001"
#define SECRET "whsec_live"
#define USER(id, plan)                                                                                                 \
    "{\"id\":\"" id                                                                                                    \
    "\",\"email_addresses\":[{\"id\":\"i\",\"email_address\":\"ada@example.test\"}],\"created_at\":%lld,"              \
    "\"public_metadata\":{\"publishableKey\":\"" PK "\",\"plan\":\"" plan "\"}}"

enum { MAX_HELD = 16, WAIT_S = 20 };

/* ---- the providers: one server that holds everything ---- */

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int count;
    dreamd_request *requests[MAX_HELD];
    char lines[MAX_HELD][160]; /* "GET /v1/users/user_1" */
    char bodies[MAX_HELD][512];
    dreamd_http_server *server;
} provider = { .mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static void hold(void *context, dreamd_request *request)
{
    size_t size = 0;
    const char *body = dreamd_request_body(request, &size);

    (void)context;
    pthread_mutex_lock(&provider.mutex);
    if (provider.count < MAX_HELD) {
        (void)snprintf(provider.lines[provider.count], sizeof provider.lines[0], "%s %s",
                       dreamd_request_method(request), dreamd_request_path(request));
        (void)snprintf(provider.bodies[provider.count], sizeof provider.bodies[0], "%.*s", (int)size, body);
        provider.requests[provider.count++] = request;
    }
    pthread_cond_broadcast(&provider.changed);
    pthread_mutex_unlock(&provider.mutex);
}

static struct timespec deadline(void)
{
    struct timespec at;

    clock_gettime(CLOCK_REALTIME, &at);
    at.tv_sec += WAIT_S;
    return at;
}

/* Waits for request number `index` and checks what it is. */
static void expect_call(int index, const char *line)
{
    struct timespec until = deadline();
    int status = 0;

    pthread_mutex_lock(&provider.mutex);
    while (provider.count <= index && status == 0)
        status = pthread_cond_timedwait(&provider.changed, &provider.mutex, &until);
    pthread_mutex_unlock(&provider.mutex);
    assert_int_equal(status, 0);
    assert_string_equal(provider.lines[index], line);
}

static void answer_call(int index, unsigned status, const char *body)
{
    dreamd_request_answer(provider.requests[index], status, "application/json", body, strlen(body));
    provider.requests[index] = NULL;
}

static int call_count(void)
{
    int count = 0;

    pthread_mutex_lock(&provider.mutex);
    count = provider.count;
    pthread_mutex_unlock(&provider.mutex);
    return count;
}

/* ---- the client ---- */

struct question {
    pthread_mutex_t mutex;
    pthread_cond_t is_answered;
    bool is_done;
    int status;
    char body[2048];
};

static dreamd_http_client *client;
static dreamd_service *service;

static void on_reply(void *context, const dreamd_reply *reply)
{
    struct question *question = context;

    pthread_mutex_lock(&question->mutex);
    question->is_done = true;
    question->status = reply->status;
    (void)snprintf(question->body, sizeof question->body, "%s", reply->body ? reply->body : "");
    pthread_cond_signal(&question->is_answered);
    pthread_mutex_unlock(&question->mutex);
}

static void ask(struct question *question, const char *method, const char *path, const char *header, const char *body)
{
    char url[256];
    const char *headers[] = { "Content-Type: application/json", "Authorization: Bearer " SK, header, NULL };
    dreamd_outbound outbound = { .method = method,
                                 .url = url,
                                 .headers = headers,
                                 .body = body,
                                 .body_size = body ? strlen(body) : 0,
                                 .timeout_ms = WAIT_S * 1000 };

    *question = (struct question){ PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, 0, "" };
    (void)snprintf(url, sizeof url, "%s%s", dreamd_service_api_url(service), path);
    dreamd_http_client_send(client, &outbound, on_reply, question);
}

static int wait_answer(struct question *question)
{
    struct timespec until = deadline();
    int status = 0;

    pthread_mutex_lock(&question->mutex);
    while (!question->is_done && status == 0)
        status = pthread_cond_timedwait(&question->is_answered, &question->mutex, &until);
    pthread_mutex_unlock(&question->mutex);
    assert_int_equal(status, 0);
    return question->status;
}

static void deliver(struct question *question, const char *event)
{
    dream_buffer header = DREAM_BUFFER_INIT;
    dream_buffer signature = DREAM_BUFFER_INIT;

    assert_true(dream_stripe_signature_make(&signature, SECRET, event, strlen(event), dream_wall_ms() / 1000));
    dream_buffer_printf(&header, "Stripe-Signature: %s", signature.data);
    ask(question, "POST", "/webhook/stripe", header.data, event);
    dream_buffer_clear(&signature);
    dream_buffer_clear(&header);
}

/* ---- the stage: a store with one project, the service over it ---- */

static char folder[64];
static char path[96];
static dreamd_store *store;
static dreamd_metrics *metrics;
static dreamd_settings settings;
static dreamd_project project = { .platform_id = "plt_1",
                                  .project_id = "prj_1",
                                  .publishable_key = PK,
                                  .mode = DREAMD_LIVE,
                                  .type = "saas",
                                  .name = "App" };

static dreamd_db_status put_tenant(dreamd_db *db, void *arg)
{
    dreamd_platform platform = { .platform_id = "plt_1", .email = "dev@example.test" };
    dreamd_new_key key = { "plt_1", "prj_1", PK, SK, settings.master_key };
    dreamd_stripe_account account = { .account_id = "acct_a", .access_token = "sk_acct" };
    dreamd_tier tiers[] = { DREAMD_TIER_INIT, DREAMD_TIER_INIT };
    dreamd_db_status status = dreamd_platform_insert(db, &platform, 1);

    (void)arg;
    tiers[0].name = "free";
    tiers[0].limit = 5;
    tiers[1].name = "pro";
    tiers[1].display_name = "Pro Plan";
    tiers[1].limit = 100;
    tiers[1].price_id = "price_pro";
    if (status == DREAMD_DB_OK)
        status = dreamd_project_insert(db, &project, 1);
    if (status == DREAMD_DB_OK)
        status = dreamd_key_insert(db, &key, 1, NULL);
    for (size_t i = 0; status == DREAMD_DB_OK && i < 2; i++)
        status = dreamd_tier_insert(db, &project, &tiers[i], 1);
    if (status == DREAMD_DB_OK)
        status = dreamd_stripe_account_put(db, "plt_1", DREAMD_LIVE, &account, settings.master_key, 1);
    return status;
}

static char secret_key[] = "sk_provider";
static char webhook_secret[] = SECRET;
static char frontend_url[] = "https://app.example.test";
static char *provider_url;

static void start_service(void)
{
    dreamd_service_options options = { &settings, store, metrics, "127.0.0.1:0", "127.0.0.1:0" };
    char error[256] = "";

    service = dreamd_service_start(&options, error);
    if (!service)
        fail_msg("%s", error);
}

static int begin(void **state)
{
    dreamd_http_server_options standin = { .name = "standin", .listen = "127.0.0.1:0", .handler = hold };
    char error[256] = "";

    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/test-service-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    (void)snprintf(path, sizeof path, "%s/service.db", folder);
    provider.count = 0;
    provider.server = dreamd_http_server_start(&standin, error);
    assert_non_null(provider.server);
    provider_url = strdup(dreamd_http_server_url(provider.server));
    settings = (dreamd_settings){ .frontend_url = frontend_url };
    settings.clerk_end_user[DREAMD_LIVE] = (dreamd_clerk_settings){ provider_url, secret_key, NULL };
    settings.stripe[DREAMD_LIVE] = (dreamd_stripe_settings){ provider_url, secret_key, webhook_secret };
    metrics = dreamd_metrics_new();
    assert_true(dreamd_store_migrate(path, error));
    store = dreamd_store_open(path, metrics, error);
    assert_non_null(store);
    assert_int_equal(dreamd_store_write_now(store, put_tenant, NULL), DREAMD_DB_OK);
    client = dreamd_http_client_new();
    start_service();
    return 0;
}

static int end(void **state)
{
    static const char *const suffixes[] = { "", "-wal", "-shm" };
    char file[128];

    (void)state;
    dreamd_service_stop(service, 1000);
    service = NULL;
    dreamd_http_client_free(client);
    for (int i = 0; i < provider.count; i++) {
        if (provider.requests[i])
            answer_call(i, 500, "{}");
    }
    dreamd_http_server_stop(provider.server, 1000);
    dreamd_store_close(store);
    dreamd_metrics_free(metrics);
    free(provider_url);
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        (void)snprintf(file, sizeof file, "%s%s", path, suffixes[i]);
        (void)unlink(file);
    }
    return rmdir(folder);
}

/* ---- looking into the store ---- */

struct look {
    const char *user_id;
    bool has_customer;
    bool has_subscription;
    char plan[32];
    char status[32];
    dream_arena *arena;
};

static dreamd_db_status look_up(dreamd_db *db, void *arg)
{
    struct look *look = arg;
    dreamd_customer customer;
    dreamd_subscription subscription;
    dreamd_db_status status =
        dreamd_customer_find(db, &project, look->user_id, look->arena, &customer, &look->has_customer);

    if (status == DREAMD_DB_OK)
        status =
            dreamd_subscription_find(db, &project, look->user_id, look->arena, &subscription, &look->has_subscription);
    if (look->has_subscription) {
        (void)snprintf(look->plan, sizeof look->plan, "%s", subscription.plan);
        (void)snprintf(look->status, sizeof look->status, "%s", subscription.status);
    }
    return status;
}

static struct look look_at(const char *user_id)
{
    struct look look = { .user_id = user_id, .arena = dream_arena_new() };

    assert_int_equal(dreamd_store_read_now(store, look_up, &look), DREAMD_DB_OK);
    dream_arena_free(look.arena);
    return look;
}

static const char *user_text(const char *format, int64_t created_at_ms)
{
    static char text[512];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    (void)snprintf(text, sizeof text, format, (long long)created_at_ms);
#pragma GCC diagnostic pop
    return text;
}

/* ---- creations ---- */

#define TAKEN "{\"errors\":[{\"message\":\"That email address is taken.\",\"code\":\"form_identifier_exists\"}]}"
#define CREATE "{\"email\":\"ada@example.test\"}"

static void test_service__a_creation_lost_half_way_is_found_again_by_its_key(void **state)
{
    struct question question;

    (void)state;
    ask(&question, "POST", "/api/customers", "Idempotency-Key: k1", CREATE);
    expect_call(0, "POST /v1/users");
    answer_call(0, 422, TAKEN);
    expect_call(1, "GET /v1/users");
    {
        char list[600];

        (void)snprintf(list, sizeof list, "[%s]", user_text(USER("user_1", "free"), dream_wall_ms()));
        answer_call(1, 200, list);
    }
    assert_int_equal(wait_answer(&question), 201);
    assert_non_null(strstr(question.body, "\"id\":\"user_1\""));
    assert_true(look_at("user_1").has_customer);
    /* Now it is stored: another key is another wish, and refused. */
    ask(&question, "POST", "/api/customers", "Idempotency-Key: k2", CREATE);
    expect_call(2, "POST /v1/users");
    answer_call(2, 422, TAKEN);
    expect_call(3, "GET /v1/users");
    {
        char list[600];

        (void)snprintf(list, sizeof list, "[%s]", user_text(USER("user_1", "free"), dream_wall_ms()));
        answer_call(3, 200, list);
    }
    assert_int_equal(wait_answer(&question), 400);
}

static void test_service__a_taken_address_is_not_ours_for_the_asking(void **state)
{
    static const struct {
        const char *user;
        int64_t age_ms;
    } cases[] = {
        { USER("user_1", "pro"), 0 },                             /* another plan than asked for */
        { USER("user_1", "free"), INT64_C(25) * 60 * 60 * 1000 }, /* older than any key */
        { "{\"id\":\"user_1\",\"created_at\":%lld}", 0 },         /* of no project */
        { "{\"id\":\"user_1\",\"created_at\":%lld,\"public_metadata\":{\"publishableKey\":\"pk_live_x\",\"plan\":"
          "\"free\"}}",
          0 },
    };

    (void)state;
    for (int i = 0; i < (int)(sizeof cases / sizeof cases[0]); i++) {
        struct question question;
        char key[32];
        char list[600];

        (void)snprintf(key, sizeof key, "Idempotency-Key: k%d", i);
        (void)snprintf(list, sizeof list, "[%s]", user_text(cases[i].user, dream_wall_ms() - cases[i].age_ms));
        ask(&question, "POST", "/api/customers", key, CREATE);
        expect_call(2 * i, "POST /v1/users");
        answer_call(2 * i, 422, TAKEN);
        expect_call(2 * i + 1, "GET /v1/users");
        answer_call(2 * i + 1, 200, list);
        assert_int_equal(wait_answer(&question), 400);
        assert_non_null(strstr(question.body, "That email address is taken."));
        assert_false(look_at("user_1").has_customer);
    }
}

static void test_service__without_a_key_a_taken_address_is_simply_refused(void **state)
{
    struct question question;

    (void)state;
    ask(&question, "POST", "/api/customers", NULL, CREATE);
    expect_call(0, "POST /v1/users");
    answer_call(0, 422, TAKEN);
    assert_int_equal(wait_answer(&question), 400);
    assert_int_equal(call_count(), 1);
}

static void test_service__a_creation_that_cannot_be_stored_is_taken_back(void **state)
{
    struct question question;
    char error[256] = "";
    dreamd_db *db = NULL;

    (void)state;
    ask(&question, "POST", "/api/customers", NULL, CREATE);
    expect_call(0, "POST /v1/users");
    /* The store breaks while the provider works. */
    db = dreamd_db_open_sqlite(path, DREAMD_DB_READ_WRITE, error);
    assert_non_null(db);
    assert_int_equal(dreamd_db_script(db, "ALTER TABLE customers RENAME TO customers_gone;"), DREAMD_DB_OK);
    dreamd_db_close(db);
    answer_call(0, 200, user_text(USER("user_1", "free"), dream_wall_ms()));
    expect_call(1, "DELETE /v1/users/user_1");
    answer_call(1, 200, "{\"id\":\"user_1\",\"deleted\":true}");
    assert_int_equal(wait_answer(&question), 500);
}

/* ---- webhooks ---- */

#define EVENT(id, created, type, account, status, tier)                                                                \
    "{\"id\":\"" id "\",\"created\":" created ",\"livemode\":true,\"account\":\"" account "\",\"type\":\"" type        \
    "\",\"data\":{\"object\":{\"id\":\"sub_9\",\"status\":\"" status "\",\"customer\":\"cus_9\",\"metadata\":{"        \
    "\"userId\":\"user_1\",\"tier\":\"" tier "\",\"publishableKey\":\"" PK "\"}}}}"
#define UPDATED "customer.subscription.updated"

static void pass_event(int index)
{
    expect_call(index, "GET /v1/users/user_1");
    answer_call(index, 200, user_text(USER("user_1", "free"), 1));
    expect_call(index + 1, "PATCH /v1/users/user_1/metadata");
    answer_call(index + 1, 200, user_text(USER("user_1", "pro"), 1));
}

static void test_service__events_about_one_user_go_one_at_a_time(void **state)
{
    struct question first;
    struct question second;
    struct question other;

    (void)state;
    deliver(&first, EVENT("evt_1", "100", UPDATED, "acct_a", "active", "Pro Plan"));
    expect_call(0, "GET /v1/users/user_1");
    deliver(&second, EVENT("evt_2", "200", "customer.subscription.deleted", "acct_a", "canceled", "pro"));
    /* Something sent later gets through, so the second event had its chance. */
    ask(&other, "GET", "/health", NULL, NULL);
    assert_int_equal(wait_answer(&other), 200);
    assert_int_equal(call_count(), 1);
    pass_event(0);
    assert_int_equal(wait_answer(&first), 200);
    assert_string_equal(look_at("user_1").plan, "pro");
    pass_event(2);
    assert_int_equal(wait_answer(&second), 200);
}

static void test_service__a_second_delivery_waits_and_finds_the_first_done(void **state)
{
    struct question first;
    struct question second;

    (void)state;
    deliver(&first, EVENT("evt_1", "100", UPDATED, "acct_a", "active", "pro"));
    expect_call(0, "GET /v1/users/user_1");
    deliver(&second, EVENT("evt_1", "100", UPDATED, "acct_a", "active", "pro"));
    pass_event(0);
    assert_int_equal(wait_answer(&first), 200);
    assert_int_equal(wait_answer(&second), 200);
    assert_string_equal(second.body, "{\"received\":true,\"idempotent\":true}");
    assert_int_equal(call_count(), 2);
}

static void test_service__an_event_older_than_what_was_applied_changes_nothing(void **state)
{
    struct question question;

    (void)state;
    deliver(&question, EVENT("evt_2", "200", UPDATED, "acct_a", "active", "pro"));
    pass_event(0);
    assert_int_equal(wait_answer(&question), 200);
    deliver(&question, EVENT("evt_1", "100", UPDATED, "acct_a", "active", "free"));
    assert_int_equal(wait_answer(&question), 200);
    assert_string_equal(question.body, "{\"received\":true}");
    assert_int_equal(call_count(), 2);
    assert_string_equal(look_at("user_1").plan, "pro");
}

/* As another process does that shares the store. */
static dreamd_db_status apply_newer(dreamd_db *db, void *arg)
{
    dreamd_subscription subscription = DREAMD_SUBSCRIPTION_INIT;
    dreamd_event event = { .source = "stripe-live",
                           .event_id = "evt_newer",
                           .type = "customer.subscription.deleted",
                           .created_s = 200,
                           .payload = "{}",
                           .project = &project,
                           .subscription = &subscription };

    subscription.user_id = "user_1";
    subscription.subscription_id = "sub_9";
    subscription.plan = "pro";
    subscription.status = "canceled";
    return dreamd_event_apply(db, &event, dream_wall_ms(), arg);
}

static void test_service__what_an_overtaken_event_told_the_provider_is_put_right(void **state)
{
    struct question question;
    dreamd_event_outcome outcome;

    (void)state;
    deliver(&question, EVENT("evt_1", "100", UPDATED, "acct_a", "active", "pro"));
    expect_call(0, "GET /v1/users/user_1");
    answer_call(0, 200, user_text(USER("user_1", "free"), 1));
    expect_call(1, "PATCH /v1/users/user_1/metadata");
    assert_non_null(strstr(provider.bodies[1], "\"plan\":\"pro\""));
    assert_int_equal(dreamd_store_write_now(store, apply_newer, &outcome), DREAMD_DB_OK);
    answer_call(1, 200, user_text(USER("user_1", "pro"), 1));
    expect_call(2, "PATCH /v1/users/user_1/metadata");
    assert_string_equal(provider.bodies[2], "{\"public_metadata\":{\"plan\":\"free\"}}");
    answer_call(2, 200, user_text(USER("user_1", "free"), 1));
    assert_int_equal(wait_answer(&question), 200);
    assert_string_equal(question.body, "{\"received\":true}");
    assert_int_equal(call_count(), 3);
}

static void test_service__another_account_cannot_speak_for_the_project(void **state)
{
    struct question question;

    (void)state;
    deliver(&question, EVENT("evt_1", "100", UPDATED, "acct_evil", "active", "pro"));
    assert_int_equal(wait_answer(&question), 200);
    assert_int_equal(call_count(), 0);
    assert_false(look_at("user_1").has_subscription);
}

static void test_service__another_projects_user_is_left_alone(void **state)
{
    struct question question;

    (void)state;
    deliver(&question, EVENT("evt_1", "100", UPDATED, "acct_a", "active", "pro"));
    expect_call(0, "GET /v1/users/user_1");
    answer_call(0, 200, "{\"id\":\"user_1\",\"public_metadata\":{\"publishableKey\":\"pk_live_x\",\"plan\":\"free\"}}");
    assert_int_equal(wait_answer(&question), 200);
    assert_int_equal(call_count(), 1);
    assert_false(look_at("user_1").has_subscription);
}

static void test_service__an_event_is_kept_only_when_the_provider_knows(void **state)
{
    struct question question;

    (void)state;
    deliver(&question, EVENT("evt_1", "100", UPDATED, "acct_a", "active", "pro"));
    expect_call(0, "GET /v1/users/user_1");
    answer_call(0, 503, "{}");
    assert_int_equal(wait_answer(&question), 502);
    assert_false(look_at("user_1").has_subscription);
    deliver(&question, EVENT("evt_1", "100", UPDATED, "acct_a", "active", "pro"));
    pass_event(1);
    assert_int_equal(wait_answer(&question), 200);
    assert_string_equal(question.body, "{\"received\":true}");
    assert_true(look_at("user_1").has_subscription);
}

static void test_service__a_subscription_of_a_user_who_is_gone_still_ends(void **state)
{
    struct question question;

    (void)state;
    deliver(&question, EVENT("evt_1", "100", UPDATED, "acct_a", "active", "pro"));
    pass_event(0);
    assert_int_equal(wait_answer(&question), 200);
    deliver(&question, EVENT("evt_2", "200", "customer.subscription.deleted", "acct_a", "canceled", "pro"));
    expect_call(2, "GET /v1/users/user_1");
    answer_call(2, 404, "{}");
    assert_int_equal(wait_answer(&question), 200);
    assert_string_equal(look_at("user_1").status, "canceled");
}

/* ---- the end ---- */

static void test_service__a_stop_answers_what_waits_for_a_provider(void **state)
{
    struct question waiting;
    struct question behind;

    (void)state;
    deliver(&waiting, EVENT("evt_1", "100", UPDATED, "acct_a", "active", "pro"));
    expect_call(0, "GET /v1/users/user_1");
    deliver(&behind, EVENT("evt_2", "200", UPDATED, "acct_a", "active", "pro"));
    dreamd_service_stop(service, 100);
    service = NULL;
    assert_true(wait_answer(&waiting) >= 500 || waiting.status == 0);
    assert_true(wait_answer(&behind) >= 500 || behind.status == 0);
    assert_false(look_at("user_1").has_subscription);
    start_service();
    assert_non_null(strstr(dreamd_service_admin_url(service), "http://127.0.0.1:"));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        CASE(test_service__a_creation_lost_half_way_is_found_again_by_its_key),
        CASE(test_service__a_taken_address_is_not_ours_for_the_asking),
        CASE(test_service__without_a_key_a_taken_address_is_simply_refused),
        CASE(test_service__a_creation_that_cannot_be_stored_is_taken_back),
        CASE(test_service__events_about_one_user_go_one_at_a_time),
        CASE(test_service__a_second_delivery_waits_and_finds_the_first_done),
        CASE(test_service__an_event_older_than_what_was_applied_changes_nothing),
        CASE(test_service__what_an_overtaken_event_told_the_provider_is_put_right),
        CASE(test_service__another_account_cannot_speak_for_the_project),
        CASE(test_service__another_projects_user_is_left_alone),
        CASE(test_service__an_event_is_kept_only_when_the_provider_knows),
        CASE(test_service__a_subscription_of_a_user_who_is_gone_still_ends),
        CASE(test_service__a_stop_answers_what_waits_for_a_provider),
    };

    return cmocka_run_group_tests_name("service", tests, NULL, NULL);
}
