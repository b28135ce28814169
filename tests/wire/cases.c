/* SPDX-License-Identifier: Apache-2.0 */
/* cases.c - the part of a runner of the wire cases that is no language's: RUNNER FIXTURE CASE-FILE...
 *
 * Each case that a typed call can send is sent through the library's scripted transport, once for the recorded answer and once
 * for what a rule made of it. The request must be the recorded one, and the status and every field of the error must say what the
 * answer says; that the value does is the language's to see. Each POST runs twice, at a server without and with the extension
 * `idempotency`: its key is sent in both cases, and one answer is one answer.
 * Prints TAP, one line for each case and answer; cases that no typed call can send are counted apart. One thread. */
#include "cases.h"

#include <dreamapi/testing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char base_url[] = "https://api.example.test/prefix";
static const char idempotency_key[] = "key-of-this-call";
static const double some_int = 1767225600123;

enum { TEXT_SIZE = WIRE_TEXT_SIZE };

/* ---- placeholders ---- */

static const struct {
    const char *start; /* of the placeholder, without its '<' */
    const char *value;
} values[] = {
    { "sk-test", "sk_test_00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff" },
    { "sk", "sk_live_00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff" },
    { "pk-test", "pk_test_00112233445566778899aabbccddeeff" },
    { "pk", "pk_live_00112233445566778899aabbccddeeff" },
    { "jwt", "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ1c2VyX3dpcmUxIn0.c2lnbmF0dXJl" },
    { "platform", "plt_00112233445566778899aabbccddeeff" },
    { "user", "user_wire1" },
    { "id", "user_wire2" },
    { "today+29", "2026-12-22" },
    { "today", "2026-11-23" },
    { "seconds", "7" },
    { "utc-time", "2026-11-23 12:00:00" },
    { "iso-time", "2026-12-22T12:00:00.000Z" },
    { "portal-url", "https://portal.example.test/p/session_1" },
    { "checkout-url", "https://checkout.example.test/c/pay/cs_1" },
    { "http-time", "Mon, 23 Nov 2026 12:00:00 GMT" },
};

static const char *value_of(const char *start)
{
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        if (strncmp(start, values[i].start, strlen(values[i].start)) == 0)
            return values[i].value;
    }
    return "";
}

/* Owned (free()); every <placeholder> replaced. */
static char *filled(const char *text)
{
    char *out = calloc(1, strlen(text) * 8 + TEXT_SIZE);
    size_t size = 0;

    if (out == NULL)
        exit(1);
    while (*text != '\0') {
        const char *end = *text == '<' ? strchr(text, '>') : NULL;
        if (end == NULL) {
            out[size++] = *text++;
            continue;
        }
        size += (size_t)sprintf(out + size, "%s", value_of(text + 1));
        text = end + 1;
    }
    return out;
}

static void fill(cJSON *item)
{
    if (cJSON_IsString(item) && strcmp(item->valuestring, "<int>") == 0) {
        cJSON_free(item->valuestring);
        item->valuestring = NULL;
        item->type = cJSON_Number;
        cJSON_SetNumberValue(item, some_int);
    } else if (cJSON_IsString(item) && strchr(item->valuestring, '<') != NULL) {
        char *text = filled(item->valuestring);
        cJSON_free(item->valuestring);
        item->valuestring = text;
    }
    for (cJSON *child = item->child; child != NULL; child = child->next)
        fill(child);
}

/* ---- the typed calls: which requests each can send ---- */

