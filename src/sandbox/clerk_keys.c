/* SPDX-License-Identifier: Apache-2.0 */
/* clerk_keys.c - the instance's RSA key: made at first need, published as a key set, signing tokens. Making a key takes a
 * good part of a second and signing a millisecond, so neither happens inside a transaction. */
#include "sandbox/clerk.h"

#include <string.h>

#include "common/crypto.h"
#include "common/encoding.h"
#include "common/json.h"
#include "common/rsa.h"

enum { KEY_BITS = 2048 };

static char *read_pem(sandbox_call *call)
{
    const sandbox_instance *instance = call->instance;
    sandbox_store_status status;
    sandbox_tx *tx = sandbox_tx_begin(instance->store, false, &status);
    char *pem = tx ? sandbox_signing_key_read(tx, instance->service, instance->mode) : NULL;
    sandbox_tx_rollback(tx);
    return pem;
}

static void offer_pem(sandbox_call *call, const char *pem)
{
    const sandbox_instance *instance = call->instance;
    sandbox_store_status status;
    sandbox_tx *tx = sandbox_tx_begin(instance->store, true, &status);
    if (!tx)
        return;
    sandbox_signing_key_offer(tx, instance->service, instance->mode, pem);
    (void)sandbox_tx_commit(tx);
}

dream_rsa_key *clerk_signing_key(sandbox_call *call)
{
    char *pem = read_pem(call);
    if (!pem) {
        dream_buffer made = { .is_secret = true };
        dream_rsa_key *key = dream_rsa_generate(KEY_BITS);
        if (key && dream_rsa_private_pem(key, &made) && !made.is_failed)
            offer_pem(call, dream_buffer_str(&made));
        dream_rsa_free(key);
        dream_buffer_clear(&made);
        pem = read_pem(call); /* the one that was kept: another thread or process may have been first */
    }
    dream_rsa_key *key = pem ? dream_rsa_from_pem(pem) : NULL;
    dream_free_secret(pem);
    if (!key)
        call->is_nomem = true;
    return key;
}

const char *clerk_sign(sandbox_call *call, const dream_rsa_key *key, const char *category, const cJSON *claims)
{
    dream_buffer token = DREAM_BUFFER_INIT;
    dream_buffer signature = DREAM_BUFFER_INIT;
    const char *copy = NULL;
    char *payload = dream_json_print(claims);
    const char *header = sandbox_printf(call, "{\"alg\":\"RS256\",\"cat\":\"%s\",\"kid\":\"%s\",\"typ\":\"JWT\"}",
                                        category, call->instance->identity.id);
    if (!payload || !header)
        goto done;
    dream_base64url_encode(&token, header, strlen(header));
    dream_buffer_char(&token, '.');
    dream_base64url_encode(&token, payload, strlen(payload));
    if (token.is_failed || !dream_rsa_sign(key, DREAM_RSA_SHA256, token.data, token.size, &signature))
        goto done;
    dream_buffer_char(&token, '.');
    dream_base64url_encode(&token, signature.data, signature.size);
    if (!token.is_failed)
        copy = dream_arena_strdup(call->arena, dream_buffer_str(&token));
done:
    if (!copy)
        call->is_nomem = true;
    cJSON_free(payload);
    dream_buffer_clear(&token);
    dream_buffer_clear(&signature);
    return copy;
}

static void set_base64url(sandbox_call *call, cJSON *object, const char *name, const dream_buffer *bytes)
{
    dream_buffer text = DREAM_BUFFER_INIT;
    dream_base64url_encode(&text, bytes->data, bytes->size);
    sandbox_set_text(call, object, name, text.is_failed ? NULL : dream_buffer_str(&text));
    dream_buffer_clear(&text);
}

void clerk_jwks(sandbox_call *call)
{
    dream_buffer modulus = DREAM_BUFFER_INIT;
    dream_buffer exponent = DREAM_BUFFER_INIT;
    dream_rsa_key *key = clerk_signing_key(call);
    cJSON *set =
        sandbox_skeleton(call, "{\"keys\":[{\"use\":\"sig\",\"kty\":\"RSA\",\"kid\":\"\",\"alg\":\"RS256\"}]}");
    if (key && set && dream_rsa_public_parts(key, &modulus, &exponent)) {
        cJSON *jwk = sandbox_member(set, "keys")->child;
        sandbox_set_text(call, jwk, "kid", call->instance->identity.id);
        set_base64url(call, jwk, "n", &modulus);
        set_base64url(call, jwk, "e", &exponent);
        sandbox_answer_json(call, 200, set);
    }
    dream_rsa_free(key);
    dream_buffer_clear(&modulus);
    dream_buffer_clear(&exponent);
}
