/* SPDX-License-Identifier: Apache-2.0 */
/* curl_work.c - the only file that knows libcurl's options and its error codes.
 *
 * The danger here is libcurl's own kindness: when a kept connection turns out to be
 * dead before any answer, it silently sends the request again on a new one, POSTs
 * included. That could count or charge twice. Two guards stop it, unless the exchange is one that may be
 * repeated; then libcurl may do so once, which is what our retry rule would do:
 *   - the function that libcurl calls before each request is written (PREREQFUNCTION)
 *     refuses the second time;
 *   - the body cannot be read twice: SEEKFUNCTION refuses to go back. */
#include "lib/curl_work.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/buffer.h"
#include "common/crypto.h"
#include "lib/base_url.h"

/* Seconds a connection may lie idle and still carry a request that must not be sent twice. The longer it lies, the more
 * likely the server is just closing it, and then nobody can tell whether the request arrived. */
static const long max_idle_s_unrepeatable = 20;

/* ---- what libcurl calls ---- */

static int before_request(void *data, char *to_ip, char *from_ip, int to_port, int from_port)
{
    dream_curl_work *work = data;

    (void)to_ip;
    (void)from_ip;
    (void)to_port;
    (void)from_port;
    work->requests_begun++;
    if (work->requests_begun == 1 || (work->requests_begun == 2 && dreamapi_exchange_is_repeatable(work->exchange)))
        return CURL_PREREQFUNC_OK;
    work->is_repeat_refused = true;
    return CURL_PREREQFUNC_ABORT;
}

static size_t read_body(char *out, size_t size, size_t count, void *data)
{
    dream_curl_work *work = data;
    size_t room = size * count;
    size_t left = work->body_size - work->body_read;

    if (left > room)
        left = room;
    if (left > 0)
        memcpy(out, work->body + work->body_read, left);
    work->body_read += left;
    return left;
}

static int seek_body(void *data, curl_off_t offset, int origin)
{
    dream_curl_work *work = data;

    if (origin != SEEK_SET || offset != 0)
        return CURL_SEEKFUNC_FAIL;
    if (work->body_read > 0 && !dreamapi_exchange_is_repeatable(work->exchange)) {
        work->is_repeat_refused = true;
        return CURL_SEEKFUNC_FAIL;
    }
    work->body_read = 0;
    return CURL_SEEKFUNC_OK;
}

static size_t take_body(char *bytes, size_t size, size_t count, void *data)
{
    dream_curl_work *work = data;

    work->has_answer_byte = true;
    work->refused = dreamapi_exchange_add_body(work->exchange, bytes, size * count);
    return work->refused == DREAMAPI_OK ? size * count : 0;
}

/* libcurl takes a connection that is closed among the headers for the end of a whole answer without a body. An interim
 * answer (1xx) has a head of its own, whose headers say nothing about the answer. */
static void note_head(dream_curl_work *work, const char *line, size_t size)
{
    const char *space;

    if (size >= 5 && memcmp(line, "HTTP/", 5) == 0) {
        space = memchr(line, ' ', size);
        work->is_head_whole = false;
        work->is_interim = space && space + 1 < line + size && space[1] == '1';
    } else if (size > 0 && (line[0] == '\r' || line[0] == '\n')) {
        work->is_head_whole = !work->is_interim;
    }
}

/* `line` is one header line with its line end and no NUL. */
static dreamapi_status take_line(dream_curl_work *work, const char *line, size_t size)
{
    const char *colon = memchr(line, ':', size);
    dream_buffer text = DREAM_BUFFER_INIT;
    size_t start;
    dreamapi_status status = DREAMAPI_OK;

    if (colon == NULL)
        return DREAMAPI_OK; /* the status line, or the empty line at the end */
    while (size > 0 && (line[size - 1] == '\r' || line[size - 1] == '\n' || line[size - 1] == ' '))
        size--;
    start = (size_t)(colon - line) + 1;
    while (start < size && (line[start] == ' ' || line[start] == '\t'))
        start++;
    dream_buffer_append(&text, line, (size_t)(colon - line));
    dream_buffer_append(&text, "", 1);
    if (start < size)
        dream_buffer_append(&text, line + start, size - start);
    if (text.is_failed)
        status = DREAMAPI_NOMEM;
    else
        status = dreamapi_exchange_add_header(work->exchange, text.data, text.data + (colon - line) + 1);
    dream_buffer_clear(&text);
    return status;
}

