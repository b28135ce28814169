/* SPDX-License-Identifier: Apache-2.0 */
/* agent_answer.c - books the answer to a lease request in the journal, under its lock.
 *
 * The journal may have moved on since the request was built: other processes settle and ask, too. So each item is booked only if its
 * record still is what it was, by its id. */
#include "lib/meter/agent.h"

#include <stdlib.h>
#include <string.h>

#include "common/rule.h"
#include "lib/error.h"
#include "lib/meter/point.h"

enum { NS_PER_MS = 1000000, DENIAL_MS = 1000, BACKOFF_FIRST_MS = 100, BACKOFF_MAX_MS = 5000, CLOCK_SLACK_MS = 10 };

typedef struct booking {
    dream_metering *metering;
    dream_agent_request *request;
    const dream_lease_answer *answer;
    int64_t sent_ns; /* before the try that was answered */
    int64_t now_ns;
    size_t cursor; /* of find_wish */
    bool is_heard; /* something that was asked has an answer */
} booking;

static void *at(const dream_metering *metering, dream_line line)
{
    return dream_journal_at(metering->journal, line);
}

/* The record an item was about, or NULL if it is another one by now. */
static dream_lease *lease_of(const dream_metering *metering, const dream_item *item)
{
    dream_lease *lease = at(metering, item->line);
    const unsigned char *id = item->kind == DREAM_ITEM_ACQUIRE ? lease->request_id : lease->lease_id;

    return dream_tag_kind(lease->main.tag) == DREAM_TAG_LEASE && memcmp(id, item->id, sizeof(item->id)) == 0 ? lease
                                                                                                             : NULL;
}

/* ---- settlements ---- */

/* Remembered for a while: if the server's store is restored from a backup, it has to be told again. */
static void remember_settled(booking *b, const dream_lease *lease, const dream_item *item)
{
    dream_journal *journal = b->metering->journal;
    dream_journal_header *header = dream_journal_header_of(journal);
    dream_line line = dream_journal_take(journal, DREAM_TAG_SETTLED, sizeof(dream_settled));
    dream_settled *settled;

    if (line == 0)
        return; /* no room: a restore within the hour would count these units as lost */
    settled = at(b->metering, line);
    memcpy(settled->lease_id, lease->lease_id, sizeof(settled->lease_id));
    memcpy(settled->request_id, lease->request_id, sizeof(settled->request_id));
    settled->granted = atomic_load(&lease->granted);
    settled->admitted = item->admitted;
    settled->refunded = item->refunded;
    settled->period_start_day = lease->period_start_day;
    settled->flags = ((lease->flags & DREAM_LEASE_IS_UNPROVEN) != 0 ? DREAM_SETTLED_UNPROVEN : 0)
                     | ((uint32_t)(b->now_ns / 1000000000) & DREAM_SETTLED_SECONDS);
    DREAM_POINT(settle_written);
    settled->account = lease->account; /* last: without it the record is none */
    if (header->settled_last == 0)
        atomic_store(&header->settled_first, line);
    else
        atomic_store(&((dream_settled *)at(b->metering, header->settled_last))->next, line);
    header->settled_last = line;
    DREAM_POINT(settle_listed);
    atomic_fetch_add(&header->settled_count, 1);
}

static void end_for_good(booking *b, dream_lease *lease)
{
    dream_account *account = at(b->metering, lease->account);

    if (atomic_load(&account->current) == dream_journal_line(b->metering->journal, lease))
        atomic_store(&account->current, 0);
    dream_lease_seal(b->metering->journal, lease);
}

