/* SPDX-License-Identifier: Apache-2.0 */
/* form.c - form encoding over common/encoding; running out of memory shows in the buffer. */
#include "service/provider/form.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/encoding.h"

void dreamd_form_text(dream_buffer *form, const char *name, const char *value)
{
    if (!value)
        return;
    if (form->size > 0)
        dream_buffer_char(form, '&');
    dream_percent_encode(form, name, strlen(name));
    dream_buffer_char(form, '=');
    dream_percent_encode(form, value, strlen(value));
}

void dreamd_form_int(dream_buffer *form, const char *name, int64_t value)
{
    char text[24];

    (void)snprintf(text, sizeof text, "%" PRId64, value);
    dreamd_form_text(form, name, text);
}
