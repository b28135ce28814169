/* SPDX-License-Identifier: Apache-2.0 */
/* http_proxy.c - networks of trusted proxies, and X-Forwarded-For read from its end. No state. */
#include "net/http_proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAPPED_BITS = 96 };

static const unsigned char mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

/* Both families in one space, so that an IPv4 peer of a [::] socket is the same peer. */
static bool parse_address(const char *text, unsigned char out[16], bool *out_is_v4)
{
    *out_is_v4 = inet_pton(AF_INET, text, out + sizeof mapped) == 1;
    if (*out_is_v4) {
        memcpy(out, mapped, sizeof mapped);
        return true;
    }
    return inet_pton(AF_INET6, text, out) == 1;
}

static bool is_within(const unsigned char address[16], const dreamd_network *network)
{
    size_t bytes = network->bits / 8;
    unsigned rest = network->bits % 8;
    unsigned char mask = (unsigned char)(0xff00U >> rest);

    return memcmp(address, network->address, bytes) == 0
           && (rest == 0 || ((address[bytes] ^ network->address[bytes]) & mask) == 0);
}

static bool has_bits_beyond(const dreamd_network *network)
{
    for (unsigned bit = network->bits; bit < 128; bit++)
        if (network->address[bit / 8] & (0x80U >> bit % 8))
            return true;
    return false;
}

bool dreamd_proxies_add(dreamd_proxies *proxies, const char *text)
{
    char address[DREAMD_ADDRESS_SIZE];
    size_t size = strcspn(text, "/");
    const char *prefix = text[size] ? text + size + 1 : NULL;
    dreamd_network network;
    bool is_v4;

    if (proxies->count == DREAMD_PROXIES_MAX || size >= sizeof address)
        return false;
    memcpy(address, text, size);
    address[size] = '\0';
    if (!parse_address(address, network.address, &is_v4))
        return false;
    network.bits = 128;
    if (prefix) {
        size_t digits = strspn(prefix, "0123456789");
        unsigned bits = digits > 0 && digits < 4 && !prefix[digits] ? (unsigned)strtoul(prefix, NULL, 10) : 999;
        if (bits > (is_v4 ? 32U : 128U))
            return false;
        network.bits = bits + (is_v4 ? (unsigned)MAPPED_BITS : 0U);
    }
    if (has_bits_beyond(&network))
        return false;
    proxies->networks[proxies->count++] = network;
    return true;
}

static bool trust(const dreamd_proxies *proxies, const unsigned char address[16])
{
    for (size_t i = 0; i < proxies->count; i++)
        if (is_within(address, &proxies->networks[i]))
            return true;
    return false;
}

bool dreamd_proxies_trust(const dreamd_proxies *proxies, const char *address)
{
    unsigned char bytes[16];
    bool is_v4;

    return parse_address(address, bytes, &is_v4) && trust(proxies, bytes);
}

/* In the spelling of dreamd_request_remote. */
static void write_address(const unsigned char bytes[16], char out[DREAMD_ADDRESS_SIZE])
{
    bool is_v4 = memcmp(bytes, mapped, sizeof mapped) == 0;
    (void)inet_ntop(is_v4 ? AF_INET : AF_INET6, is_v4 ? bytes + sizeof mapped : bytes, out, DREAMD_ADDRESS_SIZE);
}

/* "192.0.2.1", "192.0.2.1:4711", "2001:db8::1", "[2001:db8::1]:4711": proxies write all of these. */
static bool parse_entry(const char *text, size_t size, unsigned char out[16])
{
    char entry[DREAMD_ADDRESS_SIZE + 8];
    char *start = entry;
    bool is_v4;

    while (size > 0 && (text[size - 1] == ' ' || text[size - 1] == '\t'))
        size--;
    while (size > 0 && (*text == ' ' || *text == '\t')) {
        text++;
        size--;
    }
    if (size >= sizeof entry)
        return false;
    memcpy(entry, text, size);
    entry[size] = '\0';
    if (entry[0] == '[') {
        start = entry + 1;
        entry[strcspn(entry, "]")] = '\0';
    } else if (strchr(entry, '.') && !strstr(entry, "::")) {
        entry[strcspn(entry, ":")] = '\0';
    }
    return parse_address(start, out, &is_v4);
}

void dreamd_proxies_client(const dreamd_proxies *proxies, const char *forwarded_for, char out[DREAMD_ADDRESS_SIZE])
{
    size_t end = strlen(forwarded_for);
    unsigned char address[16];

    for (;;) {
        size_t start = end;
        while (start > 0 && forwarded_for[start - 1] != ',')
            start--;
        if (!parse_entry(forwarded_for + start, end - start, address))
            return;
        write_address(address, out);
        if (start == 0 || !trust(proxies, address))
            return;
        end = start - 1;
    }
}
