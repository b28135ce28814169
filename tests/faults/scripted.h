/* SPDX-License-Identifier: Apache-2.0 */
/* scripted.h - a client over the scripted transport and the virtual clock, whose server
 * announces every extension. */
#ifndef DREAM_TESTS_FAULTS_SCRIPTED_H
#define DREAM_TESTS_FAULTS_SCRIPTED_H

#include <dreamapi.h>
#include <dreamapi/testing.h>

#define EVERY_EXTENSION                                                                                                \
    "{\"status\":\"ok\",\"extensions\":[\"idempotency\",\"server-side\",\"usage-batch\",\"usage-history\","            \
    "\"customer-list\",\"projects\"]}"

typedef struct scripted {
    dreamapi_options *options;
    dreamapi_test_transport *transport;
    dreamapi_test_clock *clock;
    dreamapi_client *client;
} scripted;

/* Fails the test when that cannot be. */
void scripted_open(scripted *s);
void scripted_close(scripted *s);

#endif
