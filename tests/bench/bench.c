/* SPDX-License-Identifier: Apache-2.0 */
/* bench.c - medians, slices and rows. */
#include "bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool bench_is_smoke;
static const char *program_name = "bench";

void bench_begin(const char *program, int *argc, char ***argv)
{
    program_name = program;
    if (*argc > 1 && strcmp((*argv)[1], "--smoke") == 0) {
        bench_is_smoke = true;
        (*argc)--;
        (*argv)++;
    }
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
}

void bench_die(const char *message)
{
    (void)fprintf(stderr, "%s: %s\n", program_name, message);
    exit(1);
}

int64_t bench_ns(clockid_t clock)
{
    struct timespec now;

    if (clock_gettime(clock, &now) != 0)
        bench_die("cannot read a clock");
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

double bench_median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof(*values), compare);
    return count % 2 == 1 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

long bench_count(long normal, long smoke)
{
    return bench_is_smoke ? smoke : normal;
}

static void print_number(const char *name, double value)
{
    if (isfinite(value))
        (void)printf(", \"%s\": %.6g", name, value);
    else
        (void)printf(", \"%s\": null", name);
}

void bench_print(const bench_row *row)
{
    (void)printf("{\"name\": \"%s\", \"unit\": \"%s\"", row->name, row->unit);
    print_number("value", row->value);
    print_number("floor", row->floor);
    print_number("ratio", row->ratio);
    if (row->gate == BENCH_NO_GATE)
        (void)printf(", \"gate\": null}\n");
    else
        (void)printf(", \"gate\": \"%s %g\"}\n", row->gate == BENCH_AT_MOST ? "<=" : ">=", row->bound);
}

static double slice(bench_act *act, void *context, long count, clockid_t clock)
{
    int64_t begun = bench_ns(clock);

    act(context, count);
    return (double)(bench_ns(clock) - begun) / (double)count;
}

bench_result bench_compare(const bench_pair *pair)
{
    double floors[BENCH_ROUNDS_MAX], values[BENCH_ROUNDS_MAX], ratios[BENCH_ROUNDS_MAX];
    bench_result result;

    /* Warm caches and, for the subject, whatever happens once. */
    pair->floor(pair->floor_context, pair->count);
    pair->subject(pair->subject_context, pair->count);
    for (int i = 0; i < pair->rounds; i++) {
        floors[i] = slice(pair->floor, pair->floor_context, pair->count, pair->clock) + pair->floor_extra_ns;
        values[i] = slice(pair->subject, pair->subject_context, pair->count, pair->clock);
        ratios[i] = values[i] / floors[i];
    }
    result.floor_ns = bench_median(floors, pair->rounds);
    result.value_ns = bench_median(values, pair->rounds);
    result.ratio = bench_median(ratios, pair->rounds);
    return result;
}