static size_t take_header(char *line, size_t size, size_t count, void *data)
{
    dream_curl_work *work = data;

    work->has_answer_byte = true;
    note_head(work, line, size * count);
    if (!work->is_interim)
        work->refused = take_line(work, line, size * count);
    return work->refused == DREAMAPI_OK ? size * count : 0;
}

/* ---- set-up ---- */

/* libcurl keeps the first error; one test at the end is enough. */
#define SET(option, value)                                                                                             \
    do {                                                                                                               \
        if (code == CURLE_OK)                                                                                          \
            code = curl_easy_setopt(work->easy, option, value);                                                        \
    } while (0)

static CURLcode set_protocol(dream_curl_work *work)
{
    CURLcode code = CURLE_OK;

#if LIBCURL_VERSION_NUM >= 0x075500
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
#else
    SET(CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
    /* HTTP/2 has refusals that libcurl answers by repeating; one request a connection keeps "was it sent" answerable. */
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_PATH_AS_IS, 1L);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
    /* A name server that does not answer must not hold up the end of a call: its thread is left to end by itself. */
    SET(CURLOPT_QUICK_EXIT, 1L);
#endif
    return code;
}

static CURLcode set_route(dream_curl_work *work, const dream_curl_setup *setup)
{
    const char *url = dreamapi_exchange_url(work->exchange);
    CURLcode code = CURLE_OK;

    SET(CURLOPT_URL, url);
    if (setup->ca_file != NULL) {
        SET(CURLOPT_CAINFO, setup->ca_file);
        SET(CURLOPT_CAPATH, NULL); /* libcurl's folder would be trusted beside it */
    }
    if (setup->proxy != NULL)
        SET(CURLOPT_PROXY, setup->proxy);
    /* A plain-text secret bound for this machine must not travel to a proxy that the environment names. */
    if (dream_url_is_loopback(url))
        SET(CURLOPT_NOPROXY, "*");
    if (!dreamapi_exchange_is_repeatable(work->exchange))
        SET(CURLOPT_MAXAGE_CONN, max_idle_s_unrepeatable);
    SET(CURLOPT_OPENSOCKETFUNCTION, setup->open_socket);
    SET(CURLOPT_OPENSOCKETDATA, setup->socket_data);
    SET(CURLOPT_CLOSESOCKETFUNCTION, setup->close_socket);
    SET(CURLOPT_CLOSESOCKETDATA, setup->socket_data);
    return code;
}

static CURLcode set_callbacks(dream_curl_work *work)
{
    CURLcode code = CURLE_OK;

    SET(CURLOPT_ERRORBUFFER, work->text);
    SET(CURLOPT_PREREQFUNCTION, before_request);
    SET(CURLOPT_PREREQDATA, work);
    SET(CURLOPT_HEADERFUNCTION, take_header);
    SET(CURLOPT_HEADERDATA, work);
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    SET(CURLOPT_WRITEFUNCTION, take_body);
    SET(CURLOPT_WRITEDATA, work);
    return code;
}

static CURLcode set_body(dream_curl_work *work)
{
    const char *method = dreamapi_exchange_method(work->exchange);
    CURLcode code = CURLE_OK;

    work->body = dreamapi_exchange_body(work->exchange, &work->body_size);
    if (work->body != NULL || strcmp(method, "POST") == 0) {
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)work->body_size);
        SET(CURLOPT_READFUNCTION, read_body);
        SET(CURLOPT_READDATA, work);
        SET(CURLOPT_SEEKFUNCTION, seek_body);
        SET(CURLOPT_SEEKDATA, work);
    }
    if (strcmp(method, "GET") != 0 && strcmp(method, "POST") != 0)
        SET(CURLOPT_CUSTOMREQUEST, method);
    return code;
}

