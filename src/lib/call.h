/* SPDX-License-Identifier: Apache-2.0 */
/* call.h - a call: what was asked, how far it is, and how it ended.
 *
 * Three kinds of fields, marked below: fixed when the call is made; guarded by the
 * client's lock; and the driver's, that is, touched only by the one thread that
 * does the client's work. What the driver writes before it publishes the end is
 * read-only afterwards, and any thread may read it once it saw is_finished under the lock. */
#ifndef DREAM_LIB_CALL_H
#define DREAM_LIB_CALL_H

#include <dreamapi/call.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "lib/exchange.h"
#include "lib/request.h"
#include "lib/signer.h"
#include "lib/timers.h"

enum { DREAM_PROBLEM_SIZE = 160 };

/* A sort of object. One constant each; compared by address. */
typedef struct dream_noun {
    const char *name;
    /* Makes the object of a successful answer. DREAMAPI_OK, DREAMAPI_PROTOCOL (with `problem`) or DREAMAPI_NOMEM. */
    dreamapi_status (*parse)(const char *body, size_t size, void **out_object, char problem[DREAM_PROBLEM_SIZE]);
    void (*release)(void *object);
} dream_noun;

typedef enum dream_phase {
    DREAM_PHASE_NEW,     /* in the inbox */
    DREAM_PHASE_WAITING, /* for the answer to GET /health */
    DREAM_PHASE_SENDING, /* an exchange is under way */
    DREAM_PHASE_PAUSING, /* until the next try */
    DREAM_PHASE_FINISHED
} dream_phase;

struct dreamapi_call {
    atomic_uint holds; /* the caller's handle, the pipeline while unfinished, the inbox while in it */
    _Atomic(void *) user_data;

    /* Fixed. */
    dreamapi_client *client; /* held */
    const char *name;        /* "customer_create" */
    const dream_noun *noun;
    int64_t deadline_ms;
    bool is_quiet; /* a blocking call: never handed out by dreamapi_client_next */
    void (*on_finished)(dreamapi_call *call, void *context); /* the library's own calls: run by the driver at the end */
    void *context;
    /* Instead of a request: run by the driver, and again by dream_pipeline_work, until it says that object or error are set. */
    bool (*work)(dreamapi_call *call);
    void *job; /* what `work` is about; free() */

    /* Guarded by the client's lock. */
    pthread_cond_t changed;
    bool is_finished;
    bool is_cancel_wanted;
    bool is_dropped; /* the caller's handle is gone */
    bool is_in_inbox;
    bool is_listed;
    unsigned waiters;
    void *object; /* until taken */
    dreamapi_call *inbox_next;
    dreamapi_call *finished_previous;
    dreamapi_call *finished_next;

    /* The driver's. */
    dream_phase phase;
    dream_timer timer;
    dream_request request; /* its idempotency key is fixed */
    dreamapi_exchange exchange;
    dream_signer signer; /* of the try under way, in signed mode */
    int tries;
    int retries;
    int64_t sent_ms; /* when the last try began */
    bool has_asked;  /* waited for /health in this try */
    bool is_keyed;   /* the server goes by the idempotency key */
    bool is_stale_repeated;
    bool is_unclear; /* some try may have been carried out without our learning so */
    dreamapi_call *live_previous;
    dreamapi_call *live_next;

    /* The driver's, read-only once finished. */
    dreamapi_error error;
    char *body; /* NULL without an answer */
};

/* Starts a call. Takes `request` over, also on failure. `*out_call` is owned, NULL on failure. */
dreamapi_status dream_call_start(dreamapi_client *client, const char *name, const dream_noun *noun,
                                 dream_request *request, dreamapi_call **out_call, dreamapi_error *error);
/* Starts a call, waits, and takes its object (owned; NULL on failure). Takes `request` over. */
dreamapi_status dream_call_run(dreamapi_client *client, const char *name, const dream_noun *noun,
                               dream_request *request, void **out_object, dreamapi_error *error);
/* Starts a call that differs from others as `template` says: is_quiet, on_finished, context, work and job are taken from it. Takes
 * `request` and the job over. */
dreamapi_status dream_call_start_as(dreamapi_client *client, const char *name, const dream_noun *noun,
                                    dream_request *request, const dreamapi_call *template, dreamapi_call **out_call,
                                    dreamapi_error *error);
/* Waits for a call that was just started, takes its object (owned; NULL on failure), and frees it. */
dreamapi_status dream_call_complete(dreamapi_call *call, const dream_noun *noun, void **out_object,
                                    dreamapi_error *error);
/* Starts a call of the library's own: at its end the driver runs `on_finished`, which frees it. Takes `request` over. */
dreamapi_status dream_call_start_inside(dreamapi_client *client, const char *name, const dream_noun *noun,
                                        dream_request *request, void (*on_finished)(dreamapi_call *call, void *context),
                                        void *context, dreamapi_error *error);
/* Takes the object out of a finished call; `out_object` NULL leaves it there. */
dreamapi_status dream_call_take(dreamapi_call *call, const dream_noun *noun, void **out_object, dreamapi_error *error);

void dream_call_hold(dreamapi_call *call);
void dream_call_release(dreamapi_call *call);
/* The driver's word that the call ended; `error`, `body` and `object` are set. */
void dream_call_publish(dreamapi_call *call);

#endif
