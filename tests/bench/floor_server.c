/* SPDX-License-Identifier: Apache-2.0 */
/* floor_server.c - what libmicrohttpd alone costs, set up as dreamapid sets it up: GET is answered at once, POST after its connection was
 * suspended and, by another thread, resumed; both with an empty answer. Prints its port; ends with its standard input. */
#include <arpa/inet.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { THREADS = 2, QUEUE = 4096 };

/* Connections that wait for the other thread, as they do for a commit in dreamapid. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t is_filled = PTHREAD_COND_INITIALIZER;
static struct MHD_Connection *waiting[QUEUE];
static int waiting_count;
static struct MHD_Response *empty;

static void *resume_all(void *arg)
{
    static struct MHD_Connection *taken[QUEUE];
    int count;

    (void)arg;
    for (;;) {
        (void)pthread_mutex_lock(&lock);
        while (waiting_count == 0)
            (void)pthread_cond_wait(&is_filled, &lock);
        count = waiting_count;
        memcpy(taken, waiting, (size_t)count * sizeof(*taken));
        waiting_count = 0;
        (void)pthread_mutex_unlock(&lock);
        for (int i = 0; i < count; i++)
            MHD_resume_connection(taken[i]);
    }
    return NULL;
}

static enum MHD_Result suspend(struct MHD_Connection *connection)
{
    MHD_suspend_connection(connection);
    (void)pthread_mutex_lock(&lock);
    waiting[waiting_count++] = connection; /* no more connections than places */
    (void)pthread_cond_signal(&is_filled);
    (void)pthread_mutex_unlock(&lock);
    return MHD_YES;
}

static enum MHD_Result on_access(void *context, struct MHD_Connection *connection, const char *url, const char *method,
                                 const char *version, const char *body, size_t *size, void **state)
{
    static char begun, resumed;

    (void)context, (void)url, (void)version, (void)body;
    if (*state == NULL) {
        *state = &begun;
        return MHD_YES;
    }
    if (*size > 0) {
        *size = 0;
        return MHD_YES;
    }
    if (*state == &begun && strcmp(method, "POST") == 0) {
        *state = &resumed;
        return suspend(connection);
    }
    return MHD_queue_response(connection, MHD_HTTP_OK, empty);
}

int main(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    const union MHD_DaemonInfo *info;
    struct MHD_Daemon *daemon;
    pthread_t resumer;
    char byte = 0;

    empty = MHD_create_response_from_buffer(0, &byte, MHD_RESPMEM_PERSISTENT);
    daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_access, NULL,
                              MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_THREAD_POOL_SIZE, (unsigned)THREADS,
                              MHD_OPTION_CONNECTION_LIMIT, (unsigned)QUEUE, MHD_OPTION_CONNECTION_TIMEOUT, 60U,
                              MHD_OPTION_END);
    if (daemon == NULL || pthread_create(&resumer, NULL, resume_all, NULL) != 0)
        return 1;
    info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT);
    (void)printf("%d\n", (int)info->port);
    (void)fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    return 0;
}
