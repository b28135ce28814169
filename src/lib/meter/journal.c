/* SPDX-License-Identifier: Apache-2.0 */
/* journal.c - the file: made, mapped, shared, locked, grown. What an earlier run left in it is journal_recover.c.
 *
 * Five bytes of the file serve as locks between processes (the bytes themselves are never looked at): MASTER is held while
 * the file is opened or closed, USERS is shared by everyone who has it open, WRITER is the lock of the slow path, LEADER is
 * held by the process whose agent minds ends and check-ins, STAYING is shared by everyone who is not about to close it. */
#include "lib/meter/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "common/crypto.h"
#include "common/ids.h"
#include "common/rule.h"
#include "lib/error.h"
#include "lib/meter/journal_recover.h"
#include "lib/meter/point.h"

enum { VERSION = 1, FIRST_BYTES = 64 * 1024, STEP_BYTES = 1024 * 1024 };
static const char magic[8] = "DREAMJNL";
/* Address space, not memory. */
static const size_t map_sizes[] = { (size_t)DREAM_LINES_MAX * DREAM_LINE, (size_t)1 << 26, (size_t)1 << 22 };

enum lock_byte { LOCK_MASTER = 8, LOCK_USERS = 9, LOCK_WRITER = 10, LOCK_LEADER = 11, LOCK_STAYING = 12 };

static bool lock_byte(int fd, enum lock_byte byte, short type, bool waits)
{
    struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };
    int result;

    do
        result = fcntl(fd, waits ? F_OFD_SETLKW : F_OFD_SETLK, &lock);
    while (result != 0 && errno == EINTR);
    return result == 0;
}

/* Nobody locks it against others, so nobody waits. */
static void stay(const dream_journal *journal)
{
    (void)lock_byte(journal->fd, LOCK_STAYING, F_RDLCK, false);
}

/* ---- forked children ----
 *
 * A child shares the parent's open file description, and with it the parent's locks: they would outlive a killed parent for
 * as long as the child lives. So a child opens the file anew before anything else runs in it. */

enum { OPEN_MAX = 64 };
static pthread_mutex_t open_lock = PTHREAD_MUTEX_INITIALIZER;
static dream_journal *open_journals[OPEN_MAX];
static pthread_once_t watch_once = PTHREAD_ONCE_INIT;

static const uint64_t ended = UINT64_MAX;

/* 0: it cannot be looked at (no such process, no descriptor left, no /proc here); `ended`: nobody waited for it yet, but it runs no more. */
static uint64_t start_of(pid_t pid)
{
    char path[48];
    char text[1024];
    const char *at;
    char state;
    long threads = 0;
    unsigned long long start = 0;
    ssize_t size;
    int fd;

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    size = read(fd, text, sizeof(text) - 1);
    (void)close(fd);
    if (size <= 0)
        return 0;
    text[size] = '\0';
    at = strrchr(text, ')'); /* the name may hold anything */
    if (at == NULL || sscanf(at + 1, " %c", &state) != 1)
        return 0;
    for (int field = 2; at != NULL && field < 20; field++)
        at = strchr(at + 1, ' ');
    if (at == NULL || sscanf(at, "%ld %*d %llu", &threads, &start) != 2)
        return 0;
    /* One whose first thread alone has ended runs on. */
    return state == 'Z' && threads <= 1 ? ended : start;
}

/* The low bits say in which PID namespace the number counts. */
static uint64_t identify_process(pid_t pid)
{
    struct stat space;
    uint64_t start = start_of(pid);

    if (start == 0)
        return 0;
    return start << 16 | (stat("/proc/self/ns/pid", &space) == 0 ? space.st_ino & 0xFFFF : 0);
}

static int open_again(int fd)
{
    char path[32];

    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return open(path, O_RDWR | O_CLOEXEC);
}

