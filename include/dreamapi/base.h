/* SPDX-License-Identifier: Apache-2.0 */
/** @file base.h
 * What every other header needs: the export mark, the handles' names and the
 * one number with a special meaning. Nothing here does anything. */
#ifndef DREAMAPI_BASE_H
#define DREAMAPI_BASE_H

#include <stddef.h>
#include <stdint.h>

/** Marks every exported function; the linker's list of symbols is made from it. */
#if defined(__GNUC__)
#define DREAMAPI_API __attribute__((visibility("default")))
#else
#define DREAMAPI_API
#endif

/** A limit, a remainder or a stock without an end. Compares greater than any count. */
#define DREAMAPI_UNLIMITED INT64_MAX

#ifdef __cplusplus
extern "C" {
#endif

/* Handles. All are opaque; each is described in the header of its topic. */
/** What a client is made from: options.h. */
typedef struct dreamapi_options dreamapi_options;
/** One project of one service: client.h. */
typedef struct dreamapi_client dreamapi_client;
/** A request under way: call.h. */
typedef struct dreamapi_call dreamapi_call;

#ifdef __cplusplus
}
#endif

#endif
