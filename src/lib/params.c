/* SPDX-License-Identifier: Apache-2.0 */
/* params.c - one reading of every sized struct, so that all of them grow the same way. */
#include "lib/params.h"

#include <string.h>

#include "lib/error.h"

/* Larger than any of our structs will be; a size beyond it is uninitialised memory. */
enum { MAX_STRUCT_SIZE = 4096 };

dreamapi_status dream_params_copy(const void *given, void *out, size_t size, dreamapi_error *error)
{
    const unsigned char *bytes = given;
    size_t given_size;

    memset(out, 0, size);
    if (given == NULL)
        return DREAMAPI_OK;
    memcpy(&given_size, given, sizeof(given_size));
    if (given_size < sizeof(given_size) || given_size > MAX_STRUCT_SIZE)
        return dream_error_refuse(error, DREAMAPI_INVALID, "struct_size is not set: use the struct's _INIT macro");
    for (size_t i = size; i < given_size; i++) {
        if (bytes[i] != 0)
            return dream_error_refuse(error, DREAMAPI_UNSUPPORTED,
                                      "a parameter is newer than this version of the library");
    }
    memcpy(out, given, given_size < size ? given_size : size);
    return DREAMAPI_OK;
}
