/* SPDX-License-Identifier: Apache-2.0 */
/* asset_files.c - writes, opens and removes uploaded files. Who may, how much, and what the rows say is api/assets.c.
 * `mutex` guards the queue and is never held over the disk. Files are reached through the open folder, part by part and
 * without following links, so no name leads elsewhere. */
#include "service/asset_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/crypto.h"
#include "common/encoding.h"
#include "net/log.h"

enum {
    MAX_QUEUED = 32, /* bodies of waiting jobs are in memory */
    NAME_TRIES = 1000,
    LEFTOVER_S = 3600, /* a draft this old is nobody's: another process may be writing a younger one */
    DRAFT_SIZE = 48
};

#define DRAFT_PREFIX ".upload-"

struct dreamd_asset_files {
    int folder;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    dreamd_asset_job *first;
    dreamd_asset_job *last;
    unsigned count;
    bool is_closing;
};

/* ---- names ---- */

static bool is_name_char(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_'
           || c == '-';
}

/* A part of a path that can only be a file of ours: no slash, nothing hidden, neither "." nor "..". */
static bool is_part(const char *text)
{
    size_t size = 0;

    while (is_name_char((unsigned char)text[size]))
        size++;
    return text[size] == '\0' && size > 0 && size < DREAMD_ASSET_NAME_SIZE && text[0] != '.';
}

bool dreamd_asset_clean_name(const char *name, char *out)
{
    size_t size = 0;

    for (const unsigned char *c = (const unsigned char *)name; *c; c++) {
        if ((*c & 0xc0) == 0x80) /* the rest of a character that was counted with its first byte */
            continue;
        if (size >= DREAMD_ASSET_MAX_NAME)
            return false;
        out[size++] = is_name_char(*c) ? (char)*c : '_';
        if (*c >= 0xf0 && size < DREAMD_ASSET_MAX_NAME) /* two, as the contract counts in UTF-16 */
            out[size++] = '_';
    }
    out[size] = '\0';
    return size > 0;
}

/* ---- writing ---- */

