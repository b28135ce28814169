/* SPDX-License-Identifier: Apache-2.0 */
/* test_settings.c - variables into settings: which name counts, that modes do not mix, what is refused; and the master key,
 * from its variable and from its file. */
#include "service/settings.h"

#include <dirent.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* Names and values in turn, ended by NULL. */
static const char *get(void *context, const char *name)
{
    const char *const *pairs = context;
    for (; *pairs; pairs += 2) {
        if (strcmp(pairs[0], name) == 0)
            return pairs[1];
    }
    return NULL;
}

static bool read_settings(const char *const *pairs, dreamd_settings *out, char error[256])
{
    return dreamd_settings_read(out, get, (void *)(uintptr_t)pairs, error);
}

static void assert_text(const char *actual, const char *expected)
{
    if (!expected)
        assert_null(actual);
    else
        assert_string_equal(actual ? actual : "(none)", expected);
}

static void test_settings__has_defaults_and_no_keys_where_nothing_is_set(void **state)
{
    static const char *const none[] = { NULL };
    dreamd_settings settings;
    char error[256];
    (void)state;
    assert_true(read_settings(none, &settings, error));
    for (int mode = 0; mode < DREAMD_MODES; mode++) {
        assert_text(settings.clerk_platform[mode].api_base, "https://api.clerk.com");
        assert_text(settings.clerk_end_user[mode].api_base, "https://api.clerk.com");
        assert_text(settings.stripe[mode].api_base, "https://api.stripe.com");
        assert_null(settings.clerk_platform[mode].secret_key);
        assert_null(settings.clerk_end_user[mode].secret_key);
        assert_null(settings.stripe[mode].secret_key);
        assert_null(settings.stripe[mode].webhook_secret);
    }
    assert_text(settings.frontend_url, "http://localhost:5173");
    assert_null(settings.allowed_origins);
    assert_int_equal(settings.lease_ttl_ms, 60000);
    assert_int_equal(settings.lease_grace_ms, 30000);
    assert_int_equal(settings.lease_close_days, 7);
    dreamd_settings_clear(&settings);
}

static void test_settings__lets_particular_names_win_over_general_ones(void **state)
{
    static const char *const pairs[] = { "CLERK_SECRET_KEY",
                                         "sk_live_both",
                                         "ENDUSER_CLERK_SECRET_KEY",
                                         "sk_live_users",
                                         "CLERK_API_BASE",
                                         "http://127.0.0.1:1/",
                                         "PLATFORM_CLERK_API_BASE",
                                         "https://clerk.example.test/base//",
                                         "CLERK_WEBHOOK_SECRET",
                                         "whsec_both",
                                         "PLATFORM_CLERK_WEBHOOK_SECRET",
                                         "whsec_platform",
                                         NULL };
    dreamd_settings settings;
    char error[256];
    (void)state;
    assert_true(read_settings(pairs, &settings, error));
    assert_text(settings.clerk_platform[DREAMD_LIVE].secret_key, "sk_live_both");
    assert_text(settings.clerk_end_user[DREAMD_LIVE].secret_key, "sk_live_users");
    assert_text(settings.clerk_platform[DREAMD_LIVE].api_base, "https://clerk.example.test/base");
    assert_text(settings.clerk_end_user[DREAMD_LIVE].api_base, "http://127.0.0.1:1");
    assert_text(settings.clerk_platform[DREAMD_LIVE].webhook_secret, "whsec_platform");
    assert_text(settings.clerk_end_user[DREAMD_LIVE].webhook_secret, "whsec_both");
    dreamd_settings_clear(&settings);
}

