/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_tenant_create.c - `dreamapid tenant create`: a platform's project with its tiers and first key pair, without a browser.
 *
 * Everything is checked first; then product and price of each priced tier are made at the provider; then all rows are written
 * in one transaction. The provider cannot take part in that, so each of its calls carries an idempotency key computed from
 * what it asks for: a second run after a failure gets the first run's products, not new ones. For the same reason a new
 * platform's id is computed, not drawn.
 * One thread; `serve` may be running on the same database. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/buffer.h"
#include "common/crypto.h"
#include "common/encoding.h"
#include "common/ids.h"
#include "common/json.h"
#include "common/timefmt.h"
#include "dreamapid/command.h"
#include "dreamapid/database.h"
#include "dreamapid/environment.h"
#include "dreamapid/sandbox_link.h"
#include "dreamapid/text_file.h"
#include "dreamapid/tiers_file.h"
#include "service/provider/stripe.h"
#include "service/store/audit.h"
#include "service/store/keys.h"
#include "service/store/tenants.h"

enum {
    ERROR_SIZE = 256,
    PROGRESS_AFTER_MS = 2000,
    SANDBOX_DRAIN_MS = 2000,
    IDEMPOTENCY_SIZE = 80,
    PLATFORM_ID_BYTES = 16
};

enum {
    OPTION_DB,
    OPTION_EMAIL,
    OPTION_TIERS,
    OPTION_MODE,
    OPTION_PROJECT,
    OPTION_TYPE,
    OPTION_ACCOUNT,
    OPTION_SANDBOX,
    OPTION_ENV_FILE
};

static const dreamd_option options[] = {
    { "db", "PATH", "the database, made if absent (default: see below)" },
    { "email", "ADDRESS", "the developer's; needed. A platform that has it is used again" },
    { "tiers", "FILE", "JSON: {\"tiers\":[{\"name\",\"displayName\",\"price\",\"limit\",...}]}; needed" },
    { "mode", "live|test", "which keys to make (default live)" },
    { "project", "NAME", "the project's name (default App)" },
    { "type", "TYPE", "saas, store or membership (default saas)" },
    { "stripe-account", "ACCT", "the developer's connected account (default: the stored one, else a new one)" },
    { "sandbox", NULL, "make the products in this database's sandbox, whatever the settings say" },
    { "env-file", "FILE", "settings for what the environment does not set" },
    { NULL, NULL, NULL },
};

/* What the words on the command line ask for. */
struct wish {
    const char *email;
    const char *tiers_file;
    const char *project_name;
    const char *type;
    const char *account_id; /* NULL: not said */
    enum dreamd_mode mode;
    bool is_sandbox;
};

struct tenant {
    const struct wish *wish;
    const char *db_path;
    dreamd_settings settings;
    dream_arena *arena;
    cJSON *document;
    dreamd_tier_set tiers;
    dreamd_store *store;
    sandbox *box;
    dreamd_upstream *upstream;

    dreamd_platform platform;
    bool is_new_platform;
    bool is_id_taken; /* by a developer whose address changed since */
    bool is_project_there;
    dreamd_stripe_account account;
    bool is_new_account;
    dreamd_project project;
    char secret_key[DREAMD_KEY_SIZE];
    int64_t now_ms;
    char error[ERROR_SIZE];
};

/* ---- what is wanted ---- */

static bool is_email(const char *text)
{
    const char *at = strchr(text, '@');
    size_t size = strlen(text);
    for (size_t i = 0; i < size; i++) {
        if (isspace((unsigned char)text[i]) || iscntrl((unsigned char)text[i]))
            return false;
    }
    return at && at > text && at[1] && !strchr(at + 1, '@') && size <= 254;
}

static bool is_project_name(const char *text)
{
    size_t size = strlen(text);
    for (size_t i = 0; i < size; i++) {
        if (iscntrl((unsigned char)text[i]))
            return false;
    }
    return size < DREAMD_NAME_SIZE;
}

