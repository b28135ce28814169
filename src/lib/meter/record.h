/* SPDX-License-Identifier: Apache-2.0 */
/* record.h - what a journal holds, as it lies in the file: docs/journal.md describes it byte by byte. Every record begins on a cache
 * line and with a tag that says what it is and how many lines it has; a place in the file is a number of lines.
 *
 * A share is where units are spent. Its word carries all that an admission changes, so one compare-and-swap answers and accounts:
 *
 *    63      62 .. 52      51 .. 32      31 .. 0
 *   sealed  generation   calls (rate)    units
 *
 * Counts are truth, quotas are permission. A quota may be raised at any time. To lower one, the lower value is stored first and
 * then the generation is moved on: an admission that read the old quota also read the old word, and its swap fails. The
 * generation changes under the journal's lock alone; a sealed word never changes again. */
#ifndef DREAM_LIB_METER_RECORD_H
#define DREAM_LIB_METER_RECORD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { DREAM_LINE = 64, DREAM_FAN = 16 };

/* A place: lines from the start of the file, fewer than DREAM_LINES_MAX; 0 is nowhere. */
typedef uint32_t dream_line;
#define DREAM_LINES_MAX (1u << 24) /* 1 GiB */

typedef enum dream_tag {
    DREAM_TAG_NONE = 0,
    DREAM_TAG_ACCOUNT = 1,
    DREAM_TAG_LEASE = 2,
    DREAM_TAG_FAN = 3,         /* DREAM_FAN shares of one lease */
    DREAM_TAG_RESERVATION = 4, /* a share that one commit fills */
    DREAM_TAG_SETTLED = 5,     /* what is remembered of a lease whose end the server confirmed */
    DREAM_TAG_REFUND = 6,      /* a refund event: for a lease that is settled */
    DREAM_TAG_TEXT = 7,        /* a plan's name */
    DREAM_TAG_FREE = 8,
    DREAM_TAG_DIRECT = 9 /* what an account admitted before a server without leases counted it */
} dream_tag;

/* tag = kind << 24 | lines */
static inline uint32_t dream_tag_make(dream_tag kind, uint32_t lines)
{
    return (uint32_t)kind << 24 | lines;
}
static inline dream_tag dream_tag_kind(uint32_t tag)
{
    return (dream_tag)(tag >> 24);
}
static inline uint32_t dream_tag_lines(uint32_t tag)
{
    return tag & 0xFFFFFF;
}

#define DREAM_SEALED (UINT64_C(1) << 63)
#define DREAM_GENERATION (UINT64_C(1) << 52)
#define DREAM_GENERATIONS (UINT64_C(0x7FF) << 52)
#define DREAM_CALL (UINT64_C(1) << 32)
#define DREAM_CALLS (UINT64_C(0xFFFFF) << 32)
enum { DREAM_MAX_CALLS = 0xFFFFF };
#define DREAM_MAX_GRANT INT64_C(0x7FFFFFFF)

static inline uint32_t dream_word_units(uint64_t word)
{
    return (uint32_t)word;
}
static inline uint32_t dream_word_calls(uint64_t word)
{
    return (uint32_t)((word & DREAM_CALLS) >> 32);
}
static inline uint64_t dream_word_next_generation(uint64_t word)
{
    return (word & ~DREAM_GENERATIONS) | ((word + DREAM_GENERATION) & DREAM_GENERATIONS);
}

/* One line. The first one of a lease, each of a fan, and a reservation. */
typedef struct dream_share {
    uint32_t tag;
    _Atomic dream_line lease; /* that it is of; in a lease's own first line: its fan, 0 for none */
    _Atomic uint64_t word;
    _Atomic uint32_t quota;       /* units that the word may reach */
    _Atomic uint32_t attention;   /* units past which an admission takes the slow path; at most quota */
    _Atomic uint32_t calls_quota; /* calls that the word may reach; calls are not counted if call_step is 0 */
    _Atomic uint32_t call_step;   /* 1: calls are counted */
    _Atomic int64_t slow_at_ns;   /* from then on an admission takes the slow path; reservation: its serial number */
    _Atomic dream_line next;      /* in a list: reservations of a lease, fans, free records */
    uint32_t owner_pid;           /* reservation; lease: who asks for it, 0: nobody at the moment */
    uint64_t owner_start;         /* with owner_pid: which process of that number */
    int64_t until_ns;             /* reservation: its deadline; lease: the next check-in */
} dream_share;

