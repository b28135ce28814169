/* SPDX-License-Identifier: Apache-2.0 */
/* base_url.c - takes the base URL apart (RFC 3986, 3.2) as strictly as our use
 * of it allows. Whether a given host may be sent a secret is decided from the text
 * alone: a name is never looked up for that. */
#include "lib/base_url.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MAX_URL = 2048, MAX_HOST = 253 };

struct parts {
    bool is_https;
    const char *host; /* without brackets */
    size_t host_size;
    bool is_bracketed;
    const char *port; /* NULL if none */
    size_t port_size;
    const char *path; /* "" or begins with a slash */
};

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static const char *split_host(const char *at, size_t size, struct parts *out)
{
    const char *end = at + size;
    const char *colon;

    if (size > 0 && at[0] == '[') {
        const char *close = memchr(at, ']', size);
        if (close == NULL)
            return "the address in brackets is not closed";
        out->is_bracketed = true;
        out->host = at + 1;
        out->host_size = (size_t)(close - at - 1);
        if (close + 1 < end && close[1] != ':')
            return "the host is malformed";
        colon = close + 1 < end ? close + 1 : NULL;
    } else {
        colon = memchr(at, ':', size);
        out->host = at;
        out->host_size = colon == NULL ? size : (size_t)(colon - at);
    }
    if (colon != NULL) {
        out->port = colon + 1;
        out->port_size = (size_t)(end - colon - 1);
    }
    return NULL;
}

static const char *split(const char *url, struct parts *out)
{
    const char *at;

    memset(out, 0, sizeof(*out));
    if (strncasecmp(url, "https://", 8) == 0) {
        out->is_https = true;
        at = url + 8;
    } else if (strncasecmp(url, "http://", 7) == 0) {
        at = url + 7;
    } else {
        return "it does not begin with https:// or http://";
    }
    out->path = at + strcspn(at, "/?#\\");
    if (memchr(at, '@', (size_t)(out->path - at)) != NULL)
        return "it holds credentials";
    return split_host(at, (size_t)(out->path - at), out);
}

static const char *check_host(const struct parts *parts)
{
    char text[MAX_HOST + 1];
    unsigned char address[16];

    if (parts->host_size == 0 || parts->host_size > MAX_HOST)
        return "the host is missing or too long";
    memcpy(text, parts->host, parts->host_size);
    text[parts->host_size] = '\0';
    if (parts->is_bracketed)
        return inet_pton(AF_INET6, text, address) == 1 ? NULL : "the address in brackets is not IPv6";
    for (size_t i = 0; i < parts->host_size; i++) {
        if (!is_alnum(text[i]) && strchr("-._", text[i]) == NULL)
            return "the host has a character that names do not have";
    }
    return NULL;
}

static const char *check_port(const struct parts *parts)
{
    unsigned port = 0;

    if (parts->port == NULL)
        return NULL;
    if (parts->port_size == 0 || parts->port_size > 5)
        return "the port is malformed";
    for (size_t i = 0; i < parts->port_size; i++) {
        if (parts->port[i] < '0' || parts->port[i] > '9')
            return "the port is malformed";
        port = port * 10 + (unsigned)(parts->port[i] - '0');
    }
    return port >= 1 && port <= 65535 ? NULL : "the port is out of range";
}

static const char *check_path(const char *path)
{
    if (strchr(path, '?') != NULL)
        return "it holds a query";
    if (strchr(path, '#') != NULL)
        return "it holds a fragment";
    for (const char *at = path; *at != '\0'; at++) {
        if (!is_alnum(*at) && strchr("/-._~%!$&'()*+,;=:@", *at) == NULL)
            return "the path has a character that must be percent-encoded";
    }
    return NULL;
}

const char *dream_base_url_check(const char *url)
{
    struct parts parts;
    const char *wrong;

    if (strnlen(url, MAX_URL + 1) > MAX_URL)
        return "it is too long";
    wrong = split(url, &parts);
    if (wrong == NULL)
        wrong = check_host(&parts);
    if (wrong == NULL)
        wrong = check_port(&parts);
    if (wrong == NULL)
        wrong = check_path(parts.path);
    return wrong;
}

static bool is_loopback(const struct parts *parts)
{
    char text[MAX_HOST + 1];
    struct in_addr v4;
    struct in6_addr v6;

    if (parts->host_size > MAX_HOST)
        return false;
    memcpy(text, parts->host, parts->host_size);
    text[parts->host_size] = '\0';
    if (parts->is_bracketed)
        return inet_pton(AF_INET6, text, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
    if (strcasecmp(text, "localhost") == 0)
        return true;
    /* inet_pton takes four decimal parts only: "127.1" or "0x7f.1" are names here, and no loopback. */
    return inet_pton(AF_INET, text, &v4) == 1 && (ntohl(v4.s_addr) >> 24) == 127;
}

bool dream_base_url_make(const char *url, dream_base_url *out)
{
    struct parts parts;
    size_t size = strlen(url);

    (void)split(url, &parts);
    while (size > 0 && url[size - 1] == '/')
        size--;
    out->is_https = parts.is_https;
    out->is_loopback = is_loopback(&parts);
    out->text = strndup(url, size);
    return out->text != NULL;
}

bool dream_url_is_loopback(const char *url)
{
    struct parts parts;

    return split(url, &parts) == NULL && is_loopback(&parts);
}
