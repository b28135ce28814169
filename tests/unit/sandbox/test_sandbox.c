/* SPDX-License-Identifier: Apache-2.0 */
/* test_sandbox.c - starting and stopping the whole sandbox, and a malformed request to every route over real sockets. What the
 * answers mean is judged by the official clients, in tests/e2e/test_sandbox_clients.py. */
#include "sandbox/sandbox.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/buffer.h"
#include "net/http_client.h"

struct place {
    char folder[64];
    char path[128];
    sandbox *box;
    dreamd_http_client *client;
};

static sandbox *start(const char *path)
{
    char error[256];
    sandbox *box = sandbox_start(&(sandbox_options){ .path = path }, error);
    if (!box)
        fail_msg("%s", error);
    return box;
}

static int setup(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    (void)snprintf(place->folder, sizeof place->folder, "/tmp/test-sandbox-XXXXXX");
    assert_non_null(mkdtemp(place->folder));
    (void)snprintf(place->path, sizeof place->path, "%s/state.db", place->folder);
    place->box = start(place->path);
    place->client = dreamd_http_client_new();
    assert_non_null(place->client);
    *state = place;
    return 0;
}

static int teardown(void **state)
{
    static const char *const endings[] = { "", "-wal", "-shm" };
    struct place *place = *state;
    dreamd_http_client_free(place->client);
    sandbox_stop(place->box, 1000);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        char path[160];
        (void)snprintf(path, sizeof path, "%s%s", place->path, endings[i]);
        (void)unlink(path);
    }
    assert_int_equal(rmdir(place->folder), 0);
    free(place);
    return 0;
}

struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t landed;
    bool is_done;
    int status;
};

static void on_reply(void *context, const dreamd_reply *reply)
{
    struct waiter *waiter = context;
    (void)pthread_mutex_lock(&waiter->lock);
    waiter->status = reply->status;
    waiter->is_done = true;
    (void)pthread_cond_signal(&waiter->landed);
    (void)pthread_mutex_unlock(&waiter->lock);
}

/* The status of the answer. The client's own deadline bounds the wait. */
static int ask(struct place *place, const sandbox_endpoint *endpoint, const char *method, const char *path,
               const char *body)
{
    struct waiter waiter = { .lock = PTHREAD_MUTEX_INITIALIZER, .landed = PTHREAD_COND_INITIALIZER };
    char url[512], key[160];
    (void)snprintf(url, sizeof url, "%s%s", endpoint->url, path);
    (void)snprintf(key, sizeof key, "Authorization: Bearer %s", endpoint->secret_key);
    const char *headers[] = { key, NULL };
    dreamd_http_client_send(
        place->client,
        &(dreamd_outbound){
            .method = method, .url = url, .headers = headers, .body = body, .body_size = body ? strlen(body) : 0 },
        on_reply, &waiter);
    (void)pthread_mutex_lock(&waiter.lock);
    while (!waiter.is_done)
        (void)pthread_cond_wait(&waiter.landed, &waiter.lock);
    (void)pthread_mutex_unlock(&waiter.lock);
    return waiter.status;
}

static void test_sandbox__restart_keeps_keys_and_state(void **state)
{
    struct place *place = *state;
    sandbox_endpoint before = *sandbox_endpoint_of(place->box, SANDBOX_CLERK_END_USER, SANDBOX_TEST);
    assert_int_equal(ask(place, &before, "POST", "/v1/users", "{\"email_address\":[\"a@example.test\"]}"), 200);
    sandbox_stop(place->box, 1000);
    place->box = start(place->path);
    const sandbox_endpoint *after = sandbox_endpoint_of(place->box, SANDBOX_CLERK_END_USER, SANDBOX_TEST);
    assert_string_equal(before.secret_key, after->secret_key);
    assert_string_equal(before.webhook_secret, after->webhook_secret);
    assert_int_equal(ask(place, after, "POST", "/v1/users", "{\"email_address\":[\"a@example.test\"]}"), 422);
}

static void test_sandbox__taken_port_is_refused_and_leaves_nothing_running(void **state)
{
    struct place *place = *state;
    char error[256] = "";
    unsigned port = 0;
    const sandbox_endpoint *first = sandbox_endpoint_of(place->box, SANDBOX_STRIPE, SANDBOX_LIVE);
    assert_int_equal(sscanf(first->url, "http://127.0.0.1:%u", &port), 1);
    assert_null(sandbox_start(&(sandbox_options){ .path = place->path, .first_port = (uint16_t)port }, error));
    assert_true(strlen(error) > 10);
    assert_int_equal(ask(place, first, "GET", "/v1/account", NULL), 200);
}

