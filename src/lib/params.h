/* SPDX-License-Identifier: Apache-2.0 */
/* params.h - reading structs whose first member is their size. A caller may have
 * been compiled against older headers (a smaller struct) or newer ones. */
#ifndef DREAM_LIB_PARAMS_H
#define DREAM_LIB_PARAMS_H

#include <dreamapi/error.h>
#include <stddef.h>

/* Copies what `given` has into `out` (`size` bytes, zero where `given` has nothing). NULL counts as an empty one.
 * DREAMAPI_INVALID if the size is none; DREAMAPI_UNSUPPORTED if `given` is larger and its surplus is used, since ignoring what a caller
 * asked for would be worse than refusing. */
dreamapi_status dream_params_copy(const void *given, void *out, size_t size, dreamapi_error *error);

#endif
