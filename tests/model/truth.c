/* SPDX-License-Identifier: Apache-2.0 */
/* truth.c - what was really admitted, and the invariants I1 to I4 asked of it.
 *
 * It learns of leases from the server's answers and of their use from what the calls of the public interface returned; it never looks into
 * a journal. Where no protocol can promise exactness (a reboot, what a restore forgot, closed books), a lease is loose: billed
 * between nothing and what was admitted. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/encoding.h"
#include "common/timefmt.h"
#include "model.h"

enum {
    WINDOW_MS = 60000,
    RETENTION_MS = 3500000,
    RATE_QUIET_MS = 180000,
    ASKED_MAX_MS = 600000 /* from a wish to its grant */,
    SLACK_MS = 3600000,
    STATE_FINAL = 3
};

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

void truth_clear(truth *t)
{
    free(t->leases);
    free(t->refusals);
    *t = (truth){ 0 };
}

/* ---- leases ---- */

void lease_text(const dreamapi_decision *decision, char out[LEASE_TEXT])
{
    dream_hex_encode((const unsigned char *)&decision->refund_token[1], 16, out);
}

truth_lease *truth_find(model *m, const char *lease_id)
{
    for (size_t i = m->truth.lease_count; i > 0; i--) {
        if (strcmp(m->truth.leases[i - 1].id, lease_id) == 0)
            return &m->truth.leases[i - 1];
    }
    return NULL;
}

static truth_lease *add_lease(truth *t)
{
    if (t->lease_count == t->lease_capacity) {
        t->lease_capacity = t->lease_capacity ? t->lease_capacity * 2 : 64;
        t->leases = realloc(t->leases, t->lease_capacity * sizeof *t->leases);
    }
    t->leases[t->lease_count] = (truth_lease){ .id = "" };
    return &t->leases[t->lease_count++];
}

static int64_t net_of(const truth_lease *lease)
{
    return lease->gross - lease->refunded;
}

static bool is_loose(const model *m, const truth_lease *lease)
{
    return lease->is_unproven || lease->is_inexact || (m->truth.was_restored && !lease->is_delivered);
}

/* ---- what the server has ---- */

static int64_t charged_of(const lease_row *row)
{
    return most(0, row->admitted - least(row->refunded, row->admitted) - row->event_refunded);
}

/* Units of the lease that the server cannot give to anybody else. */
static int64_t cover_of(const lease_row *row)
{
    int64_t rest = row->granted - most(row->admitted, row->refunded);

    return charged_of(row) + (row->state == STATE_FINAL ? 0 : most(0, rest - row->written_off));
}

static const lease_row *row_of(const lease_row *rows, size_t count, const char *id)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(rows[i].id, id) == 0)
            return &rows[i];
    }
    return NULL;
}

/* ---- periods ---- */

truth_period *truth_period_of(model *m, int user, int32_t start_day, int32_t end_day)
{
    truth *t = &m->truth;

    for (size_t i = 0; i < t->period_count; i++) {
        if (t->periods[i].user == user && t->periods[i].start_day == start_day)
            return &t->periods[i];
    }
    if (t->period_count == ACCOUNTS * PERIODS_MAX) {
        model_fail(m, "more periods than the model has room for");
        return &t->periods[0];
    }
    t->periods[t->period_count] = (truth_period){ .user = user, .start_day = start_day, .end_day = end_day };
    return &t->periods[t->period_count++];
}

static int64_t net_in(const model *m, const truth_period *period)
{
    int64_t net = period->direct;

    for (size_t i = 0; i < m->truth.lease_count; i++) {
        const truth_lease *lease = &m->truth.leases[i];
        if (lease->user == period->user && lease->start_day == period->start_day)
            net += net_of(lease);
    }
    return net;
}

/* I1. `more`: units that are being handed out. */
static void check_limit(model *m, const truth_period *period, int64_t limit, int64_t more)
{
    int64_t net = net_in(m, period) + more;

    if (limit != DREAMD_UNLIMITED && net > limit + period->written_off + period->uncovered)
        model_fail(
            m,
            "I1: account %d has %lld units in the period from day %d (%lld of them being granted), with a limit of "
            "%lld, %lld written off, %lld never reported",
            period->user, (long long)net, (int)period->start_day, (long long)more, (long long)limit,
            (long long)period->written_off, (long long)period->uncovered);
}

