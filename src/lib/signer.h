/* SPDX-License-Identifier: Apache-2.0 */
/* signer.h - signs one try of a call: what the headers Content-Digest, Signature-Input and Signature say. Driver only. */
#ifndef DREAM_LIB_SIGNER_H
#define DREAM_LIB_SIGNER_H

#include "common/buffer.h"
#include "lib/settings.h"

enum { DREAM_NONCE_SIZE = 16, DREAM_NONCES = 16 };

/* Random numbers for signatures to come: each draw is a call of the kernel, which costs as much as a third of the signing. All zero is
 * empty. It is one driver's: a forked child, where no inherited client is driven, draws its own. They travel in the clear, so
 * that those not yet used are worth no care. */
typedef struct dream_nonces {
    size_t left;
    unsigned char bytes[DREAM_NONCES][DREAM_NONCE_SIZE];
} dream_nonces;

/* All zero is empty. */
typedef struct dream_signer {
    dream_nonces *nonces; /* borrowed; set before signing */
    dream_buffer digest;  /* without data where there is no body */
    dream_buffer input;
    dream_buffer signature;
} dream_signer;

/* Makes the three texts anew, with a number and a time of their own; `url` is absolute. The settings hold a signing key.
 * DREAMAPI_OK, DREAMAPI_UNSUPPORTED (no randomness) or DREAMAPI_NOMEM. */
dreamapi_status dream_signer_sign(dream_signer *signer, const dream_settings *settings, const char *method,
                                  const char *url, const dream_buffer *body);
void dream_signer_clear(dream_signer *signer);

#endif
