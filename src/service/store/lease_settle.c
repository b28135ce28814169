/* SPDX-License-Identifier: Apache-2.0 */
/* lease_settle.c - books what holders report: check-ins, ends, and refunds of what was settled before.
 *
 * Reports may come twice, late and in any order. What they say only ever adds up: states rise, counts keep their largest value,
 * refunds have ids. So any order of the same reports ends in the same books. */
#include "common/rule.h"
#include "common/timefmt.h"
#include "service/store/customers.h"
#include "service/store/lease_row.h"
#include "service/store/row.h"
#include "service/store/usage.h"

#include <string.h>

/* ---- the period ---- */

typedef struct found_period {
    bool is_there;
    int32_t start_day;
    int32_t end_day;
    bool is_closed; /* its leases may be gone already */
} found_period;

static bool are_books_closed(const dreamd_lease_scope *scope, int32_t end_day)
{
    return DREAM_RULE(books_close) && dream_day_of_ms(scope->books_ms) > end_day + scope->terms->close_days;
}

/* The period that begins on that day. A store that was restored may have begun another one meanwhile, which overlaps it:
 * then that one, as two would allow twice as much on the days they share. */
static dreamd_db_status find_period(dreamd_db *db, const dreamd_lease_scope *scope, const dreamd_lease_report *report,
                                    int32_t start_day, found_period *out)
{
    dreamd_rows *rows = NULL;
    int32_t end_day = start_day + DREAMD_PERIOD_DAYS - 1;
    *out = (found_period){ false, start_day, end_day, false };
    dreamd_db_status status = dreamd_row_one(
        db,
        "SELECT period_start_day, period_end_day, is_closed FROM usage_counts WHERE platform_id = $1 AND "
        "project_id = $2 AND user_id = $3 AND meter = $4 AND period_start_day <= $6 AND period_end_day >= $5 "
        "ORDER BY period_start_day LIMIT 1",
        DREAMD_PARAMS(dreamd_text(scope->project->platform_id), dreamd_text(scope->project->project_id),
                      dreamd_text(report->user_id), dreamd_text(report->meter), dreamd_int(start_day),
                      dreamd_int(DREAM_RULE(periods_move_forward) ? end_day : start_day)),
        &rows);
    if (rows)
        *out = (found_period){ true, (int32_t)dreamd_rows_int(rows, 0), (int32_t)dreamd_rows_int(rows, 1),
                               dreamd_rows_int(rows, 2) != 0 };
    dreamd_rows_finish(rows);
    return status;
}

/* What it was granted under is not known any more: the limit of today stands for it. */
static dreamd_db_status put_period(dreamd_db *db, const dreamd_lease_scope *scope, const dreamd_lease_report *report,
                                   const found_period *period)
{
    dreamd_usage_request request = { .project = scope->project,
                                     .user_id = report->user_id,
                                     .meter = report->meter,
                                     .units = 1,
                                     .now_ms = scope->now_ms };
    dreamd_usage_result plan;
    dreamd_db_status status = dreamd_usage_identify(db, &request, &plan);
    if (status == DREAMD_DB_OK)
        status = dreamd_customer_ensure(db, scope->project, report->user_id, NULL, scope->now_ms);
    if (status != DREAMD_DB_OK)
        return status;
    return dreamd_db_run(
        db,
        "INSERT INTO usage_counts (platform_id, project_id, user_id, meter, period_start_day, period_end_day, used, "
        "held, lost, highest_limit, updated_at_ms) VALUES ($1, $2, $3, $4, $5, $6, 0, 0, 0, $7, $8) "
        "ON CONFLICT (platform_id, project_id, user_id, meter, period_start_day) DO UPDATE SET highest_limit = "
        "CASE WHEN usage_counts.highest_limit < $7 THEN $7 ELSE usage_counts.highest_limit END",
        DREAMD_PARAMS(dreamd_text(scope->project->platform_id), dreamd_text(scope->project->project_id),
                      dreamd_text(report->user_id), dreamd_text(report->meter), dreamd_int(period->start_day),
                      dreamd_int(period->end_day), dreamd_int(plan.limit), dreamd_int(scope->now_ms)),
        NULL);
}

/* ---- what comes too late ---- */

