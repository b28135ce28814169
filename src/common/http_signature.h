/* SPDX-License-Identifier: Apache-2.0 */
/* http_signature.h - signed requests: RFC 9421 with hmac-sha256, and RFC 9530's Content-Digest with sha-256.
 * The library signs and the service verifies with the code below, so both build one text from one request. What a signature has
 * to cover, its parameters and how its key is made are fixed by docs/security.md. No state, no clock: any thread. */
#ifndef DREAM_COMMON_HTTP_SIGNATURE_H
#define DREAM_COMMON_HTTP_SIGNATURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/crypto.h"
#include "common/slice.h"

enum {
    DREAM_SIGNING_KEY_SIZE = 32,
    DREAM_KEY_ID_SIZE = 17, /* 16 hex digits: how SHA-256(secret key) begins */
    /* A signature counts from 300 s before it was made to 300 s after it, by the verifier's clock. */
    DREAM_SIGNATURE_WINDOW_S = 300,
    DREAM_SIGNATURE_MAX_COMPONENTS = 16,
    DREAM_SIGNATURE_MAX_HEADER = 2048, /* bytes of Signature-Input, Signature or Content-Digest */
    DREAM_SIGNATURE_MAX_LABEL = 64,
    DREAM_SIGNATURE_MAX_NONCE = 128,
    DREAM_SIGNATURE_MAX_KEYID = 256
};

/* What a signature can cover of a request. All borrowed. */
typedef struct dream_signed_request {
    dream_slice method;
    dream_slice authority; /* of dream_signature_authority; letters of either case */
    dream_slice path;      /* as sent, not decoded; "" counts as "/" */
    dream_slice query;     /* as sent, without "?"; "" for none */
    const char *content_digest;
    /* The value of any other field, whose name is in lower case; NULL if the request has none. May be NULL: no other fields. */
    const char *(*field)(void *context, const char *name);
    void *context;
} dream_signed_request;

/* RFC 9421 2.2.3: `authority`, as in Host or a URL, without the scheme's own port. */
dream_slice dream_signature_authority(dream_slice authority, bool is_https);

/* A signature's parameters. Texts are "" when they were not given. */
typedef struct dream_signature_params {
    int64_t created_s;
    int64_t expires_s;
    char nonce[DREAM_SIGNATURE_MAX_NONCE + 1];
    char alg[32];
    char keyid[DREAM_SIGNATURE_MAX_KEYID + 1];
    bool has_created;
    bool has_expires;
} dream_signature_params;

/* One signature as it arrived. */
typedef struct dream_http_signature {
    char label[DREAM_SIGNATURE_MAX_LABEL + 1];
    char input[DREAM_SIGNATURE_MAX_HEADER
               + 1]; /* "(...);..." as RFC 8941 writes it: what the base's last line repeats */
    size_t input_size;
    dream_slice
        components[DREAM_SIGNATURE_MAX_COMPONENTS]; /* names without quotes, in `input`: do not copy this struct */
    size_t component_count;
    dream_signature_params params;
    unsigned char mac[DREAM_SHA256_SIZE];
} dream_http_signature;

/* HKDF-SHA256 of the secret key's text; empty salt, info "dreamapi-http-signature-v1". `out` is a secret. */
bool dream_signing_key_derive(const char *secret_key, unsigned char out[DREAM_SIGNING_KEY_SIZE]);
/* Names a secret key without telling it. */
bool dream_key_id_of(const char *secret_key, char out[DREAM_KEY_ID_SIZE]);

/* Appends a value of Content-Digest: "sha-256=:...:". */
void dream_content_digest_make(dream_buffer *out, const void *body, size_t size);
/* NULL when `field` has a sha-256 that is the body's, else what is wrong (a constant). Other algorithms are passed over. */
const char *dream_content_digest_check(const char *field, const void *body, size_t size);

/* What a request has to say to be signed. `nonce` and `keyid` are sf-strings without escapes: visible ASCII, no quote, no
 * backslash. */
typedef struct dream_signing {
    const unsigned char *key; /* DREAM_SIGNING_KEY_SIZE bytes */
    const char *keyid;
    const char *nonce;
    int64_t created_s; /* it expires DREAM_SIGNATURE_WINDOW_S later */
} dream_signing;

/* Appends the values of Signature-Input and Signature, covering the content digest if there is one. False when out of memory. */
bool dream_signature_sign(const dream_signed_request *request, const dream_signing *signing, dream_buffer *out_input,
                          dream_buffer *out_signature);

/* Reads the two fields (NULL: absent). They must hold one signature, with the same label, and nothing that is not understood:
 * covered components without parameters; created, expires, nonce, alg, keyid and tag, each at most once. NULL when read, else
 * what is wrong (a constant). */
const char *dream_signature_parse(const char *input, const char *signature, dream_http_signature *out);
/* The bytes that are signed (RFC 9421 2.5). NULL, or what is wrong: a component that the request has not, or no memory. */
const char *dream_signature_base(const dream_http_signature *signature, const dream_signed_request *request,
                                 dream_buffer *out);
bool dream_signature_covers(const dream_http_signature *signature, const char *component);
/* Does it cover what the contract wants, and have all five parameters? NULL, or what is missing (a constant). */
const char *dream_signature_check_form(const dream_http_signature *signature, bool has_body);

typedef enum dream_signature_time {
    DREAM_SIGNATURE_IN_TIME,
    DREAM_SIGNATURE_TOO_EARLY, /* made in the verifier's future */
    DREAM_SIGNATURE_TOO_LATE
} dream_signature_time;

dream_signature_time dream_signature_check_time(const dream_http_signature *signature, int64_t now_s);
/* Constant time. NULL when the signature is this key's over this request, else what is wrong. */
const char *dream_signature_verify(const dream_http_signature *signature, const dream_signed_request *request,
                                   const unsigned char key[DREAM_SIGNING_KEY_SIZE]);

#endif
