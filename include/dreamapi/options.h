/* SPDX-License-Identifier: Apache-2.0 */
/** @file options.h
 * What a client is made from. An options object is used by one thread at a
 * time; any number of clients may be made from it, and it may be freed as soon
 * as they are made. Setters copy what they are given; the last value wins; NULL
 * takes a text back to "not set". They return DREAMAPI_OK, DREAMAPI_INVALID (a
 * NULL object, or a value that is refused; the old one stays) or DREAMAPI_NOMEM. */
#ifndef DREAMAPI_OPTIONS_H
#define DREAMAPI_OPTIONS_H

#include <dreamapi/base.h>
#include <dreamapi/error.h>
#include <dreamapi/transport.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The longest timeout of a call: one day. */
#define DREAMAPI_MAX_TIMEOUT_MS 86400000

/** New options with every default. Owned (dreamapi_options_free); NULL when out of memory. */
DREAMAPI_API dreamapi_options *dreamapi_options_new(void);
/** Wipes the keys and releases the options. NULL is fine. */
DREAMAPI_API void dreamapi_options_free(dreamapi_options *options);

/** Where the service is: "https://host[:port][/prefix]". Not set: DREAMAPI_BASE_URL from the environment; without
 * either dreamapi_client_new fails, there is no default. Refused: other schemes, credentials, a query, a fragment. Plain http with
 * a secret key is refused by dreamapi_client_new unless the host is a loopback address or "localhost". */
DREAMAPI_API dreamapi_status dreamapi_options_set_base_url(dreamapi_options *options, const char *url);
/** The project's secret key ("sk_..."), for a backend. Not set: DREAMAPI_SECRET_KEY from the environment. Visible ASCII only. */
DREAMAPI_API dreamapi_status dreamapi_options_set_secret_key(dreamapi_options *options, const char *key);
/** The same from a buffer of the caller's, which is wiped: all `size` bytes, also when the key is refused (DREAMAPI_INVALID) or
 * there is no memory. The key ends at the first NUL, or with the buffer. With DREAMAPI_AUTH_SIGNATURE no copy of the key is left in
 * the process after it. `buffer` is borrowed for the call and must be writable. */
DREAMAPI_API dreamapi_status dreamapi_options_take_secret_key(dreamapi_options *options, char *buffer, size_t size);

/** How a client shows that it has the secret key. Codes are only ever added. */
typedef enum dreamapi_auth {
    DREAMAPI_AUTH_BEARER = 0,   /**< it sends the key; every server knows that */
    DREAMAPI_AUTH_SIGNATURE = 1 /**< it signs each try (RFC 9421) with a key made from it, and sends no secret */
} dreamapi_auth;
/** DREAMAPI_AUTH_BEARER unless set. With DREAMAPI_AUTH_SIGNATURE the publishable key must be set too, the options and their clients keep
 * the derived key alone, and a call to a server that does not announce the extension "signatures" is DREAMAPI_UNSUPPORTED, with
 * nothing sent. Back to DREAMAPI_AUTH_BEARER is DREAMAPI_INVALID while a secret key is set, as its text is gone: take the key back
 * first. Signing goes by the client's wall clock, which must be within 300 s of the server's. See docs/security.md. */
DREAMAPI_API dreamapi_status dreamapi_options_set_auth(dreamapi_options *options, dreamapi_auth auth);
/** The project's publishable key ("pk_..."); sent only when there is no secret key, and in the name of the key that signs.
 * dreamapi_token_verify accepts tokens of this project. Not set: DREAMAPI_PUBLISHABLE_KEY. */
DREAMAPI_API dreamapi_status dreamapi_options_set_publishable_key(dreamapi_options *options, const char *key);
/** Where the keys are published that end users' tokens are signed with (JWKS, RFC 7517), for dreamapi_token_verify: the provider's
 * "https://.../.well-known/jwks.json". Redirects are not followed, and no key of ours is sent there. Plain http is refused unless the host is a
 * loopback address or "localhost". */
