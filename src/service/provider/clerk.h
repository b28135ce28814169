/* SPDX-License-Identifier: Apache-2.0 */
/* clerk.h - the calls the service makes to the end users' identity provider (Clerk's Backend API).
 * The mode picks the instance and its secret: a live and a test user never meet. An id that cannot be a user's is NOT_FOUND,
 * at once and without a call. */
#ifndef DREAMD_PROVIDER_CLERK_H
#define DREAMD_PROVIDER_CLERK_H

#include <stdbool.h>
#include <stdint.h>

#include "service/provider/upstream.h"

/* A user as the provider tells it; everything is borrowed until the callback returns. */
typedef struct dreamd_clerk_user {
    const char *id;
    const char *email;      /* the primary address, else the first; NULL if there is none */
    const char *first_name; /* NULL if not set */
    const char *last_name;  /* NULL if not set */
    int64_t created_at_ms;
    const cJSON *metadata; /* public metadata; NULL if there is none */
} dreamd_clerk_user;

typedef struct dreamd_clerk_new_user {
    const char *email;
    const char *password;   /* NULL: none */
    const char *first_name; /* NULL: none */
    const char *last_name;  /* NULL: none */
    const char *publishable_key;
    const char *plan;
} dreamd_clerk_new_user;

/* `user` is NULL unless the outcome is OK. */
typedef void dreamd_clerk_user_fn(void *context, const dreamd_upstream_answer *answer, const dreamd_clerk_user *user);

/* Reads a user of Clerk's (also those in its webhooks), borrowed from `json`; false if this is none. */
bool dreamd_clerk_read_user(const cJSON *json, dreamd_clerk_user *out);

void dreamd_clerk_get_user(dreamd_upstream *upstream, enum dreamd_mode mode, const char *user_id,
                           dreamd_clerk_user_fn *fn, void *context);
void dreamd_clerk_create_user(dreamd_upstream *upstream, enum dreamd_mode mode, const dreamd_clerk_new_user *new_user,
                              dreamd_clerk_user_fn *fn, void *context);
/* The user with this address: NOT_FOUND if there is none. */
void dreamd_clerk_find_user(dreamd_upstream *upstream, enum dreamd_mode mode, const char *email,
                            dreamd_clerk_user_fn *fn, void *context);
/* Was a creation refused because the address is another user's? */
bool dreamd_clerk_is_taken(const dreamd_upstream_answer *answer);
/* Merges `metadata` (borrowed) into the user's public metadata. */
void dreamd_clerk_merge_metadata(dreamd_upstream *upstream, enum dreamd_mode mode, const char *user_id,
                                 const cJSON *metadata, dreamd_clerk_user_fn *fn, void *context);
void dreamd_clerk_delete_user(dreamd_upstream *upstream, enum dreamd_mode mode, const char *user_id,
                              dreamd_upstream_fn *fn, void *context);
/* The instance's signing keys: the answer's `json` is a JSON Web Key Set. */
void dreamd_clerk_get_keys(dreamd_upstream *upstream, enum dreamd_mode mode, dreamd_upstream_fn *fn, void *context);

#endif
