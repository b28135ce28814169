/* SPDX-License-Identifier: Apache-2.0 */
/** @file meter.h
 * Meters: "may this user do this now?", answered in the process, exactly.
 *
 * A meter spends units of a lease: a number of units that the server took out of one user's allowance and handed to this
 * program. Spending is one atomic operation on a record in the client's journal, a memory-mapped file
 * (dreamapi_options_set_journal): the counter that admits is the record that bills, so a killed process leaves the exact count
 * behind, and its next start settles it. Without a journal file the same records live in anonymous memory, and a crash
 * loses what was not settled: the server counts those units as lost, and bills them to nobody.
 *
 * The client fetches leases, reports counts and hands back what is left by itself, on its thread (with threads = 0:
 * inside dreamapi_client_perform), never on the path of dreamapi_meter_use. Only when a lease is empty does a use wait,
 * as far as the meter's policy lets it.
 *
 * Leases need a server that announces the extension `leases`, and a secret key. Elsewhere dreamapi_meter_use is one direct
 * request a use (strict), or counts first and reports afterwards (cached, within a stated bound); policy and allow_units are about
 * leases. A strict use is of one unit and of the meter "default", and waits for its answer up to wait_ms whatever the policy (0: nothing is
 * sent); DREAMAPI_OUTCOME_UNKNOWN then says that it may have been counted. Reservations and refunds are DREAMAPI_UNSUPPORTED there.
 *
 * Any thread may use any meter at any time, but for dreamapi_meter_close. Processes that open the same journal share its leases.
 * Fork: a child may go on using the meters it inherited, on the same counts; nothing is spent or sent twice. */
#ifndef DREAMAPI_METER_H
#define DREAMAPI_METER_H

#include <dreamapi/base.h>
#include <dreamapi/client.h>
#include <dreamapi/error.h>
#include <dreamapi/options.h>

