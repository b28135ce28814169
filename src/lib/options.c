/* SPDX-License-Identifier: Apache-2.0 */
/* options.c - the setters. Each checks its own value; what only makes sense
 * together (a secret and where it would go) is settings.c. One thread at a time. */
#include <dreamapi/options.h>

#include <stdlib.h>
#include <string.h>

#include "common/crypto.h"
#include "common/secret.h"
#include "lib/meter/metering.h"
#include "lib/params.h"
#include "lib/settings.h"
#include "lib/text.h"

enum {
    DEFAULT_TIMEOUT_MS = 30000,
    DEFAULT_RESPONSE_SIZE = 1024 * 1024,
    MIN_RESPONSE_SIZE = 1024,
    MAX_RESPONSE_SIZE = 1024 * 1024 * 1024,
    DEFAULT_RETRIES = 4,
    DEFAULT_CLOSE_TIMEOUT_MS = 2000,
    MAX_RETRIES = 100,
    MAX_PROXY = 2048,
    MAX_PATH_SIZE = 4095,
    MAX_USER_AGENT_SUFFIX = 128
};

dreamapi_options *dreamapi_options_new(void)
{
    dreamapi_options *options = calloc(1, sizeof(*options));

    if (options == NULL)
        return NULL;
    options->timeout_ms = DEFAULT_TIMEOUT_MS;
    options->threads = 1;
    options->max_response_size = DEFAULT_RESPONSE_SIZE;
    options->max_retries = DEFAULT_RETRIES;
    options->close_timeout_ms = DEFAULT_CLOSE_TIMEOUT_MS;
    (void)dream_meter_params_read(NULL, &options->meter_defaults, NULL);
    return options;
}

/* The old key goes only when the new one is there. */
static void forget_key(dreamapi_options *options)
{
    dream_secret_free(options->secret_key);
    dream_secret_free(options->signing_key);
    options->secret_key = NULL;
    options->signing_key = NULL;
}

void dreamapi_options_free(dreamapi_options *options)
{
    if (options == NULL)
        return;
    forget_key(options);
    free(options->base_url);
    free(options->publishable_key);
    free(options->jwks_url);
    dream_jwks_unref(options->token_keys);
    free(options->ca_file);
    free(options->proxy);
    free(options->user_agent_suffix);
    free(options->journal);
    free(options);
}

/* Replaces a text by a copy. Wiping costs nothing here, so every text is treated as the secret is. */
static dreamapi_status set_text(char **field, const char *text)
{
    char *copy = NULL;

    if (text != NULL) {
        copy = strdup(text);
        if (copy == NULL)
            return DREAMAPI_NOMEM;
    }
    dream_free_secret(*field);
    *field = copy;
    return DREAMAPI_OK;
}

dreamapi_status dreamapi_options_set_base_url(dreamapi_options *options, const char *url)
{
    if (options == NULL || (url != NULL && dream_base_url_check(url) != NULL))
        return DREAMAPI_INVALID;
    return set_text(&options->base_url, url);
}

static dreamapi_status keep_text(dreamapi_options *options, const char *key)
{
    char *copy = dream_secret_text(key, strlen(key));

    if (copy == NULL)
        return DREAMAPI_NOMEM;
    forget_key(options);
    options->secret_key = copy;
    return DREAMAPI_OK;
}

static dreamapi_status keep_signing_key(dreamapi_options *options, const char *key)
{
    char key_id[DREAM_KEY_ID_SIZE];
    unsigned char *signing_key = dream_secret_new(DREAM_SIGNING_KEY_SIZE);

    if (signing_key == NULL || !dream_signing_key_derive(key, signing_key) || !dream_key_id_of(key, key_id)) {
        dream_secret_free(signing_key);
        return DREAMAPI_NOMEM;
    }
    forget_key(options);
    options->signing_key = signing_key;
    memcpy(options->key_id, key_id, sizeof(key_id));
    return DREAMAPI_OK;
}

dreamapi_status dreamapi_options_set_secret_key(dreamapi_options *options, const char *key)
{
    if (options == NULL || (key != NULL && !dream_text_is_visible(key, DREAM_KEY_MAX)))
        return DREAMAPI_INVALID;
    if (key == NULL) {
        forget_key(options);
        return DREAMAPI_OK;
    }
    return options->auth == DREAMAPI_AUTH_SIGNATURE ? keep_signing_key(options, key) : keep_text(options, key);
}

