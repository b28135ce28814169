/* SPDX-License-Identifier: Apache-2.0 */
/* replay.h - Idempotency-Key on the API's POSTs: the same request with the same key gets the first answer again.
 * What is remembered and for how long is store/idempotency.h. */
#ifndef DREAMD_API_REPLAY_H
#define DREAMD_API_REPLAY_H

#include "service/api/call.h"

enum { DREAMD_MAX_IDEMPOTENCY_KEY = 255 };

/* 1 to 255 printable ASCII characters. */
bool dreamd_idempotency_key_is_valid(const char *key);

/* Reads the request's key, if the route honours one. The user of a token is part of what must be the same. False, with the
 * call's answer prepared, if the key is unusable. */
bool dreamd_replay_read_key(dreamd_call *call);
/* In store work: claims the key if there is one. Work goes on only if `dreamd_replay_is_fresh` afterwards. */
dreamd_db_status dreamd_replay_claim(dreamd_db *db, dreamd_call *call);
bool dreamd_replay_is_fresh(const dreamd_call *call);
/* In store work: keeps the prepared answer under the claimed key, or frees the key if the answer says try again.
 * Does nothing without a claim. */
dreamd_db_status dreamd_replay_finish(dreamd_db *db, dreamd_call *call);
/* Prepares the answer to a request whose key was not fresh: replayed, 409 or 422. */
void dreamd_replay_set_answer(dreamd_call *call);

/* The key for what this call creates at the payment provider: the same for each try, unlike any other project's or path's.
 * False without a key. */
bool dreamd_replay_upstream_key(const dreamd_call *call, char out[65]);

#endif
