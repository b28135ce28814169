/* SPDX-License-Identifier: Apache-2.0 */
/* transport_curl.c - connections and waiting: libcurl tells which sockets it waits
 * for, an epoll set waits for them all, and its descriptor is the one the client sees.
 * A single transfer is curl_work.c.
 *
 * Used by one thread at a time.
 *
 * libcurl closes a socket that never got connected behind our back, without calling close_socket, and tells that it
 * no longer waits for it only afterwards: by then another thread of the program may own the number. So the epoll set
 * holds a copy of each descriptor, ours to remove and to close, and a number alone is never trusted.
 *
 * The sockets are remembered for a forked child too: it puts something harmless in their places before it releases
 * libcurl's memory, so that no farewell of its copy reaches the parent's connections. */
#include "lib/transport_curl.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/timefmt.h"
#include "lib/curl_work.h"
#include "lib/global.h"
#include "lib/sigpipe.h"

/* libcurl's cache counts the connections in use too, and closes whichever comes back to a full one: it has to hold all. */
enum { MAX_CONNECTIONS = 64, EVENTS_AT_ONCE = 32 };

/* An exchange on its way. Beyond MAX_CONNECTIONS they wait here, where one costs a few bytes and not the 20 kB and more of
 * a libcurl handle. */
struct transfer {
    dreamapi_exchange *exchange;
    dream_curl_work *work; /* NULL while it waits its turn */
    struct transfer *previous;
    struct transfer *next;
};

/* A socket that libcurl opened and may have closed since. */
struct watched {
    int fd;          /* libcurl's */
    int copy;        /* ours, in the epoll set; -1 while libcurl does not wait for it */
    uint32_t events; /* what it waits for */
    ino_t inode;     /* tells a forked child if the number still is this socket */
};

struct transport {
    CURLM *multi;
    int epoll_fd;
    int64_t due_ms; /* when libcurl wants to be called; -1 never */
    dream_curl_setup setup;
    char *ca_file;
    char *proxy;
    size_t under_way; /* transfers that libcurl has */
    struct transfer *under_way_first;
    bool has_tls;                   /* an exchange of https came by */
    bool is_broken;                 /* libcurl as a whole failed */
    bool is_over;                   /* the process is ending: libcurl is not to be touched again */
    struct transfer *waiting_first; /* those that it does not have yet, oldest first */
    struct transfer *waiting_last;
    struct watched *sockets;
    size_t socket_count;
    size_t socket_capacity;
    struct transport *next_left_alone;
};

/* In forked children and as the process ends: transports whose memory could not be released. Listed, so that a leak is no mystery. */
static struct transport *left_alone;

/* ---- sockets ---- */

static struct watched *find_socket(const struct transport *transport, int fd)
{
    for (size_t i = 0; i < transport->socket_count; i++) {
        if (transport->sockets[i].fd == fd)
            return &transport->sockets[i];
    }
    return NULL;
}

/* NULL when out of memory. */
static struct watched *add_socket(struct transport *transport)
{
    size_t capacity = transport->socket_capacity == 0 ? 8 : transport->socket_capacity * 2;
    struct watched *sockets;

    if (transport->socket_count == transport->socket_capacity) {
        sockets = realloc(transport->sockets, capacity * sizeof(*sockets));
        if (sockets == NULL)
            return NULL;
        transport->sockets = sockets;
        transport->socket_capacity = capacity;
    }
    transport->sockets[transport->socket_count].copy = -1;
    return &transport->sockets[transport->socket_count++];
}

static ino_t inode_of(int fd)
{
    struct stat info;

    return fstat(fd, &info) == 0 ? info.st_ino : 0;
}

static int copy_of(int fd)
{
#ifdef __SANITIZE_THREAD__
    /* ThreadSanitizer does not see a descriptor that fcntl makes, and takes its number for the last owner's. */
    int copy = dup(fd);

    if (copy >= 0)
        (void)fcntl(copy, F_SETFD, FD_CLOEXEC);
    return copy;
#else
    return fcntl(fd, F_DUPFD_CLOEXEC, 0);
#endif
}