static bool is_account_id(const char *text)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
    return strncmp(text, "acct_", 5) == 0 && text[5] && text[5 + strspn(text + 5, letters)] == '\0'
           && strlen(text) < 128;
}

/* The exit status; OK means that `out` is complete. */
static int read_wish(const dreamd_arguments *arguments, struct wish *out)
{
    const char *const *values = arguments->values;
    *out = (struct wish){ .email = values[OPTION_EMAIL],
                          .tiers_file = values[OPTION_TIERS],
                          .project_name = values[OPTION_PROJECT] ? values[OPTION_PROJECT] : "App",
                          .type = values[OPTION_TYPE] ? values[OPTION_TYPE] : "saas",
                          .account_id = values[OPTION_ACCOUNT],
                          .mode = DREAMD_LIVE,
                          .is_sandbox = values[OPTION_SANDBOX] != NULL };
    if (!out->email || !out->tiers_file)
        return dreamd_misused("tenant create needs --%s.", out->email ? "tiers FILE" : "email ADDRESS");
    if (!is_email(out->email))
        return dreamd_misused("--email must be an address such as ada@example.com.");
    if (values[OPTION_MODE] && !dreamd_mode_parse(values[OPTION_MODE], &out->mode))
        return dreamd_misused("--mode must be live or test.");
    if (strcmp(out->type, "saas") != 0 && strcmp(out->type, "store") != 0 && strcmp(out->type, "membership") != 0)
        return dreamd_misused("--type must be saas, store or membership.");
    if (!is_project_name(out->project_name))
        return dreamd_misused("--project must be at most %d bytes long and hold no control characters.",
                              DREAMD_NAME_SIZE - 1);
    if (out->account_id && !is_account_id(out->account_id))
        return dreamd_misused("--stripe-account must be a Stripe account id, acct_...");
    return DREAMD_EXIT_OK;
}

/* ---- what is there ---- */

static dreamd_db_status look(dreamd_db *db, void *arg)
{
    struct tenant *tenant = arg;
    const char *id = tenant->platform.platform_id;
    dreamd_platform found;
    bool is_found = false;
    dreamd_db_status status = dreamd_platform_find_by_email(db, tenant->wish->email, &found, &is_found);
    tenant->is_new_platform = !is_found;
    tenant->is_new_account = true;
    if (status == DREAMD_DB_OK && !is_found)
        return dreamd_platform_find(db, id, &found, &tenant->is_id_taken);
    if (status != DREAMD_DB_OK)
        return status;
    tenant->platform = found;
    status = dreamd_project_exists(db, id, tenant->wish->mode, tenant->wish->project_name, &tenant->is_project_there);
    if (status != DREAMD_DB_OK)
        return status;
    status = dreamd_stripe_account_find(db, id, tenant->wish->mode, tenant->settings.master_key, &tenant->account,
                                        &is_found);
    tenant->is_new_account = !is_found;
    return status;
}

/* The same answer for the same developer in the same database, and a guess for nobody else: see the head of this file. */
static bool compute_platform_id(struct tenant *tenant)
{
    unsigned char digest[DREAM_SHA256_SIZE];
    dream_buffer text = DREAM_BUFFER_INIT;
    dream_buffer_text(&text, "platform\n");
    for (const char *c = tenant->wish->email; *c; c++)
        dream_buffer_char(&text, (char)tolower((unsigned char)*c));
    bool is_done = !text.is_failed
                   && dream_hmac_sha256(tenant->settings.master_key, sizeof tenant->settings.master_key, text.data,
                                        text.size, digest);
    dream_buffer_clear(&text);
    memcpy(tenant->platform.platform_id, "plt_", 4);
    if (is_done)
        dream_hex_encode(digest, PLATFORM_ID_BYTES, tenant->platform.platform_id + 4);
    return is_done;
}

static bool refuse(struct tenant *tenant, const char *why)
{
    (void)snprintf(tenant->error, sizeof tenant->error, "%s", why);
    return false;
}

