/* SPDX-License-Identifier: Apache-2.0 */
/* tenants.c - rows of platforms, projects and stripe_accounts.
 * Access tokens are sealed with the master key, bound to the platform and mode they belong to, so that a row copied to another
 * tenant does not open. */
#include "service/store/tenants.h"

#include <stdio.h>
#include <string.h>

#include "common/crypto.h"
#include "net/log.h"
#include "service/store/row.h"

static const char *null_if_empty(const char *text)
{
    return text[0] ? text : NULL;
}

dreamd_db_status dreamd_platform_insert(dreamd_db *db, const dreamd_platform *platform, int64_t now_ms)
{
    const int64_t *period_end = platform->has_current_period_end ? &platform->current_period_end_ms : NULL;
    return dreamd_db_run(
        db,
        "INSERT INTO platforms (platform_id, email, clerk_user_id, subscription_status, "
        "current_period_end_ms, created_at_ms, updated_at_ms) VALUES ($1, $2, $3, $4, $5, $6, $6)",
        DREAMD_PARAMS(dreamd_text(platform->platform_id), dreamd_text(null_if_empty(platform->email)),
                      dreamd_text(null_if_empty(platform->clerk_user_id)), dreamd_text(platform->subscription_status),
                      dreamd_opt_int(period_end), dreamd_int(now_ms)),
        NULL);
}

static bool read_platform(const dreamd_rows *rows, dreamd_platform *out)
{
    *out = (dreamd_platform){ .has_current_period_end = !dreamd_rows_is_null(rows, 4),
                              .current_period_end_ms = dreamd_rows_int(rows, 4) };
    return dreamd_row_text(rows, 0, out->platform_id, sizeof out->platform_id)
           && dreamd_row_text(rows, 1, out->email, sizeof out->email)
           && dreamd_row_text(rows, 2, out->clerk_user_id, sizeof out->clerk_user_id)
           && dreamd_row_text(rows, 3, out->subscription_status, sizeof out->subscription_status);
}

static dreamd_db_status find_platform(dreamd_db *db, const char *sql, const char *value, dreamd_platform *out,
                                      bool *out_found)
{
    dreamd_rows *rows = NULL;
    dreamd_db_status status = dreamd_row_one(db, sql, DREAMD_PARAMS(dreamd_text(value)), &rows);
    *out_found = rows != NULL;
    if (rows && !read_platform(rows, out))
        status = DREAMD_DB_CORRUPT;
    dreamd_rows_finish(rows);
    return status;
}

#define SELECT_PLATFORM                                                                                                \
    "SELECT platform_id, email, clerk_user_id, subscription_status, current_period_end_ms FROM platforms "

dreamd_db_status dreamd_platform_find(dreamd_db *db, const char *platform_id, dreamd_platform *out, bool *out_found)
{
    return find_platform(db, SELECT_PLATFORM "WHERE platform_id = $1", platform_id, out, out_found);
}

dreamd_db_status dreamd_platform_find_by_email(dreamd_db *db, const char *email, dreamd_platform *out, bool *out_found)
{
    return find_platform(db, SELECT_PLATFORM "WHERE lower(email) = lower($1)", email, out, out_found);
}

dreamd_db_status dreamd_platform_set_billing(dreamd_db *db, const char *platform_id, const char *status,
                                             const int64_t *current_period_end_ms, int64_t now_ms, bool *out_found)
{
    int64_t changed = 0;
    dreamd_db_status result =
        dreamd_db_run(db,
                      "UPDATE platforms SET subscription_status = $2, current_period_end_ms = $3, updated_at_ms = $4 "
                      "WHERE platform_id = $1",
                      DREAMD_PARAMS(dreamd_text(platform_id), dreamd_text(status),
                                    dreamd_opt_int(current_period_end_ms), dreamd_int(now_ms)),
                      &changed);
    if (out_found)
        *out_found = changed > 0;
    return result;
}

dreamd_db_status dreamd_project_insert(dreamd_db *db, const dreamd_project *project, int64_t now_ms)
{
    return dreamd_db_run(
        db,
        "INSERT INTO projects (platform_id, project_id, mode, type, name, is_tax_enabled, "
        "created_at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        DREAMD_PARAMS(dreamd_text(project->platform_id), dreamd_text(project->project_id),
                      dreamd_text(dreamd_mode_text(project->mode)), dreamd_text(project->type),
                      dreamd_text(project->name), dreamd_int(project->is_tax_enabled), dreamd_int(now_ms)),
        NULL);
}

dreamd_db_status dreamd_project_exists(dreamd_db *db, const char *platform_id, enum dreamd_mode mode, const char *name,
                                       bool *out_found)
{
    return dreamd_row_exists(
        db, "SELECT 1 FROM projects WHERE platform_id = $1 AND mode = $2 AND name = $3",
        DREAMD_PARAMS(dreamd_text(platform_id), dreamd_text(dreamd_mode_text(mode)), dreamd_text(name)), out_found);
}

