/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_dashboard.c - `dreamapi dashboard`: the figures of a project, or of all projects. Its users are `customers list`. */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "session.h"
#include "text.h"

static void add_units(cli_table *table, const char *name, int64_t units)
{
    cli_table_text(table, name);
    cli_table_units(table, units);
}

static void add_money(cli_table *table, const char *name, int64_t amount_minor)
{
    cli_table_text(table, name);
    cli_table_money(table, amount_minor, NULL);
}

/* A moment as the service writes it, UTC without saying so ("2026-11-27 12:00:00"): shown as cli_table_time() shows one. Others are
 * left as they are. */
static void add_utc(cli_table *table, const char *name, const char *text)
{
    char time[CLI_NUMBER_SIZE];
    size_t size = text ? strlen(text) : 0;
    bool has_no_zone = size == sizeof "2026-11-27 12:00:00" - 1 && strspn(text, "0123456789-: ") == size;

    (void)snprintf(time, sizeof time, "%sZ", has_no_zone ? text : "");
    cli_table_field(table, name, has_no_zone ? time : text);
}

static dreamapi_status start_project(cli_session *session, dreamapi_call **out_call, dreamapi_error *error)
{
    return dreamapi_dashboard_get_start(session->client, &session->options, out_call, error);
}

static void show_project(cli_session *session, dreamapi_call *call)
{
    cli_table *table = cli_session_fields(session);
    dreamapi_dashboard *dashboard = NULL;

    (void)dreamapi_dashboard_result(call, &dashboard, NULL);
    cli_table_field(table, "platform", dreamapi_dashboard_platform_id(dashboard));
    cli_table_field(table, "publishable key", dreamapi_dashboard_publishable_key(dashboard));
    cli_table_field(table, "mode", dreamapi_dashboard_filter_mode(dashboard));
    cli_table_field(table, "Stripe account", dreamapi_dashboard_stripe_account_id(dashboard));
    add_units(table, "active subscriptions", dreamapi_dashboard_active_subs(dashboard));
    add_units(table, "of them ending", dreamapi_dashboard_canceling_subs(dashboard));
    add_money(table, "monthly revenue", dreamapi_dashboard_mrr(dashboard));
    add_units(table, "usage this period", dreamapi_dashboard_usage_this_period(dashboard));
    add_units(table, "sales", dreamapi_dashboard_store_sales_count(dashboard));
    add_money(table, "sales revenue", dreamapi_dashboard_store_total_revenue(dashboard));
    add_units(table, "stock", dreamapi_dashboard_total_inventory(dashboard));
    add_units(table, "products running low", dreamapi_dashboard_low_stock_products(dashboard));
    add_utc(table, "last event", dreamapi_dashboard_last_event_at(dashboard));
    cli_table_free(table);
    dreamapi_dashboard_free(dashboard);
}

static dreamapi_status start_totals(cli_session *session, dreamapi_call **out_call, dreamapi_error *error)
{
    return dreamapi_dashboard_totals_start(session->client, &session->options, out_call, error);
}

static void show_totals(cli_session *session, dreamapi_call *call)
{
    cli_table *table = cli_session_fields(session);
    dreamapi_totals *totals = NULL;

    (void)dreamapi_totals_result(call, &totals, NULL);
    cli_table_field(table, "platform", dreamapi_totals_platform_id(totals));
    cli_table_field(table, "mode", dreamapi_totals_mode(totals));
    add_units(table, "active subscriptions", dreamapi_totals_active_subs(totals));
    add_units(table, "of them ending", dreamapi_totals_canceling_subs(totals));
    add_money(table, "monthly revenue", dreamapi_totals_mrr(totals));
    add_units(table, "products", dreamapi_totals_total_products(totals));
    add_units(table, "projects", dreamapi_totals_projects(totals));
    add_units(table, "live projects", dreamapi_totals_live_projects(totals));
    cli_table_free(table);
    dreamapi_totals_free(totals);
}

static int run(const cli_arguments *arguments)
{
    static const cli_single project = { start_project, show_project };
    static const cli_single totals = { start_totals, show_totals };

    return cli_session_run(arguments, cli_has(arguments, "totals") ? &totals : &project);
}

static const cli_option options[] = {
    { "totals", NULL, "of all projects of the platform", false },
    { NULL, NULL, NULL, false },
};

const cli_command cli_dashboard_commands[] = {
    { "dashboard", "Shows the project's figures", NULL, options, CLI_TAKES_OUTPUT | CLI_TAKES_CALL,
      "Sums of money are in the main currency, and written with two decimals.\n\nExamples:\n  dreamapi dashboard\n"
      "  dreamapi dashboard --totals --json\n",
      run },
    { NULL, NULL, NULL, NULL, 0, NULL, NULL },
};
