/* SPDX-License-Identifier: Apache-2.0 */
/* test_out_of_memory.c - refuses one allocation after the other and asks that each
 * call reports it and leaks nothing (the sanitizer and valgrind runs look for that).
 * Our own allocations are caught by the linker's --wrap, cJSON's by its hooks;
 * mbedTLS keeps the C library's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/arena.h"
#include "common/buffer.h"
#include "common/encoding.h"
#include "common/json.h"
#include "common/jwks.h"
#include "common/verifier.h"
#include "common/webhook.h"
#include "rsa_vectors.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *bytes, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *bytes, size_t size);
char *__wrap_strdup(const char *text);

static int grants_left = -1; /* allocations until one is refused; negative: none ever */
static bool was_refused;

static bool is_refused(void)
{
    if (grants_left < 0)
        return false;
    if (grants_left > 0) {
        grants_left--;
        return false;
    }
    was_refused = true;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return is_refused() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return is_refused() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *bytes, size_t size)
{
    return is_refused() ? NULL : __real_realloc(bytes, size);
}

char *__wrap_strdup(const char *text)
{
    return is_refused() ? NULL : __real_strdup(text);
}

static int hook_cjson(void **state)
{
    cJSON_Hooks hooks = { __wrap_malloc, free };

    (void)state;
    cJSON_InitHooks(&hooks);
    return 0;
}

static int unhook_cjson(void **state)
{
    (void)state;
    cJSON_InitHooks(NULL);
    return 0;
}

#define JWKS_TEXT "{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"py-key\",\"n\":\"" VECTOR_MODULUS "\",\"e\":\"AQAB\"}]}"
#define NOW_MS INT64_C(1700000000000)

static dream_jwks *jwks;

/* Each scenario returns whether it succeeded, and checks itself what a failure looks like. */

static bool run_json(void)
{
    static const char text[] = "{\"a\":[1,2,{\"b\":\"text\",\"c\":null}],\"d\":\"a longer text\\n\",\"e\":true}";
    bool out_of_memory;
    cJSON *value = dream_json_parse(text, sizeof(text) - 1, &out_of_memory);
    char *printed = dream_json_print(value);
    bool is_good = printed != NULL;

    assert_int_equal(out_of_memory, value == NULL);
    free(printed);
    cJSON_Delete(value);
    return is_good;
}

static bool run_json_writers(void)
{
    cJSON *object = cJSON_CreateObject();
    bool is_good = dream_json_set_string(object, "s", "text");

    is_good = dream_json_set_int(object, "i", 1) && is_good;
    is_good = dream_json_set_bool(object, "b", true) && is_good;
    is_good = dream_json_set_null(object, "n") && is_good;
    is_good = dream_json_set_string(object, "s", "new text") && is_good;
    is_good = dream_json_set(object, "o", cJSON_CreateObject()) && is_good;
    cJSON_Delete(object);
    return is_good;
}

static bool run_buffer(bool is_secret)
{
    dream_buffer buffer = DREAM_BUFFER_INIT;
    char *text;
    int i;

    buffer.is_secret = is_secret;
    for (i = 0; i < 300; i++)
        dream_buffer_printf(&buffer, "%d,", i);
    dream_base64_encode(&buffer, "abc", 3);
    text = dream_buffer_take(&buffer);
    if (text != NULL)
        assert_int_equal(strlen(text), 1094);
    free(text);
    return text != NULL;
}

static bool run_plain_buffer(void)
{
    return run_buffer(false);
}

static bool run_secret_buffer(void)
{
    return run_buffer(true);
}

static bool run_arena(void)
{
    dream_arena *arena = dream_arena_new();
    bool is_good;

    if (arena == NULL)
        return false;
    is_good = dream_arena_strdup(arena, "text") != NULL;
    is_good = dream_arena_alloc(arena, 5000) != NULL && is_good;
    is_good = dream_arena_printf(arena, "%04000d", 1) != NULL && is_good;
    dream_arena_free(arena);
    return is_good;
}

