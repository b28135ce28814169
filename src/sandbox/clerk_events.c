/* SPDX-License-Identifier: Apache-2.0 */
/* clerk_events.c - what Clerk tells its webhooks. An event is kept as the message that is sent, under the message's
 * id, until every address took it; sending is deliver.c. Clerk's API does not list events, so that none is kept
 * longer. */
#include "sandbox/clerk.h"

#include "common/json.h"

static const char event_skeleton[] =
    "{\"data\":{},\"event_attributes\":{\"http_request\":{\"client_ip\":\"127.0.0.1\",\"user_agent\":\"\"}},"
    "\"instance_id\":\"\",\"object\":\"event\",\"timestamp\":0,\"type\":\"\"}";

void clerk_emit(sandbox_call *call, const char *type, const cJSON *data, const char *user_id)
{
    cJSON *event = sandbox_skeleton(call, event_skeleton);
    const char *id = sandbox_new_id(call, "msg_", 27);
    const char *agent = dreamd_request_header(call->request, "User-Agent");
    if (call->status != 0 || !event || !id) /* a refused change is no event */
        return;
    cJSON *request = sandbox_member(sandbox_member(event, "event_attributes"), "http_request");
    sandbox_embed(call, event, "data", data);
    sandbox_set_text(call, request, "user_agent", agent ? agent : "");
    sandbox_set_text(call, event, "instance_id", call->instance->identity.id);
    sandbox_set_int(call, event, "timestamp", call->now_ms);
    sandbox_set_text(call, event, "type", type);
    if (sandbox_insert(call, &(sandbox_doc){ "event", id, NULL, NULL }, event))
        sandbox_delivery_add(call->tx, &call->scope, user_id, id);
}
