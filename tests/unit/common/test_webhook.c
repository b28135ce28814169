/* SPDX-License-Identifier: Apache-2.0 */
/* test_webhook.c - the signatures of Stripe and svix. The digests were computed with Python's
 * hmac module, not with the code under test. */
#include "common/webhook.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define NOW 1700000000
#define GOOD "d1e4aa90551919f198c22ba0a9691b35338d4b631d54ce1f1465e93b1d41c430"
#define GOOD_UPPER "D1E4AA90551919F198C22BA0A9691B35338D4B631D54CE1F1465E93B1D41C430"
#define OF_OTHER_SECRET "f39e9192247ae58f7920300a5702e60ae0bec4080b2e6bb8e1b5ccb4a12e235a"

static const char body[] = "{\"id\":\"evt_1\",\"object\":\"event\",\"type\":\"checkout.session.completed\"}";
static const char secret[] = "whsec_test_secret";

static bool verify(const char *header)
{
    return dream_stripe_signature_verify(header, secret, body, sizeof(body) - 1, NOW, DREAM_WEBHOOK_TOLERANCE_S);
}

static void test_webhook__accepts_every_way_to_write_a_good_header(void **state)
{
    static const char *const good[] = {
        "t=1700000000,v1=" GOOD,
        "v1=" GOOD ",t=1700000000",
        " t = 1700000000 ,\tv1 = " GOOD " ",
        "t=1700000000,v1=" GOOD_UPPER,
        "t=1700000000,v1=" OF_OTHER_SECRET ",v1=" GOOD,
        "t=1700000000,v1=" GOOD ",v1=" OF_OTHER_SECRET,
        "t=1700000000,v0=abc,v1=" GOOD ",scheme",
        "t=1700000000,v1=zz,v1=,v1=" GOOD ",,",
    };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(good); i++) {
        if (!verify(good[i]))
            fail_msg("refused %s", good[i]);
    }
}

static void test_webhook__refuses_every_bad_header(void **state)
{
    static const char *const bad[] = {
        "",
        ",",
        "t",
        "t=1700000000",
        "v1=" GOOD,
        "t=,v1=" GOOD,
        "t=1700000001,v1=" GOOD,
        "t=01700000000,v1=" GOOD,
        "t=+1700000000,v1=" GOOD,
        "t=-1700000000,v1=" GOOD,
        "t=1700000000.0,v1=" GOOD,
        "t=1700000000x,v1=" GOOD,
        "t=99999999999999999999999999,v1=" GOOD,
        "t=1700000000,t=1700000000,v1=" GOOD,
        "t=1700000000,v1=" GOOD ",t=1",
        "t=1700000000,v1=" OF_OTHER_SECRET,
        "t=1700000000,v0=" GOOD,
        "t=1700000000,V1=" GOOD,
        "t=1700000000,v1=" GOOD "0",
        "t=1700000000,v1=d1e4",
        "t=1700000000;v1=" GOOD,
    };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(bad); i++) {
        if (verify(bad[i]))
            fail_msg("accepted %s", bad[i]);
    }
    assert_false(verify(NULL));
}

static void test_webhook__refuses_a_changed_body_or_secret(void **state)
{
    static const char header[] = "t=1700000000,v1=" GOOD;
    char other[sizeof(body)];

    (void)state;
    memcpy(other, body, sizeof(body));
    other[10] ^= 1;
    assert_false(dream_stripe_signature_verify(header, secret, other, sizeof(body) - 1, NOW, 300));
    assert_false(dream_stripe_signature_verify(header, secret, body, sizeof(body) - 2, NOW, 300));
    assert_false(dream_stripe_signature_verify(header, "whsec_test_secreT", body, sizeof(body) - 1, NOW, 300));
    assert_false(dream_stripe_signature_verify(header, "", body, sizeof(body) - 1, NOW, 300));
    assert_false(dream_stripe_signature_verify(header, NULL, body, sizeof(body) - 1, NOW, 300));
}

static void test_webhook__tolerates_age_in_both_directions(void **state)
{
    static const char header[] = "t=1700000000,v1=" GOOD;
    static const struct {
        int64_t now_s, tolerance_s;
        bool is_good;
    } cases[] = {
        { NOW + 300, 300, true },  { NOW + 301, 300, false }, { NOW - 300, 300, true }, { NOW - 301, 300, false },
        { NOW, 0, true },          { NOW + 1, 0, false },     { NOW, -1, false },       { INT64_MAX, 300, false },
        { INT64_MIN, 300, false }, { 0, INT64_MAX, true },
    };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(cases); i++) {
        if (dream_stripe_signature_verify(header, secret, body, sizeof(body) - 1, cases[i].now_s, cases[i].tolerance_s)
            != cases[i].is_good)
            fail_msg("case %zu", i);
    }
}

