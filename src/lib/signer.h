/* SPDX-License-Identifier: Apache-2.0 */
/* signer.h - signs one try of a call: what the headers Content-Digest, Signature-Input and Signature say. Driver only. */
#ifndef DREAM_LIB_SIGNER_H
#define DREAM_LIB_SIGNER_H

#include "common/buffer.h"
#include "lib/settings.h"

/* All zero is empty. */
typedef struct dream_signer {
    dream_buffer digest; /* without data where there is no body */
    dream_buffer input;
    dream_buffer signature;
} dream_signer;

/* Makes the three anew, with a number and a time of their own; `url` is absolute. The settings hold a signing key.
 * DREAMAPI_OK, DREAMAPI_UNSUPPORTED (no randomness) or DREAMAPI_NOMEM. */
dreamapi_status dream_signer_sign(dream_signer *signer, const dream_settings *settings, const char *method,
                                  const char *url, const dream_buffer *body);
void dream_signer_clear(dream_signer *signer);

#endif
