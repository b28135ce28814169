/* SPDX-License-Identifier: Apache-2.0 */
/* tiers_file.h - the tiers of a project as a user writes them: {"tiers":[{"name","displayName","price","limit",...}]}.
 * Everything is checked before anything is made of it. */
#ifndef DREAMAPID_TIERS_FILE_H
#define DREAMAPID_TIERS_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/arena.h"
#include "common/json.h"
#include "service/store/tiers.h"

typedef struct dreamd_tier_set {
    dreamd_tier *tiers;
    size_t count;
} dreamd_tier_set;

typedef enum dreamd_tier_form {
    DREAMD_TIERS_TO_MAKE, /* as in `tenant create`: at least one; the provider will name product and price */
    DREAMD_TIERS_MADE     /* as in a fixture: product and price ids may be given */
} dreamd_tier_form;

/* Reads an array of tiers. Texts are copied into `arena`. False with a sentence naming tier and field. */
bool dreamd_tiers_read(const cJSON *array, dreamd_tier_form form, dream_arena *arena, dreamd_tier_set *out,
                       char error[256]);
/* Reads the whole document: {"tiers":[...]} and nothing else. */
bool dreamd_tiers_document_read(const cJSON *document, dream_arena *arena, dreamd_tier_set *out, char error[256]);

#endif
