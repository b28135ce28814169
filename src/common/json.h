/* SPDX-License-Identifier: Apache-2.0 */
/* json.h - reading and writing JSON through cJSON, with the checks that untrusted
 * input needs: bounded depth, the whole text used, integers that are integers. */
#ifndef DREAM_COMMON_JSON_H
#define DREAM_COMMON_JSON_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DREAM_JSON_MAX_DEPTH = 64 };

/* The largest integer that a JSON number carries exactly (2^53 - 1). */
#define DREAM_JSON_MAX_INT INT64_C(9007199254740991)

/* Owned by the caller (cJSON_Delete); NULL when the text is not one JSON value, is nested deeper than
 * DREAM_JSON_MAX_DEPTH, holds a NUL, names a key twice in one object, or memory ran out (`out_of_memory`, may be NULL, tells). */
cJSON *dream_json_parse(const char *text, size_t size, bool *out_of_memory);
/* The same, only to be read: one piece of memory, owned by the caller, which goes with free() and not with cJSON_Delete. `text` is
 * not NULL, nor is `out_of_memory`. */
cJSON *dream_json_parse_whole(const char *text, size_t size, bool *out_of_memory);
/* Owned by the caller (free()), NULL when out of memory or `value` is NULL. No white space; whole numbers in full, never as 1e+15. */
char *dream_json_print(const cJSON *value);

/* Readers: `object` may be NULL or no object. Results are borrowed from it. Names are case-sensitive. */
const cJSON *dream_json_get(const cJSON *object, const char *name);
const char *dream_json_string(const cJSON *object, const char *name); /* NULL if absent or not a string */
bool dream_json_int(const cJSON *object, const char *name,
                    int64_t *out); /* false if absent or no whole number within ±2^53 */
bool dream_json_bool(const cJSON *object, const char *name, bool fallback);

/* Writers return false when out of memory; `object` NULL counts as that, so a chain may be checked at its end. NULL text writes null.
 * A name already set is replaced (and moves to the end). */
bool dream_json_set_string(cJSON *object, const char *name, const char *text);
bool dream_json_set_int(cJSON *object, const char *name, int64_t value);
bool dream_json_set_bool(cJSON *object, const char *name, bool value);
bool dream_json_set_null(cJSON *object, const char *name);
bool dream_json_set(cJSON *object, const char *name, cJSON *value); /* takes value, also on failure */

#endif
