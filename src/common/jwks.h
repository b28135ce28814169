/* SPDX-License-Identifier: Apache-2.0 */
/* jwks.h - a JSON Web Key Set (RFC 7517): the RSA signing keys in it, by `kid`.
 * Immutable once parsed; shared by reference count between threads. */
#ifndef DREAM_COMMON_JWKS_H
#define DREAM_COMMON_JWKS_H

#include <stddef.h>

#include "common/rsa.h"

typedef struct dream_jwks dream_jwks;

/* Keys of other types or uses are passed over. NULL if the text is no key set or memory ran out. */
dream_jwks *dream_jwks_parse(const char *text, size_t size);
dream_jwks *dream_jwks_ref(dream_jwks *jwks);
void dream_jwks_unref(dream_jwks *jwks);                                       /* NULL is fine */
const dream_rsa_key *dream_jwks_find(const dream_jwks *jwks, const char *kid); /* borrowed; NULL if not listed */
size_t dream_jwks_count(const dream_jwks *jwks);
const char *dream_jwks_kid(const dream_jwks *jwks, size_t index);

#endif
