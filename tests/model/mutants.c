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

/* What no run of the model shows by itself, as another rule stands behind it, and why; that must stay so, or the reason has gone stale.
 * tests/unit has a case for each that fails without it. */
static const struct {
    enum dream_rule rule;
    const char *why;
} unseen[] = {
    { DREAM_RULE_repeat_tells_state,
      "our holder hands back what is over by its ttl, and what an earlier run asked for" },
    { DREAM_RULE_check_in_revives_nothing, "our holder sends a final for what a check-in finds lost" },
    { DREAM_RULE_only_active_is_spent, "a lease that is lost, unproven or final is repeated with a ttl of 0" },
    { DREAM_RULE_books_close, "a period whose leases are gone says so itself" },
};

/* Seeds that a rule gets of which nothing is to be seen. */
enum { MOST_UNSEEN = 1000 };

/* Found within a few seeds each, one at least of every group of rules. */
static const enum dream_rule few[] = {
    DREAM_RULE_grant_within_limit,   DREAM_RULE_request_keeps_answer,
    DREAM_RULE_ends_with_period,     DREAM_RULE_state_only_rises,
    DREAM_RULE_refund_once,          DREAM_RULE_restore_raises_epoch,
    DREAM_RULE_sealing_is_for_good,  DREAM_RULE_flush_waits_for_wishes,
    DREAM_RULE_final_closes_refunds, DREAM_RULE_refund_is_consumed,
};

static const char *why_unseen(enum dream_rule rule)
{
    for (size_t i = 0; i < sizeof unseen / sizeof unseen[0]; i++) {
        if (unseen[i].rule == rule)
            return unseen[i].why;
    }
    return NULL;
}

static bool is_chosen(enum dream_rule rule, const char *name)
{
    if (strcmp(name, "few") != 0)
        return strcmp(name, "all") == 0 || strcmp(name, names[rule]) == 0;
    for (size_t i = 0; i < sizeof few / sizeof few[0]; i++) {
        if (few[i] == rule)
            return true;
    }
    return false;
}

static bool hunt(enum dream_rule rule, uint64_t most_seeds, int steps, mutants_run_seed *run)
{
    const char *why = why_unseen(rule);
    char problem[512];
    bool is_found = false;
    uint64_t seed = 0;

    dream_rule_switch(rule, false);
    while (!is_found && seed < most_seeds)
        is_found = !run(++seed, steps, problem);
    dream_rule_switch(rule, true);
    (void)printf("%s - without %s: ", is_found == !why ? "ok" : "not ok", names[rule]);
    if (is_found)
        (void)printf("seed %llu: %s\n", (unsigned long long)seed, problem);
    else
        (void)printf("%llu seeds found nothing%s%s\n", (unsigned long long)seed, why ? ", as " : "", why ? why : "");
    (void)fflush(stdout);
    return is_found == !why;
}

bool mutants_run(const char *name, uint64_t most_seeds, int steps, mutants_run_seed *run)
{
    bool is_ok = true;
    int count = 0;

    for (int i = 0; i < DREAM_RULE_COUNT; i++) {
        enum dream_rule rule = (enum dream_rule)i;
        if (!is_chosen(rule, name))
            continue;
        count++;
        is_ok =
            hunt(rule, why_unseen(rule) && most_seeds > MOST_UNSEEN ? MOST_UNSEEN : most_seeds, steps, run) && is_ok;
    }
    (void)printf("1..%d\n", count);
    return is_ok && count > 0;
}

#endif
