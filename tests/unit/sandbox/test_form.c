/* SPDX-License-Identifier: Apache-2.0 */
/* test_form.c - the nested form parser: shapes, order, limits, and what it must refuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/buffer.h"
#include "sandbox/form.h"

static sandbox_form_status parse(const char *body, char **out_text)
{
    cJSON *root = (cJSON *)1;
    sandbox_form_status status = sandbox_form_parse(body, strlen(body), &root);
    *out_text = status == SANDBOX_FORM_OK ? cJSON_PrintUnformatted(root) : NULL;
    if (status == SANDBOX_FORM_OK)
        cJSON_Delete(root);
    else
        assert_null(root);
    return status;
}

static const struct {
    const char *body;
    const char *json;
} shapes[] = {
    { "", "{}" },
    { "&&", "{}" },
    { "a=1", "{\"a\":\"1\"}" },
    { "a", "{\"a\":\"\"}" },
    { "a=", "{\"a\":\"\"}" },
    { "a=b=c", "{\"a\":\"b=c\"}" },
    { "a=1&a=2", "{\"a\":\"2\"}" },
    { "a=x+y%20z%2B", "{\"a\":\"x y z+\"}" },
    { "a%5Bb%5D=1", "{\"a\":{\"b\":\"1\"}}" },
    { "a[b]=1&a[c]=2", "{\"a\":{\"b\":\"1\",\"c\":\"2\"}}" },
    { "a[b][c][d]=1", "{\"a\":{\"b\":{\"c\":{\"d\":\"1\"}}}}" },
    { "a[]=1&a[]=2", "{\"a\":[\"1\",\"2\"]}" },
    { "a[1]=y&a[0]=x", "{\"a\":[\"x\",\"y\"]}" },
    { "a[10]=z&a[9]=y&a[2]=x", "{\"a\":[\"x\",\"y\",\"z\"]}" },
    { "a[7]=x", "{\"a\":[\"x\"]}" },
    { "a[0]=x&a[]=y", "{\"a\":[\"x\",\"y\"]}" },
    { "a[0][b]=1&a[0][c]=2&a[1][b]=3", "{\"a\":[{\"b\":\"1\",\"c\":\"2\"},{\"b\":\"3\"}]}" },
    { "a[0]=x&a[b]=y", "{\"a\":{\"0\":\"x\",\"b\":\"y\"}}" },
    { "a[12345]=x", "{\"a\":{\"12345\":\"x\"}}" },
    { "a[-1]=x", "{\"a\":{\"-1\":\"x\"}}" },
    { "metadata[0]=x&metadata[1]=y", "{\"metadata\":{\"0\":\"x\",\"1\":\"y\"}}" },
    { "s[metadata][7]=x", "{\"s\":{\"metadata\":{\"7\":\"x\"}}}" },
    { "metadata=", "{\"metadata\":\"\"}" },
    { "a[b c]=1", "{\"a\":{\"b c\":\"1\"}}" },
    { "a=%E2%82%AC", "{\"a\":\"€\"}" },
    { "A=1&a=2", "{\"A\":\"1\",\"a\":\"2\"}" },
    { "a[B]=1&a[b]=2", "{\"a\":{\"B\":\"1\",\"b\":\"2\"}}" },
};

static void test_form_parse__builds_the_shape_the_names_tell(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        char *text;
        assert_int_equal(parse(shapes[i].body, &text), SANDBOX_FORM_OK);
        assert_string_equal(text, shapes[i].json);
        free(text);
    }
}

static const char *const malformed[] = {
    "=1",
    "[a]=1",
    "]=1",
    "a[=1",
    "a]=1",
    "a[b=1",
    "a[b]c=1",
    "a[[b]]=1",
    "a[b]]=1",
    "a[b][=1",
    "a[][b]=1",
    "a[b]x[c]=1",
    "a=1&a[b]=2",
    "a[b]=1&a=2",
    "a[b]=1&a[b][c]=2",
    "a[b][c]=1&a[b]=2",
    "a[]=1&a=2",
    "a=1&a[]=2",
    "a=%",
    "a=%4",
    "a=%zz",
    "%=1",
    "a=%00",
    "a%00b=1",
    "a=%80",
    "a=%C3",
    "a=%C3%28",
    "a=%C0%AF",
    "a=%E2%82",
    "a=%ED%A0%80",
    "a=%F4%90%80%80",
    "a=%F8%88%80%80%80",
    "%FF=1",
};

static void test_form_parse__refuses_what_is_malformed(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) {
        char *text;
        sandbox_form_status status = parse(malformed[i], &text);
        if (status != SANDBOX_FORM_MALFORMED)
            print_error("not refused: %s -> %s\n", malformed[i], text ? text : "(other status)");
        assert_int_equal(status, SANDBOX_FORM_MALFORMED);
    }
}

static char *repeat(const char *piece, size_t count)
{
    dream_buffer text = DREAM_BUFFER_INIT;
    for (size_t i = 0; i < count; i++)
        dream_buffer_text(&text, piece);
    return dream_buffer_take(&text);
}

static void test_form_parse__takes_as_many_pairs_as_allowed_and_no_more(void **state)
{
    (void)state;
    char *text;
    char *body = repeat("a[]=1&", SANDBOX_FORM_MAX_PAIRS);
    assert_int_equal(parse(body, &text), SANDBOX_FORM_OK);
    free(text);
    free(body);
    body = repeat("a[]=1&", SANDBOX_FORM_MAX_PAIRS + 1);
    assert_int_equal(parse(body, &text), SANDBOX_FORM_TOO_LARGE);
    free(body);
}

static void test_form_parse__bounds_depth_and_names(void **state)
{
    (void)state;
    char *text;
    char *deep = repeat("[b]", SANDBOX_FORM_MAX_DEPTH - 1);
    char name[2 * SANDBOX_FORM_MAX_NAME];
    (void)snprintf(name, sizeof name, "a%s=1", deep);
    assert_int_equal(parse(name, &text), SANDBOX_FORM_OK);
    free(text);
    (void)snprintf(name, sizeof name, "a%s[b]=1", deep);
    assert_int_equal(parse(name, &text), SANDBOX_FORM_TOO_LARGE);
    memset(name, 'a', sizeof name);
    name[SANDBOX_FORM_MAX_NAME - 1] = '\0';
    assert_int_equal(parse(name, &text), SANDBOX_FORM_OK);
    free(text);
    name[SANDBOX_FORM_MAX_NAME - 1] = 'a';
    name[SANDBOX_FORM_MAX_NAME] = '\0';
    assert_int_equal(parse(name, &text), SANDBOX_FORM_TOO_LARGE);
    free(deep);
}

static void test_form_parse__reads_no_further_than_its_size(void **state)
{
    (void)state;
    cJSON *root;
    assert_int_equal(sandbox_form_parse("a=12345", 3, &root), SANDBOX_FORM_OK);
    assert_string_equal(cJSON_GetObjectItem(root, "a")->valuestring, "1");
    cJSON_Delete(root);
}

/* Every body of up to four characters from the parser's own alphabet ends in some status, and nothing leaks. */
static void test_form_parse__survives_every_short_body(void **state)
{
    (void)state;
    static const char alphabet[] = "a0[]=&%";
    char body[5];
    for (unsigned i = 0; i < 7 * 7 * 7 * 7 * 7; i++) {
        unsigned rest = i;
        for (size_t at = 0; at < 5; at++, rest /= 7)
            body[at] = alphabet[rest % 7];
        cJSON *root;
        if (sandbox_form_parse(body, 5, &root) == SANDBOX_FORM_OK) {
            assert_true(cJSON_IsObject(root));
            cJSON_Delete(root);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_form_parse__builds_the_shape_the_names_tell),
        cmocka_unit_test(test_form_parse__refuses_what_is_malformed),
        cmocka_unit_test(test_form_parse__takes_as_many_pairs_as_allowed_and_no_more),
        cmocka_unit_test(test_form_parse__bounds_depth_and_names),
        cmocka_unit_test(test_form_parse__reads_no_further_than_its_size),
        cmocka_unit_test(test_form_parse__survives_every_short_body),
    };
    return cmocka_run_group_tests_name("form", tests, NULL, NULL);
}
