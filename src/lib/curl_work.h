/* SPDX-License-Identifier: Apache-2.0 */
/* curl_work.h - one exchange as a libcurl transfer: its set-up, what libcurl reads and hands
 * over, and what its end means. The connections and the waiting are transport_curl.c. */
#ifndef DREAM_LIB_CURL_WORK_H
#define DREAM_LIB_CURL_WORK_H

#include <curl/curl.h>
#include <dreamapi/transport.h>
#include <stdbool.h>

typedef struct dream_curl_work {
    dreamapi_exchange *exchange;
    CURL *easy;
    struct curl_slist *headers; /* copies of ours, some secret: wiped */
    const char *body;           /* borrowed from the exchange */
    size_t body_size;
    size_t body_read;
    unsigned requests_begun; /* how often libcurl was about to write a request */
    bool is_repeat_refused;  /* it wanted to write one more than it may */
    bool has_answer_byte;
    bool is_interim;         /* the head that is coming is that of a 1xx answer */
    bool is_head_whole;      /* the empty line after the answer's last header came */
    dreamapi_status refused; /* why the answer was not taken; OK if it was */
    char text[CURL_ERROR_SIZE];
} dream_curl_work;

/* What all transfers of a client share; borrowed. */
typedef struct dream_curl_setup {
    const char *ca_file; /* whom to trust, and nobody else; NULL: as libcurl was built */
    const char *proxy;
    curl_opensocket_callback open_socket;
    curl_closesocket_callback close_socket;
    void *socket_data;
} dream_curl_setup;

/* Owned; NULL when out of memory. The transfer is not begun. */
dream_curl_work *dream_curl_work_new(dreamapi_exchange *exchange, const dream_curl_setup *setup);
void dream_curl_work_free(dream_curl_work *work); /* taken out of the multi handle before */
/* Reports the end to the exchange. */
void dream_curl_work_report(dream_curl_work *work, CURLcode code);
/* False only if surely no byte of the request left. */
bool dream_curl_work_maybe_sent(const dream_curl_work *work);

#endif
