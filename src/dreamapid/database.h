/* SPDX-License-Identifier: Apache-2.0 */
/* database.h - which database a command works on, and what its failures are called. */
#ifndef DREAMAPID_DATABASE_H
#define DREAMAPID_DATABASE_H

#include <stdbool.h>

#include "dreamapid/environment.h"
#include "net/db.h"
#include "net/metrics.h"
#include "service/settings.h"
#include "service/store/store.h"

/* The path behind --db, or the default one if `given` is NULL (its folder is made, mode 0700): owned.
 * NULL with a sentence; `*out_is_misuse` tells a wrong value from a failure. */
char *dreamd_database_locate(const char *given, bool *out_is_misuse, char error[256]);

/* Brings the schema up to date, opens the store, and puts the database's master key into `settings`: found in `environment`, else
 * in its file, which is made with a new database. NULL with a sentence. `metrics` may be NULL. */
dreamd_store *dreamd_database_open(const char *path, dreamd_settings *settings, dreamd_environment *environment,
                                   dreamd_metrics *metrics, char error[256]);

/* Whoever holds this database's master key shares the lock `DB.lock`: serve above all. What must not be changed under a running process
 * (the key, the store's epoch) is changed by who has the lock alone. An open file (closing it unlocks), or -1 with a sentence at once:
 * nothing waits. */
int dreamd_database_lock(const char *path, bool is_exclusive, char error[256]);

#define DREAMD_DEFAULT_DB_HELP                                                                                         \
    "\nWithout --db: $STATE_DIRECTORY/dreamapid.db if systemd set that, else\n"                                        \
    "$XDG_DATA_HOME/dreamapid/dreamapid.db, else ~/.local/share/dreamapid/dreamapid.db.\n"

/* What a status of the store means to whoever called the command. */
const char *dreamd_database_failure(dreamd_db_status status);

#endif
