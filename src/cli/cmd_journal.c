/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_journal.c - `dreamapi journal show`, `check` and `settle`. The first two only read the file; the third opens it as any client
 * does, which seals what an earlier run left, and reports it to the service. */
#include <inttypes.h>
#include <string.h>

#include "commands.h"
#include "journal_file.h"
#include "session.h"
#include "terminal.h"
#include "text.h"

enum { SETTLE_MS = 60000, SLICE_MS = 250 };

static int open_journal(cli_journal *journal, const char *path)
{
    char why[CLI_JOURNAL_WHY_SIZE];

    if (cli_journal_open(journal, path, why))
        return CLI_EXIT_OK;
    cli_journal_close(journal);
    return cli_failed("%s: %s.", path, why);
}

static const char *state_of(const cli_journal *journal)
{
    return journal->is_live ? "in use"
           : journal->is_clean
               ? "closed"
               : "left open: its process was killed or ended without closing it, or the machine went down";
}

/* ---- show ---- */

static void show_head(const cli_journal *journal, bool is_json, bool is_tsv)
{
    cli_table *table;
    char number[32];

    if (is_json) {
        (void)printf("{\"record\":\"journal\",\"isLive\":%s,\"isClean\":%s,\"allocated\":%" PRIu64 ",\"used\":%" PRIu64
                     ",\"leasesDamaged\":%" PRIu32 ",\"holder\":",
                     journal->is_live ? "true" : "false", journal->is_clean ? "true" : "false", journal->allocated,
                     (uint64_t)journal->used * 64, journal->leases_damaged);
        cli_json_text(stdout, journal->holder);
        (void)printf(",\"project\":");
        cli_json_text(stdout, journal->project);
        (void)printf("}\n");
        return;
    }
    table = cli_table_new_fields(is_tsv, stdout);
    cli_table_field(table, "state", state_of(journal));
    cli_table_field(table, "holder", journal->holder);
    cli_table_field(table, "project", journal->project);
    (void)snprintf(number, sizeof number, "%" PRIu64, journal->allocated);
    cli_table_field(table, "bytes", number);
    (void)snprintf(number, sizeof number, "%" PRIu64, (uint64_t)journal->used * 64);
    cli_table_field(table, "of them used", number);
    (void)snprintf(number, sizeof number, "%" PRIu32, journal->leases_damaged);
    cli_table_field(table, "damaged leases", number);
    cli_table_free(table);
}

typedef struct listing {
    const cli_journal *journal;
    cli_table *table; /* NULL: JSON */
    bool is_headed;
} listing;

/* One row: whose, what, and three numbers under one name each in JSON. */
static void list_row(listing *self, const cli_record *account, const char *what, const uint32_t numbers[3])
{
    static const char *const names[] = { "granted", "admitted", "refunded" };
    const char *user = account ? cli_account_user(account) : NULL;
    const char *meter = account ? cli_account_meter(account) : NULL;

    if (!self->table) {
        (void)printf("{\"record\":\"units\",\"userId\":");
        cli_json_text(stdout, user);
        (void)printf(",\"meter\":");
        cli_json_text(stdout, meter);
        (void)printf(",\"state\":\"%s\"", what);
        for (size_t i = 0; i < 3; i++)
            (void)printf(",\"%s\":%" PRIu32, names[i], numbers[i]);
        (void)printf("}\n");
        return;
    }
    if (!self->is_headed)
        (void)printf("\n");
    self->is_headed = true;
    cli_table_text(self->table, user);
    cli_table_text(self->table, meter);
    cli_table_text(self->table, what);
    for (size_t i = 0; i < 3; i++)
        cli_table_units(self->table, numbers[i]);
}

static void list_lease(listing *self, const cli_record *record)
{
    char why[CLI_JOURNAL_WHY_SIZE];
    cli_lease_view view;
    cli_record account;
    bool has_account;

    if (!cli_lease_view_of(self->journal, record, &view, why))
        cli_advise("line %" PRIu32 ", lease: %s.", record->line, why);
    has_account = cli_record_read(self->journal, view.account, &account, why) && account.kind == CLI_RECORD_ACCOUNT;
    if (view.state[0] != '\0')
        list_row(self, has_account ? &account : NULL, view.state,
                 (const uint32_t[]){ view.granted, view.admitted, view.refunded });
}

