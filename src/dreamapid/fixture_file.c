/* SPDX-License-Identifier: Apache-2.0 */
/* fixture_file.c - reads a fixture: first the platforms, which give the placeholders for keys and ids their values, then the
 * rows that use them. Rows have the field names of the hosted service's tables.
 * One thread; `arena` and the document must outlive the result. */
#include "dreamapid/fixture_file.h"

#include <stdio.h>
#include <string.h>

#include "common/crypto.h"
#include "common/ids.h"
#include "common/json.h"
#include "common/timefmt.h"
#include "dreamapid/record.h"

enum {
    ERROR_SIZE = 256,
    MAX_ID = 120,
    MAX_EMAIL = 250,
    MAX_PLAN = DREAMD_PLAN_SIZE - 1,
    MAX_WORD = DREAMD_WORD_SIZE - 1,
    MAX_RATE = 10000, /* each is one statement; more than any rate limit a test needs */
    MAX_GRACE_DAYS = 3650,
    PAID_DAYS = 14 /* how far ahead the period of a paying platform ends */
};

static const int64_t day_ms = INT64_C(24) * 60 * 60 * 1000;

struct reader {
    dreamd_fixture *fixture;
    dream_arena *arena;
    char *error;
    int64_t now_ms;
    size_t connected; /* platforms with a Stripe account so far */
};

static bool refuse(struct reader *reader, const char *where, const char *why)
{
    (void)snprintf(reader->error, ERROR_SIZE, "%.100s: %.150s", where, why);
    return false;
}

/* ---- the platform's own billing, in prose ---- */

static bool is_billing_status(const char *text, size_t size)
{
    static const char *const words[] = { "active",     "trialing",           "past_due", "canceled", "unpaid",
                                         "incomplete", "incomplete_expired", "paused",   NULL };
    for (size_t i = 0; words[i]; i++) {
        if (strlen(words[i]) == size && memcmp(words[i], text, size) == 0)
            return true;
    }
    return false;
}

/* Is `text` the format with one number from 0 on in it, to the last letter? */
static bool has_days(const char *text, const char *before, const char *after, int64_t *out_days)
{
    size_t size = strlen(before);
    int64_t days = 0;
    if (strncmp(text, before, size) != 0 || text[size] < '0' || text[size] > '9')
        return false;
    for (text += size; *text >= '0' && *text <= '9' && days <= MAX_GRACE_DAYS; text++)
        days = 10 * days + (*text - '0');
    if (days > MAX_GRACE_DAYS || strncmp(text, " day", 4) != 0)
        return false;
    text += text[4] == 's' ? 5 : 4; /* "1 day", "5 days" */
    *out_days = days;
    return strcmp(text, after) == 0;
}

bool dreamd_fixture_read_billing(const char *prose, int64_t now_ms, dreamd_platform *out)
{
    size_t size = strcspn(prose, ",");
    int64_t days = 0;
    bool is_ended = false;
    out->subscription_status[0] = '\0';
    out->has_current_period_end = false;
    out->current_period_end_ms = 0;
    if (strcmp(prose, "no record") == 0)
        return true;
    if (!is_billing_status(prose, size))
        return false;
    memcpy(out->subscription_status, prose, size);
    out->subscription_status[size] = '\0';
    if (prose[size] == '\0') { /* nothing is said about a period: one runs, unless the word says that it does not */
        out->has_current_period_end = strcmp(prose, "active") == 0 || strcmp(prose, "trialing") == 0;
        out->current_period_end_ms = out->has_current_period_end ? now_ms + PAID_DAYS * day_ms : 0;
        return true;
    }
    if (has_days(prose + size, ", grace ended ", " ago", &days))
        is_ended = true;
    else if (!has_days(prose + size, ", ", " of grace left", &days))
        return false;
    out->has_current_period_end = true;
    out->current_period_end_ms = now_ms - DREAMD_GRACE_DAYS * day_ms + (is_ended ? -days : days) * day_ms;
    return true;
}

/* ---- platforms and projects ---- */

