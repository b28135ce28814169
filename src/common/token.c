/* SPDX-License-Identifier: Apache-2.0 */
/* token.c - checks JWTs and remembers the good ones. Fetching key sets, and what
 * a claim permits, is the caller's. Checks run in the order of the contract's
 * recorded answers: form, header, key, claims, signature; nothing is believed
 * before the last. Verifying has no state. The cache has one lock, held for a
 * look-up and never over hashing, allocation of claims or a signature check. */
#include "common/token.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/crypto.h"
#include "common/encoding.h"
#include "common/json.h"
#include "common/timefmt.h"

enum { MESSAGE_SIZE = 256 };
/* Room in a message for what the sender put in place of a claim. */
enum { SHOWN_SIZE = 64 };

#define MS_PER_S INT64_C(1000)
#define SKEW_MS (DREAM_TOKEN_SKEW_S * MS_PER_S)

/* ---- claims ---- */

static size_t text_size(const char *text)
{
    return text != NULL ? strlen(text) + 1 : 0;
}

static char *put_text(char **at, const char *text)
{
    char *copy = *at;
    size_t size = text_size(text);

    if (text == NULL)
        return NULL;
    memcpy(copy, text, size);
    *at += size;
    return copy;
}

/* Struct and texts in one allocation: a cache hit copies claims on every request. */
static dream_claims *claims_copy(const dream_claims *from)
{
    size_t size = sizeof(*from) + text_size(from->user_id) + text_size(from->email) + text_size(from->publishable_key)
                  + text_size(from->plan) + text_size(from->session_id) + text_size(from->json);
    dream_claims *claims = malloc(size);
    char *at = (char *)(claims + 1);

    if (claims == NULL)
        return NULL;
    *claims = *from;
    claims->user_id = put_text(&at, from->user_id);
    claims->email = put_text(&at, from->email);
    claims->publishable_key = put_text(&at, from->publishable_key);
    claims->plan = put_text(&at, from->plan);
    claims->session_id = put_text(&at, from->session_id);
    claims->json = put_text(&at, from->json);
    return claims;
}

void dream_claims_free(dream_claims *claims)
{
    free(claims);
}

/* ---- verification ---- */

/* A token on its way through the checks. */
struct check {
    int64_t now_wall_ms;
    char *message; /* MESSAGE_SIZE bytes, or NULL */
    dream_buffer payload_text;
    dream_buffer signature;
    cJSON *header;
    cJSON *payload;
    int64_t expires_at_s;
    int64_t issued_at_s;
};

/* The three parts, borrowed from the token. */
struct part {
    const char *at;
    size_t size;
};

__attribute__((format(printf, 2, 3))) static dream_token_status refuse(const struct check *check, const char *format,
                                                                       ...)
{
    va_list arguments;

    if (check->message != NULL) {
        va_start(arguments, format);
        (void)vsnprintf(check->message, MESSAGE_SIZE, format, arguments);
        va_end(arguments);
    }
    return DREAM_TOKEN_INVALID;
}

/* Printable ASCII only: these texts end up in logs and answers, and may be cut anywhere. */
static const char *show_text(const char *text, char out[SHOWN_SIZE])
{
    size_t i;

    for (i = 0; text[i] != '\0' && i < SHOWN_SIZE - 1; i++)
        out[i] = text[i] >= 0x20 && text[i] < 0x7f ? text[i] : '?';
    out[i] = '\0';
    return out;
}

static const char *show_value(const cJSON *value, char out[SHOWN_SIZE])
{
    char *text;

    if (value == NULL)
        return show_text("undefined", out);
    text = dream_json_print(value);
    show_text(text != NULL ? text : "?", out);
    free(text);
    return out;
}

static const char *show_time(int64_t time_s, char out[30])
{
    dream_http_date_text(time_s * MS_PER_S, out);
    return out;
}

/* Exactly two dots, printable characters only, bounded. */
static bool split(const char *token, struct part parts[3])
{
    size_t count = 0;
    size_t i;

    if (token == NULL)
        return false;
    parts[0] = (struct part){ token, 0 };
    for (i = 0; token[i] != '\0'; i++) {
        if (i >= DREAM_TOKEN_MAX_SIZE || token[i] <= ' ' || token[i] > '~')
            return false;
        if (token[i] != '.')
            parts[count].size++;
        else if (++count < 3)
            parts[count] = (struct part){ token + i + 1, 0 };
        else
            return false;
    }
    return count == 2 && parts[0].size > 0 && parts[1].size > 0;
}

