/* SPDX-License-Identifier: Apache-2.0 */
/* deliver.c - one thread that asks the store what is due, hands it to the HTTP client and writes down what was taken.
 *
 * A lane is a queue to one URL; it has at most one event under way. Lanes and flights belong to the delivery thread.
 * `lock` guards what others touch: the URLs, the landed flights, the flags. It is never held over a call to the store
 * or the client. */
#include "sandbox/deliver.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/buffer.h"
#include "common/crypto.h"
#include "common/json.h"
#include "common/timefmt.h"
#include "common/webhook.h"
#include "net/http_client.h"
#include "net/log.h"

enum {
    MAX_FLIGHTS = 16,
    MAX_HEADS = 256, /* queues looked at in one round */
    FIRST_DELAY_MS = 200,
    LAST_DELAY_MS = 30000,
    TIMEOUT_MS = 10000,
    SHORTEST_WAIT_MS = 10,
    POLL_MS = 1000 /* another process over the same file may add events */
};

struct lane {
    enum sandbox_service service;
    enum sandbox_mode mode;
    unsigned slot;
    char queue[SANDBOX_ID_SIZE];
    unsigned failures;
    int64_t due_ms; /* monotonic */
    bool is_flying;
    struct lane *next;
};

struct flight {
    sandbox_deliver *deliver;
    struct lane *lane; /* lives at least as long: a flying lane is not dropped */
    int64_t seq;
    char event_id[SANDBOX_ID_SIZE];
    int status;
    struct flight *next;
};

struct sandbox_deliver {
    sandbox_store *store;
    dreamd_http_client *client;
    char *pin; /* set before the first URL, then only read; NULL: none */
    char secrets[SANDBOX_SERVICES][SANDBOX_MODES][SANDBOX_ID_SIZE];
    dreamd_metric *taken;
    dreamd_metric *refused;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    char **urls[SANDBOX_SERVICES][SANDBOX_MODES]; /* lock; NULL-terminated or NULL */
    struct flight *landed;                        /* lock */
    bool is_woken;                                /* lock */
    bool is_stopping;                             /* lock */
    struct lane *lanes;                           /* the thread's own, as is the rest */
    unsigned flying;
    sandbox_delivery heads[MAX_HEADS];
};

int64_t sandbox_deliver_delay_ms(unsigned failures)
{
    int64_t delay = FIRST_DELAY_MS;
    for (unsigned i = 1; i < failures && delay < LAST_DELAY_MS; i++)
        delay *= 2;
    return delay < LAST_DELAY_MS ? delay : LAST_DELAY_MS;
}

/* ---- URLs ---- */

static void free_urls(char **urls)
{
    for (size_t i = 0; urls && urls[i]; i++)
        free(urls[i]);
    free(urls);
}

static char **copy_urls(const char *const *urls)
{
    size_t count = 0;
    while (urls && urls[count])
        count++;
    char **copy = count <= SANDBOX_DELIVERY_SLOTS ? calloc(count + 1, sizeof *copy) : NULL;
    for (size_t i = 0; copy && i < count; i++)
        if (!(copy[i] = strdup(urls[i]))) {
            free_urls(copy);
            return NULL;
        }
    return copy;
}

bool sandbox_deliver_set_urls(sandbox_deliver *deliver, enum sandbox_service service, enum sandbox_mode mode,
                              const char *const *urls)
{
    char **copy = copy_urls(urls);
    if (!copy)
        return false;
    (void)pthread_mutex_lock(&deliver->lock);
    char **old = deliver->urls[service][mode];
    deliver->urls[service][mode] = copy;
    deliver->is_woken = true;
    (void)pthread_cond_signal(&deliver->changed);
    (void)pthread_mutex_unlock(&deliver->lock);
    free_urls(old);
    return true;
}

static unsigned count_urls(sandbox_deliver *deliver, enum sandbox_service service, enum sandbox_mode mode)
{
    unsigned count = 0;
    (void)pthread_mutex_lock(&deliver->lock);
    while (deliver->urls[service][mode] && deliver->urls[service][mode][count])
        count++;
    (void)pthread_mutex_unlock(&deliver->lock);
    return count;
}

/* Owned, free(); NULL if the list became shorter or memory ran out. */
static char *copy_url(sandbox_deliver *deliver, const struct lane *lane)
{
    unsigned count = 0;
    (void)pthread_mutex_lock(&deliver->lock);
    char **urls = deliver->urls[lane->service][lane->mode];
    while (urls && urls[count])
        count++;
    char *copy = lane->slot < count ? strdup(urls[lane->slot]) : NULL;
    (void)pthread_mutex_unlock(&deliver->lock);
    return copy;
}

/* ---- lanes ---- */

