/* SPDX-License-Identifier: Apache-2.0 */
/* journal_file.c - the format's offsets, and every rule of docs/journal.md that a reader can hold a file to. Each record is fetched
 * by itself: a gigabyte of journal takes a few kilobytes of memory. */
#include "journal_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    LINE = 64,
    FIRST_LINE = 64,
    HEADER_BYTES = 512,
    LEAST_BYTES = 64 * 1024,
    FAN_LINES = 16,
    LEASE_LINES = 4,
    DIRECT_LINES = 2,
    USERS_BYTE = 9, /* locked, shared, by everyone who has it open */
    IDENTITY_AT = 80,
    IDENTITY_BYTES = 200,
    LISTED_MAX = 1 << 20 /* reservations of one lease: more is a circle */
};

static uint32_t u32(const unsigned char *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static uint64_t u64(const unsigned char *at)
{
    return u32(at) | (uint64_t)u32(at + 4) << 32;
}

static uint32_t u16(const unsigned char *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8;
}

#define REFUSE(...) ((void)snprintf(why, CLI_JOURNAL_WHY_SIZE, __VA_ARGS__), false)

static bool read_at(const cli_journal *journal, uint64_t place, void *out, size_t size)
{
    unsigned char *at = out;

    while (size > 0) {
        ssize_t got = pread(journal->fd, at, size, (off_t)place);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        at += got;
        place += (uint64_t)got;
        size -= (size_t)got;
    }
    return true;
}

/* ---- the header ---- */

/* CRC-32 as in ISO 3309 and zip. */
static uint32_t crc32_of(const unsigned char *at, size_t size)
{
    uint32_t crc = UINT32_MAX;

    while (size-- > 0) {
        crc ^= *at++;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ UINT32_C(0xEDB88320) : crc >> 1;
    }
    return ~crc;
}

/* Asks without locking. */
static bool is_locked(int fd)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = USERS_BYTE, .l_len = 1 };

    return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

static bool read_identity(cli_journal *journal, const unsigned char *header, char why[CLI_JOURNAL_WHY_SIZE])
{
    uint32_t number = u32(header + 16);
    const unsigned char *identity = header + IDENTITY_AT + (number & 1) * IDENTITY_BYTES;
    uint32_t told = u32(identity);
    uint32_t crc = crc32_of(identity + 4, IDENTITY_BYTES - 4);

    if (number > 1)
        return REFUSE("the header names identity %u; there are 0 and 1", number);
    if (told != crc)
        return REFUSE("identity %u has the checksum %08x and says %08x", number, crc, told);
    memcpy(journal->holder, identity + 56, 40);
    memcpy(journal->project, identity + 96, 72);
    return true;
}

static bool read_header(cli_journal *journal, char why[CLI_JOURNAL_WHY_SIZE])
{
    unsigned char header[HEADER_BYTES];

    if (journal->size < LEAST_BYTES || !read_at(journal, 0, header, sizeof header)
        || memcmp(header, "DREAMJNL", 8) != 0)
        return REFUSE("it is no journal%s",
                      journal->size < LEAST_BYTES ? ": too short for one" : ": it does not begin as one");
    if (u32(header + 8) != 1)
        return REFUSE("it is of version %u; this program reads version 1", u32(header + 8));
    if (u32(header + 12) != LINE)
        return REFUSE("the header says lines of %u bytes; they have 64", u32(header + 12));
    journal->is_clean = u32(header + 20) != 0;
    journal->allocated = u64(header + 24);
    journal->used = u32(header + 32);
    journal->is_changing = u32(header + 72) != 0;
    journal->leases_damaged = u32(header + 76);
    if (journal->allocated > journal->size)
        return REFUSE("it was truncated: %llu bytes were allocated, and there are %llu",
                      (unsigned long long)journal->allocated, (unsigned long long)journal->size);
    if (journal->used < FIRST_LINE || (uint64_t)journal->used * LINE > journal->allocated)
        return REFUSE("the header says that %u lines are used, of %llu", journal->used,
                      (unsigned long long)journal->allocated / LINE);
    return read_identity(journal, header, why);
}

bool cli_journal_open(cli_journal *journal, const char *path, char why[CLI_JOURNAL_WHY_SIZE])
{
    struct stat info;

    memset(journal, 0, sizeof *journal);
    /* Not to wait for a pipe's other end. */
    journal->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (journal->fd < 0 || fstat(journal->fd, &info) != 0)
        return REFUSE("it cannot be read: %s", strerror(errno));
    if (!S_ISREG(info.st_mode))
        return REFUSE("it is no plain file");
    journal->size = (uint64_t)info.st_size;
    journal->is_live = is_locked(journal->fd);
    return read_header(journal, why);
}

