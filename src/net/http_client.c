/* SPDX-License-Identifier: Apache-2.0 */
/* http_client.c - outbound requests through one libcurl multi handle on one thread.
 *
 * Senders push onto an atomic list and wake the thread; there is no lock. Everything else is touched by the client's
 * thread alone. Connections are kept and reused across requests.
 *
 * Sending twice: when a reused connection turns out dead, libcurl sends the request again by itself. The server may have
 * acted before it hung up, so for a request that may not be repeated this would, say, charge twice. Bodies therefore go
 * through a read callback whose seek callback refuses to start over, which makes libcurl give up; and a request without
 * a body, where nothing would need rewinding, does not use a kept connection at all. */
#include "net/http_client.h"

#include <curl/curl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "common/buffer.h"
#include "common/crypto.h"
#include "common/timefmt.h"

enum {
    DEFAULT_TIMEOUT_MS = 10000,
    DEFAULT_MAX_RESPONSE = 1 << 20,
    MAX_HEADERS = 64 * 1024,   /* bytes of a response's head */
    MAX_HOST_CONNECTIONS = 64, /* more requests wait inside libcurl, on their own deadline */
    MAX_CONNECTIONS = 256,
    KEPT_CONNECTIONS = 64,
    POLL_MS = 60000, /* only a bound: libcurl knows its timers, and senders wake the poll */
    FAILURE_SIZE = 256
};

struct transfer {
    struct transfer *next; /* in the list of senders, then among the active ones */
    struct transfer *previous;
    dreamd_reply_fn *fn;
    void *context;
    int64_t started_us;

    char *method;
    char *url;
    struct curl_slist *headers;
    char *body;
    size_t body_size;
    size_t body_sent;
    bool is_repeatable;
    int64_t timeout_ms;
    size_t max_response;
    char *pin; /* NULL: certificates are verified as usual */

    CURL *easy;
    dream_buffer response;
    size_t header_bytes;
    int64_t retry_after_ms;
    const char *failure; /* set by a callback that broke the transfer off, and before it starts */
    char detail[CURL_ERROR_SIZE];
    char sentence[FAILURE_SIZE];
};

struct dreamd_http_client {
    CURLM *multi;
    pthread_t thread;
    char *no_proxy;
    atomic_bool is_stopping;
    _Atomic(struct transfer *) sent; /* newest first */
    struct transfer *active;
};

static int64_t monotonic_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* ---- a transfer's memory ---- */

static void wipe_headers(struct curl_slist *headers)
{
    for (struct curl_slist *h = headers; h; h = h->next)
        dream_wipe_text(h->data);
    curl_slist_free_all(headers);
}

static void transfer_free(struct transfer *transfer)
{
    curl_easy_cleanup(transfer->easy);
    free(transfer->method);
    dream_free_secret(transfer->url); /* queries carry codes */
    free(transfer->pin);
    wipe_headers(transfer->headers);
    dream_wipe(transfer->body, transfer->body_size);
    free(transfer->body);
    dream_buffer_clear(&transfer->response);
    free(transfer);
}

static bool add_header(struct transfer *transfer, const char *line)
{
    struct curl_slist *longer = curl_slist_append(transfer->headers, line);
    if (longer)
        transfer->headers = longer;
    return longer != NULL;
}

static bool is_header_named(const char *line, const char *name)
{
    size_t size = strlen(name);
    return strncasecmp(line, name, size) == 0 && line[size] == ':';
}

static bool has_header(const dreamd_outbound *outbound, const char *name)
{
    for (const char *const *h = outbound->headers; h && *h; h++)
        if (is_header_named(*h, name))
            return true;
    return false;
}

/* RFC 9110 9.2.2; an Idempotency-Key makes a server answer the second try with the first one's result. */
static bool is_repeatable(const dreamd_outbound *outbound)
{
    static const char *const methods[] = { "GET", "HEAD", "PUT", "DELETE", "OPTIONS" };
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (strcmp(outbound->method, methods[i]) == 0)
            return true;
    return has_header(outbound, "Idempotency-Key");
}

static bool copy_headers(struct transfer *transfer, const dreamd_outbound *outbound)
{
    for (const char *const *h = outbound->headers; h && *h; h++)
        if (!add_header(transfer, *h))
            return false;
    /* libcurl would wait a second for a "100 Continue" before larger bodies, and call every body a form. */
    if (!add_header(transfer, "Expect:"))
        return false;
    return has_header(outbound, "Content-Type") || add_header(transfer, "Content-Type:");
}

