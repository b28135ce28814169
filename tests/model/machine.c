/* SPDX-License-Identifier: Apache-2.0 */
/* machine.c - holders: real clients without threads on a real journal, in memory that outlives them.
 *
 * A kill is played by keeping the file's bytes over the client's end, which puts back whatever the end changed. A reboot
 * also changes the boot id that the journal carries, and gives each page either as it was or as it was when last synced. */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/meter/journal.h"
#include "model.h"

enum { FIRST_MONOTONIC_MS = 1000000, PAGE = 4096, CLOSE_MS = 2000, WAIT_MS = 400, FLUSH_MS = 30000 };

/* ---- the clock ---- */

bool machine_is_running(const host *machine)
{
    for (int i = 0; i < PROCESSES; i++) {
        if (machine->processes[i].client)
            return true;
    }
    return false;
}

static bool is_asleep(const model *m, const host *machine)
{
    return m->now_ms < machine->asleep_until_ms;
}

int64_t machine_monotonic_ms(const model *m, int machine)
{
    const host *self = &m->machines[machine];
    int64_t until_ms = is_asleep(m, self) ? self->asleep_from_ms : m->now_ms;
    int64_t missed_ms =
        is_asleep(m, self) ? self->suspended_ms - (self->asleep_until_ms - self->asleep_from_ms) : self->suspended_ms;

    return FIRST_MONOTONIC_MS + until_ms - self->booted_ms - missed_ms;
}

static int64_t monotonic_ms(void *user_data)
{
    const station *end = user_data;

    return machine_monotonic_ms(end->model, end->machine);
}

static int64_t wall_ms(void *user_data)
{
    const station *end = user_data;

    return end->model->now_ms;
}

static void sleep_ms(void *user_data, int64_t ms)
{
    const station *end = user_data;

    model_advance(end->model, ms, false);
}

static int fill_random(void *user_data, void *out, size_t size)
{
    unsigned char *bytes = out;

    for (size_t i = 0; i < size; i++)
        bytes[i] = (unsigned char)(model_random(user_data) >> 32);
    return 0;
}

/* ---- the file ---- */

static unsigned char *read_file(const host *machine, size_t *out_size)
{
    int fd = open(machine->path, O_RDONLY | O_CLOEXEC);
    struct stat info = { 0 };
    unsigned char *bytes = NULL;

    *out_size = 0;
    if (fd >= 0 && fstat(fd, &info) == 0 && (bytes = malloc((size_t)info.st_size + 1)) != NULL
        && read(fd, bytes, (size_t)info.st_size) == info.st_size)
        *out_size = (size_t)info.st_size;
    if (fd >= 0)
        (void)close(fd);
    return bytes;
}

static void write_file(model *m, const host *machine, const unsigned char *bytes, size_t size)
{
    int fd = open(machine->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0 || pwrite(fd, bytes, size, 0) != (ssize_t)size)
        model_fail(m, "the journal cannot be written");
    if (fd >= 0)
        (void)close(fd);
}

static uint32_t crc_of(const dream_identity *identity)
{
    const unsigned char *bytes = (const unsigned char *)identity;
    uint32_t crc = 0xFFFFFFFFu;

    for (size_t i = sizeof(identity->crc); i < sizeof(*identity); i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
    }
    return ~crc;
}

static void change_boot(unsigned char *bytes)
{
    dream_journal_header *header = (dream_journal_header *)(void *)bytes;
    dream_identity *identity = &header->identities[atomic_load(&header->identity) & 1];

    identity->boot[0]++;
    identity->crc = crc_of(identity);
}

/* What the disk surely has from now on: all of it, or the header alone. */
static void note_synced(host *machine, bool is_all)
{
    size_t size = 0;
    unsigned char *bytes = read_file(machine, &size);

    if (!is_all && machine->synced && machine->synced_size >= PAGE && size >= PAGE) {
        memcpy(machine->synced, bytes, PAGE);
        free(bytes);
        return;
    }
    free(machine->synced);
    machine->synced = bytes;
    machine->synced_size = size;
}

void machine_sync(model *m, int machine)
{
    model_say(m, "machine %d syncs", machine);
    note_synced(&m->machines[machine], true);
}

/* ---- beginning and end ---- */