static bool look_around(struct tenant *tenant, dreamd_environment *environment)
{
    tenant->store = dreamd_database_open(tenant->db_path, &tenant->settings, environment, NULL, tenant->error);
    if (!tenant->store)
        return false;
    if (!compute_platform_id(tenant))
        return refuse(tenant, "out of memory");
    (void)snprintf(tenant->platform.email, sizeof tenant->platform.email, "%s", tenant->wish->email);
    dreamd_db_status status = dreamd_store_read_now(tenant->store, look, tenant);
    if (status != DREAMD_DB_OK)
        return refuse(tenant, dreamd_database_failure(status));
    if (tenant->is_id_taken && !dream_random_id("plt_", PLATFORM_ID_BYTES, tenant->platform.platform_id))
        return refuse(tenant, "the system gives no random numbers");
    if (tenant->is_project_there) {
        (void)snprintf(tenant->error, sizeof tenant->error,
                       "%.80s has a %s project \"%.80s\" already; give another --project", tenant->wish->email,
                       dreamd_mode_text(tenant->wish->mode), tenant->wish->project_name);
        return false;
    }
    const char *wanted = tenant->wish->account_id;
    if (!wanted)
        return true;
    if (!tenant->is_new_account && strcmp(tenant->account.account_id, wanted) != 0)
        return refuse(tenant,
                      "This platform has another Stripe account in this mode, which its projects' prices belong to");
    (void)snprintf(tenant->account.account_id, sizeof tenant->account.account_id, "%s", wanted);
    return true;
}

/* ---- what is made at the provider ---- */

/* Without a key of this mode there is no provider to ask: then the sandbox plays it, for as long as this command runs. */
static bool find_provider(struct tenant *tenant)
{
    bool is_configured = tenant->settings.stripe[tenant->wish->mode].secret_key != NULL;
    if (tenant->wish->is_sandbox || !is_configured) {
        char *path = dreamd_sandbox_path(tenant->db_path);
        const sandbox_options wanted = { .path = path, .first_port = 0, .metrics = NULL };
        (void)refuse(tenant, "out of memory");
        tenant->box = path ? sandbox_start(&wanted, tenant->error) : NULL;
        if (tenant->box)
            (void)fprintf(stderr, "dreamapid: %sthe products are made in the sandbox, %s.\n",
                          tenant->wish->is_sandbox ? "" : "No Stripe key is set for this mode: ", path);
        free(path);
        if (!tenant->box || !dreamd_sandbox_apply(tenant->box, &tenant->settings))
            return false;
    }
    tenant->upstream = dreamd_upstream_new(&tenant->settings, NULL);
    return tenant->upstream || refuse(tenant, "out of memory");
}

/* Names what is asked for, so that the same request asked again is the same request. Ended by NULL. */
static bool compute_idempotency_key(const struct tenant *tenant, const char *const *parts, char out[IDEMPOTENCY_SIZE])
{
    unsigned char digest[DREAM_SHA256_SIZE];
    static const char prefix[] = "dreamapid-";
    dream_buffer text = DREAM_BUFFER_INIT;
    dream_buffer_printf(&text, "%s\n%s\n", tenant->platform.platform_id, dreamd_mode_text(tenant->wish->mode));
    for (; *parts; parts++) /* lengths keep ("a", "bc") and ("ab", "c") apart */
        dream_buffer_printf(&text, "%zu:%s\n", strlen(*parts), *parts);
    bool is_done = !text.is_failed
                   && dream_hmac_sha256(tenant->settings.master_key, sizeof tenant->settings.master_key, text.data,
                                        text.size, digest);
    dream_buffer_clear(&text);
    memcpy(out, prefix, sizeof prefix);
    if (is_done)
        dream_hex_encode(digest, sizeof digest, out + sizeof prefix - 1);
    return is_done;
}

static dreamd_stripe_actor actor_of(const struct tenant *tenant, const char *idempotency_key)
{
    const dreamd_stripe_account *account = &tenant->account;
    return (dreamd_stripe_actor){ .mode = tenant->wish->mode,
                                  .access_token = account->access_token[0] ? account->access_token : NULL,
                                  .account = account->account_id[0] ? account->account_id : NULL,
                                  .idempotency_key = idempotency_key };
}