/* A cart is a list of one to so many objects, each with a name and a quantity that makes sense. */
static const char *why_not_cart(const cJSON *body)
{
    static const char *const names[] = { "priceId", "productId", "tier", "quantity" };
    const cJSON *items = wire_member(body, "items"), *item, *field;

    if (!cJSON_IsArray(items) || cJSON_GetArraySize(items) == 0)
        return "a required parameter is missing";
    if (cJSON_GetArraySize(items) > DREAMAPI_CART_MAX_ITEMS)
        return "it has more items than a cart";
    cJSON_ArrayForEach(item, items)
    {
        if (!cJSON_IsObject(item) || wire_int_of(item, "quantity", 1) < 1)
            return "an item is none that the library makes";
        cJSON_ArrayForEach(field, item)
        {
            size_t i = 0;
            while (i < 4 && strcmp(names[i], field->string) != 0)
                i++;
            if (i == 4 || (i == 3 ? !cJSON_IsNumber(field) : !cJSON_IsString(field)))
                return "an item is none that the library makes";
        }
        if (wire_text_of(item, "priceId") == NULL && wire_text_of(item, "productId") == NULL
            && wire_text_of(item, "tier") == NULL)
            return "an item is none that the library makes";
    }
    return NULL;
}

/* The reverse of what the library does. `out` is large enough; -1 if the text is not base64. */
int wire_decode_base64(const char *text, unsigned char *out)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t length = strlen(text);
    unsigned bits = 0;
    int size = 0, have = 0;

    while (length > 0 && text[length - 1] == '=')
        length--;
    for (size_t i = 0; i < length; i++) {
        const char *letter = strchr(letters, text[i]);
        if (letter == NULL)
            return -1;
        bits = bits << 6 | (unsigned)(letter - letters);
        have += 6;
        if (have >= 8) {
            have -= 8;
            out[size++] = (unsigned char)(bits >> have);
        }
    }
    return size;
}

static const char *why_not_asset(const cJSON *body)
{
    unsigned char data[TEXT_SIZE];
    const char *text = wire_text_of(body, "data");

    if (text == NULL || text[0] == '\0')
        return "a required parameter is missing";
    if (strlen(text) >= TEXT_SIZE || wire_decode_base64(text, data) < 1)
        return "its data is not base64";
    return NULL;
}

static const char *const checkout_fields[] = { "tier", "priceId", "successUrl", "cancelUrl", NULL };
static const char *const create_fields[] = { "email", "firstName", "lastName", "plan", "password", NULL };
static const char *const portal_fields[] = { "returnUrl", NULL };
static const char *const cart_fields[] = { "items", "email", "successUrl", "cancelUrl", NULL };
static const char *const asset_fields[] = { "filename", "contentType", "data", NULL };
static const char *const update_fields[] = { "plan", NULL };

static const wire_kind kinds[] = {
    { "GET", "/health", NULL, NULL, false, WIRE_HEALTH_GET, NULL },
    { "GET", "/api/tiers", NULL, NULL, false, WIRE_TIER_LIST, NULL },
    { "GET", "/api/usage", NULL, NULL, true, WIRE_USAGE_GET, NULL },
    { "POST", "/api/data", NULL, NULL, true, WIRE_USAGE_TRACK, NULL },
    { "POST", "/api/create-checkout", checkout_fields, NULL, true, WIRE_CHECKOUT_CREATE, NULL },
    { "POST", "/api/customers", create_fields, "email", false, WIRE_CUSTOMER_CREATE, NULL },
    { "GET", "/api/customers/", NULL, NULL, false, WIRE_CUSTOMER_GET, NULL },
    { "PATCH", "/api/customers/", update_fields, NULL, false, WIRE_CUSTOMER_UPDATE, NULL },
    { "DELETE", "/api/customers/", NULL, NULL, false, WIRE_CUSTOMER_DELETE, NULL },
    { "POST", "/api/customer-portal", portal_fields, NULL, true, WIRE_PORTAL_CREATE, NULL },
    { "GET", "/api/products", NULL, NULL, false, WIRE_PRODUCT_LIST, NULL },
    { "POST", "/api/cart/checkout", cart_fields, NULL, false, WIRE_CART_CHECKOUT, why_not_cart },
    { "GET", "/api/dashboard", NULL, NULL, false, WIRE_DASHBOARD_GET, NULL },
    { "GET", "/api/dashboard/totals", NULL, NULL, false, WIRE_DASHBOARD_TOTALS, NULL },
    { "POST", "/api/assets", asset_fields, "filename", false, WIRE_ASSET_UPLOAD, why_not_asset },
};

