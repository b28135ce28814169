/* SPDX-License-Identifier: Apache-2.0 */
/* worker.c - spends units from several threads until it is told to stop, or killed; what it did is in the witness (witness.h).
 *
 *   worker points                                     lists the marked points, one a line
 *   worker run JOURNAL WITNESS SEED THREADS FORKS OPERATIONS ACCOUNT...
 *   worker settle JOURNAL WITNESS ACCOUNT...          settles what the journal holds; ends with 0 when nothing is left
 *   worker prefork JOURNAL WITNESS SEED CHILDREN OPERATIONS ACCOUNT...
 *       uses meters opened before the fork, in itself and, until told to stop, in the children; starts a child anew that was killed, and settles in the end
 *   worker group JOURNAL WITNESS SEED CHILDREN OPERATIONS ACCOUNT...
 *       children with clients of their own that close them at the same moment
 *
 * ACCOUNT is USER/METER/POLICY; POLICY is wait, allow, or, for a service without leases, cached. OPERATIONS (each thread's) 0: until told to stop. Where the service is and its
 * key come from the environment. */
#include <dreamapi.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "points.h"
#include "witness.h"

enum {
    THREADS_MAX = 16,
    CHILDREN_MAX = 16,
    WAIT_MS = 40,
    HOLD_MS = 200,
    ALLOW_UNITS = 40,
    SETTLE_MS = 20000,
    BESIDE_MS = 300,
    CLOSE_MS = 3000,
    CHILD_OPERATIONS = 40,
    IDLE_METERS = 466,
    FEW_UNITS = 5,
    MANY_UNITS = 60,
    BURST = 400,
    CROWD = 50, /* with one account only: so many times longer */
    KEPT = 4
};

static struct {
    dreamapi_client *client;
    witness *witness;
    dreamapi_meter *meters[WITNESS_ACCOUNTS];
    size_t accounts;
    uint64_t seed;
    long operations;
    bool forks;
    bool has_cached; /* meters, which can neither reserve nor use many units at once */
} all;
static pid_t children[CHILDREN_MAX];

typedef struct thread {
    witness_slot *slot;
    uint64_t random;
    long left; /* operations; negative: no end */
    bool forks;
    struct {
        size_t account;
        dreamapi_decision decision;
    } kept[KEPT];
} thread;

static uint32_t draw(thread *self, uint32_t below)
{
    self->random ^= self->random << 13;
    self->random ^= self->random >> 7;
    self->random ^= self->random << 17;
    return (uint32_t)(self->random >> 33) % below;
}

static witness_slot *take_slot(void)
{
    int64_t number = atomic_fetch_add(&all.witness->slots_used, 1);

    if (number >= WITNESS_SLOTS) {
        atomic_store(&all.witness->failed, -1);
        return NULL;
    }
    atomic_store(&all.witness->slots[number].state, SLOT_RUNS);
    return &all.witness->slots[number];
}

/* ---- one operation, bracketed ---- */

static void may_admit(thread *self, size_t account, int64_t units)
{
    atomic_fetch_add(&self->slot->most[account], units);
}

/* Of `asked` units, `admitted` were. */
static void did_admit(thread *self, size_t account, int64_t asked, int64_t admitted)
{
    atomic_fetch_add(&self->slot->least[account], admitted);
    atomic_fetch_sub(&self->slot->most[account], asked - admitted);
}

/* Anything but these is a mistake of the library, wherever others were killed. */
static bool is_refusal(dreamapi_status status)
{
    switch (status) {
    case DREAMAPI_LIMIT:
    case DREAMAPI_RATE_LIMITED:
    case DREAMAPI_TIMEOUT:
    case DREAMAPI_UNAVAILABLE:
        return true;
    case DREAMAPI_UNSUPPORTED:
        return all.has_cached;
    default:
        return false;
    }
}

static void judge(dreamapi_status status)
{
    if (status == DREAMAPI_OK || is_refusal(status))
        return;
    (void)fprintf(stderr, "worker: %s\n", dreamapi_status_name(status));
    atomic_store(&all.witness->failed, (int64_t)status);
}

static bool use(thread *self, size_t account, int64_t units, dreamapi_decision *decision)
{
    dreamapi_status status;

    may_admit(self, account, units);
    status = dreamapi_meter_use(all.meters[account], units, decision);
    did_admit(self, account, units, status == DREAMAPI_OK ? units : 0);
    judge(status);
    return status == DREAMAPI_OK;
}

