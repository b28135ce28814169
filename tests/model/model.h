/* SPDX-License-Identifier: Apache-2.0 */
/* model.h - one run of the model: a world in virtual time, made from a seed. README.md says what is in it.
 *
 * The parts, each one file: server.c is the service's own handlers and store over a database of this run; network.c carries
 * requests and answers, or does not; machine.c is where holders live: real clients on real journals, which are killed, rebooted
 * and copied; truth.c knows what was really admitted, and asks the invariants; test_model.c draws the events.
 *
 * One thread, one run at a time. */
#ifndef TESTS_MODEL_MODEL_H
#define TESTS_MODEL_MODEL_H

#include <dreamapi/meter.h>
#include <dreamapi/transport.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/client.h"
#include "service/context.h"
#include "service/store/leases.h"
#include "service/store/usage.h"

enum {
    METERS = 2,
    ACCOUNTS = 6,  /* of three users, each with as many meters; what is called a user here is an account */
    ALLOWED = 6,   /* units beyond any lease, where a meter allows them */
    MACHINES = 4,  /* one journal each */
    PROCESSES = 2, /* of a machine: clients on its journal */
    DECISIONS = 24,
    RESERVATIONS = 6,
    TTL_MS = 60000,
    GRACE_MS = 30000,
    CLOSE_DAYS = 7,
    PERIODS_MAX = 16,
    LEASE_TEXT = 33
};
#define DAY_MS INT64_C(86400000)
#define NEVER INT64_MAX

typedef struct model model;

/* ---- truth ---- */

/* What was granted once, and what its holder really did with it. */
typedef struct truth_lease {
    char id[LEASE_TEXT];
    char request[LEASE_TEXT];
    int user;
    int machine;
    int32_t start_day;
    int32_t end_day;
    int64_t granted;
    int64_t gross;    /* admitted */
    int64_t refunded; /* of it */
    int64_t reported; /* admitted, as the server had it last */
    int64_t ends_ms;  /* the latest end that any answer gave it, in true time */
    bool was_asleep;  /* its machine was, so that its end is later for the holder */
    bool is_delivered;
    bool is_unproven;  /* its journal did not survive a reboot as it was, or had to hand it back unproven */
    bool is_final;     /* the server has it so */
    bool is_forgetful; /* of an earlier boot: its journal may have forgotten what it confirmed */
    bool is_inexact;   /* a restore forgot what its holder had forgotten, too; or the books were closed */
    int64_t told_ms;   /* when the holder was first told that it is over */
} truth_lease;

typedef struct truth_refusal {
    char request[LEASE_TEXT];
    int64_t at_ms; /* the first time, by the server's clock */
} truth_refusal;

typedef struct truth_period {
    int user;
    int32_t start_day;
    int32_t end_day;
    int64_t highest;   /* limit */
    int64_t direct;    /* units of direct requests, as far as the server still knows them */
    int64_t forgotten; /* direct units that a restore wiped out */
    int64_t written_off;
    int64_t uncovered; /* units that nobody reported by the end of the wait after a restore */
} truth_period;

typedef struct truth {
    truth_lease *leases;
    size_t lease_count;
    size_t lease_capacity;
    truth_refusal *refusals;
    size_t refusal_count;
    size_t refusal_capacity;
    truth_period periods[ACCOUNTS * PERIODS_MAX];
    size_t period_count;
    int64_t window;             /* the server's running minute */
    int64_t calls[ACCOUNTS];    /* in it */
    int64_t max_rate[ACCOUNTS]; /* the highest rate of late */
    int64_t rate_quiet_from_ms; /* from then on the rate can be promised again */
    bool was_restored;
    bool had_clock_steps;
    bool has_heard[MACHINES]; /* something since the last restore */
    bool was_rebooted[MACHINES];
    int64_t beyond[MACHINES][ACCOUNTS]; /* units admitted beyond any lease */
    int64_t owed[MACHINES];             /* of them, what the service refused to bill to the end */
    int64_t paid[MACHINES];             /* what leases were billed above what was admitted from them */
} truth;