static bool make_account(struct tenant *tenant)
{
    char key[IDEMPOTENCY_SIZE], id[DREAMD_STRIPE_ID_SIZE];
    const char *const parts[] = { "account", tenant->wish->email, NULL };
    if (tenant->account.account_id[0])
        return true;
    if (!compute_idempotency_key(tenant, parts, key))
        return refuse(tenant, "out of memory");
    const dreamd_stripe_actor actor = actor_of(tenant, key);
    if (!dreamd_stripe_wait_account(tenant->upstream, &actor, tenant->wish->email, id, tenant->error))
        return false;
    (void)snprintf(tenant->account.account_id, sizeof tenant->account.account_id, "%s", id);
    return true;
}

static bool make_product(struct tenant *tenant, const dreamd_tier *tier, char out_id[DREAMD_STRIPE_ID_SIZE])
{
    char key[IDEMPOTENCY_SIZE], limit[24];
    const dreamd_stripe_product product = {
        .name = tier->display_name,
        .description = tier->description[0] ? tier->description : NULL,
        .image_url = tier->image_url,
        .platform_id = tenant->platform.platform_id,
        .tier_name = tier->name,
        .limit = tier->limit == DREAMD_UNLIMITED ? 0 : tier->limit,
    };
    (void)snprintf(limit, sizeof limit, "%lld", (long long)product.limit);
    const char *const parts[] = { "product",
                                  tenant->account.account_id,
                                  tenant->wish->project_name,
                                  tier->name,
                                  tier->display_name,
                                  tier->description,
                                  tier->image_url ? tier->image_url : "",
                                  limit,
                                  NULL };
    if (!compute_idempotency_key(tenant, parts, key))
        return refuse(tenant, "out of memory");
    const dreamd_stripe_actor actor = actor_of(tenant, key);
    return dreamd_stripe_wait_product(tenant->upstream, &actor, &product, out_id, tenant->error);
}

static bool make_price(struct tenant *tenant, const dreamd_tier *tier, const char *product_id,
                       char out_id[DREAMD_STRIPE_ID_SIZE])
{
    char key[IDEMPOTENCY_SIZE], amount[24];
    const dreamd_stripe_price price = { .product_id = product_id,
                                        .unit_amount = tier->price_minor,
                                        .is_recurring = strcmp(tier->billing_mode, "subscription") == 0 };
    (void)snprintf(amount, sizeof amount, "%lld", (long long)tier->price_minor);
    const char *const parts[] = { "price", tenant->account.account_id, product_id, amount, tier->billing_mode, NULL };
    if (!compute_idempotency_key(tenant, parts, key))
        return refuse(tenant, "out of memory");
    const dreamd_stripe_actor actor = actor_of(tenant, key);
    return dreamd_stripe_wait_price(tenant->upstream, &actor, &price, out_id, tenant->error);
}

static bool make_tier(struct tenant *tenant, dreamd_tier *tier)
{
    char product[DREAMD_STRIPE_ID_SIZE], price[DREAMD_STRIPE_ID_SIZE];
    if (!make_product(tenant, tier, product) || !make_price(tenant, tier, product, price)) {
        char why[ERROR_SIZE];
        memcpy(why, tenant->error, sizeof why);
        (void)snprintf(tenant->error, sizeof tenant->error, "tier \"%.60s\": %.180s", tier->name, why);
        return false;
    }
    tier->product_id = dream_arena_strdup(tenant->arena, product);
    tier->price_id = dream_arena_strdup(tenant->arena, price);
    return (tier->product_id && tier->price_id) || refuse(tenant, "out of memory");
}

static bool make_tiers(struct tenant *tenant)
{
    int64_t begun_ms = dream_monotonic_ms();
    bool is_watched = isatty(STDERR_FILENO);
    for (size_t i = 0; i < tenant->tiers.count; i++) {
        dreamd_tier *tier = &tenant->tiers.tiers[i];
        if (tier->price_minor > 0 && !make_tier(tenant, tier))
            return false;
        if (is_watched && dream_monotonic_ms() - begun_ms > PROGRESS_AFTER_MS)
            (void)fprintf(stderr, "dreamapid: %zu of %zu tiers made\n", i + 1, tenant->tiers.count);
    }
    return true;
}

