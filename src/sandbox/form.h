/* SPDX-License-Identifier: Apache-2.0 */
/* form.h - application/x-www-form-urlencoded with nested names, as Stripe's API takes it.
 *
 *     line_items[0][price]=p & expand[]=customer & metadata[0]=x
 *
 * becomes {"line_items":[{"price":"p"}],"expand":["customer"],"metadata":{"0":"x"}}. Every leaf is a string: what it means
 * is the handler's business. Input is untrusted: pairs, depth and names are bounded, texts must be UTF-8. */
#ifndef SANDBOX_FORM_H
#define SANDBOX_FORM_H

#include <stddef.h>

#include "common/json.h"

enum { SANDBOX_FORM_MAX_PAIRS = 1000, SANDBOX_FORM_MAX_DEPTH = 8, SANDBOX_FORM_MAX_NAME = 512 };

typedef enum sandbox_form_status {
    SANDBOX_FORM_OK = 0,
    SANDBOX_FORM_MALFORMED, /* brackets that do not match, a name used as a value and as a table, bad escape, not UTF-8 */
    SANDBOX_FORM_TOO_LARGE,
    SANDBOX_FORM_NOMEM
} sandbox_form_status;

/* Adds one decoded pair to `root`, an object. The last value of a plain name counts; `name[]` appends. */
sandbox_form_status sandbox_form_add(cJSON *root, const char *name, const char *value);
/* To be called once when all pairs are in: tables whose keys are all numbers become arrays, in the order of the numbers. A
 * table named "metadata" stays one, whatever its keys. */
sandbox_form_status sandbox_form_finish(cJSON *root);
/* A whole body, both steps. On OK `*out_root` is owned (cJSON_Delete). */
sandbox_form_status sandbox_form_parse(const char *body, size_t size, cJSON **out_root);

#endif
