/* SPDX-License-Identifier: Apache-2.0 */
/* test_verifier.c - which keys a token is checked with, when newer ones are asked for, what a changed set forgets, and all that
 * from several threads while keys rotate. */
#include "common/verifier.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rsa_vectors.h"

#define RSA_NUMBERS "\"e\":\"AQAB\",\"n\":\"" VECTOR_MODULUS "\""
#define RSA_JWK "{\"kty\":\"RSA\",\"kid\":\"py-key\"," RSA_NUMBERS "}"
#define SET(keys) "{\"keys\":[" keys "]}"
#define WALL_MS INT64_C(1700000000000)

static dream_jwks *set_of(const char *text)
{
    dream_jwks *set = dream_jwks_parse(text, strlen(text));

    assert_non_null(set);
    return set;
}

static dream_token_status try_at(dream_verifier *verifier, const char *token, int64_t now_ms, bool *out_must_fetch)
{
    dream_verification work = { .token = token, .rules = { .now_wall_ms = WALL_MS }, .now_ms = now_ms };
    dream_token_status status = dream_verifier_try(verifier, &work);

    assert_int_equal(status == DREAM_TOKEN_OK, work.claims != NULL);
    dream_claims_unref(work.claims);
    if (out_must_fetch != NULL)
        *out_must_fetch = work.must_fetch;
    return status;
}

static void test_verifier__one_is_told_to_fetch_and_all_wait(void **state)
{
    dream_verifier *verifier = dream_verifier_new(8, NULL);
    bool must_fetch;

    (void)state;
    assert_int_equal(try_at(verifier, VECTOR_JWT, 5, &must_fetch), DREAM_TOKEN_WAIT);
    assert_true(must_fetch);
    assert_int_equal(try_at(verifier, VECTOR_JWT, 5, &must_fetch), DREAM_TOKEN_WAIT);
    assert_false(must_fetch);
    dream_verifier_fetched(verifier, set_of(SET(RSA_JWK)), 5, NULL);
    assert_int_equal(try_at(verifier, VECTOR_JWT, 5, &must_fetch), DREAM_TOKEN_OK);
    assert_false(must_fetch);
    dream_verifier_free(verifier);
    dream_verifier_free(NULL);
}

static void test_verifier__fixed_keys_are_never_fetched(void **state)
{
    dream_jwks *set = set_of(SET(RSA_JWK));
    dream_verifier *verifier = dream_verifier_new(8, set);
    bool must_fetch;

    (void)state;
    dream_jwks_unref(set);
    assert_int_equal(try_at(verifier, VECTOR_JWT, INT64_C(1) << 40, &must_fetch), DREAM_TOKEN_OK);
    assert_false(must_fetch);
    assert_int_equal(try_at(verifier, VECTOR_EC_JWT, INT64_C(1) << 40, &must_fetch), DREAM_TOKEN_INVALID);
    assert_false(must_fetch);
    dream_verifier_free(verifier);
}

/* With the provider down since the first fetch. */
static void test_verifier__known_tokens_go_on_until_the_hard_maximum(void **state)
{
    dream_verifier *verifier = dream_verifier_new(8, NULL);
    int64_t now_ms = 0;
    bool must_fetch;
    int fetches = 0;

    (void)state;
    (void)try_at(verifier, VECTOR_JWT, now_ms, NULL);
    dream_verifier_fetched(verifier, set_of(SET(RSA_JWK)), now_ms, NULL);
    for (; now_ms <= DREAM_KEYS_USABLE_MS; now_ms += 60 * 1000) {
        assert_int_equal(try_at(verifier, VECTOR_JWT, now_ms, &must_fetch), DREAM_TOKEN_OK);
        if (must_fetch) {
            dream_verifier_fetched(verifier, NULL, now_ms, "down");
            fetches++;
        }
    }
    assert_int_equal(fetches, (DREAM_KEYS_USABLE_MS - DREAM_KEYS_FRESH_MS) / 60000);
    assert_int_equal(try_at(verifier, VECTOR_JWT, now_ms, &must_fetch), DREAM_TOKEN_WAIT);
    assert_true(must_fetch);
    dream_verifier_fetched(verifier, NULL, now_ms, "down");
    assert_int_equal(try_at(verifier, VECTOR_JWT, now_ms, NULL), DREAM_TOKEN_NO_KEYS);
    dream_verifier_free(verifier);
}