/* ---- what is written ---- */

static dreamd_db_status write_platform(dreamd_db *db, const struct tenant *tenant)
{
    dreamd_db_status status = DREAMD_DB_OK;
    if (tenant->is_new_platform)
        status = dreamd_platform_insert(db, &tenant->platform, tenant->now_ms);
    if (status == DREAMD_DB_OK && tenant->is_new_account)
        status = dreamd_stripe_account_put(db, tenant->platform.platform_id, tenant->wish->mode, &tenant->account,
                                           tenant->settings.master_key, tenant->now_ms);
    return status;
}

/* Keys, tiers and, if it is new, the connection to Stripe. */
static dreamd_db_status note_rows(dreamd_db *db, const struct tenant *tenant)
{
    char actor[DREAMD_ACTOR_SIZE];
    const dreamd_audit_project made = { actor, "tenant create", &tenant->project, tenant->tiers.count,
                                        tenant->is_new_account ? tenant->account.account_id : NULL };
    dreamd_command_actor(actor);
    return dreamd_audit_note_project(db, &made, tenant->now_ms);
}

/* A dreamd_work. Another `tenant create` may have been faster: then a row is there that was not, and all of this is undone. */
static dreamd_db_status write_rows(dreamd_db *db, void *arg)
{
    struct tenant *tenant = arg;
    const dreamd_project *project = &tenant->project;
    const dreamd_new_key key = { project->platform_id, project->project_id, project->publishable_key,
                                 tenant->secret_key, tenant->settings.master_key };
    bool is_there = false;
    dreamd_db_status status = write_platform(db, tenant);
    if (status == DREAMD_DB_OK)
        status = dreamd_project_exists(db, project->platform_id, project->mode, project->name, &is_there);
    if (status == DREAMD_DB_OK && is_there)
        status = DREAMD_DB_CONFLICT;
    if (status == DREAMD_DB_OK)
        status = dreamd_project_insert(db, project, tenant->now_ms);
    if (status == DREAMD_DB_OK)
        status = dreamd_key_insert(db, &key, tenant->now_ms, NULL);
    for (size_t i = 0; i < tenant->tiers.count && status == DREAMD_DB_OK; i++)
        status = dreamd_tier_insert(db, project, &tenant->tiers.tiers[i], tenant->now_ms);
    return status == DREAMD_DB_OK ? note_rows(db, tenant) : status;
}

static bool draw_keys(struct tenant *tenant)
{
    char prefix[16];
    dreamd_project *project = &tenant->project;
    const char *mode = dreamd_mode_text(tenant->wish->mode);
    project->mode = tenant->wish->mode;
    memcpy(project->platform_id, tenant->platform.platform_id, sizeof project->platform_id);
    (void)snprintf(project->type, sizeof project->type, "%s", tenant->wish->type);
    (void)snprintf(project->name, sizeof project->name, "%s", tenant->wish->project_name);
    (void)snprintf(prefix, sizeof prefix, "pk_%s_", mode);
    bool is_drawn =
        dream_random_id("prj_", 16, project->project_id) && dream_random_id(prefix, 16, project->publishable_key);
    (void)snprintf(prefix, sizeof prefix, "sk_%s_", mode);
    return is_drawn && dream_random_id(prefix, 32, tenant->secret_key);
}

static bool write_all(struct tenant *tenant)
{
    tenant->now_ms = dream_wall_ms();
    if (!draw_keys(tenant))
        return refuse(tenant, "the system gives no random numbers");
    dreamd_db_status status = dreamd_store_write_now(tenant->store, write_rows, tenant);
    if (status == DREAMD_DB_CONFLICT)
        return refuse(tenant, "Another process made this tenant at the same moment; nothing was written");
    return status == DREAMD_DB_OK || refuse(tenant, dreamd_database_failure(status));
}

