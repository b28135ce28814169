/* SPDX-License-Identifier: Apache-2.0 */
/* signer.c - from a request's URL to the components that RFC 9421 signs; the signing itself is common/http_signature.c. A try that is
 * repeated is another message: a server that saw the first one refuses its number. */
#include "lib/signer.h"

#include <string.h>

#include "common/encoding.h"

static void split_url(const char *url, bool is_https, dream_signed_request *out)
{
    const char *authority = strchr(url, ':') + strlen("://");
    size_t size = strcspn(authority, "/?");
    const char *path = authority + size;
    const char *query = strchr(path, '?');

    out->authority = dream_signature_authority((dream_slice){ authority, size }, is_https);
    out->path = (dream_slice){ path, query == NULL ? strlen(path) : (size_t)(query - path) };
    out->query = query == NULL ? (dream_slice){ path, 0 } : (dream_slice){ query + 1, strlen(query + 1) };
}

static bool take_nonce(dream_nonces *nonces, const dream_settings *settings, char out[2 * DREAM_NONCE_SIZE + 1])
{
    if (nonces->left == 0) {
        if (!dream_settings_random(settings, nonces->bytes, sizeof(nonces->bytes)))
            return false;
        nonces->left = DREAM_NONCES;
    }
    dream_hex_encode(nonces->bytes[--nonces->left], DREAM_NONCE_SIZE, out);
    return true;
}

dreamapi_status dream_signer_sign(dream_signer *signer, const dream_settings *settings, const char *method,
                                  const char *url, const dream_buffer *body)
{
    char nonce[2 * DREAM_NONCE_SIZE + 1];
    dream_signed_request request = { .method = { method, strlen(method) } };
    dream_signing signing = { settings->signing_key, settings->keyid, nonce, dream_settings_wall_ms(settings) / 1000 };

    dream_signer_clear(signer);
    if (!take_nonce(signer->nonces, settings, nonce))
        return DREAMAPI_UNSUPPORTED;
    split_url(url, settings->base_url.is_https, &request);
    if (body->size > 0) {
        dream_content_digest_make(&signer->digest, body->data, body->size);
        if (signer->digest.is_failed)
            return DREAMAPI_NOMEM;
        request.content_digest = signer->digest.data;
    }
    return dream_signature_sign(&request, &signing, &signer->input, &signer->signature) ? DREAMAPI_OK : DREAMAPI_NOMEM;
}

void dream_signer_clear(dream_signer *signer)
{
    dream_buffer_clear(&signer->digest);
    dream_buffer_clear(&signer->input);
    dream_buffer_clear(&signer->signature);
}