/* A header of exactly `size` characters. */
static bool verify_of_size(size_t size)
{
    dream_buffer header = DREAM_BUFFER_INIT;
    bool is_good;

    dream_buffer_text(&header, "t=1700000000,v1=" GOOD ",x=");
    while (header.size < size)
        dream_buffer_char(&header, 'a');
    is_good = verify(dream_buffer_str(&header));
    dream_buffer_clear(&header);
    return is_good;
}

/* The good signature after `others` that do not match. */
static bool verify_after(int others)
{
    dream_buffer header = DREAM_BUFFER_INIT;
    bool is_good;
    int i;

    dream_buffer_text(&header, "t=1700000000");
    for (i = 0; i < others; i++)
        dream_buffer_text(&header, ",v1=" OF_OTHER_SECRET);
    dream_buffer_text(&header, ",v1=" GOOD);
    is_good = verify(dream_buffer_str(&header));
    dream_buffer_clear(&header);
    return is_good;
}

static void test_webhook__bounds_the_header(void **state)
{
    (void)state;
    assert_true(verify_of_size(4096));
    assert_false(verify_of_size(4097));
    assert_true(verify_after(15));
    assert_false(verify_after(16));
}

static void test_webhook__makes_the_expected_header(void **state)
{
    dream_buffer out = DREAM_BUFFER_INIT;

    (void)state;
    assert_true(dream_stripe_signature_make(&out, secret, body, sizeof(body) - 1, NOW));
    assert_string_equal(dream_buffer_str(&out), "t=1700000000,v1=" GOOD);
    assert_true(verify(dream_buffer_str(&out)));
    dream_buffer_clear(&out);
}

static void test_webhook__makes_nothing_without_a_secret(void **state)
{
    dream_buffer out = DREAM_BUFFER_INIT;

    (void)state;
    assert_false(dream_stripe_signature_make(&out, "", body, 1, NOW));
    assert_false(dream_stripe_signature_make(&out, NULL, body, 1, NOW));
    assert_false(dream_stripe_signature_make(&out, secret, body, 1, -1));
    out.limit = 10;
    assert_false(dream_stripe_signature_make(&out, secret, body, 1, NOW));
    dream_buffer_clear(&out);
}

static void test_webhook__signs_bodies_with_nul_and_no_body(void **state)
{
    dream_buffer out = DREAM_BUFFER_INIT;

    (void)state;
    assert_true(dream_stripe_signature_make(&out, secret, "a\0b", 3, NOW));
    assert_true(dream_stripe_signature_verify(dream_buffer_str(&out), secret, "a\0b", 3, NOW, 300));
    assert_false(dream_stripe_signature_verify(dream_buffer_str(&out), secret, "a\0c", 3, NOW, 300));
    dream_buffer_clear(&out);
    assert_true(dream_stripe_signature_make(&out, secret, NULL, 0, NOW));
    assert_true(dream_stripe_signature_verify(dream_buffer_str(&out), secret, NULL, 0, NOW, 300));
    dream_buffer_clear(&out);
}

/* ---- svix: the example of its own documentation ---- */

#define SVIX_ID "msg_p5jXN8AQM9LWM0D4loKWxJek"
#define SVIX_NOW INT64_C(1614265330)
#define SVIX_GOOD "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
#define SVIX_OF_OTHER_SECRET "v1,A9tvYUxvVRf3KZODcc7Ikc08j2ku8QechJYsWbg28NY="

static const char svix_secret[] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
static const char svix_body[] = "{\"test\": 2432232314}";

static bool svix_verify(const char *id, const char *timestamp, const char *signature)
{
    dream_svix_headers headers = { id, timestamp, signature };

    return dream_svix_signature_verify(&headers, svix_secret, svix_body, sizeof(svix_body) - 1, SVIX_NOW, 300);
}

static void test_svix__accepts_every_way_to_write_a_good_signature(void **state)
{
    static const char *const good[] = { SVIX_GOOD, SVIX_OF_OTHER_SECRET " " SVIX_GOOD,
                                        SVIX_GOOD " " SVIX_OF_OTHER_SECRET, "v2,abc v1a,def  " SVIX_GOOD " " };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(good); i++) {
        if (!svix_verify(SVIX_ID, "1614265330", good[i]))
            fail_msg("refused %s", good[i]);
    }
}

