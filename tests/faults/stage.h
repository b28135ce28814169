/* SPDX-License-Identifier: Apache-2.0 */
/* stage.h - what each program of this folder sets up: a fault server, a client of it
 * that pauses for no time between tries, and the three kinds of call whose reliability differs.
 * Rows of a table become test cases, named by the sentence that each row is. */
#ifndef DREAM_TESTS_FAULTS_STAGE_H
#define DREAM_TESTS_FAULTS_STAGE_H

#include <dreamapi.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fault_server.h"

#define KNOWS_KEYS "{\"status\":\"ok\",\"extensions\":[\"idempotency\",\"server-side\"]}"
#define KNOWS_NOTHING "{\"status\":\"ok\"}"
#define KNOWS_USERS "{\"status\":\"ok\",\"extensions\":[\"server-side\"]}"

typedef enum work {
    WORK_GET,        /* may always be repeated */
    WORK_POST,       /* may not: the server knows no keys */
    WORK_KEYED_POST, /* may: the server does a key's work once */
    WORK_COUNT
} work;

typedef struct stage {
    fault_server server;
    dreamapi_options *options;
    dreamapi_client *client;
    dreamapi_error error;
    int64_t timeout_ms;
    const char *key; /* the caller's own idempotency key for POSTs; NULL: the library makes one */
} stage;

extern const char *const work_names[WORK_COUNT];

/* A server and options for it; no client yet. */
void stage_open(stage *s);
void stage_close(stage *s);
/* A client; frees the one before it. */
void stage_make_client(stage *s, int threads);
/* Lets the client ask what the server knows, on a connection that is closed afterwards. */
void stage_learn(stage *s, const char *health);
/* Makes the call and waits for it; stage.error tells. */
dreamapi_status stage_do(stage *s, work kind);
dreamapi_status stage_start(stage *s, work kind, dreamapi_call **out_call);
/* Fails the test unless this was the status. */
void stage_expect(const stage *s, const char *what, dreamapi_status status, dreamapi_status expected);

int64_t stage_now_ms(void);
/* True when the long variants are asked for: DREAMAPI_LONG=1. */
bool stage_is_long(void);

/* Runs one test case for each row; `rows` begin with their sentence (const char *). Returns main's result. */
int stage_run(const char *group, CMUnitTestFunction test, void *rows, size_t row_size, size_t count);

#endif