static dreamd_db_status list_late(dreamd_db *db, const dreamd_lease_scope *scope, const dreamd_lease_report *report)
{
    return dreamd_db_run(
        db,
        "INSERT INTO late_settlements (platform_id, project_id, lease_id, user_id, meter, period_start_day, granted, "
        "admitted, refunded, is_final, recorded_at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) "
        "ON CONFLICT (platform_id, project_id, lease_id) DO UPDATE SET "
        "admitted = CASE WHEN late_settlements.admitted < $8 THEN $8 ELSE late_settlements.admitted END, "
        "refunded = CASE WHEN late_settlements.refunded < $9 THEN $9 ELSE late_settlements.refunded END, "
        "is_final = CASE WHEN late_settlements.is_final < $10 THEN $10 ELSE late_settlements.is_final END",
        DREAMD_PARAMS(dreamd_text(scope->project->platform_id), dreamd_text(scope->project->project_id),
                      dreamd_text(report->lease_id), dreamd_text(report->user_id), dreamd_text(report->meter),
                      dreamd_int(report->period_start_day), dreamd_int(report->granted), dreamd_int(report->admitted),
                      dreamd_int(report->refunded), dreamd_int(report->is_final && !report->is_unproven),
                      dreamd_int(scope->now_ms)),
        NULL);
}

/* ---- a lease that nobody knows ---- */

static dreamd_db_status insert_lease(dreamd_db *db, const dreamd_lease_scope *scope, const dreamd_lease_report *report,
                                     const dreamd_lease_row *lease)
{
    dreamd_db_status status = dreamd_db_run(
        db,
        "INSERT INTO leases (platform_id, project_id, lease_id, request_id, holder, user_id, meter, period_start_day, "
        "period_end_day, state, granted, admitted, refunded, event_refunded, written_off, plan, usage_limit, "
        "is_recalled, granted_at_ms, ends_at_ms, silent_at_ms, revision) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, "
        "$10, $11, 0, 0, 0, 0, '', 0, 0, $12, $13, $14, 0)",
        DREAMD_PARAMS(dreamd_text(scope->project->platform_id), dreamd_text(scope->project->project_id),
                      dreamd_text(report->lease_id), dreamd_text(report->request_id), dreamd_text(scope->holder),
                      dreamd_text(report->user_id), dreamd_text(report->meter), dreamd_int(lease->period_start_day),
                      dreamd_int(lease->period_end_day), dreamd_int(lease->state), dreamd_int(lease->granted),
                      dreamd_int(scope->now_ms), dreamd_int(lease->ends_at_ms), dreamd_int(lease->silent_at_ms)),
        NULL);
    if (status != DREAMD_DB_OK)
        return status;
    /* The request that it came from must not be granted again. Another answer to it, if there is one, stays. */
    return dreamd_db_run(
        db,
        "INSERT INTO lease_requests (platform_id, project_id, request_id, lease_id, user_id, meter, "
        "recorded_at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7) "
        "ON CONFLICT (platform_id, project_id, request_id) DO NOTHING",
        DREAMD_PARAMS(dreamd_text(scope->project->platform_id), dreamd_text(scope->project->project_id),
                      dreamd_text(report->request_id), dreamd_text(report->lease_id), dreamd_text(report->user_id),
                      dreamd_text(report->meter), dreamd_int(scope->now_ms)),
        NULL);
}

/* Made as it was granted: all of it held, until the report is booked on it. Its end is not known; it has one by then. */
static dreamd_db_status make_lease(dreamd_db *db, const dreamd_lease_scope *scope, const dreamd_lease_report *report,
                                   const found_period *period, dreamd_lease_row *out)
{
    *out = (dreamd_lease_row){
        .period_start_day = period->start_day,
        .period_end_day = period->end_day,
        .state = DREAMD_LEASE_ACTIVE,
        .granted = report->granted,
        .ends_at_ms = scope->now_ms + scope->terms->ttl_ms,
        .silent_at_ms = scope->now_ms + scope->terms->ttl_ms + scope->terms->grace_ms,
    };
    (void)strncpy(out->lease_id, report->lease_id, sizeof out->lease_id - 1);
    (void)strncpy(out->holder, scope->holder, sizeof out->holder - 1);
    (void)strncpy(out->user_id, report->user_id, sizeof out->user_id - 1);
    (void)strncpy(out->meter, report->meter, sizeof out->meter - 1);
    dreamd_db_status status = put_period(db, scope, report, period);
    if (status == DREAMD_DB_OK)
        status = insert_lease(db, scope, report, out);
    if (status != DREAMD_DB_OK)
        return status;
    return dreamd_db_run(
        db,
        "UPDATE usage_counts SET held = held + $6, updated_at_ms = $7 WHERE platform_id = $1 AND project_id = $2 AND "
        "user_id = $3 AND meter = $4 AND period_start_day = $5",
        DREAMD_PARAMS(dreamd_text(scope->project->platform_id), dreamd_text(scope->project->project_id),
                      dreamd_text(report->user_id), dreamd_text(report->meter), dreamd_int(period->start_day),
                      dreamd_int(report->granted), dreamd_int(scope->now_ms)),
        NULL);
}

