/* SPDX-License-Identifier: Apache-2.0 */
/* customers.c - a developer's customers: POST, GET, PATCH, DELETE /api/customers.
 *
 * The identity provider holds the person, with project and plan in the public metadata; the store holds what metering needs.
 * Each change goes to the provider first and to the store with the answer: a creation that the store cannot keep is taken
 * back, a deletion or change that it cannot keep is answered with a failure and may be repeated. A creation repeated with its
 * Idempotency-Key after a crash in between finds what it made and goes on from there. */
#include <string.h>
#include <strings.h>

#include "common/json.h"
#include "net/log.h"
#include "service/api/handlers.h"
#include "service/api/ownership.h"
#include "service/api/replay.h"
#include "service/provider/clerk.h"
#include "service/store/customers.h"
#include "service/store/plans.h"
#include "service/store/tiers.h"

#define FREE_PLAN "free"

static const char create_failed[] = "Failed to create customer";
static const char update_failed[] = "Failed to update customer";
static const char get_failed[] = "Failed to get customer";
static const char delete_failed[] = "Failed to delete customer";

struct customer {
    /* What the request says. */
    const char *email;
    const char *first_name;
    const char *last_name;
    const char *password;
    const char *plan; /* NULL: not given */
    bool is_refused;  /* by store work: the answer is prepared */
    /* What the identity provider says; copies. */
    const char *id;
    const char *their_email;
    const char *their_first_name;
    const char *their_last_name;
    const char *their_plan; /* of the metadata; NULL: none */
    const char *their_key;  /* of the metadata; NULL: none */
    cJSON *metadata;        /* owned by the step that reads it */
    int64_t created_at_ms;
    /* What the store says. */
    bool is_own;
    bool is_stored;
    const char *subscribed_plan; /* of a running subscription: no other counts beside it; NULL: none */
    const char *current_plan;
    dreamd_db_status status; /* why a creation is being taken back */
    const char *refusal;     /* why the provider refused a creation */
};

/* NULL when out of memory: the call has then been answered. */
static struct customer *customer_new(dreamd_call *call)
{
    struct customer *customer = dream_arena_alloc(call->arena, sizeof *customer);

    call->state = customer;
    if (!customer)
        dreamd_call_refuse(call, 500, "Internal error", "Out of memory");
    return customer;
}

/* False, with the answer prepared, if there is no JSON object to read. */
static bool read_object(dreamd_call *call, const char *error)
{
    dreamd_body body = dreamd_call_body(call);

    if (body == DREAMD_BODY_OBJECT)
        return true;
    dreamd_call_set_error(call, 400, error,
                          body == DREAMD_BODY_ABSENT ? "Unexpected end of JSON input" : "Body is no JSON object");
    return false;
}

/* Takes what is needed of the provider's user into the call's memory; false when there is no room. */
static bool keep_user(dreamd_call *call, const dreamd_clerk_user *user)
{
    struct customer *customer = call->state;

    customer->id = dream_arena_strdup(call->arena, user->id);
    customer->their_email = dream_arena_strdup(call->arena, user->email);
    customer->their_first_name = dream_arena_strdup(call->arena, user->first_name);
    customer->their_last_name = dream_arena_strdup(call->arena, user->last_name);
    customer->their_plan = dream_arena_strdup(call->arena, dream_json_string(user->metadata, "plan"));
    customer->their_key = dream_arena_strdup(call->arena, dream_json_string(user->metadata, "publishableKey"));
    customer->created_at_ms = user->created_at_ms;
    return customer->id != NULL;
}

static void refuse_foreign(dreamd_call *call)
{
    dreamd_call_refuse(call, 404, "Not found", "Customer not found or does not belong to your platform");
}

/* ---- store work that several share ---- */

/* Spells the plan as the project does; prepares a refusal if it is none of the project's. "free" needs no tier: it is what
 * everybody has. */
