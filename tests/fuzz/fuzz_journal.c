/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_journal.c - any file as a journal. The first byte says how the rest is laid out: as a whole file, or as records behind a header
 * that this machine would have written, so that recovery is reached. A client opens it, and reports what it finds: refused or not, it
 * never claims more units than the records show. */
#include "metered.h"

#include <fcntl.h>
#include <unistd.h>

#include "lib/meter/journal.h"

enum {
    IS_WHOLE_FILE = 1 << 0,
    IS_OTHER_BOOT = 1 << 1,
    IS_COPY = 1 << 2,
    IS_CLEAN = 1 << 3,
    IS_CHANGING = 1 << 4,
    HAS_NO_LEASES = 1 << 5 /* the server */
};
enum { FILE_BYTES = 64 * 1024 };

static char path[256];
static unsigned char empty[FILE_BYTES]; /* a journal that was just made in this file */

static void remove_it(void)
{
    (void)unlink(path);
}

static void use(metered *m)
{
    dreamapi_meter *meter = NULL;
    dreamapi_decision decision;

    if (m->client == NULL)
        return;
    FUZZ_CHECK(dreamapi_meter_open(m->client, "user_1", NULL, &meter, NULL) == DREAMAPI_OK);
    (void)dreamapi_meter_check(meter, 1, &decision);
    (void)dreamapi_client_flush(m->client, 1000, NULL);
    dreamapi_meter_close(meter);
}

static void open_client(metered *m, bool has_leases)
{
    metered_open(m, path, has_leases ? "[\"leases\"]" : "[\"server-side\",\"idempotency\",\"usage-batch\"]");
    metered_answer(m, "/api/leases", "{\"storeEpoch\":1,\"settled\":[],\"grants\":[]}", DREAMAPI_TEST_ALWAYS);
    metered_answer(m, "/api/usage/batch", "{\"results\":[]}", DREAMAPI_TEST_ALWAYS);
}

static void make_empty(void)
{
    const char *folder = getenv("TMPDIR");
    metered m;
    int fd;

    (void)snprintf(path, sizeof(path), "%.200s/fuzz-journal-XXXXXX", folder == NULL ? "/tmp" : folder);
    fd = mkstemp(path);
    FUZZ_CHECK(fd >= 0);
    (void)atexit(remove_it);
    open_client(&m, true);
    FUZZ_CHECK(m.client != NULL);
    use(&m);
    metered_close(&m);
    FUZZ_CHECK(pread(fd, empty, sizeof(empty), 0) == (ssize_t)sizeof(empty));
    (void)close(fd);
}

static uint32_t crc_of(const unsigned char *at, size_t size)
{
    uint32_t crc = 0xFFFFFFFFu;

    for (size_t i = 0; i < size; i++) {
        crc ^= at[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
    }
    return ~crc;
}

static void set_header(dream_journal_header *header, int flags, size_t size)
{
    dream_identity *identity = &header->identities[atomic_load(&header->identity) & 1];

    identity->boot[0] ^= (flags & IS_OTHER_BOOT) != 0;
    identity->machine[0] ^= (flags & IS_COPY) != 0;
    identity->crc = crc_of((unsigned char *)identity + 4, sizeof(*identity) - 4);
    atomic_store(&header->is_clean, (flags & IS_CLEAN) != 0);
    atomic_store(&header->is_changing, (flags & IS_CHANGING) != 0);
    atomic_store(&header->used, (dream_line)(DREAM_JOURNAL_FIRST + size / DREAM_LINE));
}

/* Fills `bytes`; returns how large the file is. */
static size_t lay_out(int flags, const uint8_t *data, size_t size, unsigned char *bytes)
{
    size_t first = (size_t)DREAM_JOURNAL_FIRST * DREAM_LINE;

    if ((flags & IS_WHOLE_FILE) != 0) {
        size = size > FILE_BYTES ? FILE_BYTES : size;
        memcpy(bytes, data, size);
        return size < FILE_BYTES && (flags & IS_CLEAN) == 0 ? size : FILE_BYTES;
    }
    size = size > FILE_BYTES - first ? FILE_BYTES - first : size;
    memcpy(bytes, empty, first);
    memcpy(bytes + first, data, size);
    set_header((dream_journal_header *)(void *)bytes, flags, size);
    return FILE_BYTES;
}

static uint64_t units_of(const unsigned char *record, uint32_t shares)
{
    const dream_share *share = (const dream_share *)(const void *)record;
    uint64_t units = 0;

    for (uint32_t i = 0; i < shares; i++)
        units += dream_word_units(atomic_load(&share[i].word));
    return units;
}

/* What the records up to the first that makes no sense can be made to show at most. */
static uint64_t shown_by(const unsigned char *bytes)
{
    uint64_t units = 0;
    uint32_t lines = FILE_BYTES / DREAM_LINE, count;

    for (uint32_t line = DREAM_JOURNAL_FIRST; line < lines; line += count) {
        const unsigned char *record = bytes + (size_t)line * DREAM_LINE;
        uint32_t tag = *(const uint32_t *)(const void *)record;
        count = dream_tag_lines(tag);
        if (count == 0 || count > lines - line)
            break;
        switch (dream_tag_kind(tag)) {
        case DREAM_TAG_LEASE:
        case DREAM_TAG_RESERVATION:
            units += units_of(record, 1);
            break;
        case DREAM_TAG_FAN:
            units += units_of(record, count);
            break;
        case DREAM_TAG_SETTLED:
            units += ((const dream_settled *)(const void *)record)->admitted;
            break;
        case DREAM_TAG_DIRECT:
            units += dream_direct_waiting((const dream_direct *)(const void *)record);
            units += dream_direct_reporting((const dream_direct *)(const void *)record);
            break;
        default:
            break;
        }
    }
    return units;
}

static void write_file(const unsigned char *bytes, size_t size)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);

    FUZZ_CHECK(fd >= 0 && ftruncate(fd, 0) == 0 && pwrite(fd, bytes, size, 0) == (ssize_t)size);
    (void)close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static _Alignas(DREAM_LINE) unsigned char bytes[FILE_BYTES];
    uint64_t shown;
    metered m;

    if (path[0] == '\0')
        make_empty();
    if (size == 0)
        return 0;
    memset(bytes, 0, sizeof(bytes));
    write_file(bytes, lay_out(data[0], data + 1, size - 1, bytes));
    shown = shown_by(bytes);
    open_client(&m, (data[0] & HAS_NO_LEASES) == 0);
    use(&m);
    FUZZ_CHECK(metered_most_claimed(&m) <= shown);
    metered_close(&m);
    return 0;
}