static bool copy_body(struct transfer *transfer, const dreamd_outbound *outbound)
{
    if (outbound->body_size == 0)
        return true;
    transfer->body = malloc(outbound->body_size);
    if (!transfer->body)
        return false;
    memcpy(transfer->body, outbound->body, outbound->body_size);
    transfer->body_size = outbound->body_size;
    return true;
}

static bool is_line(const char *text)
{
    return text[strcspn(text, "\r\n")] == '\0';
}

/* A line break in any of these would let whoever chose the text add headers or requests of their own. */
static bool is_well_formed(const dreamd_outbound *outbound)
{
    for (const char *const *h = outbound->headers; h && *h; h++)
        if (!is_line(*h) || !strchr(*h, ':'))
            return false;
    return outbound->method && outbound->url && outbound->method[0]
           && outbound->method[strspn(outbound->method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")] == '\0'
           && is_line(outbound->url);
}

static void transfer_fill(struct transfer *transfer, const dreamd_outbound *outbound)
{
    transfer->timeout_ms = outbound->timeout_ms > 0 ? outbound->timeout_ms : DEFAULT_TIMEOUT_MS;
    transfer->max_response = outbound->max_response > 0 ? outbound->max_response : DEFAULT_MAX_RESPONSE;
    transfer->retry_after_ms = -1;
    transfer->response = (dream_buffer){ .limit = transfer->max_response, .is_secret = true };
    if (!is_well_formed(outbound)) {
        transfer->failure = "The request has a malformed method, URL or header";
        return;
    }
    transfer->is_repeatable = is_repeatable(outbound);
    transfer->method = strdup(outbound->method);
    transfer->url = strdup(outbound->url);
    transfer->pin = outbound->pin ? strdup(outbound->pin) : NULL;
    if (!transfer->method || !transfer->url || (outbound->pin && !transfer->pin) || !copy_headers(transfer, outbound)
        || !copy_body(transfer, outbound))
        transfer->failure = "Out of memory";
}

void dreamd_http_client_send(dreamd_http_client *client, const dreamd_outbound *outbound, dreamd_reply_fn *fn,
                             void *context)
{
    struct transfer *transfer = calloc(1, sizeof *transfer);
    if (!transfer) {
        const dreamd_reply reply = { .failure = "Out of memory", .is_unsent = true, .body = "", .retry_after_ms = -1 };
        fn(context, &reply);
        return;
    }
    transfer->started_us = monotonic_us();
    transfer->fn = fn;
    transfer->context = context;
    transfer_fill(transfer, outbound);
    struct transfer *newest = atomic_load_explicit(&client->sent, memory_order_relaxed);
    do {
        transfer->next = newest;
    } while (!atomic_compare_exchange_weak_explicit(&client->sent, &newest, transfer, memory_order_release,
                                                    memory_order_relaxed));
    if (!newest) /* else the one who pushed onto the empty list has woken the thread, and it takes all at once */
        (void)curl_multi_wakeup(client->multi);
}

/* ---- what libcurl calls ---- */

static size_t on_read(char *out, size_t size, size_t count, void *context)
{
    struct transfer *transfer = context;
    size_t room = size * count;
    size_t left = transfer->body_size - transfer->body_sent;
    size_t part = left < room ? left : room;
    /* The size is known, so libcurl asks for more only if it began anew without asking us to start over. */
    if (part == 0)
        return CURL_READFUNC_ABORT;
    memcpy(out, transfer->body + transfer->body_sent, part);
    transfer->body_sent += part;
    return part;
}

static int on_seek(void *context, curl_off_t offset, int origin)
{
    struct transfer *transfer = context;
    if (!transfer->is_repeatable || origin != SEEK_SET || offset < 0 || (uint64_t)offset > transfer->body_size)
        return CURL_SEEKFUNC_FAIL;
    transfer->body_sent = (size_t)offset;
    return CURL_SEEKFUNC_OK;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *context)
{
    struct transfer *transfer = context;
    size_t total = size * count;
    if (total > transfer->max_response - transfer->response.size) {
        transfer->failure = "The answer is larger than allowed";
        return CURL_WRITEFUNC_ERROR;
    }
    dream_buffer_append(&transfer->response, bytes, total);
    if (transfer->response.is_failed) {
        transfer->failure = "Out of memory";
        return CURL_WRITEFUNC_ERROR;
    }
    return total;
}

static void take_retry_after(struct transfer *transfer, const char *value, size_t size)
{
    char text[64];
    while (size > 0 && (*value == ' ' || *value == '\t')) {
        value++;
        size--;
    }
    while (size > 0 && strchr(" \t\r\n", value[size - 1]))
        size--;
    if (size >= sizeof text)
        return;
    memcpy(text, value, size);
    text[size] = '\0';
    if (!dream_retry_after_parse(text, dream_wall_ms(), &transfer->retry_after_ms))
        transfer->retry_after_ms = -1;
}

static size_t on_header(char *line, size_t size, size_t count, void *context)
{
    static const char name[] = "Retry-After:";
    struct transfer *transfer = context;
    size_t total = size * count;
    transfer->header_bytes += total;
    if (transfer->header_bytes > MAX_HEADERS) {
        transfer->failure = "The answer's head is larger than allowed";
        return CURL_WRITEFUNC_ERROR;
    }
    if (total >= 5 && memcmp(line, "HTTP/", 5) == 0)
        transfer->retry_after_ms = -1; /* what an interim answer said does not count */
    else if (total >= sizeof name - 1 && strncasecmp(line, name, sizeof name - 1) == 0)
        take_retry_after(transfer, line + sizeof name - 1, total - (sizeof name - 1));
    return total;
}

/* ---- starting ---- */

static CURLcode set_protocols(CURL *easy)
{
#if LIBCURL_VERSION_NUM >= 0x075500
    return curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    return curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
}

#define SET(option, value)                                                                                             \
    do {                                                                                                               \
        code = curl_easy_setopt(transfer->easy, option, value);                                                        \
        if (code != CURLE_OK)                                                                                          \
            return code;                                                                                               \
    } while (0)

static CURLcode set_method(struct transfer *transfer)
{
    CURLcode code;
    if (strcmp(transfer->method, "HEAD") == 0 && transfer->body_size == 0) {
        SET(CURLOPT_NOBODY, 1L);
        return CURLE_OK;
    }
    bool is_bodied = strcmp(transfer->method, "POST") == 0 || strcmp(transfer->method, "PUT") == 0
                     || strcmp(transfer->method, "PATCH") == 0;
    if (transfer->body_size > 0) {
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)transfer->body_size);
        SET(CURLOPT_READFUNCTION, on_read);
        SET(CURLOPT_READDATA, transfer);
        SET(CURLOPT_SEEKFUNCTION, on_seek);
        SET(CURLOPT_SEEKDATA, transfer);
    } else if (is_bodied) { /* says Content-Length: 0, which some servers insist on */
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)0);
        SET(CURLOPT_POSTFIELDS, "");
    }
    if (!transfer->is_repeatable && transfer->body_size == 0)
        SET(CURLOPT_FRESH_CONNECT, 1L);
    SET(CURLOPT_CUSTOMREQUEST, transfer->method);
    return CURLE_OK;
}

