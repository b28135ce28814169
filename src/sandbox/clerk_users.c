/* SPDX-License-Identifier: Apache-2.0 */
/* clerk_users.c - users: made, found, listed, changed, removed. The document is the object the API shows; passwords and the
 * claim to an address are documents beside it. */
#include "sandbox/clerk.h"

#include <stdlib.h>
#include <string.h>

#include "common/crypto.h"
#include "common/json.h"
#include "sandbox/password.h"

enum {
    MIN_PASSWORD = 8,
    MAX_PASSWORD = 72, /* bcrypt's limit, which Clerk states */
    MAX_EMAILS = 20,
    DEFAULT_PAGE = 10,
    MAX_PAGE = 500,
    MAX_OFFSET = 1000000000
};

static const char user_skeleton[] =
    "{\"id\":\"\",\"object\":\"user\",\"username\":null,\"first_name\":null,\"last_name\":null,\"locale\":null,"
    "\"image_url\":\"\",\"has_image\":false,\"primary_email_address_id\":null,\"primary_phone_number_id\":null,"
    "\"primary_web3_wallet_id\":null,\"password_enabled\":false,\"two_factor_enabled\":false,\"totp_enabled\":false,"
    "\"backup_code_enabled\":false,\"email_addresses\":[],\"phone_numbers\":[],\"web3_wallets\":[],\"passkeys\":[],"
    "\"external_accounts\":[],\"saml_accounts\":[],\"enterprise_accounts\":[],\"public_metadata\":{},"
    "\"private_metadata\":{},\"unsafe_metadata\":{},\"external_id\":null,\"last_sign_in_at\":null,\"banned\":false,"
    "\"locked\":false,\"lockout_expires_in_seconds\":null,\"verification_attempts_remaining\":100,"
    "\"created_at\":0,\"updated_at\":0,\"delete_self_enabled\":true,\"create_organization_enabled\":true,"
    "\"create_organizations_limit\":null,\"last_active_at\":null,\"mfa_enabled_at\":null,\"mfa_disabled_at\":null,"
    "\"legal_accepted_at\":null,\"bypass_client_trust\":false}";

static const char email_skeleton[] =
    "{\"id\":\"\",\"object\":\"email_address\",\"email_address\":\"\",\"reserved\":false,\"verification\":"
    "{\"object\":\"verification_admin\",\"status\":\"verified\",\"strategy\":\"admin\",\"attempts\":null,"
    "\"expire_at\":null},\"linked_to\":[],\"matches_sso_connection\":false,\"created_at\":0,\"updated_at\":0}";

static const char *const metadata_fields[] = { "public_metadata", "private_metadata", "unsafe_metadata" };
enum { METADATA_FIELDS = sizeof metadata_fields / sizeof *metadata_fields };

const char *clerk_primary_email(const cJSON *user)
{
    const char *primary = dream_json_string(user, "primary_email_address_id");
    const cJSON *address;
    cJSON_ArrayForEach(address, dream_json_get(user, "email_addresses"))
    {
        const char *id = dream_json_string(address, "id");
        if (primary && id && strcmp(id, primary) == 0)
            return dream_json_string(address, "email_address");
    }
    return NULL;
}

static sandbox_doc user_doc(sandbox_call *call, const cJSON *user)
{
    const char *email = clerk_primary_email(user);
    return (sandbox_doc){ "user", dream_json_string(user, "id"), NULL, email ? sandbox_lower(call, email) : NULL };
}

static cJSON *read_user(sandbox_call *call)
{
    cJSON *user = sandbox_read(call, "user", call->id);
    if (!user)
        clerk_not_found(call, "user", call->id);
    return user;
}

/* ---- what a request may set ---- */

