/* SPDX-License-Identifier: Apache-2.0 */
/* timefmt.h - clocks and the date texts of the wire. All calendar dates are UTC. */
#ifndef DREAM_COMMON_TIMEFMT_H
#define DREAM_COMMON_TIMEFMT_H

#include <stdbool.h>
#include <stdint.h>

int64_t dream_wall_ms(void);      /* milliseconds since 1970-01-01T00:00Z; may step */
int64_t dream_monotonic_ms(void); /* never steps back; starts anywhere */

int32_t dream_day_of_ms(int64_t wall_ms);                 /* days since 1970-01-01 */
void dream_day_text(int32_t day, char out[11]);           /* "YYYY-MM-DD" */
bool dream_day_parse(const char *text, int32_t *out_day); /* also takes "YYYY-MM-DDT..." and keeps the day */
void dream_iso_text(int64_t wall_ms, char out[25]);       /* "YYYY-MM-DDTHH:MM:SS.mmmZ" */
bool dream_iso_parse(const char *text, int64_t *out_wall_ms);
void dream_utc_text(int64_t wall_ms, char out[20]);       /* "YYYY-MM-DD HH:MM:SS" */
void dream_http_date_text(int64_t wall_ms, char out[30]); /* RFC 9110 5.6.7, IMF-fixdate */
bool dream_http_date_parse(const char *text, int64_t *out_wall_ms);

/* Retry-After (RFC 9110 10.2.3), seconds or a date: milliseconds from now, at least 0; false if it says nothing usable. */
bool dream_retry_after_parse(const char *text, int64_t now_wall_ms, int64_t *out_ms);

#endif
