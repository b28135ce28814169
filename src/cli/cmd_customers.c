/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_customers.c - `dreamapi customers ...`. A list is read page by page, and no more than one page is in memory. */
#include <string.h>

#include "commands.h"
#include "file.h"
#include "session.h"
#include "terminal.h"

static void show(cli_session *session, dreamapi_call *call)
{
    cli_table *table = cli_session_fields(session);
    dreamapi_customer *customer = NULL;

    (void)dreamapi_customer_result(call, &customer, NULL);
    cli_table_field(table, "id", dreamapi_customer_id(customer));
    cli_table_field(table, "email", dreamapi_customer_email(customer));
    cli_table_field(table, "first name", dreamapi_customer_first_name(customer));
    cli_table_field(table, "last name", dreamapi_customer_last_name(customer));
    cli_table_field(table, "plan", dreamapi_customer_plan(customer));
    if (dreamapi_customer_created_at(customer) > 0) {
        cli_table_text(table, "created");
        cli_table_time(table, dreamapi_customer_created_at(customer));
    }
    cli_table_field(table, "message", dreamapi_customer_message(customer));
    cli_table_free(table);
    dreamapi_customer_free(customer);
}

static dreamapi_status start_get(cli_session *session, dreamapi_call **out_call, dreamapi_error *error)
{
    return dreamapi_customer_get_start(session->client, session->arguments->operand, &session->options, out_call,
                                       error);
}

static dreamapi_status start_create(cli_session *session, dreamapi_call **out_call, dreamapi_error *error)
{
    dreamapi_customer_params params = DREAMAPI_CUSTOMER_PARAMS_INIT;
    const char *path = cli_value(session->arguments, "password-file");

    if (path && !(session->password = cli_file_read_secret(path))) {
        *error =
            (dreamapi_error){ .status = DREAMAPI_INVALID, .message = "There is no password.", .retry_after_ms = -1 };
        return DREAMAPI_INVALID;
    }
    params.email = cli_value(session->arguments, "email");
    params.first_name = cli_value(session->arguments, "first-name");
    params.last_name = cli_value(session->arguments, "last-name");
    params.plan = cli_value(session->arguments, "plan");
    params.password = session->password;
    return dreamapi_customer_create_start(session->client, &params, &session->options, out_call, error);
}

static dreamapi_status start_update(cli_session *session, dreamapi_call **out_call, dreamapi_error *error)
{
    dreamapi_customer_update_params params = DREAMAPI_CUSTOMER_UPDATE_PARAMS_INIT;

    params.plan = cli_value(session->arguments, "plan");
    return dreamapi_customer_update_start(session->client, session->arguments->operand, &params, &session->options,
                                          out_call, error);
}

static dreamapi_status start_delete(cli_session *session, dreamapi_call **out_call, dreamapi_error *error)
{
    return dreamapi_customer_delete_start(session->client, session->arguments->operand, &session->options, out_call,
                                          error);
}

static int run_get(const cli_arguments *arguments)
{
    return cli_session_run(arguments, &(const cli_single){ start_get, show });
}

static int run_create(const cli_arguments *arguments)
{
    if (!cli_has(arguments, "email"))
        return cli_misused("customers create needs --email.");
    return cli_session_run(arguments, &(const cli_single){ start_create, show });
}

static int run_update(const cli_arguments *arguments)
{
    if (!cli_has(arguments, "plan"))
        return cli_misused("customers update needs what to change: --plan.");
    return cli_session_run(arguments, &(const cli_single){ start_update, show });
}

static int run_delete(const cli_arguments *arguments)
{
    return cli_session_run(arguments, &(const cli_single){ start_delete, show });
}

/* ---- the list ---- */

static const cli_column columns[] = {
    { "ID", false },  { "EMAIL", false }, { "PLAN", false },    { "STATUS", false },
    { "USED", true }, { "LIMIT", true },  { "CREATED", false },
};

static void add_row(cli_table *table, const dreamapi_customer *customer)
{
    cli_table_text(table, dreamapi_customer_id(customer));
    cli_table_text(table, dreamapi_customer_email(customer));
    cli_table_text(table, dreamapi_customer_plan(customer));
    cli_table_text(table, dreamapi_customer_status(customer));
    cli_table_units(table, dreamapi_customer_usage_count(customer));
    cli_table_units(table, dreamapi_customer_usage_limit(customer));
    cli_table_time(table, dreamapi_customer_created_at(customer));
}

static void show_page(const cli_session *session, cli_table *table, const dreamapi_customers *page)
{
    if (session->is_json) {
        cli_session_print_json(dreamapi_customers_json(page));
        return;
    }
    for (size_t i = 0; i < dreamapi_customers_count(page); i++)
        add_row(table, dreamapi_customers_at(page, i));
    cli_table_flush(table);
}