static void test_verifier__an_unknown_key_while_the_provider_is_down_is_no_verdict(void **state)
{
    dream_verifier *verifier = dream_verifier_new(8, NULL);
    bool must_fetch;

    (void)state;
    (void)try_at(verifier, VECTOR_JWT, 0, NULL);
    dream_verifier_fetched(verifier, set_of(SET(RSA_JWK)), 0, NULL);
    assert_int_equal(try_at(verifier, VECTOR_EC_JWT, 1, &must_fetch), DREAM_TOKEN_INVALID);
    assert_int_equal(try_at(verifier, VECTOR_EC_JWT, DREAM_KEYS_UNKNOWN_MS, &must_fetch), DREAM_TOKEN_WAIT);
    assert_true(must_fetch);
    dream_verifier_fetched(verifier, NULL, DREAM_KEYS_UNKNOWN_MS, "down");
    assert_int_equal(try_at(verifier, VECTOR_EC_JWT, DREAM_KEYS_UNKNOWN_MS, &must_fetch), DREAM_TOKEN_NO_KEYS);
    assert_false(must_fetch);
    assert_int_equal(try_at(verifier, VECTOR_JWT, DREAM_KEYS_UNKNOWN_MS, NULL), DREAM_TOKEN_OK);
    dream_verifier_free(verifier);
}

/* Sets that followed the first one, and whether what it vouched for still stands. */
static void test_verifier__a_changed_key_takes_its_tokens_along(void **state)
{
    static const struct {
        const char *set;
        dream_token_status status;
    } cases[] = {
        { SET(RSA_JWK), DREAM_TOKEN_OK },
        { SET(VECTOR_EC_JWK "," RSA_JWK), DREAM_TOKEN_OK },
        { SET(VECTOR_EC_JWK), DREAM_TOKEN_INVALID },
        { SET(""), DREAM_TOKEN_INVALID },
        /* The same name, another key: of the same kind, of another, for another algorithm. */
        { SET("{\"kty\":\"RSA\",\"kid\":\"py-key\",\"e\":\"Aw\",\"n\":\"" VECTOR_MODULUS "\"}"), DREAM_TOKEN_INVALID },
        { SET("{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"py-key\",\"x\":\"" VECTOR_EC_X "\",\"y\":\"" VECTOR_EC_Y
              "\"}"),
          DREAM_TOKEN_INVALID },
        { SET("{\"kty\":\"RSA\",\"kid\":\"py-key\",\"alg\":\"RS512\"," RSA_NUMBERS "}"), DREAM_TOKEN_INVALID },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        dream_verifier *verifier = dream_verifier_new(8, NULL);
        bool must_fetch;

        (void)try_at(verifier, VECTOR_JWT, 0, NULL);
        dream_verifier_fetched(verifier, set_of(SET(RSA_JWK)), 0, NULL);
        assert_int_equal(try_at(verifier, VECTOR_JWT, DREAM_KEYS_FRESH_MS + 1, &must_fetch), DREAM_TOKEN_OK);
        assert_true(must_fetch);
        dream_verifier_fetched(verifier, set_of(cases[i].set), DREAM_KEYS_FRESH_MS + 1, NULL);
        if (try_at(verifier, VECTOR_JWT, DREAM_KEYS_FRESH_MS + 2, NULL) != cases[i].status)
            fail_msg("row %zu", i);
        dream_verifier_free(verifier);
    }
}

/* The rules are asked of known tokens too. */
static void test_verifier__a_known_token_is_still_judged(void **state)
{
    static const char *const other[] = { "pk_live_2", NULL };
    dream_jwks *set = set_of(SET(RSA_JWK));
    dream_verifier *verifier = dream_verifier_new(8, set);
    dream_verification work = { .token = VECTOR_JWT, .rules = { .now_wall_ms = WALL_MS, .publishable_keys = other } };

    (void)state;
    dream_jwks_unref(set);
    assert_int_equal(dream_verifier_try(verifier, &work), DREAM_TOKEN_FOREIGN);
    assert_int_equal(try_at(verifier, VECTOR_JWT, 0, NULL), DREAM_TOKEN_OK);
    assert_int_equal(dream_verifier_try(verifier, &work), DREAM_TOKEN_FOREIGN);
    work.rules.publishable_keys = NULL;
    work.rules.now_wall_ms += 60 * 1000;
    assert_int_equal(dream_verifier_try(verifier, &work), DREAM_TOKEN_INVALID);
    assert_string_equal(strtok(work.message, ":"), "JWT is expired. Expiry date");
    dream_verifier_free(verifier);
}

