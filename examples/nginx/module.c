/* SPDX-License-Identifier: Apache-2.0 */
/* module.c - an nginx module that lets in who has a token and units left, and counts them: the module's definition, what a worker makes after
 * its fork and lets go of at its end, and the variables. See README.md.
 *
 * Each worker has a client of its own, and all name the same journal: they share its leases, and one that is killed loses no count. */
#include "module.h"

ngx_dreamapi_worker ngx_dreamapi;

static void on_readable(ngx_event_t *event)
{
    (void)event;
    ngx_dreamapi_take_verified(ngx_dreamapi.client);
}

/* The client's descriptor is readable for as long as something is there to be taken: not edge-triggered, as nginx's own mostly are. */
static ngx_int_t watch(ngx_cycle_t *cycle)
{
    ngx_connection_t *c = ngx_get_connection(dreamapi_client_fd(ngx_dreamapi.client), cycle->log);

    if (c == NULL)
        return NGX_ERROR;
    ngx_dreamapi.connection = c;
    c->read->handler = on_readable;
    c->read->log = cycle->log;
    return ngx_add_event(c->read, NGX_READ_EVENT, 0);
}

static void unwatch(void)
{
    if (ngx_dreamapi.connection == NULL)
        return;
    (void)ngx_del_event(ngx_dreamapi.connection->read, NGX_READ_EVENT, 0);
    ngx_free_connection(ngx_dreamapi.connection);
    ngx_dreamapi.connection->fd = (ngx_socket_t)-1; /* the client's, which closes it */
    ngx_dreamapi.connection = NULL;
}

/* A worker that could not make a client goes on: what is not metered is served, what is metered is answered 503. Ending it instead would
 * have nginx's master give up all workers, of a running server at its next reload. */
static ngx_int_t begin_worker(ngx_cycle_t *cycle)
{
    ngx_dreamapi_main_conf *conf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_dreamapi_module);
    dreamapi_error error;

    /* The processes that look after caches are no workers. */
    if (conf == NULL || !conf->is_used || (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE))
        return NGX_OK;
    ngx_dreamapi.rules = (dreamapi_token_params)DREAMAPI_TOKEN_PARAMS_INIT;
    ngx_dreamapi.rules.issuer = (const char *)conf->issuer.data;
    ngx_dreamapi.rules.audience = (const char *)conf->audience.data;
    if (conf->authorized_parties != NULL)
        ngx_dreamapi.rules.authorized_parties = conf->authorized_parties->elts;
    if (dreamapi_client_new(conf->options, &ngx_dreamapi.client, &error) != DREAMAPI_OK) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0, "dreamapi: %s Metered requests are refused.", error.message);
        return NGX_OK;
    }
    return watch(cycle);
}

/* After the last request of a graceful end. What is not settled within `dreamapi_close_timeout` stays in the journal. */
static void end_worker(ngx_cycle_t *cycle)
{
    (void)cycle;
    unwatch();
    dreamapi_client_free(ngx_dreamapi.client);
    ngx_dreamapi.client = NULL;
    ngx_dreamapi_tokens_forget();
}

/* ---- variables ---- */

static ngx_int_t set_value(ngx_http_variable_value_t *value, const char *text)
{
    value->valid = 1;
    value->no_cacheable = 0;
    value->not_found = 0;
    value->len = (unsigned)ngx_strlen(text);
    value->data = (u_char *)text;
    return NGX_OK;
}

static ngx_int_t get_user_id(ngx_http_request_t *r, ngx_http_variable_value_t *value, uintptr_t data)
{
    ngx_dreamapi_visit *visit = ngx_dreamapi_visit_of(r);

    (void)data;
    return set_value(value, visit != NULL && visit->user_id != NULL ? visit->user_id : "");
}

static ngx_int_t get_plan(ngx_http_request_t *r, ngx_http_variable_value_t *value, uintptr_t data)
{
    ngx_dreamapi_visit *visit = ngx_dreamapi_visit_of(r);

    (void)data;
    return set_value(value, visit != NULL && visit->plan != NULL ? visit->plan : "");
}

static ngx_int_t get_remaining(ngx_http_request_t *r, ngx_http_variable_value_t *value, uintptr_t data)
{
    ngx_dreamapi_visit *visit = ngx_dreamapi_visit_of(r);
    int64_t remaining = visit != NULL ? visit->remaining : -1;
    u_char *text;

    (void)data;
    if (remaining < 0)
        return set_value(value, "");
    if (remaining == DREAMAPI_UNLIMITED)
        return set_value(value, "unlimited");
    text = ngx_pnalloc(r->pool, NGX_INT64_LEN + 1);
    if (text == NULL)
        return NGX_ERROR;
    *ngx_sprintf(text, "%L", remaining) = '\0';
    return set_value(value, (const char *)text);
}

static ngx_http_variable_t variables[] = {
    { ngx_string("dreamapi_user_id"), NULL, get_user_id, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },
    { ngx_string("dreamapi_plan"), NULL, get_plan, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },
    { ngx_string("dreamapi_remaining"), NULL, get_remaining, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },
    ngx_http_null_variable,
};

/* ---- the module ---- */

static ngx_int_t add_variables(ngx_conf_t *cf)
{
    for (ngx_http_variable_t *one = variables; one->name.len > 0; one++) {
        ngx_http_variable_t *added = ngx_http_add_variable(cf, &one->name, one->flags);
        if (added == NULL)
            return NGX_ERROR;
        added->get_handler = one->get_handler;
    }
    return NGX_OK;
}

static ngx_int_t finish(ngx_conf_t *cf)
{
    ngx_http_core_main_conf_t *core = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
    ngx_http_handler_pt *handler = ngx_array_push(&core->phases[NGX_HTTP_ACCESS_PHASE].handlers);

    if (handler == NULL)
        return NGX_ERROR;
    *handler = ngx_dreamapi_access;
    return ngx_dreamapi_finish_settings(cf);
}

static ngx_http_module_t context = {
    .preconfiguration = add_variables,
    .postconfiguration = finish,
    .create_main_conf = ngx_dreamapi_create_main_conf,
    .create_loc_conf = ngx_dreamapi_create_loc_conf,
    .merge_loc_conf = ngx_dreamapi_merge_loc_conf,
};

/* clang-format off */
ngx_module_t ngx_http_dreamapi_module = {
    NGX_MODULE_V1,
    &context,
    ngx_dreamapi_commands,
    NGX_HTTP_MODULE,
    NULL, /* init_master */
    NULL, /* init_module */
    begin_worker,
    NULL, /* init_thread */
    NULL, /* exit_thread */
    end_worker,
    NULL, /* exit_master */
    NGX_MODULE_V1_PADDING
};
/* clang-format on */
