/* SPDX-License-Identifier: Apache-2.0 */
/* test_journal.c - the file: made, opened again after every kind of end, refused when it is not what it should be, shared and grown. */
#include "lib/meter/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/crypto.h"
#include "lib/meter/accounts.h"
#include "lib/meter/direct.h"
#include "lib/meter/journal_recover.h"
#include "lib/meter/lease.h"
#include "support/refusing.h"

enum { SOON_S = 60, FIRST_BYTES = 64 * 1024, SMALL_MAP = 4 * 1024 * 1024, NOBODY = 65534 };
#define SECOND INT64_C(1000000000)
static const int64_t start_ns = 1000 * SECOND;

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            (void)fprintf(stderr, "child: %s\n", #condition);                                                          \
            _exit(1);                                                                                                  \
        }                                                                                                              \
    } while (0)

typedef struct scene {
    dream_settings settings;
    dreamapi_error error;
    char folder[64];
    char path[96];
    char other[96];
} scene;

typedef struct opened {
    dream_journal *journal;
    dream_accounts accounts;
} opened;

/* A path that begins so cannot, as without a free descriptor or after a chroot. NULL: each can. */
static const char *hidden;

int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);

int __wrap_open64(const char *path, int flags, ...)
{
    va_list rest;
    mode_t mode;

    va_start(rest, flags);
    mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    if (hidden != NULL && strncmp(path, hidden, strlen(hidden)) == 0) {
        errno = EMFILE;
        return -1;
    }
    return __real_open64(path, flags, mode);
}

static int fill(void *data, void *out, size_t size)
{
    (void)data;
    return dream_random(out, size) ? 0 : -1;
}

static int64_t now_ms(void *data)
{
    (void)data;
    return start_ns / 1000000;
}

static int set_up(void **state)
{
    scene *s = calloc(1, sizeof(*s));
    const char *base = getenv("TMPDIR");

    s->settings.base_url.text = (char *)"https://api.example.test";
    s->settings.random = fill;
    s->settings.clock.monotonic_ms = now_ms;
    s->settings.clock.wall_ms = now_ms;
    (void)snprintf(s->folder, sizeof(s->folder), "%.40s/journal-XXXXXX", base == NULL ? "/tmp" : base);
    assert_non_null(mkdtemp(s->folder));
    (void)snprintf(s->path, sizeof(s->path), "%s/a", s->folder);
    (void)snprintf(s->other, sizeof(s->other), "%s/b", s->folder);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    scene *s = *state;

    hidden = NULL;
    (void)unlink(s->path);
    (void)unlink(s->other);
    (void)rmdir(s->path);
    assert_int_equal(rmdir(s->folder), 0);
    free(s);
    return 0;
}

static opened open_path(scene *s, const char *path)
{
    opened o = { 0 };
    dreamapi_status status = dream_journal_open(path, &s->settings, &o.journal, &s->error);

    if (status != DREAMAPI_OK)
        fail_msg("%s", s->error.message);
    assert_true(dream_accounts_init(&o.accounts, o.journal));
    return o;
}

static opened open_it(scene *s)
{
    return open_path(s, s->path);
}

static void close_it(opened *o)
{
    dream_accounts_clear(&o->accounts);
    dream_journal_close(o->journal);
    o->journal = NULL;
}

static void expect_refused(scene *s, const char *path, const char *why)
{
    dream_journal *journal;
    dreamapi_status status = dream_journal_open(path, &s->settings, &journal, &s->error);

    assert_int_equal(status, DREAMAPI_JOURNAL);
    assert_null(journal);
    if (strstr(s->error.message, why) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", s->error.message, why);
}

static dream_account *account_of(const opened *o, const char *user)
{
    dream_account *account;

    if (dream_accounts_get((dream_accounts *)&o->accounts, user, "default", &account) != DREAMAPI_OK)
        return NULL;
    return account;
}

/* The account's current lease, with `spent` of 100 units. */
static dream_lease *make_lease(const opened *o, dream_account *account, uint32_t spent)
{
    dream_grant grant = {
        .granted = 100, .ends_at_ns = start_ns + 60 * SECOND, .granted_at_ns = start_ns, .limit = 1000
    };
    dream_lease *lease = NULL;
    dream_line line;

    if (!dream_journal_lock(o->journal))
        return NULL;
    line = dream_journal_take(o->journal, DREAM_TAG_LEASE, sizeof(*lease));
    if (line != 0) {
        lease = dream_journal_at(o->journal, line);
        lease->account = dream_journal_line(o->journal, account);
        lease->lease_id[0] = 7;
        atomic_store(&lease->state, DREAM_LEASE_PENDING);
        dream_lease_install(lease, &grant, account);
        atomic_store(&account->current, line);
        if (spent > 0 && dream_lease_spend(o->journal, lease, &lease->main, spent, start_ns) != DREAM_SLOW_SPENT)
            lease = NULL;
    }
    dream_journal_unlock(o->journal);
    return lease;
}

static size_t count_kind(const opened *o, dream_tag kind)
{
    size_t count = 0;

    for (dream_line line = 0; (line = dream_journal_next(o->journal, line)) != 0;)
        count += dream_tag_kind(*(const uint32_t *)dream_journal_at(o->journal, line)) == kind;
    return count;
}

static dream_lease *only_lease(const opened *o)
{
    dream_lease *lease = NULL;

    assert_int_equal(count_kind(o, DREAM_TAG_LEASE), 1);
    for (dream_line line = 0; (line = dream_journal_next(o->journal, line)) != 0;) {
        if (dream_tag_kind(*(const uint32_t *)dream_journal_at(o->journal, line)) == DREAM_TAG_LEASE)
            lease = dream_journal_at(o->journal, line);
    }
    return lease;
}

static void expect_settled_as(const opened *o, uint32_t admitted, bool is_unproven)
{
    dream_lease *lease = only_lease(o);

    assert_int_equal(atomic_load(&lease->state), DREAM_LEASE_SEALED);
    assert_int_equal(dream_lease_admitted(o->journal, lease), admitted);
    assert_int_equal((lease->flags & DREAM_LEASE_IS_UNPROVEN) != 0, is_unproven);
    assert_true((lease->flags & DREAM_LEASE_IS_OLD) != 0);
    assert_int_equal(dream_share_spend(&lease->main, 1, start_ns), DREAM_SPENT_SLOW);
}

/* Runs `function` in a child that must end by the signal, or with 0 if that is 0. */
static void in_child(void (*function)(scene *s), scene *s, int end_signal)
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        (void)alarm(SOON_S);
        function(s);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (end_signal != 0 ? !WIFSIGNALED(status) || WTERMSIG(status) != end_signal
                        : !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("the child ended with %d", status);
}

static opened open_in_child(scene *s)
{
    opened o = { 0 };

    CHECK(dream_journal_open(s->path, &s->settings, &o.journal, &s->error) == DREAMAPI_OK);
    CHECK(dream_accounts_init(&o.accounts, o.journal));
    return o;
}

static void spend_and_be_killed(scene *s)
{
    opened o = open_in_child(s);

    CHECK(make_lease(&o, account_of(&o, "user_1"), 7) != NULL);
    (void)kill(getpid(), SIGKILL);
}

static void spend_and_vanish(scene *s)
{
    opened o = open_in_child(s);

    CHECK(make_lease(&o, account_of(&o, "user_1"), 7) != NULL);
    _exit(0);
}

/* ---- edits to the file ---- */

static unsigned char *map_file(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    void *base = mmap(NULL, FIRST_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    assert_true(fd >= 0);
    assert_true(base != MAP_FAILED);
    (void)close(fd);
    return base;
}

static uint32_t crc_of(const unsigned char *at, size_t size)
{
    uint32_t crc = 0xFFFFFFFFu;

    for (size_t i = 0; i < size; i++) {
        crc ^= at[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
    }
    return ~crc;
}

static void change_boot(dream_journal_header *header)
{
    dream_identity *identity = &header->identities[atomic_load(&header->identity)];

    identity->boot[0] ^= 1;
    identity->crc = crc_of((unsigned char *)identity + 4, sizeof(*identity) - 4);
}

static void with_header(scene *s, void (*change)(dream_journal_header *header))
{
    unsigned char *base = map_file(s->path);

    change((dream_journal_header *)(void *)base);
    (void)munmap(base, FIRST_BYTES);
}

static void write_file(const char *path, const void *bytes, size_t size, size_t total)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, size, 0), size);
    assert_int_equal(ftruncate(fd, (off_t)total), 0);
    (void)close(fd);
}

