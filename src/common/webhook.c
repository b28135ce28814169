/* SPDX-License-Identifier: Apache-2.0 */
/* webhook.c - the signatures of Stripe and of svix, both ways. What Stripe signs is the text of `t` as sent, a dot and the raw
 * body; svix puts the delivery's id and a dot before that. Stateless, any thread. */
#include "common/webhook.h"

#include <stdio.h>
#include <string.h>

#include "common/crypto.h"
#include "common/encoding.h"
#include "common/slice.h"

/* Stripe sends some 150 bytes; while a secret is rolled there is one v1 for each of the secrets. */
enum { MAX_HEADER_SIZE = 4096, MAX_SIGNATURES = 16, MAX_ID_SIZE = 255 };
/* Enough digits for any time that can be within tolerance, too few to overflow. */
enum { MAX_TIME_DIGITS = 15 };

struct signed_header {
    dream_slice time;
    dream_slice signatures[MAX_SIGNATURES]; /* further ones are passed over */
    size_t signature_count;
};

/* One "name=value". False when it contradicts what came before; unknown names are other schemes' business. */
static bool read_item(struct signed_header *header, dream_slice item)
{
    const char *equals = memchr(item.at, '=', item.size);
    dream_slice name, value;

    if (equals == NULL)
        return true;
    name = dream_slice_trim((dream_slice){ item.at, (size_t)(equals - item.at) });
    value = dream_slice_trim((dream_slice){ equals + 1, item.size - (size_t)(equals - item.at) - 1 });
    if (dream_slice_is(name, "t")) {
        /* Two times would leave open which of them is checked and which is signed. */
        if (header->time.at != NULL)
            return false;
        header->time = value;
    } else if (dream_slice_is(name, "v1") && header->signature_count < MAX_SIGNATURES) {
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

        if (!read_item(header, (dream_slice){ text, (size_t)(stop - text) }))
            return false;
        if (comma == NULL)
            return header->time.at != NULL && header->signature_count > 0;
        text = comma + 1;
    }
}

static bool read_time(dream_slice text, int64_t *out_s)
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

/* What is signed, in one piece: the text before the body, then the body. */
static void write_signed(dream_buffer *out, dream_slice before, const void *body, size_t size)
{
    dream_buffer_append(out, before.at, before.size);
    dream_buffer_char(out, '.');
    dream_buffer_append(out, body, size);
}

/* How one scheme tells whether the digest is among the header's signatures. False: out of memory. */
typedef bool matcher(const void *signatures, const unsigned char expected[DREAM_SHA256_SIZE], bool *out_is_match);
/* The key that a secret stands for; false if it stands for none. */
typedef bool key_reader(dream_buffer *out, const char *secret);

struct scheme {
    key_reader *read_key;
    matcher *match;
};

/* All secrets and all signatures are tried whatever matches, so that the time does not tell which. */
static dream_webhook_verdict try_secrets(const struct scheme *scheme, const dream_webhook *webhook,
                                         const dream_buffer *text, const void *signatures)
{
    dream_webhook_verdict verdict = DREAM_WEBHOOK_UNMATCHED;
    unsigned char expected[DREAM_SHA256_SIZE];
    const char *const *secret = webhook->secrets;

    if (*secret == NULL)
        return DREAM_WEBHOOK_BAD_SECRET;
    for (; *secret != NULL; secret++) {
        dream_buffer key = { .is_secret = true };
        bool is_match = false;

        if (!scheme->read_key(&key, *secret))
            verdict = key.is_failed ? DREAM_WEBHOOK_FAILED : DREAM_WEBHOOK_BAD_SECRET;
        else if (!dream_hmac_sha256(key.data, key.size, text->data, text->size, expected)
                 || !scheme->match(signatures, expected, &is_match))
            verdict = DREAM_WEBHOOK_FAILED;
        else if (is_match)
            verdict = DREAM_WEBHOOK_GOOD;
        dream_buffer_clear(&key);
        if (verdict == DREAM_WEBHOOK_FAILED || verdict == DREAM_WEBHOOK_BAD_SECRET)
            break;
    }
    /* Whoever could read it from the stack could forge this body's signature. */
    dream_wipe(expected, sizeof(expected));
    return verdict;
}

