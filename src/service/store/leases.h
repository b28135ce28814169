/* SPDX-License-Identifier: Apache-2.0 */
/* leases.h - units handed out to holders ahead of use, and what the holders report of them.
 *
 * A lease is units of one user's allowance for one meter in one period, granted to one holder until an end that never moves. What
 * was handed out counts as `held` in the period's row until it is accounted for; a holder that falls silent leaves it `lost`:
 * it counts against the limit and is billed to nobody. docs/data-model.md says what the rows carry, docs/extensions.md
 * what the wire is. Each item of a request is one call here, all in one piece of work: settlements, then refunds, then
 * acquires. The rules of model.h hold; all but dreamd_epoch_read write. */
#ifndef DREAMD_SERVICE_STORE_LEASES_H
#define DREAMD_SERVICE_STORE_LEASES_H

#include "net/db.h"
#include "service/store/model.h"

enum {
    DREAMD_LEASE_ID_MAX = 64, /* bytes; of request, holder and refund ids too */
    DREAMD_LEASE_USER_MAX = 128,
    DREAMD_LEASE_METER_MAX = 64,
    DREAMD_LEASE_HELD_RETRY_MS = 1000,
    DREAMD_LEASE_WINDOW_MS = 60000,    /* of the rate */
    DREAMD_LEASE_REFUSED_KEEP_DAYS = 7 /* how long a refused request keeps its answer */
};
#define DREAMD_LEASE_UNITS_MAX INT64_C(2147483647)

typedef struct dreamd_lease_terms {
    int64_t ttl_ms;
    int64_t grace_ms;   /* from a lease's end, or its last word after it, until it counts as lost */
    int32_t close_days; /* after a period's end: later settlements are listed, not booked */
} dreamd_lease_terms;

/* Whose request it is. */
typedef struct dreamd_lease_scope {
    const dreamd_project *project;
    const char *holder;
    const dreamd_lease_terms *terms;
    int64_t now_ms;
    int64_t recovering_until_ms; /* as dreamd_epoch_read tells; until then nothing is granted */
    int64_t books_ms;            /* as dreamd_books_clock tells; by it books close */
} dreamd_lease_scope;

/* In the order in which a lease's state rises. */
typedef enum dreamd_lease_state {
    DREAMD_LEASE_ACTIVE = 0,
    DREAMD_LEASE_LOST = 1,
    DREAMD_LEASE_UNPROVEN = 2,
    DREAMD_LEASE_FINAL = 3,
    DREAMD_LEASE_CLOSED, /* results only: the period's books are closed; listed, not booked */
    DREAMD_LEASE_INVALID /* results only: contradicts itself or what is known of the lease; nothing done */
} dreamd_lease_state;

/* ---- acquire ---- */

typedef enum dreamd_lease_refusal {
    DREAMD_LEASE_GRANTED = 0,
    DREAMD_LEASE_LIMIT_REACHED,
    DREAMD_LEASE_HELD, /* would fit but for held units: worth trying again */
    DREAMD_LEASE_RATE_LIMITED,
    DREAMD_LEASE_NOT_FOUND,
    DREAMD_LEASE_DELETED,
    DREAMD_LEASE_RECOVERING,  /* after a restore; not remembered */
    DREAMD_LEASE_UNAVAILABLE, /* not remembered */
    DREAMD_LEASE_BAD_REQUEST  /* the request id was used for something else */
} dreamd_lease_refusal;

typedef struct dreamd_lease_want {
    const char *request_id;
    const char *user_id;
    const char *meter;
    int64_t want;      /* units; at least 1 */
    int64_t want_rate; /* calls a window; at least 1 */
    int64_t least; /* units that one use waits for: granted even beyond one holder's share, if they are free; 0: any */
} dreamd_lease_want;

typedef struct dreamd_lease_grant {
    dreamd_lease_refusal refusal;
    int64_t retry_after_ms; /* of a refusal */
    /* Of a grant. */
    char lease_id[DREAMD_LEASE_ID_MAX + 1];
    dreamd_lease_state state; /* only an active lease may be spent */
    int64_t granted;
    int64_t ttl_ms; /* what remains of it now */
    bool has_rate;
    int64_t rate_limit;
    int64_t rate_granted;
    int64_t window_ends_in_ms;
    /* Of both, as far as known. */
    bool has_plan;
    char plan[DREAMD_PLAN_SIZE];
    int64_t limit; /* DREAMD_UNLIMITED */
    bool has_period;
    int64_t used;
    int64_t held;
    int64_t lost;
    int32_t period_start_day;
    int32_t period_end_day;
} dreamd_lease_grant;

/* A request id that was answered before gets that answer again, with what has become of it. */
dreamd_db_status dreamd_lease_acquire(dreamd_db *db, const dreamd_lease_scope *scope, const dreamd_lease_want *want,
                                      dreamd_lease_grant *out);

