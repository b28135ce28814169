/* SPDX-License-Identifier: Apache-2.0 */
/* notify.h - tells the service manager that started us how far we are, by systemd's protocol (sd_notify(3)), which others speak too. */
#ifndef DREAMAPID_NOTIFY_H
#define DREAMAPID_NOTIFY_H

#include <stdbool.h>

/* Sends `state`, such as "READY=1", to the socket that NOTIFY_SOCKET names. True also where nobody wants to know: it is not set. */
bool dreamd_notify(const char *state);

#endif