static void set_texts(sandbox_call *call, cJSON *user)
{
    static const char *const names[] = { "first_name", "last_name", "username", "external_id", "locale" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (dream_json_get(call->params, names[i]))
            sandbox_set_text(call, user, names[i], clerk_body_text(call, names[i]));
}

static void set_flags(sandbox_call *call, cJSON *user)
{
    static const char *const names[] = { "delete_self_enabled", "create_organization_enabled", "bypass_client_trust" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const cJSON *value = dream_json_get(call->params, names[i]);
        if (value && !cJSON_IsNull(value))
            sandbox_set_bool(call, user, names[i], cJSON_IsTrue(value));
    }
    if (dream_json_get(call->params, "create_organizations_limit")) {
        int64_t limit = clerk_body_int(call, "create_organizations_limit", -1, 0, MAX_OFFSET);
        if (limit >= 0)
            sandbox_set_int(call, user, "create_organizations_limit", limit);
    }
}

/* The object given for a metadata field; NULL if absent or null. Refuses the call if it is something else. */
static const cJSON *given_metadata(sandbox_call *call, const char *name)
{
    const cJSON *value = dream_json_get(call->params, name);
    if (!value || cJSON_IsNull(value))
        return NULL;
    if (cJSON_IsObject(value))
        return value;
    clerk_error(call, 422, "form_param_type_invalid", "is invalid",
                sandbox_printf(call, "`%s` must be a `object`.", name), name);
    return NULL;
}

static void replace_metadata(sandbox_call *call, cJSON *user)
{
    for (size_t i = 0; i < METADATA_FIELDS; i++) {
        const cJSON *value = given_metadata(call, metadata_fields[i]);
        if (value)
            sandbox_embed(call, user, metadata_fields[i], value);
    }
}

/* Objects are merged member by member at every level; null removes a member. Depth is bounded by the parser. */
static void merge(sandbox_call *call, cJSON *into, const cJSON *from)
{
    const cJSON *member;
    cJSON_ArrayForEach(member, from)
    {
        cJSON *old = sandbox_member(into, member->string);
        if (cJSON_IsNull(member)) {
            cJSON_Delete(old ? cJSON_DetachItemViaPointer(into, old) : NULL);
        } else if (cJSON_IsObject(member)) {
            if (!cJSON_IsObject(old)) {
                cJSON *empty = cJSON_CreateObject();
                if (!dream_json_set(into, member->string, empty)) {
                    call->is_nomem = true;
                    return;
                }
                old = empty;
            }
            merge(call, old, member); /* also into a new object, so that nulls inside are dropped */
        } else {
            sandbox_embed(call, into, member->string, member);
        }
    }
}

static void set_password(sandbox_call *call, cJSON *user)
{
    char hash[SANDBOX_PASSWORD_HASH_SIZE];
    const char *password = clerk_body_text(call, "password");
    const char *id = dream_json_string(user, "id");
    if (!password || call->status != 0)
        return;
    size_t size = strlen(password);
    bool is_checked = !dream_json_bool(call->params, "skip_password_checks", false);
    if (size < MIN_PASSWORD && is_checked) {
        static const char message[] = "Passwords must be 8 characters or more.";
        clerk_error(call, 422, "form_password_length_too_short", message, message, "password");
        return;
    }
    if (size > MAX_PASSWORD) {
        static const char message[] = "Passwords must be less than 72 characters.";
        clerk_error(call, 422, "form_password_length_too_long", message, message, "password");
        return;
    }
    cJSON *kept = sandbox_skeleton(call, "{}");
    if (!kept || !sandbox_password_hash(password, hash)) {
        call->is_nomem = true;
        return;
    }
    sandbox_set_text(call, kept, "hash", hash);
    (void)sandbox_doc_delete(call->tx, &call->scope, "password", id);
    (void)sandbox_insert(call, &(sandbox_doc){ "password", id, NULL, NULL }, kept);
    sandbox_set_bool(call, user, "password_enabled", true);
    sandbox_set_int(call, user, "password_last_updated_at", call->now_ms);
}

/* Claims one address for the user and adds it to the object. */
static void add_email(sandbox_call *call, cJSON *user, const char *address)
{
    if (!sandbox_is_email(address)) {
        clerk_error(call, 422, "form_param_format_invalid", "is invalid",
                    "Email address must be a valid email address.", "email_address");
        return;
    }
    cJSON *email = sandbox_skeleton(call, email_skeleton);
    cJSON *claim = sandbox_skeleton(call, "{}");
    const char *id = sandbox_new_id(call, "idn_", 27);
    const char *user_id = dream_json_string(user, "id");
    const char *key = sandbox_lower(call, address);
    if (!email || !claim || !id || !key)
        return;
    sandbox_set_text(call, claim, "user_id", user_id);
    if (!sandbox_insert(call, &(sandbox_doc){ "email", key, user_id, NULL }, claim)) {
        static const char message[] = "That email address is taken. Please try another.";
        clerk_error(call, 422, "form_identifier_exists", message, message, "email_address");
        return;
    }
    sandbox_set_text(call, email, "id", id);
    sandbox_set_text(call, email, "email_address", key);
    sandbox_set_int(call, email, "created_at", call->now_ms);
    sandbox_set_int(call, email, "updated_at", call->now_ms);
    sandbox_append(call, sandbox_member(user, "email_addresses"), email);
    if (!dream_json_string(user, "primary_email_address_id"))
        sandbox_set_text(call, user, "primary_email_address_id", id);
}

static void add_emails(sandbox_call *call, cJSON *user)
{
    const cJSON *list = dream_json_get(call->params, "email_address");
    const cJSON *address;
    if (cJSON_GetArraySize(list) == 0) {
        clerk_error(call, 422, "form_data_missing", "missing data",
                    "[\"email_address\"] data doesn't match user requirements set for this instance", "email_address");
        return;
    }
    if (!cJSON_IsArray(list) || cJSON_GetArraySize(list) > MAX_EMAILS) {
        clerk_error(call, 422, "form_param_type_invalid", "is invalid", "`email_address` must be a `array`.",
                    "email_address");
        return;
    }
    cJSON_ArrayForEach(address, list) add_email(call, user, cJSON_IsString(address) ? address->valuestring : "");
}

static void set_image(sandbox_call *call, cJSON *user)
{
    /* Clerk draws one from the initials; the sandbox draws none, but clients want an address here. */
    sandbox_set_text(call, user, "image_url", sandbox_printf(call, "%s/no-image", call->instance->url));
}

/* ---- handlers ---- */

void clerk_user_create(sandbox_call *call)
{
    cJSON *user = sandbox_skeleton(call, user_skeleton);
    const char *id = sandbox_new_id(call, "user_", 27);
    if (!user || !id)
        return;
    sandbox_set_text(call, user, "id", id);
    sandbox_set_int(call, user, "created_at", call->now_ms);
    sandbox_set_int(call, user, "updated_at", call->now_ms);
    set_image(call, user);
    set_texts(call, user);
    set_flags(call, user);
    replace_metadata(call, user);
    add_emails(call, user);
    if (call->status != 0) /* before the slow part */
        return;
    set_password(call, user);
    sandbox_doc doc = user_doc(call, user);
    (void)sandbox_insert(call, &doc, user);
    clerk_emit(call, "user.created", user, id);
    sandbox_answer_json(call, 200, user);
}

void clerk_user_get(sandbox_call *call)
{
    sandbox_answer_json(call, 200, read_user(call));
}

/* Saves what changed and answers it, unless the call was refused meanwhile. */
static void finish_change(sandbox_call *call, cJSON *user)
{
    sandbox_set_int(call, user, "updated_at", call->now_ms);
    sandbox_doc doc = user_doc(call, user);
    (void)sandbox_update(call, &doc, user);
    clerk_emit(call, "user.updated", user, doc.id);
    sandbox_answer_json(call, 200, user);
}

static void set_primary_email(sandbox_call *call, cJSON *user)
{
    const char *wanted = clerk_body_text(call, "primary_email_address_id");
    const cJSON *address;
    if (!wanted)
        return;
    cJSON_ArrayForEach(address, dream_json_get(user, "email_addresses"))
    {
        const char *id = dream_json_string(address, "id");
        if (id && strcmp(id, wanted) == 0) {
            sandbox_set_text(call, user, "primary_email_address_id", wanted);
            return;
        }
    }
    clerk_not_found(call, "email address", wanted);
}

void clerk_user_update(sandbox_call *call)
{
    cJSON *user = read_user(call);
    if (!user)
        return;
    set_texts(call, user);
    set_flags(call, user);
    replace_metadata(call, user);
    set_primary_email(call, user);
    set_password(call, user);
    finish_change(call, user);
}

void clerk_user_merge_metadata(sandbox_call *call)
{
    cJSON *user = read_user(call);
    if (!user)
        return;
    for (size_t i = 0; i < METADATA_FIELDS; i++) {
        const cJSON *given = given_metadata(call, metadata_fields[i]);
        if (given)
            merge(call, sandbox_member(user, metadata_fields[i]), given);
    }
    finish_change(call, user);
}

void clerk_user_delete(sandbox_call *call)
{
    cJSON *deleted = sandbox_skeleton(call, "{\"id\":\"\",\"object\":\"user\",\"deleted\":true}");
    if (!sandbox_doc_delete(call->tx, &call->scope, "user", call->id)) {
        clerk_not_found(call, "user", call->id);
        return;
    }
    (void)sandbox_doc_delete(call->tx, &call->scope, "password", call->id);
    (void)sandbox_doc_delete_children(call->tx, &call->scope, "email", call->id);
    (void)sandbox_doc_delete_children(call->tx, &call->scope, "session", call->id);
    sandbox_set_text(call, deleted, "id", call->id);
    clerk_emit(call, "user.deleted", deleted, call->id);
    sandbox_answer_json(call, 200, deleted);
}

void clerk_user_verify_password(sandbox_call *call)
{
    const cJSON *user = read_user(call);
    const char *password = clerk_body_text(call, "password");
    if (!user || call->status != 0)
        return;
    const cJSON *kept = sandbox_read(call, "password", call->id);
    if (!kept) {
        static const char message[] = "This user has no password set.";
        clerk_error(call, 400, "no_password_set", message, message, NULL);
    } else if (!password || !sandbox_password_matches(password, dream_json_string(kept, "hash"))) {
        static const char message[] = "Password is incorrect. Try again, or use another method.";
        clerk_error(call, 422, "form_password_incorrect", message, message, "password");
    } else {
        sandbox_answer_json(call, 200, sandbox_skeleton(call, "{\"verified\":true}"));
    }
}

/* ---- lists ---- */

typedef struct user_list {
    sandbox_call *call;
    cJSON **users; /* kept by the call */
    size_t count;
    size_t capacity;
    size_t enough; /* stop there; 0: all are wanted */
} user_list;

static bool is_listed(const cJSON *wanted, const char *value)
{
    const cJSON *one;
    if (cJSON_GetArraySize(wanted) == 0)
        return true;
    cJSON_ArrayForEach(
        one, wanted) if (value && cJSON_IsString(one) && strcasecmp(one->valuestring, value) == 0) return true;
    return false;
}

static bool has_text(const char *text, const char *part)
{
    return text && strcasestr(text, part) != NULL;
}

/* `query` matches a part of the id, the names or an address. */
static bool matches_query(const cJSON *user, const char *query)
{
    static const char *const names[] = { "id", "first_name", "last_name", "username" };
    const cJSON *address;
    if (!query)
        return true;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (has_text(dream_json_string(user, names[i]), query))
            return true;
    cJSON_ArrayForEach(
        address, dream_json_get(user, "email_addresses")) if (has_text(dream_json_string(address, "email_address"),
                                                                       query)) return true;
    return false;
}

static bool is_wanted(sandbox_call *call, const cJSON *user)
{
    const cJSON *address;
    const cJSON *wanted = dream_json_get(call->params, "email_address");
    bool has_address = cJSON_GetArraySize(wanted) == 0;
    cJSON_ArrayForEach(address, dream_json_get(user, "email_addresses")) has_address =
        has_address || is_listed(wanted, dream_json_string(address, "email_address"));
    return has_address && is_listed(dream_json_get(call->params, "user_id"), dream_json_string(user, "id"))
           && is_listed(dream_json_get(call->params, "external_id"), dream_json_string(user, "external_id"))
           && is_listed(dream_json_get(call->params, "username"), dream_json_string(user, "username"))
           && matches_query(user, clerk_query(call, "query"));
}

static bool collect(void *context, cJSON *json)
{
    user_list *list = context;
    if (!is_wanted(list->call, json)) {
        cJSON_Delete(json);
        return true;
    }
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 64;
        cJSON **users = realloc(list->users, capacity * sizeof *users);
        if (!users) {
            cJSON_Delete(json);
            list->call->is_nomem = true;
            return false;
        }
        list->users = users;
        list->capacity = capacity;
    }
    if (!sandbox_keep(list->call, json))
        return false;
    list->users[list->count++] = json;
    return !list->enough || list->count < list->enough;
}

