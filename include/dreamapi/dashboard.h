/* SPDX-License-Identifier: Apache-2.0 */
/** @file dashboard.h
 * What a developer sees of a project: figures, users, tiers, keys, and what was
 * reported to it; and the figures of all projects together. These calls need the
 * secret key, and show the project and the mode (live or test) that the key is of; the
 * hosted service's totals are those of live projects whatever the key.
 *
 * A dashboard and its totals are values: they are owned by whoever received them, do
 * not change, and outlive client and call. Any thread may read them. Their parts and
 * texts are borrowed until dreamapi_dashboard_free or dreamapi_totals_free. Accessors take NULL.
 * Amounts of money are in the currency's smallest unit. */
#ifndef DREAMAPI_DASHBOARD_H
#define DREAMAPI_DASHBOARD_H

#include <dreamapi/call.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A project's figures, users, tiers, keys and events. */
typedef struct dreamapi_dashboard dreamapi_dashboard;
/** One user of a dashboard, with subscription and usage. */
typedef struct dreamapi_dashboard_customer dreamapi_dashboard_customer;
/** One tier or product of a dashboard. */
typedef struct dreamapi_dashboard_tier dreamapi_dashboard_tier;
/** One project's key of a dashboard. */
typedef struct dreamapi_dashboard_api_key dreamapi_dashboard_api_key;
/** One event that Stripe or Clerk reported. */
typedef struct dreamapi_dashboard_event dreamapi_dashboard_event;
/** The figures of all projects of a platform. */
typedef struct dreamapi_totals dreamapi_totals;

/** Reads the project's dashboard (GET /api/dashboard). It is as long as the project has users: see
 * dreamapi_options_set_max_response_size. `*out_dashboard` is owned, NULL on failure; may be NULL. */
DREAMAPI_API dreamapi_status dreamapi_dashboard_get(dreamapi_client *client, const dreamapi_call_options *options,
                                                    dreamapi_dashboard **out_dashboard, dreamapi_error *error);
/** dreamapi_dashboard_get without waiting. `*out_call` is owned (dreamapi_call_free), NULL on failure. */
DREAMAPI_API dreamapi_status dreamapi_dashboard_get_start(dreamapi_client *client, const dreamapi_call_options *options,
                                                          dreamapi_call **out_call, dreamapi_error *error);
/** Takes the dashboard out of a finished call; owned. The call's status; DREAMAPI_PENDING if it is not finished,
 * DREAMAPI_INVALID if the call was about something else or its object was taken before. `out_dashboard` may be NULL. */
DREAMAPI_API dreamapi_status dreamapi_dashboard_result(dreamapi_call *call, dreamapi_dashboard **out_dashboard,
                                                       dreamapi_error *error);

/** Reads the figures of all projects (GET /api/dashboard/totals). `*out_totals` is owned, NULL on failure; may be NULL. */
DREAMAPI_API dreamapi_status dreamapi_dashboard_totals(dreamapi_client *client, const dreamapi_call_options *options,
                                                       dreamapi_totals **out_totals, dreamapi_error *error);
/** dreamapi_dashboard_totals without waiting. `*out_call` is owned (dreamapi_call_free), NULL on failure. */
DREAMAPI_API dreamapi_status dreamapi_dashboard_totals_start(dreamapi_client *client,
                                                             const dreamapi_call_options *options,
                                                             dreamapi_call **out_call, dreamapi_error *error);
/** Takes the totals out of a finished call; owned. Statuses as in dreamapi_dashboard_result. `out_totals` may be NULL. */
DREAMAPI_API dreamapi_status dreamapi_totals_result(dreamapi_call *call, dreamapi_totals **out_totals,
                                                    dreamapi_error *error);

