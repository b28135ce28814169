/* SPDX-License-Identifier: Apache-2.0 */
/* replay.c - FOLDER: gives a target every file of its folder of seeds, in the order of their names. Stands in for libFuzzer where a
 * compiler has none. Prints TAP: one case a file. A crash ends it, and its last line names the file before. */
#include <dirent.h>
#include <errno.h>

#include "fuzz.h"

static uint8_t *read_all(const char *path, size_t *out_size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = NULL;
    long size = -1;

    if (file != NULL && fseek(file, 0, SEEK_END) == 0)
        size = ftell(file);
    if (size >= 0 && fseek(file, 0, SEEK_SET) == 0)
        bytes = malloc((size_t)size + (size == 0)); /* exactly: a step past the end is seen */
    if (bytes != NULL && fread(bytes, 1, (size_t)size, file) != (size_t)size) {
        free(bytes);
        bytes = NULL;
    }
    if (file != NULL)
        (void)fclose(file);
    *out_size = (size_t)size;
    return bytes;
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static bool replay(const char *folder, const char *name)
{
    char path[4096];
    size_t size;
    uint8_t *bytes;

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    (void)fprintf(stderr, "replays %s\n", path);
    bytes = read_all(path, &size);
    if (bytes == NULL)
        return false;
    (void)LLVMFuzzerTestOneInput(bytes, size);
    free(bytes);
    return true;
}

int main(int argc, char **argv)
{
    struct dirent **entries;
    int failed = 0;
    int count = argc == 2 ? scandir(argv[1], &entries, is_visible, alphasort) : -1;

    if (count <= 0) {
        (void)fprintf(stderr, "%s: %s\n", argc == 2 ? argv[1] : "a folder of seeds is wanted",
                      count == 0 ? "no seeds" : strerror(errno));
        return 2;
    }
    (void)printf("TAP version 13\n1..%d\n", count);
    for (int i = 0; i < count; i++) {
        bool is_read = replay(argv[1], entries[i]->d_name);
        (void)printf("%s %d - %s\n", is_read ? "ok" : "not ok", i + 1, entries[i]->d_name);
        (void)fflush(stdout);
        failed += !is_read;
        free(entries[i]);
    }
    free(entries);
    return failed > 0;
}
