/* SPDX-License-Identifier: Apache-2.0 */
/* test_transport.c - the scripted transport of dreamapi/testing.h.
 *
 * The script and the record are shared by all clients that use the transport, under
 * its lock; each client has an instance with the exchanges it waits for, touched by
 * that client's driver alone. The lock is never held while an exchange is reported. */
#include <dreamapi/testing.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/params.h"

struct answer {
    dreamapi_test_answer given; /* its texts are ours */
    char **headers;
    size_t header_count;
    int times_left;
    struct answer *next;
};

struct dreamapi_test_request {
    char *method;
    char *url;
    char *body;
    char **names;
    char **values;
    size_t header_count;
    int64_t at_ms;
    struct dreamapi_test_request *next;
};

struct dreamapi_test_transport {
    atomic_uint holds; /* the caller's, and each instance's */
    pthread_mutex_t lock;
    struct answer *answers; /* kept until the end: instances point into them */
    struct answer **last_answer;
    struct dreamapi_test_request *requests;
    struct dreamapi_test_request **last_request;
    size_t request_count;
};

struct pending {
    dreamapi_exchange *exchange;
    const struct answer *answer;
    int64_t due_ms; /* INT64_MAX: never */
    struct pending *next;
};

struct instance {
    dreamapi_test_transport *transport; /* held */
    const dreamapi_clock *clock;
    struct pending *pending;
};

/* Given when nothing in the script fits. */
static const struct answer healthy = { .given = { .http_status = 200, .body = "{\"status\":\"ok\"}" } };
static const struct answer refused = { .given = { .http_status = 0, .failure = DREAMAPI_FAILURE_CONNECT } };

/* ---- the transport object ---- */

dreamapi_test_transport *dreamapi_test_transport_new(void)
{
    dreamapi_test_transport *transport = calloc(1, sizeof(*transport));

    if (transport == NULL)
        return NULL;
    if (pthread_mutex_init(&transport->lock, NULL) != 0) {
        free(transport);
        return NULL;
    }
    atomic_init(&transport->holds, 1);
    transport->last_answer = &transport->answers;
    transport->last_request = &transport->requests;
    return transport;
}

static void free_answer(struct answer *answer)
{
    for (size_t i = 0; i < answer->header_count; i++)
        free(answer->headers[i]);
    free(answer->headers);
    free((char *)answer->given.method);
    free((char *)answer->given.path);
    free((char *)answer->given.body);
    free(answer);
}

static void free_request(struct dreamapi_test_request *request)
{
    for (size_t i = 0; i < request->header_count; i++) {
        free(request->names[i]);
        free(request->values[i]);
    }
    free(request->names);
    free(request->values);
    free(request->method);
    free(request->url);
    free(request->body);
    free(request);
}

static void release(dreamapi_test_transport *transport)
{
    struct answer *answer;
    struct dreamapi_test_request *request;

    if (atomic_fetch_sub(&transport->holds, 1) != 1)
        return;
    while ((answer = transport->answers) != NULL) {
        transport->answers = answer->next;
        free_answer(answer);
    }
    while ((request = transport->requests) != NULL) {
        transport->requests = request->next;
        free_request(request);
    }
    pthread_mutex_destroy(&transport->lock);
    free(transport);
}

void dreamapi_test_transport_free(dreamapi_test_transport *transport)
{
    if (transport != NULL)
        release(transport);
}

/* ---- the script ---- */

static bool copy_text(const char *text, const char **out)
{
    *out = text == NULL ? NULL : strdup(text);
    return text == NULL || *out != NULL;
}

static bool copy_headers(const char *const *headers, struct answer *out)
{
    size_t count = 0;

    while (headers != NULL && headers[count] != NULL)
        count++;
    out->headers = calloc(count + 1, sizeof(*out->headers));
    if (out->headers == NULL)
        return false;
    for (; out->header_count < count; out->header_count++) {
        out->headers[out->header_count] = strdup(headers[out->header_count]);
        if (out->headers[out->header_count] == NULL)
            return false;
    }
    return true;
}

