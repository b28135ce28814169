/* SPDX-License-Identifier: Apache-2.0 */
/* sandbox_link.c - copies the sandbox's addresses and keys over the settings, and the service's webhook address into
 * the sandbox. Together with serve and tenant create the only place that knows both sides. */
#include "dreamapid/sandbox_link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/crypto.h"

char *dreamd_sandbox_path(const char *db_path)
{
    char *path = NULL;
    return asprintf(&path, "%s.sandbox", db_path) < 0 ? NULL : path;
}

static bool replace(char **text, const char *value)
{
    dream_free_secret(*text);
    *text = strdup(value);
    return *text != NULL;
}

static bool apply(const sandbox_endpoint *endpoint, char **api_base, char **secret_key, char **webhook_secret)
{
    return replace(api_base, endpoint->url) && replace(secret_key, endpoint->secret_key)
           && replace(webhook_secret, endpoint->webhook_secret);
}

static bool apply_clerk(const sandbox *box, enum sandbox_service service, enum sandbox_mode mode,
                        dreamd_clerk_settings *out)
{
    return apply(sandbox_endpoint_of(box, service, mode), &out->api_base, &out->secret_key, &out->webhook_secret);
}

bool dreamd_sandbox_apply(const sandbox *box, dreamd_settings *settings)
{
    static const struct {
        enum sandbox_mode sandbox;
        enum dreamd_mode settings;
    } modes[] = { { SANDBOX_LIVE, DREAMD_LIVE }, { SANDBOX_TEST, DREAMD_TEST } };
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        dreamd_stripe_settings *stripe = &settings->stripe[modes[i].settings];
        if (!apply(sandbox_endpoint_of(box, SANDBOX_STRIPE, modes[i].sandbox), &stripe->api_base, &stripe->secret_key,
                   &stripe->webhook_secret)
            || !apply_clerk(box, SANDBOX_CLERK_PLATFORM, modes[i].sandbox, &settings->clerk_platform[modes[i].settings])
            || !apply_clerk(box, SANDBOX_CLERK_END_USER, modes[i].sandbox,
                            &settings->clerk_end_user[modes[i].settings]))
            return false;
    }
    return true;
}

static bool connect_service(sandbox *box, enum sandbox_service service, const char *api_url, const char *path)
{
    char *url = NULL;
    if (asprintf(&url, "%s%s", api_url, path) < 0)
        return false;
    const char *const urls[] = { url, NULL };
    bool is_set = sandbox_set_webhook_urls(box, service, SANDBOX_LIVE, urls)
                  && sandbox_set_webhook_urls(box, service, SANDBOX_TEST, urls);
    free(url);
    return is_set;
}

bool dreamd_sandbox_connect(sandbox *box, const char *api_url)
{
    return connect_service(box, SANDBOX_STRIPE, api_url, "/webhook/stripe")
           && connect_service(box, SANDBOX_CLERK_END_USER, api_url, "/webhook/clerk");
}
