/* SPDX-License-Identifier: Apache-2.0 */
/* transport_curl.h - the built-in transport: libcurl's multi interface over an epoll of its own. */
#ifndef DREAM_LIB_TRANSPORT_CURL_H
#define DREAM_LIB_TRANSPORT_CURL_H

#include <dreamapi/transport.h>

extern const dreamapi_transport dream_transport_curl;

#endif