static dreamapi_options *options_of(model *m, host *machine, program *process)
{
    dreamapi_options *options = dreamapi_options_new();
    dreamapi_clock clock = { sizeof clock, &process->end, monotonic_ms, wall_ms, sleep_ms };
    dreamapi_transport transport = network_transport(&process->end);

    (void)dreamapi_options_set_base_url(options, "https://api.example.test");
    (void)dreamapi_options_set_secret_key(options, "sk_live_1");
    (void)dreamapi_options_set_threads(options, 0);
    (void)dreamapi_options_set_clock(options, &clock);
    (void)dreamapi_options_set_random(options, fill_random, m);
    (void)dreamapi_options_set_transport(options, &transport);
    (void)dreamapi_options_set_journal(options, machine->path);
    (void)dreamapi_options_set_close_timeout_ms(options, CLOSE_MS);
    return options;
}

static void open_meters(model *m, int number, program *process)
{
    dreamapi_meter_params params = DREAMAPI_METER_PARAMS_INIT;
    dreamapi_error error;

    params.wait_ms = WAIT_MS;
    for (int i = 0; i < ACCOUNTS && !m->is_over; i++) {
        char user[16];
        account_name(i, user);
        params.meter = account_meter(i);
        params.policy = m->allows && i % 3 == 0 ? DREAMAPI_POLICY_ALLOW
                        : number == 0           ? DREAMAPI_POLICY_DENY
                                                : DREAMAPI_POLICY_WAIT;
        params.allow_units = params.policy == DREAMAPI_POLICY_ALLOW ? ALLOWED : 0;
        if (dreamapi_meter_open(process->client, user, &params, &process->meters[i], &error) != DREAMAPI_OK)
            model_fail(m, "a meter does not open: %s", error.message);
    }
}

void machine_start(model *m, int machine, int process)
{
    host *self = &m->machines[machine];
    program *started = &self->processes[process];
    dreamapi_options *options;
    dreamapi_error error;

    model_say(m, "process %d.%d starts", machine, process);
    started->end = (station){ m, machine, process };
    (void)snprintf(self->path, sizeof self->path, "%s/journal%d", m->folder, machine);
    options = options_of(m, self, started);
    if (dreamapi_client_new(options, &started->client, &error) != DREAMAPI_OK)
        model_fail(m, "a client does not start: %s", error.message);
    dreamapi_options_free(options);
    if (!m->is_over)
        open_meters(m, process, started);
    self->has_journal = true;
    note_synced(self, false);
}

static void forget_reservations(host *self, int process)
{
    size_t kept = 0;

    for (size_t i = 0; i < self->reservation_count; i++) {
        if (self->reservations[i].process != process)
            self->reservations[kept++] = self->reservations[i];
    }
    self->reservation_count = kept;
}

static void end_client(host *self, int process)
{
    program *ended = &self->processes[process];

    for (int i = 0; i < ACCOUNTS; i++) {
        dreamapi_meter_close(ended->meters[i]);
        ended->meters[i] = NULL;
    }
    dreamapi_client_free(ended->client);
    ended->client = NULL;
    forget_reservations(self, process);
}

static int running(const host *self)
{
    int count = 0;

    for (int i = 0; i < PROCESSES; i++)
        count += self->processes[i].client != NULL;
    return count;
}

void machine_kill(model *m, int machine, int process)
{
    host *self = &m->machines[machine];
    bool is_last = running(self) == 1;
    size_t size = 0;
    unsigned char *bytes = is_last ? read_file(self, &size) : NULL;

    model_say(m, "process %d.%d is killed", machine, process);
    self->processes[process].client->settings.close_timeout_ms = 0;
    end_client(self, process);
    if (is_last)
        write_file(m, self, bytes, size);
    free(bytes);
}

void machine_close(model *m, int machine, int process)
{
    host *self = &m->machines[machine];

    model_say(m, "process %d.%d closes", machine, process);
    end_client(self, process);
    if (!machine_is_running(self))
        note_synced(self, true);
}

static void mix_pages(model *m, const host *self, unsigned char *bytes, size_t size)
{
    int old_percent = (int)model_draw(m, 101);

    for (size_t at = 0; at + PAGE <= size; at += PAGE) {
        if (!self->synced || !model_chance(m, old_percent))
            continue;
        if (at + PAGE <= self->synced_size)
            memcpy(bytes + at, self->synced + at, PAGE);
        else
            memset(bytes + at, 0, PAGE);
    }
}