static void book_lease(booking *b, const dream_item *item, const dream_settled_answer *settled)
{
    dream_lease *lease = lease_of(b->metering, item);

    if (lease == NULL)
        return;
    atomic_fetch_add_explicit(&b->metering->units_settled, (int64_t)item->admitted - lease->reported,
                              memory_order_relaxed);
    lease->reported = item->admitted;
    if (item->is_final) {
        if (strcmp(settled->state, "invalid") == 0)
            dream_journal_note_damage(b->metering->journal);
        remember_settled(b, lease, item);
        DREAM_POINT(settle_remembered);
        dream_lease_free(b->metering->journal, lease);
    } else if (strcmp(settled->state, "active") != 0) {
        /* The server gave it up: it goes to its final count. */
        end_for_good(b, lease);
        (void)dream_lines_add(&b->metering->ended, item->line);
        atomic_store(&b->metering->is_wanted, true);
    }
}

static void book_resent(booking *b, const dream_item *item)
{
    dream_settled *settled = at(b->metering, item->line);

    if (dream_tag_kind(settled->tag) == DREAM_TAG_SETTLED && memcmp(settled->lease_id, item->id, sizeof(item->id)) == 0)
        settled->flags &= ~DREAM_SETTLED_RESEND;
}

/* True if the lease's end is still to be reported from here. */
static bool is_reported_here(const booking *b, const unsigned char lease_id[16])
{
    for (dream_line line = 0; (line = dream_journal_next(b->metering->journal, line)) != 0;) {
        const void *record = at(b->metering, line);
        dream_tag kind = dream_tag_kind(*(const uint32_t *)record);
        if ((kind == DREAM_TAG_LEASE && memcmp(((const dream_lease *)record)->lease_id, lease_id, 16) == 0)
            || (kind == DREAM_TAG_SETTLED && (((const dream_settled *)record)->flags & DREAM_SETTLED_RESEND) != 0
                && memcmp(((const dream_settled *)record)->lease_id, lease_id, 16) == 0))
            return true;
    }
    return false;
}

/* The lease must be settled before: then its refund is asked for again a little later. One whose end was confirmed, and that
 * the server does not know all the same, was forgotten there after its books were closed: so is the refund. */
static bool is_too_early(const booking *b, const dream_item *item, const dream_refund *refund)
{
    unsigned char id[16];

    for (size_t i = 0; i < b->answer->refunded_count; i++) {
        const dream_refunded_answer *refunded = &b->answer->refunded[i];
        if (dream_lease_id_read(refunded->id, id) && memcmp(id, item->id, sizeof(id)) == 0)
            return strcmp(refunded->state, "unknown") == 0 && is_reported_here(b, refund->lease_id);
    }
    return true;
}

static void book_refund(booking *b, const dream_item *item)
{
    dream_refund *refund = at(b->metering, item->line);

    if (dream_tag_kind(refund->tag) != DREAM_TAG_REFUND || memcmp(refund->id, item->id, sizeof(item->id)) != 0)
        return;
    refund->told_at_ns = b->now_ns;
    DREAM_POINT(refund_booked);
    b->is_heard = true;
    refund->state = is_too_early(b, item, refund) ? 1 : 2;
}

static bool answers(const dream_settled_answer *settled, const dream_item *item)
{
    unsigned char id[16];

    return dream_lease_id_read(settled->lease_id, id) && memcmp(id, item->id, sizeof(id)) == 0;
}

/* Answers come in the order of the items. */
static void book_settlements(booking *b)
{
    size_t next = 0;

    for (size_t i = 0; i < b->request->count; i++) {
        const dream_item *item = &b->request->items[i];
        if (item->kind == DREAM_ITEM_REFUND) {
            book_refund(b, item);
            continue;
        }
        if (item->kind == DREAM_ITEM_ACQUIRE || next == b->answer->settled_count
            || !answers(&b->answer->settled[next], item))
            continue;
        if (item->kind == DREAM_ITEM_RESEND)
            book_resent(b, item);
        else
            book_lease(b, item, &b->answer->settled[next]);
        b->is_heard = true;
        next++;
    }
}

/* ---- grants ---- */

