/* SPDX-License-Identifier: Apache-2.0 */
/* ids.c - random identifiers. Where the time and, for UUIDs, the random bytes
 * come from is the caller's choice, so that tests can fix them. Any thread. */
#include "common/ids.h"

#include <string.h>

#include "common/crypto.h"
#include "common/encoding.h"

/* RFC 9562 4: the version in the high half of byte 6, the variant in the top two bits of byte 8. */
static void uuid_text(unsigned char bytes[16], unsigned version, char out[37])
{
    static const size_t group_sizes[] = { 4, 2, 2, 2, 6 };
    size_t i;

    bytes[6] = (unsigned char)((bytes[6] & 0x0f) | version << 4);
    bytes[8] = (unsigned char)((bytes[8] & 0x3f) | 0x80);
    for (i = 0; i < sizeof(group_sizes) / sizeof(group_sizes[0]); i++) {
        if (i > 0)
            *out++ = '-';
        dream_hex_encode(bytes, group_sizes[i], out);
        out += 2 * group_sizes[i];
        bytes += group_sizes[i];
    }
}

void dream_uuid4_text(const unsigned char random[16], char out[37])
{
    unsigned char bytes[16];

    memcpy(bytes, random, sizeof(bytes));
    uuid_text(bytes, 4, out);
}

void dream_uuid7_text(int64_t wall_ms, const unsigned char random[16], char out[37])
{
    uint64_t time_ms = wall_ms > 0 ? (uint64_t)wall_ms : 0;
    unsigned char bytes[16];
    size_t i;

    memcpy(bytes, random, sizeof(bytes));
    for (i = 0; i < 6; i++)
        bytes[i] = (unsigned char)(time_ms >> (40 - 8 * i));
    uuid_text(bytes, 7, out);
}

bool dream_random_id(const char *prefix, size_t bytes, char *out)
{
    unsigned char random[64];
    size_t prefix_size = strlen(prefix);
    size_t step;

    memcpy(out, prefix, prefix_size + 1);
    for (out += prefix_size; bytes > 0; bytes -= step, out += 2 * step) {
        step = bytes < sizeof(random) ? bytes : sizeof(random);
        if (!dream_random(random, step))
            return false;
        dream_hex_encode(random, step, out);
    }
    /* Keys are made here too: leave no second copy on the stack. */
    dream_wipe(random, sizeof(random));
    return true;
}
