/* SPDX-License-Identifier: Apache-2.0 */
/* router.h - the API server's handler and who it lets send a large body: takes each request through the contract's steps in their order. */
#ifndef DREAMD_API_ROUTER_H
#define DREAMD_API_ROUTER_H

#include "net/http_server.h"

/* Both are a dreamd_http_handler; `context` is a dreamd_context. */
void dreamd_api_handle(void *context, dreamd_request *request);
/* For dreamd_http_server_options.admit_large: lets in whose key may call the endpoint, and answers the others as ever. */
void dreamd_api_admit(void *context, dreamd_request *request);

#endif
