/* SPDX-License-Identifier: Apache-2.0 */
/* admin.c - three GETs for the operator. Ready means: not draining, and the store answers. */
#include "service/admin.h"

#include <string.h>

#include "common/buffer.h"
#include "service/context.h"

#define JSON_TYPE "application/json"
#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

struct ready_check {
    dreamd_context *service;
    dreamd_request *request;
};

static void answer(dreamd_request *request, unsigned status, const char *text)
{
    dreamd_request_answer(request, status, JSON_TYPE, text, strlen(text));
}

static void answer_metrics(dreamd_context *service, dreamd_request *request)
{
    dream_buffer text = DREAM_BUFFER_INIT;

    dreamd_metrics_print(service->metrics, &text);
    if (text.is_failed)
        answer(request, 500, "{\"error\":\"Out of memory\"}");
    else
        dreamd_request_answer(request, 200, METRICS_TYPE, text.data, text.size);
    dream_buffer_clear(&text);
}

static dreamd_db_status ask(dreamd_db *db, void *arg)
{
    dreamd_rows *rows = NULL;
    dreamd_db_status status = dreamd_db_query(db, "SELECT 1", DREAMD_NO_PARAMS, &rows);

    (void)arg;
    if (status == DREAMD_DB_OK)
        status = dreamd_rows_next(rows) == DREAMD_DB_ROW ? DREAMD_DB_OK : DREAMD_DB_ERROR;
    dreamd_rows_finish(rows);
    return status;
}

static void on_asked(void *arg, dreamd_db_status status)
{
    struct ready_check *check = arg;
    dreamd_context *service = check->service;

    if (status == DREAMD_DB_OK)
        answer(check->request, 200, "{\"status\":\"ready\"}");
    else
        answer(check->request, 503, "{\"status\":\"the database does not answer\"}");
    dreamd_context_leave(service);
}

static void answer_ready(dreamd_context *service, dreamd_request *request)
{
    struct ready_check *check = dream_arena_alloc(dreamd_request_arena(request), sizeof *check);

    if (atomic_load(&service->is_draining)) {
        answer(request, 503, "{\"status\":\"draining\"}");
    } else if (!check) {
        answer(request, 503, "{\"status\":\"out of memory\"}");
    } else {
        *check = (struct ready_check){ service, request };
        dreamd_context_enter(service);
        dreamd_store_read(service->store, ask, on_asked, check);
    }
}

void dreamd_admin_handle(void *context, dreamd_request *request)
{
    const char *path = dreamd_request_path(request);
    bool is_get = strcmp(dreamd_request_method(request), "GET") == 0;

    if (is_get && strcmp(path, "/metrics") == 0)
        answer_metrics(context, request);
    else if (is_get && strcmp(path, "/health") == 0)
        answer(request, 200, "{\"status\":\"ok\"}");
    else if (is_get && strcmp(path, "/ready") == 0)
        answer_ready(context, request);
    else
        answer(request, 404, "{\"error\":\"Not found\"}");
}