static struct answer *copy_answer(const dreamapi_test_answer *given)
{
    struct answer *answer = calloc(1, sizeof(*answer));
    bool is_complete;

    if (answer == NULL)
        return NULL;
    answer->given = *given;
    answer->times_left = given->times;
    is_complete = copy_text(given->method, &answer->given.method);
    is_complete = copy_text(given->path, &answer->given.path) && is_complete;
    is_complete = copy_text(given->body, &answer->given.body) && is_complete;
    is_complete = copy_headers(given->headers, answer) && is_complete;
    if (is_complete)
        return answer;
    free_answer(answer);
    return NULL;
}

static bool is_sensible(const dreamapi_test_answer *answer)
{
    if (answer->times < DREAMAPI_TEST_ALWAYS || answer->times == 0 || answer->delay_ms < 0)
        return false;
    if (answer->http_status != 0 && (answer->http_status < 200 || answer->http_status > 599))
        return false;
    for (size_t i = 0; answer->headers != NULL && answer->headers[i] != NULL; i++) {
        if (strchr(answer->headers[i], ':') == NULL)
            return false;
    }
    return true;
}

dreamapi_status dreamapi_test_transport_add(dreamapi_test_transport *transport, const dreamapi_test_answer *answer)
{
    dreamapi_test_answer given;
    struct answer *copy;

    if (transport == NULL || answer == NULL || dream_params_copy(answer, &given, sizeof(given), NULL) != DREAMAPI_OK
        || !is_sensible(&given))
        return DREAMAPI_INVALID;
    copy = copy_answer(&given);
    if (copy == NULL)
        return DREAMAPI_NOMEM;
    pthread_mutex_lock(&transport->lock);
    *transport->last_answer = copy;
    transport->last_answer = &copy->next;
    pthread_mutex_unlock(&transport->lock);
    return DREAMAPI_OK;
}

dreamapi_status dreamapi_test_transport_add_simple(dreamapi_test_transport *transport, const char *path,
                                                   int http_status, const char *body)
{
    dreamapi_test_answer answer = DREAMAPI_TEST_ANSWER_INIT;

    answer.path = path;
    answer.http_status = http_status;
    answer.body = body;
    return dreamapi_test_transport_add(transport, &answer);
}

static bool url_ends_with(const char *url, const char *path)
{
    size_t size = strcspn(url, "?");
    size_t path_size = strlen(path);

    return path_size <= size && strncmp(url + size - path_size, path, path_size) == 0;
}

static bool fits(const struct answer *answer, const char *method, const char *url)
{
    if (answer->times_left == 0)
        return false;
    if (answer->given.method != NULL && strcmp(answer->given.method, method) != 0)
        return false;
    if (answer->given.path == NULL)
        return !url_ends_with(url, "/health");
    return url_ends_with(url, answer->given.path);
}

/* The lock is held. */
static const struct answer *choose(dreamapi_test_transport *transport, const char *method, const char *url)
{
    for (struct answer *answer = transport->answers; answer != NULL; answer = answer->next) {
        if (!fits(answer, method, url))
            continue;
        if (answer->times_left > 0)
            answer->times_left--;
        return answer;
    }
    return url_ends_with(url, "/health") ? &healthy : &refused;
}

/* ---- the record ---- */

static bool copy_request_headers(const dreamapi_exchange *exchange, struct dreamapi_test_request *out)
{
    size_t count = dreamapi_exchange_header_count(exchange);

    out->names = calloc(count + 1, sizeof(*out->names));
    out->values = calloc(count + 1, sizeof(*out->values));
    if (out->names == NULL || out->values == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        out->names[i] = strdup(dreamapi_exchange_header_name(exchange, i));
        out->values[i] = strdup(dreamapi_exchange_header_value(exchange, i));
        out->header_count = i + 1;
        if (out->names[i] == NULL || out->values[i] == NULL)
            return false;
    }
    return true;
}

static struct dreamapi_test_request *copy_request(const dreamapi_exchange *exchange)
{
    struct dreamapi_test_request *request = calloc(1, sizeof(*request));
    const char *body;
    size_t size;