static dreamd_db_status check_plan(dreamd_db *db, dreamd_call *call, const char *error)
{
    struct customer *customer = call->state;
    dreamd_tier tier;
    bool is_found = false;
    dreamd_db_status status = DREAMD_DB_OK;

    if (!customer->plan)
        return DREAMD_DB_OK;
    status = dreamd_tier_find(db, &call->project, customer->plan, DREAMD_TIER_BY_NAME, call->arena, &tier, &is_found);
    if (status != DREAMD_DB_OK)
        return status;
    if (is_found || strcasecmp(customer->plan, FREE_PLAN) == 0) {
        customer->plan = is_found ? tier.name : FREE_PLAN;
        return DREAMD_DB_OK;
    }
    customer->is_refused = true;
    dreamd_call_set_error(call, 400, error, dream_arena_printf(call->arena, "Unknown plan: %s", customer->plan));
    return DREAMD_DB_OK;
}

/* The plan that counts: a running subscription's, else the stored one, else the metadata's, else free. */
static dreamd_db_status find_plan(dreamd_db *db, dreamd_call *call)
{
    struct customer *customer = call->state;
    const char *plan = NULL;
    dreamd_db_status status = dreamd_plan_in_force(db, &call->project, customer->id, call->arena, &plan);

    customer->current_plan = plan ? plan : customer->their_plan ? customer->their_plan : FREE_PLAN;
    return status;
}

/* Whose the customer is: the metadata alone says so. That a token of theirs was used here, or that they are still stored,
 * gives nobody a right to a user who is of no project. */
static dreamd_db_status look_at_owner(dreamd_db *db, dreamd_call *call)
{
    struct customer *customer = call->state;
    dreamd_customer stored = { 0 };
    dreamd_db_status status =
        dreamd_customer_find(db, &call->project, customer->id, call->arena, &stored, &customer->is_stored);

    customer->is_own = false;
    if (status == DREAMD_DB_OK && customer->their_key)
        status = dreamd_is_own_key(db, &call->project, customer->their_key, &customer->is_own);
    if (status == DREAMD_DB_OK && customer->is_own)
        status = find_plan(db, call);
    return status;
}

static dreamd_db_status look(dreamd_db *db, void *arg)
{
    return look_at_owner(db, arg);
}

/* ---- POST ---- */

static cJSON *created_json(const dreamd_call *call, const struct customer *customer)
{
    cJSON *body = cJSON_CreateObject();
    cJSON *json = cJSON_CreateObject();
    bool is_ok = dream_json_set_bool(body, "success", true);

    is_ok = dream_json_set_string(json, "id", customer->id) && is_ok;
    is_ok = dream_json_set_string(json, "email", customer->email) && is_ok;
    if (customer->first_name)
        is_ok = dream_json_set_string(json, "firstName", customer->first_name) && is_ok;
    if (customer->last_name)
        is_ok = dream_json_set_string(json, "lastName", customer->last_name) && is_ok;
    is_ok = dream_json_set_string(json, "plan", customer->plan ? customer->plan : FREE_PLAN) && is_ok;
    is_ok = dream_json_set_string(json, "publishableKey", call->project.publishable_key) && is_ok;
    is_ok = dream_json_set_int(json, "createdAt", customer->created_at_ms) && is_ok;
    is_ok = dream_json_set(body, "customer", json) && is_ok;
    if (is_ok)
        return body;
    cJSON_Delete(body);
    return NULL;
}

static dreamd_db_status store_created(dreamd_db *db, void *arg)
{
    dreamd_call *call = arg;
    const struct customer *customer = call->state;
    dreamd_customer stored = {
        .user_id = customer->id,
        .email = customer->email,
        .first_name = customer->first_name,
        .last_name = customer->last_name,
        .plan = customer->plan ? customer->plan : FREE_PLAN,
        .created_at_ms = customer->created_at_ms,
    };
    dreamd_db_status status = dreamd_customer_put(db, &call->project, &stored, call->now_ms);

    if (status != DREAMD_DB_OK)
        return status;
    dreamd_call_set(call, 201, created_json(call, customer));
    return call->text ? dreamd_replay_finish(db, call) : DREAMD_DB_NOMEM;
}

