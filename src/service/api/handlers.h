/* SPDX-License-Identifier: Apache-2.0 */
/* handlers.h - the endpoints' entrances, one file each. Every handler leads to exactly one dreamd_call_send. */
#ifndef DREAMD_API_HANDLERS_H
#define DREAMD_API_HANDLERS_H

#include "service/api/call.h"

void dreamd_health(dreamd_call *call);     /* health.c */
void dreamd_tiers_list(dreamd_call *call); /* tiers.c */
void dreamd_usage_get(dreamd_call *call);  /* usage.c */
void dreamd_usage_track(dreamd_call *call);
void dreamd_customer_create(dreamd_call *call); /* customers.c */
void dreamd_customer_get(dreamd_call *call);
void dreamd_customer_update(dreamd_call *call);
void dreamd_customer_remove(dreamd_call *call);
void dreamd_checkout_create(dreamd_call *call); /* checkout.c */
void dreamd_portal_create(dreamd_call *call);   /* portal.c */
void dreamd_products_list(dreamd_call *call);   /* products.c */
void dreamd_asset_upload(dreamd_call *call);    /* assets.c */
/* For the router: files are given out without a key. */
bool dreamd_asset_is_download(const char *method, const char *path);
void dreamd_asset_get(dreamd_call *call);
/* For the server: uploads may have larger bodies. */
bool dreamd_asset_is_upload(const char *method, const char *path);
size_t dreamd_asset_max_body(void);
void dreamd_cart_checkout(dreamd_call *call);  /* cart.c */
void dreamd_customers_list(dreamd_call *call); /* customer_list.c */
void dreamd_dashboard_get(dreamd_call *call);  /* dashboard.c */
void dreamd_dashboard_totals(dreamd_call *call);
void dreamd_usage_batch(dreamd_call *call);    /* usage_batch.c */
void dreamd_leases(dreamd_call *call);         /* leases.c */
void dreamd_usage_history(dreamd_call *call);  /* usage_history.c */
void dreamd_webhook_clerk(dreamd_call *call);  /* webhook_clerk.c */
void dreamd_webhook_stripe(dreamd_call *call); /* webhook_stripe.c */

#endif
