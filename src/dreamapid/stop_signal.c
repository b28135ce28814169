/* SPDX-License-Identifier: Apache-2.0 */
/* stop_signal.c - waits for the signals that end `serve`. What ending means is cmd_serve.c. */
#include "dreamapid/stop_signal.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "dreamapid/command.h"
#include "net/log.h"

static sigset_t stop_signals(void)
{
    sigset_t set;
    struct sigaction hangup;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    /* Under nohup a closed terminal must not matter; a blocked signal would arrive although it is ignored. */
    if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler != SIG_IGN)
        (void)sigaddset(&set, SIGHUP);
    return set;
}

bool dreamd_stop_signal_block(void)
{
    sigset_t set = stop_signals();
    struct sigaction ignore;
    memset(&ignore, 0, sizeof ignore);
    ignore.sa_handler = SIG_IGN;
    return sigaction(SIGPIPE, &ignore, NULL) == 0 && pthread_sigmask(SIG_BLOCK, &set, NULL) == 0;
}

int dreamd_stop_signal_wait(void)
{
    sigset_t set = stop_signals();
    int number = 0;
    while (sigwait(&set, &number) != 0)
        continue;
    return number;
}

/* The one thread that waits for a second signal; the main thread's, but for `is_over`. */
static pthread_t waiter;
static bool is_armed;
static atomic_bool is_over;

static void *end_at_next(void *unused)
{
    (void)unused;
    (void)dreamd_stop_signal_wait();
    if (atomic_load(&is_over))
        return NULL;
    dreamd_log(DREAMD_LOG_WARN, "ended_at_once", dreamd_log_text("reason", "a second signal"));
    _exit(DREAMD_EXIT_FAILED);
}

void dreamd_stop_signal_arm(void)
{
    /* Without the thread a second signal waits for the drain: a pity, no harm. */
    is_armed = pthread_create(&waiter, NULL, end_at_next, NULL) == 0;
}

void dreamd_stop_signal_disarm(void)
{
    if (!is_armed)
        return;
    /* Woken by a signal of our own: cancelling it would leave its stack marked as in use under AddressSanitizer. */
    atomic_store(&is_over, true);
    (void)pthread_kill(waiter, SIGTERM);
    (void)pthread_join(waiter, NULL);
    is_armed = false;
}
