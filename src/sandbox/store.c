/* SPDX-License-Identifier: Apache-2.0 */
/* store.c - store.h over net/db.h. What the documents mean is the Clerk and Stripe files' business.
 *
 * Locks: `pool_lock` guards the idle connections and is held for moments. `write_lock` is held by this process's one writer
 * from begin to commit, so that its threads queue up here and not in SQLite's polling; other processes are SQLite's business.
 * The pool's lock may be taken inside the writer's, never the other way round. */
#include "sandbox/store.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"
#include "common/crypto.h"
#include "common/encoding.h"
#include "common/json.h"
#include "common/timefmt.h"
#include "net/db.h"
#include "net/log.h"
#include "sandbox/clerk.h"

/* Idle connections kept; as many as six servers with two threads and the delivery thread can use at once. */
enum { POOL_SIZE = 16 };

struct sandbox_store {
    char *path;
    pthread_mutex_t write_lock;
    pthread_mutex_t pool_lock;
    dreamd_db *idle[POOL_SIZE]; /* pool_lock */
    size_t idle_count;          /* pool_lock */
};

struct sandbox_tx {
    sandbox_store *store;
    dreamd_db *db;
    bool is_write;
    bool has_delivery;
    sandbox_store_status status;
};

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS instances ("
    "  service INTEGER NOT NULL, mode INTEGER NOT NULL, id TEXT NOT NULL, secret_key TEXT NOT NULL,"
    "  webhook_secret TEXT NOT NULL, signing_key TEXT, PRIMARY KEY (service, mode));"
    "CREATE TABLE IF NOT EXISTS documents ("
    "  seq INTEGER PRIMARY KEY AUTOINCREMENT, service INTEGER NOT NULL, mode INTEGER NOT NULL, account TEXT NOT NULL,"
    "  kind TEXT NOT NULL, id TEXT NOT NULL, parent TEXT, lookup TEXT, json TEXT NOT NULL);"
    /* The account comes last so that a pay page's session is found without knowing whose it is. */
    "CREATE UNIQUE INDEX IF NOT EXISTS documents_id ON documents (service, mode, kind, id, account);"
    "CREATE INDEX IF NOT EXISTS documents_order ON documents (service, mode, account, kind, seq);"
    "CREATE INDEX IF NOT EXISTS documents_parent ON documents (service, mode, account, kind, parent, seq)"
    "  WHERE parent IS NOT NULL;"
    "CREATE INDEX IF NOT EXISTS documents_lookup ON documents (service, mode, account, kind, lookup, seq)"
    "  WHERE lookup IS NOT NULL;"
    "CREATE TABLE IF NOT EXISTS outbox ("
    "  seq INTEGER PRIMARY KEY AUTOINCREMENT, service INTEGER NOT NULL, mode INTEGER NOT NULL, queue TEXT NOT NULL,"
    "  event_id TEXT NOT NULL, slots_done INTEGER NOT NULL DEFAULT 0, is_done INTEGER NOT NULL DEFAULT 0);"
    "CREATE INDEX IF NOT EXISTS outbox_open ON outbox (service, mode, queue, seq) WHERE is_done = 0;"
    "CREATE UNIQUE INDEX IF NOT EXISTS outbox_event ON outbox (service, mode, event_id);"
    "CREATE TABLE IF NOT EXISTS replays ("
    "  service INTEGER NOT NULL, mode INTEGER NOT NULL, account TEXT NOT NULL, key TEXT NOT NULL, path TEXT NOT NULL,"
    "  hash TEXT NOT NULL, status INTEGER NOT NULL, body TEXT NOT NULL, created_ms INTEGER NOT NULL,"
    "  PRIMARY KEY (service, mode, account, key));"
    "CREATE INDEX IF NOT EXISTS replays_age ON replays (created_ms);";

bool sandbox_random_id(const char *prefix, size_t size, char out[SANDBOX_ID_SIZE])
{
    static const char alphabet[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    enum { LETTERS = sizeof alphabet - 1, FAIR = 256 - 256 % LETTERS };
    size_t at = strlen(prefix);
    if (at + size >= SANDBOX_ID_SIZE)
        return false;
    memcpy(out, prefix, at);
    size += at;
    while (at < size) {
        unsigned char random[SANDBOX_ID_SIZE];
        if (!dream_random(random, sizeof random))
            return false;
        for (size_t i = 0; i < sizeof random && at < size; i++)
            if (random[i] < FAIR) /* the rest would favour the first letters */
                out[at++] = alphabet[random[i] % LETTERS];
    }
    out[size] = '\0';
    return true;
}

/* ---- connections and transactions ---- */

static sandbox_store_status status_of(dreamd_db_status status)
{
    switch (status) {
    case DREAMD_DB_OK:
    case DREAMD_DB_ROW:
        return SANDBOX_STORE_OK;
    case DREAMD_DB_BUSY:
        return SANDBOX_STORE_BUSY;
    case DREAMD_DB_NOMEM:
        return SANDBOX_STORE_NOMEM;
    default:
        return SANDBOX_STORE_FAILED;
    }
}

static dreamd_db *take_connection(sandbox_store *store)
{
    dreamd_db *db = NULL;
    (void)pthread_mutex_lock(&store->pool_lock);
    if (store->idle_count > 0)
        db = store->idle[--store->idle_count];
    (void)pthread_mutex_unlock(&store->pool_lock);
    if (db)
        return db;
    char error[256];
    db = dreamd_db_open_sqlite(store->path, DREAMD_DB_READ_WRITE, error);
    if (!db)
        dreamd_log(DREAMD_LOG_ERROR, "sandbox_store", dreamd_log_text("error", error));
    return db;
}

static void give_connection(sandbox_store *store, dreamd_db *db)
{
    (void)pthread_mutex_lock(&store->pool_lock);
    if (store->idle_count < POOL_SIZE) {
        store->idle[store->idle_count++] = db;
        db = NULL;
    }
    (void)pthread_mutex_unlock(&store->pool_lock);
    dreamd_db_close(db);
}

sandbox_tx *sandbox_tx_begin(sandbox_store *store, bool is_write, sandbox_store_status *status)
{
    *status = SANDBOX_STORE_NOMEM;
    sandbox_tx *tx = calloc(1, sizeof *tx);
    if (!tx)
        return NULL;
    tx->store = store;
    tx->is_write = is_write;
    if (is_write)
        (void)pthread_mutex_lock(&store->write_lock);
    *status = SANDBOX_STORE_FAILED;
    tx->db = take_connection(store);
    if (!tx->db)
        goto failed;
    *status = status_of(is_write ? dreamd_db_begin(tx->db) : dreamd_db_begin_read(tx->db));
    if (*status == SANDBOX_STORE_OK)
        return tx;
    dreamd_log(DREAMD_LOG_WARN, "sandbox_store", dreamd_log_text("error", dreamd_db_message(tx->db)));
    give_connection(store, tx->db);
failed:
    if (is_write)
        (void)pthread_mutex_unlock(&store->write_lock);
    free(tx);
    return NULL;
}

static void end_tx(sandbox_tx *tx)
{
    give_connection(tx->store, tx->db);
    if (tx->is_write)
        (void)pthread_mutex_unlock(&tx->store->write_lock);
    free(tx);
}

sandbox_store_status sandbox_tx_commit(sandbox_tx *tx)
{
    if (tx->status == SANDBOX_STORE_OK)
        tx->status = status_of(dreamd_db_commit(tx->db));
    sandbox_store_status status = tx->status;
    if (status != SANDBOX_STORE_OK) {
        dreamd_log(DREAMD_LOG_ERROR, "sandbox_store", dreamd_log_text("error", dreamd_db_message(tx->db)),
                   dreamd_log_int("status", status));
        dreamd_db_rollback(tx->db);
    }
    end_tx(tx);
    return status;
}

void sandbox_tx_rollback(sandbox_tx *tx)
{
    if (!tx)
        return;
    dreamd_db_rollback(tx->db);
    end_tx(tx);
}

sandbox_store_status sandbox_tx_status(const sandbox_tx *tx)
{
    return tx->status;
}

void sandbox_tx_fail(sandbox_tx *tx, sandbox_store_status status)
{
    if (tx->status == SANDBOX_STORE_OK)
        tx->status = status;
}

/* One statement. A refused row is an answer, not a failure: false in both cases, but only a failure sticks. */
static bool run(sandbox_tx *tx, const char *sql, const dreamd_param *params, size_t count, int64_t *out_changed)
{
    int64_t changed = 0;
    if (tx->status != SANDBOX_STORE_OK)
        return false;
    dreamd_db_status status = dreamd_db_run(tx->db, sql, params, count, &changed);
    if (out_changed)
        *out_changed = changed;
    if (status == DREAMD_DB_OK)
        return true;
    if (status != DREAMD_DB_CONFLICT)
        tx->status = status_of(status);
    return false;
}

/* The first row, or NULL when there is none. End with dreamd_rows_finish. */
static dreamd_rows *first_row(sandbox_tx *tx, const char *sql, const dreamd_param *params, size_t count)
{
    dreamd_rows *rows = NULL;
    if (tx->status != SANDBOX_STORE_OK)
        return NULL;
    dreamd_db_status status = dreamd_db_query(tx->db, sql, params, count, &rows);
    if (status == DREAMD_DB_OK)
        status = dreamd_rows_next(rows);
    if (status == DREAMD_DB_ROW)
        return rows;
    tx->status = status_of(status);
    dreamd_rows_finish(rows);
    return NULL;
}

/* The next row; false at the end or on failure. */
static bool next_row(sandbox_tx *tx, dreamd_rows *rows)
{
    dreamd_db_status status = dreamd_rows_next(rows);
    if (status == DREAMD_DB_ROW)
        return true;
    tx->status = status_of(status);
    return false;
}

static char *copy_column(sandbox_tx *tx, const dreamd_rows *rows, int column)
{
    const char *text = dreamd_rows_text(rows, column);
    char *copy = text ? strdup(text) : NULL;
    if (text && !copy)
        tx->status = SANDBOX_STORE_NOMEM;
    return copy;
}

static void read_column(const dreamd_rows *rows, int column, char *out, size_t size)
{
    const char *text = dreamd_rows_text(rows, column);
    (void)snprintf(out, size, "%s", text ? text : "");
}

static cJSON *parse_column(sandbox_tx *tx, const dreamd_rows *rows, int column)
{
    const char *text = dreamd_rows_text(rows, column);
    bool is_nomem = false;
    cJSON *json = text ? dream_json_parse(text, strlen(text), &is_nomem) : NULL;
    if (!json)
        tx->status = is_nomem ? SANDBOX_STORE_NOMEM : SANDBOX_STORE_FAILED;
    return json;
}

/* ---- instances ---- */

static bool make_identity(enum sandbox_service service, enum sandbox_mode mode, sandbox_identity *out)
{
    const char *prefix = mode == SANDBOX_LIVE ? "sk_live_" : "sk_test_";
    if (service == SANDBOX_STRIPE)
        return sandbox_random_id("acct_1", 15, out->id) && sandbox_random_id(prefix, 48, out->secret_key)
               && sandbox_random_id("whsec_", 32, out->webhook_secret);
    if (!sandbox_random_id("ins_", 27, out->id) || !sandbox_random_id(prefix, 40, out->secret_key))
        return false;
    /* Clerk signs as svix does: the secret is the base64 of the key. */
    unsigned char key[24];
    dream_buffer text = DREAM_BUFFER_INIT;
    bool done = dream_random(key, sizeof key);
    dream_base64_encode(&text, key, sizeof key);
    done = done && !text.is_failed;
    if (done)
        (void)snprintf(out->webhook_secret, sizeof out->webhook_secret, "whsec_%s", dream_buffer_str(&text));
    dream_wipe(key, sizeof key);
    dream_buffer_clear(&text);
    return done;
}

static void make_instance(sandbox_tx *tx, enum sandbox_service service, enum sandbox_mode mode)
{
    sandbox_identity identity;
    int64_t made = 0;
    if (!make_identity(service, mode, &identity)) {
        sandbox_tx_fail(tx, SANDBOX_STORE_FAILED);
        return;
    }
    (void)run(tx,
              "INSERT INTO instances (service, mode, id, secret_key, webhook_secret) VALUES ($1, $2, $3, $4, $5)"
              " ON CONFLICT DO NOTHING",
              DREAMD_PARAMS(dreamd_int(service), dreamd_int(mode), dreamd_text(identity.id),
                            dreamd_text(identity.secret_key), dreamd_text(identity.webhook_secret)),
              &made);
    if (made > 0 && service == SANDBOX_CLERK_END_USER)
        clerk_templates_prepare(tx, mode, dream_wall_ms());
    dream_wipe(&identity, sizeof identity);
}

bool sandbox_identity_read(sandbox_tx *tx, enum sandbox_service service, enum sandbox_mode mode, sandbox_identity *out)
{
    dreamd_rows *rows =
        first_row(tx, "SELECT id, secret_key, webhook_secret FROM instances WHERE service = $1 AND mode = $2",
                  DREAMD_PARAMS(dreamd_int(service), dreamd_int(mode)));
    if (!rows)
        return false;
    read_column(rows, 0, out->id, sizeof out->id);
    read_column(rows, 1, out->secret_key, sizeof out->secret_key);
    read_column(rows, 2, out->webhook_secret, sizeof out->webhook_secret);
    dreamd_rows_finish(rows);
    return true;
}

char *sandbox_signing_key_read(sandbox_tx *tx, enum sandbox_service service, enum sandbox_mode mode)
{
    dreamd_rows *rows = first_row(tx, "SELECT signing_key FROM instances WHERE service = $1 AND mode = $2",
                                  DREAMD_PARAMS(dreamd_int(service), dreamd_int(mode)));
    char *pem = rows ? copy_column(tx, rows, 0) : NULL;
    dreamd_rows_finish(rows);
    return pem;
}

void sandbox_signing_key_offer(sandbox_tx *tx, enum sandbox_service service, enum sandbox_mode mode, const char *pem)
{
    (void)run(tx, "UPDATE instances SET signing_key = $3 WHERE service = $1 AND mode = $2 AND signing_key IS NULL",
              DREAMD_PARAMS(dreamd_int(service), dreamd_int(mode), dreamd_text(pem)), NULL);
}

/* ---- opening ---- */

static bool prepare_file(sandbox_store *store, char error[256])
{
    sandbox_store_status status;
    sandbox_tx *tx = sandbox_tx_begin(store, true, &status);
    if (tx) {
        tx->status = status_of(dreamd_db_script(tx->db, schema));
        for (int service = 0; service < SANDBOX_SERVICES; service++)
            for (int mode = 0; mode < SANDBOX_MODES; mode++)
                make_instance(tx, (enum sandbox_service)service, (enum sandbox_mode)mode);
        status = sandbox_tx_commit(tx);
    }
    if (status != SANDBOX_STORE_OK)
        (void)snprintf(error, 256, "cannot prepare the sandbox's file %.150s: %s", store->path,
                       status == SANDBOX_STORE_BUSY ? "another program holds its lock" : "see the log");
    return status == SANDBOX_STORE_OK;
}

sandbox_store *sandbox_store_open(const char *path, char error[256])
{
    sandbox_store *store = calloc(1, sizeof *store);
    (void)snprintf(error, 256, "out of memory");
    if (!store || !(store->path = strdup(path))) {
        free(store);
        return NULL;
    }
    (void)pthread_mutex_init(&store->write_lock, NULL);
    (void)pthread_mutex_init(&store->pool_lock, NULL);
    /* The first connection is opened here for its error sentence; the rest come as they are needed. */
    dreamd_db *db = dreamd_db_open_sqlite(path, DREAMD_DB_READ_WRITE, error);
    if (db)
        give_connection(store, db);
    if (db && prepare_file(store, error))
        return store;
    sandbox_store_close(store);
    return NULL;
}

void sandbox_store_close(sandbox_store *store)
{
    if (!store)
        return;
    while (store->idle_count > 0)
        dreamd_db_close(store->idle[--store->idle_count]);
    (void)pthread_mutex_destroy(&store->write_lock);
    (void)pthread_mutex_destroy(&store->pool_lock);
    free(store->path);
    free(store);
}

/* ---- documents ---- */

#define SCOPE(scope) dreamd_int((scope)->service), dreamd_int((scope)->mode), dreamd_text((scope)->account)

cJSON *sandbox_doc_read(sandbox_tx *tx, const sandbox_scope *scope, const char *kind, const char *id)
{
    dreamd_rows *rows = first_row(
        tx, "SELECT json FROM documents WHERE service = $1 AND mode = $2 AND account = $3 AND kind = $4 AND id = $5",
        DREAMD_PARAMS(SCOPE(scope), dreamd_text(kind), dreamd_text(id)));
    cJSON *json = rows ? parse_column(tx, rows, 0) : NULL;
    dreamd_rows_finish(rows);
    return json;
}

cJSON *sandbox_doc_find(sandbox_tx *tx, const sandbox_scope *scope, const char *kind, const char *id,
                        char out_account[SANDBOX_ID_SIZE])
{
    dreamd_rows *rows = first_row(
        tx, "SELECT json, account FROM documents WHERE service = $1 AND mode = $2 AND kind = $3 AND id = $4 LIMIT 1",
        DREAMD_PARAMS(dreamd_int(scope->service), dreamd_int(scope->mode), dreamd_text(kind), dreamd_text(id)));
    cJSON *json = rows ? parse_column(tx, rows, 0) : NULL;
    if (json)
        read_column(rows, 1, out_account, SANDBOX_ID_SIZE);
    dreamd_rows_finish(rows);
    return json;
}

/* Owned, free(); NULL, and the transaction failed, when out of memory. */
static char *print(sandbox_tx *tx, const cJSON *json)
{
    char *text = tx->status == SANDBOX_STORE_OK ? dream_json_print(json) : NULL;
    if (!text)
        sandbox_tx_fail(tx, SANDBOX_STORE_NOMEM);
    return text;
}

bool sandbox_doc_insert(sandbox_tx *tx, const sandbox_scope *scope, const sandbox_doc *doc, const cJSON *json)
{
    char *text = print(tx, json);
    bool done = text
                && run(tx,
                       "INSERT INTO documents (service, mode, account, kind, id, parent, lookup, json)"
                       " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                       DREAMD_PARAMS(SCOPE(scope), dreamd_text(doc->kind), dreamd_text(doc->id),
                                     dreamd_text(doc->parent), dreamd_text(doc->lookup), dreamd_text(text)),
                       NULL);
    free(text);
    return done;
}

bool sandbox_doc_update(sandbox_tx *tx, const sandbox_scope *scope, const sandbox_doc *doc, const cJSON *json)
{
    int64_t changed = 0;
    char *text = print(tx, json);
    bool done = text
                && run(tx,
                       "UPDATE documents SET parent = $6, lookup = $7, json = $8"
                       " WHERE service = $1 AND mode = $2 AND account = $3 AND kind = $4 AND id = $5",
                       DREAMD_PARAMS(SCOPE(scope), dreamd_text(doc->kind), dreamd_text(doc->id),
                                     dreamd_text(doc->parent), dreamd_text(doc->lookup), dreamd_text(text)),
                       &changed);
    free(text);
    return done && changed > 0;
}

bool sandbox_doc_delete(sandbox_tx *tx, const sandbox_scope *scope, const char *kind, const char *id)
{
    int64_t changed = 0;
    (void)run(tx, "DELETE FROM documents WHERE service = $1 AND mode = $2 AND account = $3 AND kind = $4 AND id = $5",
              DREAMD_PARAMS(SCOPE(scope), dreamd_text(kind), dreamd_text(id)), &changed);
    return changed > 0;
}

int64_t sandbox_doc_delete_children(sandbox_tx *tx, const sandbox_scope *scope, const char *kind, const char *parent)
{
    int64_t changed = 0;
    (void)run(tx,
              "DELETE FROM documents WHERE service = $1 AND mode = $2 AND account = $3 AND kind = $4 AND parent = $5",
              DREAMD_PARAMS(SCOPE(scope), dreamd_text(kind), dreamd_text(parent)), &changed);
    return changed;
}

int64_t sandbox_doc_seq(sandbox_tx *tx, const sandbox_scope *scope, const char *kind, const char *id)
{
    dreamd_rows *rows = first_row(
        tx, "SELECT seq FROM documents WHERE service = $1 AND mode = $2 AND account = $3 AND kind = $4 AND id = $5",
        DREAMD_PARAMS(SCOPE(scope), dreamd_text(kind), dreamd_text(id)));
    int64_t seq = rows ? dreamd_rows_int(rows, 0) : 0;
    dreamd_rows_finish(rows);
    return seq;
}

/* A statement for each way to look, so that each uses its index: an "or is null" would use none. */
#define SCAN_SQL(condition, order)                                                                                     \
    "SELECT json FROM documents WHERE service = $1 AND mode = $2 AND account = $3 AND kind = $4 AND seq > $5"          \
    " AND seq < $6" condition " ORDER BY seq " order
static const char *const scan_sql[3][2] = {
    { SCAN_SQL("", "DESC"), SCAN_SQL("", "ASC") },
    { SCAN_SQL(" AND parent = $7", "DESC"), SCAN_SQL(" AND parent = $7", "ASC") },
    { SCAN_SQL(" AND lookup = $7", "DESC"), SCAN_SQL(" AND lookup = $7", "ASC") },
};

void sandbox_doc_scan(sandbox_tx *tx, const sandbox_scope *scope, const sandbox_scan *scan, sandbox_scan_fn *fn,
                      void *context)
{
    const dreamd_param params[] = { SCOPE(scope), dreamd_text(scan->kind), dreamd_int(scan->after_seq),
                                    dreamd_int(scan->before_seq ? scan->before_seq : INT64_MAX),
                                    dreamd_text(scan->parent ? scan->parent : scan->lookup) };
    size_t way = scan->parent ? 1 : scan->lookup ? 2 : 0;
    dreamd_rows *rows = first_row(tx, scan_sql[way][scan->is_oldest_first], params, way ? 7 : 6);
    if (!rows)
        return;
    do {
        cJSON *json = parse_column(tx, rows, 0);
        if (!json || !fn(context, json))
            break;
    } while (next_row(tx, rows));
    dreamd_rows_finish(rows);
}

/* ---- answers kept for idempotency keys ---- */

bool sandbox_replay_read(sandbox_tx *tx, const sandbox_scope *scope, const char *key, int64_t since_ms,
                         sandbox_replay *out)
{
    dreamd_rows *rows = first_row(tx,
                                  "SELECT path, hash, status, body FROM replays WHERE service = $1 AND mode = $2"
                                  " AND account = $3 AND key = $4 AND created_ms >= $5",
                                  DREAMD_PARAMS(SCOPE(scope), dreamd_text(key), dreamd_int(since_ms)));
    if (!rows)
        return false;
    read_column(rows, 0, out->path, sizeof out->path);
    read_column(rows, 1, out->hash, sizeof out->hash);
    out->status = dreamd_rows_int(rows, 2);
    out->body = copy_column(tx, rows, 3);
    dreamd_rows_finish(rows);
    return out->body != NULL;
}

void sandbox_replay_keep(sandbox_tx *tx, const sandbox_scope *scope, const char *key, const sandbox_replay *replay,
                         int64_t now_ms, int64_t since_ms)
{
    (void)run(tx, "DELETE FROM replays WHERE created_ms < $1", DREAMD_PARAMS(dreamd_int(since_ms)), NULL);
    (void)run(tx,
              "INSERT INTO replays (service, mode, account, key, path, hash, status, body, created_ms)"
              " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
              DREAMD_PARAMS(SCOPE(scope), dreamd_text(key), dreamd_text(replay->path), dreamd_text(replay->hash),
                            dreamd_int(replay->status), dreamd_text(replay->body), dreamd_int(now_ms)),
              NULL);
}

/* ---- deliveries ---- */

void sandbox_delivery_add(sandbox_tx *tx, const sandbox_scope *scope, const char *queue, const char *event_id)
{
    tx->has_delivery |= run(
        tx, "INSERT INTO outbox (service, mode, queue, event_id) VALUES ($1, $2, $3, $4)",
        DREAMD_PARAMS(dreamd_int(scope->service), dreamd_int(scope->mode), dreamd_text(queue), dreamd_text(event_id)),
        NULL);
}

bool sandbox_tx_has_delivery(const sandbox_tx *tx)
{
    return tx->has_delivery;
}

bool sandbox_delivery_is_open(sandbox_tx *tx, const sandbox_scope *scope, const char *event_id)
{
    dreamd_rows *rows =
        first_row(tx, "SELECT 1 FROM outbox WHERE service = $1 AND mode = $2 AND event_id = $3 AND is_done = 0",
                  DREAMD_PARAMS(dreamd_int(scope->service), dreamd_int(scope->mode), dreamd_text(event_id)));
    dreamd_rows_finish(rows);
    return rows != NULL;
}

size_t sandbox_delivery_heads(sandbox_tx *tx, enum sandbox_service service, enum sandbox_mode mode, unsigned slot,
                              sandbox_delivery *out, size_t max)
{
    size_t count = 0;
    dreamd_rows *rows = first_row(
        tx,
        "SELECT MIN(seq) AS head, queue, event_id FROM outbox WHERE service = $1 AND mode = $2 AND is_done = 0"
        " AND (slots_done & $3) = 0 GROUP BY queue ORDER BY head LIMIT $4",
        DREAMD_PARAMS(dreamd_int(service), dreamd_int(mode), dreamd_int((int64_t)1 << slot), dreamd_int((int64_t)max)));
    if (!rows)
        return 0;
    do {
        out[count].seq = dreamd_rows_int(rows, 0);
        read_column(rows, 1, out[count].queue, sizeof out[count].queue);
        read_column(rows, 2, out[count].event_id, sizeof out[count].event_id);
        count++;
    } while (count < max && next_row(tx, rows));
    dreamd_rows_finish(rows);
    return count;
}

void sandbox_delivery_done(sandbox_tx *tx, int64_t seq, unsigned slot, int64_t slots)
{
    (void)run(tx,
              "UPDATE outbox SET slots_done = slots_done | $2,"
              " is_done = CASE WHEN ((slots_done | $2) & $3) = $3 THEN 1 ELSE 0 END WHERE seq = $1",
              DREAMD_PARAMS(dreamd_int(seq), dreamd_int((int64_t)1 << slot), dreamd_int(slots)), NULL);
}
