/* SPDX-License-Identifier: Apache-2.0 */
/* behaviours.h - what a language adds to run the rows of behaviours.json: its name, and how it does each step. behaviours.c has `main`. */
#ifndef DREAM_TESTS_WIRE_BEHAVIOURS_H
#define DREAM_TESTS_WIRE_BEHAVIOURS_H

#include <stdbool.h>

#include "stage.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What the client, and the meter if the row has one, are made with. */
typedef struct behave_setup {
    wire_stage *stage;
    int64_t timeout_ms;  /* 0: the library's choice */
    int64_t max_retries; /* -1: the library's choice */
    bool has_meter;
    const char *meter_token; /* NULL: none */
    dreamapi_policy policy;
    int64_t wait_ms; /* -1: the library's choice */
    int64_t allow_units;
} behave_setup;

typedef struct behave_step {
    const char *call;
    const char *key;    /* NULL: none */
    const char *token;  /* NULL: the user is named by id, user_1 */
    int64_t timeout_ms; /* 0: the client's */
    bool is_cancelled;  /* once the server was asked */
} behave_step;

/* What a step gave, as the language says it. Not known: -1, "". */
typedef struct behave_outcome {
    dreamapi_status status;
    int http_status;
    bool is_retriable;
    bool is_local;
    int64_t retry_after_ms;
    int64_t used;
    int64_t limit;
    int64_t remaining;
    dreamapi_reason reason;
    dreamapi_source source;
    char plan[64];
    char request_id[64];
    char server_error[256];
    char message[256];
} behave_outcome;

extern const char *const behave_language;

void behave_begin(const behave_setup *setup);
void behave_end(void);
void behave_call(const behave_step *step, behave_outcome *out);
void behave_use(int64_t units, behave_outcome *out);
void behave_check(int64_t units, behave_outcome *out);
/* Of the last use. */
void behave_refund(behave_outcome *out);

#ifdef __cplusplus
}
#endif

#endif