static dream_token_status decode_part(const struct check *check, struct part part, dream_buffer *out)
{
    if (dream_base64url_decode(out, part.at, part.size))
        return DREAM_TOKEN_OK;
    return out->is_failed ? DREAM_TOKEN_NOMEM : refuse(check, "Unexpected end of data");
}

static dream_token_status parse_object(const struct check *check, const dream_buffer *text, const char *name,
                                       cJSON **out)
{
    bool out_of_memory = false;

    *out = text->size > 0 ? dream_json_parse(text->data, text->size, &out_of_memory) : NULL;
    if (out_of_memory)
        return DREAM_TOKEN_NOMEM;
    if (!cJSON_IsObject(*out))
        return refuse(check, "Invalid JWT form. The %s is not a JSON object.", name);
    return DREAM_TOKEN_OK;
}

static dream_token_status decode(struct check *check, const struct part parts[3])
{
    dream_buffer header_text = DREAM_BUFFER_INIT;
    dream_token_status status;

    status = decode_part(check, parts[0], &header_text);
    if (status == DREAM_TOKEN_OK)
        status = decode_part(check, parts[1], &check->payload_text);
    if (status == DREAM_TOKEN_OK)
        status = decode_part(check, parts[2], &check->signature);
    if (status == DREAM_TOKEN_OK)
        status = parse_object(check, &header_text, "header", &check->header);
    if (status == DREAM_TOKEN_OK)
        status = parse_object(check, &check->payload_text, "payload", &check->payload);
    dream_buffer_clear(&header_text);
    return status;
}

static bool find_hash(const char *alg, dream_rsa_hash *out)
{
    static const struct {
        const char *alg;
        dream_rsa_hash hash;
    } supported[] = { { "RS256", DREAM_RSA_SHA256 }, { "RS384", DREAM_RSA_SHA384 }, { "RS512", DREAM_RSA_SHA512 } };
    size_t i;

    for (i = 0; alg != NULL && i < sizeof(supported) / sizeof(supported[0]); i++) {
        if (strcmp(supported[i].alg, alg) == 0) {
            *out = supported[i].hash;
            return true;
        }
    }
    return false;
}

static dream_token_status check_header(const struct check *check, dream_rsa_hash *out_hash)
{
    const cJSON *typ = dream_json_get(check->header, "typ");
    const cJSON *alg = dream_json_get(check->header, "alg");
    char shown[SHOWN_SIZE];

    if (typ != NULL && (!cJSON_IsString(typ) || strcmp(typ->valuestring, "JWT") != 0))
        return refuse(check, "Invalid JWT type %s. Expected \"JWT\".", show_value(typ, shown));
    /* RFC 7515 4.1.11: what we do not understand but must, we refuse. We understand no extension. */
    if (dream_json_get(check->header, "crit") != NULL)
        return refuse(check, "Invalid JWT header: critical extensions (crit) are not supported.");
    /* A header with neither is reported as lacking its key, as the contract has it. */
    if (alg == NULL && dream_json_get(check->header, "kid") == NULL)
        return DREAM_TOKEN_OK;
    if (!find_hash(cJSON_GetStringValue(alg), out_hash))
        return refuse(check, "Invalid JWT algorithm %s. Supported: RS256,RS384,RS512.", show_value(alg, shown));
    return DREAM_TOKEN_OK;
}

static void list_kids(const dream_jwks *jwks, char out[MESSAGE_SIZE])
{
    char shown[SHOWN_SIZE];
    size_t used = 0;
    size_t i;

    out[0] = '\0';
    for (i = 0; i < dream_jwks_count(jwks) && used < MESSAGE_SIZE; i++)
        used += (size_t)snprintf(out + used, MESSAGE_SIZE - used, "%s%s", i > 0 ? ", " : "",
                                 show_text(dream_jwks_kid(jwks, i), shown));
}

