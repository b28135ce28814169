/* SPDX-License-Identifier: Apache-2.0 */
/* access.c - one request: whose is it, and may they now? Nothing here waits. A token that was seen a moment ago and a use with units at hand are
 * answered on the spot; else the request is parked, as auth_request does it, until the client's thread has checked the token, or has units.
 *
 * A request is admitted once, however often nginx sends it on to another location (index, try_files, error_page): its visit is found again
 * through the request's pool, as nginx forgets contexts on the way. */
#include "module.h"

/* How long a request without units sleeps before it asks again: twice as long each time. */
#define FIRST_PAUSE_MS 1
#define LAST_PAUSE_MS 32

static void end_visit(void *data)
{
    ngx_dreamapi_visit *visit = data;

    if (visit->sleep == NULL)
        return;
    if (visit->sleep->timer.timer_set)
        ngx_del_timer(&visit->sleep->timer);
    dreamapi_call_free(visit->sleep->call);
    visit->sleep->call = NULL;
}

ngx_dreamapi_visit *ngx_dreamapi_visit_of(ngx_http_request_t *r)
{
    ngx_dreamapi_visit *visit = ngx_http_get_module_ctx(r->main, ngx_http_dreamapi_module);

    if (visit != NULL || !r->main->internal)
        return visit;
    for (ngx_pool_cleanup_t *one = r->main->pool->cleanup; one != NULL; one = one->next) {
        if (one->handler == end_visit)
            return one->data;
    }
    return NULL;
}

/* The visit may be gone afterwards. */
static void wake(ngx_dreamapi_visit *visit)
{
    ngx_http_request_t *r = visit->request;
    ngx_connection_t *c = r->connection;

    visit->is_parked = 0;
    if (visit->sleep->timer.timer_set)
        ngx_del_timer(&visit->sleep->timer);
    ngx_http_core_run_phases(r);
    ngx_http_run_posted_requests(c);
}

static void on_time(ngx_event_t *timer)
{
    ngx_dreamapi_visit *visit = timer->data;

    if (visit->sleep->call != NULL) {
        dreamapi_call_free(visit->sleep->call);
        visit->sleep->call = NULL;
        visit->sleep->verdict = DREAMAPI_TIMEOUT;
    }
    wake(visit);
}

/* Gives the request what it needs to sleep; all its sleeps together last as long as its location lets it wait. */
static ngx_int_t prepare_sleep(ngx_dreamapi_visit *visit)
{
    ngx_http_request_t *r = visit->request;
    ngx_dreamapi_loc_conf *conf = ngx_http_get_module_loc_conf(r, ngx_http_dreamapi_module);

    if (visit->sleep != NULL)
        return NGX_OK;
    visit->sleep = ngx_pcalloc(r->pool, sizeof(*visit->sleep));
    if (visit->sleep == NULL)
        return NGX_ERROR;
    visit->sleep->verdict = DREAMAPI_PENDING;
    visit->sleep->gives_up_at = ngx_current_msec + conf->wait;
    visit->sleep->pause_ms = FIRST_PAUSE_MS;
    visit->sleep->timer.handler = on_time;
    visit->sleep->timer.data = visit;
    visit->sleep->timer.log = r->connection->log;
    return NGX_OK;
}

static ngx_msec_int_t left_ms(const ngx_dreamapi_visit *visit)
{
    return (ngx_msec_int_t)(visit->sleep->gives_up_at - ngx_current_msec);
}

/* Lets the request sleep: access is asked again when it wakes. */
static ngx_int_t park(ngx_dreamapi_visit *visit, ngx_msec_int_t sleep_ms)
{
    visit->is_parked = 1;
    ngx_add_timer(&visit->sleep->timer, (ngx_msec_t)ngx_max(sleep_ms, 1));
    return NGX_AGAIN;
}

static ngx_dreamapi_visit *begin_visit(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t *cleanup = ngx_pool_cleanup_add(r->pool, sizeof(ngx_dreamapi_visit));
    ngx_dreamapi_visit *visit;

    if (cleanup == NULL)
        return NULL;
    visit = cleanup->data;
    ngx_memzero(visit, sizeof(*visit));
    visit->request = r;
    visit->remaining = -1;
    cleanup->handler = end_visit;
    ngx_http_set_ctx(r, visit, ngx_http_dreamapi_module);
    return visit;
}

/* ---- whose request is it? ---- */

