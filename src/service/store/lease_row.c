/* SPDX-License-Identifier: Apache-2.0 */
/* lease_row.c - what a lease comes to, and changing it. Each lease adds to its period: `charged` to used and leased, its rest to
 * held while it is active and to lost while it is lost or unproven. A change adds the difference, so that the period's counts
 * are at all times the sum over its leases, which check.c compares.
 *
 * A lease is read, then written with the revision that was read: where transactions run side by side, one of two that
 * cross finds nothing to change, answers BUSY and is run again. */
#include "service/store/lease_row.h"

#include "common/rule.h"
#include "common/timefmt.h"
#include "service/store/row.h"
#include "service/store/usage_days.h"

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

bool dreamd_lease_row_read(const dreamd_rows *rows, dreamd_lease_row *out)
{
    out->period_start_day = (int32_t)dreamd_rows_int(rows, 4);
    out->period_end_day = (int32_t)dreamd_rows_int(rows, 5);
    out->state = (dreamd_lease_state)dreamd_rows_int(rows, 6);
    out->granted = dreamd_rows_int(rows, 7);
    out->admitted = dreamd_rows_int(rows, 8);
    out->refunded = dreamd_rows_int(rows, 9);
    out->event_refunded = dreamd_rows_int(rows, 10);
    out->written_off = dreamd_rows_int(rows, 11);
    out->is_recalled = dreamd_rows_int(rows, 12) != 0;
    out->ends_at_ms = dreamd_rows_int(rows, 13);
    out->silent_at_ms = dreamd_rows_int(rows, 14);
    out->revision = dreamd_rows_int(rows, 15);
    return dreamd_row_text(rows, 0, out->lease_id, sizeof out->lease_id)
           && dreamd_row_text(rows, 1, out->holder, sizeof out->holder)
           && dreamd_row_text(rows, 2, out->user_id, sizeof out->user_id)
           && dreamd_row_text(rows, 3, out->meter, sizeof out->meter);
}

dreamd_db_status dreamd_lease_find(dreamd_db *db, const dreamd_project *project, const char *lease_id,
                                   dreamd_lease_row *out, bool *out_found)
{
    dreamd_rows *rows = NULL;
    dreamd_db_status status = dreamd_row_one(
        db, "SELECT " DREAMD_LEASE_COLUMNS " FROM leases WHERE platform_id = $1 AND project_id = $2 AND lease_id = $3",
        DREAMD_PARAMS(dreamd_text(project->platform_id), dreamd_text(project->project_id), dreamd_text(lease_id)),
        &rows);
    *out_found = rows != NULL;
    if (rows && !dreamd_lease_row_read(rows, out))
        status = DREAMD_DB_ERROR;
    dreamd_rows_finish(rows);
    return status;
}

/* ---- what it comes to ---- */

int64_t dreamd_lease_charged(const dreamd_lease_row *lease)
{
    int64_t charged = lease->admitted - least(lease->refunded, lease->admitted) - lease->event_refunded;
    if (!DREAM_RULE(charge_is_not_negative))
        return lease->admitted - lease->refunded - lease->event_refunded;
    return most(charged, 0);
}

int64_t dreamd_lease_rest(const dreamd_lease_row *lease)
{
    if (!DREAM_RULE(refund_leaves_lease))
        return lease->granted - lease->admitted + lease->refunded;
    return lease->granted - most(lease->admitted, lease->refunded);
}

static int64_t held_of(const dreamd_lease_row *lease)
{
    return lease->state == DREAMD_LEASE_ACTIVE ? dreamd_lease_rest(lease) : 0;
}

int64_t dreamd_lease_lost(const dreamd_lease_row *lease)
{
    bool is_counted = (lease->state == DREAMD_LEASE_LOST && DREAM_RULE(silent_becomes_lost))
                      || (lease->state == DREAMD_LEASE_UNPROVEN && DREAM_RULE(only_final_returns));
    return is_counted ? most(dreamd_lease_rest(lease) - lease->written_off, 0) : 0;
}

/* ---- changing it ---- */

static bool is_same(const dreamd_lease_row *a, const dreamd_lease_row *b)
{
    return a->state == b->state && a->admitted == b->admitted && a->refunded == b->refunded
           && a->event_refunded == b->event_refunded && a->written_off == b->written_off
           && a->is_recalled == b->is_recalled && a->silent_at_ms == b->silent_at_ms && a->ends_at_ms == b->ends_at_ms;
}

/* A check-in, or a refund: leaves alone what the two indexes are made of. */
static dreamd_db_status write_counts(dreamd_db *db, const dreamd_project *project, const dreamd_lease_row *lease,
                                     int64_t *out_changed)
{
    return dreamd_db_run(
        db,
        "UPDATE leases SET admitted = $5, refunded = $6, event_refunded = $7, revision = $4 + 1 "
        "WHERE platform_id = $1 AND project_id = $2 AND lease_id = $3 AND revision = $4",
        DREAMD_PARAMS(dreamd_text(project->platform_id), dreamd_text(project->project_id), dreamd_text(lease->lease_id),
                      dreamd_int(lease->revision), dreamd_int(lease->admitted), dreamd_int(lease->refunded),
                      dreamd_int(lease->event_refunded)),
        out_changed);
}