/* Closing the last descriptor of a socket would take it out of the set, but libcurl may still have its own. */
static void unwatch(struct transport *transport, struct watched *socket)
{
    if (socket->copy < 0)
        return;
    (void)epoll_ctl(transport->epoll_fd, EPOLL_CTL_DEL, socket->copy, NULL);
    (void)close(socket->copy);
    socket->copy = -1;
}

static bool watch(struct transport *transport, struct watched *socket, uint32_t events)
{
    struct epoll_event event = { .events = events, .data = { .fd = socket->fd } };
    bool is_new = socket->copy < 0;

    if (is_new && (socket->copy = copy_of(socket->fd)) < 0)
        return false;
    socket->events = events;
    if (epoll_ctl(transport->epoll_fd, is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, socket->copy, &event) == 0)
        return true;
    if (is_new) {
        (void)close(socket->copy);
        socket->copy = -1;
    }
    return false;
}

/* A number that is known was closed without a word and given out again. libcurl may not notice either, and then does not
 * ask to wait for it: what it waited for holds on for the new socket. */
static bool remember_socket(struct transport *transport, int fd)
{
    struct watched *socket = find_socket(transport, fd);
    bool was_watched = socket != NULL && socket->copy >= 0;

    if (socket == NULL && (socket = add_socket(transport)) == NULL)
        return false;
    unwatch(transport, socket);
    socket->fd = fd;
    socket->inode = inode_of(fd);
    return !was_watched || watch(transport, socket, socket->events);
}

static curl_socket_t open_socket(void *data, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct transport *transport = data;
    int fd;

    (void)purpose;
    fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (fd >= 0 && !remember_socket(transport, fd)) {
        (void)close(fd);
        fd = -1;
    }
    return fd < 0 ? CURL_SOCKET_BAD : fd;
}

static int close_socket(void *data, curl_socket_t fd)
{
    struct transport *transport = data;
    struct watched *socket = find_socket(transport, fd);

    if (socket != NULL) {
        unwatch(transport, socket);
        *socket = transport->sockets[--transport->socket_count];
    }
    return close(fd);
}

static int socket_changed(CURL *easy, curl_socket_t fd, int what, void *data, void *socket_data)
{
    struct transport *transport = data;
    struct watched *socket = find_socket(transport, fd);
    uint32_t events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);

    (void)easy;
    (void)socket_data;
    if (transport->epoll_fd < 0)
        return 0;
    if (what == CURL_POLL_REMOVE) {
        if (socket != NULL)
            unwatch(transport, socket);
        return 0;
    }
    /* The resolver's own descriptor is none that we opened. */
    if (socket == NULL) {
        socket = add_socket(transport);
        if (socket == NULL)
            return -1;
        socket->fd = fd;
        socket->inode = inode_of(fd);
    }
    return watch(transport, socket, events) ? 0 : -1;
}

static int timer_changed(CURLM *multi, long timeout_ms, void *data)
{
    struct transport *transport = data;

    (void)multi;
    transport->due_ms = timeout_ms < 0 ? -1 : dream_monotonic_ms() + timeout_ms;
    return 0;
}

/* ---- the instance ---- */

/* Around everything that may write on a connection. Without TLS nothing of libcurl's ends before the process does. */
static void enter_curl(struct transport *transport, dream_sigpipe_guard *guard)
{
    dream_sigpipe_block(guard);
    if (transport->has_tls && !dream_global_enter())
        transport->is_over = transport->is_broken = true;
}

static void leave_curl(struct transport *transport, dream_sigpipe_guard *guard)
{
    if (transport->has_tls)
        dream_global_leave();
    dream_sigpipe_unblock(guard);
}

static void drop_multi(struct transport *transport)
{
    if (transport->multi == NULL || transport->is_over)
        return;
    (void)curl_multi_cleanup(transport->multi);
    transport->multi = NULL;
}

