/* SPDX-License-Identifier: Apache-2.0 */
/* store_case.h - what the store's tests start from: a database in a folder of its own, with one platform, one live project and
 * its tiers. Each test sets one up and tears it down; nothing is shared between tests. */
#ifndef TESTS_UNIT_SERVICE_STORE_STORE_CASE_H
#define TESTS_UNIT_SERVICE_STORE_STORE_CASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/arena.h"
#include "net/db.h"
#include "service/store/check.h"
#include "service/store/customers.h"
#include "service/store/idempotency.h"
#include "service/store/keys.h"
#include "service/store/model.h"
#include "service/store/store.h"
#include "service/store/subscriptions.h"
#include "service/store/tenants.h"
#include "service/store/tiers.h"
#include "service/store/usage.h"

/* 2026-01-01T00:00:10Z: ten seconds into a minute. */
#define T0 INT64_C(1767225610000)
#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define DAY (24 * 60 * MINUTE)

#define PLATFORM "plt_00000000000000000000000000000001"
#define PROJECT "prj_00000000000000000000000000000001"
#define PK "pk_live_00000000000000000000000000000001"
#define SK "sk_live_0000000000000000000000000000000000000000000000000000000000000001"

typedef struct store_case {
    char folder[64];
    char path[96];
    dreamd_db *db; /* a writing connection, outside any transaction */
    dream_arena *arena;
    dreamd_project project;
} store_case;

extern const unsigned char master_key[32];

/* cmocka setup and teardown: `*state` is a store_case. Tiers: free (5 units, 100 calls), pro (100 units, no rate limit), enterprise
 * (unlimited, no rate limit), slow (unlimited, 3 calls), metered (10 units; meters tokens 50, images unlimited). */
int store_case_setup(void **state);
int store_case_teardown(void **state);

/* Closes and opens `db`: a connection must not be carried over a fork. */
void store_case_let_go(store_case *self);
void store_case_take_up(store_case *self);

/* A request of `user` for 1 unit at `now_ms`, with nothing else known. */
dreamd_usage_request request_of(const store_case *self, const char *user, int64_t now_ms);
/* Admits and fails the test unless the store answered. */
dreamd_usage_result admit(const store_case *self, const dreamd_usage_request *request);
dreamd_usage_result read_usage(const store_case *self, const dreamd_usage_request *request);

/* One integer, from SQL text that is a literal. */
int64_t number_of(dreamd_db *db, const char *sql);
/* How many violations dreamd_check finds; prints them. */
int64_t violations_of(dreamd_db *db, int64_t now_ms);

#define assert_ok(call) assert_int_equal((call), DREAMD_DB_OK)

#endif