/* A plan's name, once in the journal for all that name it. */
static dream_line plan_line(dream_metering *metering, const char *plan)
{
    dream_journal *journal = metering->journal;
    size_t size = plan == NULL ? 0 : strlen(plan);
    dream_text_record *record;
    dream_line line;

    if (size == 0)
        return 0;
    for (line = 0; (line = dream_journal_next(journal, line)) != 0;) {
        record = at(metering, line);
        if (dream_tag_kind(record->tag) == DREAM_TAG_TEXT && record->size == size
            && memcmp(record->text, plan, size) == 0)
            return line;
    }
    line = dream_journal_take_new(journal, DREAM_TAG_TEXT, sizeof(*record) + size + 1);
    if (line == 0)
        return 0;
    record = at(metering, line);
    record->size = (uint32_t)size;
    memcpy(record->text, plan, size + 1);
    dream_journal_publish_new(journal, line);
    return line;
}

/* Grants of one answer are often of one plan, and so was the account's last one. */
dream_line dream_agent_find_plan(dream_metering *metering, const dream_account *account, const char *plan)
{
    dream_line last = atomic_load(&account->plan);

    if (last != 0 && plan != NULL && strcmp(((dream_text_record *)at(metering, last))->text, plan) == 0)
        return last;
    last = metering->last_plan;
    if (last != 0 && plan != NULL && strcmp(((dream_text_record *)at(metering, last))->text, plan) == 0)
        return last;
    metering->last_plan = plan_line(metering, plan);
    return metering->last_plan;
}

static int64_t left_of(const dream_grant_answer *grant)
{
    int64_t left;

    if (grant->limit == DREAMAPI_UNLIMITED)
        return DREAMAPI_UNLIMITED;
    left = grant->limit - grant->used - grant->held - grant->lost;
    return left < 0 ? 0 : left;
}

static void note_numbers(booking *b, dream_account *account, const dream_grant_answer *grant)
{
    if (grant->limit < 0)
        return;
    atomic_store(&account->plan, dream_agent_find_plan(b->metering, account, grant->plan));
    atomic_store(&account->limit, grant->limit);
    atomic_store(&account->used, grant->used);
    atomic_store(&account->left, left_of(grant));
    atomic_store(&account->answered_at_ns, b->now_ns);
}

/* A refusal counts for a second, so that an upgrade shows; one for the rate until its window ends. */
static void deny(booking *b, dream_account *account, const dream_grant_answer *grant, dreamapi_reason reason)
{
    int64_t wait_ms = grant->retry_after_ms <= 0 ? DENIAL_MS : grant->retry_after_ms;
    int64_t most_ms = reason == DREAMAPI_REASON_RATE ? DREAMAPI_MAX_TIMEOUT_MS : DENIAL_MS; /* no window is longer */

    if (wait_ms > most_ms)
        wait_ms = most_ms;
    account->next_try_ns = b->now_ns + wait_ms * NS_PER_MS;
    atomic_store(&account->denied_reason, reason);
    atomic_store(&account->denied_until_ns, account->next_try_ns);
}

/* A use waits for more than there is, and asking again at once would bring the same. The plan cannot cover it, or somebody has
 * those units: this lease, perhaps. */
static void deny_more(booking *b, dream_account *account, const dream_grant_answer *grant)
{
    bool is_over_limit = grant->limit >= 0 && grant->limit != DREAMAPI_UNLIMITED
                         && (int64_t)account->want > grant->limit - grant->used - grant->lost;

    deny(b, account, grant, is_over_limit ? DREAMAPI_REASON_LIMIT : DREAMAPI_REASON_HELD);
}

static dreamapi_reason reason_of(const char *error)
{
    static const struct {
        const char *error;
        dreamapi_reason reason;
    } reasons[] = {
        { "limit_reached", DREAMAPI_REASON_LIMIT },     { "held", DREAMAPI_REASON_HELD },
        { "rate_limited", DREAMAPI_REASON_RATE },       { "not_found", DREAMAPI_REASON_NO_CUSTOMER },
        { "deleted", DREAMAPI_REASON_NO_CUSTOMER },     { "recovering", DREAMAPI_REASON_UNAVAILABLE },
        { "unavailable", DREAMAPI_REASON_UNAVAILABLE },
    };

    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (strcmp(error, reasons[i].error) == 0)
            return reasons[i].reason;
    }
    return DREAMAPI_REASON_REFUSED;
}

