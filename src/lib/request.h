/* SPDX-License-Identifier: Apache-2.0 */
/* request.h - what a call will send, built from a caller's parameters.
 *
 * Each typed call is a list of these steps. The first step that refuses decides:
 * later ones do nothing, and dream_call_start reports what it said. Used by the
 * thread that starts the call; read-only from then on, until it is cleared. */
#ifndef DREAM_LIB_REQUEST_H
#define DREAM_LIB_REQUEST_H

#include <dreamapi/call.h>
#include <stdbool.h>

#include "common/buffer.h"
#include "lib/text.h"
#include "lib/user_key.h"

typedef struct dream_request {
    const char *method;
    dream_buffer url;
    dream_buffer body;                            /* a JSON object in the making; wiped, it may hold a password */
    char traceparent[DREAM_TRACEPARENT_SIZE + 1]; /* "" for none */
    char *user_token;                             /* NULL or owned, wiped */
    char *idempotency_key;                        /* POST only; owned */
    dreamapi_call_options options;                /* its texts are the caller's: gone once the call is started */
    dream_user_key user;
    bool has_user; /* made on behalf of `user` */
    bool has_query;
    bool is_post;
    bool has_own_key; /* the idempotency key is the caller's */
    bool is_idempotent;
    unsigned needed_extension; /* without it nothing is sent; 0: none */
    bool is_anonymous;         /* sent without any key */
    dreamapi_error problem;    /* status OK as long as nothing was refused */
} dream_request;

/* Checks client (NULL, or of another process) and options. `method` and `path` are constants. */
void dream_request_begin(dream_request *request, const dreamapi_client *client, const char *method, const char *path,
                         const dreamapi_call_options *options);
/* Reads a struct of parameters, as dream_params_copy does. */
void dream_request_params(dream_request *request, const void *given, void *out, size_t size);
/* Appends "/id", percent-encoded. `what` names the parameter in the message of a refusal. */
void dream_request_path_id(dream_request *request, const char *what, const char *id);
/* Adds a text to the body; NULL adds nothing. */
void dream_request_field(dream_request *request, const char *name, const char *what, const char *text);
void dream_request_required_field(dream_request *request, const char *name, const char *what, const char *text);
/* A required id in the body: of a user, an event, a meter. */
void dream_request_id(dream_request *request, const char *name, const char *what, const char *id);
/* Adds a whole number to the body. */
void dream_request_int(dream_request *request, const char *name, int64_t value);
void dream_request_bool(dream_request *request, const char *name, bool value);
/* Adds bytes to the body, in base64. */
void dream_request_base64(dream_request *request, const char *name, const void *bytes, size_t size);
/* A list of objects in the body. The fields added between item_begin and item_end are the item's. */
void dream_request_list_begin(dream_request *request, const char *name);
void dream_request_item_begin(dream_request *request);
void dream_request_item_end(dream_request *request);
void dream_request_list_end(dream_request *request);
/* Adds a text to the query; NULL adds nothing. */
void dream_request_query(dream_request *request, const char *name, const char *what, const char *text);
void dream_request_query_int(dream_request *request, const char *name, int64_t value);
/* A refusal of the call's own. The first one counts. */
void dream_request_refuse(dream_request *request, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* For calls on a user's behalf: by `user_id`, else by the token in the options. */
void dream_request_on_behalf(dream_request *request, const dreamapi_client *client, const char *user_id);
/* The last step: closes the body, makes or checks the idempotency key. */
void dream_request_end(dream_request *request, const dreamapi_client *client);

/* Wipes and releases what is only needed for sending; the key and the method stay. */
void dream_request_forget(dream_request *request);
void dream_request_clear(dream_request *request);

#endif
