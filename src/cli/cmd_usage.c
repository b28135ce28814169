/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_usage.c - `dreamapi usage get`, `track`, `history`. Batches are cmd_usage_batch.c. */
#include "cmd_usage_batch.h"
#include "commands.h"
#include "session.h"

static void show(cli_session *session, dreamapi_call *call)
{
    cli_table *table = cli_session_fields(session);
    dreamapi_usage *usage = NULL;

    (void)dreamapi_usage_result(call, &usage, NULL);
    cli_table_field(table, "user", dreamapi_usage_user_id(usage));
    cli_table_field(table, "plan", dreamapi_usage_plan(usage));
    cli_table_text(table, "used");
    cli_table_units(table, dreamapi_usage_count(usage));
    cli_table_text(table, "limit");
    cli_table_units(table, dreamapi_usage_limit(usage));
    cli_table_text(table, "remaining");
    cli_table_units(table, dreamapi_usage_remaining(usage));
    cli_table_field(table, "period start", dreamapi_usage_period_start(usage));
    cli_table_field(table, "period end", dreamapi_usage_period_end(usage));
    cli_table_free(table);
    dreamapi_usage_free(usage);
}

static dreamapi_status start_get(cli_session *session, dreamapi_call **out_call, dreamapi_error *error)
{
    return dreamapi_usage_get_start(session->client, session->arguments->operand, &session->options, out_call, error);
}

static int run_get(const cli_arguments *arguments)
{
    return cli_session_run(arguments, &(const cli_single){ start_get, show });
}

static dreamapi_status start_track(cli_session *session, dreamapi_call **out_call, dreamapi_error *error)
{
    return dreamapi_usage_track_start(session->client, session->arguments->operand, NULL, &session->options, out_call,
                                      error);
}

static int run_track(const cli_arguments *arguments)
{
    return cli_session_run(arguments, &(const cli_single){ start_track, show });
}

static dreamapi_status start_history(cli_session *session, dreamapi_call **out_call, dreamapi_error *error)
{
    dreamapi_usage_history_params params = DREAMAPI_USAGE_HISTORY_PARAMS_INIT;

    params.user_id = session->arguments->operand;
    params.from = cli_value(session->arguments, "from");
    params.to = cli_value(session->arguments, "to");
    params.meter = cli_value(session->arguments, "meter");
    return dreamapi_usage_history_start(session->client, &params, &session->options, out_call, error);
}

static void show_events(const cli_session *session, const dreamapi_history *history)
{
    static const cli_column columns[] = {
        { "TIME", false }, { "USER", false },   { "EVENT", false },
        { "PLAN", false }, { "STATUS", false }, { "AMOUNT", true },
    };
    cli_table *table = cli_session_table(session, columns, sizeof columns / sizeof columns[0]);

    for (size_t i = 0; i < dreamapi_history_event_count(history); i++) {
        const dreamapi_history_event *event = dreamapi_history_event_at(history, i);
        cli_table_text(table, dreamapi_history_event_time(event));
        cli_table_text(table, dreamapi_history_event_user_id(event));
        cli_table_text(table, dreamapi_history_event_type(event));
        cli_table_text(table, dreamapi_history_event_plan(event));
        cli_table_text(table, dreamapi_history_event_status(event));
        if (dreamapi_history_event_amount(event) < 0)
            cli_table_text(table, NULL);
        else
            cli_table_money(table, dreamapi_history_event_amount(event), dreamapi_history_event_currency(event));
    }
    cli_table_flush(table);
    cli_table_free(table);
}

static void show_history(cli_session *session, dreamapi_call *call)
{
    static const cli_column columns[] = { { "DAY", false }, { "UNITS", true } };
    cli_table *table = cli_session_table(session, columns, sizeof columns / sizeof columns[0]);
    dreamapi_history *history = NULL;

    (void)dreamapi_history_result(call, &history, NULL);
    for (size_t i = 0; i < dreamapi_history_day_count(history); i++) {
        const dreamapi_history_day *day = dreamapi_history_day_at(history, i);
        cli_table_text(table, dreamapi_history_day_date(day));
        cli_table_units(table, dreamapi_history_day_units(day));
    }
    cli_table_flush(table);
    cli_table_free(table);
    if (dreamapi_history_event_count(history) > 0) {
        (void)printf("\n");
        show_events(session, history);
    }
    dreamapi_history_free(history);
}

static int run_history(const cli_arguments *arguments)
{
    return cli_session_run(arguments, &(const cli_single){ start_history, show_history });
}

static const cli_option history_options[] = {
    { "from", "DAY", "the first day, as in 2026-11-01 (default: 30 days)", false },
    { "to", "DAY", "the last day (default: today)", false },
    { "meter", "NAME", "of which meter (default: the default one)", false },
    { NULL, NULL, NULL, false },
};

const cli_command cli_usage_commands[] = {
    { "usage get", "Shows what a user used in this period", "[USER_ID]", NULL,
      CLI_TAKES_OUTPUT | CLI_TAKES_CALL | CLI_TAKES_TOKEN,
      "Examples:\n  dreamapi usage get user_1\n  dreamapi usage get user_1 --json\n", run_get },
    { "usage track", "Counts one unit, if the user's plan allows it", "[USER_ID]", NULL,
      CLI_TAKES_OUTPUT | CLI_TAKES_CALL | CLI_TAKES_KEY | CLI_TAKES_TOKEN,
      "Ends with 3 when the limit or the rate refuses it.\n\nExample:\n  dreamapi usage track user_1 --idempotency-key "
      "job-17\n",
      run_track },
    { "usage batch", "Reports usage afterwards, each event once", "FILE", NULL, CLI_TAKES_OUTPUT | CLI_TAKES_CALL,
      CLI_USAGE_BATCH_NOTES, cli_usage_batch_run },
    { "usage history", "Shows usage by day, of a user or of the whole project", "[USER_ID]", history_options,
      CLI_TAKES_OUTPUT | CLI_TAKES_CALL,
      "Examples:\n  dreamapi usage history user_1 --from 2026-11-01\n  dreamapi usage history --tsv\n", run_history },
    { NULL, NULL, NULL, NULL, 0, NULL, NULL },
};
