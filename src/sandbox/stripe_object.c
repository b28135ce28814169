/* SPDX-License-Identifier: Apache-2.0 */
/* stripe_object.c - what all of Stripe's objects share: making, keeping, showing, fetching; and events, which are
 * objects about objects. */
#include "sandbox/stripe.h"

#include <string.h>

#include "common/json.h"

/* The types webhooks get; everything else is an event that can be listed but is not sent, as with an endpoint that
 * enables just these. */
static const char *const delivered_types[] = { "checkout.session.", "customer.subscription.", "invoice." };

static const char event_skeleton[] =
    "{\"object\":\"event\",\"api_version\":\"" STRIPE_API_VERSION "\",\"data\":{},\"pending_webhooks\":0,"
    "\"request\":{\"id\":null,\"idempotency_key\":null},\"type\":\"\"}";

cJSON *stripe_new(sandbox_call *call, const char *skeleton, const char *prefix, size_t size)
{
    cJSON *object = sandbox_skeleton(call, skeleton);
    const char *id = sandbox_new_id(call, prefix, size);
    if (!object || !id)
        return NULL;
    sandbox_set_text(call, object, "id", id);
    sandbox_set_int(call, object, "created", call->now_s);
    sandbox_set_bool(call, object, "livemode", call->instance->mode == SANDBOX_LIVE);
    return object;
}

static sandbox_doc doc_of(const cJSON *object, const char *parent, const char *lookup)
{
    return (sandbox_doc){ dream_json_string(object, "object"), dream_json_string(object, "id"), parent, lookup };
}

void stripe_insert(sandbox_call *call, const cJSON *object, const char *parent, const char *lookup)
{
    sandbox_doc doc = doc_of(object, parent, lookup);
    if (sandbox_insert(call, &doc, object) || call->is_nomem)
        return;
    stripe_refuse(call, "resource_already_exists", "id", "%c%s already exists.", doc.kind[0] - 'a' + 'A', doc.kind + 1);
}

void stripe_update(sandbox_call *call, const cJSON *object, const char *parent, const char *lookup)
{
    sandbox_doc doc = doc_of(object, parent, lookup);
    (void)sandbox_update(call, &doc, object);
}

bool stripe_is_deleted(const cJSON *object)
{
    return dream_json_bool(object, "deleted", false);
}

/* ---- showing ---- */

static void strip(cJSON *object)
{
    cJSON *next;
    for (cJSON *member = object->child; member; member = next) {
        next = member->next;
        if (member->string && *member->string == '_')
            cJSON_Delete(cJSON_DetachItemViaPointer(object, member));
    }
}

cJSON *stripe_public(sandbox_call *call, const cJSON *object)
{
    cJSON *copy = object ? sandbox_copy(call, object) : NULL;
    cJSON *element;
    if (!copy)
        return NULL;
    strip(copy);
    cJSON_ArrayForEach(element, sandbox_member(copy, "data")) if (cJSON_IsObject(element)) strip(element);
    return copy;
}

cJSON *stripe_list_of(sandbox_call *call, const cJSON *array, const char *url)
{
    cJSON *list = sandbox_skeleton(call, "{\"object\":\"list\",\"data\":[],\"has_more\":false,\"url\":\"\"}");
    if (!list)
        return NULL;
    if (array)
        sandbox_embed(call, list, "data", array);
    sandbox_set_text(call, list, "url", url);
    return list;
}

void stripe_answer(sandbox_call *call, const cJSON *object)
{
    cJSON *shown = call->status == 0 && object ? sandbox_copy(call, object) : NULL;
    if (!shown)
        return;
    stripe_expand(call, shown); /* first: what it asks for may lie in a member of the sandbox's own */
    sandbox_answer_json(call, 200, stripe_public(call, shown));
}

/* ---- fetching ---- */

void stripe_no_such(sandbox_call *call, const stripe_resource *resource, const char *id, const char *param)
{
    stripe_error(call, param ? 400 : 404, "invalid_request_error", "resource_missing", param ? param : resource->param,
                 sandbox_printf(call, "No such %s: '%.200s'", resource->kind, id));
}

cJSON *stripe_read(sandbox_call *call, const stripe_resource *resource)
{
    cJSON *object = sandbox_read(call, resource->kind, call->id);
    if (!object || stripe_is_deleted(object)) {
        stripe_no_such(call, resource, call->id, NULL);
        return NULL;
    }
    return object;
}