/* The time is looked at last: "outside" is then said of genuine webhooks alone. */
static dream_webhook_verdict judge(const struct scheme *scheme, dream_webhook *webhook, dream_slice before,
                                   const void *signatures)
{
    dream_webhook_verdict verdict = DREAM_WEBHOOK_FAILED;
    dream_buffer text = DREAM_BUFFER_INIT;

    write_signed(&text, before, webhook->body, webhook->size);
    if (!text.is_failed && dream_sha256(text.data, text.size, webhook->digest))
        verdict = try_secrets(scheme, webhook, &text, signatures);
    if (verdict == DREAM_WEBHOOK_GOOD && !is_within(webhook->time_s, webhook->now_s, webhook->tolerance_s))
        verdict = DREAM_WEBHOOK_OUTSIDE;
    dream_buffer_clear(&text);
    return verdict;
}

/* ---- Stripe ---- */

/* An empty secret is a missing setting, and anyone can sign with it. */
static bool read_stripe_key(dream_buffer *out, const char *secret)
{
    dream_buffer_text(out, secret);
    return !out->is_failed && out->size > 0;
}

static bool match_stripe(const void *signatures, const unsigned char expected[DREAM_SHA256_SIZE], bool *out_is_match)
{
    const struct signed_header *header = signatures;
    unsigned char given[DREAM_SHA256_SIZE];
    size_t i;

    for (i = 0; i < header->signature_count; i++) {
        if (dream_hex_decode(header->signatures[i].at, header->signatures[i].size, given, sizeof(given))
            && dream_equal_secret(given, expected, sizeof(given)))
            *out_is_match = true;
    }
    return true;
}

dream_webhook_verdict dream_stripe_signature_judge(dream_webhook *webhook, const char *header)
{
    static const struct scheme scheme = { read_stripe_key, match_stripe };
    struct signed_header parts;

    if (header == NULL)
        return DREAM_WEBHOOK_MISSING;
    if (!read_header(&parts, header) || !read_time(parts.time, &webhook->time_s))
        return DREAM_WEBHOOK_MALFORMED;
    return judge(&scheme, webhook, parts.time, &parts);
}

bool dream_stripe_signature_verify(const char *header, const char *secret, const void *body, size_t size, int64_t now_s,
                                   int64_t tolerance_s)
{
    const char *const secrets[] = { secret, NULL };
    dream_webhook webhook = { secrets, body, size, now_s, tolerance_s, 0, { 0 } };

    return dream_stripe_signature_judge(&webhook, header) == DREAM_WEBHOOK_GOOD;
}

/* The digest that a signature writes down; the text before the body is `before`. */
static bool digest_of(key_reader *read_key, const char *secret, dream_slice before, const dream_webhook *webhook,
                      unsigned char out[DREAM_SHA256_SIZE])
{
    dream_buffer key = { .is_secret = true };
    dream_buffer text = DREAM_BUFFER_INIT;
    bool is_made;

    write_signed(&text, before, webhook->body, webhook->size);
    is_made =
        read_key(&key, secret) && !text.is_failed && dream_hmac_sha256(key.data, key.size, text.data, text.size, out);
    dream_buffer_clear(&text);
    dream_buffer_clear(&key);
    return is_made;
}

bool dream_stripe_signature_make(dream_buffer *out, const char *secret, const void *body, size_t size, int64_t now_s)
{
    const dream_webhook webhook = { .body = body, .size = size };
    unsigned char digest[DREAM_SHA256_SIZE];
    char hex[2 * DREAM_SHA256_SIZE + 1];
    dream_buffer time = DREAM_BUFFER_INIT;
    bool is_made = false;

    if (secret == NULL || now_s < 0)
        return false;
    dream_buffer_printf(&time, "%lld", (long long)now_s);
    if (time.is_failed || !digest_of(read_stripe_key, secret, dream_slice_of(time.data), &webhook, digest))
        goto done;
    dream_hex_encode(digest, sizeof(digest), hex);
    dream_buffer_printf(out, "t=%s,v1=%s", time.data, hex);
    is_made = !out->is_failed;
done:
    dream_buffer_clear(&time);
    return is_made;
}

