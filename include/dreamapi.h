/* SPDX-License-Identifier: Apache-2.0 */
/** @file dreamapi.h
 * The whole public interface but for dreamapi/testing.h. One header a topic;
 * each may be included alone. Start with dreamapi/client.h and dreamapi/call.h. */
#ifndef DREAMAPI_H
#define DREAMAPI_H

#include <dreamapi/asset.h>
#include <dreamapi/base.h>
#include <dreamapi/call.h>
#include <dreamapi/cart.h>
#include <dreamapi/checkout.h>
#include <dreamapi/client.h>
#include <dreamapi/customer.h>
#include <dreamapi/dashboard.h>
#include <dreamapi/error.h>
#include <dreamapi/health.h>
#include <dreamapi/meter.h>
#include <dreamapi/options.h>
#include <dreamapi/portal.h>
#include <dreamapi/product.h>
#include <dreamapi/tier.h>
#include <dreamapi/tier_check.h>
#include <dreamapi/token.h>
#include <dreamapi/transport.h>
#include <dreamapi/usage.h>
#include <dreamapi/usage_batch.h>
#include <dreamapi/usage_history.h>
#include <dreamapi/version.h>
#include <dreamapi/webhook.h>

#endif
