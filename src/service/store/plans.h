/* SPDX-License-Identifier: Apache-2.0 */
/* plans.h - the plan that counts for a user, as far as the store knows: that of a running subscription (of several, the one
 * begun last), else the customer's stored one. usage.c applies the same order to every metered request, with the token's
 * plan behind it; here it is asked for outside of metering, and ahead of an event. The rules of model.h hold. */
#ifndef DREAMD_SERVICE_STORE_PLANS_H
#define DREAMD_SERVICE_STORE_PLANS_H

#include "common/arena.h"
#include "net/db.h"
#include "service/store/model.h"
#include "service/store/subscriptions.h"

/* That of a running subscription; NULL if none runs. Texts live in `arena`. */
dreamd_db_status dreamd_plan_subscribed(dreamd_db *db, const dreamd_project *project, const char *user_id,
                                        dream_arena *arena, const char **out_plan);
/* NULL if nothing here says. */
dreamd_db_status dreamd_plan_in_force(dreamd_db *db, const dreamd_project *project, const char *user_id,
                                      dream_arena *arena, const char **out_plan);
/* What dreamd_plan_in_force will say once `event`, which is about a subscription of a known project and newer than what was
 * applied, has been applied. Writes nothing. */
dreamd_db_status dreamd_plan_after(dreamd_db *db, const dreamd_event *event, dream_arena *arena, const char **out_plan);

#endif