/* What a lane is known by. */
struct place {
    enum sandbox_service service;
    enum sandbox_mode mode;
    unsigned slot;
};

static struct lane *find_lane(sandbox_deliver *deliver, const struct place *place, const char *queue)
{
    for (struct lane *lane = deliver->lanes; lane; lane = lane->next)
        if (lane->service == place->service && lane->mode == place->mode && lane->slot == place->slot
            && strcmp(lane->queue, queue) == 0)
            return lane;
    return NULL;
}

static struct lane *make_lane(sandbox_deliver *deliver, const struct place *place, const char *queue)
{
    struct lane *made = calloc(1, sizeof *made);
    if (!made)
        return NULL;
    made->service = place->service;
    made->mode = place->mode;
    made->slot = place->slot;
    (void)snprintf(made->queue, sizeof made->queue, "%s", queue);
    made->next = deliver->lanes;
    deliver->lanes = made;
    return made;
}

static void drop_lane(sandbox_deliver *deliver, struct lane *gone)
{
    struct lane **at = &deliver->lanes;
    while (*at != gone)
        at = &(*at)->next;
    *at = gone->next;
    free(gone);
}

/* ---- flights ---- */

static void on_reply(void *context, const dreamd_reply *reply)
{
    struct flight *flight = context;
    sandbox_deliver *deliver = flight->deliver;
    flight->status = reply->status;
    (void)pthread_mutex_lock(&deliver->lock);
    flight->next = deliver->landed;
    deliver->landed = flight;
    (void)pthread_cond_signal(&deliver->changed);
    (void)pthread_mutex_unlock(&deliver->lock);
}

/* Whose documents a lane's events are. */
static sandbox_scope scope_of(const struct lane *lane)
{
    return (sandbox_scope){ lane->service, lane->mode, lane->service == SANDBOX_STRIPE ? lane->queue : "" };
}

/* The event as it is sent: the same bytes at each try. Owned (cJSON_free). */
static char *read_event(sandbox_deliver *deliver, const struct lane *lane, const char *event_id)
{
    sandbox_scope scope = scope_of(lane);
    sandbox_store_status status;
    sandbox_tx *tx = sandbox_tx_begin(deliver->store, false, &status);
    cJSON *json = tx ? sandbox_doc_read(tx, &scope, "event", event_id) : NULL;
    char *text = json ? dream_json_print(json) : NULL;
    cJSON_Delete(json);
    sandbox_tx_rollback(tx);
    return text;
}

static void send_body(sandbox_deliver *deliver, struct flight *flight, const char *url, const char *const *headers,
                      const char *event)
{
    dreamd_outbound outbound = { .method = "POST",
                                 .url = url,
                                 .headers = headers,
                                 .body = event,
                                 .body_size = strlen(event),
                                 .timeout_ms = TIMEOUT_MS,
                                 .pin = deliver->pin };
    flight->lane->is_flying = true;
    deliver->flying++;
    dreamd_http_client_send(deliver->client, &outbound, on_reply, flight);
}

static bool send_as_stripe(sandbox_deliver *deliver, struct flight *flight, const char *url, const char *event)
{
    dream_buffer signature = DREAM_BUFFER_INIT;
    const char *secret = deliver->secrets[SANDBOX_STRIPE][flight->lane->mode];
    dream_buffer_text(&signature, "Stripe-Signature: ");
    bool done = dream_stripe_signature_make(&signature, secret, event, strlen(event), dream_wall_ms() / 1000)
                && !signature.is_failed;
    if (done) {
        const char *headers[] = { "Content-Type: application/json; charset=utf-8",
                                  "User-Agent: Stripe/1.0 (+https://stripe.com/docs/webhooks)",
                                  dream_buffer_str(&signature), NULL };
        send_body(deliver, flight, url, headers, event);
    }
    dream_buffer_clear(&signature);
    return done;
}

static bool send_as_clerk(sandbox_deliver *deliver, struct flight *flight, const char *url, const char *event)
{
    dream_buffer signature = DREAM_BUFFER_INIT;
    const char *secret = deliver->secrets[flight->lane->service][flight->lane->mode];
    int64_t now_s = dream_wall_ms() / 1000;
    char id[SANDBOX_ID_SIZE + 16], time[48];
    (void)snprintf(id, sizeof id, "svix-id: %s", flight->event_id);
    (void)snprintf(time, sizeof time, "svix-timestamp: %lld", (long long)now_s);
    dream_buffer_text(&signature, "svix-signature: ");
    bool done = dream_svix_signature_make(&signature, flight->event_id, secret, event, strlen(event), now_s)
                && !signature.is_failed;
    if (done) {
        const char *headers[] = { "Content-Type: application/json",
                                  "User-Agent: Svix-Webhooks/1.24",
                                  id,
                                  time,
                                  dream_buffer_str(&signature),
                                  NULL };
        send_body(deliver, flight, url, headers, event);
    }
    dream_buffer_clear(&signature);
    return done;
}