static void copy_file(const char *from, const char *to)
{
    unsigned char *bytes = map_file(from);

    write_file(to, bytes, FIRST_BYTES, FIRST_BYTES);
    (void)munmap(bytes, FIRST_BYTES);
}

/* ---- making and opening again ---- */

static void test_journal__a_new_one_is_empty_and_private(void **state)
{
    scene *s = *state;
    opened o = open_it(s);
    struct stat info;

    assert_int_equal(stat(s->path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(info.st_size, FIRST_BYTES);
    assert_int_equal(dream_journal_next(o.journal, 0), 0);
    assert_int_equal(strlen(dream_journal_identity(o.journal)->holder), 36);
    assert_true(dream_journal_is_last(o.journal));
    close_it(&o);
}

static void test_journal__an_anonymous_one_leaves_nothing_behind(void **state)
{
    scene *s = *state;
    opened o = open_path(s, NULL);

    assert_non_null(make_lease(&o, account_of(&o, "user_1"), 7));
    close_it(&o);
    o = open_path(s, NULL);
    assert_int_equal(dream_journal_next(o.journal, 0), 0);
    close_it(&o);
}

static void test_journal__after_a_clean_close_leases_are_settled_as_proven(void **state)
{
    scene *s = *state;
    opened o = open_it(s);
    char holder[40];

    (void)memcpy(holder, dream_journal_identity(o.journal)->holder, sizeof(holder));
    assert_non_null(make_lease(&o, account_of(&o, "user_1"), 7));
    close_it(&o);
    o = open_it(s);
    expect_settled_as(&o, 7, false);
    assert_string_equal(dream_journal_identity(o.journal)->holder, holder);
    assert_int_equal(atomic_load(&dream_journal_header_of(o.journal)->is_clean), 0);
    assert_int_equal(atomic_load(&account_of(&o, "user_1")->current), 0);
    assert_int_equal(count_kind(&o, DREAM_TAG_ACCOUNT), 1);
    close_it(&o);
}

static void test_journal__after_a_kill_the_count_is_exact_and_proven(void **state)
{
    scene *s = *state;
    opened o;

    in_child(spend_and_be_killed, s, SIGKILL);
    o = open_it(s);
    expect_settled_as(&o, 7, false);
    close_it(&o);
}

static void test_journal__an_exit_without_a_close_is_like_a_kill(void **state)
{
    scene *s = *state;
    opened o;

    in_child(spend_and_vanish, s, 0);
    o = open_it(s);
    expect_settled_as(&o, 7, false);
    close_it(&o);
}

static void reserve_and_be_killed(scene *s)
{
    opened o = open_in_child(s);
    dream_lease *lease = make_lease(&o, account_of(&o, "user_1"), 7);
    dream_line open, ended;

    CHECK(lease != NULL && dream_journal_lock(o.journal));
    CHECK(dream_lease_reserve(o.journal, lease, 10, INT64_MAX, start_ns, &open) == DREAM_SLOW_SPENT);
    CHECK(dream_lease_reserve(o.journal, lease, 10, INT64_MAX, start_ns, &ended) == DREAM_SLOW_SPENT);
    CHECK(dream_lease_fan_out(o.journal, lease));
    CHECK(dream_reservation_end(o.journal, dream_journal_at(o.journal, ended), 5));
    (void)kill(getpid(), SIGKILL);
}

static void test_journal__a_killed_owners_reservation_bills_nothing(void **state)
{
    scene *s = *state;
    opened o;

    in_child(reserve_and_be_killed, s, SIGKILL);
    o = open_it(s);
    expect_settled_as(&o, 12, false);
    assert_true(dream_journal_lock(o.journal));
    assert_true(dream_lease_is_final(o.journal, only_lease(&o), start_ns));
    dream_lease_free(o.journal, only_lease(&o));
    dream_journal_unlock(o.journal);
    close_it(&o);
}

static void test_journal__after_a_reboot_leases_are_settled_as_unproven(void **state)
{
    scene *s = *state;
    opened o;

    in_child(spend_and_be_killed, s, SIGKILL);
    with_header(s, change_boot);
    o = open_it(s);
    expect_settled_as(&o, 7, true);
    close_it(&o);
    o = open_it(s); /* and stays so */
    expect_settled_as(&o, 7, true);
    close_it(&o);
}

static void test_journal__a_reboot_after_a_clean_close_leaves_no_doubt(void **state)
{
    scene *s = *state;
    opened o = open_it(s);

    assert_non_null(make_lease(&o, account_of(&o, "user_1"), 7));
    close_it(&o);
    with_header(s, change_boot);
    o = open_it(s);
    expect_settled_as(&o, 7, false);
    close_it(&o);
}

static void test_journal__without_a_boot_id_no_boot_is_the_same(void **state)
{
    scene *s = *state;
    opened o;

    hidden = "/proc/sys/kernel/random/boot_id";
    in_child(spend_and_be_killed, s, SIGKILL);
    o = open_it(s);
    expect_settled_as(&o, 7, true);
    close_it(&o);
    assert_int_equal(unlink(s->path), 0);
    o = open_it(s);
    assert_non_null(make_lease(&o, account_of(&o, "user_1"), 7));
    close_it(&o);
    o = open_it(s); /* a clean close leaves no doubt, whatever happened since */
    expect_settled_as(&o, 7, false);
    close_it(&o);
}

/* What somebody who waits to open or to close the file finds when a closing process lets go of its memory. Locks as in docs/journal.md. */
static struct {
    const char *path; /* NULL: nobody waits */
    bool was_let_in, found_a_user;
} waiter;

static bool takes_lock(int fd, off_t byte)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };

    return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

/* Calls of the journal's (tests/unit/lib/meson.build), and what a test does in the middle of them. */
static void (*in_msync)(void);
static void (*in_munmap)(void);
static void (*after_close)(void);
static size_t most_mapped = SIZE_MAX; /* stands in for RLIMIT_AS, which AddressSanitizer could not live with */

int __real_munmap(void *at, size_t size);
int __wrap_munmap(void *at, size_t size);
int __real_msync(void *at, size_t size, int flags);
int __wrap_msync(void *at, size_t size, int flags);
int __real_close(int fd);
int __wrap_close(int fd);
void *__real_mmap64(void *at, size_t size, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap64(void *at, size_t size, int protection, int flags, int fd, off_t offset);

int __wrap_msync(void *at, size_t size, int flags)
{
    if (in_msync != NULL)
        in_msync();
    return __real_msync(at, size, flags);
}

int __wrap_close(int fd)
{
    int result = __real_close(fd);

    if (after_close != NULL)
        after_close();
    return result;
}

void *__wrap_mmap64(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    if (size > most_mapped) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    return __real_mmap64(at, size, protection, flags, fd, offset);
}

int __wrap_munmap(void *at, size_t size)
{
    if (in_munmap != NULL)
        in_munmap();
    if (waiter.path != NULL) {
        int fd = open(waiter.path, O_RDWR | O_CLOEXEC);

        waiter.was_let_in = fd >= 0 && takes_lock(fd, 8);
        waiter.found_a_user = waiter.was_let_in && !takes_lock(fd, 9);
        (void)close(fd);
    }
    return __real_munmap(at, size);
}

static void test_journal__who_waits_for_a_close_to_end_does_not_find_its_process_among_the_users(void **state)
{
    scene *s = *state;
    opened o = open_it(s);

    waiter.path = s->path;
    close_it(&o);
    waiter.path = NULL;
    assert_true(waiter.was_let_in);
    assert_false(waiter.found_a_user);
}

/* ---- debts, direct records, damage ---- */

static dream_direct *direct_of(const opened *o, const char *user)
{
    dream_account *account = account_of(o, user);
    dream_line line = account == NULL ? 0 : atomic_load(&account->direct);

    return line == 0 ? NULL : dream_journal_at(o->journal, line);
}

static void owe_and_be_killed(scene *s)
{
    opened o = open_in_child(s);
    dream_account *account = account_of(&o, "user_1");

    CHECK(dream_journal_lock(o.journal));
    CHECK(dream_direct_of(o.journal, account) != NULL);
    atomic_store(&account->debt, UINT64_C(3) << 32 | 5);
    (void)kill(getpid(), SIGKILL);
}

static void test_journal__a_debt_outlives_a_kill_and_is_doubtful_after_a_reboot(void **state)
{
    scene *s = *state;
    opened o;

    in_child(owe_and_be_killed, s, SIGKILL);
    o = open_it(s);
    assert_int_equal(dream_account_owed(account_of(&o, "user_1")), 5);
    assert_int_equal(dream_direct_unconfirmed(direct_of(&o, "user_1")), 0);
    close_it(&o);
    in_child(owe_and_be_killed, s, SIGKILL);
    with_header(s, change_boot);
    for (int i = 0; i < 2; i++) {
        o = open_it(s);
        assert_int_equal(dream_account_owed(account_of(&o, "user_1")), 0);
        assert_int_equal(dream_direct_unconfirmed(direct_of(&o, "user_1")), 5);
        close_it(&o);
    }
}

/* A lease paid the account's debt of 5 units, and lies before it in the file. The account's page is older, and shows another debt. */
static uint64_t shown;
static void pay_and_be_killed(scene *s)
{
    opened o = open_in_child(s);
    dream_lease *lease = make_lease(&o, account_of(&o, "user_0"), 0);
    dream_account *account = account_of(&o, "user_1");

    CHECK(lease != NULL && dream_journal_lock(o.journal));
    dream_lease_free(o.journal, lease);
    CHECK(dream_direct_of(o.journal, account) != NULL);
    dream_journal_unlock(o.journal);
    atomic_store(&account->debt, 5);
    CHECK(make_lease(&o, account, 0) == lease);
    CHECK(lease->debt_paid == 5 && dream_account_owed(account) == 0);
    atomic_store(&account->debt, shown);
    (void)kill(getpid(), SIGKILL);
}

static void test_journal__what_an_older_page_says_of_a_debt_is_doubtful(void **state)
{
    scene *s = *state;

    for (shown = 0; shown <= 6; shown += 3) {
        opened o;
        in_child(pay_and_be_killed, s, SIGKILL);
        with_header(s, change_boot);
        o = open_it(s);
        expect_settled_as(&o, 5, true);
        assert_int_equal(dream_account_owed(account_of(&o, "user_1")), 0);
        assert_int_equal(dream_direct_unconfirmed(direct_of(&o, "user_1")), shown);
        close_it(&o);
        assert_int_equal(unlink(s->path), 0);
    }
}

/* Recovery found 3 units in a report that nobody knows the end of, and was killed after so many of its stores. */
static int stores;
static void give_up_and_be_killed(scene *s)
{
    opened o = open_in_child(s);
    dream_account *account = account_of(&o, "user_1");
    dream_direct *direct;

    CHECK(dream_journal_lock(o.journal));
    CHECK((direct = dream_direct_of(o.journal, account)) != NULL);
    dream_direct_set(direct, 2, 3);
    atomic_store(&account->debt, 4);
    if (stores > 0) {
        direct->next_units = 2 + 4;
        direct->next_doubtful = 3;
        direct->debt_taken = 4;
        direct->is_changing = 1;
    }
    if (stores > 1)
        dream_direct_set(direct, 2 + 4, 0);
    if (stores > 2)
        atomic_store(&direct->doubtful, 3);
    if (stores > 3)
        atomic_store(&account->debt, UINT64_C(1) << 32);
    (void)kill(getpid(), SIGKILL);
}

static void test_journal__a_change_that_a_kill_cut_short_doubles_nothing(void **state)
{
    scene *s = *state;

    for (stores = 0; stores <= 4; stores++) {
        opened o;
        (void)unlink(s->path);
        in_child(give_up_and_be_killed, s, SIGKILL);
        o = open_it(s);
        assert_int_equal(atomic_load(&direct_of(&o, "user_1")->doubtful), 3);
        assert_int_equal(dream_direct_reporting(direct_of(&o, "user_1")), 0);
        assert_int_equal(dream_direct_waiting(direct_of(&o, "user_1")) + dream_account_owed(account_of(&o, "user_1")),
                         6);
        close_it(&o);
    }
}

static void test_journal__a_lease_that_says_what_cannot_be_is_given_up_and_counted(void **state)
{
    scene *s = *state;
    opened o = open_it(s);

    atomic_store(&make_lease(&o, account_of(&o, "user_1"), 7)->state, 9);
    make_lease(&o, account_of(&o, "user_2"), 7)->account = DREAM_JOURNAL_FIRST - 1;
    close_it(&o);
    o = open_it(s);
    assert_int_equal(count_kind(&o, DREAM_TAG_LEASE), 0);
    assert_int_equal(atomic_load(&dream_journal_header_of(o.journal)->leases_damaged), 2);
    close_it(&o);
}

/* ---- copies and other servers ---- */

static void test_journal__a_copy_gets_a_holder_of_its_own_and_settles_as_unproven(void **state)
{
    scene *s = *state;
    opened o = open_it(s);
    opened copy;

    assert_non_null(make_lease(&o, account_of(&o, "user_1"), 7));
    copy_file(s->path, s->other);
    copy = open_path(s, s->other);
    expect_settled_as(&copy, 7, true);
    assert_string_not_equal(dream_journal_identity(copy.journal)->holder, dream_journal_identity(o.journal)->holder);
    assert_int_equal(atomic_load(&only_lease(&o)->state), DREAM_LEASE_ACTIVE);
    close_it(&copy);
    close_it(&o);
}

static void test_journal__a_copy_forgets_wishes_that_are_the_originals(void **state)
{
    scene *s = *state;
    opened o = open_it(s);
    opened copy;

    atomic_store(&make_lease(&o, account_of(&o, "user_1"), 7)->state, DREAM_LEASE_PENDING);
    copy_file(s->path, s->other);
    copy = open_path(s, s->other);
    assert_int_equal(count_kind(&copy, DREAM_TAG_LEASE), 0);
    close_it(&copy);
    close_it(&o);
}

static void test_journal__one_with_debts_is_refused_for_another_server(void **state)
{
    scene *s = *state;
    opened o = open_it(s);

    assert_non_null(make_lease(&o, account_of(&o, "user_1"), 7));
    close_it(&o);
    s->settings.base_url.text = (char *)"https://elsewhere.example.test";
    expect_refused(s, s->path, "another server");
    s->settings.base_url.text = (char *)"https://api.example.test";
    o = open_it(s);
    expect_settled_as(&o, 7, false);
    close_it(&o);
}

static void test_journal__one_without_debts_may_move_to_another_server(void **state)
{
    scene *s = *state;
    opened o = open_it(s);

    assert_non_null(account_of(&o, "user_1"));
    close_it(&o);
    s->settings.base_url.text = (char *)"https://elsewhere.example.test";
    o = open_it(s);
    close_it(&o);
}

static void test_journal__one_in_use_is_refused_for_another_server(void **state)
{
    scene *s = *state;
    opened o = open_it(s);

    s->settings.base_url.text = (char *)"https://elsewhere.example.test";
    expect_refused(s, s->path, "in use for another server");
    close_it(&o);
}

/* ---- what is no journal ---- */

static void make_newer(dream_journal_header *header)
{
    header->version++;
}

static void make_older(dream_journal_header *header)
{
    header->version--;
}

static void break_identity(dream_journal_header *header)
{
    header->identities[atomic_load(&header->identity)].holder[3] ^= 1;
}

static void use_too_much(dream_journal_header *header)
{
    atomic_store(&header->used, FIRST_BYTES / DREAM_LINE + 1);
}

static void allocate_too_much(dream_journal_header *header)
{
    atomic_store(&header->allocated, FIRST_BYTES + 1);
}

static void change_lines(dream_journal_header *header)
{
    header->line_size = 128;
}

static void break_record(dream_journal_header *header)
{
    *(uint32_t *)(void *)((unsigned char *)header + (size_t)DREAM_JOURNAL_FIRST * DREAM_LINE) = 0;
}

static void test_journal__a_header_that_is_wrong_is_refused_and_kept(void **state)
{
    static const struct {
        void (*change)(dream_journal_header *header);
        const char *why;
    } rows[] = {
        { make_newer, "newer version" }, { make_older, "older version" },    { break_identity, "damaged" },
        { use_too_much, "damaged" },     { allocate_too_much, "truncated" }, { change_lines, "damaged" },
        { break_record, "damaged" },
    };
    scene *s = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        unsigned char before[FIRST_BYTES];
        unsigned char *base;
        in_child(spend_and_be_killed, s, SIGKILL);
        with_header(s, rows[i].change);
        base = map_file(s->path);
        (void)memcpy(before, base, sizeof(before));
        expect_refused(s, s->path, rows[i].why);
        assert_memory_equal(before, base, sizeof(before));
        (void)munmap(base, FIRST_BYTES);
        assert_int_equal(unlink(s->path), 0);
    }
}

/* Whoever opens the file next would join a process that did not take it over. */
static void test_journal__who_was_refused_is_not_among_the_users(void **state)
{
    scene *s = *state;

    in_child(spend_and_be_killed, s, SIGKILL);
    with_header(s, break_record);
    waiter.path = s->path;
    expect_refused(s, s->path, "damaged");
    waiter.path = NULL;
    assert_true(waiter.was_let_in);
    assert_false(waiter.found_a_user);
}

static void test_journal__a_truncated_one_is_refused(void **state)
{
    scene *s = *state;
    opened o = open_it(s);
    char user[32];

    for (int i = 0; i < 2000; i++) {
        (void)snprintf(user, sizeof(user), "user_%d", i);
        assert_non_null(account_of(&o, user));
    }
    close_it(&o);
    assert_int_equal(truncate(s->path, FIRST_BYTES * 2), 0);
    expect_refused(s, s->path, "truncated");
    assert_int_equal(truncate(s->path, FIRST_BYTES), 0);
    expect_refused(s, s->path, "truncated");
    assert_int_equal(truncate(s->path, 100), 0);
    expect_refused(s, s->path, "no journal");
}

static void test_journal__a_foreign_file_is_refused_and_kept(void **state)
{
    static const char text[] = "root:x:0:0:root:/root:/bin/sh\n";
    static const char film[] = "\0\0\0\x18"
                               "ftypmp42";
    static const char image[] = "\0\0\0\0\0\0\0\0\0\0\0\0 a disk's image";
    static const struct {
        const char *bytes;
        size_t size, total;
    } rows[] = {
        { text, sizeof(text), sizeof(text) },
        { text, sizeof(text), FIRST_BYTES },
        { text, sizeof(text), FIRST_BYTES * 20 },
        { film, sizeof(film), sizeof(film) },
        { film, sizeof(film), FIRST_BYTES },
        { film, sizeof(film), FIRST_BYTES * 20 },
        { image, sizeof(image), FIRST_BYTES * 20 },
        { image, sizeof(image), FIRST_BYTES / 2 },
        { "\0\1", 2, 2 },
        { "\0", 1, FIRST_BYTES + 1 },
    };
    scene *s = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char after[64] = "";
        int fd;
        write_file(s->path, rows[i].bytes, rows[i].size, rows[i].total);
        expect_refused(s, s->path, "no journal");
        fd = open(s->path, O_RDONLY | O_CLOEXEC);
        assert_int_equal(pread(fd, after, rows[i].size, 0), rows[i].size);
        assert_memory_equal(after, rows[i].bytes, rows[i].size);
        (void)close(fd);
        assert_int_equal(unlink(s->path), 0);
    }
}