static dream_token_status find_key(const struct check *check, const dream_jwks *jwks, const dream_rsa_key **out_key)
{
    const char *kid = dream_json_string(check->header, "kid");
    char shown[SHOWN_SIZE], available[MESSAGE_SIZE];

    *out_key = dream_jwks_find(jwks, kid);
    if (*out_key != NULL)
        return DREAM_TOKEN_OK;
    list_kids(jwks, available);
    (void)refuse(check,
                 "Unable to find a signing key in JWKS that matches the kid='%s' of the provided session token. Please "
                 "make sure that the __session cookie or the HTTP authorization header contain a Clerk-generated "
                 "session JWT. The following kid is available: %s",
                 kid != NULL ? show_text(kid, shown) : "undefined", available);
    /* No key set names what has no name: fetching one anew cannot help. */
    return kid != NULL ? DREAM_TOKEN_UNKNOWN_KEY : DREAM_TOKEN_INVALID;
}

/* RFC 7519 NumericDate: seconds, possibly with a fraction, which is dropped. */
static bool read_time(const cJSON *value, int64_t *out_s)
{
    if (!cJSON_IsNumber(value))
        return false;
    if (!(value->valuedouble >= (double)-DREAM_JSON_MAX_INT && value->valuedouble <= (double)DREAM_JSON_MAX_INT))
        return false;
    *out_s = (int64_t)value->valuedouble;
    return true;
}

static dream_token_status check_expiry(struct check *check)
{
    const cJSON *value = dream_json_get(check->payload, "exp");
    char shown[SHOWN_SIZE], expiry[30], now[30];

    if (!read_time(value, &check->expires_at_s))
        return refuse(check, "Invalid JWT expiry date claim (exp) %s. Expected number.", show_value(value, shown));
    if (check->expires_at_s * MS_PER_S > check->now_wall_ms - SKEW_MS)
        return DREAM_TOKEN_OK;
    return refuse(check, "JWT is expired. Expiry date: %s, Current date: %s.", show_time(check->expires_at_s, expiry),
                  show_time(check->now_wall_ms / MS_PER_S, now));
}

static dream_token_status check_not_before(const struct check *check)
{
    const cJSON *value = dream_json_get(check->payload, "nbf");
    char shown[SHOWN_SIZE], start[30], now[30];
    int64_t time_s;

    if (value == NULL)
        return DREAM_TOKEN_OK;
    if (!read_time(value, &time_s))
        return refuse(check, "Invalid JWT not before date claim (nbf) %s. Expected number.", show_value(value, shown));
    if (time_s * MS_PER_S <= check->now_wall_ms + SKEW_MS)
        return DREAM_TOKEN_OK;
    return refuse(check,
                  "JWT cannot be used prior to not before date claim (nbf). Not before date: %s; Current date: %s;",
                  show_time(time_s, start), show_time(check->now_wall_ms / MS_PER_S, now));
}

static dream_token_status check_issued_at(struct check *check)
{
    const cJSON *value = dream_json_get(check->payload, "iat");
    char shown[SHOWN_SIZE], issued[30], now[30];

    if (value == NULL)
        return DREAM_TOKEN_OK;
    if (!read_time(value, &check->issued_at_s))
        return refuse(check, "Invalid JWT issued at date claim (iat) %s. Expected number.", show_value(value, shown));
    if (check->issued_at_s * MS_PER_S <= check->now_wall_ms + SKEW_MS)
        return DREAM_TOKEN_OK;
    return refuse(check, "JWT issued at date claim (iat) is in the future. Issued at date: %s; Current date: %s;",
                  show_time(check->issued_at_s, issued), show_time(check->now_wall_ms / MS_PER_S, now));
}

/* A name with control characters in it is no user's: it would split log lines and headers further on. */
static bool is_good_subject(const cJSON *value)
{
    const char *at = cJSON_GetStringValue(value);

    if (at == NULL || *at == '\0')
        return false;
    for (; *at != '\0'; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            return false;
    }
    return true;
}

static dream_token_status check_claims(struct check *check)
{
    const cJSON *sub = dream_json_get(check->payload, "sub");
    dream_token_status status;
    char shown[SHOWN_SIZE];

    if (!is_good_subject(sub))
        return refuse(check, "Subject claim (sub) is required and must be a string. Received %s.",
                      show_value(sub, shown));
    status = check_expiry(check);
    if (status == DREAM_TOKEN_OK)
        status = check_not_before(check);
    if (status == DREAM_TOKEN_OK)
        status = check_issued_at(check);
    return status;
}

