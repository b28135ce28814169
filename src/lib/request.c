/* SPDX-License-Identifier: Apache-2.0 */
/* request.c - checks every text before it may reach the wire, and writes URL and
 * body. JSON is written by hand: a tree of cJSON could not be wiped, and with
 * control characters refused and UTF-8 checked only two characters need escaping. */
#include "lib/request.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/encoding.h"
#include "common/ids.h"
#include "lib/client.h"
#include "lib/error.h"
#include "lib/extensions.h"
#include "lib/params.h"
#include "lib/text.h"

static bool is_refused(const dream_request *request)
{
    return request->problem.status != DREAMAPI_OK;
}

static void check_options(dream_request *request)
{
    const dreamapi_call_options *options = &request->options;

    if (options->timeout_ms < 0 || options->timeout_ms > DREAMAPI_MAX_TIMEOUT_MS)
        (void)dream_error_refuse(&request->problem, DREAMAPI_INVALID, "timeout_ms is out of range");
    else if (options->idempotency_key != NULL && !dream_text_is_visible(options->idempotency_key, DREAM_ID_MAX))
        (void)dream_error_refuse(&request->problem, DREAMAPI_INVALID,
                                 "idempotency_key is not 1 to %d visible ASCII characters", DREAM_ID_MAX);
    else if (options->user_token != NULL && !dream_text_is_visible(options->user_token, DREAM_USER_TOKEN_MAX))
        (void)dream_error_refuse(&request->problem, DREAMAPI_INVALID,
                                 "user_token is not 1 to %d visible ASCII characters", DREAM_USER_TOKEN_MAX);
    else if (options->traceparent != NULL && !dream_text_is_traceparent(options->traceparent))
        (void)dream_error_refuse(&request->problem, DREAMAPI_INVALID,
                                 "traceparent is none: 00-<32 hex digits>-<16 hex digits>-<2 hex digits>");
    else if (options->traceparent != NULL)
        memcpy(request->traceparent, options->traceparent, sizeof(request->traceparent));
}

void dream_request_begin(dream_request *request, const dreamapi_client *client, const char *method, const char *path,
                         const dreamapi_call_options *options)
{
    memset(request, 0, sizeof(*request));
    dream_error_clear(&request->problem);
    request->method = method;
    request->is_post = strcmp(method, "POST") == 0;
    request->is_idempotent = !request->is_post;
    request->url.is_secret = true;
    request->body.is_secret = true;
    if (dream_client_check(client, &request->problem) != DREAMAPI_OK)
        return;
    dream_request_params(request, options, &request->options, sizeof(request->options));
    if (is_refused(request))
        return;
    check_options(request);
    dream_buffer_text(&request->url, client->settings.base_url.text);
    dream_buffer_text(&request->url, path);
    if (request->is_post || strcmp(method, "PATCH") == 0)
        dream_buffer_char(&request->body, '{');
}

void dream_request_params(dream_request *request, const void *given, void *out, size_t size)
{
    memset(out, 0, size);
    if (!is_refused(request))
        (void)dream_params_copy(given, out, size, &request->problem);
}

void dream_request_path_id(dream_request *request, const char *what, const char *id)
{
    if (is_refused(request))
        return;
    if (id == NULL || !dream_text_is_id(id)) {
        (void)dream_error_refuse(&request->problem, DREAMAPI_INVALID, "%s is missing or malformed", what);
        return;
    }
    dream_buffer_char(&request->url, '/');
    dream_percent_encode(&request->url, id, strlen(id));
}

static void add_query(dream_request *request, const char *name, const char *text)
{
    dream_buffer_char(&request->url, request->has_query ? '&' : '?');
    dream_buffer_text(&request->url, name);
    dream_buffer_char(&request->url, '=');
    dream_percent_encode(&request->url, text, strlen(text));
    request->has_query = true;
}