static void list_direct(listing *self, const cli_record *record)
{
    char why[CLI_JOURNAL_WHY_SIZE];
    cli_direct_view view;
    cli_record account;

    cli_direct_view_of(record, &view);
    if (!cli_record_read(self->journal, view.account, &account, why) || account.kind != CLI_RECORD_ACCOUNT)
        return;
    if (view.waiting + view.reporting > 0)
        list_row(self, &account, "unreported", (const uint32_t[]){ 0, view.waiting + view.reporting, 0 });
    if (view.doubtful > 0)
        list_row(self, &account, "doubtful", (const uint32_t[]){ 0, view.doubtful, 0 });
}

static int list_records(listing *self)
{
    char why[CLI_JOURNAL_WHY_SIZE];
    cli_record record = { .line = 0 };

    while (cli_record_next(self->journal, &record, why)) {
        if (record.kind == CLI_RECORD_LEASE)
            list_lease(self, &record);
        else if (record.kind == CLI_RECORD_DIRECT)
            list_direct(self, &record);
        else if (record.kind == CLI_RECORD_ACCOUNT && cli_account_owed(&record) > 0)
            list_row(self, &record, "owed", (const uint32_t[]){ 0, cli_account_owed(&record), 0 });
    }
    if (self->table)
        cli_table_free(self->table);
    return why[0] == '\0' ? CLI_EXIT_OK
                          : cli_failed("line %" PRIu32 ": %s. Nothing behind it can be read.", record.line, why);
}

static int run_show(const cli_arguments *arguments)
{
    static const cli_column columns[] = {
        { "USER", false },   { "METER", false },   { "STATE", false },
        { "GRANTED", true }, { "ADMITTED", true }, { "REFUNDED", true },
    };
    bool is_json = cli_has(arguments, "json");
    bool is_tsv = cli_has(arguments, "tsv");
    cli_journal journal;
    listing list = { &journal, NULL, false };
    int exit_status;

    if (is_json && is_tsv)
        return cli_misused("--json and --tsv exclude each other.");
    exit_status = open_journal(&journal, arguments->operand);
    if (exit_status != CLI_EXIT_OK)
        return exit_status;
    show_head(&journal, is_json, is_tsv);
    if (!is_json)
        list.table = cli_table_new(columns, sizeof columns / sizeof columns[0], is_tsv, stdout);
    exit_status = list_records(&list);
    cli_journal_close(&journal);
    return exit_status;
}

/* ---- check ---- */

/* A row for each thing that is wrong; the count of them. */
static unsigned long check_records(const cli_journal *journal, unsigned long *out_records, unsigned long *out_open)
{
    char why[CLI_JOURNAL_WHY_SIZE];
    cli_record record = { .line = 0 };
    unsigned long problems = 0;

    for (*out_records = *out_open = 0; cli_record_next(journal, &record, why); ++*out_records) {
        *out_open +=
            record.kind == CLI_RECORD_LEASE || (record.kind == CLI_RECORD_REFUND && cli_refund_is_open(&record));
        /* While it is in use, or a change was cut short, records need not agree with each other. */
        if (journal->is_live || journal->is_changing || cli_record_check(journal, &record, why))
            continue;
        (void)printf("line %" PRIu32 ", %s: %s\n", record.line, cli_record_name(record.kind), why);
        problems++;
    }
    if (why[0] != '\0') {
        (void)printf("line %" PRIu32 ": %s; nothing behind it can be read\n", record.line, why);
        problems++;
    }
    return problems;
}

