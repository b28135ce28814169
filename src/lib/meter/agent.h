/* SPDX-License-Identifier: Apache-2.0 */
/* agent.h - a lease request under way, between agent.c, which builds it, and agent_answer.c, which books its answer. */
#ifndef DREAM_LIB_METER_AGENT_H
#define DREAM_LIB_METER_AGENT_H

#include "lib/meter/lease_wire.h"
#include "lib/meter/metering.h"

/* In the order in which they are sent; RESEND goes with SETTLE. */
typedef enum dream_item_kind {
    DREAM_ITEM_SETTLE = 0,
    DREAM_ITEM_REFUND = 1,
    DREAM_ITEM_ACQUIRE = 2,
    DREAM_ITEM_RESEND = 3
} dream_item_kind;

typedef struct dream_item {
    dream_item_kind kind;
    dream_line line;
    unsigned char id[16]; /* of lease, request or refund: tells if the record is still the same when the answer comes */
    uint32_t admitted;
    uint32_t refunded;
    bool is_final;
} dream_item;

struct dream_agent_request {
    size_t count;
    dream_item items[DREAM_LEASE_ITEMS_MAX];
};

/* The record of a plan's name, made if there is none; 0 for NULL, "" and without room. The journal's lock is held. */
dream_line dream_agent_find_plan(dream_metering *metering, const dream_account *account, const char *plan);
/* The call ended. Driver. */
void dream_agent_answered(dreamapi_call *call, void *metering);
/* It could not even be started. */
void dream_agent_failed(dream_metering *metering, const dreamapi_error *error);

#endif