static void adopt_in_child(dream_journal *journal)
{
    dream_journal_header *header = dream_journal_header_of(journal);
    int fd = open_again(journal->fd);

    /* Before the copy goes: the parent may be dead by now, and nobody else among the users. If it was killed while it closed the file, it
     * is the copy that keeps this lock from everybody. */
    (void)lock_byte(fd, LOCK_USERS, F_RDLCK, false);
    (void)close(journal->fd);
    (void)lock_byte(fd, LOCK_USERS, F_RDLCK, true);
    journal->fd = fd;
    /* The parent may have closed it meanwhile: its descriptor's lock was none against it. */
    if (atomic_exchange(&header->is_clean, 0) != 0)
        (void)msync(journal->base, sizeof(*header), MS_SYNC);
    /* It is held by the thread that forked, whose copy this is. */
    (void)pthread_mutex_unlock(&journal->mutex);
    journal->process_start = 0;
    stay(journal);
    atomic_store(&journal->was_forked, true);
    atomic_store(&journal->pid, getpid());
}

/* No thread is in the middle of a change then: the child's copy of what is not in the file (tables, lists) is whole, too. */
static void before_fork(void)
{
    (void)pthread_mutex_lock(&open_lock);
    for (size_t i = 0; i < OPEN_MAX; i++) {
        if (open_journals[i] != NULL)
            (void)pthread_mutex_lock(&open_journals[i]->mutex);
    }
}

static void after_fork_in_parent(void)
{
    for (size_t i = 0; i < OPEN_MAX; i++) {
        if (open_journals[i] == NULL)
            continue;
        atomic_store(&open_journals[i]->was_forked, true);
        (void)pthread_mutex_unlock(&open_journals[i]->mutex);
    }
    (void)pthread_mutex_unlock(&open_lock);
}

/* The thread that was opening or closing it is not here. */
static void drop_in_child(dream_journal **slot)
{
    if ((*slot)->fd >= 0)
        (void)close((*slot)->fd);
    (*slot)->fd = -1;
    *slot = NULL;
}

static void after_fork_in_child(void)
{
    for (size_t i = 0; i < OPEN_MAX; i++) {
        if (open_journals[i] == NULL)
            continue;
        if (atomic_load(&open_journals[i]->is_open))
            adopt_in_child(open_journals[i]);
        else
            drop_in_child(&open_journals[i]);
    }
    (void)pthread_mutex_unlock(&open_lock);
}

