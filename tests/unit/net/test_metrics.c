/* SPDX-License-Identifier: Apache-2.0 */
/* test_metrics.c - the Prometheus page of metrics.h. */
#include "net/metrics.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void assert_page(dreamd_metrics *metrics, const char *wanted)
{
    dream_buffer page = DREAM_BUFFER_INIT;
    dreamd_metrics_print(metrics, &page);
    assert_false(page.is_failed);
    assert_string_equal(dream_buffer_str(&page), wanted);
    dream_buffer_clear(&page);
}

static bool page_has(dreamd_metrics *metrics, const char *line)
{
    dream_buffer page = DREAM_BUFFER_INIT;
    dreamd_metrics_print(metrics, &page);
    bool is_there = strstr(dream_buffer_str(&page), line) != NULL;
    dream_buffer_clear(&page);
    return is_there;
}

static void test_metrics__empty_page(void **state)
{
    (void)state;
    dreamd_metrics *metrics = dreamd_metrics_new();
    assert_page(metrics, "");
    dreamd_metrics_free(metrics);
}

static void test_metrics__counters_and_gauges_are_grouped_by_name(void **state)
{
    (void)state;
    dreamd_metrics *metrics = dreamd_metrics_new();
    dreamd_metric *ok = dreamd_metrics_counter(metrics, "requests_total", "Answered.", "status=\"2xx\"");
    dreamd_metric *open = dreamd_metrics_gauge(metrics, "open", "Back\\slash\nand line.", "");
    dreamd_metric *bad = dreamd_metrics_counter(metrics, "requests_total", "ignored", "status=\"5xx\"");
    dreamd_metric_add(ok, 2);
    dreamd_metric_add(ok, 1);
    dreamd_metric_add(bad, 1);
    dreamd_metric_set(open, 9);
    dreamd_metric_add(open, -10);
    assert_page(metrics, "# HELP requests_total Answered.\n# TYPE requests_total counter\n"
                         "requests_total{status=\"2xx\"} 3\nrequests_total{status=\"5xx\"} 1\n"
                         "# HELP open Back\\\\slash\\nand line.\n# TYPE open gauge\nopen -1\n");
    dreamd_metrics_free(metrics);
}

static void test_metrics__same_name_and_labels_is_the_same_metric(void **state)
{
    (void)state;
    dreamd_metrics *metrics = dreamd_metrics_new();
    dreamd_metric *one = dreamd_metrics_counter(metrics, "a", "", "x=\"1\"");
    assert_ptr_equal(one, dreamd_metrics_counter(metrics, "a", "", "x=\"1\""));
    assert_ptr_not_equal(one, dreamd_metrics_counter(metrics, "a", "", "x=\"2\""));
    assert_ptr_not_equal(one, dreamd_metrics_counter(metrics, "b", "", "x=\"1\""));
    assert_null(dreamd_metrics_gauge(metrics, "a", "", "x=\"1\"")); /* one name, two types: no page could say that */
    dreamd_metrics_free(metrics);
}

static void test_metrics__counter_never_goes_down(void **state)
{
    (void)state;
    dreamd_metrics *metrics = dreamd_metrics_new();
    dreamd_metric *counter = dreamd_metrics_counter(metrics, "a", "", "");
    dreamd_metric_add(counter, 5);
    dreamd_metric_add(counter, -3);
    dreamd_metric_set(counter, 0);
    dreamd_metric_observe_us(counter, 1);
    assert_true(page_has(metrics, "\na 5\n"));
    dreamd_metrics_free(metrics);
}

static void test_metrics__histogram_buckets_add_up(void **state)
{
    (void)state;
    dreamd_metrics *metrics = dreamd_metrics_new();
    dreamd_metric *seconds = dreamd_metrics_histogram(metrics, "s", "Time.", "route=\"GET /\"");
    dreamd_metric_observe_us(seconds, -5);
    dreamd_metric_observe_us(seconds, 500); /* on the bound: in the bucket */
    dreamd_metric_observe_us(seconds, 501);
    dreamd_metric_observe_us(seconds, 10000000);
    dreamd_metric_observe_us(seconds, 10000001);
    dreamd_metric_add(seconds, 100); /* no way to change a histogram */
    dreamd_metric_set(seconds, 100);
    assert_page(metrics, "# HELP s Time.\n# TYPE s histogram\n"
                         "s_bucket{route=\"GET /\",le=\"0.0005\"} 2\ns_bucket{route=\"GET /\",le=\"0.001\"} 3\n"
                         "s_bucket{route=\"GET /\",le=\"0.0025\"} 3\ns_bucket{route=\"GET /\",le=\"0.005\"} 3\n"
                         "s_bucket{route=\"GET /\",le=\"0.01\"} 3\ns_bucket{route=\"GET /\",le=\"0.025\"} 3\n"
                         "s_bucket{route=\"GET /\",le=\"0.05\"} 3\ns_bucket{route=\"GET /\",le=\"0.1\"} 3\n"
                         "s_bucket{route=\"GET /\",le=\"0.25\"} 3\ns_bucket{route=\"GET /\",le=\"0.5\"} 3\n"
                         "s_bucket{route=\"GET /\",le=\"1\"} 3\ns_bucket{route=\"GET /\",le=\"2.5\"} 3\n"
                         "s_bucket{route=\"GET /\",le=\"5\"} 3\ns_bucket{route=\"GET /\",le=\"10\"} 4\n"
                         "s_bucket{route=\"GET /\",le=\"+Inf\"} 5\n"
                         "s_sum{route=\"GET /\"} 20.001002\ns_count{route=\"GET /\"} 5\n");
    dreamd_metrics_free(metrics);
}

static void test_metrics__histogram_without_labels(void **state)
{
    (void)state;
    dreamd_metrics *metrics = dreamd_metrics_new();
    dreamd_metric_observe_us(dreamd_metrics_histogram(metrics, "s", "", ""), 30000000);
    assert_true(page_has(metrics, "\ns_bucket{le=\"10\"} 0\ns_bucket{le=\"+Inf\"} 1\ns_sum 30\ns_count 1\n"));
    dreamd_metrics_free(metrics);
}

static void test_metrics__null_is_fine(void **state)
{
    (void)state;
    assert_null(dreamd_metrics_counter(NULL, "a", "", ""));
    dreamd_metric_add(NULL, 1);
    dreamd_metric_set(NULL, 1);
    dreamd_metric_observe_us(NULL, 1);
    dreamd_metrics_free(NULL);
}

static void *count_up(void *metrics)
{
    for (int i = 0; i < 2000; i++)
        dreamd_metric_add(dreamd_metrics_counter(metrics, "a", "", ""), 1);
    return NULL;
}

static void test_metrics__threads_lose_no_count(void **state)
{
    pthread_t threads[4];
    (void)state;
    dreamd_metrics *metrics = dreamd_metrics_new();
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_up, metrics), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_true(page_has(metrics, "\na 8000\n"));
    dreamd_metrics_free(metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_metrics__empty_page),
        cmocka_unit_test(test_metrics__counters_and_gauges_are_grouped_by_name),
        cmocka_unit_test(test_metrics__same_name_and_labels_is_the_same_metric),
        cmocka_unit_test(test_metrics__counter_never_goes_down),
        cmocka_unit_test(test_metrics__histogram_buckets_add_up),
        cmocka_unit_test(test_metrics__histogram_without_labels),
        cmocka_unit_test(test_metrics__null_is_fine),
        cmocka_unit_test(test_metrics__threads_lose_no_count),
    };
    return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