static bool send_event(sandbox_deliver *deliver, struct flight *flight, const char *url, const char *event)
{
    return flight->lane->service == SANDBOX_STRIPE ? send_as_stripe(deliver, flight, url, event)
                                                   : send_as_clerk(deliver, flight, url, event);
}

static void start_flight(sandbox_deliver *deliver, struct lane *lane, const sandbox_delivery *head)
{
    char *url = copy_url(deliver, lane);
    char *event = url ? read_event(deliver, lane, head->event_id) : NULL;
    struct flight *started = event ? calloc(1, sizeof *started) : NULL;
    if (started) {
        started->deliver = deliver;
        started->lane = lane;
        started->seq = head->seq;
        (void)snprintf(started->event_id, sizeof started->event_id, "%s", head->event_id);
    }
    if (!started || !send_event(deliver, started, url, event)) {
        free(started);
        lane->due_ms = dream_monotonic_ms() + sandbox_deliver_delay_ms(++lane->failures);
    }
    cJSON_free(event);
    free(url);
}

static bool write_done(sandbox_deliver *deliver, const struct flight *flight)
{
    sandbox_store_status status;
    sandbox_scope scope = scope_of(flight->lane);
    unsigned count = count_urls(deliver, scope.service, scope.mode);
    sandbox_tx *tx = sandbox_tx_begin(deliver->store, true, &status);
    if (!tx)
        return false;
    sandbox_delivery_done(tx, flight->seq, flight->lane->slot, ((int64_t)1 << count) - 1);
    if (scope.service != SANDBOX_STRIPE && !sandbox_delivery_is_open(tx, &scope, flight->event_id))
        (void)sandbox_doc_delete(tx, &scope, "event", flight->event_id); /* Clerk's API does not list them */
    return sandbox_tx_commit(tx) == SANDBOX_STORE_OK;
}

static void finish_flight(sandbox_deliver *deliver, struct flight *flight)
{
    struct lane *lane = flight->lane;
    bool is_taken = flight->status >= 200 && flight->status < 300;
    dreamd_metric_add(is_taken ? deliver->taken : deliver->refused, 1);
    lane->is_flying = false;
    deliver->flying--;
    if (is_taken && write_done(deliver, flight)) {
        drop_lane(deliver, lane);
    } else {
        lane->due_ms = dream_monotonic_ms() + sandbox_deliver_delay_ms(++lane->failures);
        dreamd_log(DREAMD_LOG_INFO, "sandbox_webhook_retry", dreamd_log_text("queue", lane->queue),
                   dreamd_log_int("status", flight->status), dreamd_log_int("failures", lane->failures));
    }
    free(flight);
}

static void finish_landed(sandbox_deliver *deliver)
{
    (void)pthread_mutex_lock(&deliver->lock);
    struct flight *landed = deliver->landed;
    deliver->landed = NULL;
    (void)pthread_mutex_unlock(&deliver->lock);
    while (landed) {
        struct flight *next = landed->next;
        finish_flight(deliver, landed);
        landed = next;
    }
}

/* ---- the thread ---- */

static void start_due(sandbox_deliver *deliver, const struct place *place)
{
    sandbox_store_status status;
    sandbox_tx *tx = sandbox_tx_begin(deliver->store, false, &status);
    size_t count =
        tx ? sandbox_delivery_heads(tx, place->service, place->mode, place->slot, deliver->heads, MAX_HEADS) : 0;
    sandbox_tx_rollback(tx);
    for (size_t i = 0; i < count && deliver->flying < MAX_FLIGHTS; i++) {
        const sandbox_delivery *head = &deliver->heads[i];
        struct lane *lane = find_lane(deliver, place, head->queue);
        if (!lane)
            lane = make_lane(deliver, place, head->queue);
        if (lane && !lane->is_flying && lane->due_ms <= dream_monotonic_ms())
            start_flight(deliver, lane, head);
    }
}

/* Starts what is due and tells how long nothing will be; -1: until something changes. */
static int64_t run_round(sandbox_deliver *deliver)
{
    int64_t wait_ms = -1;
    for (int i = 0; i < SANDBOX_SERVICES * SANDBOX_MODES; i++) {
        struct place place = { (enum sandbox_service)(i / SANDBOX_MODES), (enum sandbox_mode)(i % SANDBOX_MODES), 0 };
        unsigned count = count_urls(deliver, place.service, place.mode);
        for (; place.slot < count && deliver->flying < MAX_FLIGHTS; place.slot++)
            start_due(deliver, &place);
        if (count > 0)
            wait_ms = POLL_MS;
    }
    int64_t now_ms = dream_monotonic_ms();
    for (const struct lane *lane = deliver->lanes; lane && wait_ms > 0; lane = lane->next) {
        int64_t left_ms = lane->due_ms - now_ms;
        /* Long due means that its event is gone: another process sent it. The poll is soon enough for such a lane. */
        if (!lane->is_flying && left_ms > -POLL_MS && left_ms < wait_ms)
            wait_ms = left_ms > SHORTEST_WAIT_MS ? left_ms : SHORTEST_WAIT_MS;
    }
    return wait_ms;
}