/* By the end of the wait, everybody who could report did; what is missing then is the bound that a restore has. */
static void measure_uncovered(model *m)
{
    const lease_row *rows = NULL;
    size_t count;

    if (!m->truth.was_restored || m->now_ms < m->server.recovering_until_ms)
        return;
    count = server_leases(m, &rows);
    for (size_t i = 0; i < m->truth.period_count; i++) {
        truth_period *period = &m->truth.periods[i];
        int64_t uncovered = 0;
        for (size_t l = 0; l < m->truth.lease_count; l++) {
            const truth_lease *lease = &m->truth.leases[l];
            const lease_row *row = row_of(rows, count, lease->id);
            if (lease->user == period->user && lease->start_day == period->start_day)
                uncovered += most(0, net_of(lease) - (row ? cover_of(row) : 0));
        }
        period->uncovered = most(period->uncovered, uncovered);
    }
}

/* I1 at a grant, which may be the first that happens after the wait of a restore. */
static void check_grant(model *m, truth_period *period, int64_t units)
{
    measure_uncovered(m);
    period->highest = most(period->highest, server_limit(m, period->user));
    check_limit(m, period, server_limit(m, period->user), units);
}

/* ---- what happens ---- */

/* Or may be: the clock is put back by some minutes. What it leapt closes nothing. */
static bool are_books_closed(const model *m, const truth_lease *lease)
{
    return dream_day_of_ms(server_now(m) - m->server.leapt_ms + SLACK_MS) > lease->end_day + CLOSE_DAYS;
}

static const truth_refusal *find_refusal(const model *m, const char *request)
{
    for (size_t i = 0; i < m->truth.refusal_count; i++) {
        if (strcmp(m->truth.refusals[i].request, request) == 0)
            return &m->truth.refusals[i];
    }
    return NULL;
}

void truth_refused(model *m, const char *request)
{
    truth *t = &m->truth;

    if (find_refusal(m, request))
        return;
    if (t->refusal_count == t->refusal_capacity) {
        t->refusal_capacity = t->refusal_capacity ? t->refusal_capacity * 2 : 64;
        t->refusals = realloc(t->refusals, t->refusal_capacity * sizeof *t->refusals);
    }
    t->refusals[t->refusal_count] = (truth_refusal){ .at_ms = server_now(m) };
    (void)snprintf(t->refusals[t->refusal_count++].request, LEASE_TEXT, "%s", request);
}

/* The answer to a request is forgotten a week after a refusal, and when the books of its lease are closed: a copy of the request
 * that is still under way then is granted to nobody. */
static bool is_late_copy(const model *m, const char *request)
{
    const truth_refusal *refusal = find_refusal(m, request);

    if (!m->server.is_orphan)
        return false;
    if (refusal && server_now(m) - refusal->at_ms > DREAMD_LEASE_REFUSED_KEEP_DAYS * DAY_MS)
        return true;
    for (size_t i = 0; i < m->truth.lease_count; i++) {
        const truth_lease *lease = &m->truth.leases[i];
        if (strcmp(lease->request, request) == 0 && are_books_closed(m, lease))
            return true;
    }
    return false;
}

static void learn_lease(model *m, int machine, const cJSON *grant)
{
    const char *user = dream_json_string(grant, "userId");
    bool is_late = is_late_copy(m, dream_json_string(grant, "requestId"));
    truth_lease *lease = add_lease(&m->truth);
    truth_period *period;

    (void)snprintf(lease->id, sizeof lease->id, "%s", dream_json_string(grant, "leaseId"));
    (void)snprintf(lease->request, sizeof lease->request, "%s", dream_json_string(grant, "requestId"));
    lease->user = account_of(user, dream_json_string(grant, "meter"));
    lease->machine = machine;
    lease->is_unproven = m->server.is_orphan && m->truth.was_rebooted[machine];
    lease->is_inexact = is_late;
    lease->was_asleep = m->now_ms < m->machines[machine].asleep_until_ms + ASKED_MAX_MS;
    (void)dream_day_parse(dream_json_string(grant, "periodStart"), &lease->start_day);
    (void)dream_day_parse(dream_json_string(grant, "periodEnd"), &lease->end_day);
    (void)dream_json_int(grant, "granted", &lease->granted);
    period = truth_period_of(m, lease->user, lease->start_day, lease->end_day);
    check_grant(m, period, lease->granted);
    if (m->server.is_deleted[lease->user])
        model_fail(m, "a deleted customer was granted units");
}

