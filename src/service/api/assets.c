/* SPDX-License-Identifier: Apache-2.0 */
/* assets.c - POST /api/assets: a developer's file, in JSON as base64. GET /api/assets/{platform}/{file}: it again, for anybody.
 *
 * An upload is checked and claims its key; its file is written (asset_files.h); one piece of work keeps the row and remembers the
 * answer. A crash before that leaves a file that nobody was told of and nobody can ask for. */
#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"
#include "common/encoding.h"
#include "common/json.h"
#include "service/api/handlers.h"
#include "service/api/replay.h"
#include "service/asset_files.h"
#include "service/store/assets.h"

#define UPLOAD_PATH "/api/assets"
#define ASSET_PATH "/api/assets/"
#define PLAIN_TYPE "text/plain;charset=UTF-8"

enum {
    MAX_TYPE = 127,
    /* Base64 of the largest file, and room for the rest of the object. */
    MAX_BODY = (DREAMD_ASSET_MAX_SIZE + 2) / 3 * 4 + (64 << 10)
};

struct upload {
    char name[DREAMD_ASSET_NAME_SIZE]; /* clean */
    const char *content_type;
    dream_buffer data; /* owned; freed when the file is written, or will not be */
    bool has_room;
    dreamd_asset_job job;
};

struct download {
    char *platform_id;
    char *name;
    dreamd_asset asset;
    bool is_found;
};

bool dreamd_asset_is_upload(const char *method, const char *path)
{
    return strcmp(method, "POST") == 0 && strcmp(path, UPLOAD_PATH) == 0;
}

size_t dreamd_asset_max_body(void)
{
    return MAX_BODY;
}

bool dreamd_asset_is_download(const char *method, const char *path)
{
    return strcmp(method, "GET") == 0 && strncmp(path, ASSET_PATH, strlen(ASSET_PATH)) == 0;
}

/* ---- what is uploaded ---- */

/* It goes out as a header: "type/subtype", and what may follow in visible ASCII. */
static bool is_content_type(const char *type)
{
    const char *slash = strchr(type, '/');

    for (const char *c = type; *c; c++) {
        if (*c < ' ' || *c > '~')
            return false;
    }
    return slash && slash > type && slash[1] != '\0' && slash[1] != ';' && type[0] != ' ';
}

/* The bytes move out of the body, which is large. */
static bool read_data(dreamd_call *call, struct upload *upload)
{
    const char *text = dream_json_string(call->body, "data");
    size_t size = text ? strlen(text) : 0;

    if (size > (size_t)(DREAMD_ASSET_MAX_SIZE + 2) / 3 * 4) {
        dreamd_call_set_error(call, 413, "File too large", "An asset has at most 10 MiB");
        return false;
    }
    if (!dream_base64_decode(&upload->data, text, size)) {
        if (upload->data.is_failed)
            dreamd_call_set_error(call, 500, "Internal error", "Out of memory");
        else
            dreamd_call_set_error(call, 400, "Invalid data", "data must be base64, with padding");
        return false;
    }
    if (upload->data.size <= DREAMD_ASSET_MAX_SIZE)
        return true;
    dreamd_call_set_error(call, 413, "File too large", "An asset has at most 10 MiB");
    return false;
}

static bool read_upload(dreamd_call *call, struct upload *upload)
{
    const char *filename = NULL;
    const char *data = NULL;

    if (dreamd_call_body(call) == DREAMD_BODY_MALFORMED) {
        dreamd_call_set_error(call, 400, "Invalid JSON body", NULL);
        return false;
    }
    if (!dreamd_call_text(call, "filename", DREAMD_ASSET_MAX_NAME, "Invalid request", &filename)
        || !dreamd_call_text(call, "contentType", MAX_TYPE, "Invalid request", &upload->content_type)
        || !dreamd_call_text(call, "data", MAX_BODY, "Invalid request", &data))
        return false;
    if (!filename || !data) {
        dreamd_call_set_error(call, 400, "Missing filename or data", NULL);
        return false;
    }
    if (!dreamd_asset_clean_name(filename, upload->name)) {
        dreamd_call_set_error(call, 400, "Invalid request", "filename holds no character");
        return false;
    }
    if (!upload->content_type)
        upload->content_type = "application/octet-stream";
    if (!is_content_type(upload->content_type)) {
        dreamd_call_set_error(call, 400, "Invalid request", "contentType must be a media type such as image/png");
        return false;
    }
    return read_data(call, upload);
}

