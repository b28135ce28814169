/* SPDX-License-Identifier: Apache-2.0 */
/* measure_admits.c - how many durable admissions a second the store does: one after the other, and with 64 always waiting.
 * Not a test: `ninja measure_admits && measure_admits [FOLDER]` prints figures of this machine's disk. A submitter is a chain: each
 * answer hands in the next request, as a connection does. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "net/db.h"
#include "service/store/idempotency.h"
#include "service/store/keys.h"
#include "service/store/store.h"
#include "service/store/tenants.h"
#include "service/store/usage.h"

enum { RUN_MS = 2000, SUBMITTERS_MAX = 64 };
static const int64_t now_ms = INT64_C(1767225610000);

typedef struct run run;

typedef struct submitter {
    run *run;
    char user[32];
    char key[64];
    dream_arena *arena;
    dreamd_usage_result result;
    long count;
} submitter;

struct run {
    dreamd_store *store;
    dreamd_project project;
    const char *plan;
    bool has_keys;
    int64_t end_us;
    pthread_mutex_t lock;
    pthread_cond_t ended;
    int running;
    submitter submitters[SUBMITTERS_MAX];
};

static int64_t monotonic_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static double cpu_us(void)
{
    struct rusage used;
    (void)getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6
           + (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

static void die(const char *what)
{
    (void)fprintf(stderr, "measure_admits: %s\n", what);
    exit(1);
}

static dreamd_db_status admit(dreamd_db *db, submitter *self)
{
    dreamd_usage_request request = { .project = &self->run->project,
                                     .user_id = self->user,
                                     .units = 1,
                                     .token_plan = self->run->plan,
                                     .now_ms = now_ms };
    return dreamd_usage_admit(db, &request, &self->result);
}

static dreamd_db_status work(dreamd_db *db, void *arg)
{
    submitter *self = arg;
    dreamd_idempotency_claim_result claimed;
    dreamd_idempotency_scope scope = { &self->run->project, "/api/data", self->key };
    if (!self->run->has_keys)
        return admit(db, self);
    char hash[DREAMD_REQUEST_HASH_SIZE] = "a hash";
    dreamd_db_status status = dreamd_idempotency_claim(db, &scope, hash, now_ms, self->arena, &claimed);
    if (status == DREAMD_DB_OK)
        status = admit(db, self);
    return status == DREAMD_DB_OK
               ? dreamd_idempotency_finish(db, &scope, claimed.claim_id, 200, "application/json", "{}", 2)
               : status;
}

static void submit(submitter *self);

static void done(void *arg, dreamd_db_status status)
{
    submitter *self = arg;
    run *all = self->run;
    if (status != DREAMD_DB_OK || self->result.outcome != DREAMD_USAGE_OK)
        die("an admission failed");
    self->count++;
    if (monotonic_us() < all->end_us) {
        submit(self);
        return;
    }
    pthread_mutex_lock(&all->lock);
    all->running--;
    pthread_cond_signal(&all->ended);
    pthread_mutex_unlock(&all->lock);
}

static void submit(submitter *self)
{
    (void)snprintf(self->key, sizeof self->key, "%08ld-%s", self->count, self->user);
    dreamd_store_write(self->run->store, work, done, self);
}

static void measure(run *all, const char *what, int submitters, bool one_user)
{
    all->running = submitters;
    double begun_cpu_us = cpu_us();
    int64_t begun_us = monotonic_us();
    all->end_us = begun_us + RUN_MS * 1000;
    for (int i = 0; i < submitters; i++) {
        submitter *self = &all->submitters[i];
        *self = (submitter){ .run = all, .arena = dream_arena_new() };
        (void)snprintf(self->user, sizeof self->user, "user_%d", one_user ? 0 : i);
        if (all->has_keys)
            (void)snprintf(self->user, sizeof self->user, "user_k%d", i);
        submit(self);
    }
    pthread_mutex_lock(&all->lock);
    while (all->running > 0)
        pthread_cond_wait(&all->ended, &all->lock);
    pthread_mutex_unlock(&all->lock);
    double seconds = (double)(monotonic_us() - begun_us) / 1e6;
    long total = 0;
    for (int i = 0; i < submitters; i++) {
        total += all->submitters[i].count;
        dream_arena_free(all->submitters[i].arena);
    }
    (void)printf("%-46s %10.0f a second, %6.1f us of CPU each\n", what, (double)total / seconds,
                 (cpu_us() - begun_cpu_us) / (double)total);
}

/* The floor: what the disk makes durable one after the other. */
static void measure_fsync(const char *folder)
{
    char path[300], block[4096] = "";
    (void)snprintf(path, sizeof path, "%s/floor", folder);
    FILE *file = fopen(path, "w");
    if (!file)
        die("cannot write");
    long count = 0;
    int64_t begun_us = monotonic_us();
    while (monotonic_us() < begun_us + 500000) {
        if (fwrite(block, sizeof block, 1, file) != 1 || fflush(file) != 0 || fdatasync(fileno(file)) != 0)
            die("cannot write");
        count++;
    }
    (void)fclose(file);
    (void)unlink(path);
    (void)printf("%-46s %10.0f a second\n", "one page and fdatasync", (double)count / 0.5);
}

static dreamd_db_status make_tenant(dreamd_db *db, void *arg)
{
    run *all = arg;
    dreamd_platform platform = { .platform_id = "plt_1" };
    static const char *const names[] = { "unlimited", "rated" };
    all->project = (dreamd_project){ .platform_id = "plt_1", .project_id = "prj_1", .type = "saas", .name = "App" };
    dreamd_db_status status = dreamd_platform_insert(db, &platform, now_ms);
    if (status == DREAMD_DB_OK)
        status = dreamd_project_insert(db, &all->project, now_ms);
    for (size_t i = 0; i < 2 && status == DREAMD_DB_OK; i++) {
        dreamd_tier tier = DREAMD_TIER_INIT;
        tier.name = names[i];
        tier.rate_limit = i == 0 ? DREAMD_UNLIMITED : INT64_C(1000000000);
        status = dreamd_tier_insert(db, &all->project, &tier, now_ms);
    }
    return status;
}

int main(int argc, char **argv)
{
    static run all = { .lock = PTHREAD_MUTEX_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER };
    char folder[256], path[300], error[256];
    (void)snprintf(folder, sizeof folder, "%s/measure-XXXXXX", argc > 1 ? argv[1] : "/tmp");
    if (!mkdtemp(folder))
        die("cannot make a folder");
    (void)snprintf(path, sizeof path, "%s/store.db", folder);
    if (!dreamd_store_migrate(path, error) || !(all.store = dreamd_store_open(path, NULL, error)))
        die(error);
    if (dreamd_store_write_now(all.store, make_tenant, &all) != DREAMD_DB_OK)
        die("cannot make a tenant");

    measure_fsync(folder);
    all.plan = "unlimited";
    measure(&all, "admits, one by one", 1, true);
    measure(&all, "admits, 64 waiting, 64 users", 64, false);
    measure(&all, "admits, 64 waiting, one user", 64, true);
    all.plan = "rated";
    measure(&all, "admits with a rate, 64 waiting, 64 users", 64, false);
    all.has_keys = true;
    measure(&all, "admits with rate and keys, 64 waiting", 64, false);

    dreamd_store_close(all.store);
    for (int i = 0; i < 3; i++) {
        static const char *const endings[] = { "", "-wal", "-shm" };
        char file[320];
        (void)snprintf(file, sizeof file, "%s%s", path, endings[i]);
        (void)unlink(file);
    }
    (void)rmdir(folder);
    return 0;
}