typedef enum dream_lease_state {
    DREAM_LEASE_PENDING = 1, /* journalled, and asked for */
    DREAM_LEASE_ACTIVE = 2,
    DREAM_LEASE_SEALED = 3 /* over: nothing is spent any more; to be settled */
} dream_lease_state;

enum {
    DREAM_LEASE_IS_UNPROVEN = 1u << 0, /* its counts may be torn or rolled back: settled as such */
    DREAM_LEASE_IS_OLD = 1u << 1,      /* of an earlier run: a grant that still comes is not spent */
    DREAM_LEASE_WAS_SENT = 1u << 2     /* pending: it may have been granted */
};

/* Four lines. An admission changes the first one; a decision tells of the second. */
typedef struct dream_lease {
    dream_share main;
    /* line 2 */
    unsigned char lease_id[16];
    _Atomic int64_t limit;          /* INT64_MAX: unlimited */
    _Atomic int64_t used_before;    /* booked at the server at the grant */
    _Atomic int64_t left_elsewhere; /* free at the server after the grant; INT64_MAX: unlimited */
    _Atomic int64_t granted_at_ns;
    _Atomic uint32_t granted;
    _Atomic dream_line plan;
    _Atomic uint32_t spent_seen; /* admitted, as last summed up; for decisions where there is a fan */
    _Atomic uint32_t state;
    /* line 3 */
    unsigned char request_id[16];
    _Atomic uint64_t refunded; /* DREAM_SEALED and units */
    _Atomic int64_t ends_at_ns;
    uint32_t flags;
    dream_line account;
    int32_t period_start_day;
    int32_t period_end_day;
    uint32_t least; /* pending: what one use waits for */
    _Atomic dream_line reservations;
    int64_t asked_at_ns; /* pending: when it was last sent */
    /* line 4 */
    _Atomic uint64_t fold_from; /* the main word before a fold */
    dream_line fold_share;      /* whose count is being moved; 0: none */
    uint32_t reported;          /* admitted, as last reported */
    uint32_t wanted;
    uint32_t window_ms;  /* 0: no rate */
    uint32_t rate_calls; /* granted calls a window */
    uint32_t edge_width_ms;
    int64_t edge_ns;          /* the earliest moment at which the first window may end */
    uint32_t rate_turns;      /* two a window: even in it, odd where it may be this or the next */
    uint32_t debt_paid;       /* units of the account's debt that the count began with */
    uint32_t debt_generation; /* of the debt before it was lowered by them */
    uint32_t
        turning; /* of the rate's window: bit 31, rate_turns, in the low bits the main word's generation, each before it */
    int64_t refill_at_ns; /* when the next one should be asked for; INT64_MAX once it was */
} dream_lease;

enum {
    DREAM_ACCOUNT_ASKED = 1u << 0, /* a refill is wanted and not yet asked for */
    DREAM_ACCOUNT_FANNED = 1u << 1 /* many threads: leases begin with a fan */
};

/* The head of an account; its user's id and meter's name follow, each with a NUL. Most take two lines: what the server said, and what a
 * use reads, the names included if they are short (36 bytes with their NULs). */
typedef struct dream_account {
    uint32_t tag;
    _Atomic dream_line pending; /* the lease that is asked for */
    _Atomic dream_line plan;
    uint32_t want;         /* what to ask for next */
    _Atomic int64_t limit; /* of the last answer; -1 before the first */
    _Atomic int64_t used;
    _Atomic int64_t left;
    _Atomic int64_t answered_at_ns;
    _Atomic uint64_t
        debt;            /* units admitted beyond any grant and not billed yet; above them, how often it was lowered */
    int64_t next_try_ns; /* the server is not asked before */
    /* line 2 */
    _Atomic int64_t denied_until_ns;
    _Atomic dream_line current; /* the lease that is spent */
    _Atomic dream_line direct;  /* 0: nothing was ever admitted ahead of a server without leases, or beyond a lease */
    _Atomic uint32_t flags;
    _Atomic uint16_t denied_reason; /* dreamapi_reason */
    _Atomic uint16_t clash;         /* swaps that failed; may go round */
    uint16_t user_size;             /* without the NUL */
    uint16_t meter_size;            /* 0: the meter "default" */
    char names[];
} dream_account;