/* ---- what a typed call can send ---- */

static const wire_kind *kind_of(const cJSON *request, const char **out_id)
{
    const char *method = wire_text_of(request, "method"), *path = wire_text_of(request, "path");

    *out_id = NULL;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        size_t size = strlen(kinds[i].path);
        bool takes_id = kinds[i].path[size - 1] == '/';
        if (strcmp(method, kinds[i].method) != 0
            || (takes_id ? strncmp(path, kinds[i].path, size) != 0 : strcmp(path, kinds[i].path) != 0))
            continue;
        if (takes_id)
            *out_id = path + size;
        return &kinds[i];
    }
    return NULL;
}

static const char *why_not_body(const wire_kind *kind, const cJSON *request)
{
    const cJSON *body = wire_member(request, "body"), *item;
    const char *needed = kind->needed == NULL ? "-" : wire_text_of(body, kind->needed);

    if (wire_member(request, "body_raw") != NULL)
        return "its body is no JSON";
    if (needed == NULL || needed[0] == '\0')
        return "a required parameter is missing";
    if (strcmp(kind->method, "PATCH") == 0 && body == NULL)
        return "it has no body";
    cJSON_ArrayForEach(item, body)
    {
        const char *const *field = kind->fields;
        while (field != NULL && *field != NULL && strcmp(*field, item->string) != 0)
            field++;
        if (field == NULL || *field == NULL)
            return "its body has fields that the call has no parameter for";
    }
    return kind->why_not == NULL ? NULL : kind->why_not(body);
}

/* A client sends one key, and the user's token in one header. */
static const char *why_not_headers(const wire_kind *kind, const cJSON *headers)
{
    const char *authorization = wire_text_of(headers, "Authorization");
    const cJSON *item;

    cJSON_ArrayForEach(item, headers)
    {
        if (strcmp(item->string, "Authorization") != 0 && strcmp(item->string, "X-Publishable-Key") != 0
            && strcmp(item->string, "X-Clerk-Token") != 0 && strcmp(item->string, "Content-Type") != 0)
            return "it has headers that the library does not send";
    }
    if (authorization != NULL && (strncmp(authorization, "Bearer ", 7) != 0 || authorization[7] == '\0'))
        return "its Authorization is none that the library makes";
    if (authorization != NULL && wire_member(headers, "X-Publishable-Key") != NULL)
        return "it has both keys";
    if (wire_member(headers, "X-Publishable-Key") != NULL && wire_text_of(headers, "X-Publishable-Key")[0] == '\0')
        return "its key is empty";
    if (kind->is_on_behalf != (wire_member(headers, "X-Clerk-Token") != NULL))
        return "a user token is missing, or there is one that the call does not take";
    return NULL;
}

static const char *why_not(const cJSON *request, const wire_kind *kind)
{
    const char *why;

    if (kind == NULL)
        return "there is no such call";
    why = why_not_headers(kind, wire_member(request, "headers"));
    return why != NULL ? why : why_not_body(kind, request);
}

/* ---- the request that was sent ---- */

static const dreamapi_test_request *find_sent(wire_run *run, const dreamapi_test_transport *transport)
{
    const dreamapi_test_request *found = NULL;
    bool is_health = strcmp(run->kind->path, "/health") == 0;

    for (size_t i = 0; i < dreamapi_test_transport_request_count(transport); i++) {
        const dreamapi_test_request *sent = dreamapi_test_transport_request(transport, i);
        const char *url = dreamapi_test_request_url(sent);
        bool is_question = strlen(url) >= 7 && strcmp(url + strlen(url) - 7, "/health") == 0;
        if (is_question != is_health)
            continue;
        if (found != NULL)
            wire_wrong(&run->report, "the request was sent more than once");
        found = sent;
    }
    if (found == NULL)
        wire_wrong(&run->report, "nothing was sent: %s", run->error.message);
    return found;
}

