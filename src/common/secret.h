/* SPDX-License-Identifier: Apache-2.0 */
/* secret.h - memory for keys: pages of their own that are kept out of swap (where the system lets us lock them) and out of core
 * dumps, and that are wiped before they are given back. Each takes a page, so it is for the few secrets that live long. */
#ifndef DREAM_COMMON_SECRET_H
#define DREAM_COMMON_SECRET_H

#include <stddef.h>

/* `size` zero bytes, owned (dream_secret_free); NULL when out of memory. A forked child has a copy of its own. Any thread. */
void *dream_secret_new(size_t size);
/* The first `size` bytes of a text and a NUL. Owned; NULL when out of memory. */
char *dream_secret_text(const char *text, size_t size);
/* Wipes all of it, then releases it. NULL is fine. */
void dream_secret_free(void *secret);

#endif