/* ---- settle ---- */

typedef struct dreamd_lease_report {
    const char *lease_id;
    const char *request_id;
    const char *user_id;
    const char *meter;
    int32_t period_start_day;
    int64_t granted;
    int64_t admitted;
    int64_t refunded;
    bool is_final;
    bool is_unproven; /* outranks is_final */
} dreamd_lease_report;

typedef struct dreamd_lease_settled {
    dreamd_lease_state state;
    int64_t charged;  /* by this lease, in all */
    int64_t returned; /* of its units, in all */
} dreamd_lease_settled;

/* A report of a lease that is not known makes it, from its own fields: after a restore. */
dreamd_db_status dreamd_lease_settle(dreamd_db *db, const dreamd_lease_scope *scope, const dreamd_lease_report *report,
                                     dreamd_lease_settled *out);

typedef struct dreamd_lease_refund {
    const char *refund_id;
    const char *lease_id;
    int64_t units; /* at least 1 */
} dreamd_lease_refund;

typedef enum dreamd_lease_refund_outcome {
    DREAMD_LEASE_REFUND_APPLIED,
    DREAMD_LEASE_REFUND_DUPLICATE,
    DREAMD_LEASE_REFUND_UNKNOWN, /* no such lease: its report is to come first */
    DREAMD_LEASE_REFUND_CLOSED,
    DREAMD_LEASE_REFUND_INVALID
} dreamd_lease_refund_outcome;

dreamd_db_status dreamd_lease_refund_apply(dreamd_db *db, const dreamd_lease_scope *scope,
                                           const dreamd_lease_refund *refund, dreamd_lease_refund_outcome *out);

/* ---- recalls ---- */

typedef void dreamd_lease_name(void *context, const char *lease_id);
/* Names at most `max` active leases of this holder whose units somebody else was refused for. */
dreamd_db_status dreamd_lease_recalls(dreamd_db *db, const dreamd_lease_scope *scope, int64_t max,
                                      dreamd_lease_name *name, void *context);

/* ---- time ---- */

/* The time by which books close: `now_ms`, unless that is a day or more past what was told before; then the latter, until the
 * store is asked again twelve hours of that clock later. For the whole store; in milliseconds since 1970. */
dreamd_db_status dreamd_books_clock(dreamd_db *db, int64_t now_ms, int64_t *out_books_ms);
/* Makes at most `count` silent leases lost; `out_count` tells how many. By any number of processes at once. */
dreamd_db_status dreamd_leases_sweep(dreamd_db *db, int64_t now_ms, int64_t count, int64_t *out_count);
/* Is there anything to sweep? May run as a read. */
dreamd_db_status dreamd_leases_are_silent(dreamd_db *db, int64_t now_ms, bool *out);
/* Removes at most `count` of the project's oldest leases, with their requests and refunds, where the books are closed, and
 * as many refused requests, of any project, that are past keeping. */
dreamd_db_status dreamd_leases_prune(dreamd_db *db, const dreamd_lease_scope *scope, int64_t count);

/* ---- restores ---- */

typedef struct dreamd_epoch {
    int64_t store_epoch;
    int64_t recovering_until_ms; /* 0: never restored. Until then nothing is granted or admitted */
} dreamd_epoch;

dreamd_db_status dreamd_epoch_read(dreamd_db *db, dreamd_epoch *out);
/* The second of the two alone, for who asks with each request; as a column of another query, NULL if never restored, it costs less. */
#define DREAMD_RECOVERY_SQL "CAST((SELECT r.value FROM meta r WHERE r.name = 'recovering_until_ms') AS BIGINT)"
dreamd_db_status dreamd_recovery_read(dreamd_db *db, int64_t *out_until_ms);
/* Remembers the longest time that any lease of this store can run on for; a service says so when it starts. */
dreamd_db_status dreamd_lease_terms_note(dreamd_db *db, const dreamd_lease_terms *terms);

typedef struct dreamd_restore {
    const dreamd_lease_terms *terms;
    int64_t now_ms;
    const char *actor; /* for the audit */
} dreamd_restore;

/* Marks the store as restored from a backup: raises the epoch, past that of any earlier restore, and begins the wait. */
dreamd_db_status dreamd_store_mark_restored(dreamd_db *db, const dreamd_restore *restore, dreamd_epoch *out);

/* ---- operators ---- */

typedef struct dreamd_lease_write_off {
    const dreamd_project *project;
    const char *user_id;
    const char *meter;
    int64_t units; /* at most; INT64_MAX: all */
    int64_t now_ms;
    const char *actor; /* for the audit */
} dreamd_lease_write_off;

/* Gives lost units of the user's latest period back to the allowance; `out_units` tells how many. */
dreamd_db_status dreamd_lease_write_off_lost(dreamd_db *db, const dreamd_lease_write_off *wanted, int64_t *out_units);

#endif
