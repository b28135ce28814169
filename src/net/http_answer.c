/* SPDX-License-Identifier: Apache-2.0 */
/* http_answer.c - a request's answer as a response of libmicrohttpd, queued.
 * libmicrohttpd copies a response's headers one by one, three allocations each, and most answers of a service have the same ones but for
 * the request id. So a response whose headers are constant is kept once it is out, and serves the next answer of its kind (same
 * headers, same size) with another id and another body. It is one answer's at a time: out of the table while it is. */
#include "net/http_internal.h"

#include <stdlib.h>
#include <string.h>

#include "common/crypto.h"

enum { TYPE_SIZE = 64 };

static const char fallback_body[] = "{\"error\":\"Out of memory\"}";
static const char id_header[] = "X-Request-Id";

struct dreamd_kept_answer {
    struct MHD_Response *response;
    /* Its kind. */
    const dreamd_constant_header *constant_headers;
    bool is_https;
    char type[TYPE_SIZE];
    size_t size;
    char id[DREAMD_REQUEST_ID_MAX + 1]; /* what its header says now */
    char body[];                        /* wiped when it is out: answers may hold secrets */
};

/* ---- headers ---- */

/* What a browser must hear whoever answered: not to guess what an answer is, not to keep it, and to stay with TLS. */
static bool add_safe_headers(struct MHD_Response *response, const dreamd_request *request, unsigned has)
{
    bool is_done = true;
    if (!(has & DREAMD_HAS_NOSNIFF))
        is_done &= MHD_add_response_header(response, "X-Content-Type-Options", "nosniff") == MHD_YES;
    if (!(has & DREAMD_HAS_CACHE_CONTROL))
        is_done &= MHD_add_response_header(response, "Cache-Control", "no-store") == MHD_YES;
    if (request->is_https && !(has & DREAMD_HAS_TRANSPORT_SECURITY))
        is_done &= MHD_add_response_header(response, "Strict-Transport-Security", "max-age=31536000") == MHD_YES;
    return is_done;
}

static bool is_refused(const dreamd_request *request)
{
    return atomic_load(&request->claim) != DREAMD_BY_HANDLER;
}

/* The handler's lists are its own until it answers: when the server did, it may still be writing there. */
static bool add_handlers_headers(struct MHD_Response *response, const dreamd_request *request)
{
    unsigned has = request->has;
    bool is_done = true;
    for (const dreamd_answer_header *h = request->answer_headers; h; h = h->next)
        is_done &= MHD_add_response_header(response, h->name, h->value) == MHD_YES;
    for (const dreamd_constant_header *h = request->constant_headers; h && h->name; h++) {
        is_done &= MHD_add_response_header(response, h->name, h->value) == MHD_YES;
        has |= dreamd_safe_header_of(h->name);
    }
    return add_safe_headers(response, request, has) && is_done;
}

static bool add_headers(struct MHD_Response *response, const dreamd_request *request)
{
    bool is_done = MHD_add_response_header(response, id_header, request->id) == MHD_YES;
    if (request->answer_type)
        is_done &= MHD_add_response_header(response, "Content-Type", request->answer_type) == MHD_YES;
    if (request->status == MHD_HTTP_SERVICE_UNAVAILABLE && is_refused(request))
        is_done &= MHD_add_response_header(response, "Retry-After", "1") == MHD_YES;
    if (is_refused(request) || atomic_load(&request->server->is_stopping))
        is_done &= MHD_add_response_header(response, "Connection", "close") == MHD_YES;
    is_done &= is_refused(request) ? add_safe_headers(response, request, 0) : add_handlers_headers(response, request);
    return is_done;
}

/* ---- answers of their own ---- */

static struct MHD_Response *make_response(dreamd_request *request)
{
    const void *body = request->is_fallback ? fallback_body : request->answer;
    size_t size = request->is_fallback ? sizeof fallback_body - 1 : request->answer_size;
    if (request->answer_fd < 0)
        /* Persistent: the request lives until the completed callback, after the last byte was sent. */
        return MHD_create_response_from_buffer(size, (void *)(uintptr_t)body, MHD_RESPMEM_PERSISTENT);
    struct MHD_Response *response = MHD_create_response_from_fd64(size, request->answer_fd);
    if (response)
        request->answer_fd = -1; /* the response closes it */
    return response;
}

static enum MHD_Result queue_own(dreamd_request *request)
{
    enum MHD_Result result = MHD_NO;
    struct MHD_Response *response = make_response(request);
    if (!response)
        return MHD_NO;
    if (add_headers(response, request))
        result = MHD_queue_response(request->connection, request->status, response);
    MHD_destroy_response(response);
    return result;
}

/* ---- answers that are kept ---- */