static void test_svix__refuses_every_bad_header(void **state)
{
    static const struct {
        const char *id, *timestamp, *signature;
    } bad[] = {
        { NULL, "1614265330", SVIX_GOOD },
        { "", "1614265330", SVIX_GOOD },
        { "msg_p5jXN8AQM9LWM0D4loKWxJeK", "1614265330", SVIX_GOOD },
        { SVIX_ID, NULL, SVIX_GOOD },
        { SVIX_ID, "", SVIX_GOOD },
        { SVIX_ID, "1614265331", SVIX_GOOD },
        { SVIX_ID, "01614265330", SVIX_GOOD },
        { SVIX_ID, "1614265330x", SVIX_GOOD },
        { SVIX_ID, "99999999999999999999999", SVIX_GOOD },
        { SVIX_ID, "1614265330", NULL },
        { SVIX_ID, "1614265330", "" },
        { SVIX_ID, "1614265330", " " },
        { SVIX_ID, "1614265330", "v1," },
        { SVIX_ID, "1614265330", "v1" },
        { SVIX_ID, "1614265330", "v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" },
        { SVIX_ID, "1614265330", "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" },
        { SVIX_ID, "1614265330", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1O==" },
        { SVIX_ID, "1614265330", "v1,g0hM" },
        { SVIX_ID, "1614265330", SVIX_OF_OTHER_SECRET },
    };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(bad); i++) {
        if (svix_verify(bad[i].id, bad[i].timestamp, bad[i].signature))
            fail_msg("case %zu", i);
    }
}

static void test_svix__refuses_a_changed_body_or_secret(void **state)
{
    static const char *const bad[] = { "", "whsec_", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSx", "whsec_not base64!",
                                       NULL };
    dream_svix_headers headers = { SVIX_ID, "1614265330", SVIX_GOOD };
    size_t i;

    (void)state;
    assert_false(dream_svix_signature_verify(&headers, svix_secret, "{\"test\": 2432232315}", sizeof(svix_body) - 1,
                                             SVIX_NOW, 300));
    for (i = 0; i < COUNT(bad); i++)
        assert_false(dream_svix_signature_verify(&headers, bad[i], svix_body, sizeof(svix_body) - 1, SVIX_NOW, 300));
    assert_true(dream_svix_signature_verify(&headers, "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", svix_body,
                                            sizeof(svix_body) - 1, SVIX_NOW, 300));
}

static void test_svix__tolerates_age_in_both_directions(void **state)
{
    static const struct {
        int64_t now_s;
        bool is_good;
    } cases[] = {
        { SVIX_NOW + 300, true }, { SVIX_NOW + 301, false }, { SVIX_NOW - 300, true }, { SVIX_NOW - 301, false }
    };
    dream_svix_headers headers = { SVIX_ID, "1614265330", SVIX_GOOD };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(cases); i++) {
        if (dream_svix_signature_verify(&headers, svix_secret, svix_body, sizeof(svix_body) - 1, cases[i].now_s, 300)
            != cases[i].is_good)
            fail_msg("case %zu", i);
    }
}

static void test_svix__makes_the_expected_signature(void **state)
{
    dream_buffer out = DREAM_BUFFER_INIT;

    (void)state;
    assert_true(dream_svix_signature_make(&out, SVIX_ID, svix_secret, svix_body, sizeof(svix_body) - 1, SVIX_NOW));
    assert_string_equal(dream_buffer_str(&out), SVIX_GOOD);
    dream_buffer_clear(&out);
    assert_false(dream_svix_signature_make(&out, "", svix_secret, svix_body, 1, SVIX_NOW));
    assert_false(dream_svix_signature_make(&out, SVIX_ID, "whsec_", svix_body, 1, SVIX_NOW));
    assert_false(dream_svix_signature_make(&out, SVIX_ID, svix_secret, svix_body, 1, -1));
    dream_buffer_clear(&out);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_webhook__accepts_every_way_to_write_a_good_header),
        cmocka_unit_test(test_webhook__refuses_every_bad_header),
        cmocka_unit_test(test_webhook__refuses_a_changed_body_or_secret),
        cmocka_unit_test(test_webhook__tolerates_age_in_both_directions),
        cmocka_unit_test(test_webhook__bounds_the_header),
        cmocka_unit_test(test_webhook__makes_the_expected_header),
        cmocka_unit_test(test_webhook__makes_nothing_without_a_secret),
        cmocka_unit_test(test_webhook__signs_bodies_with_nul_and_no_body),
        cmocka_unit_test(test_svix__accepts_every_way_to_write_a_good_signature),
        cmocka_unit_test(test_svix__refuses_every_bad_header),
        cmocka_unit_test(test_svix__refuses_a_changed_body_or_secret),
        cmocka_unit_test(test_svix__tolerates_age_in_both_directions),
        cmocka_unit_test(test_svix__makes_the_expected_signature),
    };

    return cmocka_run_group_tests_name("webhook", tests, NULL, NULL);
}
