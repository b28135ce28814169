/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_tokens.c - `dreamapi tokens verify`. The token is read from a file: whoever has it is the user. */
#include <stdlib.h>

#include "commands.h"
#include "file.h"
#include "session.h"
#include "terminal.h"

enum { MOST_KEYS = 1024 * 1024 };

static int verify(cli_session *session, const char *text, const dreamapi_token_params *params)
{
    dreamapi_token *token = NULL;
    dreamapi_error error;
    cli_table *table;

    if (dreamapi_token_verify(session->client, text, params, &session->options, &token, &error) != DREAMAPI_OK)
        return cli_session_report(&error, NULL);
    cli_progress_end();
    if (session->is_json) {
        cli_session_print_json(dreamapi_token_json(token));
    } else {
        table = cli_session_fields(session);
        cli_table_field(table, "user", dreamapi_token_user_id(token));
        cli_table_field(table, "email", dreamapi_token_email(token));
        cli_table_field(table, "plan", dreamapi_token_plan(token));
        cli_table_field(table, "project", dreamapi_token_publishable_key(token));
        cli_table_field(table, "session", dreamapi_token_session_id(token));
        cli_table_text(table, "expires");
        cli_table_time(table, dreamapi_token_expires_at_ms(token));
        cli_table_free(table);
    }
    dreamapi_token_free(token);
    return CLI_EXIT_OK;
}

static int run_with(const cli_arguments *arguments, const char *text, const cli_settings *settings)
{
    dreamapi_token_params params = DREAMAPI_TOKEN_PARAMS_INIT;
    cli_session session;
    int exit_status = cli_session_open(&session, arguments, settings);

    params.issuer = cli_value(arguments, "issuer");
    params.audience = cli_value(arguments, "audience");
    params.any_project = cli_has(arguments, "any-project");
    if (exit_status == CLI_EXIT_OK)
        exit_status = verify(&session, text, &params);
    cli_session_close(&session);
    return exit_status;
}

static int run(const cli_arguments *arguments)
{
    const char *url = cli_value(arguments, "jwks-url");
    const char *path = cli_value(arguments, "keys-file");
    size_t size = 0;
    char *keys = NULL;
    char *text;
    int exit_status = CLI_EXIT_FAILED;

    if (!url == !path)
        return cli_misused("tokens verify needs either --jwks-url or --keys-file.");
    text = arguments->operand ? cli_file_read_secret(arguments->operand) : cli_file_copy(getenv("DREAMAPI_USER_TOKEN"));
    if (!text && !arguments->operand)
        return cli_misused("tokens verify needs a FILE with the token, \"-\", or DREAMAPI_USER_TOKEN.");
    if (text && path)
        keys = cli_file_read(path, MOST_KEYS, &size);
    if (text && (keys || url))
        exit_status = run_with(arguments, text, &(const cli_settings){ NULL, url, keys, true });
    cli_file_free(keys);
    cli_file_free(text);
    return exit_status;
}

static const cli_option options[] = {
    { "jwks-url", "URL", "where the provider publishes its keys", false },
    { "keys-file", "FILE", "the keys: a JWKS, or a public key in PEM; no request is made", false },
    { "issuer", "TEXT", "iss must be this", false },
    { "audience", "TEXT", "aud must be or hold this", false },
    { "any-project", NULL, "tokens of all projects, not only of --publishable-key's", false },
    { NULL, NULL, NULL, false },
};

const cli_command cli_token_commands[] = {
    { "tokens verify", "Verifies an end user's token and shows what it says", "[FILE]", options,
      CLI_TAKES_OUTPUT | CLI_TAKES_CALL,
      "FILE (\"-\": standard input; without one DREAMAPI_USER_TOKEN) has the token in its first line. Ends with 5 if "
      "it is\n"
      "not good. --json prints its payload.\n\n"
      "Example:\n  dreamapi tokens verify token.txt --keys-file jwks.json --publishable-key pk_live_1\n",
      run },
    { NULL, NULL, NULL, NULL, 0, NULL, NULL },
};
