/* SPDX-License-Identifier: Apache-2.0 */
/* agent.c - what goes to the server, and when. One request at a time carries everything that is due: counts of leases that run
 * (check-ins), of leases that ended (settlements), refunds, and wishes for new leases. Booking the answer is
 * agent_answer.c.
 *
 * A wish is journalled, as a pending lease under a random request id, before it is sent; so it can be repeated by whoever finds
 * it, and its answer is installed once. What users' threads want is taken from a list; what time brings (ends, check-ins, wishes of dead
 * processes) is found by a sweep over the journal, which one of the processes that share it does. */
#include "lib/meter/agent.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/rule.h"
#include "lib/engine.h"
#include "lib/meter/point.h"

enum {
    NS_PER_MS = 1000000,
    SWEEP_SPACING_MS = 100,
    FOLLOWER_MS = 1000,
    SHARED_MS = 5000, /* what other processes begin is found by looking */
#ifdef DREAM_KILL_POINTS
    RETENTION_S = 1, /* so that what is done at its end is killed, too */
#else
    RETENTION_S = 3600,
#endif
    RETAINED_MAX = 65536,
    REQUEST_PATIENCE_MS = 10000,
    /* Somebody else's wish without an answer for so long is repeated. */
    ORPHAN_MS = 15000,
    REFUND_AGAIN_MS = 5000,
    DEBT_AGAIN_MS = 30000, /* after a refusal, unless a use asks before */
    ORPHAN_LOOK_MS = 100,
    FIRST_WANT = 64,
    /* A wish is for so many seconds of the spending seen last. */
    WANT_SECONDS = 5
};
static const int64_t never_ns = INT64_MAX;

static int64_t ms_to_ns(int64_t ms)
{
    return ms * NS_PER_MS;
}

bool dream_lines_add(dream_lines *lines, dream_line line)
{
    if (lines->count == lines->capacity) {
        size_t capacity = lines->capacity == 0 ? 16 : lines->capacity * 2;
        dream_line *items = realloc(lines->items, capacity * sizeof(*items));
        if (items == NULL)
            return false;
        lines->items = items;
        lines->capacity = capacity;
    }
    lines->items[lines->count++] = line;
    return true;
}

static void *at(const dream_metering *metering, dream_line line)
{
    return dream_journal_at(metering->journal, line);
}

static bool is_ours(const dream_metering *metering, const dream_lease *lease)
{
    return lease->main.owner_pid == (uint32_t)atomic_load(&metering->journal->pid)
           && lease->main.owner_start == metering->journal->process_start;
}

static void own(const dream_metering *metering, dream_lease *lease)
{
    lease->main.owner_pid = (uint32_t)atomic_load(&metering->journal->pid);
    lease->main.owner_start = metering->journal->process_start;
}

/* Nobody asks for it: the request that did has failed, or the process certainly is no more. */
static bool is_orphan(const dream_metering *metering, const dream_lease *lease)
{
    return lease->main.owner_pid == 0
           || dream_process_is_dead(metering->journal, lease->main.owner_pid, lease->main.owner_start);
}

/* An orphan becomes this process's. False if it is somebody else's, or this one's already. */
static bool inherit(const dream_metering *metering, dream_lease *lease)
{
    if (is_ours(metering, lease) || (lease->flags & DREAM_LEASE_IS_OLD) != 0 || !is_orphan(metering, lease))
        return false;
    own(metering, lease);
    return true;
}

/* True if units need a wish of their own, or one that nobody asks for. Asking for the owner takes a while: not at each use. */
static bool is_unasked(dream_metering *metering, dream_line pending, int64_t now_ns)
{
    dream_lease *lease = pending == 0 ? NULL : at(metering, pending);

    return lease == NULL || (now_ns - lease->asked_at_ns >= ms_to_ns(ORPHAN_LOOK_MS) && inherit(metering, lease));
}

