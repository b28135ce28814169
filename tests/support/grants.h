/* SPDX-License-Identifier: Apache-2.0 */
/* grants.h - a server of leases inside the process, as a transport: it grants whatever its settings say, at once, and forgets. For what
 * is about the library alone: figures of the hot path, and the proof that nothing happens there. */
#ifndef TESTS_SUPPORT_GRANTS_H
#define TESTS_SUPPORT_GRANTS_H

#include <dreamapi.h>
#include <dreamapi/transport.h>

typedef struct grants {
    int64_t units; /* of each grant; 0: what was asked for */
    int64_t ttl_ms;
    int64_t rate_calls; /* a minute; 0: no rate */
} grants;

/* Users whose ids begin with this are refused: their plan has nothing left. */
#define GRANTS_DENIED "denied"

/* `settings` is borrowed, and may be changed while no client is at work. */
dreamapi_transport grants_transport(grants *settings);

#endif
