/* SPDX-License-Identifier: Apache-2.0 */
/* pipeline.c - what happens to a call.
 *
 *   NEW --admit--> [WAITING for /health] --> SENDING --> FINISHED
 *                         ^                  |    ^
 *                         |                  v    |
 *                         +----------------- PAUSING
 *
 * One timer a call: the earlier of its deadline and of what its phase waits for. Whether a try may be
 * repeated is retry.c's judgement, what an answer means is answer.c's; here they are carried out. Driver only, no lock. */
#include "lib/pipeline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/timefmt.h"
#include "lib/answer.h"
#include "lib/error.h"
#include "lib/object/health.h"

enum { PROBE_PATIENCE_MS = 5000 };

static void try_now(dreamapi_call *call);

static int64_t now_of(const dreamapi_client *client)
{
    return dream_settings_now_ms(&client->settings);
}

/* ---- the end of a call ---- */

static void enter_live(dreamapi_call *call)
{
    dreamapi_client *client = call->client;

    dream_call_hold(call);
    call->live_previous = client->live_last;
    if (client->live_last != NULL)
        client->live_last->live_next = call;
    else
        client->live_first = call;
    client->live_last = call;
}

static void leave_live(dreamapi_call *call)
{
    dreamapi_client *client = call->client;

    if (call->live_previous != NULL)
        call->live_previous->live_next = call->live_next;
    else
        client->live_first = call->live_next;
    if (call->live_next != NULL)
        call->live_next->live_previous = call->live_previous;
    else
        client->live_last = call->live_previous;
}

/* Repeating a call is harmless if its method is, if the server knows the key that the caller would give again, or if
 * nothing can have been done. */
static bool is_harmless_to_repeat(const dreamapi_call *call)
{
    if (call->request.is_idempotent || (call->is_keyed && call->request.has_own_key))
        return true;
    return !call->is_unclear && call->error.http_status < 500;
}

static bool is_passing(const dreamapi_error *error)
{
    switch (error->status) {
    case DREAMAPI_RATE_LIMITED:
    case DREAMAPI_TIMEOUT:
    case DREAMAPI_UNAVAILABLE:
    case DREAMAPI_OUTCOME_UNKNOWN:
    case DREAMAPI_SERVER:
    case DREAMAPI_CANCELLED:
    case DREAMAPI_NOMEM:
        return true;
    case DREAMAPI_CONFLICT:
        return error->retry_after_ms >= 0;
    default:
        return false;
    }
}

/* call->error says how it ended. */
static void finish(dreamapi_call *call)
{
    call->error.retriable = is_passing(&call->error) && is_harmless_to_repeat(call);
    if (call->exchange.request_id[0] != '\0')
        memcpy(call->error.request_id, call->exchange.request_id, sizeof(call->error.request_id));
    dream_timers_cancel(&call->client->timers, &call->timer);
    leave_live(call);
    call->phase = DREAM_PHASE_FINISHED;
    dream_exchange_clear(&call->exchange);
    dream_request_forget(&call->request);
    dream_signer_clear(&call->signer);
    dream_call_publish(call);
    if (call->on_finished != NULL)
        call->on_finished(call, call->context);
    dream_call_release(call);
}

static void finish_refused(dreamapi_call *call, dreamapi_status status, const char *why)
{
    (void)dream_error_refuse(&call->error, status, "%s: %s", call->name, why);
    finish(call);
}

/* `what` is the sentence to put first; it names the call. */
static void finish_unknown(dreamapi_call *call, const char *what)
{
    dreamapi_error last = call->error;

    (void)dream_error_set(&call->error, DREAMAPI_OUTCOME_UNKNOWN, "%s; it may have been carried out", what);
    call->error.http_status = last.http_status;
    call->error.retry_after_ms = last.retry_after_ms;
    memcpy(call->error.server_error, last.server_error, sizeof(last.server_error));
    finish(call);
}

