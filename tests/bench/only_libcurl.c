/* SPDX-License-Identifier: Apache-2.0 */
/* only_libcurl.c - the floor of a client's memory: a process that has libcurl loaded and does nothing with it. */
#include <curl/curl.h>
#include <stdio.h>

#include "memory_of.h"

/* Named, so that the linker keeps libcurl, and never called: that would set up its TLS library. */
static CURL *(*const volatile loaded)(void) = curl_easy_init;

int main(void)
{
    if (loaded == NULL)
        return 1;
    (void)printf("%ld\n", memory_of_this_process());
    return 0;
}
