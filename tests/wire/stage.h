/* SPDX-License-Identifier: Apache-2.0 */
/* stage.h - the server of one row of behaviours.json, as a transport and a clock that a client is made with. It answers in the call that brings
 * a request, or never; time passes only when the client waits. One thread. */
#ifndef DREAM_TESTS_WIRE_STAGE_H
#define DREAM_TESTS_WIRE_STAGE_H

#include <dreamapi.h>
#include <dreamapi/testing.h>
#include <stddef.h>

#include "report.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { STAGE_MAX_REQUESTS = 32, STAGE_TEXT_SIZE = 1024 };

typedef struct stage_request {
    char method[8];
    char path[STAGE_TEXT_SIZE]; /* behind the base URL */
    char key[STAGE_TEXT_SIZE];  /* "": none */
    char token[STAGE_TEXT_SIZE];
    char authorization[STAGE_TEXT_SIZE];
    char body[STAGE_TEXT_SIZE];
    int64_t at_ms;
} stage_request;

typedef struct wire_stage {
    const cJSON *row;     /* borrowed */
    const cJSON *answers; /* the file's, by name; borrowed */
    dreamapi_test_clock *clock;
    dreamapi_transport transport;
    size_t asked_count; /* without questions for extensions and leases */
    stage_request asked[STAGE_MAX_REQUESTS];
    int probes; /* questions for extensions */
    int grants; /* wishes for leases that were answered */
} wire_stage;

extern const char stage_base_url[];
extern const char stage_secret_key[];

void stage_open(wire_stage *stage, const cJSON *row, const cJSON *answers);
/* After the end of the clients that were made with it. */
void stage_close(wire_stage *stage);
/* Makes clients that are made from these options live on this stage, which must stay where it is. */
void stage_install(wire_stage *stage, dreamapi_options *options);

#ifdef __cplusplus
}
#endif

#endif
