/* SPDX-License-Identifier: Apache-2.0 */
/* test_log.c - lines of log.h: whole, on one line, and not forgeable by what they quote. */
#include "net/log.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/json.h"

static const int64_t noon_ms = INT64_C(1767268800000); /* 2026-01-01T12:00:00Z */

static char *format(bool is_plain, const char *event, const dreamd_log_field *fields, unsigned count)
{
    static char line[DREAMD_LOG_LINE_MAX + 1];
    size_t size = dreamd_log_format(line, is_plain, noon_ms, DREAMD_LOG_WARN, event, fields, count);
    assert_true(size > 0 && size <= DREAMD_LOG_LINE_MAX);
    assert_int_equal(line[size - 1], '\n');
    line[size] = '\0';
    assert_int_equal(strlen(line), size);
    assert_ptr_equal(strchr(line, '\n'), line + size - 1);
    return line;
}

static void test_format__json_line(void **state)
{
    const dreamd_log_field fields[] = { dreamd_log_text("path", "/a"), dreamd_log_int("status", -200),
                                        dreamd_log_text("none", NULL) };
    (void)state;
    assert_string_equal(
        format(false, "request", fields, 3),
        "{\"time\":\"2026-01-01T12:00:00.000Z\",\"level\":\"warn\",\"event\":\"request\",\"path\":\"/a\","
        "\"status\":-200,\"none\":\"\"}\n");
}

static void test_format__plain_line(void **state)
{
    const dreamd_log_field fields[] = { dreamd_log_text("path", "/a"), dreamd_log_text("error", "two words"),
                                        dreamd_log_int("status", 200), dreamd_log_text("forged", "x=1") };
    (void)state;
    assert_string_equal(format(true, "request", fields, 4),
                        "12:00:00.000 warn  request path=/a error=\"two words\" status=200 forged=\"x=1\"\n");
}

static void test_format__escapes_what_breaks_a_line(void **state)
{
    static const struct {
        const char *text, *json;
    } rows[] = {
        { "a\"b", "a\\\"b" },
        { "a\\b", "a\\\\b" },
        { "a\nb\r\tc", "a\\u000ab\\u000d\\u0009c" },
        { "\x1b[31m", "\\u001b[31m" },
        { "\x7f", "\\u007f" },
        { "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80" },
        { "\xc2\x9b"
          "31m",
          "\\u009b31m" },      /* a C1 control, in UTF-8 */
        { "\xc3", "\\ufffd" }, /* cut short */
        { "\xc3(", "\\ufffd(" },
        { "\xc0\xaf", "\\ufffd\\ufffd" }, /* overlong */
        { "\xe0\x80\xaf", "\\ufffd\\ufffd\\ufffd" },
        { "\xed\xa0\x80", "\\ufffd\\ufffd\\ufffd" }, /* a surrogate */
        { "\xf4\x90\x80\x80", "\\ufffd\\ufffd\\ufffd\\ufffd" },
        { "\xff\xfe", "\\ufffd\\ufffd" },
    };
    char wanted[128];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const dreamd_log_field field = dreamd_log_text("x", rows[i].text);
        (void)snprintf(wanted, sizeof wanted, ",\"x\":\"%s\"}\n", rows[i].json);
        char *line = format(false, "e", &field, 1);
        if (!strstr(line, wanted))
            fail_msg("row %zu: %s", i, line);
        (void)snprintf(wanted, sizeof wanted, "x=\"%s\"\n", rows[i].json);
        line = format(true, "e", &field, 1);
        if (strchr(rows[i].text, '[') == NULL && !strstr(line, wanted))
            fail_msg("row %zu: %s", i, line);
    }
}

static void test_format__every_byte_gives_valid_json(void **state)
{
    (void)state;
    for (int first = 1; first < 256; first++) {
        char text[] = { (char)first, (char)0xa9, '"', '\0' };
        const dreamd_log_field field = dreamd_log_text("x", text);
        char *line = format(false, text, &field, 1);
        cJSON *value = dream_json_parse(line, strlen(line), NULL);
        if (!value)
            fail_msg("byte %d: %s", first, line);
        cJSON_Delete(value);
    }
}