static void refund(thread *self, size_t account, dreamapi_decision *decision)
{
    int64_t units = decision->units;
    dreamapi_status status;

    atomic_fetch_sub(&self->slot->least[account], units);
    status = dreamapi_meter_refund(all.meters[account], decision);
    if (status == DREAMAPI_OK)
        atomic_fetch_sub(&self->slot->most[account], units);
    else
        atomic_fetch_add(&self->slot->least[account], units);
    if (status != DREAMAPI_UNSUPPORTED) /* one that was allowed beyond what is granted */
        judge(status);
}

static void keep_or_refund(thread *self, size_t account, dreamapi_decision *decision)
{
    uint32_t place = draw(self, KEPT);

    if (draw(self, 2) == 0) {
        refund(self, account, decision);
        return;
    }
    if (self->kept[place].decision.allowed)
        refund(self, self->kept[place].account, &self->kept[place].decision);
    self->kept[place].account = account;
    self->kept[place].decision = *decision;
}

static void reserve_and_commit(thread *self, size_t account)
{
    int64_t units = 1 + draw(self, MANY_UNITS);
    int64_t needed = draw(self, (uint32_t)units + FEW_UNITS);
    dreamapi_reservation reservation;
    dreamapi_decision decision;
    dreamapi_status status = dreamapi_meter_reserve(all.meters[account], units, HOLD_MS, &reservation, &decision);

    judge(status);
    if (status != DREAMAPI_OK || draw(self, 20) == 0)
        return;
    if (draw(self, 2) == 0)
        (void)use(self, account, 1, NULL);
    may_admit(self, account, needed);
    status = dreamapi_meter_commit(all.meters[account], &reservation, needed, &decision);
    if (status == DREAMAPI_OK)
        did_admit(self, account, needed, needed);
    else if (status == DREAMAPI_NOT_FOUND)
        did_admit(self, account, needed, 0);
    else /* the excess was refused */
        did_admit(self, account, needed, units);
    if (status != DREAMAPI_NOT_FOUND)
        judge(status);
}

/* Many at once, so that threads get into each other's way. */
static void burst(thread *self, size_t account)
{
    for (int i = 0; i < BURST * (all.accounts == 1 ? CROWD : 1); i++) {
        if (!use(self, account, 1, NULL))
            return;
    }
}

static void operate(thread *self);

static void work(thread *self)
{
    for (; self->left != 0 && atomic_load(&all.witness->stop) == 0 && atomic_load(&all.witness->failed) == 0;
         self->left -= self->left > 0) {
        operate(self);
        atomic_fetch_add(&self->slot->operations, 1);
    }
    atomic_store(&self->slot->state, SLOT_ENDED);
}

static void fork_child(thread *self)
{
    pid_t child = fork();
    thread own = { .random = self->random * 3 + 1, .left = CHILD_OPERATIONS };

    if (child != 0) {
        atomic_fetch_add(&all.witness->forks, child > 0);
        return;
    }
    own.slot = take_slot();
    if (own.slot != NULL)
        work(&own);
    _exit(0);
}

static void operate(thread *self)
{
    size_t account = draw(self, (uint32_t)all.accounts);
    uint32_t kind = draw(self, 100);
    dreamapi_decision decision;

    if (kind < 55) {
        (void)use(self, account, 1 + draw(self, FEW_UNITS), NULL);
    } else if (kind < 62) {
        (void)use(self, account, 1 + draw(self, MANY_UNITS), &decision);
    } else if (kind < 75) {
        if (use(self, account, 1 + draw(self, FEW_UNITS), &decision))
            keep_or_refund(self, account, &decision);
    } else if (kind < 96) {
        reserve_and_commit(self, account);
    } else if (kind < 99 || all.accounts == 1) {
        burst(self, 0);
    } else if (self->forks) {
        fork_child(self);
    }
}

/* ---- the programs ---- */

static bool open_client(const char *journal)
{
    dreamapi_options *options = dreamapi_options_new();
    dreamapi_error error;
    dreamapi_status status = options == NULL ? DREAMAPI_NOMEM : dreamapi_options_set_journal(options, journal);

    if (status == DREAMAPI_OK)
        status = dreamapi_options_set_close_timeout_ms(options, CLOSE_MS);
    if (status == DREAMAPI_OK)
        status = dreamapi_client_new(options, &all.client, &error);
    dreamapi_options_free(options);
    if (status != DREAMAPI_OK)
        (void)fprintf(stderr, "worker: no client: %s\n", dreamapi_status_name(status));
    return status == DREAMAPI_OK;
}

