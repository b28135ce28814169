/* SPDX-License-Identifier: Apache-2.0 */
/* router.h - the API server's one handler: takes each request through the contract's steps in their order. */
#ifndef DREAMD_API_ROUTER_H
#define DREAMD_API_ROUTER_H

#include "net/http_server.h"

/* A dreamd_http_handler; `context` is a dreamd_context. */
void dreamd_api_handle(void *context, dreamd_request *request);

#endif