void stripe_get(sandbox_call *call)
{
    const stripe_resource *resource = call->route->subject;
    cJSON *object;
    if (resource == &stripe_account) {
        /* Accounts lie with the platform; a connected one sees only itself. */
        const char *own = call->scope.account;
        call->scope.account = call->instance->identity.id;
        object = sandbox_read(call, resource->kind, call->id);
        if (strcmp(own, call->scope.account) != 0 && strcmp(own, call->id) != 0)
            object = NULL;
    } else {
        object = sandbox_read(call, resource->kind, call->id);
    }
    if (object)
        stripe_answer(call, object); /* a deleted customer is still shown, as such */
    else
        stripe_no_such(call, resource, call->id, NULL);
}

/* ---- events ---- */

static bool is_delivered(const char *type)
{
    for (size_t i = 0; i < sizeof delivered_types / sizeof *delivered_types; i++)
        if (strncmp(type, delivered_types[i], strlen(delivered_types[i])) == 0)
            return true;
    return false;
}

void stripe_emit(sandbox_call *call, const char *type, const cJSON *object, const cJSON *previous)
{
    cJSON *event = stripe_new(call, event_skeleton, "evt_1", 23);
    const cJSON *shown = stripe_public(call, object);
    const char *key = dreamd_request_header(call->request, "Idempotency-Key");
    if (!event || !shown)
        return;
    const char *id = dream_json_string(event, "id");
    if (strcmp(call->scope.account, call->instance->identity.id) != 0)
        sandbox_set_text(call, event, "account", call->scope.account);
    sandbox_set_text(call, event, "type", type);
    sandbox_embed(call, sandbox_member(event, "data"), "object", shown);
    if (previous)
        sandbox_embed(call, sandbox_member(event, "data"), "previous_attributes", previous);
    sandbox_set_text(call, sandbox_member(event, "request"), "id", dreamd_request_id(call->request));
    sandbox_set_text(call, sandbox_member(event, "request"), "idempotency_key", key);
    sandbox_set_int(call, event, "pending_webhooks", is_delivered(type) ? 1 : 0);
    stripe_insert(call, event, NULL, type);
    if (is_delivered(type) && !call->is_nomem)
        sandbox_delivery_add(call->tx, &call->scope, call->scope.account, id);
}

static bool is_own_object(const cJSON *value, const cJSON *other)
{
    const cJSON *id = dream_json_get(value, "id");
    return !id || cJSON_Compare(id, dream_json_get(other, "id"), true);
}

/* The former values of what differs: tables member by member, arrays and other objects in another's place as a whole.
 * A member that was not there before is null. Depth is that of our own objects. */
static cJSON *former_values(sandbox_call *call, const cJSON *before, const cJSON *after)
{
    cJSON *former = sandbox_skeleton(call, "{}");
    const cJSON *member;
    if (!former)
        return NULL;
    cJSON_ArrayForEach(member, after)
    {
        const cJSON *old = dream_json_get(before, member->string);
        if (*member->string == '_' || (old && cJSON_Compare(old, member, true)))
            continue;
        if (cJSON_IsObject(old) && cJSON_IsObject(member) && is_own_object(old, member))
            sandbox_embed(call, former, member->string, former_values(call, old, member));
        else if (old)
            sandbox_embed(call, former, member->string, old);
        else
            sandbox_set_text(call, former, member->string, NULL);
    }
    cJSON_ArrayForEach(member, before)
    {
        if (*member->string != '_' && !dream_json_get(after, member->string))
            sandbox_embed(call, former, member->string, member);
    }
    return former;
}

void stripe_emit_change(sandbox_call *call, const char *type, const cJSON *before, const cJSON *object)
{
    const cJSON *previous = before ? former_values(call, before, object) : NULL;
    if (previous)
        stripe_emit(call, type, object, previous);
}

void stripe_event_get(sandbox_call *call)
{
    cJSON *event = stripe_read(call, &stripe_event);
    int64_t pending = 0;
    if (!event)
        return;
    if (dream_json_int(event, "pending_webhooks", &pending) && pending > 0)
        sandbox_set_int(call, event, "pending_webhooks", sandbox_delivery_is_open(call->tx, &call->scope, call->id));
    stripe_answer(call, event);
}