void truth_clear(truth *t);
truth_lease *truth_find(model *m, const char *lease_id);
/* The server granted, or repeated a grant. */
void truth_granted(model *m, int machine, const cJSON *grant);
void truth_refused(model *m, const char *request);
void truth_settled(model *m, int machine, const cJSON *settled);
void truth_refund_answered(model *m, const cJSON *refunded);
/* The holder has this answer. */
void truth_delivered(model *m, int machine, const char *body);
/* A lease decided; `units` 0: a reservation. Counts a call of the rate. */
void truth_admitted(model *m, int machine, int user, const dreamapi_decision *decision, int64_t units);
/* A flush at rest that left nothing but units beyond any lease, as the plan has none left for them. */
void truth_owed(model *m, int machine, int64_t units);
/* Units of a reservation; no call. */
void truth_booked(model *m, const char *lease_id, int64_t units);
void truth_refunded(model *m, const char *lease_id, int64_t units);
void truth_direct(model *m, int user, const dreamd_usage_result *result, int64_t units);
/* The machine's journal is older or torn from here on. */
void truth_rebooted(model *m, int machine);
void truth_restored(model *m);
void truth_suspended(model *m, int machine);
/* The rate cannot be promised for a while. */
void truth_disturbed(model *m);
truth_period *truth_period_of(model *m, int user, int32_t start_day, int32_t end_day);
/* A flush told that all is settled. */
void truth_flushed(model *m, int machine);
void truth_check(model *m);
/* With everything reported and closed. */
void truth_check_at_rest(model *m);
void lease_text(const dreamapi_decision *decision, char out[LEASE_TEXT]);

/* ---- server ---- */

typedef struct tariff {
    const char *name;
    int64_t limit;
    int64_t rate;
} tariff;
enum { PLANS = 6 };
extern const tariff plans[PLANS];

typedef struct backup {
    bool is_there;
    int plan_of[ACCOUNTS];
    bool is_deleted[ACCOUNTS];
    int64_t direct[ACCOUNTS * PERIODS_MAX];
    size_t period_count;
} backup;

struct dreamd_store {
    dreamd_db *db;
    model *model;
};

typedef struct server {
    struct dreamd_store store;
    dreamd_context context;
    dreamd_settings settings;
    dreamd_project project;
    int64_t clock_ms; /* how far its clock is ahead */
    int64_t leapt_ms; /* and how far beyond that, for some hours */
    int64_t longest_leap_ms;
    bool was_right; /* it told holders something since that leap */
    bool is_down;
    bool is_dependable; /* never dies before a commit */
    bool is_orphan;     /* whoever asked does not wait any more */
    int plan_of[ACCOUNTS];
    bool is_deleted[ACCOUNTS];
    backup backup;
    int64_t recovering_until_ms; /* true time; 0: no restore, or over */
} server;

typedef struct answer {
    int status; /* 0: none */
    char *body; /* owned */
} answer;

/* Once for the program: what every run's database begins as. */
bool server_prepare(const char *folder);
bool server_open(model *m);
void server_close(model *m);
answer server_ask(model *m, int machine, const char *method, const char *path, const char *body);
int64_t server_now(const model *m);
const tariff *server_plan(const model *m, int user);
/* Of the account's meter. */
int64_t server_limit(const model *m, int user);
void account_name(int account, char out[16]);
const char *account_meter(int account);
int account_of(const char *user, const char *meter);
/* What an operator, a customer or time does. */
void server_direct(model *m, int user, int64_t units);
void server_set_plan(model *m, int user, int plan);
void server_delete(model *m, int user);
void server_write_off(model *m, int user);
void server_sweep(model *m);
void server_restart(model *m);
void server_back_up(model *m);
void server_restore(model *m);
void server_check(model *m);

typedef struct lease_row {
    char id[LEASE_TEXT];
    int32_t start_day;
    int64_t state, granted, admitted, refunded, event_refunded, written_off;
} lease_row;
/* Rows live until the next call. */
size_t server_leases(model *m, const lease_row **out);
typedef struct count_row {
    int user;
    int32_t start_day;
    int64_t used, held, lost;
    bool is_closed;
} count_row;
size_t server_counts(model *m, const count_row **out);

/* ---- network ---- */