/* Address by address: each is a look-up, where a scan would read every user. */
static void collect_by_email(user_list *list)
{
    const cJSON *address;
    cJSON_ArrayForEach(address, dream_json_get(list->call->params, "email_address"))
    {
        const cJSON *claim = sandbox_read(list->call, "email", sandbox_lower(list->call, address->valuestring));
        const char *id = dream_json_string(claim, "user_id");
        cJSON *user = id ? sandbox_doc_read(list->call->tx, &list->call->scope, "user", id) : NULL;
        bool is_new = user != NULL;
        for (size_t i = 0; is_new && i < list->count; i++)
            is_new = strcmp(dream_json_string(list->users[i], "id"), id) != 0;
        if (!is_new)
            cJSON_Delete(user);
        else if (!collect(list, user))
            return;
    }
}

static void collect_users(user_list *list, bool is_oldest_first)
{
    if (cJSON_GetArraySize(dream_json_get(list->call->params, "email_address")) > 0)
        collect_by_email(list);
    else
        sandbox_doc_scan(list->call->tx, &list->call->scope,
                         &(sandbox_scan){ .kind = "user", .is_oldest_first = is_oldest_first }, collect, list);
}

/* What lists may be ordered by, beside the order of creation. */
static const char *const order_fields[] = { "created_at", "updated_at",    "first_name",      "last_name",
                                            "username",   "email_address", "last_sign_in_at", "last_active_at" };

