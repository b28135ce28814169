/* SPDX-License-Identifier: Apache-2.0 */
/* private_folder.c - makes and removes the temporary folder of `serve --sandbox` without --db.
 * It is flat: the database, its key and the sandbox's file with what SQLite keeps beside them. */
#include "dreamapid/private_folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char *dreamd_private_folder_make(char error[256])
{
    const char *base = getenv("TMPDIR");
    char *path = NULL;
    if (asprintf(&path, "%s/dreamapid-XXXXXX", base && base[0] ? base : "/tmp") < 0) {
        (void)snprintf(error, 256, "out of memory");
        return NULL;
    }
    if (!mkdtemp(path)) {
        (void)snprintf(error, 256, "Cannot make a temporary folder (%.120s): %s", path, strerror(errno));
        free(path);
        return NULL;
    }
    return path;
}

void dreamd_private_folder_remove(const char *path)
{
    DIR *folder = path ? opendir(path) : NULL;
    const struct dirent *entry;
    if (!folder)
        return;
    while ((entry = readdir(folder))) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            (void)unlinkat(dirfd(folder), entry->d_name, 0);
    }
    (void)closedir(folder);
    (void)rmdir(path);
}
