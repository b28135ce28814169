/* SPDX-License-Identifier: Apache-2.0 */
/* settings.c - joins options, environment and defaults, and refuses what would be unsafe together.
 * Read-only after it was made, so any thread may read it without a lock. */
#include "lib/settings.h"

#include <dreamapi/version.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/crypto.h"
#include "common/secret.h"
#include "common/timefmt.h"
#include "lib/error.h"
#include "lib/text.h"
#include "lib/transport_curl.h"

static int64_t real_monotonic_ms(void *user_data)
{
    (void)user_data;
    return dream_monotonic_ms();
}

static int64_t real_wall_ms(void *user_data)
{
    (void)user_data;
    return dream_wall_ms();
}

static int real_random(void *user_data, void *out, size_t size)
{
    (void)user_data;
    return dream_random(out, size) ? 0 : -1;
}

/* An option, else the environment. secure_getenv: a program with more rights than its caller must not let the caller say where
 * its secret goes. An empty variable counts as not set. */
static const char *choose(const char *option, const char *variable)
{
    const char *text = option;

    if (text == NULL) {
        text = secure_getenv(variable);
        if (text != NULL && text[0] == '\0')
            text = NULL;
    }
    return text;
}

static dreamapi_status set_base_url(const dreamapi_options *options, dream_settings *out, dreamapi_error *error)
{
    const char *url = choose(options->base_url, "DREAMAPI_BASE_URL");
    const char *wrong;

    if (url == NULL)
        return dream_error_refuse(error, DREAMAPI_INVALID,
                                  "no base URL: set it in the options or in DREAMAPI_BASE_URL");
    wrong = dream_base_url_check(url);
    if (wrong != NULL)
        return dream_error_refuse(error, DREAMAPI_INVALID, "the base URL is refused: %s", wrong);
    return dream_base_url_make(url, &out->base_url) ? DREAMAPI_OK : dream_error_nomem(error);
}

static dreamapi_status set_authorization(const char *secret, dream_settings *out, dreamapi_error *error)
{
    static const char scheme[] = "Bearer ";
    size_t size = strlen(secret);

    out->authorization = dream_secret_new(sizeof(scheme) + size);
    if (out->authorization == NULL)
        return dream_error_nomem(error);
    memcpy(out->authorization, scheme, sizeof(scheme) - 1);
    memcpy(out->authorization + sizeof(scheme) - 1, secret, size);
    return DREAMAPI_OK;
}

/* `secret` NULL: the options hold the derived key. */
static dreamapi_status set_signing_key(const dreamapi_options *options, const char *secret, dream_settings *out,
                                       dreamapi_error *error)
{
    char key_id[DREAM_KEY_ID_SIZE];

    if (!out->has_secret_key)
        return dream_error_refuse(error, DREAMAPI_INVALID,
                                  "signed requests need the secret key: set it in the options or in "
                                  "DREAMAPI_SECRET_KEY");
    memcpy(key_id, options->key_id, sizeof(key_id));
    out->signing_key = dream_secret_new(DREAM_SIGNING_KEY_SIZE);
    if (out->signing_key == NULL)
        return dream_error_nomem(error);
    if (options->signing_key != NULL)
        memcpy(out->signing_key, options->signing_key, DREAM_SIGNING_KEY_SIZE);
    else if (!dream_signing_key_derive(secret, out->signing_key) || !dream_key_id_of(secret, key_id))
        return dream_error_nomem(error);
    if (asprintf(&out->keyid, "%s.%s", choose(options->publishable_key, "DREAMAPI_PUBLISHABLE_KEY"), key_id) < 0) {
        out->keyid = NULL;
        return dream_error_nomem(error);
    }
    return DREAMAPI_OK;
}