/* Somebody was killed while taking the room, or between that and writing the first words; or the disk had room for a part only, which ext2
 * leaves there. */
static void test_journal__one_whose_making_was_cut_short_is_made_anew(void **state)
{
    static const struct {
        const char *bytes;
        size_t size, total;
    } rows[] = { { "", 0, 0 },
                 { "\0\0\0\0\0\0\0\0\1", 9, FIRST_BYTES },
                 { "", 0, 1 },
                 { "", 0, FIRST_BYTES / 2 + 7168 },
                 { "", 0, FIRST_BYTES } };
    scene *s = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        opened o;
        write_file(s->path, rows[i].bytes, rows[i].size, rows[i].total);
        for (int turn = 0; turn < 2; turn++) {
            o = open_it(s);
            assert_non_null(account_of(&o, "user_1"));
            close_it(&o);
        }
        assert_int_equal(unlink(s->path), 0);
    }
}

static void test_journal__what_is_no_plain_file_is_refused(void **state)
{
    scene *s = *state;

    expect_refused(s, s->folder, "cannot be opened");
    expect_refused(s, "/dev/null", "no plain file");
    assert_int_equal(mkfifo(s->path, 0600), 0);
    expect_refused(s, s->path, "no plain file");
    expect_refused(s, "/nowhere/at/all", "cannot be opened");
    expect_refused(s, "", "cannot be opened");
}

