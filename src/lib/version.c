/* SPDX-License-Identifier: Apache-2.0 */
/* version.c - the version of the library that runs, which may be newer than the headers of its caller. */
#include <dreamapi/version.h>

const char *dreamapi_version(void)
{
    return DREAMAPI_VERSION;
}

int dreamapi_version_number(void)
{
    return DREAMAPI_VERSION_NUMBER;
}