static void leave_alone(struct transport *transport)
{
    transport->next_left_alone = left_alone;
    left_alone = transport;
}

static void unwatch_all(struct transport *transport)
{
    for (size_t i = 0; i < transport->socket_count; i++)
        unwatch(transport, &transport->sockets[i]);
}

static void destroy(void *instance)
{
    struct transport *transport = instance;
    dream_sigpipe_guard guard;

    enter_curl(transport, &guard);
    drop_multi(transport);
    leave_curl(transport, &guard);
    if (transport->is_over) {
        leave_alone(transport);
        return;
    }
    unwatch_all(transport);
    if (transport->epoll_fd >= 0)
        (void)close(transport->epoll_fd);
    free(transport->ca_file);
    free(transport->proxy);
    free(transport->sockets);
    free(transport);
    dream_global_release();
}

static bool set_multi(struct transport *transport)
{
    CURLM *multi = transport->multi;

    return curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, socket_changed) == CURLM_OK
           && curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, transport) == CURLM_OK
           && curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, timer_changed) == CURLM_OK
           && curl_multi_setopt(multi, CURLMOPT_TIMERDATA, transport) == CURLM_OK
           && curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)MAX_CONNECTIONS) == CURLM_OK
           && curl_multi_setopt(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)MAX_CONNECTIONS) == CURLM_OK;
}

/* Made anew after it had to be thrown away; false when out of memory. As the process ends, too: that is not repeated. */
static bool has_multi(struct transport *transport)
{
    if (transport->multi != NULL || transport->is_over)
        return !transport->is_over;
    transport->multi = curl_multi_init();
    if (transport->multi == NULL || set_multi(transport))
        return transport->multi != NULL;
    (void)curl_multi_cleanup(transport->multi);
    transport->multi = NULL;
    return false;
}

static bool set_up(struct transport *transport, const dreamapi_transport_settings *settings)
{
    if (settings->ca_file != NULL && (transport->ca_file = strdup(settings->ca_file)) == NULL)
        return false;
    if (settings->proxy != NULL && (transport->proxy = strdup(settings->proxy)) == NULL)
        return false;
    /* Unless told otherwise, the system's file, if libcurl was built with one: beside its folder, which holds the same authorities one by
     * one, libcurl would read the file again for each connection, 23 ms of processor time. */
    transport->setup.ca_file =
        transport->ca_file != NULL ? transport->ca_file : curl_version_info(CURLVERSION_NOW)->cainfo;
    transport->setup.proxy = transport->proxy;
    transport->setup.open_socket = open_socket;
    transport->setup.close_socket = close_socket;
    transport->setup.socket_data = transport;
    transport->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    return transport->epoll_fd >= 0 && has_multi(transport);
}

static dreamapi_status open_transport(void *user_data, const dreamapi_transport_settings *settings, void **out_instance)
{
    struct transport *transport;

    (void)user_data;
    if (!dream_global_acquire())
        return DREAMAPI_NOMEM;
    transport = calloc(1, sizeof(*transport));
    if (transport == NULL) {
        dream_global_release();
        return DREAMAPI_NOMEM;
    }
    transport->epoll_fd = -1;
    transport->due_ms = -1;
    if (!set_up(transport, settings)) {
        destroy(transport);
        return DREAMAPI_NOMEM;
    }
    *out_instance = transport;
    return DREAMAPI_OK;
}

/* ---- transfers ---- */

static void enqueue(struct transport *transport, struct transfer *transfer)
{
    transfer->previous = transport->waiting_last;
    if (transport->waiting_last == NULL)
        transport->waiting_first = transfer;
    else
        transport->waiting_last->next = transfer;
    transport->waiting_last = transfer;
}

static void dequeue(struct transport *transport, struct transfer *transfer)
{
    if (transfer->previous == NULL)
        transport->waiting_first = transfer->next;
    else
        transfer->previous->next = transfer->next;
    if (transfer->next == NULL)
        transport->waiting_last = transfer->previous;
    else
        transfer->next->previous = transfer->previous;
    transfer->previous = transfer->next = NULL;
}

