/* SPDX-License-Identifier: Apache-2.0 */
/* ids.h - random identifiers in the formats of the wire. */
#ifndef DREAM_COMMON_IDS_H
#define DREAM_COMMON_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* RFC 9562. v4 from 16 random bytes that the caller gives; v7 begins with the time, so database pages fill in order. */
void dream_uuid4_text(const unsigned char random[16], char out[37]);
void dream_uuid7_text(int64_t wall_ms, const unsigned char random[16], char out[37]);
/* prefix + `bytes` random bytes in lower hex; `out` needs strlen(prefix) + 2 * bytes + 1. False without randomness. */
bool dream_random_id(const char *prefix, size_t bytes, char *out);

#endif