static void test_settings__never_lends_a_live_secret_to_test_mode_but_does_lend_the_address(void **state)
{
    static const char *const pairs[] = { "CLERK_SECRET_KEY",
                                         "sk_live_c",
                                         "STRIPE_SECRET_KEY",
                                         "sk_live_s",
                                         "STRIPE_WEBHOOK_SECRET",
                                         "whsec_s",
                                         "STRIPE_API_BASE",
                                         "http://127.0.0.1:2",
                                         "CLERK_API_BASE_TEST",
                                         "http://127.0.0.1:3",
                                         NULL };
    dreamd_settings settings;
    char error[256];
    (void)state;
    assert_true(read_settings(pairs, &settings, error));
    assert_null(settings.clerk_end_user[DREAMD_TEST].secret_key);
    assert_null(settings.stripe[DREAMD_TEST].secret_key);
    assert_null(settings.stripe[DREAMD_TEST].webhook_secret);
    assert_text(settings.stripe[DREAMD_TEST].api_base, "http://127.0.0.1:2");
    assert_text(settings.clerk_end_user[DREAMD_TEST].api_base, "http://127.0.0.1:3");
    assert_text(settings.clerk_end_user[DREAMD_LIVE].api_base, "https://api.clerk.com");
    dreamd_settings_clear(&settings);
}

static void test_settings__keeps_assets_where_it_is_told(void **state)
{
    static const char *const named[] = { "ASSETS_DIR", "/srv/our files", NULL };
    static const char *const empty[] = { "ASSETS_DIR", "", NULL };
    dreamd_settings settings;
    char error[256];
    (void)state;
    assert_true(read_settings(named, &settings, error));
    assert_text(settings.assets_folder, "/srv/our files");
    dreamd_settings_clear(&settings);
    assert_true(read_settings(empty, &settings, error));
    assert_null(settings.assets_folder);
    dreamd_settings_clear(&settings);
}

static void test_settings__never_lends_a_test_secret_to_live_mode(void **state)
{
    static const char *const pairs[] = { "STRIPE_SECRET_KEY_TEST", "sk_test_s", "STRIPE_API_BASE_TEST",
                                         "http://127.0.0.1:4", NULL };
    dreamd_settings settings;
    char error[256];
    (void)state;
    assert_true(read_settings(pairs, &settings, error));
    assert_null(settings.stripe[DREAMD_LIVE].secret_key);
    assert_text(settings.stripe[DREAMD_TEST].secret_key, "sk_test_s");
    assert_text(settings.stripe[DREAMD_LIVE].api_base, "https://api.stripe.com");
    dreamd_settings_clear(&settings);
}

static void test_settings__takes_an_empty_variable_for_none(void **state)
{
    static const char *const pairs[] = {
        "STRIPE_SECRET_KEY", "", "STRIPE_API_BASE", "", "FRONTEND_URL", "", "ALLOWED_ORIGINS", "", NULL
    };
    dreamd_settings settings;
    char error[256];
    (void)state;
    assert_true(read_settings(pairs, &settings, error));
    assert_null(settings.stripe[DREAMD_LIVE].secret_key);
    assert_text(settings.stripe[DREAMD_LIVE].api_base, "https://api.stripe.com");
    assert_text(settings.frontend_url, "http://localhost:5173");
    assert_null(settings.allowed_origins);
    dreamd_settings_clear(&settings);
}

static void test_settings__normalises_the_list_of_origins(void **state)
{
    static const struct {
        const char *value;
        const char *expected;
    } rows[] = {
        { "https://a.test", "https://a.test" },
        { " https://a.test/ ,http://localhost:3000", "https://a.test,http://localhost:3000" },
        { "https://a.test,,", "https://a.test" },
        { "*", "*" },
    };
    dreamd_settings settings;
    char error[256];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *const pairs[] = { "ALLOWED_ORIGINS", rows[i].value, NULL };
        assert_true(read_settings(pairs, &settings, error));
        assert_text(settings.allowed_origins, rows[i].expected);
        dreamd_settings_clear(&settings);
    }
}

