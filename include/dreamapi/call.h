/* SPDX-License-Identifier: Apache-2.0 */
/** @file call.h
 * A request under way, and what all calls have in common.
 *
 * Every function of the service exists twice, and both ways are the same code:
 *
 *   dreamapi_NOUN_VERB(client, ids, &params, &call_options, &out, &error)         waits
 *   dreamapi_NOUN_VERB_start(client, ids, &params, &call_options, &call, &error)  returns at once
 *
 * The first is the second, then dreamapi_call_wait, then dreamapi_NOUN_result.
 *
 * Reliability, the same for all: one deadline covers everything. A request is
 * tried again only where that is safe: its method is idempotent, or it surely
 * never left, or the server announced `idempotency` (each POST carries a key, the same
 * on each try). Else an unclear outcome is DREAMAPI_OUTCOME_UNKNOWN.
 *
 * Text parameters are UTF-8 without control characters, at most 4096 bytes (ids
 * and idempotency keys: 255, ids never empty); others are DREAMAPI_INVALID, with nothing
 * sent. All are copied. `params` and `call_options` begin with their size: always
 * initialise them with their _INIT macro; fields are only ever added at the end.
 *
 * Threads: any function on any call from any thread, but for dreamapi_call_free. */
#ifndef DREAMAPI_CALL_H
#define DREAMAPI_CALL_H

#include <dreamapi/base.h>
#include <dreamapi/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What any call can be given besides its own parameters. NULL stands for all defaults. */
typedef struct dreamapi_call_options {
    /** sizeof(dreamapi_call_options), set by DREAMAPI_CALL_OPTIONS_INIT. */
    size_t struct_size;
    /** Total time for this call in milliseconds, up to DREAMAPI_MAX_TIMEOUT_MS; 0 takes the client's. */
    int64_t timeout_ms;
    /** For POST calls: the idempotency key, visible ASCII; NULL makes one. Give your own to be able to repeat a call,
     * even after a restart of the program, without doing its work twice. Other calls ignore it. */
    const char *idempotency_key;
    /** The end user's token (a JWT), for the calls on a user's behalf; they want either this or a user id. Other calls ignore it.
     * Over plain http it is sent to loopback addresses only; else the call is DREAMAPI_INVALID. */
    const char *user_token;
    /** A W3C trace context that the call belongs to, sent on as the header traceparent (each try the same):
     * "00-<32 hex digits>-<16 hex digits>-<2 hex digits>", small letters, neither id all zeros. Anything else is
     * DREAMAPI_INVALID. NULL sends none. Not sent with the library's own question for extensions. */
    const char *traceparent;
} dreamapi_call_options;

/** Every field at its default. */
#define DREAMAPI_CALL_OPTIONS_INIT                                                                                     \
    {                                                                                                                  \
        sizeof(dreamapi_call_options), 0, NULL, NULL, NULL                                                             \
    }

/** Waits until the call is finished, at most `timeout_ms` milliseconds (0: only looks; negative: as long as the call's own
 * deadline allows). Returns the call's status, or DREAMAPI_PENDING if time ran out first; the call then goes on. A call that was
 * waited for to its end is not handed out by dreamapi_client_next. With threads = 0 this does the client's work meanwhile. */
DREAMAPI_API dreamapi_status dreamapi_call_wait(dreamapi_call *call, int64_t timeout_ms, dreamapi_error *error);

/** Asks the call to stop; returns at once. It ends with DREAMAPI_CANCELLED unless it was already finished. NULL is fine. */
DREAMAPI_API void dreamapi_call_cancel(dreamapi_call *call);

/** The call's status, DREAMAPI_PENDING while it is not finished. Never waits. */
DREAMAPI_API dreamapi_status dreamapi_call_result(dreamapi_call *call, dreamapi_error *error);

/** The answer's body as it came, also of an answer that is an error; "" if it had none, NULL while the call is not finished
 * or when no answer came. Borrowed until dreamapi_call_free. */
DREAMAPI_API const char *dreamapi_call_json(dreamapi_call *call);

/** The idempotency key the call was or will be sent with; NULL for calls that have none. Borrowed until dreamapi_call_free. */
DREAMAPI_API const char *dreamapi_call_idempotency_key(const dreamapi_call *call);

/** Attaches a pointer of the caller's; never touched. */
DREAMAPI_API void dreamapi_call_set_user_data(dreamapi_call *call, void *user_data);
/** What dreamapi_call_set_user_data stored; NULL at first. */
DREAMAPI_API void *dreamapi_call_user_data(dreamapi_call *call);

/** Releases the call; cancels it if it is under way. Results that were taken from it stay valid. NULL is fine. */
DREAMAPI_API void dreamapi_call_free(dreamapi_call *call);

#ifdef __cplusplus
}
#endif

#endif