#ifdef __cplusplus
extern "C" {
#endif

/** One user's allowance on one meter of the plan. */
typedef struct dreamapi_meter dreamapi_meter;

/** The most units that one use, reservation or refund may name. */
#define DREAMAPI_MAX_UNITS 1000000000

/** Why a decision is what it is. Codes are only ever added. */
typedef enum dreamapi_reason {
    /** Allowed. */
    DREAMAPI_REASON_NONE = 0,
    /** The plan has too few units left in this period. */
    DREAMAPI_REASON_LIMIT = 1,
    /** There would be enough, but other holders have them at the moment. */
    DREAMAPI_REASON_HELD = 2,
    /** Too many calls in this minute. */
    DREAMAPI_REASON_RATE = 3,
    /** No unit is here, and the server was not asked yet or did not answer in time. */
    DREAMAPI_REASON_EMPTY = 4,
    /** No unit is here, and the server cannot be reached. */
    DREAMAPI_REASON_UNAVAILABLE = 5,
    /** The server knows no such user, or deleted them. */
    DREAMAPI_REASON_NO_CUSTOMER = 6,
    /** The server refused the client: key, plan of the platform, a token that is needed. The status says which. */
    DREAMAPI_REASON_REFUSED = 7
} dreamapi_reason;

/** Where an answer comes from. Codes are only ever added. */
typedef enum dreamapi_source {
    /** From nowhere: nothing is known. */
    DREAMAPI_SOURCE_NONE = 0,
    /** From a lease: exact. */
    DREAMAPI_SOURCE_LEASE = 1,
    /** From what the server last said, remembered. */
    DREAMAPI_SOURCE_CACHE = 2,
    /** From the server, asked for this decision. */
    DREAMAPI_SOURCE_SERVER = 3,
    /** From the meter's policy, as nothing better was at hand (DREAMAPI_POLICY_ALLOW). */
    DREAMAPI_SOURCE_FALLBACK = 4,
    /** From the caller (dreamapi_tier_check). */
    DREAMAPI_SOURCE_CALLER = 5
} dreamapi_source;

/** What a use does when no unit is at hand and the server was not heard. A refusal by the server is never waited out. */
typedef enum dreamapi_policy {
    /** Wait for the server, up to dreamapi_meter_params.wait_ms; then refuse. */
    DREAMAPI_POLICY_WAIT = 0,
    /** Refuse at once; the server is asked meanwhile. */
    DREAMAPI_POLICY_DENY = 1,
    /** Allow, up to dreamapi_meter_params.allow_units beyond what is granted; they are billed from the next leases. */
    DREAMAPI_POLICY_ALLOW = 2
} dreamapi_policy;

/** Writes the token of `user_id` to `out` (`size` bytes, NUL included) and returns DREAMAPI_OK; any other status refuses the use.
 * Called on the thread that uses the meter, with no lock held. */
typedef dreamapi_status (*dreamapi_token_function)(void *user_data, const char *user_id, char *out, size_t size);

/** How a meter behaves. */
typedef struct dreamapi_meter_params {
    /** sizeof(dreamapi_meter_params), set by DREAMAPI_METER_PARAMS_INIT. */
    size_t struct_size;
    /** The meter's name, 1 to 64 bytes; NULL: "default". */
    const char *meter;
    /** What happens when no unit is at hand. */
    dreamapi_policy policy;
    /** With DREAMAPI_POLICY_WAIT: the longest wait of one use, in milliseconds, 0 to DREAMAPI_MAX_TIMEOUT_MS. */
    int64_t wait_ms;
    /** With DREAMAPI_POLICY_ALLOW: the most units admitted beyond what is granted, over all threads and processes of the
     * journal; 0 to DREAMAPI_MAX_UNITS. */
    int64_t allow_units;
    /** Where the server has no leases and takes no user ids: the user's token (a JWT). Copied. NULL: none. */
    const char *user_token;
    /** The same from a function, for tokens that expire; asked before each request (strict), or by a use that finds none younger
     * than 30 seconds or one that was refused (cached). NULL: none. */
    dreamapi_token_function token_function;
    /** Handed to token_function. Borrowed until the meter is closed. */
    void *token_data;
    /** Where the server has no leases: 0 (strict): each use is one request. More (cached): at most this many units are
     * admitted before the server confirmed them, over all threads and processes of the journal; they are reported in the
     * background. Up to DREAMAPI_MAX_UNITS. */
    int64_t cached_units;
} dreamapi_meter_params;

/** Every field at its default: the meter "default", waiting up to two seconds. */
#define DREAMAPI_METER_PARAMS_INIT                                                                                     \
    {                                                                                                                  \
        sizeof(dreamapi_meter_params), NULL, DREAMAPI_POLICY_WAIT, 2000, 0, NULL, NULL, NULL, 0                        \
    }

/** An answer, and how much it can be trusted. The caller owns the memory, there is nothing to free, and every function takes
 * NULL instead (but for dreamapi_meter_refund). Functions write all of it and read nothing. */
typedef struct dreamapi_decision {
    /** 1: allowed, and counted (dreamapi_meter_check counts nothing). */
    int allowed;
    /** Why. */
    dreamapi_reason reason;
    /** Where the answer comes from. */
    dreamapi_source source;
    /** Zero. */
    int reserved;
    /** How many units this was about. */
    int64_t units;
    /** The name of the tier in force; "" when not known. Borrowed for the client's life. */
    const char *plan;
    /** Units that the plan allows in this period, or DREAMAPI_UNLIMITED; -1 when not known. */
    int64_t limit;
    /** Units used in this period as far as known here: what the server had booked, and what the lease spent. -1 when not known. */
    int64_t used;
    /** Units that may still be used: free at the server when the lease was granted, and left in the lease;
     * DREAMAPI_UNLIMITED; -1 when not known. */
    int64_t remaining;
    /** Milliseconds after which asking again may bring another answer; 0 when allowed, -1 when not known. */
    int64_t retry_after_ms;
    /** How old the server's part of the answer is, in milliseconds; -1 when there is none. */
    int64_t age_ms;
    /** The most units, over all processes of this journal, that can have been admitted beyond what the server granted or counted. 0 with
     * a lease and in a strict use. */
    int64_t max_over;
    /** What dreamapi_meter_refund takes; consumed by it. Opaque. */
    uint64_t refund_token[3];
} dreamapi_decision;

/** Opens a meter. Touches no network; opening one that is open shares its counts. `params` may be NULL. `*out_meter` is owned
 * (dreamapi_meter_close), NULL on failure: DREAMAPI_INVALID, DREAMAPI_NOMEM, DREAMAPI_FORKED (open it in the child's own
 * client), DREAMAPI_JOURNAL. The meter holds its client: the two may be let go in any order. Once the client
 * is freed, a use for which no unit is at hand is DREAMAPI_CANCELLED; in a forked child that frees it, the meter works on. */
DREAMAPI_API dreamapi_status dreamapi_meter_open(dreamapi_client *client, const char *user_id,
                                                 const dreamapi_meter_params *params, dreamapi_meter **out_meter,
                                                 dreamapi_error *error);
/** Lets go of a meter. What it spent stays counted, what its leases have left is handed back by the client. In a forked child that has
 * freed the client, the last of its meters does what dreamapi_client_free does elsewhere, and may take as long. NULL is fine. */
DREAMAPI_API void dreamapi_meter_close(dreamapi_meter *meter);

/** Admits and counts `units` (1 to DREAMAPI_MAX_UNITS), all or none; one call of the rate, whatever its units.
 * DREAMAPI_OK: admitted. DREAMAPI_LIMIT; DREAMAPI_RATE_LIMITED (reasons RATE and HELD); DREAMAPI_TIMEOUT and DREAMAPI_UNAVAILABLE (reasons
 * EMPTY and UNAVAILABLE); DREAMAPI_NOT_FOUND; DREAMAPI_INVALID; or what the server refused the client with: not admitted, nothing counted.
 * `decision` may be NULL. Any thread; in a forked child too. With units at hand: no allocation, no lock, no system call. */
DREAMAPI_API dreamapi_status dreamapi_meter_use(dreamapi_meter *meter, int64_t units, dreamapi_decision *decision);
/** Tells what dreamapi_meter_use would say of `units` with what is at hand now; counts nothing, waits for nothing, asks nobody. */
DREAMAPI_API dreamapi_status dreamapi_meter_check(dreamapi_meter *meter, int64_t units, dreamapi_decision *decision);
/** Takes an admitted use back: its units are not billed, and return to the user's allowance (not to the lease) when
 * settled. `decision` names the use and is consumed: a second refund of it is DREAMAPI_INVALID. Copies are not told apart: refund one
 * of them only. DREAMAPI_UNSUPPORTED for uses that were direct requests. */
DREAMAPI_API dreamapi_status dreamapi_meter_refund(dreamapi_meter *meter, dreamapi_decision *decision);

/** Units set aside for work whose size is known only afterwards. Caller-owned like a decision. */
typedef struct dreamapi_reservation {
    /** Units set aside. */
    int64_t units;
    /** Opaque. */
    uint64_t token[2];
} dreamapi_reservation;

/** Sets `units` aside for at most `hold_ms` milliseconds (1 to DREAMAPI_MAX_TIMEOUT_MS), to be committed by this process. Counts as one call
 * of the rate and bills nothing yet; one that is never committed bills nothing. Statuses as for dreamapi_meter_use. */
DREAMAPI_API dreamapi_status dreamapi_meter_reserve(dreamapi_meter *meter, int64_t units, int64_t hold_ms,
                                                    dreamapi_reservation *out_reservation, dreamapi_decision *decision);
/** Ends a reservation with what the work really took. Up to the reserved units it always books; the excess is an ordinary
 * admission, and its refusal (DREAMAPI_LIMIT, ...) leaves the reserved units booked. 0 lets the reservation go. DREAMAPI_NOT_FOUND: its time
 * was over and others had its units since, or it was ended before; nothing is booked. */
DREAMAPI_API dreamapi_status dreamapi_meter_commit(dreamapi_meter *meter, dreamapi_reservation *reservation,
                                                   int64_t units, dreamapi_decision *decision);

/** dreamapi_meter_use for programs that keep no meters: opens one with the defaults of
 * dreamapi_options_set_meter_defaults the first time, and keeps it for the client's life. `meter` NULL is the default one. */
DREAMAPI_API dreamapi_status dreamapi_client_use(dreamapi_client *client, const char *user_id, const char *meter,
                                                 int64_t units, dreamapi_decision *decision);

/** Reports every count and hands every unit back now, and waits for the server's word, at most `timeout_ms` milliseconds. DREAMAPI_OK:
 * all is settled. DREAMAPI_TIMEOUT or what the server answered: the journal has the rest, which is settled later. Meters go on
 * working. */
DREAMAPI_API dreamapi_status dreamapi_client_flush(dreamapi_client *client, int64_t timeout_ms, dreamapi_error *error);

/** Counts since the client was made, of this process. */
typedef struct dreamapi_meter_stats {
    /** Uses admitted off the direct path (lease refills, first uses, fallbacks) or by direct requests; uses straight from a
     * lease are counted by units_spent alone. */
    int64_t slow_admitted;
    /** Uses refused, by dreamapi_reason; there is room for reasons to come. */
    int64_t denied[16];
    /** Units granted by the server. */
    int64_t units_granted;
    /** Units settled as admitted; what was refunded of them is not taken off. */
    int64_t units_settled;
    /** Requests sent for leases and for reports of cached meters. */
    int64_t requests;
    /** Those of them that failed. */
    int64_t requests_failed;
    /** Leases that are held now. */
    int64_t leases_active;
    /** Leases whose end was not confirmed yet. */
    int64_t leases_unsettled;
    /** Milliseconds since the oldest unconfirmed lease ended; 0 when there is none. */
    int64_t settle_lag_ms;
    /** The journal's size, in bytes. */
    int64_t journal_bytes;
    /** Its part in use, in bytes. */
    int64_t journal_used_bytes;
    /** Meters that are open. */
    int64_t meters_open;
    /** Without leases: units of cached meters that the server is yet to count. */
    int64_t units_unreported;
    /** Without leases: units whose report may have been counted or not; and units admitted beyond a lease (DREAMAPI_POLICY_ALLOW) before
     * a reboot without a clean close. They are not sent again: billed once or never. */
    int64_t units_doubtful;
    /** Units admitted beyond any lease (DREAMAPI_POLICY_ALLOW) that no lease has billed yet. */
    int64_t units_owed;
    /** Records that a torn write damaged, or of leases that the server finds invalid, since the journal was made: given up. The
     * server counts such a lease's units as lost until the period ends. */
    int64_t leases_damaged;
    /** Zero; room to grow. */
    int64_t reserved[4];
} dreamapi_meter_stats;

/** Fills `out_stats`. DREAMAPI_OK, DREAMAPI_INVALID or DREAMAPI_FORKED. */
DREAMAPI_API dreamapi_status dreamapi_client_meter_stats(dreamapi_client *client, dreamapi_meter_stats *out_stats);

/** Where meters keep their counts: a path that the process may create and write, on a local file system. Every process that names the same
 * file shares its leases; it belongs to one project. NULL: anonymous memory. The file must not be truncated or
 * copied while in use. */
DREAMAPI_API dreamapi_status dreamapi_options_set_journal(dreamapi_options *options, const char *path);
/** How long dreamapi_client_free may take to settle what meters spent, in milliseconds: 0 to DREAMAPI_MAX_TIMEOUT_MS; 2000 unless set.
 * With a journal file the rest is settled by whoever opens it next; without one it is lost. */
DREAMAPI_API dreamapi_status dreamapi_options_set_close_timeout_ms(dreamapi_options *options, int64_t timeout_ms);
/** The parameters of meters that dreamapi_client_use opens; `meter` in them is ignored. Copied; NULL: the defaults. */
DREAMAPI_API dreamapi_status dreamapi_options_set_meter_defaults(dreamapi_options *options,
                                                                 const dreamapi_meter_params *params);

#ifdef __cplusplus
}
#endif

#endif
