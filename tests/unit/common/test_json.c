/* SPDX-License-Identifier: Apache-2.0 */
/* test_json.c - which texts are JSON, what readers make of values, how trees are written. */
#include "common/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/buffer.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* Both readers, who must agree on everything. */
static bool is_json(const char *text, size_t size)
{
    bool out_of_memory = true, whole_out_of_memory = true;
    cJSON *value = dream_json_parse(text, size, &out_of_memory);
    cJSON *whole = text != NULL ? dream_json_parse_whole(text, size, &whole_out_of_memory) : NULL;
    bool is_read = value != NULL;
    char *printed, *whole_printed;

    assert_false(out_of_memory);
    assert_false(text != NULL && whole_out_of_memory);
    assert_true((whole != NULL) == is_read);
    if (is_read) {
        printed = dream_json_print(value);
        whole_printed = dream_json_print(whole);
        assert_string_equal(printed, whole_printed);
        free(printed);
        free(whole_printed);
    }
    cJSON_Delete(value);
    free(whole);
    return is_read;
}

static void test_json__accepts_all_kinds_of_values(void **state)
{
    static const char *const good[] = {
        "{}",
        "[]",
        "null",
        "true",
        "false",
        "0",
        "-0",
        "1.5e+10",
        "1E-2",
        "\"\"",
        " \t\r\n{ \"a\" : [ 1 , 2 , { } ] } \n",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0001\\u00e9\\ud83d\\ude00\"",
        "\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \x7f\"",
        "{\"a\":1,\"A\":2,\"\":3}",
        "{\"a\":{\"a\":{\"a\":1}},\"b\":[{\"a\":1},{\"a\":1}]}",
        "{\"brackets\":\"[[[[{{{{\\\"]]\"}",
    };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(good); i++) {
        if (!is_json(good[i], strlen(good[i])))
            fail_msg("refused %s", good[i]);
    }
}

static void test_json__refuses_what_the_standard_does(void **state)
{
    static const char *const bad[] = {
        "",
        " ",
        "{",
        "}",
        "[",
        "[1",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\" 1}",
        "{a:1}",
        "{1:1}",
        "{\"a\":1,}",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{,}",
        "nul",
        "nulll",
        "True",
        "tru",
        "NaN",
        "Infinity",
        "-Infinity",
        "01",
        "-",
        "-01",
        "+1",
        ".5",
        "1.",
        "1.e1",
        "1e",
        "1e+",
        "0x10",
        "1-2",
        "--1",
        "'a'",
        "\"",
        "\"a",
        "\"\\",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\u\"",
        "\"\t\"",
        "\"\n\"",
        "\"\x01\"",
        "// x\n1",
        "/* */1",
        "1 1",
        "{} {}",
        "[]x",
        "{}]",
        "\f1",
        "\v1",
        "\xef\xbb\xbf{}",
        ("\xc2\xa0"
         "1"),
        "[1}",
        "{\"a\":1]",
        "\"\\U0041\"",
    };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(bad); i++) {
        if (is_json(bad[i], strlen(bad[i])))
            fail_msg("accepted %s", bad[i]);
    }
    assert_null(dream_json_parse(NULL, 0, NULL));
}

static void test_json__refuses_nul_in_any_form(void **state)
{
    (void)state;
    assert_false(is_json("{}\0", 3));
    assert_false(is_json("\0{}", 3));
    assert_false(is_json("{\"a\":\"b\0c\"}", 11));
    assert_false(is_json("\"\\u0000\"", 8));
    assert_false(is_json("{\"a\\u0000b\":1}", 14));
    assert_true(is_json("\"\\\\u0000\"", 9));
}

static void test_json__reads_no_further_than_told(void **state)
{
    (void)state;
    assert_true(is_json("{}garbage", 2));
    assert_true(is_json("12345", 2));
    assert_false(is_json("\"abc\"", 4));
    assert_false(is_json("true", 3));
    assert_false(is_json("\"\\u0041\"", 6));
}

