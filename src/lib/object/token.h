/* SPDX-License-Identifier: Apache-2.0 */
/* token.h - verifying end users' tokens: what a client is given for it when it is made. */
#ifndef DREAM_LIB_OBJECT_TOKEN_H
#define DREAM_LIB_OBJECT_TOKEN_H

#include "lib/client.h"

/* Makes client->verifier if the settings name a source of keys. */
dreamapi_status dream_token_prepare(dreamapi_client *client, dreamapi_error *error);
void dream_token_clear(dreamapi_client *client);

#endif