static bool open_meter(char *account)
{
    dreamapi_meter_params params = DREAMAPI_METER_PARAMS_INIT;
    char *meter = strchr(account, '/');
    char *policy = meter == NULL ? NULL : strchr(meter + 1, '/');
    dreamapi_error error;

    if (policy == NULL || all.accounts == WITNESS_ACCOUNTS)
        return false;
    *meter++ = '\0';
    *policy++ = '\0';
    params.meter = meter;
    params.wait_ms = WAIT_MS;
    if (strcmp(policy, "allow") == 0) {
        params.policy = DREAMAPI_POLICY_ALLOW;
        params.allow_units = ALLOW_UNITS;
    } else if (strcmp(policy, "cached") == 0) {
        params.cached_units = ALLOW_UNITS;
        all.has_cached = true;
    }
    if (dreamapi_meter_open(all.client, account, &params, &all.meters[all.accounts], &error) != DREAMAPI_OK) {
        (void)fprintf(stderr, "worker: no meter: %s\n", error.message);
        return false;
    }
    all.accounts++;
    return true;
}

static bool open_all(const char *journal, char **accounts)
{
    if (!open_client(journal))
        return false;
    for (; *accounts != NULL; accounts++) {
        if (!open_meter(*accounts))
            return false;
    }
    return all.accounts > 0;
}

/* Fills most of what a new journal has allocated, so that it grows while units are spent. */
static bool open_idle(void)
{
    dreamapi_meter *meter;
    char user[32];

    for (int i = 0; i < IDLE_METERS; i++) {
        (void)snprintf(user, sizeof(user), "idle-%d", i);
        if (dreamapi_meter_open(all.client, user, NULL, &meter, NULL) != DREAMAPI_OK)
            return false;
        dreamapi_meter_close(meter);
    }
    return true;
}

static void close_all(void)
{
    for (size_t i = 0; i < all.accounts; i++)
        dreamapi_meter_close(all.meters[i]);
    dreamapi_client_free(all.client);
}

static bool map_witness(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    void *base = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(witness), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (fd >= 0)
        (void)close(fd);
    if (base == MAP_FAILED)
        return false;
    all.witness = base;
    return true;
}

static void *run_thread(void *number)
{
    thread self = { .random = (all.seed + (uintptr_t)number + 1) * UINT64_C(0x9E3779B97F4A7C15),
                    .left = all.operations == 0 ? -1 : all.operations,
                    .forks = all.forks && (uintptr_t)number == 0 };

    self.slot = take_slot();
    if (self.slot != NULL)
        work(&self);
    return NULL;
}

static void run_threads(int count)
{
    pthread_t ids[THREADS_MAX];
    int started = 0;

    while (started < count && started < THREADS_MAX
           && pthread_create(&ids[started], NULL, run_thread, (void *)(uintptr_t)started) == 0)
        started++;
    for (int i = 0; i < started; i++)
        (void)pthread_join(ids[i], NULL);
}

static int run(char **arguments)
{
    all.seed = strtoull(arguments[2], NULL, 10);
    all.forks = atoi(arguments[4]) != 0;
    all.operations = atol(arguments[5]);
    if (!map_witness(arguments[1]) || !open_all(arguments[0], arguments + 6) || !open_idle())
        return 2;
    run_threads(atoi(arguments[3]));
    close_all();
    return atomic_load(&all.witness->failed) == 0 ? 0 : 1;
}

static bool flush(void)
{
    dreamapi_error error;
    dreamapi_status status = dreamapi_client_flush(all.client, SETTLE_MS, &error);

    if (status != DREAMAPI_OK)
        (void)fprintf(stderr, "worker: not settled: %s: %s\n", dreamapi_status_name(status), error.message);
    return status == DREAMAPI_OK;
}

/* What was allowed beyond the grants is billed from the next lease: one use brings it. */
static int settle(char **arguments)
{
    thread self = { .random = 1 };
    bool is_settled;

    if (!map_witness(arguments[1]) || !open_all(arguments[0], arguments + 2))
        return 2;
    self.slot = take_slot();
    if (self.slot == NULL || !flush())
        return 3;
    for (size_t i = 0; i < all.accounts; i++)
        (void)use(&self, i, 1, NULL);
    is_settled = flush();
    atomic_store(&self.slot->state, SLOT_ENDED);
    close_all();
    return is_settled ? 0 : 3;
}