static void enter_under_way(struct transport *transport, struct transfer *transfer)
{
    transfer->previous = NULL;
    transfer->next = transport->under_way_first;
    if (transfer->next != NULL)
        transfer->next->previous = transfer;
    transport->under_way_first = transfer;
    transport->under_way++;
}

static void leave_under_way(struct transport *transport, struct transfer *transfer)
{
    if (transfer->previous == NULL)
        transport->under_way_first = transfer->next;
    else
        transfer->previous->next = transfer->next;
    if (transfer->next != NULL)
        transfer->next->previous = transfer->previous;
    transport->under_way--;
}

/* Hands it to libcurl; false when out of memory. */
static bool begin(struct transport *transport, struct transfer *transfer)
{
    dream_curl_work *work;

    if (!has_multi(transport))
        return false;
    work = dream_curl_work_new(transfer->exchange, &transport->setup);
    if (work == NULL)
        return false;
    if (curl_easy_setopt(work->easy, CURLOPT_PRIVATE, transfer) != CURLE_OK
        || curl_multi_add_handle(transport->multi, work->easy) != CURLM_OK) {
        dream_curl_work_free(work);
        return false;
    }
    transfer->work = work;
    enter_under_way(transport, transfer);
    return true;
}

/* Fills the places that have become free. */
static void begin_waiting(struct transport *transport)
{
    struct transfer *transfer;

    while (transport->under_way < MAX_CONNECTIONS && (transfer = transport->waiting_first) != NULL) {
        dequeue(transport, transfer);
        if (begin(transport, transfer))
            continue;
        dreamapi_exchange_fail(transfer->exchange, DREAMAPI_FAILURE_NOMEM, 0, "out of memory");
        free(transfer);
    }
}

static dreamapi_status start(void *instance, dreamapi_exchange *exchange)
{
    struct transport *transport = instance;
    struct transfer *transfer = calloc(1, sizeof(*transfer));

    if (transfer == NULL)
        return DREAMAPI_NOMEM;
    transfer->exchange = exchange;
    transport->has_tls |= strncmp(dreamapi_exchange_url(exchange), "https", 5) == 0;
    if (transport->under_way >= MAX_CONNECTIONS || transport->waiting_first != NULL) {
        enqueue(transport, transfer);
    } else if (!begin(transport, transfer)) {
        free(transfer);
        return DREAMAPI_NOMEM;
    }
    dreamapi_exchange_set_user_data(exchange, transfer);
    return DREAMAPI_OK;
}

static void leave(struct transport *transport, struct transfer *transfer)
{
    if (transfer->work == NULL) {
        dequeue(transport, transfer);
    } else {
        leave_under_way(transport, transfer);
        if (!transport->is_over) {
            (void)curl_multi_remove_handle(transport->multi, transfer->work->easy);
            dream_curl_work_free(transfer->work);
        }
    }
    free(transfer);
}

/* Its place is filled at the next perform, which follows at once. */
static int cancel(void *instance, dreamapi_exchange *exchange)
{
    struct transfer *transfer = dreamapi_exchange_user_data(exchange);
    int maybe_sent = transfer->work != NULL && dream_curl_work_maybe_sent(transfer->work);
    dream_sigpipe_guard guard;

    enter_curl(instance, &guard);
    leave(instance, transfer);
    leave_curl(instance, &guard);
    return maybe_sent;
}

static void report_ended(struct transport *transport)
{
    CURLMsg *message;
    struct transfer *transfer;
    CURLcode code;
    int left;

    while (transport->multi != NULL && (message = curl_multi_info_read(transport->multi, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE
            || curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer) != CURLE_OK)
            continue;
        code = message->data.result; /* gone once the handle is removed */
        dream_curl_work_report(transfer->work, code);
        leave(transport, transfer);
    }
}

/* ---- work ---- */

