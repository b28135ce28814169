/* SPDX-License-Identifier: Apache-2.0 */
/* usage.c - serves a user's requests as far as their plan allows, then shows what they used.
 *
 *   cc usage.c $(pkg-config --cflags --libs dreamapi) -o usage
 *   DREAMAPI_BASE_URL=http://127.0.0.1:8787 DREAMAPI_SECRET_KEY=sk_live_... ./usage user_2abc 10 */
#include <dreamapi.h>

#include <stdio.h>
#include <stdlib.h>

/* One request of the user: count it first, then do the work. What was refused was not counted. */
static dreamapi_status serve(dreamapi_client *client, const char *user, dreamapi_error *error)
{
    dreamapi_status status = dreamapi_usage_track(client, user, NULL, NULL, NULL, error);
    switch (status) {
    case DREAMAPI_OK:
        printf("served\n");
        break;
    case DREAMAPI_LIMIT: /* HTTP 402, and an offer: dreamapi_checkout_create */
        printf("refused: %lld of %lld used\n", (long long)error->used, (long long)error->limit);
        break;
    case DREAMAPI_RATE_LIMITED: /* HTTP 429 with this Retry-After; the client asks nobody until then */
        printf("too fast: wait %lld s\n", (long long)(error->retry_after_ms + 999) / 1000);
        break;
    case DREAMAPI_OUTCOME_UNKNOWN:
        /* It may have been counted. Serving is the kinder answer; the unit is at most lost to the user once. */
        printf("served, perhaps counted\n");
        break;
    default:
        break;
    }
    return status;
}

/* A limit may have no end. */
static void print_units(const char *name, int64_t units)
{
    if (units == DREAMAPI_UNLIMITED)
        printf(", %s unlimited", name);
    else
        printf(", %s %lld", name, (long long)units);
}

int main(int argc, char **argv)
{
    dreamapi_client *client = NULL;
    dreamapi_usage *usage = NULL;
    dreamapi_error error;
    dreamapi_status status;
    if (argc != 3) {
        fprintf(stderr, "usage: %s USER REQUESTS   (with DREAMAPI_BASE_URL and DREAMAPI_SECRET_KEY set)\n", argv[0]);
        return 2;
    }
    status = dreamapi_client_new(NULL, &client, &error);
    for (int i = atoi(argv[2]); i > 0 && status == DREAMAPI_OK; i--)
        status = serve(client, argv[1], &error);
    /* A refusal is an answer, not a failure of this program. */
    if (status == DREAMAPI_LIMIT || status == DREAMAPI_RATE_LIMITED)
        status = DREAMAPI_OK;

    /* Reading counts nothing. */
    if (status == DREAMAPI_OK)
        status = dreamapi_usage_get(client, argv[1], NULL, &usage, &error);
    if (status == DREAMAPI_OK) {
        printf("plan %s: used %lld", dreamapi_usage_plan(usage), (long long)dreamapi_usage_count(usage));
        print_units("limit", dreamapi_usage_limit(usage));
        print_units("left", dreamapi_usage_remaining(usage));
        const char *end = dreamapi_usage_period_end(usage);
        printf(", until %s\n", end ? end : "the period ends");
    } else {
        fprintf(stderr, "%s: %s\n", dreamapi_status_name(status), error.message);
    }
    dreamapi_usage_free(usage);
    dreamapi_client_free(client);
    return status == DREAMAPI_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
