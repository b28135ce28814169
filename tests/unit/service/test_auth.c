/* SPDX-License-Identifier: Apache-2.0 */
/* test_auth.c - what the two headers of a request amount to. */
#include "service/api/auth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_auth__reads_the_headers_in_the_order_of_the_contract(void **state)
{
    static const struct {
        const char *authorization;
        const char *publishable_key;
        dreamd_credential credential;
        const char *key;
    } cases[] = {
        { NULL, NULL, DREAMD_CREDENTIAL_NONE, NULL },
        { "", "", DREAMD_CREDENTIAL_NONE, NULL },
        { "Bearer", NULL, DREAMD_CREDENTIAL_NONE, NULL },
        { "Bearer ", NULL, DREAMD_CREDENTIAL_NONE, NULL },
        { "Basic c2s6", NULL, DREAMD_CREDENTIAL_NONE, NULL },
        { "bearer sk_live_1", NULL, DREAMD_CREDENTIAL_NONE, NULL },
        { "sk_live_1", NULL, DREAMD_CREDENTIAL_NONE, NULL },
        { "Bearer abc", NULL, DREAMD_CREDENTIAL_BAD_BEARER, NULL },
        { "Bearer pk_live_1", NULL, DREAMD_CREDENTIAL_BAD_BEARER, NULL },
        { "Bearer  sk_live_1", NULL, DREAMD_CREDENTIAL_BAD_BEARER, NULL },
        { "Bearer SK_live_1", NULL, DREAMD_CREDENTIAL_BAD_BEARER, NULL },
        { "Bearer sk_", NULL, DREAMD_CREDENTIAL_SECRET, "sk_" },
        { "Bearer sk_live_1", NULL, DREAMD_CREDENTIAL_SECRET, "sk_live_1" },
        { "Bearer sk_live_1", "pk_live_1", DREAMD_CREDENTIAL_SECRET, "sk_live_1" },
        { NULL, "pk_live_1", DREAMD_CREDENTIAL_PUBLISHABLE, "pk_live_1" },
        { NULL, "sk_live_1", DREAMD_CREDENTIAL_PUBLISHABLE, "sk_live_1" },
        { "Bearer eyJ.a.b", "pk_live_1", DREAMD_CREDENTIAL_PUBLISHABLE, "pk_live_1" },
        { "Basic c2s6", "pk_live_1", DREAMD_CREDENTIAL_PUBLISHABLE, "pk_live_1" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *key = "old";

        assert_int_equal(dreamd_credential_read(cases[i].authorization, cases[i].publishable_key, &key),
                         cases[i].credential);
        if (cases[i].key)
            assert_string_equal(key, cases[i].key);
        else
            assert_null(key);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_auth__reads_the_headers_in_the_order_of_the_contract),
    };

    return cmocka_run_group_tests_name("auth", tests, NULL, NULL);
}
