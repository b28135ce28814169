/* SPDX-License-Identifier: Apache-2.0 */
/* test_asset_files.c - files appear whole, under names that lead nowhere else, and nothing half-written stays. */
#include "service/asset_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { WAIT_S = 20 };

static char base[64];
static char folder[96];
static dreamd_asset_files *files;

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int count;
    dreamd_asset_status last;
    bool is_blocking; /* the next callback waits until this is false */
} heard = { .mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static void hear(void *context, dreamd_asset_status status)
{
    (void)context;
    pthread_mutex_lock(&heard.mutex);
    heard.count++;
    heard.last = status;
    pthread_cond_broadcast(&heard.changed);
    while (heard.is_blocking && status != DREAMD_ASSET_BUSY)
        pthread_cond_wait(&heard.changed, &heard.mutex);
    pthread_mutex_unlock(&heard.mutex);
}

static void wait_heard(int count)
{
    struct timespec until;
    int status = 0;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_S;
    pthread_mutex_lock(&heard.mutex);
    while (heard.count < count && status == 0)
        status = pthread_cond_timedwait(&heard.changed, &heard.mutex, &until);
    pthread_mutex_unlock(&heard.mutex);
    assert_int_equal(status, 0);
}

static dreamd_asset_job job_of(const char *platform_id, const char *name, const char *data)
{
    return (dreamd_asset_job){
        .platform_id = platform_id,
        .name = name,
        .data = data,
        .size = strlen(data),
        .now_ms = 1700,
        .fn = hear,
    };
}

static dreamd_asset_status write_now(dreamd_asset_job *job)
{
    int before = heard.count;

    dreamd_asset_write(files, job);
    wait_heard(before + 1);
    return heard.last;
}

static void open_files(void)
{
    char error[256] = "";

    files = dreamd_asset_files_open(folder, error);
    if (!files)
        fail_msg("%s", error);
}

static int begin(void **state)
{
    (void)state;
    (void)snprintf(base, sizeof base, "/tmp/test-assets-XXXXXX");
    if (!mkdtemp(base))
        return -1;
    (void)snprintf(folder, sizeof folder, "%s/assets", base);
    heard.count = 0;
    heard.is_blocking = false;
    open_files();
    return 0;
}

static int remove_entry(const char *path, const struct stat *facts, int kind, struct FTW *place)
{
    (void)facts;
    (void)kind;
    (void)place;
    return remove(path);
}

static int end(void **state)
{
    (void)state;
    dreamd_asset_files_close(files);
    files = NULL;
    return nftw(base, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void test_asset_files__a_file_can_be_read_once_it_was_heard_of(void **state)
{
    dreamd_asset_job job = job_of("plt_1", "a.txt", "hello");
    char text[16] = "";
    int fd = -1;

    (void)state;
    assert_int_equal(write_now(&job), DREAMD_ASSET_WRITTEN);
    assert_string_equal(job.out_name, "1700-a.txt");
    fd = dreamd_asset_open(files, "plt_1", "1700-a.txt", 5);
    assert_true(fd >= 0);
    assert_int_equal(read(fd, text, sizeof text), 5);
    assert_string_equal(text, "hello");
    close(fd);
    assert_int_equal(dreamd_asset_open(files, "plt_1", "1700-a.txt", 4), -1); /* not the file that was kept */
    assert_int_equal(dreamd_asset_open(files, "plt_2", "1700-a.txt", 5), -1);
}

static void test_asset_files__the_same_name_in_the_same_moment_makes_two_files(void **state)
{
    dreamd_asset_job first = job_of("plt_1", "a.txt", "one");
    dreamd_asset_job second = job_of("plt_1", "a.txt", "three");

    (void)state;
    assert_int_equal(write_now(&first), DREAMD_ASSET_WRITTEN);
    assert_int_equal(write_now(&second), DREAMD_ASSET_WRITTEN);
    assert_string_equal(second.out_name, "1701-a.txt");
    dreamd_asset_remove(files, "plt_1", first.out_name);
    assert_int_equal(dreamd_asset_open(files, "plt_1", first.out_name, 3), -1);
    close(dreamd_asset_open(files, "plt_1", second.out_name, 5));
}

static void test_asset_files__names_become_harmless(void **state)
{
    static const struct {
        const char *name;
        const char *clean;
    } cases[] = {
        { "hello world.txt", "hello_world.txt" },
        { "../../etc/p\xc3\xa4sswd", ".._.._etc_p_sswd" },
        { "a\\b:c\n\t%", "a_b_c___" },
        { "\xf0\x9f\x98\x80", "__" },
        { "..", ".." }, /* harmless behind a time */
        { "A-z_0.9", "A-z_0.9" },
    };
    char out[DREAMD_ASSET_NAME_SIZE];
    char longest[DREAMD_ASSET_MAX_NAME + 2];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_true(dreamd_asset_clean_name(cases[i].name, out));
        assert_string_equal(out, cases[i].clean);
    }
    memset(longest, 'a', sizeof longest);
    longest[DREAMD_ASSET_MAX_NAME + 1] = '\0';
    assert_false(dreamd_asset_clean_name(longest, out));
    longest[DREAMD_ASSET_MAX_NAME] = '\0';
    assert_true(dreamd_asset_clean_name(longest, out));
    assert_false(dreamd_asset_clean_name("", out));
    assert_false(dreamd_asset_clean_name("\x80\x80", out));
}

static void test_asset_files__no_name_leads_out_of_the_folder(void **state)
{
    static const char *const names[] = { "",  ".",   "..",           "../secret", "/etc/passwd", "a/b",
                                         "%", ".up", "../../secret", "link",      "folder" };
    dreamd_asset_job bad = job_of("../x", "a.txt", "hello");
    char path[128];
    int fd = -1;

    (void)state;
    (void)snprintf(path, sizeof path, "%s/secret", base);
    fd = open(path, O_CREAT | O_WRONLY, 0600);
    assert_int_equal(write(fd, "hello", 5), 5);
    close(fd);
    (void)snprintf(path, sizeof path, "%s/plt_1", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    (void)snprintf(path, sizeof path, "%s/plt_1/folder", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    (void)snprintf(path, sizeof path, "%s/plt_1/link", folder);
    assert_int_equal(symlink("../../secret", path), 0);
    (void)snprintf(path, sizeof path, "%s/plt_link", folder);
    assert_int_equal(symlink("..", path), 0);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_int_equal(dreamd_asset_open(files, "plt_1", names[i], 5), -1);
        assert_int_equal(dreamd_asset_open(files, names[i], "secret", 5), -1);
        dreamd_asset_remove(files, "plt_1", names[i]);
    }
    assert_int_equal(dreamd_asset_open(files, "plt_link", "secret", 5), -1);
    dreamd_asset_remove(files, "..", "secret");
    assert_int_equal(write_now(&bad), DREAMD_ASSET_FAILED);
    (void)snprintf(path, sizeof path, "%s/secret", base);
    assert_int_equal(access(path, R_OK), 0);
}

static void test_asset_files__broken_off_uploads_are_removed_when_they_are_old(void **state)
{
    static const struct timespec long_ago[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
    dreamd_asset_job job = job_of("plt_1", "a.txt", "hello");
    char old[160];
    char young[160];

    (void)state;
    assert_int_equal(write_now(&job), DREAMD_ASSET_WRITTEN);
    (void)snprintf(old, sizeof old, "%s/plt_1/.upload-old", folder);
    (void)snprintf(young, sizeof young, "%s/plt_1/.upload-young", folder);
    close(open(old, O_CREAT | O_WRONLY, 0600));
    close(open(young, O_CREAT | O_WRONLY, 0600));
    assert_int_equal(utimensat(AT_FDCWD, old, long_ago, 0), 0);
    dreamd_asset_files_close(files);
    open_files();
    assert_int_equal(access(old, F_OK), -1);
    assert_int_equal(access(young, F_OK), 0);
    close(dreamd_asset_open(files, "plt_1", job.out_name, 5));
}

static void test_asset_files__a_full_queue_says_so_and_is_finished_at_the_end(void **state)
{
    static dreamd_asset_job jobs[64];
    int taken = 0;

    (void)state;
    heard.is_blocking = true;
    jobs[0] = job_of("plt_1", "first", "x");
    dreamd_asset_write(files, &jobs[0]);
    wait_heard(1); /* the thread stands still in the callback now */
    for (taken = 1; taken < 64; taken++) {
        jobs[taken] = job_of("plt_1", "more", "x");
        dreamd_asset_write(files, &jobs[taken]);
        if (heard.count > 1)
            break;
    }
    assert_true(taken > 1 && taken < 64);
    assert_int_equal(heard.last, DREAMD_ASSET_BUSY);
    pthread_mutex_lock(&heard.mutex);
    heard.is_blocking = false;
    pthread_cond_broadcast(&heard.changed);
    pthread_mutex_unlock(&heard.mutex);
    dreamd_asset_files_close(files);
    files = NULL;
    assert_int_equal(heard.count, taken + 1);
    assert_int_equal(heard.last, DREAMD_ASSET_WRITTEN);
}

static void test_asset_files__a_folder_that_cannot_be_made_is_named(void **state)
{
    char error[256] = "";

    (void)state;
    assert_null(dreamd_asset_files_open("/proc/nowhere/assets", error));
    assert_non_null(strstr(error, "/proc/nowhere/assets"));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        CASE(test_asset_files__a_file_can_be_read_once_it_was_heard_of),
        CASE(test_asset_files__the_same_name_in_the_same_moment_makes_two_files),
        CASE(test_asset_files__names_become_harmless),
        CASE(test_asset_files__no_name_leads_out_of_the_folder),
        CASE(test_asset_files__broken_off_uploads_are_removed_when_they_are_old),
        CASE(test_asset_files__a_full_queue_says_so_and_is_finished_at_the_end),
        CASE(test_asset_files__a_folder_that_cannot_be_made_is_named),
    };

    return cmocka_run_group_tests_name("asset_files", tests, NULL, NULL);
}
