/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_webhooks.c - `dreamapi webhooks verify`: a webhook as it arrived, body from a file, headers as options. No network. */
#include <dreamapi.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "file.h"
#include "terminal.h"

enum { MOST_BODY = 16 * 1024 * 1024, SECRETS_MAX = 8 };

/* NULL-terminated; false, with the reason said. Borrowed from the environment. */
static bool read_secrets(const cli_arguments *arguments, const char *out[SECRETS_MAX + 1])
{
    size_t count = 0;

    for (size_t i = 0; i < arguments->given_count; i++) {
        const char *name = arguments->given[i].value;
        if (strcmp(arguments->given[i].name, "secret-env") != 0)
            continue;
        if (count == SECRETS_MAX) {
            (void)cli_misused("There are too many secrets: %d at most.", (int)SECRETS_MAX);
            return false;
        }
        out[count] = getenv(name);
        if (!out[count] || out[count][0] == '\0') {
            (void)cli_misused("--secret-env %s: there is no such variable, or it is empty.", name);
            return false;
        }
        count++;
    }
    out[count] = NULL;
    if (count == 0)
        (void)cli_misused("webhooks verify needs --secret-env.");
    return count > 0;
}

static bool read_scheme(const cli_arguments *arguments, dreamapi_webhook_scheme *out)
{
    const char *name = cli_value(arguments, "scheme");

    *out = name && strcmp(name, "stripe") == 0 ? DREAMAPI_WEBHOOK_STRIPE : DREAMAPI_WEBHOOK_STANDARD;
    if (name && (*out == DREAMAPI_WEBHOOK_STRIPE || strcmp(name, "svix") == 0 || strcmp(name, "standard") == 0))
        return true;
    (void)cli_misused("--scheme is stripe, svix or standard.");
    return false;
}

/* What the sender did wrong is one status for scripts: the webhook is not to be acted on. */
static int judge(const dreamapi_webhook_params *params)
{
    dreamapi_error error;
    dreamapi_status status = dreamapi_webhook_verify(params, &error);

    if (status == DREAMAPI_OK) {
        (void)printf("genuine\n");
        return CLI_EXIT_OK;
    }
    (void)cli_failed("%s", error.message);
    switch (status) {
    case DREAMAPI_INVALID:
        return CLI_EXIT_USAGE;
    case DREAMAPI_PROTOCOL:
    case DREAMAPI_AUTH:
        return CLI_EXIT_AUTH;
    case DREAMAPI_TIMEOUT:
        cli_advise("An old recording needs a larger --tolerance.");
        return CLI_EXIT_AUTH;
    default:
        return CLI_EXIT_FAILED;
    }
}

static int run(const cli_arguments *arguments)
{
    dreamapi_webhook_params params = DREAMAPI_WEBHOOK_PARAMS_INIT;
    const char *secrets[SECRETS_MAX + 1];
    long long tolerance_s = params.tolerance_s;
    char *body;
    int exit_status;

    if (!read_scheme(arguments, &params.scheme) || !read_secrets(arguments, secrets)
        || !cli_read_number(arguments, "tolerance", 0, &tolerance_s))
        return CLI_EXIT_USAGE;
    body = cli_file_read(arguments->operand ? arguments->operand : "-", MOST_BODY, &params.body_size);
    if (!body)
        return CLI_EXIT_FAILED;
    params.signature = cli_value(arguments, "signature");
    params.id = cli_value(arguments, "id");
    params.timestamp = cli_value(arguments, "timestamp");
    params.body = body;
    params.secrets = secrets;
    params.tolerance_s = tolerance_s;
    exit_status = judge(&params);
    cli_file_free(body);
    return exit_status;
}

static const cli_option options[] = {
    { "scheme", "NAME", "stripe, svix or standard (Standard Webhooks)", false },
    { "secret-env", "NAME", "the variable that holds the endpoint's secret; again for a second one", true },
    { "signature", "TEXT", "the value of Stripe-Signature, svix-signature or webhook-signature", false },
    { "id", "TEXT", "of svix-id or webhook-id", false },
    { "timestamp", "TEXT", "of svix-timestamp or webhook-timestamp", false },
    { "tolerance", "SECONDS", "how old it may be (default: 300)", false },
    { NULL, NULL, NULL, false },
};

const cli_command cli_webhook_commands[] = {
    { "webhooks verify", "Tells if a webhook is genuine", "[FILE]", options, 0,
      "FILE has the raw body (default: standard input). Ends with 5 if it is not genuine, or too old.\n\n"
      "Example:\n  dreamapi webhooks verify body.json --scheme stripe --secret-env STRIPE_WEBHOOK_SECRET --signature "
      "\"$SIGNATURE\"\n",
      run },
    { NULL, NULL, NULL, NULL, 0, NULL, NULL },
};
