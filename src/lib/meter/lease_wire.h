/* SPDX-License-Identifier: Apache-2.0 */
/* lease_wire.h - POST /api/leases: what is said and what is answered, as structs. What they mean for the journal is agent.c. */
#ifndef DREAM_LIB_METER_LEASE_WIRE_H
#define DREAM_LIB_METER_LEASE_WIRE_H

#include <dreamapi/meter.h>

#include "lib/call.h"
#include "lib/object/document.h"

enum { DREAM_LEASE_ITEMS_MAX = 1000 };

typedef struct dream_settle_item {
    const unsigned char *lease_id;
    const unsigned char *request_id;
    const char *user_id;
    const char *meter;
    int32_t period_start_day;
    uint32_t granted;
    uint32_t admitted;
    uint32_t refunded;
    bool is_final;
    bool is_unproven;
} dream_settle_item;

/* Between begin and end: lists in this order, items between the list's own begin and end (dream_request_list_...). */
void dream_lease_request_begin(dream_request *request, const dreamapi_client *client, const char *holder,
                               const char *project);
void dream_lease_request_settle(dream_request *request, const dream_settle_item *item);
void dream_lease_request_acquire(dream_request *request, const unsigned char request_id[16], const char *user_id,
                                 const char *meter, uint32_t want, uint32_t least);
void dream_lease_request_refund(dream_request *request, const unsigned char id[16], const unsigned char lease_id[16],
                                uint32_t units);

/* Texts are borrowed from the answer. */
typedef struct dream_settled_answer {
    const char *lease_id;
    const char *state;
    int64_t charged;
} dream_settled_answer;

typedef struct dream_refunded_answer {
    const char *id;
    const char *state;
} dream_refunded_answer;

typedef struct dream_grant_answer {
    const char *request_id;
    const char *error; /* NULL: granted */
    int64_t retry_after_ms;
    const char *lease_id;
    const char *state;
    int64_t granted;
    int64_t ttl_ms;
    const char *plan;
    int64_t limit; /* -1 if not told */
    int64_t used;
    int64_t held;
    int64_t lost;
    int32_t period_start_day;
    int32_t period_end_day;
    bool has_rate;
    int64_t window_ms;
    int64_t window_ends_in_ms;
    int64_t rate_granted;
} dream_grant_answer;

typedef struct dream_lease_answer {
    dream_document document;
    int64_t store_epoch;
    const char *project; /* NULL if not told */
    dream_settled_answer *settled;
    size_t settled_count;
    dream_refunded_answer *refunded;
    size_t refunded_count;
    dream_grant_answer *grants;
    size_t grant_count;
    const cJSON *recall; /* texts; may be NULL */
} dream_lease_answer;

extern const dream_noun dream_noun_lease_answer;

/* 32 hexadecimal digits. */
void dream_lease_id_text(const unsigned char id[16], char out[33]);
bool dream_lease_id_read(const char *text, unsigned char out[16]);

#endif
