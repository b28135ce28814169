/* SPDX-License-Identifier: Apache-2.0 */
/* account.c - one transaction on one user's account. `serve` may be running: the write lock is taken at once. */
#include "dreamapid/account.h"

#include <stdlib.h>

#include "dreamapid/command.h"
#include "dreamapid/database.h"
#include "service/store/migrations.h"

static int say_not_one(const dreamd_account *account, int64_t count)
{
    if (count == 0)
        return dreamd_failed("No project that fits has a customer %.128s.", account->filter.user_id);
    return dreamd_failed("%lld projects have a customer %.128s; say which with --project or --publishable-key.",
                         (long long)count, account->filter.user_id);
}

static int work_on(dreamd_db *db, const dreamd_account *account, dreamd_account_work *work, void *arg)
{
    dreamd_project project;
    int64_t count = 0;
    dreamd_db_status status = dreamd_db_begin(db);
    if (status == DREAMD_DB_OK)
        status = dreamd_account_find(db, &account->filter, &project, &count);
    if (status == DREAMD_DB_OK && count != 1) {
        dreamd_db_rollback(db);
        return say_not_one(account, count);
    }
    if (status == DREAMD_DB_OK)
        status = work(db, &project, arg);
    if (status == DREAMD_DB_OK)
        status = dreamd_db_commit(db);
    if (status == DREAMD_DB_OK)
        return DREAMD_EXIT_OK;
    dreamd_db_rollback(db);
    return dreamd_failed("Nothing was changed: %s.", dreamd_database_failure(status));
}

int dreamd_account_run(const dreamd_account *account, dreamd_account_work *work, void *arg)
{
    char error[256];
    bool is_misuse = false;
    int exit_status;
    dreamd_db *db = NULL;
    char *path = dreamd_database_locate(account->db, &is_misuse, error);
    if (!path)
        return is_misuse ? dreamd_misused("%s.", error) : dreamd_failed("%s.", error);
    db = dreamd_db_open_sqlite(path, DREAMD_DB_READ_WRITE, error);
    if (!db || !dreamd_schema_is_current(db, error))
        exit_status = dreamd_failed("%s.", error);
    else
        exit_status = work_on(db, account, work, arg);
    dreamd_db_close(db);
    free(path);
    return exit_status;
}
