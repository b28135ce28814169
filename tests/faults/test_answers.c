/* SPDX-License-Identifier: Apache-2.0 */
/* test_answers.c - a server that answers, but not what one hopes for. Each row gives the first answer as it
 * goes over the wire; from the second try on the server is well. For a GET, a POST and a keyed POST the row says how the
 * call ends and how often it was sent. Afterwards the same client must work. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stage.h"

#define GOOD "{\"success\":true,\"customer\":{\"id\":\"user_1\"}}"
#define GOOD_ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 43\r\n\r\n" GOOD
#define REFUSAL(line, headers, body_length, body)                                                                      \
    "HTTP/1.1 " line "\r\n" headers "Content-Type: application/json\r\nContent-Length: " body_length "\r\n\r\n" body
#define EMPTY(line, headers) REFUSAL(line, headers, "2", "{}")
#define SAID(line, text, length) REFUSAL(line, "", length, "{\"error\":\"" text "\"}")
#define WITH_LENGTH(length, body) "HTTP/1.1 200 OK\r\nContent-Length: " length "\r\n\r\n" body

#define OK DREAMAPI_OK
#define UNKNOWN DREAMAPI_OUTCOME_UNKNOWN
/* How a GET, a POST and a keyed POST end, and how often each was sent. */
#define FINE                                                                                                           \
    {                                                                                                                  \
        { OK, 1 }, { OK, 1 },                                                                                          \
        {                                                                                                              \
            OK, 1                                                                                                      \
        }                                                                                                              \
    }
#define FINAL(status)                                                                                                  \
    {                                                                                                                  \
        { status, 1 }, { status, 1 },                                                                                  \
        {                                                                                                              \
            status, 1                                                                                                  \
        }                                                                                                              \
    }
#define AGAIN                                                                                                          \
    {                                                                                                                  \
        { OK, 2 }, { OK, 2 },                                                                                          \
        {                                                                                                              \
            OK, 2                                                                                                      \
        }                                                                                                              \
    }
#define AGAIN_IF_SAFE(status)                                                                                          \
    {                                                                                                                  \
        { OK, 2 }, { status, 1 },                                                                                      \
        {                                                                                                              \
            OK, 2                                                                                                      \
        }                                                                                                              \
    }
#define LOST AGAIN_IF_SAFE(UNKNOWN)
/* Not to be understood and not repeated; what became of a POST is not known. */
#define GARBLED                                                                                                        \
    {                                                                                                                  \
        { DREAMAPI_PROTOCOL, 1 }, { UNKNOWN, 1 },                                                                      \
        {                                                                                                              \
            UNKNOWN, 1                                                                                                 \
        }                                                                                                              \
    }

typedef enum filler { NO_FILLER, LONG_HEADER, MANY_HEADERS, SOME_HEADERS, LONG_BODY, ENDLESS_BODY, DEEP_BODY } filler;

typedef struct answer_row {
    const char *sentence;
    const char *answer;
    struct {
        dreamapi_status status;
        int tries;
    } ends[WORK_COUNT];
    fault_end end;
    int64_t retry_after_ms; /* what a call that ends with a refusal tells; -2: more than an hour; 0: not looked at */
    filler filler;
    bool is_slow;         /* a byte at a time */
    unsigned at_least_ms; /* that the call takes */
} answer_row;