static void test_settings__names_the_variable_and_not_the_value_that_is_unusable(void **state)
{
    static const char *const rows[][2] = {
        { "STRIPE_API_BASE", "api.stripe.com" },
        { "STRIPE_API_BASE", "ftp://secretish" },
        { "STRIPE_API_BASE", "https://" },
        { "STRIPE_API_BASE", "https:///secretish" },
        { "STRIPE_API_BASE", "https://:80" },
        { "STRIPE_API_BASE_TEST", "https://user:secretish@host" },
        { "CLERK_API_BASE", "https://host/?secretish" },
        { "ENDUSER_CLERK_API_BASE", "https://host/#secretish" },
        { "PLATFORM_CLERK_API_BASE_TEST", "https://host secretish" },
        { "FRONTEND_URL", "secretish" },
        { "CLERK_SECRET_KEY", "sk_live_secretish " },
        { "STRIPE_SECRET_KEY", "sk_live_secretish\r\nX: y" },
        { "STRIPE_WEBHOOK_SECRET_TEST", "whsec\tsecretish" },
        { "ENDUSER_CLERK_WEBHOOK_SECRET", "whsec\xc3\xa4secretish" },
        { "ALLOWED_ORIGINS", "https://a.test,secretish" },
        { "ALLOWED_ORIGINS", "https://a.test/secretish" },
        { "ALLOWED_ORIGINS", "https://a.test https://secretish.test" },
        { "ALLOWED_ORIGINS", "," },
    };
    dreamd_settings settings;
    char error[256];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *const pairs[] = { rows[i][0], rows[i][1], NULL };
        assert_false(read_settings(pairs, &settings, error));
        assert_int_equal(strncmp(error, rows[i][0], strlen(rows[i][0])), 0);
        assert_int_equal(error[strlen(rows[i][0])], ' ');
        assert_null(strstr(error, "secretish"));
        assert_null(settings.frontend_url); /* nothing half-read is left */
    }
}

/* ---- the master key ---- */

struct folder {
    char path[64];
    char db[96];
    char key[112];
};

static void folder_make(struct folder *folder)
{
    strcpy(folder->path, "/tmp/test-settings-XXXXXX");
    assert_non_null(mkdtemp(folder->path));
    (void)snprintf(folder->db, sizeof folder->db, "%s/my.db", folder->path);
    (void)snprintf(folder->key, sizeof folder->key, "%s.key", folder->db);
}

static int folder_count(const struct folder *folder)
{
    int count = 0;
    DIR *handle = opendir(folder->path);
    assert_non_null(handle);
    while (readdir(handle))
        count++;
    (void)closedir(handle);
    return count - 2;
}

static void folder_remove(const struct folder *folder)
{
    (void)unlink(folder->key);
    assert_int_equal(rmdir(folder->path), 0);
}

static void write_key(const struct folder *folder, const char *text, mode_t mode)
{
    FILE *file = fopen(folder->key, "w");
    assert_non_null(file);
    (void)fputs(text, file);
    (void)fclose(file);
    assert_int_equal(chmod(folder->key, mode), 0);
}

static bool master_key(const char *const *pairs, const struct folder *folder, dreamd_settings *out, char error[256])
{
    *out = (dreamd_settings){ .frontend_url = NULL };
    return dreamd_settings_master_key(out, get, (void *)(uintptr_t)pairs, folder->db, error);
}

#define HEX16 "00112233445566778899aAbBcCdDeEfF"
static const char *const no_variables[] = { NULL };

static void test_settings__takes_the_master_key_from_its_variable_and_then_makes_no_file(void **state)
{
    static const char *const pairs[] = { "DREAMAPID_MASTER_KEY", HEX16 HEX16, NULL };
    struct folder folder;
    dreamd_settings settings;
    char error[256];
    (void)state;
    folder_make(&folder);
    assert_true(master_key(pairs, &folder, &settings, error));
    assert_int_equal(settings.master_key[1], 0x11);
    assert_int_equal(settings.master_key[31], 0xff);
    assert_int_equal(folder_count(&folder), 0);
    folder_remove(&folder);
}

