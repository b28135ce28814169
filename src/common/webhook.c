/* SPDX-License-Identifier: Apache-2.0 */
/* webhook.c - the signatures of Stripe and of svix, both ways. What Stripe signs is the text of `t` as sent, a dot and the raw
 * body; svix puts the delivery's id and a dot before that. Stateless, any thread. */
#include "common/webhook.h"

#include <string.h>

#include "common/crypto.h"
#include "common/encoding.h"

/* Stripe sends some 150 bytes; while a secret is rolled there is one v1 for each of the secrets. */
enum { MAX_HEADER_SIZE = 4096, MAX_SIGNATURES = 16, MAX_ID_SIZE = 255 };
/* Enough digits for any time that can be within tolerance, too few to overflow. */
enum { MAX_TIME_DIGITS = 15 };

struct span {
    const char *at;
    size_t size;
};

struct signed_header {
    struct span time;
    struct span signatures[MAX_SIGNATURES]; /* further ones are passed over */
    size_t signature_count;
};

static struct span trim(struct span text)
{
    while (text.size > 0 && (*text.at == ' ' || *text.at == '\t')) {
        text.at++;
        text.size--;
    }
    while (text.size > 0 && (text.at[text.size - 1] == ' ' || text.at[text.size - 1] == '\t'))
        text.size--;
    return text;
}

static bool is_text(struct span span, const char *text)
{
    return span.size == strlen(text) && memcmp(span.at, text, span.size) == 0;
}

/* One "name=value". False when it contradicts what came before; unknown names are other schemes' business. */
static bool read_item(struct signed_header *header, struct span item)
{
    const char *equals = memchr(item.at, '=', item.size);
    struct span name, value;

    if (equals == NULL)
        return true;
    name = trim((struct span){ item.at, (size_t)(equals - item.at) });
    value = trim((struct span){ equals + 1, item.size - (size_t)(equals - item.at) - 1 });
    if (is_text(name, "t")) {
        /* Two times would leave open which of them is checked and which is signed. */
        if (header->time.at != NULL)
            return false;
        header->time = value;
    } else if (is_text(name, "v1") && header->signature_count < MAX_SIGNATURES) {
        header->signatures[header->signature_count++] = value;
    }
    return true;
}

static bool read_header(struct signed_header *header, const char *text)
{
    size_t size = strnlen(text, MAX_HEADER_SIZE + 1);
    const char *end = text + size;

    if (size > MAX_HEADER_SIZE)
        return false;
    memset(header, 0, sizeof(*header));
    for (;;) {
        const char *comma = memchr(text, ',', (size_t)(end - text));
        const char *stop = comma != NULL ? comma : end;

        if (!read_item(header, (struct span){ text, (size_t)(stop - text) }))
            return false;
        if (comma == NULL)
            return header->time.at != NULL && header->signature_count > 0;
        text = comma + 1;
    }
}

static bool read_time(struct span text, int64_t *out_s)
{
    size_t i;

    if (text.size == 0 || text.size > MAX_TIME_DIGITS)
        return false;
    for (*out_s = 0, i = 0; i < text.size; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
        *out_s = *out_s * 10 + text.at[i] - '0';
    }
    return true;
}

static bool is_within(int64_t time_s, int64_t now_s, int64_t tolerance_s)
{
    /* Unsigned, so that no clock value can overflow the difference. */
    uint64_t apart = time_s > now_s ? (uint64_t)time_s - (uint64_t)now_s : (uint64_t)now_s - (uint64_t)time_s;

    return tolerance_s >= 0 && apart <= (uint64_t)tolerance_s;
}

static bool digest_of(const char *secret, struct span time, const void *body, size_t size,
                      unsigned char out[DREAM_SHA256_SIZE])
{
    dream_buffer text = DREAM_BUFFER_INIT;
    bool is_made;

    dream_buffer_append(&text, time.at, time.size);
    dream_buffer_char(&text, '.');
    dream_buffer_append(&text, body, size);
    is_made = !text.is_failed && dream_hmac_sha256(secret, strlen(secret), text.data, text.size, out);
    dream_buffer_clear(&text);
    return is_made;
}

bool dream_stripe_signature_verify(const char *header, const char *secret, const void *body, size_t size, int64_t now_s,
                                   int64_t tolerance_s)
{
    unsigned char expected[DREAM_SHA256_SIZE], given[DREAM_SHA256_SIZE];
    struct signed_header parts;
    bool is_match = false;
    int64_t time_s;
    size_t i;

    /* An empty secret is a missing setting, and anyone can sign with it. */
    if (header == NULL || secret == NULL || *secret == '\0')
        return false;
    if (!read_header(&parts, header) || !read_time(parts.time, &time_s) || !is_within(time_s, now_s, tolerance_s))
        return false;
    if (!digest_of(secret, parts.time, body, size, expected))
        return false;
    for (i = 0; i < parts.signature_count; i++) {
        if (dream_hex_decode(parts.signatures[i].at, parts.signatures[i].size, given, sizeof(given))
            && dream_equal_secret(given, expected, sizeof(expected)))
            is_match = true;
    }
    /* Whoever could read it from the stack could forge this body's signature. */
    dream_wipe(expected, sizeof(expected));
    return is_match;
}

