/* SPDX-License-Identifier: Apache-2.0 */
/** @file error.h
 * How functions say what went wrong: a status to branch on, and an optional
 * struct with the details. There is no thread-local and no global error. */
#ifndef DREAMAPI_ERROR_H
#define DREAMAPI_ERROR_H

#include <dreamapi/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** One code for each cause a caller can act on. Codes are only ever added: treat an unknown one as a failure. */
typedef enum dreamapi_status {
    DREAMAPI_OK = 0,
    /** A bad argument, or the server found the request malformed (400, 422). Repeating it will not help. */
    DREAMAPI_INVALID = 1,
    /** Out of memory. */
    DREAMAPI_NOMEM = 2,
    /** The key or the user token is missing, unknown, revoked or expired (401). */
    DREAMAPI_AUTH = 3,
    /** The key is good but may not do this (403). */
    DREAMAPI_FORBIDDEN = 4,
    /** No such customer, or not one of this project's (404). */
    DREAMAPI_NOT_FOUND = 5,
    /** The request contradicts the present state, or its idempotency key is in use (409). */
    DREAMAPI_CONFLICT = 6,
    /** The user's plan has no units left in this period; dreamapi_error.used and .limit tell the numbers. Nothing was counted. */
    DREAMAPI_LIMIT = 7,
    /** Too many requests in this minute (429); see dreamapi_error.retry_after_ms and .local. Nothing was counted. */
    DREAMAPI_RATE_LIMITED = 8,
    /** The deadline passed, and the request was surely not carried out or may be repeated without harm. */
    DREAMAPI_TIMEOUT = 9,
    /** The call was cancelled, or its client was freed. The message says if the request may have been carried out. */
    DREAMAPI_CANCELLED = 10,
    /** The service cannot be reached, or says that it cannot answer now (502, 503, 504). */
    DREAMAPI_UNAVAILABLE = 11,
    /** The request may have been carried out, and repeating it could do its work twice. The library did not.
     * Repeating it with the same idempotency key is safe where dreamapi_error.retriable is 1. */
    DREAMAPI_OUTCOME_UNKNOWN = 12,
    /** This library, or this server, cannot do that. */
    DREAMAPI_UNSUPPORTED = 13,
    /** The server wants the end user's token for this (dreamapi_call_options.user_token). Nothing was sent. */
    DREAMAPI_TOKEN_REQUIRED = 14,
    /** The answer is not what the contract says; with calls that are no POST also: it is no HTTP, or larger than allowed. A POST
     * was carried out all the same, unless the answer is a redirect. */
    DREAMAPI_PROTOCOL = 15,
    /** The platform's own subscription has ended (403 subscription_expired): every call fails until it is renewed. */
    DREAMAPI_SUBSCRIPTION_EXPIRED = 16,
    /** No trusted connection: certificate, name or protocol version was refused. Nothing was sent. */
    DREAMAPI_TLS = 17,
    /** The server failed in a way it did not explain (any other 5xx). */
    DREAMAPI_SERVER = 18,
    /** The client was made before fork() and belongs to the parent. Make a new one in the child. */
    DREAMAPI_FORKED = 19,
    /** The call is not finished yet. */
    DREAMAPI_PENDING = 20,
    /** The journal cannot be used: damaged, of another version or another server, or no room for it. The message says which. */
    DREAMAPI_JOURNAL = 21
} dreamapi_status;

/** The details of a failure. The caller owns the memory, there is nothing to free, and every function takes NULL
 * instead. Functions write all of it, on success too, and never read it: it needs no initialising. */
typedef struct dreamapi_error {
    /** The same value that the function returned. */
    dreamapi_status status;
    /** The answer's HTTP status; 0 when there was no answer. */
    int http_status;
    /** 1: making the same call again later may succeed, and cannot do its work twice. 0: do not just repeat it. */
    int retriable;
    /** 1: the client refused by itself and sent nothing. */
    int local;
    /** Milliseconds to wait before trying again, as the server asked; -1 when it asked for nothing. */
    int64_t retry_after_ms;
    /** With DREAMAPI_LIMIT: units used in this period; -1 when unknown. */
    int64_t used;
    /** With DREAMAPI_LIMIT: units the plan allows, or DREAMAPI_UNLIMITED; -1 when unknown. */
    int64_t limit;
    /** The server's id of the request, for a support question; "" if it gave none. */
    char request_id[64];
    /** The server's own words, cut to fit; "" if it said nothing. Untrusted text without control characters. */
    char server_error[256];
    /** One sentence for a log. Never contains a secret. Its wording may change: branch on status. */
    char message[256];
    /** Zero; room to grow. */
    unsigned char reserved[64];
} dreamapi_error;

/** The constant's name, such as "DREAMAPI_LIMIT"; "DREAMAPI_UNKNOWN" for a value this library does not know.
 * Borrowed, valid for ever. Any thread. */
DREAMAPI_API const char *dreamapi_status_name(dreamapi_status status);

/** One sentence that explains the status. Borrowed, valid for ever. Any thread. */
DREAMAPI_API const char *dreamapi_status_text(dreamapi_status status);

#ifdef __cplusplus
}
#endif

#endif
