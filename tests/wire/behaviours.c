/* SPDX-License-Identifier: Apache-2.0 */
/* behaviours.c - the part of a runner of behaviours.json that is no language's: RUNNER BEHAVIOURS. Prints TAP, one line a row. A word that is
 * not known here fails its row: nothing of it is passed over. One thread. */
#include "behaviours.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct behave_run {
    const cJSON *row;
    wire_stage stage;
    const char *made[4]; /* generated keys, by the place of their letter in "$a" */
    wire_report report;
} behave_run;

static void expect_words(behave_run *run, const cJSON *object, const char *known)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, object)
    {
        char word[64];
        (void)snprintf(word, sizeof(word), " %s ", item->string);
        if (strstr(known, word) == NULL)
            wire_wrong(&run->report, "this runner knows no%s", word);
    }
}

static void expect_text(behave_run *run, const char *what, const char *got, const char *expected)
{
    wire_expect_text(&run->report, what, got, expected == NULL ? "" : expected);
}

static void expect_int(behave_run *run, const char *what, int64_t got, int64_t expected)
{
    wire_expect_int(&run->report, what, got, expected);
}

/* ---- what a step gave ---- */

static const char *const reasons[] = {
    "none", "limit", "held", "rate", "empty", "unavailable", "no_customer", "refused"
};
static const char *const sources[] = { "none", "lease", "cache", "server", "fallback", "caller" };

/* What is left of a time is rounded up. */
static void check_wait(behave_run *run, const cJSON *gives, int64_t got_ms)
{
    int64_t most_ms = wire_int_of(gives, "retryAfterUpToMs", -1);

    if (most_ms < 0)
        expect_int(run, "retryAfterMs", got_ms, wire_int_of(gives, "retryAfterMs", -1));
    else if (got_ms > most_ms + 1 || got_ms <= most_ms - 5000)
        wire_wrong(&run->report, "retryAfterUpToMs: expected %lld, not %lld", (long long)most_ms, (long long)got_ms);
}

/* Of a failure everything is told; what a row does not name has nothing to say. */
static void check_failure(behave_run *run, const cJSON *gives, const behave_outcome *out)
{
    expect_words(
        run, gives,
        " status http retriable local retryAfterMs retryAfterUpToMs used limit requestId serverError message ");
    expect_int(run, "http", out->http_status, wire_int_of(gives, "http", 0));
    expect_int(run, "retriable", out->is_retriable, wire_bool_of(gives, "retriable", 0));
    expect_int(run, "local", out->is_local, wire_bool_of(gives, "local", 0));
    check_wait(run, gives, out->retry_after_ms);
    expect_int(run, "used", out->used, wire_int_of(gives, "used", -1));
    expect_int(run, "limit", out->limit, wire_int_of(gives, "limit", -1));
    expect_text(run, "requestId", out->request_id, wire_text_of(gives, "requestId"));
    expect_text(run, "serverError", out->server_error, wire_text_of(gives, "serverError"));
    if (wire_member(gives, "message") != NULL)
        expect_text(run, "message", out->message, wire_text_of(gives, "message"));
    else if (out->message[0] == '\0')
        wire_wrong(&run->report, "there is no message");
}

/* Of a decision the numbers that a row does not name depend on when the next lease came. */
static void check_decision(behave_run *run, const cJSON *gives, const behave_outcome *out)
{
    expect_words(run, gives, " status reason source plan limit used remaining retryAfterMs retryAfterUpToMs ");
    expect_text(run, "reason", reasons[out->reason], wire_text_of(gives, "reason"));
    expect_text(run, "source", sources[out->source], wire_text_of(gives, "source"));
    if (wire_member(gives, "plan") != NULL)
        expect_text(run, "plan", out->plan, wire_text_of(gives, "plan"));
    expect_int(run, "limit", out->limit, wire_int_of(gives, "limit", out->limit));
    expect_int(run, "used", out->used, wire_int_of(gives, "used", out->used));
    expect_int(run, "remaining", out->remaining, wire_int_of(gives, "remaining", out->remaining));
    if (wire_member(gives, "retryAfterMs") != NULL || wire_member(gives, "retryAfterUpToMs") != NULL)
        check_wait(run, gives, out->retry_after_ms);
}

static void check_call(behave_run *run, const cJSON *gives, const behave_outcome *out)
{
    if (out->status != DREAMAPI_OK) {
        check_failure(run, gives, out);
        return;
    }
    expect_words(run, gives, " status plan ");
    expect_text(run, "plan", out->plan, wire_text_of(gives, "plan"));
}

static void do_step(behave_run *run, const cJSON *step)
{
    const cJSON *gives = wire_member(step, "gives");
    behave_outcome out = { .retry_after_ms = -1, .used = -1, .limit = -1, .remaining = -1 };

    if (wire_member(step, "call") != NULL) {
        behave_step call = { wire_text_of(step, "call"), wire_text_of(step, "key"), wire_text_of(step, "token"),
                             wire_int_of(step, "timeoutMs", 0), wire_bool_of(step, "cancel", 0) };
        expect_words(run, step, " call key token timeoutMs cancel gives ");
        behave_call(&call, &out);
        check_call(run, gives, &out);
    } else if (wire_member(step, "refund") != NULL) {
        expect_words(run, step, " refund gives ");
        expect_words(run, gives, " status ");
        behave_refund(&out);
    } else {
        bool is_use = wire_member(step, "use") != NULL;
        expect_words(run, step, is_use ? " use gives " : " check gives ");
        if (is_use)
            behave_use(wire_int_of(step, "use", 0), &out);
        else
            behave_check(wire_int_of(step, "check", 0), &out);
        check_decision(run, gives, &out);
    }
    expect_text(run, "status", dreamapi_status_name(out.status) + strlen("DREAMAPI_"), wire_text_of(gives, "status"));
}

