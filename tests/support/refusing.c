/* SPDX-License-Identifier: Apache-2.0 */
/* refusing.c - counts and refuses. What is tried with it is each test program's own. */
#include "support/refusing.h"

#include <stdatomic.h>

static atomic_long allocations;
static atomic_long refused_one = -1;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t size);

static bool is_refused(void)
{
    return atomic_fetch_add(&allocations, 1) == atomic_load(&refused_one);
}

void *__wrap_malloc(size_t size)
{
    return is_refused() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return is_refused() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return is_refused() ? NULL : __real_realloc(old, size);
}

char *__wrap_strdup(const char *text)
{
    return is_refused() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t size)
{
    return is_refused() ? NULL : __real_strndup(text, size);
}

void refusing_begin(long index)
{
    atomic_store(&allocations, 0);
    atomic_store(&refused_one, index);
}

bool refusing_end(void)
{
    bool was_reached = atomic_load(&allocations) > atomic_load(&refused_one);

    atomic_store(&refused_one, -1);
    return was_reached;
}

bool refusing_is_on(void)
{
    return atomic_load(&refused_one) >= 0;
}

long refusing_count(void)
{
    return atomic_load(&allocations);
}
