/* SPDX-License-Identifier: Apache-2.0 */
/* test_cuts.c - the connection ends at every place where it can: at each boundary of
 * request and answer, and at seeded places in between. Each cut happens to a GET, to a POST of which the server knows
 * no key, and to one whose key it knows.
 *
 * What has to hold: a GET succeeds with its second try. A keyed POST succeeds too, with the same key, and its work is
 * done once. A POST without that is sent once, and whoever made it hears DREAMAPI_OUTCOME_UNKNOWN. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stage.h"

enum { PLAIN_OFFSETS = 200, LONG_OFFSETS = 3000, SEED = 20261123 };

static size_t request_size[WORK_COUNT]; /* as measured by the first case */
static size_t answer_size;

/* One cut, on a connection of its own or on one that has served before. */
static void cut_once(stage *s, work kind, const fault_act *act, bool is_kept)
{
    fault_counts counts;
    char what[200];
    dreamapi_status status;

    (void)snprintf(what, sizeof(what), "%s cut at byte %zu of the %s, end %d, %s connection", work_names[kind], act->at,
                   act->cut == FAULT_CUT_REQUEST ? "request" : "answer", (int)act->end, is_kept ? "kept" : "new");
    stage_make_client(s, 0);
    stage_learn(s, kind == WORK_KEYED_POST ? KNOWS_KEYS : KNOWS_NOTHING);
    fault_server_arm(&s->server, NULL, 0);
    if (is_kept)
        stage_expect(s, "first call", stage_do(s, WORK_GET), DREAMAPI_OK);
    fault_server_arm(&s->server, act, 1);
    status = stage_do(s, kind);
    counts = fault_server_counts(&s->server);
    /* A reset that is there before the first byte was written is no secret: nothing left, so another try is safe. */
    if (kind == WORK_POST && act->cut == FAULT_CUT_REQUEST && act->at == 0 && !is_kept && status == DREAMAPI_OK) {
        assert_int_equal(counts.posts, 1);
        return;
    }
    if (kind == WORK_POST) {
        stage_expect(s, what, status, DREAMAPI_OUTCOME_UNKNOWN);
        if (s->error.retriable != 0 || counts.touched != 1 || counts.works > 1)
            fail_msg("%s: retriable %d, sent %d times", what, s->error.retriable, counts.touched);
        return;
    }
    stage_expect(s, what, status, DREAMAPI_OK);
    if (counts.touched != 2)
        fail_msg("%s: sent %d times", what, counts.touched);
    if (kind == WORK_KEYED_POST && (counts.works != 1 || counts.keys != 1))
        fail_msg("%s: done %d times under %d keys", what, counts.works, counts.keys);
}

static void cut(stage *s, fault_cut where, size_t at, fault_end end, bool is_kept)
{
    fault_act act = { .cut = where, .at = at, .end = end };

    for (work kind = WORK_GET; kind < WORK_COUNT; kind++)
        cut_once(s, kind, &act, is_kept);
}

static void measure(stage *s)
{
    char answer[1024];

    for (work kind = WORK_GET; kind < WORK_COUNT; kind++) {
        stage_make_client(s, 0);
        stage_learn(s, kind == WORK_KEYED_POST ? KNOWS_KEYS : KNOWS_NOTHING);
        fault_server_arm(&s->server, NULL, 0);
        stage_expect(s, "measure", stage_do(s, kind), DREAMAPI_OK);
        request_size[kind] = fault_server_received(&s->server);
    }
    fault_answer(answer, sizeof(answer), 200, "", fault_good_body("POST /api/customers"));
    answer_size = strlen(answer);
}

typedef enum place {
    AFTER_ACCEPT,
    IN_REQUEST_LINE,
    AFTER_REQUEST_LINE,
    IN_REQUEST_HEADERS,
    BEFORE_LAST_REQUEST_BYTE,
    BEFORE_ANSWER,
    IN_STATUS_LINE,
    AFTER_STATUS_LINE,
    IN_HEADERS,
    AT_HEADER_END,
    IN_BODY,
    BEFORE_LAST_BYTE
} place;

typedef struct cut_row {
    const char *sentence;
    place place;
    fault_end end;
    bool is_kept;
} cut_row;

