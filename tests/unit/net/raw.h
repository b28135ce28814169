/* SPDX-License-Identifier: Apache-2.0 */
/* raw.h - the other end of a connection, byte by byte: what no HTTP library would send, and what a server really wrote.
 * Every wait ends after RAW_PATIENCE_MS with a failed test. */
#ifndef RAW_H
#define RAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RAW_PATIENCE_MS = 20000, RAW_MAX = 4 << 20 };

typedef struct raw_answer {
    int status;      /* 0: the connection ended before an answer */
    char head[8192]; /* with the status line; ends with the empty line */
    char *body;      /* owned (raw_answer_clear), NUL-terminated */
    size_t body_size;
} raw_answer;

uint16_t raw_port(const char *url);
int raw_connect(uint16_t port);
void raw_send(int fd, const void *bytes, size_t size); /* a peer that closed meanwhile is fine */
void raw_text(int fd, const char *text);
/* Reads one answer; `is_head` for an answer to HEAD. Interim (1xx) answers come back as answers. */
raw_answer raw_read(int fd, bool is_head);
void raw_answer_clear(raw_answer *answer);
/* The value of a header, copied to `out`; false if there is none. */
bool raw_header(const raw_answer *answer, const char *name, char out[256]);
bool raw_is_closed(int fd); /* waits for the peer to close; false if bytes come instead */
/* What still comes until the peer closes, NUL-terminated in `out`. */
void raw_rest(int fd, char out[4096]);
/* connect, send, read, close */
raw_answer raw_exchange(uint16_t port, const char *request);

int64_t raw_now_ms(void);

#endif
