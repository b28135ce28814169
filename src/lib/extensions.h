/* SPDX-License-Identifier: Apache-2.0 */
/* extensions.h - what the server announced in GET /health, and for how long that
 * counts. The asking itself is pipeline.c. Belongs to the thread that drives the client. */
#ifndef DREAM_LIB_EXTENSIONS_H
#define DREAM_LIB_EXTENSIONS_H

#include <dreamapi/health.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    DREAM_EXTENSION_IDEMPOTENCY = 1u << 0,
    DREAM_EXTENSION_SERVER_SIDE = 1u << 1,
    DREAM_EXTENSION_CUSTOMER_LIST = 1u << 2,
    DREAM_EXTENSION_USAGE_BATCH = 1u << 3,
    DREAM_EXTENSION_USAGE_HISTORY = 1u << 4,
    DREAM_EXTENSION_LEASES = 1u << 5,
    DREAM_EXTENSION_SIGNATURES = 1u << 6
};

typedef enum dream_extensions_state {
    DREAM_EXTENSIONS_ASK, /* not known, or too old */
    DREAM_EXTENSIONS_KNOWN,
    DREAM_EXTENSIONS_SILENT /* asked a moment ago and got no answer: counts as none */
} dream_extensions_state;

/* All zero is "never asked". */
typedef struct dream_extensions {
    dream_extensions_state state;
    unsigned announced;
    int64_t until_ms; /* then ask again */
} dream_extensions;

dream_extensions_state dream_extensions_look(const dream_extensions *extensions, int64_t now_ms);
/* True only for what is announced and not too old. */
bool dream_extensions_has(const dream_extensions *extensions, unsigned extension, int64_t now_ms);
/* `health` NULL: a server that has no such page, so it knows of no extension. */
void dream_extensions_learn(dream_extensions *extensions, const dreamapi_health *health, int64_t now_ms);
void dream_extensions_fail(dream_extensions *extensions, int64_t now_ms);

#endif
