/* SPDX-License-Identifier: Apache-2.0 */
/* migrations.h - the schema and how a database gets to it. Programs migrate by dreamd_store_migrate (store.h); those that
 * only look at a database ask its version here. */
#ifndef DREAMD_SERVICE_STORE_MIGRATIONS_H
#define DREAMD_SERVICE_STORE_MIGRATIONS_H

#include <stdbool.h>

#include "net/db.h"

/* Brings the schema up to date, one transaction a step. Several processes may do so at once. */
bool dreamd_schema_migrate(dreamd_db *db, char error[256]);
/* 0 for a database without a schema. */
dreamd_db_status dreamd_schema_version(dreamd_db *db, int64_t *out_version);
/* Is it exactly the schema this program was written for? `error` says what to do if not. */
bool dreamd_schema_is_current(dreamd_db *db, char error[256]);

#endif
