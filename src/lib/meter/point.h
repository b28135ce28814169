/* SPDX-License-Identifier: Apache-2.0 */
/* point.h - the places between two stores to the journal where a killed process leaves something half done. Tests kill a process at
 * each of them (tests/crash); in what is built for use a point is no code. It also keeps the compiler from moving stores over it:
 * a process dies between two instructions, so their order is what counts. */
#ifndef DREAM_LIB_METER_POINT_H
#define DREAM_LIB_METER_POINT_H

#include <stdatomic.h>

#define DREAM_POINTS(X)                                                                                                \
    X(record_unlisted)                                                                                                 \
    X(record_cleared)                                                                                                  \
    X(record_allocated)                                                                                                \
    X(record_given)                                                                                                    \
    X(record_listed)                                                                                                   \
    X(account_written)                                                                                                 \
    X(account_published)                                                                                               \
    X(journal_allocated)                                                                                               \
    X(journal_written)                                                                                                 \
    X(identity_written)                                                                                                \
    X(recover_emptied)                                                                                                 \
    X(recover_lease)                                                                                                   \
    X(recover_reservations)                                                                                            \
    X(recover_collected)                                                                                               \
    X(recover_done)                                                                                                    \
    X(recover_named)                                                                                                   \
    X(close_sealed)                                                                                                    \
    X(close_synced)                                                                                                    \
    X(wish_filled)                                                                                                     \
    X(wish_pending)                                                                                                    \
    X(wish_named)                                                                                                      \
    X(grant_unnamed)                                                                                                   \
    X(grant_retired)                                                                                                   \
    X(install_begun)                                                                                                   \
    X(install_active)                                                                                                  \
    X(install_open)                                                                                                    \
    X(install_done)                                                                                                    \
    X(install_current)                                                                                                 \
    X(fan_filled)                                                                                                      \
    X(fan_named)                                                                                                       \
    X(carve_lowered)                                                                                                   \
    X(carve_taken)                                                                                                     \
    X(raise_begun)                                                                                                     \
    X(gather_taken)                                                                                                    \
    X(calls_lowered)                                                                                                   \
    X(reserve_carved)                                                                                                  \
    X(reserve_filled)                                                                                                  \
    X(reserve_linked)                                                                                                  \
    X(commit_booked)                                                                                                   \
    X(turn_begun)                                                                                                      \
    X(turn_restarted)                                                                                                  \
    X(turn_counted)                                                                                                    \
    X(fold_noted)                                                                                                      \
    X(fold_begun)                                                                                                      \
    X(fold_counted)                                                                                                    \
    X(fold_sealed)                                                                                                     \
    X(fold_over)                                                                                                       \
    X(fold_raised)                                                                                                     \
    X(fold_unlinked)                                                                                                   \
    X(refund_written)                                                                                                  \
    X(refund_recorded)                                                                                                 \
    X(refund_booked)                                                                                                   \
    X(end_unnamed)                                                                                                     \
    X(seal_begun)                                                                                                      \
    X(seal_shares)                                                                                                     \
    X(settle_closed)                                                                                                   \
    X(settle_built)                                                                                                    \
    X(settle_written)                                                                                                  \
    X(settle_listed)                                                                                                   \
    X(settle_remembered)                                                                                               \
    X(free_begun)                                                                                                      \
    X(free_parts)                                                                                                      \
    X(free_done)                                                                                                       \
    X(forget_begun)                                                                                                    \
    X(forget_unlisted)                                                                                                 \
    X(forget_counted)                                                                                                  \
    X(direct_published)                                                                                                \
    X(direct_named)                                                                                                    \
    X(debt_owed)                                                                                                       \
    X(change_noted)                                                                                                    \
    X(change_units)                                                                                                    \
    X(change_doubtful)                                                                                                 \
    X(change_debt)                                                                                                     \
    X(report_named)                                                                                                    \
    X(report_begun)                                                                                                    \
    X(epoch_marked)                                                                                                    \
    X(answer_booked)

typedef enum dream_point {
#define DREAM_POINT_CODE(name) DREAM_POINT_##name,
    DREAM_POINTS(DREAM_POINT_CODE)
#undef DREAM_POINT_CODE
        DREAM_POINT_COUNT
} dream_point;

#ifdef DREAM_KILL_POINTS
/* The test's: ends the process here if it was told to. */
void dream_point_pass(dream_point point);
#define DREAM_POINT(name) dream_point_pass(DREAM_POINT_##name)
#else
#define DREAM_POINT(name) ((void)DREAM_POINT_##name, atomic_signal_fence(memory_order_seq_cst))
#endif

#endif