bool dream_agent_want(dream_metering *metering, dream_account *account, uint32_t units)
{
    dream_line pending = atomic_load(&account->pending);
    int64_t now_ns = dream_metering_now_ns(metering);

    if (account->want < units)
        account->want = units;
    if ((atomic_load(&account->flags) & DREAM_ACCOUNT_ASKED) != 0 || now_ns < account->next_try_ns
        || !is_unasked(metering, pending, now_ns)
        || !dream_lines_add(&metering->wanted, dream_journal_line(metering->journal, account)))
        return false;
    atomic_fetch_or(&account->flags, DREAM_ACCOUNT_ASKED);
    atomic_store(&metering->is_wanted, true);
    return true;
}

void dream_agent_want_debt(dream_metering *metering, dream_account *account)
{
    if (dream_direct_is_on(metering)) {
        atomic_store(&metering->direct.has_debts, true);
        atomic_store(&metering->direct.is_wanted, true);
    } else if (!dream_agent_want(metering, account, 0) && atomic_load(&account->pending) == 0
               && (atomic_load(&account->flags) & DREAM_ACCOUNT_ASKED) == 0) {
        atomic_store(&metering->has_refunds, true);
    }
}

/* ---- what a request holds ---- */

typedef struct builder {
    dream_metering *metering;
    dream_agent_request *request;
    int64_t now_ns;
    int64_t next_ns; /* when the sweep has something to do again */
} builder;

static bool is_full(const builder *b)
{
    return b->request->count == DREAM_LEASE_ITEMS_MAX;
}

static void add_item(builder *b, dream_item_kind kind, dream_line line, const unsigned char id[16])
{
    dream_item *item = &b->request->items[b->request->count++];

    *item = (dream_item){ .kind = kind, .line = line };
    memcpy(item->id, id, sizeof(item->id));
}

static void add_settle(builder *b, dream_lease *lease, bool is_final)
{
    dream_journal *journal = b->metering->journal;
    dream_item *item;

    if (is_final)
        dream_lease_close_refunds(lease);
    DREAM_POINT(settle_closed);
    add_item(b, DREAM_ITEM_SETTLE, dream_journal_line(journal, lease), lease->lease_id);
    item = &b->request->items[b->request->count - 1];
    item->admitted = dream_lease_admitted(journal, lease);
    item->refunded = dream_lease_refunded(lease);
    item->is_final = is_final;
}

static void wake_at(builder *b, int64_t at_ns)
{
    if (at_ns < b->next_ns)
        b->next_ns = at_ns;
}

/* Nothing is spent from it any more, and nobody finds it. */
static void end_lease(builder *b, dream_lease *lease)
{
    dream_account *account = at(b->metering, lease->account);
    dream_line line = dream_journal_line(b->metering->journal, lease);

    if (atomic_load(&account->current) == line)
        atomic_store(&account->current, 0);
    DREAM_POINT(end_unnamed);
    dream_lease_seal(b->metering->journal, lease);
}

static void check_in(builder *b, dream_lease *lease)
{
    int64_t third_ns = (lease->ends_at_ns - atomic_load(&lease->granted_at_ns)) / 3;

    lease->main.until_ns = b->now_ns + (third_ns > 0 ? third_ns : ms_to_ns(SWEEP_SPACING_MS));
    add_settle(b, lease, false);
}

static void settle(builder *b, dream_lease *lease)
{
    if (is_full(b)) {
        wake_at(b, b->now_ns);
        return;
    }
    if (dream_lease_is_final(b->metering->journal, lease, b->now_ns)) {
        add_settle(b, lease, true);
        return;
    }
    /* Somebody still works under a reservation. */
    if (b->now_ns >= lease->main.until_ns)
        check_in(b, lease);
    wake_at(b, lease->main.until_ns);
    wake_at(b, dream_lease_overdue_at_ns(b->metering->journal, lease));
}

/* ---- wishes ---- */