static cut_row rows[] = {
    { "reset after accept", AFTER_ACCEPT, FAULT_RESET, false },
    { "closed after accept", AFTER_ACCEPT, FAULT_CLOSE, false },
    { "reset in the request line", IN_REQUEST_LINE, FAULT_RESET, false },
    { "closed in the request line", IN_REQUEST_LINE, FAULT_CLOSE, false },
    { "reset after the request line", AFTER_REQUEST_LINE, FAULT_RESET, false },
    { "reset in the request's headers", IN_REQUEST_HEADERS, FAULT_RESET, false },
    { "closed in the request's headers", IN_REQUEST_HEADERS, FAULT_CLOSE, false },
    { "reset before the last byte of the request", BEFORE_LAST_REQUEST_BYTE, FAULT_RESET, false },
    { "reset before the answer", BEFORE_ANSWER, FAULT_RESET, false },
    { "closed before the answer", BEFORE_ANSWER, FAULT_CLOSE, false },
    { "reset in the status line", IN_STATUS_LINE, FAULT_RESET, false },
    { "closed in the status line", IN_STATUS_LINE, FAULT_CLOSE, false },
    { "reset after the status line", AFTER_STATUS_LINE, FAULT_RESET, false },
    { "reset in the answer's headers", IN_HEADERS, FAULT_RESET, false },
    { "closed in the answer's headers", IN_HEADERS, FAULT_CLOSE, false },
    { "reset at the end of the headers", AT_HEADER_END, FAULT_RESET, false },
    { "closed at the end of the headers", AT_HEADER_END, FAULT_CLOSE, false },
    { "reset in the body", IN_BODY, FAULT_RESET, false },
    { "closed in the body", IN_BODY, FAULT_CLOSE, false },
    { "reset before the last byte", BEFORE_LAST_BYTE, FAULT_RESET, false },
    { "closed before the last byte", BEFORE_LAST_BYTE, FAULT_CLOSE, false },
    { "a kept connection reset in the request line", IN_REQUEST_LINE, FAULT_RESET, true },
    { "a kept connection closed in the request line", IN_REQUEST_LINE, FAULT_CLOSE, true },
    { "a kept connection reset before the last byte of the request", BEFORE_LAST_REQUEST_BYTE, FAULT_RESET, true },
    { "a kept connection reset before the answer", BEFORE_ANSWER, FAULT_RESET, true },
    { "a kept connection closed before the answer", BEFORE_ANSWER, FAULT_CLOSE, true },
    { "a kept connection reset in the status line", IN_STATUS_LINE, FAULT_RESET, true },
    { "a kept connection reset in the answer's headers", IN_HEADERS, FAULT_RESET, true },
    { "a kept connection reset in the body", IN_BODY, FAULT_RESET, true },
    { "a kept connection closed before the last byte", BEFORE_LAST_BYTE, FAULT_CLOSE, true },
    { "reset at seeded places of request and answer", AFTER_ACCEPT, FAULT_KEEP, false },
};

static void cut_at_place(stage *s, const cut_row *row, work kind)
{
    const char good[] = "HTTP/1.1 200 Whatever\r\nContent-Type: application/json\r\n";
    fault_act act = { .end = row->end, .cut = FAULT_CUT_ANSWER };

    if (row->place < BEFORE_ANSWER)
        act.cut = FAULT_CUT_REQUEST;
    switch (row->place) {
    case AFTER_ACCEPT:
    case BEFORE_ANSWER:
        act.at = 0;
        break;
    case IN_REQUEST_LINE:
    case IN_STATUS_LINE:
        act.at = 6;
        break;
    case AFTER_REQUEST_LINE:
        act.at =
            strlen(kind == WORK_GET ? "GET /api/customers/user_1 HTTP/1.1\r\n" : "POST /api/customers HTTP/1.1\r\n");
        break;
    case IN_REQUEST_HEADERS:
        act.at = 100;
        break;
    case BEFORE_LAST_REQUEST_BYTE:
        act.at = request_size[kind] - 1;
        break;
    case AFTER_STATUS_LINE:
        act.at = strlen("HTTP/1.1 200 Whatever\r\n");
        break;
    case IN_HEADERS:
        act.at = strlen(good) - 5;
        break;
    case AT_HEADER_END:
        act.at = answer_size - strlen(fault_good_body("POST /api/customers"));
        break;
    case IN_BODY:
        act.at = answer_size - 20;
        break;
    case BEFORE_LAST_BYTE:
        act.at = answer_size - 1;
        break;
    }
    cut_once(s, kind, &act, row->is_kept);
}

static void cut_at_seeded_places(stage *s)
{
    unsigned seed = SEED;
    int count = stage_is_long() ? LONG_OFFSETS : PLAIN_OFFSETS;

    print_message("# %d places, seed %d\n", count, SEED);
    for (int i = 0; i < count; i++) {
        size_t at = (size_t)rand_r(&seed) % (request_size[WORK_GET] + answer_size);
        bool is_kept = rand_r(&seed) % 2 == 0;
        fault_end end = rand_r(&seed) % 4 == 0 ? FAULT_CLOSE : FAULT_RESET;
        /* A kept connection that is cut before anything of the request came is another matter: test_reach.c. */
        if (at < request_size[WORK_GET])
            cut(s, FAULT_CUT_REQUEST, at == 0 && is_kept ? 1 : at, end, is_kept);
        else
            cut(s, FAULT_CUT_ANSWER, at - request_size[WORK_GET], end, is_kept);
    }
}

static void test_cut(void **state)
{
    const cut_row *row = *state;
    stage s;

    stage_open(&s);
    measure(&s);
    if (row->end == FAULT_KEEP)
        cut_at_seeded_places(&s);
    else {
        for (work kind = WORK_GET; kind < WORK_COUNT; kind++)
            cut_at_place(&s, row, kind);
    }
    stage_close(&s);
}

int main(void)
{
    return stage_run("faults_cuts", test_cut, rows, sizeof(rows[0]), sizeof(rows) / sizeof(rows[0]));
}