typedef struct letter {
    struct letter *next;
    int machine;
    int process;
    dreamapi_exchange *exchange; /* NULL: nobody waits */
    char *method;
    char *path;
    char *body;
    int64_t arrives_ms;  /* at the server; NEVER: lost, or done */
    int64_t answered_ms; /* at the client; NEVER: not yet, or lost */
    bool is_answer_lost;
    bool is_failed;
    int64_t delay_ms; /* of the answer */
    answer answer;
} letter;

typedef struct weather {
    int loss_percent;
    int double_percent;
    int64_t delay_ms;       /* at most */
    int64_t late_double_ms; /* at most */
} weather;

typedef struct network {
    letter *first;
    weather weather;
    bool writes_back; /* a disk gets the journal at any moment, such as when something is sent */
} network;

void network_clear(model *m);
/* The next moment at which something arrives. */
int64_t network_next_ms(const model *m);
/* Lets everything arrive that is due at the server. */
void network_deliver(model *m);
/* Everything that is still under way arrives, in an order of the seed's. */
void network_drain(model *m);
dreamapi_transport network_transport(void *end);

/* ---- machines ---- */

typedef struct station { /* what a client's clock and transport know */
    model *model;
    int machine;
    int process;
} station;

typedef struct program {
    station end;
    dreamapi_client *client; /* NULL: not running */
    dreamapi_meter *meters[ACCOUNTS];
} program;

typedef struct kept_decision {
    dreamapi_decision decision;
    int user;
} kept_decision;

typedef struct kept_reservation {
    dreamapi_reservation reservation;
    int user;
    int process;
    char lease[LEASE_TEXT];
    int64_t until_ms; /* monotonic */
} kept_reservation;

typedef struct host {
    char path[128];
    bool has_journal;
    int64_t booted_ms;
    int64_t suspended_ms; /* time that the monotonic clock missed */
    int64_t asleep_from_ms;
    int64_t asleep_until_ms;
    bool is_cut_off;
    unsigned char *synced; /* an earlier state of the journal that a disk may still have */
    size_t synced_size;
    program processes[PROCESSES];
    kept_decision decisions[DECISIONS];
    size_t decision_count;
    kept_reservation reservations[RESERVATIONS];
    size_t reservation_count;
} host;

bool machine_is_running(const host *machine);
int64_t machine_monotonic_ms(const model *m, int machine);
void machine_start(model *m, int machine, int process);
/* Killed where it stands. */
void machine_kill(model *m, int machine, int process);
void machine_close(model *m, int machine, int process);
/* Everything on it dies; the journal is as the disk has it. */
void machine_reboot(model *m, int machine);
void machine_sync(model *m, int machine);
void machine_suspend(model *m, int machine, int64_t ms);
/* The journal of `from` also turns up at `to`. */
void machine_copy(model *m, int from, int to);
/* What came of it; NONE also if nothing runs there. */
dreamapi_reason machine_use(model *m, int machine, int user, int64_t units);
void machine_refund(model *m, int machine);
void machine_reserve(model *m, int machine, int user, int64_t units);
void machine_commit(model *m, int machine);
/* False unless everything was reported. At rest all is but what the plan cannot bill. */
bool machine_flush(model *m, int machine, int process);
/* Lets clients do what is due, one round. True if any did. */
bool machines_work(model *m);
int64_t machines_next_ms(model *m);
void machines_clear(model *m);

/* ---- the run ---- */

struct model {
    uint64_t seed;
    uint64_t random;
    int64_t now_ms; /* true time */
    int step;
    bool is_verbose;
    bool allows;  /* some meters admit beyond their leases */
    bool is_over; /* a check failed: nothing more is done */
    char problem[512];
    char folder[64];
    server server;
    network network;
    host machines[MACHINES];
    truth truth;
};

uint64_t model_random(model *m);
/* 0 to below - 1. */
int64_t model_draw(model *m, int64_t below);
bool model_chance(model *m, int percent);
/* A line of the trace. */
void model_say(model *m, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The first one ends the run. */
void model_fail(model *m, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Time passes: what is due at the server arrives, and clients work if `is_shared_out`. */
void model_advance(model *m, int64_t ms, bool is_shared_out);

#endif
