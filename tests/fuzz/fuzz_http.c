/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_http.c - any bytes on a connection to the service: what it answers, if anything, is HTTP and no failure of its own. */
#include "served.h"

/* A connection that is kept stays open: nothing says that no further answer comes. */
enum { PATIENCE_MS = 100 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    served_answer answer;

    served_begin();
    served_send(data, size, PATIENCE_MS, &answer);
    FUZZ_CHECK(answer.status == 0 || (answer.status < 600 && strstr(answer.body, "\"Internal error\"") == NULL));
    served_answer_clear(&answer);
    return 0;
}