/* Reads one page and prints it; `io_cursor` (owned) is where the next one begins, NULL behind the last. */
static int take_page(cli_session *session, cli_table *table, dreamapi_customer_list_params *params, char **io_cursor)
{
    dreamapi_customers *page = NULL;
    dreamapi_call *call = NULL;
    dreamapi_error error;
    dreamapi_status status = dreamapi_customer_list_start(session->client, params, &session->options, &call, &error);
    int exit_status = cli_session_wait(call, status, &error);
    char *next = NULL;

    if (exit_status == CLI_EXIT_OK) {
        (void)dreamapi_customers_result(call, &page, NULL);
        show_page(session, table, page);
        next = cli_file_copy(dreamapi_customers_next_cursor(page));
    }
    if (next && *io_cursor && strcmp(next, *io_cursor) == 0)
        exit_status = cli_failed("The service's list does not move on.");
    cli_file_free(*io_cursor);
    *io_cursor = next;
    dreamapi_customers_free(page);
    dreamapi_call_free(call);
    return exit_status;
}

static int run_list(const cli_arguments *arguments)
{
    dreamapi_customer_list_params params = DREAMAPI_CUSTOMER_LIST_PARAMS_INIT;
    char *cursor = cli_file_copy(cli_value(arguments, "cursor"));
    long long limit = 0;
    cli_session session;
    int exit_status = cli_session_open(&session, arguments, NULL);
    cli_table *table = cli_session_table(&session, columns, sizeof columns / sizeof columns[0]);
    bool goes_on = exit_status == CLI_EXIT_OK;

    if (goes_on && !cli_read_number(arguments, "limit", 1, &limit)) {
        exit_status = CLI_EXIT_USAGE;
        goes_on = false;
    }
    params.limit = limit;
    params.email = cli_value(arguments, "email");
    params.plan = cli_value(arguments, "plan");
    while (goes_on) {
        params.cursor = cursor;
        exit_status = take_page(&session, table, &params, &cursor);
        goes_on = exit_status == CLI_EXIT_OK && cursor && cli_has(arguments, "all") && !cli_output_is_broken();
    }
    cli_progress_end();
    if (exit_status == CLI_EXIT_OK && cursor && !cli_has(arguments, "all") && !session.is_json)
        cli_advise("There are more: --all reads them, --cursor %s goes on.", cursor);
    cli_file_free(cursor);
    cli_table_free(table);
    cli_session_close(&session);
    return exit_status;
}

static const cli_option list_options[] = {
    { "all", NULL, "all pages, one after the other", false },
    { "limit", "N", "customers a page (default: the service's choice)", false },
    { "cursor", "CURSOR", "where to go on", false },
    { "email", "TEXT", "only addresses that begin with it", false },
    { "plan", "TIER", "only those on this tier", false },
    { NULL, NULL, NULL, false },
};
static const cli_option create_options[] = {
    { "email", "ADDRESS", "required", false },
    { "first-name", "NAME", "the customer's", false },
    { "last-name", "NAME", "the customer's", false },
    { "plan", "TIER", "default: the service's choice", false },
    { "password-file", "FILE", "whose first line is the password; \"-\": standard input", false },
    { NULL, NULL, NULL, false },
};
static const cli_option update_options[] = {
    { "plan", "TIER", "the new one", false },
    { NULL, NULL, NULL, false },
};

const cli_command cli_customer_commands[] = {
    { "customers list", "Lists customers, newest first", NULL, list_options, CLI_TAKES_OUTPUT | CLI_TAKES_CALL,
      "Examples:\n  dreamapi customers list --plan pro --limit 20\n"
      "  dreamapi customers list --all --json | jq -r '.customers[].email'\n",
      run_list },
    { "customers get", "Shows a customer", "USER_ID", NULL, CLI_TAKES_OUTPUT | CLI_TAKES_CALL,
      "Example:\n  dreamapi customers get user_1\n", run_get },
    { "customers create", "Creates a customer", NULL, create_options, CLI_TAKES_OUTPUT | CLI_TAKES_CALL | CLI_TAKES_KEY,
      "Example:\n  dreamapi customers create --email ada@example.com --plan free\n", run_create },
    { "customers update", "Changes a customer's plan", "USER_ID", update_options, CLI_TAKES_OUTPUT | CLI_TAKES_CALL,
      "Example:\n  dreamapi customers update user_1 --plan pro\n", run_update },
    { "customers delete", "Deletes a customer", "USER_ID", NULL, CLI_TAKES_OUTPUT | CLI_TAKES_CALL,
      "Example:\n  dreamapi customers delete user_1\n", run_delete },
    { NULL, NULL, NULL, NULL, 0, NULL, NULL },
};