/* An answer that the server gave after looking at the request: with a key, it also settles what became of earlier tries. */
static bool is_definite(const dreamapi_call *call)
{
    int http = call->error.http_status;

    return call->is_keyed && http >= 400 && http < 500 && http != 408 && http != 409 && http != 429;
}

/* No further try: call->error holds what the last one came to. */
static void conclude(dreamapi_call *call)
{
    if (call->is_unclear && !call->request.is_idempotent && !is_definite(call)) {
        char why[sizeof(call->error.message)];
        memcpy(why, call->error.message, sizeof(why));
        finish_unknown(call, why);
        return;
    }
    finish(call);
}

/* Takes an exchange back from the transport, or out of the queue of ended ones. True if its request may have left. */
static bool abort_exchange(dreamapi_client *client, dreamapi_exchange *exchange)
{
    client->exchanges_under_way--;
    if (!exchange->is_ended)
        return client->settings.transport.cancel(client->transport, exchange) != 0;
    dream_exchange_remove_ended(&client->ended, exchange);
    return exchange->maybe_sent;
}

static void abort_sending(dreamapi_call *call)
{
    if (call->phase != DREAM_PHASE_SENDING)
        return;
    if (abort_exchange(call->client, &call->exchange) && !call->request.is_idempotent)
        call->is_unclear = true;
}

static void expire(dreamapi_call *call)
{
    abort_sending(call);
    dream_error_clear(&call->error);
    if (call->is_unclear) {
        char what[96];
        (void)snprintf(what, sizeof(what), "%s: the deadline passed before an answer came", call->name);
        finish_unknown(call, what);
        return;
    }
    (void)dream_error_set(&call->error, DREAMAPI_TIMEOUT, "%s: the deadline passed %s", call->name,
                          call->tries == 0 ? "before anything was sent" : "before an answer came");
    finish(call);
}

/* ---- retries ---- */

/* Plans the next try, or says no: too many, no budget, or no time left. Budget is taken last, when all else allows the try. */
static bool plan_retry(dreamapi_call *call)
{
    dreamapi_client *client = call->client;
    int64_t now_ms = now_of(client);
    uint32_t random = 0;
    int64_t delay_ms;

    if (call->retries >= client->settings.max_retries)
        return false;
    /* Without randomness the shortest pause is taken: a poor spread, but no failure. */
    (void)dream_settings_random(&client->settings, &random, sizeof(random));
    delay_ms = dream_retry_backoff_ms(call->retries, random);
    if (call->error.retry_after_ms > delay_ms)
        delay_ms = call->error.retry_after_ms;
    if (delay_ms >= call->deadline_ms - now_ms || !dream_retry_budget_spend(&client->budget))
        return false;
    if (!dream_timers_set(&client->timers, &call->timer, now_ms + delay_ms))
        return false;
    call->retries++;
    call->phase = DREAM_PHASE_PAUSING;
    dream_settings_log(&client->settings, DREAMAPI_LOG_INFO, "%s; trying again in %lld ms", call->error.message,
                       (long long)delay_ms);
    return true;
}

/* One try came to nothing: call->error says why, `last` gives the facts. */
static void try_failed(dreamapi_call *call, const dream_try *last)
{
    dream_verdict verdict = dream_retry_judge(last);

    if (last->http_status == 0 && last->maybe_sent && !call->request.is_idempotent)
        call->is_unclear = true;
    if (verdict == DREAM_VERDICT_AT_ONCE && !call->is_stale_repeated) {
        call->is_stale_repeated = true;
        try_now(call);
        return;
    }
    if ((verdict == DREAM_VERDICT_AGAIN || verdict == DREAM_VERDICT_AT_ONCE) && plan_retry(call))
        return;
    conclude(call);
}

static void try_failed_unsent(dreamapi_call *call, dreamapi_failure failure, const char *why)
{
    dream_try last = { 0 };

    last.failure = failure;
    (void)dream_error_set(&call->error, dream_answer_of_failure(failure), "%s: %s", call->name, why);
    try_failed(call, &last);
}

/* ---- asking for extensions ---- */

