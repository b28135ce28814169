/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_health.c - `dreamapi health`. */
#include "commands.h"
#include "session.h"

static dreamapi_status start(cli_session *session, dreamapi_call **out_call, dreamapi_error *error)
{
    return dreamapi_health_get_start(session->client, &session->options, out_call, error);
}

static void show(cli_session *session, dreamapi_call *call)
{
    cli_table *table = cli_session_fields(session);
    dreamapi_health *health = NULL;

    (void)dreamapi_health_result(call, &health, NULL);
    cli_table_field(table, "status", dreamapi_health_status(health));
    for (size_t i = 0; i < dreamapi_health_extension_count(health); i++)
        cli_table_field(table, "extension", dreamapi_health_extension(health, i));
    cli_table_free(table);
    dreamapi_health_free(health);
}

static int run(const cli_arguments *arguments)
{
    return cli_session_run(arguments, &(const cli_single){ start, show });
}

const cli_command cli_health_commands[] = {
    { "health", "Tells if the service is up, and what it offers beyond the contract", NULL, NULL,
      CLI_TAKES_OUTPUT | CLI_TAKES_CALL,
      "Needs no key.\n\nExamples:\n  dreamapi health --base-url https://api.example.com\n  dreamapi health --json "
      "--timeout 2\n",
      run },
    { NULL, NULL, NULL, NULL, 0, NULL, NULL },
};
