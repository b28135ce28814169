/* SPDX-License-Identifier: Apache-2.0 */
/* served.c - see served.h. */
#include "served.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/json.h"
#include "common/timefmt.h"
#include "net/log.h"
#include "service/store/check.h"
#include "service/store/customers.h"
#include "service/store/row.h"
#include "service/store/tiers.h"

enum { INPUTS_A_STAGE = 256, PATIENCE_MS = 20000 };

static int inputs;
static bool is_up;

/* The service's clock starts on a day in the middle of a month, whenever this runs: the periods that seeds name stay open. */
int64_t __real_dream_wall_ms(void);
int64_t __wrap_dream_wall_ms(void);

static int64_t clock_shift_ms;

int64_t __wrap_dream_wall_ms(void)
{
    return __real_dream_wall_ms() + clock_shift_ms;
}

static dreamd_db_status put_tier(dreamd_db *db, const char *name, int64_t limit, const char *mode)
{
    dreamd_tier tier = DREAMD_TIER_INIT;

    tier.name = name;
    tier.display_name = name;
    tier.price_minor = 900;
    tier.limit = limit;
    tier.rate_limit = DREAMD_UNLIMITED;
    tier.price_id = name;
    tier.billing_mode = mode;
    tier.meters_json = "{\"tokens\":{\"limit\":50}}";
    return dreamd_tier_insert(db, &stage_project, &tier, 1);
}

static dreamd_db_status fill(dreamd_db *db, void *arg)
{
    dreamd_db_status status = put_tier(db, "free", 100, "subscription");

    (void)arg;
    if (status == DREAMD_DB_OK)
        status = put_tier(db, "pro", DREAMD_UNLIMITED, "subscription");
    if (status == DREAMD_DB_OK)
        status = put_tier(db, "shirt", DREAMD_UNLIMITED, "one_off");
    if (status == DREAMD_DB_OK)
        status = dreamd_customer_ensure(db, &stage_project, "user_1", "a@example.test", 1);
    return status;
}

static void end(void)
{
    if (is_up)
        (void)stage_end();
    is_up = false;
}

void served_begin(void)
{
    static char clerk_secret[] = SERVED_CLERK_SECRET;

    if (inputs++ % INPUTS_A_STAGE != 0)
        return;
    if (inputs == 1) {
        (void)atexit(end);
        clock_shift_ms = SERVED_BEGINS_MS - __real_dream_wall_ms();
    }
    end();
    dreamd_log_set_level(DREAMD_LOG_ERROR);
    FUZZ_CHECK(stage_begin(fill) == 0);
    stage_settings.clerk_end_user[DREAMD_LIVE].webhook_secret = clerk_secret;
    is_up = true;
}

static int connect_to_service(int64_t patience_ms)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    struct timeval patience = { .tv_sec = patience_ms / 1000, .tv_usec = patience_ms % 1000 * 1000 };
    const char *port = strrchr(stage_api_url(), ':');
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_port = htons((uint16_t)atoi(port + 1));
    FUZZ_CHECK(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
    FUZZ_CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0);
    return fd;
}

void served_send(const void *bytes, size_t size, int64_t patience_ms, served_answer *out)
{
    char piece[4096];
    ssize_t got;
    int fd = connect_to_service(patience_ms);

    *out = (served_answer){ .bytes = DREAM_BUFFER_INIT };
    /* It may close before it has read all. */
    (void)send(fd, bytes, size, MSG_NOSIGNAL);
    (void)shutdown(fd, SHUT_WR);
    while ((got = recv(fd, piece, sizeof(piece), 0)) > 0)
        dream_buffer_append(&out->bytes, piece, (size_t)got);
    (void)close(fd);
    if (out->bytes.size == 0)
        return;
    FUZZ_CHECK(sscanf(out->bytes.data, "HTTP/1.%*1[01] %d ", &out->status) == 1);
    out->body = strstr(out->bytes.data, "\r\n\r\n");
    FUZZ_CHECK(out->body != NULL);
    out->body += 4;
}

static void check_answer(const served_answer *answer)
{
    size_t size;
    cJSON *json;

    if (answer->status == 0)
        return;
    FUZZ_CHECK(answer->status >= 200 && answer->status < 600);
    /* The contract has other 500s: a webhook whose provider failed comes again. */
    FUZZ_CHECK(strstr(answer->body, "\"error\":\"Internal error\"") == NULL);
    size = answer->bytes.size - (size_t)(answer->body - answer->bytes.data);
    if (size == 0 || strstr(answer->bytes.data, "application/json") == NULL)
        return;
    json = dream_json_parse(answer->body, size, NULL);
    FUZZ_CHECK(json != NULL);
    cJSON_Delete(json);
}

void served_ask(const served_request *request, served_answer *out)
{
    dream_buffer bytes = DREAM_BUFFER_INIT;

    dream_buffer_printf(&bytes,
                        "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nAuthorization: Bearer " STAGE_SK
                        "\r\nContent-Type: application/json\r\n%sContent-Length: %zu\r\n\r\n",
                        request->method, request->target, request->headers ? request->headers : "", request->size);
    dream_buffer_append(&bytes, request->body, request->size);
    FUZZ_CHECK(!bytes.is_failed);
    served_send(bytes.data, bytes.size, PATIENCE_MS, out);
    dream_buffer_clear(&bytes);
    if (strcmp(request->method, "HEAD") != 0)
        check_answer(out);
}

void served_answer_clear(served_answer *answer)
{
    dream_buffer_clear(&answer->bytes);
}

/* Made by a report: the only leases without a plan. */
static bool may_exceed_limit(dreamd_db *db)
{
    bool is_found = false;

    FUZZ_CHECK(
        dreamd_row_exists(db,
                          "SELECT 1 FROM usage_counts c WHERE used + held + lost - written_off > highest_limit AND "
                          "used + held + lost - written_off - COALESCE((SELECT SUM(granted) FROM leases l WHERE "
                          "l.plan = '' AND l.user_id = c.user_id AND l.meter = c.meter AND "
                          "l.period_start_day = c.period_start_day), 0) > highest_limit",
                          DREAMD_NO_PARAMS, &is_found)
        == DREAMD_DB_OK);
    return !is_found;
}

typedef struct broken {
    dreamd_db *db;
    int count;
} broken;

static void report(void *context, const char *rule, const char *what)
{
    broken *b = context;

    if (strcmp(rule, "count-is-within-limit") == 0 && may_exceed_limit(b->db))
        return;
    (void)fprintf(stderr, "the store breaks \"%s\": %s\n", rule, what);
    b->count++;
}

static dreamd_db_status check(dreamd_db *db, void *arg)
{
    broken b = { .db = db };
    int64_t violations = 0;
    dreamd_db_status status = dreamd_check(db, dream_wall_ms(), report, &b, &violations);

    *(int *)arg = b.count;
    return status;
}

void served_check_store(void)
{
    int count = -1;

    FUZZ_CHECK(dreamd_store_read_now(stage_store, check, &count) == DREAMD_DB_OK);
    FUZZ_CHECK(count == 0);
}
