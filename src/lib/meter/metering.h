/* SPDX-License-Identifier: Apache-2.0 */
/* metering.h - all that a client has for its meters: the journal, the accounts, and the agent that talks to the server.
 *
 * Who touches what: users' threads spend without a lock (admit.c); on the slow path they hold the journal's lock, and hand
 * accounts that need units to the agent. The agent (agent.c) runs in the client's driver, builds one request at a time from
 * the journal, and books its answer there, each under the journal's lock; the lock is never held over a transfer. */
#ifndef DREAM_LIB_METER_METERING_H
#define DREAM_LIB_METER_METERING_H

#include <dreamapi/meter.h>
#include <time.h>

#include "lib/client.h"
#include "lib/meter/accounts.h"
#include "lib/meter/direct.h"
#include "lib/meter/lease.h"

/* A growing list of places. Guarded by the journal's lock. */
typedef struct dream_lines {
    dream_line *items;
    size_t count;
    size_t capacity;
} dream_lines;

bool dream_lines_add(dream_lines *lines, dream_line line);

typedef struct dream_agent_request dream_agent_request;

/* Programs open their meters in a few ways, however many they open. */
enum { DREAM_SHARED_PARAMS = 8 };

typedef struct dream_metering {
    dreamapi_client *client; /* borrowed; in a forked child one of the child's own */
    dream_journal *journal;
    dream_accounts accounts;
    _Atomic(const dreamapi_meter_params *) params[DREAM_SHARED_PARAMS]; /* of many meters each; owned */
    bool is_clock_real; /* then the coarse monotonic clock is read, without a call */

    /* Guarded by the journal's lock. */
    dream_lines wanted; /* accounts that need units */
    dream_lines ended;  /* leases that are over */

    _Atomic bool is_wanted; /* the driver has something to do */
    _Atomic bool is_flushing;
    _Atomic bool has_refunds; /* new ones, or debts to ask for later, for the sweep to find */
    _Atomic bool is_closed;   /* the client is gone: units at hand may be spent, no more will come */

    /* What users' threads go by when no unit is at hand. */
    _Atomic int trouble;      /* dreamapi_status of the last request that failed; DREAMAPI_OK after one that did not */
    dream_direct_book direct; /* what is done where the server has no leases */

    /* The driver's. */
    dream_agent_request *request; /* under way; NULL: none */
    bool is_leader;               /* of the processes that share the journal: the one that minds what time brings */
    int64_t next_sweep_ns;
    int64_t not_before_ns; /* after a failure */
    unsigned failures;
    dream_line last_plan;

    /* Statistics. */
    _Atomic int64_t slow_admitted;
    _Atomic int64_t denied[16];
    _Atomic int64_t units_granted;
    _Atomic int64_t units_settled;
    _Atomic int64_t requests;
    _Atomic int64_t requests_failed;
    _Atomic int64_t meters_open;
} dream_metering;

/* There are as many as users: 40 bytes fit a block of malloc's with nothing to spare. */
struct dreamapi_meter {
    unsigned char *base; /* of the journal, for a use to have at once */
    dream_account *account;
    dream_metering *metering;
    dreamapi_client *client; /* held */
    const dreamapi_meter_params *params;
};

/* The client's metering, made at the first use. */
dreamapi_status dream_metering_of(dreamapi_client *client, dream_metering **out_metering, dreamapi_error *error);
/* Reports what can be reported within the client's close timeout; before the driver ends. */
void dream_metering_settle_at_close(dreamapi_client *client);
/* Lets go; after the driver ended. */
void dream_metering_close(dreamapi_client *client);
/* NULL gives the defaults. */
dreamapi_status dream_meter_params_read(const dreamapi_meter_params *given, dreamapi_meter_params *out,
                                        dreamapi_error *error);
/* Monotonic nanoseconds. The coarse clock is a few milliseconds behind, and costs a fifth of the exact one. */
static inline int64_t dream_metering_now_ns(const dream_metering *metering)
{
    struct timespec now;

    if (!metering->is_clock_real)
        return dream_settings_now_ms(&metering->client->settings) * 1000000;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}
/* Makes the driver look. Any thread. */
void dream_metering_wake(dream_metering *metering);
/* In a forked child: gives it a client of its own to talk to the server with. False if that is not to be had. */
bool dream_metering_adopt(dream_metering *metering);

/* ---- admit.c ---- */

dreamapi_status dream_admit(const dreamapi_meter *meter, int64_t units, dreamapi_decision *decision);
/* What dream_admit would say, from what is at hand. */
dreamapi_status dream_admit_check(const dreamapi_meter *meter, int64_t units, dreamapi_decision *decision);
dreamapi_status dream_admit_reserve(const dreamapi_meter *meter, int64_t units, int64_t hold_ms,
                                    dreamapi_reservation *out_reservation, dreamapi_decision *decision);
/* Fills an allowed decision from a lease; `decision` may be NULL. The journal's lock is held. */
void dream_admit_describe(const dreamapi_meter *meter, const dream_lease *lease, int64_t units,
                          dreamapi_decision *decision);

/* For direct.c: a decision from what the server last said, a refusal that is counted, one that is remembered. */
void dream_admit_from_account(const dream_metering *metering, const dream_account *account, int64_t now_ns,
                              dreamapi_decision *out);
dreamapi_status dream_admit_refuse(dream_metering *metering, dreamapi_reason reason, dreamapi_status status,
                                   dreamapi_decision *out);
dreamapi_status dream_admit_repeat(dream_metering *metering, const dream_account *account, int64_t now_ns,
                                   dreamapi_decision *out);

/* ---- agent.c: the driver's part ---- */

/* Sends what is to be sent. */
void dream_agent_work(dream_metering *metering);
/* When it wants to work next, in the client's monotonic milliseconds; -1: never. */
int64_t dream_agent_due_ms(const dream_metering *metering);
/* Puts an account among those that need units; the journal's lock is held. False if that brings nothing new: it is there
 * already, or its request is under way, or the server said not to ask yet. */
bool dream_agent_want(dream_metering *metering, dream_account *account, uint32_t units);
/* The account owes units that no wish under way is for. The journal's lock is held. */
void dream_agent_want_debt(dream_metering *metering, dream_account *account);
/* True when nothing is left to settle. Takes the journal's lock. */
bool dream_agent_is_settled(dream_metering *metering);

#endif