static void test_sandbox__ports_beyond_the_last_are_refused(void **state)
{
    struct place *place = *state;
    char error[256] = "";
    assert_null(sandbox_start(&(sandbox_options){ .path = place->path, .first_port = 65531 }, error));
    assert_non_null(strstr(error, "65531"));
}

static void test_sandbox__every_service_takes_webhook_addresses_up_to_a_bound(void **state)
{
    struct place *place = *state;
    static const char *const urls[] = { "http://127.0.0.1:1/a", "http://127.0.0.1:1/b", NULL };
    static const char *const none[] = { NULL };
    const char *many[64];
    for (size_t i = 0; i < 63; i++)
        many[i] = urls[0];
    many[63] = NULL;
    for (int service = 0; service < SANDBOX_SERVICES; service++) {
        assert_true(sandbox_set_webhook_urls(place->box, (enum sandbox_service)service, SANDBOX_LIVE, urls));
        assert_true(sandbox_set_webhook_urls(place->box, (enum sandbox_service)service, SANDBOX_LIVE, none));
        assert_false(sandbox_set_webhook_urls(place->box, (enum sandbox_service)service, SANDBOX_LIVE, many));
    }
}

static const struct {
    enum sandbox_service service;
    const char *method;
    const char *path;
    const char *body;
    int status;
} refusals[] = {
    { SANDBOX_STRIPE, "GET", "/", NULL, 404 },
    { SANDBOX_STRIPE, "GET", "/v1/customers/", NULL, 404 },
    { SANDBOX_STRIPE, "GET", "/v1/customers/cus_1/more", NULL, 404 },
    { SANDBOX_STRIPE, "PUT", "/v1/customers", "", 404 },
    { SANDBOX_STRIPE, "GET", "/v1/customers/%00", NULL, 404 },
    { SANDBOX_STRIPE, "GET", "/v1/customers/%zz", NULL, 404 },
    { SANDBOX_STRIPE, "GET", "/v1/customers/cus_1", NULL, 404 },
    { SANDBOX_STRIPE, "GET", "/v1/customers?limit=%ff", NULL, 400 },
    { SANDBOX_STRIPE, "GET", "/v1/customers?limit[a]=1", NULL, 400 },
    { SANDBOX_STRIPE, "GET", "/v1/customers?limit=99999999999999999999", NULL, 400 },
    { SANDBOX_STRIPE, "GET", "/v1/customers?created[gt]=x", NULL, 200 }, /* nothing to compare with */
    { SANDBOX_STRIPE, "GET", "/v1/customers?expand=customer", NULL, 400 },
    { SANDBOX_STRIPE, "POST", "/v1/customers", "email[x]=1", 400 },
    { SANDBOX_STRIPE, "POST", "/v1/customers", "metadata=x", 400 },
    { SANDBOX_STRIPE, "POST", "/v1/customers", "metadata[a][b]=x", 400 },
    { SANDBOX_STRIPE, "POST", "/v1/customers", "address=x", 400 },
    { SANDBOX_STRIPE, "POST", "/v1/customers", "a[", 400 },
    { SANDBOX_STRIPE, "POST", "/v1/products", "", 400 },
    { SANDBOX_STRIPE, "POST", "/v1/products", "name=", 400 },
    { SANDBOX_STRIPE, "POST", "/v1/products", "name=x&images=y", 400 },
    { SANDBOX_STRIPE, "POST", "/v1/products", "name=x&default_price_data=y", 400 },
    { SANDBOX_STRIPE, "POST", "/v1/products", "name=x&id=a%2Fb", 400 },
    { SANDBOX_STRIPE, "POST", "/v1/prices", "currency=usd&unit_amount=1&product[a]=1", 400 },
    { SANDBOX_STRIPE, "POST", "/v1/prices", "currency=usd&unit_amount=1&product_data=1", 400 },
    { SANDBOX_STRIPE, "POST", "/v1/checkout/sessions", "", 400 },
    { SANDBOX_STRIPE, "POST", "/v1/checkout/sessions", "mode=payment&success_url=http://x&line_items=1", 400 },
    { SANDBOX_STRIPE, "POST", "/v1/checkout/sessions", "mode=payment&success_url=http://x&line_items[0]=1", 400 },
    { SANDBOX_STRIPE, "POST", "/v1/checkout/sessions", "mode=payment&success_url=http://x&line_items[a][price]=1",
      400 },
    { SANDBOX_STRIPE, "POST", "/v1/checkout/sessions", "mode=payment&success_url=http://&line_items[0][price]=1", 400 },
    { SANDBOX_STRIPE, "POST", "/v1/subscriptions/sub_1", "items=1", 404 },
    { SANDBOX_STRIPE, "POST", "/v1/accounts", "type=secret", 400 },
    { SANDBOX_STRIPE, "GET", "/pay/cs_1", NULL, 404 },
    { SANDBOX_STRIPE, "POST", "/pay/cs_1", "card_number[a]=1", 404 },
    { SANDBOX_STRIPE, "GET", "/pay/cs_1/confirm", NULL, 404 },
    { SANDBOX_STRIPE, "POST", "/pay/cs_1/confirm", "answer=complete", 404 },
    { SANDBOX_STRIPE, "POST", "/v1/billing_portal/sessions", "", 400 },
    { SANDBOX_STRIPE, "POST", "/v1/billing_portal/sessions", "customer[a]=1", 400 },
    { SANDBOX_STRIPE, "POST", "/v1/billing_portal/sessions", "customer=cus_1", 400 },
    { SANDBOX_STRIPE, "GET", "/v1/billing_portal/sessions", NULL, 404 },
    { SANDBOX_STRIPE, "POST", "/v1/billing_portal/configurations", "", 400 },
    { SANDBOX_STRIPE, "POST", "/v1/billing_portal/configurations", "features=1", 400 },
    { SANDBOX_STRIPE, "POST", "/v1/billing_portal/configurations", "features[invoice_history]=1", 400 },
    { SANDBOX_STRIPE, "POST", "/v1/billing_portal/configurations", "features[customer_update][enabled][]=1", 400 },
    { SANDBOX_STRIPE, "POST", "/v1/billing_portal/configurations",
      "features[subscription_update][enabled]=true&features[subscription_update][products]=x", 400 },
    { SANDBOX_STRIPE, "POST", "/v1/billing_portal/configurations",
      "features[subscription_update][enabled]=true&features[subscription_update][products][0]=x", 400 },
    { SANDBOX_STRIPE, "POST", "/v1/billing_portal/configurations",
      "features[subscription_cancel][enabled]=true&features[subscription_cancel][cancellation_reason][options]=x",
      400 },
    { SANDBOX_STRIPE, "POST", "/v1/billing_portal/configurations/bpc_1", "active=true", 404 },
    { SANDBOX_STRIPE, "GET", "/v1/billing_portal/configurations/bpc_1", NULL, 404 },
    { SANDBOX_STRIPE, "GET", "/portal/live_x", NULL, 404 },
    { SANDBOX_STRIPE, "GET", "/portal/live_x?done[a]=b", NULL, 404 },
    { SANDBOX_STRIPE, "POST", "/portal/live_x/cancel/sub_1", "feedback[x]=1", 404 },
    { SANDBOX_STRIPE, "POST", "/portal/live_x/resume/sub_1", "", 404 },
    { SANDBOX_STRIPE, "GET", "/portal/live_x/plan/sub_1?price[]=1", NULL, 404 },
    { SANDBOX_STRIPE, "POST", "/portal/live_x/plan/sub_1", "price[]=1", 404 },
    { SANDBOX_CLERK_END_USER, "GET", "/v1/nothing", NULL, 404 },
    { SANDBOX_CLERK_END_USER, "DELETE", "/v1/users", NULL, 405 },
    { SANDBOX_CLERK_END_USER, "GET", "/v1/users?limit=0", NULL, 422 },
    { SANDBOX_CLERK_END_USER, "GET", "/v1/users?limit=x", NULL, 422 },
    { SANDBOX_CLERK_END_USER, "GET", "/v1/users?offset=-1", NULL, 422 },
    { SANDBOX_CLERK_END_USER, "GET", "/v1/users?query=%ff%zz", NULL, 400 },
    { SANDBOX_CLERK_END_USER, "POST", "/v1/users", NULL, 422 },
    { SANDBOX_CLERK_END_USER, "POST", "/v1/users", "{\"email_address\":\"a@b.test\"}", 422 },
    { SANDBOX_CLERK_END_USER, "POST", "/v1/users", "{\"email_address\":[1]}", 422 },
    { SANDBOX_CLERK_END_USER, "POST", "/v1/users", "{\"email_address\":{\"a\":\"b\"}}", 422 },
    { SANDBOX_CLERK_END_USER, "POST", "/v1/users", "{\"email_address\":[\"a@b.test\"],\"password\":7}", 422 },
    { SANDBOX_CLERK_END_USER, "POST", "/v1/users", "{\"email_address\":[\"a@b.test\"],\"public_metadata\":[]}", 422 },
    { SANDBOX_CLERK_END_USER, "POST", "/v1/users", "{\"\":1}", 422 },
    { SANDBOX_CLERK_END_USER, "POST", "/v1/users",
      "{\"external_id first_name\":\"x\",\"email_address\":[\"n@b.test\"]}", 422 },
    { SANDBOX_CLERK_END_USER, "PATCH", "/v1/users/user_1", "{}", 404 },
    { SANDBOX_CLERK_END_USER, "PATCH", "/v1/users/user_1/metadata", "{\"public_metadata\":1}", 404 },
    { SANDBOX_CLERK_END_USER, "POST", "/v1/sessions", "{}", 422 },
    { SANDBOX_CLERK_END_USER, "POST", "/v1/sessions", "{\"user_id\":{}}", 422 },
    { SANDBOX_CLERK_END_USER, "POST", "/v1/sessions/sess_1/tokens", "", 404 },
    { SANDBOX_CLERK_END_USER, "POST", "/v1/jwt_templates", "{\"name\":\"a b\",\"claims\":{}}", 422 },
    { SANDBOX_CLERK_END_USER, "POST", "/v1/jwt_templates", "{\"name\":\"a\",\"claims\":{},\"lifetime\":1}", 422 },
    { SANDBOX_CLERK_END_USER, "POST", "/v1/jwt_templates", "{\"name\":\"a\"}", 422 },
};

