/* SPDX-License-Identifier: Apache-2.0 */
/* ownership.c - compares projects by their internal ids, as keys come and go. */
#include "service/api/ownership.h"

#include <string.h>

#include "service/store/keys.h"

dreamd_db_status dreamd_is_own_key(dreamd_db *db, const dreamd_project *project, const char *publishable_key, bool *out)
{
    dreamd_project theirs;
    bool is_found = false;
    dreamd_db_status status = DREAMD_DB_OK;

    *out = strcmp(publishable_key, project->publishable_key) == 0;
    if (*out || strlen(publishable_key) >= DREAMD_KEY_SIZE)
        return DREAMD_DB_OK;
    status = dreamd_project_of_publishable_key(db, publishable_key, &theirs, &is_found);
    if (status == DREAMD_DB_OK && is_found)
        *out = strcmp(theirs.platform_id, project->platform_id) == 0
               && strcmp(theirs.project_id, project->project_id) == 0;
    return status;
}
