/* SPDX-License-Identifier: Apache-2.0 */
/* tenants.h - platforms (the developers who use the service), their own billing, their projects and their Stripe accounts.
 * Keys of a project are keys.h. The rules of model.h hold. */
#ifndef DREAMD_SERVICE_STORE_TENANTS_H
#define DREAMD_SERVICE_STORE_TENANTS_H

#include "net/db.h"
#include "service/store/model.h"

typedef struct dreamd_platform {
    char platform_id[DREAMD_ID_SIZE];
    char email[256];                            /* "" = none */
    char clerk_user_id[128];                    /* the developer at the identity provider; "" = none */
    char subscription_status[DREAMD_WORD_SIZE]; /* "" = no record */
    bool has_current_period_end;
    int64_t current_period_end_ms;
} dreamd_platform;

/* Makes a platform with its billing. CONFLICT when id, email (compared without case) or clerk user is taken. */
dreamd_db_status dreamd_platform_insert(dreamd_db *db, const dreamd_platform *platform, int64_t now_ms);
dreamd_db_status dreamd_platform_find(dreamd_db *db, const char *platform_id, dreamd_platform *out, bool *out_found);
dreamd_db_status dreamd_platform_find_by_email(dreamd_db *db, const char *email, dreamd_platform *out, bool *out_found);
/* `status` "" = no record; `current_period_end_ms` may be NULL. `out_found` (may be NULL): is there such a platform? */
dreamd_db_status dreamd_platform_set_billing(dreamd_db *db, const char *platform_id, const char *status,
                                             const int64_t *current_period_end_ms, int64_t now_ms, bool *out_found);

/* Uses platform_id, project_id, mode, type, name and is_tax_enabled. CONFLICT when the id is taken. */
dreamd_db_status dreamd_project_insert(dreamd_db *db, const dreamd_project *project, int64_t now_ms);
/* Has the platform a project of exactly this name in this mode? */
dreamd_db_status dreamd_project_exists(dreamd_db *db, const char *platform_id, enum dreamd_mode mode, const char *name,
                                       bool *out_found);

typedef struct dreamd_stripe_account {
    char account_id[128]; /* acct_... */
    char access_token
        [256]; /* "" = none: the platform key with Stripe-Account is used. A secret: dream_wipe the struct after use */
} dreamd_stripe_account;

/* Puts or replaces the account of that platform and mode; the token is sealed with the master key before it is stored. */
dreamd_db_status dreamd_stripe_account_put(dreamd_db *db, const char *platform_id, enum dreamd_mode mode,
                                           const dreamd_stripe_account *account, const unsigned char master_key[32],
                                           int64_t now_ms);
/* ERROR when the token does not open with this master key. */
dreamd_db_status dreamd_stripe_account_find(dreamd_db *db, const char *platform_id, enum dreamd_mode mode,
                                            const unsigned char master_key[32], dreamd_stripe_account *out,
                                            bool *out_found);
/* The platform that connected this account in this mode (the latest to do so). */
dreamd_db_status dreamd_stripe_account_owner(dreamd_db *db, const char *account_id, enum dreamd_mode mode,
                                             char out_platform_id[DREAMD_ID_SIZE], bool *out_found);

#endif
