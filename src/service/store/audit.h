/* SPDX-License-Identifier: Apache-2.0 */
/* audit.h - who changed keys, tiers and connections, and what an operator did past the rules, kept for good. The rules of model.h
 * hold. */
#ifndef DREAMD_SERVICE_STORE_AUDIT_H
#define DREAMD_SERVICE_STORE_AUDIT_H

#include <stdbool.h>

#include "net/db.h"
#include "service/store/model.h"

typedef struct dreamd_audit {
    const char *platform_id; /* "": it concerns the whole store */
    const char *actor;       /* who did it, such as "operator:ada" */
    const char *action;      /* "key rotate" */
    const char *detail_json; /* an object, without secrets */
} dreamd_audit;

dreamd_db_status dreamd_audit_note(dreamd_db *db, const dreamd_audit *audit, int64_t now_ms);

/* A project that was made, with its first keys. */
typedef struct dreamd_audit_project {
    const char *actor;
    const char *action;
    const dreamd_project *project;
    size_t tier_count;
    const char *stripe_account_id; /* NULL: no connection came with it */
} dreamd_audit_project;

dreamd_db_status dreamd_audit_note_project(dreamd_db *db, const dreamd_audit_project *made, int64_t now_ms);

/* False ends the list. */
typedef bool dreamd_audit_line(void *context, const char *json);
/* The newest `most` entries of a platform, or with NULL of all, oldest first: {"at","platformId","actor","action","detail"}. */
dreamd_db_status dreamd_audit_list(dreamd_db *db, const char *platform_id, int64_t most, dreamd_audit_line *line,
                                   void *context);

#endif
