/* SPDX-License-Identifier: Apache-2.0 */
/* session.h - one command's talk with the service: a client made from the options and the environment, a call, its answer or what
 * went wrong. */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include <dreamapi.h>
#include <stdbool.h>

#include "command.h"
#include "table.h"

typedef struct cli_session {
    const cli_arguments *arguments;
    dreamapi_client *client;
    dreamapi_call_options options; /* for the calls */
    char new_key[33];              /* the idempotency key, where none was given */
    bool is_json;
    bool is_tsv;
    char *user_token; /* wiped at the end; NULL: none */
    char *password;   /* the same */
} cli_session;

/* What is to be set besides what all commands have; NULL fields are not. */
typedef struct cli_settings {
    const char *journal;
    const char *jwks_url;
    const char *token_keys;
    bool is_offline; /* no request is made: a service need not be named */
} cli_settings;

/* Makes the client, and begins the progress line. The exit status; the session may be closed in any case. `settings` may be
 * NULL. */
int cli_session_open(cli_session *session, const cli_arguments *arguments, const cli_settings *settings);
void cli_session_close(cli_session *session);

/* Says what went wrong and what to do about it, and gives the exit status. `key`: the call's idempotency key, or NULL. */
int cli_session_report(const dreamapi_error *error, const char *key);
/* Waits for a call that was begun with `status` (and `error`). The exit status; after CLI_EXIT_OK the answer may be taken. */
int cli_session_wait(dreamapi_call *call, dreamapi_status status, dreamapi_error *error);

/* Most commands are one call: `start` begins it, `show` prints its answer for people; with --json the service's own is printed. */
typedef struct cli_single {
    dreamapi_status (*start)(cli_session *session, dreamapi_call **out_call, dreamapi_error *error);
    void (*show)(cli_session *session, dreamapi_call *call);
} cli_single;
int cli_session_run(const cli_arguments *arguments, const cli_single *single);

/* Standard output in the form that was asked for. */
cli_table *cli_session_table(const cli_session *session, const cli_column *columns, size_t count);
cli_table *cli_session_fields(const cli_session *session);
void cli_session_print_json(const char *json);
/* The user's id, if the command's operand names one; with --user-token-file it must not. False, with the reason said, if there is
 * neither or both. */
bool cli_session_has_user(const cli_session *session);

#endif