static void on_taken_back(void *context, const dreamd_upstream_answer *answer)
{
    dreamd_call *call = context;
    const struct customer *customer = call->state;

    if (answer->outcome != DREAMD_UPSTREAM_OK && answer->outcome != DREAMD_UPSTREAM_NOT_FOUND)
        dreamd_log(DREAMD_LOG_ERROR, "customer_not_taken_back", dreamd_log_text("user_id", customer->id),
                   dreamd_log_text("project_id", call->project.project_id));
    dreamd_call_refuse_store(call, customer->status);
}

static void on_created_stored(void *arg, dreamd_db_status status)
{
    dreamd_call *call = arg;
    struct customer *customer = call->state;

    if (status == DREAMD_DB_OK) {
        call->has_claim = false; /* finished in the same work */
        dreamd_call_send(call);
        return;
    }
    customer->status = status;
    dreamd_clerk_delete_user(call->service->upstream, call->project.mode, customer->id, on_taken_back, call);
}

static void start_store_created(dreamd_call *call)
{
    dreamd_store_write(call->service->store, store_created, on_created_stored, call);
}

/* Is the user who has the address what an earlier try with this key made, and could not tell of? Then it is of this project,
 * of the plan asked for, made within the time a key is remembered, and not stored. */
static bool is_from_earlier_try(const dreamd_call *call)
{
    const struct customer *customer = call->state;
    const char *plan = customer->plan ? customer->plan : FREE_PLAN;
    int64_t age_ms = call->now_ms - customer->created_at_ms;

    return customer->is_own && !customer->is_stored && customer->their_plan && strcmp(customer->their_plan, plan) == 0
           && age_ms < DREAMD_IDEMPOTENCY_KEEP_MS;
}

static void on_namesake_looked_at(dreamd_call *call)
{
    const struct customer *customer = call->state;

    if (is_from_earlier_try(call))
        start_store_created(call);
    else
        dreamd_call_refuse(call, 400, create_failed, customer->refusal);
}

static void on_namesake(void *context, const dreamd_upstream_answer *answer, const dreamd_clerk_user *user)
{
    dreamd_call *call = context;
    const struct customer *customer = call->state;

    if (answer->outcome == DREAMD_UPSTREAM_UNAVAILABLE)
        dreamd_call_refuse_upstream(call, answer, create_failed);
    else if (!user)
        dreamd_call_refuse(call, 400, create_failed, customer->refusal);
    else if (!keep_user(call, user))
        dreamd_call_refuse(call, 500, "Internal error", "Out of memory");
    else
        dreamd_call_read(call, look, on_namesake_looked_at);
}

static void on_created(void *context, const dreamd_upstream_answer *answer, const dreamd_clerk_user *user)
{
    dreamd_call *call = context;
    struct customer *customer = call->state;

    if (answer->outcome == DREAMD_UPSTREAM_UNAVAILABLE) {
        dreamd_call_refuse_upstream(call, answer, create_failed);
    } else if (!user && call->key && dreamd_clerk_is_taken(answer)) {
        customer->refusal = dream_arena_strdup(call->arena, answer->message);
        dreamd_clerk_find_user(call->service->upstream, call->project.mode, customer->email, on_namesake, call);
    } else if (!user) {
        dreamd_call_refuse(call, 400, create_failed, answer->message);
    } else if (!keep_user(call, user)) {
        dreamd_call_refuse(call, 500, "Internal error", "Out of memory");
    } else {
        start_store_created(call);
    }
}

static dreamd_db_status settle_creation(dreamd_db *db, void *arg)
{
    dreamd_call *call = arg;
    struct customer *customer = call->state;
    dreamd_db_status status = dreamd_replay_claim(db, call);

    customer->is_refused = false;
    if (status != DREAMD_DB_OK || !dreamd_replay_is_fresh(call))
        return status;
    status = check_plan(db, call, create_failed);
    if (status == DREAMD_DB_OK && customer->is_refused)
        status = dreamd_replay_finish(db, call);
    return status;
}

