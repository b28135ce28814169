/* SPDX-License-Identifier: Apache-2.0 */
/* database.c - finds the database's path. The default follows the XDG base directories; under systemd, StateDirectory=
 * says where. Opening and migrating are the store's. */
#include "dreamapid/database.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/store/master_key.h"

enum { ERROR_SIZE = 256, SHOWN = 120 };

static const char file_name[] = "dreamapid.db";

static bool is_other_engine(const char *given)
{
    return strncasecmp(given, "postgresql:", 11) == 0 || strncasecmp(given, "postgres:", 9) == 0;
}

/* `path` with all folders before its last name, made if absent. */
static bool make_folders(char *path, char error[ERROR_SIZE])
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        bool is_there = mkdir(path, 0700) == 0 || errno == EEXIST;
        int reason = errno;
        if (!is_there)
            (void)snprintf(error, ERROR_SIZE, "Cannot make the folder %.*s: %s; name another place with --db", SHOWN,
                           path, strerror(reason));
        *slash = '/';
        if (!is_there)
            return false;
    }
    return true;
}

static char *out_of_memory(char error[ERROR_SIZE])
{
    (void)snprintf(error, ERROR_SIZE, "out of memory");
    return NULL;
}

/* STATE_DIRECTORY may hold several, with colons between; the first is ours. Relative values do not count (XDG). */
static char *default_path(char error[ERROR_SIZE])
{
    const char *state = getenv("STATE_DIRECTORY");
    const char *data = getenv("XDG_DATA_HOME");
    const char *home = getenv("HOME");
    char *path = NULL;
    int size;
    if (state && state[0] == '/')
        size = asprintf(&path, "%.*s/%s", (int)strcspn(state, ":"), state, file_name);
    else if (data && data[0] == '/')
        size = asprintf(&path, "%s/dreamapid/%s", data, file_name);
    else if (home && home[0] == '/')
        size = asprintf(&path, "%s/.local/share/dreamapid/%s", home, file_name);
    else {
        (void)snprintf(error, ERROR_SIZE, "No home folder is known: say with --db where the database is");
        return NULL;
    }
    return size < 0 ? out_of_memory(error) : path;
}

char *dreamd_database_locate(const char *given, bool *out_is_misuse, char error[ERROR_SIZE])
{
    *out_is_misuse = false;
    error[0] = '\0';
    if (given && is_other_engine(given)) {
        *out_is_misuse = true;
        (void)snprintf(error, ERROR_SIZE,
                       "This dreamapid has no PostgreSQL store: give --db the path of a SQLite file");
        return NULL;
    }
    if (given) {
        char *copy = strdup(given);
        return copy ? copy : out_of_memory(error);
    }
    char *path = default_path(error);
    if (path && !make_folders(path, error)) {
        free(path);
        path = NULL;
    }
    return path;
}

struct key_check {
    const unsigned char *key;
    bool is_right;
};

static dreamd_db_status check_key(dreamd_db *db, void *arg)
{
    struct key_check *check = arg;
    return dreamd_master_key_check(db, check->key, &check->is_right);
}

static dreamd_db_status is_key_set(dreamd_db *db, void *arg)
{
    return dreamd_master_key_is_set(db, arg);
}

static bool refuse(const char *path, const char *why, char error[ERROR_SIZE])
{
    (void)snprintf(error, ERROR_SIZE, "Cannot use the database %.*s: %s", SHOWN, path, why);
    return false;
}

/* A key that is gone must not be replaced by a new one: nothing that the old one sealed would open. The database is asked
 * first: who makes both makes the file before the mark in the database. */
static bool is_key_lost(dreamd_store *store, const char *path, dreamd_environment *environment)
{
    const char *variable = dreamd_environment_get(environment, "DREAMAPID_MASTER_KEY");
    bool is_set = false;
    char *file = NULL;
    if ((variable && variable[0]) || dreamd_store_read_now(store, is_key_set, &is_set) != DREAMD_DB_OK || !is_set)
        return false;
    bool is_absent = asprintf(&file, "%s.key", path) >= 0 && access(file, F_OK) != 0 && errno == ENOENT;
    free(file);
    return is_absent;
}

/* A new one is the database's owner's, as SQLite's own files are: on a new machine root may put a backup back before the service's
 * user was there. One that is there is opened as it is. */
static int open_lock(const char *name, const char *path)
{
    struct stat database;
    int fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno == EEXIST ? open(name, O_RDWR | O_CLOEXEC) : -1;
    if (geteuid() == 0 && stat(path, &database) == 0 && fchown(fd, database.st_uid, database.st_gid) != 0) {
        int reason = errno;
        (void)close(fd);
        errno = reason;
        return -1;
    }
    return fd;
}

int dreamd_database_lock(const char *path, bool is_exclusive, char error[ERROR_SIZE])
{
    char *name = NULL;
    int fd = -1;
    if (asprintf(&name, "%s.lock", path) < 0)
        name = NULL;
    else
        fd = open_lock(name, path);
    bool is_locked = fd >= 0 && flock(fd, (is_exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB) == 0;
    if (!is_locked) {
        if (fd < 0 || errno != EWOULDBLOCK)
            (void)refuse(path, strerror(name ? errno : ENOMEM), error);
        else if (is_exclusive)
            (void)refuse(path, "another dreamapid has it open: stop serve first", error);
        else
            (void)refuse(path, "master-key rotate or restore is at work on it; try again", error);
        if (fd >= 0)
            (void)close(fd);
        fd = -1;
    }
    free(name);
    return fd;
}

static bool find_key(dreamd_store *store, const char *path, dreamd_settings *settings, dreamd_environment *environment,
                     char error[ERROR_SIZE])
{
    struct key_check check = { settings->master_key, false };
    int lock = dreamd_database_lock(path, false, error);
    if (lock < 0)
        return false;
    settings->database_lock = lock;
    if (is_key_lost(store, path, environment))
        return refuse(path, "its master key is missing: restore the .key file beside it or set DREAMAPID_MASTER_KEY",
                      error);
    if (!dreamd_settings_master_key(settings, dreamd_environment_get, environment, path, error))
        return false;
    dreamd_db_status status = dreamd_store_write_now(store, check_key, &check);
    if (status != DREAMD_DB_OK)
        return refuse(path, dreamd_database_failure(status), error);
    return check.is_right
           || refuse(path, "it was made with another master key: restore its .key file or DREAMAPID_MASTER_KEY", error);
}

dreamd_store *dreamd_database_open(const char *path, dreamd_settings *settings, dreamd_environment *environment,
                                   dreamd_metrics *metrics, char error[ERROR_SIZE])
{
    dreamd_store *store = dreamd_store_migrate(path, error) ? dreamd_store_open(path, metrics, error) : NULL;
    if (store && !find_key(store, path, settings, environment, error)) {
        dreamd_store_close(store);
        store = NULL;
    }
    return store;
}

const char *dreamd_database_failure(dreamd_db_status status)
{
    switch (status) {
    case DREAMD_DB_OK:
    case DREAMD_DB_ROW:
        return "nothing is wrong";
    case DREAMD_DB_CONFLICT:
        return "it contradicts what the database holds";
    case DREAMD_DB_BUSY:
        return "another process keeps the database locked; try again";
    case DREAMD_DB_FULL:
        return "the disk is full or read-only";
    case DREAMD_DB_CORRUPT:
        return "the database is damaged; restore a backup";
    case DREAMD_DB_NOMEM:
        return "out of memory";
    case DREAMD_DB_ERROR:
    default:
        return "the database refused it; see the log above";
    }
}
