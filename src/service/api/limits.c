/* SPDX-License-Identifier: Apache-2.0 */
/* limits.c - the rates, and what they count. docs/operations.md tells them to the operator. */
#include "service/api/limits.h"

#include <string.h>

#include "common/timefmt.h"
#include "service/api/throttle.h"

enum { KEY, ADDRESS, CART_PROJECT, CART_ADDRESS }; /* kinds of names */

/* Keys cannot be guessed (128 random bits at least); this bounds what trying costs us. A backend whose key was revoked is told 401 a minute long
 * even if it asks once a second; an address may be a whole office's. */
static const dreamd_rate failures_of_a_key = { 60, 1000 };
static const dreamd_rate failures_of_an_address = { 300, 200 };
/* A publishable key is every buyer's of a shop; an address may be a household's or a campus's. Each cart is a request to the payment
 * provider, which allows a platform about 100 a second in all. */
static const dreamd_rate carts_of_a_project = { 600, 100 };
static const dreamd_rate carts_of_an_address = { 300, 500 };

static uint64_t key_name(const dreamd_throttle *throttle, const char *key)
{
    return dreamd_throttle_name(throttle, KEY, key, strlen(key));
}

static bool refuse(dreamd_call *call, const char *error, const char *message, int64_t wait_ms)
{
    dreamd_metric_add(call->service->throttled, 1);
    dreamd_call_set_retry_later(call, error, message, (wait_ms + 999) / 1000);
    return false;
}

bool dreamd_limits_may_try(dreamd_call *call, const char *key)
{
    dreamd_throttle *throttle = call->service->throttle;
    const int64_t now_ms = dream_monotonic_ms();
    int64_t wait_ms = 0;

    if (!throttle)
        return true;
    uint64_t name = key_name(throttle, key);
    wait_ms = dreamd_throttle_wait(throttle, name, &failures_of_a_key, now_ms);
    if (wait_ms == 0 && !dreamd_throttle_knows(throttle, name))
        wait_ms = dreamd_throttle_wait(throttle,
                                       dreamd_throttle_address(throttle, ADDRESS, dreamd_request_remote(call->request)),
                                       &failures_of_an_address, now_ms);
    return wait_ms == 0
           || refuse(call, "Too many failed attempts", "Authentication failed too often; wait before the next try",
                     wait_ms);
}

void dreamd_limits_address_failed(dreamd_call *call)
{
    dreamd_throttle *throttle = call->service->throttle;

    if (throttle)
        dreamd_throttle_count(throttle,
                              dreamd_throttle_address(throttle, ADDRESS, dreamd_request_remote(call->request)),
                              &failures_of_an_address, dream_monotonic_ms());
}

void dreamd_limits_key_failed(dreamd_call *call, const char *key)
{
    dreamd_throttle *throttle = call->service->throttle;

    if (!throttle)
        return;
    uint64_t name = key_name(throttle, key);
    dreamd_throttle_forget(throttle, name);
    dreamd_throttle_count(throttle, name, &failures_of_a_key, dream_monotonic_ms());
    dreamd_limits_address_failed(call);
}

void dreamd_limits_key_accepted(dreamd_call *call, const char *key)
{
    dreamd_throttle *throttle = call->service->throttle;

    if (throttle)
        dreamd_throttle_know(throttle, key_name(throttle, key));
}

bool dreamd_limits_may_buy(dreamd_call *call)
{
    dreamd_throttle *throttle = call->service->throttle;
    const dreamd_project *project = &call->project;
    const int64_t now_ms = dream_monotonic_ms();

    if (!throttle)
        return true;
    uint64_t shop =
        dreamd_throttle_name(throttle, CART_PROJECT, project->publishable_key, strlen(project->publishable_key));
    uint64_t buyer = dreamd_throttle_address(throttle, CART_ADDRESS, dreamd_request_remote(call->request));
    int64_t wait_ms = dreamd_throttle_wait(throttle, shop, &carts_of_a_project, now_ms);
    if (wait_ms == 0 && !call->has_secret_key)
        wait_ms = dreamd_throttle_wait(throttle, buyer, &carts_of_an_address, now_ms);
    if (wait_ms > 0)
        return refuse(call, "Rate limit exceeded", "Too many carts at a time; wait before the next one", wait_ms);
    dreamd_throttle_count(throttle, shop, &carts_of_a_project, now_ms);
    if (!call->has_secret_key)
        dreamd_throttle_count(throttle, buyer, &carts_of_an_address, now_ms);
    return true;
}
