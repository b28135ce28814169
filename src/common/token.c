/* SPDX-License-Identifier: Apache-2.0 */
/* token.c - checks JWTs. Fetching key sets, and what a claim permits, is the caller's. Checks run
 * in the order of the contract's recorded answers: form, header, key, claims, signature; nothing is
 * believed before the last. What only some callers ask (issuer, audience, project) comes after it. No state. */
#include "common/token.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/encoding.h"
#include "common/json.h"
#include "common/timefmt.h"

/* Room in a message for what the sender put in place of a claim. */
enum { SHOWN_SIZE = 64 };

#define MS_PER_S INT64_C(1000)

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

enum { TEXTS = 9 };

/* The members that are texts, in one place. */
static void list_texts(dream_claims *claims, char **out[TEXTS])
{
    char **const texts[TEXTS] = { &claims->user_id,    &claims->email,  &claims->publishable_key,  &claims->plan,
                                  &claims->session_id, &claims->issuer, &claims->authorized_party, &claims->audiences,
                                  &claims->json };

    memcpy(out, texts, sizeof(texts));
}

dream_claims *dream_claims_copy(const dream_claims *from)
{
    dream_claims borrowed = *from;
    size_t size = sizeof(borrowed);
    dream_claims *claims;
    char **texts[TEXTS];
    char *at;

    list_texts(&borrowed, texts);
    for (size_t i = 0; i < TEXTS; i++)
        size += text_size(*texts[i]);
    claims = malloc(size);
    if (claims == NULL)
        return NULL;
    at = (char *)(claims + 1);
    for (size_t i = 0; i < TEXTS; i++)
        *texts[i] = put_text(&at, *texts[i]);
    *claims = borrowed;
    atomic_init(&claims->references, 1);
    return claims;
}

dream_claims *dream_claims_ref(dream_claims *claims)
{
    atomic_fetch_add_explicit(&claims->references, 1, memory_order_relaxed);
    return claims;
}

void dream_claims_unref(dream_claims *claims)
{
    if (claims != NULL && atomic_fetch_sub_explicit(&claims->references, 1, memory_order_acq_rel) == 1)
        free(claims);
}

/* ---- verification ---- */

/* A token on its way through the checks. */
struct check {
    const dream_token_rules *rules;
    char *message; /* DREAM_TOKEN_MESSAGE bytes, or NULL */
    dream_buffer payload_text;
    dream_buffer signature;
    dream_buffer audiences;
    cJSON *header;
    cJSON *payload;
    dream_claims own;           /* texts borrowed from the above */
    const dream_claims *claims; /* these, or others that were shared: no part of them but the texts and times is read */
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
        (void)vsnprintf(check->message, DREAM_TOKEN_MESSAGE, format, arguments);
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

/* Exactly two dots, bounded. */
static bool split(const char *token, struct part parts[3])
{
    size_t size = token != NULL ? strnlen(token, DREAM_TOKEN_MAX_SIZE + 1) : 0;
    const char *first = size > 0 ? memchr(token, '.', size) : NULL;
    const char *second = first != NULL ? memchr(first + 1, '.', (size_t)(token + size - first - 1)) : NULL;

    if (size > DREAM_TOKEN_MAX_SIZE || second == NULL)
        return false;
    parts[0] = (struct part){ token, (size_t)(first - token) };
    parts[1] = (struct part){ first + 1, (size_t)(second - first - 1) };
    parts[2] = (struct part){ second + 1, (size_t)(token + size - second - 1) };
    return parts[0].size > 0 && parts[1].size > 0 && memchr(parts[2].at, '.', parts[2].size) == NULL;
}

static bool is_printable(const char *text)
{
    while (*text > ' ' && *text <= '~')
        text++;
    return *text == '\0';
}

static dream_token_status refuse_form(const struct check *check)
{
    return refuse(check, "Invalid JWT form. A JWT consists of three parts separated by dots.");
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

    *out = text->size > 0 ? dream_json_parse_whole(text->data, text->size, &out_of_memory) : NULL;
    if (out_of_memory)
        return DREAM_TOKEN_NOMEM;
    if (!cJSON_IsObject(*out))
        return refuse(check, "Invalid JWT form. The %s is not a JSON object.", name);
    return DREAM_TOKEN_OK;
}

/* With a header that is known, only the rest. */
static dream_token_status decode(struct check *check, const struct part parts[3], bool has_header)
{
    dream_buffer header_text = DREAM_BUFFER_INIT;
    dream_token_status status = DREAM_TOKEN_OK;

    if (!has_header)
        status = decode_part(check, parts[0], &header_text);
    if (status == DREAM_TOKEN_OK)
        status = decode_part(check, parts[1], &check->payload_text);
    if (status == DREAM_TOKEN_OK)
        status = decode_part(check, parts[2], &check->signature);
    if (status == DREAM_TOKEN_OK && !has_header)
        status = parse_object(check, &header_text, "header", &check->header);
    if (status == DREAM_TOKEN_OK)
        status = parse_object(check, &check->payload_text, "payload", &check->payload);
    dream_buffer_clear(&header_text);
    return status;
}

static dream_token_status check_header(const struct check *check, dream_signature *out)
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
    if (!dream_signature_named(cJSON_GetStringValue(alg), out))
        return refuse(check, "Invalid JWT algorithm %s. Supported: RS256,RS384,RS512.", show_value(alg, shown));
    return DREAM_TOKEN_OK;
}

