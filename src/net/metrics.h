/* SPDX-License-Identifier: Apache-2.0 */
/* metrics.h - counters, gauges and histograms, printed as Prometheus text (exposition format 0.0.4).
 * A metric is made once at start (a mutex) and then updated with atomics from any thread. Label values come from
 * fixed tables (routes, providers), never from requests: the number of series is bounded. */
#ifndef DREAMD_NET_METRICS_H
#define DREAMD_NET_METRICS_H

#include <stdint.h>

#include "common/buffer.h"

typedef struct dreamd_metrics dreamd_metrics;
typedef struct dreamd_metric dreamd_metric;

dreamd_metrics *dreamd_metrics_new(void);
void dreamd_metrics_free(dreamd_metrics *metrics);
/* `labels` is ready text such as `route="POST /api/data",status="2xx"`, or "". Asking again for the same name and labels
 * gives the same metric. NULL when out of memory: all updates accept NULL. */
dreamd_metric *dreamd_metrics_counter(dreamd_metrics *metrics, const char *name, const char *help, const char *labels);
dreamd_metric *dreamd_metrics_gauge(dreamd_metrics *metrics, const char *name, const char *help, const char *labels);
/* Seconds, fixed buckets from 0.5 ms to 10 s. */
dreamd_metric *dreamd_metrics_histogram(dreamd_metrics *metrics, const char *name, const char *help,
                                        const char *labels);
void dreamd_metric_add(dreamd_metric *metric, int64_t amount);
void dreamd_metric_set(dreamd_metric *metric, int64_t value);
void dreamd_metric_observe_us(dreamd_metric *metric, int64_t microseconds);
void dreamd_metrics_print(dreamd_metrics *metrics, dream_buffer *out);

#endif
