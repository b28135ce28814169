/* SPDX-License-Identifier: Apache-2.0 */
/* fault_server.h - a server inside the test that serves well until it is told how to
 * misbehave, and that keeps count of what reached it. One thread a connection.
 *
 * GET /health is always answered well (unless `health` is NULL: then it keeps silent); every other request takes the
 * next of the acts that are armed. Without an act the answer is the good one for its path.
 *
 * A server that knows keys does the work of a POST once a key, as the contract says; one that does not does it each
 * time a whole POST has come. */
#ifndef DREAM_TESTS_FAULTS_FAULT_SERVER_H
#define DREAM_TESTS_FAULTS_FAULT_SERVER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

enum { FAULT_MAX_KEYS = 256, FAULT_KEY_SIZE = 64 };

typedef enum fault_cut {
    FAULT_NO_CUT,
    FAULT_CUT_REQUEST,
    FAULT_CUT_ANSWER,
    /* No end, but a wait for fault_server_release. */
    FAULT_GATE_REQUEST,
    FAULT_GATE_ANSWER
} fault_cut;

typedef enum fault_end {
    FAULT_KEEP,
    FAULT_CLOSE,
    FAULT_RESET,
    FAULT_HOLD /* says nothing more until the client hangs up */
} fault_end;

typedef struct fault_act {
    const char *answer; /* as it goes over the wire; NULL: the good one */
    fault_cut cut;
    size_t at;        /* bytes of the request read, or of the answer sent, before the end */
    size_t piece;     /* bytes sent at a time; 0: all at once */
    unsigned wait_us; /* before each piece */
    fault_end end;
} fault_act;

typedef struct fault_counts {
    int connections;
    int open;
    int most_open;
    int touched;  /* requests other than /health of which anything came */
    int requests; /* of these, those that came whole */
    int posts;    /* of these, POSTs */
    int works;    /* POSTs carried out */
    int keys;     /* different keys among the POSTs */
    int probes;   /* requests for /health */
} fault_counts;

typedef struct fault_server {
    int listen_fd;
    int stop_pipe[2];
    int port;
    char url[64];
    pthread_t thread;
    unsigned good_wait_us; /* before each good answer; set before the start of calls */

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    fault_counts counts;
    const char *health; /* NULL: no answer */
    bool closes_after_health;
    bool is_health_gated;
    bool is_released;
    bool is_stopping;
    const fault_act *acts; /* borrowed; NULL: good manners */
    size_t act_count;
    size_t next_act; /* past the last: good manners again */
    size_t received; /* bytes of the last request that came whole */
    char keys[FAULT_MAX_KEYS][FAULT_KEY_SIZE];
} fault_server;

/* `backlog` and `receive_buffer` (bytes; 0: the system's) are for tests that want a crowded server. */
void fault_server_start(fault_server *server, int backlog, int receive_buffer);
void fault_server_stop(fault_server *server);

/* Forgets the counts and keys, and acts like this from the next request on. */
void fault_server_arm(fault_server *server, const fault_act *acts, size_t count);
/* What GET /health says; NULL: nothing. */
void fault_server_health(fault_server *server, const char *body, bool closes);
/* Makes GET /health wait for the release too. */
void fault_server_gate_health(fault_server *server);
/* Opens all gates for good. */
void fault_server_release(fault_server *server);
fault_counts fault_server_counts(fault_server *server);
size_t fault_server_received(fault_server *server);
/* Waits until at least this many requests other than /health were touched, or probes came; false after ten seconds. */
bool fault_server_wait_touched(fault_server *server, int touched);
bool fault_server_wait_probes(fault_server *server, int probes);
bool fault_server_wait_connections(fault_server *server, int connections);

/* A whole answer in `out`: status line, `headers` (each with its line end), length, body. */
void fault_answer(char *out, size_t size, int http_status, const char *headers, const char *body);
/* The good answer for a request that begins with this. */
const char *fault_good_body(const char *request);

#endif
