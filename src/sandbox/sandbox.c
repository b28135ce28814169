/* SPDX-License-Identifier: Apache-2.0 */
/* sandbox.c - starts and stops the six servers over one store. What they answer is clerk.c and stripe.c, what they send is
 * deliver.c. Nothing here changes between start and stop but the webhook URLs, which deliver.c guards. */
#include "sandbox/sandbox.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/crypto.h"
#include "net/http_server.h"
#include "sandbox/call.h"
#include "sandbox/clerk.h"
#include "sandbox/deliver.h"
#include "sandbox/store.h"
#include "sandbox/stripe.h"

struct server {
    sandbox_instance instance;
    sandbox_endpoint endpoint;
    dreamd_http_server *http;
    atomic_bool is_open; /* `instance` is complete: its address is known only when the server runs already */
};

struct sandbox {
    sandbox_store *store;
    sandbox_deliver *deliver;
    struct server servers[SANDBOX_SERVICES][SANDBOX_MODES];
};

static const struct {
    const char *names[SANDBOX_MODES]; /* in logs and metrics */
    dreamd_http_handler *handler;
} kinds[SANDBOX_SERVICES] = {
    [SANDBOX_STRIPE] = { { "sandbox-stripe-live", "sandbox-stripe-test" }, stripe_handle },
    [SANDBOX_CLERK_PLATFORM] = { { "sandbox-clerk-platform-live", "sandbox-clerk-platform-test" }, clerk_handle },
    [SANDBOX_CLERK_END_USER] = { { "sandbox-clerk-end-user-live", "sandbox-clerk-end-user-test" }, clerk_handle },
};

static void handle(void *context, dreamd_request *request)
{
    struct server *server = context;
    if (atomic_load_explicit(&server->is_open, memory_order_acquire)) {
        kinds[server->instance.service].handler(&server->instance, request);
        return;
    }
    (void)dreamd_request_set_header(request, "Retry-After", "1");
    dreamd_request_answer(request, 503, NULL, "", 0);
}

/* Every server of the box, in the order of the ports. */
static struct server *server_at(sandbox *box, int index)
{
    return &box->servers[index / SANDBOX_MODES][index % SANDBOX_MODES];
}

static bool read_identities(sandbox *box)
{
    sandbox_store_status status;
    sandbox_tx *tx = sandbox_tx_begin(box->store, false, &status);
    bool done = tx != NULL;
    for (int i = 0; done && i < SANDBOX_SERVICES * SANDBOX_MODES; i++) {
        sandbox_instance *instance = &server_at(box, i)->instance;
        instance->service = (enum sandbox_service)(i / SANDBOX_MODES);
        instance->mode = (enum sandbox_mode)(i % SANDBOX_MODES);
        instance->store = box->store;
        done = sandbox_identity_read(tx, instance->service, instance->mode, &instance->identity);
    }
    sandbox_tx_rollback(tx);
    return done;
}

static bool start_deliver(sandbox *box, const sandbox_options *options, char error[256])
{
    const char *secrets[SANDBOX_SERVICES][SANDBOX_MODES];
    for (int i = 0; i < SANDBOX_SERVICES * SANDBOX_MODES; i++)
        secrets[i / SANDBOX_MODES][i % SANDBOX_MODES] = server_at(box, i)->instance.identity.webhook_secret;
    box->deliver = sandbox_deliver_start(box->store, secrets, options->metrics, error);
    for (int i = 0; i < SANDBOX_SERVICES * SANDBOX_MODES; i++)
        server_at(box, i)->instance.deliver = box->deliver;
    return box->deliver && sandbox_deliver_set_pin(box->deliver, options->webhook_pin);
}

static bool start_server(struct server *server, uint16_t port, dreamd_metrics *metrics, char error[256])
{
    sandbox_instance *instance = &server->instance;
    sandbox_endpoint *endpoint = &server->endpoint;
    char listen[32];
    (void)snprintf(listen, sizeof listen, "127.0.0.1:%u", (unsigned)port);
    dreamd_http_server_options options = { .name = kinds[instance->service].names[instance->mode],
                                           .listen = listen,
                                           .handler = handle,
                                           .context = server,
                                           .metrics = metrics };
    server->http = dreamd_http_server_start(&options, error);
    if (!server->http)
        return false;
    const char *url = dreamd_http_server_url(server->http);
    (void)snprintf(instance->url, sizeof instance->url, "%s", url);
    (void)snprintf(endpoint->url, sizeof endpoint->url, "%s", url);
    (void)snprintf(endpoint->secret_key, sizeof endpoint->secret_key, "%s", instance->identity.secret_key);
    (void)snprintf(endpoint->webhook_secret, sizeof endpoint->webhook_secret, "%s", instance->identity.webhook_secret);
    atomic_store_explicit(&server->is_open, true, memory_order_release);
    return true;
}

sandbox *sandbox_start(const sandbox_options *options, char error[256])
{
    if (options->first_port > UINT16_MAX - SANDBOX_SERVICES * SANDBOX_MODES + 1) {
        (void)snprintf(error, 256, "the sandbox needs six ports in a row: %u is too high a first one",
                       options->first_port);
        return NULL;
    }
    sandbox *box = calloc(1, sizeof *box);
    if (!box) {
        (void)snprintf(error, 256, "out of memory");
        return NULL;
    }
    box->store = sandbox_store_open(options->path, error);
    if (!box->store)
        goto failed;
    if (!read_identities(box)) {
        (void)snprintf(error, 256, "cannot read the sandbox's keys from %.150s: see the log", options->path);
        goto failed;
    }
    if (!start_deliver(box, options, error))
        goto failed;
    for (int i = 0; i < SANDBOX_SERVICES * SANDBOX_MODES; i++) {
        uint16_t port = options->first_port ? (uint16_t)(options->first_port + i) : 0;
        if (!start_server(server_at(box, i), port, options->metrics, error))
            goto failed;
    }
    return box;
failed:
    sandbox_stop(box, 0);
    return NULL;
}

const sandbox_endpoint *sandbox_endpoint_of(const sandbox *box, enum sandbox_service service, enum sandbox_mode mode)
{
    return &box->servers[service][mode].endpoint;
}

bool sandbox_set_webhook_urls(sandbox *box, enum sandbox_service service, enum sandbox_mode mode,
                              const char *const *urls)
{
    return sandbox_deliver_set_urls(box->deliver, service, mode, urls);
}

void sandbox_stop(sandbox *box, int64_t drain_ms)
{
    if (!box)
        return;
    for (int i = 0; i < SANDBOX_SERVICES * SANDBOX_MODES; i++)
        dreamd_http_server_stop(server_at(box, i)->http, drain_ms);
    sandbox_deliver_stop(box->deliver);
    sandbox_store_close(box->store);
    dream_wipe(box->servers, sizeof box->servers);
    free(box);
}
