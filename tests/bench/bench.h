/* SPDX-License-Identifier: Apache-2.0 */
/* bench.h - how figures are taken and told: a floor and its subject in turn, in slices short enough that what else the machine does
 * hits both alike; the median of the slices' ratios is the figure. */
#ifndef TESTS_BENCH_BENCH_H
#define TESTS_BENCH_BENCH_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

enum { BENCH_ROUNDS_MAX = 201 };

/* True after `--smoke`: counts so small that the figures mean nothing. */
extern bool bench_is_smoke;
void bench_begin(const char *program, int *argc, char ***argv);
/* Prints the message and ends the program with 1. */
void bench_die(const char *message) __attribute__((noreturn));

int64_t bench_ns(clockid_t clock);
double bench_median(double *values, int count);
/* `normal`, or `smoke` under --smoke. */
long bench_count(long normal, long smoke);

typedef enum bench_gate { BENCH_NO_GATE, BENCH_AT_MOST, BENCH_AT_LEAST } bench_gate;

/* One line of the table. NAN where there is nothing to say. */
typedef struct bench_row {
    const char *name;
    const char *unit;
    double value;
    double floor;
    double ratio; /* of which the gate speaks; where there is no floor, the value */
    bench_gate gate;
    double bound;
} bench_row;
/* On stdout, as a JSON object on a line. */
void bench_print(const bench_row *row);

/* Does something `count` times. */
typedef void bench_act(void *context, long count);
/* What one slice costs is measured in this clock. The CPU time of a thread leaves out what others do meanwhile. */
typedef struct bench_pair {
    bench_act *floor;
    void *floor_context;
    bench_act *subject;
    void *subject_context;
    long count;
    int rounds;
    double floor_extra_ns; /* added to the floor of each */
    clockid_t clock;
} bench_pair;
typedef struct bench_result {
    double value_ns; /* medians, of one */
    double floor_ns;
    double ratio;
} bench_result;
bench_result bench_compare(const bench_pair *pair);

#endif