/* ---- Stripe accounts ---- */

enum { SEALED_TOKEN_MAX = sizeof((dreamd_stripe_account *)0)->access_token + DREAM_AEAD_OVERHEAD };

/* What a sealed token is bound to. */
typedef struct token_place {
    char text[DREAMD_ID_SIZE + 8];
} token_place;

static token_place place_of(const char *platform_id, enum dreamd_mode mode)
{
    token_place place;
    (void)snprintf(place.text, sizeof place.text, "%s:%s", platform_id, dreamd_mode_text(mode));
    return place;
}

static bool seal_token(const char *token, const token_place *place, const unsigned char master_key[32],
                       unsigned char out[SEALED_TOKEN_MAX])
{
    return dream_aead_seal(master_key, place->text, strlen(place->text), token, strlen(token), out);
}

dreamd_db_status dreamd_stripe_account_put(dreamd_db *db, const char *platform_id, enum dreamd_mode mode,
                                           const dreamd_stripe_account *account, const unsigned char master_key[32],
                                           int64_t now_ms)
{
    unsigned char sealed[SEALED_TOKEN_MAX];
    token_place place = place_of(platform_id, mode);
    dreamd_param token = dreamd_null();

    if (account->access_token[0]) {
        if (!seal_token(account->access_token, &place, master_key, sealed))
            return DREAMD_DB_ERROR;
        token = dreamd_blob(sealed, strlen(account->access_token) + DREAM_AEAD_OVERHEAD);
    }
    return dreamd_db_run(db,
                         "INSERT INTO stripe_accounts (platform_id, mode, account_id, access_token_sealed, "
                         "updated_at_ms) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (platform_id, mode) DO UPDATE SET "
                         "account_id = excluded.account_id, access_token_sealed = excluded.access_token_sealed, "
                         "updated_at_ms = excluded.updated_at_ms",
                         DREAMD_PARAMS(dreamd_text(platform_id), dreamd_text(dreamd_mode_text(mode)),
                                       dreamd_text(account->account_id), token, dreamd_int(now_ms)),
                         NULL);
}

static bool open_token(const dreamd_rows *rows, int column, const token_place *place,
                       const unsigned char master_key[32], char *out, size_t out_size)
{
    size_t size = 0;
    const void *sealed = dreamd_rows_blob(rows, column, &size);
    out[0] = '\0';
    if (dreamd_rows_is_null(rows, column))
        return true;
    if (size < DREAM_AEAD_OVERHEAD || size - DREAM_AEAD_OVERHEAD >= out_size
        || !dream_aead_open(master_key, place->text, strlen(place->text), sealed, size, (unsigned char *)out))
        return false;
    out[size - DREAM_AEAD_OVERHEAD] = '\0';
    return true;
}

dreamd_db_status dreamd_stripe_account_find(dreamd_db *db, const char *platform_id, enum dreamd_mode mode,
                                            const unsigned char master_key[32], dreamd_stripe_account *out,
                                            bool *out_found)
{
    dreamd_rows *rows = NULL;
    token_place place = place_of(platform_id, mode);
    dreamd_db_status status = dreamd_row_one(
        db, "SELECT account_id, access_token_sealed FROM stripe_accounts WHERE platform_id = $1 AND mode = $2",
        DREAMD_PARAMS(dreamd_text(platform_id), dreamd_text(dreamd_mode_text(mode))), &rows);
    *out_found = rows != NULL;
    if (rows
        && !(dreamd_row_text(rows, 0, out->account_id, sizeof out->account_id)
             && open_token(rows, 1, &place, master_key, out->access_token, sizeof out->access_token))) {
        dreamd_log(DREAMD_LOG_ERROR, "stripe_token_not_opened", dreamd_log_text("platform", platform_id));
        status = DREAMD_DB_ERROR;
    }
    dreamd_rows_finish(rows);
    return status;
}

dreamd_db_status dreamd_stripe_account_owner(dreamd_db *db, const char *account_id, enum dreamd_mode mode,
                                             char out_platform_id[DREAMD_ID_SIZE], bool *out_found)
{
    dreamd_rows *rows = NULL;
    dreamd_db_status status =
        dreamd_row_one(db,
                       "SELECT platform_id FROM stripe_accounts WHERE account_id = $1 AND "
                       "mode = $2 ORDER BY updated_at_ms DESC, platform_id LIMIT 1",
                       DREAMD_PARAMS(dreamd_text(account_id), dreamd_text(dreamd_mode_text(mode))), &rows);
    *out_found = rows != NULL;
    if (rows && !dreamd_row_text(rows, 0, out_platform_id, DREAMD_ID_SIZE))
        status = DREAMD_DB_CORRUPT;
    dreamd_rows_finish(rows);
    return status;
}
