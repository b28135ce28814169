/* SPDX-License-Identifier: Apache-2.0 */
/* extensions.c - no answer means no extensions: with less announced the client
 * does less by itself, so forgetting is always the safe side. One thread. */
#include "lib/extensions.h"

#include <stddef.h>

enum { FRESH_MS = 60 * 60 * 1000, SILENT_MS = 30 * 1000 };

static const struct {
    const char *name;
    unsigned flag;
} known[] = {
    { "idempotency", DREAM_EXTENSION_IDEMPOTENCY },     { "server-side", DREAM_EXTENSION_SERVER_SIDE },
    { "customer-list", DREAM_EXTENSION_CUSTOMER_LIST }, { "usage-batch", DREAM_EXTENSION_USAGE_BATCH },
    { "usage-history", DREAM_EXTENSION_USAGE_HISTORY }, { "leases", DREAM_EXTENSION_LEASES },
    { "signatures", DREAM_EXTENSION_SIGNATURES },
};

dream_extensions_state dream_extensions_look(const dream_extensions *extensions, int64_t now_ms)
{
    return now_ms < extensions->until_ms ? extensions->state : DREAM_EXTENSIONS_ASK;
}

bool dream_extensions_has(const dream_extensions *extensions, unsigned extension, int64_t now_ms)
{
    return dream_extensions_look(extensions, now_ms) == DREAM_EXTENSIONS_KNOWN
           && (extensions->announced & extension) != 0;
}

void dream_extensions_learn(dream_extensions *extensions, const dreamapi_health *health, int64_t now_ms)
{
    extensions->state = DREAM_EXTENSIONS_KNOWN;
    extensions->until_ms = now_ms + FRESH_MS;
    extensions->announced = 0;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (dreamapi_health_has_extension(health, known[i].name))
            extensions->announced |= known[i].flag;
    }
}

void dream_extensions_fail(dream_extensions *extensions, int64_t now_ms)
{
    extensions->state = DREAM_EXTENSIONS_SILENT;
    extensions->until_ms = now_ms + SILENT_MS;
    extensions->announced = 0;
}