static CURLcode set_options(const dreamd_http_client *client, struct transfer *transfer)
{
    CURLcode code = set_protocols(transfer->easy);
    if (code != CURLE_OK)
        return code;
    SET(CURLOPT_PRIVATE, transfer);
    SET(CURLOPT_URL, transfer->url);
    SET(CURLOPT_PATH_AS_IS, 1L); /* "/a/../b" would otherwise become "/b": another request than was asked for */
    SET(CURLOPT_HTTPHEADER, transfer->headers);
    SET(CURLOPT_USERAGENT, "dreamapid");
    SET(CURLOPT_NOSIGNAL, 1L); /* a library must not touch the process's signals, and the resolver has a thread */
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_SSL_VERIFYPEER, transfer->pin ? 0L : 1L);
    SET(CURLOPT_SSL_VERIFYHOST, transfer->pin ? 0L : 2L);
    SET(CURLOPT_PINNEDPUBLICKEY, transfer->pin);
    SET(CURLOPT_NOPROXY, client->no_proxy);
    SET(CURLOPT_TIMEOUT_MS, (long)transfer->timeout_ms);
    SET(CURLOPT_ERRORBUFFER, transfer->detail);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, transfer);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, transfer);
    return set_method(transfer);
}

#undef SET

/* ---- finishing ---- */

struct failure_text {
    CURLcode code;
    const char *text;
};

