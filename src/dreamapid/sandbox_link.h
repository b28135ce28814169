/* SPDX-License-Identifier: Apache-2.0 */
/* sandbox_link.h - makes the sandbox the providers that the settings name. The service cannot tell: it sees
 * addresses. */
#ifndef DREAMAPID_SANDBOX_LINK_H
#define DREAMAPID_SANDBOX_LINK_H

#include <stdbool.h>

#include "sandbox/sandbox.h"
#include "service/settings.h"

/* The file of a database's sandbox: owned; NULL when out of memory. */
char *dreamd_sandbox_path(const char *db_path);
/* Replaces all addresses, keys and webhook secrets. False when out of memory; the settings may be cleared then. */
bool dreamd_sandbox_apply(const sandbox *box, dreamd_settings *settings);
/* The events of Stripe and of the end users' Clerk app, of both modes, go to the service at this address. */
bool dreamd_sandbox_connect(sandbox *box, const char *api_url);

#endif
