/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_tiers.c - `dreamapi tiers ...`. */
#include "commands.h"
#include "session.h"
#include "terminal.h"
#include "text.h"

static dreamapi_status start_list(cli_session *session, dreamapi_call **out_call, dreamapi_error *error)
{
    return dreamapi_tier_list_start(session->client, &session->options, out_call, error);
}

static void show_list(cli_session *session, dreamapi_call *call)
{
    static const cli_column columns[] = {
        { "ID", false },   { "NAME", false },    { "PRICE", true },
        { "LIMIT", true }, { "BILLING", false }, { "TRIAL DAYS", true },
    };
    cli_table *table = cli_session_table(session, columns, sizeof columns / sizeof columns[0]);
    dreamapi_tiers *tiers = NULL;

    (void)dreamapi_tiers_result(call, &tiers, NULL);
    for (size_t i = 0; i < dreamapi_tiers_count(tiers); i++) {
        const dreamapi_tier *tier = dreamapi_tiers_at(tiers, i);
        const char *name = dreamapi_tier_display_name(tier);
        cli_table_text(table, dreamapi_tier_id(tier));
        cli_table_text(table, name ? name : dreamapi_tier_name(tier));
        cli_table_money(table, dreamapi_tier_price(tier), NULL);
        cli_table_units(table, dreamapi_tier_limit(tier));
        cli_table_text(table, dreamapi_tier_billing_mode(tier));
        cli_table_units(table, dreamapi_tier_trial_days(tier));
    }
    cli_table_flush(table);
    cli_table_free(table);
    dreamapi_tiers_free(tiers);
}

static int run_list(const cli_arguments *arguments)
{
    return cli_session_run(arguments, &(const cli_single){ start_list, show_list });
}

/* The verdict is the library's, not an answer of the service's: so is its JSON. */
static void show_verdict(const cli_session *session, const dreamapi_tier_verdict *verdict)
{
    cli_table *table;

    cli_progress_end();
    if (session->is_json) {
        (void)printf("{\"allowed\":%s,\"plan\":", verdict->allowed ? "true" : "false");
        cli_json_text(stdout, verdict->plan);
        (void)printf("}\n");
        return;
    }
    table = cli_session_fields(session);
    cli_table_field(table, "allowed", verdict->allowed ? "yes" : "no");
    cli_table_field(table, "plan", verdict->plan);
    cli_table_free(table);
}

static int check(cli_session *session, const dreamapi_tier_check_params *params)
{
    dreamapi_tier_verdict verdict;
    dreamapi_error error;

    if (!params->plan && !cli_session_has_user(session))
        return CLI_EXIT_USAGE;
    if (dreamapi_tier_check(session->client, session->arguments->operand, params, &session->options, &verdict, &error)
        != DREAMAPI_OK)
        return cli_session_report(&error, NULL);
    show_verdict(session, &verdict);
    return verdict.allowed ? CLI_EXIT_OK : CLI_EXIT_REFUSED;
}

static int run_check(const cli_arguments *arguments)
{
    dreamapi_tier_check_params params = DREAMAPI_TIER_CHECK_PARAMS_INIT;
    cli_session session;
    int exit_status;

    params.min_plan = cli_value(arguments, "min-plan");
    params.feature = cli_value(arguments, "feature");
    params.plan = cli_value(arguments, "plan");
    if (!params.min_plan == !params.feature)
        return cli_misused("tiers check needs either --min-plan or --feature.");
    exit_status = cli_session_open(&session, arguments, NULL);
    if (exit_status == CLI_EXIT_OK)
        exit_status = check(&session, &params);
    cli_session_close(&session);
    return exit_status;
}

static const cli_option check_options[] = {
    { "min-plan", "TIER", "is the user's plan this one, or one that costs more?", false },
    { "feature", "NAME", "does the user's plan have this feature?", false },
    { "plan", "TIER", "ask about this plan instead of a user's", false },
    { NULL, NULL, NULL, false },
};

const cli_command cli_tier_commands[] = {
    { "tiers list", "Lists what the project sells", NULL, NULL, CLI_TAKES_OUTPUT | CLI_TAKES_CALL,
      "Examples:\n  dreamapi tiers list\n  dreamapi tiers list --tsv | cut -f 1,4\n", run_list },
    { "tiers check", "Asks if a user's plan is good enough", "[USER_ID]", check_options,
      CLI_TAKES_OUTPUT | CLI_TAKES_CALL | CLI_TAKES_TOKEN,
      "Ends with 0 for yes and with 3 for no.\n\nExamples:\n  dreamapi tiers check user_1 --min-plan pro && echo \"may "
      "export\"\n"
      "  dreamapi tiers check --plan pro --feature api\n",
      run_check },
    { NULL, NULL, NULL, NULL, 0, NULL, NULL },
};