    if (request == NULL)
        return NULL;
    body = dreamapi_exchange_body(exchange, &size);
    request->method = strdup(dreamapi_exchange_method(exchange));
    request->url = strdup(dreamapi_exchange_url(exchange));
    request->body = body == NULL ? NULL : strndup(body, size);
    if (request->method != NULL && request->url != NULL && (body == NULL || request->body != NULL)
        && copy_request_headers(exchange, request))
        return request;
    free_request(request);
    return NULL;
}

/* ---- the instance ---- */

static dreamapi_status open_instance(void *user_data, const dreamapi_transport_settings *settings, void **out_instance)
{
    dreamapi_test_transport *transport = user_data;
    struct instance *instance = calloc(1, sizeof(*instance));

    if (instance == NULL)
        return DREAMAPI_NOMEM;
    atomic_fetch_add(&transport->holds, 1);
    instance->transport = transport;
    instance->clock = settings->clock;
    *out_instance = instance;
    return DREAMAPI_OK;
}

static int64_t now_ms(const struct instance *instance)
{
    return instance->clock->monotonic_ms(instance->clock->user_data);
}

static dreamapi_status start(void *data, dreamapi_exchange *exchange)
{
    struct instance *instance = data;
    dreamapi_test_transport *transport = instance->transport;
    struct pending *pending = calloc(1, sizeof(*pending));
    struct dreamapi_test_request *request = copy_request(exchange);
    struct pending **last = &instance->pending;

    if (pending == NULL || request == NULL) {
        free(pending);
        if (request != NULL)
            free_request(request);
        return DREAMAPI_NOMEM;
    }
    request->at_ms = now_ms(instance);
    pthread_mutex_lock(&transport->lock);
    *transport->last_request = request;
    transport->last_request = &request->next;
    transport->request_count++;
    pending->answer = choose(transport, request->method, request->url);
    pthread_mutex_unlock(&transport->lock);

    pending->exchange = exchange;
    pending->due_ms = pending->answer->given.delay_ms > INT64_MAX - request->at_ms
                          ? INT64_MAX
                          : request->at_ms + pending->answer->given.delay_ms;
    while (*last != NULL)
        last = &(*last)->next;
    *last = pending;
    return DREAMAPI_OK;
}

static int cancel(void *data, dreamapi_exchange *exchange)
{
    struct instance *instance = data;

    for (struct pending **at = &instance->pending; *at != NULL; at = &(*at)->next) {
        struct pending *found = *at;
        if (found->exchange != exchange)
            continue;
        *at = found->next;
        free(found);
        break;
    }
    return 1;
}

static dreamapi_status add_header(dreamapi_exchange *exchange, const char *header)
{
    size_t name_size = strcspn(header, ":");
    char *name = strndup(header, name_size);
    dreamapi_status status;

    if (name == NULL)
        return DREAMAPI_NOMEM;
    header += name_size + 1;
    status = dreamapi_exchange_add_header(exchange, name, header + strspn(header, " "));
    free(name);
    return status;
}

static dreamapi_status add_answer(dreamapi_exchange *exchange, const struct answer *answer)
{
    const char *body = answer->given.body;
    dreamapi_status status = DREAMAPI_OK;

    for (size_t i = 0; i < answer->header_count && status == DREAMAPI_OK; i++)
        status = add_header(exchange, answer->headers[i]);
    if (status == DREAMAPI_OK && body != NULL)
        status = dreamapi_exchange_add_body(exchange, body, strlen(body));
    return status;
}

static void report(dreamapi_exchange *exchange, const struct answer *answer)
{
    dreamapi_status status;

    if (answer->given.http_status == 0) {
        dreamapi_exchange_fail(exchange, answer->given.failure, answer->given.maybe_sent, "scripted failure");
        return;
    }
    status = add_answer(exchange, answer);
    if (status == DREAMAPI_OK)
        dreamapi_exchange_finish(exchange, answer->given.http_status);
    else
        dreamapi_exchange_fail(exchange, status == DREAMAPI_NOMEM ? DREAMAPI_FAILURE_NOMEM : DREAMAPI_FAILURE_TOO_LARGE,
                               1, "the scripted answer was not taken");
}

