/* SPDX-License-Identifier: Apache-2.0 */
/* test_form.c - form bodies as Stripe takes them. */
#include "service/provider/form.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_form__encodes_names_and_values(void **state)
{
    dream_buffer form = DREAM_BUFFER_INIT;

    (void)state;
    dreamd_form_text(&form, "mode", "subscription");
    dreamd_form_text(&form, "metadata[tier]", "Pro Plan & more=100%");
    dreamd_form_text(&form, "name", "caf\xc3\xa9");
    dreamd_form_int(&form, "amount", INT64_MIN);
    assert_string_equal(dream_buffer_str(&form), "mode=subscription&metadata%5Btier%5D=Pro%20Plan%20%26%20more%3D100%25"
                                                 "&name=caf%C3%A9&amount=-9223372036854775808");
    dream_buffer_clear(&form);
}

static void test_form__leaves_out_null_and_keeps_empty(void **state)
{
    dream_buffer form = DREAM_BUFFER_INIT;

    (void)state;
    dreamd_form_text(&form, "a", NULL);
    dreamd_form_text(&form, "b", "");
    dreamd_form_text(&form, "c", NULL);
    dreamd_form_int(&form, "d", 0);
    assert_string_equal(dream_buffer_str(&form), "b=&d=0");
    dream_buffer_clear(&form);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_form__encodes_names_and_values),
        cmocka_unit_test(test_form__leaves_out_null_and_keeps_empty),
    };

    return cmocka_run_group_tests_name("form", tests, NULL, NULL);
}
