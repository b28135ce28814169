/* SPDX-License-Identifier: Apache-2.0 */
/* store.h - the sandbox's state: one SQLite file of JSON documents, the six instances' keys, and what is yet to be
 * delivered.
 *
 * Nothing is cached: every transaction reads the file, so that a kill -9 loses nothing that was answered and a second
 * process may run over the same file. Connections are pooled; one transaction uses one connection and belongs to one
 * thread. A failure inside a transaction is remembered by it (sandbox_tx_status): later calls do nothing, commit
 * fails, and callers need to ask only once. */
#ifndef SANDBOX_STORE_H
#define SANDBOX_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/json.h"
#include "sandbox/sandbox.h"

enum {
    SANDBOX_ID_SIZE = 96,       /* longest identifier or key, with its NUL */
    SANDBOX_DELIVERY_SLOTS = 30 /* webhook URLs of one instance; a bit each in a delivery's mask */
};

typedef struct sandbox_store sandbox_store;
typedef struct sandbox_tx sandbox_tx;

typedef enum sandbox_store_status {
    SANDBOX_STORE_OK = 0,
    SANDBOX_STORE_BUSY, /* another process holds the file: try again */
    SANDBOX_STORE_NOMEM,
    SANDBOX_STORE_FAILED
} sandbox_store_status;

/* Whose documents: an instance and, at Stripe, an account in it. Clerk's account is "". */
typedef struct sandbox_scope {
    enum sandbox_service service;
    enum sandbox_mode mode;
    const char *account; /* borrowed */
} sandbox_scope;

typedef struct sandbox_doc {
    const char *kind; /* "customer", "user" ... */
    const char *id;
    const char *parent; /* what it belongs to and is listed by; may be NULL */
    const char *lookup; /* a second way to find it, an e-mail address say; may be NULL */
} sandbox_doc;

/* One of the six servers' identity, made with the file and never changed. */
typedef struct sandbox_identity {
    char id[SANDBOX_ID_SIZE]; /* acct_... (the platform's own account) or ins_... (also the signing key's `kid`) */
    char secret_key[SANDBOX_ID_SIZE];
    char webhook_secret[SANDBOX_ID_SIZE];
} sandbox_identity;

/* Opens or makes the file. Owned; NULL with a sentence in `error`. */
sandbox_store *sandbox_store_open(const char *path, char error[256]);
void sandbox_store_close(sandbox_store *store); /* no transaction may be open; NULL is fine */

/* NULL when no connection could be had or the file is locked; `status` then says why. A write takes the file's only
 * write lock at once. End with one of the two below. */
sandbox_tx *sandbox_tx_begin(sandbox_store *store, bool is_write, sandbox_store_status *status);
sandbox_store_status sandbox_tx_commit(sandbox_tx *tx);
void sandbox_tx_rollback(sandbox_tx *tx); /* NULL is fine */
sandbox_store_status sandbox_tx_status(const sandbox_tx *tx);
void sandbox_tx_fail(sandbox_tx *tx, sandbox_store_status status); /* keeps the first failure */

bool sandbox_identity_read(sandbox_tx *tx, enum sandbox_service service, enum sandbox_mode mode, sandbox_identity *out);
/* The instance's private key as PEM, owned (dream_free_secret); NULL if it has none yet or on failure. */
char *sandbox_signing_key_read(sandbox_tx *tx, enum sandbox_service service, enum sandbox_mode mode);
/* Keeps the first key given, so that two processes end up with one. */
void sandbox_signing_key_offer(sandbox_tx *tx, enum sandbox_service service, enum sandbox_mode mode, const char *pem);

/* Owned (cJSON_Delete); NULL if absent or failed. */
cJSON *sandbox_doc_read(sandbox_tx *tx, const sandbox_scope *scope, const char *kind, const char *id);
/* The same in whatever account it lies; `out_account` gets that. */
cJSON *sandbox_doc_find(sandbox_tx *tx, const sandbox_scope *scope, const char *kind, const char *id,
                        char out_account[SANDBOX_ID_SIZE]);
/* False if the id is taken (no failure of the transaction) or on failure. */
bool sandbox_doc_insert(sandbox_tx *tx, const sandbox_scope *scope, const sandbox_doc *doc, const cJSON *json);
/* False if absent or on failure. Parent and lookup are replaced as well. */
bool sandbox_doc_update(sandbox_tx *tx, const sandbox_scope *scope, const sandbox_doc *doc, const cJSON *json);
bool sandbox_doc_delete(sandbox_tx *tx, const sandbox_scope *scope, const char *kind, const char *id);
int64_t sandbox_doc_delete_children(sandbox_tx *tx, const sandbox_scope *scope, const char *kind, const char *parent);
/* The place in the order of creation; 0 if absent. */
int64_t sandbox_doc_seq(sandbox_tx *tx, const sandbox_scope *scope, const char *kind, const char *id);

typedef struct sandbox_scan {
    const char *kind;
    const char *parent; /* only these; NULL: any */
    const char *lookup; /* only these; NULL: any */
    int64_t after_seq;  /* only later ones; 0: from the start */
    int64_t before_seq; /* only earlier ones; 0: to the end */
    bool is_oldest_first;
} sandbox_scan;
/* Called for each document in order of creation; `json` is taken. False ends the scan. It must not use the
 * transaction. */
typedef bool sandbox_scan_fn(void *context, cJSON *json);
void sandbox_doc_scan(sandbox_tx *tx, const sandbox_scope *scope, const sandbox_scan *scan, sandbox_scan_fn *fn,
                      void *context);

/* The answer an Idempotency-Key got before (`out_body` owned, free()); false if none since `since_ms`. */
typedef struct sandbox_replay {
    char path[256];
    char hash[65];
    int64_t status;
    char *body;
} sandbox_replay;
bool sandbox_replay_read(sandbox_tx *tx, const sandbox_scope *scope, const char *key, int64_t since_ms,
                         sandbox_replay *out);
/* Also forgets answers older than `since_ms`. */
void sandbox_replay_keep(sandbox_tx *tx, const sandbox_scope *scope, const char *key, const sandbox_replay *replay,
                         int64_t now_ms, int64_t since_ms);

/* Events on their way to webhook URLs of their instance, in order per queue: what one queue cannot get rid of does not
 * hold up the others. Stripe's queues are its accounts, Clerk's are the users. */
void sandbox_delivery_add(sandbox_tx *tx, const sandbox_scope *scope, const char *queue, const char *event_id);
bool sandbox_tx_has_delivery(const sandbox_tx *tx); /* this transaction added one */
/* True until every webhook URL got the event. */
bool sandbox_delivery_is_open(sandbox_tx *tx, const sandbox_scope *scope, const char *event_id);
typedef struct sandbox_delivery {
    int64_t seq;
    char queue[SANDBOX_ID_SIZE];
    char event_id[SANDBOX_ID_SIZE];
} sandbox_delivery;
/* For each queue of an instance the first event that `slot` has not got, oldest first; at most `max`. Returns how
 * many. */
size_t sandbox_delivery_heads(sandbox_tx *tx, enum sandbox_service service, enum sandbox_mode mode, unsigned slot,
                              sandbox_delivery *out, size_t max);
/* Notes that `slot` got it; it is done for good when all of `slots` did. */
void sandbox_delivery_done(sandbox_tx *tx, int64_t seq, unsigned slot, int64_t slots);

/* prefix and `size` random letters and digits. False without randomness. */
bool sandbox_random_id(const char *prefix, size_t size, char out[SANDBOX_ID_SIZE]);

#endif