/* Asks for so many seconds of what was spent lately; for twice as much as last time if that was gone at once. */
static uint32_t size_wish(const builder *b, uint32_t needed, const dream_lease *last)
{
    uint64_t want = needed > FIRST_WANT ? needed : FIRST_WANT;

    if (last != NULL) {
        int64_t lasted_ms = (b->now_ns - atomic_load(&last->granted_at_ns)) / NS_PER_MS;
        uint64_t spent = dream_lease_admitted(b->metering->journal, last);
        uint64_t pace = spent * 1000 * WANT_SECONDS / (uint64_t)(lasted_ms > 1 ? lasted_ms : 1);
        uint64_t twice = (uint64_t)atomic_load(&last->granted) * 2;

        if (spent * 2 >= atomic_load(&last->granted) && lasted_ms < WANT_SECONDS * 1000 && pace < twice)
            pace = twice;
        if (want < pace)
            want = pace;
    }
    return want < (uint64_t)DREAM_MAX_GRANT ? (uint32_t)want : (uint32_t)DREAM_MAX_GRANT;
}

#ifdef DREAM_MUTABLE_RULES
/* What a journal could count by itself, beside the holder's name and the place. */
static void count_request(const builder *b, dream_lease *lease)
{
    uint32_t parts[2] = { dream_journal_events(b->metering->journal), dream_journal_line(b->metering->journal, lease) };

    memcpy(lease->request_id, dream_journal_identity(b->metering->journal)->holder, 8);
    memcpy(lease->request_id + 8, parts, sizeof(parts));
}
#endif

/* What a use waits for, and what is owed: that is the first count of the lease. */
static uint32_t least_of(const dream_account *account)
{
    uint64_t sum = (uint64_t)account->want + dream_account_owed(account);

    return sum < (uint64_t)DREAM_MAX_GRANT ? (uint32_t)sum : (uint32_t)DREAM_MAX_GRANT;
}

static dream_lease *make_wish(builder *b, dream_account *account)
{
    dream_journal *journal = b->metering->journal;
    dream_line current = atomic_load(&account->current);
    unsigned char id[16];
    dream_line line;
    dream_lease *lease;

    if (!dream_settings_random(journal->settings, id, sizeof(id)))
        return NULL;
    line = dream_journal_take(journal, DREAM_TAG_LEASE, sizeof(*lease));
    if (line == 0)
        return NULL;
    lease = at(b->metering, line);
    memcpy(lease->request_id, id, sizeof(id));
#ifdef DREAM_MUTABLE_RULES
    if (!DREAM_RULE(request_ids_are_random))
        count_request(b, lease);
#endif
    lease->account = dream_journal_line(journal, account);
    lease->least = least_of(account);
    lease->wanted = size_wish(b, lease->least, current == 0 ? NULL : at(b->metering, current));
    own(b->metering, lease);
    DREAM_POINT(wish_filled);
    atomic_store(&lease->state, DREAM_LEASE_PENDING);
    DREAM_POINT(wish_pending);
    atomic_store(&account->pending, line);
    DREAM_POINT(wish_named);
    return lease;
}

static void ask(builder *b, dream_lease *lease)
{
    lease->asked_at_ns = b->now_ns;
    add_item(b, DREAM_ITEM_ACQUIRE, dream_journal_line(b->metering->journal, lease), lease->request_id);
}

/* A lease with nothing left, or too little for the use that waits, is settled in the same request: so the server decides by the
 * true count, and has what is left to grant anew. */
static void settle_spent(builder *b, dream_account *account)
{
    dream_line current = atomic_load(&account->current);
    dream_lease *lease = current == 0 ? NULL : at(b->metering, current);

    if (lease == NULL
        || (dream_lease_spare(b->metering->journal, lease) >= (account->want > 0 ? account->want : 1)
            && b->now_ns < lease->ends_at_ns))
        return;
    end_lease(b, lease);
    settle(b, lease);
}

