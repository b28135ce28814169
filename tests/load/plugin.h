/* SPDX-License-Identifier: Apache-2.0 */
/* plugin.h - what a plugin exports to host.c. Each function returns a dreamapi_status: the host itself knows nothing of libdreamapi. */
#ifndef TESTS_LOAD_PLUGIN_H
#define TESTS_LOAD_PLUGIN_H

/* Makes the client. `ca_file` may be NULL. */
typedef int (*plugin_open_function)(const char *base_url, const char *ca_file);
/* Makes a call and waits for its end. Any thread. */
typedef int (*plugin_call_function)(void);
/* Begins a call that the server does not answer. */
typedef int (*plugin_start_function)(void);
/* Lets go of everything. */
typedef void (*plugin_close_function)(void);

#endif