static void wait_for_change(sandbox_deliver *deliver, int64_t wait_ms)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += wait_ms / 1000;
    until.tv_nsec += wait_ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    int code = 0;
    while (!deliver->is_stopping && !deliver->is_woken && !deliver->landed && code != ETIMEDOUT)
        code = wait_ms < 0 ? pthread_cond_wait(&deliver->changed, &deliver->lock)
                           : pthread_cond_timedwait(&deliver->changed, &deliver->lock, &until);
    deliver->is_woken = false;
}

static void *run(void *context)
{
    sandbox_deliver *deliver = context;
    int64_t wait_ms = 0;
    bool is_stopping = false;
    while (!is_stopping) {
        (void)pthread_mutex_lock(&deliver->lock);
        wait_for_change(deliver, wait_ms);
        is_stopping = deliver->is_stopping;
        (void)pthread_mutex_unlock(&deliver->lock);
        finish_landed(deliver);
        if (!is_stopping)
            wait_ms = run_round(deliver);
    }
    return NULL;
}

/* ---- start and stop ---- */

void sandbox_deliver_wake(sandbox_deliver *deliver)
{
    if (!deliver)
        return;
    (void)pthread_mutex_lock(&deliver->lock);
    deliver->is_woken = true;
    (void)pthread_cond_signal(&deliver->changed);
    (void)pthread_mutex_unlock(&deliver->lock);
}

static void init_lock(sandbox_deliver *deliver)
{
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&deliver->changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    (void)pthread_mutex_init(&deliver->lock, NULL);
}

static void release(sandbox_deliver *deliver)
{
    dreamd_http_client_free(deliver->client); /* lands what was under way */
    finish_landed(deliver);
    while (deliver->lanes)
        drop_lane(deliver, deliver->lanes);
    for (int i = 0; i < SANDBOX_SERVICES * SANDBOX_MODES; i++)
        free_urls(deliver->urls[i / SANDBOX_MODES][i % SANDBOX_MODES]);
    (void)pthread_cond_destroy(&deliver->changed);
    (void)pthread_mutex_destroy(&deliver->lock);
    dream_wipe(deliver->secrets, sizeof deliver->secrets);
    free(deliver->pin);
    free(deliver);
}

sandbox_deliver *sandbox_deliver_start(sandbox_store *store, const char *secrets[SANDBOX_SERVICES][SANDBOX_MODES],
                                       dreamd_metrics *metrics, char error[256])
{
    static const char name[] = "dreamapid_sandbox_deliveries_total";
    static const char help[] = "Events the sandbox sent to webhook URLs.";
    (void)snprintf(error, 256, "cannot start the sandbox's webhook delivery: out of memory or threads");
    sandbox_deliver *deliver = calloc(1, sizeof *deliver);
    if (!deliver)
        return NULL;
    init_lock(deliver);
    deliver->store = store;
    for (int service = 0; service < SANDBOX_SERVICES; service++)
        for (int mode = 0; mode < SANDBOX_MODES; mode++)
            (void)snprintf(deliver->secrets[service][mode], SANDBOX_ID_SIZE, "%s", secrets[service][mode]);
    if (metrics) {
        deliver->taken = dreamd_metrics_counter(metrics, name, help, "result=\"taken\"");
        deliver->refused = dreamd_metrics_counter(metrics, name, help, "result=\"refused\"");
    }
    deliver->client = dreamd_http_client_new();
    if (deliver->client && pthread_create(&deliver->thread, NULL, run, deliver) == 0)
        return deliver;
    release(deliver);
    return NULL;
}

bool sandbox_deliver_set_pin(sandbox_deliver *deliver, const char *pin)
{
    deliver->pin = pin ? strdup(pin) : NULL;
    return !pin || deliver->pin;
}

void sandbox_deliver_stop(sandbox_deliver *deliver)
{
    if (!deliver)
        return;
    (void)pthread_mutex_lock(&deliver->lock);
    deliver->is_stopping = true;
    (void)pthread_cond_signal(&deliver->changed);
    (void)pthread_mutex_unlock(&deliver->lock);
    (void)pthread_join(deliver->thread, NULL);
    release(deliver);
}