static void set_common_headers(const dreamapi_client *client, dreamapi_exchange *exchange)
{
    dream_exchange_set_header(exchange, "User-Agent", client->settings.user_agent);
    dream_exchange_set_header(exchange, "Accept", "application/json");
}

static void start_exchange(dreamapi_client *client, dreamapi_exchange *exchange)
{
    dreamapi_status status = client->settings.transport.start(client->transport, exchange);

    client->exchanges_under_way++;
    if (status != DREAMAPI_OK)
        dreamapi_exchange_fail(exchange, status == DREAMAPI_NOMEM ? DREAMAPI_FAILURE_NOMEM : DREAMAPI_FAILURE_OTHER, 0,
                               "the transport refused the request");
}

static void send_probe(dreamapi_client *client)
{
    dream_exchange_prepare(&client->probe, "GET", client->health_url, client->settings.max_response_size,
                           &client->ended, NULL);
    set_common_headers(client, &client->probe);
    client->probe.is_repeatable = true;
    start_exchange(client, &client->probe);
}

static void note_probe_failure(dreamapi_client *client, dreamapi_failure failure, const char *problem)
{
    client->probe_failure = failure;
    (void)snprintf(client->probe_problem, sizeof(client->probe_problem), "%s", problem);
}

static void begin_probe(dreamapi_client *client)
{
    if (client->is_probing)
        return;
    /* Without a timer the probe could hang for ever; the calls themselves go on without extensions. */
    if (!dream_timers_set(&client->timers, &client->probe_timer, now_of(client) + PROBE_PATIENCE_MS)) {
        note_probe_failure(client, DREAMAPI_FAILURE_NOMEM, "out of memory");
        dream_extensions_fail(&client->extensions, now_of(client));
        return;
    }
    client->is_probing = true;
    client->is_probe_repeated = false;
    send_probe(client);
}

/* Lets everyone who waited for the probe go on, oldest first. */
static void end_probe(dreamapi_client *client)
{
    dreamapi_call *next;

    client->is_probing = false;
    dream_timers_cancel(&client->timers, &client->probe_timer);
    dream_exchange_clear(&client->probe);
    for (dreamapi_call *call = client->live_first; call != NULL; call = next) {
        next = call->live_next;
        if (call->phase == DREAM_PHASE_WAITING)
            try_now(call);
    }
}

static void fail_probe(dreamapi_client *client, dreamapi_failure failure, const char *problem)
{
    note_probe_failure(client, failure, problem);
    dream_extensions_fail(&client->extensions, now_of(client));
    dream_settings_log(&client->settings, DREAMAPI_LOG_INFO, "GET /health got no answer; going on without extensions");
    end_probe(client);
}

static void probe_answered(dreamapi_client *client)
{
    const dreamapi_exchange *probe = &client->probe;
    int http = probe->http_status;
    void *health = NULL;
    char problem[DREAM_PROBLEM_SIZE];

    /* A server that has no such page is one without extensions; one that is busy or broken has not answered. */
    if (http >= 500 || http == 408 || http == 429 || http < 200) {
        char problem_text[32];
        (void)snprintf(problem_text, sizeof(problem_text), "the server answered %d", http);
        fail_probe(client, DREAMAPI_FAILURE_OTHER, problem_text);
        return;
    }
    /* What could not be read for want of memory must not count for an hour as nothing announced. */
    if (http < 300
        && dream_noun_health.parse(dream_buffer_str(&probe->answer), probe->answer.size, &health, problem)
               == DREAMAPI_NOMEM) {
        fail_probe(client, DREAMAPI_FAILURE_NOMEM, "out of memory");
        return;
    }
    dream_extensions_learn(&client->extensions, health, now_of(client));
    dream_noun_health.release(health);
    dream_settings_log(&client->settings, DREAMAPI_LOG_DEBUG, "the server announces extensions 0x%x",
                       client->extensions.announced);
    end_probe(client);
}

