/* SPDX-License-Identifier: Apache-2.0 */
/* signed.h - a request that is signed instead of bringing its secret key (docs/security.md, "Request signing"). Steps of auth.c. */
#ifndef DREAMD_API_SIGNED_H
#define DREAMD_API_SIGNED_H

#include <stdbool.h>

#include "service/api/call.h"

typedef struct dreamd_signed dreamd_signed;

/* Is there a signature to go by? A bearer key counts before it, as the contract knows nothing else. */
bool dreamd_request_is_signed(dreamd_request *request);
/* Reads the signature and checks what needs no store: form, time, and the body's digest. `is_admission`: the body is not there
 * yet. NULL with the call refused; else in the call's arena. */
dreamd_signed *dreamd_signed_read(dreamd_call *call, bool is_admission);
/* A read: finds the key, and checks the signature with it. `out_found` false: no such key. */
dreamd_db_status dreamd_signed_look_up(dreamd_db *db, dreamd_call *call, dreamd_signed *self, dreamd_project *out,
                                       bool *out_found);
/* Who is known by it, or fails with it, for limits.h: its keyid and where it came from, as the keyid alone is no secret. */
const char *dreamd_signed_name(const dreamd_signed *self);
/* After a look-up that found the key, or a spending: it is this key's, and was not used before. */
bool dreamd_signed_is_good(const dreamd_signed *self);
/* After a look-up that found the key: false with the call refused, when the signature is wrong or was used before. */
bool dreamd_signed_accept(dreamd_call *call, const dreamd_signed *self);
/* A write: uses the signature up, and notes that its key was used. dreamd_signed_accept tells afterwards whether somebody was faster. */
dreamd_db_status dreamd_signed_spend(dreamd_db *db, const dreamd_call *call, dreamd_signed *self,
                                     const dreamd_project *own);

#endif