static bool copy_text(struct reader *reader, const char *where, const char *text, char *out, size_t size)
{
    if (!text)
        return refuse(reader, where, "out of memory or randomness");
    if (strlen(text) >= size)
        return refuse(reader, where, "this is too long");
    memcpy(out, text, strlen(text) + 1);
    return true;
}

/* "<platform-other>" and "live" give "<connected-token-live-other>"; the plain "<platform>" gives the plain name. */
static bool make_token(struct reader *reader, const char *platform, enum dreamd_mode mode,
                       dreamd_stripe_account *account)
{
    static const char word[] = "<platform";
    char name[DREAMD_RECORD_NAME_SIZE], prefix[24];
    bool is_plain = strncmp(platform, word, sizeof word - 1) != 0;
    (void)snprintf(name, sizeof name, "<connected-token-%s%s%.60s%s", dreamd_mode_text(mode), is_plain ? "-" : "",
                   is_plain ? platform : platform + sizeof word - 1, is_plain ? ">" : "");
    (void)snprintf(prefix, sizeof prefix, "sk_%s_", dreamd_mode_text(mode));
    return copy_text(reader, name, dreamd_placeholder_make(&reader->fixture->placeholders, name, prefix, 24),
                     account->access_token, sizeof account->access_token);
}

/* Accounts are called acct_a, acct_b, ... in the order of the platforms; both modes of a platform have the same one. */
static bool connect_stripe(struct reader *reader, const char *name, dreamd_fixture_platform *out)
{
    if (reader->connected >= 26)
        return refuse(reader, name, "no more than 26 platforms may have a Stripe account");
    for (int mode = 0; mode < DREAMD_MODES; mode++) {
        (void)snprintf(out->accounts[mode].account_id, sizeof out->accounts[mode].account_id, "acct_%c",
                       (char)('a' + (int)reader->connected));
        if (!make_token(reader, name, (enum dreamd_mode)mode, &out->accounts[mode]))
            return false;
    }
    reader->connected++;
    out->is_stripe_connected = true;
    return true;
}

static bool is_project_type(const char *type)
{
    return strcmp(type, "saas") == 0 || strcmp(type, "store") == 0 || strcmp(type, "membership") == 0;
}

static bool set_keys(struct reader *reader, dreamd_record *record, const char *pk, const char *sk,
                     dreamd_fixture_project *out)
{
    char prefix[16];
    const char *mode = dreamd_mode_text(out->project.mode);
    (void)snprintf(prefix, sizeof prefix, "pk_%s_", mode);
    pk = dreamd_placeholder_make(&reader->fixture->placeholders, pk, prefix, 16);
    if (pk && strncmp(pk, prefix, strlen(prefix)) != 0)
        dreamd_record_refuse(record, "pk", "must begin with pk_live_ or pk_test_, as its mode says");
    (void)snprintf(prefix, sizeof prefix, "sk_%s_", mode);
    sk = dreamd_placeholder_make(&reader->fixture->placeholders, sk, prefix, 32);
    if (sk && strncmp(sk, prefix, strlen(prefix)) != 0)
        dreamd_record_refuse(record, "sk", "must begin with sk_live_ or sk_test_, as its mode says");
    if (record->is_bad)
        return false;
    if (!sk)
        return refuse(reader, record->name, "out of memory or randomness");
    out->secret_key = sk; /* of the placeholders or the document: both outlive it, and the placeholders are wiped */
    return copy_text(reader, record->name, pk, out->project.publishable_key, sizeof out->project.publishable_key);
}

