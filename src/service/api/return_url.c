/* SPDX-License-Identifier: Apache-2.0 */
/* return_url.c - a narrow reading of addresses: what is not plainly an http(s) origin and a path is refused, because a
 * browser might read it differently. No state. */
#include "service/api/return_url.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* The length of "http://" or "https://" that `url` begins with, 0 if neither. */
static size_t scheme_size(const char *url)
{
    if (strncasecmp(url, "https://", 8) == 0)
        return 8;
    return strncasecmp(url, "http://", 7) == 0 ? 7 : 0;
}

static bool has_odd_bytes(const char *url)
{
    for (const unsigned char *c = (const unsigned char *)url; *c; c++) {
        if (*c <= 0x20 || *c >= 0x7f || *c == '\\')
            return true;
    }
    return false;
}

static void lower(char *text)
{
    for (; *text; text++) {
        if (*text >= 'A' && *text <= 'Z')
            *text = (char)(*text - 'A' + 'a');
    }
}

/* Letters, digits, "-._" and the brackets and colons of ports and IPv6; not empty. */
static bool is_authority(const char *text, size_t size)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:[]";

    return size > 0 && text[0] != ':' && strspn(text, allowed) >= size;
}

static void drop_default_port(char *origin, bool is_https)
{
    const char *port = is_https ? ":443" : ":80";
    size_t size = strlen(origin);
    size_t port_size = strlen(port);

    if (size > port_size && strcmp(origin + size - port_size, port) == 0)
        origin[size - port_size] = '\0';
}

bool dreamd_origin_of(const char *url, char out[DREAMD_ORIGIN_SIZE])
{
    size_t scheme = scheme_size(url);
    size_t authority = 0;

    if (scheme == 0 || has_odd_bytes(url))
        return false;
    authority = strcspn(url + scheme, "/?#");
    if (!is_authority(url + scheme, authority) || scheme + authority >= DREAMD_ORIGIN_SIZE)
        return false;
    (void)snprintf(out, DREAMD_ORIGIN_SIZE, "%.*s", (int)(scheme + authority), url);
    lower(out);
    drop_default_port(out, scheme == 8);
    return true;
}

/* Is `origin` that of one of the addresses in the comma list? */
static bool is_listed(const char *origin, const char *list)
{
    char item[DREAMD_ORIGIN_SIZE];
    char item_origin[DREAMD_ORIGIN_SIZE];

    while (*list) {
        size_t size = 0;

        list += strspn(list, ", \t");
        size = strcspn(list, ", \t");
        if (size > 0 && size < sizeof item) {
            memcpy(item, list, size);
            item[size] = '\0';
            if (dreamd_origin_of(item, item_origin) && strcmp(item_origin, origin) == 0)
                return true;
        }
        list += size;
    }
    return false;
}

/* Is it this machine's, at any port? What is sent there stays with the buyer. */
static bool is_loopback(const char *origin)
{
    static const char *const hosts[] = { "localhost", "127.0.0.1", "[::1]" };
    const char *host = origin + scheme_size(origin);

    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        size_t size = strlen(hosts[i]);
        const char *rest = host + size;

        if (strncmp(host, hosts[i], size) != 0)
            continue;
        if (*rest == '\0' || (*rest == ':' && rest[1] != '\0' && rest[1 + strspn(rest + 1, "0123456789")] == '\0'))
            return true;
    }
    return false;
}

bool dreamd_return_url_is_allowed(const char *url, const char *allowed, const char *own)
{
    char origin[DREAMD_ORIGIN_SIZE];
    char own_origin[DREAMD_ORIGIN_SIZE];

    if (!dreamd_origin_of(url, origin))
        return false;
    if (own && dreamd_origin_of(own, own_origin) && strcmp(own_origin, origin) == 0)
        return true;
    if (!allowed)
        return is_loopback(origin);
    return strcmp(allowed, "*") == 0 || is_listed(origin, allowed);
}

const char *dreamd_return_base(const char *origin, const char *allowed, const char *own)
{
    size_t scheme = origin ? scheme_size(origin) : 0;

    if (scheme > 0 && strpbrk(origin + scheme, "/?#") == NULL && dreamd_return_url_is_allowed(origin, allowed, own))
        return origin;
    return own;
}
