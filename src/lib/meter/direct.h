/* SPDX-License-Identifier: Apache-2.0 */
/* direct.h - meters of a server without leases: each use is a request (strict), or is counted here first and reported afterwards
 * (cached). direct.c answers the users' threads, direct_report.c is the driver's part.
 *
 * Cached uses are counted in a dream_direct of the journal. At every moment its waiting, reported and doubtful units are all that
 * was admitted and not confirmed; no admission takes their sum past the meter's cached_units. */
#ifndef DREAM_LIB_METER_DIRECT_H
#define DREAM_LIB_METER_DIRECT_H

#include <dreamapi/meter.h>

#include "lib/meter/journal.h"

struct dream_metering;

/* What this process knows of a dream_direct. */
typedef struct dream_direct_entry {
    dream_line line;
    bool is_busy;        /* a call about it is under way */
    bool wants_numbers;  /* the server is to be asked for the user's counts */
    bool is_token_spent; /* it went out with a report, or was refused: the next use brings another one */
    char *token;         /* owned, wiped; NULL: none */
    int64_t token_at_ns;
} dream_direct_entry;

typedef struct dream_direct_book {
    /* Guarded by the journal's lock; sorted by line. */
    dream_direct_entry *entries;
    size_t count;
    size_t capacity;

    _Atomic bool is_wanted; /* the driver has something to do */
    _Atomic bool has_debts; /* accounts may owe what no lease will pay */
    _Atomic bool is_ending; /* nothing new is begun */
    _Atomic unsigned calls; /* under way */
    _Atomic int trouble;    /* dreamapi_status of the last call, if the server did not answer it; else DREAMAPI_OK */

    /* The driver's. */
    bool is_batch_under_way;
    int64_t next_ns;
    int64_t next_scan_ns;
    int64_t heard_until_ms; /* of what was heard of the server last */
    int64_t not_before_ns;  /* after a failure */
    unsigned failures;
} dream_direct_book;

/* ---- direct.c: users' threads ---- */

/* True while uses are direct: the server is known to have no leases, or there is no secret key to ask for them. What one process hears, all
 * of the journal go by. */
bool dream_direct_is_on(const struct dream_metering *metering);
/* The answer to a use; `out` is begun. Waits until `until_ns` at the latest. */
dreamapi_status dream_direct_admit(const dreamapi_meter *meter, int64_t units, int64_t until_ns,
                                   dreamapi_decision *out);
dreamapi_status dream_direct_check(const dreamapi_meter *meter, int64_t units, int64_t now_ns, dreamapi_decision *out);
/* A meter was opened with a token: what an earlier run left for its user can be reported. */
void dream_direct_opened(const dreamapi_meter *meter);

/* What a refused call means for a decision. */
dreamapi_reason dream_direct_reason(dreamapi_status status);
/* Books what a server said about a user, -1 and NULL for what it did not say. The journal's lock is held. */
typedef struct dream_numbers {
    const char *plan;
    int64_t used;
    int64_t limit;
    int64_t left;
} dream_numbers;
void dream_direct_note(struct dream_metering *metering, dream_account *account, const dream_numbers *numbers);
/* Remembers a refusal: for a second, or as long as the server asked to wait if it is for the rate. The journal's lock is held. */
void dream_direct_deny(struct dream_metering *metering, dream_account *account, dreamapi_reason reason,
                       int64_t retry_after_ms);

/* ---- direct_change.c: what both parts and recovery change. The journal's lock is held. ---- */

/* The account's record, made if there is none; NULL without room. */
dream_direct *dream_direct_of(dream_journal *journal, dream_account *account);
/* What it is to hold, and the part of the account's debt that goes into it. */
typedef struct dream_direct_values {
    uint32_t waiting;
    uint32_t reporting;
    uint32_t doubtful;
    uint32_t debt;
} dream_direct_values;
dream_direct_values dream_direct_values_of(const dream_direct *direct);
/* All of it or, killed before the first store, nothing: _finish does the rest. */
void dream_direct_change(dream_direct *direct, dream_account *account, const dream_direct_values *to);
void dream_direct_finish(dream_direct *direct, dream_account *account);
/* Units that the server is yet to count or may never have; 0 for NULL. */
int64_t dream_direct_unconfirmed(const dream_direct *direct);
/* The account has a grant of the period that begins on this day: what was doubtful in an earlier one counts no more. */
void dream_direct_see_period(dream_direct *direct, int32_t start_day);

/* Admits units beyond any grant, if all that is not billed yet stays within the meter's allow_units; and asks for a grant to bill
 * them. Takes the lock. */
bool dream_direct_owe(const dreamapi_meter *meter, uint32_t units);

/* ---- direct_report.c: the driver's part ---- */

/* Looks at what the server announces; true if it has no leases. */
bool dream_direct_learn(struct dream_metering *metering);
/* The server was asked for leases and has none. */
void dream_direct_begin(struct dream_metering *metering);
void dream_direct_work(struct dream_metering *metering);
/* When it wants to work next, in monotonic nanoseconds; INT64_MAX: never. */
int64_t dream_direct_due_ns(const struct dream_metering *metering);
/* The entry of a record, made if there is none; NULL without memory. The journal's lock is held. */
dream_direct_entry *dream_direct_entry_of(struct dream_metering *metering, dream_line line);
/* True if a record is to be reported, or, for `out_status`, if no report helps at the moment, as the server refuses or no
 * token is here. Takes the journal's lock. */
bool dream_direct_is_stuck(struct dream_metering *metering, dreamapi_status *out_status);
void dream_direct_adopt(dream_direct_book *book); /* in a forked child */
void dream_direct_clear(dream_direct_book *book);

#endif