static void test_settings__refuses_a_master_key_that_is_none(void **state)
{
    static const char *const values[] = { HEX16, HEX16 HEX16 "0", HEX16 "zz112233445566778899aabbccddeeff" };
    struct folder folder;
    dreamd_settings settings;
    char error[256];
    (void)state;
    folder_make(&folder);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        const char *const pairs[] = { "DREAMAPID_MASTER_KEY", values[i], NULL };
        assert_false(master_key(pairs, &folder, &settings, error));
        assert_string_equal(error, "DREAMAPID_MASTER_KEY must be 64 hexadecimal characters");
    }
    assert_int_equal(folder_count(&folder), 0);
    folder_remove(&folder);
}

static void test_settings__makes_a_private_key_file_once_and_reads_it_afterwards(void **state)
{
    struct folder folder;
    dreamd_settings first, second;
    struct stat facts;
    char error[256];
    (void)state;
    folder_make(&folder);
    assert_true(master_key(no_variables, &folder, &first, error));
    assert_int_equal(stat(folder.key, &facts), 0);
    assert_int_equal(facts.st_mode & 0777, 0600);
    assert_int_equal(facts.st_size, 65);
    assert_int_equal(facts.st_nlink, 1); /* the draft is gone */
    assert_int_equal(folder_count(&folder), 1);
    assert_true(master_key(no_variables, &folder, &second, error));
    assert_memory_equal(first.master_key, second.master_key, sizeof first.master_key);
    folder_remove(&folder);
}

static void test_settings__refuses_a_key_file_that_cannot_be_right(void **state)
{
    static const struct {
        const char *text;
        mode_t mode;
        const char *word; /* of the message */
    } rows[] = {
        { HEX16 HEX16 "\n", 0644, "chmod 600" },
        { HEX16 HEX16 "\n", 0620, "chmod 600" },
        { "", 0600, "64 hexadecimal" },
        { HEX16, 0600, "64 hexadecimal" },
        { HEX16 HEX16 "0", 0600, "64 hexadecimal" },
        { HEX16 HEX16 "\n\n", 0600, "64 hexadecimal" },
        { HEX16 "zz112233445566778899aabbccddeeff", 0600, "64 hexadecimal" },
    };
    dreamd_settings settings;
    char error[256];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct folder folder;
        folder_make(&folder);
        write_key(&folder, rows[i].text, rows[i].mode);
        assert_false(master_key(no_variables, &folder, &settings, error));
        assert_non_null(strstr(error, rows[i].word));
        folder_remove(&folder);
    }
}

static void test_settings__accepts_a_key_file_without_a_final_newline(void **state)
{
    struct folder folder;
    dreamd_settings settings;
    char error[256];
    (void)state;
    folder_make(&folder);
    write_key(&folder, HEX16 HEX16, 0400);
    assert_true(master_key(no_variables, &folder, &settings, error));
    assert_int_equal(settings.master_key[16], 0x00);
    folder_remove(&folder);
}

static void test_settings__says_why_the_key_file_cannot_be_made(void **state)
{
    static const struct folder nowhere = { "", "/nonexistent/my.db", "" };
    dreamd_settings settings;
    char error[256];
    (void)state;
    assert_false(master_key(no_variables, &nowhere, &settings, error));
    assert_string_equal(error, "Cannot make the master key file /nonexistent/my.db.key: No such file or directory");
}

struct racer {
    pthread_t thread;
    const struct folder *folder;
    pthread_barrier_t *barrier;
    dreamd_settings settings;
    bool is_read;
};

static void *race(void *arg)
{
    struct racer *racer = arg;
    char error[256];
    (void)pthread_barrier_wait(racer->barrier);
    racer->is_read = master_key(no_variables, racer->folder, &racer->settings, error);
    return NULL;
}