static void test_format__cuts_a_long_text_and_drops_what_does_not_fit(void **state)
{
    static const char *const names[] = { "a", "b", "c", "d", "e", "f" };
    static const char fills[] = { 'a', '"', '\x01', '\xff' }; /* one, two, six and six bytes each when escaped */
    static char text[100000];
    dreamd_log_field fields[7];
    (void)state;
    for (size_t fill = 0; fill < sizeof fills; fill++) {
        memset(text, fills[fill], sizeof text - 1);
        for (int i = 0; i < 6; i++)
            fields[i] = dreamd_log_text(names[i], text);
        fields[6] = dreamd_log_int("last", 1);
        char *line = format(false, text, fields, 7);
        cJSON *value = dream_json_parse(line, strlen(line), NULL);
        assert_non_null(value);
        assert_int_equal(dream_json_get(value, "last")->valueint, 1); /* a short one still fits behind */
        assert_non_null(strstr(line, "..."));
        cJSON_Delete(value);
        assert_non_null(strstr(format(true, text, fields, 7), " last=1\n"));
    }
}

/* Writes through `write` with stderr turned into a pipe and returns what came out. */
static char *captured(void (*write_lines)(void))
{
    static char out[2 * DREAMD_LOG_LINE_MAX];
    int pipe_ends[2];
    int before = dup(STDERR_FILENO);
    assert_true(before >= 0);
    assert_int_equal(pipe(pipe_ends), 0);
    assert_true(dup2(pipe_ends[1], STDERR_FILENO) >= 0);
    write_lines();
    assert_true(dup2(before, STDERR_FILENO) >= 0);
    (void)close(pipe_ends[1]);
    (void)close(before);
    ssize_t size = read(pipe_ends[0], out, sizeof out - 1);
    (void)close(pipe_ends[0]);
    assert_true(size >= 0);
    out[size] = '\0';
    return out;
}

static void write_each_level(void)
{
    dreamd_log(DREAMD_LOG_DEBUG, "quiet", dreamd_log_int("n", 1));
    dreamd_log(DREAMD_LOG_INFO, "usual", dreamd_log_int("n", 2));
    dreamd_log_set_level(DREAMD_LOG_ERROR);
    dreamd_log(DREAMD_LOG_WARN, "hidden", dreamd_log_int("n", 3));
    dreamd_log(DREAMD_LOG_ERROR, "grave", dreamd_log_int("n", 4));
    dreamd_log_set_level(DREAMD_LOG_DEBUG);
    dreamd_log(DREAMD_LOG_DEBUG, "chatty", dreamd_log_int("n", 5));
    dreamd_log_set_level(DREAMD_LOG_INFO);
}

static void test_write__keeps_to_the_level(void **state)
{
    (void)state;
    const char *out = captured(write_each_level);
    assert_null(strstr(out, "quiet"));
    assert_null(strstr(out, "hidden"));
    assert_non_null(strstr(out, "\"level\":\"info\",\"event\":\"usual\",\"n\":2}\n"));
    assert_non_null(strstr(out, "\"level\":\"error\",\"event\":\"grave\",\"n\":4}\n"));
    assert_non_null(strstr(out, "\"level\":\"debug\",\"event\":\"chatty\",\"n\":5}\n"));
}

static void test_write__survives_a_closed_stderr(void **state)
{
    int before = dup(STDERR_FILENO);
    (void)state;
    assert_true(before >= 0);
    (void)close(STDERR_FILENO);
    dreamd_log(DREAMD_LOG_ERROR, "nobody", dreamd_log_text("reads", "this"));
    assert_true(dup2(before, STDERR_FILENO) >= 0);
    (void)close(before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_format__json_line),
        cmocka_unit_test(test_format__plain_line),
        cmocka_unit_test(test_format__escapes_what_breaks_a_line),
        cmocka_unit_test(test_format__every_byte_gives_valid_json),
        cmocka_unit_test(test_format__cuts_a_long_text_and_drops_what_does_not_fit),
        cmocka_unit_test(test_write__keeps_to_the_level),
        cmocka_unit_test(test_write__survives_a_closed_stderr),
    };
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