/* What is remembered is the whole text: with another signature it is another token, wherever the change is. */
static void test_verifier__a_known_token_with_another_signature_is_refused(void **state)
{
    static const char *const tokens[] = { VECTOR_JWT, VECTOR_EC_JWT };
    dream_jwks *set = set_of(SET(RSA_JWK "," VECTOR_EC_JWK));
    dream_verifier *verifier = dream_verifier_new(8, set);

    (void)state;
    dream_jwks_unref(set);
    for (int i = 0; i < 2; i++) {
        char *forged = strdup(tokens[i]);
        char *at = strrchr(forged, '.') + 1;

        assert_int_equal(try_at(verifier, tokens[i], 0, NULL), DREAM_TOKEN_OK);
        for (; *at != '\0'; at++) {
            char was = *at;

            *at = was == 'A' ? 'Q' : 'A';
            assert_int_equal(try_at(verifier, forged, 0, NULL), DREAM_TOKEN_INVALID);
            *at = was;
        }
        assert_int_equal(try_at(verifier, forged, 0, NULL), DREAM_TOKEN_OK);
        at[-1] = '\0';
        assert_int_equal(try_at(verifier, forged, 0, NULL), DREAM_TOKEN_INVALID);
        free(forged);
    }
    dream_verifier_free(verifier);
}

/* ---- threads ---- */

static atomic_int wrong_answers, fetching;
static atomic_llong now_ms;

/* Sets of the first kind hold the RSA key, of the second the other; each fetch brings the next. */
static void fetch(dream_verifier *verifier)
{
    static const char *const sets[] = { SET(RSA_JWK), SET(VECTOR_EC_JWK) };
    static atomic_uint fetches;

    if (atomic_fetch_add(&fetching, 1) != 0)
        atomic_fetch_add(&wrong_answers, 1); /* not a single flight */
    atomic_fetch_sub(&fetching, 1);
    dream_verifier_fetched(verifier, set_of(sets[atomic_fetch_add(&fetches, 1) % 2]), atomic_load(&now_ms), NULL);
}

static void *verify_while_keys_rotate(void *argument)
{
    dream_verifier *verifier = argument;
    static const char *const tokens[] = { VECTOR_JWT, VECTOR_EC_JWT, "not.a.token" };

    for (int i = 0; i < 300; i++) {
        dream_verification work = { .token = tokens[i % 3], .rules = { .now_wall_ms = WALL_MS } };
        dream_token_status status;

        work.now_ms = atomic_fetch_add(&now_ms, DREAM_KEYS_UNKNOWN_MS);
        status = dream_verifier_try(verifier, &work);
        if (work.must_fetch)
            fetch(verifier);
        if (status == DREAM_TOKEN_OK
            && strcmp(work.claims->user_id, i % 3 == 0   ? "user_py"
                                            : i % 3 == 1 ? "user_ec"
                                                         : "nobody")
                   != 0)
            atomic_fetch_add(&wrong_answers, 1);
        if (status != DREAM_TOKEN_OK && status != DREAM_TOKEN_INVALID && status != DREAM_TOKEN_WAIT)
            atomic_fetch_add(&wrong_answers, 1);
        dream_claims_unref(work.claims);
    }
    return NULL;
}

static void test_verifier__serves_many_threads_while_keys_rotate(void **state)
{
    dream_verifier *verifier = dream_verifier_new(8, NULL);
    pthread_t threads[4];

    (void)state;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, verify_while_keys_rotate, verifier), 0);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&wrong_answers), 0);
    dream_verifier_free(verifier);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verifier__one_is_told_to_fetch_and_all_wait),
        cmocka_unit_test(test_verifier__fixed_keys_are_never_fetched),
        cmocka_unit_test(test_verifier__known_tokens_go_on_until_the_hard_maximum),
        cmocka_unit_test(test_verifier__an_unknown_key_while_the_provider_is_down_is_no_verdict),
        cmocka_unit_test(test_verifier__a_changed_key_takes_its_tokens_along),
        cmocka_unit_test(test_verifier__a_known_token_is_still_judged),
        cmocka_unit_test(test_verifier__a_known_token_with_another_signature_is_refused),
        cmocka_unit_test(test_verifier__serves_many_threads_while_keys_rotate),
    };

    return cmocka_run_group_tests_name("verifier", tests, NULL, NULL);
}
