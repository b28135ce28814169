/* SPDX-License-Identifier: Apache-2.0 */
/* test_assets.c - uploads through the whole service: what is refused, what is remembered, how much fits, and what is there when the
 * database fails in the middle. Headers and large bodies are tests/e2e/test_assets.py. */
#include "stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>

#include "service/store/assets.h"

#define SECRET "Authorization: Bearer " STAGE_SK
#define HELLO "{\"filename\":\"hello world.txt\",\"contentType\":\"text/plain\",\"data\":\"aGVsbG8gYXNzZXQ=\"}"

static int begin(void **state)
{
    (void)state;
    return stage_begin(NULL);
}

static int end(void **state)
{
    (void)state;
    return stage_end();
}

static void expect(stage_answer answer, int status, const char *part)
{
    if (answer.status != status || !strstr(answer.body, part))
        fail_msg("%d %s: not %d with %s", answer.status, answer.body, status, part);
}

static int file_count(void)
{
    char path[128];
    int count = 0;
    DIR *folder = NULL;
    const struct dirent *entry = NULL;

    (void)snprintf(path, sizeof path, "%s/assets/plt_1", stage_folder);
    folder = opendir(path);
    while (folder && (entry = readdir(folder)))
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    if (folder)
        closedir(folder);
    return count;
}

/* The "url" of an answer. */
static const char *url_of(stage_answer answer)
{
    static char url[512];
    const char *start = strstr(answer.body, "\"url\":\"");

    assert_non_null(start);
    (void)snprintf(url, sizeof url, "%s", start + 7);
    url[strcspn(url, "\"")] = '\0';
    return url;
}

static void test_assets__what_was_uploaded_is_given_out_to_anybody(void **state)
{
    stage_answer answer = stage_ask("POST", "/api/assets", SECRET, HELLO);

    (void)state;
    expect(answer, 200, "{\"key\":\"plt_1/");
    expect(answer, 200, "\"url\":\"/api/assets/plt_1/");
    expect(stage_ask("GET", url_of(answer), NULL, NULL), 200, "hello asset");
}