static void on_creation_settled(dreamd_call *call)
{
    const struct customer *customer = call->state;
    dreamd_clerk_new_user wanted = {
        .email = customer->email,
        .password = customer->password,
        .first_name = customer->first_name,
        .last_name = customer->last_name,
        .publishable_key = call->project.publishable_key,
        .plan = customer->plan ? customer->plan : FREE_PLAN,
    };

    if (!dreamd_replay_is_fresh(call)) {
        dreamd_replay_set_answer(call);
        dreamd_call_send(call);
    } else if (customer->is_refused) {
        dreamd_call_send(call);
    } else {
        call->has_claim = call->key != NULL;
        dreamd_clerk_create_user(call->service->upstream, call->project.mode, &wanted, on_created, call);
    }
}

static bool read_creation(dreamd_call *call, struct customer *customer)
{
    if (!read_object(call, create_failed)
        || !dreamd_call_text(call, "email", DREAMD_MAX_EMAIL, create_failed, &customer->email)
        || !dreamd_call_text(call, "firstName", DREAMD_MAX_NAME, create_failed, &customer->first_name)
        || !dreamd_call_text(call, "lastName", DREAMD_MAX_NAME, create_failed, &customer->last_name)
        || !dreamd_call_text(call, "password", DREAMD_MAX_PASSWORD, create_failed, &customer->password)
        || !dreamd_call_text(call, "plan", DREAMD_MAX_PLAN, create_failed, &customer->plan))
        return false;
    if (customer->email)
        return true;
    dreamd_call_set_error(call, 400, "Missing required field", "email is required");
    return false;
}

void dreamd_customer_create(dreamd_call *call)
{
    struct customer *customer = customer_new(call);

    if (!customer)
        return;
    if (!read_creation(call, customer))
        dreamd_call_send(call);
    else if (call->key)
        dreamd_call_write(call, settle_creation, on_creation_settled);
    else
        dreamd_call_read(call, settle_creation, on_creation_settled);
}

/* ---- GET ---- */

static cJSON *customer_json(const dreamd_call *call, const struct customer *customer)
{
    cJSON *body = cJSON_CreateObject();
    cJSON *json = cJSON_CreateObject();
    bool is_ok = dream_json_set_string(json, "id", customer->id)
                 && dream_json_set_string(json, "email", customer->their_email)
                 && dream_json_set_string(json, "firstName", customer->their_first_name)
                 && dream_json_set_string(json, "lastName", customer->their_last_name)
                 && dream_json_set_string(json, "plan", customer->current_plan)
                 && dream_json_set_string(json, "publishableKey", call->project.publishable_key)
                 && dream_json_set_int(json, "createdAt", customer->created_at_ms);

    is_ok = dream_json_set(body, "customer", json) && is_ok;
    if (is_ok)
        return body;
    cJSON_Delete(body);
    return NULL;
}

static void on_looked(dreamd_call *call)
{
    const struct customer *customer = call->state;

    if (customer->is_own)
        dreamd_call_answer(call, 200, customer_json(call, customer));
    else
        refuse_foreign(call);
}

static void on_user(void *context, const dreamd_upstream_answer *answer, const dreamd_clerk_user *user)
{
    dreamd_call *call = context;

    if (answer->outcome == DREAMD_UPSTREAM_NOT_FOUND)
        dreamd_call_refuse(call, 404, "Customer not found", answer->message);
    else if (!user)
        dreamd_call_refuse_upstream(call, answer, get_failed);
    else if (!keep_user(call, user))
        dreamd_call_refuse(call, 500, "Internal error", "Out of memory");
    else
        dreamd_call_read(call, look, on_looked);
}

void dreamd_customer_get(dreamd_call *call)
{
    if (customer_new(call))
        dreamd_clerk_get_user(call->service->upstream, call->project.mode, call->tail, on_user, call);
}

/* ---- PATCH ---- */

