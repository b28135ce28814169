/* SPDX-License-Identifier: Apache-2.0 */
/* http_signature.c - the signature base of RFC 9421, its two fields in the terms of RFC 8941, and the digest of RFC 9530.
 * Reading is stricter than the RFCs where being lenient could make two readers see two requests: one signature only, no
 * parameter twice, no component twice, no component parameters. */
#include "common/http_signature.h"

#include <string.h>

#include "common/encoding.h"

static const char derivation[] = "dreamapi-http-signature-v1";
static const char algorithm[] = "hmac-sha256";
static const char label[] = "dream";
static const char digest_component[] = "content-digest";
static const char out_of_memory[] = "out of memory";
/* RFC 8941 3.3.1. */
enum { MAX_DIGITS = 15 };
enum { USUAL_INPUT = 383, USUAL_BASE = 1023 };

/* ---- keys ---- */

bool dream_signing_key_derive(const char *secret_key, unsigned char out[DREAM_SIGNING_KEY_SIZE])
{
    return dream_hkdf_sha256(secret_key, strlen(secret_key), NULL, 0, derivation, out, DREAM_SIGNING_KEY_SIZE);
}

bool dream_key_id_of(const char *secret_key, char out[DREAM_KEY_ID_SIZE])
{
    unsigned char digest[DREAM_SHA256_SIZE];

    if (!dream_sha256(secret_key, strlen(secret_key), digest))
        return false;
    dream_hex_encode(digest, (DREAM_KEY_ID_SIZE - 1) / 2, out);
    return true;
}

/* ---- the signature base ---- */

static void append(dream_buffer *out, dream_slice text)
{
    dream_buffer_append(out, text.at, text.size);
}

static void append_lower(dream_buffer *out, dream_slice text)
{
    char *to = dream_buffer_extend(out, text.size);

    for (size_t i = 0; to != NULL && i < text.size; i++)
        to[i] = (char)(text.at[i] >= 'A' && text.at[i] <= 'Z' ? text.at[i] - 'A' + 'a' : text.at[i]);
}

/* A line break in a value could forge lines of the base. */
static bool is_one_line(dream_slice text)
{
    return text.size == 0 || (memchr(text.at, '\n', text.size) == NULL && memchr(text.at, '\r', text.size) == NULL);
}

static dream_slice field_of(const dream_signed_request *request, dream_slice name)
{
    char text[DREAM_SIGNATURE_MAX_LABEL + 1];

    if (dream_slice_is(name, digest_component))
        return dream_slice_of(request->content_digest);
    if (request->field == NULL || name.size >= sizeof(text))
        return (dream_slice){ NULL, 0 };
    memcpy(text, name.at, name.size);
    text[name.size] = '\0';
    return dream_slice_of(request->field(request->context, text));
}

/* False when the request has no such component. */
static bool append_value(dream_buffer *out, const dream_signed_request *request, dream_slice name)
{
    dream_slice value;

    if (dream_slice_is(name, "@authority")) {
        append_lower(out, request->authority);
        return request->authority.size > 0 && is_one_line(request->authority);
    }
    if (dream_slice_is(name, "@query")) {
        dream_buffer_char(out, '?');
        value = request->query;
    } else if (dream_slice_is(name, "@path")) {
        value = request->path.size == 0 ? dream_slice_of("/") : request->path;
    } else if (dream_slice_is(name, "@method")) {
        value = request->method;
    } else if (name.at[0] == '@') {
        return false;
    } else {
        value = field_of(request, name);
        if (value.at == NULL)
            return false;
        value = dream_slice_trim(value); /* RFC 9421 2.1 */
    }
    append(out, value);
    return is_one_line(value);
}

dream_slice dream_signature_authority(dream_slice authority, bool is_https)
{
    dream_slice port = dream_slice_of(is_https ? ":443" : ":80");

    if (authority.size > port.size && memcmp(authority.at + authority.size - port.size, port.at, port.size) == 0)
        authority.size -= port.size;
    return authority;
}

static bool append_line(dream_buffer *out, const dream_signed_request *request, dream_slice name)
{
    dream_buffer_char(out, '"');
    append(out, name);
    dream_buffer_append(out, "\": ", 3);
    if (!append_value(out, request, name))
        return false;
    dream_buffer_char(out, '\n');
    return true;
}