/* Everything but the first member of an object or list is preceded by a comma. */
static void separate(dream_buffer *body)
{
    char last = body->data != NULL && body->size > 0 ? body->data[body->size - 1] : '{';

    if (last != '{' && last != '[')
        dream_buffer_char(body, ',');
}

static void add_name(dream_buffer *body, const char *name)
{
    separate(body);
    dream_buffer_char(body, '"');
    dream_buffer_text(body, name);
    dream_buffer_text(body, "\":");
}

static void add_field(dream_request *request, const char *name, const char *text)
{
    dream_buffer *body = &request->body;

    add_name(body, name);
    dream_buffer_char(body, '"');
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '"' || *at == '\\')
            dream_buffer_char(body, '\\');
        dream_buffer_char(body, *at);
    }
    dream_buffer_char(body, '"');
}

void dream_request_field(dream_request *request, const char *name, const char *what, const char *text)
{
    if (is_refused(request) || text == NULL)
        return;
    if (!dream_text_is_plain(text, DREAM_TEXT_MAX)) {
        (void)dream_error_refuse(&request->problem, DREAMAPI_INVALID,
                                 "%s is not UTF-8, has control characters or is too long", what);
        return;
    }
    add_field(request, name, text);
}

void dream_request_required_field(dream_request *request, const char *name, const char *what, const char *text)
{
    if (!is_refused(request) && (text == NULL || text[0] == '\0'))
        (void)dream_error_refuse(&request->problem, DREAMAPI_INVALID, "%s is missing", what);
    dream_request_field(request, name, what, text);
}

void dream_request_id(dream_request *request, const char *name, const char *what, const char *id)
{
    if (is_refused(request))
        return;
    if (id == NULL || !dream_text_is_id(id))
        dream_request_refuse(request, "%s must be 1 to %d bytes of UTF-8 without control characters", what,
                             DREAM_ID_MAX);
    else
        add_field(request, name, id);
}

void dream_request_int(dream_request *request, const char *name, int64_t value)
{
    if (is_refused(request))
        return;
    add_name(&request->body, name);
    dream_buffer_printf(&request->body, "%lld", (long long)value);
}

void dream_request_bool(dream_request *request, const char *name, bool value)
{
    if (is_refused(request))
        return;
    add_name(&request->body, name);
    dream_buffer_text(&request->body, value ? "true" : "false");
}

void dream_request_base64(dream_request *request, const char *name, const void *bytes, size_t size)
{
    if (is_refused(request))
        return;
    add_name(&request->body, name);
    dream_buffer_char(&request->body, '"');
    dream_base64_encode(&request->body, bytes, size);
    dream_buffer_char(&request->body, '"');
}

void dream_request_list_begin(dream_request *request, const char *name)
{
    if (is_refused(request))
        return;
    add_name(&request->body, name);
    dream_buffer_char(&request->body, '[');
}

void dream_request_item_begin(dream_request *request)
{
    if (is_refused(request))
        return;
    separate(&request->body);
    dream_buffer_char(&request->body, '{');
}

void dream_request_item_end(dream_request *request)
{
    if (!is_refused(request))
        dream_buffer_char(&request->body, '}');
}

void dream_request_list_end(dream_request *request)
{
    if (!is_refused(request))
        dream_buffer_char(&request->body, ']');
}

void dream_request_query(dream_request *request, const char *name, const char *what, const char *text)
{
    if (is_refused(request) || text == NULL)
        return;
    if (!dream_text_is_plain(text, DREAM_TEXT_MAX))
        dream_request_refuse(request, "%s is not UTF-8, has control characters or is too long", what);
    else
        add_query(request, name, text);
}

void dream_request_query_int(dream_request *request, const char *name, int64_t value)
{
    char text[24];

    if (is_refused(request))
        return;
    (void)snprintf(text, sizeof(text), "%lld", (long long)value);
    add_query(request, name, text);
}

