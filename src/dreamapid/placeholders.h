/* SPDX-License-Identifier: Apache-2.0 */
/* placeholders.h - what the "<...>" texts of a fixture stand for.
 * Ids and keys get a value once and keep it; days ("<today>", "<today-40>", "<today+29>") are reckoned from the load. */
#ifndef DREAMAPID_PLACEHOLDERS_H
#define DREAMAPID_PLACEHOLDERS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/json.h"

typedef struct dreamd_placeholders {
    cJSON *values; /* an object: "<pk>" -> "pk_live_..."; secrets among them */
    int64_t now_ms;
} dreamd_placeholders;

bool dreamd_placeholders_init(dreamd_placeholders *all, int64_t now_ms); /* false: out of memory */
void dreamd_placeholders_clear(dreamd_placeholders *all);                /* wipes the values */

bool dreamd_is_placeholder(const char *text); /* "<...>" from end to end */
/* The value of `text`: itself unless it is a placeholder; a new one becomes `prefix` and 2 * `bytes` random hex digits.
 * Borrowed until clear; NULL when out of memory or randomness. */
const char *dreamd_placeholder_make(dreamd_placeholders *all, const char *text, const char *prefix, unsigned bytes);
/* Gives a placeholder this value, which replaces none. */
bool dreamd_placeholder_set(dreamd_placeholders *all, const char *text, const char *value);
/* Replaces each text in `tree` that is a placeholder. "<user...>" and "<id>" that nothing has named yet become new user ids.
 * False with a sentence in `error` at one that means nothing. */
bool dreamd_placeholders_resolve(dreamd_placeholders *all, cJSON *tree, char error[256]);

#endif
