/* SPDX-License-Identifier: Apache-2.0 */
/* payment.c - return addresses, connected accounts, and the answer with a page's address. What is bought or changed is the
 * handlers' own: checkout.c, cart.c, portal.c. No state. */
#include "service/api/payment.h"

#include <stdio.h>

#include "common/crypto.h"
#include "common/json.h"
#include "service/api/return_url.h"

static const char *default_url(dreamd_call *call, const char *path)
{
    const dreamd_settings *settings = call->service->settings;
    const char *base = dreamd_return_base(dreamd_request_header(call->request, "Origin"), settings->allowed_origins,
                                          settings->frontend_url);

    return base ? dream_arena_printf(call->arena, "%s%s", base, path) : NULL;
}

bool dreamd_payment_read_url(dreamd_call *call, const char *name, const char *default_path, const char **out)
{
    const dreamd_settings *settings = call->service->settings;
    char message[64];

    if (!dreamd_call_text(call, name, DREAMD_MAX_URL, "Invalid request", out))
        return false;
    if (!*out) {
        *out = default_url(call, default_path);
        if (*out)
            return true;
        (void)snprintf(message, sizeof message, "%s is required", name);
        dreamd_call_set_error(call, 400, "Missing required field", message);
        return false;
    }
    if (dreamd_return_url_is_allowed(*out, settings->allowed_origins, settings->frontend_url))
        return true;
    (void)snprintf(message, sizeof message, "%s must be an http(s) address of an allowed origin", name);
    dreamd_call_set_error(call, 400, "Invalid return address", message);
    return false;
}

dreamd_db_status dreamd_payment_find_account(dreamd_db *db, const dreamd_call *call, const dreamd_project *project,
                                             dreamd_payment_account *out)
{
    return dreamd_stripe_account_find(db, project->platform_id, project->mode, call->service->settings->master_key,
                                      &out->stored, &out->is_found);
}

void dreamd_payment_take_account(dreamd_payment_account *account, dreamd_stripe_account *out)
{
    *out = account->stored;
    dream_wipe(&account->stored, sizeof account->stored);
}

dreamd_stripe_actor dreamd_payment_actor(const dreamd_stripe_account *account, enum dreamd_mode mode,
                                         const char *idempotency_key)
{
    return (dreamd_stripe_actor){
        .mode = mode,
        .access_token = account->access_token[0] != '\0' ? account->access_token : NULL,
        .account = account->account_id,
        .idempotency_key = idempotency_key,
    };
}

void dreamd_payment_answer_url(dreamd_call *call, const char *url)
{
    cJSON *body = cJSON_CreateObject();

    if (!dream_json_set_string(body, "url", url)) {
        cJSON_Delete(body);
        body = NULL;
    }
    dreamd_call_answer(call, 200, body);
}
