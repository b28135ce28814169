/* SPDX-License-Identifier: Apache-2.0 */
/* document.c - an answer is untrusted: each field is looked at once, here, by a
 * table, so that accessors need no checks and no answer can crash a caller. */
#include "lib/object/document.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

dreamapi_status dream_document_problem(char problem[DREAM_PROBLEM_SIZE], const char *name, const char *what)
{
    (void)snprintf(problem, DREAM_PROBLEM_SIZE, "%s %s", name, what);
    return DREAMAPI_PROTOCOL;
}

dreamapi_status dream_document_read(dream_document *document, const char *body, size_t size,
                                    char problem[DREAM_PROBLEM_SIZE])
{
    bool is_out_of_memory = false;

    document->root = dream_json_parse(body, size, &is_out_of_memory);
    if (document->root == NULL && is_out_of_memory)
        return DREAMAPI_NOMEM;
    if (document->root == NULL)
        return dream_document_problem(problem, "it", "is not JSON");
    if (!cJSON_IsObject(document->root))
        return dream_document_problem(problem, "it", "is not a JSON object");
    document->json = strndup(body, size);
    return document->json == NULL ? DREAMAPI_NOMEM : DREAMAPI_OK;
}

void dream_document_clear(dream_document *document)
{
    cJSON_Delete(document->root);
    free(document->json);
    document->root = NULL;
    document->json = NULL;
}

static bool is_limit(const cJSON *object, const dream_field *field, const cJSON *value, int64_t *out)
{
    if (cJSON_IsNull(value) || (cJSON_IsString(value) && strcmp(value->valuestring, "unlimited") == 0)) {
        *out = DREAMAPI_UNLIMITED;
        return true;
    }
    return dream_json_int(object, field->name, out) && *out >= 0;
}

static bool is_array_of_texts(const cJSON *value)
{
    const cJSON *item;

    if (!cJSON_IsArray(value))
        return false;
    cJSON_ArrayForEach(item, value)
    {
        if (!cJSON_IsString(item))
            return false;
    }
    return true;
}

static void set_absent(const dream_field *field, char *at)
{
    switch (field->kind) {
    case DREAM_FIELD_TEXT:
        *(const char **)(void *)at = NULL;
        break;
    case DREAM_FIELD_TEXTS:
        *(const cJSON **)(void *)at = NULL;
        break;
    case DREAM_FIELD_INT:
    case DREAM_FIELD_LIMIT:
        *(int64_t *)(void *)at = field->fallback;
        break;
    case DREAM_FIELD_BOOL:
        *(bool *)at = field->fallback != 0;
        break;
    }
}

/* False if the value is of another type. */
static bool set_present(const cJSON *object, const dream_field *field, const cJSON *value, char *at)
{
    switch (field->kind) {
    case DREAM_FIELD_TEXT:
        *(const char **)(void *)at = cJSON_IsString(value) ? value->valuestring : NULL;
        return cJSON_IsString(value);
    case DREAM_FIELD_TEXTS:
        *(const cJSON **)(void *)at = value;
        return is_array_of_texts(value);
    case DREAM_FIELD_INT:
        return dream_json_int(object, field->name, (int64_t *)(void *)at);
    case DREAM_FIELD_LIMIT:
        return is_limit(object, field, value, (int64_t *)(void *)at);
    case DREAM_FIELD_BOOL:
        *(bool *)at = cJSON_IsTrue(value);
        return cJSON_IsBool(value);
    }
    return false;
}

dreamapi_status dream_fields_read(const cJSON *object, const dream_field *fields, size_t count, void *out,
                                  char problem[DREAM_PROBLEM_SIZE])
{
    for (size_t i = 0; i < count; i++) {
        const dream_field *field = &fields[i];
        const cJSON *value = dream_json_get(object, field->name);
        char *at = (char *)out + field->offset;

        if (value == NULL || (cJSON_IsNull(value) && field->kind != DREAM_FIELD_LIMIT)) {
            if (field->is_required)
                return dream_document_problem(problem, field->name, "is missing");
            set_absent(field, at);
        } else if (!set_present(object, field, value, at)) {
            return dream_document_problem(problem, field->name, "is of the wrong type");
        }
    }
    return DREAMAPI_OK;
}

dreamapi_status dream_object_make(const char *body, size_t size, size_t object_size, dream_object_read read,
                                  void (*release)(void *object), void **out_object, char problem[DREAM_PROBLEM_SIZE])
{
    void *object = calloc(1, object_size);
    dreamapi_status status;

    if (object == NULL)
        return DREAMAPI_NOMEM;
    status = dream_document_read(object, body, size, problem);
    if (status == DREAMAPI_OK)
        status = read(object, problem);
    if (status == DREAMAPI_OK)
        *out_object = object;
    else
        release(object);
    return status;
}

dreamapi_status dream_list_read(const cJSON *object, const dream_list_kind *kind, dream_list *out_list,
                                char problem[DREAM_PROBLEM_SIZE])
{
    const cJSON *array = dream_json_get(object, kind->name);
    const cJSON *item;
    dreamapi_status status;
    char *at;

    if (!cJSON_IsArray(array))
        return dream_document_problem(problem, kind->name, "is no list");
    if (array->child == NULL)
        return DREAMAPI_OK;
    at = calloc((size_t)cJSON_GetArraySize(array), kind->item_size);
    if (at == NULL)
        return DREAMAPI_NOMEM;
    out_list->items = at;
    cJSON_ArrayForEach(item, array)
    {
        if (!cJSON_IsObject(item))
            return dream_document_problem(problem, kind->name, "has an element that is no object");
        status = kind->read == NULL ? dream_fields_read(item, kind->fields, kind->field_count, at, problem)
                                    : kind->read(at, item, problem);
        if (status != DREAMAPI_OK)
            return status;
        at += kind->item_size;
        out_list->count++;
    }
    return DREAMAPI_OK;
}

size_t dream_texts_count(const cJSON *texts)
{
    return texts == NULL ? 0 : (size_t)cJSON_GetArraySize(texts);
}

const char *dream_texts_at(const cJSON *texts, size_t index)
{
    const cJSON *item = texts == NULL || index > INT_MAX ? NULL : cJSON_GetArrayItem(texts, (int)index);

    return item == NULL ? NULL : item->valuestring;
}