static void probe_ended(dreamapi_client *client)
{
    if (client->probe.http_status != 0) {
        probe_answered(client);
    } else if (client->probe.failure == DREAMAPI_FAILURE_STALE && !client->is_probe_repeated) {
        client->is_probe_repeated = true;
        send_probe(client);
    } else {
        fail_probe(client, client->probe.failure,
                   client->probe.failure_text[0] == '\0' ? "no answer" : client->probe.failure_text);
    }
}

static void probe_timed_out(dreamapi_client *client)
{
    (void)abort_exchange(client, &client->probe);
    fail_probe(client, DREAMAPI_FAILURE_TIMEOUT, "no answer in time");
}

/* What the server has to announce before anything of this call may be sent. */
static unsigned needs_of(const dreamapi_call *call)
{
    bool is_signed = call->client->settings.signing_key != NULL && !call->request.is_anonymous;

    return call->request.needed_extension | (is_signed ? DREAM_EXTENSION_SIGNATURES : 0);
}

/* True when the call has to wait for what the server announces. A call that cannot do without asks again even if the
 * server was silent a moment ago. */
static bool must_ask(const dreamapi_call *call)
{
    const dreamapi_client *client = call->client;

    if (call->has_asked || !(call->request.is_post || needs_of(call) != 0))
        return false;
    switch (dream_extensions_look(&client->extensions, now_of(client))) {
    case DREAM_EXTENSIONS_KNOWN:
        return false;
    case DREAM_EXTENSIONS_SILENT:
        return needs_of(call) != 0;
    case DREAM_EXTENSIONS_ASK:
        break;
    }
    return true;
}

static void wait_for_probe(dreamapi_call *call)
{
    dreamapi_client *client = call->client;
    int64_t now_ms = now_of(client);
    int64_t patience_ms = (call->deadline_ms - now_ms) / 2;

    if (patience_ms > PROBE_PATIENCE_MS)
        patience_ms = PROBE_PATIENCE_MS;
    call->has_asked = true;
    call->phase = DREAM_PHASE_WAITING;
    (void)dream_timers_set(&client->timers, &call->timer, now_ms + patience_ms);
    begin_probe(client);
    /* It could not even begin. */
    if (!client->is_probing)
        try_now(call);
}

/* ---- a try ---- */

/* True when the server already told this user to wait, and the time is not over. */
static bool is_held_back(dreamapi_call *call)
{
    int64_t wait_ms;

    if (!call->request.has_user || call->tries > 0)
        return false;
    wait_ms = dream_rate_cache_wait_ms(call->client->rates, &call->request.user, now_of(call->client));
    if (wait_ms <= 0)
        return false;
    (void)dream_error_refuse(&call->error, DREAMAPI_RATE_LIMITED,
                             "%s: not sent: the server asked this user to wait, %lld ms more", call->name,
                             (long long)wait_ms);
    call->error.retry_after_ms = wait_ms;
    return true;
}

static void set_headers(dreamapi_call *call)
{
    const dream_settings *settings = &call->client->settings;
    const dream_request *request = &call->request;
    dreamapi_exchange *exchange = &call->exchange;

    set_common_headers(call->client, exchange);
    if (!request->is_anonymous) {
        dream_exchange_set_header(exchange, "Authorization", settings->authorization);
        dream_exchange_set_header(exchange, "Content-Digest", call->signer.digest.data);
        dream_exchange_set_header(exchange, "Signature-Input", call->signer.input.data);
        dream_exchange_set_header(exchange, "Signature", call->signer.signature.data);
        dream_exchange_set_header(exchange, "X-Publishable-Key",
                                  settings->has_secret_key ? NULL : settings->publishable_key);
    }
    dream_exchange_set_header(exchange, "X-Clerk-Token", request->user_token);
    dream_exchange_set_header(exchange, "Idempotency-Key", request->idempotency_key);
    dream_exchange_set_header(exchange, "traceparent", request->traceparent[0] == '\0' ? NULL : request->traceparent);
    if (request->body.size > 0)
        dream_exchange_set_header(exchange, "Content-Type", "application/json");
}

