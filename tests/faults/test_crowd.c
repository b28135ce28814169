/* SPDX-License-Identifier: Apache-2.0 */
/* test_crowd.c - ten thousand calls in flight on one client, against a server that takes its time. All of
 * them finish, over no more than 64 connections, and three rounds cost no more memory than one.
 *
 * Memory is what the allocator has handed out (mallinfo2). Sanitizers and valgrind replace the allocator: there the
 * numbers are printed as 0 and not judged. */
#include <malloc.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "stage.h"

enum {
    CALLS = 10000,
    ROUNDS = 3,
    CONNECTIONS = 64,
    ANSWER_US = 2000,
    TIMEOUT_MS = 600000,
    PATIENCE_MS = 120000,
    CALL_BYTES = 8192,        /* a call in flight may cost this much, its share of the connections included */
    SLACK_BYTES = 1024 * 1024 /* what rounds may differ by: a hundred bytes a call */
};

typedef struct crowd_row {
    const char *sentence;
    int threads;
} crowd_row;

static crowd_row rows[] = {
    { "10000 calls in flight on a client with a thread", 1 },
    { "10000 calls in flight on a client without a thread", 0 },
};

typedef struct round_memory {
    size_t before;
    size_t in_flight;
    size_t after;
} round_memory;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static size_t used_bytes(void)
{
    return 0;
}
#else
static size_t used_bytes(void)
{
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
}
#endif

static long resident_kb(void)
{
    struct rusage usage;

    return getrusage(RUSAGE_SELF, &usage) == 0 ? usage.ru_maxrss : 0;
}

static int fetch(stage *s)
{
    dreamapi_call *call;
    int count = 0;

    while ((call = dreamapi_client_next(s->client))) {
        stage_expect(s, "a call", dreamapi_call_result(call, &s->error), DREAMAPI_OK);
        dreamapi_call_free(call);
        count++;
    }
    return count;
}

/* As a host's loop does it: the descriptor and the timeout, nothing else. */
static void finish_all(stage *s, round_memory *memory)
{
    int64_t until_ms = stage_now_ms() + PATIENCE_MS;
    bool is_measured = false;

    for (int done = 0; done < CALLS;) {
        struct pollfd wait = { dreamapi_client_fd(s->client), POLLIN, 0 };
        int64_t timeout_ms = dreamapi_client_timeout_ms(s->client);
        assert_true(stage_now_ms() < until_ms);
        (void)poll(&wait, 1, timeout_ms < 0 || timeout_ms > 1000 ? 1000 : (int)timeout_ms);
        assert_int_equal(dreamapi_client_perform(s->client), DREAMAPI_OK);
        done += fetch(s);
        if (!is_measured && done >= CALLS / 100) {
            memory->in_flight = used_bytes();
            is_measured = true;
        }
    }
}

static void play_round(stage *s, round_memory *memory)
{
    memory->before = used_bytes();
    for (int i = 0; i < CALLS; i++) {
        dreamapi_call *call = NULL;
        stage_expect(s, "start", stage_start(s, i % 4 == 0 ? WORK_POST : WORK_GET, &call), DREAMAPI_OK);
    }
    finish_all(s, memory);
    memory->after = used_bytes();
}

static void test_crowd(void **state)
{
    const crowd_row *row = *state;
    round_memory rounds[ROUNDS];
    fault_counts counts;
    stage s;

    stage_open(&s);
    s.server.good_wait_us = ANSWER_US;
    s.timeout_ms = TIMEOUT_MS;
    stage_make_client(&s, row->threads);
    stage_learn(&s, KNOWS_KEYS);
    fault_server_arm(&s.server, NULL, 0);
    for (int i = 0; i < ROUNDS; i++) {
        int64_t start_ms = stage_now_ms();
        play_round(&s, &rounds[i]);
        print_message(
            "# threads %d, round %d: %d calls in %d ms; %zu bytes a call in flight; %zu kB before, %zu kB after; "
            "at most %ld kB resident\n",
            row->threads, i + 1, CALLS, (int)(stage_now_ms() - start_ms),
            (rounds[i].in_flight - rounds[i].before) / CALLS, rounds[i].before / 1024, rounds[i].after / 1024,
            resident_kb());
    }
    counts = fault_server_counts(&s.server);
    print_message("# at most %d connections at once, %d in all\n", counts.most_open, counts.connections);
    assert_true(counts.most_open <= CONNECTIONS);
    assert_int_equal(counts.requests, CALLS * ROUNDS);
    for (int i = 0; i < ROUNDS; i++) {
        assert_true(rounds[i].in_flight - rounds[i].before <= (size_t)CALLS * CALL_BYTES);
        assert_true(rounds[i].after <= rounds[0].after + SLACK_BYTES);
        /* The first round pays for the connections too, at both ends. */
        assert_true(rounds[i].in_flight - rounds[i].before <= rounds[0].in_flight - rounds[0].before + SLACK_BYTES);
    }
    stage_close(&s);
}

int main(void)
{
    return stage_run("faults_crowd", test_crowd, rows, sizeof(rows[0]), sizeof(rows) / sizeof(rows[0]));
}
