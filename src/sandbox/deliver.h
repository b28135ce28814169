/* SPDX-License-Identifier: Apache-2.0 */
/* deliver.h - sends Stripe's and Clerk's events to the webhook URLs, signed as each of them signs, until each was
 * taken with a 2xx.
 *
 * In order per queue: an event is sent to a URL when the queue's events before it were taken there. At least once:
 * after a crash, or with two processes over one file, an event may come again, as it may from Stripe. What is left is
 * in the file, so that the next start goes on. The place of a URL in the list is what is remembered, not its text: a
 * restart on other ports does not send everything anew. */
#ifndef SANDBOX_DELIVER_H
#define SANDBOX_DELIVER_H

#include "net/metrics.h"
#include "sandbox/store.h"

typedef struct sandbox_deliver sandbox_deliver;

/* Starts the delivery thread; `secrets` are copied, `metrics` may be NULL. NULL with a sentence in `error`. */
sandbox_deliver *sandbox_deliver_start(sandbox_store *store, const char *secrets[SANDBOX_SERVICES][SANDBOX_MODES],
                                       dreamd_metrics *metrics, char error[256]);
/* Before the first URLs: the public key that https ones must have, whatever their certificate says. Copied; NULL is as usual. */
bool sandbox_deliver_set_pin(sandbox_deliver *deliver, const char *pin);
/* `urls` is NULL-terminated and copied; false when out of memory or there are more than SANDBOX_DELIVERY_SLOTS. Any
 * thread. */
bool sandbox_deliver_set_urls(sandbox_deliver *deliver, enum sandbox_service service, enum sandbox_mode mode,
                              const char *const *urls);
void sandbox_deliver_wake(sandbox_deliver *deliver); /* there are new events; any thread; NULL is fine */
/* Breaks off what is under way. The store must still be open. NULL is fine. */
void sandbox_deliver_stop(sandbox_deliver *deliver);

/* How long to wait after this many failed tries in a row: 200 ms, doubled each time, at most 30 s. */
int64_t sandbox_deliver_delay_ms(unsigned failures);

#endif
