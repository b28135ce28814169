/* SPDX-License-Identifier: Apache-2.0 */
/* user_key.c - a user named by id and the same user named by token get the same key. */
#include "lib/user_key.h"

#include <string.h>

#include "common/encoding.h"
#include "common/json.h"

static bool hash(char kind, const char *text, size_t size, dream_user_key *out)
{
    dream_buffer buffer = DREAM_BUFFER_INIT;
    bool is_done;

    buffer.is_secret = true;
    dream_buffer_char(&buffer, kind);
    dream_buffer_append(&buffer, text, size);
    is_done = !buffer.is_failed && dream_sha256(buffer.data, buffer.size, out->bytes);
    dream_buffer_clear(&buffer);
    return is_done;
}

/* The payload of header.payload.signature; NULL if the token is not made so. Owned. */
static cJSON *parse_payload(const char *token)
{
    const char *start = strchr(token, '.');
    const char *end = start == NULL ? NULL : strchr(start + 1, '.');
    dream_buffer text = DREAM_BUFFER_INIT;
    cJSON *payload = NULL;

    if (end == NULL)
        return NULL;
    text.is_secret = true;
    if (dream_base64url_decode(&text, start + 1, (size_t)(end - start - 1)) && !text.is_failed && text.size > 0)
        payload = dream_json_parse(text.data, text.size, NULL);
    dream_buffer_clear(&text);
    return payload;
}

bool dream_user_key_make(const char *user_id, const char *token, dream_user_key *out)
{
    cJSON *payload = NULL;
    bool is_done;

    if (user_id == NULL) {
        payload = parse_payload(token);
        user_id = dream_json_string(payload, "sub");
    }
    if (user_id != NULL)
        is_done = hash('u', user_id, strlen(user_id), out);
    else
        is_done = hash('t', token, strlen(token), out);
    cJSON_Delete(payload);
    return is_done;
}