static void watch_forks(void)
{
    (void)pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

/* A fork comes before or after: whatever is locked through a descriptor that a child has a copy of and does not know of, stays locked
 * until that child ends. So it is listed as long as it is there. False: the list is full. */
static bool open_listed(dream_journal *journal)
{
    size_t i = 0;

    (void)pthread_once(&watch_once, watch_forks);
    (void)pthread_mutex_lock(&open_lock);
    while (i < OPEN_MAX && open_journals[i] != NULL)
        i++;
    if (i < OPEN_MAX) {
        open_journals[i] = journal;
        journal->fd = journal->path == NULL ? memfd_create("dreamapi-journal", MFD_CLOEXEC)
                                            : open(journal->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    }
    (void)pthread_mutex_unlock(&open_lock);
    return i < OPEN_MAX;
}

static void close_listed(dream_journal *journal)
{
    (void)pthread_mutex_lock(&open_lock);
    if (journal->fd >= 0)
        (void)close(journal->fd);
    for (size_t i = 0; i < OPEN_MAX; i++) {
        if (open_journals[i] == journal)
            open_journals[i] = NULL;
    }
    (void)pthread_mutex_unlock(&open_lock);
}

bool dream_process_is_dead(const dream_journal *journal, uint32_t pid, uint64_t start)
{
    uint64_t own = journal->process_start;
    uint64_t found;

    /* Of another PID namespace, or not readable: nothing is certain. */
    if (start == 0 || own == 0 || (start & 0xFFFF) != (own & 0xFFFF)
        || (start == own && pid == (uint32_t)atomic_load(&journal->pid)))
        return false;
    found = start_of((pid_t)pid);
    return found == 0 ? kill((pid_t)pid, 0) != 0 && errno == ESRCH : found != start >> 16;
}

/* ---- the lock ---- */

/* What the last one to hold the lock was killed in is mended before anything else: a later change could hide it. False: it was not, and
 * stays to be found. */
static bool begin_change(dream_journal *journal)
{
    _Atomic uint32_t *is_changing = &dream_journal_header_of(journal)->is_changing;

    if (atomic_exchange_explicit(is_changing, 1, memory_order_relaxed) != 0 && !dream_recover_mend(journal))
        return false;
    atomic_signal_fence(memory_order_seq_cst);
    return true;
}

bool dream_journal_lock(dream_journal *journal)
{
    (void)pthread_mutex_lock(&journal->mutex);
    if (journal->process_start == 0)
        journal->process_start = identify_process(getpid());
    if (journal->fd >= 0 && lock_byte(journal->fd, LOCK_WRITER, F_WRLCK, true)) {
        if (begin_change(journal))
            return true;
        (void)lock_byte(journal->fd, LOCK_WRITER, F_UNLCK, false);
    }
    (void)pthread_mutex_unlock(&journal->mutex);
    return false;
}

void dream_journal_unlock(dream_journal *journal)
{
    atomic_signal_fence(memory_order_seq_cst);
    atomic_store_explicit(&dream_journal_header_of(journal)->is_changing, 0, memory_order_release);
    (void)lock_byte(journal->fd, LOCK_WRITER, F_UNLCK, false);
    (void)pthread_mutex_unlock(&journal->mutex);
}

void dream_journal_leave(dream_journal *journal)
{
    (void)lock_byte(journal->fd, LOCK_STAYING, F_UNLCK, false);
}

bool dream_journal_is_last(dream_journal *journal)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = LOCK_STAYING, .l_len = 1 };

    return journal->fd >= 0 && fcntl(journal->fd, F_OFD_GETLK, &lock) == 0 && lock.l_type == F_UNLCK;
}

bool dream_journal_is_open(uintptr_t address)
{
    bool is_open = false;

    /* A fork has it while it waits for the lock of a journal, which the caller may hold. */
    if (pthread_mutex_trylock(&open_lock) != 0)
        return true;
    for (size_t i = 0; i < OPEN_MAX; i++)
        is_open = is_open || (address != 0 && (uintptr_t)open_journals[i] == address);
    (void)pthread_mutex_unlock(&open_lock);
    return is_open;
}

bool dream_journal_lead(dream_journal *journal)
{
    return journal->fd >= 0 && lock_byte(journal->fd, LOCK_LEADER, F_WRLCK, false);
}

/* ---- records ---- */

static bool grow(dream_journal *journal, size_t needed)
{
    dream_journal_header *header = dream_journal_header_of(journal);
    size_t have = atomic_load(&header->allocated);
    size_t most = (size_t)atomic_load(&header->map_limit) * DREAM_LINE;
    size_t step = have < STEP_BYTES ? have : STEP_BYTES;

    if (needed <= have)
        return true;
    if (needed > most)
        return false;
    if (step < needed - have)
        step = (needed - have + DREAM_LINE * 64 - 1) / (DREAM_LINE * 64) * (DREAM_LINE * 64);
    if (step > most - have)
        step = most - have;
    if (posix_fallocate(journal->fd, (off_t)have, (off_t)step) != 0)
        return false;
    DREAM_POINT(record_allocated);
    atomic_store(&header->allocated, have + step);
    return true;
}

static dream_line *free_list(dream_journal *journal, uint32_t lines)
{
    dream_journal_header *header = dream_journal_header_of(journal);

    switch (lines) {
    case 1:
        return &header->free_line;
    case 4:
        return &header->free_lease;
    case DREAM_FAN:
        return &header->free_fan;
    default:
        return NULL;
    }
}

