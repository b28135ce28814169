/* SPDX-License-Identifier: Apache-2.0 */
/* sigpipe.c - libcurl sends with MSG_NOSIGNAL, but the TLS library below it writes
 * plainly, and told not to touch signal handlers (CURLOPT_NOSIGNAL) libcurl leaves SIGPIPE to us. A write to a
 * connection that the server closed would end the host. A handler belongs to the whole process,
 * so none is set: the signal is blocked for this thread, and one that our own write raised (it is directed at the
 * thread) is taken before the mask is put back. On the client's own thread all signals are blocked anyway. */
#include "lib/sigpipe.h"

#include <signal.h>
#include <stddef.h>
#include <time.h>

static void only_sigpipe(sigset_t *out)
{
    (void)sigemptyset(out);
    (void)sigaddset(out, SIGPIPE);
}

void dream_sigpipe_block(dream_sigpipe_guard *guard)
{
    sigset_t pipe_signal;
    sigset_t before;

    only_sigpipe(&pipe_signal);
    guard->is_active = pthread_sigmask(SIG_BLOCK, &pipe_signal, &before) == 0 && sigismember(&before, SIGPIPE) == 0;
}

void dream_sigpipe_unblock(dream_sigpipe_guard *guard)
{
    static const struct timespec at_once = { 0, 0 };
    sigset_t pipe_signal;

    if (!guard->is_active)
        return;
    only_sigpipe(&pipe_signal);
    /* It was not blocked before, so one that is pending now came while we were inside. */
    (void)sigtimedwait(&pipe_signal, NULL, &at_once);
    (void)pthread_sigmask(SIG_UNBLOCK, &pipe_signal, NULL);
    guard->is_active = false;
}
