/* SPDX-License-Identifier: Apache-2.0 */
/* module.h - what the files of the nginx module share: its configuration, what a worker has, and one request's way through it.
 *
 * Everything here belongs to nginx's one thread of a worker. The client's own thread (libdreamapi's) does what may wait: it fetches keys and
 * leases, checks signatures, and syncs the journal. */
#ifndef NGX_DREAMAPI_MODULE_H
#define NGX_DREAMAPI_MODULE_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <dreamapi.h>

/* Shown by every file; defined in module.c. */
extern ngx_module_t ngx_http_dreamapi_module;

/* http { ... }: one project. The texts are as written, their data NULL if they are not there. */
typedef struct {
    dreamapi_options *options;
    ngx_str_t base_url;
    ngx_str_t secret_key_file;
    ngx_str_t publishable_key;
    ngx_str_t journal;
    ngx_str_t jwks_url;
    ngx_str_t token_keys_file;
    ngx_str_t ca_file;
    ngx_str_t issuer;
    ngx_str_t audience;
    ngx_array_t *authorized_parties; /* of const char *, ended by NULL */
    ngx_msec_t close_timeout;
    unsigned is_used : 1; /* some location is metered */
} ngx_dreamapi_main_conf;

/* http, server or location. */
typedef struct {
    ngx_flag_t is_metered;
    ngx_str_t meter; /* empty: the default one; always ended by a NUL */
    ngx_http_complex_value_t *units;
    ngx_msec_t wait;
} ngx_dreamapi_loc_conf;

/* What a worker process has: made after the fork. */
typedef struct {
    dreamapi_client *client;      /* NULL: none could be made, and metered requests are refused */
    ngx_connection_t *connection; /* the client's descriptor in nginx's loop */
    dreamapi_token_params rules;
} ngx_dreamapi_worker;

extern ngx_dreamapi_worker ngx_dreamapi;

/* A request that sleeps, or has slept. */
typedef struct {
    ngx_event_t timer;
    dreamapi_call *call;     /* the verification under way, or NULL */
    dreamapi_status verdict; /* of the verification: DREAMAPI_PENDING until it is there */
    ngx_str_t token;         /* what is verified */
    ngx_msec_t gives_up_at;
    ngx_msec_t pause_ms;
} ngx_dreamapi_sleep;

/* A meter that a request has paid before it was sent on to a location of another. */
typedef struct ngx_dreamapi_paid {
    ngx_str_t meter;
    struct ngx_dreamapi_paid *next;
} ngx_dreamapi_paid;

/* One request, through all its internal redirections. Lives in the request's pool, and is kept small: a pool that needs a second piece
 * costs more than all that is done here. */
typedef struct {
    ngx_http_request_t *request;
    ngx_dreamapi_sleep *sleep; /* NULL: it never had to */
    const char *user_id;       /* NULL until the token is verified */
    const char *plan;          /* of the last decision, as is the rest */
    int64_t remaining;
    ngx_str_t meter;
    ngx_dreamapi_paid *paid; /* besides `meter`, mostly none */
    int64_t units;
    unsigned is_parked : 1;
    unsigned is_admitted : 1;
} ngx_dreamapi_visit;

/* settings.c: the directives, and what must hold when all of them are read. */
extern ngx_command_t ngx_dreamapi_commands[];
void *ngx_dreamapi_create_main_conf(ngx_conf_t *cf);
void *ngx_dreamapi_create_loc_conf(ngx_conf_t *cf);
char *ngx_dreamapi_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child);
ngx_int_t ngx_dreamapi_finish_settings(ngx_conf_t *cf);

/* access.c: the handler of the access phase; what hands finished verifications back to their requests; and the request's visit, NULL if it
 * has none. */
ngx_int_t ngx_dreamapi_access(ngx_http_request_t *r);
void ngx_dreamapi_take_verified(dreamapi_client *client);
ngx_dreamapi_visit *ngx_dreamapi_visit_of(ngx_http_request_t *r);

/* refusal.c: answers a request that was not admitted. Each returns what the access phase wants to be told. */
ngx_int_t ngx_dreamapi_refuse_nobody(ngx_http_request_t *r);
ngx_int_t ngx_dreamapi_refuse_token(ngx_http_request_t *r, dreamapi_status verdict);
ngx_int_t ngx_dreamapi_refuse_use(ngx_http_request_t *r, dreamapi_status status, const dreamapi_decision *decision);

/* tokens.c: tokens that were verified a moment ago. `find` gives the user's id, borrowed until the next `keep`, or NULL. */
const char *ngx_dreamapi_tokens_find(const ngx_str_t *token);
void ngx_dreamapi_tokens_keep(const ngx_str_t *token, const dreamapi_token *verified, int64_t skew_ms);
void ngx_dreamapi_tokens_forget(void);

#endif