void dream_request_refuse(dream_request *request, const char *format, ...)
{
    char message[sizeof(request->problem.message)];
    va_list arguments;

    if (is_refused(request))
        return;
    va_start(arguments, format);
    (void)vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    (void)dream_error_refuse(&request->problem, DREAMAPI_INVALID, "%s", message);
}

static void name_user(dream_request *request, const dreamapi_client *client, const char *user_id)
{
    if (!client->settings.has_secret_key) {
        (void)dream_error_refuse(
            &request->problem, DREAMAPI_TOKEN_REQUIRED,
            "no secret key is set, and only with one can a user be named by id: set it (DREAMAPI_SECRET_KEY), or "
            "give the user's token");
        return;
    }
    if (!dream_text_is_id(user_id)) {
        (void)dream_error_refuse(&request->problem, DREAMAPI_INVALID,
                                 "user_id must be 1 to 255 bytes of UTF-8 without control characters");
        return;
    }
    request->needed_extension = DREAM_EXTENSION_SERVER_SIDE;
    if (request->is_post)
        add_field(request, "userId", user_id);
    else
        add_query(request, "userId", user_id);
}

/* The token lets whoever reads it act as the user, so it travels no other way than the secret key does. */
static void copy_token(dream_request *request, const dreamapi_client *client)
{
    if (!client->settings.base_url.is_https && !client->settings.base_url.is_loopback) {
        (void)dream_error_refuse(&request->problem, DREAMAPI_INVALID,
                                 "a user's token is not sent over plain http except to a loopback address");
        return;
    }
    request->user_token = strdup(request->options.user_token);
    if (request->user_token == NULL)
        (void)dream_error_nomem(&request->problem);
}

void dream_request_on_behalf(dream_request *request, const dreamapi_client *client, const char *user_id)
{
    const char *token = request->options.user_token;

    if (is_refused(request))
        return;
    if (user_id != NULL && token != NULL) {
        (void)dream_error_refuse(&request->problem, DREAMAPI_INVALID, "give a user id or a user token, not both");
        return;
    }
    if (user_id == NULL && token == NULL) {
        (void)dream_error_refuse(&request->problem, DREAMAPI_TOKEN_REQUIRED,
                                 "neither a user id nor a user token was given");
        return;
    }
    if (user_id != NULL)
        name_user(request, client, user_id);
    else
        copy_token(request, client);
    if (is_refused(request))
        return;
    request->has_user = true;
    if (!dream_user_key_make(user_id, token, &request->user))
        (void)dream_error_nomem(&request->problem);
}

static void set_idempotency_key(dream_request *request, const dreamapi_client *client)
{
    const char *given = request->options.idempotency_key;
    unsigned char random[16];
    char made[37];

    if (given == NULL) {
        if (!dream_settings_random(&client->settings, random, sizeof(random))) {
            (void)dream_error_refuse(&request->problem, DREAMAPI_UNSUPPORTED, "no randomness for an idempotency key");
            return;
        }
        dream_uuid4_text(random, made);
        given = made;
    }
    request->has_own_key = request->options.idempotency_key != NULL;
    request->idempotency_key = strdup(given);
    if (request->idempotency_key == NULL)
        (void)dream_error_nomem(&request->problem);
}

void dream_request_end(dream_request *request, const dreamapi_client *client)
{
    if (is_refused(request))
        return;
    if (request->body.size > 0)
        dream_buffer_char(&request->body, '}');
    if (request->is_post)
        set_idempotency_key(request, client);
    if (!is_refused(request) && (request->url.is_failed || request->body.is_failed))
        (void)dream_error_nomem(&request->problem);
}

void dream_request_forget(dream_request *request)
{
    dream_buffer_clear(&request->url);
    dream_buffer_clear(&request->body);
    dream_free_secret(request->user_token);
    request->user_token = NULL;
}

void dream_request_clear(dream_request *request)
{
    dream_request_forget(request);
    free(request->idempotency_key);
    request->idempotency_key = NULL;
}