/* A record that is on no list belongs to whoever is killed next, until that is mended. */
static dream_line take_free(dream_journal *journal, uint32_t lines)
{
    dream_line *first = free_list(journal, lines);
    dream_line line = first == NULL ? 0 : *first;

    if (line != 0)
        *first = ((dream_free *)dream_journal_at(journal, line))->next;
    DREAM_POINT(record_unlisted);
    return line;
}

/* A thread may still look at what the record was: its words are stored one by one. A share's word goes on from its old
 * generation, so that a swap which was prepared then fails now. The first word, with the tag, is left for the end: until then the
 * record is free, and its size is known. */
static void clear_record(unsigned char *record, dream_tag kind, uint32_t lines, bool is_new)
{
    enum { WORD = offsetof(dream_share, word) / sizeof(uint64_t) };
    _Atomic uint64_t *words = (_Atomic uint64_t *)(void *)record;
    uint32_t shares = kind == DREAM_TAG_LEASE ? 1 : kind == DREAM_TAG_FAN ? lines : 0;
    uint64_t old;

    for (size_t i = 1; i < (size_t)lines * DREAM_LINE / sizeof(uint64_t); i++) {
        bool is_share_word =
            i % (DREAM_LINE / sizeof(uint64_t)) == WORD && i / (DREAM_LINE / sizeof(uint64_t)) < shares;
        old = is_share_word && !is_new ? atomic_load(&words[i]) : 0;
        atomic_store_explicit(&words[i],
                              is_share_word ? DREAM_SEALED | (dream_word_next_generation(old) & DREAM_GENERATIONS) : 0,
                              memory_order_relaxed);
    }
}

static uint32_t lines_of(size_t size)
{
    return (uint32_t)((size + DREAM_LINE - 1) / DREAM_LINE);
}

static void make_record(dream_journal *journal, dream_line line, uint32_t tag, bool is_new)
{
    const uint32_t head[2] = { tag, 0 };
    uint64_t word;

    memcpy(&word, head, sizeof(word));
    clear_record(dream_journal_at(journal, line), dream_tag_kind(tag), dream_tag_lines(tag), is_new);
    DREAM_POINT(record_cleared);
    atomic_store((_Atomic uint64_t *)dream_journal_at(journal, line), word);
}

dream_line dream_journal_take_new(dream_journal *journal, dream_tag kind, size_t size)
{
    dream_line line = atomic_load(&dream_journal_header_of(journal)->used);
    uint32_t lines = lines_of(size);

    if (!grow(journal, ((size_t)line + lines) * DREAM_LINE))
        return 0;
    make_record(journal, line, dream_tag_make(kind, lines), true);
    return line;
}

void dream_journal_publish_new(dream_journal *journal, dream_line line)
{
    atomic_store(&dream_journal_header_of(journal)->used,
                 line + dream_tag_lines(*(const uint32_t *)dream_journal_at(journal, line)));
}

dream_line dream_journal_take(dream_journal *journal, dream_tag kind, size_t size)
{
    uint32_t lines = lines_of(size);
    dream_line line = take_free(journal, lines);

    if (line != 0) {
        make_record(journal, line, dream_tag_make(kind, lines), false);
        return line;
    }
    line = dream_journal_take_new(journal, kind, size);
    if (line != 0)
        dream_journal_publish_new(journal, line);
    return line;
}

void dream_journal_give(dream_journal *journal, dream_line line)
{
    dream_free *record = dream_journal_at(journal, line);
    uint32_t lines = dream_tag_lines(record->tag);
    dream_line *first = free_list(journal, lines);

    if (first == NULL)
        return;
    record->next = *first;
    atomic_signal_fence(memory_order_seq_cst);
    record->tag = dream_tag_make(DREAM_TAG_FREE, lines);
    DREAM_POINT(record_given);
    *first = line;
    DREAM_POINT(record_listed);
}

