/* SPDX-License-Identifier: Apache-2.0 */
/* cases.h - what a language adds to run the recorded wire cases: its name, and how it sends a case and reads the answer. cases.c has
 * `main`. */
#ifndef DREAM_TESTS_WIRE_CASES_H
#define DREAM_TESTS_WIRE_CASES_H

#include <dreamapi.h>
#include <dreamapi/testing.h>
#include <stdbool.h>

#include "report.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { WIRE_TEXT_SIZE = 4096 };

typedef enum wire_call {
    WIRE_HEALTH_GET,
    WIRE_TIER_LIST,
    WIRE_USAGE_GET,
    WIRE_USAGE_TRACK,
    WIRE_CHECKOUT_CREATE,
    WIRE_CUSTOMER_CREATE,
    WIRE_CUSTOMER_GET,
    WIRE_CUSTOMER_UPDATE,
    WIRE_CUSTOMER_DELETE,
    WIRE_PORTAL_CREATE,
    WIRE_PRODUCT_LIST,
    WIRE_CART_CHECKOUT,
    WIRE_DASHBOARD_GET,
    WIRE_DASHBOARD_TOTALS,
    WIRE_ASSET_UPLOAD
} wire_call;

/* A typed call: which requests it can send. */
typedef struct wire_kind {
    const char *method;
    const char *path;          /* ends with '/': one id follows */
    const char *const *fields; /* what its body may hold; NULL: it has none */
    const char *needed;        /* the field without which it sends nothing; NULL: none */
    bool is_on_behalf;         /* of the user whose token is given */
    wire_call call;
    const char *(*why_not)(const cJSON *body); /* looks further into the body; NULL: there is nothing more to look at */
} wire_kind;

typedef struct wire_run {
    const cJSON *request;
    const cJSON *answer;
    const wire_kind *kind;
    const char *id; /* of the path; NULL: none */
    const char *base_url;
    const char *secret_key;      /* NULL: none */
    const char *publishable_key; /* NULL: none */
    dreamapi_call_options options;
    dreamapi_test_transport *transport;
    dreamapi_client *client; /* C's own */
    dreamapi_error error;
    wire_report report;
} wire_run;

/* "C" or the like. */
extern const char *const wire_language;

/* Makes a client without retries over run->transport, sends the request with run->options, and compares what came of it with `answer`, the
 * body of the recorded answer. `body` is the recorded request's; NULL: it has none. Fills run->error and returns its status. */
dreamapi_status wire_send(wire_run *run, const cJSON *body, const cJSON *answer);

/* After the last case: says what only all of them together can show. */
void wire_all_done(wire_report *report);

/* `out` is large enough; -1 if the text is not base64. */
int wire_decode_base64(const char *text, unsigned char *out);

#ifdef __cplusplus
}
#endif

#endif
