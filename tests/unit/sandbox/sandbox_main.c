/* SPDX-License-Identifier: Apache-2.0 */
/* sandbox_main.c - runs a sandbox alone, for tests/e2e/test_sandbox_clients.py.
 *     sandbox_main FILE [STRIPE_WEBHOOK_URL...] [--clerk CLERK_WEBHOOK_URL...]
 * prints its addresses and keys as one JSON line when it is ready, delivers both modes' events to the URLs (those of the
 * developers' and of the end users' Clerk app to the same ones), and ends at SIGTERM. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "common/json.h"
#include "sandbox/sandbox.h"

static const struct {
    const char *name;
    enum sandbox_service service;
} services[] = { { "stripe", SANDBOX_STRIPE },
                 { "clerkPlatform", SANDBOX_CLERK_PLATFORM },
                 { "clerkEndUser", SANDBOX_CLERK_END_USER } };

static bool add_endpoint(cJSON *service, const char *mode, const sandbox_endpoint *endpoint)
{
    cJSON *object = cJSON_AddObjectToObject(service, mode);
    return dream_json_set_string(object, "url", endpoint->url)
           && dream_json_set_string(object, "secretKey", endpoint->secret_key)
           && dream_json_set_string(object, "webhookSecret", endpoint->webhook_secret);
}

static bool print_endpoints(const sandbox *box)
{
    cJSON *line = cJSON_CreateObject();
    bool done = line != NULL;
    for (size_t i = 0; i < sizeof services / sizeof *services; i++) {
        cJSON *service = cJSON_AddObjectToObject(line, services[i].name);
        done = done && service
               && add_endpoint(service, "live", sandbox_endpoint_of(box, services[i].service, SANDBOX_LIVE))
               && add_endpoint(service, "test", sandbox_endpoint_of(box, services[i].service, SANDBOX_TEST));
    }
    char *text = done ? dream_json_print(line) : NULL;
    done = text && printf("%s\n", text) > 0 && fflush(stdout) == 0;
    cJSON_free(text);
    cJSON_Delete(line);
    return done;
}

/* Cuts the arguments at --clerk. */
static bool set_urls(sandbox *box, char **arguments)
{
    char **cut = arguments;
    while (*cut && strcmp(*cut, "--clerk") != 0)
        cut++;
    const char *const *clerk = (const char *const *)(*cut ? cut + 1 : cut);
    const char *const *stripe = (const char *const *)arguments;
    *cut = NULL;
    for (int mode = 0; mode < SANDBOX_MODES; mode++)
        if (!sandbox_set_webhook_urls(box, SANDBOX_STRIPE, (enum sandbox_mode)mode, stripe)
            || !sandbox_set_webhook_urls(box, SANDBOX_CLERK_PLATFORM, (enum sandbox_mode)mode, clerk)
            || !sandbox_set_webhook_urls(box, SANDBOX_CLERK_END_USER, (enum sandbox_mode)mode, clerk))
            return false;
    return true;
}

int main(int argc, char **argv)
{
    char error[256];
    sigset_t ends;
    int number;
    if (argc < 2) {
        (void)fprintf(stderr, "usage: sandbox_main FILE [STRIPE_WEBHOOK_URL...] [--clerk CLERK_WEBHOOK_URL...]\n");
        return 2;
    }
    /* Before any thread starts, so that all of them leave the signals to the wait below. */
    (void)sigemptyset(&ends);
    (void)sigaddset(&ends, SIGTERM);
    (void)sigaddset(&ends, SIGINT);
    (void)pthread_sigmask(SIG_BLOCK, &ends, NULL);
    sandbox *box = sandbox_start(&(sandbox_options){ .path = argv[1] }, error);
    if (!box) {
        (void)fprintf(stderr, "%s\n", error);
        return 1;
    }
    bool done = set_urls(box, argv + 2) && print_endpoints(box);
    if (done)
        (void)sigwait(&ends, &number);
    sandbox_stop(box, 1000);
    return done ? 0 : 1;
}