dream_line dream_journal_next(const dream_journal *journal, dream_line line)
{
    const dream_journal_header *header = dream_journal_header_of(journal);
    uint32_t used = atomic_load(&header->used);
    uint32_t lines;

    if (line == 0)
        return used > DREAM_JOURNAL_FIRST ? DREAM_JOURNAL_FIRST : 0;
    lines = dream_tag_lines(*(const uint32_t *)dream_journal_at(journal, line));
    if (lines == 0 || lines >= used - line)
        return 0;
    return line + lines;
}

/* ---- identity ---- */

static uint32_t crc32_of(const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    uint32_t crc = 0xFFFFFFFFu;

    for (size_t i = 0; i < size; i++) {
        crc ^= at[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
    }
    return ~crc;
}

static uint32_t crc_of(const dream_identity *identity)
{
    return crc32_of((const unsigned char *)identity + sizeof(identity->crc), sizeof(*identity) - sizeof(identity->crc));
}

static void put_identity(dream_journal *journal, dream_identity *identity)
{
    dream_journal_header *header = dream_journal_header_of(journal);
    uint32_t other = (atomic_load(&header->identity) & 1) ^ 1;

    identity->crc = crc_of(identity);
    header->identities[other] = *identity;
    DREAM_POINT(identity_written);
    atomic_store(&header->identity, other);
}

void dream_journal_set_project(dream_journal *journal, const char *project)
{
    dream_identity identity = *dream_journal_identity(journal);

    (void)snprintf(identity.project, sizeof(identity.project), "%s", project);
    put_identity(journal, &identity);
}

/* 16 bytes out of the hexadecimal digits of a file; zero if it cannot be read. */
static void read_id(const char *path, unsigned char out[16])
{
    char text[64];
    size_t digits = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof(text));

    memset(out, 0, 16);
    if (fd >= 0)
        (void)close(fd);
    for (ssize_t i = 0; i < size && digits < 32; i++) {
        int value = text[i] >= '0' && text[i] <= '9'   ? text[i] - '0'
                    : text[i] >= 'a' && text[i] <= 'f' ? text[i] - 'a' + 10
                                                       : -1;
        if (value < 0)
            continue;
        out[digits / 2] = (unsigned char)(out[digits / 2] << 4 | value);
        digits++;
    }
}

static bool describe_here(const dream_journal *journal, dream_identity *out)
{
    struct stat info;
    const char *url = journal->settings->base_url.text;

    memset(out, 0, sizeof(*out));
    if (fstat(journal->fd, &info) != 0 || !dream_sha256(url, strlen(url), out->server))
        return false;
    read_id("/proc/sys/kernel/random/boot_id", out->boot);
    read_id("/etc/machine-id", out->machine);
    out->device = info.st_dev;
    out->inode = info.st_ino;
    return true;
}

static bool make_holder(const dream_settings *settings, char out[40])
{
    unsigned char random[16];

    memset(out, 0, 40);
    if (!dream_settings_random(settings, random, sizeof(random)))
        return false;
    dream_uuid4_text(random, out);
    return true;
}

/* ---- opening ---- */

static dreamapi_status refuse(const dream_journal *journal, dreamapi_error *error, const char *why)
{
    return dream_error_refuse(error, DREAMAPI_JOURNAL, "the journal %.120s %s",
                              journal->path == NULL ? "in memory" : journal->path, why);
}