static dreamd_db_status write_all(dreamd_db *db, const dreamd_project *project, const dreamd_lease_row *lease,
                                  int64_t *out_changed)
{
    return dreamd_db_run(
        db,
        "UPDATE leases SET admitted = $5, refunded = $6, event_refunded = $7, state = $8, written_off = $9, "
        "is_recalled = $10, silent_at_ms = $11, ends_at_ms = $12, revision = $4 + 1 "
        "WHERE platform_id = $1 AND project_id = $2 AND lease_id = $3 AND revision = $4",
        DREAMD_PARAMS(dreamd_text(project->platform_id), dreamd_text(project->project_id), dreamd_text(lease->lease_id),
                      dreamd_int(lease->revision), dreamd_int(lease->admitted), dreamd_int(lease->refunded),
                      dreamd_int(lease->event_refunded), dreamd_int(lease->state), dreamd_int(lease->written_off),
                      dreamd_int(lease->is_recalled), dreamd_int(lease->silent_at_ms), dreamd_int(lease->ends_at_ms)),
        out_changed);
}

static dreamd_db_status write_lease(dreamd_db *db, const dreamd_project *project, const dreamd_lease_row *before,
                                    const dreamd_lease_row *after)
{
    bool is_counts_only = before->state == after->state && before->written_off == after->written_off
                          && before->is_recalled == after->is_recalled && before->silent_at_ms == after->silent_at_ms
                          && before->ends_at_ms == after->ends_at_ms;
    int64_t changed = 0;
    dreamd_db_status status =
        is_counts_only ? write_counts(db, project, after, &changed) : write_all(db, project, after, &changed);
    return status == DREAMD_DB_OK && changed == 0 ? DREAMD_DB_BUSY : status;
}

static dreamd_db_status forget_recall(dreamd_db *db, const dreamd_project *project, const dreamd_lease_row *lease)
{
    return dreamd_db_run(db,
                         "DELETE FROM lease_recalls WHERE platform_id = $1 AND project_id = $2 AND holder = $3 AND "
                         "lease_id = $4",
                         DREAMD_PARAMS(dreamd_text(project->platform_id), dreamd_text(project->project_id),
                                       dreamd_text(lease->holder), dreamd_text(lease->lease_id)),
                         NULL);
}

static dreamd_db_status add_to_period(dreamd_db *db, const dreamd_lease_scope *scope, const dreamd_lease_row *before,
                                      const dreamd_lease_row *after)
{
    int64_t charged = dreamd_lease_charged(after) - dreamd_lease_charged(before);
    int64_t held = held_of(after) - held_of(before);
    int64_t lost = dreamd_lease_lost(after) - dreamd_lease_lost(before);
    int64_t written_off = after->written_off - before->written_off;
    dreamd_period period = { scope->project, after->user_id, after->meter, after->period_start_day,
                             after->period_end_day };
    if (charged == 0 && held == 0 && lost == 0 && written_off == 0)
        return DREAMD_DB_OK;
    dreamd_db_status status = dreamd_db_run(
        db,
        "UPDATE usage_counts SET used = used + $6, leased = leased + $6, held = held + $7, lost = lost + $8, "
        "written_off = written_off + $9, updated_at_ms = $10 WHERE platform_id = $1 AND project_id = $2 AND "
        "user_id = $3 AND meter = $4 AND period_start_day = $5",
        DREAMD_PARAMS(dreamd_text(scope->project->platform_id), dreamd_text(scope->project->project_id),
                      dreamd_text(after->user_id), dreamd_text(after->meter), dreamd_int(after->period_start_day),
                      dreamd_int(charged), dreamd_int(held), dreamd_int(lost), dreamd_int(written_off),
                      dreamd_int(scope->now_ms)),
        NULL);
    return status == DREAMD_DB_OK ? dreamd_usage_days_add(db, &period, dream_day_of_ms(scope->now_ms), charged)
                                  : status;
}

dreamd_db_status dreamd_lease_change(dreamd_db *db, const dreamd_lease_scope *scope, const dreamd_lease_row *before,
                                     const dreamd_lease_row *after)
{
    if (is_same(before, after))
        return DREAMD_DB_OK;
    dreamd_db_status status = write_lease(db, scope->project, before, after);
    if (status == DREAMD_DB_OK && before->is_recalled && !after->is_recalled)
        status = forget_recall(db, scope->project, before);
    return status == DREAMD_DB_OK ? add_to_period(db, scope, before, after) : status;
}

dreamd_db_status dreamd_lease_age(dreamd_db *db, const dreamd_lease_scope *scope, dreamd_lease_row *lease)
{
    dreamd_lease_row before = *lease;
    if (lease->state != DREAMD_LEASE_ACTIVE || scope->now_ms < lease->silent_at_ms)
        return DREAMD_DB_OK;
    lease->state = DREAMD_LEASE_LOST;
    lease->is_recalled = false;
    dreamd_db_status status = dreamd_lease_change(db, scope, &before, lease);
    lease->revision++;
    return status;
}