static int print_keys(const struct tenant *tenant)
{
    cJSON *object = cJSON_CreateObject();
    cJSON *secret = NULL;
    char *line = NULL;
    if (dream_json_set_string(object, "platformId", tenant->project.platform_id)
        && dream_json_set_string(object, "publishableKey", tenant->project.publishable_key)
        && dream_json_set_string(object, "secretKey", tenant->secret_key))
        line = dream_json_print(object);
    int status = !line ? dreamd_failed("The tenant was made, but there is no memory to print its keys.")
                 : dreamd_print_line(line) ? DREAMD_EXIT_OK
                                           : DREAMD_EXIT_FAILED;
    secret = cJSON_GetObjectItemCaseSensitive(object, "secretKey");
    if (secret)
        dream_wipe_text(secret->valuestring);
    cJSON_Delete(object);
    dream_free_secret(line);
    return status;
}

/* ---- the command ---- */

static bool read_tiers(struct tenant *tenant)
{
    char why[ERROR_SIZE];
    tenant->arena = dream_arena_new();
    tenant->document = dreamd_json_file_read(tenant->wish->tiers_file, tenant->error);
    if (!tenant->document)
        return false;
    if (!tenant->arena)
        return refuse(tenant, "out of memory");
    if (dreamd_tiers_document_read(tenant->document, tenant->arena, &tenant->tiers, why))
        return true;
    (void)snprintf(tenant->error, sizeof tenant->error, "%.80s: %.170s", tenant->wish->tiers_file, why);
    return false;
}

static int create(const struct wish *wish, const char *db_path, dreamd_environment *environment)
{
    struct tenant tenant = { .wish = wish, .db_path = db_path };
    bool is_made = read_tiers(&tenant)
                   && dreamd_settings_read(&tenant.settings, dreamd_environment_get, environment, tenant.error)
                   && look_around(&tenant, environment) && find_provider(&tenant) && make_account(&tenant)
                   && make_tiers(&tenant) && write_all(&tenant);
    int status = is_made ? print_keys(&tenant) : dreamd_failed("%s.", tenant.error);
    dreamd_upstream_free(tenant.upstream);
    sandbox_stop(tenant.box, SANDBOX_DRAIN_MS);
    dreamd_store_close(tenant.store);
    dreamd_settings_clear(&tenant.settings);
    cJSON_Delete(tenant.document);
    dream_arena_free(tenant.arena);
    dream_wipe(tenant.secret_key, sizeof tenant.secret_key);
    dream_wipe(&tenant.account, sizeof tenant.account);
    return status;
}

static int run(const dreamd_arguments *arguments)
{
    char error[ERROR_SIZE];
    struct wish wish;
    bool is_misuse = false;
    int status = read_wish(arguments, &wish);
    if (status != DREAMD_EXIT_OK)
        return status;
    char *path = dreamd_database_locate(arguments->values[OPTION_DB], &is_misuse, error);
    if (!path)
        return is_misuse ? dreamd_misused("%s.", error) : dreamd_failed("%s.", error);
    dreamd_environment *environment = dreamd_environment_open(arguments->values[OPTION_ENV_FILE], error);
    status = environment ? create(&wish, path, environment) : dreamd_failed("%s.", error);
    dreamd_environment_free(environment);
    free(path);
    return status;
}

const dreamd_command dreamd_command_tenant_create = {
    "tenant create",
    "Makes a developer's project with tiers and keys",
    NULL,
    options,
    "Makes a product and a price at Stripe for each tier that costs something, writes the project and\n"
    "prints {\"platformId\",\"publishableKey\",\"secretKey\"}. The secret key is shown this once. After a\n"
    "failure run it again: what Stripe has made already is used, not made twice. Without a Stripe key\n"
    "for the mode (STRIPE_SECRET_KEY, STRIPE_SECRET_KEY_TEST) the sandbox of the database plays "
    "Stripe.\n" DREAMD_DEFAULT_DB_HELP,
    run,
};
