/* SPDX-License-Identifier: Apache-2.0 */
/* cors.h - headers that every answer but the webhooks' carries. */
#ifndef DREAMD_API_CORS_H
#define DREAMD_API_CORS_H

#include "net/http_server.h"

/* CORS (any origin is echoed: keys and tokens, not origins, decide who may ask) and the security headers. */
void dreamd_cors_set(dreamd_request *request);

/* The constant ones, ended by a NULL name: without Access-Control-Allow-Origin if there is an origin (may be NULL) to echo in it. */
const dreamd_constant_header *dreamd_cors_headers(const char *origin);

#endif
