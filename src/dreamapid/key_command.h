/* SPDX-License-Identifier: Apache-2.0 */
/* key_command.h - what the commands about keys share: which database, which project, who asks, and printing a new key. */
#ifndef DREAMAPID_KEY_COMMAND_H
#define DREAMAPID_KEY_COMMAND_H

#include "dreamapid/command.h"
#include "service/store/key_admin.h"
#include "service/store/store.h"

typedef struct dreamd_key_command {
    const char *db;       /* the option; NULL: the default one */
    const char *env_file; /* the option */
    bool needs_master_key;
    bool is_reading; /* the work changes nothing, and runs once */
    dreamd_project_filter filter;
    bool needs_key; /* one publishable key with a valid secret, too */

    /* Filled in before the work: */
    unsigned char master_key[32];
    char actor[DREAMD_ACTOR_SIZE];
    int64_t now_ms;
    dreamd_project project;
    int64_t projects, keys; /* how many fit */
} dreamd_key_command;

/* Opens the store and runs `work` on it in one transaction, committed if its result is OK; it may run twice. What went wrong has been said. */
int dreamd_key_command_run(dreamd_key_command *command, dreamd_work *work, void *arg);
/* For the beginning of a work: finds the one project. CONFLICT, with the counts for the message, when it is not one. */
dreamd_db_status dreamd_key_command_find(dreamd_db *db, dreamd_key_command *command);

typedef struct dreamd_drawn_key {
    char publishable_key[DREAMD_KEY_SIZE];
    char secret_key[DREAMD_KEY_SIZE]; /* wipe */
    char key_id[DREAMD_KEY_ID_SIZE];
} dreamd_drawn_key;

/* A new secret, and a publishable key if there is none yet, for the mode. False: the system gives no random numbers. */
bool dreamd_drawn_key_draw(dreamd_drawn_key *key, enum dreamd_mode mode);
/* Prints {"platformId","publishableKey","secretKey","keyId"}, and gives the exit status. */
int dreamd_drawn_key_print(const dreamd_drawn_key *key, const char *platform_id);

#endif