/* The text after "Bearer ", in place. It ends with a NUL, as nginx ends header values. */
static ngx_int_t find_token(const ngx_http_request_t *r, ngx_str_t *out_token)
{
    static const ngx_str_t scheme = ngx_string("Bearer ");
    const ngx_table_elt_t *header = r->headers_in.authorization;

    if (header == NULL || header->value.len <= scheme.len
        || ngx_strncasecmp(header->value.data, scheme.data, scheme.len) != 0)
        return NGX_DECLINED;
    out_token->data = header->value.data + scheme.len;
    out_token->len = header->value.len - scheme.len;
    while (out_token->len > 0 && *out_token->data == ' ') {
        out_token->data++;
        out_token->len--;
    }
    return out_token->len > 0 ? NGX_OK : NGX_DECLINED;
}

static ngx_int_t know_user(ngx_dreamapi_visit *visit, const char *user_id)
{
    size_t size = ngx_strlen(user_id) + 1;
    char *copy = ngx_pnalloc(visit->request->pool, size);

    if (copy == NULL)
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    ngx_memcpy(copy, user_id, size);
    visit->user_id = copy;
    return NGX_OK;
}

static ngx_int_t start_verifying(ngx_dreamapi_visit *visit, const ngx_str_t *token)
{
    ngx_dreamapi_sleep *sleep;
    dreamapi_error error;
    dreamapi_status status;

    if (prepare_sleep(visit) != NGX_OK)
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    sleep = visit->sleep;
    sleep->token = *token;
    status = dreamapi_token_verify_start(ngx_dreamapi.client, (const char *)token->data, &ngx_dreamapi.rules, NULL,
                                         &sleep->call, &error);
    if (status != DREAMAPI_OK) {
        ngx_log_error(NGX_LOG_WARN, visit->request->connection->log, 0, "dreamapi: %s", error.message);
        sleep->verdict = status;
        return ngx_dreamapi_refuse_token(visit->request, status);
    }
    dreamapi_call_set_user_data(sleep->call, visit);
    return park(visit, left_ms(visit));
}

/* The visit's call is finished: takes what it says, and frees it. */
static void take_verdict(ngx_dreamapi_visit *visit)
{
    ngx_dreamapi_sleep *sleep = visit->sleep;
    dreamapi_token *token = NULL;
    dreamapi_error error;

    sleep->verdict = dreamapi_token_result(sleep->call, &token, &error);
    dreamapi_call_free(sleep->call);
    sleep->call = NULL;
    if (sleep->verdict == DREAMAPI_OK) {
        if (know_user(visit, dreamapi_token_user_id(token)) != NGX_OK)
            sleep->verdict = DREAMAPI_NOMEM;
        ngx_dreamapi_tokens_keep(&sleep->token, token, ngx_dreamapi.rules.skew_ms);
        dreamapi_token_free(token);
    } else {
        /* A refused token is every scanner's; that none can be verified is the operator's to know. */
        int is_refused = sleep->verdict == DREAMAPI_AUTH || sleep->verdict == DREAMAPI_FORBIDDEN;
        ngx_uint_t level = is_refused ? NGX_LOG_INFO : NGX_LOG_WARN;
        ngx_log_error(level, visit->request->connection->log, 0, "dreamapi: a token was not verified: %s",
                      error.message);
    }
}

void ngx_dreamapi_take_verified(dreamapi_client *client)
{
    dreamapi_call *call;

    while ((call = dreamapi_client_next(client)) != NULL) {
        ngx_dreamapi_visit *visit = dreamapi_call_user_data(call);
        take_verdict(visit);
        wake(visit);
    }
}

static ngx_int_t authenticate(ngx_dreamapi_visit *visit)
{
    const char *user_id;
    ngx_str_t token;

    if (visit->sleep != NULL)
        return ngx_dreamapi_refuse_token(visit->request, visit->sleep->verdict);
    if (find_token(visit->request, &token) != NGX_OK)
        return ngx_dreamapi_refuse_nobody(visit->request);
    user_id = ngx_dreamapi_tokens_find(&token);
    return user_id != NULL ? know_user(visit, user_id) : start_verifying(visit, &token);
}

/* ---- may they now? ---- */

