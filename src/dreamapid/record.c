/* SPDX-License-Identifier: Apache-2.0 */
/* record.c - typed, bounded reading of the fields in a user's JSON file, with messages that name record and field.
 * It knows neither tiers nor fixtures: their fields are in tiers_file.c and fixture_file.c. */
#include "dreamapid/record.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/json.h"

enum { ERROR_SIZE = 256, FIELD_SHOWN = 40 };

void dreamd_record_refuse(dreamd_record *record, const char *field, const char *why)
{
    if (record->is_bad)
        return;
    record->is_bad = true;
    (void)snprintf(record->error, ERROR_SIZE, "%s: %.*s %s", record->name, FIELD_SHOWN, field, why);
}

static bool is_known(const char *field, const char *const *known)
{
    while (*known && strcmp(*known, field) != 0)
        known++;
    return *known != NULL;
}

dreamd_record dreamd_record_open(const cJSON *object, const char *name, const char *const *known,
                                 char error[ERROR_SIZE])
{
    dreamd_record record = { .object = object, .error = error };
    const cJSON *field;
    (void)snprintf(record.name, sizeof record.name, "%s", name);
    if (!cJSON_IsObject(object)) {
        record.is_bad = true;
        (void)snprintf(error, ERROR_SIZE, "%s: a JSON object is wanted", record.name);
        return record;
    }
    cJSON_ArrayForEach(field, object)
    {
        if (!is_known(field->string, known))
            dreamd_record_refuse(&record, field->string, "is not a field of it");
    }
    return record;
}

/* The field if there is something to read; absent ones are settled here. */
static const cJSON *find(dreamd_record *record, const char *field, unsigned flags)
{
    if (record->is_bad)
        return NULL;
    const cJSON *value = dream_json_get(record->object, field);
    if (value && (flags & DREAMD_RECORD_NULL_IS_ABSENT) && cJSON_IsNull(value))
        value = NULL;
    if (!value && (flags & DREAMD_RECORD_NEEDED))
        dreamd_record_refuse(record, field, "is missing");
    return value;
}

static bool has_control(const char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return true;
    }
    return false;
}

void dreamd_record_text(dreamd_record *record, const char *field, size_t max, unsigned flags, const char **out)
{
    const cJSON *value = find(record, field, flags);
    if (!value)
        return;
    char why[80];
    if (!cJSON_IsString(value) || value->valuestring[0] == '\0')
        dreamd_record_refuse(record, field, "must be a text that is not empty");
    else if (strlen(value->valuestring) > max) {
        (void)snprintf(why, sizeof why, "must not be longer than %zu bytes", max);
        dreamd_record_refuse(record, field, why);
    } else if (has_control(value->valuestring))
        dreamd_record_refuse(record, field, "must not hold control characters");
    else
        *out = value->valuestring;
}

void dreamd_record_int(dreamd_record *record, const char *field, int64_t min, int64_t max, unsigned flags, int64_t *out)
{
    int64_t number = 0;
    if (!find(record, field, flags))
        return;
    if (!dream_json_int(record->object, field, &number) || number < min || number > max) {
        char why[96];
        (void)snprintf(why, sizeof why, "must be a whole number from %" PRId64 " to %" PRId64, min, max);
        dreamd_record_refuse(record, field, why);
        return;
    }
    *out = number;
}

void dreamd_record_bool(dreamd_record *record, const char *field, bool *out)
{
    const cJSON *value = find(record, field, 0);
    if (!value)
        return;
    if (!cJSON_IsBool(value))
        dreamd_record_refuse(record, field, "must be true or false");
    else
        *out = cJSON_IsTrue(value);
}

void dreamd_record_limit(dreamd_record *record, const char *field, int64_t min, unsigned flags, int64_t *out)
{
    int64_t number = 0;
    const cJSON *value = find(record, field, flags);
    if (!value)
        return;
    if (cJSON_IsNull(value) || (cJSON_IsString(value) && strcmp(value->valuestring, "unlimited") == 0)) {
        *out = INT64_MAX;
    } else if (dream_json_int(record->object, field, &number) && number >= min) {
        *out = number;
    } else {
        char why[96];
        (void)snprintf(why, sizeof why, "must be a whole number from %" PRId64 " on, or \"unlimited\"", min);
        dreamd_record_refuse(record, field, why);
    }
}