static void open_without_rights(scene *s)
{
    dream_journal *journal;

    if (geteuid() == 0)
        CHECK(setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
    CHECK(dream_journal_open(s->path, &s->settings, &journal, &s->error) == DREAMAPI_JOURNAL);
    CHECK(strstr(s->error.message, "cannot be opened") != NULL);
    CHECK(dream_journal_open(s->other, &s->settings, &journal, &s->error) == DREAMAPI_JOURNAL);
}

static void test_journal__a_folder_or_file_without_the_right_to_write_is_refused(void **state)
{
    scene *s = *state;

    write_file(s->other, "", 0, 0);
    assert_int_equal(chmod(s->other, 0444), 0);
    assert_int_equal(chmod(s->folder, 0555), 0);
    in_child(open_without_rights, s, 0);
    assert_int_equal(chmod(s->folder, 0700), 0);
}

/* ---- a full disk ---- */

static void limit_files(rlim_t bytes)
{
    struct rlimit limit = { bytes, bytes };

    (void)signal(SIGXFSZ, SIG_IGN);
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

static void create_on_a_full_disk(scene *s)
{
    dream_journal *journal;

    limit_files(FIRST_BYTES / 2);
    CHECK(dream_journal_open(s->path, &s->settings, &journal, &s->error) == DREAMAPI_JOURNAL);
    CHECK(strstr(s->error.message, "no room") != NULL);
}

static void grow_on_a_full_disk(scene *s)
{
    opened o = open_in_child(s);
    dream_lease *lease = make_lease(&o, account_of(&o, "user_1"), 7);
    char user[32];
    int count = 0;

    limit_files(FIRST_BYTES);
    do
        (void)snprintf(user, sizeof(user), "other_%d", ++count);
    while (count < 100000 && account_of(&o, user) != NULL);
    CHECK(count > 100 && count < 1000);
    CHECK(make_lease(&o, account_of(&o, "user_1"), 0) == NULL);
    /* What is there works on. */
    CHECK(dream_share_spend(&lease->main, 1, start_ns) == DREAM_SPENT);
    CHECK(account_of(&o, "other_1") != NULL);
    close_it(&o);
}

static void test_journal__a_full_disk_makes_none(void **state)
{
    scene *s = *state;
    opened o;

    in_child(create_on_a_full_disk, s, 0);
    o = open_it(s);
    close_it(&o);
}

static void test_journal__a_full_disk_refuses_records_and_spares_those_there(void **state)
{
    scene *s = *state;
    opened o;
    char user[32];

    in_child(grow_on_a_full_disk, s, 0);
    o = open_it(s);
    expect_settled_as(&o, 8, false);
    for (int i = 0; i < 2000; i++) {
        (void)snprintf(user, sizeof(user), "later_%d", i);
        assert_non_null(account_of(&o, user));
    }
    close_it(&o);
}

/* ---- sharing ---- */

static void test_journal__two_openers_see_each_others_accounts_and_leases(void **state)
{
    scene *s = *state;
    opened a = open_it(s);
    opened b = open_it(s);
    dream_account *of_a = account_of(&a, "user_1");
    dream_account *of_b;
    dream_lease *lease;

    assert_false(dream_journal_is_last(a.journal));
    assert_non_null(make_lease(&a, of_a, 7));
    of_b = account_of(&b, "user_1");
    assert_ptr_not_equal(of_a, of_b);
    assert_int_equal(dream_journal_line(a.journal, of_a), dream_journal_line(b.journal, of_b));
    lease = dream_journal_at(b.journal, atomic_load(&of_b->current));
    assert_int_equal(dream_share_spend(&lease->main, 3, start_ns), DREAM_SPENT);
    assert_int_equal(dream_lease_admitted(a.journal, only_lease(&a)), 10);
    assert_int_equal(dream_journal_line(a.journal, account_of(&a, "user_2")),
                     dream_journal_line(b.journal, account_of(&b, "user_2")));
    assert_int_equal(count_kind(&b, DREAM_TAG_ACCOUNT), 2);
    close_it(&a);
    /* Whoever goes first seals nothing. */
    assert_int_equal(dream_share_spend(&lease->main, 1, start_ns), DREAM_SPENT);
    assert_true(dream_journal_is_last(b.journal));
    close_it(&b);
}

static void test_journal__one_of_the_openers_leads_until_it_closes(void **state)
{
    scene *s = *state;
    opened a = open_it(s);
    opened b = open_it(s);

    assert_true(dream_journal_lead(a.journal));
    assert_true(dream_journal_lead(a.journal));
    assert_false(dream_journal_lead(b.journal));
    close_it(&a);
    assert_true(dream_journal_lead(b.journal));
    close_it(&b);
}

static void lock_and_be_killed(scene *s)
{
    opened o = open_in_child(s);

    CHECK(dream_journal_lead(o.journal));
    CHECK(dream_journal_lock(o.journal));
    (void)kill(getpid(), SIGKILL);
}

static void test_journal__a_killed_process_lets_go_of_its_locks(void **state)
{
    scene *s = *state;
    opened o = open_it(s);

    in_child(lock_and_be_killed, s, SIGKILL);
    (void)alarm(SOON_S);
    assert_true(dream_journal_lock(o.journal));
    dream_journal_unlock(o.journal);
    (void)alarm(0);
    assert_true(dream_journal_lead(o.journal));
    assert_true(dream_journal_is_last(o.journal));
    close_it(&o);
}

/* A living process, stopped, with a reservation of a lease that is over. */
static pid_t start_an_owner(scene *s)
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        opened o = open_in_child(s);
        dream_lease *lease = make_lease(&o, account_of(&o, "user_1"), 7);
        dream_line line;

        CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
        CHECK(lease != NULL && dream_journal_lock(o.journal));
        CHECK(dream_lease_reserve(o.journal, lease, 10, INT64_MAX, start_ns, &line) == DREAM_SLOW_SPENT);
        dream_lease_seal(o.journal, lease);
        dream_journal_unlock(o.journal);
        (void)raise(SIGSTOP);
    }
    assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
    assert_true(WIFSTOPPED(status));
    return pid;
}

