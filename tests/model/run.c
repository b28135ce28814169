/* SPDX-License-Identifier: Apache-2.0 */
/* run.c - one run: draws a scenario and its events from the seed, and brings it to rest at the end. */
#include "run.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 2026-01-01T00:00:10Z */
#define FIRST_MS INT64_C(1767225610000)
enum {
    ROUNDS_MAX = 12,
    CHECK_EVERY = 8,
    STORE_CHECK_EVERY = 64,
    SOON_MS = 500,
    MINUTE_MS = 60000,
    BURST = 10,
    HURRY = 4,
    LEAP_STEPS = 30
};

/* ---- chance, and what is said ---- */

/* splitmix64 */
uint64_t model_random(model *m)
{
    uint64_t z = (m->random += UINT64_C(0x9E3779B97F4A7C15));

    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

int64_t model_draw(model *m, int64_t below)
{
    return below <= 1 ? 0 : (int64_t)(model_random(m) % (uint64_t)below);
}

bool model_chance(model *m, int percent)
{
    return model_draw(m, 100) < percent;
}

void model_say(model *m, const char *format, ...)
{
    va_list arguments;

    if (!m->is_verbose)
        return;
    (void)printf("# %4d %12.3f s  ", m->step, (double)(m->now_ms - FIRST_MS) / 1000);
    va_start(arguments, format);
    (void)vprintf(format, arguments);
    va_end(arguments);
    (void)putchar('\n');
}

void model_fail(model *m, const char *format, ...)
{
    va_list arguments;

    if (m->is_over)
        return;
    m->is_over = true;
    va_start(arguments, format);
    (void)vsnprintf(m->problem, sizeof m->problem, format, arguments);
    va_end(arguments);
    model_say(m, "BROKEN: %s", m->problem);
}

/* ---- time ---- */

void model_advance(model *m, int64_t ms, bool is_shared_out)
{
    int64_t until_ms = m->now_ms + ms;

    for (;;) {
        int64_t next_ms = network_next_ms(m);
        int64_t due_ms = is_shared_out ? machines_next_ms(m) : NEVER;
        if (due_ms < next_ms)
            next_ms = due_ms;
        if (next_ms > until_ms || m->is_over)
            break;
        if (next_ms > m->now_ms)
            m->now_ms = next_ms;
        network_deliver(m);
        for (int i = 0; is_shared_out && i < ROUNDS_MAX && machines_work(m); i++)
            ;
        if (is_shared_out && machines_next_ms(m) <= m->now_ms)
            m->now_ms++; /* whoever is not done by then works on a moment later */
    }
    if (m->now_ms < until_ms)
        m->now_ms = until_ms;
}

/* ---- the scenario ---- */

typedef struct scenario {
    bool has_kills, has_reboots, has_copies, has_sharing, has_sleep, has_cuts; /* of machines */
    bool has_restores, has_steps, has_jumps, has_plans, has_deletion;          /* of the service */
    int machines;
    int users;
    int64_t most_units;
    int64_t pace_ms;
} scenario;

static const weather weathers[] = {
    { 0, 0, 20, 0 },           { 3, 10, 200, 20000 },        { 15, 20, 4000, 120000 },
    { 30, 40, 12000, 600000 }, { 5, 60, 8000, 45 * DAY_MS },
};

static scenario draw_scenario(model *m)
{
    scenario s = { 0 };

    s.has_kills = model_chance(m, 60);
    s.has_reboots = model_chance(m, 30);
    s.has_copies = model_chance(m, 15);
    s.has_sharing = model_chance(m, 30);
    s.has_sleep = model_chance(m, 20);
    s.has_cuts = model_chance(m, 40);
    s.has_restores = model_chance(m, 30);
    /* A wait that a clock cuts short is no wait. */
    s.has_steps = !s.has_restores && model_chance(m, 20);
    s.has_jumps = model_chance(m, 30);
    s.has_plans = model_chance(m, 40);
    s.has_deletion = model_chance(m, 15);
    m->allows = model_chance(m, 40);
    s.machines = 1 + (int)model_draw(m, 3);
    s.users = 1 + (int)model_draw(m, ACCOUNTS);
    s.most_units = model_chance(m, 50) ? 3 : 20;
    s.pace_ms = model_chance(m, 50) ? 300 : 3000;
    m->network.weather = weathers[model_draw(m, sizeof weathers / sizeof weathers[0])];
    m->network.writes_back = s.has_reboots;
    for (int i = 0; i < ACCOUNTS; i++)
        m->server.plan_of[i] = i % METERS == 0 ? (int)model_draw(m, PLANS) : m->server.plan_of[i - 1];
    return s;
}

static int some_machine(model *m, const scenario *s)
{
    return (int)model_draw(m, s->machines);
}

static int some_user(model *m, const scenario *s)
{
    return (int)model_draw(m, s->users);
}

/* ---- events ---- */

static void start_or_end(model *m, const scenario *s)
{
    int machine = some_machine(m, s);
    int process = s->has_sharing ? (int)model_draw(m, PROCESSES) : 0;
    host *self = &m->machines[machine];

    if (m->now_ms < self->asleep_until_ms)
        return;
    if (!self->processes[process].client)
        machine_start(m, machine, process);
    else if (s->has_kills && model_chance(m, 60))
        machine_kill(m, machine, process);
    else if (model_chance(m, 50))
        machine_close(m, machine, process);
    else
        (void)machine_flush(m, machine, process);
}

static void trouble_a_machine(model *m, const scenario *s)
{
    int machine = some_machine(m, s);
    host *self = &m->machines[machine];
    bool is_asleep = m->now_ms < self->asleep_until_ms;

    switch (model_draw(m, 5)) {
    case 0:
        if (s->has_reboots && self->has_journal && !is_asleep)
            machine_reboot(m, machine);
        if (self->has_journal && !machine_is_running(self) && model_chance(m, 50))
            machine_start(m, machine, 0);
        break;
    case 1:
        if (s->has_reboots && self->has_journal)
            machine_sync(m, machine);
        break;
    case 2:
        if (s->has_copies && self->has_journal && !m->machines[MACHINES - 1].has_journal) {
            machine_copy(m, machine, MACHINES - 1);
            machine_start(m, MACHINES - 1, 0);
        }
        break;
    case 3:
        if (s->has_sleep && !is_asleep && self->has_journal)
            machine_suspend(m, machine, 1000 + model_draw(m, 180000));
        break;
    default:
        if (s->has_cuts) {
            self->is_cut_off = !self->is_cut_off;
            model_say(m, "machine %d is %s", machine, self->is_cut_off ? "cut off" : "reached again");
        }
        break;
    }
}

/* Customers do not wait for an operator. */
static void restore(model *m, const scenario *s)
{
    server_restore(m);
    for (int i = 0; i < HURRY && !m->is_over; i++)
        server_direct(m, some_user(m, s), 1 + model_draw(m, s->most_units * 4));
}

static void trouble_the_service(model *m, const scenario *s)
{
    int user = some_user(m, s);

    switch (model_draw(m, 8)) {
    case 0:
        server_restart(m);
        break;
    case 1:
        if (s->has_restores && !m->server.backup.is_there)
            server_back_up(m);
        else if (s->has_restores && model_chance(m, 30))
            restore(m, s);
        break;
    case 2:
        if (s->has_plans && !m->server.is_deleted[user]) {
            server_set_plan(m, user, (int)model_draw(m, PLANS));
            truth_disturbed(m);
        }
        break;
    case 3:
        if (s->has_deletion && model_chance(m, 20) && !m->server.is_deleted[user])
            server_delete(m, user);
        break;
    case 4:
        server_write_off(m, user);
        break;
    case 5:
        if (s->has_steps) {
            m->server.clock_ms += model_draw(m, 240000) - 120000;
            m->truth.had_clock_steps = true;
            model_say(m, "the service's clock is off by %lld ms", (long long)m->server.clock_ms);
            truth_disturbed(m);
        }
        break;
    case 6:
        m->server.is_down = !m->server.is_down;
        model_say(m, "the service is %s", m->server.is_down ? "down" : "up");
        break;
    default:
        server_sweep(m);
        break;
    }
}

/* A program that stood still for days: its clock went on. */
static void jump(model *m)
{
    int64_t ms = model_chance(m, 60) ? model_draw(m, 31 * DAY_MS) : model_draw(m, 4000000);
    const truth_period *last = m->truth.period_count ? &m->truth.periods[m->truth.period_count - 1] : NULL;
    int64_t left_ms = last ? (last->end_day + (int64_t)1) * DAY_MS - server_now(m) : 0;

    /* What matters happens around the end of a period. */
    if (left_ms > TTL_MS && model_chance(m, 40))
        ms = left_ms - model_draw(m, TTL_MS);

    model_say(m, "nothing happens for %lld s", (long long)ms / 1000);
    model_advance(m, ms, false);
}

/* Many calls around the turn of the server's minute. */
static void burst(model *m, int machine, int user)
{
    int64_t left_ms = MINUTE_MS - server_now(m) % MINUTE_MS;
    int64_t early_ms = model_draw(m, m->network.weather.delay_ms + 200);

    if (left_ms > early_ms)
        model_advance(m, left_ms - early_ms, true);
    for (int i = 0; i < BURST && !m->is_over; i++) {
        (void)machine_use(m, machine, user, 1);
        model_advance(m, model_draw(m, early_ms / 4 + 10), true);
    }
}

static void happen(model *m, const scenario *s)
{
    int64_t drawn = model_draw(m, 1000);
    int machine = some_machine(m, s);
    int user = some_user(m, s);
    int64_t units = 1 + model_draw(m, model_chance(m, 90) ? s->most_units : s->most_units * 10);

    if (s->has_copies && model_chance(m, 15))
        machine = MACHINES - 1;
    if (drawn < 560)
        machine_use(m, machine, user, units);
    else if (drawn < 630)
        machine_refund(m, machine);
    else if (drawn < 680)
        machine_reserve(m, machine, user, units);
    else if (drawn < 730)
        machine_commit(m, machine);
    else if (drawn < 770)
        server_direct(m, user, units);
    else if (drawn < 830)
        start_or_end(m, s);
    else if (drawn < 900)
        trouble_a_machine(m, s);
    else if (drawn < 960)
        trouble_the_service(m, s);
    else if (drawn < 975)
        model_advance(m, model_draw(m, 150000), true);
    else if (drawn < 985)
        burst(m, machine, user);
    else if (s->has_jumps)
        jump(m);
}

/* The service's clock is days ahead, and is put right before it could be true. Not without a right reading before: two leaps in a row look
 * like a store that rested. */
static void leap(model *m, const scenario *s)
{
    scenario meanwhile = *s;

    meanwhile.has_jumps = false;
    m->server.leapt_ms = (1 + model_draw(m, 60)) * DAY_MS;
    if (m->server.longest_leap_ms < m->server.leapt_ms)
        m->server.longest_leap_ms = m->server.leapt_ms;
    m->truth.had_clock_steps = true;
    model_say(m, "the service's clock leaps by %lld ms", (long long)m->server.leapt_ms);
    truth_disturbed(m);
    for (int i = 0; i < LEAP_STEPS && !m->is_over; i++) {
        model_advance(m, model_draw(m, s->pace_ms), true);
        happen(m, &meanwhile);
    }
    m->server.leapt_ms = 0;
    m->server.was_right = false;
    model_say(m, "the service's clock is put right");
    truth_disturbed(m);
}

/* ---- the end ---- */

static void settle(model *m, int machine, int process)
{
    if (!machine_flush(m, machine, process) && !m->is_over)
        model_fail(m, "I3: machine %d could not report everything to a service that answers", machine);
    if (!m->is_over)
        machine_close(m, machine, process);
}

static bool is_nothing(dreamapi_reason reason)
{
    return reason == DREAMAPI_REASON_EMPTY || reason == DREAMAPI_REASON_UNAVAILABLE;
}

/* Who asks a service that answers hears from it at once, if only a refusal. */
static void find_stuck(model *m)
{
    for (int i = 0; i < MACHINES * ACCOUNTS && !m->is_over; i++) {
        dreamapi_reason reason = machine_use(m, i / ACCOUNTS, i % ACCOUNTS, 1);
        /* In steps: a refusal by the rate may be over by the end. */
        for (int step = 0; step < 5 && is_nothing(reason); step++) {
            model_advance(m, SOON_MS / 5, true);
            reason = machine_use(m, i / ACCOUNTS, i % ACCOUNTS, 1);
        }
        if (is_nothing(reason))
            model_fail(m, "machine %d hears nothing about user_%d: reason %d", i / ACCOUNTS, i % ACCOUNTS, (int)reason);
    }
}

/* Everything works from here on: whatever was begun comes to its end. */
static void come_to_rest(model *m)
{
    model_say(m, "from here on everything works");
    m->network.weather = (weather){ 0, 0, 20, 0 };
    m->server.is_down = false;
    m->server.is_dependable = true;
    for (int i = 0; i < MACHINES; i++) {
        m->machines[i].is_cut_off = false;
        if (m->now_ms < m->machines[i].asleep_until_ms)
            m->now_ms = m->machines[i].asleep_until_ms;
    }
    for (int i = 0; i < MACHINES && !m->is_over; i++) {
        if (m->machines[i].has_journal && !machine_is_running(&m->machines[i]))
            machine_start(m, i, 0);
    }
    /* Past reservations, the wait after a restore and the grace of the silent. */
    model_advance(m, 2 * (TTL_MS + GRACE_MS) + 200000, true);
    find_stuck(m);
    for (int i = 0; i < MACHINES * PROCESSES && !m->is_over; i++) {
        if (m->machines[i / PROCESSES].processes[i % PROCESSES].client)
            settle(m, i / PROCESSES, i % PROCESSES);
    }
    network_drain(m);
    /* Somebody may have been granted units by a request that a reboot made it forget, until an end by a clock that was ahead. */
    model_advance(m, TTL_MS + GRACE_MS + 1 + m->server.longest_leap_ms, false);
    server_sweep(m);
}

static void play(model *m, int steps)
{
    scenario s = draw_scenario(m);

    if (!server_open(m)) {
        model_fail(m, "the service does not open");
        return;
    }
    for (int i = 0; i < s.machines && !m->is_over; i++)
        machine_start(m, i, 0);
    for (m->step = 1; m->step <= steps && !m->is_over; m->step++) {
        model_advance(m, model_draw(m, s.pace_ms), true);
        happen(m, &s);
        if (s.has_steps && m->server.was_right && model_chance(m, 1))
            leap(m, &s);
        if (m->step % CHECK_EVERY == 0)
            truth_check(m);
        if (m->step % STORE_CHECK_EVERY == 0)
            server_check(m);
    }
    if (!m->is_over)
        come_to_rest(m);
    if (!m->is_over)
        truth_check_at_rest(m);
    if (!m->is_over)
        server_check(m);
}

bool run_seed(const run_order *order, char problem[512])
{
    model *m = calloc(1, sizeof *m);
    bool is_sound;

    m->seed = m->random = order->seed;
    m->now_ms = FIRST_MS;
    m->is_verbose = order->is_verbose;
    for (int i = 0; i < MACHINES; i++)
        m->machines[i].booted_ms = FIRST_MS - i * INT64_C(3600000);
    (void)snprintf(m->folder, sizeof m->folder, "%s", order->folder);
    current_model = m;
    play(m, order->steps);
    is_sound = !m->is_over;
    (void)snprintf(problem, 512, "%s", m->problem);
    m->is_over = true;
    machines_clear(m);
    network_clear(m);
    server_close(m);
    truth_clear(&m->truth);
    free(m);
    return is_sound;
}