static void take_wish(builder *b, dream_line line)
{
    dream_account *account = at(b->metering, line);
    dream_line pending = atomic_load(&account->pending);
    dream_lease *lease;

    atomic_fetch_and(&account->flags, ~(uint32_t)DREAM_ACCOUNT_ASKED);
    if (pending != 0) {
        /* Of a request that failed. */
        lease = at(b->metering, pending);
        if (is_ours(b->metering, lease) || inherit(b->metering, lease))
            ask(b, lease);
        return;
    }
    if (b->now_ns < account->next_try_ns)
        return;
    /* First the wish: it is sized by the lease that ends here. */
    lease = make_wish(b, account);
    settle_spent(b, account);
    if (lease != NULL)
        ask(b, lease);
    else
        atomic_store(&b->metering->trouble, DREAMAPI_JOURNAL);
}

static void drop_first(dream_lines *lines, size_t count)
{
    if (count == 0)
        return; /* an empty list has no memory to move */
    memmove(lines->items, lines->items + count, (lines->count - count) * sizeof(*lines->items));
    lines->count -= count;
}

/* Two places at the most go to each. */
static void take_wanted(builder *b)
{
    dream_lines *wanted = &b->metering->wanted;
    size_t taken = 0;

    while (taken < wanted->count && b->request->count + 2 <= DREAM_LEASE_ITEMS_MAX)
        take_wish(b, wanted->items[taken++]);
    drop_first(wanted, taken);
    if (wanted->count > 0)
        atomic_store(&b->metering->is_wanted, true);
}

static void take_ended(builder *b)
{
    dream_lines *ended = &b->metering->ended;
    size_t taken = 0;

    for (; taken < ended->count && !is_full(b); taken++) {
        dream_lease *lease = at(b->metering, ended->items[taken]);
        if (dream_tag_kind(lease->main.tag) == DREAM_TAG_LEASE && atomic_load(&lease->state) == DREAM_LEASE_SEALED)
            settle(b, lease);
    }
    drop_first(ended, taken);
}

/* ---- the sweep ---- */

static void sweep_pending(builder *b, dream_lease *lease)
{
    bool is_left = (lease->flags & DREAM_LEASE_IS_OLD) != 0 || is_orphan(b->metering, lease);
    int64_t patience_ns = ms_to_ns(is_left ? ORPHAN_MS : 2 * ORPHAN_MS);

    /* Nobody asks, or somebody flushes: that does not wait for its turn. */
    if (inherit(b->metering, lease) || (is_left && atomic_load(&b->metering->is_flushing)))
        patience_ns = 0;
    if (lease->asked_at_ns == 0 || b->now_ns >= lease->asked_at_ns + patience_ns) {
        if (is_full(b))
            wake_at(b, b->now_ns);
        else
            ask(b, lease);
    }
    wake_at(b, lease->asked_at_ns + patience_ns);
}

/* A lease that nobody used since the last check-in is handed back. */
static bool is_idle(const builder *b, const dream_lease *lease)
{
    return atomic_load(&lease->reservations) == 0
           && dream_lease_admitted(b->metering->journal, lease) == lease->reported;
}

static void sweep_active(builder *b, dream_lease *lease)
{
    bool is_due = b->now_ns >= lease->main.until_ns;

    if (b->now_ns >= lease->ends_at_ns || atomic_load(&b->metering->is_flushing) || (is_due && is_idle(b, lease))) {
        end_lease(b, lease);
        settle(b, lease);
        return;
    }
    if (is_due && !is_full(b))
        check_in(b, lease);
    wake_at(b, lease->main.until_ns < lease->ends_at_ns ? lease->main.until_ns : lease->ends_at_ns);
}

static void sweep_lease(builder *b, dream_lease *lease)
{
    switch ((dream_lease_state)atomic_load(&lease->state)) {
    case DREAM_LEASE_PENDING:
        sweep_pending(b, lease);
        break;
    case DREAM_LEASE_ACTIVE:
        sweep_active(b, lease);
        break;
    case DREAM_LEASE_SEALED:
        settle(b, lease);
        break;
    }
}

