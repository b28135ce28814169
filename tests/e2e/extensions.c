/* SPDX-License-Identifier: Apache-2.0 */
/* extensions.c - uses through the library what only our service announces: extensions USER UNITS
 *
 * Walks over all customers two a page, reports UNITS events of one unit with the library's ids, reports one event
 * twice under an id of its own, and reads the history and the dashboard. Prints one line a finding; ends with 0 if
 * no call failed. */
#include <dreamapi.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_UNITS = 100 };

static dreamapi_error error;

static void must(dreamapi_status status, const char *what)
{
    if (status == DREAMAPI_OK)
        return;
    fprintf(stderr, "%s: %s: %s\n", what, dreamapi_status_name(status), error.message);
    exit(1);
}

static void walk(dreamapi_client *client)
{
    dreamapi_customer_list_params params = DREAMAPI_CUSTOMER_LIST_PARAMS_INIT;
    dreamapi_customer_pages *pages;
    dreamapi_customers *page;

    params.limit = 2;
    must(dreamapi_customer_pages_open(client, &params, NULL, &pages, &error), "open");
    for (;;) {
        must(dreamapi_customer_pages_next(pages, &page, &error), "next");
        if (page == NULL)
            break;
        printf("page %zu\n", dreamapi_customers_count(page));
        for (size_t i = 0; i < dreamapi_customers_count(page); i++) {
            const dreamapi_customer *customer = dreamapi_customers_at(page, i);
            printf("customer %s %s %s %" PRId64 "\n", dreamapi_customer_id(customer), dreamapi_customer_plan(customer),
                   dreamapi_customer_status(customer), dreamapi_customer_usage_limit(customer));
        }
        dreamapi_customers_free(page);
    }
    dreamapi_customer_pages_close(pages);
}

static void report(dreamapi_client *client, const dreamapi_usage_event *events, size_t count)
{
    dreamapi_usage_outcomes *outcomes;

    must(dreamapi_usage_batch(client, events, count, NULL, &outcomes, &error), "batch");
    for (size_t i = 0; i < dreamapi_usage_outcomes_count(outcomes); i++)
        printf("outcome %s\n", dreamapi_usage_outcome_status(dreamapi_usage_outcomes_at(outcomes, i)));
    dreamapi_usage_outcomes_free(outcomes);
}

static void look(dreamapi_client *client, const char *user_id)
{
    dreamapi_usage_history_params params = DREAMAPI_USAGE_HISTORY_PARAMS_INIT;
    dreamapi_history *history;
    dreamapi_dashboard *dashboard;
    dreamapi_totals *totals;
    size_t days;

    params.user_id = user_id;
    must(dreamapi_usage_history(client, &params, NULL, &history, &error), "history");
    days = dreamapi_history_day_count(history);
    printf("history %zu days, last %" PRId64 "\n", days,
           dreamapi_history_day_units(dreamapi_history_day_at(history, days - 1)));
    dreamapi_history_free(history);
    must(dreamapi_dashboard_get(client, NULL, &dashboard, &error), "dashboard");
    printf("dashboard %zu customers, %" PRId64 " units, %zu keys\n", dreamapi_dashboard_customer_count(dashboard),
           dreamapi_dashboard_usage_this_period(dashboard), dreamapi_dashboard_api_key_count(dashboard));
    dreamapi_dashboard_free(dashboard);
    must(dreamapi_dashboard_totals(client, NULL, &totals, &error), "totals");
    printf("totals %s %" PRId64 "\n", dreamapi_totals_mode(totals), dreamapi_totals_projects(totals));
    dreamapi_totals_free(totals);
}

int main(int argc, char **argv)
{
    dreamapi_usage_event events[MAX_UNITS] = { { NULL, NULL, NULL, 0, 0 } };
    dreamapi_usage_event twice[2] = { { "evt-of-the-callers", NULL, NULL, 0, 0 },
                                      { "evt-of-the-callers", NULL, NULL, 0, 0 } };
    dreamapi_client *client;
    int units = argc == 3 ? atoi(argv[2]) : 0;

    if (units < 1 || units > MAX_UNITS) {
        fprintf(stderr, "usage: extensions USER UNITS (1 to %d)\n", MAX_UNITS);
        return 2;
    }
    must(dreamapi_client_new(NULL, &client, &error), "client");
    walk(client);
    for (int i = 0; i < units; i++)
        events[i].user_id = argv[1];
    report(client, events, (size_t)units);
    twice[0].user_id = twice[1].user_id = argv[1];
    report(client, twice, 2);
    look(client, argv[1]);
    dreamapi_client_free(client);
    return 0;
}
