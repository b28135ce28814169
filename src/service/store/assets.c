/* SPDX-License-Identifier: Apache-2.0 */
/* assets.c - rows of assets. The bound of a platform is part of the INSERT, so that uploads side by side cannot pass it. */
#include "service/store/assets.h"

#include "service/store/row.h"

#define HAS_ROOM                                                                                                       \
    "(SELECT COALESCE(SUM(size_bytes), 0) FROM assets WHERE platform_id = $1) <= $3 - $2 AND "                         \
    "(SELECT COUNT(*) FROM assets WHERE platform_id = $1) < $4"

dreamd_db_status dreamd_asset_has_room(dreamd_db *db, const char *platform_id, int64_t size, bool *out)
{
    return dreamd_row_exists(db, "SELECT 1 WHERE " HAS_ROOM,
                             DREAMD_PARAMS(dreamd_text(platform_id), dreamd_int(size),
                                           dreamd_int(DREAMD_ASSETS_MAX_BYTES), dreamd_int(DREAMD_ASSETS_MAX_FILES)),
                             out);
}

dreamd_db_status dreamd_asset_insert(dreamd_db *db, const dreamd_asset *asset, int64_t now_ms, bool *out_is_kept)
{
    int64_t changed = 0;
    dreamd_db_status status =
        dreamd_db_run(db,
                      "INSERT INTO assets (platform_id, name, content_type, size_bytes, created_at_ms) "
                      "SELECT $1, $5, $6, $2, $7 WHERE " HAS_ROOM,
                      DREAMD_PARAMS(dreamd_text(asset->platform_id), dreamd_int(asset->size),
                                    dreamd_int(DREAMD_ASSETS_MAX_BYTES), dreamd_int(DREAMD_ASSETS_MAX_FILES),
                                    dreamd_text(asset->name), dreamd_text(asset->content_type), dreamd_int(now_ms)),
                      &changed);
    *out_is_kept = changed > 0;
    return status;
}

dreamd_db_status dreamd_asset_find(dreamd_db *db, const char *platform_id, const char *name, dream_arena *arena,
                                   dreamd_asset *out, bool *out_found)
{
    dreamd_rows *rows = NULL;
    dreamd_db_status status = dreamd_row_one(
        db, "SELECT platform_id, name, content_type, size_bytes FROM assets WHERE platform_id = $1 AND name = $2",
        DREAMD_PARAMS(dreamd_text(platform_id), dreamd_text(name)), &rows);
    *out_found = rows != NULL;
    if (rows) {
        out->size = dreamd_rows_int(rows, 3);
        if (!dreamd_row_dup(rows, 0, arena, &out->platform_id) || !dreamd_row_dup(rows, 1, arena, &out->name)
            || !dreamd_row_dup(rows, 2, arena, &out->content_type))
            status = DREAMD_DB_NOMEM;
    }
    dreamd_rows_finish(rows);
    return status;
}
