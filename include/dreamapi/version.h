/* SPDX-License-Identifier: Apache-2.0 */
/** @file version.h
 * The version compiled against (macros) and the version running (function). */
#ifndef DREAMAPI_VERSION_H
#define DREAMAPI_VERSION_H

#include <dreamapi/base.h>

/** Grows when a program has to change. Before 1.0.0 the next number may do so too. */
#define DREAMAPI_VERSION_MAJOR 0
/** Grows with additions. */
#define DREAMAPI_VERSION_MINOR 1
/** Grows with corrections. */
#define DREAMAPI_VERSION_PATCH 0
/** "MAJOR.MINOR.PATCH" of these headers. */
#define DREAMAPI_VERSION "0.1.0"
/** One number that grows with each version: MAJOR * 10000 + MINOR * 100 + PATCH. */
#define DREAMAPI_VERSION_NUMBER (DREAMAPI_VERSION_MAJOR * 10000 + DREAMAPI_VERSION_MINOR * 100 + DREAMAPI_VERSION_PATCH)

#ifdef __cplusplus
extern "C" {
#endif

/** "MAJOR.MINOR.PATCH" of the library that runs. Borrowed, valid for ever. Any thread. */
DREAMAPI_API const char *dreamapi_version(void);

/** DREAMAPI_VERSION_NUMBER of the library that runs. Any thread. */
DREAMAPI_API int dreamapi_version_number(void);

#ifdef __cplusplus
}
#endif

#endif