static const struct failure_text failure_texts[] = {
    { CURLE_OUT_OF_MEMORY, "Out of memory" },
    { CURLE_UNSUPPORTED_PROTOCOL, "The URL is neither http nor https" },
    { CURLE_URL_MALFORMAT, "The URL is malformed" },
    { CURLE_COULDNT_RESOLVE_HOST, "The host's name is not known" },
    { CURLE_COULDNT_RESOLVE_PROXY, "The proxy's name is not known" },
    { CURLE_COULDNT_CONNECT, "The host does not take the connection" },
    { CURLE_OPERATION_TIMEDOUT, "No complete answer in time" },
    { CURLE_SSL_CONNECT_ERROR, "The TLS handshake failed" },
    { CURLE_PEER_FAILED_VERIFICATION, "The host's certificate is not valid" },
    { CURLE_GOT_NOTHING, "The host closed the connection without an answer" },
    { CURLE_SEND_FAIL_REWIND, "The kept connection broke; the request may have arrived and is not sent again" },
    { CURLE_SEND_ERROR, "The connection broke while sending" },
    { CURLE_RECV_ERROR, "The connection broke before the answer was complete" },
    { CURLE_PARTIAL_FILE, "The connection broke before the answer was complete" },
    { CURLE_WEIRD_SERVER_REPLY, "The answer is not HTTP" },
};

static const char *text_of(CURLcode code)
{
    for (size_t i = 0; i < sizeof failure_texts / sizeof failure_texts[0]; i++)
        if (failure_texts[i].code == code)
            return failure_texts[i].text;
    return curl_easy_strerror(code);
}

static void write_failure(struct transfer *transfer, CURLcode code)
{
    if (transfer->failure)
        return;
    if (transfer->detail[0])
        (void)snprintf(transfer->sentence, sizeof transfer->sentence, "%s (%.150s)", text_of(code), transfer->detail);
    else
        (void)snprintf(transfer->sentence, sizeof transfer->sentence, "%s", text_of(code));
    transfer->failure = transfer->sentence;
}

/* libcurl notes this time when the connection is ready and the first byte of the request is about to go. */
static bool was_started(struct transfer *transfer)
{
    curl_off_t us = 0;
    return transfer->easy && curl_easy_getinfo(transfer->easy, CURLINFO_PRETRANSFER_TIME_T, &us) == CURLE_OK && us > 0;
}

static void finish_answered(struct transfer *transfer, dreamd_reply *reply)
{
    long status = 0;
    (void)curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    reply->status = (int)status;
    reply->body = transfer->response.data ? transfer->response.data : "";
    reply->body_size = transfer->response.size;
    reply->retry_after_ms = transfer->retry_after_ms;
}

/* Takes the transfer, which is in no list any more. */
static void finish(struct transfer *transfer, CURLcode code)
{
    dreamd_reply reply = { .body = "", .retry_after_ms = -1 };
    if (code == CURLE_OK && !transfer->failure)
        finish_answered(transfer, &reply);
    if (reply.status == 0) { /* HTTP/0.9 and the like have no status, and are no answer either */
        write_failure(transfer, code == CURLE_OK ? CURLE_WEIRD_SERVER_REPLY : code);
        reply = (dreamd_reply){ .body = "", .retry_after_ms = -1 };
        reply.failure = transfer->failure;
        reply.is_timeout = code == CURLE_OPERATION_TIMEDOUT;
        reply.is_unsent = !was_started(transfer);
    }
    reply.elapsed_us = monotonic_us() - transfer->started_us;
    transfer->fn(transfer->context, &reply);
    transfer_free(transfer);
}

/* ---- the thread ---- */

static void activate(dreamd_http_client *client, struct transfer *transfer)
{
    transfer->previous = NULL;
    transfer->next = client->active;
    if (client->active)
        client->active->previous = transfer;
    client->active = transfer;
}

static void deactivate(dreamd_http_client *client, struct transfer *transfer)
{
    if (transfer->previous)
        transfer->previous->next = transfer->next;
    else
        client->active = transfer->next;
    if (transfer->next)
        transfer->next->previous = transfer->previous;
    (void)curl_multi_remove_handle(client->multi, transfer->easy);
}

static void start(dreamd_http_client *client, struct transfer *transfer)
{
    CURLcode code = CURLE_OUT_OF_MEMORY;
    if (atomic_load(&client->is_stopping))
        transfer->failure = "The client is stopping";
    if (!transfer->failure)
        transfer->easy = curl_easy_init();
    if (transfer->easy)
        code = set_options(client, transfer);
    if (code != CURLE_OK || curl_multi_add_handle(client->multi, transfer->easy) != CURLM_OK) {
        finish(transfer, code == CURLE_OK ? CURLE_OUT_OF_MEMORY : code);
        return;
    }
    activate(client, transfer);
}