void machine_reboot(model *m, int machine)
{
    host *self = &m->machines[machine];
    size_t size = 0;
    unsigned char *bytes = read_file(self, &size);
    bool was_open = machine_is_running(self);

    model_say(m, "machine %d reboots", machine);
    for (int i = 0; i < PROCESSES; i++) {
        if (self->processes[i].client) {
            self->processes[i].client->settings.close_timeout_ms = 0;
            end_client(self, i);
        }
    }
    if (bytes && size >= PAGE) {
        mix_pages(m, self, bytes, size);
        change_boot(bytes);
        write_file(m, self, bytes, size);
    }
    free(bytes);
    self->booted_ms = m->now_ms - model_draw(m, 60000);
    self->suspended_ms = 0;
    self->asleep_until_ms = 0;
    note_synced(self, true);
    if (was_open || !((const dream_journal_header *)(const void *)self->synced)->is_clean)
        truth_rebooted(m, machine);
}

void machine_suspend(model *m, int machine, int64_t ms)
{
    host *self = &m->machines[machine];

    model_say(m, "machine %d sleeps for %lld ms", machine, (long long)ms);
    self->asleep_from_ms = m->now_ms;
    self->asleep_until_ms = m->now_ms + ms;
    self->suspended_ms += ms;
    truth_suspended(m, machine);
}

void machine_copy(model *m, int from, int to)
{
    size_t size = 0;
    unsigned char *bytes = read_file(&m->machines[from], &size);
    host *target = &m->machines[to];

    model_say(m, "the journal of machine %d turns up at machine %d", from, to);
    (void)snprintf(target->path, sizeof target->path, "%s/journal%d", m->folder, to);
    if (bytes)
        write_file(m, target, bytes, size);
    free(bytes);
    target->has_journal = true;
    note_synced(target, true);
}

void machines_clear(model *m)
{
    for (int i = 0; i < MACHINES; i++) {
        host *self = &m->machines[i];
        for (int p = 0; p < PROCESSES; p++) {
            if (!self->processes[p].client)
                continue;
            self->processes[p].client->settings.close_timeout_ms = 0;
            end_client(self, p);
        }
        free(self->synced);
        self->synced = NULL;
        if (self->path[0])
            (void)unlink(self->path);
    }
}

/* ---- work ---- */

static bool is_woken(const dreamapi_client *client)
{
    struct pollfd entry = { .fd = dreamapi_client_fd(client), .events = POLLIN };

    return poll(&entry, 1, 0) == 1;
}

/* As an event loop does: -1 never, 0 at once. */
static int64_t left_ms_of(dreamapi_client *client)
{
    return is_woken(client) ? 0 : dreamapi_client_timeout_ms(client);
}

bool machines_work(model *m)
{
    bool has_worked = false;

    for (int i = 0; i < MACHINES * PROCESSES; i++) {
        host *self = &m->machines[i / PROCESSES];
        dreamapi_client *client = self->processes[i % PROCESSES].client;
        if (!client || is_asleep(m, self) || left_ms_of(client) != 0)
            continue;
        (void)dreamapi_client_perform(client);
        has_worked = true;
    }
    return has_worked;
}

int64_t machines_next_ms(model *m)
{
    int64_t next_ms = NEVER;

    for (int i = 0; i < MACHINES * PROCESSES; i++) {
        host *self = &m->machines[i / PROCESSES];
        dreamapi_client *client = self->processes[i % PROCESSES].client;
        int64_t left_ms = client ? left_ms_of(client) : -1;
        int64_t at_ms = m->now_ms + left_ms;
        if (left_ms < 0)
            continue;
        if (is_asleep(m, self))
            at_ms += self->asleep_until_ms - m->now_ms;
        if (at_ms < next_ms)
            next_ms = at_ms;
    }
    return next_ms;
}

static bool is_only_owing(model *m, int machine, int process)
{
    dreamapi_meter_stats stats;

    if (dreamapi_client_meter_stats(m->machines[machine].processes[process].client, &stats) != DREAMAPI_OK
        || stats.units_owed == 0 || stats.leases_active != 0 || stats.leases_unsettled != 0)
        return false;
    truth_owed(m, machine, stats.units_owed);
    return true;
}

bool machine_flush(model *m, int machine, int process)
{
    dreamapi_error error;
    dreamapi_status status = dreamapi_client_flush(m->machines[machine].processes[process].client, FLUSH_MS, &error);

    model_say(m, "process %d.%d flushes: %d", machine, process, (int)status);
    if (status == DREAMAPI_OK)
        truth_flushed(m, machine);
    else if (m->server.is_dependable)
        return is_only_owing(m, machine, process);
    return status == DREAMAPI_OK;
}

/* ---- what programs do ---- */