void cli_journal_close(cli_journal *journal)
{
    if (journal->fd >= 0)
        (void)close(journal->fd);
    journal->fd = -1;
}

/* ---- records ---- */

const char *cli_record_name(cli_record_kind kind)
{
    static const char *const names[] = { "nothing", "account", "lease", "fan",  "reservation",
                                         "settled", "refund",  "text",  "free", "direct" };

    return (unsigned)kind < sizeof names / sizeof names[0] ? names[kind] : "unknown";
}

static bool is_account(const cli_record *record, size_t size)
{
    size_t user_size = u16(record->bytes + 88);
    size_t meter_size = u16(record->bytes + 90);

    return size > 92 && user_size > 0 && 92 + user_size + meter_size + 2 <= size
           && record->bytes[92 + user_size] == '\0' && record->bytes[92 + user_size + 1 + meter_size] == '\0';
}

static bool is_text(const cli_record *record, size_t size)
{
    size_t text_size = u32(record->bytes + 4);

    return text_size < size - 8 && record->bytes[8 + text_size] == '\0';
}

static bool has_lines_of_kind(const cli_record *record)
{
    switch (record->kind) {
    case CLI_RECORD_LEASE:
        return record->lines == LEASE_LINES;
    case CLI_RECORD_FAN:
        return record->lines == FAN_LINES;
    case CLI_RECORD_DIRECT:
        return record->lines == DIRECT_LINES;
    case CLI_RECORD_FREE:
        return record->lines == 1 || record->lines == LEASE_LINES || record->lines == FAN_LINES;
    case CLI_RECORD_RESERVATION:
    case CLI_RECORD_SETTLED:
    case CLI_RECORD_REFUND:
        return record->lines == 1;
    case CLI_RECORD_ACCOUNT:
    case CLI_RECORD_TEXT:
        return record->lines <= CLI_RECORD_BYTES / LINE;
    default:
        return false;
    }
}

bool cli_record_read(const cli_journal *journal, uint32_t line, cli_record *out, char why[CLI_JOURNAL_WHY_SIZE])
{
    unsigned char tag[4];
    size_t size;

    if (line < FIRST_LINE || line >= journal->used)
        return REFUSE("line %u holds no records: they are in lines 64 to %u", line, journal->used - 1);
    if (!read_at(journal, (uint64_t)line * LINE, tag, sizeof tag))
        return REFUSE("it cannot be read");
    out->line = line;
    out->kind = (cli_record_kind)(u32(tag) >> 24);
    out->lines = u32(tag) & 0xFFFFFF;
    if (out->kind < CLI_RECORD_ACCOUNT || out->kind > CLI_RECORD_DIRECT)
        return REFUSE("there is no kind %u of records", (unsigned)out->kind);
    if (out->lines == 0 || out->lines > journal->used - line || !has_lines_of_kind(out))
        return REFUSE("a record of kind %s has not %u lines here", cli_record_name(out->kind), out->lines);
    size = (size_t)out->lines * LINE;
    if (!read_at(journal, (uint64_t)line * LINE, out->bytes, size))
        return REFUSE("it cannot be read");
    if (out->kind == CLI_RECORD_ACCOUNT && !is_account(out, size))
        return REFUSE("the account's names do not fit in it");
    if (out->kind == CLI_RECORD_TEXT && !is_text(out, size))
        return REFUSE("the text does not fit in it");
    return true;
}

bool cli_record_next(const cli_journal *journal, cli_record *io_record, char why[CLI_JOURNAL_WHY_SIZE])
{
    uint32_t line = io_record->line == 0 ? (uint32_t)FIRST_LINE : io_record->line + io_record->lines;

    why[0] = '\0';
    io_record->line = line;
    return line != journal->used && cli_record_read(journal, line, io_record, why);
}

static bool is_at(const cli_journal *journal, uint32_t line, cli_record_kind kind, cli_record *out)
{
    char why[CLI_JOURNAL_WHY_SIZE];

    return cli_record_read(journal, line, out, why) && out->kind == kind;
}

const char *cli_account_user(const cli_record *account)
{
    return (const char *)account->bytes + 92;
}

