/* SPDX-License-Identifier: Apache-2.0 */
/* stage.h - the whole service over loopback with one platform, and one server that plays both providers from a script: each
 * answer is told beforehand, each call is kept. For tests of what an endpoint asks and answers; one test thread. */
#ifndef TEST_SERVICE_STAGE_H
#define TEST_SERVICE_STAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "service/service.h"
#include "service/settings.h"
#include "service/store/model.h"
#include "service/store/store.h"

#define STAGE_PK "pk_live_00000000000000000000000000000001"
#define STAGE_SK "sk_live_0000000000000000000000000000000000000000000000000000000000000001"
#define STAGE_SECRET "whsec_live"
#define STAGE_APP "https://app.example.test"

typedef struct stage_answer {
    int status; /* 0: none came */
    char body[8192];
} stage_answer;

extern dreamd_project stage_project; /* of platform "plt_1", connected as "acct_a" with the token "sk_acct" */
extern dreamd_store *stage_store;
extern dreamd_settings stage_settings;
extern char stage_folder[64]; /* removed at the end; "assets" in it is the folder of assets */

/* Setup and teardown of one test. `fill` (may be NULL) runs in the store before the service starts. */
int stage_begin(dreamd_work *fill);
int stage_end(void);

/* The provider's next answer to `call`, "METHOD /path?query"; told answers come first, in order. Without one it is 404. */
void stage_tell(const char *call, unsigned status, const char *body);
int stage_call_count(void);
/* "METHOD /path?query", and the body that came with it; "" past the last. */
const char *stage_call(int index);
const char *stage_call_body(int index);

/* Asks and waits. `header` may be NULL; further ones follow after a newline. */
stage_answer stage_ask(const char *method, const char *path, const char *header, const char *body);
const char *stage_api_url(void);               /* for what stage_ask cannot send; until the end */
stage_answer stage_deliver(const char *event); /* as Stripe would, signed */

#endif
