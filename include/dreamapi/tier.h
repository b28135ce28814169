/* SPDX-License-Identifier: Apache-2.0 */
/** @file tier.h
 * Tiers: what the project sells, in the server's order (none is promised).
 *
 * A list of tiers is a value: it is owned by whoever received it, does not
 * change, and outlives client and call. Any thread may read it. Its tiers and their
 * texts are borrowed until dreamapi_tiers_free. Accessors take NULL. */
#ifndef DREAMAPI_TIER_H
#define DREAMAPI_TIER_H

#include <dreamapi/call.h>

#ifdef __cplusplus
extern "C" {
#endif

/** One tier of a list. */
typedef struct dreamapi_tier dreamapi_tier;
/** A list of tiers. */
typedef struct dreamapi_tiers dreamapi_tiers;

/** Lists the tiers (GET /api/tiers). Either key will do. `*out_tiers` is owned, NULL on failure; may be NULL. */
DREAMAPI_API dreamapi_status dreamapi_tier_list(dreamapi_client *client, const dreamapi_call_options *options,
                                                dreamapi_tiers **out_tiers, dreamapi_error *error);
/** dreamapi_tier_list without waiting. `*out_call` is owned (dreamapi_call_free), NULL on failure. */
DREAMAPI_API dreamapi_status dreamapi_tier_list_start(dreamapi_client *client, const dreamapi_call_options *options,
                                                      dreamapi_call **out_call, dreamapi_error *error);

/** Takes the list out of a finished call; owned. The call's status; DREAMAPI_PENDING if it is not finished,
 * DREAMAPI_INVALID if the call was about something else or its object was taken before. `out_tiers` may be NULL. */
DREAMAPI_API dreamapi_status dreamapi_tiers_result(dreamapi_call *call, dreamapi_tiers **out_tiers,
                                                   dreamapi_error *error);

/** Number of tiers; 0 for NULL. */
DREAMAPI_API size_t dreamapi_tiers_count(const dreamapi_tiers *tiers);
/** One of them, borrowed from the list; NULL past the end. */
DREAMAPI_API const dreamapi_tier *dreamapi_tiers_at(const dreamapi_tiers *tiers, size_t index);
/** The whole answer as it came; NULL for NULL. */
DREAMAPI_API const char *dreamapi_tiers_json(const dreamapi_tiers *tiers);
/** Releases the list and its tiers. NULL is fine. */
DREAMAPI_API void dreamapi_tiers_free(dreamapi_tiers *tiers);

/** The tier's id, which plans are named by; never NULL but for a NULL object. */
DREAMAPI_API const char *dreamapi_tier_id(const dreamapi_tier *tier);
/** The name as the service shows it; NULL when the answer does not say. */
DREAMAPI_API const char *dreamapi_tier_name(const dreamapi_tier *tier);
/** The name to show to people; NULL when the answer does not say. */
DREAMAPI_API const char *dreamapi_tier_display_name(const dreamapi_tier *tier);
/** In the currency's smallest unit (cents); 0 for NULL. */
DREAMAPI_API int64_t dreamapi_tier_price(const dreamapi_tier *tier);
/** Units in a period, or DREAMAPI_UNLIMITED; 0 for NULL. */
DREAMAPI_API int64_t dreamapi_tier_limit(const dreamapi_tier *tier);
/** Number of features; 0 for NULL. */
DREAMAPI_API size_t dreamapi_tier_feature_count(const dreamapi_tier *tier);
/** One of the features; NULL past the end. */
DREAMAPI_API const char *dreamapi_tier_feature(const dreamapi_tier *tier, size_t index);
/** May be ""; NULL when the answer does not say. */
DREAMAPI_API const char *dreamapi_tier_description(const dreamapi_tier *tier);
/** "subscription" or "one_off"; NULL when the answer does not say. */
DREAMAPI_API const char *dreamapi_tier_billing_mode(const dreamapi_tier *tier);
/** NULL if there is none. */
DREAMAPI_API const char *dreamapi_tier_image_url(const dreamapi_tier *tier);
/** Pieces in stock, or DREAMAPI_UNLIMITED when stock is not counted; 0 for NULL. */
DREAMAPI_API int64_t dreamapi_tier_inventory(const dreamapi_tier *tier);
/** 1 when none is left. */
DREAMAPI_API int dreamapi_tier_sold_out(const dreamapi_tier *tier);
/** 1 for the tier that the developer marks as popular. */
DREAMAPI_API int dreamapi_tier_popular(const dreamapi_tier *tier);
/** Stripe's price; NULL for a free tier. */
DREAMAPI_API const char *dreamapi_tier_stripe_price_id(const dreamapi_tier *tier);
/** The same under the wire's other name. */
DREAMAPI_API const char *dreamapi_tier_price_id(const dreamapi_tier *tier);
/** Stripe's product; NULL for a free tier. */
DREAMAPI_API const char *dreamapi_tier_product_id(const dreamapi_tier *tier);
/** Days of trial; -1 when there is no trial. */
DREAMAPI_API int64_t dreamapi_tier_trial_days(const dreamapi_tier *tier);

#ifdef __cplusplus
}
#endif

#endif