/* ---- what the server was asked ---- */

/* "$a" stands for a key that the library made: the same one wherever it is named, and no other's. */
static void check_key(behave_run *run, const char *got, const char *expected)
{
    size_t at;

    if (expected == NULL || expected[0] != '$') {
        expect_text(run, "key", got, expected);
        return;
    }
    at = (size_t)(expected[1] - 'a') % 4;
    if (strlen(got) < 16)
        wire_wrong(&run->report, "%s is no key that was made: %s", expected, got);
    if (run->made[at] == NULL)
        run->made[at] = got;
    for (size_t i = 0; i < 4; i++) {
        if (run->made[i] != NULL && (strcmp(run->made[i], got) == 0) != (i == at))
            wire_wrong(&run->report, "%s is %s, as another key or unlike before", expected, got);
    }
}

static void check_asked(behave_run *run, size_t at, const cJSON *expected)
{
    const stage_request *got = &run->stage.asked[at];
    char secret[STAGE_TEXT_SIZE];

    (void)snprintf(secret, sizeof(secret), "Bearer %s", stage_secret_key);
    expect_words(run, expected, " method path key token afterMs ");
    expect_text(run, "method", got->method, wire_text_of(expected, "method"));
    expect_text(run, "path", got->path, wire_text_of(expected, "path"));
    expect_text(run, "token", got->token, wire_text_of(expected, "token"));
    expect_text(run, "authorization", got->authorization, secret);
    check_key(run, got->key, wire_text_of(expected, "key"));
    if (at > 0 && got->key[0] != '\0' && strcmp(got->key, got[-1].key) == 0)
        expect_text(run, "the body of another try", got->body, got[-1].body);
    if (at > 0 && got->at_ms - got[-1].at_ms < wire_int_of(expected, "afterMs", 0))
        wire_wrong(&run->report, "request %d came after %d ms", (int)at, (int)(got->at_ms - got[-1].at_ms));
}

static void check_all_asked(behave_run *run)
{
    const cJSON *expected = wire_member(run->row, "asked");
    size_t count = (size_t)cJSON_GetArraySize(expected);

    expect_int(run, "requests", (int64_t)run->stage.asked_count, (int64_t)count);
    if (cJSON_IsNumber(wire_member(run->row, "probes")))
        expect_int(run, "probes", run->stage.probes, wire_int_of(run->row, "probes", -1));
    for (size_t i = 0; i < count && i < run->stage.asked_count; i++)
        check_asked(run, i, cJSON_GetArrayItem(expected, (int)i));
}

/* ---- a row ---- */

static dreamapi_policy policy_of(const cJSON *meter)
{
    const char *name = wire_text_of(meter, "policy");

    if (name == NULL)
        return DREAMAPI_POLICY_WAIT;
    return strcmp(name, "deny") == 0 ? DREAMAPI_POLICY_DENY : DREAMAPI_POLICY_ALLOW;
}

static behave_setup setup_of(behave_run *run)
{
    const cJSON *client = wire_member(run->row, "client"), *meter = wire_member(run->row, "meter");

    expect_words(run, client, " maxRetries timeoutMs ");
    expect_words(run, meter, " token policy waitMs allowUnits ");
    return (behave_setup){ .stage = &run->stage,
                           .timeout_ms = wire_int_of(client, "timeoutMs", 0),
                           .max_retries = wire_int_of(client, "maxRetries", -1),
                           .has_meter = meter != NULL,
                           .meter_token = wire_text_of(meter, "token"),
                           .policy = policy_of(meter),
                           .wait_ms = wire_int_of(meter, "waitMs", -1),
                           .allow_units = wire_int_of(meter, "allowUnits", 0) };
}

static bool run_row(const cJSON *row, const cJSON *answers, int number)
{
    static behave_run run;
    const cJSON *step;
    behave_setup setup;

    memset(&run, 0, sizeof(run));
    run.row = row;
    expect_words(&run, row, " topic name client announces meter leases server do asked probes ");
    stage_open(&run.stage, row, answers);
    setup = setup_of(&run);
    behave_begin(&setup);
    cJSON_ArrayForEach(step, wire_member(row, "do")) do_step(&run, step);
    check_all_asked(&run);
    behave_end();
    stage_close(&run.stage);
    printf("%s %d - %s\n%s", run.report.text[0] == '\0' ? "ok" : "not ok", number, wire_text_of(row, "name"),
           run.report.text);
    return run.report.text[0] == '\0';
}

int main(int argc, char **argv)
{
    cJSON *root = argc == 2 ? wire_read_json(argv[1]) : NULL;
    const cJSON *row;
    int number = 0, failed = 0;

    if (root == NULL)
        wire_bail_out("usage", "BEHAVIOURS");
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    (void)unsetenv("DREAMAPI_PUBLISHABLE_KEY");
    cJSON_ArrayForEach(row, wire_member(root, "rows")) failed += !run_row(row, wire_member(root, "answers"), ++number);
    printf("# %d behaviours through %s\n1..%d\n", number, behave_language, number);
    cJSON_Delete(root);
    return failed == 0 && number > 0 ? 0 : 1;
}