static dreamapi_status create(dream_journal *journal, dreamapi_error *error)
{
    dream_journal_header *header = dream_journal_header_of(journal);
    dream_identity identity;
    uint64_t word;

    if (posix_fallocate(journal->fd, 0, FIRST_BYTES) != 0)
        return refuse(journal, error, "cannot be made: no room on the disk");
    if (!describe_here(journal, &identity) || !make_holder(journal->settings, identity.holder))
        return refuse(journal, error, "cannot be made: no randomness");
    DREAM_POINT(journal_allocated);
    memset(header, 0, sizeof(*header));
    header->version = VERSION;
    header->line_size = DREAM_LINE;
    atomic_store(&header->allocated, FIRST_BYTES);
    atomic_store(&header->used, DREAM_JOURNAL_FIRST);
    put_identity(journal, &identity);
    DREAM_POINT(journal_written);
    /* Last: a file without it is one that nobody used yet. */
    memcpy(&word, magic, sizeof(word));
    atomic_store((_Atomic uint64_t *)(void *)header->magic, word);
    return DREAMAPI_OK;
}

static dreamapi_status check_header(const dream_journal *journal, off_t size, dreamapi_error *error)
{
    const dream_journal_header *header = dream_journal_header_of(journal);
    const dream_identity *identity;

    if ((size_t)size < FIRST_BYTES || memcmp(header->magic, magic, sizeof(magic)) != 0)
        return refuse(journal, error, "is no journal: move the file away or name another one");
    if (header->version != VERSION)
        return refuse(journal, error,
                      header->version > VERSION
                          ? "was made by a newer version of this library: use that one to settle it"
                          : "was made by an older version of this library: use that one to settle it");
    identity = dream_journal_identity(journal);
    if (header->line_size != DREAM_LINE || identity->crc != crc_of(identity)
        || atomic_load(&header->allocated) > (uint64_t)size
        || (uint64_t)atomic_load(&header->used) * DREAM_LINE > atomic_load(&header->allocated))
        return refuse(journal, error, "is damaged or was truncated: move it away; the server counts its units as lost");
    if ((size_t)size > journal->mapped)
        return refuse(journal, error, "is larger than this process can map");
    return DREAMAPI_OK;
}

/* One that cannot be read is not the same as any other. */
static bool is_same_boot(const unsigned char a[16], const unsigned char b[16])
{
    static const unsigned char unknown[16];

    return memcmp(a, b, sizeof(unknown)) == 0 && memcmp(a, unknown, sizeof(unknown)) != 0;
}

/* Nobody else has it open. */
static dreamapi_status take_over(dream_journal *journal, dreamapi_error *error)
{
    dream_journal_header *header = dream_journal_header_of(journal);
    dream_identity identity = *dream_journal_identity(journal);
    dream_identity here;
    dream_recovery recovery;
    dreamapi_status status;

    if (!describe_here(journal, &here))
        return refuse(journal, error, "cannot be read");
    recovery.is_same_boot = is_same_boot(identity.boot, here.boot) || !DREAM_RULE(reboot_is_unproven);
    recovery.is_copy = DREAM_RULE(copy_is_a_stranger)
                       && (identity.device != here.device || identity.inode != here.inode
                           || memcmp(identity.machine, here.machine, sizeof(here.machine)) != 0);
    recovery.is_clean = atomic_load(&header->is_clean) != 0;
    memcpy(here.holder, identity.holder, sizeof(here.holder));
    memcpy(here.project, identity.project, sizeof(here.project));
    if (recovery.is_copy && !make_holder(journal->settings, here.holder))
        return refuse(journal, error, "is a copy and needs a new holder's id, for which there is no randomness");
    if (memcmp(identity.server, here.server, sizeof(here.server)) != 0 && dream_recover_has_debts(journal))
        return refuse(journal, error, "has counts to settle with another server: name another file for this one");
    status = dream_recover(journal, &recovery);
    if (status == DREAMAPI_NOMEM)
        return dream_error_nomem(error);
    if (status != DREAMAPI_OK)
        return refuse(journal, error, "is damaged: move it away; the server counts its units as lost");
    DREAM_POINT(recover_done);
    put_identity(journal, &here);
    DREAM_POINT(recover_named);
    atomic_store(&header->is_changing, 0);
    if (DREAM_RULE(open_clears_clean))
        atomic_store(&header->is_clean, 0);
    atomic_store(&header->announced, 0);
    /* Before the first admission: else a delayed settlement of the clean close could meet units that are spent again. */
    if (journal->path != NULL && msync(journal->base, sizeof(*header), MS_SYNC) != 0)
        return refuse(journal, error, "cannot be written");
    return DREAMAPI_OK;
}

