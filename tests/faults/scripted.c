/* SPDX-License-Identifier: Apache-2.0 */
/* scripted.c - see scripted.h. */
#include "scripted.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

void scripted_open(scripted *s)
{
    s->options = dreamapi_options_new();
    s->transport = dreamapi_test_transport_new();
    s->clock = dreamapi_test_clock_new(1700000000000);
    s->client = NULL;
    assert_int_equal(dreamapi_options_set_base_url(s->options, "http://127.0.0.1:1"), DREAMAPI_OK);
    assert_int_equal(dreamapi_options_set_secret_key(s->options, "sk_live_1"), DREAMAPI_OK);
    assert_int_equal(dreamapi_options_set_threads(s->options, 0), DREAMAPI_OK);
    assert_int_equal(dreamapi_test_transport_install(s->transport, s->options), DREAMAPI_OK);
    assert_int_equal(dreamapi_test_clock_install(s->clock, s->options), DREAMAPI_OK);
    assert_int_equal(dreamapi_client_new(s->options, &s->client, NULL), DREAMAPI_OK);
}

void scripted_close(scripted *s)
{
    dreamapi_client_free(s->client);
    dreamapi_test_transport_free(s->transport);
    dreamapi_test_clock_free(s->clock);
    dreamapi_options_free(s->options);
}
