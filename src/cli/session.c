/* SPDX-License-Identifier: Apache-2.0 */
/* session.c - options and environment to a client; a failed call to words and an exit status. Secrets come from the environment or a
 * file, never from the command line, which every user of the machine can read. */
#include "session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "file.h"
#include "terminal.h"
#include "text.h"

/* ---- the client ---- */

static dreamapi_status set_options(dreamapi_options *options, const cli_session *session, const cli_settings *settings)
{
    const cli_arguments *arguments = session->arguments;
    const char *base_url = cli_value(arguments, "base-url");
    const char *ca_file = cli_value(arguments, "ca-file");
    const char *publishable_key = cli_value(arguments, "publishable-key");
    dreamapi_status status = dreamapi_options_set_user_agent_suffix(options, "dreamapi-cli");

    if (status == DREAMAPI_OK && ca_file)
        status = dreamapi_options_set_ca_file(options, ca_file);
    if (status == DREAMAPI_OK && publishable_key)
        status = dreamapi_options_set_publishable_key(options, publishable_key);
    if (status == DREAMAPI_OK && settings->journal)
        status = dreamapi_options_set_journal(options, settings->journal);
    if (status == DREAMAPI_OK && settings->jwks_url)
        status = dreamapi_options_set_jwks_url(options, settings->jwks_url);
    if (status == DREAMAPI_OK && settings->token_keys)
        status = dreamapi_options_set_token_keys(options, settings->token_keys);
    /* A client wants a service's address, though none is asked. */
    if (!base_url && settings->is_offline && !getenv("DREAMAPI_BASE_URL"))
        base_url = "http://localhost";
    if (status == DREAMAPI_OK && base_url)
        status = dreamapi_options_set_base_url(options, base_url);
    return status;
}

static int set_secret_key(dreamapi_options *options, const cli_arguments *arguments)
{
    const char *path = cli_value(arguments, "secret-key-file");
    char *key = path ? cli_file_read_secret(path) : NULL;
    dreamapi_status status = key ? dreamapi_options_set_secret_key(options, key) : DREAMAPI_OK;

    if (path && !key)
        return CLI_EXIT_FAILED;
    cli_file_free(key);
    return status == DREAMAPI_OK ? CLI_EXIT_OK : cli_misused("%s does not hold a secret key.", path);
}

static int make_client(cli_session *session, dreamapi_options *options, const cli_settings *settings)
{
    dreamapi_error error;
    int exit_status;

    if (set_options(options, session, settings) != DREAMAPI_OK)
        return cli_misused(
            "A value of --base-url, --ca-file, --publishable-key or of the keys' source cannot be used.");
    exit_status = set_secret_key(options, session->arguments);
    if (exit_status != CLI_EXIT_OK)
        return exit_status;
    if (dreamapi_client_new(options, &session->client, &error) == DREAMAPI_OK)
        return CLI_EXIT_OK;
    exit_status = cli_session_report(&error, NULL);
    if (!cli_value(session->arguments, "base-url") && !getenv("DREAMAPI_BASE_URL"))
        cli_advise("Name the service with --base-url or in DREAMAPI_BASE_URL.");
    return exit_status;
}

/* Only a key of the caller's can be given again: so there always is one that an error can name. */
static void make_key(cli_session *session)
{
    unsigned char random[(sizeof session->new_key - 1) / 2];

    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return;
    for (size_t i = 0; i < sizeof random; i++)
        (void)snprintf(session->new_key + 2 * i, 3, "%02x", random[i]);
    session->options.idempotency_key = session->new_key;
}

static int read_call_options(cli_session *session)
{
    const cli_arguments *arguments = session->arguments;
    unsigned takes = arguments->command->takes;
    const char *path = takes & CLI_TAKES_TOKEN ? cli_value(arguments, "user-token-file") : NULL;
    long long timeout_ms = 0;

    session->options = (dreamapi_call_options)DREAMAPI_CALL_OPTIONS_INIT;
    if (!cli_read_seconds(arguments, "timeout", &timeout_ms))
        return CLI_EXIT_USAGE;
    session->options.timeout_ms = timeout_ms;
    if (takes & CLI_TAKES_KEY)
        session->options.idempotency_key = cli_value(arguments, "idempotency-key");
    if (takes & CLI_TAKES_KEY && !session->options.idempotency_key)
        make_key(session);
    if (path && !(session->user_token = cli_file_read_secret(path)))
        return CLI_EXIT_FAILED;
    if (takes & CLI_TAKES_TOKEN && !path && !arguments->operand)
        session->user_token = cli_file_copy(getenv("DREAMAPI_USER_TOKEN"));
    session->options.user_token = session->user_token;
    return CLI_EXIT_OK;
}

int cli_session_open(cli_session *session, const cli_arguments *arguments, const cli_settings *settings)
{
    static const cli_settings none;
    dreamapi_options *options;
    int exit_status;

    memset(session, 0, sizeof *session);
    session->arguments = arguments;
    if (arguments->command->takes & CLI_TAKES_OUTPUT) {
        session->is_json = cli_has(arguments, "json");
        session->is_tsv = cli_has(arguments, "tsv");
    }
    if (session->is_json && session->is_tsv)
        return cli_misused("--json and --tsv exclude each other.");
    exit_status = read_call_options(session);
    if (exit_status != CLI_EXIT_OK)
        return exit_status;
    options = dreamapi_options_new();
    if (!options)
        return cli_failed("Out of memory.");
    exit_status = make_client(session, options, settings ? settings : &none);
    dreamapi_options_free(options);
    if (exit_status == CLI_EXIT_OK)
        cli_progress_begin("Waiting for the service");
    return exit_status;
}

