/* SPDX-License-Identifier: Apache-2.0 */
/* admin.h - the operator's server: /metrics, /health (the process is alive), /ready (it may be sent requests). */
#ifndef DREAMD_SERVICE_ADMIN_H
#define DREAMD_SERVICE_ADMIN_H

#include "net/http_server.h"

/* A dreamd_http_handler; `context` is a dreamd_context. */
void dreamd_admin_handle(void *context, dreamd_request *request);

#endif