static const char *make_base(dream_buffer *out, const dream_signed_request *request, const dream_slice *components,
                             size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!append_line(out, request, components[i]))
            return "it covers a component that the request has not, or that is not supported";
    }
    dream_buffer_text(out, "\"@signature-params\": ");
    return out->is_failed ? out_of_memory : NULL;
}

const char *dream_signature_base(const dream_http_signature *signature, const dream_signed_request *request,
                                 dream_buffer *out)
{
    const char *problem = make_base(out, request, signature->components, signature->component_count);

    dream_buffer_append(out, signature->input, signature->input_size);
    return problem == NULL && out->is_failed ? out_of_memory : problem;
}

/* ---- signing ---- */

static void append_int(dream_buffer *out, int64_t number)
{
    char digits[24];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    dream_buffer_append(out, digits + at, sizeof(digits) - at);
}

static void append_input(dream_buffer *out, const dream_slice *components, size_t count, const dream_signing *signing)
{
    for (size_t i = 0; i < count; i++) {
        dream_buffer_append(out, i == 0 ? "(\"" : " \"", 2);
        append(out, components[i]);
        dream_buffer_char(out, '"');
    }
    dream_buffer_text(out, ");created=");
    append_int(out, signing->created_s);
    dream_buffer_text(out, ";expires=");
    append_int(out, signing->created_s + DREAM_SIGNATURE_WINDOW_S);
    dream_buffer_text(out, ";nonce=\"");
    dream_buffer_text(out, signing->nonce);
    dream_buffer_text(out, "\";alg=\"");
    dream_buffer_text(out, algorithm);
    dream_buffer_text(out, "\";keyid=\"");
    dream_buffer_text(out, signing->keyid);
    dream_buffer_char(out, '"');
}

bool dream_signature_sign(const dream_signed_request *request, const dream_signing *signing, dream_buffer *out_input,
                          dream_buffer *out_signature)
{
    static const dream_slice components[] = {
        { "@method", 7 }, { "@authority", 10 }, { "@path", 5 }, { "@query", 6 }, { digest_component, 14 },
    };
    size_t count = sizeof(components) / sizeof(components[0]) - (request->content_digest == NULL);
    unsigned char mac[DREAM_SHA256_SIZE];
    dream_buffer base = DREAM_BUFFER_INIT;
    size_t begin;
    bool is_signed;

    /* A guess that holds for most requests: growing step by step would cost as much as the MAC. */
    dream_buffer_reserve(out_input, USUAL_INPUT);
    dream_buffer_reserve(&base, USUAL_BASE);
    dream_buffer_text(out_input, label);
    dream_buffer_char(out_input, '=');
    begin = out_input->size;
    append_input(out_input, components, count, signing);
    is_signed =
        signing->created_s >= 0 && !out_input->is_failed && make_base(&base, request, components, count) == NULL;
    if (is_signed)
        dream_buffer_append(&base, out_input->data + begin, out_input->size - begin);
    is_signed = is_signed && !base.is_failed
                && dream_hmac_sha256(signing->key, DREAM_SIGNING_KEY_SIZE, base.data, base.size, mac);
    dream_buffer_clear(&base);
    if (!is_signed)
        return false;
    dream_buffer_text(out_signature, label);
    dream_buffer_append(out_signature, "=:", 2);
    dream_base64_encode(out_signature, mac, sizeof(mac));
    dream_buffer_char(out_signature, ':');
    return !out_signature->is_failed;
}

/* ---- structured fields (RFC 8941), as far as the three fields need them ---- */

static void skip_spaces(const char **at)
{
    while (**at == ' ')
        (*at)++;
}

static void skip_white(const char **at)
{
    while (**at == ' ' || **at == '\t')
        (*at)++;
}

