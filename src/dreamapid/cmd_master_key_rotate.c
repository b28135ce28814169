/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_master_key_rotate.c - `dreamapid master-key rotate`: seals everything that is sealed with a new master key, in one transaction.
 *
 * Where the key is a file, DB.key, the new one is put beside it as DB.key.new before anything is sealed with it, and takes its place
 * after the commit. So whatever moment a crash picks, both keys are there, and the same command again finishes the work. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/crypto.h"
#include "common/encoding.h"
#include "common/timefmt.h"
#include "dreamapid/command.h"
#include "dreamapid/database.h"
#include "dreamapid/environment.h"
#include "service/store/master_key.h"
#include "service/store/migrations.h"

enum { OPTION_DB, OPTION_NEW_KEY_FILE, OPTION_ENV_FILE, KEY_SIZE = 32, ERROR_SIZE = 256 };

static const dreamd_option options[] = {
    { "db", "PATH", "the database (default: see below)" },
    { "new-key-file", "FILE",
      "the new key (default: DREAMAPID_NEW_MASTER_KEY, else a new one where DB.key is in use)" },
    { "env-file", "FILE", "settings for what the environment does not set (DREAMAPID_MASTER_KEY, DREAMAPID_NEW_...)" },
    { NULL, NULL, NULL },
};

struct rotation {
    const char *path;
    dreamd_environment *environment;
    unsigned char old_key[KEY_SIZE];
    unsigned char new_key[KEY_SIZE];
    bool has_new_key; /* it was given */
    bool is_in_file;  /* the old one is: DB.key */
    char *file;       /* DB.key */
    char *next_file;  /* DB.key.new */
    int64_t count;
    char error[ERROR_SIZE];
};

static bool say(struct rotation *self, const char *why)
{
    (void)snprintf(self->error, sizeof self->error, "%s", why);
    return false;
}

static const char *variable(const struct rotation *self, const char *name)
{
    const char *value = dreamd_environment_get(self->environment, name);
    return value && value[0] ? value : NULL;
}

static bool read_given_key(struct rotation *self, const char *new_key_file)
{
    const char *value = variable(self, "DREAMAPID_NEW_MASTER_KEY");
    self->has_new_key = new_key_file || value;
    if (new_key_file)
        return access(new_key_file, F_OK) == 0 ? dreamd_key_file_read(new_key_file, self->new_key, self->error)
                                               : say(self, "The file of --new-key-file is not there");
    return !value || dream_hex_decode(value, strlen(value), self->new_key, KEY_SIZE)
           || say(self, "DREAMAPID_NEW_MASTER_KEY must be 64 hexadecimal characters");
}

/* Puts the new key beside the old one; one that is there already, from an earlier try, must be the one that is wanted. */
static bool prepare_file(struct rotation *self)
{
    unsigned char key[KEY_SIZE];
    bool is_ready = (!self->has_new_key || dreamd_key_file_make(self->next_file, self->new_key, self->error))
                    && dreamd_key_file_read(self->next_file, key, self->error);
    if (is_ready && self->has_new_key && !dream_equal_secret(key, self->new_key, KEY_SIZE))
        is_ready = say(self, "An earlier rotation left another key in DB.key.new: finish it without naming a new key");
    memcpy(self->new_key, key, KEY_SIZE);
    dream_wipe(key, sizeof key);
    return is_ready;
}

static bool read_keys(struct rotation *self, const char *new_key_file)
{
    const char *value = variable(self, "DREAMAPID_MASTER_KEY");
    self->is_in_file = !value;
    if (!read_given_key(self, new_key_file))
        return false;
    if (value && !dream_hex_decode(value, strlen(value), self->old_key, KEY_SIZE))
        return say(self, "DREAMAPID_MASTER_KEY must be 64 hexadecimal characters");
    if (value)
        return self->has_new_key || say(self, "Name the new key: DREAMAPID_NEW_MASTER_KEY or --new-key-file");
    if (access(self->file, F_OK) != 0)
        return say(self, "There is no DB.key beside the database, and DREAMAPID_MASTER_KEY is not set");
    return dreamd_key_file_read(self->file, self->old_key, self->error) && prepare_file(self);
}