const char *cli_account_meter(const cli_record *account)
{
    const char *meter = (const char *)account->bytes + 92 + u16(account->bytes + 88) + 1;

    return meter[0] != '\0' ? meter : "default";
}

uint32_t cli_account_owed(const cli_record *account)
{
    return u32(account->bytes + 48);
}

bool cli_refund_is_open(const cli_record *refund)
{
    return u32(refund->bytes + 40) == 1;
}

void cli_direct_view_of(const cli_record *direct, cli_direct_view *out)
{
    out->account = u32(direct->bytes + 4);
    out->waiting = u32(direct->bytes + 8);
    out->reporting = u32(direct->bytes + 12);
    out->doubtful = u32(direct->bytes + 16);
}

/* ---- leases ---- */

static bool add_fan(const cli_journal *journal, const cli_record *lease, uint64_t *io_sum,
                    char why[CLI_JOURNAL_WHY_SIZE])
{
    uint32_t line = u32(lease->bytes + 4);
    cli_record fan;

    if (line == 0)
        return true;
    if (!is_at(journal, line, CLI_RECORD_FAN, &fan) || u32(fan.bytes + 4) != lease->line)
        return REFUSE("its fan should be in line %u and is not", line);
    for (size_t i = 0; i < FAN_LINES; i++)
        *io_sum += u32(fan.bytes + i * LINE + 8);
    return true;
}

static bool add_reservations(const cli_journal *journal, const cli_record *lease, uint64_t *io_sum,
                             char why[CLI_JOURNAL_WHY_SIZE])
{
    uint32_t line = u32(lease->bytes + 180);
    cli_record reservation;

    for (uint32_t i = 0; line != 0; i++) {
        if (i == LISTED_MAX)
            return REFUSE("its list of reservations has no end");
        if (!is_at(journal, line, CLI_RECORD_RESERVATION, &reservation) || u32(reservation.bytes + 4) != lease->line)
            return REFUSE("a reservation of it should be in line %u and is not", line);
        *io_sum += u32(reservation.bytes + 8);
        line = u32(reservation.bytes + 40);
    }
    return true;
}

bool cli_lease_view_of(const cli_journal *journal, const cli_record *lease, cli_lease_view *out,
                       char why[CLI_JOURNAL_WHY_SIZE])
{
    static const char *const states[] = { "", "pending", "active", "sealed" };
    uint32_t state = u32(lease->bytes + 124);
    uint64_t sum = u32(lease->bytes + 8);
    bool is_whole = add_fan(journal, lease, &sum, why) && add_reservations(journal, lease, &sum, why);

    out->account = u32(lease->bytes + 164);
    out->state = state < 4 ? states[state] : "?";
    out->granted = u32(lease->bytes + 112);
    out->admitted = sum < UINT32_MAX ? (uint32_t)sum : UINT32_MAX;
    out->refunded = u32(lease->bytes + 144);
    out->is_unproven = (u32(lease->bytes + 160) & 1) != 0;
    return is_whole && (state < 4 || REFUSE("it has the state %u; they are 1 to 3", state));
}

static bool check_lease(const cli_journal *journal, const cli_record *lease, char why[CLI_JOURNAL_WHY_SIZE])
{
    cli_lease_view view;
    cli_record account;

    if (!cli_lease_view_of(journal, lease, &view, why))
        return false;
    if (view.state[0] != '\0' && !is_at(journal, view.account, CLI_RECORD_ACCOUNT, &account))
        return REFUSE("its account should be in line %u and is not", view.account);
    if (view.state[0] == 'a' && view.admitted > view.granted)
        return REFUSE("%u units were admitted of %u granted", view.admitted, view.granted);
    return true;
}

bool cli_record_check(const cli_journal *journal, const cli_record *record, char why[CLI_JOURNAL_WHY_SIZE])
{
    cli_record other;

    switch (record->kind) {
    case CLI_RECORD_LEASE:
        return check_lease(journal, record, why);
    case CLI_RECORD_DIRECT:
    case CLI_RECORD_SETTLED:
        return is_at(journal, u32(record->bytes + 4), CLI_RECORD_ACCOUNT, &other)
               || REFUSE("its account should be in line %u and is not", u32(record->bytes + 4));
    case CLI_RECORD_REFUND:
        return u32(record->bytes + 40) <= 2 || REFUSE("it has the state %u; they are 1 and 2", u32(record->bytes + 40));
    default:
        return true;
    }
}