static void end_owner(pid_t pid)
{
    siginfo_t info;

    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
}

/* That of the only lease's reservation. */
static bool is_owner_dead(const opened *o)
{
    bool is_final;

    assert_true(dream_journal_lock(o->journal));
    is_final = dream_lease_is_final(o->journal, only_lease(o), start_ns);
    dream_journal_unlock(o->journal);
    return is_final;
}

static void test_journal__a_living_process_is_not_dead(void **state)
{
    scene *s = *state;
    opened o = open_it(s);
    pid_t pid = start_an_owner(s);
    const dream_share *reservation = dream_journal_at(o.journal, atomic_load(&only_lease(&o)->reservations));

    /* An emulator tells a forked child its parent's start, and others the true one. */
    if (reservation->owner_start != o.journal->process_start)
        assert_false(is_owner_dead(&o));
    end_owner(pid);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_true(is_owner_dead(&o));
    close_it(&o);
}

static void test_journal__a_process_that_cannot_be_looked_at_is_dead_only_if_there_is_none(void **state)
{
    scene *s = *state;
    opened o = open_it(s);
    pid_t pid = start_an_owner(s);

    hidden = "/proc/";
    assert_false(is_owner_dead(&o));
    assert_false(dream_process_is_dead(o.journal, (uint32_t)getpid(), o.journal->process_start));
    end_owner(pid);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_true(is_owner_dead(&o));
    close_it(&o);
}

static void test_journal__its_own_process_is_never_dead(void **state)
{
    scene *s = *state;
    opened o = open_it(s);

    o.journal->process_start +=
        1 << 16; /* as after a restore from a checkpoint, with another start than it once read */
    assert_false(dream_process_is_dead(o.journal, (uint32_t)getpid(), o.journal->process_start));
    close_it(&o);
}

static void test_journal__a_process_that_ended_is_dead_before_anybody_waits_for_it(void **state)
{
    scene *s = *state;
    opened o = open_it(s);
    pid_t pid = start_an_owner(s);

    end_owner(pid);
    assert_true(is_owner_dead(&o));
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    close_it(&o);
}

/* The units of a commit are in the lease's count, and still in the reservation's. */
static void fold_and_be_killed(scene *s)
{
    opened o = open_in_child(s);
    dream_lease *lease = make_lease(&o, account_of(&o, "user_1"), 7);
    uint64_t word;
    dream_line line;

    CHECK(lease != NULL && dream_journal_lock(o.journal));
    CHECK(dream_lease_reserve(o.journal, lease, 10, INT64_MAX, start_ns, &line) == DREAM_SLOW_SPENT);
    atomic_store(&((dream_share *)dream_journal_at(o.journal, line))->word, DREAM_SEALED | 5);
    word = atomic_load(&lease->main.word);
    atomic_store(&lease->fold_from, word);
    lease->fold_share = line;
    atomic_store(&lease->main.word, dream_word_next_generation(word) + 5);
    (void)kill(getpid(), SIGKILL);
}

/* The process that is left has too little memory to mend at its first try. */
static void lock_at_the_second_try(const opened *o, const scene *s)
{
    bool is_locked;
    int fd;

    refusing_begin(0);
    is_locked = dream_journal_lock(o->journal);
    assert_true(refusing_end());
    if (is_locked)
        dream_journal_unlock(o->journal);
    assert_false(is_locked);
    fd = open(s->path, O_RDWR | O_CLOEXEC);
    assert_true(takes_lock(fd, 10)); /* others may have more */
    (void)close(fd);
    assert_true(dream_journal_lock(o->journal));
    dream_journal_unlock(o->journal);
}

static void test_journal__what_there_is_no_memory_to_mend_is_mended_later(void **state)
{
    scene *s = *state;
    opened o = open_it(s);

    in_child(fold_and_be_killed, s, SIGKILL);
    lock_at_the_second_try(&o, s);
    assert_int_equal(dream_lease_admitted(o.journal, only_lease(&o)), 7 + 5);
    stores = 2;
    in_child(give_up_and_be_killed, s, SIGKILL);
    lock_at_the_second_try(&o, s);
    assert_int_equal(dream_direct_waiting(direct_of(&o, "user_1")), 2 + 4);
    assert_int_equal(atomic_load(&direct_of(&o, "user_1")->doubtful), 3);
    assert_int_equal(dream_account_owed(account_of(&o, "user_1")), 0);
    close_it(&o);
}

static void test_journal__without_memory_to_open_it_is_not_called_damaged(void **state)
{
    scene *s = *state;
    opened o = open_it(s);
    dream_journal *journal = NULL;
    bool is_refused = true;

    (void)make_lease(&o, account_of(&o, "user_1"), 7);
    close_it(&o);
    for (long i = 0; is_refused; i++) {
        dreamapi_status status;
        refusing_begin(i);
        status = dream_journal_open(s->path, &s->settings, &journal, &s->error);
        is_refused = refusing_end();
        assert_int_equal(status, is_refused ? DREAMAPI_NOMEM : DREAMAPI_OK);
        assert_true(i > 0 || is_refused);
    }
    o.journal = journal;
    assert_int_equal(dream_lease_admitted(o.journal, only_lease(&o)), 7);
    dream_journal_close(journal);
}