static answer_row rows[] = {
    /* 1xx */
    { "100 before the answer is passed over", "HTTP/1.1 100 Continue\r\n\r\n" GOOD_ANSWER, FINE },
    { "103 before the answer is passed over", "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" GOOD_ANSWER, FINE },
    { "four interim answers are passed over",
      "HTTP/1.1 100 C\r\n\r\nHTTP/1.1 102 P\r\n\r\nHTTP/1.1 103 E\r\nA: b\r\n\r\nHTTP/1.1 103 E\r\n\r\n" GOOD_ANSWER,
      FINE },
    { "an interim answer and no other is a lost answer", "HTTP/1.1 103 E\r\n\r\n", LOST, FAULT_CLOSE },
    { "an interim answer and half of the next is a lost answer", "HTTP/1.1 103 E\r\n\r\nHTTP/1.1 200 OK\r\nA: b\r\n",
      LOST, FAULT_CLOSE },
    { "Retry-After of an interim answer is not that of the answer",
      "HTTP/1.1 103 E\r\nRetry-After: 999999\r\n\r\n" EMPTY("429 T", ""), AGAIN },
    /* 2xx */
    { "201 is as good as 200", "HTTP/1.1 201 Created\r\nContent-Length: 43\r\n\r\n" GOOD, FINE },
    { "204 brings nothing to understand", "HTTP/1.1 204 No Content\r\n\r\n", FINAL(DREAMAPI_PROTOCOL) },
    { "205 brings nothing to understand", "HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n",
      FINAL(DREAMAPI_PROTOCOL) },
    { "a body may end with its connection", "HTTP/1.1 200 OK\r\n\r\n" GOOD, FINE, FAULT_CLOSE },
    { "HTTP/1.0 will do", "HTTP/1.0 200 OK\r\n\r\n" GOOD, FINE, FAULT_CLOSE },
    { "a status line without words will do", "HTTP/1.1 200\r\nContent-Length: 43\r\n\r\n" GOOD, FINE },
    { "line ends without CR will do", "HTTP/1.1 200 OK\nContent-Length: 43\n\n" GOOD, FINE },
    { "a body in chunks is put together",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"cus\r\n1b\r\ntomer\":{\"id\":\"user_1\"}}    "
      "\r\n0\r\n\r\n",
      FINE },
    { "an answer that comes byte by byte is taken", GOOD_ANSWER, FINE, .is_slow = true },
    { "300 headers are taken", NULL, FINE, .filler = SOME_HEADERS },
    /* 3xx: never followed */
    { "301 is not followed", EMPTY("301 M", "Location: /x\r\n"), FINAL(DREAMAPI_PROTOCOL) },
    { "302 is not followed", EMPTY("302 M", "Location: http://127.0.0.1:1/x\r\n"), FINAL(DREAMAPI_PROTOCOL) },
    { "303 is not followed", EMPTY("303 M", "Location: /x\r\n"), FINAL(DREAMAPI_PROTOCOL) },
    { "304 is no answer to a question never asked", "HTTP/1.1 304 N\r\n\r\n", FINAL(DREAMAPI_PROTOCOL) },
    { "307 is not followed", EMPTY("307 M", "Location: /x\r\n"), FINAL(DREAMAPI_PROTOCOL) },
    { "308 is not followed", EMPTY("308 M", "Location: /x\r\n"), FINAL(DREAMAPI_PROTOCOL) },
    /* 4xx */
    { "400 is final", EMPTY("400 B", ""), FINAL(DREAMAPI_INVALID) },
    { "401 is final", EMPTY("401 U", ""), FINAL(DREAMAPI_AUTH) },
    { "401 that asks for other credentials gets none", EMPTY("401 U", "WWW-Authenticate: Basic realm=\"x\"\r\n"),
      FINAL(DREAMAPI_AUTH) },
    { "402 is final", EMPTY("402 P", ""), FINAL(DREAMAPI_INVALID) },
    { "403 is final", EMPTY("403 F", ""), FINAL(DREAMAPI_FORBIDDEN) },
    { "403 for a full plan is final", SAID("403 F", "Tier limit reached", "30"), FINAL(DREAMAPI_LIMIT) },
    { "403 for an ended subscription is final", SAID("403 F", "subscription_expired", "32"),
      FINAL(DREAMAPI_SUBSCRIPTION_EXPIRED) },
    { "404 is final", EMPTY("404 N", ""), FINAL(DREAMAPI_NOT_FOUND) },
    { "405 is final", EMPTY("405 M", ""), FINAL(DREAMAPI_UNSUPPORTED) },
    { "407 from a server is final", EMPTY("407 P", ""), FINAL(DREAMAPI_INVALID) },
    { "408 is tried again where that is safe", EMPTY("408 R", ""), AGAIN_IF_SAFE(DREAMAPI_UNAVAILABLE) },
    { "409 is final", EMPTY("409 C", ""), FINAL(DREAMAPI_CONFLICT) },
    { "409 with Retry-After waits for the first try with the key",
      EMPTY("409 C", "Retry-After: 0\r\n"),
      { { DREAMAPI_CONFLICT, 1 }, { DREAMAPI_CONFLICT, 1 }, { OK, 2 } } },
    { "410 is final", EMPTY("410 G", ""), FINAL(DREAMAPI_INVALID) },
    { "413 is final", EMPTY("413 L", ""), FINAL(DREAMAPI_INVALID) },
    { "415 is final", EMPTY("415 U", ""), FINAL(DREAMAPI_INVALID) },
    { "417 is final: nothing was expected", EMPTY("417 E", ""), FINAL(DREAMAPI_INVALID) },
    { "422 is final", EMPTY("422 U", ""), FINAL(DREAMAPI_INVALID) },
    { "451 is final", EMPTY("451 U", ""), FINAL(DREAMAPI_INVALID) },
    { "499 is final", EMPTY("499 X", ""), FINAL(DREAMAPI_INVALID) },
    /* 429 and its Retry-After */
    { "429 without Retry-After is tried again", EMPTY("429 T", ""), AGAIN },
    { "429 with 0 seconds is tried again", EMPTY("429 T", "Retry-After: 0\r\n"), AGAIN },
    { "429 with 1 second is tried again after it", EMPTY("429 T", "Retry-After: 1\r\n"), AGAIN, .at_least_ms = 950 },
    { "429 with a date in the past is tried again", EMPTY("429 T", "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n"),
      AGAIN },
    { "429 with a date far ahead ends the call at once",
      EMPTY("429 T", "Retry-After: Fri, 01 Jan 2100 00:00:00 GMT\r\n"), FINAL(DREAMAPI_RATE_LIMITED),
      .retry_after_ms = -2 },
    { "429 with an hour ends the call at once", EMPTY("429 T", "Retry-After: 3600\r\n"), FINAL(DREAMAPI_RATE_LIMITED),
      .retry_after_ms = 3600000 },
    { "429 with a number beyond all numbers does not wrap round",
      EMPTY("429 T", "Retry-After: 99999999999999999999999999\r\n"), FINAL(DREAMAPI_RATE_LIMITED),
      .retry_after_ms = -2 },
    { "429 with garbage is as without", EMPTY("429 T", "Retry-After: soon\r\n"), AGAIN },
    { "429 with a negative number is as without", EMPTY("429 T", "Retry-After: -5\r\n"), AGAIN },
    { "429 with an empty Retry-After is as without", EMPTY("429 T", "Retry-After:\r\n"), AGAIN },
    { "429 with a broken date is as without", EMPTY("429 T", "Retry-After: Sun, 99 Nov 1994 88:49:37 GMT\r\n"), AGAIN },
    { "429 that tells the time in its body alone ends the call at once",
      REFUSAL("429 T", "", "20", "{\"retryAfter\": 3600}"), FINAL(DREAMAPI_RATE_LIMITED), .retry_after_ms = 3600000 },
    /* 5xx */
    { "500 is tried again where that is safe", EMPTY("500 I", ""), AGAIN_IF_SAFE(DREAMAPI_SERVER) },
    { "500 that means a caller's mistake is final", SAID("500 I", "No such price: x", "28"), FINAL(DREAMAPI_INVALID) },
    { "501 is final", EMPTY("501 N", ""), FINAL(DREAMAPI_UNSUPPORTED) },
    { "502 is tried again where that is safe", EMPTY("502 B", ""), AGAIN_IF_SAFE(DREAMAPI_UNAVAILABLE) },
    { "502 with a page of HTML is no different", REFUSAL("502 B", "", "13", "<html></html>"),
      AGAIN_IF_SAFE(DREAMAPI_UNAVAILABLE) },
    { "503 is tried again where that is safe", EMPTY("503 S", ""), AGAIN_IF_SAFE(DREAMAPI_UNAVAILABLE) },
    { "503 with an hour ends the call at once", EMPTY("503 S", "Retry-After: 3600\r\n"), FINAL(DREAMAPI_UNAVAILABLE),
      .retry_after_ms = 3600000 },
    { "503 that closes the connection is tried again on another", EMPTY("503 S", "Connection: close\r\n"),
      AGAIN_IF_SAFE(DREAMAPI_UNAVAILABLE), FAULT_CLOSE },
    { "504 is tried again where that is safe", EMPTY("504 G", ""), AGAIN_IF_SAFE(DREAMAPI_UNAVAILABLE) },
    { "505 is final", EMPTY("505 V", ""), FINAL(DREAMAPI_SERVER) },
    { "599 is final", EMPTY("599 X", ""), FINAL(DREAMAPI_SERVER) },
    /* JSON that is none */
    { "an empty body is not understood", WITH_LENGTH("0", ""), FINAL(DREAMAPI_PROTOCOL) },
    { "half an object is not understood", WITH_LENGTH("12", "{\"customer\":"), FINAL(DREAMAPI_PROTOCOL) },
    { "a body shorter than its length says is lost", WITH_LENGTH("50", GOOD), LOST, FAULT_CLOSE },
    { "an object with a tail is not understood", WITH_LENGTH("45", GOOD "}}"), FINAL(DREAMAPI_PROTOCOL) },
    { "a list is not understood", WITH_LENGTH("2", "[]"), FINAL(DREAMAPI_PROTOCOL) },
    { "HTML is not understood", WITH_LENGTH("13", "<html></html>"), FINAL(DREAMAPI_PROTOCOL) },
    { "text that is no UTF-8 is not understood", WITH_LENGTH("28", "{\"customer\":{\"id\":\"\xff\xfe\xfd\xfc\xfb\"}} "),
      FINAL(DREAMAPI_PROTOCOL) },
    { "a key twice is not understood", WITH_LENGTH("36", "{\"customer\":{\"id\":\"a\",\"id\":\"b\"}}     "),
      FINAL(DREAMAPI_PROTOCOL) },
    { "nesting without end is not understood", NULL, FINAL(DREAMAPI_PROTOCOL), .filler = DEEP_BODY },
    { "compressed bytes that nobody asked for are not understood",
      "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x01",
      FINAL(DREAMAPI_PROTOCOL) },
    /* HTTP that is none */
    { "another protocol is not understood", "220 mail.example.test ESMTP\r\n", GARBLED, FAULT_CLOSE },
    { "a body without head is not understood", GOOD, GARBLED, FAULT_CLOSE },
    { "a negative length is not understood", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n" GOOD, GARBLED,
      FAULT_CLOSE },
    { "a chunk size that is no number is lost",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n", LOST, FAULT_CLOSE },
    { "a body that stops between chunks is lost", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
      LOST, FAULT_CLOSE },
    /* too much */
    { "a body larger than allowed is cut off", NULL, GARBLED, FAULT_CLOSE, .filler = LONG_BODY },
    { "a body without end is cut off", NULL, GARBLED, FAULT_CLOSE, .filler = ENDLESS_BODY },
    { "a header line of 200 kB is refused", NULL, GARBLED, FAULT_CLOSE, .filler = LONG_HEADER },
    { "20000 headers are refused", NULL, GARBLED, FAULT_CLOSE, .filler = MANY_HEADERS },
};

static void repeat(char **at, const char *text, size_t count)
{
    for (size_t i = 0; i < count; i++)
        *at = stpcpy(*at, text);
}

/* What is too long to be written down. Owned. */
static char *make_filler(filler kind)
{
    enum { SIZE = 2 * 1024 * 1024, ALLOWED = 1024 * 1024 };
    char *text = malloc(SIZE);
    char *at = text;

    assert_non_null(text);
    at = stpcpy(at, "HTTP/1.1 200 OK\r\n");
    switch (kind) {
    case LONG_HEADER:
        at = stpcpy(at, "X-Filler: ");
        repeat(&at, "0123456789", 20000);
        at = stpcpy(at, "\r\nContent-Length: 43\r\n\r\n" GOOD);
        break;
    case MANY_HEADERS:
        repeat(&at, "X-Filler: 0123456789\r\n", 20000);
        at = stpcpy(at, "Content-Length: 43\r\n\r\n" GOOD);
        break;
    case SOME_HEADERS:
        repeat(&at, "X-Filler: 0123456789\r\n", 300);
        at = stpcpy(at, "Content-Length: 43\r\n\r\n" GOOD);
        break;
    case LONG_BODY:
        at = stpcpy(at, "Content-Length: 1200000\r\n\r\n");
        repeat(&at, " ", 1200000);
        break;
    case ENDLESS_BODY:
        at = stpcpy(at, "\r\n");
        repeat(&at, " ", ALLOWED + 1);
        break;
    case DEEP_BODY:
        at = stpcpy(at, "Content-Length: 500000\r\n\r\n");
        repeat(&at, "{\"a\":", 100000);
        break;
    case NO_FILLER:
        break;
    }
    return text;
}

static void expect_retry_after(const stage *s, const answer_row *row)
{
    if (row->retry_after_ms == -2)
        assert_true(s->error.retry_after_ms > 3600000);
    else if (row->retry_after_ms != 0)
        assert_int_equal(s->error.retry_after_ms, row->retry_after_ms);
}

static void answer_once(stage *s, const answer_row *row, const fault_act *act, work kind)
{
    int64_t start_ms;
    fault_counts counts;

    stage_make_client(s, 0);
    stage_learn(s, kind == WORK_KEYED_POST ? KNOWS_KEYS : KNOWS_NOTHING);
    fault_server_arm(&s->server, act, 1);
    start_ms = stage_now_ms();
    stage_expect(s, work_names[kind], stage_do(s, kind), row->ends[kind].status);
    counts = fault_server_counts(&s->server);
    if (counts.touched != row->ends[kind].tries)
        fail_msg("%s: sent %d times", work_names[kind], counts.touched);
    if (kind == WORK_KEYED_POST && (counts.works != 1 || counts.keys != 1))
        fail_msg("done %d times under %d keys", counts.works, counts.keys);
    assert_true(stage_now_ms() - start_ms >= row->at_least_ms);
    expect_retry_after(s, row);
    stage_expect(s, "afterwards", stage_do(s, WORK_GET), DREAMAPI_OK);
}

static void test_answer(void **state)
{
    const answer_row *row = *state;
    char *filled = row->filler == NO_FILLER ? NULL : make_filler(row->filler);
    fault_act act = { .answer = filled ? filled : row->answer,
                      .end = row->end,
                      .piece = row->is_slow,
                      .wait_us = row->is_slow ? 300 : 0 };
    stage s;

    stage_open(&s);
    for (work kind = WORK_GET; kind < WORK_COUNT; kind++)
        answer_once(&s, row, &act, kind);
    stage_close(&s);
    free(filled);
}

int main(void)
{
    return stage_run("faults_answers", test_answer, rows, sizeof(rows[0]), sizeof(rows) / sizeof(rows[0]));
}
