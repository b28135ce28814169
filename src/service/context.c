/* SPDX-License-Identifier: Apache-2.0 */
/* context.c - counts the requests in hand, so that nothing they use is taken away under them. */
#include "service/context.h"

void dreamd_context_enter(dreamd_context *context)
{
    pthread_mutex_lock(&context->mutex);
    context->in_hand++;
    pthread_mutex_unlock(&context->mutex);
}

void dreamd_context_leave(dreamd_context *context)
{
    pthread_mutex_lock(&context->mutex);
    context->in_hand--;
    if (context->in_hand == 0)
        pthread_cond_broadcast(&context->is_idle);
    pthread_mutex_unlock(&context->mutex);
}

void dreamd_context_wait_idle(dreamd_context *context)
{
    pthread_mutex_lock(&context->mutex);
    while (context->in_hand > 0)
        pthread_cond_wait(&context->is_idle, &context->mutex);
    pthread_mutex_unlock(&context->mutex);
}