/* NULL also for an empty text, which every issuer's template yields for a user without the value. */
static char *claim(const cJSON *object, const char *name)
{
    const cJSON *value = dream_json_get(object, name);

    return cJSON_IsString(value) && value->valuestring[0] != '\0' ? value->valuestring : NULL;
}

/* A claim of this service's own: from the user's metadata, under either of its names, else from the top. */
static char *metadata_claim(const cJSON *payload, const char *name)
{
    char *text = claim(dream_json_get(payload, "publicMetadata"), name);

    if (text == NULL)
        text = claim(dream_json_get(payload, "public_metadata"), name);
    return text != NULL ? text : claim(payload, name);
}

static dream_claims *read_claims(struct check *check)
{
    const cJSON *payload = check->payload;
    dream_claims claims = {
        .user_id = claim(payload, "sub"),
        .email = claim(payload, "email"),
        .publishable_key = metadata_claim(payload, "publishableKey"),
        .plan = metadata_claim(payload, "plan"),
        .session_id = claim(payload, "sid"),
        .json = check->payload_text.data,
        .issued_at_s = check->issued_at_s,
        .expires_at_s = check->expires_at_s,
    };

    if (claims.email == NULL)
        claims.email = metadata_claim(payload, "email");
    if (claims.email == NULL)
        claims.email = claim(payload, "primary_email");
    return claims_copy(&claims);
}

/* All checks; `check` is cleared by the caller. */
static dream_token_status run(struct check *check, const char *token, const dream_jwks *jwks, dream_claims **out)
{
    dream_rsa_hash hash = DREAM_RSA_SHA256;
    dream_token_status status;
    const dream_rsa_key *key;
    struct part parts[3];

    if (!split(token, parts))
        return refuse(check, "Invalid JWT form. A JWT consists of three parts separated by dots.");
    status = decode(check, parts);
    if (status == DREAM_TOKEN_OK)
        status = check_header(check, &hash);
    if (status == DREAM_TOKEN_OK)
        status = find_key(check, jwks, &key);
    if (status == DREAM_TOKEN_OK)
        status = check_claims(check);
    if (status != DREAM_TOKEN_OK)
        return status;
    /* What is signed is the text up to the second dot, as sent. */
    if (!dream_rsa_verify(key, hash, token, parts[0].size + 1 + parts[1].size,
                          (const unsigned char *)dream_buffer_str(&check->signature), check->signature.size))
        return refuse(check, "JWT signature is invalid.");
    *out = read_claims(check);
    return *out != NULL ? DREAM_TOKEN_OK : DREAM_TOKEN_NOMEM;
}

dream_token_status dream_token_verify(const char *token, const dream_jwks *jwks, int64_t now_wall_ms,
                                      dream_claims **out, char message[256])
{
    struct check check = {
        .now_wall_ms = now_wall_ms,
        .message = message,
        .payload_text = DREAM_BUFFER_INIT,
        .signature = DREAM_BUFFER_INIT,
    };
    dream_token_status status;

    *out = NULL;
    if (message != NULL)
        message[0] = '\0';
    status = run(&check, token, jwks, out);
    if (status == DREAM_TOKEN_NOMEM && message != NULL)
        (void)snprintf(message, MESSAGE_SIZE, "Out of memory");
    cJSON_Delete(check.header);
    cJSON_Delete(check.payload);
    dream_buffer_clear(&check.payload_text);
    dream_buffer_clear(&check.signature);
    return status;
}

/* ---- the cache ----
 *
 * Each entry is in three structures at once: a hash chain (to find it), a heap
 * by expiry (to drop what has expired first) and a list by age (to drop the
 * oldest when nothing has). */

enum { MAX_ENTRIES = 1 << 20 };

struct digest {
    unsigned char realm[DREAM_SHA256_SIZE];
    unsigned char token[DREAM_SHA256_SIZE];
};