void cli_session_close(cli_session *session)
{
    cli_progress_end();
    dreamapi_client_free(session->client);
    cli_file_free(session->user_token);
    cli_file_free(session->password);
}

/* ---- what went wrong ---- */

static const struct {
    dreamapi_status status;
    int exit_status;
    const char *advice; /* NULL: the message says it all */
} outcomes[] = {
    { DREAMAPI_INVALID, CLI_EXIT_USAGE, NULL },
    { DREAMAPI_AUTH, CLI_EXIT_AUTH,
      "Is the key in DREAMAPI_SECRET_KEY or --secret-key-file the present one, and of this service?" },
    { DREAMAPI_FORBIDDEN, CLI_EXIT_AUTH, "The key is good, but not for this: is it of the right project and mode?" },
    { DREAMAPI_NOT_FOUND, CLI_EXIT_NOT_FOUND,
      "Is the id or the name right, and the key of the same project and mode?" },
    { DREAMAPI_LIMIT, CLI_EXIT_REFUSED, "Nothing was counted. A larger plan or the next period lifts the limit." },
    { DREAMAPI_RATE_LIMITED, CLI_EXIT_REFUSED, "Nothing was counted. Try again later." },
    { DREAMAPI_TIMEOUT, CLI_EXIT_UNAVAILABLE, "Try again, or allow more time with --timeout." },
    { DREAMAPI_UNAVAILABLE, CLI_EXIT_UNAVAILABLE,
      "Is --base-url (DREAMAPI_BASE_URL) right, and the service up? Else try again later." },
    { DREAMAPI_OUTCOME_UNKNOWN, CLI_EXIT_UNKNOWN, "It may have been done. Look before you repeat it." },
    { DREAMAPI_UNSUPPORTED, CLI_EXIT_FAILED, "\"dreamapi health\" lists what the service offers." },
    { DREAMAPI_TOKEN_REQUIRED, CLI_EXIT_AUTH,
      "Give the secret key in DREAMAPI_SECRET_KEY, or the end user's token with --user-token-file." },
    { DREAMAPI_SUBSCRIPTION_EXPIRED, CLI_EXIT_AUTH, "The platform's own subscription is to be renewed." },
    { DREAMAPI_TLS, CLI_EXIT_UNAVAILABLE, "Who signed the service's certificate can be named with --ca-file." },
};

int cli_session_report(const dreamapi_error *error, const char *key)
{
    int exit_status = CLI_EXIT_FAILED;
    const char *advice = NULL;

    for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++) {
        if (outcomes[i].status == error->status) {
            exit_status = outcomes[i].exit_status;
            advice = outcomes[i].advice;
        }
    }
    (void)cli_failed("%s", error->message[0] != '\0' ? error->message : dreamapi_status_text(error->status));
    if (error->server_error[0] != '\0' && !strstr(error->message, error->server_error))
        cli_advise("The service says: %s", error->server_error);
    if (error->status == DREAMAPI_LIMIT && error->used >= 0) {
        char limit[CLI_NUMBER_SIZE];
        cli_advise("Used in this period: %lld of %s.", (long long)error->used, cli_units(error->limit, limit));
    }
    if (error->status == DREAMAPI_OUTCOME_UNKNOWN && error->retriable && key)
        cli_advise("It may have been done. The same again with --idempotency-key %s does it once.", key);
    else if (error->retry_after_ms > 0)
        cli_advise("Try again in %lld s.", (long long)(error->retry_after_ms + 999) / 1000);
    else if (advice)
        cli_advise("%s", advice);
    if (error->request_id[0] != '\0')
        cli_advise("Request %s.", error->request_id);
    return exit_status;
}

/* ---- calls ---- */

int cli_session_wait(dreamapi_call *call, dreamapi_status status, dreamapi_error *error)
{
    if (status == DREAMAPI_OK)
        status = dreamapi_call_wait(call, -1, error);
    return status == DREAMAPI_OK ? CLI_EXIT_OK
                                 : cli_session_report(error, call ? dreamapi_call_idempotency_key(call) : NULL);
}

int cli_session_run(const cli_arguments *arguments, const cli_single *single)
{
    cli_session session;
    dreamapi_call *call = NULL;
    dreamapi_error error;
    int exit_status = cli_session_open(&session, arguments, NULL);

    if (exit_status == CLI_EXIT_OK && arguments->command->takes & CLI_TAKES_TOKEN && !cli_session_has_user(&session))
        exit_status = CLI_EXIT_USAGE;
    if (exit_status == CLI_EXIT_OK) {
        dreamapi_status status = single->start(&session, &call, &error);
        exit_status = cli_session_wait(call, status, &error);
    }
    if (exit_status == CLI_EXIT_OK) {
        cli_progress_end();
        if (session.is_json)
            cli_session_print_json(dreamapi_call_json(call));
        else
            single->show(&session, call);
    }
    dreamapi_call_free(call);
    cli_session_close(&session);
    return exit_status;
}

cli_table *cli_session_table(const cli_session *session, const cli_column *columns, size_t count)
{
    return cli_table_new(columns, count, session->is_tsv, stdout);
}

cli_table *cli_session_fields(const cli_session *session)
{
    return cli_table_new_fields(session->is_tsv, stdout);
}

void cli_session_print_json(const char *json)
{
    cli_progress_pause();
    cli_json_line(stdout, json);
    cli_output_flush(stdout);
    cli_progress_resume();
}

bool cli_session_has_user(const cli_session *session)
{
    const char *user_id = session->arguments->operand;

    if (user_id && session->user_token)
        (void)cli_misused("A user id and --user-token-file exclude each other.");
    else if (!user_id && !session->user_token)
        (void)cli_misused("%s needs a USER_ID, or the user's token with --user-token-file.",
                          session->arguments->command->name);
    else
        return true;
    return false;
}