/* Returns whether anything was there. */
static bool start_sent(dreamd_http_client *client)
{
    struct transfer *newest = atomic_exchange_explicit(&client->sent, NULL, memory_order_acquire);
    struct transfer *oldest = NULL;
    bool is_any = newest != NULL;
    while (newest) { /* turned round: first come, first served */
        struct transfer *transfer = newest;
        newest = transfer->next;
        transfer->next = oldest;
        oldest = transfer;
    }
    while (oldest) {
        struct transfer *transfer = oldest;
        oldest = transfer->next;
        start(client, transfer);
    }
    return is_any;
}

static void finish_done(dreamd_http_client *client)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(client->multi, &left))) {
        struct transfer *transfer = NULL;
        CURLcode code = message->data.result; /* `message` goes with the handle */
        if (message->msg != CURLMSG_DONE)
            continue;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
        deactivate(client, transfer);
        finish(transfer, code);
    }
}

/* Callbacks may send again while this runs; those requests fail too. */
static void fail_all(dreamd_http_client *client)
{
    do {
        while (client->active) {
            struct transfer *transfer = client->active;
            deactivate(client, transfer);
            transfer->failure = "The client is stopping";
            finish(transfer, CURLE_ABORTED_BY_CALLBACK);
        }
    } while (start_sent(client));
}

static void *run(void *context)
{
    dreamd_http_client *client = context;
    (void)pthread_setname_np(pthread_self(), "http-client");
    while (!atomic_load(&client->is_stopping)) {
        int running;
        (void)start_sent(client);
        (void)curl_multi_perform(client->multi, &running);
        finish_done(client);
        (void)curl_multi_poll(client->multi, NULL, 0, POLL_MS, NULL);
    }
    fail_all(client);
    return NULL;
}

/* ---- new and free ---- */

static pthread_once_t global_once = PTHREAD_ONCE_INIT;
static CURLcode global_code;

static void init_global(void)
{
    global_code = curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* The sandbox listens on loopback, where no proxy could reach it. Setting the option hides the variable, so both go in. */
static char *make_no_proxy(void)
{
    const char *set = getenv("no_proxy");
    dream_buffer list = DREAM_BUFFER_INIT;
    if (!set)
        set = getenv("NO_PROXY");
    if (set && strcmp(set, "*") == 0)
        return strdup(set);
    dream_buffer_text(&list, "localhost,127.0.0.1,::1");
    if (set && *set)
        dream_buffer_printf(&list, ",%s", set);
    return dream_buffer_take(&list);
}

static bool start_thread(dreamd_http_client *client)
{
    sigset_t all, before;
    sigfillset(&all); /* signals are the main thread's business */
    pthread_sigmask(SIG_BLOCK, &all, &before);
    bool is_started = pthread_create(&client->thread, NULL, run, client) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return is_started;
}

static bool open_multi(dreamd_http_client *client)
{
    client->multi = curl_multi_init();
    return client->multi
           && curl_multi_setopt(client->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)MAX_HOST_CONNECTIONS) == CURLM_OK
           && curl_multi_setopt(client->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)MAX_CONNECTIONS) == CURLM_OK
           && curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, (long)KEPT_CONNECTIONS) == CURLM_OK;
}

static void client_release(dreamd_http_client *client)
{
    (void)curl_multi_cleanup(client->multi);
    free(client->no_proxy);
    free(client);
}

dreamd_http_client *dreamd_http_client_new(void)
{
    (void)pthread_once(&global_once, init_global);
    if (global_code != CURLE_OK)
        return NULL;
    dreamd_http_client *client = calloc(1, sizeof *client);
    if (!client)
        return NULL;
    client->no_proxy = make_no_proxy();
    if (!client->no_proxy || !open_multi(client) || !start_thread(client)) {
        client_release(client);
        return NULL;
    }
    return client;
}

void dreamd_http_client_free(dreamd_http_client *client)
{
    if (!client)
        return;
    atomic_store(&client->is_stopping, true);
    (void)curl_multi_wakeup(client->multi);
    (void)pthread_join(client->thread, NULL);
    client_release(client);
}
