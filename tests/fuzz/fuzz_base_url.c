/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_base_url.c - any text as a base URL. libcurl, which connects, must read an accepted one as we do: else a secret goes in the clear
 * to a host that only we took for this machine. */
#include "fuzz.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <strings.h>

#include "lib/base_url.h"

static char *part_of(CURLU *url, CURLUPart part)
{
    char *text = NULL;

    FUZZ_CHECK(curl_url_get(url, part, &text, 0) == CURLUE_OK && text != NULL);
    return text;
}

static bool is_this_machine(const char *host)
{
    struct in_addr v4;

    return strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0
           || (inet_pton(AF_INET, host, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127);
}

static void compare(const dream_base_url *base)
{
    CURLU *url = curl_url();
    char *host, *scheme;

    FUZZ_CHECK(url != NULL);
    /* It may refuse what we take, as it knows more of numbers in hosts: then nothing is sent. */
    if (curl_url_set(url, CURLUPART_URL, base->text, 0) == CURLUE_OK) {
        host = part_of(url, CURLUPART_HOST);
        scheme = part_of(url, CURLUPART_SCHEME);
        FUZZ_CHECK(base->is_https == (strcmp(scheme, "https") == 0));
        FUZZ_CHECK(!base->is_loopback || is_this_machine(host));
        curl_free(host);
        curl_free(scheme);
    }
    curl_url_cleanup(url);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    dream_base_url base;

    (void)dream_url_is_loopback(text);
    if (dream_base_url_check(text) == NULL) {
        FUZZ_CHECK(dream_base_url_make(text, &base));
        FUZZ_CHECK(base.is_loopback == dream_url_is_loopback(text));
        FUZZ_CHECK(dream_base_url_check(base.text) == NULL);
        compare(&base);
        free(base.text);
    }
    free(text);
    return 0;
}