dreamapi_status dreamapi_options_take_secret_key(dreamapi_options *options, char *buffer, size_t size)
{
    size_t key_size = buffer == NULL ? 0 : strnlen(buffer, size);
    dreamapi_status status = DREAMAPI_INVALID;
    char *key = NULL;

    if (options != NULL && key_size > 0 && key_size <= DREAM_KEY_MAX) {
        /* The buffer need not end in a NUL. */
        key = dream_secret_text(buffer, key_size);
        status = key == NULL ? DREAMAPI_NOMEM : dreamapi_options_set_secret_key(options, key);
    }
    dream_secret_free(key);
    dream_wipe(buffer, size);
    return status;
}

dreamapi_status dreamapi_options_set_auth(dreamapi_options *options, dreamapi_auth auth)
{
    dreamapi_status status = DREAMAPI_OK;

    if (options == NULL || (auth != DREAMAPI_AUTH_BEARER && auth != DREAMAPI_AUTH_SIGNATURE))
        return DREAMAPI_INVALID;
    /* The text that would be sent is gone. */
    if (auth == DREAMAPI_AUTH_BEARER && options->signing_key != NULL)
        return DREAMAPI_INVALID;
    if (auth == DREAMAPI_AUTH_SIGNATURE && options->secret_key != NULL)
        status = keep_signing_key(options, options->secret_key);
    if (status == DREAMAPI_OK)
        options->auth = auth;
    return status;
}

dreamapi_status dreamapi_options_set_publishable_key(dreamapi_options *options, const char *key)
{
    if (options == NULL || (key != NULL && !dream_text_is_visible(key, DREAM_KEY_MAX)))
        return DREAMAPI_INVALID;
    return set_text(&options->publishable_key, key);
}

/* Keys that could be changed on their way would let anyone in. */
dreamapi_status dreamapi_options_set_jwks_url(dreamapi_options *options, const char *url)
{
    if (options == NULL
        || (url != NULL
            && (dream_base_url_check(url) != NULL
                || (strncasecmp(url, "https:", 6) != 0 && !dream_url_is_loopback(url)))))
        return DREAMAPI_INVALID;
    return set_text(&options->jwks_url, url);
}

dreamapi_status dreamapi_options_set_token_keys(dreamapi_options *options, const char *text)
{
    static const char pem[] = "-----BEGIN";
    dream_jwks *keys = NULL;

    if (options == NULL)
        return DREAMAPI_INVALID;
    if (text != NULL)
        keys =
            strncmp(text, pem, sizeof(pem) - 1) == 0 ? dream_jwks_from_pem(text) : dream_jwks_parse(text, strlen(text));
    if (text != NULL && dream_jwks_count(keys) == 0) {
        dream_jwks_unref(keys);
        return DREAMAPI_INVALID;
    }
    dream_jwks_unref(options->token_keys);
    options->token_keys = keys;
    return DREAMAPI_OK;
}

dreamapi_status dreamapi_options_set_timeout_ms(dreamapi_options *options, int64_t timeout_ms)
{
    if (options == NULL || timeout_ms < 1 || timeout_ms > DREAMAPI_MAX_TIMEOUT_MS)
        return DREAMAPI_INVALID;
    options->timeout_ms = timeout_ms;
    return DREAMAPI_OK;
}

dreamapi_status dreamapi_options_set_threads(dreamapi_options *options, int threads)
{
    if (options == NULL || threads < 0 || threads > 1)
        return DREAMAPI_INVALID;
    options->threads = threads;
    return DREAMAPI_OK;
}

dreamapi_status dreamapi_options_set_max_response_size(dreamapi_options *options, size_t bytes)
{
    if (options == NULL || bytes < MIN_RESPONSE_SIZE || bytes > MAX_RESPONSE_SIZE)
        return DREAMAPI_INVALID;
    options->max_response_size = bytes;
    return DREAMAPI_OK;
}

dreamapi_status dreamapi_options_set_max_retries(dreamapi_options *options, int retries)
{
    if (options == NULL || retries < 0 || retries > MAX_RETRIES)
        return DREAMAPI_INVALID;
    options->max_retries = retries;
    return DREAMAPI_OK;
}