static void perform(void *data)
{
    struct instance *instance = data;
    struct pending **at = &instance->pending;
    int64_t now = now_ms(instance);

    while (*at != NULL) {
        struct pending *due = *at;
        if (due->due_ms > now) {
            at = &due->next;
            continue;
        }
        *at = due->next;
        report(due->exchange, due->answer);
        free(due);
    }
}

static int no_descriptor(void *data)
{
    (void)data;
    return -1;
}

static int64_t timeout_ms(void *data)
{
    const struct instance *instance = data;
    int64_t first_ms = INT64_MAX;
    int64_t now = now_ms(instance);

    for (const struct pending *at = instance->pending; at != NULL; at = at->next) {
        if (at->due_ms < first_ms)
            first_ms = at->due_ms;
    }
    if (first_ms == INT64_MAX)
        return -1;
    return first_ms > now ? first_ms - now : 0;
}

static void destroy(void *data)
{
    struct instance *instance = data;
    struct pending *pending;

    while ((pending = instance->pending) != NULL) {
        instance->pending = pending->next;
        free(pending);
    }
    release(instance->transport);
    free(instance);
}

dreamapi_status dreamapi_test_transport_install(dreamapi_test_transport *transport, dreamapi_options *options)
{
    dreamapi_transport functions = {
        .struct_size = sizeof(functions),
        .user_data = transport,
        .open = open_instance,
        .start = start,
        .cancel = cancel,
        .perform = perform,
        .fd = no_descriptor,
        .timeout_ms = timeout_ms,
        .destroy = destroy,
        .abandon = destroy,
    };

    return transport == NULL ? DREAMAPI_INVALID : dreamapi_options_set_transport(options, &functions);
}

/* ---- looking at the record ---- */

/* Readers lock too, and the object behind a const pointer is ours to lock. */
static pthread_mutex_t *lock_of(const dreamapi_test_transport *transport)
{
    return &((dreamapi_test_transport *)transport)->lock;
}

size_t dreamapi_test_transport_request_count(const dreamapi_test_transport *transport)
{
    size_t count;

    if (transport == NULL)
        return 0;
    pthread_mutex_lock(lock_of(transport));
    count = transport->request_count;
    pthread_mutex_unlock(lock_of(transport));
    return count;
}

size_t dreamapi_test_transport_count_path(const dreamapi_test_transport *transport, const char *path)
{
    size_t count = 0;

    if (transport == NULL || path == NULL)
        return 0;
    pthread_mutex_lock(lock_of(transport));
    for (const struct dreamapi_test_request *at = transport->requests; at != NULL; at = at->next)
        count += url_ends_with(at->url, path);
    pthread_mutex_unlock(lock_of(transport));
    return count;
}

const dreamapi_test_request *dreamapi_test_transport_request(const dreamapi_test_transport *transport, size_t index)
{
    const struct dreamapi_test_request *request;

    if (transport == NULL)
        return NULL;
    pthread_mutex_lock(lock_of(transport));
    request = transport->requests;
    while (request != NULL && index-- > 0)
        request = request->next;
    pthread_mutex_unlock(lock_of(transport));
    return request;
}

const char *dreamapi_test_request_method(const dreamapi_test_request *request)
{
    return request == NULL ? NULL : request->method;
}

const char *dreamapi_test_request_url(const dreamapi_test_request *request)
{
    return request == NULL ? NULL : request->url;
}

const char *dreamapi_test_request_header(const dreamapi_test_request *request, const char *name)
{
    if (request == NULL || name == NULL)
        return NULL;
    for (size_t i = 0; i < request->header_count; i++) {
        if (strcasecmp(request->names[i], name) == 0)
            return request->values[i];
    }
    return NULL;
}

const char *dreamapi_test_request_body(const dreamapi_test_request *request)
{
    return request == NULL ? NULL : request->body;
}

int64_t dreamapi_test_request_at_ms(const dreamapi_test_request *request)
{
    return request == NULL ? 0 : request->at_ms;
}