/* ---- svix, Standard Webhooks ---- */

/* False when it stands for none: an empty key is one that anyone has. */
static bool read_svix_key(dream_buffer *out, const char *secret)
{
    static const char prefix[] = "whsec_";

    if (strncmp(secret, prefix, sizeof(prefix) - 1) == 0)
        secret += sizeof(prefix) - 1;
    return dream_base64_decode(out, secret, strlen(secret)) && !out->is_failed && out->size > 0;
}

/* One "v1,<base64>"; other versions are other schemes' business. */
static bool svix_item_matches(dream_slice item, const dream_buffer *expected)
{
    return item.size == 3 + expected->size && memcmp(item.at, "v1,", 3) == 0
           && dream_equal_secret(item.at + 3, expected->data, expected->size);
}

static bool match_svix(const void *signatures, const unsigned char expected[DREAM_SHA256_SIZE], bool *out_is_match)
{
    dream_buffer encoded = { .is_secret = true };
    const char *next = signatures;
    bool is_encoded;
    int count;

    dream_base64_encode(&encoded, expected, DREAM_SHA256_SIZE);
    is_encoded = !encoded.is_failed;
    for (count = 0; is_encoded && *next != '\0' && count < MAX_SIGNATURES; count++) {
        size_t size = strcspn(next, " ");

        if (svix_item_matches((dream_slice){ next, size }, &encoded))
            *out_is_match = true;
        next += size;
        next += strspn(next, " ");
    }
    dream_buffer_clear(&encoded);
    return is_encoded;
}

static bool svix_headers_are_sane(const dream_svix_headers *headers)
{
    return *headers->id != '\0' && strnlen(headers->id, MAX_ID_SIZE + 1) <= MAX_ID_SIZE
           && strnlen(headers->signature, MAX_HEADER_SIZE + 1) <= MAX_HEADER_SIZE;
}

dream_webhook_verdict dream_svix_signature_judge(dream_webhook *webhook, const dream_svix_headers *headers)
{
    static const struct scheme scheme = { read_svix_key, match_svix };
    char before[MAX_ID_SIZE + 1 + MAX_TIME_DIGITS + 1];
    dream_slice time;

    if (headers->id == NULL || headers->timestamp == NULL || headers->signature == NULL)
        return DREAM_WEBHOOK_MISSING;
    time = (dream_slice){ headers->timestamp, strnlen(headers->timestamp, MAX_TIME_DIGITS + 1) };
    if (!svix_headers_are_sane(headers) || !read_time(time, &webhook->time_s))
        return DREAM_WEBHOOK_MALFORMED;
    (void)snprintf(before, sizeof(before), "%s.%s", headers->id, headers->timestamp);
    return judge(&scheme, webhook, dream_slice_of(before), headers->signature);
}

bool dream_svix_signature_verify(const dream_svix_headers *headers, const char *secret, const void *body, size_t size,
                                 int64_t now_s, int64_t tolerance_s)
{
    const char *const secrets[] = { secret, NULL };
    dream_webhook webhook = { secrets, body, size, now_s, tolerance_s, 0, { 0 } };

    return dream_svix_signature_judge(&webhook, headers) == DREAM_WEBHOOK_GOOD;
}

bool dream_svix_signature_make(dream_buffer *out, const char *id, const char *secret, const void *body, size_t size,
                               int64_t now_s)
{
    const dream_webhook webhook = { .body = body, .size = size };
    unsigned char digest[DREAM_SHA256_SIZE];
    dream_buffer before = DREAM_BUFFER_INIT;
    bool is_made = false;

    if (id == NULL || *id == '\0' || secret == NULL || now_s < 0)
        return false;
    dream_buffer_printf(&before, "%s.%lld", id, (long long)now_s);
    if (before.is_failed || !digest_of(read_svix_key, secret, dream_slice_of(before.data), &webhook, digest))
        goto done;
    dream_buffer_text(out, "v1,");
    dream_base64_encode(out, digest, sizeof(digest));
    is_made = !out->is_failed;
done:
    dream_buffer_clear(&before);
    return is_made;
}