static void test_json__refuses_broken_utf8_and_lone_surrogates(void **state)
{
    static const char *const bad[] = {
        "\"\x80\"",
        "\"\xc3\"",
        "\"\xc3(\"",
        "\"\xc0\xaf\"",
        "\"\xc1\xbf\"",
        "\"\xe0\x80\xaf\"",
        "\"\xe0\x9f\xbf\"",
        "\"\xed\xa0\x80\"",
        "\"\xed\xbf\xbf\"",
        "\"\xe2\x82\"",
        "\"\xf0\x80\x80\xaf\"",
        "\"\xf0\x8f\xbf\xbf\"",
        "\"\xf4\x90\x80\x80\"",
        "\"\xf5\x80\x80\x80\"",
        "\"\xff\"",
        "\"\xf0\x9f\x98\"",
        "\"\\ud83d\"",
        "\"\\ude00\"",
        "\"\\ud83dx\"",
        "\"\\ud83d\\n\"",
        "\"\\ud83d\\ud83d\"",
        "\"\\ude00\\ud83d\"",
        "\"\\ud83d\\u0041\"",
    };
    static const char *const good[] = { "\"\xc2\x80\"",         "\"\xdf\xbf\"",        "\"\xe0\xa0\x80\"",
                                        "\"\xed\x9f\xbf\"",     "\"\xee\x80\x80\"",    "\"\xef\xbf\xbf\"",
                                        "\"\xf0\x90\x80\x80\"", "\"\xf4\x8f\xbf\xbf\"" };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(bad); i++) {
        if (is_json(bad[i], strlen(bad[i])))
            fail_msg("accepted bad row %zu", i);
    }
    for (i = 0; i < COUNT(good); i++) {
        if (!is_json(good[i], strlen(good[i])))
            fail_msg("refused good row %zu", i);
    }
}

static char *nested(const char *open, const char *close, int depth)
{
    dream_buffer text = DREAM_BUFFER_INIT;
    int i;

    for (i = 0; i < depth; i++)
        dream_buffer_text(&text, open);
    dream_buffer_text(&text, "1");
    for (i = 0; i < depth; i++)
        dream_buffer_text(&text, close);
    return dream_buffer_take(&text);
}

static void test_json__stops_at_the_depth_limit(void **state)
{
    static const struct {
        const char *open, *close;
        int depth;
        bool is_good;
    } cases[] = {
        { "[", "]", DREAM_JSON_MAX_DEPTH, true },
        { "[", "]", DREAM_JSON_MAX_DEPTH + 1, false },
        { "{\"a\":", "}", DREAM_JSON_MAX_DEPTH, true },
        { "{\"a\":", "}", DREAM_JSON_MAX_DEPTH + 1, false },
        { "[{\"a\":", "}]", DREAM_JSON_MAX_DEPTH / 2, true },
        { "[", "]", 200000, false },
    };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(cases); i++) {
        char *text = nested(cases[i].open, cases[i].close, cases[i].depth);

        assert_non_null(text);
        if (is_json(text, strlen(text)) != cases[i].is_good)
            fail_msg("row %zu", i);
        free(text);
    }
}

static void test_json__refuses_a_key_named_twice(void **state)
{
    static const char *const bad[] = {
        "{\"a\":1,\"a\":1}",       "{\"a\":1,\"b\":2,\"c\":3,\"a\":null}",
        "{\"a\":1,\"\\u0061\":2}", "[[{\"x\":{\"a\":1,\"a\":2}}]]",
        "{\"\":1,\"\":2}",
    };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(bad); i++) {
        if (is_json(bad[i], strlen(bad[i])))
            fail_msg("accepted %s", bad[i]);
    }
}

