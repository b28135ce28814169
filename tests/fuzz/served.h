/* SPDX-License-Identifier: Apache-2.0 */
/* served.h - the hosted service inside the process, for the targets about what is sent to it: the stage of the service's tests, with
 * three tiers and a customer. It is set up anew every so often, so that no state grows without bound. */
#ifndef DREAM_TESTS_FUZZ_SERVED_H
#define DREAM_TESTS_FUZZ_SERVED_H

#include "fuzz.h"

#include "common/buffer.h"
#include "unit/service/stage.h"

/* When it is served: 2026-11-15, 12:00 UTC. */
#define SERVED_BEGINS_MS INT64_C(1794744000000)
#define SERVED_CLERK_SECRET "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

typedef struct served_request {
    const char *method;
    const char *target;
    const char *headers; /* further lines, each with its CR LF; NULL: none */
    const void *body;
    size_t size;
} served_request;

typedef struct served_answer {
    dream_buffer bytes;
    int status;       /* 0: none came */
    const char *body; /* in `bytes` */
} served_answer;

/* To be called once an input, before anything else. */
void served_begin(void);
/* Sends bytes on a connection of their own, and takes what comes until the service closes it or is silent for `patience_ms`. */
void served_send(const void *bytes, size_t size, int64_t patience_ms, served_answer *out);
/* Asks with the secret key. Whatever was asked, the service answers in HTTP, never with "Internal error", and in JSON where it
 * says so: checked here. */
void served_ask(const served_request *request, served_answer *out);
void served_answer_clear(served_answer *answer);
/* Every invariant of the store holds. What holders report of leases that it does not know may exceed a limit, as after a restore:
 * dreamapid check lists that, so it breaks none. */
void served_check_store(void);

#endif