static void list_kids(const dream_jwks *jwks, char out[DREAM_TOKEN_MESSAGE])
{
    char shown[SHOWN_SIZE];
    size_t used = 0;
    size_t i;

    out[0] = '\0';
    for (i = 0; i < dream_jwks_count(jwks) && used < DREAM_TOKEN_MESSAGE; i++)
        used += (size_t)snprintf(out + used, DREAM_TOKEN_MESSAGE - used, "%s%s", i > 0 ? ", " : "",
                                 show_text(dream_jwks_kid(jwks, i), shown));
}

static dream_token_status find_key(const struct check *check, const dream_jwks *jwks, const dream_jwks_key **out_key)
{
    const char *kid = dream_json_string(check->header, "kid");
    char shown[SHOWN_SIZE], available[DREAM_TOKEN_MESSAGE];

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

/* An absent one reads as 0. */
static bool read_claim_time(const struct check *check, const char *name, int64_t *out_s)
{
    const cJSON *value = dream_json_get(check->payload, name);

    *out_s = 0;
    return value == NULL || read_time(value, out_s);
}

static dream_token_status check_times(const struct check *check)
{
    const dream_claims *claims = check->claims;
    const dream_token_rules *rules = check->rules;
    char time[30], now[30];

    if (claims->expires_at_s * MS_PER_S <= rules->now_wall_ms - rules->skew_ms)
        return refuse(check, "JWT is expired. Expiry date: %s, Current date: %s.",
                      show_time(claims->expires_at_s, time), show_time(rules->now_wall_ms / MS_PER_S, now));
    if (claims->not_before_s * MS_PER_S > rules->now_wall_ms + rules->skew_ms)
        return refuse(check,
                      "JWT cannot be used prior to not before date claim (nbf). Not before date: %s; Current date: %s;",
                      show_time(claims->not_before_s, time), show_time(rules->now_wall_ms / MS_PER_S, now));
    if (claims->issued_at_s * MS_PER_S > rules->now_wall_ms + rules->skew_ms)
        return refuse(check, "JWT issued at date claim (iat) is in the future. Issued at date: %s; Current date: %s;",
                      show_time(claims->issued_at_s, time), show_time(rules->now_wall_ms / MS_PER_S, now));
    return DREAM_TOKEN_OK;
}

/* A name with control characters in it is no user's: it would split log lines and headers further on. */
static bool is_good_name(const cJSON *value)
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

/* RFC 7519 4.1.3: one text, or a list of them. One with control characters could pass for two, and is nobody. */
static void list_audience(dream_buffer *out, const cJSON *value)
{
    if (!is_good_name(value))
        return;
    dream_buffer_text(out, value->valuestring);
    dream_buffer_char(out, '\n');
}

static dream_token_status read_audiences(struct check *check)
{
    const cJSON *value = dream_json_get(check->payload, "aud");
    const cJSON *one;

    list_audience(&check->audiences, value);
    if (cJSON_IsArray(value)) {
        cJSON_ArrayForEach(one, value) list_audience(&check->audiences, one);
    }
    return check->audiences.is_failed ? DREAM_TOKEN_NOMEM : DREAM_TOKEN_OK;
}

static void read_texts(struct check *check)
{
    const cJSON *payload = check->payload;
    dream_claims *claims = &check->own;

    claims->email = claim(payload, "email");
    if (claims->email == NULL)
        claims->email = metadata_claim(payload, "email");
    if (claims->email == NULL)
        claims->email = claim(payload, "primary_email");
    claims->publishable_key = metadata_claim(payload, "publishableKey");
    claims->plan = metadata_claim(payload, "plan");
    claims->session_id = claim(payload, "sid");
    claims->issuer = claim(payload, "iss");
    claims->authorized_party = claim(payload, "azp");
    claims->audiences = check->audiences.data;
    claims->json = check->payload_text.data;
}

static dream_token_status read_claims(struct check *check)
{
    const cJSON *sub = dream_json_get(check->payload, "sub");
    const cJSON *exp = dream_json_get(check->payload, "exp");
    dream_token_status status;
    char shown[SHOWN_SIZE];

    if (!is_good_name(sub))
        return refuse(check, "Subject claim (sub) is required and must be a string. Received %s.",
                      show_value(sub, shown));
    check->own.user_id = sub->valuestring;
    if (!read_time(exp, &check->own.expires_at_s))
        return refuse(check, "Invalid JWT expiry date claim (exp) %s. Expected number.", show_value(exp, shown));
    if (!read_claim_time(check, "nbf", &check->own.not_before_s))
        return refuse(check, "Invalid JWT not before date claim (nbf) %s. Expected number.",
                      show_value(dream_json_get(check->payload, "nbf"), shown));
    if (!read_claim_time(check, "iat", &check->own.issued_at_s))
        return refuse(check, "Invalid JWT issued at date claim (iat) %s. Expected number.",
                      show_value(dream_json_get(check->payload, "iat"), shown));
    status = check_times(check);
    if (status == DREAM_TOKEN_OK)
        status = read_audiences(check);
    read_texts(check);
    return status;
}

/* ---- rules ---- */

static bool is_one_of(const char *text, const char *const *list)
{
    for (; text != NULL && *list != NULL; list++) {
        if (strcmp(text, *list) == 0)
            return true;
    }
    return false;
}

static bool has_audience(const char *at, const char *audience)
{
    size_t size = strlen(audience);

    for (; at != NULL && *at != '\0'; at = strchr(at, '\n') + 1) {
        if (strncmp(at, audience, size) == 0 && at[size] == '\n')
            return true;
    }
    return false;
}

/* Whom the token is from and for. */
static dream_token_status check_parties(const struct check *check)
{
    const dream_claims *claims = check->claims;
    const dream_token_rules *rules = check->rules;
    char shown[SHOWN_SIZE];

    if (rules->issuer != NULL && (claims->issuer == NULL || strcmp(claims->issuer, rules->issuer) != 0))
        return refuse(check, "Invalid JWT issuer claim (iss) %s.",
                      claims->issuer != NULL ? show_text(claims->issuer, shown) : "undefined");
    if (rules->audience != NULL && !has_audience(claims->audiences, rules->audience))
        return refuse(check, "Invalid JWT audience claim (aud): it does not name this audience.");
    if (rules->authorized_parties != NULL && !is_one_of(claims->authorized_party, rules->authorized_parties))
        return refuse(check, "Invalid JWT authorized party claim (azp) %s.",
                      claims->authorized_party != NULL ? show_text(claims->authorized_party, shown) : "undefined");
    if (rules->publishable_keys == NULL || is_one_of(claims->publishable_key, rules->publishable_keys))
        return DREAM_TOKEN_OK;
    (void)refuse(check, "The token's publishable key %s is not this project's.",
                 claims->publishable_key != NULL ? show_text(claims->publishable_key, shown) : "undefined");
    return DREAM_TOKEN_FOREIGN;
}

dream_token_status dream_claims_check(const dream_claims *claims, const dream_token_rules *rules,
                                      char message[DREAM_TOKEN_MESSAGE])
{
    const struct check check = { .rules = rules, .message = message, .claims = claims };
    dream_token_status status = check_times(&check);

    return status == DREAM_TOKEN_OK ? check_parties(&check) : status;
}

/* ---- the whole ---- */

/* What is signed is the text up to the second dot, as sent: `size` bytes. */
static bool is_signed(const struct check *check, const char *token, size_t size, const dream_jwks_header *header)
{
    const unsigned char *signature = (const unsigned char *)dream_buffer_str(&check->signature);

    return dream_jwks_key_verify(header->key, header->how, token, size, signature, check->signature.size);
}

/* Which key is to have signed it, and how. */
static dream_token_status read_header(const struct check *check, const dream_jwks *jwks, dream_jwks_header *out)
{
    dream_token_status status = check_header(check, &out->how);

    if (status == DREAM_TOKEN_OK)
        status = find_key(check, jwks, &out->key);
    /* A key without a name is found for a header that has neither. */
    if (status == DREAM_TOKEN_OK
        && (dream_json_get(check->header, "alg") == NULL || !dream_jwks_key_takes(out->key, out->how)))
        status = refuse(check, "Invalid JWT algorithm: the key is not for it.");
    return status;
}

/* All checks; `check` is cleared by the caller. */
static dream_token_status run(struct check *check, const char *token, dream_jwks *jwks)
{
    dream_jwks_header header = { .key = NULL };
    dream_token_status status;
    struct part parts[3];
    bool is_known;

    if (!split(token, parts))
        return refuse_form(check);
    header.text = parts[0].at;
    header.size = parts[0].size;
    is_known = dream_jwks_recall(jwks, &header);
    status = decode(check, parts, is_known);
    /* Of what cannot be read, the form is told first: of the whole, printable characters only. */
    if (status == DREAM_TOKEN_INVALID && !is_printable(token))
        return refuse_form(check);
    if (status == DREAM_TOKEN_OK && !is_known)
        status = read_header(check, jwks, &header);
    if (status == DREAM_TOKEN_OK)
        status = read_claims(check);
    if (status != DREAM_TOKEN_OK)
        return status;
    if (!is_signed(check, token, (size_t)(parts[2].at - 1 - token), &header))
        return refuse(check, "JWT signature is invalid.");
    if (!is_known)
        dream_jwks_remember(jwks, &header);
    return check_parties(check);
}

dream_token_status dream_token_verify(const char *token, dream_jwks *jwks, const dream_token_rules *rules,
                                      dream_claims **out, char message[DREAM_TOKEN_MESSAGE])
{
    struct check check = { .rules = rules, .message = message };
    dream_token_status status;

    check.claims = &check.own;
    *out = NULL;
    if (message != NULL)
        message[0] = '\0';
    status = run(&check, token, jwks);
    if (status == DREAM_TOKEN_OK)
        *out = dream_claims_copy(&check.own);
    if (status == DREAM_TOKEN_OK && *out == NULL)
        status = DREAM_TOKEN_NOMEM;
    if (status == DREAM_TOKEN_NOMEM && message != NULL)
        (void)snprintf(message, DREAM_TOKEN_MESSAGE, "Out of memory");
    free(check.header);
    free(check.payload);
    dream_buffer_clear(&check.payload_text);
    dream_buffer_clear(&check.signature);
    dream_buffer_clear(&check.audiences);
    return status;
}