static void test_json__checks_many_keys_without_comparing_all_pairs(void **state)
{
    dream_buffer text = DREAM_BUFFER_INIT;
    int i;

    (void)state;
    dream_buffer_char(&text, '{');
    for (i = 0; i < 50000; i++)
        dream_buffer_printf(&text, "\"key-with-a-long-common-beginning-%d\":1,", i);
    dream_buffer_text(&text, "\"key-with-a-long-common-beginning-17\":1}");
    assert_false(is_json(text.data, text.size));
    text.data[text.size - 5] = 'x';
    assert_true(is_json(text.data, text.size));
    dream_buffer_clear(&text);
}

static void test_json__refuses_a_number_too_long_to_read(void **state)
{
    char text[80];

    (void)state;
    memset(text, '1', sizeof(text));
    assert_true(is_json(text, 63));
    assert_false(is_json(text, 64));
}

static void test_json_int__takes_whole_numbers_in_range_only(void **state)
{
    static const struct {
        const char *text;
        bool is_good;
        int64_t value;
    } cases[] = {
        { "0", true, 0 },
        { "-0", true, 0 },
        { "42", true, 42 },
        { "-42", true, -42 },
        { "1.0", true, 1 },
        { "1e3", true, 1000 },
        { "9007199254740991", true, DREAM_JSON_MAX_INT },
        { "-9007199254740991", true, -DREAM_JSON_MAX_INT },
        { "9007199254740992", false, 0 },
        { "-9007199254740992", false, 0 },
        { "9007199254740993", false, 0 },
        { "1e300", false, 0 },
        { "-1e999", false, 0 },
        { "1e999", false, 0 },
        { "0.5", false, 0 },
        { "-1.000001", false, 0 },
        { "\"1\"", false, 0 },
        { "true", false, 0 },
        { "null", false, 0 },
        { "[1]", false, 0 },
    };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(cases); i++) {
        char text[64];
        int64_t value = 77;
        cJSON *root;
        int size = snprintf(text, sizeof(text), "{\"n\":%s}", cases[i].text);

        root = dream_json_parse(text, (size_t)size, NULL);
        assert_non_null(root);
        if (dream_json_int(root, "n", &value) != cases[i].is_good || value != (cases[i].is_good ? cases[i].value : 77))
            fail_msg("%s read as %lld", cases[i].text, (long long)value);
        cJSON_Delete(root);
    }
}

static void test_json_readers__tell_absent_from_wrong_type(void **state)
{
    static const char text[] = "{\"s\":\"text\",\"e\":\"\",\"t\":true,\"f\":false,\"n\":null,\"i\":7,\"S\":\"upper\"}";
    cJSON *root = dream_json_parse(text, sizeof(text) - 1, NULL);
    int64_t value;

    (void)state;
    assert_non_null(root);
    assert_string_equal(dream_json_string(root, "s"), "text");
    assert_string_equal(dream_json_string(root, "S"), "upper");
    assert_string_equal(dream_json_string(root, "e"), "");
    assert_null(dream_json_string(root, "i"));
    assert_null(dream_json_string(root, "n"));
    assert_null(dream_json_string(root, "absent"));
    assert_true(dream_json_bool(root, "t", false));
    assert_false(dream_json_bool(root, "f", true));
    assert_true(dream_json_bool(root, "absent", true));
    assert_true(dream_json_bool(root, "i", true));
    assert_non_null(dream_json_get(root, "n"));
    assert_null(dream_json_get(root, "absent"));
    assert_false(dream_json_int(root, "absent", &value));
    cJSON_Delete(root);
}

static void test_json_readers__take_null_and_other_values(void **state)
{
    cJSON *array = dream_json_parse("[1]", 3, NULL);
    int64_t value;

    (void)state;
    assert_null(dream_json_get(NULL, "a"));
    assert_null(dream_json_get(array, "a"));
    assert_null(dream_json_string(NULL, "a"));
    assert_false(dream_json_int(NULL, "a", &value));
    assert_true(dream_json_bool(NULL, "a", true));
    cJSON_Delete(array);
}