/* The platform's folder, made if absent; -1 with errno. */
static int open_platform(const dreamd_asset_files *files, const char *platform_id, bool is_made)
{
    if (!is_part(platform_id)) {
        errno = EINVAL;
        return -1;
    }
    if (is_made && mkdirat(files->folder, platform_id, 0700) == 0) {
        if (fsync(files->folder) != 0) /* else a crash could take the folder of files that were answered for */
            return -1;
    } else if (is_made && errno != EEXIST) {
        return -1;
    }
    return openat(files->folder, platform_id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static bool write_whole(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t written = write(fd, data, size);

        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        data += written;
        size -= (size_t)written;
    }
    return fsync(fd) == 0;
}

static bool make_draft_name(char out[DRAFT_SIZE])
{
    unsigned char random[16];

    if (!dream_random(random, sizeof random))
        return false;
    (void)snprintf(out, DRAFT_SIZE, DRAFT_PREFIX);
    dream_hex_encode(random, sizeof random, out + strlen(out));
    return true;
}

/* Gives the draft its name: the time, or the next one that no file of this name has. */
static bool link_draft(int platform, const char *draft, dreamd_asset_job *job)
{
    for (int i = 0; i < NAME_TRIES; i++) {
        int size = snprintf(job->out_name, sizeof job->out_name, "%" PRId64 "-%s", job->now_ms + i, job->name);

        if (size < 0 || (size_t)size >= sizeof job->out_name || !is_part(job->out_name)) {
            errno = ENAMETOOLONG;
            return false;
        }
        if (linkat(platform, draft, platform, job->out_name, 0) == 0)
            return true;
        if (errno != EEXIST)
            return false;
    }
    return false;
}

static bool write_file(int platform, dreamd_asset_job *job)
{
    char draft[DRAFT_SIZE];
    bool is_ok = false;
    int failure = 0;
    int fd = -1;

    if (!make_draft_name(draft)) {
        errno = EIO;
        return false;
    }
    fd = openat(platform, draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    is_ok = write_whole(fd, job->data, job->size) && link_draft(platform, draft, job);
    failure = errno;
    (void)close(fd);
    (void)unlinkat(platform, draft, 0);
    if (is_ok && fsync(platform) != 0) {
        failure = errno;
        (void)unlinkat(platform, job->out_name, 0);
        is_ok = false;
    }
    errno = failure;
    return is_ok;
}

static dreamd_asset_status run(const dreamd_asset_files *files, dreamd_asset_job *job)
{
    int platform = open_platform(files, job->platform_id, true);
    bool is_ok = platform >= 0 && write_file(platform, job);
    int failure = errno;

    if (platform >= 0)
        (void)close(platform);
    if (is_ok)
        return DREAMD_ASSET_WRITTEN;
    dreamd_log(DREAMD_LOG_ERROR, "asset_not_written", dreamd_log_text("platform", job->platform_id),
               dreamd_log_text("reason", strerror(failure)));
    return failure == ENOSPC || failure == EDQUOT ? DREAMD_ASSET_FULL : DREAMD_ASSET_FAILED;
}

/* ---- the thread ---- */

/* NULL when the queue is empty and stays so. */
static dreamd_asset_job *take_job(dreamd_asset_files *files)
{
    dreamd_asset_job *job = NULL;

    pthread_mutex_lock(&files->mutex);
    while (!files->first && !files->is_closing)
        pthread_cond_wait(&files->changed, &files->mutex);
    job = files->first;
    if (job) {
        files->first = job->next;
        files->count--;
        if (!files->first)
            files->last = NULL;
    }
    pthread_mutex_unlock(&files->mutex);
    return job;
}

static void *write_files(void *context)
{
    dreamd_asset_files *files = context;
    dreamd_asset_job *job = NULL;

    while ((job = take_job(files)))
        job->fn(job->context, run(files, job)); /* the job may be gone afterwards */
    return NULL;
}

void dreamd_asset_write(dreamd_asset_files *files, dreamd_asset_job *job)
{
    bool is_taken = false;

    job->next = NULL;
    pthread_mutex_lock(&files->mutex);
    is_taken = files->count < MAX_QUEUED && !files->is_closing;
    if (is_taken) {
        if (files->last)
            files->last->next = job;
        else
            files->first = job;
        files->last = job;
        files->count++;
        pthread_cond_signal(&files->changed);
    }
    pthread_mutex_unlock(&files->mutex);
    if (!is_taken)
        job->fn(job->context, DREAMD_ASSET_BUSY);
}

/* ---- files that are there ---- */

void dreamd_asset_remove(const dreamd_asset_files *files, const char *platform_id, const char *name)
{
    int platform = open_platform(files, platform_id, false);

    if (platform < 0)
        return;
    if (is_part(name))
        (void)unlinkat(platform, name, 0);
    (void)close(platform);
}

int dreamd_asset_open(const dreamd_asset_files *files, const char *platform_id, const char *name, int64_t size)
{
    int platform = open_platform(files, platform_id, false);
    struct stat facts;
    int fd = -1;

    if (platform < 0)
        return -1;
    if (is_part(name))
        fd = openat(platform, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    (void)close(platform);
    if (fd >= 0 && (fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode) || facts.st_size != size)) {
        (void)close(fd);
        fd = -1;
    }
    return fd;
}

/* ---- opening ---- */

static void remove_old_draft(int platform, const char *name)
{
    struct stat facts;

    if (strncmp(name, DRAFT_PREFIX, strlen(DRAFT_PREFIX)) == 0
        && fstatat(platform, name, &facts, AT_SYMLINK_NOFOLLOW) == 0 && time(NULL) - facts.st_mtime > LEFTOVER_S)
        (void)unlinkat(platform, name, 0);
}

static void remove_drafts_in(const dreamd_asset_files *files, const char *platform_id)
{
    int fd = open_platform(files, platform_id, false);
    DIR *list = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry = NULL;

    if (!list) {
        if (fd >= 0)
            (void)close(fd);
        return;
    }
    while ((entry = readdir(list)))
        remove_old_draft(dirfd(list), entry->d_name);
    (void)closedir(list);
}

static void remove_leftovers(const dreamd_asset_files *files)
{
    int fd = openat(files->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry = NULL;

    if (!list) {
        if (fd >= 0)
            (void)close(fd);
        return;
    }
    while ((entry = readdir(list))) {
        if (is_part(entry->d_name))
            remove_drafts_in(files, entry->d_name);
    }
    (void)closedir(list);
}

/* Signals are the main thread's business. */
static bool start_thread(dreamd_asset_files *files)
{
    sigset_t all;
    sigset_t before;
    bool is_started = false;

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    is_started = pthread_create(&files->thread, NULL, write_files, files) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return is_started;
}

dreamd_asset_files *dreamd_asset_files_open(const char *folder, char error[256])
{
    dreamd_asset_files *files = calloc(1, sizeof *files);

    if (!files) {
        (void)snprintf(error, 256, "Cannot open the folder of assets: out of memory");
        return NULL;
    }
    pthread_mutex_init(&files->mutex, NULL);
    pthread_cond_init(&files->changed, NULL);
    if (mkdir(folder, 0700) != 0 && errno != EEXIST)
        files->folder = -1;
    else
        files->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (files->folder < 0 || faccessat(files->folder, ".", W_OK | X_OK, 0) != 0) {
        (void)snprintf(error, 256, "Cannot use the folder of assets %.120s: %s", folder, strerror(errno));
        goto failed;
    }
    remove_leftovers(files);
    if (start_thread(files))
        return files;
    (void)snprintf(error, 256, "Cannot start the thread that writes assets");
failed:
    if (files->folder >= 0)
        (void)close(files->folder);
    pthread_cond_destroy(&files->changed);
    pthread_mutex_destroy(&files->mutex);
    free(files);
    return NULL;
}

void dreamd_asset_files_close(dreamd_asset_files *files)
{
    if (!files)
        return;
    pthread_mutex_lock(&files->mutex);
    files->is_closing = true;
    pthread_cond_signal(&files->changed);
    pthread_mutex_unlock(&files->mutex);
    pthread_join(files->thread, NULL);
    (void)close(files->folder);
    pthread_cond_destroy(&files->changed);
    pthread_mutex_destroy(&files->mutex);
    free(files);
}
