/* SPDX-License-Identifier: Apache-2.0 */
/* behave_c.c - the behaviours in C. See behaviours.h. */
#include "behaviours.h"

#include <stdio.h>
#include <string.h>

const char *const behave_language = "C";

static struct {
    wire_stage *stage;
    dreamapi_client *client;
    dreamapi_meter *meter; /* NULL: the row has none */
    dreamapi_decision decision;
} session;

static void open_meter(const behave_setup *setup)
{
    dreamapi_meter_params params = DREAMAPI_METER_PARAMS_INIT;

    params.user_token = setup->meter_token;
    params.policy = setup->policy;
    if (setup->wait_ms >= 0)
        params.wait_ms = setup->wait_ms;
    params.allow_units = setup->allow_units;
    wire_must(dreamapi_meter_open(session.client, "user_1", &params, &session.meter, NULL));
}

void behave_begin(const behave_setup *setup)
{
    dreamapi_options *options = dreamapi_options_new();

    wire_must(options == NULL ? DREAMAPI_NOMEM : DREAMAPI_OK);
    wire_must(dreamapi_options_set_base_url(options, stage_base_url));
    wire_must(dreamapi_options_set_secret_key(options, stage_secret_key));
    wire_must(dreamapi_options_set_threads(options, 0));
    if (setup->timeout_ms != 0)
        wire_must(dreamapi_options_set_timeout_ms(options, setup->timeout_ms));
    if (setup->max_retries >= 0)
        wire_must(dreamapi_options_set_max_retries(options, (int)setup->max_retries));
    stage_install(setup->stage, options);
    memset(&session, 0, sizeof(session));
    session.stage = setup->stage;
    wire_must(dreamapi_client_new(options, &session.client, NULL));
    dreamapi_options_free(options);
    if (setup->has_meter)
        open_meter(setup);
}

void behave_end(void)
{
    dreamapi_meter_close(session.meter);
    dreamapi_client_free(session.client);
}

/* ---- calls ---- */

static void take_error(behave_outcome *out, const dreamapi_error *error)
{
    out->status = error->status;
    out->http_status = error->http_status;
    out->is_retriable = error->retriable != 0;
    out->is_local = error->local != 0;
    out->retry_after_ms = error->retry_after_ms;
    out->used = error->used;
    out->limit = error->limit;
    (void)snprintf(out->request_id, sizeof(out->request_id), "%s", error->request_id);
    (void)snprintf(out->server_error, sizeof(out->server_error), "%s", error->server_error);
    (void)snprintf(out->message, sizeof(out->message), "%s", error->message);
}

static void take_plan(behave_outcome *out, const char *plan)
{
    (void)snprintf(out->plan, sizeof(out->plan), "%s", plan == NULL ? "" : plan);
}

static void take_customer(behave_outcome *out, dreamapi_customer *customer)
{
    if (customer != NULL)
        take_plan(out, dreamapi_customer_plan(customer));
    dreamapi_customer_free(customer);
}

static void take_usage(behave_outcome *out, dreamapi_usage *usage)
{
    if (usage != NULL)
        take_plan(out, dreamapi_usage_plan(usage));
    dreamapi_usage_free(usage);
}

static dreamapi_call *start(const behave_step *step, const dreamapi_call_options *options, dreamapi_error *error)
{
    dreamapi_customer_params params = DREAMAPI_CUSTOMER_PARAMS_INIT;
    dreamapi_call *call = NULL;

    params.email = "ada@example.test";
    if (strcmp(step->call, "customer_get") == 0)
        (void)dreamapi_customer_get_start(session.client, "user_1", options, &call, error);
    else if (strcmp(step->call, "customer_create") == 0)
        (void)dreamapi_customer_create_start(session.client, &params, options, &call, error);
    else
        wire_bail_out("no such call to cancel", step->call);
    return call;
}

static void cancel(const behave_step *step, const dreamapi_call_options *options, dreamapi_error *error)
{
    size_t before = session.stage->asked_count;
    dreamapi_call *call = start(step, options, error);

    for (int i = 0; i < 100 && call != NULL && session.stage->asked_count == before; i++)
        wire_must(dreamapi_client_perform(session.client));
    dreamapi_call_cancel(call);
    (void)dreamapi_call_wait(call, -1, error);
    dreamapi_call_free(call);
}

static void send(const behave_step *step, const dreamapi_call_options *options, behave_outcome *out,
                 dreamapi_error *error)
{
    dreamapi_customer_params params = DREAMAPI_CUSTOMER_PARAMS_INIT;
    dreamapi_customer_update_params changes = DREAMAPI_CUSTOMER_UPDATE_PARAMS_INIT;
    dreamapi_customer *customer = NULL;
    dreamapi_usage *usage = NULL;

    params.email = "ada@example.test";
    changes.plan = "free";
    if (strcmp(step->call, "customer_get") == 0)
        (void)dreamapi_customer_get(session.client, "user_1", options, &customer, error);
    else if (strcmp(step->call, "customer_create") == 0)
        (void)dreamapi_customer_create(session.client, &params, options, &customer, error);
    else if (strcmp(step->call, "customer_update") == 0)
        (void)dreamapi_customer_update(session.client, "user_1", &changes, options, &customer, error);
    else if (strcmp(step->call, "customer_delete") == 0)
        (void)dreamapi_customer_delete(session.client, "user_1", options, &customer, error);
    else if (strcmp(step->call, "usage_track") == 0)
        (void)dreamapi_usage_track(session.client, step->token == NULL ? "user_1" : NULL, NULL, options, &usage, error);
    else
        wire_bail_out("no such call", step->call);
    take_customer(out, customer);
    take_usage(out, usage);
}

void behave_call(const behave_step *step, behave_outcome *out)
{
    dreamapi_call_options options = DREAMAPI_CALL_OPTIONS_INIT;
    dreamapi_error error;

    options.timeout_ms = step->timeout_ms;
    options.idempotency_key = step->key;
    options.user_token = step->token;
    if (step->is_cancelled)
        cancel(step, &options, &error);
    else
        send(step, &options, out, &error);
    take_error(out, &error);
}

/* ---- the meter ---- */

static void take_decision(behave_outcome *out, dreamapi_status status, const dreamapi_decision *decision)
{
    out->status = status;
    out->reason = decision->reason;
    out->source = decision->source;
    out->limit = decision->limit;
    out->used = decision->used;
    out->remaining = decision->remaining;
    out->retry_after_ms = decision->retry_after_ms;
    take_plan(out, decision->plan);
}

void behave_use(int64_t units, behave_outcome *out)
{
    dreamapi_status status = dreamapi_meter_use(session.meter, units, &session.decision);

    take_decision(out, status, &session.decision);
}

void behave_check(int64_t units, behave_outcome *out)
{
    dreamapi_decision decision;
    dreamapi_status status = dreamapi_meter_check(session.meter, units, &decision);

    take_decision(out, status, &decision);
}

void behave_refund(behave_outcome *out)
{
    out->status = dreamapi_meter_refund(session.meter, &session.decision);
}
