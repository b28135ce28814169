/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_key_list.c - `dreamapid key list`: keys, their ids and times; never a secret. */
#include "dreamapid/command.h"
#include "dreamapid/database.h"
#include "dreamapid/key_command.h"

enum { OPTION_DB, OPTION_PROJECT, OPTION_KEY, OPTION_MODE };

static const dreamd_option options[] = {
    { "db", "PATH", "the database (default: see below)" },
    { "project", "NAME", "keys of projects of this name" },
    { "publishable-key", "KEY", "secrets of this publishable key" },
    { "mode", "MODE", "live or test" },
    { NULL, NULL, NULL },
};

static bool print_line(void *context, const char *json)
{
    (void)context;
    return dreamd_print_line(json);
}

static dreamd_db_status work(dreamd_db *db, void *arg)
{
    const dreamd_key_command *self = arg;
    return dreamd_key_list(db, &self->filter, self->now_ms, print_line, NULL);
}

static int run(const dreamd_arguments *arguments)
{
    const char *const *values = arguments->values;
    dreamd_key_command self = { .db = values[OPTION_DB],
                                .filter = { values[OPTION_PROJECT], values[OPTION_KEY], values[OPTION_MODE] },
                                .is_reading = true };
    return dreamd_key_command_run(&self, work, &self);
}

const dreamd_command dreamd_command_key_list = {
    "key list",
    "Lists keys, without their secrets",
    NULL,
    options,
    "One line of JSON each. \"lastUsedAt\" is right to a minute or so.\n" DREAMD_DEFAULT_DB_HELP,
    run,
};
