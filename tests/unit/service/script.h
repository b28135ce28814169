/* SPDX-License-Identifier: Apache-2.0 */
/* script.h - a provider played by the test: requests are kept and answered when the test says so. */
#ifndef TEST_SERVICE_SCRIPT_H
#define TEST_SERVICE_SCRIPT_H

#include "service/provider/upstream.h"

enum { SCRIPT_MAX = 8 };

typedef struct script_call {
    char method[16];
    char url[256];
    char headers[1024]; /* joined with newlines */
    char body[2048];
    int64_t timeout_ms;
    dreamd_reply_fn *fn;
    void *context;
} script_call;

typedef struct script {
    script_call calls[SCRIPT_MAX];
    int count;
} script;

/* A dreamd_upstream_send; `transport` is a script. */
void script_send(void *transport, const dreamd_outbound *outbound, dreamd_reply_fn *fn, void *context);
/* Answers call number `index`; status 0: no answer. */
void script_reply(script *script, int index, int status, const char *body);

/* Settings with providers at https://clerk-live.test and so on; secrets sk_clerk_live ... */
dreamd_settings script_settings(void);

#endif
