/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_migrate.c - `dreamapid migrate`: brings the database's schema up to date and says from where to where.
 * `serve` does the same by itself; this is for those who want it done, and seen, before. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "dreamapid/command.h"
#include "dreamapid/database.h"
#include "service/store/migrations.h"
#include "service/store/store.h"

enum { OPTION_DB };

static const dreamd_option options[] = {
    { "db", "PATH", "the database (default: see below)" },
    { NULL, NULL, NULL },
};

/* 0 for a database that is not there yet. */
static bool read_version(const char *path, int64_t *out_version, char error[256])
{
    *out_version = 0;
    error[0] = '\0';
    if (access(path, F_OK) != 0)
        return true;
    dreamd_db *db = dreamd_db_open_sqlite(path, DREAMD_DB_READ_ONLY, error);
    bool is_read = db && dreamd_schema_version(db, out_version) == DREAMD_DB_OK;
    if (db && !is_read)
        (void)snprintf(error, 256, "Cannot read the schema version: %.160s", dreamd_db_message(db));
    dreamd_db_close(db);
    return is_read;
}

static int migrate(const char *path)
{
    char error[256], line[128];
    int64_t before = 0, after = 0;
    if (!read_version(path, &before, error) || !dreamd_store_migrate(path, error) || !read_version(path, &after, error))
        return dreamd_failed("%s.", error);
    if (before == after)
        (void)snprintf(line, sizeof line, "schema version %" PRId64 ", up to date", after);
    else
        (void)snprintf(line, sizeof line, "schema version %" PRId64 ", was %" PRId64, after, before);
    return dreamd_print_line(line) ? DREAMD_EXIT_OK : DREAMD_EXIT_FAILED;
}

static int run(const dreamd_arguments *arguments)
{
    char error[256];
    bool is_misuse = false;
    char *path = dreamd_database_locate(arguments->values[OPTION_DB], &is_misuse, error);
    if (!path)
        return is_misuse ? dreamd_misused("%s.", error) : dreamd_failed("%s.", error);
    int status = migrate(path);
    free(path);
    return status;
}

const dreamd_command dreamd_command_migrate = {
    "migrate",
    "Brings the database's schema up to date and prints its version",
    NULL,
    options,
    "Makes the database if it is absent. May run while others use the database.\n" DREAMD_DEFAULT_DB_HELP,
    run,
};
