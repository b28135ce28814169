/* SPDX-License-Identifier: Apache-2.0 */
/* mutants.h - is the model worth anything? Switches rules of the protocol off, one by one, and counts the seeds it takes to see it. */
#ifndef TESTS_MODEL_MUTANTS_H
#define TESTS_MODEL_MUTANTS_H

#include <stdbool.h>
#include <stdint.h>

typedef bool mutants_run_seed(uint64_t seed, int steps, char problem[512]);

/* `name` is a rule, "all" or "few" (those that are found soon). False if one that the model should find was not found within
 * `most_seeds` seeds. Prints TAP. */
bool mutants_run(const char *name, uint64_t most_seeds, int steps, mutants_run_seed *run);

#endif