static uint32_t spare_of_current(const booking *b, const dream_account *account)
{
    dream_line line = atomic_load(&account->current);

    return line == 0 ? 0 : dream_lease_spare(b->metering->journal, at(b->metering, line));
}

static void book_refusal(booking *b, dream_lease *lease, dream_account *account, const dream_grant_answer *grant)
{
    dreamapi_reason reason = reason_of(grant->error);
    bool is_passing = reason == DREAMAPI_REASON_UNAVAILABLE;

    /* An old wish may have been granted once, and its grant is to be handed back: asked again until there is a word. */
    if (is_passing && (lease->flags & DREAM_LEASE_IS_OLD) != 0)
        return;
    b->is_heard = true;
    note_numbers(b, account, grant);
    /* What is still here is not refused: only more of it, for a while. */
    if (reason == DREAMAPI_REASON_RATE || spare_of_current(b, account) == 0)
        deny(b, account, grant, reason);
    else if (account->want > spare_of_current(b, account))
        deny_more(b, account, grant);
    else
        account->next_try_ns = b->now_ns + (int64_t)DENIAL_MS * NS_PER_MS;
    account->want = 0;
    if (dream_account_owed(account) > 0 && account->next_try_ns < b->metering->next_sweep_ns)
        b->metering->next_sweep_ns = account->next_try_ns;
    if (atomic_load(&account->pending) == dream_journal_line(b->metering->journal, lease))
        atomic_store(&account->pending, 0);
    dream_lease_free(b->metering->journal, lease);
}

static dream_grant describe(booking *b, const dream_account *account, const dream_grant_answer *answer)
{
    dream_grant grant = {
        .granted = (uint32_t)answer->granted,
        /* From before the try that was answered: the server's clock began later. */
        .ends_at_ns = (DREAM_RULE(ends_from_before_try) ? b->sent_ns : b->now_ns) + answer->ttl_ms * NS_PER_MS,
        .granted_at_ns = b->now_ns,
        .limit = answer->limit,
        .used = answer->used,
        .left = left_of(answer),
        .period_start_day = answer->period_start_day,
        .period_end_day = answer->period_end_day,
        .plan = dream_agent_find_plan(b->metering, account, answer->plan),
        .window_ms = answer->has_rate ? (uint32_t)answer->window_ms : 0,
        .rate_calls = answer->rate_granted > DREAM_MAX_CALLS ? DREAM_MAX_CALLS : (uint32_t)answer->rate_granted,
        /* The window turned at some moment between sending and receiving, plus what it had left; and the coarse clock lags. */
        .edge_ns = (DREAM_RULE(edge_from_before_try) ? b->sent_ns : b->now_ns)
                   + (answer->window_ends_in_ms - CLOCK_SLACK_MS) * NS_PER_MS,
        .edge_width_ms = (uint32_t)((b->now_ns - b->sent_ns) / NS_PER_MS) + 2 * CLOCK_SLACK_MS,
    };

    (void)dream_lease_id_read(answer->lease_id, grant.lease_id);
    return grant;
}

static void hand_back(booking *b, dream_lease *lease, const dream_grant *grant)
{
    dream_lease_set_id(lease, grant->lease_id);
    atomic_store(&lease->granted, grant->granted);
    lease->period_start_day = grant->period_start_day;
    lease->period_end_day = grant->period_end_day;
    atomic_store(&lease->state, DREAM_LEASE_SEALED);
    (void)dream_lines_add(&b->metering->ended, dream_journal_line(b->metering->journal, lease));
    atomic_store(&b->metering->is_wanted, true);
}

