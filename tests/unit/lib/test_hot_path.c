/* SPDX-License-Identifier: Apache-2.0 */
/* test_hot_path.c - counts what a use of a meter does besides counting: allocations, locks, system calls, log lines. With units at
 * hand, or with a refusal remembered, each count is 0.
 *
 * Each case runs in a child process of its own, and how it counts needs no privilege and no tool, so it holds in any container:
 * - system calls: a seccomp filter turns each one into a signal, whose handler counts it. Nothing can be missed, whoever makes the
 *   call; strace and ptrace may be forbidden, and counters of the kernel (perf) often are.
 * - allocations: the program has the allocator's functions itself, so that libc's own calls come by, too; under a sanitizer, which
 *   has them already, through its hook.
 * - locks: the linker leads calls of the library's objects through here (--wrap). One that has to wait shows as a system
 *   call besides. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support/grants.h"

enum { USES = 1000, TRIES = 10, DENIAL_MS = 1000, STARTED_MAX = 5 };

/* Shared with the child. */
typedef struct tally {
    bool is_counting;
    long allocations, locks, calls, logs;
    long last_call; /* its number */
    long wrong;     /* answers that are not the expected ones */
    long took_ms;
    bool is_done;
} tally;
static tally before_any;
static volatile tally *counts = &before_any;

static void count(volatile long *what)
{
    if (counts->is_counting)
        (*what)++;
}

/* ---- allocations ---- */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t),
                                              void (*on_free)(const volatile void *));

static void on_malloc(const volatile void *memory, size_t size)
{
    (void)memory, (void)size;
    count(&counts->allocations);
}

static void on_free(const volatile void *memory)
{
    (void)memory;
    count(&counts->allocations);
}

static void watch_allocations(void)
{
    assert_int_not_equal(__sanitizer_install_malloc_and_free_hooks(on_malloc, on_free), 0);
}
#else
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t number, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *memory);

/* Seen by libc, too. */
#pragma GCC visibility push(default)
void *malloc(size_t size)
{
    count(&counts->allocations);
    return __libc_malloc(size);
}

void *calloc(size_t number, size_t size)
{
    count(&counts->allocations);
    return __libc_calloc(number, size);
}

