/* SPDX-License-Identifier: Apache-2.0 */
/* calls.h - every typed call of the library, with a good answer to it. For the programs that try something
 * with each of them; check_calls.py compares the table with the headers. */
#ifndef DREAM_TESTS_FAULTS_CALLS_H
#define DREAM_TESTS_FAULTS_CALLS_H

#include <dreamapi.h>
#include <stddef.h>

typedef struct typed_call {
    const char *sentence; /* its name, as dreamapi_NAME_start */
    dreamapi_status (*start)(dreamapi_client *client, dreamapi_call **out_call);
    const char *path;
    const char *answer;
} typed_call;

extern typed_call typed_calls[];
extern const size_t typed_call_count;

#endif