/* ---- booking ---- */

static bool is_sound(const dreamd_lease_report *report)
{
    return report->granted >= 1 && report->granted <= DREAMD_LEASE_UNITS_MAX && report->admitted >= 0
           && report->admitted <= report->granted && report->refunded >= 0 && report->refunded <= report->granted;
}

static bool is_of(const dreamd_lease_row *lease, const dreamd_lease_report *report)
{
    return lease->granted == report->granted && strcmp(lease->user_id, report->user_id) == 0
           && strcmp(lease->meter, report->meter) == 0;
}

static dreamd_lease_state next_state(const dreamd_lease_row *lease, const dreamd_lease_report *report)
{
    dreamd_lease_state asked = report->is_unproven ? DREAMD_LEASE_UNPROVEN
                               : report->is_final  ? DREAMD_LEASE_FINAL
                                                   : DREAMD_LEASE_ACTIVE;
    if (!DREAM_RULE(check_in_revives_nothing) && asked == DREAMD_LEASE_ACTIVE && lease->state == DREAMD_LEASE_LOST)
        return DREAMD_LEASE_ACTIVE;
    if (!DREAM_RULE(final_beats_unproven) && lease->state == DREAMD_LEASE_UNPROVEN)
        return DREAMD_LEASE_UNPROVEN;
    if (!DREAM_RULE(state_only_rises) && asked != DREAMD_LEASE_ACTIVE)
        return asked;
    return asked > lease->state ? asked : lease->state;
}

static int64_t larger(int64_t known, int64_t told)
{
    return told > known || !DREAM_RULE(largest_seen) ? told : known;
}

/* What the lease is after the report. */
static dreamd_lease_row apply(const dreamd_lease_scope *scope, const dreamd_lease_row *lease,
                              const dreamd_lease_report *report)
{
    dreamd_lease_row after = *lease;
    after.state = next_state(lease, report);
    after.admitted = larger(lease->admitted, report->admitted);
    after.refunded = larger(lease->refunded, report->refunded);
    if (after.state != DREAMD_LEASE_ACTIVE) {
        after.is_recalled = false;
        return after;
    }
    if (scope->now_ms > after.ends_at_ms) /* not silent: a reservation may pin a lease past its end */
        after.silent_at_ms = scope->now_ms + scope->terms->grace_ms;
    if (!DREAM_RULE(never_renewed))
        after.ends_at_ms = scope->now_ms + scope->terms->ttl_ms;
    return after;
}

static dreamd_db_status book(dreamd_db *db, const dreamd_lease_scope *scope, dreamd_lease_row *lease,
                             const dreamd_lease_report *report, dreamd_lease_settled *out)
{
    dreamd_db_status status = dreamd_lease_age(db, scope, lease);
    if (status != DREAMD_DB_OK)
        return status;
    /* A proven end was the holder's last word: nothing was admitted after it. */
    dreamd_lease_row after =
        lease->state == DREAMD_LEASE_FINAL && DREAM_RULE(state_only_rises) ? *lease : apply(scope, lease, report);
    out->state = after.state;
    out->charged = dreamd_lease_charged(&after);
    out->returned = after.state == DREAMD_LEASE_FINAL ? dreamd_lease_rest(&after) : 0;
    return dreamd_lease_change(db, scope, lease, &after);
}

static dreamd_db_status settle_known(dreamd_db *db, const dreamd_lease_scope *scope, dreamd_lease_row *lease,
                                     const dreamd_lease_report *report, dreamd_lease_settled *out)
{
    if (!is_of(lease, report)) {
        out->state = DREAMD_LEASE_INVALID;
        return DREAMD_DB_OK;
    }
    /* One that is final hears what it heard before for as long as it is remembered. */
    if (lease->state != DREAMD_LEASE_FINAL && are_books_closed(scope, lease->period_end_day)) {
        out->state = DREAMD_LEASE_CLOSED;
        return list_late(db, scope, report);
    }
    return book(db, scope, lease, report, out);
}

