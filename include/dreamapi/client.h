/* SPDX-License-Identifier: Apache-2.0 */
/** @file client.h
 * A client: one project of one service, its connections, and what it learned
 * about the server. Every function takes any thread at any time, but for
 * dreamapi_client_free, after which the handle is gone.
 *
 * Calls hold a reference to their client, so the two may be freed in any order.
 *
 * Fork: a client belongs to the process that made it. In a child every call
 * returns DREAMAPI_FORKED, and dreamapi_client_free lets go of memory without
 * disturbing the parent's connections. */
#ifndef DREAMAPI_CLIENT_H
#define DREAMAPI_CLIENT_H

#include <dreamapi/base.h>
#include <dreamapi/error.h>
#include <dreamapi/options.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Prepares what the whole process shares (libcurl). Optional: clients do it themselves; a program that starts threads
 * early may want it first. Counted: pair with dreamapi_global_cleanup. Any thread. DREAMAPI_OK or DREAMAPI_NOMEM. */
DREAMAPI_API dreamapi_status dreamapi_global_init(void);
/** Takes one dreamapi_global_init back. After the last one, and once no client is left, libcurl's own cleanup is called
 * as often as we called its init; what the program initialised itself stays. Any thread; more calls than inits do nothing. */
DREAMAPI_API void dreamapi_global_cleanup(void);

/** Makes a client; touches no network. `options` are read, not kept; NULL takes everything from the environment.
 * `*out_client` is owned (dreamapi_client_free), and NULL on failure: DREAMAPI_INVALID (what is missing or refused is in the
 * message), DREAMAPI_NOMEM, DREAMAPI_UNSUPPORTED. */
DREAMAPI_API dreamapi_status dreamapi_client_new(const dreamapi_options *options, dreamapi_client **out_client,
                                                 dreamapi_error *error);
/** Cancels every call under way (they end with DREAMAPI_CANCELLED), stops the thread, closes the connections, wipes the
 * secret. Calls that are still held stay valid. In a forked child: says nothing on the parent's connections; while meters are open there,
 * which work on, the child's copy of the secret stays with them. Not from a callback of the same client. NULL is fine. */
DREAMAPI_API void dreamapi_client_free(dreamapi_client *client);

/** A descriptor for the program's own loop (poll, epoll), borrowed, the same for the client's life; -1 for NULL or in a
 * forked child. With one thread: readable while dreamapi_client_next has something. With none: readable when
 * dreamapi_client_perform or dreamapi_client_next has something to do. Never read from it. */
DREAMAPI_API int dreamapi_client_fd(const dreamapi_client *client);

/** The next finished call that was begun with one of the _start functions; NULL when there is none. Each is handed out
 * once. Borrowed: it is the one that _start gave, whose owner frees it. A call that was waited for or freed is not handed out. */
DREAMAPI_API dreamapi_call *dreamapi_client_next(dreamapi_client *client);

/** With threads = 0: does what can be done without waiting. With a thread: nothing. DREAMAPI_OK, DREAMAPI_INVALID (NULL) or
 * DREAMAPI_FORKED; what becomes of calls is theirs to tell. */
DREAMAPI_API dreamapi_status dreamapi_client_perform(dreamapi_client *client);
/** With threads = 0: milliseconds until dreamapi_client_perform should be called even if the descriptor stays quiet; 0 at
 * once, -1 never. With a thread: -1. */
DREAMAPI_API int64_t dreamapi_client_timeout_ms(dreamapi_client *client);

#ifdef __cplusplus
}
#endif

#endif