static dreamapi_status join(dream_journal *journal, dreamapi_error *error)
{
    dream_identity here;

    if (!describe_here(journal, &here))
        return refuse(journal, error, "cannot be read");
    if (memcmp(dream_journal_identity(journal)->server, here.server, sizeof(here.server)) != 0)
        return refuse(journal, error, "is in use for another server: name another file for this one");
    return DREAMAPI_OK;
}

static dreamapi_status map(dream_journal *journal, dreamapi_error *error)
{
    void *base = MAP_FAILED;
    /* A descriptor's locks last as long as what was mapped through it, in a child, too: this one never has any. */
    int fd = open_again(journal->fd);

    for (size_t i = 0; base == MAP_FAILED && i < sizeof(map_sizes) / sizeof(map_sizes[0]); i++) {
        journal->mapped = map_sizes[i];
        base = mmap(NULL, journal->mapped, PROT_READ | PROT_WRITE, MAP_SHARED, fd >= 0 ? fd : journal->fd, 0);
    }
    if (fd >= 0)
        (void)close(fd);
    if (base == MAP_FAILED)
        return refuse(journal, error, "cannot be mapped: no address space left");
    journal->base = base;
    (void)madvise(base, journal->mapped, MADV_DONTDUMP);
    return DREAMAPI_OK;
}

static dreamapi_status open_file(dream_journal *journal, dreamapi_error *error)
{
    struct stat info;

    if (!open_listed(journal))
        return refuse(journal, error, "cannot be opened: this process has too many");
    if (journal->fd < 0)
        return dream_error_refuse(error, DREAMAPI_JOURNAL, "the journal %.120s cannot be opened: %s",
                                  journal->path == NULL ? "in memory" : journal->path, strerror(errno));
    if (fstat(journal->fd, &info) != 0 || !S_ISREG(info.st_mode))
        return refuse(journal, error, "is no plain file");
    return map(journal, error);
}

/* Empty, or left by somebody who was killed or found no room while making it: zeros, and of the whole size perhaps a header without its
 * first word. A foreign file may begin with zeros, too, but hardly is of just this size. */
static bool is_unmade(const dream_journal *journal, off_t size)
{
    size_t zeros = size == FIRST_BYTES ? sizeof(magic) : (size_t)size;

    return size == 0
           || (size <= FIRST_BYTES && journal->base[0] == 0
               && memcmp(journal->base, journal->base + 1, zeros - 1) == 0);
}

/* Who joins later may have less address space than those who let the file grow, and looks at all of it. */
static void limit_growth(dream_journal *journal, bool is_alone)
{
    _Atomic uint32_t *limit = &dream_journal_header_of(journal)->map_limit;
    uint32_t lines = (uint32_t)(journal->mapped / DREAM_LINE);
    uint32_t known = atomic_load(limit);

    if (is_alone || known == 0 || lines < known)
        atomic_store(limit, lines);
}

static dreamapi_status enter(dream_journal *journal, dreamapi_error *error)
{
    bool is_alone;
    struct stat info;
    dreamapi_status status = DREAMAPI_OK;

    if (!lock_byte(journal->fd, LOCK_MASTER, F_WRLCK, true))
        return refuse(journal, error, "is on a file system without locks: name one on a local disk");
    /* It does not grow between the look at its size and the new limit. Whoever has this lock waits for none of the others. */
    (void)lock_byte(journal->fd, LOCK_WRITER, F_WRLCK, true);
    is_alone = lock_byte(journal->fd, LOCK_USERS, F_WRLCK, false);
    if (fstat(journal->fd, &info) != 0)
        status = refuse(journal, error, "cannot be read");
    else if (is_alone && is_unmade(journal, info.st_size))
        status = create(journal, error);
    else
        status = check_header(journal, info.st_size, error);
    if (status == DREAMAPI_OK)
        status = is_alone ? take_over(journal, error) : join(journal, error);
    if (status == DREAMAPI_OK)
        limit_growth(journal, is_alone);
    /* One that was refused is no user that the next one could join. */
    (void)lock_byte(journal->fd, LOCK_USERS, status == DREAMAPI_OK ? F_RDLCK : F_UNLCK, true);
    (void)lock_byte(journal->fd, LOCK_WRITER, F_UNLCK, false);
    (void)lock_byte(journal->fd, LOCK_MASTER, F_UNLCK, false);
    return status;
}

