/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_restore.c - `dreamapid restore`: marks a database that was put back from a backup. The backup does not know the leases that
 * were granted after it; until they have ended nothing is granted or admitted, and their holders report them again.
 * Under a running serve it would begin that wait for nothing: it takes the database alone, or is refused. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/timefmt.h"
#include "dreamapid/command.h"
#include "dreamapid/database.h"
#include "dreamapid/environment.h"
#include "service/store/leases.h"
#include "service/store/migrations.h"

enum { OPTION_DB, OPTION_ENV_FILE };

static const dreamd_option options[] = {
    { "db", "PATH", "the database (default: see below)" },
    { "env-file", "FILE", "settings for what the environment does not set (DREAMAPID_LEASE_...)" },
    { NULL, NULL, NULL },
};

static dreamd_db_status mark(dreamd_db *db, const dreamd_lease_terms *terms, dreamd_epoch *out)
{
    char actor[DREAMD_ACTOR_SIZE];
    const dreamd_restore wanted = { terms, dream_wall_ms(), actor };
    dreamd_command_actor(actor);
    dreamd_db_status status = dreamd_db_begin(db);
    if (status == DREAMD_DB_OK)
        status = dreamd_store_mark_restored(db, &wanted, out);
    if (status == DREAMD_DB_OK)
        status = dreamd_db_commit(db);
    if (status != DREAMD_DB_OK)
        dreamd_db_rollback(db);
    return status;
}

static int print_epoch(const dreamd_epoch *epoch)
{
    char until[25];
    char line[96];
    dream_iso_text(epoch->recovering_until_ms, until);
    (void)snprintf(line, sizeof line, "{\"storeEpoch\":%lld,\"recoveringUntil\":\"%s\"}", (long long)epoch->store_epoch,
                   until);
    return dreamd_print_line(line) ? DREAMD_EXIT_OK : DREAMD_EXIT_FAILED;
}

static int restore_locked(const char *path, const dreamd_lease_terms *terms)
{
    char error[256];
    dreamd_epoch epoch;
    int exit_status;
    dreamd_db *db = dreamd_db_open_sqlite(path, DREAMD_DB_READ_WRITE, error);
    if (!db || !dreamd_schema_migrate(db, error)) {
        exit_status = dreamd_failed("%s.", error);
    } else {
        dreamd_db_status status = mark(db, terms, &epoch);
        exit_status = status == DREAMD_DB_OK
                          ? print_epoch(&epoch)
                          : dreamd_failed("Nothing was changed: %s.", dreamd_database_failure(status));
    }
    dreamd_db_close(db);
    return exit_status;
}

static int restore(const char *path, const dreamd_lease_terms *terms)
{
    char error[256];
    int lock = dreamd_database_lock(path, true, error);
    if (lock < 0)
        return dreamd_failed("%s.", error);
    int exit_status = restore_locked(path, terms);
    (void)close(lock);
    return exit_status;
}

static bool read_terms(const char *env_file, dreamd_lease_terms *out, char error[256])
{
    dreamd_settings settings = { .frontend_url = NULL };
    dreamd_environment *environment = dreamd_environment_open(env_file, error);
    bool is_read = environment && dreamd_settings_read(&settings, dreamd_environment_get, environment, error);
    if (is_read)
        *out =
            (dreamd_lease_terms){ settings.lease_ttl_ms, settings.lease_grace_ms, (int32_t)settings.lease_close_days };
    dreamd_settings_clear(&settings);
    dreamd_environment_free(environment);
    return is_read;
}

static int run(const dreamd_arguments *arguments)
{
    char error[256];
    bool is_misuse = false;
    dreamd_lease_terms terms;
    char *path = dreamd_database_locate(arguments->values[OPTION_DB], &is_misuse, error);
    if (!path)
        return is_misuse ? dreamd_misused("%s.", error) : dreamd_failed("%s.", error);
    int status = read_terms(arguments->values[OPTION_ENV_FILE], &terms, error) ? restore(path, &terms)
                                                                               : dreamd_failed("%s.", error);
    free(path);
    return status;
}

const dreamd_command dreamd_command_restore = {
    "restore",
    "Marks a database that was put back from a backup",
    NULL,
    options,
    "Run it before serve starts on the copy: it is refused while one runs. For the longest time that a lease can\n"
    "last, units are neither granted nor admitted (503 with Retry-After); holders of leases see the new epoch and\n"
    "report them again. Prints {\"storeEpoch\",\"recoveringUntil\"}, and leaves\n"
    "an audit entry.\n" DREAMD_DEFAULT_DB_HELP,
    run,
};
