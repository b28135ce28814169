/* SPDX-License-Identifier: Apache-2.0 */
/* fixture_rows.h - writes a fixture that was read (fixture_file.h) into the store, all or nothing. */
#ifndef DREAMAPID_FIXTURE_ROWS_H
#define DREAMAPID_FIXTURE_ROWS_H

#include "dreamapid/fixture_file.h"
#include "net/db.h"

typedef struct dreamd_fixture_rows {
    const dreamd_fixture *fixture;
    const unsigned char *master_key; /* 32 bytes */
    const char *actor;               /* for the audit */
    int64_t now_ms;
    char place[128]; /* where it stopped: 'platform "<platform>"', 'users[2]' */
} dreamd_fixture_rows;

/* A dreamd_work (service/store/store.h); `arg` is a dreamd_fixture_rows. CONFLICT: a row is there already or overlaps one. */
dreamd_db_status dreamd_fixture_write(dreamd_db *db, void *arg);

#endif
