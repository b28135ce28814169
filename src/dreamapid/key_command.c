/* SPDX-License-Identifier: Apache-2.0 */
/* key_command.c - the frame of `dreamapid key ...`. `serve` may be running: the write lock is taken at once. */
#include "dreamapid/key_command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/crypto.h"
#include "common/ids.h"
#include "common/json.h"
#include "common/timefmt.h"
#include "dreamapid/command.h"
#include "dreamapid/database.h"
#include "dreamapid/environment.h"

enum { ERROR_SIZE = 256, PUBLISHABLE_BYTES = 16, SECRET_BYTES = 32 };

static dreamd_store *open_with_key(dreamd_key_command *command, const char *path, char error[ERROR_SIZE])
{
    dreamd_settings settings = { .frontend_url = NULL };
    dreamd_environment *environment = dreamd_environment_open(command->env_file, error);
    dreamd_store *store = environment && dreamd_settings_read(&settings, dreamd_environment_get, environment, error)
                              ? dreamd_database_open(path, &settings, environment, NULL, error)
                              : NULL;
    memcpy(command->master_key, settings.master_key, sizeof command->master_key);
    dreamd_settings_clear(&settings);
    dreamd_environment_free(environment);
    return store;
}

static int say_failure(const dreamd_key_command *command, dreamd_db_status status)
{
    if (status == DREAMD_DB_CONFLICT && command->projects != 1)
        return dreamd_failed("%lld projects fit; say which with --project, --publishable-key or --mode.",
                             (long long)command->projects);
    if (status == DREAMD_DB_CONFLICT && command->needs_key && command->keys != 1)
        return dreamd_failed("%lld publishable keys of the project have a valid secret; say which with "
                             "--publishable-key, or make a pair with \"key create\".",
                             (long long)command->keys);
    return dreamd_failed("Nothing was changed: %s.", dreamd_database_failure(status));
}

int dreamd_key_command_run(dreamd_key_command *command, dreamd_work *work, void *arg)
{
    char error[ERROR_SIZE];
    bool is_misuse = false;
    enum dreamd_mode mode;
    if (command->filter.mode && !dreamd_mode_parse(command->filter.mode, &mode))
        return dreamd_misused("--mode must be live or test.");
    char *path = dreamd_database_locate(command->db, &is_misuse, error);
    if (!path)
        return is_misuse ? dreamd_misused("%s.", error) : dreamd_failed("%s.", error);
    dreamd_command_actor(command->actor);
    command->now_ms = dream_wall_ms();
    dreamd_store *store =
        command->needs_master_key ? open_with_key(command, path, error) : dreamd_store_open(path, NULL, error);
    dreamd_db_status status = !store                ? DREAMD_DB_ERROR
                              : command->is_reading ? dreamd_store_read_now(store, work, arg)
                                                    : dreamd_store_write_now(store, work, arg);
    int exit_status = !store                   ? dreamd_failed("%s.", error)
                      : status == DREAMD_DB_OK ? DREAMD_EXIT_OK
                                               : say_failure(command, status);
    dreamd_store_close(store);
    dream_wipe(command->master_key, sizeof command->master_key);
    free(path);
    return exit_status;
}

dreamd_db_status dreamd_key_command_find(dreamd_db *db, dreamd_key_command *command)
{
    dreamd_db_status status = dreamd_project_select(db, &command->filter, &command->project, &command->projects);
    if (status == DREAMD_DB_OK && command->projects != 1)
        return DREAMD_DB_CONFLICT;
    if (status == DREAMD_DB_OK && command->needs_key) {
        status = dreamd_project_only_key(db, &command->project, command->now_ms, &command->keys);
        if (status == DREAMD_DB_OK && command->keys != 1)
            status = DREAMD_DB_CONFLICT;
    }
    return status;
}

bool dreamd_drawn_key_draw(dreamd_drawn_key *key, enum dreamd_mode mode)
{
    char prefix[16];
    (void)snprintf(prefix, sizeof prefix, "pk_%s_", dreamd_mode_text(mode));
    if (!key->publishable_key[0] && !dream_random_id(prefix, PUBLISHABLE_BYTES, key->publishable_key))
        return false;
    (void)snprintf(prefix, sizeof prefix, "sk_%s_", dreamd_mode_text(mode));
    return dream_random_id(prefix, SECRET_BYTES, key->secret_key);
}

int dreamd_drawn_key_print(const dreamd_drawn_key *key, const char *platform_id)
{
    cJSON *object = cJSON_CreateObject();
    bool is_ok = dream_json_set_string(object, "platformId", platform_id)
                 && dream_json_set_string(object, "publishableKey", key->publishable_key)
                 && dream_json_set_string(object, "secretKey", key->secret_key)
                 && dream_json_set_string(object, "keyId", key->key_id);
    char *line = is_ok ? dream_json_print(object) : NULL;
    int status = !line                     ? dreamd_failed("The key was made, but there is no memory to print it.")
                 : dreamd_print_line(line) ? DREAMD_EXIT_OK
                                           : DREAMD_EXIT_FAILED;
    cJSON *secret = cJSON_GetObjectItemCaseSensitive(object, "secretKey");
    if (secret)
        dream_wipe_text(secret->valuestring);
    cJSON_Delete(object);
    dream_free_secret(line);
    return status;
}