void truth_granted(model *m, int machine, const cJSON *grant)
{
    const char *id = dream_json_string(grant, "leaseId");
    const char *request = dream_json_string(grant, "requestId");
    int64_t ttl_ms = 0;
    truth_lease *lease = truth_find(m, id);

    if (!lease) {
        learn_lease(m, machine, grant);
        lease = &m->truth.leases[m->truth.lease_count - 1];
    } else if (strcmp(lease->request, request) != 0) {
        model_fail(m, "lease %s was given to two requests", id);
    }
    (void)dream_json_int(grant, "ttlMs", &ttl_ms);
    /* The first answer says when it ends; a repeat may say no more than what is left of that. */
    if (lease->ends_ms == 0)
        lease->ends_ms = m->now_ms + ttl_ms;
}

void truth_settled(model *m, int machine, const cJSON *settled)
{
    const char *state = dream_json_string(settled, "state");
    truth_lease *lease = truth_find(m, dream_json_string(settled, "leaseId"));

    if (!lease) {
        model_fail(m, "a lease was settled that nobody was granted: %s", dream_json_string(settled, "leaseId"));
        return;
    }
    if (strcmp(state, "final") == 0)
        lease->is_final = true;
    else if (strcmp(state, "closed") == 0 && are_books_closed(m, lease))
        lease->is_inexact = true;
    else if (strcmp(state, "closed") == 0)
        model_fail(m, "the books of lease %s are closed too early", lease->id);
    else if (strcmp(state, "unproven") == 0 && lease->machine == machine && m->truth.was_rebooted[machine])
        lease->is_unproven = true;
    else if (strcmp(state, "invalid") == 0 && !lease->is_unproven)
        model_fail(m, "the server finds a report of lease %s invalid", lease->id);
}

/* After the books are closed a lease is not known any more. */
void truth_refund_answered(model *m, const cJSON *refunded)
{
    truth_lease *lease = truth_find(m, dream_json_string(refunded, "leaseId"));
    const char *state = dream_json_string(refunded, "state");

    if (lease && (strcmp(state, "closed") == 0 || strcmp(state, "unknown") == 0) && are_books_closed(m, lease))
        lease->is_inexact = true;
}

/* Whatever comes of a lease later, its holder remembers it from when its end was first confirmed. */
static void tell(model *m, const cJSON *json, const char *list)
{
    const cJSON *entry = NULL;

    cJSON_ArrayForEach(entry, dream_json_get(json, list))
    {
        const char *id = dream_json_string(entry, "leaseId");
        const char *state = dream_json_string(entry, "state");
        truth_lease *lease = id ? truth_find(m, id) : NULL;
        if (!lease)
            continue;
        lease->is_delivered = true;
        if (strcmp(list, "settled") == 0 && strcmp(state, "active") != 0 && lease->told_ms == 0)
            lease->told_ms = m->now_ms;
    }
}

/* What it was told longer ago than it remembers, it does not say again. */
static void hear_of_restore(model *m, int machine)
{
    for (size_t i = 0; i < m->truth.lease_count; i++) {
        truth_lease *lease = &m->truth.leases[i];
        if (lease->machine == machine && lease->told_ms > 0 && m->now_ms - lease->told_ms > RETENTION_MS)
            lease->is_inexact = true;
    }
    m->truth.has_heard[machine] = true;
}

void truth_delivered(model *m, int machine, const char *body)
{
    cJSON *json = dream_json_parse(body, strlen(body), NULL);

    if (m->truth.was_restored && !m->truth.has_heard[machine])
        hear_of_restore(m, machine);
    tell(m, json, "grants");
    tell(m, json, "settled");
    cJSON_Delete(json);
}

