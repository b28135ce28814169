/* SPDX-License-Identifier: Apache-2.0 */
/* direct_report.c - tells the server what cached meters admitted. Driver only; what the journal holds is changed under its lock.
 *
 * One report at a time for a user: one unit in a POST /api/data, or all that wait as one event of a batch where the server takes
 * those. It is journalled, under a random id, before it is sent. When its outcome is not clear it is sent again under that id if the server
 * remembers ids; else its units are doubtful for good: better billed never than twice. They go on counting against the meter's
 * bound until the server's count is seen to begin anew. */
#include "lib/meter/direct.h"

#include <stdlib.h>
#include <string.h>

#include "common/ids.h"
#include "lib/call.h"
#include "lib/error.h"
#include "lib/meter/lease_wire.h"
#include "lib/meter/metering.h"
#include "lib/meter/point.h"
#include "lib/object/usage.h"

enum {
    NS_PER_MS = 1000000,
    CALLS_MAX = 8,
    SCAN_MS = 5000,      /* what other processes left is found by looking */
    NEIGHBOUR_MS = 1000, /* somebody else's report is under way */
    REFUSED_MS = 60000,  /* unless a use asks before */
    DENIAL_MS = 1000,
    BACKOFF_FIRST_MS = 100,
    BACKOFF_MAX_MS = 5000,
    PATIENCE_MS = 10000
};
static const int64_t never_ns = INT64_MAX;
/* For less long than a server remembers: idempotency keys for a day, events for 36 days. */
static const int64_t key_ms = INT64_C(23) * 3600 * 1000;
static const int64_t event_ms = INT64_C(34) * 24 * 3600 * 1000;

typedef struct report_item {
    dream_line line;
    unsigned char id[16];
    uint32_t units;
} report_item;

typedef struct report {
    dream_metering *metering;
    bool is_batch;
    char key[37]; /* a single one's idempotency key */
    size_t count;
    report_item items[];
} report;

static int64_t ms_to_ns(int64_t ms)
{
    return ms * NS_PER_MS;
}

static dream_direct *direct_at(const dream_metering *metering, dream_line line)
{
    return dream_journal_at(metering->journal, line);
}

static dream_account *account_of(const dream_metering *metering, const dream_direct *direct)
{
    return dream_journal_at(metering->journal, direct->account);
}

/* ---- what this process knows of each ---- */

