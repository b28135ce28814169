/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_key_rotate.c - `dreamapid key rotate`: a new secret for a publishable key; the old ones go on for the overlap. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/crypto.h"
#include "dreamapid/command.h"
#include "dreamapid/database.h"
#include "dreamapid/key_command.h"

enum { OPTION_DB, OPTION_PROJECT, OPTION_KEY, OPTION_MODE, OPTION_OVERLAP, OPTION_ENV_FILE };
enum { DEFAULT_OVERLAP_S = 86400, MAX_OVERLAP_S = 90 * 86400 };

static const dreamd_option options[] = {
    { "db", "PATH", "the database (default: see below)" },
    { "project", "NAME", "the project of this name" },
    { "publishable-key", "KEY", "the key, if the project has several" },
    { "mode", "MODE", "live or test, if a project has both" },
    { "overlap", "SECONDS", "how long the old secrets go on; 0 to 7776000 (default: 86400)" },
    { "env-file", "FILE", "settings for what the environment does not set" },
    { NULL, NULL, NULL },
};

struct rotate {
    dreamd_key_command command;
    dreamd_drawn_key key;
    int64_t overlap_s;
};

static dreamd_db_status work(dreamd_db *db, void *arg)
{
    struct rotate *self = arg;
    const dreamd_key_change change = { self->command.actor, self->command.now_ms };
    const dreamd_project *project = &self->command.project;
    dreamd_db_status status = dreamd_key_command_find(db, &self->command);
    if (status != DREAMD_DB_OK)
        return status;
    memcpy(self->key.publishable_key, project->publishable_key, sizeof self->key.publishable_key);
    if (!dreamd_drawn_key_draw(&self->key, project->mode))
        return DREAMD_DB_ERROR;
    const dreamd_new_key key = { project->platform_id, project->project_id, self->key.publishable_key,
                                 self->key.secret_key, self->command.master_key };
    return dreamd_key_rotate(db, &key, self->overlap_s * 1000, &change, self->key.key_id);
}

static bool read_overlap(const char *text, int64_t *out)
{
    char *end = NULL;
    *out = DEFAULT_OVERLAP_S;
    if (!text)
        return true;
    errno = 0;
    *out = strtoll(text, &end, 10);
    return errno == 0 && *end == '\0' && end != text && *out >= 0 && *out <= MAX_OVERLAP_S;
}

static int run(const dreamd_arguments *arguments)
{
    const char *const *values = arguments->values;
    struct rotate self = { .command = { .db = values[OPTION_DB],
                                        .env_file = values[OPTION_ENV_FILE],
                                        .needs_master_key = true,
                                        .filter = { values[OPTION_PROJECT], values[OPTION_KEY], values[OPTION_MODE] },
                                        .needs_key = true } };
    if (!read_overlap(values[OPTION_OVERLAP], &self.overlap_s))
        return dreamd_misused("--overlap wants whole seconds, at most %d.", (int)MAX_OVERLAP_S);
    int status = dreamd_key_command_run(&self.command, work, &self);
    if (status == DREAMD_EXIT_OK)
        status = dreamd_drawn_key_print(&self.key, self.command.project.platform_id);
    dream_wipe(&self.key, sizeof self.key);
    return status;
}

const dreamd_command dreamd_command_key_rotate = {
    "key rotate",
    "Makes a new secret key; the old one ends after an overlap",
    NULL,
    options,
    "Prints {\"platformId\",\"publishableKey\",\"secretKey\",\"keyId\"}. The secret key is shown this once.\n"
    "An earlier end that an old secret has stays. Leaves an audit entry.\n" DREAMD_DEFAULT_DB_HELP,
    run,
};
