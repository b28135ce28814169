/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_fixture_load.c - `dreamapid fixture load`: puts a described state into the database and prints which key or id each
 * placeholder became. Reading the file is fixture_file.c, writing it fixture_rows.c. For tests: `serve` may have the
 * database open. */
#include <stdlib.h>

#include "common/crypto.h"
#include "common/json.h"
#include "common/timefmt.h"
#include "dreamapid/command.h"
#include "dreamapid/database.h"
#include "dreamapid/environment.h"
#include "dreamapid/fixture_rows.h"
#include "dreamapid/text_file.h"

enum { OPTION_DB, OPTION_ENV_FILE };

static const dreamd_option options[] = {
    { "db", "PATH", "the database, made if absent (default: see below)" },
    { "env-file", "FILE", "variables for what the environment does not set (DREAMAPID_MASTER_KEY)" },
    { NULL, NULL, NULL },
};

static int print_map(const dreamd_fixture *fixture)
{
    char *line = dream_json_print(fixture->placeholders.values);
    int status = !line                     ? dreamd_failed("Out of memory.")
                 : dreamd_print_line(line) ? DREAMD_EXIT_OK
                                           : DREAMD_EXIT_FAILED;
    dream_free_secret(line);
    return status;
}

static int write_fixture(const char *db_path, const dreamd_fixture *fixture, dreamd_environment *environment)
{
    char error[256];
    char actor[DREAMD_ACTOR_SIZE];
    dreamd_settings settings = { .frontend_url = NULL };
    dreamd_store *store = dreamd_database_open(db_path, &settings, environment, NULL, error);
    if (!store)
        return dreamd_failed("%s.", error);
    dreamd_fixture_rows rows = {
        .fixture = fixture, .master_key = settings.master_key, .actor = actor, .now_ms = fixture->placeholders.now_ms
    };
    dreamd_command_actor(actor);
    dreamd_db_status status = dreamd_store_write_now(store, dreamd_fixture_write, &rows);
    dreamd_store_close(store);
    dreamd_settings_clear(&settings);
    if (status != DREAMD_DB_OK)
        return dreamd_failed("Nothing was loaded. %s: %s.", rows.place, dreamd_database_failure(status));
    return print_map(fixture);
}

static int load(const char *db_path, const char *file, dreamd_environment *environment)
{
    char error[256];
    dreamd_fixture fixture = { .platforms = NULL };
    dream_arena *arena = dream_arena_new();
    cJSON *document = dreamd_json_file_read(file, error);
    int status;
    if (!document || !arena)
        status = dreamd_failed("%s.", document ? "Out of memory" : error);
    else if (!dreamd_fixture_read(document, dream_wall_ms(), arena, &fixture, error))
        status = dreamd_failed("%s: %s.", file, error);
    else
        status = write_fixture(db_path, &fixture, environment);
    dreamd_fixture_clear(&fixture);
    cJSON_Delete(document);
    dream_arena_free(arena);
    return status;
}

static int run(const dreamd_arguments *arguments)
{
    char error[256];
    bool is_misuse = false;
    int status;
    dreamd_environment *environment = NULL;
    char *path = dreamd_database_locate(arguments->values[OPTION_DB], &is_misuse, error);
    if (!path)
        return is_misuse ? dreamd_misused("%s.", error) : dreamd_failed("%s.", error);
    environment = dreamd_environment_open(arguments->values[OPTION_ENV_FILE], error);
    status = environment ? load(path, arguments->operand, environment) : dreamd_failed("%s.", error);
    dreamd_environment_free(environment);
    free(path);
    return status;
}

const dreamd_command dreamd_command_fixture_load = {
    "fixture load",
    "Loads a described state for tests and prints what its placeholders became",
    "FILE",
    options,
    "FILE is a JSON object with \"platforms\" and, if wanted, \"users\", \"usage\", \"subscriptions\" and\n"
    "\"rates\", or a document that has it under \"fixture\". All of it is loaded, or nothing.\n"
    "Leaves an audit entry for each project.\n" DREAMD_DEFAULT_DB_HELP,
    run,
};
