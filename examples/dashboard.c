/* SPDX-License-Identifier: Apache-2.0 */
/* dashboard.c - a project's figures and its busiest users, as a report by mail would show them.
 *
 *   cc dashboard.c $(pkg-config --cflags --libs dreamapi) -o dashboard
 *   DREAMAPI_BASE_URL=http://127.0.0.1:8787 DREAMAPI_SECRET_KEY=sk_live_... ./dashboard 10 */
#include <dreamapi.h>

#include <stdio.h>
#include <stdlib.h>

typedef const dreamapi_dashboard_customer *customer;

static int by_usage(const void *one, const void *other)
{
    int64_t a = dreamapi_dashboard_customer_usage_count(*(const customer *)one);
    int64_t b = dreamapi_dashboard_customer_usage_count(*(const customer *)other);
    return (a < b) - (a > b);
}

static void print_busiest(const dreamapi_dashboard *dashboard, size_t wanted)
{
    size_t count = dreamapi_dashboard_customer_count(dashboard);
    customer *sorted = malloc((count + 1) * sizeof(*sorted));
    if (!sorted)
        return;
    for (size_t i = 0; i < count; i++)
        sorted[i] = dreamapi_dashboard_customer_at(dashboard, i);
    qsort(sorted, count, sizeof(*sorted), by_usage);
    for (size_t i = 0; i < count && i < wanted; i++) {
        const char *email = dreamapi_dashboard_customer_email(sorted[i]);
        const char *plan = dreamapi_dashboard_customer_plan(sorted[i]);
        printf("  %s: plan %s, used %lld\n", email ? email : dreamapi_dashboard_customer_user_id(sorted[i]),
               plan ? plan : "unknown", (long long)dreamapi_dashboard_customer_usage_count(sorted[i]));
    }
    free(sorted);
}

int main(int argc, char **argv)
{
    dreamapi_options *options;
    dreamapi_client *client = NULL;
    dreamapi_dashboard *dashboard = NULL;
    dreamapi_error error = { .message = "out of memory" };
    dreamapi_status status;
    if (argc != 2) {
        fprintf(stderr, "usage: %s USERS   (with DREAMAPI_BASE_URL and DREAMAPI_SECRET_KEY set)\n", argv[0]);
        return 2;
    }
    /* The answer is as long as the project has users. What is not set comes from the environment, as ever. */
    options = dreamapi_options_new();
    status = dreamapi_options_set_max_response_size(options, 64 * 1024 * 1024);
    if (status == DREAMAPI_OK)
        status = dreamapi_client_new(options, &client, &error);
    dreamapi_options_free(options);
    if (status == DREAMAPI_OK)
        status = dreamapi_dashboard_get(client, NULL, &dashboard, &error);
    if (status != DREAMAPI_OK) {
        fprintf(stderr, "%s: %s\n", dreamapi_status_name(status), error.message);
        goto done;
    }
    /* Money is whole numbers of the smallest unit. */
    long long mrr = (long long)dreamapi_dashboard_mrr(dashboard);
    printf("%lld active subscriptions, %lld.%02lld a month, %lld units used\n",
           (long long)dreamapi_dashboard_active_subs(dashboard), mrr / 100, mrr % 100,
           (long long)dreamapi_dashboard_usage_this_period(dashboard));
    printf("%zu users, the busiest:\n", dreamapi_dashboard_customer_count(dashboard));
    print_busiest(dashboard, (size_t)strtoul(argv[1], NULL, 10));

done:
    dreamapi_dashboard_free(dashboard);
    dreamapi_client_free(client);
    return status == DREAMAPI_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