bool dream_stripe_signature_make(dream_buffer *out, const char *secret, const void *body, size_t size, int64_t now_s)
{
    unsigned char digest[DREAM_SHA256_SIZE];
    char hex[2 * DREAM_SHA256_SIZE + 1];
    dream_buffer time = DREAM_BUFFER_INIT;
    bool is_made = false;

    if (secret == NULL || *secret == '\0' || now_s < 0)
        return false;
    dream_buffer_printf(&time, "%lld", (long long)now_s);
    if (time.is_failed || !digest_of(secret, (struct span){ time.data, time.size }, body, size, digest))
        goto done;
    dream_hex_encode(digest, sizeof(digest), hex);
    dream_buffer_printf(out, "t=%s,v1=%s", time.data, hex);
    is_made = !out->is_failed;
done:
    dream_buffer_clear(&time);
    return is_made;
}

/* ---- svix ---- */

/* The key that a secret stands for. False when it stands for none: an empty key is one that anyone has. */
static bool svix_key(dream_buffer *out, const char *secret)
{
    static const char prefix[] = "whsec_";

    if (strncmp(secret, prefix, sizeof(prefix) - 1) == 0)
        secret += sizeof(prefix) - 1;
    return dream_base64_decode(out, secret, strlen(secret)) && !out->is_failed && out->size > 0;
}

static bool svix_digest(const char *secret, const char *id, const char *timestamp, const void *body, size_t size,
                        unsigned char out[DREAM_SHA256_SIZE])
{
    dream_buffer key = { .is_secret = true };
    dream_buffer text = DREAM_BUFFER_INIT;
    bool is_made = svix_key(&key, secret);

    dream_buffer_printf(&text, "%s.%s.", id, timestamp);
    dream_buffer_append(&text, body, size);
    is_made = is_made && !text.is_failed && dream_hmac_sha256(key.data, key.size, text.data, text.size, out);
    dream_buffer_clear(&text);
    dream_buffer_clear(&key);
    return is_made;
}

/* One "v1,<base64>"; other versions are other schemes' business. */
static bool svix_item_matches(struct span item, const unsigned char expected[DREAM_SHA256_SIZE])
{
    dream_buffer given = DREAM_BUFFER_INIT;
    bool is_match = item.size > 3 && memcmp(item.at, "v1,", 3) == 0
                    && dream_base64_decode(&given, item.at + 3, item.size - 3) && given.size == DREAM_SHA256_SIZE
                    && dream_equal_secret(given.data, expected, DREAM_SHA256_SIZE);

    dream_buffer_clear(&given);
    return is_match;
}

static bool svix_any_matches(const char *signatures, const unsigned char expected[DREAM_SHA256_SIZE])
{
    bool is_match = false;
    int count;

    for (count = 0; *signatures != '\0' && count < MAX_SIGNATURES; count++) {
        size_t size = strcspn(signatures, " ");

        if (svix_item_matches((struct span){ signatures, size }, expected))
            is_match = true;
        signatures += size;
        signatures += strspn(signatures, " ");
    }
    return is_match;
}

static bool svix_headers_are_sane(const dream_svix_headers *headers)
{
    return headers->id != NULL && *headers->id != '\0' && strnlen(headers->id, MAX_ID_SIZE + 1) <= MAX_ID_SIZE
           && headers->timestamp != NULL && headers->signature != NULL
           && strnlen(headers->signature, MAX_HEADER_SIZE + 1) <= MAX_HEADER_SIZE;
}

bool dream_svix_signature_verify(const dream_svix_headers *headers, const char *secret, const void *body, size_t size,
                                 int64_t now_s, int64_t tolerance_s)
{
    unsigned char expected[DREAM_SHA256_SIZE];
    bool is_match = false;
    int64_t time_s;

    if (secret == NULL || !svix_headers_are_sane(headers))
        return false;
    if (!read_time((struct span){ headers->timestamp, strnlen(headers->timestamp, MAX_TIME_DIGITS + 1) }, &time_s)
        || !is_within(time_s, now_s, tolerance_s))
        return false;
    if (!svix_digest(secret, headers->id, headers->timestamp, body, size, expected))
        return false;
    is_match = svix_any_matches(headers->signature, expected);
    dream_wipe(expected, sizeof(expected));
    return is_match;
}

bool dream_svix_signature_make(dream_buffer *out, const char *id, const char *secret, const void *body, size_t size,
                               int64_t now_s)
{
    unsigned char digest[DREAM_SHA256_SIZE];
    dream_buffer time = DREAM_BUFFER_INIT;
    bool is_made = false;

    if (id == NULL || *id == '\0' || secret == NULL || now_s < 0)
        return false;
    dream_buffer_printf(&time, "%lld", (long long)now_s);
    if (time.is_failed || !svix_digest(secret, id, time.data, body, size, digest))
        goto done;
    dream_buffer_text(out, "v1,");
    dream_base64_encode(out, digest, sizeof(digest));
    is_made = !out->is_failed;
done:
    dream_buffer_clear(&time);
    return is_made;
}
