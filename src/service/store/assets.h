/* SPDX-License-Identifier: Apache-2.0 */
/* assets.h - what is known of the files that developers uploaded; the bytes are service/asset_files.h's.
 * A row stands for a file that is on disk. The rules of model.h hold. */
#ifndef DREAMD_SERVICE_STORE_ASSETS_H
#define DREAMD_SERVICE_STORE_ASSETS_H

#include "common/arena.h"
#include "net/db.h"
#include "service/store/model.h"

enum { DREAMD_ASSETS_MAX_FILES = 10000 };          /* of one platform */
#define DREAMD_ASSETS_MAX_BYTES (INT64_C(1) << 30) /* of one platform */

typedef struct dreamd_asset {
    const char *platform_id;
    const char *name; /* unlike any other of the platform */
    const char *content_type;
    int64_t size;
} dreamd_asset;

/* Would one more of this size fit? Writes nothing: dreamd_asset_insert decides. */
dreamd_db_status dreamd_asset_has_room(dreamd_db *db, const char *platform_id, int64_t size, bool *out);
/* `out_is_kept` false: no room. CONFLICT when the name is taken. */
dreamd_db_status dreamd_asset_insert(dreamd_db *db, const dreamd_asset *asset, int64_t now_ms, bool *out_is_kept);
/* Texts live in `arena`. */
dreamd_db_status dreamd_asset_find(dreamd_db *db, const char *platform_id, const char *name, dream_arena *arena,
                                   dreamd_asset *out, bool *out_found);

#endif
