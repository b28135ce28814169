/* SPDX-License-Identifier: Apache-2.0 */
/* refusing.c - counts and refuses. What is tried with it is each test program's own. */
#include "support/refusing.h"

#include <stdatomic.h>

static atomic_long allocations;
static atomic_long refused_one = -1;
static atomic_bool is_here_only;
static _Thread_local bool is_here;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t size);
char *__wrap_strndup(const char *text, size_t size);

static bool is_refused(void)
{
    if (atomic_load(&is_here_only) && !is_here)
        return false;
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

static void begin(long index, bool here_only)
{
    is_here = here_only;
    atomic_store(&is_here_only, here_only);
    atomic_store(&allocations, 0);
    atomic_store(&refused_one, index);
}

void refusing_begin(long index)
{
    begin(index, false);
}

void refusing_begin_here(long index)
{
    begin(index, true);
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