static size_t place_of(const dream_direct_book *book, dream_line line)
{
    size_t low = 0;
    size_t high = book->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (book->entries[middle].line < line)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

dream_direct_entry *dream_direct_entry_of(dream_metering *metering, dream_line line)
{
    dream_direct_book *book = &metering->direct;
    size_t place = place_of(book, line);

    if (place < book->count && book->entries[place].line == line)
        return &book->entries[place];
    if (book->count == book->capacity) {
        size_t capacity = book->capacity == 0 ? 16 : book->capacity * 2;
        dream_direct_entry *entries = realloc(book->entries, capacity * sizeof(*entries));
        if (entries == NULL)
            return NULL;
        book->entries = entries;
        book->capacity = capacity;
    }
    memmove(&book->entries[place + 1], &book->entries[place], (book->count - place) * sizeof(book->entries[0]));
    book->count++;
    book->entries[place] = (dream_direct_entry){ .line = line };
    return &book->entries[place];
}

void dream_direct_adopt(dream_direct_book *book)
{
    /* The parent may have been changing them: left alone, and found again. */
    book->entries = NULL;
    book->count = book->capacity = 0;
    book->calls = 0;
    book->is_batch_under_way = false;
    book->next_ns = 0;
    book->next_scan_ns = 0;
    book->heard_until_ms = 0;
    book->not_before_ns = 0;
}

void dream_direct_clear(dream_direct_book *book)
{
    for (size_t i = 0; i < book->count; i++)
        dream_free_secret(book->entries[i].token);
    free(book->entries);
    book->entries = NULL;
    book->count = book->capacity = 0;
}

/* ---- what the server announces ---- */

static bool announces(const dream_metering *metering, unsigned extension)
{
    return (atomic_load(&dream_journal_header_of(metering->journal)->announced) & extension) != 0;
}

static bool has_secret(const dream_metering *metering)
{
    return metering->client->settings.has_secret_key;
}

static bool has(const dream_metering *metering, unsigned extension)
{
    return has_secret(metering) && announces(metering, extension);
}

/* With a secret key much may be possible, so what is is asked first. */
static bool must_learn(const dream_metering *metering)
{
    return has_secret(metering) && !announces(metering, DREAM_ANNOUNCED);
}

bool dream_direct_learn(dream_metering *metering)
{
    const dream_extensions *extensions = &metering->client->extensions;
    int64_t now_ms = dream_settings_now_ms(&metering->client->settings);

    /* Once each time: another process may have heard something newer since. */
    if (extensions->until_ms != metering->direct.heard_until_ms
        && dream_extensions_look(extensions, now_ms) == DREAM_EXTENSIONS_KNOWN) {
        metering->direct.heard_until_ms = extensions->until_ms;
        atomic_store(&dream_journal_header_of(metering->journal)->announced, extensions->announced | DREAM_ANNOUNCED);
        atomic_store(&metering->direct.has_debts, true);
        atomic_store(&metering->direct.is_wanted, true);
    }
    return dream_direct_is_on(metering);
}

void dream_direct_begin(dream_metering *metering)
{
    (void)dream_direct_learn(metering);
    atomic_store(&metering->trouble, DREAMAPI_OK);
    atomic_store(&metering->direct.is_wanted, true);
}

/* ---- the end of a report ---- */

typedef struct booking {
    dream_metering *metering;
    dreamapi_call *call;
    const dreamapi_error *error;
    dream_direct *direct;
    dream_direct_entry *entry; /* may be NULL, without memory */
    uint32_t units;
    int64_t now_ns;
} booking;

typedef enum outcome {
    OUTCOME_COUNTED,
    OUTCOME_REFUSED, /* looked at, and not counted */
    OUTCOME_UNSENT,
    OUTCOME_UNCLEAR
} outcome;

static outcome judge(const dreamapi_call *call, const dreamapi_error *error)
{
    int http = error->http_status;

    if (error->status == DREAMAPI_OK)
        return OUTCOME_COUNTED;
    if (error->status == DREAMAPI_OUTCOME_UNKNOWN)
        return OUTCOME_UNCLEAR;
    if (http == 0)
        return call->is_unclear ? OUTCOME_UNCLEAR : OUTCOME_UNSENT;
    return http < 400 || http >= 500 || http == 408 || http == 409 ? OUTCOME_UNCLEAR : OUTCOME_REFUSED;
}

static void put_back(const booking *b)
{
    dream_direct_set(b->direct, dream_direct_waiting(b->direct) + b->units, 0);
}

/* Nobody knows if it was counted: better billed never than twice. */
static void give_up_on(const dream_metering *metering, dream_direct *direct)
{
    dream_direct_values values = dream_direct_values_of(direct);

    values.doubtful += values.reporting;
    values.reporting = 0;
    dream_direct_change(direct, account_of(metering, direct), &values);
}

static void counted(const booking *b)
{
    dream_account *account = account_of(b->metering, b->direct);

    if (atomic_load(&account->denied_reason) == DREAMAPI_REASON_LIMIT)
        atomic_store(&account->denied_until_ns, 0);
    atomic_store(&b->direct->refusal, 0);
    b->direct->next_ns = 0;
    dream_direct_set(b->direct, dream_direct_waiting(b->direct), 0);
    atomic_fetch_add_explicit(&b->metering->units_settled, b->units, memory_order_relaxed);
}

/* Reports of one user come one after the other, so a count that is lower than the last one is of a new period. */
static void note_count(dream_direct *direct, int64_t count)
{
    if (direct->counted >= 0 && count < direct->counted)
        atomic_store(&direct->doubtful, 0);
    direct->counted = count;
}

/* An event is answered without numbers. */
static void count_here(const booking *b)
{
    dream_account *account = account_of(b->metering, b->direct);
    int64_t left = atomic_load(&account->left);

    b->direct->is_guessed = 1;
    if (atomic_load(&account->limit) < 0) {
        if (b->entry != NULL)
            b->entry->wants_numbers = true;
        return;
    }
    if (left != DREAMAPI_UNLIMITED)
        atomic_store(&account->left, left > b->units ? left - b->units : 0);
    atomic_store(&account->used, atomic_load(&account->used) + b->units);
}

static void refused(const booking *b)
{
    const dreamapi_error *error = b->error;
    dream_account *account = account_of(b->metering, b->direct);
    dreamapi_reason reason = dream_direct_reason(error->status);
    dream_numbers numbers = { NULL, error->used, error->limit, 0 };

    put_back(b);
    atomic_store(&b->direct->refusal, error->status);
    b->direct->next_ns = b->now_ns + ms_to_ns(REFUSED_MS);
    if (reason == DREAMAPI_REASON_RATE) {
        b->direct->next_ns = b->now_ns + ms_to_ns(error->retry_after_ms > 0 ? error->retry_after_ms : DENIAL_MS);
        atomic_store(&b->direct->refusal, 0); /* it passes by itself */
    }
    if (reason == DREAMAPI_REASON_LIMIT)
        dream_direct_note(b->metering, account, &numbers);
    if (error->status == DREAMAPI_AUTH && !has(b->metering, DREAM_EXTENSION_SERVER_SIDE) && b->entry != NULL)
        b->entry->is_token_spent = true; /* the next use brings another one */
    else
        dream_direct_deny(b->metering, account, reason, error->retry_after_ms);
}

/* The plan has too few units left for all of these. */
static void refused_event(booking *b)
{
    dreamapi_error error;

    if (b->units > 1) {
        put_back(b);
        b->direct->most = b->units / 2;
        return;
    }
    b->direct->most = 0;
    (void)dream_error_set(&error, DREAMAPI_LIMIT, "the plan has no units left");
    error.limit = atomic_load(&account_of(b->metering, b->direct)->limit);
    error.used = error.limit;
    b->error = &error;
    refused(b);
    if (b->entry != NULL)
        b->entry->wants_numbers = true;
}

static void unclear(const booking *b, bool is_remembered)
{
    if (is_remembered)
        b->direct->flags |= DREAM_DIRECT_IS_REPEATABLE;
    else
        give_up_on(b->metering, b->direct);
}

static void unsent(const booking *b)
{
    /* Sent before, perhaps, under the same key: that stays open. */
    bool is_open = (b->direct->flags & DREAM_DIRECT_IS_REPEATABLE) != 0;

    if (!b->error->local || b->error->status == DREAMAPI_CANCELLED) {
        if (!is_open)
            put_back(b);
    } else if (is_open) {
        b->direct->next_ns = b->now_ns + ms_to_ns(DENIAL_MS);
    } else {
        refused(b); /* by this client, for want of a token or because the server said to wait */
    }
}

static void book_single(booking *b)
{
    void *usage = NULL;

    switch (judge(b->call, b->error)) {
    case OUTCOME_COUNTED:
        (void)dream_call_take(b->call, &dream_noun_usage, &usage, NULL);
        dream_direct_note(b->metering, account_of(b->metering, b->direct),
                          &(dream_numbers){ dreamapi_usage_plan(usage), dreamapi_usage_count(usage),
                                            dreamapi_usage_limit(usage), dreamapi_usage_remaining(usage) });
        note_count(b->direct, dreamapi_usage_count(usage));
        b->direct->is_guessed = 0;
        counted(b);
        dreamapi_usage_free(usage);
        break;
    case OUTCOME_REFUSED:
        refused(b);
        break;
    case OUTCOME_UNCLEAR:
        unclear(b, b->call->is_keyed);
        break;
    case OUTCOME_UNSENT:
        unsent(b);
        break;
    }
}

static void book_event(booking *b, const dreamapi_usage_outcome *found)
{
    const char *status = found == NULL ? "" : dreamapi_usage_outcome_status(found);
    dreamapi_error error;

    if (strcmp(status, "applied") == 0 || strcmp(status, "duplicate") == 0) {
        count_here(b);
        counted(b);
    } else if (strcmp(status, "limit") == 0) {
        refused_event(b);
    } else if (strcmp(status, "error") == 0) {
        (void)dream_error_set(&error, DREAMAPI_NOT_FOUND, "the event was refused");
        b->error = &error;
        refused(b);
    } else {
        b->direct->next_ns = b->now_ns + ms_to_ns(REFUSED_MS); /* not understood: the same again, later */
    }
}

/* False if the record is about another report by now. */
static bool find(booking *b, const report_item *item)
{
    b->direct = direct_at(b->metering, item->line);
    b->entry = dream_direct_entry_of(b->metering, item->line);
    b->units = item->units;
    if (b->entry != NULL)
        b->entry->is_busy = false;
    return dream_direct_reporting(b->direct) == item->units && memcmp(b->direct->id, item->id, sizeof(item->id)) == 0;
}

/* The same of a report: what this call leaves of it is whoever's that looks next. */
static bool find_report(booking *b, const report_item *item)
{
    bool is_found = find(b, item);

    if (is_found)
        b->direct->owner_pid = 0;
    return is_found;
}

static void note_call(dream_metering *metering, const dreamapi_error *error)
{
    dream_direct_book *book = &metering->direct;
    bool is_answered = error->local || (error->http_status != 0 && error->http_status < 500);
    int64_t wait_ms = BACKOFF_FIRST_MS;

    atomic_store(&book->trouble, is_answered ? DREAMAPI_OK : error->status);
    book->not_before_ns = 0;
    if (error->status == DREAMAPI_OK || is_answered) {
        book->failures = 0;
        return;
    }
    for (unsigned i = 0; i < book->failures && wait_ms < BACKOFF_MAX_MS; i++)
        wait_ms *= 2;
    if (wait_ms < error->retry_after_ms)
        wait_ms = error->retry_after_ms;
    book->failures++;
    book->not_before_ns =
        dream_metering_now_ns(metering) + ms_to_ns(wait_ms < BACKOFF_MAX_MS ? wait_ms : BACKOFF_MAX_MS);
}

static void end_call(dream_metering *metering, const dreamapi_error *error)
{
    atomic_fetch_sub(&metering->direct.calls, 1);
    if (error->status != DREAMAPI_OK)
        atomic_fetch_add_explicit(&metering->requests_failed, 1, memory_order_relaxed);
    note_call(metering, error);
    atomic_store(&metering->direct.is_wanted, true);
    dream_journal_notify(metering->journal);
}

static void book_batch(booking *b, const report *sent)
{
    void *outcomes = NULL;

    if (b->error->status == DREAMAPI_OK)
        (void)dream_call_take(b->call, &dream_noun_usage_outcomes, &outcomes, NULL);
    for (size_t i = 0; i < sent->count; i++) {
        if (!find_report(b, &sent->items[i]))
            continue;
        if (b->error->status == DREAMAPI_OK)
            book_event(b, dreamapi_usage_outcomes_at(outcomes, i));
        else if (judge(b->call, b->error) == OUTCOME_REFUSED)
            b->direct->next_ns = b->now_ns + ms_to_ns(REFUSED_MS); /* the whole request; its ids stay good */
    }
    dreamapi_usage_outcomes_free(outcomes);
}

static void on_reported(dreamapi_call *call, void *context)
{
    report *sent = context;
    dream_metering *metering = sent->metering;
    dreamapi_error error;
    booking b = { metering, call, &error, NULL, NULL, 0, dream_metering_now_ns(metering) };

    (void)dreamapi_call_result(call, &error);
    if (dream_journal_lock(metering->journal)) {
        if (sent->is_batch)
            book_batch(&b, sent);
        else if (find_report(&b, &sent->items[0]))
            book_single(&b);
        dream_journal_unlock(metering->journal);
    }
    if (sent->is_batch)
        metering->direct.is_batch_under_way = false;
    end_call(metering, &error);
    dreamapi_call_free(call);
    free(sent);
}

/* Numbers that no report came between: they have all that was reported. Other processes may ask, too, so the count is not kept. */
static void look_at_numbers(dream_direct *direct, const report_item *asked, int64_t count)
{
    if (asked->units != 0 || dream_direct_reporting(direct) != 0
        || memcmp(direct->id, asked->id, sizeof(asked->id)) != 0)
        return;
    direct->is_guessed = 0;
    if (count < direct->counted)
        atomic_store(&direct->doubtful, 0);
}

static void on_numbers(dreamapi_call *call, void *context)
{
    report *sent = context;
    dream_metering *metering = sent->metering;
    dream_direct *direct = direct_at(metering, sent->items[0].line);
    void *usage = NULL;
    dreamapi_error error;

    if (dream_call_take(call, &dream_noun_usage, &usage, &error) == DREAMAPI_OK)
        error.status = DREAMAPI_OK;
    if (dream_journal_lock(metering->journal)) {
        dream_direct_entry *entry = dream_direct_entry_of(metering, sent->items[0].line);
        if (entry != NULL)
            entry->is_busy = false;
        if (usage != NULL) {
            if (entry != NULL)
                entry->wants_numbers = false;
            dream_direct_note(metering, account_of(metering, direct),
                              &(dream_numbers){ dreamapi_usage_plan(usage), dreamapi_usage_count(usage),
                                                dreamapi_usage_limit(usage), dreamapi_usage_remaining(usage) });
            look_at_numbers(direct, &sent->items[0], dreamapi_usage_count(usage));
            if (dreamapi_usage_remaining(usage) > 0 && atomic_load(&direct->refusal) == DREAMAPI_LIMIT)
                direct->next_ns = 0;
        } else if (error.local || judge(call, &error) == OUTCOME_REFUSED) {
            if (entry != NULL) {
                entry->wants_numbers = false;
                entry->is_token_spent = entry->is_token_spent || error.status == DREAMAPI_AUTH;
            }
            if (!error.local)
                dream_direct_deny(metering, account_of(metering, direct), dream_direct_reason(error.status),
                                  error.retry_after_ms);
        }
        dream_journal_unlock(metering->journal);
    }
    dreamapi_usage_free(usage);
    end_call(metering, &error);
    dreamapi_call_free(call);
    free(sent);
}

/* ---- what is to be sent ---- */

typedef struct picker {
    dream_metering *metering;
    int64_t now_ns;
    int64_t next_ns;
    report *batch;
    size_t batch_room;
    size_t single_count;
    size_t number_count;
    report *singles[CALLS_MAX];
    report *numbers[CALLS_MAX];
} picker;

static void wake_at(picker *p, int64_t at_ns)
{
    if (at_ns < p->next_ns)
        p->next_ns = at_ns;
}

static report *new_report(dream_metering *metering, size_t room)
{
    report *made = calloc(1, sizeof(*made) + room * sizeof(made->items[0]));

    if (made != NULL)
        made->metering = metering;
    return made;
}

/* True if the call about it may be under way elsewhere: in another process, or in another client of this one. */
static bool is_neighbours(const dream_metering *metering, const dream_direct *direct)
{
    const dream_journal *journal = metering->journal;

    if (direct->owner_pid == 0)
        return false;
    if (direct->owner_pid == (uint32_t)atomic_load(&journal->pid) && direct->owner_start == journal->process_start)
        return direct->owner_handle != (uintptr_t)journal && dream_journal_is_open(direct->owner_handle);
    return !dream_process_is_dead(journal, direct->owner_pid, direct->owner_start);
}

static bool is_by_default(const dream_account *account)
{
    return strcmp(dream_account_meter(account), "default") == 0;
}

static bool is_batched(const picker *p, const dream_direct *direct)
{
    return dream_direct_reporting(direct) > 0 ? (direct->flags & DREAM_DIRECT_IS_BATCH) != 0
                                              : has(p->metering, DREAM_EXTENSION_USAGE_BATCH);
}

/* Only what a single request or an event can say, and only for a user that can be named. */
static bool can_report(const dream_metering *metering, const dream_direct *direct, const dream_direct_entry *entry)
{
    if (has(metering, DREAM_EXTENSION_USAGE_BATCH))
        return true;
    return is_by_default(account_of(metering, direct))
           && (has(metering, DREAM_EXTENSION_SERVER_SIDE) || (entry->token != NULL && !entry->is_token_spent));
}

static bool can_ask_numbers(const dream_metering *metering, const dream_direct *direct, const dream_direct_entry *entry)
{
    return is_by_default(account_of(metering, direct))
           && (must_learn(metering) || has(metering, DREAM_EXTENSION_SERVER_SIDE)
               || (entry->token != NULL && !entry->is_token_spent));
}

static bool is_remembered(const picker *p, const dream_direct *direct)
{
    bool is_batch = (direct->flags & DREAM_DIRECT_IS_BATCH) != 0;
    int64_t age_ms = dream_settings_wall_ms(&p->metering->client->settings) - direct->at_ms;

    /* Below zero the wall clock was set back: how old it is, nobody knows. */
    return (direct->flags & DREAM_DIRECT_IS_REPEATABLE) != 0 && age_ms >= 0 && age_ms < (is_batch ? event_ms : key_ms)
           && (is_batch
                   ? has(p->metering, DREAM_EXTENSION_USAGE_BATCH)
                   : !announces(p->metering, DREAM_ANNOUNCED) || announces(p->metering, DREAM_EXTENSION_IDEMPOTENCY));
}

static void own(const picker *p, dream_direct *direct)
{
    direct->owner_pid = (uint32_t)atomic_load(&p->metering->journal->pid);
    direct->owner_start = p->metering->journal->process_start;
    direct->owner_handle = (uintptr_t)p->metering->journal;
}

static bool begin_report(const picker *p, dream_direct *direct)
{
    uint32_t waiting = dream_direct_waiting(direct);
    uint32_t units = direct->most > 0 && direct->most < waiting ? direct->most : waiting;
    bool is_batch = is_batched(p, direct);

    if (!dream_settings_random(p->metering->journal->settings, direct->id, sizeof(direct->id)))
        return false;
    if (!is_batch)
        units = 1;
    direct->at_ms = dream_settings_wall_ms(&p->metering->client->settings);
    direct->flags = is_batch ? DREAM_DIRECT_IS_BATCH | DREAM_DIRECT_IS_REPEATABLE
                    : announces(p->metering, DREAM_EXTENSION_IDEMPOTENCY) ? DREAM_DIRECT_IS_REPEATABLE
                                                                          : 0;
    DREAM_POINT(report_named);
    dream_direct_set(direct, waiting - units, units);
    DREAM_POINT(report_begun);
    return true;
}

static void add_item(report *to, const dream_direct *direct, dream_line line)
{
    report_item *item = &to->items[to->count++];

    item->line = line;
    item->units = dream_direct_reporting(direct);
    memcpy(item->id, direct->id, sizeof(item->id));
}

static bool has_room(const picker *p, bool is_batch)
{
    if (is_batch)
        return !p->metering->direct.is_batch_under_way && (p->batch == NULL || p->batch->count < p->batch_room);
    return p->metering->direct.calls + p->single_count + p->number_count < CALLS_MAX;
}

/* The report is journalled: from here on it may have been sent. */
static bool put_in(picker *p, dream_direct *direct, dream_line line)
{
    report *single;

    if (is_batched(p, direct)) {
        if (p->batch == NULL)
            p->batch = new_report(p->metering, p->batch_room);
        if (p->batch == NULL)
            return false;
        p->batch->is_batch = true;
        add_item(p->batch, direct, line);
        return true;
    }
    single = new_report(p->metering, 1);
    if (single == NULL)
        return false;
    add_item(single, direct, line);
    p->singles[p->single_count++] = single;
    return true;
}

/* A report that was begun and is not under way here: of a call that failed, or of a process or client that is no more. */
static bool take_up(picker *p, dream_direct *direct)
{
    if (is_neighbours(p->metering, direct)) {
        wake_at(p, p->now_ns + ms_to_ns(NEIGHBOUR_MS));
        return false;
    }
    if (!is_remembered(p, direct)) {
        give_up_on(p->metering, direct);
        return false;
    }
    return true;
}

static void pick_report(picker *p, dream_direct_entry *entry, dream_direct *direct)
{
    bool is_begun = dream_direct_reporting(direct) > 0;

    if (!is_begun && dream_direct_waiting(direct) == 0)
        return;
    if (p->now_ns < direct->next_ns) {
        wake_at(p, direct->next_ns);
        return;
    }
    if (is_begun && !take_up(p, direct))
        return;
    if (!can_report(p->metering, direct, entry) || !has_room(p, is_batched(p, direct)))
        return;
    own(p, direct);
    if (!is_begun && !begin_report(p, direct))
        return;
    entry->is_busy = put_in(p, direct, entry->line);
    if (!entry->is_busy && !is_begun)
        dream_direct_set(direct, dream_direct_waiting(direct) + dream_direct_reporting(direct), 0); /* no memory */
}

static void pick_numbers(picker *p, dream_direct_entry *entry, const dream_direct *direct)
{
    bool is_needed = entry->wants_numbers || (must_learn(p->metering) && atomic_load(&direct->units) != 0);
    report *question;

    if (!is_needed || !can_ask_numbers(p->metering, direct, entry) || !has_room(p, false))
        return;
    question = new_report(p->metering, 1);
    if (question == NULL)
        return;
    add_item(question, direct, entry->line);
    p->numbers[p->number_count++] = question;
    entry->is_busy = true;
}

static void pick(picker *p, dream_direct_entry *entry)
{
    dream_direct *direct = direct_at(p->metering, entry->line);

    if (entry->is_busy)
        return;
    pick_numbers(p, entry, direct);
    if (!entry->is_busy && !must_learn(p->metering))
        pick_report(p, entry, direct);
}

/* What leases cannot bill any more is reported like what cached meters admit. */
static void take_debt(dream_metering *metering, dream_account *account)
{
    dream_direct *direct = dream_account_owed(account) == 0 ? NULL : dream_direct_of(metering->journal, account);
    dream_direct_values values;

    if (direct == NULL)
        return;
    values = dream_direct_values_of(direct);
    values.debt = dream_account_owed(account);
    values.waiting += values.debt;
    dream_direct_change(direct, account, &values);
    (void)dream_direct_entry_of(metering, dream_journal_line(metering->journal, direct));
}

/* Finds what earlier runs and other processes left. */
static void scan(picker *p)
{
    dream_metering *metering = p->metering;
    dream_direct_book *book = &metering->direct;

    if (atomic_exchange(&book->has_debts, false) || p->now_ns >= book->next_scan_ns) {
        for (dream_line line = 0; (line = dream_journal_next(metering->journal, line)) != 0;) {
            const dream_direct *direct = direct_at(metering, line);
            if (dream_tag_kind(direct->tag) == DREAM_TAG_ACCOUNT && dream_direct_is_on(metering))
                take_debt(metering, dream_journal_at(metering->journal, line));
            if (dream_tag_kind(direct->tag) == DREAM_TAG_DIRECT && atomic_load(&direct->units) != 0)
                (void)dream_direct_entry_of(metering, line);
        }
        book->next_scan_ns = dream_journal_is_shared(metering->journal) ? p->now_ns + ms_to_ns(SCAN_MS) : never_ns;
    }
    wake_at(p, book->next_scan_ns);
}

/* ---- sending ---- */

static void name_user(const dream_metering *metering, const dream_direct_entry *entry, const dream_account *account,
                      dreamapi_call_options *options, const char **out_user_id)
{
    bool is_by_token = !has(metering, DREAM_EXTENSION_SERVER_SIDE) && entry != NULL && entry->token != NULL;

    /* Naming the user by id asks what the server announces. */
    is_by_token = is_by_token && !must_learn(metering);
    options->user_token = is_by_token ? entry->token : NULL;
    *out_user_id = is_by_token ? NULL : dream_account_user(account);
}

static dreamapi_call_options begin_options(const dream_metering *metering)
{
    dreamapi_call_options options = DREAMAPI_CALL_OPTIONS_INIT;
    int64_t own_ms = metering->client->settings.timeout_ms;

    options.timeout_ms = own_ms < PATIENCE_MS ? own_ms : PATIENCE_MS;
    return options;
}

static void start(report *sent, const char *name, const dream_noun *noun, dream_request *request,
                  void (*on_finished)(dreamapi_call *call, void *context))
{
    dream_metering *metering = sent->metering;
    dreamapi_error error;

    if (sent->is_batch)
        metering->direct.is_batch_under_way = true;
    atomic_fetch_add_explicit(&metering->requests, 1, memory_order_relaxed);
    if (dream_call_start_inside(metering->client, name, noun, request, on_finished, sent, &error) == DREAMAPI_OK)
        return;
    /* Nothing was sent. */
    if (dream_journal_lock(metering->journal)) {
        for (size_t i = 0; i < sent->count; i++) {
            booking b = { .metering = metering, .error = &error };
            bool is_report = on_finished == on_reported;
            bool is_found = is_report ? find_report(&b, &sent->items[i]) : find(&b, &sent->items[i]);
            if (is_report && is_found && (b.direct->flags & DREAM_DIRECT_IS_REPEATABLE) == 0)
                put_back(&b);
            b.direct->next_ns = dream_metering_now_ns(metering) + ms_to_ns(DENIAL_MS);
        }
        dream_journal_unlock(metering->journal);
    }
    if (sent->is_batch)
        metering->direct.is_batch_under_way = false;
    end_call(metering, &error);
    free(sent);
}

/* The lock is held: tokens are guarded by it. */
static void write_single(const dream_metering *metering, report *sent, bool is_question, dream_request *request)
{
    const report_item *item = &sent->items[0];
    const dream_direct *direct = direct_at(metering, item->line);
    dreamapi_call_options options = begin_options(metering);
    const dream_direct_book *book = &metering->direct;
    size_t place = place_of(book, item->line);
    const dream_direct_entry *entry =
        place < book->count && book->entries[place].line == item->line ? &book->entries[place] : NULL;
    const char *user_id;

    name_user(metering, entry, account_of(metering, direct), &options, &user_id);
    if (is_question) {
        dream_usage_build_get(request, metering->client, user_id, &options);
    } else {
        dream_uuid4_text(item->id, sent->key);
        options.idempotency_key = sent->key;
        dream_usage_build_track(request, metering->client, user_id, NULL, &options);
    }
    /* It was copied, and is the entry's only until the lock is let go. */
    request->options.user_token = NULL;
}

static void write_batch(const dream_metering *metering, const report *sent, dream_request *request)
{
    dreamapi_usage_event *events = calloc(sent->count, sizeof(*events));
    char(*ids)[33] = calloc(sent->count, sizeof(*ids));
    dreamapi_call_options options = begin_options(metering);

    for (size_t i = 0; i < sent->count && events != NULL && ids != NULL; i++) {
        const dream_direct *direct = direct_at(metering, sent->items[i].line);
        const dream_account *account = account_of(metering, direct);
        dream_lease_id_text(sent->items[i].id, ids[i]);
        events[i] = (dreamapi_usage_event){ ids[i], dream_account_user(account), dream_account_meter(account),
                                            sent->items[i].units, direct->at_ms };
    }
    dream_usage_build_batch(request, metering->client, ids == NULL ? NULL : events, sent->count, &options);
    free(events);
    free(ids);
}

static void pick_all(picker *p)
{
    dream_direct_book *book = &p->metering->direct;

    scan(p);
    for (size_t i = 0; i < book->count; i++) {
        /* A call that ended while the lock could not be had (no memory to mend) has left its mark. */
        if (atomic_load(&book->calls) == 0)
            book->entries[i].is_busy = false;
        pick(p, &book->entries[i]);
    }
    book->next_ns = p->next_ns;
}

void dream_direct_work(dream_metering *metering)
{
    dream_direct_book *book = &metering->direct;
    picker p = { .metering = metering,
                 .now_ns = dream_metering_now_ns(metering),
                 .next_ns = never_ns,
                 .batch_room = DREAMAPI_USAGE_BATCH_MAX };
    dream_request requests[2 * CALLS_MAX + 1];
    size_t count = 0;

    if (p.now_ns < book->not_before_ns)
        return;
    if (!atomic_exchange(&book->is_wanted, false) && p.now_ns < book->next_ns)
        return;
    if (!dream_journal_lock(metering->journal)) {
        book->not_before_ns = p.now_ns + ms_to_ns(DENIAL_MS);
        atomic_store(&book->is_wanted, true);
        return;
    }
    if (!atomic_load(&book->is_ending))
        pick_all(&p);
    for (size_t i = 0; i < p.single_count; i++)
        write_single(metering, p.singles[i], false, &requests[count++]);
    for (size_t i = 0; i < p.number_count; i++)
        write_single(metering, p.numbers[i], true, &requests[count++]);
    if (p.batch != NULL)
        write_batch(metering, p.batch, &requests[count++]);
    atomic_fetch_add(&book->calls, (unsigned)count);
    dream_journal_unlock(metering->journal);

    count = 0;
    for (size_t i = 0; i < p.single_count; i++)
        start(p.singles[i], "usage_track", &dream_noun_usage, &requests[count++], on_reported);
    for (size_t i = 0; i < p.number_count; i++)
        start(p.numbers[i], "usage_get", &dream_noun_usage, &requests[count++], on_numbers);
    if (p.batch != NULL)
        start(p.batch, "usage_batch", &dream_noun_usage_outcomes, &requests[count++], on_reported);
}

int64_t dream_direct_due_ns(const dream_metering *metering)
{
    const dream_direct_book *book = &metering->direct;
    int64_t due_ns = atomic_load(&book->is_wanted) ? 0 : book->next_ns;

    if (atomic_load(&book->is_ending))
        return never_ns;
    return due_ns < book->not_before_ns ? book->not_before_ns : due_ns;
}

/* A record of leases that still has to be sent. */
static bool is_unsettled(const void *record)
{
    dream_tag kind = dream_tag_kind(*(const uint32_t *)record);

    return kind == DREAM_TAG_LEASE || (kind == DREAM_TAG_REFUND && ((const dream_refund *)record)->state == 1);
}

/* Why nothing comes of waiting for what leases are about; DREAMAPI_OK: there is no such record, DREAMAPI_PENDING: it is worth waiting. */
static dreamapi_status hindrance(const dream_metering *metering, const void *record, int64_t now_ns)
{
    const dream_account *account = record;

    if (is_unsettled(record))
        return dream_direct_is_on(metering) ? DREAMAPI_UNSUPPORTED : DREAMAPI_PENDING;
    if (dream_tag_kind(account->tag) != DREAM_TAG_ACCOUNT || dream_account_owed(account) == 0)
        return DREAMAPI_OK;
    if (dream_direct_is_on(metering) || atomic_load(&account->pending) != 0
        || now_ns >= atomic_load(&account->denied_until_ns))
        return DREAMAPI_PENDING;
    switch ((dreamapi_reason)atomic_load(&account->denied_reason)) {
    case DREAMAPI_REASON_LIMIT:
        return DREAMAPI_LIMIT;
    case DREAMAPI_REASON_NO_CUSTOMER:
        return DREAMAPI_NOT_FOUND;
    case DREAMAPI_REASON_REFUSED:
        return DREAMAPI_FORBIDDEN;
    default:
        return DREAMAPI_PENDING; /* passes by itself */
    }
}

bool dream_direct_is_stuck(dream_metering *metering, dreamapi_status *out_status)
{
    int64_t now_ns = dream_metering_now_ns(metering);
    bool is_stuck = true;

    *out_status = DREAMAPI_OK;
    if (atomic_load(&metering->direct.is_wanted) || !dream_journal_lock(metering->journal))
        return false;
    for (dream_line line = 0; is_stuck && (line = dream_journal_next(metering->journal, line)) != 0;) {
        const dream_direct *direct = direct_at(metering, line);
        const dream_direct_entry *entry;
        dreamapi_status status = hindrance(metering, direct, now_ns);
        if (status != DREAMAPI_OK) {
            is_stuck = status != DREAMAPI_PENDING;
            *out_status = status;
        }
        if (dream_tag_kind(direct->tag) != DREAM_TAG_DIRECT)
            continue;
        if (atomic_load(&direct->units) == 0)
            continue;
        entry = dream_direct_entry_of(metering, line);
        if (entry == NULL || entry->is_busy) {
            is_stuck = false;
        } else if (now_ns < direct->next_ns && atomic_load(&direct->refusal) != 0) {
            *out_status = (dreamapi_status)atomic_load(&direct->refusal);
        } else if (!can_report(metering, direct, entry) && !can_ask_numbers(metering, direct, entry)) {
            *out_status = DREAMAPI_TOKEN_REQUIRED;
        } else {
            is_stuck = false;
        }
    }
    dream_journal_unlock(metering->journal);
    is_stuck = is_stuck && *out_status != DREAMAPI_OK;
    *out_status = is_stuck ? *out_status : DREAMAPI_OK;
    return is_stuck;
}