/* Signed mode: which key signs is said by name. */
static dreamapi_status check_key_name(const char *publishable, dreamapi_error *error)
{
    if (publishable == NULL)
        return dream_error_refuse(error, DREAMAPI_INVALID,
                                  "signed requests name the publishable key: set it in the options or in "
                                  "DREAMAPI_PUBLISHABLE_KEY");
    if (strpbrk(publishable, "\"\\") != NULL || strlen(publishable) > DREAM_SIGNATURE_MAX_KEYID - DREAM_KEY_ID_SIZE)
        return dream_error_refuse(error, DREAMAPI_INVALID,
                                  "the publishable key has characters that keys do not have, or is too long");
    return DREAMAPI_OK;
}

static dreamapi_status set_keys(const dreamapi_options *options, dream_settings *out, dreamapi_error *error)
{
    const char *secret = choose(options->secret_key, "DREAMAPI_SECRET_KEY");
    const char *publishable = choose(options->publishable_key, "DREAMAPI_PUBLISHABLE_KEY");
    dreamapi_status status = DREAMAPI_OK;

    if ((secret != NULL && !dream_text_is_visible(secret, DREAM_KEY_MAX))
        || (publishable != NULL && !dream_text_is_visible(publishable, DREAM_KEY_MAX)))
        return dream_error_refuse(error, DREAMAPI_INVALID,
                                  "a key has characters that keys do not have, or is too long");
    out->has_secret_key = secret != NULL || options->signing_key != NULL;
    if (out->has_secret_key && !out->base_url.is_https && !out->base_url.is_loopback)
        return dream_error_refuse(error, DREAMAPI_INVALID,
                                  "the secret key is not sent over plain http except to a loopback address");
    if (options->auth == DREAMAPI_AUTH_SIGNATURE)
        status = check_key_name(publishable, error);
    if (options->auth == DREAMAPI_AUTH_SIGNATURE && status == DREAMAPI_OK)
        status = set_signing_key(options, secret, out, error);
    else if (status == DREAMAPI_OK && secret != NULL)
        status = set_authorization(secret, out, error);
    if (status != DREAMAPI_OK)
        return status;
    if (publishable != NULL && (out->publishable_key = strdup(publishable)) == NULL)
        return dream_error_nomem(error);
    return DREAMAPI_OK;
}

static dreamapi_status set_texts(const dreamapi_options *options, dream_settings *out, dreamapi_error *error)
{
    const char *suffix = options->user_agent_suffix;

    if (asprintf(&out->user_agent, "libdreamapi/%s%s%s", DREAMAPI_VERSION, suffix == NULL ? "" : " ",
                 suffix == NULL ? "" : suffix)
        < 0) {
        out->user_agent = NULL;
        return dream_error_nomem(error);
    }
    out->token_keys = dream_jwks_ref(options->token_keys);
    if (options->jwks_url != NULL && out->token_keys == NULL && (out->jwks_url = strdup(options->jwks_url)) == NULL)
        return dream_error_nomem(error);
    if (options->ca_file != NULL && (out->ca_file = strdup(options->ca_file)) == NULL)
        return dream_error_nomem(error);
    if (options->proxy != NULL && (out->proxy = strdup(options->proxy)) == NULL)
        return dream_error_nomem(error);
    if (options->journal != NULL && (out->journal = strdup(options->journal)) == NULL)
        return dream_error_nomem(error);
    return DREAMAPI_OK;
}

static void set_parts(const dreamapi_options *options, dream_settings *out)
{
    static const dreamapi_clock real_clock = { sizeof(real_clock), NULL, real_monotonic_ms, real_wall_ms, NULL };

    out->timeout_ms = options->timeout_ms;
    out->has_thread = options->threads == 1;
    out->max_response_size = options->max_response_size;
    out->max_retries = options->max_retries;
    out->close_timeout_ms = options->close_timeout_ms;
    out->meter_defaults = options->meter_defaults;
    out->is_clock_real = options->clock.monotonic_ms == NULL;
    out->clock = out->is_clock_real ? real_clock : options->clock;
    out->random = options->random == NULL ? real_random : options->random;
    out->random_data = options->random_data;
    out->transport = options->transport.open == NULL ? dream_transport_curl : options->transport;
    out->log = options->log;
    out->log_data = options->log_data;
}

