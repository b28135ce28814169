/* SPDX-License-Identifier: Apache-2.0 */
/* test_model.c - runs the model over seeds, or one seed with its trace; README.md says how. Speaks TAP. */
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "mutants.h"
#include "run.h"

model *current_model;

enum { LONGER = 20 };
static char folder[64];

/* What is random beside the clients' ids comes from the seed, too. */
bool __wrap_dream_random(void *out, size_t size);
bool __wrap_dream_random(void *out, size_t size)
{
    unsigned char *bytes = out;

    for (size_t i = 0; i < size; i++)
        bytes[i] = current_model ? (unsigned char)(model_random(current_model) >> 32) : (unsigned char)i;
    return true;
}

static int remove_entry(const char *path, const struct stat *facts, int kind, struct FTW *place)
{
    (void)facts;
    (void)kind;
    (void)place;
    return remove(path);
}

static void clean_up(void)
{
    (void)nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static bool make_folder(void)
{
    (void)snprintf(folder, sizeof folder, "/dev/shm/test-model-XXXXXX");
    if (!mkdtemp(folder)) {
        (void)snprintf(folder, sizeof folder, "/tmp/test-model-XXXXXX");
        if (!mkdtemp(folder))
            return false;
    }
    (void)atexit(clean_up);
    return server_prepare(folder);
}

typedef struct arguments {
    uint64_t first, last;
    int steps;
    bool is_verbose;
    const char *mutant; /* a rule, or "all" */
    uint64_t most_seeds;
} arguments;

static bool read_seeds(const char *text, arguments *out)
{
    char *end = NULL;

    out->first = out->last = strtoull(text, &end, 10);
    if (end != text && strncmp(end, "..", 2) == 0)
        out->last = strtoull(text = end + 2, &end, 10);
    return end != text && *end == '\0' && out->first <= out->last;
}

/* ./dev check asks for more. */
static void lengthen(arguments *given)
{
    if (!getenv("DREAMAPI_LONG"))
        return;
    given->last = given->first + (given->last - given->first) * LONGER;
    if (given->mutant && strcmp(given->mutant, "few") == 0) {
        given->mutant = "all";
        given->most_seeds *= LONGER;
    }
}

static bool read_arguments(int count, char **texts, arguments *out)
{
    *out = (arguments){ .first = 1, .last = 300, .steps = 200, .most_seeds = 300 };
    for (int i = 1; i < count; i++) {
        const char *value = i + 1 < count ? texts[i + 1] : "";
        if (strcmp(texts[i], "--verbose") == 0) {
            out->is_verbose = true;
            continue;
        }
        if (strcmp(texts[i], "--seeds") == 0 || strcmp(texts[i], "--seed") == 0) {
            if (!read_seeds(value, out))
                return false;
        } else if (strcmp(texts[i], "--steps") == 0) {
            out->steps = atoi(value);
        } else if (strcmp(texts[i], "--mutate") == 0) {
            out->mutant = value;
        } else if (strcmp(texts[i], "--most-seeds") == 0) {
            out->most_seeds = strtoull(value, NULL, 10);
        } else {
            return false;
        }
        i++;
    }
    lengthen(out);
    return out->steps > 0;
}

static bool run_quietly(uint64_t seed, int steps, char problem[512])
{
    run_order order = { seed, steps, false, folder };

    return run_seed(&order, problem);
}

/* The trace of a failing seed comes from running it again: the same seed is the same run. */
static bool run_seeds(const arguments *given)
{
    char problem[512];

    for (uint64_t seed = given->first; seed <= given->last; seed++) {
        run_order order = { seed, given->steps, given->is_verbose, folder };
        if (run_seed(&order, problem))
            continue;
        (void)printf("# seed %" PRIu64 ": %s\n", seed, problem);
        if (!given->is_verbose) {
            order.is_verbose = true;
            (void)run_seed(&order, problem);
        }
        (void)printf("# again: test_model --seed %" PRIu64 " --steps %d --verbose\n", seed, given->steps);
        return false;
    }
    return true;
}

int main(int count, char **texts)
{
    arguments given;
    bool is_ok;

    if (!read_arguments(count, texts, &given)) {
        (void)fputs("usage: test_model [--seeds A..B | --seed N] [--steps N] [--verbose] [--mutate RULE|all|few "
                    "[--most-seeds N]]\n",
                    stderr);
        return 2;
    }
    if (!make_folder()) {
        (void)fputs("no folder for the run\n", stderr);
        return 2;
    }
    if (given.mutant)
        return mutants_run(given.mutant, given.most_seeds, given.steps, run_quietly) ? 0 : 1;
    (void)printf("1..1\n");
    is_ok = run_seeds(&given);
    (void)printf("%s 1 - seeds %" PRIu64 " to %" PRIu64 " keep I1 to I4\n", is_ok ? "ok" : "not ok", given.first,
                 given.last);
    return is_ok ? 0 : 1;
}
