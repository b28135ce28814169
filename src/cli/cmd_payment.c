/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_payment.c - `dreamapi checkout create` and `portal create`: pages that a user is sent to. The address alone is printed, so that
 * a script can take it as it is. */
#include <stdlib.h>

#include "commands.h"
#include "session.h"
#include "text.h"

static void print_url(const char *url)
{
    char *harmless = cli_text_harmless(url);

    (void)printf("%s\n", harmless);
    free(harmless);
}

static dreamapi_status start_checkout(cli_session *session, dreamapi_call **out_call, dreamapi_error *error)
{
    dreamapi_checkout_params params = DREAMAPI_CHECKOUT_PARAMS_INIT;

    params.user_id = session->arguments->operand;
    params.tier = cli_value(session->arguments, "tier");
    params.price_id = cli_value(session->arguments, "price-id");
    params.success_url = cli_value(session->arguments, "success-url");
    params.cancel_url = cli_value(session->arguments, "cancel-url");
    return dreamapi_checkout_create_start(session->client, &params, &session->options, out_call, error);
}

static void show_checkout(cli_session *session, dreamapi_call *call)
{
    dreamapi_checkout *checkout = NULL;

    (void)session;
    (void)dreamapi_checkout_result(call, &checkout, NULL);
    print_url(dreamapi_checkout_url(checkout));
    dreamapi_checkout_free(checkout);
}

static int run_checkout(const cli_arguments *arguments)
{
    return cli_session_run(arguments, &(const cli_single){ start_checkout, show_checkout });
}

static dreamapi_status start_portal(cli_session *session, dreamapi_call **out_call, dreamapi_error *error)
{
    dreamapi_portal_params params = DREAMAPI_PORTAL_PARAMS_INIT;

    params.user_id = session->arguments->operand;
    params.return_url = cli_value(session->arguments, "return-url");
    return dreamapi_portal_create_start(session->client, &params, &session->options, out_call, error);
}

static void show_portal(cli_session *session, dreamapi_call *call)
{
    dreamapi_portal *portal = NULL;

    (void)session;
    (void)dreamapi_portal_result(call, &portal, NULL);
    print_url(dreamapi_portal_url(portal));
    dreamapi_portal_free(portal);
}

static int run_portal(const cli_arguments *arguments)
{
    return cli_session_run(arguments, &(const cli_single){ start_portal, show_portal });
}

static const cli_option checkout_options[] = {
    { "tier", "TIER", "what is bought (default: the service's choice)", false },
    { "price-id", "PRICE", "one of the tier's prices", false },
    { "success-url", "URL", "where the page sends the user who paid", false },
    { "cancel-url", "URL", "where it sends the user who did not", false },
    { NULL, NULL, NULL, false },
};
static const cli_option portal_options[] = {
    { "return-url", "URL", "where the page sends the user back to", false },
    { NULL, NULL, NULL, false },
};

const cli_command cli_payment_commands[] = {
    { "checkout create", "Makes a page where a user pays for a tier; prints its address", "[USER_ID]", checkout_options,
      CLI_TAKES_OUTPUT | CLI_TAKES_CALL | CLI_TAKES_KEY | CLI_TAKES_TOKEN,
      "Example:\n  dreamapi checkout create user_1 --tier pro\n", run_checkout },
    { "portal create", "Makes a page where a user manages what they pay for; prints its address", "[USER_ID]",
      portal_options, CLI_TAKES_OUTPUT | CLI_TAKES_CALL | CLI_TAKES_KEY | CLI_TAKES_TOKEN,
      "Example:\n  dreamapi portal create user_1\n", run_portal },
    { NULL, NULL, NULL, NULL, 0, NULL, NULL },
};