void *realloc(void *old, size_t size)
{
    count(&counts->allocations);
    return __libc_realloc(old, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    count(&counts->allocations);
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    count(&counts->allocations);
    *out = __libc_memalign(alignment, size);
    return *out == NULL;
}

void free(void *memory)
{
    count(&counts->allocations);
    __libc_free(memory);
}
#pragma GCC visibility pop

static void watch_allocations(void)
{
}
#endif

/* ---- locks ---- */

#define WRAP(name, type)                                                                                               \
    int __real_##name(type *lock);                                                                                     \
    int __wrap_##name(type *lock);                                                                                     \
    int __wrap_##name(type *lock)                                                                                      \
    {                                                                                                                  \
        count(&counts->locks);                                                                                         \
        return __real_##name(lock);                                                                                    \
    }
WRAP(pthread_mutex_lock, pthread_mutex_t)
WRAP(pthread_mutex_trylock, pthread_mutex_t)
WRAP(pthread_rwlock_rdlock, pthread_rwlock_t)
WRAP(pthread_rwlock_wrlock, pthread_rwlock_t)
WRAP(pthread_spin_lock, pthread_spinlock_t)
WRAP(sem_wait, sem_t)

/* ---- system calls ---- */

/* Not _exit, around which sanitizers make system calls of their own. */
static void leave(int status)
{
    (void)syscall(__NR_exit_group, status);
}

/* The call is not made; whoever made it sees some error, and may try again. */
static void on_call(int number, siginfo_t *info, void *context)
{
    (void)number, (void)context;
    counts->calls++;
    counts->last_call = info->si_syscall;
    if (counts->calls > USES * 10)
        leave(3);
}

static bool trap_calls(void)
{
    static const struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_exit_group, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_rt_sigreturn, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
    };
    const struct sock_fprog program = { sizeof(rules) / sizeof(rules[0]), (struct sock_filter *)rules };
    struct sigaction action = { .sa_sigaction = on_call, .sa_flags = SA_SIGINFO };

    return sigaction(SIGSYS, &action, NULL) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
           && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* ---- the stage ---- */

typedef struct stage {
    grants settings;
    dreamapi_client *client;
    dreamapi_meter *meter;
    const char *user;
    pthread_mutex_t lock;
} stage;

static void on_log(void *user_data, dreamapi_log_level level, const char *message)
{
    (void)user_data, (void)level, (void)message;
    count(&counts->logs);
}

/* Without a thread of the library's: nothing but the uses goes on in the child. */
static bool open_stage(stage *s, const char *path)
{
    dreamapi_options *options = dreamapi_options_new();
    dreamapi_transport transport = grants_transport(&s->settings);
    bool is_open = options != NULL && dreamapi_options_set_base_url(options, "http://127.0.0.1:1") == DREAMAPI_OK
                   && dreamapi_options_set_secret_key(options, "sk_test_hot") == DREAMAPI_OK
                   && dreamapi_options_set_transport(options, &transport) == DREAMAPI_OK
                   && dreamapi_options_set_log(options, on_log, NULL) == DREAMAPI_OK
                   && dreamapi_options_set_threads(options, 0) == DREAMAPI_OK
                   && dreamapi_options_set_journal(options, path) == DREAMAPI_OK
                   && dreamapi_client_new(options, &s->client, NULL) == DREAMAPI_OK
                   && dreamapi_meter_open(s->client, s->user, NULL, &s->meter, NULL) == DREAMAPI_OK;

    dreamapi_options_free(options);
    return is_open;
}

typedef dreamapi_status act(stage *s);
typedef struct hot_case {
    act *act;
    const char *user;
    dreamapi_status expected;
    int64_t rate_calls;
} hot_case;

static int64_t now_ms(void)
{
    struct timespec now;

    /* The vDSO answers, not the kernel. */
    (void)clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void run_in_child(const hot_case *hot, const char *path)
{
    stage s = { .settings = { .units = 1000000, .ttl_ms = 3600000, .rate_calls = hot->rate_calls },
                .user = hot->user,
                .lock = PTHREAD_MUTEX_INITIALIZER };
    int64_t begun_ms;

    if (!open_stage(&s, path))
        leave(1);
    /* The first ones fetch the lease, or the refusal, and bind what is bound late. */
    for (int i = 0; i < STARTED_MAX; i++)
        (void)hot->act(&s);
    begun_ms = now_ms();
    watch_allocations();
    if (!trap_calls())
        leave(2);
    counts->is_counting = true;
    for (int i = 0; i < USES; i++)
        counts->wrong += hot->act(&s) != hot->expected;
    counts->is_counting = false;
    counts->took_ms = (long)(now_ms() - begun_ms);
    counts->is_done = true;
    leave(0);
}

static void run_once(const hot_case *hot)
{
    char path[] = "/tmp/hot-path-XXXXXX";
    int fd = mkstemp(path);
    int status = 0;
    pid_t child;

    assert_true(fd >= 0);
    (void)close(fd);
    memset((void *)counts, 0, sizeof(*counts));
    child = fork();
    assert_true(child >= 0);
    if (child == 0)
        run_in_child(hot, path);
    assert_int_equal(waitpid(child, &status, 0), child);
    (void)unlink(path);
    if (status != 0 || !counts->is_done)
        fail_msg(
            "the child ended with %d after system call %ld (1: no client, 2: no seccomp, 3: too many system calls)",
            WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status), counts->last_call);
}

/* Again if the machine was so busy that a refusal, which is remembered for a second, was over before the end. */
static void run(const hot_case *hot)
{
    counts = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal((void *)counts, MAP_FAILED);
    for (int i = 0; i < TRIES; i++) {
        run_once(hot);
        if (counts->took_ms < DENIAL_MS / 2)
            return;
    }
    fail_msg("%d uses took %ld ms", USES, counts->took_ms);
}

static void assert_nothing_but_the_answer(const hot_case *hot)
{
    run(hot);
    assert_int_equal(counts->wrong, 0);
    if (counts->calls != 0)
        fail_msg("%ld system calls, the last one number %ld", counts->calls, counts->last_call);
    assert_int_equal(counts->allocations, 0);
    assert_int_equal(counts->locks, 0);
    assert_int_equal(counts->logs, 0);
}

/* ---- the hot path ---- */

static dreamapi_status use(stage *s)
{
    return dreamapi_meter_use(s->meter, 1, NULL);
}

static dreamapi_status use_and_tell(stage *s)
{
    dreamapi_decision decision;
    dreamapi_status status = dreamapi_meter_use(s->meter, 1, &decision);

    /* Anything else took the slow path, and is no case of this file. */
    if (decision.source != (status == DREAMAPI_OK ? DREAMAPI_SOURCE_LEASE : DREAMAPI_SOURCE_CACHE))
        return DREAMAPI_PROTOCOL;
    return status;
}

static dreamapi_status use_by_id(stage *s)
{
    return dreamapi_client_use(s->client, s->user, NULL, 1, NULL);
}

static dreamapi_status use_by_id_and_tell(stage *s)
{
    dreamapi_decision decision;

    return dreamapi_client_use(s->client, s->user, "default", 1, &decision);
}

static dreamapi_status check_and_use(stage *s)
{
    dreamapi_status status = dreamapi_meter_check(s->meter, 1, NULL);

    return dreamapi_meter_use(s->meter, 1, NULL) == DREAMAPI_OK ? status : DREAMAPI_PROTOCOL;
}

static void test_hot_path__a_use_from_a_lease_only_counts(void **state)
{
    (void)state;
    assert_nothing_but_the_answer(&(hot_case){ use, "user_a", DREAMAPI_OK, 0 });
}

static void test_hot_path__a_use_that_tells_its_decision_only_counts(void **state)
{
    (void)state;
    assert_nothing_but_the_answer(&(hot_case){ use_and_tell, "user_a", DREAMAPI_OK, 0 });
}

static void test_hot_path__a_use_that_takes_of_the_rate_only_counts(void **state)
{
    (void)state;
    assert_nothing_but_the_answer(&(hot_case){ use, "user_a", DREAMAPI_OK, 1000000 });
}

static void test_hot_path__a_use_by_id_only_counts(void **state)
{
    (void)state;
    assert_nothing_but_the_answer(&(hot_case){ use_by_id, "user_2abcDEFghiJKLmnoPQRstuVWX", DREAMAPI_OK, 0 });
}

static void test_hot_path__a_use_by_id_that_tells_its_decision_only_counts(void **state)
{
    (void)state;
    assert_nothing_but_the_answer(&(hot_case){ use_by_id_and_tell, "user_2abcDEFghiJKLmnoPQRstuVWX", DREAMAPI_OK, 0 });
}

static void test_hot_path__a_remembered_refusal_is_only_read(void **state)
{
    (void)state;
    assert_nothing_but_the_answer(&(hot_case){ use, GRANTS_DENIED, DREAMAPI_LIMIT, 0 });
}

static void test_hot_path__a_remembered_refusal_that_tells_its_decision_is_only_read(void **state)
{
    (void)state;
    assert_nothing_but_the_answer(&(hot_case){ use_and_tell, GRANTS_DENIED, DREAMAPI_LIMIT, 0 });
}

static void test_hot_path__a_remembered_refusal_by_id_is_only_read(void **state)
{
    (void)state;
    assert_nothing_but_the_answer(&(hot_case){ use_by_id, GRANTS_DENIED, DREAMAPI_LIMIT, 0 });
}

static void test_hot_path__a_check_only_reads(void **state)
{
    (void)state;
    assert_nothing_but_the_answer(&(hot_case){ check_and_use, "user_a", DREAMAPI_OK, 0 });
}

/* ---- that the counting counts ---- */

static dreamapi_status allocate(stage *s)
{
    void *volatile memory = malloc(16);

    (void)s;
    free(memory);
    return DREAMAPI_OK;
}

/* libc allocates inside. */
static dreamapi_status copy_text(stage *s)
{
    char *volatile text = strdup(s->user);

    free(text);
    return DREAMAPI_OK;
}

static dreamapi_status take_lock(stage *s)
{
    (void)pthread_mutex_lock(&s->lock);
    (void)pthread_mutex_unlock(&s->lock);
    return DREAMAPI_OK;
}

static dreamapi_status call_system(stage *s)
{
    (void)s;
    (void)syscall(__NR_getppid);
    return DREAMAPI_OK;
}

static void test_hot_path__allocations_are_seen(void **state)
{
    (void)state;
    run(&(hot_case){ allocate, "user_a", DREAMAPI_OK, 0 });
    assert_int_equal(counts->allocations, 2 * USES);
    run(&(hot_case){ copy_text, "user_a", DREAMAPI_OK, 0 });
    assert_int_equal(counts->allocations, 2 * USES);
}

static void test_hot_path__locks_are_seen(void **state)
{
    (void)state;
    run(&(hot_case){ take_lock, "user_a", DREAMAPI_OK, 0 });
    assert_int_equal(counts->locks, USES);
}

static void test_hot_path__system_calls_are_seen(void **state)
{
    (void)state;
    run(&(hot_case){ call_system, "user_a", DREAMAPI_OK, 0 });
    assert_int_equal(counts->calls, USES);
    assert_int_equal(counts->last_call, __NR_getppid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hot_path__a_use_from_a_lease_only_counts),
        cmocka_unit_test(test_hot_path__a_use_that_tells_its_decision_only_counts),
        cmocka_unit_test(test_hot_path__a_use_that_takes_of_the_rate_only_counts),
        cmocka_unit_test(test_hot_path__a_use_by_id_only_counts),
        cmocka_unit_test(test_hot_path__a_use_by_id_that_tells_its_decision_only_counts),
        cmocka_unit_test(test_hot_path__a_remembered_refusal_is_only_read),
        cmocka_unit_test(test_hot_path__a_remembered_refusal_that_tells_its_decision_is_only_read),
        cmocka_unit_test(test_hot_path__a_remembered_refusal_by_id_is_only_read),
        cmocka_unit_test(test_hot_path__a_check_only_reads),
        cmocka_unit_test(test_hot_path__allocations_are_seen),
        cmocka_unit_test(test_hot_path__locks_are_seen),
        cmocka_unit_test(test_hot_path__system_calls_are_seen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