static void test_settings__agrees_on_one_key_when_several_make_it_at_once(void **state)
{
    enum { RACERS = 8 };
    struct racer racers[RACERS];
    struct folder folder;
    pthread_barrier_t barrier;
    (void)state;
    folder_make(&folder);
    assert_int_equal(pthread_barrier_init(&barrier, NULL, RACERS), 0);
    for (int i = 0; i < RACERS; i++) {
        racers[i].folder = &folder;
        racers[i].barrier = &barrier;
        assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
    }
    for (int i = 0; i < RACERS; i++)
        assert_int_equal(pthread_join(racers[i].thread, NULL), 0);
    for (int i = 0; i < RACERS; i++) {
        assert_true(racers[i].is_read);
        assert_memory_equal(racers[i].settings.master_key, racers[0].settings.master_key, 32);
    }
    assert_int_equal(folder_count(&folder), 1);
    (void)pthread_barrier_destroy(&barrier);
    folder_remove(&folder);
}

static void test_settings__takes_numbers_within_their_bounds_only(void **state)
{
    static const struct {
        const char *name, *value;
        bool is_good;
    } cases[] = {
        { "DREAMAPID_LEASE_TTL_MS", "1000", true },
        { "DREAMAPID_LEASE_TTL_MS", "3600000", true },
        { "DREAMAPID_LEASE_TTL_MS", "999", false },
        { "DREAMAPID_LEASE_TTL_MS", "3600001", false },
        { "DREAMAPID_LEASE_TTL_MS", "1e4", false },
        { "DREAMAPID_LEASE_TTL_MS", " 5000", false },
        { "DREAMAPID_LEASE_GRACE_MS", "0", true },
        { "DREAMAPID_LEASE_GRACE_MS", "-1", false },
        { "DREAMAPID_LEASE_GRACE_MS", "3600001", false },
        { "DREAMAPID_LEASE_CLOSE_DAYS", "0", true },
        { "DREAMAPID_LEASE_CLOSE_DAYS", "3651", false },
        { "DREAMAPID_LEASE_CLOSE_DAYS", "99999999999999999999", false },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *const pairs[] = { cases[i].name, cases[i].value, NULL };
        dreamd_settings settings;
        char error[256];
        if (read_settings(pairs, &settings, error) != cases[i].is_good)
            fail_msg("%s=%s", cases[i].name, cases[i].value);
        if (!cases[i].is_good)
            assert_non_null(strstr(error, cases[i].name));
        dreamd_settings_clear(&settings);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settings__has_defaults_and_no_keys_where_nothing_is_set),
        cmocka_unit_test(test_settings__lets_particular_names_win_over_general_ones),
        cmocka_unit_test(test_settings__never_lends_a_live_secret_to_test_mode_but_does_lend_the_address),
        cmocka_unit_test(test_settings__keeps_assets_where_it_is_told),
        cmocka_unit_test(test_settings__never_lends_a_test_secret_to_live_mode),
        cmocka_unit_test(test_settings__takes_an_empty_variable_for_none),
        cmocka_unit_test(test_settings__normalises_the_list_of_origins),
        cmocka_unit_test(test_settings__names_the_variable_and_not_the_value_that_is_unusable),
        cmocka_unit_test(test_settings__takes_numbers_within_their_bounds_only),
        cmocka_unit_test(test_settings__takes_the_master_key_from_its_variable_and_then_makes_no_file),
        cmocka_unit_test(test_settings__refuses_a_master_key_that_is_none),
        cmocka_unit_test(test_settings__makes_a_private_key_file_once_and_reads_it_afterwards),
        cmocka_unit_test(test_settings__refuses_a_key_file_that_cannot_be_right),
        cmocka_unit_test(test_settings__accepts_a_key_file_without_a_final_newline),
        cmocka_unit_test(test_settings__says_why_the_key_file_cannot_be_made),
        cmocka_unit_test(test_settings__agrees_on_one_key_when_several_make_it_at_once),
    };
    return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}
