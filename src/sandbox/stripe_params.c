/* SPDX-License-Identifier: Apache-2.0 */
/* stripe_params.c - reads form parameters as Stripe does, with its refusals word by word where clients know them. */
#include "sandbox/stripe.h"

#include <stdlib.h>
#include <string.h>

#include "common/json.h"

enum { MAX_METADATA_KEYS = 50, MAX_METADATA_KEY = 40, MAX_METADATA_VALUE = 500, MAX_TEXT = 5000, MAX_URL = 5000 };

char *stripe_param_name(sandbox_call *call, const char *prefix, const char *name)
{
    return prefix ? sandbox_printf(call, "%s[%s]", prefix, name) : sandbox_printf(call, "%s", name);
}

bool stripe_has(const cJSON *from, const char *name)
{
    const cJSON *value = dream_json_get(from, name);
    return value && !(cJSON_IsString(value) && !*value->valuestring);
}

/* The text as sent, "" included; NULL if absent or no text. */
static const char *raw_text(sandbox_call *call, const cJSON *from, const char *prefix, const char *name)
{
    const cJSON *value = dream_json_get(from, name);
    if (value && !cJSON_IsString(value))
        stripe_refuse(call, NULL, stripe_param_name(call, prefix, name), "Invalid string: must be a string");
    return cJSON_GetStringValue(value);
}

const char *stripe_text(sandbox_call *call, const cJSON *from, const char *prefix, const char *name)
{
    const char *text = raw_text(call, from, prefix, name);
    if (!text)
        return NULL;
    if (!*text) {
        stripe_refuse(
            call, "parameter_invalid_empty", stripe_param_name(call, prefix, name),
            "You passed an empty string for '%s'. We assume empty values are an attempt to unset a parameter; "
            "however '%s' cannot be unset. You should remove '%s' from your request or supply a non-empty value.",
            stripe_param_name(call, prefix, name), name, name);
        return NULL;
    }
    if (strlen(text) > MAX_TEXT) {
        stripe_refuse(call, "parameter_invalid_string_long", stripe_param_name(call, prefix, name),
                      "Invalid string: must be at most %d characters", MAX_TEXT);
        return NULL;
    }
    return text;
}

const char *stripe_required_text(sandbox_call *call, const cJSON *from, const char *prefix, const char *name)
{
    if (!dream_json_get(from, name)) {
        const char *param = stripe_param_name(call, prefix, name);
        stripe_refuse(call, "parameter_missing", param, "Missing required param: %s.", param);
    }
    return stripe_text(call, from, prefix, name);
}

int64_t stripe_int(sandbox_call *call, const cJSON *from, const char *prefix, const char *name, int64_t fallback,
                   int64_t min, int64_t max)
{
    const char *text = stripe_text(call, from, prefix, name);
    if (!text)
        return fallback;
    char *end;
    long long value = strtoll(text, &end, 10);
    const char *param = stripe_param_name(call, prefix, name);
    if (end == text || *end || strspn(text, "-0123456789") != strlen(text) || strlen(text) > 18)
        stripe_refuse(call, "parameter_invalid_integer", param, "Invalid integer: %.50s", text);
    else if (value < min)
        stripe_refuse(call, "parameter_invalid_integer", param, "This value must be greater than or equal to %lld.",
                      (long long)min);
    else if (value > max)
        stripe_refuse(call, "parameter_invalid_integer", param,
                      "This value must be less than or equal to %lld (it currently is '%lld').", (long long)max, value);
    else
        return value;
    return fallback;
}

bool stripe_flag(sandbox_call *call, const cJSON *from, const char *prefix, const char *name, bool fallback)
{
    const char *text = stripe_text(call, from, prefix, name);
    if (!text)
        return fallback;
    if (strcmp(text, "true") == 0)
        return true;
    if (strcmp(text, "false") != 0)
        stripe_refuse(call, NULL, stripe_param_name(call, prefix, name), "Invalid boolean: %.50s", text);
    return false;
}

const cJSON *stripe_table(sandbox_call *call, const cJSON *from, const char *prefix, const char *name)
{
    const cJSON *value = dream_json_get(from, name);
    if (!value || cJSON_IsObject(value))
        return value;
    stripe_refuse(call, NULL, stripe_param_name(call, prefix, name), "Invalid object");
    return NULL;
}