/* One of the processes that run; -1: none. */
static int some_process(model *m, const host *self)
{
    int first = (int)model_draw(m, PROCESSES);

    for (int i = 0; i < PROCESSES; i++) {
        int process = (first + i) % PROCESSES;
        if (self->processes[process].client && !is_asleep(m, self))
            return process;
    }
    return -1;
}

dreamapi_reason machine_use(model *m, int machine, int user, int64_t units)
{
    host *self = &m->machines[machine];
    int process = some_process(m, self);
    dreamapi_decision decision;
    dreamapi_status status;

    if (process < 0)
        return DREAMAPI_REASON_NONE;
    status = dreamapi_meter_use(self->processes[process].meters[user], units, &decision);
    model_say(m, "%d.%d uses %lld of user_%d: status %d, reason %d", machine, process, (long long)units, user,
              (int)status, (int)decision.reason);
    if ((status == DREAMAPI_OK) != (decision.allowed != 0))
        model_fail(m, "a use returned %d and says allowed %d", (int)status, decision.allowed);
    if (status != DREAMAPI_OK)
        return decision.reason;
    truth_admitted(m, machine, user, &decision, units);
    self->decisions[self->decision_count++ % DECISIONS] = (kept_decision){ decision, user };
    return DREAMAPI_REASON_NONE;
}

void machine_refund(model *m, int machine)
{
    host *self = &m->machines[machine];
    int process = some_process(m, self);
    size_t kept = self->decision_count < DECISIONS ? self->decision_count : DECISIONS;
    kept_decision *chosen = &self->decisions[model_draw(m, (int64_t)kept + 1) % DECISIONS];
    bool is_first = chosen->decision.refund_token[0] != 0;
    char lease[LEASE_TEXT];
    dreamapi_status status;

    if (process < 0 || kept == 0 || !chosen->decision.allowed)
        return;
    lease_text(&chosen->decision, lease);
    status = dreamapi_meter_refund(self->processes[process].meters[chosen->user], &chosen->decision);
    model_say(m, "%d.%d refunds %lld of lease %s: %d", machine, process, (long long)chosen->decision.units, lease,
              (int)status);
    if (status == DREAMAPI_OK && is_first)
        truth_refunded(m, lease, chosen->decision.units);
    else if (status == DREAMAPI_OK)
        model_fail(m, "a decision was refunded twice");
}

void machine_reserve(model *m, int machine, int user, int64_t units)
{
    host *self = &m->machines[machine];
    int process = some_process(m, self);
    kept_reservation *kept = &self->reservations[self->reservation_count];
    int64_t hold_ms = 500 + model_draw(m, model_chance(m, 50) ? 5000 : 200000);
    dreamapi_decision decision;
    dreamapi_status status;

    if (process < 0 || self->reservation_count == RESERVATIONS)
        return;
    status =
        dreamapi_meter_reserve(self->processes[process].meters[user], units, hold_ms, &kept->reservation, &decision);
    model_say(m, "%d.%d reserves %lld of user_%d for %lld ms: status %d", machine, process, (long long)units, user,
              (long long)hold_ms, (int)status);
    if (status != DREAMAPI_OK)
        return;
    truth_admitted(m, machine, user, &decision, 0);
    kept->user = user;
    kept->process = process;
    kept->until_ms = machine_monotonic_ms(m, machine) + hold_ms;
    lease_text(&decision, kept->lease);
    self->reservation_count++;
}

void machine_commit(model *m, int machine)
{
    host *self = &m->machines[machine];
    size_t index;
    kept_reservation kept;
    int64_t units;
    bool is_timely;
    dreamapi_decision decision;
    dreamapi_status status;

    if (self->reservation_count == 0 || is_asleep(m, self))
        return;
    index = (size_t)model_draw(m, (int64_t)self->reservation_count);
    kept = self->reservations[index];
    self->reservations[index] = self->reservations[--self->reservation_count];
    units = model_draw(m, kept.reservation.units + 1);
    is_timely = machine_monotonic_ms(m, machine) < kept.until_ms;
    status =
        dreamapi_meter_commit(self->processes[kept.process].meters[kept.user], &kept.reservation, units, &decision);
    model_say(m, "%d.%d commits %lld of lease %s: status %d", machine, kept.process, (long long)units, kept.lease,
              (int)status);
    if (status == DREAMAPI_OK)
        truth_booked(m, kept.lease, units);
    else if (is_timely)
        model_fail(m, "a reservation within its time was not booked: %d", (int)status);
}