typedef struct dream_settled {
    uint32_t tag;
    dream_line account;
    unsigned char lease_id[16];
    unsigned char request_id[16];
    uint32_t granted;
    uint32_t admitted;
    uint32_t refunded;
    int32_t period_start_day;
    uint32_t flags; /* DREAM_SETTLED_..., and in the low bits the monotonic second at which it was confirmed */
    _Atomic dream_line next;
} dream_settled;
#define DREAM_SETTLED_RESEND (1u << 31) /* the server's store was restored: say it again */
#define DREAM_SETTLED_UNPROVEN (1u << 30)
#define DREAM_SETTLED_SECONDS ((1u << 30) - 1)

typedef struct dream_refund {
    uint32_t tag;
    uint32_t units;
    unsigned char id[16];
    unsigned char lease_id[16];
    uint32_t state; /* 1: to be sent; 2: confirmed */
    _Atomic dream_line next;
    int64_t told_at_ns; /* when the server last answered it */
    uint64_t spare;
} dream_refund;

/* Two lines, never freed; guarded by the journal's lock. An account that owes has one, too: where its debt goes if no lease can pay it.
 * A report takes units from the low half of `units` to the high one, and
 * takes them out, each in one store: after a kill none is missing and none is there twice. Its id, owner and flags are written before,
 * and count only while the high half is not zero. */
typedef struct dream_direct {
    uint32_t tag;
    dream_line account;
    _Atomic uint64_t units;    /* low half: to be reported; high half: in a report that may have been sent */
    _Atomic uint32_t doubtful; /* of reports whose outcome nobody knows; never sent again */
    uint32_t flags;
    unsigned char id[16];
    uint32_t owner_pid; /* who sends it; 0: nobody at the moment */
    uint32_t most;      /* units that one report may hold, after more were refused; 0: any */
    uint64_t owner_start;
    int64_t at_ms; /* wall time */
    /* line 2 */
    int64_t next_ns;          /* no report is begun before */
    int64_t counted;          /* the server's count, as the last report that it counted was told */
    _Atomic uint32_t refusal; /* dreamapi_status of the last report, if the server refused it */
    uint32_t is_guessed;      /* the account's numbers were changed here since the server told them */
    uint64_t next_units;      /* while it is changing: what it and the debt come to (direct_change.c) */
    uint32_t next_doubtful;
    uint32_t debt_taken;
    uint32_t debt_generation;
    uint32_t is_changing;
    int32_t since_day; /* the first day of the period in which doubtful units were seen last; 0: in none */
    uint32_t spare;
    uint64_t owner_handle; /* with owner_pid: which of that process's clients, as the address of its dream_journal */
} dream_direct;
enum {
    DREAM_DIRECT_IS_REPEATABLE = 1u << 0, /* the server remembers the report by its id */
    DREAM_DIRECT_IS_BATCH = 1u << 1       /* its id is an event's, not an idempotency key */
};

static inline uint32_t dream_account_owed(const dream_account *account)
{
    return (uint32_t)atomic_load(&account->debt);
}
static inline uint32_t dream_direct_waiting(const dream_direct *direct)
{
    return (uint32_t)atomic_load(&direct->units);
}
static inline uint32_t dream_direct_reporting(const dream_direct *direct)
{
    return (uint32_t)(atomic_load(&direct->units) >> 32);
}
static inline void dream_direct_set(dream_direct *direct, uint32_t waiting, uint32_t reporting)
{
    atomic_store(&direct->units, (uint64_t)reporting << 32 | waiting);
}

typedef struct dream_text_record {
    uint32_t tag;
    uint32_t size; /* without the NUL */
    char text[];
} dream_text_record;

typedef struct dream_free {
    uint32_t tag;
    uint32_t unused;
    uint64_t word; /* a share's generation lives on */
    dream_line next;
} dream_free;

_Static_assert(sizeof(dream_share) == DREAM_LINE, "a share is a line");
_Static_assert(sizeof(dream_lease) == 4 * DREAM_LINE, "a lease is four lines");
_Static_assert(sizeof(dream_settled) == DREAM_LINE, "a settled lease is a line");
_Static_assert(sizeof(dream_refund) == DREAM_LINE, "a refund is a line");
_Static_assert(sizeof(dream_direct) == 2 * DREAM_LINE, "what was admitted directly is two lines");

#endif
