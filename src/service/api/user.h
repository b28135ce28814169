/* SPDX-License-Identifier: Apache-2.0 */
/* user.h - for which end user a request acts: the one of its token, or, with a secret key and no token, the one its
 * `userId` names (extension server-side). */
#ifndef DREAMD_API_USER_H
#define DREAMD_API_USER_H

#include "service/api/call.h"

/* Fills call->user_id, call->claims and call->is_server_side, then goes on with `then`; refuses with 400, 401, 403 or 502. */
void dreamd_user(dreamd_call *call, dreamd_step *then);

#endif