struct entry {
    struct digest digest;
    atomic_uint references; /* the cache's own and one for each reader that is copying */
    dream_claims *claims;   /* immutable; so is everything above. What follows is under the lock */
    struct entry *next;     /* in its chain */
    struct entry *older, *newer;
    size_t heap_index;
};

struct dream_token_cache {
    pthread_mutex_t lock; /* guards all below but the sizes */
    size_t max_entries;
    size_t chain_count; /* a power of two */
    size_t count;
    struct entry **chains;
    struct entry **heap; /* `count` entries, the one that expires first at the root */
    struct entry *oldest, *newest;
    int64_t now_wall_ms; /* as last told by a reader: what counts as expired when room is needed */
};

static void entry_unref(struct entry *entry)
{
    if (entry == NULL || atomic_fetch_sub_explicit(&entry->references, 1, memory_order_acq_rel) > 1)
        return;
    dream_claims_free(entry->claims);
    free(entry);
}

static bool is_expired(const struct entry *entry, int64_t now_wall_ms)
{
    return entry->claims->expires_at_s * MS_PER_S <= now_wall_ms - SKEW_MS;
}

static bool digest_of(const char *realm, const char *token, struct digest *out)
{
    return dream_sha256(realm, strlen(realm), out->realm) && dream_sha256(token, strlen(token), out->token);
}

static struct entry **chain_of(const dream_token_cache *cache, const struct digest *digest)
{
    size_t hash;

    /* Only tokens with a good signature get in, so nobody can aim at one chain. */
    memcpy(&hash, digest->token, sizeof(hash));
    return &cache->chains[hash & (cache->chain_count - 1)];
}

static struct entry *find(const dream_token_cache *cache, const struct digest *digest)
{
    struct entry *entry = *chain_of(cache, digest);

    while (entry != NULL && memcmp(&entry->digest, digest, sizeof(*digest)) != 0)
        entry = entry->next;
    return entry;
}

static void heap_put(dream_token_cache *cache, size_t index, struct entry *entry)
{
    cache->heap[index] = entry;
    entry->heap_index = index;
}

static bool expires_before(const struct entry *a, const struct entry *b)
{
    return a->claims->expires_at_s < b->claims->expires_at_s;
}

/* Finds the place for `entry`, starting from a free place at `index` in a heap of `cache->count`. */
static void heap_settle(dream_token_cache *cache, size_t index, struct entry *entry)
{
    size_t child;

    while (index > 0 && expires_before(entry, cache->heap[(index - 1) / 2])) {
        heap_put(cache, index, cache->heap[(index - 1) / 2]);
        index = (index - 1) / 2;
    }
    for (;;) {
        child = 2 * index + 1;
        if (child + 1 < cache->count && expires_before(cache->heap[child + 1], cache->heap[child]))
            child++;
        if (child >= cache->count || !expires_before(cache->heap[child], entry))
            break;
        heap_put(cache, index, cache->heap[child]);
        index = child;
    }
    heap_put(cache, index, entry);
}

static void link_entry(dream_token_cache *cache, struct entry *entry)
{
    struct entry **chain = chain_of(cache, &entry->digest);

    entry->next = *chain;
    *chain = entry;
    entry->older = cache->newest;
    *(cache->newest != NULL ? &cache->newest->newer : &cache->oldest) = entry;
    cache->newest = entry;
    cache->count++;
    heap_settle(cache, cache->count - 1, entry);
}

/* Takes the entry out of all three structures; the cache's reference passes to the caller. */
static struct entry *unlink_entry(dream_token_cache *cache, struct entry *entry)
{
    struct entry **link = chain_of(cache, &entry->digest);
    struct entry *last;

    while (*link != entry)
        link = &(*link)->next;
    *link = entry->next;
    *(entry->older != NULL ? &entry->older->newer : &cache->oldest) = entry->newer;
    *(entry->newer != NULL ? &entry->newer->older : &cache->newest) = entry->older;
    last = cache->heap[--cache->count];
    if (last != entry)
        heap_settle(cache, entry->heap_index, last);
    entry->next = entry->older = entry->newer = NULL;
    return entry;
}

