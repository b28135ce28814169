/* SPDX-License-Identifier: Apache-2.0 */
/* key_admin.h - what an operator does with the keys of a project; each change leaves an audit entry in the same transaction.
 * The rules of model.h hold. */
#ifndef DREAMD_SERVICE_STORE_KEY_ADMIN_H
#define DREAMD_SERVICE_STORE_KEY_ADMIN_H

#include "service/store/keys.h"

/* Which project; what is NULL fits all. */
typedef struct dreamd_project_filter {
    const char *name;
    const char *publishable_key;
    const char *mode; /* "live" or "test" */
} dreamd_project_filter;

/* `*out_count`: how many projects fit; `out` is complete when it is 1, with the publishable key of the filter or "". */
dreamd_db_status dreamd_project_select(dreamd_db *db, const dreamd_project_filter *filter, dreamd_project *out,
                                       int64_t *out_count);
/* The project's only publishable key that has a valid secret; if it has one set, whether that has. `*out_count`: how many have. */
dreamd_db_status dreamd_project_only_key(dreamd_db *db, dreamd_project *project, int64_t now_ms, int64_t *out_count);

/* A change by somebody at a time. */
typedef struct dreamd_key_change {
    const char *actor;
    int64_t now_ms;
} dreamd_key_change;

/* A pair, or one more secret of a publishable key: see dreamd_key_insert. */
dreamd_db_status dreamd_key_create(dreamd_db *db, const dreamd_new_key *key, const dreamd_key_change *change,
                                   char out_key_id[DREAMD_KEY_ID_SIZE]);
/* A new secret for the publishable key; the ones that it has are refused `overlap_ms` later, or when they would have been. */
dreamd_db_status dreamd_key_rotate(dreamd_db *db, const dreamd_new_key *key, int64_t overlap_ms,
                                   const dreamd_key_change *change, char out_key_id[DREAMD_KEY_ID_SIZE]);
/* Revokes the secret `key_id`, or with NULL all of the project's publishable key: refused by every process from the commit on. */
dreamd_db_status dreamd_key_withdraw(dreamd_db *db, const dreamd_project *project, const char *key_id,
                                     const dreamd_key_change *change, bool *out_found);

/* False ends the list. */
typedef bool dreamd_key_line(void *context, const char *json);
/* The keys that fit, in the order in which they were made: {"keyId","publishableKey","platformId","project","mode","state","createdAt",
 * "lastUsedAt","expiresAt","revokedAt"}, state one of active, expired and revoked. No secrets: there are none. */
dreamd_db_status dreamd_key_list(dreamd_db *db, const dreamd_project_filter *filter, int64_t now_ms,
                                 dreamd_key_line *line, void *context);

#endif
