/* SPDX-License-Identifier: Apache-2.0 */
/* stage.c - the stage of stage.h. The providers' server answers on its own threads, hence the mutex. */
#include "stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <ftw.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "common/timefmt.h"
#include "common/webhook.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include "service/store/keys.h"
#include "service/store/tenants.h"

enum { MAX_CALLS = 32, MAX_HEADERS = 6, WAIT_S = 20 };

static struct {
    pthread_mutex_t mutex;
    struct {
        char call[256];
        unsigned status;
        char body[4096];
        bool is_used;
    } told[MAX_CALLS];
    int told_count;
    struct {
        char call[256];
        char body[16384];
    } calls[MAX_CALLS];
    int call_count;
    dreamd_http_server *server;
    char *url;
} provider = { .mutex = PTHREAD_MUTEX_INITIALIZER };

dreamd_project stage_project = { .platform_id = "plt_1",
                                 .project_id = "prj_1",
                                 .publishable_key = STAGE_PK,
                                 .mode = DREAMD_LIVE,
                                 .type = "store",
                                 .name = "Shop" };
dreamd_store *stage_store;
dreamd_settings stage_settings;
char stage_folder[64];
static char db_path[96];
static dreamd_metrics *metrics;
static dreamd_service *service;
static dreamd_http_client *client;

/* ---- the providers ---- */

static bool add_query(void *context, const char *name, const char *value)
{
    char *call = context;
    size_t size = strlen(call);

    (void)snprintf(call + size, 256 - size, "%c%s=%s", strchr(call, '?') ? '&' : '?', name, value);
    return true;
}

static void play(void *context, dreamd_request *request)
{
    char call[256];
    unsigned status = 404;
    const char *answer = "{}";
    size_t size = 0;
    const char *body = dreamd_request_body(request, &size);

    (void)context;
    (void)snprintf(call, sizeof call, "%s %s", dreamd_request_method(request), dreamd_request_path(request));
    (void)dreamd_request_each_query(request, add_query, call);
    pthread_mutex_lock(&provider.mutex);
    if (provider.call_count < MAX_CALLS) {
        (void)snprintf(provider.calls[provider.call_count].call, sizeof call, "%s", call);
        (void)snprintf(provider.calls[provider.call_count].body, sizeof provider.calls[0].body, "%.*s", (int)size,
                       body ? body : "");
        provider.call_count++;
    }
    for (int i = 0; i < provider.told_count; i++) {
        if (provider.told[i].is_used || strcmp(provider.told[i].call, call) != 0)
            continue;
        provider.told[i].is_used = true;
        status = provider.told[i].status;
        answer = provider.told[i].body;
        break;
    }
    pthread_mutex_unlock(&provider.mutex);
    dreamd_request_answer(request, status, "application/json", answer, strlen(answer));
}

void stage_tell(const char *call, unsigned status, const char *body)
{
    pthread_mutex_lock(&provider.mutex);
    assert_true(provider.told_count < MAX_CALLS);
    (void)snprintf(provider.told[provider.told_count].call, sizeof provider.told[0].call, "%s", call);
    (void)snprintf(provider.told[provider.told_count].body, sizeof provider.told[0].body, "%s", body);
    provider.told[provider.told_count].status = status;
    provider.told[provider.told_count].is_used = false;
    provider.told_count++;
    pthread_mutex_unlock(&provider.mutex);
}

int stage_call_count(void)
{
    pthread_mutex_lock(&provider.mutex);
    int count = provider.call_count;
    pthread_mutex_unlock(&provider.mutex);
    return count;
}

/* What was kept does not change any more. */
const char *stage_call(int index)
{
    return index < stage_call_count() ? provider.calls[index].call : "";
}

const char *stage_call_body(int index)
{
    return index < stage_call_count() ? provider.calls[index].body : "";
}

/* ---- the client ---- */

struct question {
    pthread_mutex_t mutex;
    pthread_cond_t is_answered;
    bool is_done;
    stage_answer answer;
};

static void on_reply(void *context, const dreamd_reply *reply)
{
    struct question *question = context;

    pthread_mutex_lock(&question->mutex);
    question->is_done = true;
    question->answer.status = reply->status;
    (void)snprintf(question->answer.body, sizeof question->answer.body, "%s", reply->body ? reply->body : "");
    pthread_cond_signal(&question->is_answered);
    pthread_mutex_unlock(&question->mutex);
}

static stage_answer wait_answer(struct question *question)
{
    struct timespec until;
    int status = 0;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_S;
    pthread_mutex_lock(&question->mutex);
    while (!question->is_done && status == 0)
        status = pthread_cond_timedwait(&question->is_answered, &question->mutex, &until);
    pthread_mutex_unlock(&question->mutex);
    assert_int_equal(status, 0);
    return question->answer;
}

