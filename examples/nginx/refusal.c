/* SPDX-License-Identifier: Apache-2.0 */
/* refusal.c - what a request that was not admitted is answered: the same status, headers and JSON as the Python package's middleware gives.
 * A location with an error_page for the status decides on the body itself. What is not the visitor's doing is 503, and fails closed. */
#include "module.h"

/* A retry_after_ms of -1: no Retry-After. A limit or use of -1: not in the body; no limit at all: null. */
typedef struct {
    ngx_uint_t status;
    const char *error;
    int64_t retry_after_ms;
    int64_t limit;
    int64_t used;
} refusal;

static ngx_int_t add_header(ngx_http_request_t *r, const char *name, u_char *value, size_t size)
{
    ngx_table_elt_t *header = ngx_list_push(&r->headers_out.headers);

    if (header == NULL)
        return NGX_ERROR;
    ngx_memzero(header, sizeof(*header));
    header->hash = 1;
    header->key.data = (u_char *)name;
    header->key.len = ngx_strlen(name);
    header->value.data = value;
    header->value.len = size;
    /* nginx takes it back where `satisfy any` lets somebody in by other means. */
    if (ngx_strcmp(name, "WWW-Authenticate") == 0)
        r->headers_out.www_authenticate = header;
    return NGX_OK;
}

static ngx_int_t add_headers(ngx_http_request_t *r, const refusal *why)
{
    u_char *seconds;

    if (add_header(r, "Cache-Control", (u_char *)"no-store", sizeof("no-store") - 1) != NGX_OK)
        return NGX_ERROR;
    if (why->status == NGX_HTTP_UNAUTHORIZED
        && add_header(r, "WWW-Authenticate", (u_char *)"Bearer", sizeof("Bearer") - 1) != NGX_OK)
        return NGX_ERROR;
    if (why->retry_after_ms <= 0)
        return NGX_OK;
    seconds = ngx_pnalloc(r->pool, NGX_INT64_LEN);
    if (seconds == NULL)
        return NGX_ERROR;
    /* Rounded up: sooner would be too soon. */
    return add_header(r, "Retry-After", seconds,
                      (size_t)(ngx_sprintf(seconds, "%L", (why->retry_after_ms + 999) / 1000) - seconds));
}

/* Whether nginx itself has the answer: an error_page, or another way in that `satisfy any` is yet to try. */
static int is_answered_by_nginx(ngx_http_request_t *r, ngx_uint_t status)
{
    ngx_http_core_loc_conf_t *core = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
    ngx_http_err_page_t *page;

    if (core->satisfy == NGX_HTTP_SATISFY_ANY && (status == NGX_HTTP_UNAUTHORIZED || status == NGX_HTTP_FORBIDDEN))
        return 1;
    if (core->error_pages == NULL)
        return 0;
    page = core->error_pages->elts;
    for (ngx_uint_t i = 0; i < core->error_pages->nelts; i++) {
        if (page[i].status == (ngx_int_t)status)
            return 1;
    }
    return 0;
}

static ngx_int_t send_json(ngx_http_request_t *r, const refusal *why)
{
    static ngx_str_t type = ngx_string("application/json");
    size_t size = ngx_strlen(why->error) + 2 * NGX_INT64_LEN + sizeof("{\"error\": \"\", \"limit\": , \"used\": }");
    u_char *text = ngx_pnalloc(r->pool, size);
    ngx_http_complex_value_t body;
    u_char *end;

    if (text == NULL)
        return NGX_ERROR;
    end = ngx_sprintf(text, "{\"error\": \"%s\"", why->error);
    if (why->limit == DREAMAPI_UNLIMITED)
        end = ngx_sprintf(end, ", \"limit\": null");
    else if (why->limit >= 0)
        end = ngx_sprintf(end, ", \"limit\": %L", why->limit);
    if (why->used >= 0)
        end = ngx_sprintf(end, ", \"used\": %L", why->used);
    *end++ = '}';
    ngx_memzero(&body, sizeof(body));
    body.value.data = text;
    body.value.len = (size_t)(end - text);
    return ngx_http_send_response(r, why->status, &type, &body);
}

static ngx_int_t refuse(ngx_http_request_t *r, const refusal *why)
{
    if (add_headers(r, why) != NGX_OK)
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    if (is_answered_by_nginx(r, why->status))
        return (ngx_int_t)why->status;
    ngx_http_finalize_request(r, send_json(r, why));
    return NGX_DONE;
}

ngx_int_t ngx_dreamapi_refuse_nobody(ngx_http_request_t *r)
{
    return refuse(r, &(refusal){ NGX_HTTP_UNAUTHORIZED, "Authentication required", -1, -1, -1 });
}

ngx_int_t ngx_dreamapi_refuse_token(ngx_http_request_t *r, dreamapi_status verdict)
{
    if (verdict == DREAMAPI_FORBIDDEN)
        return refuse(r, &(refusal){ NGX_HTTP_FORBIDDEN, "Token of another project", -1, -1, -1 });
    if (verdict == DREAMAPI_AUTH)
        return refuse(r, &(refusal){ NGX_HTTP_UNAUTHORIZED, "Token refused", -1, -1, -1 });
    return refuse(r, &(refusal){ NGX_HTTP_SERVICE_UNAVAILABLE, "Authentication unavailable", 1000, -1, -1 });
}

ngx_int_t ngx_dreamapi_refuse_use(ngx_http_request_t *r, dreamapi_status status, const dreamapi_decision *decision)
{
    refusal why = { NGX_HTTP_SERVICE_UNAVAILABLE, "Metering unavailable", decision->retry_after_ms, decision->limit,
                    decision->used };

    switch (status) {
    case DREAMAPI_LIMIT:
        why.status = 402;
        why.error = "Tier limit reached";
        break;
    case DREAMAPI_RATE_LIMITED:
        why.status = NGX_HTTP_TOO_MANY_REQUESTS;
        why.error = "Too many requests";
        break;
    case DREAMAPI_NOT_FOUND:
        why.status = NGX_HTTP_FORBIDDEN;
        why.error = "No such customer";
        break;
    default:
        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0, "dreamapi: a use could not be decided: %s",
                      dreamapi_status_name(status));
        break;
    }
    if (why.retry_after_ms <= 0 && why.status != 402 && why.status != NGX_HTTP_FORBIDDEN)
        why.retry_after_ms = 1000;
    return refuse(r, &why);
}
