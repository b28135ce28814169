/* SPDX-License-Identifier: Apache-2.0 */
/* http_tls.c - reads the files, and asks GnuTLS, which libmicrohttpd speaks TLS with, what it would say to them. So what passes
 * here is taken later, and what does not is told by its cause. No state but GnuTLS's own; any thread. */
#include "net/http_tls.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/buffer.h"
#include "common/crypto.h"
#include "common/encoding.h"

enum { ERROR_SIZE = 256, SHOWN = 120, MAX_FILE = 1 << 20, PIECE = 4096, PIN_SIZE = 64 };

struct dreamd_tls {
    char *certificate; /* PEM */
    char *key;         /* PEM; wiped */
    int64_t begins_at_s;
    int64_t ends_at_s;
    char pin[PIN_SIZE];
};

/* TLS 1.2 and 1.3 (RFC 8996 retires what is older), ciphers that authenticate what they encrypt, and keys of which none opens what was
 * recorded before. */
const char *dreamd_tls_priorities(void)
{
    return "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA:-DHE-RSA:-CIPHER-ALL:+AES-128-GCM:+AES-256-GCM:"
           "+CHACHA20-POLY1305";
}

static bool say(char error[ERROR_SIZE], const char *path, const char *what)
{
    (void)snprintf(error, ERROR_SIZE, "%.*s: %s", SHOWN, path, what);
    return false;
}

static char *read_file(const char *path, char error[ERROR_SIZE])
{
    dream_buffer text = DREAM_BUFFER_INIT;
    char piece[PIECE];
    char *copy = NULL;
    ssize_t got = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

    text.is_secret = true;
    if (fd < 0) {
        say(error, path, strerror(errno));
        return NULL;
    }
    while (text.size <= MAX_FILE && (got = read(fd, piece, sizeof piece)) > 0)
        dream_buffer_append(&text, piece, (size_t)got);
    if (got < 0)
        say(error, path, strerror(errno));
    else if (text.size > MAX_FILE)
        say(error, path, "is too large for a PEM file");
    else if (text.is_failed || !(copy = strndup(text.data ? text.data : "", text.size)))
        say(error, path, "out of memory");
    (void)close(fd);
    dream_wipe(piece, sizeof piece);
    dream_buffer_clear(&text);
    return copy;
}

static gnutls_datum_t datum(const char *text)
{
    return (gnutls_datum_t){ (unsigned char *)(uintptr_t)text, (unsigned)strlen(text) };
}

static bool note_pin(dreamd_tls *tls, gnutls_x509_crt_t certificate)
{
    unsigned char hash[DREAM_SHA256_SIZE];
    size_t size = sizeof hash;
    dream_buffer text = DREAM_BUFFER_INIT;

    if (gnutls_x509_crt_get_key_id(certificate, GNUTLS_KEYID_USE_SHA256, hash, &size) != 0)
        return false;
    dream_base64_encode(&text, hash, size);
    bool is_done = !text.is_failed;
    (void)snprintf(tls->pin, sizeof tls->pin, "sha256//%s", is_done ? dream_buffer_str(&text) : "");
    dream_buffer_clear(&text);
    return is_done;
}

/* The server's own certificate comes first (RFC 8446 4.4.2). */
static bool read_certificate(dreamd_tls *tls, const char *path, char error[ERROR_SIZE])
{
    const gnutls_datum_t pem = datum(tls->certificate);
    gnutls_x509_crt_t *chain = NULL;
    unsigned count = 0;

    if (gnutls_x509_crt_list_import2(&chain, &count, &pem, GNUTLS_X509_FMT_PEM, 0) < 0 || count == 0)
        return say(error, path, "holds no certificate in PEM form");
    tls->begins_at_s = gnutls_x509_crt_get_activation_time(chain[0]);
    tls->ends_at_s = gnutls_x509_crt_get_expiration_time(chain[0]);
    bool is_done = note_pin(tls, chain[0]);
    for (unsigned i = 0; i < count; i++)
        gnutls_x509_crt_deinit(chain[i]);
    gnutls_free(chain);
    return is_done || say(error, path, "holds a certificate whose public key cannot be read");
}

static bool read_key(const dreamd_tls *tls, const char *path, char error[ERROR_SIZE])
{
    const gnutls_datum_t pem = datum(tls->key);
    gnutls_x509_privkey_t key;

    if (strstr(tls->key, "ENCRYPTED"))
        return say(error, path, "the key is encrypted; give it without a passphrase, in a file for its owner only");
    if (gnutls_x509_privkey_init(&key) < 0)
        return say(error, path, "out of memory");
    int code = gnutls_x509_privkey_import(key, &pem, GNUTLS_X509_FMT_PEM);
    gnutls_x509_privkey_deinit(key);
    return code == 0 || say(error, path, "holds no private key in PEM form");
}

/* As libmicrohttpd will. */
static bool fit_together(const dreamd_tls *tls, const char *key_path, char error[ERROR_SIZE])
{
    const gnutls_datum_t certificate = datum(tls->certificate);
    const gnutls_datum_t key = datum(tls->key);
    gnutls_certificate_credentials_t both;

    if (gnutls_certificate_allocate_credentials(&both) < 0)
        return say(error, key_path, "out of memory");
    int code = gnutls_certificate_set_x509_key_mem(both, &certificate, &key, GNUTLS_X509_FMT_PEM);
    gnutls_certificate_free_credentials(both);
    if (code == GNUTLS_E_CERTIFICATE_KEY_MISMATCH)
        return say(error, key_path, "is not the key of the certificate");
    return code >= 0 || say(error, key_path, gnutls_strerror(code));
}

dreamd_tls *dreamd_tls_load(const char *certificate_file, const char *key_file, char error[ERROR_SIZE])
{
    dreamd_tls *tls = calloc(1, sizeof *tls);

    error[0] = '\0';
    if (!tls) {
        (void)snprintf(error, ERROR_SIZE, "out of memory");
        return NULL;
    }
    tls->certificate = read_file(certificate_file, error);
    if (tls->certificate)
        tls->key = read_file(key_file, error);
    if (tls->key && read_certificate(tls, certificate_file, error) && read_key(tls, key_file, error)
        && fit_together(tls, key_file, error))
        return tls;
    dreamd_tls_free(tls);
    return NULL;
}

void dreamd_tls_free(dreamd_tls *tls)
{
    if (!tls)
        return;
    dream_free_secret(tls->key);
    dream_free_secret(tls->certificate); /* the file may hold the key too */
    free(tls);
}

int64_t dreamd_tls_begins_at_s(const dreamd_tls *tls)
{
    return tls->begins_at_s;
}

int64_t dreamd_tls_ends_at_s(const dreamd_tls *tls)
{
    return tls->ends_at_s;
}

const char *dreamd_tls_pin(const dreamd_tls *tls)
{
    return tls->pin;
}

const char *dreamd_tls_certificate_pem(const dreamd_tls *tls)
{
    return tls->certificate;
}

const char *dreamd_tls_key_pem(const dreamd_tls *tls)
{
    return tls->key;
}
