/* SPDX-License-Identifier: Apache-2.0 */
/* mutants.c - see mutants.h. */
#include "mutants.h"

#include <stdio.h>
#include <string.h>

#include "common/rule.h"

#ifndef DREAM_MUTABLE_RULES

bool mutants_run(const char *name, uint64_t most_seeds, int steps, mutants_run_seed *run)
{
    (void)name;
    (void)most_seeds;
    (void)steps;
    (void)run;
    (void)printf("1..0 # skip: the rules of this program cannot be switched off\n");
    return true;
}

#else

static const char *const names[] = {
#define NAME(name) #name,
    DREAM_RULES(NAME)
#undef NAME
};

static bool hunt(enum dream_rule rule, uint64_t most_seeds, int steps, mutants_run_seed *run)
{
    char problem[512];
    bool is_found = false;
    uint64_t seed = 0;

    dream_rule_switch(rule, false);
    while (!is_found && seed < most_seeds)
        is_found = !run(++seed, steps, problem);
    dream_rule_switch(rule, true);
    if (is_found)
        (void)printf("ok %d - without %s: seed %llu: %s\n", (int)rule + 1, names[rule], (unsigned long long)seed, problem);
    else
        (void)printf("not ok %d - without %s: %llu seeds found nothing\n", (int)rule + 1, names[rule],
                     (unsigned long long)seed);
    (void)fflush(stdout);
    return is_found;
}

bool mutants_run(const char *name, uint64_t most_seeds, int steps, mutants_run_seed *run)
{
    bool is_ok = true;

    (void)printf("1..%d\n", (int)DREAM_RULE_COUNT);
    for (int i = 0; i < DREAM_RULE_COUNT; i++) {
        if (strcmp(name, "all") == 0 || strcmp(name, names[i]) == 0)
            is_ok = hunt((enum dream_rule)i, most_seeds, steps, run) && is_ok;
    }
    return is_ok;
}

#endif
