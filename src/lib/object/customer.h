/* SPDX-License-Identifier: Apache-2.0 */
/* customer.h - how a customer is read, alone (customer.c) or in a list (customer_list.c). */
#ifndef DREAM_LIB_OBJECT_CUSTOMER_H
#define DREAM_LIB_OBJECT_CUSTOMER_H

#include <dreamapi/customer.h>

#include "lib/object/document.h"

struct dreamapi_customer {
    dream_document document; /* empty for a customer of a list: there it is the list's */
    const char *id;
    const char *email;
    const char *first_name;
    const char *last_name;
    const char *plan;
    const char *publishable_key;
    int64_t created_at;
    const char *status;
    int64_t usage_count;
    int64_t usage_limit;
    const char *message;
    bool success;
};

/* From the JSON object that stands for the customer; `message` and `success` stay as they are. */
dreamapi_status dream_customer_read(dreamapi_customer *customer, const cJSON *object, char problem[DREAM_PROBLEM_SIZE]);

#endif
