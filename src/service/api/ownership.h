/* SPDX-License-Identifier: Apache-2.0 */
/* ownership.h - whose an end user is: the identity provider holds the users of all projects, each with the publishable key of
 * its project in the public metadata. That key may have been revoked since; it still names the project. */
#ifndef DREAMD_API_OWNERSHIP_H
#define DREAMD_API_OWNERSHIP_H

#include <stdbool.h>

#include "net/db.h"
#include "service/store/model.h"

/* In store work: does this publishable key, active or not, name this project? */
dreamd_db_status dreamd_is_own_key(dreamd_db *db, const dreamd_project *project, const char *publishable_key,
                                   bool *out);

#endif