static void sweep_settled(builder *b, dream_line line, const dream_settled *settled)
{
    dream_item *item;

    if ((settled->flags & DREAM_SETTLED_RESEND) == 0)
        return;
    if (is_full(b)) {
        wake_at(b, b->now_ns);
        return;
    }
    add_item(b, DREAM_ITEM_RESEND, line, settled->lease_id);
    item = &b->request->items[b->request->count - 1];
    item->admitted = settled->admitted;
    item->refunded = settled->refunded;
    item->is_final = true;
}

static void sweep_refund(builder *b, dream_line line, const dream_refund *refund)
{
    int64_t again_ns = refund->told_at_ns == 0 ? b->now_ns : refund->told_at_ns + ms_to_ns(REFUND_AGAIN_MS);

    if (refund->state != 1) {
        if (b->now_ns - refund->told_at_ns >= ms_to_ns(RETENTION_S * INT64_C(1000)))
            dream_journal_give(b->metering->journal, line);
        return;
    }
    wake_at(b, again_ns);
    if (b->now_ns >= again_ns && !is_full(b))
        add_item(b, DREAM_ITEM_REFUND, line, refund->id);
}

/* Settled leases are kept for a while, in case the server's store is restored from a backup; once it is, until it has heard of them again. */
static void forget_settled(builder *b)
{
    dream_journal_header *header = dream_journal_header_of(b->metering->journal);
    uint32_t now_s = (uint32_t)(b->now_ns / 1000000000) & DREAM_SETTLED_SECONDS;
    dream_line line;

    while ((line = atomic_load(&header->settled_first)) != 0) {
        dream_settled *settled = at(b->metering, line);
        uint32_t age_s = (now_s - (settled->flags & DREAM_SETTLED_SECONDS)) & DREAM_SETTLED_SECONDS;
        bool is_kept = age_s < RETENTION_S || (settled->flags & DREAM_SETTLED_RESEND) != 0;
        if (is_kept && atomic_load(&header->settled_count) <= RETAINED_MAX)
            return;
        if (header->settled_last == line)
            header->settled_last = 0;
        DREAM_POINT(forget_begun);
        atomic_store(&header->settled_first, atomic_load(&settled->next));
        DREAM_POINT(forget_unlisted);
        atomic_fetch_sub(&header->settled_count, 1);
        DREAM_POINT(forget_counted);
        dream_journal_give(b->metering->journal, line);
    }
}

/* Units beyond any grant are billed by a lease, which nobody else may ask for. */
static void sweep_debt(builder *b, dream_account *account)
{
    int64_t again_ms = atomic_load(&b->metering->is_flushing) ? 0 : DEBT_AGAIN_MS;
    int64_t due_ns = account->next_try_ns == 0 ? b->now_ns : account->next_try_ns + ms_to_ns(again_ms);

    if (atomic_load(&account->pending) != 0 || (atomic_load(&account->flags) & DREAM_ACCOUNT_ASKED) != 0)
        return;
    if (b->now_ns >= due_ns && b->request->count + 2 <= DREAM_LEASE_ITEMS_MAX)
        take_wish(b, dream_journal_line(b->metering->journal, account));
    else
        wake_at(b, due_ns);
}

/* Whoever wanted units for it may be gone, with the list that had it. Where that is not so, it is listed twice at worst: its wish is
 * made once. */
static void sweep_account(builder *b, dream_account *account)
{
    if ((atomic_load(&account->flags) & DREAM_ACCOUNT_ASKED) != 0 && dream_journal_is_shared(b->metering->journal))
        atomic_fetch_and(&account->flags, ~(uint32_t)DREAM_ACCOUNT_ASKED);
    if (dream_account_owed(account) > 0)
        sweep_debt(b, account);
}

static void sweep_record(builder *b, dream_line line)
{
    void *record = at(b->metering, line);

    switch (dream_tag_kind(*(const uint32_t *)record)) {
    case DREAM_TAG_ACCOUNT:
        sweep_account(b, record);
        break;
    case DREAM_TAG_LEASE:
        sweep_lease(b, record);
        break;
    case DREAM_TAG_SETTLED:
        sweep_settled(b, line, record);
        break;
    case DREAM_TAG_REFUND:
        sweep_refund(b, line, record);
        break;
    default:
        break;
    }
}

