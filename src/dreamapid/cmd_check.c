/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_check.c - `dreamapid check`: asks every invariant of the store and prints what does not hold.
 * The invariants themselves are the store's (service/store/check.h). Reads one snapshot; `serve` may be running. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/timefmt.h"
#include "dreamapid/command.h"
#include "dreamapid/database.h"
#include "service/store/check.h"
#include "service/store/migrations.h"

enum { OPTION_DB };

static const dreamd_option options[] = {
    { "db", "PATH", "the database (default: see below)" },
    { NULL, NULL, NULL },
};

static void print_violation(void *context, const char *rule, const char *what)
{
    (void)context;
    (void)printf("%s: %s\n", rule, what);
}

static int finish(int64_t violations)
{
    char line[96];
    if (violations == 0)
        (void)snprintf(line, sizeof line, "Every invariant holds.");
    else
        (void)snprintf(line, sizeof line, "%" PRId64 " violation%s.", violations, violations == 1 ? "" : "s");
    return dreamd_print_line(line) && violations == 0 ? DREAMD_EXIT_OK : DREAMD_EXIT_FAILED;
}

static int check(const char *path)
{
    char error[256];
    int64_t violations = 0;
    int exit_status;
    dreamd_db *db = dreamd_db_open_sqlite(path, DREAMD_DB_READ_ONLY, error);
    if (!db)
        return dreamd_failed("%s.", error);
    if (!dreamd_schema_is_current(db, error)) {
        exit_status = dreamd_failed("%s.", error);
        goto done;
    }
    dreamd_db_status status = dreamd_db_begin_read(db);
    if (status == DREAMD_DB_OK)
        status = dreamd_check(db, dream_wall_ms(), print_violation, NULL, &violations);
    exit_status = status == DREAMD_DB_OK ? finish(violations)
                                         : dreamd_failed("Cannot check %s: %s (%s).", path,
                                                         dreamd_database_failure(status), dreamd_db_message(db));
    dreamd_db_rollback(db);
done:
    dreamd_db_close(db);
    return exit_status;
}

static int run(const dreamd_arguments *arguments)
{
    char error[256];
    bool is_misuse = false;
    char *path = dreamd_database_locate(arguments->values[OPTION_DB], &is_misuse, error);
    if (!path)
        return is_misuse ? dreamd_misused("%s.", error) : dreamd_failed("%s.", error);
    int status = check(path);
    free(path);
    return status;
}

const dreamd_command dreamd_command_check = {
    "check",
    "Checks every invariant of the store",
    NULL,
    options,
    "Prints one line for each violation and a summary. Exit status 0: all hold; 1: some do not, or the\n"
    "database cannot be read. Changes nothing; may run while others use the database.\n" DREAMD_DEFAULT_DB_HELP,
    run,
};
