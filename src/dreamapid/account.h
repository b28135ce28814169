/* SPDX-License-Identifier: Apache-2.0 */
/* account.h - commands about one user's units: which database, which project, which user. */
#ifndef DREAMAPID_ACCOUNT_H
#define DREAMAPID_ACCOUNT_H

#include "net/db.h"
#include "service/store/lease_list.h"

typedef struct dreamd_account {
    const char *db; /* the option; NULL: the default one */
    dreamd_account_filter filter;
} dreamd_account;

/* In one transaction, committed if the result is OK. Refusals are worded by the caller's `dreamd_database_failure`. */
typedef dreamd_db_status dreamd_account_work(dreamd_db *db, const dreamd_project *project, void *arg);
/* Opens the database, finds the one project that the filter fits, runs the work. Gives the exit status; what went wrong has been
 * said. */
int dreamd_account_run(const dreamd_account *account, dreamd_account_work *work, void *arg);

#endif
