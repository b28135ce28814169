/* SPDX-License-Identifier: Apache-2.0 */
/* health.c - GET /health (any method): alive, and what this service does beyond the hosted one. */

#include "service/api/handlers.h"

static const char health_text[] = "{\"status\":\"ok\",\"extensions\":["
                                  "\"idempotency\",\"server-side\",\"customer-list\","
                                  "\"usage-batch\",\"usage-history\",\"leases\",\"signatures\"]}";

void dreamd_health(dreamd_call *call)
{
    call->status = 200;
    call->text = health_text;
    dreamd_call_send(call);
}