static void retire_current(booking *b, dream_account *account)
{
    dream_line line = atomic_load(&account->current);

    if (line == 0)
        return;
    end_for_good(b, at(b->metering, line));
    (void)dream_lines_add(&b->metering->ended, line);
    atomic_store(&b->metering->is_wanted, true);
}

static void put_in_force(booking *b, dream_lease *lease, dream_account *account, const dream_grant *grant)
{
    dream_line line = dream_journal_line(b->metering->journal, lease);

    retire_current(b, account);
    DREAM_POINT(grant_retired);
    dream_lease_install(lease, grant, account);
    lease->main.until_ns = b->now_ns + (grant->ends_at_ns - b->now_ns) / 3;
    if ((atomic_load(&account->flags) & DREAM_ACCOUNT_FANNED) != 0)
        (void)dream_lease_fan_out(b->metering->journal, lease);
    atomic_store(&account->denied_until_ns, 0);
    account->next_try_ns = 0;
    if (atomic_load(&account->direct) != 0)
        dream_direct_see_period(at(b->metering, atomic_load(&account->direct)), grant->period_start_day);
    DREAM_POINT(install_done);
    atomic_store(&account->current, line);
    DREAM_POINT(install_current);
    if (lease->main.until_ns < b->metering->next_sweep_ns)
        b->metering->next_sweep_ns = lease->main.until_ns;
    atomic_fetch_add_explicit(&b->metering->units_granted, grant->granted, memory_order_relaxed);
}

static void book_grant(booking *b, dream_lease *lease, dream_account *account, const dream_grant_answer *answer)
{
    dream_grant grant = describe(b, account, answer);
    bool is_active = strcmp(answer->state, "active") == 0 || !DREAM_RULE(only_active_is_spent);
    bool is_old = (lease->flags & DREAM_LEASE_IS_OLD) != 0 && DREAM_RULE(old_grant_is_not_spent);

    if (atomic_load(&account->pending) == dream_journal_line(b->metering->journal, lease))
        atomic_store(&account->pending, 0);
    DREAM_POINT(grant_unnamed);
    b->is_heard = true;
    note_numbers(b, account, answer);
    if (strcmp(answer->state, "final") == 0)
        dream_lease_free(b->metering->journal, lease); /* settled long ago: a repeat of what was answered before */
    else if (!is_active || is_old || grant.ends_at_ns <= b->now_ns)
        hand_back(b, lease, &grant);
    else {
        put_in_force(b, lease, account, &grant);
        /* A use that came after the wish was sent waits for more than it named: that is asked for next. */
        if (account->want > grant.granted - lease->debt_paid && account->want + lease->debt_paid > lease->least)
            return;
        if (account->want > grant.granted - lease->debt_paid)
            deny_more(b, account, answer);
    }
    account->want = 0;
    if (dream_account_owed(account) > 0)
        dream_agent_want_debt(b->metering, account);
}

static bool is_pending(const dream_lease *lease)
{
    return atomic_load(&lease->state) == DREAM_LEASE_PENDING || !DREAM_RULE(grant_installed_once);
}

/* The lease that this wish is, if it still waits: a second answer to it is dropped here. Answers mostly come in the order of the
 * items: the search goes on from the last one found. */
static dream_lease *find_wish(booking *b, const dream_grant_answer *grant)
{
    unsigned char id[16];

    if (!dream_lease_id_read(grant->request_id, id))
        return NULL;
    for (size_t i = 0; i < b->request->count; i++) {
        size_t place = (b->cursor + i) % b->request->count;
        const dream_item *item = &b->request->items[place];
        if (item->kind == DREAM_ITEM_ACQUIRE && memcmp(item->id, id, sizeof(id)) == 0) {
            dream_lease *lease = lease_of(b->metering, item);
            b->cursor = place + 1;
            return lease != NULL && is_pending(lease) ? lease : NULL;
        }
    }
    return NULL;
}