static void check_sent_headers(wire_run *run, const dreamapi_test_request *sent)
{
    static const char *const names[] = { "Authorization", "X-Publishable-Key", "X-Clerk-Token" };
    const cJSON *headers = wire_member(run->request, "headers");
    const char *type = dreamapi_test_request_header(sent, "Content-Type");
    bool is_post = strcmp(run->kind->method, "POST") == 0;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        wire_expect_text(&run->report, names[i], dreamapi_test_request_header(sent, names[i]),
                         wire_text_of(headers, names[i]));
    if (dreamapi_test_request_body(sent) != NULL)
        wire_expect_text(&run->report, "Content-Type", type, "application/json");
    wire_expect_text(&run->report, "Idempotency-Key", dreamapi_test_request_header(sent, "Idempotency-Key"),
                     is_post ? idempotency_key : NULL);
}

static void check_sent_body(wire_run *run, const dreamapi_test_request *sent)
{
    const char *text = dreamapi_test_request_body(sent);
    const cJSON *recorded = wire_member(run->request, "body");
    cJSON *body = text == NULL ? NULL : cJSON_Parse(text);
    cJSON *empty = cJSON_CreateObject();

    if (text != NULL && body == NULL)
        wire_wrong(&run->report, "the body sent is no JSON: %s", text);
    /* Where the recorded request had no body an empty object says the same. */
    if (body != NULL && !cJSON_Compare(body, recorded == NULL ? empty : recorded, true))
        wire_wrong(&run->report, "the body sent is %s", text);
    if (body == NULL && recorded != NULL)
        wire_wrong(&run->report, "no body was sent");
    cJSON_Delete(body);
    cJSON_Delete(empty);
}

static void check_sent(wire_run *run, const dreamapi_test_transport *transport)
{
    const dreamapi_test_request *sent = find_sent(run, transport);
    char url[TEXT_SIZE];

    if (sent == NULL)
        return;
    (void)snprintf(url, sizeof(url), "%s%s", base_url, wire_text_of(run->request, "path"));
    wire_expect_text(&run->report, "method", dreamapi_test_request_method(sent), run->kind->method);
    wire_expect_text(&run->report, "url", dreamapi_test_request_url(sent), url);
    check_sent_headers(run, sent);
    check_sent_body(run, sent);
}

/* ---- the error ---- */

/* What the header error.h promises for an answer; the two texts are those whose HTTP status the hosted service has wrong. */
static dreamapi_status expected_status(int http_status, const char *what)
{
    static const struct {
        int http_status;
        const char *what;
        dreamapi_status status;
    } rows[] = {
        { 403, "Tier limit reached", DREAMAPI_LIMIT },
        { 403, "subscription_expired", DREAMAPI_SUBSCRIPTION_EXPIRED },
        { 500, "Not Found", DREAMAPI_NOT_FOUND },
        { 500, "No price ID configured for tier", DREAMAPI_INVALID },
        { 500, "No such price", DREAMAPI_INVALID },
        { 400, "", DREAMAPI_INVALID },
        { 401, "", DREAMAPI_AUTH },
        { 403, "", DREAMAPI_FORBIDDEN },
        { 404, "", DREAMAPI_NOT_FOUND },
        { 429, "", DREAMAPI_RATE_LIMITED },
        { 500, "", DREAMAPI_SERVER },
        { 502, "", DREAMAPI_UNAVAILABLE },
    };

    if (http_status < 300)
        return DREAMAPI_OK;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].http_status == http_status && strncmp(what, rows[i].what, strlen(rows[i].what)) == 0)
            return rows[i].status;
    }
    return DREAMAPI_PROTOCOL;
}

/* The status that the answer means. The hosted service also gives 500 with the cause in "message". */
static dreamapi_status status_of_answer(const cJSON *answer)
{
    int http_status = (int)wire_int_of(answer, "status", 0);
    const char *what = wire_text_of(wire_member(answer, "body"), "error"),
               *why = wire_text_of(wire_member(answer, "body"), "message");
    dreamapi_status by_why = expected_status(http_status, why == NULL ? "" : why);
    dreamapi_status by_what = expected_status(http_status, what == NULL ? "" : what);

    return by_what == expected_status(http_status, "") ? by_why : by_what;
}

