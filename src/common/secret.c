/* SPDX-License-Identifier: Apache-2.0 */
/* secret.c - one mapping a secret, which begins with its own size. That locking or excluding it may be refused (a limit on locked
 * memory, an older kernel) is no reason to work without a key, so both are done as far as they go. */
#include "common/secret.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "common/crypto.h"

/* What follows it must suit any type. */
union head {
    size_t size;
    max_align_t align;
};

void *dream_secret_new(size_t size)
{
    union head *head;

    if (size > SIZE_MAX - sizeof(*head))
        return NULL;
    size += sizeof(*head);
    head = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (head == MAP_FAILED)
        return NULL;
    (void)mlock(head, size);
#ifdef MADV_DONTDUMP
    (void)madvise(head, size, MADV_DONTDUMP);
#endif
    head->size = size;
    return head + 1;
}

char *dream_secret_text(const char *text, size_t size)
{
    char *secret = size < SIZE_MAX ? dream_secret_new(size + 1) : NULL;

    if (secret != NULL)
        memcpy(secret, text, size);
    return secret;
}

void dream_secret_free(void *secret)
{
    union head *head;
    size_t size;

    if (secret == NULL)
        return;
    head = (union head *)secret - 1;
    size = head->size;
    dream_wipe(head, size);
    (void)munmap(head, size);
}
