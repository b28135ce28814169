/* SPDX-License-Identifier: Apache-2.0 */
/* journal_file.h - reads a journal by its documented format (docs/journal.md), without the library: nothing is written, locked or
 * mapped, so that a journal in use is not disturbed, and a damaged one cannot take the reader down. What is read from one that is in
 * use may be a moment old. */
#ifndef CLI_JOURNAL_FILE_H
#define CLI_JOURNAL_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CLI_JOURNAL_WHY_SIZE = 200, CLI_RECORD_BYTES = 8192 };

typedef enum cli_record_kind {
    CLI_RECORD_ACCOUNT = 1,
    CLI_RECORD_LEASE = 2,
    CLI_RECORD_FAN = 3,
    CLI_RECORD_RESERVATION = 4,
    CLI_RECORD_SETTLED = 5,
    CLI_RECORD_REFUND = 6,
    CLI_RECORD_TEXT = 7,
    CLI_RECORD_FREE = 8,
    CLI_RECORD_DIRECT = 9
} cli_record_kind;

typedef struct cli_record {
    uint32_t line; /* where it begins */
    uint32_t lines;
    cli_record_kind kind;
    unsigned char bytes[CLI_RECORD_BYTES]; /* its beginning */
} cli_record;

typedef struct cli_journal {
    int fd;
    uint64_t size;      /* of the file, bytes */
    uint64_t allocated; /* bytes */
    uint32_t used;      /* lines; records from line 64 up to here */
    bool is_live;       /* a process has it open */
    bool is_clean;      /* closed by its last user */
    bool is_changing;   /* one was killed within a change, which the next opening mends */
    uint32_t leases_damaged;
    char holder[41];
    char project[73];
} cli_journal;

/* Opens it and judges its header. False: `why` says what is wrong. Close it in any case. */
bool cli_journal_open(cli_journal *journal, const char *path, char why[CLI_JOURNAL_WHY_SIZE]);
void cli_journal_close(cli_journal *journal);

/* Reads the record at this line. False: `why` says what about it cannot be. */
bool cli_record_read(const cli_journal *journal, uint32_t line, cli_record *out, char why[CLI_JOURNAL_WHY_SIZE]);
/* The first record if `io_record->line` is 0, else the one behind. False at the end, with `why` empty, and where it makes no sense:
 * `io_record->line` is then the place. */
bool cli_record_next(const cli_journal *journal, cli_record *io_record, char why[CLI_JOURNAL_WHY_SIZE]);
/* What a record claims about others, a lease's sum among it. True if it holds. */
bool cli_record_check(const cli_journal *journal, const cli_record *record, char why[CLI_JOURNAL_WHY_SIZE]);

/* Of accounts. Borrowed from the record. */
const char *cli_account_user(const cli_record *account);
const char *cli_account_meter(const cli_record *account);
uint32_t cli_account_owed(const cli_record *account);

typedef struct cli_lease_view {
    uint32_t account;  /* line */
    const char *state; /* "pending", "active", "sealed"; "" of one that never came to be */
    uint32_t granted, admitted, refunded;
    bool is_unproven;
} cli_lease_view;
/* False where the shares' list makes no sense. */
bool cli_lease_view_of(const cli_journal *journal, const cli_record *lease, cli_lease_view *out,
                       char why[CLI_JOURNAL_WHY_SIZE]);

typedef struct cli_direct_view {
    uint32_t account;
    uint32_t waiting, reporting, doubtful;
} cli_direct_view;
void cli_direct_view_of(const cli_record *direct, cli_direct_view *out);
/* A refund that the service did not confirm. */
bool cli_refund_is_open(const cli_record *refund);

const char *cli_record_name(cli_record_kind kind);

#endif