static void sweep(builder *b)
{
    dream_metering *metering = b->metering;
    int64_t earliest_ns = b->now_ns + ms_to_ns(SWEEP_SPACING_MS);

    metering->is_leader = metering->is_leader || dream_journal_lead(metering->journal);
    if (!metering->is_leader && !atomic_load(&metering->is_flushing)) {
        metering->next_sweep_ns = b->now_ns + ms_to_ns(FOLLOWER_MS);
        return;
    }
    forget_settled(b);
    for (dream_line line = 0; (line = dream_journal_next(metering->journal, line)) != 0;)
        sweep_record(b, line);
    if (dream_journal_is_shared(metering->journal))
        wake_at(b, b->now_ns + ms_to_ns(SHARED_MS));
    metering->next_sweep_ns = b->next_ns < earliest_ns && !is_full(b) ? earliest_ns : b->next_ns;
}

/* ---- sending ---- */

static int order_of(dream_item_kind kind)
{
    return kind == DREAM_ITEM_RESEND ? DREAM_ITEM_SETTLE : (int)kind;
}

static int compare_items(const void *a, const void *b)
{
    const dream_item *left = a;
    const dream_item *right = b;

    if (order_of(left->kind) != order_of(right->kind))
        return order_of(left->kind) - order_of(right->kind);
    return left->line < right->line ? -1 : left->line > right->line;
}

/* What a list and the sweep both found. */
static void drop_repeats(dream_agent_request *request)
{
    size_t kept = 0;

    for (size_t i = 0; i < request->count; i++) {
        if (kept == 0 || compare_items(&request->items[kept - 1], &request->items[i]) != 0)
            request->items[kept++] = request->items[i];
    }
    request->count = kept;
}

static void write_settle(const dream_metering *metering, dream_request *request, const dream_item *item)
{
    const dream_lease *lease = at(metering, item->line);
    const dream_settled *settled = at(metering, item->line);
    bool is_resent = item->kind == DREAM_ITEM_RESEND;
    const dream_account *account = at(metering, is_resent ? settled->account : lease->account);
    dream_settle_item wire = {
        .lease_id = item->id,
        .request_id = is_resent ? settled->request_id : lease->request_id,
        .user_id = dream_account_user(account),
        .meter = dream_account_meter(account),
        .period_start_day = is_resent ? settled->period_start_day : lease->period_start_day,
        .granted = is_resent ? settled->granted : atomic_load(&lease->granted),
        .admitted = item->admitted,
        .refunded = item->refunded,
        .is_final = item->is_final,
        .is_unproven = is_resent ? (settled->flags & DREAM_SETTLED_UNPROVEN) != 0
                                 : item->is_final && (lease->flags & DREAM_LEASE_IS_UNPROVEN) != 0,
    };

    /* An unproven end is no final one. */
    wire.is_final = wire.is_final && !wire.is_unproven;
    dream_lease_request_settle(request, &wire);
}

static void write_item(const dream_metering *metering, dream_request *request, const dream_item *item)
{
    const dream_lease *lease = at(metering, item->line);
    const dream_refund *refund = at(metering, item->line);
    const dream_account *account;

    switch (item->kind) {
    case DREAM_ITEM_SETTLE:
    case DREAM_ITEM_RESEND:
        write_settle(metering, request, item);
        break;
    case DREAM_ITEM_REFUND:
        dream_lease_request_refund(request, refund->id, refund->lease_id, refund->units);
        break;
    case DREAM_ITEM_ACQUIRE:
        account = at(metering, lease->account);
        dream_lease_request_acquire(request, lease->request_id, dream_account_user(account),
                                    dream_account_meter(account), lease->wanted, lease->least);
        break;
    }
}