/* The rate is the user's, whatever the meter. */
static void count_call(model *m, int account)
{
    int user = account / METERS * METERS;
    truth *t = &m->truth;
    int64_t window = server_now(m) / WINDOW_MS;
    int64_t limit = server_plan(m, user)->rate;

    if (window != t->window) {
        memset(t->calls, 0, sizeof t->calls);
        t->window = window;
    }
    t->calls[user]++;
    if (window * WINDOW_MS - m->server.clock_ms - m->server.leapt_ms < t->rate_quiet_from_ms
        || limit == DREAMD_UNLIMITED)
        return;
    if (t->calls[user] > limit)
        model_fail(m, "rate: account %d made %lld calls in one minute of the server's, of %lld", user,
                   (long long)t->calls[user], (long long)limit);
}

static void check_end(model *m, const truth_lease *lease)
{
    /* Where the service's clock is put back, a repeated answer rightly tells of more time. */
    if (lease->was_asleep || m->truth.had_clock_steps)
        return;
    if (m->now_ms >= lease->ends_ms)
        model_fail(m, "I4: lease %s was spent %lld ms after its end", lease->id,
                   (long long)(m->now_ms - lease->ends_ms));
    if (server_now(m) >= (lease->end_day + (int64_t)1) * DAY_MS)
        model_fail(m, "I4: lease %s was spent after its period", lease->id);
}

static void admit_beyond(model *m, int machine, int user, const dreamapi_decision *decision, int64_t units)
{
    if (decision->max_over != ALLOWED || units > ALLOWED)
        model_fail(m, "%lld units beyond any lease were allowed, at most %lld, of %d", (long long)units,
                   (long long)decision->max_over, ALLOWED);
    m->truth.beyond[machine][user] += units;
}

void truth_owed(model *m, int machine, int64_t units)
{
    m->truth.owed[machine] = units;
    if (units > (int64_t)ALLOWED * ACCOUNTS)
        model_fail(m, "machine %d owes %lld units", machine, (long long)units);
}

void truth_admitted(model *m, int machine, int user, const dreamapi_decision *decision, int64_t units)
{
    char id[LEASE_TEXT];
    truth_lease *lease;

    if (m->allows && decision->source == DREAMAPI_SOURCE_FALLBACK) {
        admit_beyond(m, machine, user, decision, units);
        return;
    }
    lease_text(decision, id);
    lease = truth_find(m, id);
    if (decision->source != DREAMAPI_SOURCE_LEASE || !lease || lease->user != user) {
        model_fail(m, "units of account %d were admitted from nowhere (source %d, lease %s)", user,
                   (int)decision->source, id);
        return;
    }
    if (lease->machine != machine)
        model_fail(m, "machine %d spends lease %s, which machine %d was granted", machine, id, lease->machine);
    if (lease->is_forgetful)
        model_fail(m, "machine %d spends lease %s, which an earlier boot of it was granted", machine, id);
    count_call(m, user);
    check_end(m, lease);
    truth_booked(m, id, units);
}

void truth_booked(model *m, const char *lease_id, int64_t units)
{
    truth_lease *lease = truth_find(m, lease_id);

    lease->gross += units;
    if (lease->gross > lease->granted)
        model_fail(m, "I1: %lld units of lease %s were admitted, of %lld", (long long)lease->gross, lease_id,
                   (long long)lease->granted);
}

void truth_refunded(model *m, const char *lease_id, int64_t units)
{
    truth_lease *lease = truth_find(m, lease_id);

    lease->refunded += units;
    lease->is_inexact |= are_books_closed(m, lease);
}

void truth_direct(model *m, int user, const dreamd_usage_result *result, int64_t units)
{
    truth_period *period = truth_period_of(m, user, result->period_start_day, result->period_end_day);

    check_grant(m, period, units);
    period->direct += units;
    count_call(m, user);
    if (m->server.is_deleted[user])
        model_fail(m, "a deleted customer was admitted");
}

void truth_disturbed(model *m)
{
    m->truth.rate_quiet_from_ms = most(m->truth.rate_quiet_from_ms, m->now_ms + RATE_QUIET_MS);
}

void truth_suspended(model *m, int machine)
{
    for (size_t i = 0; i < m->truth.lease_count; i++) {
        if (m->truth.leases[i].machine == machine)
            m->truth.leases[i].was_asleep = true;
    }
    m->truth.rate_quiet_from_ms =
        most(m->truth.rate_quiet_from_ms, m->machines[machine].asleep_until_ms + RATE_QUIET_MS);
}

