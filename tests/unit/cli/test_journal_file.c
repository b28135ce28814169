/* SPDX-License-Identifier: Apache-2.0 */
/* test_journal_file.c - the reader of journals against files built with the library's own structs, and against truncated and damaged
 * ones: each is either read or refused with words, and no byte of it leads the reader astray. */
#include "cli/journal_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/meter/journal.h"

enum {
    FILE_BYTES = 64 * 1024,
    ACCOUNT_AT = 64,
    LEASE_AT = 66,
    FAN_AT = 70,
    RESERVATION_AT = 86,
    DIRECT_AT = 87,
    END_AT = 89,
    ROUNDS = 800
};

static _Alignas(64) unsigned char image[FILE_BYTES];
static char path[] = "/tmp/cli-journal-XXXXXX";

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

static void *at(uint32_t line)
{
    return image + (size_t)line * 64;
}

/* One account, which owes 3; a lease of 100 with 5 in itself, 7 and 1 in its fan, 2 reserved; 4 and 6 admitted directly. */
static void build(void)
{
    dream_journal_header *header = (dream_journal_header *)(void *)image;
    dream_identity *identity = &header->identities[1];
    dream_account *account = at(ACCOUNT_AT);
    dream_lease *lease = at(LEASE_AT);
    dream_share *fan = at(FAN_AT), *reservation = at(RESERVATION_AT);
    dream_direct *direct = at(DIRECT_AT);

    memset(image, 0, sizeof image);
    memcpy(header->magic, "DREAMJNL", 8);
    header->version = 1;
    header->line_size = 64;
    header->identity = 1;
    header->allocated = FILE_BYTES;
    header->used = END_AT;
    strcpy(identity->holder, "holder-1");
    strcpy(identity->project, "pk_1");
    identity->crc = crc32_of((unsigned char *)identity + 4, sizeof *identity - 4);
    account->tag = dream_tag_make(DREAM_TAG_ACCOUNT, 2);
    account->user_size = 6;
    account->meter_size = 6;
    memcpy((char *)account + offsetof(dream_account, names), "user_1\0tokens", 14);
    account->debt = UINT64_C(9) << 32 | 3;
    lease->main.tag = dream_tag_make(DREAM_TAG_LEASE, 4);
    lease->main.word = DREAM_SEALED | DREAM_CALL | 5;
    lease->main.lease = FAN_AT;
    lease->account = ACCOUNT_AT;
    lease->granted = 100;
    lease->refunded = DREAM_SEALED | 1;
    lease->state = DREAM_LEASE_ACTIVE;
    lease->reservations = RESERVATION_AT;
    fan->tag = dream_tag_make(DREAM_TAG_FAN, DREAM_FAN);
    for (int i = 0; i < DREAM_FAN; i++)
        fan[i].lease = LEASE_AT;
    fan[0].word = 7;
    fan[15].word = 1;
    reservation->tag = dream_tag_make(DREAM_TAG_RESERVATION, 1);
    reservation->lease = LEASE_AT;
    reservation->word = 2;
    direct->tag = dream_tag_make(DREAM_TAG_DIRECT, 2);
    direct->account = ACCOUNT_AT;
    direct->units = UINT64_C(6) << 32 | 4;
    direct->doubtful = 8;
}

