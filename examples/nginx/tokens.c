/* SPDX-License-Identifier: Apache-2.0 */
/* tokens.c - remembers for some seconds whose a verified token is, by its whole text.
 * The library remembers verified tokens as well, but only its own thread may ask it here, as what it does not remember may wait for keys. Keep-alive
 * clients send one token again and again, so a plain table in which a newer token takes an older one's place is enough. Only tokens whose
 * signature was checked get in: nobody fills it without an account. */
#include "module.h"

/* Four bytes of hash pick one of these; with tokens of a kilobyte a full table takes five megabytes a worker. */
#define SLOTS 4096
/* For so long the library is not asked again, and a key that the provider took back goes on counting. */
#define TRUSTED_MS 10000

typedef struct {
    char *user_id; /* the token's text follows it in the same allocation */
    u_char *text;
    size_t size;
    ngx_msec_t trusted_until;
} slot;

static slot slots[SLOTS];

/* By the end of the text: it is the signature's, and as good as random. */
static slot *slot_of(const ngx_str_t *token)
{
    size_t size = ngx_min(token->len, 16);

    return &slots[ngx_murmur_hash2(token->data + token->len - size, size) % SLOTS];
}

const char *ngx_dreamapi_tokens_find(const ngx_str_t *token)
{
    slot *s = slot_of(token);

    if (s->size != token->len || (ngx_msec_int_t)(s->trusted_until - ngx_current_msec) <= 0)
        return NULL;
    return ngx_memcmp(s->text, token->data, token->len) == 0 ? s->user_id : NULL;
}

/* A token that ends sooner is trusted no longer than it lasts. */
static int64_t trusted_ms(const dreamapi_token *verified, int64_t skew_ms)
{
    ngx_time_t *now = ngx_timeofday();
    int64_t left_ms =
        dreamapi_token_expires_at_ms(verified) + skew_ms - ((int64_t)now->sec * 1000 + (int64_t)now->msec);

    return left_ms < TRUSTED_MS ? left_ms : TRUSTED_MS;
}

void ngx_dreamapi_tokens_keep(const ngx_str_t *token, const dreamapi_token *verified, int64_t skew_ms)
{
    const char *user_id = dreamapi_token_user_id(verified);
    size_t id_size = ngx_strlen(user_id) + 1;
    slot *s = slot_of(token);
    int64_t lasts_ms = trusted_ms(verified, skew_ms);
    char *memory = lasts_ms > 0 ? ngx_alloc(id_size + token->len, ngx_cycle->log) : NULL;

    if (memory == NULL)
        return; /* it is verified again the next time */
    ngx_free(s->user_id);
    s->user_id = memory;
    s->text = (u_char *)memory + id_size;
    s->size = token->len;
    s->trusted_until = ngx_current_msec + (ngx_msec_t)lasts_ms;
    ngx_memcpy(s->user_id, user_id, id_size);
    ngx_memcpy(s->text, token->data, token->len);
}

void ngx_dreamapi_tokens_forget(void)
{
    for (size_t i = 0; i < SLOTS; i++)
        ngx_free(slots[i].user_id);
    ngx_memzero(slots, sizeof(slots));
}