static int run_check(const cli_arguments *arguments)
{
    unsigned long records = 0, to_settle = 0, problems;
    cli_journal journal;
    int exit_status = open_journal(&journal, arguments->operand);

    if (exit_status != CLI_EXIT_OK)
        return exit_status;
    problems = check_records(&journal, &records, &to_settle);
    (void)printf("%s; %lu records, %lu to settle, %lu wrong\n", state_of(&journal), records, to_settle, problems);
    if (journal.is_live)
        cli_advise("It is in use: each record was looked at for itself, and how they fit together was not.");
    else if (journal.is_changing)
        cli_advise("A process was killed within a change: the next opening mends that. How records fit together was "
                   "not looked at.");
    if (problems > 0)
        exit_status = cli_failed("%s is damaged.", arguments->operand);
    cli_journal_close(&journal);
    return exit_status;
}

/* ---- settle ---- */

/* In slices, so that the progress line can tell how much is left. */
static int flush(cli_session *session, long long timeout_ms)
{
    dreamapi_meter_stats stats;
    dreamapi_error error;
    dreamapi_status status = DREAMAPI_TIMEOUT;

    /* A service that is out of reach for a moment is waited for, too. */
    for (long long left_ms = timeout_ms; (status == DREAMAPI_TIMEOUT || status == DREAMAPI_UNAVAILABLE) && left_ms > 0;
         left_ms -= SLICE_MS) {
        status = dreamapi_client_flush(session->client, left_ms < SLICE_MS ? left_ms : SLICE_MS, &error);
        if (dreamapi_client_meter_stats(session->client, &stats) == DREAMAPI_OK)
            cli_progress_say("Settling: %lld leases, %lld units to report",
                             (long long)(stats.leases_unsettled + stats.leases_active),
                             (long long)(stats.units_unreported + stats.units_owed));
    }
    cli_progress_end();
    if (status != DREAMAPI_OK)
        return cli_session_report(&error, NULL);
    if (dreamapi_client_meter_stats(session->client, &stats) == DREAMAPI_OK && stats.units_doubtful > 0)
        cli_advise("Of %lld units nobody knows if they were counted; they are not sent again.",
                   (long long)stats.units_doubtful);
    (void)printf("settled\n");
    return CLI_EXIT_OK;
}

static int run_settle(const cli_arguments *arguments)
{
    long long timeout_ms = SETTLE_MS;
    cli_session session;
    cli_journal journal;
    int exit_status;

    if (!cli_read_seconds(arguments, "timeout", &timeout_ms))
        return CLI_EXIT_USAGE;
    /* The library would make a file that is not there. */
    exit_status = open_journal(&journal, arguments->operand);
    if (exit_status != CLI_EXIT_OK)
        return exit_status;
    cli_journal_close(&journal);
    if (journal.is_live)
        return cli_failed("%s is in use: the process that has it open settles it.", arguments->operand);
    exit_status = cli_session_open(&session, arguments, &(const cli_settings){ arguments->operand, NULL, NULL, false });
    if (exit_status == CLI_EXIT_OK)
        exit_status = flush(&session, timeout_ms);
    cli_session_close(&session);
    return exit_status;
}

const cli_command cli_journal_commands[] = {
    { "journal show", "Shows what a journal of meters holds", "FILE", NULL, CLI_TAKES_OUTPUT,
      "Only reads the file, which may be in use. With --json an object a line, made here: the journal, then units.\n\n"
      "Example:\n  dreamapi journal show /var/lib/shop/usage.journal\n",
      run_show },
    { "journal check", "Tells if a journal is sound", "FILE", NULL, 0,
      "Only reads the file. Names each record that is damaged, and ends with 1 if any is.\n\n"
      "Example:\n  dreamapi journal check /var/lib/shop/usage.journal\n",
      run_check },
    { "journal settle", "Reports what a journal still holds to the service", "FILE", NULL, CLI_TAKES_CALL,
      "For a journal whose program does not come back. One that is in use is left alone. --timeout is 60 unless "
      "given.\n\n"
      "Example:\n  dreamapi journal settle /var/lib/shop/usage.journal\n",
      run_settle },
    { NULL, NULL, NULL, NULL, 0, NULL, NULL },
};
