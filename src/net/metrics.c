/* SPDX-License-Identifier: Apache-2.0 */
/* metrics.c - the registry behind metrics.h: families (one name, one type) of series (one label set).
 * The mutex guards the lists only; values are atomics, so updating never waits for a page being printed. A printed page is
 * no snapshot: each value is right at the moment it was read. */
#include "net/metrics.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Upper bounds, microseconds. */
static const int64_t bounds_us[] = { 500,    1000,   2500,   5000,    10000,   25000,   50000,
                                     100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000 };
enum { BOUNDS = sizeof bounds_us / sizeof bounds_us[0] };

enum type { COUNTER, GAUGE, HISTOGRAM };
static const char *const type_names[] = { "counter", "gauge", "histogram" };

struct dreamd_metric {
    struct dreamd_metric *next;
    enum type type;
    char *labels;
    atomic_int_least64_t value;     /* a histogram's sum, microseconds */
    atomic_int_least64_t buckets[]; /* histograms: BOUNDS + 1, each counted for itself, added up when printed */
};

struct family {
    struct family *next;
    enum type type;
    char *name;
    char *help;
    dreamd_metric *series;
    dreamd_metric **end;
};

struct dreamd_metrics {
    pthread_mutex_t lock;
    struct family *families;
    struct family **end;
};

dreamd_metrics *dreamd_metrics_new(void)
{
    dreamd_metrics *metrics = calloc(1, sizeof *metrics);
    if (!metrics)
        return NULL;
    if (pthread_mutex_init(&metrics->lock, NULL) != 0) {
        free(metrics);
        return NULL;
    }
    metrics->end = &metrics->families;
    return metrics;
}

static void metric_free(dreamd_metric *metric)
{
    free(metric->labels);
    free(metric);
}

static void family_free(struct family *family)
{
    while (family->series) {
        dreamd_metric *metric = family->series;
        family->series = metric->next;
        metric_free(metric);
    }
    free(family->name);
    free(family->help);
    free(family);
}

void dreamd_metrics_free(dreamd_metrics *metrics)
{
    if (!metrics)
        return;
    while (metrics->families) {
        struct family *family = metrics->families;
        metrics->families = family->next;
        family_free(family);
    }
    pthread_mutex_destroy(&metrics->lock);
    free(metrics);
}

static struct family *family_new(enum type type, const char *name, const char *help)
{
    struct family *family = calloc(1, sizeof *family);
    if (!family)
        return NULL;
    family->type = type;
    family->end = &family->series;
    family->name = strdup(name);
    family->help = strdup(help);
    if (!family->name || !family->help) {
        family_free(family);
        return NULL;
    }
    return family;
}

static dreamd_metric *metric_new(enum type type, const char *labels)
{
    size_t buckets = type == HISTOGRAM ? BOUNDS + 1 : 0;
    dreamd_metric *metric = calloc(1, sizeof *metric + buckets * sizeof metric->buckets[0]);
    if (!metric)
        return NULL;
    metric->type = type;
    metric->labels = strdup(labels);
    if (!metric->labels) {
        free(metric);
        return NULL;
    }
    return metric;
}

static struct family *family_get(dreamd_metrics *metrics, enum type type, const char *name, const char *help)
{
    for (struct family *family = metrics->families; family; family = family->next)
        if (strcmp(family->name, name) == 0)
            return family->type == type ? family : NULL; /* one name cannot have two types on a page */
    struct family *family = family_new(type, name, help);
    if (family) {
        *metrics->end = family;
        metrics->end = &family->next;
    }
    return family;
}

static dreamd_metric *series_get(struct family *family, const char *labels)
{
    for (dreamd_metric *metric = family->series; metric; metric = metric->next)
        if (strcmp(metric->labels, labels) == 0)
            return metric;
    dreamd_metric *metric = metric_new(family->type, labels);
    if (metric) {
        *family->end = metric;
        family->end = &metric->next;
    }
    return metric;
}

static dreamd_metric *get(dreamd_metrics *metrics, enum type type, const char *name, const char *help,
                          const char *labels)
{
    if (!metrics)
        return NULL;
    pthread_mutex_lock(&metrics->lock);
    struct family *family = family_get(metrics, type, name, help);
    dreamd_metric *metric = family ? series_get(family, labels) : NULL;
    pthread_mutex_unlock(&metrics->lock);
    return metric;
}

dreamd_metric *dreamd_metrics_counter(dreamd_metrics *metrics, const char *name, const char *help, const char *labels)
{
    return get(metrics, COUNTER, name, help, labels);
}

