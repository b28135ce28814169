/* SPDX-License-Identifier: Apache-2.0 */
/* check.h - every invariant of the store, asked in SQL. Reads only; for `dreamapid check` and tests.
 * The rules of model.h hold. */
#ifndef DREAMD_SERVICE_STORE_CHECK_H
#define DREAMD_SERVICE_STORE_CHECK_H

#include <stdint.h>

#include "net/db.h"

/* `rule` names the invariant, `what` the row that breaks it by its key (no secrets) and why. Both borrowed for the call. */
typedef void dreamd_check_report(void *context, const char *rule, const char *what);

/* `out_violations` 0: everything holds. A rule reports at most 100 rows but counts them all. Not OK: it could not be asked. */
dreamd_db_status dreamd_check(dreamd_db *db, int64_t now_ms, dreamd_check_report *report, void *context,
                              int64_t *out_violations);

#endif