static void drop(dream_journal *journal)
{
    if (journal->base != NULL)
        (void)munmap(journal->base, journal->mapped);
    close_listed(journal);
    (void)pthread_mutex_destroy(&journal->mutex);
    free(journal->path);
    free(journal);
}

dreamapi_status dream_journal_open(const char *path, const dream_settings *settings, dream_journal **out_journal,
                                   dreamapi_error *error)
{
    dream_journal *journal = calloc(1, sizeof(*journal));
    dreamapi_status status;

    *out_journal = NULL;
    if (journal == NULL)
        return dream_error_nomem(error);
    journal->fd = -1;
    journal->settings = settings;
    journal->pid = getpid();
    journal->process_start = identify_process(getpid());
    if (pthread_mutex_init(&journal->mutex, NULL) != 0) {
        free(journal);
        return dream_error_nomem(error);
    }
    status =
        path != NULL && (journal->path = strdup(path)) == NULL ? dream_error_nomem(error) : open_file(journal, error);
    if (status == DREAMAPI_OK)
        status = enter(journal, error);
    if (status != DREAMAPI_OK) {
        drop(journal);
        return status;
    }
    stay(journal);
    atomic_store(&journal->is_open, true);
    *out_journal = journal;
    return DREAMAPI_OK;
}

void dream_journal_close(dream_journal *journal)
{
    dream_journal_header *header;

    if (journal == NULL)
        return;
    atomic_store(&journal->is_open, false);
    header = dream_journal_header_of(journal);
    if (journal->path != NULL && journal->fd >= 0 && lock_byte(journal->fd, LOCK_MASTER, F_WRLCK, true)) {
        if (lock_byte(journal->fd, LOCK_USERS, F_WRLCK, false)) {
            dream_recover_seal(journal);
            DREAM_POINT(close_sealed);
            if (msync(journal->base, atomic_load(&header->allocated), MS_SYNC) == 0) {
                DREAM_POINT(close_synced);
                atomic_store(&header->is_clean, 1);
                (void)msync(journal->base, sizeof(*header), MS_SYNC);
            }
        }
        /* Before the next one looks: of two that close at once the second must find itself the last. */
        (void)lock_byte(journal->fd, LOCK_USERS, F_UNLCK, false);
        (void)lock_byte(journal->fd, LOCK_MASTER, F_UNLCK, false);
    }
    drop(journal);
}

/* ---- waiting for a grant ---- */

uint32_t dream_journal_events(const dream_journal *journal)
{
    return atomic_load(&dream_journal_header_of(journal)->events);
}

void dream_journal_notify(dream_journal *journal)
{
    dream_journal_header *header = dream_journal_header_of(journal);

    atomic_fetch_add(&header->events, 1);
    (void)syscall(SYS_futex, &header->events, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

void dream_journal_wait(dream_journal *journal, uint32_t seen, int64_t timeout_ms)
{
    struct timespec limit = { .tv_sec = timeout_ms / 1000, .tv_nsec = timeout_ms % 1000 * 1000000 };

    (void)syscall(SYS_futex, &dream_journal_header_of(journal)->events, FUTEX_WAIT, seen, &limit, NULL, 0);
}
