/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_encoding.c - any text as base64, base64url, hex and percent-encoded: what was read has one text, and that is it. */
#include "fuzz.h"

#include "common/encoding.h"

typedef bool decoder(dream_buffer *out, const char *text, size_t size);
typedef void encoder(dream_buffer *out, const void *bytes, size_t size);

static void try_base64(decoder *decode, encoder *encode, const char *text, size_t size)
{
    dream_buffer bytes = DREAM_BUFFER_INIT, again = DREAM_BUFFER_INIT;

    if (decode(&bytes, text, size)) {
        encode(&again, bytes.data, bytes.size);
        FUZZ_CHECK(again.size == size && (size == 0 || memcmp(again.data, text, size) == 0));
    }
    dream_buffer_clear(&bytes);
    dream_buffer_clear(&again);
}

static void try_hex(const char *text, size_t size)
{
    unsigned char *bytes = malloc(size / 2 + 1);
    char *again = malloc(size + 2);

    FUZZ_CHECK(bytes != NULL && again != NULL);
    if (dream_hex_decode(text, size, bytes, size / 2)) {
        dream_hex_encode(bytes, size / 2, again);
        for (size_t i = 0; i < size; i++)
            FUZZ_CHECK(again[i] == (text[i] >= 'A' && text[i] <= 'F' ? text[i] + 32 : text[i]));
    }
    free(bytes);
    free(again);
}

static void try_percent(const char *text, size_t size)
{
    dream_buffer bytes = DREAM_BUFFER_INIT, encoded = DREAM_BUFFER_INIT, again = DREAM_BUFFER_INIT;

    if (dream_percent_decode(&bytes, text, size, true)) {
        FUZZ_CHECK(bytes.size == 0 || memchr(bytes.data, '\0', bytes.size) == NULL || memchr(text, '\0', size) != NULL);
        dream_percent_encode(&encoded, dream_buffer_str(&bytes), bytes.size);
        FUZZ_CHECK(encoded.size == 0 || !strpbrk(encoded.data, "&=+ \r\n/?#"));
        if (bytes.size == 0 || memchr(bytes.data, '\0', bytes.size) == NULL) {
            FUZZ_CHECK(dream_percent_decode(&again, dream_buffer_str(&encoded), encoded.size, false));
            FUZZ_CHECK(again.size == bytes.size
                       && (again.size == 0 || memcmp(again.data, bytes.data, again.size) == 0));
        }
    }
    dream_buffer_clear(&bytes);
    dream_buffer_clear(&encoded);
    dream_buffer_clear(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);

    try_base64(dream_base64_decode, dream_base64_encode, text, size);
    try_base64(dream_base64url_decode, dream_base64url_encode, text, size);
    try_hex(text, size);
    try_percent(text, size);
    free(text);
    return 0;
}