dreamd_metric *dreamd_metrics_gauge(dreamd_metrics *metrics, const char *name, const char *help, const char *labels)
{
    return get(metrics, GAUGE, name, help, labels);
}

dreamd_metric *dreamd_metrics_histogram(dreamd_metrics *metrics, const char *name, const char *help, const char *labels)
{
    return get(metrics, HISTOGRAM, name, help, labels);
}

void dreamd_metric_add(dreamd_metric *metric, int64_t amount)
{
    if (!metric || metric->type == HISTOGRAM || (metric->type == COUNTER && amount < 0))
        return;
    atomic_fetch_add_explicit(&metric->value, amount, memory_order_relaxed);
}

void dreamd_metric_set(dreamd_metric *metric, int64_t value)
{
    if (metric && metric->type == GAUGE)
        atomic_store_explicit(&metric->value, value, memory_order_relaxed);
}

void dreamd_metric_observe_us(dreamd_metric *metric, int64_t microseconds)
{
    if (!metric || metric->type != HISTOGRAM)
        return;
    if (microseconds < 0)
        microseconds = 0; /* a clock that stepped back */
    int bucket = 0;
    while (bucket < BOUNDS && microseconds > bounds_us[bucket])
        bucket++;
    atomic_fetch_add_explicit(&metric->buckets[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&metric->value, microseconds, memory_order_relaxed);
}

/* ---- the page ---- */

/* Help texts escape only what would end the line. */
static void print_help(dream_buffer *out, const char *help)
{
    for (const char *c = help; *c; c++) {
        if (*c == '\n')
            dream_buffer_text(out, "\\n");
        else if (*c == '\\')
            dream_buffer_text(out, "\\\\");
        else
            dream_buffer_char(out, *c);
    }
}

/* Whole numbers only: a floating-point format would follow the locale. */
static void print_seconds(dream_buffer *out, int64_t microseconds)
{
    char text[40];
    int size = snprintf(text, sizeof text, "%" PRId64 ".%06" PRId64, microseconds / 1000000, microseconds % 1000000);
    while (size > 0 && text[size - 1] == '0')
        size--;
    if (size > 0 && text[size - 1] == '.')
        size--;
    dream_buffer_append(out, text, (size_t)size);
}

/* NAMEsuffix{labels} with a space behind. */
static void print_key(dream_buffer *out, const struct family *family, const char *suffix, const char *labels)
{
    dream_buffer_text(out, family->name);
    dream_buffer_text(out, suffix);
    if (labels[0])
        dream_buffer_printf(out, "{%s}", labels);
    dream_buffer_char(out, ' ');
}

static void print_bucket(dream_buffer *out, const struct family *family, const dreamd_metric *metric, int bucket,
                         int64_t count)
{
    dream_buffer_printf(out, "%s_bucket{%s%sle=\"", family->name, metric->labels, metric->labels[0] ? "," : "");
    if (bucket < BOUNDS)
        print_seconds(out, bounds_us[bucket]);
    else
        dream_buffer_text(out, "+Inf");
    dream_buffer_printf(out, "\"} %" PRId64 "\n", count);
}

static void print_histogram(dream_buffer *out, const struct family *family, dreamd_metric *metric)
{
    int64_t count = 0;
    for (int i = 0; i <= BOUNDS; i++) {
        count += atomic_load_explicit(&metric->buckets[i], memory_order_relaxed);
        print_bucket(out, family, metric, i, count);
    }
    print_key(out, family, "_sum", metric->labels);
    print_seconds(out, atomic_load_explicit(&metric->value, memory_order_relaxed));
    dream_buffer_char(out, '\n');
    print_key(out, family, "_count", metric->labels);
    dream_buffer_printf(out, "%" PRId64 "\n", count);
}

static void print_family(dream_buffer *out, const struct family *family)
{
    dream_buffer_printf(out, "# HELP %s ", family->name);
    print_help(out, family->help);
    dream_buffer_printf(out, "\n# TYPE %s %s\n", family->name, type_names[family->type]);
    for (dreamd_metric *metric = family->series; metric; metric = metric->next) {
        if (family->type == HISTOGRAM) {
            print_histogram(out, family, metric);
            continue;
        }
        print_key(out, family, "", metric->labels);
        dream_buffer_printf(out, "%" PRId64 "\n", (int64_t)atomic_load_explicit(&metric->value, memory_order_relaxed));
    }
}

void dreamd_metrics_print(dreamd_metrics *metrics, dream_buffer *out)
{
    pthread_mutex_lock(&metrics->lock);
    for (const struct family *family = metrics->families; family; family = family->next)
        print_family(out, family);
    pthread_mutex_unlock(&metrics->lock);
}