bool stripe_check_names(sandbox_call *call, const cJSON *from, const char *prefix, const char *names)
{
    const cJSON *member;
    cJSON_ArrayForEach(member, from)
    {
        if (sandbox_is_named(names, member->string))
            continue;
        const char *param = stripe_param_name(call, prefix, member->string);
        stripe_refuse(call, "parameter_unknown", param, "Received unknown parameter: %s", param);
        return false;
    }
    return true;
}

const char *stripe_url(sandbox_call *call, const char *name, bool is_required)
{
    const char *text = is_required ? stripe_required_text(call, call->params, NULL, name)
                                   : stripe_text(call, call->params, NULL, name);
    if (!text)
        return NULL;
    size_t scheme = strncasecmp(text, "https://", 8) == 0 ? 8 : strncasecmp(text, "http://", 7) == 0 ? 7 : 0;
    bool is_good = scheme > 0 && strlen(text) <= MAX_URL && strcspn(text + scheme, "/?#") > 0;
    for (const char *p = text; is_good && *p; p++)
        is_good = (unsigned char)*p > ' ' && *p != 0x7f && !strchr("\"<>\\^`", *p);
    if (is_good)
        return text;
    stripe_refuse(call, "url_invalid", name, "Not a valid URL");
    return NULL;
}

void stripe_set_text(sandbox_call *call, const cJSON *from, cJSON *object, const char *name)
{
    const cJSON *value = dream_json_get(from, name);
    if (!value)
        return;
    if (cJSON_IsString(value) && !*value->valuestring)
        sandbox_set_text(call, object, name, NULL);
    else
        sandbox_set_text(call, object, name, stripe_text(call, from, NULL, name));
}

void stripe_set_flag(sandbox_call *call, const cJSON *from, cJSON *object, const char *name)
{
    if (dream_json_get(from, name))
        sandbox_set_bool(call, object, name, stripe_flag(call, from, NULL, name, false));
}

static bool set_metadata_entry(sandbox_call *call, cJSON *metadata, const char *prefix, const cJSON *entry)
{
    const char *key = entry->string;
    const char *param = stripe_param_name(call, prefix, key);
    if (!cJSON_IsString(entry)) {
        stripe_refuse(call, NULL, param, "Metadata values must be strings, not tables.");
    } else if (!*entry->valuestring) {
        cJSON_DeleteItemFromObjectCaseSensitive(metadata, key);
    } else if (strlen(key) > MAX_METADATA_KEY) {
        stripe_refuse(call, NULL, param,
                      "Metadata keys must be at most %d characters, but you passed in a key that is %zu "
                      "characters. Invalid key: %.80s",
                      MAX_METADATA_KEY, strlen(key), key);
    } else if (strlen(entry->valuestring) > MAX_METADATA_VALUE) {
        stripe_refuse(call, NULL, param,
                      "Metadata values can have up to %d characters, but you passed in a value that is "
                      "%zu characters.",
                      MAX_METADATA_VALUE, strlen(entry->valuestring));
    } else {
        sandbox_set_text(call, metadata, key, entry->valuestring);
    }
    return call->status == 0;
}

void stripe_set_metadata(sandbox_call *call, const cJSON *from, const char *prefix, cJSON *object)
{
    const cJSON *given = dream_json_get(from, "metadata");
    const cJSON *entry;
    if (!given)
        return;
    prefix = stripe_param_name(call, prefix, "metadata");
    if (cJSON_IsString(given) && !*given->valuestring) {
        sandbox_embed(call, object, "metadata", sandbox_skeleton(call, "{}"));
        return;
    }
    if (!cJSON_IsObject(given)) {
        stripe_refuse(call, NULL, prefix, "Invalid metadata: must be a table of keys and values");
        return;
    }
    cJSON *metadata = sandbox_member(object, "metadata");
    cJSON_ArrayForEach(entry, given) if (!set_metadata_entry(call, metadata, prefix, entry)) return;
    if (cJSON_GetArraySize(metadata) > MAX_METADATA_KEYS)
        stripe_refuse(call, NULL, prefix, "You can have up to %d metadata keys.", MAX_METADATA_KEYS);
}
