/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_jwks.c - any text as a key set: every key that is listed is found by its name, and none verifies what nobody signed. */
#include "fuzz.h"

#include "common/jwks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned char signature[256] = { 0, 1 };
    char *text = fuzz_text(data, size);
    dream_jwks *jwks = dream_jwks_parse(text, size);

    if (jwks != NULL) {
        for (size_t i = 0; i < dream_jwks_count(jwks); i++) {
            const char *kid = dream_jwks_kid(jwks, i);
            const dream_jwks_key *key = kid == NULL ? NULL : dream_jwks_find(jwks, kid);
            FUZZ_CHECK(kid == NULL || key != NULL);
            for (int how = DREAM_SIGNATURE_RS256; key != NULL && how <= DREAM_SIGNATURE_ES256; how++)
                FUZZ_CHECK(!dream_jwks_key_verify(key, (dream_signature)how, "x", 1, signature,
                                                  how == DREAM_SIGNATURE_ES256 ? 64 : sizeof(signature)));
        }
        FUZZ_CHECK(dream_jwks_find(jwks, "no such key: \x01") == NULL);
    }
    dream_jwks_unref(jwks);
    free(text);
    return 0;
}