static opened inherited;

static void lock_inherited_and_be_killed(scene *s)
{
    (void)s;
    CHECK(account_of(&inherited, "user_of_the_child") != NULL);
    CHECK(!dream_journal_is_last(inherited.journal));
    CHECK(dream_journal_lock(inherited.journal));
    (void)kill(getpid(), SIGKILL);
}

static void test_journal__a_forked_child_has_locks_of_its_own(void **state)
{
    scene *s = *state;

    inherited = open_it(s);
    in_child(lock_inherited_and_be_killed, s, SIGKILL);
    (void)alarm(SOON_S);
    assert_non_null(account_of(&inherited, "user_of_the_child"));
    (void)alarm(0);
    assert_int_equal(count_kind(&inherited, DREAM_TAG_ACCOUNT), 1);
    assert_true(dream_journal_is_last(inherited.journal));
    close_it(&inherited);
}

/* ---- forks in the middle of it ---- */

static struct {
    int gate[2]; /* a grandchild waits for the test */
    int told[2]; /* it tells the test */
} line_to;

static void await(int fd)
{
    char byte;

    (void)!read(fd, &byte, 1);
}

static void tell(int fd, char what)
{
    CHECK(write(fd, &what, 1) == 1);
}

static void set_up_line(void)
{
    assert_int_equal(pipe(line_to.gate), 0);
    assert_int_equal(pipe(line_to.told), 0);
}

/* The grandchild goes on; what it told, or 0. It is gone afterwards. */
static char hear_and_let_go(void)
{
    char said = 0;
    char more;

    tell(line_to.gate[1], 'x');
    (void)close(line_to.gate[1]);
    (void)close(line_to.told[1]);
    (void)!read(line_to.told[0], &said, 1);
    while (read(line_to.told[0], &more, 1) > 0)
        ;
    (void)close(line_to.gate[0]);
    (void)close(line_to.told[0]);
    return said;
}

/* As another thread would fork at this moment, with the kill that ends the opening or closing process before it is done. */
static void leave_a_child_behind(void)
{
    in_msync = in_munmap = NULL;
    if (fork() == 0) {
        (void)alarm(SOON_S);
        (void)close(line_to.gate[1]);
        tell(line_to.told[1], 'y');
        await(line_to.gate[0]);
        _exit(0);
    }
    await(line_to.told[0]);
    (void)kill(getpid(), SIGKILL);
}

static void fork_while_opening(scene *s)
{
    in_msync = leave_a_child_behind;
    (void)open_in_child(s);
}

static void fork_while_closing(scene *s)
{
    opened o = open_in_child(s);

    CHECK(dream_journal_lead(o.journal));
    dream_accounts_clear(&o.accounts);
    in_msync = leave_a_child_behind;
    dream_journal_close(o.journal);
}

static void fork_at_the_end_of_closing(scene *s)
{
    opened o = open_in_child(s);

    CHECK(dream_journal_lead(o.journal));
    dream_accounts_clear(&o.accounts);
    in_munmap = leave_a_child_behind;
    dream_journal_close(o.journal);
}

static void test_journal__a_child_forked_while_it_is_opened_or_closed_keeps_none_of_its_locks(void **state)
{
    static void (*const rows[])(scene * s) = { fork_while_opening, fork_while_closing, fork_at_the_end_of_closing };
    scene *s = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int fd;
        bool was_kept = false;
        set_up_line();
        in_child(rows[i], s, SIGKILL);
        fd = open(s->path, O_RDWR | O_CLOEXEC);
        for (off_t byte = 8; byte <= 11; byte++)
            was_kept = !takes_lock(fd, byte) || was_kept;
        (void)close(fd);
        (void)hear_and_let_go();
        if (was_kept)
            fail_msg("row %zu: a lock is held yet", i);
    }
}

/* It has the journal from before the fork, and outlives the parent. */
static void fork_and_be_killed_in_a_change(scene *s)
{
    opened o = open_in_child(s);

    CHECK(dream_journal_lead(o.journal));
    if (fork() == 0) {
        (void)close(line_to.gate[1]);
        (void)alarm(SOON_S);
        tell(line_to.told[1], 'y');
        await(line_to.gate[0]);
        CHECK(dream_journal_lead(o.journal));
        CHECK(account_of(&o, "user_1") != NULL);
        tell(line_to.told[1], 'z');
        _exit(0);
    }
    await(line_to.told[0]);
    CHECK(dream_journal_lock(o.journal));
    (void)kill(getpid(), SIGKILL);
}