static bool read_project(struct reader *reader, const cJSON *object, const char *where,
                         const dreamd_fixture_platform *owner, dreamd_fixture_project *out)
{
    static const char *const fields[] = { "pk", "sk", "mode", "type", "name", "tax", "status", "tiers", NULL };
    const char *pk = NULL, *sk = NULL, *mode = "live", *type = "saas", *name = "App", *status = "active";
    dreamd_project *project = &out->project;
    dreamd_record record = dreamd_record_open(object, where, fields, reader->error);
    dreamd_record_text(&record, "pk", MAX_ID, DREAMD_RECORD_NEEDED, &pk);
    dreamd_record_text(&record, "sk", MAX_ID, DREAMD_RECORD_NEEDED, &sk);
    dreamd_record_text(&record, "mode", MAX_WORD, 0, &mode);
    dreamd_record_text(&record, "type", MAX_WORD, 0, &type);
    dreamd_record_text(&record, "name", DREAMD_NAME_SIZE - 1, DREAMD_RECORD_NULL_IS_ABSENT, &name);
    dreamd_record_text(&record, "status", MAX_WORD, 0, &status);
    dreamd_record_bool(&record, "tax", &project->is_tax_enabled);
    if (!dreamd_mode_parse(mode, &project->mode))
        dreamd_record_refuse(&record, "mode", "must be live or test");
    if (!is_project_type(type))
        dreamd_record_refuse(&record, "type", "must be saas, store or membership");
    if (strcmp(status, "active") != 0 && strcmp(status, "revoked") != 0)
        dreamd_record_refuse(&record, "status", "must be active or revoked");
    if (record.is_bad || !set_keys(reader, &record, pk, sk, out))
        return false;
    out->is_revoked = strcmp(status, "revoked") == 0;
    memcpy(project->platform_id, owner->platform.platform_id, sizeof project->platform_id);
    memcpy(project->subscription_status, owner->platform.subscription_status, sizeof project->subscription_status);
    project->has_current_period_end = owner->platform.has_current_period_end;
    project->current_period_end_ms = owner->platform.current_period_end_ms;
    if (!dream_random_id("prj_", 16, project->project_id))
        return refuse(reader, where, "out of randomness");
    return copy_text(reader, where, type, project->type, sizeof project->type)
           && copy_text(reader, where, name, project->name, sizeof project->name)
           && (!dream_json_get(object, "tiers")
               || dreamd_tiers_read(dream_json_get(object, "tiers"), DREAMD_TIERS_MADE, reader->arena, &out->tiers,
                                    reader->error));
}

static bool read_projects(struct reader *reader, const cJSON *array, const char *name, dreamd_fixture_platform *out)
{
    const cJSON *item;
    char where[DREAMD_RECORD_NAME_SIZE];
    if (!cJSON_IsArray(array))
        return refuse(reader, name, "\"projects\" must be a list");
    out->projects = dream_arena_alloc(reader->arena, ((size_t)cJSON_GetArraySize(array) + 1) * sizeof *out->projects);
    if (!out->projects)
        return refuse(reader, name, "out of memory");
    cJSON_ArrayForEach(item, array)
    {
        (void)snprintf(where, sizeof where, "%.60s projects[%zu]", name, out->project_count);
        if (!read_project(reader, item, where, out, &out->projects[out->project_count]))
            return false;
        out->project_count++;
    }
    return true;
}

static bool read_platform(struct reader *reader, const cJSON *object, dreamd_fixture_platform *out)
{
    static const char *const fields[] = { "subscription", "stripe_connected", "email", "projects", NULL };
    const char *billing = "no record", *email = "";
    bool is_connected = false;
    const char *name = object->string;
    dreamd_record record = dreamd_record_open(object, name, fields, reader->error);
    dreamd_record_text(&record, "subscription", MAX_EMAIL, DREAMD_RECORD_NULL_IS_ABSENT, &billing);
    dreamd_record_text(&record, "email", MAX_EMAIL, DREAMD_RECORD_NULL_IS_ABSENT, &email);
    dreamd_record_bool(&record, "stripe_connected", &is_connected);
    if (!dreamd_fixture_read_billing(billing, reader->now_ms, &out->platform))
        dreamd_record_refuse(&record, "subscription",
                             "must be as \"active\", \"no record\", \"past_due\", \"canceled, grace "
                             "ended 3 days ago\" or \"canceled, 3 days of grace left\"");
    if (record.is_bad)
        return false;
    return copy_text(reader, name, dreamd_placeholder_make(&reader->fixture->placeholders, name, "plt_", 16),
                     out->platform.platform_id, sizeof out->platform.platform_id)
           && copy_text(reader, name, email, out->platform.email, sizeof out->platform.email)
           && (!is_connected || connect_stripe(reader, name, out))
           && read_projects(reader, dream_json_get(object, "projects"), name, out);
}