DREAMAPI_API dreamapi_status dreamapi_options_set_jwks_url(dreamapi_options *options, const char *url);
/** The keys themselves, instead of their URL: a JWKS, or one public key in PEM ("-----BEGIN PUBLIC KEY-----"), RSA of 2048 to 8192 bits
 * or P-256. A key from PEM has no name, and is tried for every token. DREAMAPI_INVALID if no key in it is usable. */
DREAMAPI_API dreamapi_status dreamapi_options_set_token_keys(dreamapi_options *options, const char *text);
/** The total time a call may take, in milliseconds: waiting its turn, connecting and every retry included. 1 to
 * DREAMAPI_MAX_TIMEOUT_MS; 30000 unless set. A call's own timeout overrides it. */
DREAMAPI_API dreamapi_status dreamapi_options_set_timeout_ms(dreamapi_options *options, int64_t timeout_ms);
/** 1 (unless set): the client works on one thread of its own. 0: it starts none, and works only inside
 * dreamapi_client_perform, dreamapi_call_wait and the blocking calls. Others are refused. */
DREAMAPI_API dreamapi_status dreamapi_options_set_threads(dreamapi_options *options, int threads);
/** The largest answer accepted, in bytes: 1024 to 1 GiB; 1 MiB unless set. A larger one is DREAMAPI_PROTOCOL,
 * to a POST DREAMAPI_OUTCOME_UNKNOWN. */
DREAMAPI_API dreamapi_status dreamapi_options_set_max_response_size(dreamapi_options *options, size_t bytes);
/** How often a call may be tried again where that is safe: 0 to 100; 4 unless set. */
DREAMAPI_API dreamapi_status dreamapi_options_set_max_retries(dreamapi_options *options, int retries);
/** A PEM file of certificates to trust instead of the system's, which are those of libcurl's own file (Debian: ca-certificates.crt).
 * Either is read when connecting, and kept for up to a day by libcurl 7.87 and later. */
DREAMAPI_API dreamapi_status dreamapi_options_set_ca_file(dreamapi_options *options, const char *path);
/** A proxy, as in "http://proxy.example:3128". Not set: https_proxy and its kin from the environment count for https.
 * Loopback addresses are never reached through a proxy. */
DREAMAPI_API dreamapi_status dreamapi_options_set_proxy(dreamapi_options *options, const char *url);
/** Added to the User-Agent, as in "shop/2.1". Printable ASCII, at most 128 characters. */
DREAMAPI_API dreamapi_status dreamapi_options_set_user_agent_suffix(dreamapi_options *options, const char *suffix);

/** Replaces the clock. The struct is copied, its user_data borrowed for the client's life. NULL: real time again. */
DREAMAPI_API dreamapi_status dreamapi_options_set_clock(dreamapi_options *options, const dreamapi_clock *clock);

/** Fills `out` with `size` random bytes and returns 0; anything else is a failure. Called by any thread. */
typedef int (*dreamapi_random_function)(void *user_data, void *out, size_t size);
/** Replaces the source of idempotency keys and of jitter. `user_data` is borrowed for the client's life. NULL: the system's. */
DREAMAPI_API dreamapi_status dreamapi_options_set_random(dreamapi_options *options, dreamapi_random_function function,
                                                         void *user_data);

/** Replaces the transport. The struct is copied, its user_data borrowed for the client's life. NULL: the built-in one. */
DREAMAPI_API dreamapi_status dreamapi_options_set_transport(dreamapi_options *options,
                                                            const dreamapi_transport *transport);

/** How much a log line matters. Codes are only ever added. */
typedef enum dreamapi_log_level {
    DREAMAPI_LOG_WARNING = 1,
    DREAMAPI_LOG_INFO = 2,
    DREAMAPI_LOG_DEBUG = 3
} dreamapi_log_level;
/** Takes a log line, borrowed during the call; it never holds a secret or a user's token. Called with no lock held, by
 * the thread that works for the client; it must not call back into the same client. */
typedef void (*dreamapi_log_function)(void *user_data, dreamapi_log_level level, const char *message);
/** Where log lines go. Unless set, nowhere: the library prints nothing. `user_data` is borrowed for the client's life. */
DREAMAPI_API dreamapi_status dreamapi_options_set_log(dreamapi_options *options, dreamapi_log_function function,
                                                      void *user_data);

#ifdef __cplusplus
}
#endif

#endif
