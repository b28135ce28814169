/* SPDX-License-Identifier: Apache-2.0 */
/* rule.c - which rules are switched off, in builds that allow it; see rule.h. Empty in every other build. */
#include "common/rule.h"

#ifdef DREAM_MUTABLE_RULES

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {
#define NAME(name) #name,
    DREAM_RULES(NAME)
#undef NAME
};

static atomic_bool is_off[DREAM_RULE_COUNT];
static pthread_once_t environment_read = PTHREAD_ONCE_INIT;

bool dream_rule_find(const char *name, enum dream_rule *out_rule)
{
    for (int i = 0; i < DREAM_RULE_COUNT; i++) {
        if (strcmp(names[i], name) == 0) {
            *out_rule = (enum dream_rule)i;
            return true;
        }
    }
    return false;
}

/* A name that is misspelt would switch nothing off, and a test would pass for the wrong reason. */
static void switch_off(const char *name)
{
    enum dream_rule rule;
    if (!dream_rule_find(name, &rule)) {
        (void)fprintf(stderr, "DREAM_RULES_OFF: there is no rule %s\n", name);
        abort();
    }
    atomic_store(&is_off[rule], true);
}

static void read_environment(void)
{
    const char *listed = getenv("DREAM_RULES_OFF");
    char *copy = listed ? strdup(listed) : NULL;
    char *rest = NULL;
    for (char *name = copy ? strtok_r(copy, ", ", &rest) : NULL; name; name = strtok_r(NULL, ", ", &rest))
        switch_off(name);
    free(copy);
}

bool dream_rule_is_on(enum dream_rule rule)
{
    (void)pthread_once(&environment_read, read_environment);
    return !atomic_load_explicit(&is_off[rule], memory_order_relaxed);
}

void dream_rule_switch(enum dream_rule rule, bool is_on)
{
    (void)pthread_once(&environment_read, read_environment);
    atomic_store(&is_off[rule], !is_on);
}

#else
typedef int dream_rule_nothing; /* ISO C wants something in every file */
#endif
