/* SPDX-License-Identifier: Apache-2.0 */
/* http_proxy.h - which peers are proxies that may say for whom they ask.
 * X-Forwarded-For is what a client wrote, and then what each proxy on the way added at its end. So it is read from the end,
 * and only as long as whoever added the entry behind is trusted. From anybody else it says nothing. */
#ifndef DREAMD_NET_HTTP_PROXY_H
#define DREAMD_NET_HTTP_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

enum { DREAMD_PROXIES_MAX = 16, DREAMD_ADDRESS_SIZE = 46 };

typedef struct dreamd_network {
    unsigned char address[16]; /* IPv4 as ::ffff:a.b.c.d */
    unsigned bits;             /* of 128 */
} dreamd_network;

typedef struct dreamd_proxies {
    dreamd_network networks[DREAMD_PROXIES_MAX];
    size_t count;
} dreamd_proxies;

/* "10.0.0.0/8", "fd00::/8" or one address. False if it is neither, has bits beyond its prefix, or is one too many. */
bool dreamd_proxies_add(dreamd_proxies *proxies, const char *text);
/* `address`: as dreamd_request_remote writes it. */
bool dreamd_proxies_trust(const dreamd_proxies *proxies, const char *address);
/* For whom a trusted peer asks: into `out`, which holds the peer's address, the last entry of `forwarded_for` that no trusted proxy
 * stands for. An entry that is no address ends the search: then it is whoever sent it. */
void dreamd_proxies_client(const dreamd_proxies *proxies, const char *forwarded_for, char out[DREAMD_ADDRESS_SIZE]);

#endif