static bool read_platforms(struct reader *reader, const cJSON *fixture)
{
    const cJSON *all = dream_json_get(fixture, "platforms");
    const cJSON *item;
    if (!cJSON_IsObject(all))
        return refuse(reader, "the fixture", "\"platforms\" must be an object from platform id to platform");
    reader->fixture->platforms =
        dream_arena_alloc(reader->arena, ((size_t)cJSON_GetArraySize(all) + 1) * sizeof *reader->fixture->platforms);
    if (!reader->fixture->platforms)
        return refuse(reader, "the fixture", "out of memory");
    cJSON_ArrayForEach(item, all)
    {
        if (!read_platform(reader, item, &reader->fixture->platforms[reader->fixture->platform_count]))
            return false;
        reader->fixture->platform_count++;
    }
    return true;
}

/* ---- rows ---- */

static const dreamd_project *project_of(const dreamd_fixture *fixture, const char *publishable_key)
{
    for (size_t i = 0; i < fixture->platform_count; i++) {
        const dreamd_fixture_platform *platform = &fixture->platforms[i];
        for (size_t j = 0; j < platform->project_count; j++) {
            if (strcmp(platform->projects[j].project.publishable_key, publishable_key) == 0)
                return &platform->projects[j].project;
        }
    }
    return NULL;
}

/* What every row has: the project, by its publishable key, and the user ("clerkUserId" is the same thing). */
static void read_owner(struct reader *reader, dreamd_record *record, const dreamd_project **out_project,
                       const char **out_user)
{
    const char *key = NULL;
    bool is_clerk_name = dream_json_get(record->object, "clerkUserId") != NULL;
    dreamd_record_text(record, "publishableKey", MAX_ID, DREAMD_RECORD_NEEDED, &key);
    dreamd_record_text(record, is_clerk_name ? "clerkUserId" : "userId", MAX_ID, DREAMD_RECORD_NEEDED, out_user);
    if (record->is_bad)
        return;
    *out_project = project_of(reader->fixture, key);
    if (!*out_project)
        dreamd_record_refuse(record, "publishableKey", "must be that of a project in this fixture");
}

/* "2026-11-23" or a whole ISO time; a day alone is its first moment. */
static void read_time(dreamd_record *record, const char *field, int64_t *out_ms)
{
    const char *text = NULL;
    int32_t day = 0;
    dreamd_record_text(record, field, MAX_ID, DREAMD_RECORD_NULL_IS_ABSENT, &text);
    if (!text || dream_iso_parse(text, out_ms))
        return;
    if (strlen(text) == 10 && dream_day_parse(text, &day))
        *out_ms = day * day_ms;
    else
        dreamd_record_refuse(record, field, "must be a day (YYYY-MM-DD) or an ISO 8601 time");
}

static void read_day(dreamd_record *record, const char *field, int32_t *out_day)
{
    const char *text = NULL;
    dreamd_record_text(record, field, MAX_ID, DREAMD_RECORD_NULL_IS_ABSENT, &text);
    if (text && !dream_day_parse(text, out_day))
        dreamd_record_refuse(record, field, "must be a day, YYYY-MM-DD");
}

static bool read_user(struct reader *reader, dreamd_record *record, void *row)
{
    const unsigned optional = DREAMD_RECORD_NULL_IS_ABSENT;
    dreamd_fixture_user *out = row;
    dreamd_customer *customer = &out->customer;
    const char *status = "active";
    read_owner(reader, record, &out->project, &customer->user_id);
    dreamd_record_text(record, "email", MAX_EMAIL, optional, &customer->email);
    dreamd_record_text(record, "firstName", MAX_EMAIL, optional, &customer->first_name);
    dreamd_record_text(record, "lastName", MAX_EMAIL, optional, &customer->last_name);
    dreamd_record_text(record, "plan", MAX_PLAN, optional, &customer->plan);
    dreamd_record_text(record, "status", MAX_WORD, optional, &status);
    read_time(record, "createdAt", &customer->created_at_ms);
    if (strcmp(status, "active") != 0 && strcmp(status, "deleted") != 0)
        dreamd_record_refuse(record, "status", "must be active or deleted");
    customer->is_deleted = strcmp(status, "deleted") == 0;
    return !record->is_bad;
}

