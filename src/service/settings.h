/* SPDX-License-Identifier: Apache-2.0 */
/* settings.h - what the service is told about the world: providers, keys, addresses.
 * Read once at start from environment variables (and an env file) or set by the program; immutable afterwards. */
#ifndef DREAMD_SERVICE_SETTINGS_H
#define DREAMD_SERVICE_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

enum dreamd_mode { DREAMD_LIVE, DREAMD_TEST, DREAMD_MODES };

typedef struct dreamd_clerk_settings {
    char *api_base;   /* no final slash */
    char *secret_key; /* NULL: this instance is not configured */
    char *webhook_secret;
} dreamd_clerk_settings;

typedef struct dreamd_stripe_settings {
    char *api_base;
    char *secret_key;
    char *webhook_secret;
} dreamd_stripe_settings;

typedef struct dreamd_settings {
    dreamd_clerk_settings clerk_platform[DREAMD_MODES];
    dreamd_clerk_settings clerk_end_user[DREAMD_MODES];
    dreamd_stripe_settings stripe[DREAMD_MODES];
    char *frontend_url;           /* default return addresses of checkouts; no final slash */
    char *allowed_origins;        /* comma list beside frontend_url; "*": any; NULL: loopback. See return_url.h */
    char *assets_folder;          /* NULL: beside the database; "off": no assets */
    int64_t lease_ttl_ms;         /* how long a grant of units lasts */
    int64_t lease_grace_ms;       /* after that, until a silent holder's units count as lost */
    int64_t lease_close_days;     /* after a period's end, until its books are closed */
    unsigned char master_key[32]; /* seals stored signing keys and access tokens */
    int database_lock;            /* a file that is closed when the key is forgotten; 0: none */
} dreamd_settings;

typedef const char *dreamd_getenv(void *context, const char *name);

/* Reads every variable through `get`. Suffix _TEST is the test mode; CLERK_SECRET_KEY and CLERK_API_BASE stand in for the
 * PLATFORM_CLERK_ and ENDUSER_CLERK_ forms where those are not set. False with a sentence naming the variable when a value
 * is unusable. Providers may be left out: what needs them answers 502 then. */
bool dreamd_settings_read(dreamd_settings *settings, dreamd_getenv *get, void *context, char error[256]);
/* Master key: DREAMAPID_MASTER_KEY (64 hex characters), else the 0600 file `DB.key`, made if absent. */
bool dreamd_settings_master_key(dreamd_settings *settings, dreamd_getenv *get, void *context, const char *db_path,
                                char error[256]);
/* A file with a key in 64 hexadecimal characters, mode 0600. Makes it, with `key` or (NULL) a new one; one that is there stays. */
bool dreamd_key_file_make(const char *path, const unsigned char *key, char error[256]);
/* Reads it; makes it with a new key if it is absent. `key` is a secret. */
bool dreamd_key_file_read(const char *path, unsigned char key[32], char error[256]);
/* Makes a change of the file's name durable. */
bool dreamd_key_file_sync(const char *path);
/* Wipes and releases everything. */
void dreamd_settings_clear(dreamd_settings *settings);

#endif