/** Subscriptions that are active or in trial. */
DREAMAPI_API int64_t dreamapi_dashboard_active_subs(const dreamapi_dashboard *dashboard);
/** Those of them that end with their period. */
DREAMAPI_API int64_t dreamapi_dashboard_canceling_subs(const dreamapi_dashboard *dashboard);
/** What the subscriptions bring in a month, in the smallest unit (cents) of their main currency. */
DREAMAPI_API int64_t dreamapi_dashboard_mrr(const dreamapi_dashboard *dashboard);
/** Units that all users used in their present periods. */
DREAMAPI_API int64_t dreamapi_dashboard_usage_this_period(const dreamapi_dashboard *dashboard);
/** Carts that were paid. */
DREAMAPI_API int64_t dreamapi_dashboard_store_sales_count(const dreamapi_dashboard *dashboard);
/** What they brought, in the currency's smallest unit (cents). */
DREAMAPI_API int64_t dreamapi_dashboard_store_total_revenue(const dreamapi_dashboard *dashboard);
/** Products with few pieces left, by the server's measure. */
DREAMAPI_API int64_t dreamapi_dashboard_low_stock_products(const dreamapi_dashboard *dashboard);
/** Pieces in stock, of products whose stock is counted. */
DREAMAPI_API int64_t dreamapi_dashboard_total_inventory(const dreamapi_dashboard *dashboard);
/** Of the project whose dashboard this is; NULL when the answer does not say. */
DREAMAPI_API const char *dreamapi_dashboard_publishable_key(const dreamapi_dashboard *dashboard);
/** Stands for the secret key where one is shown; never the key. NULL when the answer does not say. */
DREAMAPI_API const char *dreamapi_dashboard_secret_key_masked(const dreamapi_dashboard *dashboard);
/** The developer's platform; NULL when the answer does not say. */
DREAMAPI_API const char *dreamapi_dashboard_platform_id(const dreamapi_dashboard *dashboard);
/** Stripe's; NULL as long as none is connected. */
DREAMAPI_API const char *dreamapi_dashboard_stripe_account_id(const dreamapi_dashboard *dashboard);
/** When the newest of the recent events came, in UTC, as the server writes it; NULL if none came. */
DREAMAPI_API const char *dreamapi_dashboard_last_event_at(const dreamapi_dashboard *dashboard);
/** What the answer is about: the platform; NULL when the answer does not say. */
DREAMAPI_API const char *dreamapi_dashboard_filter_platform_id(const dreamapi_dashboard *dashboard);
/** What the answer is about: the project; NULL when the answer does not say. */
DREAMAPI_API const char *dreamapi_dashboard_filter_publishable_key(const dreamapi_dashboard *dashboard);
/** What the answer is about: "live" or "test"; NULL when the answer does not say. */
DREAMAPI_API const char *dreamapi_dashboard_filter_mode(const dreamapi_dashboard *dashboard);
/** Number of users; 0 for NULL. */
DREAMAPI_API size_t dreamapi_dashboard_customer_count(const dreamapi_dashboard *dashboard);
/** One of them, borrowed from the dashboard; NULL past the end. */
DREAMAPI_API const dreamapi_dashboard_customer *dreamapi_dashboard_customer_at(const dreamapi_dashboard *dashboard,
                                                                               size_t index);
/** 1 when the project has further users, which this answer leaves out; 0 when it does not say. See dreamapi_customer_pages_open. */
DREAMAPI_API int dreamapi_dashboard_has_more_customers(const dreamapi_dashboard *dashboard);
/** Number of tiers and products; 0 for NULL. */
DREAMAPI_API size_t dreamapi_dashboard_tier_count(const dreamapi_dashboard *dashboard);
/** One of them, borrowed from the dashboard; NULL past the end. */
DREAMAPI_API const dreamapi_dashboard_tier *dreamapi_dashboard_tier_at(const dreamapi_dashboard *dashboard,
                                                                       size_t index);
/** Number of keys of all the platform's projects; 0 for NULL. */
DREAMAPI_API size_t dreamapi_dashboard_api_key_count(const dreamapi_dashboard *dashboard);
/** One of them, borrowed from the dashboard; NULL past the end. */
DREAMAPI_API const dreamapi_dashboard_api_key *dreamapi_dashboard_api_key_at(const dreamapi_dashboard *dashboard,
                                                                             size_t index);
/** Number of recent events, newest first; 0 for NULL. */
DREAMAPI_API size_t dreamapi_dashboard_event_count(const dreamapi_dashboard *dashboard);
/** One of them, borrowed from the dashboard; NULL past the end. */
DREAMAPI_API const dreamapi_dashboard_event *dreamapi_dashboard_event_at(const dreamapi_dashboard *dashboard,
                                                                         size_t index);
/** The whole answer as it came; NULL for NULL. */
DREAMAPI_API const char *dreamapi_dashboard_json(const dreamapi_dashboard *dashboard);
/** Releases the dashboard and its parts. NULL is fine. */
DREAMAPI_API void dreamapi_dashboard_free(dreamapi_dashboard *dashboard);