static dreamd_db_status rotate_in(dreamd_db *db, struct rotation *self)
{
    bool is_right = false;
    char actor[DREAMD_ACTOR_SIZE];
    const dreamd_master_key_change change = { self->old_key, self->new_key, actor, dream_wall_ms() };
    dreamd_command_actor(actor);
    dreamd_db_status status = dreamd_master_key_check(db, self->old_key, &is_right);
    if (status == DREAMD_DB_OK && is_right)
        return dreamd_master_key_rotate(db, &change, &self->count);
    if (status == DREAMD_DB_OK)
        status = dreamd_master_key_check(db, self->new_key, &is_right);
    /* With the new key the database was committed, and a crash came before the file took its place. */
    if (status == DREAMD_DB_OK && !is_right)
        status = DREAMD_DB_CONFLICT;
    return status;
}

static bool rotate_database(struct rotation *self)
{
    dreamd_db *db = dreamd_db_open_sqlite(self->path, DREAMD_DB_READ_WRITE, self->error);
    bool is_done = false;
    if (db && dreamd_schema_migrate(db, self->error)) {
        dreamd_db_status status = dreamd_db_begin(db);
        if (status == DREAMD_DB_OK)
            status = rotate_in(db, self);
        if (status == DREAMD_DB_OK)
            status = dreamd_db_commit(db);
        if (status != DREAMD_DB_OK)
            dreamd_db_rollback(db);
        is_done = status == DREAMD_DB_OK;
        if (!is_done)
            (void)snprintf(self->error, sizeof self->error, "Nothing was changed: %s",
                           status == DREAMD_DB_CONFLICT ? "the database was made with another master key"
                                                        : dreamd_database_failure(status));
    }
    dreamd_db_close(db);
    return is_done;
}

static bool replace_file(struct rotation *self)
{
    return !self->is_in_file || (rename(self->next_file, self->file) == 0 && dreamd_key_file_sync(self->file))
           || say(self, "Everything is sealed with the key in DB.key.new, which could not be renamed to DB.key: do it");
}

static bool rotate(struct rotation *self, const char *new_key_file)
{
    int lock = dreamd_database_lock(self->path, true, self->error);
    bool is_done = lock >= 0 && read_keys(self, new_key_file) && rotate_database(self) && replace_file(self);
    if (lock >= 0)
        (void)close(lock);
    return is_done;
}

static int run_on(const char *path, const dreamd_arguments *arguments)
{
    struct rotation self = { .path = path };
    char line[64];
    bool is_done = asprintf(&self.file, "%s.key", path) >= 0 && asprintf(&self.next_file, "%s.key.new", path) >= 0;
    if (!is_done)
        (void)say(&self, "out of memory");
    if (is_done)
        self.environment = dreamd_environment_open(arguments->values[OPTION_ENV_FILE], self.error);
    is_done = self.environment && rotate(&self, arguments->values[OPTION_NEW_KEY_FILE]);
    dream_wipe(self.old_key, sizeof self.old_key);
    dream_wipe(self.new_key, sizeof self.new_key);
    dreamd_environment_free(self.environment);
    free(self.file);
    free(self.next_file);
    if (!is_done)
        return dreamd_failed("%s.", self.error);
    (void)snprintf(line, sizeof line, "{\"resealed\":%lld}", (long long)self.count);
    return dreamd_print_line(line) ? DREAMD_EXIT_OK : DREAMD_EXIT_FAILED;
}

static int run(const dreamd_arguments *arguments)
{
    char error[ERROR_SIZE];
    bool is_misuse = false;
    char *path = dreamd_database_locate(arguments->values[OPTION_DB], &is_misuse, error);
    if (!path)
        return is_misuse ? dreamd_misused("%s.", error) : dreamd_failed("%s.", error);
    int status = access(path, F_OK) == 0 ? run_on(path, arguments) : dreamd_failed("There is no database %s.", path);
    free(path);
    return status;
}

const dreamd_command dreamd_command_master_key_rotate = {
    "master-key rotate",
    "Seals stored keys and tokens with a new master key",
    NULL,
    options,
    "Stop serve first: it is refused while one runs. Where the key is DB.key, that file is replaced; where it is\n"
    "DREAMAPID_MASTER_KEY, set that to the new key afterwards. Prints {\"resealed\":N}, and leaves an audit\n"
    "entry. After a crash, run it again.\n" DREAMD_DEFAULT_DB_HELP,
    run,
};
