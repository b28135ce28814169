/* SPDX-License-Identifier: Apache-2.0 */
/* private_folder.c - makes and removes the temporary folder of `serve --sandbox` without --db.
 * In it are the database, its key and the sandbox's file with what SQLite keeps beside them, and a folder of assets with one a platform. */
#include "dreamapid/private_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
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

/* Empties the open folder, which is taken; `depth` levels of folders in it too. */
static void empty(int fd, int depth)
{
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;
    if (!folder) {
        if (fd >= 0)
            (void)close(fd);
        return;
    }
    while ((entry = readdir(folder))) {
        const char *name = entry->d_name;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || unlinkat(dirfd(folder), name, 0) == 0 || depth == 0)
            continue;
        empty(openat(dirfd(folder), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), depth - 1);
        (void)unlinkat(dirfd(folder), name, AT_REMOVEDIR);
    }
    (void)closedir(folder);
}

void dreamd_private_folder_remove(const char *path)
{
    int fd = path ? open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    empty(fd, 2);
    (void)rmdir(path);
}