static void check_error(wire_run *run, const cJSON *answer)
{
    const dreamapi_error *error = &run->error;
    const cJSON *body = wire_member(answer, "body");
    const char *retry_after = wire_text_of(wire_member(answer, "headers"), "retry-after");
    const char *what = wire_text_of(body, "error"), *why = wire_text_of(body, "message");
    char words[2 * sizeof(error->server_error)];

    (void)snprintf(words, sizeof(words), "%s%s%s", what == NULL ? "" : what, why == NULL ? "" : ": ",
                   why == NULL ? "" : why);
    words[sizeof(error->server_error) - 1] = '\0';
    wire_expect_int(&run->report, "http_status", error->http_status, wire_int_of(answer, "status", 0));
    wire_expect_text(&run->report, "server_error", error->server_error, words);
    wire_expect_int(&run->report, "retry_after_ms", error->retry_after_ms,
                    retry_after == NULL ? -1 : 1000 * atoll(retry_after));
    wire_expect_int(&run->report, "used", error->used,
                    error->status == DREAMAPI_LIMIT ? wire_int_of(body, "usageCount", -1) : -1);
    wire_expect_int(&run->report, "limit", error->limit,
                    error->status == DREAMAPI_LIMIT ? wire_int_of(body, "limit", -1) : -1);
    wire_expect_int(&run->report, "local", error->local, 0);
    if (error->http_status == 429)
        wire_expect_int(&run->report, "retriable", error->retriable, 1);
    if (error->http_status == 400 || error->http_status == 401 || error->http_status == 403
        || error->http_status == 404)
        wire_expect_int(&run->report, "retriable", error->retriable, 0);
}

/* ---- one run ---- */

static void script(dreamapi_test_transport *transport, const wire_run *run, bool is_announced)
{
    dreamapi_test_answer answer = DREAMAPI_TEST_ANSWER_INIT;
    const cJSON *headers = wire_member(run->answer, "headers"), *item;
    char lines[16][TEXT_SIZE];
    const char *pointers[17] = { NULL };
    int count = 0;
    char *body = cJSON_PrintUnformatted(wire_member(run->answer, "body"));

    cJSON_ArrayForEach(item, headers)
    {
        (void)snprintf(lines[count], TEXT_SIZE, "%s: %s", item->string, item->valuestring);
        pointers[count] = lines[count];
        count++;
    }
    answer.http_status = (int)wire_int_of(run->answer, "status", 0);
    answer.headers = pointers;
    answer.body = body;
    answer.path = strcmp(run->kind->path, "/health") == 0 ? "/health" : NULL;
    wire_must(dreamapi_test_transport_add(transport, &answer));
    if (is_announced)
        wire_must(dreamapi_test_transport_add_simple(transport, "/health", 200,
                                                     "{\"status\":\"ok\",\"extensions\":[\"idempotency\"]}"));
    cJSON_free(body);
}

/* The settings that the library would take from the environment, the runner has unset. */
static void set_keys(wire_run *run)
{
    const cJSON *headers = wire_member(run->request, "headers");
    const char *authorization = wire_text_of(headers, "Authorization");

    run->base_url = base_url;
    run->secret_key = authorization == NULL ? NULL : authorization + strlen("Bearer ");
    run->publishable_key = wire_text_of(headers, "X-Publishable-Key");
    run->options = (dreamapi_call_options)DREAMAPI_CALL_OPTIONS_INIT;
    run->options.idempotency_key = idempotency_key;
    run->options.user_token = wire_text_of(headers, "X-Clerk-Token");
}

