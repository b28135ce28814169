/* SPDX-License-Identifier: Apache-2.0 */
/* store_case.c - see store_case.h. */
#include "store_case.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const unsigned char master_key[32] = "an unsecret key for tests only!";

static void insert_tiers(const store_case *self)
{
    dreamd_tier tiers[] = {
        { .name = "free", .display_name = "Free", .limit = 5, .rate_limit = DREAMD_DEFAULT_RATE_LIMIT },
        { .name = "pro", .display_name = "Pro Plan", .limit = 100, .rate_limit = DREAMD_UNLIMITED },
        { .name = "enterprise", .limit = DREAMD_UNLIMITED, .rate_limit = DREAMD_UNLIMITED },
        { .name = "slow", .limit = DREAMD_UNLIMITED, .rate_limit = 3 },
        { .name = "metered",
          .limit = 10,
          .rate_limit = DREAMD_UNLIMITED,
          .meters_json = "{\"tokens\":{\"limit\":50},\"images\":{\"limit\":null},\"odd\":{\"limit\":\"many\"}}" },
    };
    for (size_t i = 0; i < sizeof tiers / sizeof tiers[0]; i++) {
        tiers[i].features_json = "[]";
        tiers[i].description = "";
        tiers[i].billing_mode = "subscription";
        tiers[i].inventory = DREAMD_UNLIMITED;
        tiers[i].trial_days = DREAMD_NO_TRIAL;
        assert_ok(dreamd_tier_insert(self->db, &self->project, &tiers[i], T0));
    }
}

static void insert_tenant(store_case *self)
{
    dreamd_platform platform = { .platform_id = PLATFORM, .email = "dev@example.test" };
    dreamd_new_key key = { PLATFORM, PROJECT, PK, SK, master_key };
    self->project = (dreamd_project){ .platform_id = PLATFORM,
                                      .project_id = PROJECT,
                                      .publishable_key = PK,
                                      .mode = DREAMD_LIVE,
                                      .type = "saas",
                                      .name = "App" };
    assert_ok(dreamd_platform_insert(self->db, &platform, T0));
    assert_ok(dreamd_project_insert(self->db, &self->project, T0));
    assert_ok(dreamd_key_insert(self->db, &key, T0, NULL));
}

int store_case_setup(void **state)
{
    char error[256] = "";
    store_case *self = calloc(1, sizeof *self);
    assert_non_null(self);
    (void)snprintf(self->folder, sizeof self->folder, "/tmp/dreamd-store-XXXXXX");
    assert_non_null(mkdtemp(self->folder));
    (void)snprintf(self->path, sizeof self->path, "%s/store.db", self->folder);
    assert_true(dreamd_store_migrate(self->path, error));
    self->db = dreamd_db_open_sqlite(self->path, DREAMD_DB_READ_WRITE, error);
    assert_non_null(self->db);
    self->arena = dream_arena_new();
    assert_non_null(self->arena);
    assert_ok(dreamd_db_begin(self->db));
    insert_tenant(self);
    insert_tiers(self);
    assert_ok(dreamd_db_commit(self->db));
    *state = self;
    return 0;
}

int store_case_teardown(void **state)
{
    static const char *const endings[] = { "", "-wal", "-shm" };
    store_case *self = *state;
    dreamd_db_close(self->db);
    dream_arena_free(self->arena);
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        char path[128];
        (void)snprintf(path, sizeof path, "%s%s", self->path, endings[i]);
        (void)unlink(path);
    }
    (void)rmdir(self->folder);
    free(self);
    return 0;
}

void store_case_let_go(store_case *self)
{
    dreamd_db_close(self->db);
    self->db = NULL;
}

void store_case_take_up(store_case *self)
{
    char error[256];
    self->db = dreamd_db_open_sqlite(self->path, DREAMD_DB_READ_WRITE, error);
    assert_non_null(self->db);
}

dreamd_usage_request request_of(const store_case *self, const char *user, int64_t now_ms)
{
    return (dreamd_usage_request){ .project = &self->project, .user_id = user, .units = 1, .now_ms = now_ms };
}

dreamd_usage_result admit(const store_case *self, const dreamd_usage_request *request)
{
    dreamd_usage_result result;
    assert_ok(dreamd_usage_admit(self->db, request, &result));
    return result;
}

dreamd_usage_result read_usage(const store_case *self, const dreamd_usage_request *request)
{
    dreamd_usage_result result;
    assert_ok(dreamd_usage_read(self->db, request, &result));
    return result;
}

int64_t number_of(dreamd_db *db, const char *sql)
{
    dreamd_rows *rows = NULL;
    assert_ok(dreamd_db_query(db, sql, DREAMD_NO_PARAMS, &rows));
    assert_int_equal(dreamd_rows_next(rows), DREAMD_DB_ROW);
    int64_t number = dreamd_rows_int(rows, 0);
    dreamd_rows_finish(rows);
    return number;
}

static void print_violation(void *context, const char *rule, const char *what)
{
    (void)context;
    print_message("# violation: %s: %s\n", rule, what);
}

int64_t violations_of(dreamd_db *db, int64_t now_ms)
{
    int64_t violations = -1;
    assert_ok(dreamd_check(db, now_ms, print_violation, NULL, &violations));
    return violations;
}