void truth_rebooted(model *m, int machine)
{
    const lease_row *rows = NULL;
    size_t count = server_leases(m, &rows);

    m->truth.was_rebooted[machine] = true;
    for (size_t i = 0; i < m->truth.lease_count; i++) {
        truth_lease *lease = &m->truth.leases[i];
        const lease_row *row = row_of(rows, count, lease->id);
        if (lease->machine != machine)
            continue;
        lease->is_forgetful = true;
        if (!(row ? row->state == STATE_FINAL && charged_of(row) == net_of(lease)
                  : lease->is_final && lease->refunded == 0))
            lease->is_unproven = true;
    }
}

void truth_restored(model *m)
{
    const lease_row *rows = NULL;
    size_t count = server_leases(m, &rows);

    m->truth.was_restored = true;
    memset(m->truth.has_heard, 0, sizeof m->truth.has_heard);
    for (size_t i = 0; i < m->truth.lease_count; i++) {
        truth_lease *lease = &m->truth.leases[i];
        const lease_row *row = row_of(rows, count, lease->id);
        lease->is_final = row && row->state == STATE_FINAL;
        lease->reported = 0;
        if (lease->is_forgetful && !(lease->is_final && charged_of(row) == net_of(lease)))
            lease->is_inexact = true;
    }
    truth_disturbed(m);
}

/* ---- the invariants ---- */

/* I3: who was told that all is settled leaves nothing behind. */
void truth_flushed(model *m, int machine)
{
    const lease_row *rows = NULL;
    size_t count = server_leases(m, &rows);

    for (size_t i = 0; i < m->truth.lease_count; i++) {
        const truth_lease *lease = &m->truth.leases[i];
        const lease_row *row = row_of(rows, count, lease->id);
        if (lease->machine == machine && row && row->state < 2 && !lease->is_inexact && !m->truth.was_rebooted[machine]
            && !m->truth.was_restored)
            model_fail(m, "I3: machine %d was told that everything is settled, but lease %s is held", machine,
                       lease->id);
    }
}

static void check_lease(model *m, const lease_row *row, bool is_at_rest)
{
    truth_lease *lease = truth_find(m, row->id);

    if (!lease) {
        model_fail(m, "the store has a lease that nobody was granted: %s", row->id);
        return;
    }
    if (row->admitted < lease->reported)
        model_fail(m, "I2: %lld units of lease %s were reported, and are %lld now", (long long)lease->reported, row->id,
                   (long long)row->admitted);
    lease->reported = row->admitted;
    if (charged_of(row) > lease->gross + m->truth.beyond[lease->machine][lease->user])
        model_fail(m, "I2: lease %s is billed %lld units, of which %lld were admitted", row->id,
                   (long long)charged_of(row), (long long)lease->gross);
    if (!m->truth.was_restored && row->start_day != lease->start_day)
        model_fail(m, "I4: lease %s is booked into another period", row->id);
    if (!is_at_rest || is_loose(m, lease))
        return;
    if (row->state != STATE_FINAL)
        model_fail(m, "I3: lease %s of machine %d never came to its end: state %lld", row->id, lease->machine,
                   (long long)row->state);
    m->truth.paid[lease->machine] += charged_of(row) - net_of(lease);
    if (charged_of(row) < net_of(lease) || (!m->allows && charged_of(row) != net_of(lease)))
        model_fail(m, "I2: lease %s is billed %lld units, but %lld were admitted and not refunded", row->id,
                   (long long)charged_of(row), (long long)net_of(lease));
}

typedef struct sums {
    int64_t exact;   /* to be billed */
    int64_t gross;   /* of all */
    int64_t loose;   /* gross of what is loose */
    int64_t beyond;  /* any lease */
    int64_t granted; /* of what is loose */
    int64_t used, held, lost;
} sums;

/* After a restore a settlement may find that another period holds its day; then a user's periods are taken together. */
static bool is_in(const model *m, int user, int32_t start_day, const count_row *count)
{
    return user == count->user && (m->truth.was_restored || start_day == count->start_day);
}