/** The user's id; never NULL but for a NULL object. */
DREAMAPI_API const char *dreamapi_dashboard_customer_user_id(const dreamapi_dashboard_customer *customer);
/** NULL if there is none. */
DREAMAPI_API const char *dreamapi_dashboard_customer_email(const dreamapi_dashboard_customer *customer);
/** The name of the tier in force; NULL when the answer does not say. */
DREAMAPI_API const char *dreamapi_dashboard_customer_plan(const dreamapi_dashboard_customer *customer);
/** The subscription's, as in "active"; "none" without one. */
DREAMAPI_API const char *dreamapi_dashboard_customer_status(const dreamapi_dashboard_customer *customer);
/** Units used in this period; 0 for NULL. */
DREAMAPI_API int64_t dreamapi_dashboard_customer_usage_count(const dreamapi_dashboard_customer *customer);
/** Units the plan allows in a period, or DREAMAPI_UNLIMITED; 0 for NULL. */
DREAMAPI_API int64_t dreamapi_dashboard_customer_limit(const dreamapi_dashboard_customer *customer);
/** First day of the period, "YYYY-MM-DD" in UTC; NULL before the first use. */
DREAMAPI_API const char *dreamapi_dashboard_customer_period_start(const dreamapi_dashboard_customer *customer);
/** Last day of the period, "YYYY-MM-DD" in UTC; NULL before the first use. */
DREAMAPI_API const char *dreamapi_dashboard_customer_period_end(const dreamapi_dashboard_customer *customer);
/** When the subscription's paid period ends, in ISO 8601; NULL without a subscription. */
DREAMAPI_API const char *dreamapi_dashboard_customer_current_period_end(const dreamapi_dashboard_customer *customer);
/** When the subscription was or will be over, in ISO 8601; NULL if nobody cancelled it. */
DREAMAPI_API const char *dreamapi_dashboard_customer_canceled_at(const dreamapi_dashboard_customer *customer);
/** Stripe's; NULL if there is none. */
DREAMAPI_API const char *dreamapi_dashboard_customer_subscription_id(const dreamapi_dashboard_customer *customer);
/** Stripe's; NULL if there is none. */
DREAMAPI_API const char *dreamapi_dashboard_customer_stripe_customer_id(const dreamapi_dashboard_customer *customer);
/** Stripe's; NULL if there is none. */
DREAMAPI_API const char *dreamapi_dashboard_customer_price_id(const dreamapi_dashboard_customer *customer);
/** Stripe's; NULL if there is none. */
DREAMAPI_API const char *dreamapi_dashboard_customer_product_id(const dreamapi_dashboard_customer *customer);
/** What a period costs, in the currency's smallest unit (cents); -1 when the answer does not say. */
DREAMAPI_API int64_t dreamapi_dashboard_customer_amount(const dreamapi_dashboard_customer *customer);
/** Three small letters, as in "usd"; NULL when the answer does not say. */
DREAMAPI_API const char *dreamapi_dashboard_customer_currency(const dreamapi_dashboard_customer *customer);
/** The user's project; NULL when the answer does not say. */
DREAMAPI_API const char *dreamapi_dashboard_customer_publishable_key(const dreamapi_dashboard_customer *customer);

