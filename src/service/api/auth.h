/* SPDX-License-Identifier: Apache-2.0 */
/* auth.h - which project a request's key opens. Keys are looked up in the store each time, so a revoked one is refused at
 * once; a platform whose subscription is over is refused with either key. */
#ifndef DREAMD_API_AUTH_H
#define DREAMD_API_AUTH_H

#include "service/api/call.h"

typedef enum dreamd_credential {
    DREAMD_CREDENTIAL_NONE,       /* neither header says anything usable */
    DREAMD_CREDENTIAL_BAD_BEARER, /* a bearer that is no secret key, and no publishable key */
    DREAMD_CREDENTIAL_SECRET,
    DREAMD_CREDENTIAL_PUBLISHABLE
} dreamd_credential;

/* What Authorization and X-Publishable-Key (either may be NULL) amount to; `out_key` is borrowed from them. */
dreamd_credential dreamd_credential_read(const char *authorization, const char *publishable_key, const char **out_key);

/* Finds call->project, then goes on with `then`; refuses what is not let in. call->route may be NULL (no such endpoint). */
void dreamd_auth(dreamd_call *call, dreamd_step *then);

#endif
