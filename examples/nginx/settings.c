/* SPDX-License-Identifier: Apache-2.0 */
/* settings.c - the directives. Each value is tried when it is read, and the whole when all are there, so that `nginx -t` tells what is wrong and
 * where. Nothing here touches the network or the journal: that is for the workers, after their fork and under their own user. */
#include "module.h"

#define MAX_FILE_SIZE 65536

static void free_options(void *data)
{
    dreamapi_options_free(data);
}

/* Called by the client's thread; nginx's own thread pools log in the same way. */
static void on_log(void *user_data, dreamapi_log_level level, const char *message)
{
    ngx_uint_t as = level == DREAMAPI_LOG_WARNING ? NGX_LOG_WARN
                    : level == DREAMAPI_LOG_INFO  ? NGX_LOG_INFO
                                                  : NGX_LOG_DEBUG;

    (void)user_data;
    ngx_log_error(as, ngx_cycle->log, 0, "dreamapi: %s", message);
}

void *ngx_dreamapi_create_main_conf(ngx_conf_t *cf)
{
    ngx_dreamapi_main_conf *conf = ngx_pcalloc(cf->pool, sizeof(*conf));
    ngx_pool_cleanup_t *cleanup = ngx_pool_cleanup_add(cf->pool, 0);

    if (conf == NULL || cleanup == NULL)
        return NULL;
    conf->options = dreamapi_options_new();
    if (conf->options == NULL)
        return NULL;
    cleanup->handler = free_options;
    cleanup->data = conf->options;
    conf->close_timeout = NGX_CONF_UNSET_MSEC;
    return conf;
}

void *ngx_dreamapi_create_loc_conf(ngx_conf_t *cf)
{
    ngx_dreamapi_loc_conf *conf = ngx_pcalloc(cf->pool, sizeof(*conf));

    if (conf == NULL)
        return NULL;
    conf->is_metered = NGX_CONF_UNSET;
    conf->units = NGX_CONF_UNSET_PTR;
    conf->wait = NGX_CONF_UNSET_MSEC;
    return conf;
}

char *ngx_dreamapi_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_dreamapi_loc_conf *above = parent, *conf = child;

    (void)cf;
    if (conf->is_metered == NGX_CONF_UNSET)
        conf->meter = above->meter;
    ngx_conf_merge_value(conf->is_metered, above->is_metered, 0);
    ngx_conf_merge_ptr_value(conf->units, above->units, NULL);
    ngx_conf_merge_msec_value(conf->wait, above->wait, 2000);
    return NGX_CONF_OK;
}

/* ---- texts of the client's options ---- */

/* A directive whose value goes to one of the library's setters, or whose value names the file that does. */
typedef struct {
    dreamapi_status (*set)(dreamapi_options *options, const char *text);
    const char *must_be;
} text_setting;

static ngx_str_t *value_of(ngx_conf_t *cf)
{
    return (ngx_str_t *)cf->args->elts + 1;
}

static char *keep_text(ngx_conf_t *cf, ngx_str_t *field)
{
    if (field->data != NULL)
        return "is duplicate";
    *field = *value_of(cf);
    return NGX_CONF_OK;
}

static char *give_text(ngx_conf_t *cf, ngx_command_t *command, void *data, const ngx_str_t *text)
{
    ngx_dreamapi_main_conf *conf = data;
    const text_setting *setting = command->post;

    if (setting->set(conf->options, (const char *)text->data) == DREAMAPI_OK)
        return NGX_CONF_OK;
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" must be %s, not \"%V\"", &command->name, setting->must_be, text);
    return NGX_CONF_ERROR;
}

static char *set_text(ngx_conf_t *cf, ngx_command_t *command, void *data)
{
    ngx_str_t *field = (ngx_str_t *)((char *)data + command->offset);
    char *problem = keep_text(cf, field);

    return problem != NGX_CONF_OK ? problem : give_text(cf, command, data, field);
}

