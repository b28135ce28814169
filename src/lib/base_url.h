/* SPDX-License-Identifier: Apache-2.0 */
/* base_url.h - where the service is, and whether a secret may be sent there. Any thread. */
#ifndef DREAM_LIB_BASE_URL_H
#define DREAM_LIB_BASE_URL_H

#include <stdbool.h>

typedef struct dream_base_url {
    char *text; /* owned; scheme, host, port and path, without a slash at the end */
    bool is_https;
    bool is_loopback; /* 127.0.0.0/8, ::1 or "localhost" */
} dream_base_url;

/* NULL when the URL is usable, else what is wrong with it (a constant). Nothing is stored. */
const char *dream_base_url_check(const char *url);
/* For a URL that passed the check. False when out of memory. Release with free(out->text). */
bool dream_base_url_make(const char *url, dream_base_url *out);
/* For any absolute http or https URL, such as one made from a base URL. */
bool dream_url_is_loopback(const char *url);

#endif