static cJSON *updated_json(const struct customer *customer)
{
    cJSON *body = cJSON_CreateObject();
    cJSON *json = cJSON_CreateObject();
    bool is_ok = dream_json_set_bool(body, "success", true);

    is_ok = dream_json_set_string(json, "id", customer->id) && is_ok;
    is_ok = dream_json_set_string(json, "email", customer->their_email) && is_ok;
    is_ok = dream_json_set_string(json, "plan", customer->current_plan) && is_ok;
    is_ok = dream_json_set(body, "customer", json) && is_ok;
    if (is_ok)
        return body;
    cJSON_Delete(body);
    return NULL;
}

static dreamd_db_status store_updated(dreamd_db *db, void *arg)
{
    dreamd_call *call = arg;
    const struct customer *customer = call->state;
    dreamd_customer stored = {
        .user_id = customer->id,
        .email = customer->their_email,
        .plan = customer->plan, /* NULL leaves the stored one */
        .created_at_ms = customer->created_at_ms,
    };
    dreamd_db_status status = dreamd_customer_put(db, &call->project, &stored, call->now_ms);

    return status == DREAMD_DB_OK ? find_plan(db, call) : status;
}

static void on_updated_stored(dreamd_call *call)
{
    dreamd_call_answer(call, 200, updated_json(call->state));
}

static void on_merged(void *context, const dreamd_upstream_answer *answer, const dreamd_clerk_user *user)
{
    dreamd_call *call = context;

    if (answer->outcome == DREAMD_UPSTREAM_NOT_FOUND)
        dreamd_call_refuse(call, 404, update_failed, answer->message);
    else if (!user)
        dreamd_call_refuse_upstream(call, answer, update_failed);
    else
        dreamd_call_write(call, store_updated, on_updated_stored);
}

static dreamd_db_status look_before_update(dreamd_db *db, void *arg)
{
    dreamd_call *call = arg;
    struct customer *customer = call->state;
    dreamd_db_status status = look_at_owner(db, call);

    customer->is_refused = false;
    if (status == DREAMD_DB_OK && customer->is_own)
        status = check_plan(db, call, update_failed);
    if (status == DREAMD_DB_OK && customer->is_own)
        status = dreamd_plan_subscribed(db, &call->project, customer->id, call->arena, &customer->subscribed_plan);
    return status;
}

/* What the metadata is to say: the plan that will be in force. */
static const char *plan_to_tell(const struct customer *customer)
{
    if (customer->subscribed_plan)
        return customer->subscribed_plan;
    return customer->plan ? customer->plan : customer->current_plan;
}

static void on_looked_before_update(dreamd_call *call)
{
    struct customer *customer = call->state;
    cJSON *metadata = customer->metadata;
    bool is_ok = false;

    customer->metadata = NULL;
    if (!customer->is_own || customer->is_refused) {
        cJSON_Delete(metadata);
        if (customer->is_own)
            dreamd_call_send(call);
        else
            refuse_foreign(call);
        return;
    }
    is_ok = dream_json_set_string(metadata, "plan", plan_to_tell(customer));
    if (is_ok)
        dreamd_clerk_merge_metadata(call->service->upstream, call->project.mode, customer->id, metadata, on_merged,
                                    call);
    else
        dreamd_call_refuse(call, 500, "Internal error", "Out of memory");
    cJSON_Delete(metadata);
}

static void on_look_failed_or_done(void *arg, dreamd_db_status status)
{
    dreamd_call *call = arg;
    struct customer *customer = call->state;

    if (status == DREAMD_DB_OK) {
        on_looked_before_update(call);
        return;
    }
    cJSON_Delete(customer->metadata);
    dreamd_call_refuse_store(call, status);
}

static void on_user_to_update(void *context, const dreamd_upstream_answer *answer, const dreamd_clerk_user *user)
{
    dreamd_call *call = context;
    struct customer *customer = call->state;

    if (answer->outcome == DREAMD_UPSTREAM_NOT_FOUND) {
        dreamd_call_refuse(call, 404, update_failed, answer->message);
    } else if (!user) {
        dreamd_call_refuse_upstream(call, answer, update_failed);
    } else {
        customer->metadata = user->metadata ? cJSON_Duplicate(user->metadata, true) : cJSON_CreateObject();
        if (keep_user(call, user) && customer->metadata) {
            dreamd_store_read(call->service->store, look_before_update, on_look_failed_or_done, call);
        } else {
            cJSON_Delete(customer->metadata);
            dreamd_call_refuse(call, 500, "Internal error", "Out of memory");
        }
    }
}