static int compare_field(const cJSON *a, const cJSON *b, const char *field)
{
    if (strcmp(field, "email_address") == 0) {
        const char *left = clerk_primary_email(a);
        const char *right = clerk_primary_email(b);
        return strcasecmp(left ? left : "", right ? right : "");
    }
    int64_t left = 0, right = 0;
    bool is_left = dream_json_int(a, field, &left);
    bool is_right = dream_json_int(b, field, &right);
    if (is_left || is_right) /* a time that is not there counts as the earliest */
        return left < right ? -1 : left > right;
    const char *left_text = dream_json_string(a, field);
    const char *right_text = dream_json_string(b, field);
    return strcasecmp(left_text ? left_text : "", right_text ? right_text : "");
}

/* Insertion keeps the order of creation among equals; lists in a sandbox are short and nearly sorted. */
static void sort_users(user_list *list, const char *field, int direction)
{
    for (size_t i = 1; i < list->count; i++) {
        cJSON *user = list->users[i];
        size_t at = i;
        for (; at > 0 && direction * compare_field(list->users[at - 1], user, field) > 0; at--)
            list->users[at] = list->users[at - 1];
        list->users[at] = user;
    }
}

/* "-created_at", "+email_address" ...; NULL, and the call refused, for an unknown field. */
static const char *read_order(sandbox_call *call, int *direction)
{
    const char *order = clerk_query(call, "order_by");
    *direction = -1;
    if (!order)
        return order_fields[0];
    if (*order != '-')
        *direction = 1;
    if (*order == '-' || *order == '+' || *order == ' ') /* a plus that was not escaped reads as a blank */
        order++;
    for (size_t i = 0; i < sizeof order_fields / sizeof *order_fields; i++)
        if (strcmp(order, order_fields[i]) == 0)
            return order_fields[i];
    clerk_error(call, 422, "form_param_value_invalid", "is invalid",
                sandbox_printf(call, "%s is not an order users can be listed in.", order), "order_by");
    return NULL;
}

