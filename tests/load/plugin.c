/* SPDX-License-Identifier: Apache-2.0 */
/* plugin.c - a shared object of somebody else's that uses libdreamapi: what host.c loads. It is linked to the shared library or has the
 * archive within, exports the functions of plugin.h, and keeps one client and one call. */
#include "plugin.h"

#include <dreamapi.h>
#include <stddef.h>

#define EXPORTED __attribute__((visibility("default")))

static dreamapi_client *client;
static dreamapi_call *running;

/* A meter too, for the handlers that fork runs. */
EXPORTED int plugin_open(const char *base_url, const char *ca_file)
{
    dreamapi_options *options = dreamapi_options_new();
    dreamapi_meter *meter = NULL;
    int status = dreamapi_options_set_base_url(options, base_url);

    (void)dreamapi_options_set_secret_key(options, "sk_test_plugin");
    (void)dreamapi_options_set_ca_file(options, ca_file);
    (void)dreamapi_options_set_close_timeout_ms(options, 0);
    if (status == DREAMAPI_OK)
        status = dreamapi_global_init();
    if (status == DREAMAPI_OK)
        status = dreamapi_client_new(options, &client, NULL);
    if (status == DREAMAPI_OK)
        status = dreamapi_meter_open(client, "user_1", NULL, &meter, NULL);
    dreamapi_meter_close(meter);
    dreamapi_options_free(options);
    return status;
}

EXPORTED int plugin_call(void)
{
    return dreamapi_health_get(client, NULL, NULL, NULL);
}

EXPORTED int plugin_start(void)
{
    return dreamapi_tier_list_start(client, NULL, &running, NULL);
}

EXPORTED void plugin_close(void)
{
    dreamapi_call_free(running);
    dreamapi_client_free(client);
    running = NULL;
    client = NULL;
    dreamapi_global_cleanup();
}