static void write_request(const dream_metering *metering, const dream_agent_request *from, dream_request *request)
{
    static const char *const names[] = { "settle", "refunds", "acquire" };
    const dream_identity *identity = dream_journal_identity(metering->journal);
    size_t i = 0;

    dream_lease_request_begin(request, metering->client, identity->holder, identity->project);
    for (int list = 0; list < 3; list++) {
        if (i == from->count || order_of(from->items[i].kind) != list)
            continue;
        dream_request_list_begin(request, names[list]);
        for (; i < from->count && order_of(from->items[i].kind) == list; i++)
            write_item(metering, request, &from->items[i]);
        dream_request_list_end(request);
    }
}

/* The lock is held. */
static void build(dream_metering *metering, dream_agent_request *request, dream_request *out)
{
    builder b = { metering, request, dream_metering_now_ns(metering), never_ns };

    take_wanted(&b);
    take_ended(&b);
    if (b.now_ns >= metering->next_sweep_ns || atomic_load(&metering->is_flushing))
        sweep(&b);
    else if (b.next_ns < metering->next_sweep_ns)
        metering->next_sweep_ns = b.next_ns;
    qsort(request->items, request->count, sizeof(request->items[0]), compare_items);
    drop_repeats(request);
    if (request->count > 0)
        write_request(metering, request, out);
}

static void send(dream_metering *metering, dream_agent_request *agent_request, dream_request *request)
{
    dreamapi_error error;
    dreamapi_status status;

    atomic_fetch_add_explicit(&metering->requests, 1, memory_order_relaxed);
    metering->request = agent_request;
    request->options.timeout_ms = metering->client->settings.timeout_ms < REQUEST_PATIENCE_MS
                                      ? metering->client->settings.timeout_ms
                                      : REQUEST_PATIENCE_MS;
    status = dream_call_start_inside(metering->client, "leases", &dream_noun_lease_answer, request,
                                     dream_agent_answered, metering, &error);
    if (status != DREAMAPI_OK)
        dream_agent_failed(metering, &error);
}

void dream_agent_work(dream_metering *metering)
{
    int64_t now_ns = dream_metering_now_ns(metering);
    dream_agent_request *agent_request;
    dream_request request = { 0 };
    bool has_leases = !dream_direct_learn(metering);

    dream_direct_work(metering);
    if (!has_leases)
        return;
    if (metering->request != NULL || now_ns < metering->not_before_ns)
        return;
    if (atomic_exchange(&metering->has_refunds, false))
        metering->next_sweep_ns = 0;
    if (!atomic_exchange(&metering->is_wanted, false) && now_ns < metering->next_sweep_ns
        && !atomic_load(&metering->is_flushing))
        return;
    agent_request = calloc(1, sizeof(*agent_request));
    if (agent_request == NULL || !dream_journal_lock(metering->journal)) {
        free(agent_request);
        metering->not_before_ns = now_ns + ms_to_ns(SWEEP_SPACING_MS);
        atomic_store(&metering->is_wanted, true);
        return;
    }
    build(metering, agent_request, &request);
    DREAM_POINT(settle_built);
    dream_journal_unlock(metering->journal);
    if (agent_request->count == 0) {
        free(agent_request);
        if (atomic_exchange(&metering->is_flushing, false))
            dream_journal_notify(metering->journal);
        return;
    }
    send(metering, agent_request, &request);
}

static int64_t lease_due_ns(const dream_metering *metering)
{
    int64_t due_ns = metering->next_sweep_ns;

    if (metering->request != NULL || dream_direct_is_on(metering))
        return never_ns;
    if (atomic_load(&metering->is_wanted) || atomic_load(&metering->is_flushing))
        due_ns = 0;
    return due_ns < metering->not_before_ns ? metering->not_before_ns : due_ns;
}

int64_t dream_agent_due_ms(const dream_metering *metering)
{
    int64_t due_ns = lease_due_ns(metering);
    int64_t direct_ns = dream_direct_due_ns(metering);

    if (direct_ns < due_ns)
        due_ns = direct_ns;
    /* Rounded up: a little early would be once more for nothing. The coarse clock is up to a tick behind. */
    return due_ns == never_ns ? -1 : (due_ns + NS_PER_MS - 1) / NS_PER_MS;
}
