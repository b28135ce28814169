/* SPDX-License-Identifier: Apache-2.0 */
/* tier.c - prints the plans of a project, as a page to choose from would show them.
 *
 *   cc tier.c $(pkg-config --cflags --libs dreamapi) -o tier
 *   DREAMAPI_BASE_URL=http://127.0.0.1:8787 DREAMAPI_SECRET_KEY=sk_live_... ./tier
 *
 * Listing works with the publishable key, too (DREAMAPI_PUBLISHABLE_KEY), so that no secret has to be where a page is made. */
#include <dreamapi.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_tier(const dreamapi_tier *tier)
{
    /* What is sold once is in this list, too; product.c shows a shop's shelf. */
    const char *mode = dreamapi_tier_billing_mode(tier);
    if (mode && strcmp(mode, "one_off") == 0)
        return;
    /* What is shown to people may be absent, the id never is. Money is whole numbers of the smallest unit. */
    const char *name = dreamapi_tier_display_name(tier);
    long long cents = (long long)dreamapi_tier_price(tier);
    printf("%s (%s): %lld.%02lld", name ? name : dreamapi_tier_id(tier), dreamapi_tier_id(tier), cents / 100,
           cents % 100);
    if (dreamapi_tier_limit(tier) == DREAMAPI_UNLIMITED)
        printf(", unlimited");
    else
        printf(", %lld units", (long long)dreamapi_tier_limit(tier));
    if (dreamapi_tier_trial_days(tier) > 0)
        printf(", %lld days free", (long long)dreamapi_tier_trial_days(tier));
    if (dreamapi_tier_popular(tier))
        printf(", popular");
    if (dreamapi_tier_sold_out(tier))
        printf(", sold out");
    printf("\n");
    for (size_t i = 0; i < dreamapi_tier_feature_count(tier); i++)
        printf("  - %s\n", dreamapi_tier_feature(tier, i));
}

/* The order of a list is the server's, and none is promised: sort for people. */
static int by_price(const void *one, const void *other)
{
    int64_t a = dreamapi_tier_price(*(const dreamapi_tier *const *)one);
    int64_t b = dreamapi_tier_price(*(const dreamapi_tier *const *)other);
    return (a > b) - (a < b);
}

int main(void)
{
    dreamapi_client *client = NULL;
    dreamapi_tiers *tiers = NULL;
    const dreamapi_tier **sorted = NULL;
    dreamapi_error error;
    dreamapi_status status = dreamapi_client_new(NULL, &client, &error);
    if (status == DREAMAPI_OK)
        status = dreamapi_tier_list(client, NULL, &tiers, &error);
    if (status != DREAMAPI_OK) {
        fprintf(stderr, "%s: %s\n", dreamapi_status_name(status), error.message);
        goto done;
    }
    /* The list is a value: nothing of the client is needed any more. Its tiers are borrowed until the list is freed. */
    size_t count = dreamapi_tiers_count(tiers);
    sorted = malloc((count + 1) * sizeof(*sorted));
    if (!sorted) {
        status = DREAMAPI_NOMEM;
        goto done;
    }
    for (size_t i = 0; i < count; i++)
        sorted[i] = dreamapi_tiers_at(tiers, i);
    qsort(sorted, count, sizeof(*sorted), by_price);
    for (size_t i = 0; i < count; i++)
        print_tier(sorted[i]);

done:
    free(sorted);
    dreamapi_tiers_free(tiers);
    dreamapi_client_free(client);
    return status == DREAMAPI_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