/* ---- keeping it ---- */

static cJSON *uploaded_json(dreamd_call *call, const struct upload *upload)
{
    const char *key = dream_arena_printf(call->arena, "%s/%s", call->project.platform_id, upload->job.out_name);
    const char *url = key ? dream_arena_printf(call->arena, ASSET_PATH "%s", key) : NULL;
    cJSON *body = cJSON_CreateObject();

    if (url && dream_json_set_string(body, "key", key) && dream_json_set_string(body, "url", url))
        return body;
    cJSON_Delete(body);
    return NULL;
}

static void set_no_room(dreamd_call *call)
{
    dreamd_call_set_error(call, 507, "Asset storage is full",
                          "A platform's assets have at most 1 GiB and 10000 files together");
}

static dreamd_db_status keep(dreamd_db *db, void *arg)
{
    dreamd_call *call = arg;
    struct upload *upload = call->state;
    dreamd_asset asset = { call->project.platform_id, upload->job.out_name, upload->content_type,
                           (int64_t)upload->job.size };
    dreamd_db_status status = dreamd_asset_insert(db, &asset, call->now_ms, &upload->has_room);

    if (status != DREAMD_DB_OK)
        return status;
    if (upload->has_room)
        dreamd_call_set(call, 200, uploaded_json(call, upload));
    else
        set_no_room(call);
    /* An answer there is no memory for cannot be given: then nothing is kept either. */
    return call->text ? dreamd_replay_finish(db, call) : DREAMD_DB_NOMEM;
}

static void on_kept(void *arg, dreamd_db_status status)
{
    dreamd_call *call = arg;
    struct upload *upload = call->state;

    if (status != DREAMD_DB_OK || !upload->has_room)
        dreamd_asset_remove(call->service->assets, call->project.platform_id, upload->job.out_name);
    if (status != DREAMD_DB_OK) {
        dreamd_call_refuse_store(call, status);
        return;
    }
    call->has_claim = false; /* settled with the row */
    dreamd_call_send(call);
}

static void on_written(void *context, dreamd_asset_status status)
{
    dreamd_call *call = context;
    struct upload *upload = call->state;

    dream_buffer_clear(&upload->data);
    if (status == DREAMD_ASSET_WRITTEN) {
        dreamd_store_write(call->service->store, keep, on_kept, call);
        return;
    }
    if (status == DREAMD_ASSET_BUSY)
        dreamd_call_set_error(call, 503, "Service busy", "Too many files are being written; try again");
    else if (status == DREAMD_ASSET_FULL)
        dreamd_call_set_error(call, 503, "Service unavailable", "The disk of assets is full");
    else
        dreamd_call_set_error(call, 500, "Internal error", "The file could not be written");
    if (status != DREAMD_ASSET_FAILED)
        call->retry_after_s = status == DREAMD_ASSET_BUSY ? 1 : DREAMD_UPSTREAM_RETRY_S;
    dreamd_call_send(call);
}

static dreamd_db_status settle(dreamd_db *db, void *arg)
{
    dreamd_call *call = arg;
    struct upload *upload = call->state;
    dreamd_db_status status = dreamd_replay_claim(db, call);

    if (status != DREAMD_DB_OK || !dreamd_replay_is_fresh(call))
        return status;
    status = dreamd_asset_has_room(db, call->project.platform_id, (int64_t)upload->data.size, &upload->has_room);
    if (status != DREAMD_DB_OK || upload->has_room)
        return status;
    set_no_room(call);
    return dreamd_replay_finish(db, call);
}

