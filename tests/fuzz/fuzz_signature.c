/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_signature.c - signed requests. An input is Signature-Input, Signature, Content-Digest, Host, the target and a covered field,
 * one a line, then the body. As sent, nothing verifies that was not signed by us. What can be read is then signed here: it verifies
 * with its own key alone, and not with a covered byte changed; and what is printed of it reads as the same again. */
#include "fuzz.h"

#include "common/encoding.h"
#include "common/http_signature.h"

enum { NOW_S = 1700000000 };
static const unsigned char key[DREAM_SIGNING_KEY_SIZE] = "thirty-two bytes, and no secret";
static const unsigned char other_key[DREAM_SIGNING_KEY_SIZE] = "thirty-two bytes of another one";

typedef struct message {
    const char *input;
    const char *signature;
    const char *field;
    const char *body;
    size_t body_size;
    dream_signed_request request;
} message;

static const char *field_of(void *context, const char *name)
{
    return strcmp(name, "x-field") == 0 ? ((message *)context)->field : NULL;
}

static void read_target(message *m, const char *target)
{
    const char *query = target == NULL ? NULL : strchr(target, '?');

    m->request.path = query == NULL ? dream_slice_of(target) : (dream_slice){ target, (size_t)(query - target) };
    m->request.query = dream_slice_of(query == NULL ? NULL : query + 1);
}

/* The same by the plain words of RFC 9421 2.5, for what is accepted. */
static void check_base(const dream_buffer *base, const dream_http_signature *signature)
{
    const char *last = memmem(base->data, base->size, "\"@signature-params\": ", 21);
    size_t lines = 0;

    FUZZ_CHECK(last != NULL);
    for (const char *at = base->data; (at = memchr(at, '\n', (size_t)(base->data + base->size - at))) != NULL; at++)
        lines++;
    FUZZ_CHECK(lines == signature->component_count);
    FUZZ_CHECK(base->size >= signature->input_size
               && memcmp(base->data + base->size - signature->input_size, signature->input, signature->input_size)
                      == 0);
}

/* False: the base cannot be made of this request. */
static bool mac_of(const dream_http_signature *signature, const message *m, unsigned char out[DREAM_SHA256_SIZE])
{
    dream_buffer base = DREAM_BUFFER_INIT;
    bool is_made = dream_signature_base(signature, &m->request, &base) == NULL;

    if (is_made) {
        check_base(&base, signature);
        FUZZ_CHECK(dream_hmac_sha256(key, sizeof(key), base.data, base.size, out));
    }
    dream_buffer_clear(&base);
    return is_made;
}

static void try_changed(dream_http_signature *signature, message *m)
{
    dream_signed_request changed = m->request;
    char input[DREAM_SIGNATURE_MAX_HEADER + 1];

    changed.method = dream_slice_of("PUT");
    FUZZ_CHECK(!dream_signature_covers(signature, "@method")
               || dream_signature_verify(signature, &changed, key) != NULL);
    changed = m->request;
    changed.path = dream_slice_of("no path");
    FUZZ_CHECK(dream_slice_is(m->request.path, "no path") || !dream_signature_covers(signature, "@path")
               || dream_signature_verify(signature, &changed, key) != NULL);
    memcpy(input, signature->input, sizeof(input));
    signature->input[signature->input_size - 1] ^= 1;
    FUZZ_CHECK(dream_signature_verify(signature, &m->request, key) != NULL);
    memcpy(signature->input, input, sizeof(input));
    FUZZ_CHECK(dream_signature_verify(signature, &m->request, other_key) != NULL);
    FUZZ_CHECK(dream_signature_verify(signature, &m->request, key) == NULL);
}