static sums sum_up(const model *m, const count_row *of, const count_row *counts, size_t count)
{
    sums s = { 0 };

    for (size_t i = 0; i < m->truth.lease_count; i++) {
        const truth_lease *lease = &m->truth.leases[i];
        bool loose = is_loose(m, lease);
        if (!is_in(m, lease->user, lease->start_day, of))
            continue;
        s.gross += lease->gross;
        s.exact += loose ? 0 : net_of(lease);
        s.loose += loose ? lease->gross : 0;
        s.granted += loose ? lease->granted : 0;
    }
    for (size_t i = 0; i < m->truth.period_count; i++) {
        const truth_period *period = &m->truth.periods[i];
        if (!is_in(m, period->user, period->start_day, of))
            continue;
        s.gross += period->direct;
        s.exact += period->direct;
    }
    for (int i = 0; i < MACHINES; i++)
        s.beyond += m->truth.beyond[i][of->user];
    for (size_t i = 0; i < count; i++) {
        if (!is_in(m, counts[i].user, counts[i].start_day, of))
            continue;
        s.used += counts[i].used;
        s.held += counts[i].is_closed ? 0 : counts[i].held;
        s.lost += counts[i].is_closed ? 0 : counts[i].lost;
    }
    return s;
}

static void check_count(model *m, const count_row *of, const sums *s, bool is_at_rest)
{
    if (s->used > s->gross + s->beyond)
        model_fail(m, "I2: account %d is billed %lld units, of %lld admitted", of->user, (long long)s->used,
                   (long long)s->gross);
    if (!is_at_rest)
        return;
    if (s->used < s->exact || s->used > s->exact + s->loose + s->beyond)
        model_fail(m, "I2: account %d is billed %lld units in the period from day %d; %lld to %lld were admitted",
                   of->user, (long long)s->used, (int)of->start_day, (long long)s->exact,
                   (long long)(s->exact + s->loose + s->beyond));
    if (s->held > 0)
        model_fail(m, "I3: %lld units of account %d are held by nobody", (long long)s->held, of->user);
    if (s->lost > s->granted)
        model_fail(m, "I3: %lld units of account %d are lost, of %lld whose holder could not tell", (long long)s->lost,
                   of->user, (long long)s->granted);
}

static void check(model *m, bool is_at_rest)
{
    const lease_row *rows = NULL;
    const count_row *counts = NULL;
    size_t row_count = server_leases(m, &rows);
    size_t count = server_counts(m, &counts);

    measure_uncovered(m);
    for (size_t i = 0; i < m->truth.period_count; i++)
        check_limit(m, &m->truth.periods[i], m->truth.periods[i].highest, 0);
    for (size_t i = 0; i < row_count && !m->is_over; i++)
        check_lease(m, &rows[i], is_at_rest);
    for (size_t i = 0; i < count && !m->is_over; i++) {
        sums s = sum_up(m, &counts[i], counts, count);
        check_count(m, &counts[i], &s, is_at_rest);
    }
}

void truth_check(model *m)
{
    check(m, false);
}

/* I2 for what was allowed beyond any lease: billed, or refused to the end. A reboot makes it doubtful, and of closed books no leases are left to look at. */
static void check_beyond(model *m)
{
    bool is_exact[MACHINES];
    const lease_row *rows = NULL;
    size_t count = server_leases(m, &rows);

    for (int i = 0; i < MACHINES; i++)
        is_exact[i] = !m->truth.was_rebooted[i] && !m->truth.was_restored;
    for (size_t i = 0; i < m->truth.lease_count; i++)
        is_exact[m->truth.leases[i].machine] &=
            !is_loose(m, &m->truth.leases[i]) && row_of(rows, count, m->truth.leases[i].id) != NULL;
    for (int i = 0; i < MACHINES && !m->is_over; i++) {
        int64_t beyond = 0;
        for (int a = 0; a < ACCOUNTS; a++)
            beyond += m->truth.beyond[i][a];
        /* What a flush left owing may have been taken when the client closed, a moment later. */
        if (m->truth.paid[i] > beyond || (is_exact[i] && m->truth.paid[i] < beyond - m->truth.owed[i]))
            model_fail(m, "I2: machine %d was billed %lld units of the %lld allowed beyond its leases", i,
                       (long long)m->truth.paid[i], (long long)beyond);
    }
}

void truth_check_at_rest(model *m)
{
    check(m, true);
    if (!m->is_over)
        check_beyond(m);
}