/* libcurl as a whole ran out of memory: it has lost a transfer without saying which, and its notes of the sockets are not
 * whole (7.88 divides by zero when it comes by such a one again). So all that were under way end here, and it starts anew. So do they when the
 * process ends, and it does not. */
static void start_anew(struct transport *transport)
{
    report_ended(transport);
    while (transport->under_way_first != NULL) {
        struct transfer *transfer = transport->under_way_first;
        dreamapi_exchange_fail(transfer->exchange, DREAMAPI_FAILURE_NOMEM, dream_curl_work_maybe_sent(transfer->work),
                               "out of memory");
        leave(transport, transfer);
    }
    drop_multi(transport);
    if (transport->is_over)
        unwatch_all(transport);
    transport->due_ms = -1;
    transport->is_broken = false;
}

static void tell_curl(struct transport *transport, curl_socket_t fd, int what)
{
    int running;

    /* The exit's handler waits for this thread, so it does not go on with what is left. */
    if (transport->has_tls && dream_global_is_ending())
        transport->is_over = transport->is_broken = true;
    if (transport->is_broken || transport->multi == NULL)
        return;
    if (curl_multi_socket_action(transport->multi, fd, what, &running) != CURLM_OK)
        transport->is_broken = true;
}

static void act(struct transport *transport)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    int count = epoll_wait(transport->epoll_fd, events, EVENTS_AT_ONCE, 0);

    for (int i = 0; i < count; i++) {
        int what = (events[i].events & EPOLLIN ? CURL_CSELECT_IN : 0)
                   | (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0)
                   | (events[i].events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
        tell_curl(transport, events[i].data.fd, what);
    }
    if (transport->due_ms >= 0 && transport->due_ms <= dream_monotonic_ms()) {
        transport->due_ms = -1; /* libcurl sets it anew if it wants */
        tell_curl(transport, CURL_SOCKET_TIMEOUT, 0);
    }
    if (transport->is_broken)
        start_anew(transport);
}

static void perform(void *instance)
{
    struct transport *transport = instance;
    dream_sigpipe_guard guard;

    enter_curl(transport, &guard);
    begin_waiting(transport);
    act(transport);
    report_ended(transport);
    begin_waiting(transport);
    leave_curl(transport, &guard);
}

static int descriptor(void *instance)
{
    return ((struct transport *)instance)->epoll_fd;
}

static int64_t timeout_ms(void *instance)
{
    const struct transport *transport = instance;
    int64_t left_ms;

    if (transport->due_ms < 0)
        return -1;
    left_ms = transport->due_ms - dream_monotonic_ms();
    return left_ms < 0 ? 0 : left_ms;
}

static void neutralise(struct watched *socket, int harmless)
{
    if (socket->copy >= 0)
        (void)close(socket->copy);
    socket->copy = -1;
    if (inode_of(socket->fd) != socket->inode)
        return; /* closed long ago; the number is somebody else's */
    if (harmless < 0 || dup3(harmless, socket->fd, O_CLOEXEC) < 0)
        (void)close(socket->fd);
}

/* With a transfer under way libcurl may wait for a thread of its own that does not exist in the child: then its memory is
 * left alone, and only the descriptors are closed. The epoll set is shared with the parent, so nothing is taken out of it. */
static void abandon(void *instance)
{
    struct transport *transport = instance;
    int harmless = open("/dev/null", O_RDWR | O_CLOEXEC);

    (void)close(transport->epoll_fd);
    transport->epoll_fd = -1;
    for (size_t i = 0; i < transport->socket_count; i++)
        neutralise(&transport->sockets[i], harmless);
    if (harmless >= 0)
        (void)close(harmless);
    if (transport->under_way == 0) {
        destroy(transport);
        return;
    }
    leave_alone(transport);
}

const dreamapi_transport dream_transport_curl = {
    .struct_size = sizeof(dreamapi_transport),
    .open = open_transport,
    .start = start,
    .cancel = cancel,
    .perform = perform,
    .fd = descriptor,
    .timeout_ms = timeout_ms,
    .destroy = destroy,
    .abandon = abandon,
};