static bool read_usage(struct reader *reader, dreamd_record *record, void *row)
{
    dreamd_fixture_usage *out = row;
    dreamd_usage_row *usage = &out->row;
    usage->period_start_day = dream_day_of_ms(reader->now_ms);
    read_owner(reader, record, &out->project, &usage->user_id);
    dreamd_record_text(record, "plan", MAX_PLAN, DREAMD_RECORD_NULL_IS_ABSENT, &out->plan);
    dreamd_record_text(record, "meter", MAX_ID, DREAMD_RECORD_NULL_IS_ABSENT, &usage->meter);
    dreamd_record_int(record, "usageCount", 0, DREAM_JSON_MAX_INT, DREAMD_RECORD_NEEDED, &usage->used);
    read_day(record, "periodStart", &usage->period_start_day);
    usage->period_end_day = usage->period_start_day + DREAMD_PERIOD_DAYS - 1;
    read_day(record, "periodEnd", &usage->period_end_day);
    if (usage->period_end_day < usage->period_start_day)
        dreamd_record_refuse(record, "periodEnd", "must not be before periodStart");
    return !record->is_bad;
}

static bool read_subscription(struct reader *reader, dreamd_record *record, void *row)
{
    const unsigned optional = DREAMD_RECORD_NULL_IS_ABSENT;
    dreamd_fixture_subscription *out = row;
    dreamd_subscription *subscription = &out->subscription;
    int64_t created_ms = 0;
    *subscription = (dreamd_subscription)DREAMD_SUBSCRIPTION_INIT;
    read_owner(reader, record, &out->project, &subscription->user_id);
    dreamd_record_text(record, "subscriptionId", MAX_ID, optional, &subscription->subscription_id);
    dreamd_record_text(record, "stripeCustomerId", MAX_ID, optional, &subscription->stripe_customer_id);
    dreamd_record_text(record, "plan", MAX_PLAN, DREAMD_RECORD_NEEDED, &subscription->plan);
    dreamd_record_text(record, "status", MAX_WORD, DREAMD_RECORD_NEEDED, &subscription->status);
    dreamd_record_text(record, "priceId", MAX_ID, optional, &subscription->price_id);
    dreamd_record_text(record, "productId", MAX_ID, optional, &subscription->product_id);
    dreamd_record_text(record, "currency", MAX_WORD, optional, &subscription->currency);
    dreamd_record_text(record, "cancelReason", MAX_ID, optional, &subscription->cancel_reason);
    dreamd_record_int(record, "amount", 0, DREAM_JSON_MAX_INT, optional, &subscription->amount_minor);
    read_time(record, "currentPeriodEnd", &subscription->current_period_end_ms);
    read_time(record, "canceledAt", &subscription->canceled_at_ms);
    read_time(record, "createdAt", &created_ms);
    if (!subscription->subscription_id)
        subscription->subscription_id = "";
    /* Older than any event a test will send, unless the row says when. */
    out->created_s = created_ms / 1000;
    return !record->is_bad && dream_random_id("import_", 16, out->event_id);
}

static bool read_rate(struct reader *reader, dreamd_record *record, void *row)
{
    dreamd_fixture_rate *out = row;
    read_owner(reader, record, &out->project, &out->user_id);
    dreamd_record_int(record, "requestsThisMinute", 0, MAX_RATE, DREAMD_RECORD_NEEDED, &out->requests_this_minute);
    return !record->is_bad;
}

static const char *const user_fields[] = { "platformId", "publishableKey", "userId",    "clerkUserId",
                                           "email",      "status",         "plan",      "firstName",
                                           "lastName",   "createdAt",      "updatedAt", NULL };
static const char *const usage_fields[] = { "platformId", "publishableKey", "userId",      "clerkUserId",
                                            "plan",       "usageCount",     "periodStart", "periodEnd",
                                            "updatedAt",  "meter",          NULL };
