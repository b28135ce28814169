/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - a small web service that sells its answers: settings, start, and an end that loses nothing. README.md beside this file
 * has the lines to try it with. The routes are in routes.c, the web server is in http.c.
 *
 *   cc main.c routes.c http.c $(pkg-config --cflags --libs dreamapi libmicrohttpd) -pthread -o saas-backend */
#include "routes.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A call that takes longer than CALL_MS fails. The last FLUSH_MS of the time to stop are for
 * settling what was used, but for a moment in which to end. */
enum { CALL_MS = 5000, FLUSH_MS = 2000, REPLAYS = 10000 };

static const char help[] =
    "usage: saas-backend [--help]\n"
    "\n"
    "A web service whose POST /answer is metered by the user's plan. Its settings are environment variables:\n"
    "\n"
    "  DREAMAPI_BASE_URL         the dream-api service; required\n"
    "  DREAMAPI_SECRET_KEY       the project's secret key; required\n"
    "  DREAMAPI_PUBLISHABLE_KEY  the project's publishable key, which users' tokens must name; required\n"
    "  DREAMAPI_JWKS_URL         where the identity provider publishes the keys of users' tokens; required\n"
    "  TOKEN_ISSUER              the provider's name in those tokens; any, if not set\n"
    "  STRIPE_WEBHOOK_SECRET     the secret of the webhook endpoint; without it none is taken\n"
    "  STRIPE_WEBHOOK_SECRET_OLD the one before, while it is being replaced\n"
    "  USAGE_JOURNAL             the file that counts are kept in, shared by all processes; without it a crash loses "
    "some\n"
    "  LISTEN                    IPv4 address and port; 127.0.0.1:8080, if not set\n"
    "  STOP_SECONDS              the longest that the end may take after SIGTERM or SIGINT, 3 to 600; 10, if not set\n";

struct settings {
    const char *listen;
    const char *journal;
    const char *jwks_url;
    unsigned stop_seconds;
};

/* The variable's value; NULL if it is not set, or empty. */
static const char *setting(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

static int read_settings(struct settings *out)
{
    static const char *const required[] = { "DREAMAPI_BASE_URL", "DREAMAPI_SECRET_KEY", "DREAMAPI_PUBLISHABLE_KEY",
                                            "DREAMAPI_JWKS_URL" };
    const char *seconds = setting("STOP_SECONDS");
    int is_complete = 1;
    for (size_t i = 0; i < sizeof(required) / sizeof(required[0]); i++) {
        if (setting(required[i]))
            continue;
        fprintf(stderr, "%s is not set; --help explains the settings\n", required[i]);
        is_complete = 0;
    }
    out->listen = setting("LISTEN") ? setting("LISTEN") : "127.0.0.1:8080";
    out->journal = setting("USAGE_JOURNAL");
    out->jwks_url = setting("DREAMAPI_JWKS_URL");
    out->stop_seconds = seconds ? (unsigned)strtoul(seconds, NULL, 10) : 10;
    if (out->stop_seconds < 3 || out->stop_seconds > 600) {
        fprintf(stderr, "STOP_SECONDS must be 3 to 600\n");
        is_complete = 0;
    }
    return is_complete;
}

static void log_line(void *user_data, dreamapi_log_level level, const char *message)
{
    (void)user_data;
    if (level == DREAMAPI_LOG_WARNING)
        fprintf(stderr, "dreamapi: %s\n", message);
}

/* Base URL and keys come from the environment. */
static dreamapi_client *make_client(const struct settings *settings)
{
    dreamapi_options *options = dreamapi_options_new();
    dreamapi_client *client = NULL;
    dreamapi_error error = { .message = "a setting was refused" };
    if (dreamapi_options_set_jwks_url(options, settings->jwks_url) != DREAMAPI_OK
        || dreamapi_options_set_journal(options, settings->journal) != DREAMAPI_OK
        || dreamapi_options_set_timeout_ms(options, CALL_MS) != DREAMAPI_OK
        || dreamapi_options_set_close_timeout_ms(options, 0) != DREAMAPI_OK /* the flush of stop() has had its time */
        || dreamapi_options_set_log(options, log_line, NULL) != DREAMAPI_OK
        || dreamapi_client_new(options, &client, &error) != DREAMAPI_OK)
        fprintf(stderr, "%s\n", error.message);
    dreamapi_options_free(options);
    return client;
}

/* Requests under way are answered, then every count is reported and every unit that is left handed back. */
static void stop(http_server *server, dreamapi_client *client, unsigned seconds)
{
    dreamapi_error error;
    /* Whatever hangs, the process ends in time. With a journal that loses nothing: the next start settles it. */
    (void)alarm(seconds);
    int left = http_stop(server, (int64_t)seconds * 1000 - FLUSH_MS);
    if (left > 0)
        fprintf(stderr, "%d requests took too long\n", left);
    if (dreamapi_client_flush(client, FLUSH_MS - 500, &error) == DREAMAPI_OK)
        printf("stopped; all usage is reported\n");
    else
        fprintf(stderr, "usage is yet to be reported: %s\n", error.message);
}

static int run(const struct settings *settings, struct shop *shop, const sigset_t *ends)
{
    int signal_number;
    http_server *server = http_start(settings->listen, shop_serve, shop);
    if (!server)
        return EXIT_FAILURE;
    printf("listening on http://%.*s:%d\n", (int)strcspn(settings->listen, ":"), settings->listen, http_port(server));
    (void)sigwait(ends, &signal_number);
    stop(server, shop->client, settings->stop_seconds);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    struct settings settings;
    sigset_t ends;
    struct shop shop = { NULL,
                         NULL,
                         { setting("STRIPE_WEBHOOK_SECRET"), setting("STRIPE_WEBHOOK_SECRET_OLD"), NULL },
                         setting("TOKEN_ISSUER") };
    dreamapi_error error;
    int result = EXIT_FAILURE;
    if (argc > 1) {
        int is_help = strcmp(argv[1], "--help") == 0;
        fputs(help, is_help ? stdout : stderr);
        return is_help ? EXIT_SUCCESS : 2;
    }
    if (!read_settings(&settings))
        return EXIT_FAILURE;
    setvbuf(stdout, NULL, _IOLBF, 0);
    /* Before any thread is started, so that all leave these two to sigwait. */
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    pthread_sigmask(SIG_BLOCK, &ends, NULL);
    (void)signal(SIGPIPE, SIG_IGN);

    shop.client = make_client(&settings);
    if (!shop.client)
        goto done;
    if (dreamapi_webhook_replays_new(REPLAYS, &shop.replays, &error) != DREAMAPI_OK) {
        fprintf(stderr, "%s\n", error.message);
        goto done;
    }
    result = run(&settings, &shop, &ends);
done:
    dreamapi_webhook_replays_free(shop.replays);
    dreamapi_client_free(shop.client);
    return result;
}
