/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_lease_write_off.c - `dreamapid lease write-off`: gives a user back the units that a silent holder left lost, before the period
 * ends or the holder reports after all. The decision is the operator's, so it leaves an audit entry. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/timefmt.h"
#include "dreamapid/account.h"
#include "dreamapid/command.h"
#include "dreamapid/database.h"
#include "service/store/leases.h"
#include "service/store/usage.h"

enum { OPTION_DB, OPTION_USER, OPTION_METER, OPTION_PROJECT, OPTION_KEY, OPTION_UNITS };

static const dreamd_option options[] = {
    { "db", "PATH", "the database (default: see below)" },
    { "user", "ID", "whose units (needed)" },
    { "meter", "NAME", "of which meter (default: default)" },
    { "project", "NAME", "in the project of this name, if several have the user" },
    { "publishable-key", "KEY", "in the project of this key" },
    { "units", "N", "at most so many (default: all that are lost)" },
    { NULL, NULL, NULL },
};

struct write_off {
    const char *user_id;
    const char *meter;
    int64_t most;
    int64_t units;
    char actor[DREAMD_ACTOR_SIZE];
};

static dreamd_db_status work(dreamd_db *db, const dreamd_project *project, void *arg)
{
    struct write_off *self = arg;
    const dreamd_lease_write_off wanted = { project,    self->user_id,   self->meter,
                                            self->most, dream_wall_ms(), self->actor };
    return dreamd_lease_write_off_lost(db, &wanted, &self->units);
}

static bool read_units(const char *text, int64_t *out)
{
    char *end = NULL;
    if (!text)
        return true;
    errno = 0;
    *out = strtoll(text, &end, 10);
    return errno == 0 && *end == '\0' && end != text && *out >= 1;
}

static int run(const dreamd_arguments *arguments)
{
    const char *const *values = arguments->values;
    const dreamd_account account = { values[OPTION_DB],
                                     { values[OPTION_USER], values[OPTION_PROJECT], values[OPTION_KEY] } };
    struct write_off self = { values[OPTION_USER], values[OPTION_METER] ? values[OPTION_METER] : DREAMD_DEFAULT_METER,
                              INT64_MAX, 0, "" };
    char line[64];
    if (!self.user_id)
        return dreamd_misused("lease write-off needs --user ID.");
    if (!read_units(values[OPTION_UNITS], &self.most))
        return dreamd_misused("--units wants a whole number from 1 on.");
    dreamd_command_actor(self.actor);
    int status = dreamd_account_run(&account, work, &self);
    if (status != DREAMD_EXIT_OK)
        return status;
    (void)snprintf(line, sizeof line, "{\"writtenOff\":%" PRId64 "}", self.units);
    return dreamd_print_line(line) ? DREAMD_EXIT_OK : DREAMD_EXIT_FAILED;
}

const dreamd_command dreamd_command_lease_write_off = {
    "lease write-off",
    "Gives lost units of a user's latest period back",
    NULL,
    options,
    "Prints how many as {\"writtenOff\":N}, and leaves an audit entry. If their holder reports them as used\n"
    "after all, they are billed, and the period may go over its limit by what was written "
    "off.\n" DREAMD_DEFAULT_DB_HELP,
    run,
};