dreamapi_status dream_settings_make(const dreamapi_options *options, dream_settings *out, dreamapi_error *error)
{
    dreamapi_options *defaults = NULL;
    dreamapi_status status;

    memset(out, 0, sizeof(*out));
    if (options == NULL) {
        defaults = dreamapi_options_new();
        if (defaults == NULL)
            return dream_error_nomem(error);
        options = defaults;
    }
    set_parts(options, out);
    status = set_base_url(options, out, error);
    if (status == DREAMAPI_OK)
        status = set_keys(options, out, error);
    if (status == DREAMAPI_OK)
        status = set_texts(options, out, error);
    if (status != DREAMAPI_OK)
        dream_settings_clear(out);
    dreamapi_options_free(defaults);
    return status;
}

static bool copy_text(const char *from, char **out)
{
    *out = from == NULL ? NULL : strdup(from);
    return from == NULL || *out != NULL;
}

static bool copy_secret(const void *from, size_t size, void **out)
{
    *out = from == NULL ? NULL : dream_secret_new(size);
    if (*out != NULL)
        memcpy(*out, from, size);
    return from == NULL || *out != NULL;
}

bool dream_settings_copy(const dream_settings *from, dream_settings *out)
{
    bool is_whole;

    *out = *from;
    is_whole = copy_text(from->base_url.text, &out->base_url.text);
    is_whole = copy_secret(from->authorization, from->authorization == NULL ? 0 : strlen(from->authorization) + 1,
                           (void **)&out->authorization)
               && is_whole;
    is_whole = copy_secret(from->signing_key, DREAM_SIGNING_KEY_SIZE, (void **)&out->signing_key) && is_whole;
    is_whole = copy_text(from->keyid, &out->keyid) && is_whole;
    is_whole = copy_text(from->publishable_key, &out->publishable_key) && is_whole;
    is_whole = copy_text(from->jwks_url, &out->jwks_url) && is_whole;
    out->token_keys = dream_jwks_ref(from->token_keys);
    is_whole = copy_text(from->ca_file, &out->ca_file) && is_whole;
    is_whole = copy_text(from->proxy, &out->proxy) && is_whole;
    is_whole = copy_text(from->user_agent, &out->user_agent) && is_whole;
    is_whole = copy_text(from->journal, &out->journal) && is_whole;
    if (!is_whole)
        dream_settings_clear(out);
    return is_whole;
}

void dream_settings_clear(dream_settings *settings)
{
    dream_secret_free(settings->authorization);
    dream_secret_free(settings->signing_key);
    free(settings->keyid);
    free(settings->base_url.text);
    free(settings->publishable_key);
    free(settings->jwks_url);
    dream_jwks_unref(settings->token_keys);
    free(settings->ca_file);
    free(settings->proxy);
    free(settings->user_agent);
    free(settings->journal);
    settings->authorization = NULL;
    settings->signing_key = NULL;
    settings->keyid = NULL;
    settings->base_url.text = NULL;
    settings->publishable_key = NULL;
    settings->jwks_url = NULL;
    settings->token_keys = NULL;
    settings->ca_file = NULL;
    settings->proxy = NULL;
    settings->user_agent = NULL;
    settings->journal = NULL;
}

int64_t dream_settings_now_ms(const dream_settings *settings)
{
    return settings->clock.monotonic_ms(settings->clock.user_data);
}

int64_t dream_settings_wall_ms(const dream_settings *settings)
{
    return settings->clock.wall_ms(settings->clock.user_data);
}

bool dream_settings_random(const dream_settings *settings, void *out, size_t size)
{
    return settings->random(settings->random_data, out, size) == 0;
}

void dream_settings_log(const dream_settings *settings, dreamapi_log_level level, const char *format, ...)
{
    char line[512];
    va_list arguments;

    if (settings->log == NULL)
        return;
    va_start(arguments, format);
    (void)vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    settings->log(settings->log_data, level, line);
}