static void test_json_writers__make_the_expected_text(void **state)
{
    cJSON *root = cJSON_CreateObject();
    char *text;

    (void)state;
    assert_true(dream_json_set_string(root, "s", "a\"b\n\xc3\xa9"));
    assert_true(dream_json_set_string(root, "none", NULL));
    assert_true(dream_json_set_int(root, "max", DREAM_JSON_MAX_INT));
    assert_true(dream_json_set_int(root, "time", INT64_C(1700000000123)));
    assert_true(dream_json_set_int(root, "negative", -5));
    assert_true(dream_json_set_bool(root, "t", true));
    assert_true(dream_json_set_bool(root, "f", false));
    assert_true(dream_json_set_null(root, "n"));
    assert_true(dream_json_set(root, "list", cJSON_CreateArray()));
    text = dream_json_print(root);
    assert_string_equal(text,
                        "{\"s\":\"a\\\"b\\n\xc3\xa9\",\"none\":null,\"max\":9007199254740991,\"time\":1700000000123,"
                        "\"negative\":-5,\"t\":true,\"f\":false,\"n\":null,\"list\":[]}");
    free(text);
    cJSON_Delete(root);
}

static void test_json_print__numbers_read_back_the_same(void **state)
{
    static const char *const numbers[] = {
        "0",      "-1",     "0.1",          "-2.5", "1000000000000000", "9007199254740991", "0.30000000000000004",
        "1e+300", "5e-324", "123456789.125"
    };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(numbers); i++) {
        cJSON *value = dream_json_parse(numbers[i], strlen(numbers[i]), NULL);
        char *text = dream_json_print(value);
        bool is_same = text != NULL && strtod(text, NULL) == strtod(numbers[i], NULL) && is_json(text, strlen(text));

        if (!is_same)
            fail_msg("%s became %s", numbers[i], text);
        free(text);
        cJSON_Delete(value);
    }
}

/* Strings are passed over by words of eight bytes. */
static void test_json__sees_a_special_byte_wherever_it_stands(void **state)
{
    static const struct {
        const char *text;
        bool is_good;
    } rows[] = {
        { "\\\"", true }, { "\\n", true },   { "\xc3\xa9", true }, { "\x7f", true },  { "!", true },
        { "\"", false },  { "\x1f", false }, { "\x01", false },    { "\x80", false }, { "\xff", false },
    };
    enum { PLACES = 18 };

    (void)state;
    for (size_t row = 0; row < COUNT(rows); row++) {
        for (int before = 0; before < PLACES; before++) {
            for (int after = 0; after < PLACES; after++) {
                char text[2 * PLACES + 8];
                int size = snprintf(text, sizeof(text), "\"%.*s%s%.*s\"", before, "~~~~~~~~~~~~~~~~~~~~",
                                    rows[row].text, after, "                    ");
                char *exact = malloc((size_t)size); /* nothing behind it is read */

                memcpy(exact, text, (size_t)size);
                if (is_json(exact, (size_t)size) != rows[row].is_good)
                    fail_msg("row %zu with %d before and %d after", row, before, after);
                free(exact);
            }
        }
    }
}

static void test_json_whole__is_a_tree_as_cjson_links_it(void **state)
{
    static const char text[] = " {\"a\\u0000\"";
    static const char *const texts[] = {
        "{\"first\":[1,-2,3.5,2147483648,999999999999999,1234567890123456,1e3],\"t\":true,\"f\":false,\"n\":null}",
        "[\"\\u0041\\u00e9\\u20ac\\ud83d\\ude00\\/\\b\\f\\n\\r\\t\\\\\\\"\",\"\",{\"\\u0062\":{}},[[],[ ]]]",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        bool out_of_memory;
        cJSON *value = dream_json_parse(texts[i], strlen(texts[i]), NULL);
        cJSON *whole = dream_json_parse_whole(texts[i], strlen(texts[i]), &out_of_memory);

        assert_true(cJSON_Compare(value, whole, true));
        assert_int_equal(cJSON_GetArraySize(whole), cJSON_GetArraySize(value));
        assert_ptr_equal(whole->child->prev, cJSON_GetArrayItem(whole, cJSON_GetArraySize(whole) - 1));
        assert_int_equal(
            cJSON_GetArrayItem(whole->child, 3) == NULL ? 0 : cJSON_GetArrayItem(whole->child, 3)->valueint,
            cJSON_GetArrayItem(value->child, 3) == NULL ? 0 : cJSON_GetArrayItem(value->child, 3)->valueint);
        cJSON_Delete(value);
        free(whole);
    }
    assert_false(is_json(text, sizeof(text) - 1));
}