static void run_once(wire_run *run, bool is_announced)
{
    dreamapi_status status, expected = status_of_answer(run->answer);

    run->transport = dreamapi_test_transport_new();
    wire_must(run->transport == NULL ? DREAMAPI_NOMEM : DREAMAPI_OK);
    script(run->transport, run, is_announced);
    set_keys(run);
    memset(&run->error, 0x5a, sizeof(run->error)); /* the call has to write all of it */
    status = wire_send(run, wire_member(run->request, "body"), wire_member(run->answer, "body"));
    wire_expect_text(&run->report, "status", dreamapi_status_name(status), dreamapi_status_name(expected));
    wire_expect_int(&run->report, "error.status", run->error.status, status);
    if (status != DREAMAPI_OK)
        check_error(run, run->answer);
    check_sent(run, run->transport);
    dreamapi_test_transport_free(run->transport);
}

static bool run_case(const cJSON *the_case, const char *which)
{
    static int number = 0;
    wire_run run = { .request = wire_member(the_case, "request"), .answer = wire_member(the_case, which) };

    run.kind = kind_of(run.request, &run.id);
    run_once(&run, false);
    if (strcmp(run.kind->method, "POST") == 0)
        run_once(&run, true);
    printf("%s %d - %s: %s\n%s", run.report.text[0] == '\0' ? "ok" : "not ok", ++number, wire_text_of(the_case, "name"),
           which, run.report.text);
    return run.report.text[0] == '\0';
}

/* ---- all of them ---- */

struct counts {
    int cases, answers, failed, unsendable;
};

static void run_one(const cJSON *the_case, struct counts *counts)
{
    const char *id;
    const char *why = why_not(wire_member(the_case, "request"), kind_of(wire_member(the_case, "request"), &id));
    static const char *const which[] = { "response", "expected" };

    if (why != NULL) {
        printf("# no typed call sends %s: %s\n", wire_text_of(the_case, "name"), why);
        counts->unsendable++;
        return;
    }
    counts->cases++;
    for (int i = 0; i < 2; i++) {
        if (wire_member(the_case, which[i]) == NULL)
            continue;
        counts->answers++;
        counts->failed += !run_case(the_case, which[i]);
    }
}

static void run_file(const char *path, struct counts *counts)
{
    cJSON *root = wire_read_json(path), *item;
    const cJSON *cases = wire_member(root, "cases");

    if (cJSON_GetArraySize(cases) == 0)
        wire_bail_out("no cases", path);
    cJSON_ArrayForEach(item, cases)
    {
        fill(item);
        run_one(item, counts);
    }
    cJSON_Delete(root);
}

/* Every language sends as many cases, and gets as many answers: the fixture says how many. */
static bool are_as_many(const char *fixture, const struct counts *counts)
{
    cJSON *root = wire_read_json(fixture);
    const cJSON *expected = wire_member(root, "typedCalls");
    bool is_right =
        wire_int_of(expected, "cases", 0) == counts->cases && wire_int_of(expected, "answers", 0) == counts->answers;

    cJSON_Delete(root);
    return is_right;
}

int main(int argc, char **argv)
{
    struct counts counts = { 0, 0, 0, 0 };
    wire_report report = { "" };
    bool is_whole;

    if (argc < 2)
        wire_bail_out("usage", "FIXTURE CASE-FILE...");
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    /* The library takes from the environment what it is not given. */
    (void)unsetenv("DREAMAPI_SECRET_KEY");
    (void)unsetenv("DREAMAPI_PUBLISHABLE_KEY");
    for (int i = 2; i < argc; i++)
        run_file(argv[i], &counts);
    wire_all_done(&report);
    is_whole = are_as_many(argv[1], &counts) && report.text[0] == '\0';
    printf("%s %d - as many cases and answers as in every language, and all that they have to show\n%s",
           is_whole ? "ok" : "not ok", counts.answers + 1, report.text);
    printf("# %d wire cases through %s, %d answers; %d cannot be sent by a typed call\n", counts.cases, wire_language,
           counts.answers, counts.unsendable);
    printf("1..%d\n", counts.answers + 1);
    return counts.failed == 0 && is_whole ? 0 : 1;
}
