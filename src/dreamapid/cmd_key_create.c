/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_key_create.c - `dreamapid key create`: one more pair for a project. */
#include "common/crypto.h"
#include "dreamapid/command.h"
#include "dreamapid/database.h"
#include "dreamapid/key_command.h"

enum { OPTION_DB, OPTION_PROJECT, OPTION_KEY, OPTION_MODE, OPTION_ENV_FILE };

static const dreamd_option options[] = {
    { "db", "PATH", "the database (default: see below)" },
    { "project", "NAME", "the project of this name" },
    { "publishable-key", "KEY", "the project that has this key" },
    { "mode", "MODE", "live or test, if a project has both" },
    { "env-file", "FILE", "settings for what the environment does not set" },
    { NULL, NULL, NULL },
};

struct create {
    dreamd_key_command command;
    dreamd_drawn_key key;
};

static dreamd_db_status work(dreamd_db *db, void *arg)
{
    struct create *self = arg;
    const dreamd_key_change change = { self->command.actor, self->command.now_ms };
    const dreamd_project *project = &self->command.project;
    dreamd_db_status status = dreamd_key_command_find(db, &self->command);
    if (status != DREAMD_DB_OK)
        return status;
    self->key.publishable_key[0] = '\0';
    if (!dreamd_drawn_key_draw(&self->key, project->mode))
        return DREAMD_DB_ERROR;
    const dreamd_new_key key = { project->platform_id, project->project_id, self->key.publishable_key,
                                 self->key.secret_key, self->command.master_key };
    return dreamd_key_create(db, &key, &change, self->key.key_id);
}

static int run(const dreamd_arguments *arguments)
{
    const char *const *values = arguments->values;
    struct create self = { .command = {
                               .db = values[OPTION_DB],
                               .env_file = values[OPTION_ENV_FILE],
                               .needs_master_key = true,
                               .filter = { values[OPTION_PROJECT], values[OPTION_KEY], values[OPTION_MODE] } } };
    int status = dreamd_key_command_run(&self.command, work, &self);
    if (status == DREAMD_EXIT_OK)
        status = dreamd_drawn_key_print(&self.key, self.command.project.platform_id);
    dream_wipe(&self.key, sizeof self.key);
    return status;
}

const dreamd_command dreamd_command_key_create = {
    "key create",
    "Makes one more pair of keys for a project",
    NULL,
    options,
    "Prints {\"platformId\",\"publishableKey\",\"secretKey\",\"keyId\"}. The secret key is shown this once.\n"
    "Leaves an audit entry.\n" DREAMD_DEFAULT_DB_HELP,
    run,
};