/* In bearer mode there is nothing to do. False with the call ended. */
static bool sign(dreamapi_call *call)
{
    const dream_settings *settings = &call->client->settings;
    dream_request *request = &call->request;
    dreamapi_status status;

    if (settings->signing_key == NULL || request->is_anonymous)
        return true;
    call->signer.nonces = &call->client->nonces;
    status =
        dream_signer_sign(&call->signer, settings, request->method, dream_buffer_str(&request->url), &request->body);
    if (status != DREAMAPI_OK)
        finish_refused(call, status, status == DREAMAPI_NOMEM ? "out of memory" : "no randomness for a signature");
    return status == DREAMAPI_OK;
}

static void send_request(dreamapi_call *call)
{
    dreamapi_client *client = call->client;

    if (call->tries == 0) {
        dream_retry_budget_earn(&client->budget);
        /* Decided once: a call never loses its right to be repeated, nor gains it, between two tries. */
        call->is_keyed = call->request.is_post
                         && dream_extensions_has(&client->extensions, DREAM_EXTENSION_IDEMPOTENCY, now_of(client));
    }
    call->tries++;
    call->has_asked = false;
    call->sent_ms = now_of(client);
    call->phase = DREAM_PHASE_SENDING;
    (void)dream_timers_set(&client->timers, &call->timer, call->deadline_ms);
    dream_exchange_prepare(&call->exchange, call->request.method, dream_buffer_str(&call->request.url),
                           client->settings.max_response_size, &client->ended, call);
    call->exchange.body = call->request.body.data;
    call->exchange.body_size = call->request.body.size;
    call->exchange.is_repeatable = call->request.is_idempotent || call->is_keyed;
    set_headers(call);
    start_exchange(client, &call->exchange);
}

/* What a server without the extension cannot do, and what the caller can do then. */
static const struct {
    unsigned extension;
    const char *what;
    dreamapi_status status;
    const char *refusal;
} abilities[] = {
    { DREAM_EXTENSION_SERVER_SIDE, "takes user ids", DREAMAPI_TOKEN_REQUIRED,
      "the server takes no user ids (extension server-side): give the user's token" },
    { DREAM_EXTENSION_CUSTOMER_LIST, "lists customers", DREAMAPI_UNSUPPORTED,
      "the server lists no customers (extension customer-list)" },
    { DREAM_EXTENSION_USAGE_BATCH, "takes batches of usage", DREAMAPI_UNSUPPORTED,
      "the server takes no batches of usage (extension usage-batch)" },
    { DREAM_EXTENSION_USAGE_HISTORY, "tells usage day by day", DREAMAPI_UNSUPPORTED,
      "the server does not tell usage day by day (extension usage-history)" },
    { DREAM_EXTENSION_SIGNATURES, "takes signed requests", DREAMAPI_UNSUPPORTED,
      "the server takes no signed requests (extension signatures); nothing was sent, as the secret key would be seen: "
      "choose DREAMAPI_AUTH_BEARER to send it" },
    { DREAM_EXTENSION_LEASES, "grants leases", DREAMAPI_UNSUPPORTED, "the server grants no leases (extension leases)" },
};

static size_t ability_of(unsigned extension)
{
    size_t i = 0;

    while (i + 1 < sizeof(abilities) / sizeof(abilities[0]) && abilities[i].extension != extension)
        i++;
    return i;
}

/* The server did not say, within this try, whether it can do what the call needs. */
static void fail_for_silence(dreamapi_call *call, unsigned needed)
{
    dreamapi_client *client = call->client;
    dreamapi_failure failure = client->is_probing ? DREAMAPI_FAILURE_TIMEOUT : client->probe_failure;

    const char *problem = client->is_probing ? "no answer in time" : client->probe_problem;
    char why[sizeof(client->probe_problem) + 80];
    const char *what = abilities[ability_of(needed)].what;

    call->has_asked = false;
    /* It is the server that is out of reach; this call's own time is not over. */
    if (failure == DREAMAPI_FAILURE_TIMEOUT)
        failure = DREAMAPI_FAILURE_CONNECT;
    if (failure == DREAMAPI_FAILURE_STALE)
        failure = DREAMAPI_FAILURE_RESET;
    (void)snprintf(why, sizeof(why), "%s (GET /health, which tells whether it %s)", problem, what);
    try_failed_unsent(call, failure, why);
}