/* As other paths in nginx's configuration, it starts from the configuration's folder. */
static char *set_path(ngx_conf_t *cf, ngx_command_t *command, void *data)
{
    ngx_str_t *field = (ngx_str_t *)((char *)data + command->offset);
    char *problem = keep_text(cf, field);

    if (problem != NGX_CONF_OK)
        return problem;
    return ngx_conf_full_name(cf->cycle, field, 1) == NGX_OK ? give_text(cf, command, data, field) : NGX_CONF_ERROR;
}

/* The file's text in `buffer`, ended by a NUL and without the line's end; NGX_ERROR once the problem is told. */
static ngx_int_t read_text(ngx_conf_t *cf, ngx_command_t *command, ngx_str_t *path, char buffer[MAX_FILE_SIZE])
{
    ngx_fd_t fd;
    ssize_t size;

    if (ngx_conf_full_name(cf->cycle, path, 1) != NGX_OK)
        return NGX_ERROR;
    fd = ngx_open_file(path->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);
    size = fd == NGX_INVALID_FILE ? -1 : read(fd, buffer, MAX_FILE_SIZE - 1);
    if (size < 0)
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno, "\"%V\": cannot read \"%V\"", &command->name, path);
    if (fd != NGX_INVALID_FILE)
        (void)ngx_close_file(fd);
    if (size < 0)
        return NGX_ERROR;
    while (size > 0 && (buffer[size - 1] == '\n' || buffer[size - 1] == '\r'))
        size--;
    buffer[size] = '\0';
    return NGX_OK;
}

static char *set_text_of_file(ngx_conf_t *cf, ngx_command_t *command, void *data)
{
    ngx_dreamapi_main_conf *conf = data;
    const text_setting *setting = command->post;
    ngx_str_t *path = (ngx_str_t *)((char *)data + command->offset);
    char *problem = keep_text(cf, path);
    char buffer[MAX_FILE_SIZE];
    dreamapi_status status = DREAMAPI_INVALID;

    if (problem != NGX_CONF_OK)
        return problem;
    if (read_text(cf, command, path, buffer) != NGX_OK)
        return NGX_CONF_ERROR;
    if (buffer[0] != '\0')
        status = setting->set(conf->options, buffer);
    ngx_explicit_memzero(buffer, sizeof(buffer));
    if (status == DREAMAPI_OK)
        return NGX_CONF_OK;
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\": \"%V\" must hold %s", &command->name, path, setting->must_be);
    return NGX_CONF_ERROR;
}

/* The file itself is the workers' to open: only its folder can be looked at here. */
static char *set_journal(ngx_conf_t *cf, ngx_command_t *command, void *data)
{
    ngx_dreamapi_main_conf *conf = data;
    char *problem = keep_text(cf, &conf->journal);
    ngx_file_info_t info;
    u_char *folder, *slash;

    if (problem != NGX_CONF_OK)
        return problem;
    if (ngx_conf_full_name(cf->cycle, &conf->journal, 0) != NGX_OK)
        return NGX_CONF_ERROR;
    folder = ngx_pstrdup(cf->pool, &(ngx_str_t){ conf->journal.len + 1, conf->journal.data });
    if (folder == NULL)
        return NGX_CONF_ERROR;
    slash = (u_char *)strrchr((char *)folder, '/');
    slash[slash == folder] = '\0';
    if (ngx_file_info(folder, &info) != NGX_FILE_ERROR && ngx_is_dir(&info))
        return NGX_CONF_OK;
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\": there is no folder \"%s\"", &command->name, folder);
    return NGX_CONF_ERROR;
}

