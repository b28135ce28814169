/* SPDX-License-Identifier: Apache-2.0 */
/** @file asset.h
 * Assets: files, such as pictures of products, that the service keeps and hands
 * out to everybody. Uploading needs the secret key; reading is an ordinary GET of the address.
 *
 * An asset object is a value: it is owned by whoever received it, does not
 * change, and outlives client and call. Any thread may read it; texts are borrowed
 * until dreamapi_asset_free. Accessors take NULL. */
#ifndef DREAMAPI_ASSET_H
#define DREAMAPI_ASSET_H

#include <dreamapi/call.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The largest file this library uploads, in bytes: 10 MiB. A server may take less (DREAMAPI_INVALID with http_status 413). */
#define DREAMAPI_ASSET_MAX_SIZE 10485760

/** A file that the service keeps. */
typedef struct dreamapi_asset dreamapi_asset;

/** A file to upload. */
typedef struct dreamapi_asset_params {
    /** sizeof(dreamapi_asset_params), set by DREAMAPI_ASSET_PARAMS_INIT. */
    size_t struct_size;
    /** Required. The server keeps a harmless form of it as the end of the address. */
    const char *filename;
    /** As in "image/png"; NULL takes the server's choice, "application/octet-stream". */
    const char *content_type;
    /** `size` bytes, any; copied. Required. */
    const void *data;
    /** 1 to DREAMAPI_ASSET_MAX_SIZE. */
    size_t size;
} dreamapi_asset_params;

/** No field set. */
#define DREAMAPI_ASSET_PARAMS_INIT                                                                                     \
    {                                                                                                                  \
        sizeof(dreamapi_asset_params), NULL, NULL, NULL, 0                                                             \
    }

/** Uploads a file (POST /api/assets), in base64 within JSON: about 1.4 times its size, held in memory until the call ends. `*out_asset` is
 * owned, NULL on failure; may be NULL. DREAMAPI_UNSUPPORTED: the server keeps no files. Any status of a call may come. */
DREAMAPI_API dreamapi_status dreamapi_asset_upload(dreamapi_client *client, const dreamapi_asset_params *params,
                                                   const dreamapi_call_options *options, dreamapi_asset **out_asset,
                                                   dreamapi_error *error);
/** dreamapi_asset_upload without waiting. `*out_call` is owned (dreamapi_call_free), NULL on failure. */
DREAMAPI_API dreamapi_status dreamapi_asset_upload_start(dreamapi_client *client, const dreamapi_asset_params *params,
                                                         const dreamapi_call_options *options, dreamapi_call **out_call,
                                                         dreamapi_error *error);

/** Takes the asset out of a finished call; owned. The call's status; DREAMAPI_PENDING if it is not finished,
 * DREAMAPI_INVALID if the call was about something else or its object was taken before. `out_asset` may be NULL. */
DREAMAPI_API dreamapi_status dreamapi_asset_result(dreamapi_call *call, dreamapi_asset **out_asset,
                                                   dreamapi_error *error);

/** The file's name at the service; never NULL but for a NULL object. */
DREAMAPI_API const char *dreamapi_asset_key(const dreamapi_asset *asset);
/** The file's address; without scheme and host it begins with '/' and belongs after the base URL. Never NULL but for a NULL object. */
DREAMAPI_API const char *dreamapi_asset_url(const dreamapi_asset *asset);
/** The whole answer as it came; NULL for NULL. */
DREAMAPI_API const char *dreamapi_asset_json(const dreamapi_asset *asset);
/** Releases the object. NULL is fine. */
DREAMAPI_API void dreamapi_asset_free(dreamapi_asset *asset);

#ifdef __cplusplus
}
#endif

#endif
