/* SPDX-License-Identifier: Apache-2.0 */
/* record.h - reads one JSON object of a user's file field by field, and says precisely what is wrong with it.
 * The first mistake counts: after it every reader does nothing, so that a caller reads all fields and asks once. */
#ifndef DREAMAPID_RECORD_H
#define DREAMAPID_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/json.h"

enum { DREAMD_RECORD_NAME_SIZE = 96 };

typedef struct dreamd_record {
    const cJSON *object;
    char name[DREAMD_RECORD_NAME_SIZE]; /* how messages call it: 'tier "pro"', 'users[2]' */
    char *error;                        /* 256 bytes, the caller's; written at the first mistake */
    bool is_bad;
} dreamd_record;

/* Bad from the start when `object` is no JSON object. `known` (ended by NULL) are the fields it may have; anything else is a
 * misspelt one. */
dreamd_record dreamd_record_open(const cJSON *object, const char *name, const char *const *known, char error[256]);
/* Notes a mistake about a field: "NAME: FIELD must be ..." */
void dreamd_record_refuse(dreamd_record *record, const char *field, const char *why);

/* The readers leave `*out` as it is where the field is absent. */
enum { DREAMD_RECORD_NEEDED = 1, DREAMD_RECORD_NULL_IS_ABSENT = 2 };
/* Borrowed from the JSON; 1 to `max` bytes without control characters. */
void dreamd_record_text(dreamd_record *record, const char *field, size_t max, unsigned flags, const char **out);
void dreamd_record_int(dreamd_record *record, const char *field, int64_t min, int64_t max, unsigned flags,
                       int64_t *out);
void dreamd_record_bool(dreamd_record *record, const char *field, bool *out);
/* A whole number from `min` on; null and "unlimited" give INT64_MAX. */
void dreamd_record_limit(dreamd_record *record, const char *field, int64_t min, unsigned flags, int64_t *out);

#endif