/* True, with the call ended or its next try planned, when the server does not announce what the call needs. */
static bool is_beyond_the_server(dreamapi_call *call)
{
    dreamapi_client *client = call->client;
    unsigned needed = call->tries > 0 ? 0 : needs_of(call);

    /* The one that says whether any call can work comes first. */
    if ((needed & DREAM_EXTENSION_SIGNATURES) != 0
        && !dream_extensions_has(&client->extensions, DREAM_EXTENSION_SIGNATURES, now_of(client)))
        needed = DREAM_EXTENSION_SIGNATURES;
    else
        needed &= ~(unsigned)DREAM_EXTENSION_SIGNATURES;
    if (needed == 0 || dream_extensions_has(&client->extensions, needed, now_of(client)))
        return false;
    if (dream_extensions_look(&client->extensions, now_of(client)) == DREAM_EXTENSIONS_KNOWN)
        finish_refused(call, abilities[ability_of(needed)].status, abilities[ability_of(needed)].refusal);
    else
        fail_for_silence(call, needed);
    return true;
}

static void try_now(dreamapi_call *call)
{
    dreamapi_client *client = call->client;

    if (now_of(client) >= call->deadline_ms) {
        expire(call);
        return;
    }
    if (call->work != NULL) {
        call->phase = DREAM_PHASE_WAITING;
        if (call->work(call))
            finish(call);
        return;
    }
    if (is_held_back(call)) {
        finish(call);
        return;
    }
    if (call->tries == 0 && must_ask(call)) {
        wait_for_probe(call);
        return;
    }
    if (is_beyond_the_server(call) || !sign(call))
        return;
    send_request(call);
}

/* ---- answers ---- */

static bool keep_body(dreamapi_call *call)
{
    dream_buffer *answer = &call->exchange.answer;

    free(call->body);
    call->body = answer->size > 0 ? dream_buffer_take(answer) : strdup("");
    return call->body != NULL;
}

static void succeed(dreamapi_call *call, size_t size)
{
    char problem[DREAM_PROBLEM_SIZE] = "";
    dreamapi_status status = call->noun->parse(call->body, size, &call->object, problem);

    dream_error_clear(&call->error);
    if (status != DREAMAPI_OK)
        (void)dream_error_set(&call->error, status, "%s was carried out, but the answer is not understood: %s",
                              call->name, status == DREAMAPI_NOMEM ? "out of memory" : problem);
    call->error.http_status = call->exchange.http_status;
    if (status == DREAMAPI_OK && call->noun == &dream_noun_health)
        dream_extensions_learn(&call->client->extensions, call->object, now_of(call->client));
    finish(call);
}

/* A first try that deleted, whose answer was lost, leaves nothing for the second to find. */
static const char *remark_on(const dreamapi_call *call)
{
    if (call->error.status == DREAMAPI_NOT_FOUND && call->retries + call->is_stale_repeated > 0
        && strcmp(call->request.method, "DELETE") == 0)
        return " (an earlier try may have deleted it)";
    return "";
}

static void explain_refusal(dreamapi_call *call)
{
    dreamapi_exchange *exchange = &call->exchange;
    dreamapi_error *error = &call->error;
    int64_t retry_after_ms;
    char text[sizeof(error->message) + sizeof(error->server_error)];

    if (dream_retry_after_parse(exchange->retry_after[0] == '\0' ? NULL : exchange->retry_after,
                                dream_settings_wall_ms(&call->client->settings), &retry_after_ms))
        error->retry_after_ms = retry_after_ms;
    (void)snprintf(text, sizeof(text), "%s: the server answered %d%s%s%s", call->name, exchange->http_status,
                   remark_on(call), error->server_error[0] == '\0' ? "" : ", ", error->server_error);
    dream_error_copy_text(error->message, sizeof(error->message), text);
}

