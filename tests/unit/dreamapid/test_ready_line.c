/* SPDX-License-Identifier: Apache-2.0 */
/* test_ready_line.c - the line that scripts read: exactly these keys, in this order, null for what is not served. */
#include "dreamapid/ready_line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

struct sandbox {
    sandbox_endpoint endpoints[SANDBOX_SERVICES][SANDBOX_MODES];
};

const sandbox_endpoint *sandbox_endpoint_of(const sandbox *box, enum sandbox_service service, enum sandbox_mode mode)
{
    return &box->endpoints[service][mode];
}

static void test_ready_line__has_null_for_each_part_that_is_not_served(void **state)
{
    char *line = dreamd_ready_line("http://127.0.0.1:8787", "http://127.0.0.1:9187", NULL);
    (void)state;
    assert_string_equal(line, "{\"api\":\"http://127.0.0.1:8787\",\"platform\":null,\"connect\":null,\"signup\":null,"
                              "\"dashboard\":null,\"admin\":\"http://127.0.0.1:9187\",\"sandbox\":null}");
    free(line);
}

static void test_ready_line__tells_every_endpoint_of_the_sandbox(void **state)
{
    static const struct sandbox box = { {
        [SANDBOX_STRIPE] = { [SANDBOX_LIVE] = { "http://s:1", "sk_live_s", "whsec_1" },
                             [SANDBOX_TEST] = { "http://s:2", "sk_test_s", "whsec_2" } },
        [SANDBOX_CLERK_PLATFORM] = { [SANDBOX_LIVE] = { "http://p:1", "sk_live_p", "whsec_3" },
                                     [SANDBOX_TEST] = { "http://p:2", "sk_test_p", "whsec_4" } },
        [SANDBOX_CLERK_END_USER] = { [SANDBOX_LIVE] = { "http://e:1", "sk_live_e", "whsec_5" },
                                     [SANDBOX_TEST] = { "http://e:2", "sk_test_e", "whsec_6" } },
    } };
    char *line = dreamd_ready_line("http://a", "http://b", &box);
    (void)state;
    assert_string_equal(
        line,
        "{\"api\":\"http://a\",\"platform\":null,\"connect\":null,\"signup\":null,\"dashboard\":null,\"admin\":\"http:/"
        "/b\","
        "\"sandbox\":{"
        "\"stripe\":{\"live\":{\"url\":\"http://s:1\",\"secretKey\":\"sk_live_s\",\"webhookSecret\":\"whsec_1\"},"
        "\"test\":{\"url\":\"http://s:2\",\"secretKey\":\"sk_test_s\",\"webhookSecret\":\"whsec_2\"}},"
        "\"clerkPlatform\":{\"live\":{\"url\":\"http://"
        "p:1\",\"secretKey\":\"sk_live_p\",\"webhookSecret\":\"whsec_3\"},"
        "\"test\":{\"url\":\"http://p:2\",\"secretKey\":\"sk_test_p\",\"webhookSecret\":\"whsec_4\"}},"
        "\"clerkEndUser\":{\"live\":{\"url\":\"http://e:1\",\"secretKey\":\"sk_live_e\",\"webhookSecret\":\"whsec_5\"},"
        "\"test\":{\"url\":\"http://e:2\",\"secretKey\":\"sk_test_e\",\"webhookSecret\":\"whsec_6\"}}}}");
    free(line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ready_line__has_null_for_each_part_that_is_not_served),
        cmocka_unit_test(test_ready_line__tells_every_endpoint_of_the_sandbox),
    };
    return cmocka_run_group_tests_name("ready_line", tests, NULL, NULL);
}