static void store(size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(image, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* Opens, walks and checks all of it: the number of problems. `why` has the last one. */
static int problems(char why[CLI_JOURNAL_WHY_SIZE])
{
    char last[CLI_JOURNAL_WHY_SIZE] = "";
    cli_record record = { .line = 0 };
    cli_journal journal;
    int count = 0;

    if (!cli_journal_open(&journal, path, why)) {
        cli_journal_close(&journal);
        assert_true(why[0] != '\0');
        return 1;
    }
    while (cli_record_next(&journal, &record, why)) {
        if (!cli_record_check(&journal, &record, why)) {
            strcpy(last, why);
            count++;
        }
    }
    count += why[0] != '\0';
    if (why[0] == '\0')
        strcpy(why, last);
    cli_journal_close(&journal);
    return count;
}

static void test_journal_file__reads_what_the_librarys_structs_hold(void **state)
{
    char why[CLI_JOURNAL_WHY_SIZE];
    cli_lease_view lease;
    cli_direct_view direct;
    cli_record record;
    cli_journal journal;

    (void)state;
    build();
    store(FILE_BYTES);
    assert_int_equal(problems(why), 0);
    assert_true(cli_journal_open(&journal, path, why));
    assert_string_equal(journal.holder, "holder-1");
    assert_string_equal(journal.project, "pk_1");
    assert_false(journal.is_live);
    assert_true(cli_record_read(&journal, ACCOUNT_AT, &record, why));
    assert_string_equal(cli_account_user(&record), "user_1");
    assert_string_equal(cli_account_meter(&record), "tokens");
    assert_int_equal(cli_account_owed(&record), 3);
    assert_true(cli_record_read(&journal, LEASE_AT, &record, why));
    assert_true(cli_lease_view_of(&journal, &record, &lease, why));
    assert_int_equal(lease.account, ACCOUNT_AT);
    assert_string_equal(lease.state, "active");
    assert_int_equal(lease.granted, 100);
    assert_int_equal(lease.admitted, 15);
    assert_int_equal(lease.refunded, 1);
    assert_true(cli_record_read(&journal, DIRECT_AT, &record, why));
    cli_direct_view_of(&record, &direct);
    assert_int_equal(direct.waiting, 4);
    assert_int_equal(direct.reporting, 6);
    assert_int_equal(direct.doubtful, 8);
    cli_journal_close(&journal);
}

static void test_journal_file__names_what_records_wrongly_claim(void **state)
{
    static const struct {
        size_t place;
        unsigned char value;
        const char *why;
    } rows[] = {
        { LEASE_AT * 64 + 164, DIRECT_AT, "its account should be in line 87" },
        { LEASE_AT * 64 + 4, RESERVATION_AT, "its fan should be in line 86" },
        { LEASE_AT * 64 + 180, FAN_AT, "a reservation of it should be in line 70" },
        { LEASE_AT * 64 + 112, 14, "15 units were admitted of 14 granted" },
        { LEASE_AT * 64 + 124, 9, "it has the state 9" },
        { RESERVATION_AT * 64 + 40, RESERVATION_AT, "has no end" },
        { DIRECT_AT * 64 + 4, LEASE_AT, "its account should be in line 66" },
        { ACCOUNT_AT * 64 + 88, 200, "names do not fit" },
        { LEASE_AT * 64 + 3, 10, "no kind 10" },
        { LEASE_AT * 64, 3, "kind lease has not 3 lines" },
        { 32, DIRECT_AT + 1, "kind direct has not 2 lines" },
    };
    char why[CLI_JOURNAL_WHY_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        build();
        image[rows[i].place] = rows[i].value;
        store(FILE_BYTES);
        assert_int_equal(problems(why), 1);
        if (!strstr(why, rows[i].why))
            fail_msg("\"%s\" instead of \"%s\"", why, rows[i].why);
    }
}

static void test_journal_file__every_truncation_is_refused(void **state)
{
    char why[CLI_JOURNAL_WHY_SIZE];

    (void)state;
    build();
    for (size_t size = 0; size < FILE_BYTES; size += size < 600 ? 61 : 4099) {
        store(size);
        assert_int_equal(problems(why), 1);
    }
}

/* What is found does not matter here: sanitizers watch, and it ends. */
static void test_journal_file__no_garbage_leads_it_astray(void **state)
{
    char why[CLI_JOURNAL_WHY_SIZE];
    uint64_t random = 88172645463325252u;
    FILE *file;

    (void)state;
    build();
    store(FILE_BYTES);
    file = fopen(path, "r+b");
    assert_non_null(file);
    for (int round = 0; round < ROUNDS; round++) {
        unsigned char old[4];
        long place;
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        place = (long)(round % 4 == 0 ? random % 512 : ACCOUNT_AT * 64 + random % ((END_AT - ACCOUNT_AT) * 64));
        memcpy(old, image + place, sizeof old);
        assert_int_equal(fseek(file, place, SEEK_SET), 0);
        assert_int_equal(fwrite(&random, 1, 1 + round % 4, file), 1 + round % 4);
        assert_int_equal(fflush(file), 0);
        (void)problems(why);
        assert_int_equal(fseek(file, place, SEEK_SET), 0);
        assert_int_equal(fwrite(old, 1, sizeof old, file), sizeof old);
        assert_int_equal(fflush(file), 0);
    }
    assert_int_equal(problems(why), 0);
    (void)fclose(file);
}

static int make_path(void **state)
{
    int fd = mkstemp(path);
    (void)state;
    return fd < 0 ? -1 : close(fd);
}

static int remove_path(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_journal_file__reads_what_the_librarys_structs_hold),
        cmocka_unit_test(test_journal_file__names_what_records_wrongly_claim),
        cmocka_unit_test(test_journal_file__every_truncation_is_refused),
        cmocka_unit_test(test_journal_file__no_garbage_leads_it_astray),
    };
    return cmocka_run_group_tests(tests, make_path, remove_path);
}