static void test_sandbox__malformed_requests_are_refused_and_nothing_breaks(void **state)
{
    struct place *place = *state;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        const sandbox_endpoint *endpoint = sandbox_endpoint_of(place->box, refusals[i].service, SANDBOX_LIVE);
        int status = ask(place, endpoint, refusals[i].method, refusals[i].path, refusals[i].body);
        if (status != refusals[i].status)
            print_error("%s %s %s: %d\n", refusals[i].method, refusals[i].path,
                        refusals[i].body ? refusals[i].body : "", status);
        assert_int_equal(status, refusals[i].status);
    }
}

/* Claims nested as deep as a body may be, with shortcodes that do not end. */
static void test_sandbox__deep_claims_are_expanded(void **state)
{
    struct place *place = *state;
    const sandbox_endpoint *endpoint = sandbox_endpoint_of(place->box, SANDBOX_CLERK_END_USER, SANDBOX_LIVE);
    dream_buffer body = DREAM_BUFFER_INIT;
    dream_buffer_text(&body, "{\"name\":\"deep\",\"claims\":{\"a\":\"{{user.id\",\"b\":\"}}{{\",\"c\":\"{{}}\",\"d\":");
    for (int i = 0; i < 60; i++)
        dream_buffer_char(&body, '[');
    for (int i = 0; i < 60; i++)
        dream_buffer_char(&body, ']');
    dream_buffer_text(&body, "}}");
    assert_int_equal(ask(place, endpoint, "POST", "/v1/jwt_templates", dream_buffer_str(&body)), 200);
    dream_buffer_clear(&body);
}

#define IN_PLACE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_PLACE(test_sandbox__restart_keeps_keys_and_state),
        IN_PLACE(test_sandbox__taken_port_is_refused_and_leaves_nothing_running),
        IN_PLACE(test_sandbox__ports_beyond_the_last_are_refused),
        IN_PLACE(test_sandbox__every_service_takes_webhook_addresses_up_to_a_bound),
        IN_PLACE(test_sandbox__malformed_requests_are_refused_and_nothing_breaks),
        IN_PLACE(test_sandbox__deep_claims_are_expanded),
    };
    return cmocka_run_group_tests_name("sandbox", tests, NULL, NULL);
}
