/* SPDX-License-Identifier: Apache-2.0 */
/* form.h - writes application/x-www-form-urlencoded bodies, as Stripe takes them: nested names are spelled out
 * ("metadata[tier]"). */
#ifndef DREAMD_PROVIDER_FORM_H
#define DREAMD_PROVIDER_FORM_H

#include <stdint.h>

#include "common/buffer.h"

/* A NULL `value` adds nothing; "" adds an empty value. */
void dreamd_form_text(dream_buffer *form, const char *name, const char *value);
void dreamd_form_int(dream_buffer *form, const char *name, int64_t value);

#endif
