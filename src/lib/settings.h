/* SPDX-License-Identifier: Apache-2.0 */
/* settings.h - what a client goes by, made once from options and environment and never changed after. */
#ifndef DREAM_LIB_SETTINGS_H
#define DREAM_LIB_SETTINGS_H

#include <dreamapi/meter.h>
#include <stdbool.h>

#include "common/http_signature.h"
#include "common/jwks.h"
#include "lib/base_url.h"

struct dreamapi_options {
    char *base_url;
    dreamapi_auth auth;
    char *secret_key;               /* in memory of secret.h; never in signed mode */
    unsigned char *signing_key;     /* in memory of secret.h; in signed mode only */
    char key_id[DREAM_KEY_ID_SIZE]; /* of the secret key that signing_key was made from */
    char *publishable_key;
    char *jwks_url;
    dream_jwks *token_keys;
    char *ca_file;
    char *proxy;
    char *user_agent_suffix;
    int64_t timeout_ms;
    int threads;
    size_t max_response_size;
    int max_retries;
    char *journal;
    int64_t close_timeout_ms;
    dreamapi_meter_params meter_defaults;
    dreamapi_clock clock;
    dreamapi_random_function random;
    void *random_data;
    dreamapi_transport transport; /* open == NULL: the built-in one */
    dreamapi_log_function log;
    void *log_data;
};

typedef struct dream_settings {
    dream_base_url base_url;
    bool has_secret_key; /* it is sent in `authorization`, or signs with `signing_key` */
    char *authorization; /* "Bearer sk_...": the only copy of the secret that a client keeps; in memory of secret.h */
    unsigned char *signing_key; /* all that a client keeps in signed mode; in memory of secret.h */
    char *keyid;                /* names the signing key */
    char *publishable_key;      /* sent only if there is no secret */
    char *jwks_url;             /* NULL if there are token_keys */
    dream_jwks *token_keys;     /* a reference; NULL if they are fetched, or tokens not verified */
    char *ca_file;
    char *proxy;
    char *user_agent;
    int64_t timeout_ms;
    bool has_thread;
    size_t max_response_size;
    int max_retries;
    char *journal; /* NULL: anonymous memory */
    int64_t close_timeout_ms;
    dreamapi_meter_params meter_defaults;
    dreamapi_clock clock;
    bool is_clock_real;
    dreamapi_random_function random;
    void *random_data;
    dreamapi_transport transport;
    dreamapi_log_function log; /* may be NULL */
    void *log_data;
} dream_settings;

/* `options` may be NULL. On failure nothing is kept. */
dreamapi_status dream_settings_make(const dreamapi_options *options, dream_settings *out, dreamapi_error *error);
/* A copy with texts of its own; false when out of memory, with nothing kept. */
bool dream_settings_copy(const dream_settings *from, dream_settings *out);
void dream_settings_clear(dream_settings *settings); /* wipes the secret; may be called twice */

int64_t dream_settings_now_ms(const dream_settings *settings); /* monotonic */
int64_t dream_settings_wall_ms(const dream_settings *settings);
bool dream_settings_random(const dream_settings *settings, void *out, size_t size);
void dream_settings_log(const dream_settings *settings, dreamapi_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