static ngx_int_t admit(ngx_dreamapi_visit *visit)
{
    const char *meter = visit->meter.len > 0 ? (const char *)visit->meter.data : NULL;
    dreamapi_decision decision;
    dreamapi_status status;

    status = dreamapi_client_use(ngx_dreamapi.client, visit->user_id, meter, visit->units, &decision);
    visit->plan = decision.plan;
    visit->remaining = decision.remaining;
    if (status == DREAMAPI_OK) {
        visit->is_admitted = 1;
        return NGX_OK;
    }
    /* Of all refusals this one alone says that the service was not heard yet. */
    if (decision.reason != DREAMAPI_REASON_EMPTY)
        return ngx_dreamapi_refuse_use(visit->request, status, &decision);
    if (prepare_sleep(visit) != NGX_OK)
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    if (left_ms(visit) > 0) {
        ngx_msec_int_t pause_ms = ngx_min((ngx_msec_int_t)visit->sleep->pause_ms, left_ms(visit));
        visit->sleep->pause_ms = ngx_min(visit->sleep->pause_ms * 2, LAST_PAUSE_MS);
        return park(visit, pause_ms);
    }
    return ngx_dreamapi_refuse_use(visit->request, status, &decision);
}

/* What the location asks for a request, as `dreamapi_units` says; NGX_DECLINED: nothing. */
static ngx_int_t count_units(ngx_http_request_t *r, const ngx_dreamapi_loc_conf *conf, int64_t *out_units)
{
    ngx_str_t text;
    ngx_int_t units;

    *out_units = 1;
    if (conf->units == NULL)
        return NGX_OK;
    if (ngx_http_complex_value(r, conf->units, &text) != NGX_OK)
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    units = ngx_atoi(text.data, text.len);
    if (units == NGX_ERROR || units > DREAMAPI_MAX_UNITS) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0, "\"dreamapi_units\" is \"%V\" here, not 0 to %d", &text,
                      DREAMAPI_MAX_UNITS);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    *out_units = units;
    return units > 0 ? NGX_OK : NGX_DECLINED;
}

static int is_same(const ngx_str_t *a, const ngx_str_t *b)
{
    return a->len == b->len && ngx_strncmp(a->data, b->data, a->len) == 0;
}

static int has_paid(const ngx_dreamapi_visit *visit, const ngx_str_t *meter)
{
    for (const ngx_dreamapi_paid *one = visit->paid; one != NULL; one = one->next) {
        if (is_same(&one->meter, meter))
            return 1;
    }
    return 0;
}

/* Notes what was paid before the visit becomes one of another meter. */
static ngx_int_t change_meter(ngx_dreamapi_visit *visit, const ngx_str_t *meter)
{
    ngx_dreamapi_paid *one;

    if (visit->is_admitted && !has_paid(visit, &visit->meter)) {
        one = ngx_palloc(visit->request->pool, sizeof(*one));
        if (one == NULL)
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        *one = (ngx_dreamapi_paid){ visit->meter, visit->paid };
        visit->paid = one;
    }
    visit->meter = *meter;
    visit->is_admitted = has_paid(visit, meter);
    return NGX_OK;
}

/* Makes the visit one of this location: a request that was sent on from another one may have to pay here too. */
static ngx_int_t arrive(ngx_http_request_t *r, ngx_dreamapi_visit **visit)
{
    ngx_dreamapi_loc_conf *conf = ngx_http_get_module_loc_conf(r, ngx_http_dreamapi_module);
    int64_t units;
    ngx_int_t rc;

    if (*visit != NULL && ((*visit)->is_parked || is_same(&(*visit)->meter, &conf->meter)))
        return NGX_OK;
    rc = count_units(r, conf, &units);
    if (rc != NGX_OK)
        return rc;
    if (*visit == NULL && (*visit = begin_visit(r)) == NULL)
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    (*visit)->units = units;
    return change_meter(*visit, &conf->meter);
}

ngx_int_t ngx_dreamapi_access(ngx_http_request_t *r)
{
    static const dreamapi_decision no_client = { .limit = -1, .used = -1, .remaining = -1, .retry_after_ms = -1 };
    ngx_dreamapi_loc_conf *conf = ngx_http_get_module_loc_conf(r, ngx_http_dreamapi_module);
    ngx_dreamapi_visit *visit;
    ngx_int_t rc;

    if (!conf->is_metered)
        return NGX_DECLINED;
    visit = ngx_dreamapi_visit_of(r);
    rc = arrive(r, &visit);
    if (rc != NGX_OK)
        return rc;
    if (visit->is_parked) /* something else on the connection woke the request */
        return NGX_AGAIN;
    if (visit->is_admitted)
        return NGX_OK;
    if (ngx_dreamapi.client == NULL)
        return ngx_dreamapi_refuse_use(r, DREAMAPI_UNAVAILABLE, &no_client);
    if (visit->user_id == NULL && (rc = authenticate(visit)) != NGX_OK)
        return rc;
    return admit(visit);
}