static void test_journal__a_child_does_not_inherit_the_locks_of_a_killed_parent(void **state)
{
    scene *s = *state;
    bool is_user, may_change, may_lead;
    int fd;

    set_up_line();
    in_child(fork_and_be_killed_in_a_change, s, SIGKILL);
    fd = open(s->path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    is_user = !takes_lock(fd, 9);
    may_change = takes_lock(fd, 10);
    may_lead = takes_lock(fd, 11);
    (void)close(fd);
    assert_int_equal(hear_and_let_go(), 'z');
    assert_true(is_user && may_change && may_lead);
}

/* Registered before the journal's own: a child waits in it with what it inherited as it was. */
static void (*in_new_child)(void);

static void begin_child(void)
{
    if (in_new_child == NULL)
        return;
    (void)alarm(SOON_S);
    in_new_child();
}

static const char *watched;
static bool was_free;

static void see_if_users_are_gone(void)
{
    int fd = open(watched, O_RDWR | O_CLOEXEC);

    was_free = (fd >= 0 && takes_lock(fd, 9)) || was_free;
    (void)__real_close(fd);
}

static void wait_and_watch(void)
{
    await(line_to.gate[0]);
    after_close = see_if_users_are_gone;
}

static void wait_only(void)
{
    await(line_to.gate[0]);
}

static void fork_and_be_killed(scene *s)
{
    opened o = open_in_child(s);

    watched = s->path;
    in_new_child = wait_and_watch;
    if (fork() == 0) {
        after_close = NULL;
        tell(line_to.told[1], was_free ? 'n' : 'y');
        _exit(0);
    }
    (void)o;
    (void)kill(getpid(), SIGKILL);
}

static void test_journal__a_child_is_among_the_users_at_every_moment(void **state)
{
    set_up_line();
    in_child(fork_and_be_killed, *state, SIGKILL);
    assert_int_equal(hear_and_let_go(), 'y');
}

static void fork_and_close(scene *s)
{
    opened o = open_in_child(s);

    in_new_child = wait_only;
    if (fork() == 0) {
        tell(line_to.told[1], atomic_load(&dream_journal_header_of(o.journal)->is_clean) != 0 ? 'n' : 'y');
        _exit(0);
    }
    close_it(&o);
    CHECK(atomic_load(&((dream_journal_header *)(void *)map_file(s->path))->is_clean) == 1);
}

static void be_killed(void)
{
    (void)kill(getpid(), SIGKILL);
}

static void fork_and_be_killed_while_closing(scene *s)
{
    opened o = open_in_child(s);

    in_new_child = wait_only;
    if (fork() == 0) {
        tell(line_to.told[1], account_of(&o, "user_1") != NULL ? 'y' : 'n');
        _exit(0);
    }
    in_msync = be_killed;
    close_it(&o);
}

static void test_journal__a_child_does_not_wait_for_a_close_that_the_parent_was_killed_in(void **state)
{
    set_up_line();
    in_child(fork_and_be_killed_while_closing, *state, SIGKILL);
    assert_int_equal(hear_and_let_go(), 'y');
}

/* The parent found nobody else, as the child shared its descriptor yet. */
static void test_journal__one_that_a_child_has_is_not_clean_though_the_parent_closed_it(void **state)
{
    set_up_line();
    in_child(fork_and_close, *state, 0);
    assert_int_equal(hear_and_let_go(), 'y');
}

/* ---- growing ---- */

static void test_journal__it_grows_without_moving(void **state)
{
    scene *s = *state;
    opened a = open_it(s);
    opened b = open_it(s);
    const unsigned char *base = a.journal->base;
    dream_account *first = account_of(&a, "user_0");
    char user[32];
    struct stat info;

    for (int i = 0; i < 30000; i++) {
        (void)snprintf(user, sizeof(user), "user_%d", i);
        assert_non_null(account_of(&a, user));
    }
    assert_ptr_equal(a.journal->base, base);
    assert_ptr_equal(account_of(&a, "user_0"), first);
    assert_non_null(make_lease(&a, account_of(&a, "user_29999"), 7));
    assert_int_equal(stat(s->path, &info), 0);
    assert_int_equal(info.st_size, atomic_load(&dream_journal_header_of(a.journal)->allocated));
    assert_true(info.st_size > 30 * FIRST_BYTES);
    assert_string_equal(dream_account_user(account_of(&b, "user_29999")), "user_29999");
    assert_int_equal(dream_lease_admitted(b.journal, only_lease(&b)), 7);
    assert_int_equal(count_kind(&b, DREAM_TAG_ACCOUNT), 30000);
    close_it(&a);
    close_it(&b);
}

/* ---- maps of several sizes ---- */

static opened open_small(scene *s)
{
    opened o;

    most_mapped = SMALL_MAP;
    o = open_it(s);
    most_mapped = SIZE_MAX;
    return o;
}

/* Records of FIRST_BYTES, until there are `most` or no more can be had. */
static size_t fill_up(const opened *o, size_t most)
{
    size_t count = 0;

    assert_true(dream_journal_lock(o->journal));
    while (count < most && dream_journal_take(o->journal, DREAM_TAG_TEXT, FIRST_BYTES) != 0)
        count++;
    dream_journal_unlock(o->journal);
    return count;
}

static void test_journal__it_grows_no_further_than_the_smallest_map_of_those_who_have_it(void **state)
{
    enum { FITTING = SMALL_MAP / FIRST_BYTES - 1, MORE = 2 * FITTING };
    scene *s = *state;

    for (int is_small_first = 0; is_small_first < 2; is_small_first++) {
        opened small = { 0 };
        opened large;
        if (is_small_first != 0)
            small = open_small(s);
        large = open_it(s);
        if (is_small_first == 0)
            small = open_small(s);
        assert_int_equal(fill_up(&large, MORE), FITTING);
        assert_int_equal(atomic_load(&dream_journal_header_of(large.journal)->allocated), SMALL_MAP);
        assert_int_equal(fill_up(&small, MORE), 0);
        /* Each has what fits, and sees what the other made. */
        assert_non_null(account_of(&large, "user_1"));
        assert_non_null(account_of(&small, "user_1"));
        assert_int_equal(count_kind(&small, DREAM_TAG_TEXT), FITTING);
        assert_int_equal(count_kind(&small, DREAM_TAG_ACCOUNT), 1);
        close_it(&small);
        close_it(&large);
        /* The next run has nobody to mind. */
        large = open_it(s);
        assert_int_equal(fill_up(&large, 1), 1);
        most_mapped = SMALL_MAP;
        expect_refused(s, s->path, "larger than this process can map");
        most_mapped = SIZE_MAX;
        assert_int_equal(fill_up(&large, FITTING), FITTING);
        close_it(&large);
        assert_int_equal(unlink(s->path), 0);
    }
}

static bool can_change;

static void see_if_changes_are_let_in(void)
{
    int fd = open(watched, O_RDWR | O_CLOEXEC);

    can_change = fd >= 0 && takes_lock(fd, 10);
    (void)__real_close(fd);
}

/* Else the file could outgrow a map between the look at its size and the word that says how large it may become. The last file that an
 * opening looks into says where it is. */
static void test_journal__it_does_not_grow_while_somebody_joins(void **state)
{
    scene *s = *state;
    opened a = open_it(s);
    opened b;

    watched = s->path;
    can_change = true;
    after_close = see_if_changes_are_let_in;
    b = open_it(s);
    after_close = NULL;
    assert_false(can_change);
    close_it(&a);
    close_it(&b);
}

/* ---- records ---- */

static void test_journal__records_that_were_given_back_serve_again(void **state)
{
    static const struct {
        dream_tag kind;
        size_t size;
    } rows[] = { { DREAM_TAG_RESERVATION, DREAM_LINE },
                 { DREAM_TAG_LEASE, sizeof(dream_lease) },
                 { DREAM_TAG_FAN, DREAM_FAN * DREAM_LINE } };
    scene *s = *state;
    opened o = open_it(s);

    assert_true(dream_journal_lock(o.journal));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        dream_line line = dream_journal_take(o.journal, rows[i].kind, rows[i].size);
        dream_line next = dream_journal_take(o.journal, rows[i].kind, rows[i].size);
        uint32_t used = atomic_load(&dream_journal_header_of(o.journal)->used);
        ((dream_share *)dream_journal_at(o.journal, line))->until_ns = 5;
        dream_journal_give(o.journal, line);
        dream_journal_give(o.journal, next);
        assert_int_equal(dream_journal_take(o.journal, rows[i].kind, rows[i].size), next);
        assert_int_equal(dream_journal_take(o.journal, rows[i].kind, rows[i].size), line);
        assert_int_equal(((dream_share *)dream_journal_at(o.journal, line))->until_ns, 0);
        assert_int_equal(atomic_load(&dream_journal_header_of(o.journal)->used), used);
    }
    dream_journal_unlock(o.journal);
    close_it(&o);
}

/* ---- damage ---- */

enum { DAMAGE_ROUNDS = 2000 };

static uint32_t next_random(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*seed >> 33);
}

static dream_line take(const opened *o, dream_tag kind, size_t size)
{
    dream_line line = dream_journal_take(o->journal, kind, size);

    CHECK(line != 0);
    return line;
}

static dream_line take_text(const opened *o, const char *text)
{
    dream_line line = take(o, DREAM_TAG_TEXT, sizeof(dream_text_record) + strlen(text) + 1);
    dream_text_record *record = dream_journal_at(o->journal, line);

    record->size = (uint32_t)strlen(text);
    (void)memcpy(record->text, text, strlen(text) + 1);
    return line;
}

/* One of each kind, in several states. */
static void fill_and_be_killed(scene *s)
{
    opened o = open_in_child(s);
    dream_line line, plan;

    CHECK(dream_journal_lock(o.journal));
    plan = take_text(&o, "pro");
    dream_journal_unlock(o.journal);
    for (int i = 0; i < 6; i++) {
        const char *const users[] = { "a", "user_2", "user_3", "user_4", "user_5", "somebody_with_a_rather_long_name" };
        dream_account *account = account_of(&o, users[i]);
        dream_lease *lease = make_lease(&o, account, 7);
        CHECK(lease != NULL && dream_journal_lock(o.journal));
        atomic_store(&account->plan, plan);
        atomic_store(&lease->plan, plan);
        atomic_store(&account->debt, (uint64_t)i);
        if (i % 2 == 0)
            CHECK(dream_lease_fan_out(o.journal, lease));
        for (int j = 0; j < i; j++)
            CHECK(dream_lease_reserve(o.journal, lease, 3, INT64_MAX, start_ns, &line) == DREAM_SLOW_SPENT);
        if (i == 3)
            dream_lease_seal(o.journal, lease);
        if (i == 4)
            atomic_store(&lease->state, DREAM_LEASE_PENDING);
        ((dream_settled *)dream_journal_at(o.journal, take(&o, DREAM_TAG_SETTLED, DREAM_LINE)))->account =
            dream_journal_line(o.journal, account);
        ((dream_refund *)dream_journal_at(o.journal, take(&o, DREAM_TAG_REFUND, DREAM_LINE)))->state = 1;
        dream_journal_give(o.journal, take(&o, i % 2 == 0 ? DREAM_TAG_LEASE : DREAM_TAG_FAN,
                                           i % 2 == 0 ? sizeof(dream_lease) : DREAM_FAN * DREAM_LINE));
        dream_journal_unlock(o.journal);
    }
    (void)kill(getpid(), SIGKILL);
}

