/* SPDX-License-Identifier: Apache-2.0 */
/* http_tls.h - a server's certificate and its key, read and checked before anything listens. */
#ifndef DREAMD_NET_HTTP_TLS_H
#define DREAMD_NET_HTTP_TLS_H

#include <stdint.h>

typedef struct dreamd_tls dreamd_tls;

/* Two PEM files: the chain, the server's own certificate first, and its key, without a passphrase. NULL with a sentence in
 * `error` that names the file and what is wrong with it. A certificate out of its time is no error: see below. */
dreamd_tls *dreamd_tls_load(const char *certificate_file, const char *key_file, char error[256]);
void dreamd_tls_free(dreamd_tls *tls); /* wipes; NULL is fine */

/* From when to when the server's own certificate counts: seconds since 1970. */
int64_t dreamd_tls_begins_at_s(const dreamd_tls *tls);
int64_t dreamd_tls_ends_at_s(const dreamd_tls *tls);
/* "sha256//BASE64" of its public key: for a client of ours that must reach this very server under whatever name. */
const char *dreamd_tls_pin(const dreamd_tls *tls);

/* What libmicrohttpd wants; borrowed. */
const char *dreamd_tls_certificate_pem(const dreamd_tls *tls);
const char *dreamd_tls_key_pem(const dreamd_tls *tls);
const char *dreamd_tls_priorities(void);

#endif