static void test_assets__what_is_no_file_is_refused(void **state)
{
    static const struct {
        const char *body;
        const char *error;
    } cases[] = {
        { "{bad", "{\"error\":\"Invalid JSON body\"}" },
        { "", "{\"error\":\"Missing filename or data\"}" },
        { "{\"filename\":\"a.png\"}", "{\"error\":\"Missing filename or data\"}" },
        { "{\"data\":\"aGk=\"}", "{\"error\":\"Missing filename or data\"}" },
        { "{\"filename\":\"\",\"data\":\"aGk=\"}", "Missing filename or data" },
        { "{\"filename\":7,\"data\":\"aGk=\"}", "filename must be a string" },
        { "{\"filename\":\"a\",\"data\":[]}", "data must be a string" },
        { "{\"filename\":\"a\",\"data\":\"***\"}", "Invalid data" },
        { "{\"filename\":\"a\",\"data\":\"aGk\"}", "Invalid data" },
        { "{\"filename\":\"a\",\"data\":\"aGk=aGk=\"}", "Invalid data" },
        { "{\"filename\":\"a\",\"data\":\"aGk=\",\"contentType\":\"png\"}", "contentType must be a media type" },
        { "{\"filename\":\"a\",\"data\":\"aGk=\",\"contentType\":\"a/b\\r\\nX: y\"}", "contentType must be" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect(stage_ask("POST", "/api/assets", SECRET, cases[i].body), 400, cases[i].error);
    expect(stage_ask("POST", "/api/assets", "X-Publishable-Key: " STAGE_PK, HELLO), 403, "secret key");
    expect(stage_ask("POST", "/api/assets", NULL, HELLO), 401, "Missing authentication");
    assert_int_equal(file_count(), 0);
}

static void test_assets__only_what_was_uploaded_can_be_had(void **state)
{
    static const char *const paths[] = {
        "/api/assets/none/x.png",
        "/api/assets/plt_1/x.png",
        "/api/assets/plt_1/",
        "/api/assets/plt_1",
        "/api/assets/",
        "/api/assets/..%2Fservice.db",
        "/api/assets/plt_1/..%2Fx",
        "/api/assets/..%2F..%2Fetc/x",
        "/api/assets/plt_1%2F..%2F../x",
        "/api/assets/plt_1/%2e%2e/%2e%2e/x",
        "/api/assets/plt_1/%00",
        "/api/assets/%zz/x",
    };

    (void)state;
    expect(stage_ask("POST", "/api/assets", SECRET, HELLO), 200, "url");
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        expect(stage_ask("GET", paths[i], NULL, NULL), 404, "Not found");
}

static void test_assets__an_upload_repeated_with_its_key_is_one_file(void **state)
{
    stage_answer first = stage_ask("POST", "/api/assets", SECRET "\nIdempotency-Key: k1", HELLO);
    stage_answer second = stage_ask("POST", "/api/assets", SECRET "\nIdempotency-Key: k1", HELLO);

    (void)state;
    assert_int_equal(first.status, 200);
    assert_string_equal(first.body, second.body);
    assert_int_equal(file_count(), 1);
    expect(stage_ask("POST", "/api/assets", SECRET, HELLO), 200, "url");
    assert_int_equal(file_count(), 2);
}

static dreamd_db_status fill_up(dreamd_db *db, void *arg)
{
    const dreamd_asset *asset = arg;
    bool is_kept = false;

    return dreamd_asset_insert(db, asset, 1, &is_kept);
}

static void test_assets__a_platform_fills_its_room_to_the_byte(void **state)
{
    dreamd_asset large = { "plt_1", "1-large", "a/b", DREAMD_ASSETS_MAX_BYTES - 11 };

    (void)state;
    assert_int_equal(dreamd_store_write_now(stage_store, fill_up, &large), DREAMD_DB_OK);
    expect(stage_ask("POST", "/api/assets", SECRET, HELLO), 200, "url"); /* 11 bytes */
    expect(stage_ask("POST", "/api/assets", SECRET, "{\"filename\":\"a\",\"data\":\"aA==\"}"), 507,
           "Asset storage is full");
    assert_int_equal(file_count(), 1);
    /* A row whose file is gone is no file. */
    expect(stage_ask("GET", "/api/assets/plt_1/1-large", NULL, NULL), 404, "Not found");
}

static dreamd_db_status fill_with_files(dreamd_db *db, void *arg)
{
    dreamd_db_status status = DREAMD_DB_OK;

    (void)arg;
    for (int i = 0; status == DREAMD_DB_OK && i < DREAMD_ASSETS_MAX_FILES; i++) {
        char name[32];

        (void)snprintf(name, sizeof name, "%d-x", i);
        status = dreamd_db_run(db,
                               "INSERT INTO assets (platform_id, name, content_type, size_bytes, created_at_ms) "
                               "VALUES ($1, $2, 'a/b', 1, 1)",
                               DREAMD_PARAMS(dreamd_text("plt_1"), dreamd_text(name)), NULL);
    }
    return status;
}

static void test_assets__a_platform_has_only_so_many_files(void **state)
{
    (void)state;
    assert_int_equal(dreamd_store_write_now(stage_store, fill_with_files, NULL), DREAMD_DB_OK);
    expect(stage_ask("POST", "/api/assets", SECRET, HELLO), 507, "10000 files");
    assert_int_equal(file_count(), 0);
}

static dreamd_db_status break_store(dreamd_db *db, void *arg)
{
    (void)arg;
    return dreamd_db_script(db, "CREATE TRIGGER broken BEFORE INSERT ON assets BEGIN SELECT RAISE(FAIL, 'no'); END;");
}

static void test_assets__a_file_whose_row_cannot_be_kept_is_taken_back(void **state)
{
    (void)state;
    assert_int_equal(dreamd_store_write_now(stage_store, break_store, NULL), DREAMD_DB_OK);
    assert_true(stage_ask("POST", "/api/assets", SECRET, HELLO).status >= 500);
    assert_int_equal(file_count(), 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        CASE(test_assets__what_was_uploaded_is_given_out_to_anybody),
        CASE(test_assets__what_is_no_file_is_refused),
        CASE(test_assets__only_what_was_uploaded_can_be_had),
        CASE(test_assets__an_upload_repeated_with_its_key_is_one_file),
        CASE(test_assets__a_platform_fills_its_room_to_the_byte),
        CASE(test_assets__a_platform_has_only_so_many_files),
        CASE(test_assets__a_file_whose_row_cannot_be_kept_is_taken_back),
    };

    return cmocka_run_group_tests_name("assets", tests, NULL, NULL);
}