void clerk_user_list(sandbox_call *call)
{
    int direction;
    const char *order = read_order(call, &direction);
    size_t limit = (size_t)clerk_query_int(call, "limit", DEFAULT_PAGE, 1, MAX_PAGE);
    size_t offset = (size_t)clerk_query_int(call, "offset", 0, 0, MAX_OFFSET);
    cJSON *answer = sandbox_skeleton(call, "[]");
    if (call->status != 0 || !answer)
        return;
    bool is_creation = order == order_fields[0];
    user_list list = { .call = call, .enough = is_creation ? offset + limit : 0 };
    collect_users(&list, is_creation && direction > 0);
    if (!is_creation)
        sort_users(&list, order, direction);
    for (size_t i = offset; i < list.count && i - offset < limit; i++)
        sandbox_append(call, answer, list.users[i]);
    free(list.users);
    sandbox_answer_json(call, 200, answer);
}

void clerk_user_count(sandbox_call *call)
{
    cJSON *answer = sandbox_skeleton(call, "{\"object\":\"total_count\",\"total_count\":0}");
    user_list list = { .call = call };
    collect_users(&list, false);
    free(list.users);
    sandbox_set_int(call, answer, "total_count", (int64_t)list.count);
    sandbox_answer_json(call, 200, answer);
}
