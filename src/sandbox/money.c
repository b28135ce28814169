/* SPDX-License-Identifier: Apache-2.0 */
/* money.c - how many decimals a currency has, and the signs everyone knows. No floating point. */
#include "sandbox/money.h"

#include <ctype.h>
#include <string.h>

static const struct {
    const char *currency;
    const char *sign;
} signs[] = { { "usd", "$" }, { "eur", "€" }, { "gbp", "£" }, { "jpy", "¥" }, { "inr", "₹" } };

static const char no_decimals[] = "bif clp djf gnf jpy kmf krw mga pyg rwf ugx vnd vuv xaf xof xpf ";
static const char three_decimals[] = "bhd jod kwd omr tnd ";

static const char *sign_of(const char *currency)
{
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        if (strcmp(signs[i].currency, currency) == 0)
            return signs[i].sign;
    return NULL;
}

void sandbox_money(dream_buffer *out, int64_t amount_minor, const char *currency)
{
    const char *sign = sign_of(currency);
    int decimals = strstr(no_decimals, currency) ? 0 : strstr(three_decimals, currency) ? 3 : 2;
    int64_t unit = decimals == 0 ? 1 : decimals == 3 ? 1000 : 100;
    uint64_t amount = amount_minor < 0 ? 0 - (uint64_t)amount_minor : (uint64_t)amount_minor;
    if (amount_minor < 0)
        dream_buffer_char(out, '-');
    if (sign)
        dream_buffer_text(out, sign);
    dream_buffer_printf(out, "%llu", (unsigned long long)(amount / (uint64_t)unit));
    if (decimals > 0)
        dream_buffer_printf(out, ".%0*llu", decimals, (unsigned long long)(amount % (uint64_t)unit));
    if (sign)
        return;
    dream_buffer_char(out, ' ');
    for (const char *p = currency; *p; p++)
        dream_buffer_char(out, (char)toupper((unsigned char)*p));
}
