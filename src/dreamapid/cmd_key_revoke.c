/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_key_revoke.c - `dreamapid key revoke`: a key that is refused from now on, by every process on the database. */
#include "dreamapid/command.h"
#include "dreamapid/database.h"
#include "dreamapid/key_command.h"

enum { OPTION_DB, OPTION_KEY, OPTION_KEY_ID };

static const dreamd_option options[] = {
    { "db", "PATH", "the database (default: see below)" },
    { "publishable-key", "KEY", "the key (needed)" },
    { "key-id", "ID", "only the secret with this id (default: the pair, with all its secrets)" },
    { NULL, NULL, NULL },
};

struct revoke {
    dreamd_key_command command;
    const char *key_id;
    bool is_found;
};

static dreamd_db_status work(dreamd_db *db, void *arg)
{
    struct revoke *self = arg;
    const dreamd_key_change change = { self->command.actor, self->command.now_ms };
    dreamd_db_status status = dreamd_key_command_find(db, &self->command);
    return status == DREAMD_DB_OK
               ? dreamd_key_withdraw(db, &self->command.project, self->key_id, &change, &self->is_found)
               : status;
}

static int run(const dreamd_arguments *arguments)
{
    const char *const *values = arguments->values;
    struct revoke self = { .command = { .db = values[OPTION_DB], .filter = { NULL, values[OPTION_KEY], NULL } },
                           .key_id = values[OPTION_KEY_ID] };
    if (!values[OPTION_KEY])
        return dreamd_misused("key revoke needs --publishable-key KEY.");
    int status = dreamd_key_command_run(&self.command, work, &self);
    if (status == DREAMD_EXIT_OK && !self.is_found)
        status = dreamd_failed("Nothing was changed: there is no such key that is not revoked already.");
    if (status == DREAMD_EXIT_OK && !dreamd_print_line("{\"revoked\":true}"))
        status = DREAMD_EXIT_FAILED;
    return status;
}

const dreamd_command dreamd_command_key_revoke = {
    "key revoke",
    "Revokes a pair of keys, or one secret key",
    NULL,
    options,
    "Every process on the database refuses it from then on. Prints {\"revoked\":true}, and leaves an audit\n"
    "entry.\n" DREAMD_DEFAULT_DB_HELP,
    run,
};
