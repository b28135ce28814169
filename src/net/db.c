/* SPDX-License-Identifier: Apache-2.0 */
/* db.c - the values a statement takes, the same for every database engine.
 * Running statements is the engine's file (db_sqlite.c). Nothing here has state. */
#include "net/db.h"

#include <string.h>

dreamd_param dreamd_null(void)
{
    return (dreamd_param){ .type = DREAMD_PARAM_NULL };
}

dreamd_param dreamd_text(const char *text)
{
    if (!text)
        return dreamd_null();
    return (dreamd_param){ .type = DREAMD_PARAM_TEXT, .bytes = text, .size = strlen(text) };
}

dreamd_param dreamd_int(int64_t number)
{
    return (dreamd_param){ .type = DREAMD_PARAM_INT, .number = number };
}

dreamd_param dreamd_opt_int(const int64_t *number)
{
    return number ? dreamd_int(*number) : dreamd_null();
}

dreamd_param dreamd_blob(const void *bytes, size_t size)
{
    /* An empty blob is a value, not NULL, so it needs an address even where the caller has none. */
    return (dreamd_param){ .type = DREAMD_PARAM_BLOB, .bytes = bytes ? bytes : "", .size = bytes ? size : 0 };
}