/** The tier's id, which plans are named by; never NULL but for a NULL object. */
DREAMAPI_API const char *dreamapi_dashboard_tier_name(const dreamapi_dashboard_tier *tier);
/** The name to show to people; NULL when the answer does not say. */
DREAMAPI_API const char *dreamapi_dashboard_tier_display_name(const dreamapi_dashboard_tier *tier);
/** In the currency's smallest unit (cents); 0 for NULL. */
DREAMAPI_API int64_t dreamapi_dashboard_tier_price(const dreamapi_dashboard_tier *tier);
/** Units in a period, or DREAMAPI_UNLIMITED; 0 for NULL. */
DREAMAPI_API int64_t dreamapi_dashboard_tier_limit(const dreamapi_dashboard_tier *tier);
/** Stripe's price; NULL for a free tier. */
DREAMAPI_API const char *dreamapi_dashboard_tier_price_id(const dreamapi_dashboard_tier *tier);
/** Stripe's product; NULL for a free tier. */
DREAMAPI_API const char *dreamapi_dashboard_tier_product_id(const dreamapi_dashboard_tier *tier);
/** 1 for the tier that the developer marks as popular. */
DREAMAPI_API int dreamapi_dashboard_tier_popular(const dreamapi_dashboard_tier *tier);
/** Pieces in stock, or DREAMAPI_UNLIMITED when stock is not counted; 0 for NULL. */
DREAMAPI_API int64_t dreamapi_dashboard_tier_inventory(const dreamapi_dashboard_tier *tier);
/** 1 when none is left. */
DREAMAPI_API int dreamapi_dashboard_tier_sold_out(const dreamapi_dashboard_tier *tier);
/** The tier's project; NULL when the answer does not say. */
DREAMAPI_API const char *dreamapi_dashboard_tier_publishable_key(const dreamapi_dashboard_tier *tier);
/** "saas", "store" or "membership"; NULL when the answer does not say. */
DREAMAPI_API const char *dreamapi_dashboard_tier_project_type(const dreamapi_dashboard_tier *tier);

/** What the project is named by; never NULL but for a NULL object. */
DREAMAPI_API const char *dreamapi_dashboard_api_key_publishable_key(const dreamapi_dashboard_api_key *api_key);
/** In UTC, as the server writes it; NULL when the answer does not say. */
DREAMAPI_API const char *dreamapi_dashboard_api_key_created_at(const dreamapi_dashboard_api_key *api_key);
/** "active" or "revoked"; NULL when the answer does not say. */
DREAMAPI_API const char *dreamapi_dashboard_api_key_status(const dreamapi_dashboard_api_key *api_key);
/** The project's name; NULL if it has none. */
DREAMAPI_API const char *dreamapi_dashboard_api_key_name(const dreamapi_dashboard_api_key *api_key);
/** "saas", "store" or "membership"; NULL when the answer does not say. */
DREAMAPI_API const char *dreamapi_dashboard_api_key_project_type(const dreamapi_dashboard_api_key *api_key);
/** "live" or "test"; NULL when the answer does not say. */
DREAMAPI_API const char *dreamapi_dashboard_api_key_mode(const dreamapi_dashboard_api_key *api_key);

/** As in "checkout.session.completed"; never NULL but for a NULL object. */
DREAMAPI_API const char *dreamapi_dashboard_event_type(const dreamapi_dashboard_event *event);
/** In UTC, as the server writes it; NULL when the answer does not say. */
DREAMAPI_API const char *dreamapi_dashboard_event_created_at(const dreamapi_dashboard_event *event);
/** What was reported, as JSON without white space; NULL when the answer does not say. */
DREAMAPI_API const char *dreamapi_dashboard_event_payload(const dreamapi_dashboard_event *event);

/** What the subscriptions bring in a month, in the smallest unit (cents) of their main currency. */
DREAMAPI_API int64_t dreamapi_totals_mrr(const dreamapi_totals *totals);
/** Subscriptions that are active or in trial. */
DREAMAPI_API int64_t dreamapi_totals_active_subs(const dreamapi_totals *totals);
/** Those of them that end with their period. */
DREAMAPI_API int64_t dreamapi_totals_canceling_subs(const dreamapi_totals *totals);
/** Tiers and products on sale. */
DREAMAPI_API int64_t dreamapi_totals_total_products(const dreamapi_totals *totals);
/** Projects in live mode. */
DREAMAPI_API int64_t dreamapi_totals_live_projects(const dreamapi_totals *totals);
/** Projects of `mode`; -1 when the answer does not say, and for NULL. */
DREAMAPI_API int64_t dreamapi_totals_projects(const dreamapi_totals *totals);
/** What the figures are of: "live" or "test"; NULL when the answer does not say. */
DREAMAPI_API const char *dreamapi_totals_mode(const dreamapi_totals *totals);
/** The developer's platform; NULL when the answer does not say. */
DREAMAPI_API const char *dreamapi_totals_platform_id(const dreamapi_totals *totals);
/** The whole answer as it came; NULL for NULL. */
DREAMAPI_API const char *dreamapi_totals_json(const dreamapi_totals *totals);
/** Releases the totals. NULL is fine. */
DREAMAPI_API void dreamapi_totals_free(dreamapi_totals *totals);

#ifdef __cplusplus
}
#endif

#endif
