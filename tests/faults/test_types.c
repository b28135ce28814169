/* SPDX-License-Identifier: Apache-2.0 */
/* test_types.c - wrong types in each field of each answer. One value after the other of a good answer is
 * replaced by values of every other type, or left out: the call ends as carried out or as DREAMAPI_PROTOCOL, after one
 * request, and never otherwise. */
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "calls.h"
#include "scripted.h"
#include "stage.h"

static const char *const values[] = { "null",  "true",   "0",  "-1",     "1.5",  "1e300", "9223372036854775808", "\"\"",
                                      "\"x\"", "\"-1\"", "[]", "[null]", "[{}]", "{}",    "{\"id\":{}}" };

typedef struct tally {
    int taken;
    int refused;
} tally;

static void try_answer(const typed_call *row, const char *body, tally *count)
{
    scripted s;
    dreamapi_call *call = NULL;
    dreamapi_error error;
    dreamapi_status status;

    scripted_open(&s);
    if (strcmp(row->path, "/health") != 0)
        (void)dreamapi_test_transport_add_simple(s.transport, "/health", 200, EVERY_EXTENSION);
    (void)dreamapi_test_transport_add_simple(s.transport, row->path, 200, body);
    assert_int_equal(row->start(s.client, &call), DREAMAPI_OK);
    status = dreamapi_call_wait(call, -1, &error);
    if ((status != DREAMAPI_OK && status != DREAMAPI_PROTOCOL)
        || dreamapi_test_transport_count_path(s.transport, row->path) != 1)
        fail_msg("%s: %s: %s", body, dreamapi_status_name(status), error.message);
    count->taken += status == DREAMAPI_OK;
    count->refused += status == DREAMAPI_PROTOCOL;
    dreamapi_call_free(call);
    scripted_close(&s);
}

static void try_text(const typed_call *row, const cJSON *root, tally *count)
{
    char *body = cJSON_PrintUnformatted(root);

    assert_non_null(body);
    try_answer(row, body, count);
    cJSON_free(body);
}

/* Puts each wrong value in the place of the child number `index` of `parent`, and tries; then leaves it out. */
static void spoil_child(const typed_call *row, cJSON *root, cJSON *parent, int index, tally *count)
{
    cJSON *good = cJSON_Duplicate(cJSON_GetArrayItem(parent, index), true);
    char *name = good->string ? strdup(good->string) : NULL;

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        cJSON *value = cJSON_Parse(values[i]);
        if (name)
            assert_true(cJSON_ReplaceItemInObjectCaseSensitive(parent, name, value));
        else
            assert_true(cJSON_ReplaceItemInArray(parent, index, value));
        try_text(row, root, count);
    }
    if (name) {
        cJSON_DeleteItemFromObjectCaseSensitive(parent, name);
        try_text(row, root, count);
        assert_true(cJSON_AddItemToObject(parent, name, good));
    } else {
        assert_true(cJSON_ReplaceItemInArray(parent, index, good));
    }
    free(name);
}

/* A child that was spoiled is put back at the end, so the first child is always the next. */
static void spoil_all(const typed_call *row, cJSON *root, cJSON *parent, tally *count)
{
    int size = cJSON_GetArraySize(parent);

    for (int i = 0; i < size; i++) {
        int index = cJSON_IsObject(parent) ? 0 : i;
        cJSON *child = cJSON_GetArrayItem(parent, index);
        if (cJSON_IsObject(child) || cJSON_IsArray(child))
            spoil_all(row, root, child, count);
        spoil_child(row, root, parent, index, count);
    }
}

static void test_types(void **state)
{
    const typed_call *row = *state;
    cJSON *root = cJSON_Parse(row->answer);
    tally good = { 0 };
    tally spoiled = { 0 };

    assert_non_null(root);
    try_answer(row, row->answer, &good);
    assert_int_equal(good.taken, 1);
    spoil_all(row, root, root, &spoiled);
    print_message("# %s: %d answers taken, %d refused\n", row->sentence, spoiled.taken, spoiled.refused);
    assert_true(spoiled.refused > 0);
    cJSON_Delete(root);
}

int main(void)
{
    return stage_run("faults_types", test_types, typed_calls, sizeof(typed_calls[0]), typed_call_count);
}