static void on_settled(void *arg, dreamd_db_status status)
{
    dreamd_call *call = arg;
    struct upload *upload = call->state;

    if (status == DREAMD_DB_OK && dreamd_replay_is_fresh(call) && upload->has_room) {
        call->has_claim = call->key != NULL;
        upload->job = (dreamd_asset_job){
            .platform_id = call->project.platform_id,
            .name = upload->name,
            .data = upload->data.data,
            .size = upload->data.size,
            .now_ms = call->now_ms,
            .fn = on_written,
            .context = call,
        };
        dreamd_asset_write(call->service->assets, &upload->job);
        return;
    }
    dream_buffer_clear(&upload->data);
    if (status != DREAMD_DB_OK) {
        dreamd_call_refuse_store(call, status);
        return;
    }
    if (!dreamd_replay_is_fresh(call))
        dreamd_replay_set_answer(call);
    dreamd_call_send(call);
}

void dreamd_asset_upload(dreamd_call *call)
{
    struct upload *upload = dream_arena_alloc(call->arena, sizeof *upload);

    call->state = upload;
    if (!upload) {
        dreamd_call_refuse(call, 500, "Internal error", "Out of memory");
    } else if (!call->service->assets) {
        dreamd_call_refuse(call, 501, "Not configured", "This service keeps no assets");
    } else if (!read_upload(call, upload)) {
        dream_buffer_clear(&upload->data);
        dreamd_call_send(call);
    } else {
        dreamd_store_write(call->service->store, settle, on_settled, call);
    }
}

/* ---- giving it out ---- */

static void refuse_plain(dreamd_call *call, unsigned status, const char *text)
{
    call->status = status;
    call->text = text;
    call->content_type = PLAIN_TYPE;
    dreamd_call_send(call);
}

/* "PLATFORM/NAME", decoded; false if it is nothing of ours. */
static bool read_path(dreamd_call *call, struct download *download)
{
    const char *path = dreamd_request_path(call->request) + strlen(ASSET_PATH);
    dream_buffer decoded = DREAM_BUFFER_INIT;
    bool is_ok = dream_percent_decode(&decoded, path, strlen(path), false) && decoded.size > 0;
    char *slash = NULL;

    if (is_ok)
        download->platform_id = dream_arena_strdup(call->arena, decoded.data);
    dream_buffer_clear(&decoded);
    slash = download->platform_id ? strchr(download->platform_id, '/') : NULL;
    if (!slash)
        return false;
    *slash = '\0';
    download->name = slash + 1;
    return true;
}

static dreamd_db_status look_up(dreamd_db *db, void *arg)
{
    dreamd_call *call = arg;
    struct download *download = call->state;

    return dreamd_asset_find(db, download->platform_id, download->name, call->arena, &download->asset,
                             &download->is_found);
}

static void send_file(dreamd_call *call, const dreamd_asset *asset, int fd)
{
    dreamd_context *service = call->service;

    /* A file's name is never used again. What it holds is the developer's: it must not act as a page of this service. */
    (void)dreamd_request_set_header(call->request, "Cache-Control", "public, max-age=31536000, immutable");
    (void)dreamd_request_set_header(call->request, "Content-Security-Policy", "default-src 'none'; sandbox");
    dreamd_request_answer_file(call->request, 200, asset->content_type, fd, (size_t)asset->size);
    dreamd_context_leave(service);
}

static void on_looked_up(dreamd_call *call)
{
    struct download *download = call->state;
    int fd = -1;

    if (download->is_found)
        fd = dreamd_asset_open(call->service->assets, download->asset.platform_id, download->asset.name,
                               download->asset.size);
    if (fd < 0)
        refuse_plain(call, 404, "Not found");
    else
        send_file(call, &download->asset, fd);
}

void dreamd_asset_get(dreamd_call *call)
{
    struct download *download = dream_arena_alloc(call->arena, sizeof *download);

    call->state = download;
    if (!download)
        dreamd_call_refuse(call, 500, "Internal error", "Out of memory");
    else if (!call->service->assets)
        refuse_plain(call, 501, "Not configured");
    else if (!read_path(call, download))
        refuse_plain(call, 404, "Not found");
    else
        dreamd_call_read(call, look_up, on_looked_up);
}