static const char *const subscription_fields[] = {
    "platformId",   "publishableKey", "userId",    "clerkUserId", "subscriptionId", "stripeCustomerId", "plan",
    "status",       "priceId",        "productId", "amount",      "currency",       "currentPeriodEnd", "canceledAt",
    "cancelReason", "createdAt",      "updatedAt", NULL
};
static const char *const rate_fields[] = { "platformId",  "publishableKey",     "userId",
                                           "clerkUserId", "requestsThisMinute", NULL };

struct section {
    const char *name;
    const char *const *fields;
    size_t row_size;
    bool (*read)(struct reader *reader, dreamd_record *record, void *row);
};

/* Rows of one kind, in an array of their own. */
static bool read_section(struct reader *reader, cJSON *fixture, const struct section *section, void **out_rows,
                         size_t *out_count)
{
    char name[DREAMD_RECORD_NAME_SIZE], why[ERROR_SIZE];
    cJSON *array = cJSON_GetObjectItemCaseSensitive(fixture, section->name);
    const cJSON *item;
    if (!array)
        return true;
    if (!cJSON_IsArray(array))
        return refuse(reader, section->name, "must be a list of rows");
    if (!dreamd_placeholders_resolve(&reader->fixture->placeholders, array, why))
        return refuse(reader, section->name, why);
    char *rows = dream_arena_alloc(reader->arena, ((size_t)cJSON_GetArraySize(array) + 1) * section->row_size);
    if (!rows)
        return refuse(reader, section->name, "out of memory");
    *out_rows = rows;
    cJSON_ArrayForEach(item, array)
    {
        (void)snprintf(name, sizeof name, "%s[%zu]", section->name, *out_count);
        dreamd_record record = dreamd_record_open(item, name, section->fields, reader->error);
        if (!section->read(reader, &record, rows + *out_count * section->row_size))
            return record.is_bad ? false : refuse(reader, name, "out of memory or randomness");
        ++*out_count;
    }
    return true;
}

static bool read_rows(struct reader *reader, cJSON *fixture)
{
    dreamd_fixture *out = reader->fixture;
    static const struct section users = { "users", user_fields, sizeof(dreamd_fixture_user), read_user };
    static const struct section usage = { "usage", usage_fields, sizeof(dreamd_fixture_usage), read_usage };
    static const struct section subscriptions = { "subscriptions", subscription_fields,
                                                  sizeof(dreamd_fixture_subscription), read_subscription };
    static const struct section rates = { "rates", rate_fields, sizeof(dreamd_fixture_rate), read_rate };
    void *rows[4] = { NULL, NULL, NULL, NULL };
    bool is_read = read_section(reader, fixture, &users, &rows[0], &out->user_count)
                   && read_section(reader, fixture, &usage, &rows[1], &out->usage_count)
                   && read_section(reader, fixture, &subscriptions, &rows[2], &out->subscription_count)
                   && read_section(reader, fixture, &rates, &rows[3], &out->rate_count);
    out->users = rows[0];
    out->usage = rows[1];
    out->subscriptions = rows[2];
    out->rates = rows[3];
    return is_read;
}

bool dreamd_fixture_read(cJSON *document, int64_t now_ms, dream_arena *arena, dreamd_fixture *out,
                         char error[ERROR_SIZE])
{
    static const char *const fields[] = { "platforms", "users", "usage", "subscriptions", "rates", "note", NULL };
    struct reader reader = { out, arena, error, now_ms, 0 };
    cJSON *fixture = cJSON_GetObjectItemCaseSensitive(document, "fixture");
    *out = (dreamd_fixture){ .platforms = NULL };
    error[0] = '\0';
    if (!dreamd_placeholders_init(&out->placeholders, now_ms))
        return refuse(&reader, "the fixture", "out of memory");
    if (!fixture)
        fixture = document;
    dreamd_record record = dreamd_record_open(fixture, "the fixture", fields, error);
    return !record.is_bad && read_platforms(&reader, fixture) && read_rows(&reader, fixture);
}

void dreamd_fixture_clear(dreamd_fixture *fixture)
{
    for (size_t i = 0; i < fixture->platform_count; i++)
        dream_wipe(fixture->platforms[i].accounts, sizeof fixture->platforms[i].accounts);
    dreamd_placeholders_clear(&fixture->placeholders);
}