static dreamd_db_status settle_unknown(dreamd_db *db, const dreamd_lease_scope *scope,
                                       const dreamd_lease_report *report, dreamd_lease_settled *out)
{
    dreamd_lease_row made;
    found_period period;
    int32_t start_day = DREAM_RULE(books_into_its_period) ? report->period_start_day : dream_day_of_ms(scope->now_ms);
    /* Of the store's own leases the row knows better: it may have begun their period while its clock was ahead. */
    bool is_of_the_future = report->period_start_day > dream_day_of_ms(scope->now_ms) + 1;
    if (is_of_the_future || !DREAM_RULE(unknown_makes_row)) {
        out->state = DREAMD_LEASE_INVALID;
        return DREAMD_DB_OK;
    }
    dreamd_db_status status = find_period(db, scope, report, start_day, &period);
    if (status != DREAMD_DB_OK)
        return status;
    if (period.is_closed || are_books_closed(scope, period.end_day)) {
        out->state = DREAMD_LEASE_CLOSED;
        return list_late(db, scope, report);
    }
    status = make_lease(db, scope, report, &period, &made);
    return status == DREAMD_DB_OK ? book(db, scope, &made, report, out) : status;
}

#ifdef DREAM_MUTABLE_RULES
static dreamd_db_status is_deleted(dreamd_db *db, const dreamd_lease_scope *scope, const char *user_id, bool *out)
{
    return dreamd_row_exists(
        db,
        "SELECT 1 FROM customers WHERE platform_id = $1 AND project_id = $2 AND user_id = $3 AND status = 'deleted'",
        DREAMD_PARAMS(dreamd_text(scope->project->platform_id), dreamd_text(scope->project->project_id),
                      dreamd_text(user_id)),
        out);
}
#endif

dreamd_db_status dreamd_lease_settle(dreamd_db *db, const dreamd_lease_scope *scope, const dreamd_lease_report *report,
                                     dreamd_lease_settled *out)
{
    dreamd_lease_row lease;
    bool is_found = false;
    *out = (dreamd_lease_settled){ .state = DREAMD_LEASE_INVALID };
    if (!is_sound(report))
        return DREAMD_DB_OK;
#ifdef DREAM_MUTABLE_RULES
    bool is_gone = false;
    if (!DREAM_RULE(deleted_still_settles) && is_deleted(db, scope, report->user_id, &is_gone) == DREAMD_DB_OK
        && is_gone)
        return DREAMD_DB_OK;
#endif
    dreamd_db_status status = dreamd_lease_find(db, scope->project, report->lease_id, &lease, &is_found);
    if (status != DREAMD_DB_OK)
        return status;
    return is_found ? settle_known(db, scope, &lease, report, out) : settle_unknown(db, scope, report, out);
}

/* ---- refunds ---- */

static dreamd_db_status remember_refund(dreamd_db *db, const dreamd_lease_scope *scope,
                                        const dreamd_lease_refund *refund, bool *out_is_new)
{
    int64_t changed = 0;
    dreamd_db_status status = dreamd_db_run(
        db,
        "INSERT INTO lease_refunds (platform_id, project_id, lease_id, refund_id, units, recorded_at_ms) "
        "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (platform_id, project_id, lease_id, refund_id) DO NOTHING",
        DREAMD_PARAMS(dreamd_text(scope->project->platform_id), dreamd_text(scope->project->project_id),
                      dreamd_text(refund->lease_id), dreamd_text(refund->refund_id), dreamd_int(refund->units),
                      dreamd_int(scope->now_ms)),
        &changed);
    *out_is_new = changed > 0 || !DREAM_RULE(refund_once);
    return status;
}

dreamd_db_status dreamd_lease_refund_apply(dreamd_db *db, const dreamd_lease_scope *scope,
                                           const dreamd_lease_refund *refund, dreamd_lease_refund_outcome *out)
{
    dreamd_lease_row lease;
    bool is_found = false;
    bool is_new = false;
    *out = DREAMD_LEASE_REFUND_INVALID;
    if (refund->units < 1 || refund->units > DREAMD_LEASE_UNITS_MAX)
        return DREAMD_DB_OK;
    dreamd_db_status status = dreamd_lease_find(db, scope->project, refund->lease_id, &lease, &is_found);
    *out = is_found ? DREAMD_LEASE_REFUND_CLOSED : DREAMD_LEASE_REFUND_UNKNOWN;
    if (status != DREAMD_DB_OK || !is_found || are_books_closed(scope, lease.period_end_day))
        return status;
    status = remember_refund(db, scope, refund, &is_new);
    *out = is_new ? DREAMD_LEASE_REFUND_APPLIED : DREAMD_LEASE_REFUND_DUPLICATE;
    if (status == DREAMD_DB_OK)
        status = dreamd_lease_age(db, scope, &lease);
    if (status != DREAMD_DB_OK || !is_new)
        return status;
    dreamd_lease_row after = lease;
    after.event_refunded += refund->units;
    return dreamd_lease_change(db, scope, &lease, &after);
}