/* Its body and its id are all that tells it from others of its kind. */
static bool may_be_kept(const dreamd_request *request)
{
    return !is_refused(request) && !request->answer_headers && !request->is_fallback && request->answer_fd < 0
           && request->answer_size <= DREAMD_ANSWER_KEPT_MAX
           && (!request->answer_type || strlen(request->answer_type) < TYPE_SIZE)
           && !atomic_load(&request->server->is_stopping);
}

static bool is_of_its_kind(const dreamd_kept_answer *kept, const dreamd_request *request)
{
    return kept->constant_headers == request->constant_headers && kept->size == request->answer_size
           && kept->is_https == request->is_https
           && strcmp(kept->type, request->answer_type ? request->answer_type : "") == 0;
}

static dreamd_kept_answer **place_of(dreamd_answers *answers, size_t size, const dreamd_constant_header *headers)
{
    return answers->kept[(size + (uintptr_t)headers / sizeof *headers) % DREAMD_ANSWER_KINDS];
}

/* NULL: none is there. */
static dreamd_kept_answer *take(dreamd_answers *answers, const dreamd_request *request)
{
    dreamd_kept_answer **place = place_of(answers, request->answer_size, request->constant_headers);
    dreamd_kept_answer *found = NULL;
    pthread_mutex_lock(&answers->lock);
    for (size_t i = 0; !found && i < DREAMD_ANSWERS_KEPT; i++) {
        if (!place[i] || !is_of_its_kind(place[i], request))
            continue;
        found = place[i];
        place[i] = NULL;
    }
    pthread_mutex_unlock(&answers->lock);
    return found;
}

static void kept_free(dreamd_kept_answer *kept)
{
    if (kept && kept->response)
        MHD_destroy_response(kept->response);
    free(kept);
}

static dreamd_kept_answer *kept_new(const dreamd_request *request)
{
    dreamd_kept_answer *kept = calloc(1, sizeof *kept + request->answer_size);
    if (!kept)
        return NULL;
    kept->constant_headers = request->constant_headers;
    kept->is_https = request->is_https;
    kept->size = request->answer_size;
    if (request->answer_type)
        memcpy(kept->type, request->answer_type, strlen(request->answer_type) + 1);
    memcpy(kept->id, request->id, sizeof kept->id);
    /* Persistent: nothing of this goes before it was destroyed. */
    kept->response = MHD_create_response_from_buffer(kept->size, kept->body, MHD_RESPMEM_PERSISTENT);
    if (kept->response && add_headers(kept->response, request))
        return kept;
    kept_free(kept);
    return NULL;
}

static bool set_id(dreamd_kept_answer *kept, const char *id)
{
    if (MHD_del_response_header(kept->response, id_header, kept->id) != MHD_YES
        || MHD_add_response_header(kept->response, id_header, id) != MHD_YES)
        return false;
    memcpy(kept->id, id, strlen(id) + 1);
    return true;
}

static dreamd_kept_answer *kept_for(dreamd_request *request)
{
    dreamd_kept_answer *kept = take(&request->server->answers, request);
    if (!kept)
        return kept_new(request);
    if (set_id(kept, request->id))
        return kept;
    kept_free(kept);
    return NULL;
}

enum MHD_Result dreamd_request_queue_answer(dreamd_request *request)
{
    if (!may_be_kept(request))
        return queue_own(request);
    request->kept = kept_for(request);
    if (!request->kept)
        return MHD_NO;
    if (request->answer_size > 0)
        memcpy(request->kept->body, request->answer, request->answer_size);
    return MHD_queue_response(request->connection, request->status, request->kept->response);
}

void dreamd_answers_put(dreamd_answers *answers, dreamd_request *request)
{
    dreamd_kept_answer *kept = request->kept;
    request->kept = NULL;
    if (!kept)
        return;
    dream_wipe(kept->body, kept->size);
    dreamd_kept_answer **place = place_of(answers, kept->size, kept->constant_headers);
    size_t i = 0;
    pthread_mutex_lock(&answers->lock);
    while (i < DREAMD_ANSWERS_KEPT - 1 && place[i])
        i++;
    /* Into the last one if none is free, so that kinds nobody asks for any more do not stay for good. */
    dreamd_kept_answer *replaced = place[i];
    place[i] = kept;
    pthread_mutex_unlock(&answers->lock);
    kept_free(replaced);
}

bool dreamd_answers_init(dreamd_answers *answers)
{
    return pthread_mutex_init(&answers->lock, NULL) == 0;
}

void dreamd_answers_clear(dreamd_answers *answers)
{
    for (size_t i = 0; i < DREAMD_ANSWER_KINDS; i++)
        for (size_t k = 0; k < DREAMD_ANSWERS_KEPT; k++)
            kept_free(answers->kept[i][k]);
    pthread_mutex_destroy(&answers->lock);
}
