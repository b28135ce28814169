/* SPDX-License-Identifier: Apache-2.0 */
/* signed.c - signed requests. What a stranger can make us do is bounded by what he sends: the digest is taken of a body of the
 * usual size, or of a large one whose signature was checked when it was let in. Answers say what is wrong with a signature, as
 * whoever has no key learns nothing from it. */
#include "service/api/signed.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/http_signature.h"
#include "service/store/keys.h"
#include "service/store/nonces.h"

struct dreamd_signed {
    dream_http_signature signature;
    char publishable_key[DREAMD_KEY_SIZE];
    const char *key_id; /* in the signature's keyid */
    const char *name;   /* for limits.h */
    bool is_admission;
    const char *problem; /* NULL: it is this key's */
    bool is_used;
};

static const char invalid[] = "Invalid signature";
static const char used[] = "The signature was used before: sign each try anew";

bool dreamd_request_is_signed(dreamd_request *request)
{
    return dreamd_request_header(request, "Signature-Input") || dreamd_request_header(request, "Signature");
}

/* keyid is "<publishable key>.<key id>". */
static bool split_keyid(dreamd_signed *self)
{
    const char *keyid = self->signature.params.keyid;
    const char *dot = strrchr(keyid, '.');
    size_t size = dot ? (size_t)(dot - keyid) : 0;

    if (size == 0 || size >= sizeof self->publishable_key || strlen(dot + 1) != DREAMD_KEY_ID_SIZE - 1
        || strspn(dot + 1, "0123456789abcdef") != DREAMD_KEY_ID_SIZE - 1)
        return false;
    memcpy(self->publishable_key, keyid, size);
    self->publishable_key[size] = '\0';
    self->key_id = dot + 1;
    return true;
}

static bool refuse(dreamd_call *call, const char *problem)
{
    char message[200];

    (void)snprintf(message, sizeof message, "The request's signature is refused: %s", problem);
    dreamd_call_refuse(call, 401, invalid, message);
    return false;
}

/* The one refusal that the caller's clock explains, so it names the distance. */
static bool refuse_time(dreamd_call *call, const dream_signature_params *params, dream_signature_time time)
{
    int64_t apart_s = call->now_ms / 1000 - params->created_s;
    char message[200];

    if (time == DREAM_SIGNATURE_TOO_EARLY)
        (void)snprintf(message, sizeof message,
                       "It was made %" PRId64 " seconds ahead of this server's clock, and %d are allowed: check the "
                       "clock of the machine that signs",
                       -apart_s, DREAM_SIGNATURE_WINDOW_S);
    else
        (void)snprintf(message, sizeof message,
                       "It was made %" PRId64 " seconds ago by this server's clock; it counts for %d, or until it "
                       "expires: sign anew, and check the clock of the machine that signs",
                       apart_s, DREAM_SIGNATURE_WINDOW_S);
    dreamd_call_refuse(call, 401, "Signature out of time", message);
    return false;
}

static const char *body_problem(dreamd_call *call)
{
    size_t size = 0;
    const void *body = dreamd_request_body(call->request, &size);
    const char *digest = dreamd_request_header(call->request, "Content-Digest");

    return size > 0 || digest ? dream_content_digest_check(digest, body, size) : NULL;
}

/* Another reader of the request might go by the other one. */
static const char *twice_problem(const dreamd_request *request, const dream_http_signature *signature)
{
    for (size_t i = 0; i < signature->component_count; i++) {
        char name[DREAM_SIGNATURE_MAX_LABEL + 1];

        memcpy(name, signature->components[i].at, signature->components[i].size);
        name[signature->components[i].size] = '\0';
        if (dreamd_request_has_twice(request, name))
            return "it covers a field that comes more than once";
    }
    return NULL;
}

static const char *read_fields(dreamd_call *call, dreamd_signed *self)
{
    const char *problem;

    if (dreamd_request_has_twice(call->request, "Signature-Input")
        || dreamd_request_has_twice(call->request, "Signature"))
        return "Signature-Input or Signature comes more than once";
    problem = dream_signature_parse(dreamd_request_header(call->request, "Signature-Input"),
                                    dreamd_request_header(call->request, "Signature"), &self->signature);
    return problem ? problem : twice_problem(call->request, &self->signature);
}