/* RFC 8941's own spelling of a signature reads as itself. */
static void try_printed(const dream_http_signature *signature)
{
    dream_buffer input = DREAM_BUFFER_INIT, mac = DREAM_BUFFER_INIT;
    dream_http_signature again;

    dream_buffer_printf(&input, "%s=%s", signature->label, signature->input);
    dream_buffer_printf(&mac, "%s=:", signature->label);
    dream_base64_encode(&mac, signature->mac, sizeof(signature->mac));
    dream_buffer_char(&mac, ':');
    if (input.size <= DREAM_SIGNATURE_MAX_HEADER) {
        FUZZ_CHECK(dream_signature_parse(input.data, mac.data, &again) == NULL);
        FUZZ_CHECK(strcmp(again.label, signature->label) == 0 && strcmp(again.input, signature->input) == 0);
        FUZZ_CHECK(memcmp(again.mac, signature->mac, sizeof(again.mac)) == 0);
        FUZZ_CHECK(again.component_count == signature->component_count);
        FUZZ_CHECK(memcmp(&again.params, &signature->params, sizeof(again.params)) == 0);
    }
    dream_buffer_clear(&input);
    dream_buffer_clear(&mac);
}

static void try_read(message *m)
{
    unsigned char expected[DREAM_SHA256_SIZE];
    dream_http_signature signature;

    if (dream_signature_parse(m->input, m->signature, &signature) != NULL)
        return;
    FUZZ_CHECK(strlen(signature.input) == signature.input_size);
    try_printed(&signature);
    (void)dream_signature_check_time(&signature, NOW_S);
    if (dream_signature_check_form(&signature, m->body_size > 0) == NULL)
        FUZZ_CHECK(signature.params.nonce[0] != '\0' && signature.params.keyid[0] != '\0'
                   && dream_signature_covers(&signature, "@path"));
    if (!mac_of(&signature, m, expected)) {
        FUZZ_CHECK(dream_signature_verify(&signature, &m->request, key) != NULL);
        return;
    }
    FUZZ_CHECK((dream_signature_verify(&signature, &m->request, key) == NULL)
               == (memcmp(signature.mac, expected, sizeof(expected)) == 0));
    memcpy(signature.mac, expected, sizeof(expected));
    try_changed(&signature, m);
}

static void try_digest(const message *m)
{
    dream_buffer made = DREAM_BUFFER_INIT;

    dream_content_digest_make(&made, m->body, m->body_size);
    FUZZ_CHECK(!made.is_failed && dream_content_digest_check(made.data, m->body, m->body_size) == NULL);
    FUZZ_CHECK(dream_content_digest_check(made.data, m->body, m->body_size + 1) != NULL);
    /* Base64 ends in bits that stand for nothing, so ours need not be its spelling: but the digits are there. */
    if (dream_content_digest_check(m->request.content_digest, m->body, m->body_size) == NULL)
        FUZZ_CHECK(memmem(m->request.content_digest, strlen(m->request.content_digest), made.data + 9, 42) != NULL);
    dream_buffer_clear(&made);
}

/* What the library would sign of this request, both ends agree on. */
static void try_signed(const message *m)
{
    dream_buffer input = DREAM_BUFFER_INIT, signature = DREAM_BUFFER_INIT;
    const dream_signing signing = { key, "pk_live_x.0123456789abcdef", "number", NOW_S };
    dream_http_signature read;

    if (dream_signature_sign(&m->request, &signing, &input, &signature)) {
        FUZZ_CHECK(dream_signature_parse(input.data, signature.data, &read) == NULL);
        FUZZ_CHECK(dream_signature_check_form(&read, m->request.content_digest != NULL) == NULL);
        FUZZ_CHECK(dream_signature_check_time(&read, NOW_S) == DREAM_SIGNATURE_IN_TIME);
        FUZZ_CHECK(dream_signature_verify(&read, &m->request, key) == NULL);
        FUZZ_CHECK(dream_signature_verify(&read, &m->request, other_key) != NULL);
    }
    dream_buffer_clear(&input);
    dream_buffer_clear(&signature);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    char *rest = text;
    message m = { .input = fuzz_line(&rest), .request = { .method = { "POST", 4 }, .field = field_of } };

    m.signature = fuzz_line(&rest);
    m.request.content_digest = fuzz_line(&rest);
    m.request.authority = dream_signature_authority(dream_slice_of(fuzz_line(&rest)), size % 2 == 0);
    read_target(&m, fuzz_line(&rest));
    m.field = fuzz_line(&rest);
    m.body_size = rest == NULL ? 0 : size - (size_t)(rest - text);
    /* One byte more than is told, for the digest of a longer body. */
    m.body = rest == NULL ? "" : rest;
    m.request.context = &m;
    try_read(&m);
    try_digest(&m);
    try_signed(&m);
    free(text);
    return 0;
}