static void test_json_print__escapes_what_must_be(void **state)
{
    static const char text[] =
        "{\"k\\n\":[\"\\u0001\\b\\t\\n\\u000b\\f\\r\\u001f\\\"\\\\/\x7f\xc3\xa9\",[],{},[{\"a\":null}]]}";
    cJSON *value = dream_json_parse(text, sizeof(text) - 1, NULL);
    char *printed = dream_json_print(value);

    (void)state;
    assert_string_equal(printed, text);
    free(printed);
    cJSON_Delete(value);
    value = cJSON_CreateNumber(1e308 * 10);
    printed = dream_json_print(value);
    assert_string_equal(printed, "null");
    free(printed);
    cJSON_Delete(value);
    assert_null(dream_json_print(NULL));
}

static void test_json_writers__replace_a_name_already_set(void **state)
{
    cJSON *root = cJSON_CreateObject();
    char *text;

    (void)state;
    assert_true(dream_json_set_int(root, "a", 1));
    assert_true(dream_json_set_int(root, "b", 2));
    assert_true(dream_json_set_string(root, "a", "new"));
    text = dream_json_print(root);
    assert_string_equal(text, "{\"b\":2,\"a\":\"new\"}");
    free(text);
    cJSON_Delete(root);
}

static void test_json_writers__report_a_missing_object(void **state)
{
    (void)state;
    assert_false(dream_json_set_string(NULL, "a", "b"));
    assert_false(dream_json_set_int(NULL, "a", 1));
    assert_false(dream_json_set_bool(NULL, "a", true));
    assert_false(dream_json_set_null(NULL, "a"));
    /* The value is taken also on failure: the leak checkers watch. */
    assert_false(dream_json_set(NULL, "a", cJSON_CreateObject()));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json__accepts_all_kinds_of_values),
        cmocka_unit_test(test_json__refuses_what_the_standard_does),
        cmocka_unit_test(test_json__refuses_nul_in_any_form),
        cmocka_unit_test(test_json__reads_no_further_than_told),
        cmocka_unit_test(test_json__refuses_broken_utf8_and_lone_surrogates),
        cmocka_unit_test(test_json__stops_at_the_depth_limit),
        cmocka_unit_test(test_json__refuses_a_key_named_twice),
        cmocka_unit_test(test_json__checks_many_keys_without_comparing_all_pairs),
        cmocka_unit_test(test_json__refuses_a_number_too_long_to_read),
        cmocka_unit_test(test_json_int__takes_whole_numbers_in_range_only),
        cmocka_unit_test(test_json_readers__tell_absent_from_wrong_type),
        cmocka_unit_test(test_json_readers__take_null_and_other_values),
        cmocka_unit_test(test_json_writers__make_the_expected_text),
        cmocka_unit_test(test_json_print__numbers_read_back_the_same),
        cmocka_unit_test(test_json__sees_a_special_byte_wherever_it_stands),
        cmocka_unit_test(test_json_whole__is_a_tree_as_cjson_links_it),
        cmocka_unit_test(test_json_print__escapes_what_must_be),
        cmocka_unit_test(test_json_writers__replace_a_name_already_set),
        cmocka_unit_test(test_json_writers__report_a_missing_object),
    };

    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
