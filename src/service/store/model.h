/* SPDX-License-Identifier: Apache-2.0 */
/* model.h - what every topic of the store speaks of: a project, its mode, and whether its platform may use the service.
 *
 * The topics (tenants.h, keys.h, tiers.h, customers.h, usage.h, subscriptions.h, idempotency.h, check.h) all follow these rules:
 * they run inside a piece of work (store.h), on the connection it was given; they return a dreamd_db_status, and "there is
 * none" is an out flag, never an error; on failure their results are unspecified; they read no clock: `now_ms` is handed in
 * (wall time, milliseconds since 1970). Texts and structs passed in are borrowed for the call. */
#ifndef DREAMD_SERVICE_STORE_MODEL_H
#define DREAMD_SERVICE_STORE_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "service/settings.h"

enum {
    DREAMD_ID_SIZE = 48,     /* "plt_" or "prj_" and 32 hex digits, with room */
    DREAMD_KEY_SIZE = 128,   /* a publishable or secret key */
    DREAMD_KEY_ID_SIZE = 17, /* 16 hex digits: how SHA-256(secret key) begins */
    DREAMD_PLAN_SIZE = 128,
    DREAMD_NAME_SIZE = 128,
    DREAMD_WORD_SIZE = 24, /* a type or status: "membership", "incomplete_expired" */
    DREAMD_GRACE_DAYS = 7  /* how long a platform works on after its paid period ended */
};

/* One project in one mode, and what its platform has paid. */
typedef struct dreamd_project {
    char platform_id[DREAMD_ID_SIZE];
    char project_id[DREAMD_ID_SIZE];       /* internal; a project may have several key pairs */
    char publishable_key[DREAMD_KEY_SIZE]; /* the one the request came with, or of its secret key */
    enum dreamd_mode mode;
    char type[DREAMD_WORD_SIZE]; /* "saas", "store" or "membership" */
    char name[DREAMD_NAME_SIZE];
    bool is_tax_enabled;
    char subscription_status[DREAMD_WORD_SIZE]; /* of the platform's own billing; "" = no record */
    bool has_current_period_end;
    int64_t current_period_end_ms;
    char key_id[DREAMD_KEY_ID_SIZE]; /* of the secret key that it was found by; "" otherwise */
    bool is_use_due;                 /* that key's last use is to be noted: dreamd_key_note_use */
} dreamd_project;

/* True when the platform's own subscription is over and its grace too. No record, trialing, active and past_due are allowed;
 * any other word is not, and without a period end there is no grace to wait for. */
bool dreamd_project_is_blocked(const dreamd_project *project, int64_t now_ms);

const char *dreamd_mode_text(enum dreamd_mode mode); /* "live" or "test" */
bool dreamd_mode_parse(const char *text, enum dreamd_mode *out_mode);

#endif
