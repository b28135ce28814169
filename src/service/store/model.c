/* SPDX-License-Identifier: Apache-2.0 */
/* model.c - what a project's mode and its platform's billing mean. No database here. */
#include "service/store/model.h"

#include <string.h>

static const char *const mode_texts[DREAMD_MODES] = { [DREAMD_LIVE] = "live", [DREAMD_TEST] = "test" };

const char *dreamd_mode_text(enum dreamd_mode mode)
{
    return mode_texts[mode];
}

bool dreamd_mode_parse(const char *text, enum dreamd_mode *out_mode)
{
    for (int mode = 0; text && mode < DREAMD_MODES; mode++) {
        if (strcmp(text, mode_texts[mode]) == 0) {
            *out_mode = (enum dreamd_mode)mode;
            return true;
        }
    }
    return false;
}

bool dreamd_project_is_blocked(const dreamd_project *project, int64_t now_ms)
{
    /* past_due works on: the payment is being tried again. */
    static const char *const allowed[] = { "", "none", "trialing", "active", "past_due" };
    const int64_t grace_ms = (int64_t)DREAMD_GRACE_DAYS * 24 * 60 * 60 * 1000;

    for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++) {
        if (strcmp(project->subscription_status, allowed[i]) == 0)
            return false;
    }
    /* Subtracted from now, as a stored time near the end of the range would overflow. */
    return !project->has_current_period_end || now_ms - grace_ms > project->current_period_end_ms;
}