static bool is_text(const opened *o, dream_line wanted)
{
    for (dream_line line = 0; (line = dream_journal_next(o->journal, line)) != 0;) {
        if (line == wanted)
            return dream_tag_kind(*(const uint32_t *)dream_journal_at(o->journal, line)) == DREAM_TAG_TEXT;
    }
    return false;
}

/* What an agent would do with it. */
static void use_all(const opened *o)
{
    uint32_t lines = atomic_load(&dream_journal_header_of(o->journal)->used);
    uint32_t steps = 0;
    char user[32];

    (void)dream_recover_has_debts(o->journal);
    for (int i = 0; i < 3; i++) {
        (void)snprintf(user, sizeof(user), "user_%d", i);
        assert_non_null(account_of(o, user));
        assert_non_null(make_lease(o, account_of(o, user), 0));
    }
    assert_true(dream_journal_lock(o->journal));
    for (dream_line line = 0; (line = dream_journal_next(o->journal, line)) != 0;) {
        dream_lease *lease = dream_journal_at(o->journal, line);
        dream_account *account = dream_journal_at(o->journal, line);
        assert_true(++steps <= lines + 64);
        if (dream_tag_kind(lease->main.tag) == DREAM_TAG_ACCOUNT) {
            assert_int_equal(strlen(dream_account_user(account)) <= account->user_size, 1);
            assert_true(atomic_load(&account->plan) == 0 || is_text(o, atomic_load(&account->plan)));
        }
        if (dream_tag_kind(lease->main.tag) != DREAM_TAG_LEASE)
            continue;
        (void)dream_lease_spend(o->journal, lease, dream_lease_share(o->journal, lease), 1, start_ns);
        (void)dream_lease_admitted(o->journal, lease);
        (void)dream_lease_spare(o->journal, lease);
        dream_lease_seal(o->journal, lease);
        (void)dream_lease_is_final(o->journal, lease, start_ns);
        (void)dream_lease_admitted(o->journal, lease);
        dream_lease_free(o->journal, lease);
    }
    for (int i = 0; i < 100; i++)
        assert_int_not_equal(dream_journal_take(o->journal, DREAM_TAG_LEASE, sizeof(dream_lease)), 0);
    dream_journal_unlock(o->journal);
}

static void test_journal__damage_is_refused_or_does_no_harm(void **state)
{
    scene *s = *state;
    unsigned char whole[FIRST_BYTES];
    unsigned char *base;
    uint64_t seed = 11;
    size_t used;
    int opened_count = 0;

    in_child(fill_and_be_killed, s, SIGKILL);
    base = map_file(s->path);
    (void)memcpy(whole, base, sizeof(whole));
    (void)munmap(base, FIRST_BYTES);
    used = (size_t)((dream_journal_header *)(void *)whole)->used * DREAM_LINE;
    for (int round = 0; round < DAMAGE_ROUNDS; round++) {
        unsigned char bytes[FIRST_BYTES];
        /* In the records; in one round of eight in the header, too. */
        size_t from = round % 8 == 0 ? 0 : (size_t)DREAM_JOURNAL_FIRST * DREAM_LINE;
        dreamapi_status status;
        opened o = { 0 };
        (void)memcpy(bytes, whole, sizeof(bytes));
        if (round % 2 == 0)
            change_boot((dream_journal_header *)(void *)bytes);
        for (uint32_t i = 1 + next_random(&seed) % 24; i > 0; i--) {
            /* Mostly small numbers: they come nearer to what is checked. */
            uint32_t value = next_random(&seed);
            bytes[from + next_random(&seed) % (used - from)] =
                (unsigned char)(value % 3 == 0 ? value >> 8 : (value >> 8) % 9);
        }
        write_file(s->path, bytes, sizeof(bytes), sizeof(bytes));
        status = dream_journal_open(s->path, &s->settings, &o.journal, &s->error);
        if (status != DREAMAPI_OK) {
            assert_int_equal(status, DREAMAPI_JOURNAL);
            continue;
        }
        opened_count++;
        assert_true(dream_accounts_init(&o.accounts, o.journal));
        use_all(&o);
        close_it(&o);
    }
    assert_in_range(opened_count, DAMAGE_ROUNDS / 10, DAMAGE_ROUNDS * 9 / 10);
}

#define WITH(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(test_journal__a_new_one_is_empty_and_private),
        WITH(test_journal__an_anonymous_one_leaves_nothing_behind),
        WITH(test_journal__after_a_clean_close_leases_are_settled_as_proven),
        WITH(test_journal__after_a_kill_the_count_is_exact_and_proven),
        WITH(test_journal__an_exit_without_a_close_is_like_a_kill),
        WITH(test_journal__a_killed_owners_reservation_bills_nothing),
        WITH(test_journal__after_a_reboot_leases_are_settled_as_unproven),
        WITH(test_journal__a_reboot_after_a_clean_close_leaves_no_doubt),
        WITH(test_journal__without_a_boot_id_no_boot_is_the_same),
        WITH(test_journal__who_waits_for_a_close_to_end_does_not_find_its_process_among_the_users),
        WITH(test_journal__a_debt_outlives_a_kill_and_is_doubtful_after_a_reboot),
        WITH(test_journal__what_an_older_page_says_of_a_debt_is_doubtful),
        WITH(test_journal__a_change_that_a_kill_cut_short_doubles_nothing),
        WITH(test_journal__a_lease_that_says_what_cannot_be_is_given_up_and_counted),
        WITH(test_journal__a_copy_gets_a_holder_of_its_own_and_settles_as_unproven),
        WITH(test_journal__a_copy_forgets_wishes_that_are_the_originals),
        WITH(test_journal__one_with_debts_is_refused_for_another_server),
        WITH(test_journal__one_without_debts_may_move_to_another_server),
        WITH(test_journal__one_in_use_is_refused_for_another_server),
        WITH(test_journal__a_header_that_is_wrong_is_refused_and_kept),
        WITH(test_journal__who_was_refused_is_not_among_the_users),
        WITH(test_journal__a_truncated_one_is_refused),
        WITH(test_journal__a_foreign_file_is_refused_and_kept),
        WITH(test_journal__one_whose_making_was_cut_short_is_made_anew),
        WITH(test_journal__what_is_no_plain_file_is_refused),
        WITH(test_journal__a_folder_or_file_without_the_right_to_write_is_refused),
        WITH(test_journal__a_full_disk_makes_none),
        WITH(test_journal__a_full_disk_refuses_records_and_spares_those_there),
        WITH(test_journal__two_openers_see_each_others_accounts_and_leases),
        WITH(test_journal__one_of_the_openers_leads_until_it_closes),
        WITH(test_journal__a_killed_process_lets_go_of_its_locks),
        WITH(test_journal__a_living_process_is_not_dead),
        WITH(test_journal__a_process_that_cannot_be_looked_at_is_dead_only_if_there_is_none),
        WITH(test_journal__its_own_process_is_never_dead),
        WITH(test_journal__a_process_that_ended_is_dead_before_anybody_waits_for_it),
        WITH(test_journal__what_there_is_no_memory_to_mend_is_mended_later),
        WITH(test_journal__without_memory_to_open_it_is_not_called_damaged),
        WITH(test_journal__a_forked_child_has_locks_of_its_own),
        WITH(test_journal__a_child_forked_while_it_is_opened_or_closed_keeps_none_of_its_locks),
        WITH(test_journal__a_child_does_not_inherit_the_locks_of_a_killed_parent),
        WITH(test_journal__a_child_is_among_the_users_at_every_moment),
        WITH(test_journal__a_child_does_not_wait_for_a_close_that_the_parent_was_killed_in),
        WITH(test_journal__one_that_a_child_has_is_not_clean_though_the_parent_closed_it),
        WITH(test_journal__it_grows_without_moving),
        WITH(test_journal__it_grows_no_further_than_the_smallest_map_of_those_who_have_it),
        WITH(test_journal__it_does_not_grow_while_somebody_joins),
        WITH(test_journal__records_that_were_given_back_serve_again),
        WITH(test_journal__damage_is_refused_or_does_no_harm),
    };
    if (pthread_atfork(NULL, NULL, begin_child) != 0)
        return 1;
    return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}