static void book_grants(booking *b)
{
    for (size_t i = 0; i < b->answer->grant_count; i++) {
        const dream_grant_answer *grant = &b->answer->grants[i];
        dream_lease *lease = find_wish(b, grant);
        dream_account *account;
        if (lease == NULL)
            continue;
        account = at(b->metering, lease->account);
        if (grant->error != NULL)
            book_refusal(b, lease, account, grant);
        else
            book_grant(b, lease, account, grant);
    }
}

/* ---- the rest ---- */

static void book_recalls(booking *b)
{
    const cJSON *entry = NULL;
    unsigned char id[16];

    cJSON_ArrayForEach(entry, b->answer->recall)
    {
        if (!cJSON_IsString(entry) || !dream_lease_id_read(entry->valuestring, id))
            continue;
        for (dream_line line = 0; (line = dream_journal_next(b->metering->journal, line)) != 0;) {
            dream_lease *lease = at(b->metering, line);
            if (dream_tag_kind(lease->main.tag) != DREAM_TAG_LEASE || atomic_load(&lease->state) != DREAM_LEASE_ACTIVE
                || memcmp(lease->lease_id, id, sizeof(id)) != 0)
                continue;
            end_for_good(b, lease);
            (void)dream_lines_add(&b->metering->ended, line);
            atomic_store(&b->metering->is_wanted, true);
            break;
        }
    }
}

/* The server's store is another one than it was: restored from a backup. What it had confirmed, it may have forgotten. */
static void book_epoch(booking *b)
{
    dream_journal_header *header = dream_journal_header_of(b->metering->journal);
    int64_t known = atomic_load(&header->store_epoch);

    if (known == b->answer->store_epoch || !DREAM_RULE(restore_resends))
        return;
    for (dream_line line = 0; (line = dream_journal_next(b->metering->journal, line)) != 0;) {
        uint32_t *tag = at(b->metering, line);
        if (dream_tag_kind(*tag) == DREAM_TAG_SETTLED)
            ((dream_settled *)tag)->flags |= DREAM_SETTLED_RESEND;
        else if (dream_tag_kind(*tag) == DREAM_TAG_REFUND)
            ((dream_refund *)tag)->state = 1;
    }
    /* Last: whoever is killed before does it all again. */
    DREAM_POINT(epoch_marked);
    atomic_store(&header->store_epoch, b->answer->store_epoch);
    b->metering->next_sweep_ns = 0;
}

/* Whatever was in the request goes into the next one. A wish may also be asked for by whoever needs its units sooner. */
static void put_back(dream_metering *metering, const dream_agent_request *request)
{
    for (size_t i = 0; i < request->count; i++) {
        const dream_item *item = &request->items[i];
        dream_lease *lease = lease_of(metering, item);
        if (item->kind == DREAM_ITEM_RESEND)
            metering->next_sweep_ns = 0; /* finds it again */
        if (lease == NULL)
            continue;
        if (item->kind == DREAM_ITEM_SETTLE && item->is_final) {
            (void)dream_lines_add(&metering->ended, item->line);
        } else if (item->kind == DREAM_ITEM_ACQUIRE && (lease->flags & DREAM_LEASE_IS_OLD) == 0) {
            lease->main.owner_pid = 0;
            (void)dream_lines_add(&metering->wanted, lease->account);
        }
    }
}

/* Whoever waits for units asks directly instead. A wish that may have been granted once stays, to be handed back if leases return. */
static void drop_wishes(dream_metering *metering, const dream_agent_request *request)
{
    for (size_t i = 0; i < request->count; i++) {
        const dream_item *item = &request->items[i];
        dream_lease *lease = lease_of(metering, item);
        dream_account *account;
        if (item->kind != DREAM_ITEM_ACQUIRE || lease == NULL
            || (lease->flags & (DREAM_LEASE_IS_OLD | DREAM_LEASE_WAS_SENT)) != 0)
            continue;
        account = at(metering, lease->account);
        if (atomic_load(&account->pending) == item->line)
            atomic_store(&account->pending, 0);
        dream_lease_free(metering->journal, lease);
    }
}