/* A child of the server; the pid is printed, as the test kills some. */
static bool start_child(int number)
{
    pid_t child = fork();

    if (child == 0) {
        all.seed += (uint64_t)getpid();
        all.operations = 0;
        run_threads(2);
        _exit(0);
    }
    (void)printf("%d %d\n", number, (int)child);
    (void)fflush(stdout);
    children[number] = child;
    return child > 0;
}

/* Starts one anew for each that was killed, until all have ended by themselves. */
static bool mind_children(int count)
{
    bool is_good = true;
    int status;
    pid_t ended;

    while ((ended = wait(&status)) > 0) {
        for (int i = 0; i < count; i++) {
            if (children[i] == ended && WIFSIGNALED(status))
                is_good = start_child(i) && is_good;
        }
        is_good = is_good && (WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 0);
    }
    return is_good;
}

static void *run_beside(void *unused)
{
    (void)unused;
    run_threads(2);
    (void)dreamapi_client_flush(all.client, BESIDE_MS, NULL); /* the children go on, so it need not succeed */
    return NULL;
}

static int prefork(char **arguments)
{
    int count = atoi(arguments[3]);
    pthread_t beside;
    bool is_good = count <= CHILDREN_MAX;

    all.seed = strtoull(arguments[2], NULL, 10);
    all.operations = atol(arguments[4]);
    if (!map_witness(arguments[1]) || !open_all(arguments[0], arguments + 5))
        return 2;
    for (int i = 0; i < count && is_good; i++)
        is_good = start_child(i);
    if (!is_good || pthread_create(&beside, NULL, run_beside, NULL) != 0)
        return 2;
    is_good = mind_children(count);
    (void)pthread_join(beside, NULL);
    is_good = flush() && is_good;
    close_all();
    return is_good && atomic_load(&all.witness->failed) == 0 ? 0 : 1;
}

/* Opened after the fork, and closed when all have come so far. */
static int run_member(char **arguments, pthread_barrier_t *together)
{
    all.seed += (uint64_t)getpid();
    if (!open_all(arguments[0], arguments + 5))
        return 2;
    run_threads(1);
    (void)pthread_barrier_wait(together);
    close_all();
    return atomic_load(&all.witness->failed) == 0 ? 0 : 1;
}

static int group(char **arguments)
{
    int count = atoi(arguments[3]);
    pthread_barrier_t *together =
        mmap(NULL, sizeof(*together), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_barrierattr_t shared;
    bool is_good = true;
    int status;

    all.seed = strtoull(arguments[2], NULL, 10);
    all.operations = atol(arguments[4]);
    if (!map_witness(arguments[1]) || together == MAP_FAILED || pthread_barrierattr_init(&shared) != 0
        || pthread_barrierattr_setpshared(&shared, PTHREAD_PROCESS_SHARED) != 0
        || pthread_barrier_init(together, &shared, (unsigned)count) != 0)
        return 2;
    for (int i = 0; i < count; i++) {
        if (fork() == 0)
            _exit(run_member(arguments, together));
    }
    while (wait(&status) > 0)
        is_good = is_good && status == 0;
    return is_good ? 0 : 1;
}

static int list_points(char **arguments)
{
    (void)arguments;
    for (int i = 0; i < DREAM_POINT_COUNT; i++)
        (void)puts(crash_point_names[i]);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int least_arguments;
        int (*program)(char **arguments);
        bool reaps_itself;
    } programs[] = { { "points", 0, list_points, false },
                     { "run", 7, run, true },
                     { "settle", 3, settle, false },
                     { "prefork", 6, prefork, false },
                     { "group", 6, group, false } };

    for (size_t i = 0; argc > 1 && i < sizeof(programs) / sizeof(programs[0]); i++) {
        if (strcmp(argv[1], programs[i].name) != 0 || argc - 2 < programs[i].least_arguments)
            continue;
        if (programs[i].reaps_itself)
            (void)signal(SIGCHLD, SIG_IGN);
        return crash_points_read() ? programs[i].program(argv + 2) : 2;
    }
    (void)fprintf(stderr, "worker points | run ... | settle ... | prefork ... | group ...\n");
    return 2;
}
