/* SPDX-License-Identifier: Apache-2.0 */
/* cors.h - headers that every answer but the webhooks' carries. */
#ifndef DREAMD_API_CORS_H
#define DREAMD_API_CORS_H

#include "net/http_server.h"

/* CORS (any origin is echoed: keys and tokens, not origins, decide who may ask) and the security headers. */
void dreamd_cors_set(dreamd_request *request);

/* The constant ones, ended by a NULL name; for tests. */
const dreamd_constant_header *dreamd_cors_headers(void);
/* What Access-Control-Allow-Origin says for this Origin (may be NULL). */
const char *dreamd_cors_allow_origin(const char *origin);

#endif