stage_answer stage_ask(const char *method, const char *path, const char *header, const char *body)
{
    struct question question = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, { 0, "" } };
    char url[512];
    char lines[1024] = "";
    const char *headers[MAX_HEADERS + 2] = { "Content-Type: application/json" };
    int count = 1;
    dreamd_outbound outbound = { .method = method,
                                 .url = url,
                                 .headers = headers,
                                 .body = body,
                                 .body_size = body ? strlen(body) : 0,
                                 .timeout_ms = WAIT_S * 1000,
                                 .max_response = 1 << 24 };

    (void)snprintf(lines, sizeof lines, "%s", header ? header : "");
    for (char *line = strtok(lines, "\n"); line && count <= MAX_HEADERS; line = strtok(NULL, "\n"))
        headers[count++] = line;
    (void)snprintf(url, sizeof url, "%s%s", dreamd_service_api_url(service), path);
    dreamd_http_client_send(client, &outbound, on_reply, &question);
    return wait_answer(&question);
}

stage_answer stage_deliver(const char *event)
{
    dream_buffer signature = DREAM_BUFFER_INIT;
    char header[256];
    stage_answer answer;

    assert_true(dream_stripe_signature_make(&signature, STAGE_SECRET, event, strlen(event), dream_wall_ms() / 1000));
    (void)snprintf(header, sizeof header, "Stripe-Signature: %s", signature.data);
    dream_buffer_clear(&signature);
    answer = stage_ask("POST", "/webhook/stripe", header, event);
    return answer;
}

const char *stage_api_url(void)
{
    return dreamd_service_api_url(service);
}

/* ---- setting up ---- */

static dreamd_db_status put_tenant(dreamd_db *db, void *arg)
{
    dreamd_platform platform = { .platform_id = "plt_1", .email = "dev@example.test" };
    dreamd_new_key key = { "plt_1", "prj_1", STAGE_PK, STAGE_SK, stage_settings.master_key };
    dreamd_stripe_account account = { .account_id = "acct_a", .access_token = "sk_acct" };
    dreamd_db_status status = dreamd_platform_insert(db, &platform, 1);

    (void)arg;
    if (status == DREAMD_DB_OK)
        status = dreamd_project_insert(db, &stage_project, 1);
    if (status == DREAMD_DB_OK)
        status = dreamd_key_insert(db, &key, 1, NULL);
    if (status == DREAMD_DB_OK)
        status = dreamd_stripe_account_put(db, "plt_1", DREAMD_LIVE, &account, stage_settings.master_key, 1);
    return status;
}

int stage_begin(dreamd_work *fill)
{
    static char secret_key[] = "sk_provider";
    static char webhook_secret[] = STAGE_SECRET;
    static char frontend_url[] = STAGE_APP;
    dreamd_http_server_options standin = { .name = "standin", .listen = "127.0.0.1:0", .handler = play };
    char error[256] = "";

    const char *base = getenv("TMPDIR");

    (void)snprintf(stage_folder, sizeof stage_folder, "%.40s/test-stage-XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(stage_folder))
        return -1;
    (void)snprintf(db_path, sizeof db_path, "%s/service.db", stage_folder);
    provider.told_count = 0;
    provider.call_count = 0;
    provider.server = dreamd_http_server_start(&standin, error);
    assert_non_null(provider.server);
    provider.url = strdup(dreamd_http_server_url(provider.server));
    stage_settings = (dreamd_settings){ .frontend_url = frontend_url };
    stage_settings.clerk_end_user[DREAMD_LIVE] = (dreamd_clerk_settings){ provider.url, secret_key, NULL };
    stage_settings.stripe[DREAMD_LIVE] = (dreamd_stripe_settings){ provider.url, secret_key, webhook_secret };
    metrics = dreamd_metrics_new();
    assert_true(dreamd_store_migrate(db_path, error));
    stage_store = dreamd_store_open(db_path, metrics, error);
    assert_non_null(stage_store);
    assert_int_equal(dreamd_store_write_now(stage_store, put_tenant, NULL), DREAMD_DB_OK);
    if (fill)
        assert_int_equal(dreamd_store_write_now(stage_store, fill, NULL), DREAMD_DB_OK);
    client = dreamd_http_client_new();
    char assets[96];
    (void)snprintf(assets, sizeof assets, "%s/assets", stage_folder);
    dreamd_service_options options = { &stage_settings, stage_store, metrics, "127.0.0.1:0", "127.0.0.1:0", assets };
    service = dreamd_service_start(&options, error);
    if (!service)
        fail_msg("%s", error);
    return 0;
}

static int remove_entry(const char *path, const struct stat *facts, int kind, struct FTW *place)
{
    (void)facts;
    (void)kind;
    (void)place;
    return remove(path);
}

int stage_end(void)
{
    dreamd_service_stop(service, 1000);
    dreamd_http_client_free(client);
    dreamd_http_server_stop(provider.server, 1000);
    dreamd_store_close(stage_store);
    dreamd_metrics_free(metrics);
    free(provider.url);
    return nftw(stage_folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}