static char *set_parties(ngx_conf_t *cf, ngx_command_t *command, void *data)
{
    ngx_dreamapi_main_conf *conf = data;
    ngx_str_t *words = cf->args->elts;
    const char **one;

    (void)command;
    if (conf->authorized_parties != NULL)
        return "is duplicate";
    conf->authorized_parties = ngx_array_create(cf->pool, cf->args->nelts, sizeof(*one));
    if (conf->authorized_parties == NULL)
        return NGX_CONF_ERROR;
    one = ngx_array_push_n(conf->authorized_parties, cf->args->nelts);
    for (ngx_uint_t i = 1; i < cf->args->nelts; i++)
        *one++ = (const char *)words[i].data;
    *one = NULL;
    return NGX_CONF_OK;
}

static char *set_meter(ngx_conf_t *cf, ngx_command_t *command, void *data)
{
    ngx_dreamapi_main_conf *project = ngx_http_conf_get_module_main_conf(cf, ngx_http_dreamapi_module);
    ngx_dreamapi_loc_conf *conf = data;
    ngx_str_t *value = value_of(cf);

    if (conf->is_metered != NGX_CONF_UNSET)
        return "is duplicate";
    conf->is_metered = ngx_strcmp(value->data, "off") != 0;
    if (!conf->is_metered)
        return NGX_CONF_OK;
    project->is_used = 1;
    if (ngx_strcmp(value->data, "on") != 0)
        conf->meter = *value;
    if (value->len >= 1 && value->len <= 64)
        return NGX_CONF_OK;
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"%V\" must be \"on\", \"off\" or a meter's name of 1 to 64 bytes, not \"%V\"", &command->name,
                       value);
    return NGX_CONF_ERROR;
}

/* ---- when all is read ---- */

static ngx_int_t tell_missing(ngx_conf_t *cf, const char *what)
{
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"dreamapi_meter\" is used, but %s is not set", what);
    return NGX_ERROR;
}

static ngx_int_t check_presence(ngx_conf_t *cf, const ngx_dreamapi_main_conf *conf)
{
    if (conf->base_url.data == NULL)
        return tell_missing(cf, "\"dreamapi_base_url\"");
    if (conf->secret_key_file.data == NULL)
        return tell_missing(cf, "\"dreamapi_secret_key_file\"");
    if (conf->publishable_key.data == NULL)
        return tell_missing(cf, "\"dreamapi_publishable_key\"");
    if (conf->journal.data == NULL)
        return tell_missing(cf, "\"dreamapi_journal\"");
    if (conf->jwks_url.data == NULL && conf->token_keys_file.data == NULL)
        return tell_missing(cf, "where tokens' keys are (\"dreamapi_jwks_url\" or \"dreamapi_token_keys_file\")");
    return NGX_OK;
}

/* A client without a thread and without a journal, for a moment: what it says of the options as a whole. */
static ngx_int_t try_options(ngx_conf_t *cf, dreamapi_options *options)
{
    dreamapi_client *client = NULL;
    dreamapi_error error;
    dreamapi_status status;

    if (dreamapi_options_set_threads(options, 0) != DREAMAPI_OK)
        return NGX_ERROR;
    status = dreamapi_client_new(options, &client, &error);
    dreamapi_client_free(client);
    if (status == DREAMAPI_OK)
        return NGX_OK;
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "dreamapi: %s", error.message);
    return NGX_ERROR;
}

/* What workers add: a thread, the journal, and uses that are answered at once (nginx's loop never waits; access.c asks again). */
static ngx_int_t set_for_workers(const ngx_dreamapi_main_conf *conf)
{
    dreamapi_meter_params meters = DREAMAPI_METER_PARAMS_INIT;
    int64_t close_ms = conf->close_timeout == NGX_CONF_UNSET_MSEC ? 1000 : (int64_t)conf->close_timeout;

    meters.policy = DREAMAPI_POLICY_DENY;
    meters.wait_ms = 0;
    return dreamapi_options_set_threads(conf->options, 1) == DREAMAPI_OK
                   && dreamapi_options_set_journal(conf->options, (const char *)conf->journal.data) == DREAMAPI_OK
                   && dreamapi_options_set_meter_defaults(conf->options, &meters) == DREAMAPI_OK
                   && dreamapi_options_set_close_timeout_ms(conf->options, close_ms) == DREAMAPI_OK
                   && dreamapi_options_set_user_agent_suffix(conf->options, "nginx") == DREAMAPI_OK
                   && dreamapi_options_set_log(conf->options, on_log, NULL) == DREAMAPI_OK
               ? NGX_OK
               : NGX_ERROR;
}

