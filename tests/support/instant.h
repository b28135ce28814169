/* SPDX-License-Identifier: Apache-2.0 */
/* instant.h - a transport whose exchanges end within start: nothing is ever under way, so there is nothing to cancel, await or free. */
#ifndef TESTS_SUPPORT_INSTANT_H
#define TESTS_SUPPORT_INSTANT_H

#include <dreamapi.h>
#include <dreamapi/transport.h>

static inline dreamapi_status instant_open(void *user_data, const dreamapi_transport_settings *settings, void **out)
{
    (void)settings;
    *out = user_data;
    return DREAMAPI_OK;
}

static inline int instant_cancel(void *instance, dreamapi_exchange *exchange)
{
    (void)instance, (void)exchange;
    return 1;
}

static inline void instant_nothing(void *instance)
{
    (void)instance;
}

static inline int instant_no_fd(void *instance)
{
    (void)instance;
    return -1;
}

static inline int64_t instant_no_timeout(void *instance)
{
    (void)instance;
    return -1;
}

/* Has to end the exchange that it is given. */
typedef dreamapi_status instant_start(void *instance, dreamapi_exchange *exchange);

/* `data` is the instance that `start` gets. */
static inline dreamapi_transport instant_transport(void *data, instant_start *start)
{
    return (dreamapi_transport){ .struct_size = sizeof(dreamapi_transport),
                                 .user_data = data,
                                 .open = instant_open,
                                 .start = start,
                                 .cancel = instant_cancel,
                                 .perform = instant_nothing,
                                 .fd = instant_no_fd,
                                 .timeout_ms = instant_no_timeout,
                                 .destroy = instant_nothing };
}

#endif