dream_token_cache *dream_token_cache_new(size_t max_entries)
{
    dream_token_cache *cache = calloc(1, sizeof(*cache));

    if (cache == NULL)
        return NULL;
    cache->max_entries = max_entries < MAX_ENTRIES ? max_entries : MAX_ENTRIES;
    for (cache->chain_count = 1; cache->chain_count < cache->max_entries; cache->chain_count *= 2)
        ;
    cache->now_wall_ms = INT64_MIN + SKEW_MS;
    cache->chains = calloc(cache->chain_count, sizeof(*cache->chains));
    cache->heap = calloc(cache->max_entries > 0 ? cache->max_entries : 1, sizeof(*cache->heap));
    if (cache->chains == NULL || cache->heap == NULL || pthread_mutex_init(&cache->lock, NULL) != 0) {
        free(cache->chains);
        free(cache->heap);
        free(cache);
        return NULL;
    }
    return cache;
}

void dream_token_cache_free(dream_token_cache *cache)
{
    if (cache == NULL)
        return;
    while (cache->oldest != NULL)
        entry_unref(unlink_entry(cache, cache->oldest));
    (void)pthread_mutex_destroy(&cache->lock);
    free(cache->chains);
    free(cache->heap);
    free(cache);
}

bool dream_token_cache_get(dream_token_cache *cache, const char *realm, const char *token, int64_t now_wall_ms,
                           dream_claims **out)
{
    struct entry *found, *dropped = NULL;
    struct digest digest;

    *out = NULL;
    if (!digest_of(realm, token, &digest))
        return false;
    (void)pthread_mutex_lock(&cache->lock);
    cache->now_wall_ms = now_wall_ms;
    found = find(cache, &digest);
    if (found != NULL && is_expired(found, now_wall_ms)) {
        dropped = unlink_entry(cache, found);
        found = NULL;
    }
    if (found != NULL)
        atomic_fetch_add_explicit(&found->references, 1, memory_order_relaxed);
    (void)pthread_mutex_unlock(&cache->lock);
    if (found != NULL)
        *out = claims_copy(found->claims);
    entry_unref(found);
    entry_unref(dropped);
    return *out != NULL;
}

static struct entry *entry_new(const struct digest *digest, const dream_claims *claims)
{
    struct entry *entry = calloc(1, sizeof(*entry));

    if (entry == NULL)
        return NULL;
    entry->digest = *digest;
    atomic_init(&entry->references, 1);
    entry->claims = claims_copy(claims);
    if (entry->claims == NULL) {
        free(entry);
        return NULL;
    }
    return entry;
}

/* What has to go so that one more fits; NULL if nothing. */
static struct entry *make_room(dream_token_cache *cache)
{
    if (cache->count < cache->max_entries)
        return NULL;
    return unlink_entry(cache, is_expired(cache->heap[0], cache->now_wall_ms) ? cache->heap[0] : cache->oldest);
}

void dream_token_cache_put(dream_token_cache *cache, const char *realm, const char *token, const dream_claims *claims)
{
    struct entry *entry, *same, *dropped;
    struct digest digest;

    if (cache->max_entries == 0 || !digest_of(realm, token, &digest))
        return;
    entry = entry_new(&digest, claims);
    if (entry == NULL)
        return; /* a cache may forget */
    (void)pthread_mutex_lock(&cache->lock);
    same = find(cache, &digest);
    dropped = same != NULL ? unlink_entry(cache, same) : make_room(cache);
    link_entry(cache, entry);
    (void)pthread_mutex_unlock(&cache->lock);
    entry_unref(dropped);
}

void dream_token_cache_forget(dream_token_cache *cache, const char *realm)
{
    unsigned char digest[DREAM_SHA256_SIZE];
    bool is_known = dream_sha256(realm, strlen(realm), digest);
    struct entry *entry, *newer, *dropped = NULL;

    (void)pthread_mutex_lock(&cache->lock);
    for (entry = cache->oldest; entry != NULL; entry = newer) {
        newer = entry->newer;
        /* Should hashing fail, everything goes: forgetting too much is safe, too little is not. */
        if (is_known && memcmp(entry->digest.realm, digest, sizeof(digest)) != 0)
            continue;
        unlink_entry(cache, entry)->next = dropped;
        dropped = entry;
    }
    (void)pthread_mutex_unlock(&cache->lock);
    for (; dropped != NULL; dropped = entry) {
        entry = dropped->next;
        entry_unref(dropped);
    }
}
