/* SPDX-License-Identifier: Apache-2.0 */
/* asset_files.h - the bytes of uploaded files, in a folder of their own: FOLDER/<platform>/<time>-<name>.
 *
 * Writing waits for the disk (fsync), so it is done by one thread behind a bounded queue: neither the server's threads nor
 * the store's writer, which answers everybody else, wait for it. A file appears under its name whole or not at all, and is never
 * changed. Several processes may share the folder. Any thread may call. */
#ifndef DREAMD_SERVICE_ASSET_FILES_H
#define DREAMD_SERVICE_ASSET_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    DREAMD_ASSET_MAX_SIZE = 10 << 20, /* bytes of a file */
    DREAMD_ASSET_MAX_NAME = 200,      /* as uploaded */
    DREAMD_ASSET_NAME_SIZE = 256
};

typedef struct dreamd_asset_files dreamd_asset_files;

typedef enum dreamd_asset_status {
    DREAMD_ASSET_WRITTEN,
    DREAMD_ASSET_BUSY, /* the queue is full */
    DREAMD_ASSET_FULL, /* the disk is */
    DREAMD_ASSET_FAILED
} dreamd_asset_status;

/* In the caller's storage until `fn` is called. */
typedef struct dreamd_asset_job {
    const char *platform_id;
    const char *name; /* as dreamd_asset_clean_name leaves it */
    const void *data;
    size_t size;
    int64_t now_ms;
    void (*fn)(void *context, dreamd_asset_status status); /* on the writing thread, or at once when BUSY */
    void *context;
    char out_name[DREAMD_ASSET_NAME_SIZE]; /* what the file is called now */
    struct dreamd_asset_job *next;
} dreamd_asset_job;

/* Makes the folder (0700) if there is none and removes what broken-off uploads left. NULL with a sentence. */
dreamd_asset_files *dreamd_asset_files_open(const char *folder, char error[256]);
void dreamd_asset_files_close(dreamd_asset_files *files); /* finishes the queue; NULL is fine */

/* What is not a letter, a digit or one of "._-" becomes "_". `out` holds DREAMD_ASSET_NAME_SIZE; false if it would not fit. */
bool dreamd_asset_clean_name(const char *name, char *out);

void dreamd_asset_write(dreamd_asset_files *files, dreamd_asset_job *job);
/* Of a file that nobody was told of. */
void dreamd_asset_remove(const dreamd_asset_files *files, const char *platform_id, const char *name);
/* An open file, the caller's to close; -1 if there is none of this size. Nothing outside the folder can be named. */
int dreamd_asset_open(const dreamd_asset_files *files, const char *platform_id, const char *name, int64_t size);

#endif
