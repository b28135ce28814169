/* SPDX-License-Identifier: Apache-2.0 */
/* run.h - one run of the model, by its number. */
#ifndef TESTS_MODEL_RUN_H
#define TESTS_MODEL_RUN_H

#include "model.h"

typedef struct run_order {
    uint64_t seed;
    int steps;
    bool is_verbose;    /* prints the trace */
    const char *folder; /* in memory; server_prepare was there */
} run_order;

/* True if every invariant held; else `problem` says what did not. */
bool run_seed(const run_order *order, char problem[512]);

/* Of the run under way, for what has no other way to it. */
extern model *current_model;

#endif
