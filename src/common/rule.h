/* SPDX-License-Identifier: Apache-2.0 */
/* rule.h - the rules of the lease protocol by name, each at the line that decides it.
 *
 * A test of a rule is worth something only if it fails without the rule. So a build with -Dmutable_rules=true can switch each off by
 * name: in the process with dream_rule_switch, in a program from outside with DREAM_RULES_OFF="name,name". In every other
 * build DREAM_RULE is the constant true and the branch behind its negation is gone. */
#ifndef DREAM_COMMON_RULE_H
#define DREAM_COMMON_RULE_H

#include <stdbool.h>

#define DREAM_RULES(X)                                                                                                 \
    /* The service: grants. */                                                                                         \
    X(grant_within_limit)   /* used + held + lost + grant <= limit */                                                  \
    X(direct_within_limit)  /* the same for a direct request */                                                        \
    X(unlimited_holds)      /* held counts under unlimited plans too */                                                \
    X(request_keeps_answer) /* a request id, granted or refused, keeps its answer */                                   \
    X(repeat_tells_state)   /* a repeat's answer carries the lease's present state */                                  \
    X(ttl_is_what_remains)  /* of a repeat, too */                                                                     \
    X(ends_with_period)     /* no lease outlives its period */                                                         \
    X(never_renewed)        /* a check-in moves no lease's end */                                                      \
    X(lease_ids_are_random) /* never a counter, which a restore would set back */                                      \
    X(deleted_gets_nothing) /* acquires of a deleted customer are refused */                                           \
    X(rate_in_every_window) /* a grant takes its calls from each window that it spans */                               \
    /* The service: settlements. */                                                                                    \
    X(state_only_rises)         /* active < lost < unproven < final */                                                 \
    X(final_beats_unproven)     /* in either order */                                                                  \
    X(check_in_revives_nothing) /* a check-in on a lost lease books its counts only */                                 \
    X(largest_seen)             /* admitted and refunded never shrink */                                               \
    X(charge_is_not_negative)   /* max(0, admitted - min(refunded, admitted) - refund events) */                       \
    X(only_final_returns)       /* the rest comes back by a proven final alone */                                      \
    X(refund_leaves_lease)      /* refunded units go back to the allowance, never to the lease */                      \
    X(refund_once)              /* a refund event's id counts once */                                                  \
    X(unknown_makes_row)        /* a settlement of an unknown lease makes its row */                                   \
    X(books_into_its_period)    /* whenever it is settled */                                                           \
    X(periods_move_forward)     /* a settlement of an old period opens no new one in the middle */                     \
    X(deleted_still_settles)    /* settlements of a deleted customer book */                                           \
    X(silent_becomes_lost)      /* what a silent lease did not report counts against the limit */                      \
    X(books_close)              /* later settlements are listed, not booked */                                         \
    /* The service: restores. */                                                                                       \
    X(restore_raises_epoch) /* so that holders settle again */                                                         \
    X(recovering_grants_nothing)                                                                                       \
    X(recovering_admits_nothing)                                                                                       \
    /* The holder: grants. */                                                                                          \
    X(request_ids_are_random) /* never a counter, which a reboot would set back */                                     \
    X(grant_installed_once)   /* from pending; any other answer to it is dropped */                                    \
    X(only_active_is_spent)   /* a grant that is lost or over by now is handed back */                                 \
    X(old_grant_is_not_spent) /* of a request from an earlier run */                                                   \
    X(ends_from_before_try)   /* not from when the answer came */                                                      \
    /* The holder: ends. */                                                                                            \
    X(reboot_is_unproven)     /* unless the journal was closed cleanly */                                              \
    X(open_clears_clean)      /* before the first admission */                                                         \
    X(sealing_is_for_good)    /* what is found at open is only settled */                                              \
    X(copy_is_a_stranger)     /* a foreign copy has a holder's id of its own and is unproven */                        \
    X(flush_waits_for_wishes) /* a request without an answer may have been granted */                                  \
    X(restore_resends)        /* settled leases and refunds are said again to a new epoch */                           \
    X(reservation_pins)       /* no final while a reservation is open */                                               \
    X(final_closes_refunds)   /* from then on refunds are events */                                                    \
    X(refund_is_consumed)     /* a decision is refunded once */                                                        \
    /* The holder: the rate. */                                                                                        \
    X(edge_counts_twice)    /* where the window may be this or the next */                                             \
    X(edge_from_before_try) /* not from when the answer came */

enum dream_rule {
#define DREAM_RULE_ENUM(name) DREAM_RULE_##name,
    DREAM_RULES(DREAM_RULE_ENUM)
#undef DREAM_RULE_ENUM
        DREAM_RULE_COUNT
};

#ifdef DREAM_MUTABLE_RULES
/* Any thread. */
bool dream_rule_is_on(enum dream_rule rule);
void dream_rule_switch(enum dream_rule rule, bool is_on);
/* False if there is no such rule. */
bool dream_rule_find(const char *name, enum dream_rule *out_rule);
#define DREAM_RULE(name) dream_rule_is_on(DREAM_RULE_##name)
#else
#define DREAM_RULE(name) ((void)DREAM_RULE_##name, true)
#endif

#endif
