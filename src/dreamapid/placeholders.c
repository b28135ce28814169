/* SPDX-License-Identifier: Apache-2.0 */
/* placeholders.c - gives a fixture's "<...>" texts their values and puts these in their place.
 * Which keys and ids a fixture has is fixture_file.c. */
#include "dreamapid/placeholders.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/crypto.h"
#include "common/ids.h"
#include "common/json.h"
#include "common/timefmt.h"

enum { ERROR_SIZE = 256, SHOWN = 80, MAX_DAYS = 36500, ID_SIZE = 128 };

bool dreamd_placeholders_init(dreamd_placeholders *all, int64_t now_ms)
{
    *all = (dreamd_placeholders){ cJSON_CreateObject(), now_ms };
    return all->values != NULL;
}

void dreamd_placeholders_clear(dreamd_placeholders *all)
{
    cJSON *value;
    cJSON_ArrayForEach(value, all->values) dream_wipe_text(value->valuestring);
    cJSON_Delete(all->values);
    all->values = NULL;
}

bool dreamd_is_placeholder(const char *text)
{
    size_t size = strlen(text);
    return size > 2 && text[0] == '<' && text[size - 1] == '>';
}

bool dreamd_placeholder_set(dreamd_placeholders *all, const char *text, const char *value)
{
    return dream_json_get(all->values, text) || dream_json_set_string(all->values, text, value);
}

const char *dreamd_placeholder_make(dreamd_placeholders *all, const char *text, const char *prefix, unsigned bytes)
{
    char id[ID_SIZE];
    if (!dreamd_is_placeholder(text))
        return text;
    const char *known = dream_json_string(all->values, text);
    if (known)
        return known;
    if (strlen(prefix) + 2 * (size_t)bytes >= sizeof id || !dream_random_id(prefix, bytes, id))
        return NULL;
    bool is_kept = dreamd_placeholder_set(all, text, id);
    dream_wipe(id, sizeof id);
    return is_kept ? dream_json_string(all->values, text) : NULL;
}

/* "<today>", "<today+29>", "<today-40>". */
static bool day_of(const dreamd_placeholders *all, const char *text, char out[11])
{
    static const char word[] = "<today";
    long days = 0;
    if (strncmp(text, word, sizeof word - 1) != 0)
        return false;
    const char *rest = text + sizeof word - 1;
    if (*rest == '+' || *rest == '-') {
        char *end;
        if (rest[1] < '0' || rest[1] > '9')
            return false;
        days = strtol(rest, &end, 10);
        rest = end;
    }
    if (strcmp(rest, ">") != 0 || days > MAX_DAYS || days < -MAX_DAYS)
        return false;
    int32_t day = dream_day_of_ms(all->now_ms) + (int32_t)days;
    if (day < 0)
        return false;
    dream_day_text(day, out);
    return true;
}

static const char *value_of(dreamd_placeholders *all, const char *text, char day[11])
{
    if (day_of(all, text, day))
        return day;
    if (strncmp(text, "<user", 5) == 0 || strcmp(text, "<id>") == 0)
        return dreamd_placeholder_make(all, text, "user_", 14);
    return dream_json_string(all->values, text);
}

bool dreamd_placeholders_resolve(dreamd_placeholders *all, cJSON *tree, char error[ERROR_SIZE])
{
    char day[11];
    cJSON *child;
    if (cJSON_IsString(tree) && dreamd_is_placeholder(tree->valuestring)) {
        const char *value = value_of(all, tree->valuestring, day);
        if (value && cJSON_SetValuestring(tree, value))
            return true;
        (void)snprintf(error, ERROR_SIZE, "the placeholder %.*s stands for nothing", SHOWN, tree->valuestring);
        return false;
    }
    if (!cJSON_IsObject(tree) && !cJSON_IsArray(tree))
        return true;
    cJSON_ArrayForEach(child, tree)
    {
        if (!dreamd_placeholders_resolve(all, child, error))
            return false;
    }
    return true;
}