static void answered(dreamapi_call *call)
{
    dreamapi_exchange *exchange = &call->exchange;
    size_t size = exchange->answer.size;
    dream_try last = { 0 };

    if (!keep_body(call)) {
        (void)dream_error_set(&call->error, DREAMAPI_NOMEM, "%s: out of memory for the answer", call->name);
        call->error.http_status = exchange->http_status;
        call->is_unclear = !call->request.is_idempotent;
        finish(call);
        return;
    }
    if (exchange->http_status >= 200 && exchange->http_status < 300) {
        succeed(call, size);
        return;
    }
    dream_answer_read(exchange->http_status, call->body, size, &call->error);
    explain_refusal(call);
    if (call->error.status == DREAMAPI_RATE_LIMITED && call->request.has_user)
        dream_rate_cache_note(call->client->rates, &call->request.user, now_of(call->client),
                              call->error.retry_after_ms);
    last.http_status = exchange->http_status;
    last.status = call->error.status;
    last.maybe_sent = true;
    last.is_safe = exchange->is_repeatable;
    last.is_keyed = call->is_keyed;
    last.has_retry_after = call->error.retry_after_ms >= 0;
    try_failed(call, &last);
}

static void failed(dreamapi_call *call)
{
    const dreamapi_exchange *exchange = &call->exchange;
    dream_try last = { 0 };

    (void)dream_error_set(&call->error, dream_answer_of_failure(exchange->failure), "%s: %s", call->name,
                          exchange->failure_text[0] == '\0' ? "no answer" : exchange->failure_text);
    last.failure = exchange->failure;
    last.maybe_sent = exchange->maybe_sent;
    last.is_safe = exchange->is_repeatable;
    last.is_keyed = call->is_keyed;
    try_failed(call, &last);
}

/* ---- what the engine calls ---- */

void dream_pipeline_admit(dreamapi_call *call)
{
    enter_live(call);
    call->timer.owner = call;
    if (!dream_timers_set(&call->client->timers, &call->timer, call->deadline_ms))
        finish_refused(call, DREAMAPI_NOMEM, "out of memory");
    else
        try_now(call);
}

void dream_pipeline_cancel(dreamapi_call *call)
{
    if (call->phase == DREAM_PHASE_FINISHED)
        return;
    if (call->phase == DREAM_PHASE_NEW)
        enter_live(call);
    abort_sending(call);
    (void)dream_error_set(&call->error, DREAMAPI_CANCELLED, "%s: cancelled%s", call->name,
                          call->is_unclear   ? "; the request may have been carried out"
                          : call->tries == 0 ? " before anything was sent"
                                             : "");
    finish(call);
}

void dream_pipeline_timer(dreamapi_client *client, dream_timer *timer)
{
    dreamapi_call *call = timer->owner;

    if (call == NULL) {
        probe_timed_out(client);
        return;
    }
    /* It is set already, so moving it needs no memory. */
    (void)dream_timers_set(&client->timers, timer, call->deadline_ms);
    if (now_of(client) >= call->deadline_ms)
        expire(call);
    else
        try_now(call);
}

void dream_pipeline_ended(dreamapi_client *client, dreamapi_exchange *exchange)
{
    dreamapi_call *call = exchange->owner;

    client->exchanges_under_way--;
    if (call == NULL)
        probe_ended(client);
    else if (exchange->http_status != 0)
        answered(call);
    else
        failed(call);
}

void dream_pipeline_work(dreamapi_client *client)
{
    dreamapi_call *next;

    for (dreamapi_call *call = client->live_first; call != NULL; call = next) {
        next = call->live_next;
        if (call->work != NULL)
            try_now(call);
    }
}

void dream_pipeline_close(dreamapi_client *client)
{
    if (client->is_probing) {
        (void)abort_exchange(client, &client->probe);
        client->is_probing = false;
        dream_timers_cancel(&client->timers, &client->probe_timer);
        dream_exchange_clear(&client->probe);
    }
    while (client->live_first != NULL)
        dream_pipeline_cancel(client->live_first);
}