dreamapi_status dreamapi_options_set_ca_file(dreamapi_options *options, const char *path)
{
    if (options == NULL || (path != NULL && (path[0] == '\0' || strnlen(path, MAX_PATH_SIZE + 1) > MAX_PATH_SIZE)))
        return DREAMAPI_INVALID;
    return set_text(&options->ca_file, path);
}

dreamapi_status dreamapi_options_set_proxy(dreamapi_options *options, const char *url)
{
    if (options == NULL || (url != NULL && !dream_text_is_visible(url, MAX_PROXY)))
        return DREAMAPI_INVALID;
    return set_text(&options->proxy, url);
}

dreamapi_status dreamapi_options_set_user_agent_suffix(dreamapi_options *options, const char *suffix)
{
    if (options == NULL || (suffix != NULL && !dream_text_is_printable(suffix, MAX_USER_AGENT_SUFFIX)))
        return DREAMAPI_INVALID;
    return set_text(&options->user_agent_suffix, suffix);
}

dreamapi_status dreamapi_options_set_clock(dreamapi_options *options, const dreamapi_clock *clock)
{
    dreamapi_clock copy;

    if (options == NULL)
        return DREAMAPI_INVALID;
    if (dream_params_copy(clock, &copy, sizeof(copy), NULL) != DREAMAPI_OK)
        return DREAMAPI_INVALID;
    if (clock != NULL && (copy.monotonic_ms == NULL || copy.wall_ms == NULL))
        return DREAMAPI_INVALID;
    copy.struct_size = sizeof(copy);
    options->clock = copy;
    return DREAMAPI_OK;
}

dreamapi_status dreamapi_options_set_random(dreamapi_options *options, dreamapi_random_function function,
                                            void *user_data)
{
    if (options == NULL)
        return DREAMAPI_INVALID;
    options->random = function;
    options->random_data = user_data;
    return DREAMAPI_OK;
}

dreamapi_status dreamapi_options_set_transport(dreamapi_options *options, const dreamapi_transport *transport)
{
    dreamapi_transport copy;

    if (options == NULL)
        return DREAMAPI_INVALID;
    if (dream_params_copy(transport, &copy, sizeof(copy), NULL) != DREAMAPI_OK)
        return DREAMAPI_INVALID;
    if (transport != NULL
        && (copy.open == NULL || copy.start == NULL || copy.cancel == NULL || copy.perform == NULL || copy.fd == NULL
            || copy.timeout_ms == NULL || copy.destroy == NULL))
        return DREAMAPI_INVALID;
    copy.struct_size = sizeof(copy);
    options->transport = copy;
    return DREAMAPI_OK;
}

dreamapi_status dreamapi_options_set_log(dreamapi_options *options, dreamapi_log_function function, void *user_data)
{
    if (options == NULL)
        return DREAMAPI_INVALID;
    options->log = function;
    options->log_data = user_data;
    return DREAMAPI_OK;
}

dreamapi_status dreamapi_options_set_journal(dreamapi_options *options, const char *path)
{
    if (options == NULL || (path != NULL && (path[0] == '\0' || strlen(path) > MAX_PATH_SIZE)))
        return DREAMAPI_INVALID;
    return set_text(&options->journal, path);
}

dreamapi_status dreamapi_options_set_close_timeout_ms(dreamapi_options *options, int64_t timeout_ms)
{
    if (options == NULL || timeout_ms < 0 || timeout_ms > DREAMAPI_MAX_TIMEOUT_MS)
        return DREAMAPI_INVALID;
    options->close_timeout_ms = timeout_ms;
    return DREAMAPI_OK;
}

dreamapi_status dreamapi_options_set_meter_defaults(dreamapi_options *options, const dreamapi_meter_params *params)
{
    dreamapi_meter_params read;
    dreamapi_status status;

    if (options == NULL)
        return DREAMAPI_INVALID;
    status = dream_meter_params_read(params, &read, NULL);
    if (status != DREAMAPI_OK)
        return status;
    /* Tokens are of one user, and these are everybody's. */
    read.user_token = NULL;
    read.meter = NULL;
    options->meter_defaults = read;
    return DREAMAPI_OK;
}