static bool add_header(dream_curl_work *work, const char *name, const char *value)
{
    dream_buffer line = DREAM_BUFFER_INIT;
    struct curl_slist *longer = NULL;

    line.is_secret = true;
    dream_buffer_text(&line, name);
    dream_buffer_text(&line, ": ");
    dream_buffer_text(&line, value);
    if (!line.is_failed)
        longer = curl_slist_append(work->headers, line.data);
    dream_buffer_clear(&line);
    if (longer == NULL)
        return false;
    work->headers = longer;
    return true;
}

static CURLcode set_headers(dream_curl_work *work)
{
    const dreamapi_exchange *exchange = work->exchange;
    struct curl_slist *longer;
    CURLcode code = CURLE_OK;

    for (size_t i = 0; i < dreamapi_exchange_header_count(exchange); i++) {
        if (!add_header(work, dreamapi_exchange_header_name(exchange, i), dreamapi_exchange_header_value(exchange, i)))
            return CURLE_OUT_OF_MEMORY;
    }
    /* No waiting for "100 Continue": the bodies are small. */
    longer = curl_slist_append(work->headers, "Expect:");
    if (longer == NULL)
        return CURLE_OUT_OF_MEMORY;
    work->headers = longer;
    SET(CURLOPT_HTTPHEADER, work->headers);
    return code;
}

#undef SET

dream_curl_work *dream_curl_work_new(dreamapi_exchange *exchange, const dream_curl_setup *setup)
{
    dream_curl_work *work = calloc(1, sizeof(*work));

    if (work == NULL)
        return NULL;
    work->exchange = exchange;
    work->easy = curl_easy_init();
    if (work->easy == NULL || set_protocol(work) != CURLE_OK || set_route(work, setup) != CURLE_OK
        || set_callbacks(work) != CURLE_OK || set_body(work) != CURLE_OK || set_headers(work) != CURLE_OK) {
        dream_curl_work_free(work);
        return NULL;
    }
    return work;
}

void dream_curl_work_free(dream_curl_work *work)
{
    if (work == NULL)
        return;
    curl_easy_cleanup(work->easy);
    for (struct curl_slist *at = work->headers; at != NULL; at = at->next)
        dream_wipe_text(at->data);
    curl_slist_free_all(work->headers);
    free(work);
}

/* ---- the end ---- */

static const struct {
    CURLcode code;
    dreamapi_failure failure;
} failures[] = {
    { CURLE_COULDNT_RESOLVE_HOST, DREAMAPI_FAILURE_DNS },
    { CURLE_COULDNT_RESOLVE_PROXY, DREAMAPI_FAILURE_DNS },
    { CURLE_COULDNT_CONNECT, DREAMAPI_FAILURE_CONNECT },
    { CURLE_PROXY, DREAMAPI_FAILURE_CONNECT },
    { CURLE_OPERATION_TIMEDOUT, DREAMAPI_FAILURE_TIMEOUT },
    { CURLE_SSL_CONNECT_ERROR, DREAMAPI_FAILURE_TLS },
    { CURLE_PEER_FAILED_VERIFICATION, DREAMAPI_FAILURE_TLS },
    { CURLE_SSL_CACERT_BADFILE, DREAMAPI_FAILURE_TLS },
    { CURLE_SSL_CERTPROBLEM, DREAMAPI_FAILURE_TLS },
    { CURLE_SSL_CIPHER, DREAMAPI_FAILURE_TLS },
    { CURLE_SSL_ISSUER_ERROR, DREAMAPI_FAILURE_TLS },
    { CURLE_SSL_INVALIDCERTSTATUS, DREAMAPI_FAILURE_TLS },
    { CURLE_USE_SSL_FAILED, DREAMAPI_FAILURE_TLS },
    { CURLE_GOT_NOTHING, DREAMAPI_FAILURE_RESET },
    { CURLE_SEND_ERROR, DREAMAPI_FAILURE_RESET },
    { CURLE_RECV_ERROR, DREAMAPI_FAILURE_RESET },
    { CURLE_PARTIAL_FILE, DREAMAPI_FAILURE_RESET },
    { CURLE_SEND_FAIL_REWIND, DREAMAPI_FAILURE_STALE },
    { CURLE_WEIRD_SERVER_REPLY, DREAMAPI_FAILURE_PROTOCOL },
    { CURLE_UNSUPPORTED_PROTOCOL, DREAMAPI_FAILURE_PROTOCOL }, /* an answer that is no HTTP/1 */
    { CURLE_BAD_CONTENT_ENCODING, DREAMAPI_FAILURE_PROTOCOL },
    { CURLE_OUT_OF_MEMORY, DREAMAPI_FAILURE_NOMEM },
#if LIBCURL_VERSION_NUM >= 0x080600
    { CURLE_TOO_LARGE, DREAMAPI_FAILURE_TOO_LARGE },
#endif
};