static void note_sent(dream_metering *metering, const dream_agent_request *request)
{
    for (size_t i = 0; i < request->count; i++) {
        dream_lease *lease = at(metering, request->items[i].line);
        if (request->items[i].kind == DREAM_ITEM_ACQUIRE && dream_tag_kind(lease->main.tag) == DREAM_TAG_LEASE)
            lease->flags |= DREAM_LEASE_WAS_SENT;
    }
}

static void back_off(dream_metering *metering, int64_t retry_after_ms)
{
    int64_t wait_ms = BACKOFF_FIRST_MS;

    for (unsigned i = 0; i < metering->failures && wait_ms < BACKOFF_MAX_MS; i++)
        wait_ms *= 2;
    if (wait_ms < retry_after_ms)
        wait_ms = retry_after_ms;
    metering->failures++;
    metering->not_before_ns =
        dream_metering_now_ns(metering) + (wait_ms < BACKOFF_MAX_MS ? wait_ms : BACKOFF_MAX_MS) * NS_PER_MS;
}

void dream_agent_failed(dream_metering *metering, const dreamapi_error *error)
{
    dream_agent_request *request = metering->request;
    bool has_no_leases = error->status == DREAMAPI_UNSUPPORTED && error->local;

    metering->request = NULL;
    atomic_store(&metering->trouble, error->status);
    atomic_fetch_add_explicit(&metering->requests_failed, 1, memory_order_relaxed);
    if (dream_journal_lock(metering->journal)) {
        if (has_no_leases)
            drop_wishes(metering, request);
        put_back(metering, request);
        dream_journal_unlock(metering->journal);
    }
    free(request);
    if (has_no_leases)
        dream_direct_begin(metering);
    back_off(metering, error->retry_after_ms);
    atomic_store(&metering->is_wanted, true);
    dream_journal_notify(metering->journal);
}

/* False if the answer is about nothing that was asked. */
static bool book(dream_metering *metering, const dream_lease_answer *answer, int64_t sent_ms)
{
    booking b = { metering, metering->request, answer, sent_ms * NS_PER_MS, dream_metering_now_ns(metering), 0, false };
    const dream_identity *identity = dream_journal_identity(metering->journal);

    if (answer->project != NULL && identity->project[0] == '\0' && strlen(answer->project) < DREAM_PROJECT_SIZE)
        dream_journal_set_project(metering->journal, answer->project);
    book_epoch(&b);
    book_settlements(&b);
    book_grants(&b);
    book_recalls(&b);
    DREAM_POINT(answer_booked);
    return b.is_heard;
}

void dream_agent_answered(dreamapi_call *call, void *context)
{
    dream_metering *metering = context;
    int64_t sent_ms = call->sent_ms;
    void *answer = NULL;
    dreamapi_error error;
    dreamapi_status status = dream_call_take(call, &dream_noun_lease_answer, &answer, &error);

    if (status == DREAMAPI_OK && !dream_journal_lock(metering->journal))
        (void)dream_error_refuse(&error, status = DREAMAPI_JOURNAL, "the journal cannot be locked");
    if (status != DREAMAPI_OK) {
        if (call->tries > 0 && dream_journal_lock(metering->journal)) {
            note_sent(metering, metering->request);
            dream_journal_unlock(metering->journal);
        }
        dream_agent_failed(metering, &error);
    } else {
        bool is_heard = book(metering, answer, sent_ms);
        dream_journal_unlock(metering->journal);
        free(metering->request);
        metering->request = NULL;
        if (is_heard) {
            metering->failures = 0;
            metering->not_before_ns = 0;
        } else {
            back_off(metering, 0); /* else a flush would ask the same again and again, without a pause */
        }
        atomic_store(&metering->trouble, DREAMAPI_OK);
        dream_journal_notify(metering->journal);
    }
    dream_noun_lease_answer.release(answer);
    dreamapi_call_free(call);
}