ngx_int_t ngx_dreamapi_finish_settings(ngx_conf_t *cf)
{
    ngx_dreamapi_main_conf *conf = ngx_http_conf_get_module_main_conf(cf, ngx_http_dreamapi_module);

    if (!conf->is_used)
        return NGX_OK;
    if (check_presence(cf, conf) != NGX_OK || try_options(cf, conf->options) != NGX_OK)
        return NGX_ERROR;
    return set_for_workers(conf);
}

/* ---- the table ---- */

static text_setting base_url = { dreamapi_options_set_base_url,
                                 "the service's address, as \"https://host[:port][/prefix]\"" };
static text_setting publishable_key = { dreamapi_options_set_publishable_key,
                                        "the project's publishable key (\"pk_...\")" };
static text_setting jwks_url = { dreamapi_options_set_jwks_url, "an https address, or http to a loopback one" };
static text_setting ca_file = { dreamapi_options_set_ca_file, "the path of a PEM file" };
static text_setting secret_key = { dreamapi_options_set_secret_key,
                                   "the project's secret key (\"sk_...\") on one line" };
static text_setting token_keys = {
    dreamapi_options_set_token_keys,
    "a usable key: a JWKS, or one public key in PEM (RSA of 2048 to 8192 bits, or P-256)"
};

#define PROJECT(name, handler, field, post)                                                                            \
    {                                                                                                                  \
        ngx_string(name), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1, handler, NGX_HTTP_MAIN_CONF_OFFSET,                     \
            offsetof(ngx_dreamapi_main_conf, field), post                                                              \
    }
#define LOCATION(name, handler, field)                                                                                 \
    {                                                                                                                  \
        ngx_string(name), NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | NGX_HTTP_LOC_CONF | NGX_CONF_TAKE1, handler,        \
            NGX_HTTP_LOC_CONF_OFFSET, offsetof(ngx_dreamapi_loc_conf, field), NULL                                     \
    }

ngx_command_t ngx_dreamapi_commands[] = {
    PROJECT("dreamapi_base_url", set_text, base_url, &base_url),
    PROJECT("dreamapi_secret_key_file", set_text_of_file, secret_key_file, &secret_key),
    PROJECT("dreamapi_publishable_key", set_text, publishable_key, &publishable_key),
    PROJECT("dreamapi_ca_file", set_path, ca_file, &ca_file),
    PROJECT("dreamapi_journal", set_journal, journal, NULL),
    PROJECT("dreamapi_close_timeout", ngx_conf_set_msec_slot, close_timeout, NULL),
    PROJECT("dreamapi_jwks_url", set_text, jwks_url, &jwks_url),
    PROJECT("dreamapi_token_keys_file", set_text_of_file, token_keys_file, &token_keys),
    PROJECT("dreamapi_token_issuer", ngx_conf_set_str_slot, issuer, NULL),
    PROJECT("dreamapi_token_audience", ngx_conf_set_str_slot, audience, NULL),
    { ngx_string("dreamapi_token_authorized_parties"), NGX_HTTP_MAIN_CONF | NGX_CONF_1MORE, set_parties,
      NGX_HTTP_MAIN_CONF_OFFSET, 0, NULL },
    LOCATION("dreamapi_meter", set_meter, meter),
    LOCATION("dreamapi_units", ngx_http_set_complex_value_slot, units),
    LOCATION("dreamapi_wait", ngx_conf_set_msec_slot, wait),
    ngx_null_command,
};
