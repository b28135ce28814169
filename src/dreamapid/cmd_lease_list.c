/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_lease_list.c - `dreamapid lease list`: one user's leases that are not final, and the settlements that came too late. */
#include "dreamapid/account.h"
#include "dreamapid/command.h"
#include "dreamapid/database.h"

enum { OPTION_DB, OPTION_USER, OPTION_PROJECT, OPTION_KEY };

static const dreamd_option options[] = {
    { "db", "PATH", "the database (default: see below)" },
    { "user", "ID", "whose leases (needed)" },
    { "project", "NAME", "in the project of this name, if several have the user" },
    { "publishable-key", "KEY", "in the project of this key" },
    { NULL, NULL, NULL },
};

static bool print_line(void *context, const char *json)
{
    (void)context;
    return dreamd_print_line(json);
}

static dreamd_db_status work(dreamd_db *db, const dreamd_project *project, void *arg)
{
    return dreamd_lease_list(db, project, arg, print_line, NULL);
}

static int run(const dreamd_arguments *arguments)
{
    const char *const *values = arguments->values;
    const dreamd_account account = { values[OPTION_DB],
                                     { values[OPTION_USER], values[OPTION_PROJECT], values[OPTION_KEY] } };
    if (!values[OPTION_USER])
        return dreamd_misused("lease list needs --user ID.");
    return dreamd_account_run(&account, work, (void *)values[OPTION_USER]);
}

const dreamd_command dreamd_command_lease_list = {
    "lease list",
    "Lists a user's leases that are not settled, and late settlements",
    NULL,
    options,
    "One line of JSON each. A settlement that came after its period's books were closed has the state\n"
    "\"closed\": it was not booked.\n" DREAMD_DEFAULT_DB_HELP,
    run,
};
