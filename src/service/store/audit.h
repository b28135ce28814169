/* SPDX-License-Identifier: Apache-2.0 */
/* audit.h - what an operator did past the rules, kept for good. The rules of model.h hold. */
#ifndef DREAMD_SERVICE_STORE_AUDIT_H
#define DREAMD_SERVICE_STORE_AUDIT_H

#include "net/db.h"
#include "service/store/model.h"

/* `platform_id` "": it concerns the whole store. `detail_json` is an object, without secrets. */
dreamd_db_status dreamd_audit_add(dreamd_db *db, const char *platform_id, const char *action, const char *detail_json,
                                  int64_t now_ms);

#endif