static bool run_jwks(void)
{
    dream_jwks *parsed = dream_jwks_parse(JWKS_TEXT, sizeof(JWKS_TEXT) - 1);
    bool is_good = dream_jwks_count(parsed) == 1;

    dream_jwks_unref(parsed);
    return is_good;
}

static bool run_token(void)
{
    const dream_token_rules rules = { .now_wall_ms = NOW_MS };
    dream_claims *claims;
    char message[256];
    dream_token_status status = dream_token_verify(VECTOR_JWT, jwks, &rules, &claims, message);

    assert_int_equal(status == DREAM_TOKEN_OK, claims != NULL);
    if (status != DREAM_TOKEN_OK) {
        assert_int_equal(status, DREAM_TOKEN_NOMEM);
        assert_string_equal(message, "Out of memory");
    }
    dream_claims_unref(claims);
    return status == DREAM_TOKEN_OK;
}

static bool run_pem(void)
{
    dream_jwks *rsa = dream_jwks_from_pem(VECTOR_PUBLIC_PEM), *p256 = dream_jwks_from_pem(VECTOR_EC_PEM);
    bool is_good = rsa != NULL && p256 != NULL;

    dream_jwks_unref(rsa);
    dream_jwks_unref(p256);
    return is_good;
}

static bool run_verifier(void)
{
    dream_verification work = { .token = VECTOR_JWT, .rules.now_wall_ms = NOW_MS };
    dream_verifier *verifier = dream_verifier_new(8, jwks);
    dream_token_status status = DREAM_TOKEN_NOMEM;

    for (int i = 0; verifier != NULL && i < 2; i++) {
        status = dream_verifier_try(verifier, &work);
        assert_int_equal(status == DREAM_TOKEN_OK, work.claims != NULL);
        dream_claims_unref(work.claims);
    }
    dream_verifier_free(verifier);
    return status == DREAM_TOKEN_OK;
}

static bool run_webhook(void)
{
    dream_buffer header = DREAM_BUFFER_INIT;
    bool is_good = dream_stripe_signature_make(&header, "whsec", "{}", 2, 1)
                   && dream_stripe_signature_verify(dream_buffer_str(&header), "whsec", "{}", 2, 1, 0);

    dream_buffer_clear(&header);
    return is_good;
}

/* Refuses the 1st, 2nd, ... allocation until the scenario no longer comes that far. */
static void refuse_each(bool (*run)(void))
{
    bool is_good;
    int grants;

    assert_true(run());
    for (grants = 0; grants < 1000; grants++) {
        was_refused = false;
        grants_left = grants;
        is_good = run();
        grants_left = -1;
        if (!was_refused) {
            assert_true(is_good);
            assert_true(grants > 0);
            return;
        }
        if (is_good)
            fail_msg("success although allocation %d was refused", grants);
    }
    fail_msg("never enough memory");
}

static void test_out_of_memory__json_reports_it(void **state)
{
    (void)state;
    refuse_each(run_json);
    refuse_each(run_json_writers);
}

static void test_out_of_memory__buffers_and_arenas_report_it(void **state)
{
    (void)state;
    refuse_each(run_plain_buffer);
    refuse_each(run_secret_buffer);
    refuse_each(run_arena);
}

static void test_out_of_memory__key_sets_and_tokens_report_it(void **state)
{
    (void)state;
    refuse_each(run_jwks);
    refuse_each(run_pem);
    jwks = dream_jwks_parse(JWKS_TEXT, sizeof(JWKS_TEXT) - 1);
    assert_non_null(jwks);
    refuse_each(run_token);
    refuse_each(run_verifier);
    dream_jwks_unref(jwks);
}

static void test_out_of_memory__webhooks_report_it(void **state)
{
    (void)state;
    refuse_each(run_webhook);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_out_of_memory__json_reports_it),
        cmocka_unit_test(test_out_of_memory__buffers_and_arenas_report_it),
        cmocka_unit_test(test_out_of_memory__key_sets_and_tokens_report_it),
        cmocka_unit_test(test_out_of_memory__webhooks_report_it),
    };

    return cmocka_run_group_tests_name("out_of_memory", tests, hook_cjson, unhook_cjson);
}
