/* SPDX-License-Identifier: Apache-2.0 */
/* routes.h - what the backend offers; context of its handler is a shop. */
#ifndef SAAS_BACKEND_ROUTES_H
#define SAAS_BACKEND_ROUTES_H

#include <dreamapi.h>

#include "http.h"

struct shop {
    dreamapi_client *client;
    dreamapi_webhook_replays *replays;
    const char *webhook_secrets[3]; /* the new one, the old one while it is being replaced, NULL */
    const char *token_issuer;       /* NULL: any */
};

/* An http_handler. */
void shop_serve(void *context, const http_request *request, http_answer *answer);

#endif