static bool check(dreamd_call *call, dreamd_signed *self)
{
    size_t size = 0;
    dream_signature_time time;
    const char *problem = read_fields(call, self);

    (void)dreamd_request_body(call->request, &size);
    if (!problem)
        problem = dream_signature_check_form(&self->signature, size > 0 || self->is_admission);
    if (!problem && !split_keyid(self))
        problem = "its keyid must be \"<publishable key>.<16 hex digits>\"";
    /* It selects whose data is meant. */
    if (!problem && dreamd_request_header(call->request, "X-Publishable-Key")
        && !dream_signature_covers(&self->signature, "x-publishable-key"))
        problem = "it must cover x-publishable-key, as there is one";
    if (problem)
        return refuse(call, problem);
    time = dream_signature_check_time(&self->signature, call->now_ms / 1000);
    if (time != DREAM_SIGNATURE_IN_TIME)
        return refuse_time(call, &self->signature.params, time);
    problem = self->is_admission ? NULL : body_problem(call);
    return problem ? refuse(call, problem) : true;
}

dreamd_signed *dreamd_signed_read(dreamd_call *call, bool is_admission)
{
    dreamd_signed *self = dream_arena_alloc(call->arena, sizeof *self);

    if (!self) {
        dreamd_call_refuse(call, 500, "Internal error", "Out of memory");
        return NULL;
    }
    self->is_admission = is_admission;
    if (!check(call, self))
        return NULL;
    self->name =
        dream_arena_printf(call->arena, "%s@%s", self->signature.params.keyid, dreamd_request_remote(call->request));
    if (self->name)
        return self;
    dreamd_call_refuse(call, 500, "Internal error", "Out of memory");
    return NULL;
}

const char *dreamd_signed_name(const dreamd_signed *self)
{
    return self->name;
}

bool dreamd_signed_is_good(const dreamd_signed *self)
{
    return !self->problem && !self->is_used;
}

static const char *field_of(void *context, const char *name)
{
    return dreamd_request_header(context, name);
}

static void verify(dreamd_call *call, dreamd_signed *self, const unsigned char key[DREAMD_SIGNING_KEY_SIZE])
{
    dream_signed_request request = { .method = dream_slice_of(dreamd_request_method(call->request)),
                                     .authority = dream_signature_authority(
                                         dream_slice_of(dreamd_request_header(call->request, "Host")),
                                         dreamd_request_is_https(call->request)),
                                     .path = dream_slice_of(dreamd_request_path(call->request)),
                                     .query = dream_slice_of(dreamd_request_raw_query(call->request)),
                                     .content_digest = dreamd_request_header(call->request, "Content-Digest"),
                                     .field = field_of,
                                     .context = call->request };

    self->problem = dream_signature_verify(&self->signature, &request, key);
}

/* Twice the window: a process whose clock is that far ahead may forget what another one still takes for fresh. */
static dreamd_nonce nonce_of(const dreamd_signed *self, const dreamd_project *own)
{
    const dream_signature_params *params = &self->signature.params;

    return (dreamd_nonce){ .platform_id = own->platform_id,
                           .keyid = params->keyid,
                           .nonce = params->nonce,
                           .forget_at_ms = (params->created_s + 2 * DREAM_SIGNATURE_WINDOW_S) * 1000 };
}

dreamd_db_status dreamd_signed_look_up(dreamd_db *db, dreamd_call *call, dreamd_signed *self, dreamd_project *out,
                                       bool *out_found)
{
    unsigned char key[DREAMD_SIGNING_KEY_SIZE];
    dreamd_db_status status =
        dreamd_project_by_publishable_key(db, self->publishable_key, call->now_ms, out, out_found);

    self->is_used = false;
    if (status != DREAMD_DB_OK || !*out_found)
        return status;
    status = dreamd_key_signing_key(db, self->publishable_key, self->key_id, call->now_ms,
                                    call->service->settings->master_key, key, out_found);
    if (status == DREAMD_DB_OK && *out_found) {
        verify(call, self, key);
        memcpy(out->key_id, self->key_id, sizeof out->key_id);
    }
    dream_wipe(key, sizeof key);
    if (status == DREAMD_DB_OK && *out_found && !self->problem) {
        dreamd_nonce nonce = nonce_of(self, out);
        status = dreamd_nonce_is_spent(db, &nonce, &self->is_used);
    }
    return status;
}

bool dreamd_signed_accept(dreamd_call *call, const dreamd_signed *self)
{
    if (self->problem)
        return refuse(call, self->problem);
    if (!self->is_used)
        return true;
    dreamd_call_refuse(call, 401, invalid, used);
    return false; /* without a look at `self`: it went with the call */
}

dreamd_db_status dreamd_signed_spend(dreamd_db *db, const dreamd_call *call, dreamd_signed *self,
                                     const dreamd_project *own)
{
    dreamd_nonce nonce = nonce_of(self, own);
    bool is_new = false;
    dreamd_db_status status = dreamd_nonce_spend(db, &nonce, call->now_ms, &is_new);

    self->is_used = !is_new;
    /* It is written to anyhow. */
    return status == DREAMD_DB_OK && is_new ? dreamd_key_note_use(db, own, call->now_ms) : status;
}