static bool is_key_char(char c, bool is_first)
{
    if ((c >= 'a' && c <= 'z') || c == '*')
        return true;
    return !is_first && ((c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.');
}

static dream_slice read_key(const char **at)
{
    dream_slice key = { *at, 0 };

    while (is_key_char(**at, key.size == 0)) {
        (*at)++;
        key.size++;
    }
    return key;
}

/* "123", as canonical as it has to be: no sign, no zero in front. */
static bool read_int(const char **at, int64_t *out)
{
    const char *begin = *at;

    for (*out = 0; **at >= '0' && **at <= '9'; (*at)++) {
        if (*at - begin == MAX_DIGITS)
            return false;
        *out = *out * 10 + (**at - '0');
    }
    return *at > begin && (*begin != '0' || *at - begin == 1);
}

/* "\"text\"", without its quotes and escapes. */
static bool read_string(const char **at, char *out, size_t size)
{
    size_t used = 0;

    if (*(*at)++ != '"')
        return false;
    for (; **at != '"'; (*at)++) {
        if (**at == '\\' && *++*at != '"' && **at != '\\')
            return false;
        if (**at < ' ' || **at > '~' || used + 1 >= size)
            return false;
        out[used++] = **at;
    }
    (*at)++;
    out[used] = '\0';
    return true;
}

/* ":base64:". False unless it stands for exactly `size` bytes. */
static bool read_bytes(const char **at, unsigned char *out, size_t size)
{
    dream_buffer bytes = DREAM_BUFFER_INIT;
    const char *begin = *at + 1;
    const char *end = **at == ':' ? strchr(begin, ':') : NULL;
    bool is_read = end != NULL && dream_base64_decode(&bytes, begin, (size_t)(end - begin)) && bytes.size == size;

    if (is_read) {
        memcpy(out, bytes.data, size);
        *at = end + 1;
    }
    dream_buffer_clear(&bytes);
    return is_read;
}

/* Passes over a byte sequence of any length. */
static bool skip_bytes(const char **at)
{
    const char *end = **at == ':' ? strchr(*at + 1, ':') : NULL;

    if (end == NULL)
        return false;
    *at = end + 1;
    return true;
}

static bool is_too_long(const char *field)
{
    return strnlen(field, DREAM_SIGNATURE_MAX_HEADER + 1) > DREAM_SIGNATURE_MAX_HEADER;
}

/* ---- Content-Digest ---- */

void dream_content_digest_make(dream_buffer *out, const void *body, size_t size)
{
    unsigned char digest[DREAM_SHA256_SIZE];

    if (!dream_sha256(body, size, digest)) {
        out->is_failed = true;
        return;
    }
    dream_buffer_text(out, "sha-256=:");
    dream_base64_encode(out, digest, sizeof(digest));
    dream_buffer_char(out, ':');
}

static const char *read_digest(const char *at, unsigned char out[DREAM_SHA256_SIZE])
{
    bool is_found = false;

    for (skip_white(&at);; skip_white(&at)) {
        dream_slice key = read_key(&at);
        bool is_ours = dream_slice_is(key, "sha-256");

        if (key.size == 0 || *at++ != '=' || (is_ours && is_found)
            || !(is_ours ? read_bytes(&at, out, DREAM_SHA256_SIZE) : skip_bytes(&at)))
            return "Content-Digest is malformed";
        is_found = is_found || is_ours;
        skip_white(&at);
        if (*at == '\0')
            return is_found ? NULL : "Content-Digest has no sha-256";
        if (*at++ != ',')
            return "Content-Digest is malformed";
    }
}

const char *dream_content_digest_check(const char *field, const void *body, size_t size)
{
    unsigned char given[DREAM_SHA256_SIZE], actual[DREAM_SHA256_SIZE];
    const char *problem;

    if (field == NULL)
        return "Content-Digest is missing";
    problem = is_too_long(field) ? "Content-Digest is too long" : read_digest(field, given);
    if (problem != NULL)
        return problem;
    if (!dream_sha256(body, size, actual))
        return out_of_memory;
    return dream_equal_secret(given, actual, sizeof(actual)) ? NULL : "the body is not the one of its Content-Digest";
}

/* ---- reading a signature ---- */

/* What was read from `begin` on goes into the text that the base ends in. It is never longer than the field. */
static void keep(dream_http_signature *out, const char *begin, const char *end)
{
    memcpy(out->input + out->input_size, begin, (size_t)(end - begin));
    out->input_size += (size_t)(end - begin);
    out->input[out->input_size] = '\0';
}

static bool is_component_name(dream_slice name)
{
    size_t i = name.size > 0 && name.at[0] == '@';

    if (name.size == i || name.size > DREAM_SIGNATURE_MAX_LABEL)
        return false;
    for (; i < name.size; i++) {
        if (!is_key_char(name.at[i], false))
            return false;
    }
    return true;
}

static bool covers(const dream_http_signature *signature, dream_slice name)
{
    for (size_t i = 0; i < signature->component_count; i++) {
        if (signature->components[i].size == name.size && memcmp(signature->components[i].at, name.at, name.size) == 0)
            return true;
    }
    return false;
}

static const char *read_component(const char **at, dream_http_signature *out)
{
    const char *begin = *at;
    const char *end = *begin == '"' ? strchr(begin + 1, '"') : NULL;
    dream_slice name = { begin + 1, end == NULL ? 0 : (size_t)(end - begin) - 1 };

    if (end == NULL || !is_component_name(name))
        return "Signature-Input names a component that is none";
    if (end[1] == ';')
        return "components with parameters are not supported";
    if (covers(out, name))
        return "Signature-Input names a component twice";
    if (out->component_count == DREAM_SIGNATURE_MAX_COMPONENTS)
        return "Signature-Input names too many components";
    *at = end + 1;
    name.at = out->input + out->input_size + 1;
    keep(out, begin, *at);
    out->components[out->component_count++] = name;
    return NULL;
}

static const char *read_components(const char **at, dream_http_signature *out)
{
    static const char space[] = " ";
    const char *problem;

    if (**at != '(')
        return "Signature-Input is malformed";
    keep(out, *at, *at + 1);
    for ((*at)++, skip_spaces(at); **at != ')'; skip_spaces(at)) {
        if (out->component_count > 0)
            keep(out, space, space + 1);
        problem = read_component(at, out);
        if (problem != NULL)
            return problem;
        if (**at != ' ' && **at != ')')
            return "Signature-Input is malformed";
    }
    keep(out, *at, *at + 1);
    (*at)++;
    return NULL;
}

enum { PARAM_CREATED, PARAM_EXPIRES, PARAM_NONCE, PARAM_ALG, PARAM_KEYID, PARAM_TAG, PARAM_COUNT };

static unsigned param_of(dream_slice name)
{
    static const char *const names[PARAM_COUNT] = { "created", "expires", "nonce", "alg", "keyid", "tag" };
    unsigned param = 0;

    while (param < PARAM_COUNT && !dream_slice_is(name, names[param]))
        param++;
    return param;
}

static bool read_param_value(const char **at, unsigned param, dream_signature_params *out)
{
    char tag[DREAM_SIGNATURE_MAX_KEYID + 1];

    switch (param) {
    case PARAM_CREATED:
        return out->has_created = read_int(at, &out->created_s);
    case PARAM_EXPIRES:
        return out->has_expires = read_int(at, &out->expires_s);
    case PARAM_NONCE:
        return read_string(at, out->nonce, sizeof(out->nonce));
    case PARAM_ALG:
        return read_string(at, out->alg, sizeof(out->alg));
    case PARAM_KEYID:
        return read_string(at, out->keyid, sizeof(out->keyid));
    default:
        return read_string(at, tag, sizeof(tag));
    }
}

static const char *read_params(const char **at, dream_http_signature *out)
{
    unsigned seen = 0;

    while (**at == ';') {
        const char *begin;
        unsigned param;

        keep(out, *at, *at + 1);
        (*at)++;
        skip_spaces(at);
        begin = *at;
        param = param_of(read_key(at));
        if (param == PARAM_COUNT)
            return "Signature-Input has a parameter that is not known";
        if ((seen & 1u << param) != 0)
            return "Signature-Input has a parameter twice";
        seen |= 1u << param;
        if (*(*at)++ != '=' || !read_param_value(at, param, &out->params))
            return "Signature-Input has a parameter whose value is not readable";
        keep(out, begin, *at);
    }
    return NULL;
}

static bool read_label(const char **at, dream_slice *out)
{
    skip_white(at);
    *out = read_key(at);
    return out->size > 0 && out->size <= DREAM_SIGNATURE_MAX_LABEL && *(*at)++ == '=';
}

static const char *expect_end(const char *at, const char *problem)
{
    skip_white(&at);
    if (*at == ',')
        return "more than one signature is not supported";
    return *at == '\0' ? NULL : problem;
}

static const char *read_input(const char *at, dream_http_signature *out)
{
    const char *problem;
    dream_slice name;

    if (!read_label(&at, &name))
        return "Signature-Input is malformed";
    memcpy(out->label, name.at, name.size);
    problem = read_components(&at, out);
    if (problem == NULL)
        problem = read_params(&at, out);
    return problem == NULL ? expect_end(at, "Signature-Input is malformed") : problem;
}

static const char *read_signature(const char *at, dream_http_signature *out)
{
    dream_slice name;

    if (!read_label(&at, &name))
        return "Signature is malformed";
    if (!dream_slice_is(name, out->label))
        return "Signature and Signature-Input have different labels";
    if (!read_bytes(&at, out->mac, sizeof(out->mac)))
        return "Signature is not 32 bytes in base64";
    return expect_end(at, "Signature is malformed");
}

const char *dream_signature_parse(const char *input, const char *signature, dream_http_signature *out)
{
    const char *problem;

    memset(out, 0, sizeof(*out));
    if (input == NULL || signature == NULL)
        return input == NULL ? "Signature-Input is missing" : "Signature is missing";
    if (is_too_long(input) || is_too_long(signature))
        return "Signature-Input or Signature is too long";
    problem = read_input(input, out);
    return problem == NULL ? read_signature(signature, out) : problem;
}

/* ---- verifying ---- */

bool dream_signature_covers(const dream_http_signature *signature, const char *component)
{
    return covers(signature, dream_slice_of(component));
}

const char *dream_signature_check_form(const dream_http_signature *signature, bool has_body)
{
    static const char *const required[] = { "@method", "@authority", "@path", "@query" };
    const dream_signature_params *params = &signature->params;

    for (size_t i = 0; i < sizeof(required) / sizeof(required[0]); i++) {
        if (!dream_signature_covers(signature, required[i]))
            return "it must cover @method, @authority, @path and @query";
    }
    if (has_body && !dream_signature_covers(signature, digest_component))
        return "it must cover content-digest, as there is a body";
    if (!params->has_created || !params->has_expires || params->nonce[0] == '\0' || params->keyid[0] == '\0')
        return "it must have the parameters created, expires, nonce, alg and keyid";
    if (strcmp(params->alg, algorithm) != 0)
        return "its alg must be hmac-sha256";
    return NULL;
}

dream_signature_time dream_signature_check_time(const dream_http_signature *signature, int64_t now_s)
{
    const dream_signature_params *params = &signature->params;

    /* Times have at most 15 digits, so nothing here overflows. */
    if (now_s < params->created_s - DREAM_SIGNATURE_WINDOW_S)
        return DREAM_SIGNATURE_TOO_EARLY;
    if (now_s > params->created_s + DREAM_SIGNATURE_WINDOW_S || now_s > params->expires_s)
        return DREAM_SIGNATURE_TOO_LATE;
    return DREAM_SIGNATURE_IN_TIME;
}

const char *dream_signature_verify(const dream_http_signature *signature, const dream_signed_request *request,
                                   const unsigned char key[DREAM_SIGNING_KEY_SIZE])
{
    unsigned char expected[DREAM_SHA256_SIZE];
    dream_buffer base = DREAM_BUFFER_INIT;
    const char *problem = dream_signature_base(signature, request, &base);

    if (problem == NULL && !dream_hmac_sha256(key, DREAM_SIGNING_KEY_SIZE, base.data, base.size, expected))
        problem = out_of_memory;
    if (problem == NULL && !dream_equal_secret(expected, signature->mac, sizeof(expected)))
        problem = "it is not this key's signature over this request";
    /* Whoever could read it from the stack could forge this request's signature. */
    dream_wipe(expected, sizeof(expected));
    dream_buffer_clear(&base);
    return problem;
}
