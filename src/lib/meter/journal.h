/* SPDX-License-Identifier: Apache-2.0 */
/* journal.h - the memory-mapped file that meters count in: opening, sharing, growing, and the lock of its slow path. What the
 * records mean is lease.h and account.h; docs/journal.md has the format.
 *
 * The file is mapped once, at its largest size, so records never move; blocks are allocated before they are used, so a full
 * disk is an error and never a SIGBUS. One lock guards every change but the counts themselves: a mutex between the threads of a process and an
 * open-file-description lock between processes. The kernel drops that one when its owner dies, so changes under it are ordered such
 * that each prefix of them can be mended by the one who gets the lock next (journal_recover.c). */
#ifndef DREAM_LIB_METER_JOURNAL_H
#define DREAM_LIB_METER_JOURNAL_H

#include <dreamapi/error.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/types.h>

#include "lib/meter/record.h"
#include "lib/settings.h"

enum { DREAM_HOLDER_SIZE = 37, DREAM_PROJECT_SIZE = 72 };

/* Written whole into the slot that is not in force, then `identity` is switched. */
typedef struct dream_identity {
    uint32_t crc; /* of the rest */
    uint32_t unused;
    unsigned char boot[16];
    unsigned char machine[16];
    uint64_t device;
    uint64_t inode;
    char holder[40];                  /* the UUID under which the server knows this journal */
    char project[DREAM_PROJECT_SIZE]; /* what the server calls the project; "" before the first answer */
    unsigned char server[32];         /* SHA-256 of the base URL */
} dream_identity;

/* The first 64 lines. */
typedef struct dream_journal_header {
    char magic[8];
    uint32_t version;
    uint32_t line_size;
    _Atomic uint32_t identity;  /* 0 or 1: the slot in force */
    _Atomic uint32_t is_clean;  /* closed by its last user, with everything synced */
    _Atomic uint64_t allocated; /* bytes */
    _Atomic uint32_t used;      /* lines; records from line 64 up to here */
    _Atomic uint32_t events;    /* futex: changes with each grant and refusal */
    _Atomic int64_t store_epoch;
    dream_line free_line, free_lease, free_fan;
    _Atomic dream_line settled_first;
    dream_line settled_last;
    _Atomic uint32_t settled_count;
    _Atomic uint32_t is_changing; /* set under the lock: who finds it set finds what a killed process left half done */
    _Atomic uint32_t leases_damaged; /* found to say what cannot be, and given up */
    dream_identity identities[2];
    _Atomic uint32_t announced; /* the server's extensions, as the process that asked last heard, and DREAM_ANNOUNCED */
    _Atomic uint32_t map_limit; /* lines: the smallest map of those who opened it since it was taken over */
} dream_journal_header;

enum { DREAM_JOURNAL_FIRST = 64 };
#define DREAM_ANNOUNCED (1u << 31) /* they were heard */

typedef struct dream_journal {
    unsigned char *base;
    size_t mapped;
    int fd;
    char *path; /* NULL: anonymous */
    const dream_settings *settings;
    pthread_mutex_t mutex;
    _Atomic pid_t pid; /* whose fd and mutex these are */
    uint64_t process_start;
    _Atomic bool was_forked; /* a child has it, too */
    _Atomic bool is_open;    /* else it is being opened or closed: nothing that a child inherits */
} dream_journal;

/* `path` NULL: anonymous memory. `settings` is borrowed. DREAMAPI_JOURNAL, DREAMAPI_NOMEM. What an earlier run left is sealed, to be
 * settled. */
dreamapi_status dream_journal_open(const char *path, const dream_settings *settings, dream_journal **out_journal,
                                   dreamapi_error *error);
/* If nobody else uses the file: seals everything and marks it clean. In a forked child only lets go. */
void dream_journal_close(dream_journal *journal);

/* False in a forked child that could not open the file for itself, and without the memory to mend what a killed process left: then another
 * try may succeed. */
bool dream_journal_lock(dream_journal *journal);
void dream_journal_unlock(dream_journal *journal);

/* This process is about to close it. Of several that leave at once, whichever looks last then finds itself the last. */
void dream_journal_leave(dream_journal *journal);
/* True if no other process has it open at this moment, but those that leave. */
bool dream_journal_is_last(dream_journal *journal);
/* True for one of the processes that share the journal, until it closes it or dies. */
bool dream_journal_lead(dream_journal *journal);

/* A zeroed record with its tag (a share's generation is moved on); 0 when the disk or the map is full. The lock is held. */
dream_line dream_journal_take(dream_journal *journal, dream_tag kind, size_t size);
/* The same for records of any size that are never freed: at the end of the file, and part of it once it is published whole. */
dream_line dream_journal_take_new(dream_journal *journal, dream_tag kind, size_t size);
void dream_journal_publish_new(dream_journal *journal, dream_line line);
/* Records of 1, 4 and DREAM_FAN lines. The lock is held. */
void dream_journal_give(dream_journal *journal, dream_line line);

static inline dream_journal_header *dream_journal_header_of(const dream_journal *journal)
{
    return (dream_journal_header *)(void *)journal->base;
}
/* A lease's record says what cannot be: its units stay with the server until its period ends. Counted for statistics. */
static inline void dream_journal_note_damage(const dream_journal *journal)
{
    atomic_fetch_add(&dream_journal_header_of(journal)->leases_damaged, 1);
}
static inline const dream_identity *dream_journal_identity(const dream_journal *journal)
{
    const dream_journal_header *header = dream_journal_header_of(journal);

    return &header->identities[atomic_load(&header->identity) & 1];
}
/* True if other processes may have it open. */
static inline bool dream_journal_is_shared(const dream_journal *journal)
{
    return journal->path != NULL || atomic_load(&journal->was_forked);
}
static inline void *dream_journal_at(const dream_journal *journal, dream_line line)
{
    return journal->base + (size_t)line * DREAM_LINE;
}
static inline dream_line dream_journal_line(const dream_journal *journal, const void *record)
{
    return (dream_line)((size_t)((const unsigned char *)record - journal->base) / DREAM_LINE);
}

/* True if this may be the address of a journal that this process has open. Any lock may be held. */
bool dream_journal_is_open(uintptr_t address);

/* Changes the identity in force: what the server calls the project. The lock is held. */
void dream_journal_set_project(dream_journal *journal, const char *project);

/* The next record after `line` (0: the first), or 0. Only records that are whole are given. */
dream_line dream_journal_next(const dream_journal *journal, dream_line line);

/* True if that process certainly is no more: never of this one, nor of one that cannot be looked at while its number is in use. */
bool dream_process_is_dead(const dream_journal *journal, uint32_t pid, uint64_t start);

/* Wakes everyone who waits for a grant; waits for a change of `seen`, at most `timeout_ms`. */
uint32_t dream_journal_events(const dream_journal *journal);
void dream_journal_notify(dream_journal *journal);
void dream_journal_wait(dream_journal *journal, uint32_t seen, int64_t timeout_ms);

#endif
