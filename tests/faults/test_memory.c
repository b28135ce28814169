/* SPDX-License-Identifier: Apache-2.0 */
/* test_memory.c - every allocation of every typed call is refused once in turn: while it starts, waits for
 * what the server knows, is sent, sent again after a 503, read, taken or cancelled. Each time an orderly status comes back,
 * and the same client's next call succeeds. That nothing leaks is asan's to say.
 *
 * The linker sends our own allocations here (--wrap), cJSON's come through its hooks: in a test program they are ours to
 * set. The scripted transport stands in libcurl's place; test_curl_memory.c refuses libcurl its own. */
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "calls.h"
#include "scripted.h"
#include "stage.h"
#include "support/refusing.h"

static bool is_orderly(dreamapi_status status, bool is_cancelled)
{
    switch (status) {
    case DREAMAPI_OK:
    case DREAMAPI_NOMEM:
    /* The scripted transport's own memory ran out, or what the server announces was lost with it. */
    case DREAMAPI_UNAVAILABLE:
    case DREAMAPI_TOKEN_REQUIRED:
    case DREAMAPI_UNSUPPORTED:
    case DREAMAPI_OUTCOME_UNKNOWN:
        return true;
    case DREAMAPI_CANCELLED:
        return is_cancelled;
    default:
        return false;
    }
}

/* ---- calls ---- */

static void script(scripted *s, const typed_call *row)
{
    if (strcmp(row->path, "/health") != 0)
        (void)dreamapi_test_transport_add_simple(s->transport, "/health", 200, EVERY_EXTENSION);
    (void)dreamapi_test_transport_add_simple(s->transport, row->path, 503, "{\"error\":\"x\"}");
    (void)dreamapi_test_transport_add_simple(s->transport, row->path, 200, row->answer);
}

static dreamapi_status use(scripted *s, const typed_call *row, bool is_cancelled)
{
    dreamapi_call *call = NULL;
    dreamapi_status status = row->start(s->client, &call);

    if (status == DREAMAPI_OK && is_cancelled) {
        (void)dreamapi_client_perform(s->client);
        dreamapi_call_cancel(call);
    }
    if (status == DREAMAPI_OK)
        status = dreamapi_call_wait(call, -1, NULL);
    dreamapi_call_free(call);
    return status;
}

/* False when the call needs no more than `index` allocations. */
static bool refuse_one(const typed_call *row, long index, bool is_cancelled)
{
    scripted s;
    dreamapi_status status;
    bool was_reached;

    scripted_open(&s);
    script(&s, row);
    refusing_begin(index);
    status = use(&s, row, is_cancelled);
    was_reached = refusing_end();
    if (!is_orderly(status, is_cancelled) || (!was_reached && !is_cancelled && status != DREAMAPI_OK))
        fail_msg("allocation %ld refused: %s", index, dreamapi_status_name(status));
    /* The client lives on. What is left of the script, if anything, is used up first. */
    (void)dreamapi_test_transport_add_simple(s.transport, "/api/tiers", 200, "{\"tiers\":[]}");
    if (strcmp(row->path, "/api/tiers") != 0)
        assert_int_equal(dreamapi_tier_list(s.client, NULL, NULL, NULL), DREAMAPI_OK);
    scripted_close(&s);
    return was_reached;
}

static void test_call(void **state)
{
    const typed_call *row = *state;
    long count = 0;
    long cancelled = 0;

    while (refuse_one(row, count, false))
        count++;
    while (refuse_one(row, cancelled, true))
        cancelled++;
    print_message("# %s: %ld allocations refused, %ld when cancelled\n", row->sentence, count, cancelled);
    assert_true(count > 10);
}

int main(void)
{
    /* cJSON would call the C library past the linker's --wrap. */
    cJSON_Hooks hooks = { .malloc_fn = __wrap_malloc, .free_fn = free };

    cJSON_InitHooks(&hooks);
    return stage_run("faults_memory", test_call, typed_calls, sizeof(typed_calls[0]), typed_call_count);
}