void dreamd_customer_update(dreamd_call *call)
{
    struct customer *customer = customer_new(call);

    if (!customer)
        return;
    if (!read_object(call, update_failed)
        || !dreamd_call_text(call, "plan", DREAMD_MAX_PLAN, update_failed, &customer->plan))
        dreamd_call_send(call);
    else
        dreamd_clerk_get_user(call->service->upstream, call->project.mode, call->tail, on_user_to_update, call);
}

/* ---- DELETE ---- */

static cJSON *deleted_json(const struct customer *customer)
{
    cJSON *body = cJSON_CreateObject();
    cJSON *json = cJSON_CreateObject();
    bool is_ok = dream_json_set_bool(body, "success", true);

    is_ok = dream_json_set_string(body, "message", "Customer deleted successfully") && is_ok;
    is_ok = dream_json_set_string(json, "id", customer->id) && is_ok;
    is_ok = dream_json_set_string(json, "email", customer->their_email) && is_ok;
    is_ok = dream_json_set(body, "deleted", json) && is_ok;
    if (is_ok)
        return body;
    cJSON_Delete(body);
    return NULL;
}

static void refuse_gone(dreamd_call *call)
{
    dreamd_call_refuse(call, 404, "Customer not found", "Customer may have already been deleted");
}

static dreamd_db_status store_deleted(dreamd_db *db, void *arg)
{
    dreamd_call *call = arg;
    const struct customer *customer = call->state;
    bool is_found = false;

    return dreamd_customer_delete(db, &call->project, customer->id, call->now_ms, &is_found);
}

static void on_deleted_stored(dreamd_call *call)
{
    dreamd_call_answer(call, 200, deleted_json(call->state));
}

static void on_deleted(void *context, const dreamd_upstream_answer *answer)
{
    dreamd_call *call = context;

    /* Gone already is as good: a first try may have got this far. */
    if (answer->outcome == DREAMD_UPSTREAM_OK || answer->outcome == DREAMD_UPSTREAM_NOT_FOUND)
        dreamd_call_write(call, store_deleted, on_deleted_stored);
    else
        dreamd_call_refuse_upstream(call, answer, delete_failed);
}

static void on_looked_before_delete(dreamd_call *call)
{
    const struct customer *customer = call->state;

    if (customer->is_own)
        dreamd_clerk_delete_user(call->service->upstream, call->project.mode, customer->id, on_deleted, call);
    else
        refuse_foreign(call);
}

/* The provider no longer knows a customer that we still have: it was deleted there, or our first try ended half-way. */
static dreamd_db_status store_vanished(dreamd_db *db, void *arg)
{
    dreamd_call *call = arg;
    dreamd_customer stored = { 0 };
    bool is_found = false;
    dreamd_db_status status = dreamd_customer_find(db, &call->project, call->tail, call->arena, &stored, &is_found);

    if (status == DREAMD_DB_OK && is_found && !stored.is_deleted)
        status = dreamd_customer_delete(db, &call->project, call->tail, call->now_ms, &is_found);
    return status;
}

static void on_user_to_delete(void *context, const dreamd_upstream_answer *answer, const dreamd_clerk_user *user)
{
    dreamd_call *call = context;

    if (answer->outcome == DREAMD_UPSTREAM_NOT_FOUND)
        dreamd_call_write(call, store_vanished, refuse_gone);
    else if (!user)
        dreamd_call_refuse_upstream(call, answer, delete_failed);
    else if (!keep_user(call, user))
        dreamd_call_refuse(call, 500, "Internal error", "Out of memory");
    else
        dreamd_call_read(call, look, on_looked_before_delete);
}

void dreamd_customer_remove(dreamd_call *call)
{
    if (customer_new(call))
        dreamd_clerk_get_user(call->service->upstream, call->project.mode, call->tail, on_user_to_delete, call);
}