/* libcurl has one code for a peer that refuses the handshake and for a network that cuts it; its words differ. The first two are
 * libcurl's own, as is the third, of a connection that was reset before libcurl had looked at it; the last is that of its
 * OpenSSL part. Other words mean a refusal, which is the careful reading. */
static bool is_handshake_cut(const dream_curl_work *work)
{
    static const char *const words[] = { "Send failure", "Recv failure", "getpeername() failed", "SSL_ERROR_SYSCALL" };

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strstr(work->text, words[i]) != NULL)
            return true;
    }
    return false;
}

/* An older libcurl says "out of memory" of a header line beyond 100 kB, too. Once bytes of the head have come, and not all
 * of it, that is by far the likelier cause. */
static bool is_in_head(const dream_curl_work *work)
{
    curl_off_t first_byte_us = 0;

    (void)curl_easy_getinfo(work->easy, CURLINFO_STARTTRANSFER_TIME_T, &first_byte_us);
    return first_byte_us > 0 && !work->is_head_whole;
}

static dreamapi_failure failure_of(const dream_curl_work *work, CURLcode code)
{
    dreamapi_failure failure = DREAMAPI_FAILURE_OTHER;
    long connects = 1;

    if (work->refused == DREAMAPI_NOMEM)
        return DREAMAPI_FAILURE_NOMEM;
    if (work->refused != DREAMAPI_OK)
        return DREAMAPI_FAILURE_TOO_LARGE;
    if (code == CURLE_OUT_OF_MEMORY && is_in_head(work))
        return DREAMAPI_FAILURE_TOO_LARGE;
    /* libcurl was about to send the request again: only a dead kept connection makes it do that. */
    if (work->is_repeat_refused)
        return DREAMAPI_FAILURE_STALE;
    for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
        if (failures[i].code == code)
            failure = failures[i].failure;
    }
    if (code == CURLE_SSL_CONNECT_ERROR && is_handshake_cut(work))
        return DREAMAPI_FAILURE_RESET;
    (void)curl_easy_getinfo(work->easy, CURLINFO_NUM_CONNECTS, &connects);
    if (failure == DREAMAPI_FAILURE_RESET && connects == 0 && !work->has_answer_byte)
        failure = DREAMAPI_FAILURE_STALE;
    return failure;
}

/* Once libcurl began to write a request, bytes may have left. That none of the body was read does not mean "not sent":
 * a server may act on the headers alone. */
bool dream_curl_work_maybe_sent(const dream_curl_work *work)
{
    return work->requests_begun > 0;
}

void dream_curl_work_report(dream_curl_work *work, CURLcode code)
{
    long http_status = 0;

    if (code == CURLE_OK && !work->is_head_whole) {
        dreamapi_exchange_fail(work->exchange, DREAMAPI_FAILURE_RESET, dream_curl_work_maybe_sent(work),
                               "the connection was closed in the answer's headers");
        return;
    }
    if (code == CURLE_OK && curl_easy_getinfo(work->easy, CURLINFO_RESPONSE_CODE, &http_status) == CURLE_OK) {
        dreamapi_exchange_finish(work->exchange, (int)http_status);
        return;
    }
    dreamapi_exchange_fail(work->exchange, failure_of(work, code), dream_curl_work_maybe_sent(work),
                           work->text[0] != '\0' ? work->text : curl_easy_strerror(code));
}
