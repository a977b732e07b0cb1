#include "proxy.h"

#include "util.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { LISTENERS = 4, LINKS = 512, FLOW_BYTES = 65536, SILENCE_MS = 30000, BACKLOG = 128 };

/* One direction of a connection. */
struct flow {
    char *data; /* FLOW_BYTES */
    size_t start;
    size_t end;
    int64_t due_ms; /* what is held may be passed on */
    bool ended;     /* no more comes */
};

struct link {
    bool used;
    bool doomed; /* to be closed by the thread, with a reset */
    int listener;
    int client;
    int upstream; /* -1: there never was one, the connection was silent from the first */
    enum proxy_mode mode;
    int delay_ms;
    int64_t cut_left;
    int64_t silent_until_ms; /* the server's end of a silent connection whose client has gone; 0: it has not */
    struct flow up;          /* from the client */
    struct flow down;
    int client_slot; /* in the thread's array for poll(); -1: not there */
    int upstream_slot;
};

struct listener {
    int fd;
    char upstream[PATH_BYTES];
    struct proxy_behaviour behaviour;
    int slot;
};

struct proxy {
    pthread_t thread;
    pthread_mutex_t mutex; /* for all that follows; the thread holds it but in poll(), and closes alone */
    int bell;
    bool stopping;
    struct listener listeners[LISTENERS];
    int listener_count;
    struct link links[LINKS];
};

/* ---- connections ---- */

static void close_with_reset(int fd)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(fd);
}

static void close_link(struct link *link, bool abruptly)
{
    if (link->client >= 0) {
        if (abruptly) {
            close_with_reset(link->client);
        } else {
            close(link->client);
        }
    }
    if (link->upstream >= 0) {
        close(link->upstream);
    }
    free(link->up.data);
    free(link->down.data);
    *link = (struct link){.client = -1, .upstream = -1};
}

static int connect_upstream(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    format_into(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* What a connection is to do from now on. */
static void behave(struct link *link, struct proxy_behaviour *behaviour)
{
    link->mode = behaviour->mode;
    link->delay_ms = behaviour->delay_ms;
    link->cut_left = behaviour->cut_bytes > 0 ? roll(&behaviour->random, (uint32_t)behaviour->cut_bytes) : 0;
    link->doomed = behaviour->mode == PROXY_RESET;
}

static void accept_one(struct proxy *proxy, int index)
{
    struct listener *listener = &proxy->listeners[index];
    int client = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (client < 0) {
        return;
    }
    struct link *link = proxy->links;
    while (link < proxy->links + LINKS && link->used) {
        link++;
    }
    bool silent = listener->behaviour.mode == PROXY_SILENT;
    int upstream = silent || listener->behaviour.mode == PROXY_RESET ? -1 : connect_upstream(listener->upstream);
    if (link == proxy->links + LINKS || (upstream < 0 && !silent)) {
        close_with_reset(client);
        return;
    }
    int on = 1;
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    *link = (struct link){.used = true, .listener = index, .client = client, .upstream = upstream};
    link->client_slot = link->upstream_slot = -1;
    link->up.data = malloc(FLOW_BYTES);
    link->down.data = malloc(FLOW_BYTES);
    if (link->up.data == NULL || link->down.data == NULL) {
        die("out of memory");
    }
    if (listener->behaviour.mode != PROXY_LATE) {
        behave(link, &listener->behaviour);
    }
}

/* ---- moving bytes ---- */

static bool holds_back(const struct link *link)
{
    return link->mode == PROXY_LATE || link->mode == PROXY_STALL;
}

static bool wants_input(const struct link *link, const struct flow *flow)
{
    if (flow->ended || link->mode == PROXY_STALL) {
        return false;
    }
    if (link->mode == PROXY_LATE) {
        return flow == &link->up && flow->end < FLOW_BYTES;
    }
    return flow->start == flow->end || link->mode == PROXY_SILENT;
}

static bool wants_output(const struct link *link, const struct flow *flow)
{
    return flow->start < flow->end && !holds_back(link) && link->mode != PROXY_SILENT && now_ms() >= flow->due_ms;
}

static void take_in(struct link *link, struct flow *flow, int from)
{
    if (flow->start == flow->end || link->mode == PROXY_SILENT) {
        flow->start = flow->end = 0; /* what a silent one had held is dropped, too */
    }
    ssize_t n = read(from, flow->data + flow->end, FLOW_BYTES - flow->end);
    if (n > 0 && link->mode != PROXY_SILENT) {
        flow->end += (size_t)n;
        flow->due_ms = link->mode == PROXY_DELAY ? now_ms() + link->delay_ms : 0;
    } else if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        flow->ended = true;
    }
}

/* False: the connection is at its end. */
static bool pass_on(struct link *link, struct flow *flow, int to)
{
    size_t n = flow->end - flow->start;
    bool cuts = link->mode == PROXY_CUT && flow == &link->down;
    if (link->mode == PROXY_TRICKLE) {
        n = 1;
    } else if (cuts && (int64_t)n > link->cut_left) {
        n = (size_t)link->cut_left;
    }
    ssize_t sent = n > 0 ? send(to, flow->data + flow->start, n, MSG_NOSIGNAL) : 0;
    if (sent < 0) {
        return errno == EAGAIN || errno == EINTR;
    }
    flow->start += (size_t)sent;
    link->cut_left -= cuts ? sent : 0;
    return !cuts || link->cut_left > 0;
}

/* The client of a silent connection goes unnoticed by the server, for a while. */
static void end_silent(struct link *link)
{
    if (link->down.ended || link->upstream < 0) {
        close_link(link, true);
    } else if (link->silent_until_ms == 0) {
        close(link->client);
        link->client = -1;
        link->silent_until_ms = now_ms() + SILENCE_MS;
    } else if (now_ms() >= link->silent_until_ms) {
        close_link(link, false);
    }
}

static void serve(struct link *link, const struct pollfd *fds)
{
    short client = link->client_slot >= 0 ? fds[link->client_slot].revents : 0;
    short upstream = link->upstream_slot >= 0 ? fds[link->upstream_slot].revents : 0;
    const short any_in = POLLIN | POLLHUP | POLLERR;
    bool alive = true;
    if ((client & any_in) != 0 && wants_input(link, &link->up)) {
        take_in(link, &link->up, link->client);
    }
    if ((upstream & any_in) != 0 && wants_input(link, &link->down)) {
        take_in(link, &link->down, link->upstream);
    }
    if ((upstream & (POLLOUT | POLLERR)) != 0 && wants_output(link, &link->up)) {
        alive = pass_on(link, &link->up, link->upstream);
    }
    if (alive && (client & (POLLOUT | POLLERR)) != 0 && wants_output(link, &link->down)) {
        alive = pass_on(link, &link->down, link->client);
    }
    if (!alive) {
        close_link(link, roll(&(uint64_t){(uint64_t)now_ms()}, 2) == 0);
    } else if (link->mode == PROXY_SILENT) {
        if (link->up.ended) {
            end_silent(link);
        }
    } else if (!holds_back(link) && ((link->up.ended && link->up.start == link->up.end) ||
                                     (link->down.ended && link->down.start == link->down.end))) {
        close_link(link, false);
    }
}

/* ---- the thread ---- */

static int add_slot(struct pollfd *fds, int *count, int fd, short events)
{
    if (fd < 0 || events == 0) { /* with nothing to do about it, the end of a connection would keep poll() awake */
        return -1;
    }
    fds[*count] = (struct pollfd){.fd = fd, .events = events};
    return (*count)++;
}

static void hasten(int *timeout_ms, int64_t at_ms)
{
    int64_t left = at_ms - now_ms();
    left = left < 0 ? 0 : left;
    if (*timeout_ms < 0 || left < *timeout_ms) {
        *timeout_ms = (int)left;
    }
}

static int prepare(struct proxy *proxy, struct pollfd *fds, int *timeout_ms)
{
    int count = 0;
    *timeout_ms = -1;
    fds[count++] = (struct pollfd){.fd = proxy->bell, .events = POLLIN};
    for (int i = 0; i < proxy->listener_count; i++) {
        proxy->listeners[i].slot = add_slot(fds, &count, proxy->listeners[i].fd, POLLIN);
    }
    for (struct link *link = proxy->links; link < proxy->links + LINKS; link++) {
        if (link->used && link->doomed) {
            close_link(link, true);
        }
        if (!link->used) {
            continue;
        }
        short client =
            (short)((wants_input(link, &link->up) ? POLLIN : 0) | (wants_output(link, &link->down) ? POLLOUT : 0));
        short upstream =
            (short)((wants_input(link, &link->down) ? POLLIN : 0) | (wants_output(link, &link->up) ? POLLOUT : 0));
        link->client_slot = add_slot(fds, &count, link->client, client);
        link->upstream_slot = add_slot(fds, &count, link->upstream, upstream);
        if (link->mode == PROXY_DELAY) {
            for (struct flow *flow = &link->up; flow != NULL; flow = flow == &link->up ? &link->down : NULL) {
                if (flow->start < flow->end && now_ms() < flow->due_ms) {
                    hasten(timeout_ms, flow->due_ms);
                }
            }
        }
        if (link->silent_until_ms != 0) {
            hasten(timeout_ms, link->silent_until_ms);
        }
    }
    return count;
}

static void *run(void *context)
{
    struct proxy *proxy = context;
    static struct pollfd fds[1 + LISTENERS + 2 * LINKS]; /* there is one proxy */
    pthread_mutex_lock(&proxy->mutex);
    while (!proxy->stopping) {
        int timeout_ms;
        int count = prepare(proxy, fds, &timeout_ms);
        pthread_mutex_unlock(&proxy->mutex);
        poll(fds, (nfds_t)count, timeout_ms);
        pthread_mutex_lock(&proxy->mutex);
        eventfd_t rings;
        eventfd_read(proxy->bell, &rings);
        for (struct link *link = proxy->links; link < proxy->links + LINKS; link++) {
            if (link->used && !link->doomed) {
                serve(link, fds);
            }
        }
        for (int i = 0; i < proxy->listener_count; i++) {
            if (proxy->listeners[i].slot >= 0 && fds[proxy->listeners[i].slot].revents != 0) {
                accept_one(proxy, i);
            }
        }
    }
    pthread_mutex_unlock(&proxy->mutex);
    return NULL;
}

/* ---- control ---- */

static void unlock_and_wake(struct proxy *proxy)
{
    pthread_mutex_unlock(&proxy->mutex);
    eventfd_write(proxy->bell, 1);
}

struct proxy *proxy_create(void)
{
    struct proxy *proxy = calloc(1, sizeof *proxy);
    if (proxy == NULL || (proxy->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0) {
        die("cannot make the proxy");
    }
    pthread_mutex_init(&proxy->mutex, NULL);
    if (pthread_create(&proxy->thread, NULL, run, proxy) != 0) {
        die("cannot start the proxy's thread");
    }
    return proxy;
}

void proxy_destroy(struct proxy *proxy)
{
    pthread_mutex_lock(&proxy->mutex);
    proxy->stopping = true;
    unlock_and_wake(proxy);
    pthread_join(proxy->thread, NULL);
    for (struct link *link = proxy->links; link < proxy->links + LINKS; link++) {
        if (link->used) {
            close_link(link, false);
        }
    }
    for (int i = 0; i < proxy->listener_count; i++) {
        close(proxy->listeners[i].fd);
    }
    close(proxy->bell);
    pthread_mutex_destroy(&proxy->mutex);
    free(proxy);
}

int proxy_listen(struct proxy *proxy, const char *upstream, int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) != 0 || listen(fd, BACKLOG) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
        die("cannot listen: %s", strerror(errno));
    }
    *port = ntohs(address.sin_port);
    pthread_mutex_lock(&proxy->mutex);
    int index = proxy->listener_count++;
    struct listener *listener = &proxy->listeners[index];
    *listener = (struct listener){.fd = fd, .slot = -1};
    FORMAT(listener->upstream, "%s", upstream);
    unlock_and_wake(proxy);
    return index;
}

void proxy_point(struct proxy *proxy, int listener, const char *upstream)
{
    pthread_mutex_lock(&proxy->mutex);
    FORMAT(proxy->listeners[listener].upstream, "%s", upstream);
    unlock_and_wake(proxy);
}

void proxy_behave(struct proxy *proxy, int listener, struct proxy_behaviour behaviour)
{
    pthread_mutex_lock(&proxy->mutex);
    proxy->listeners[listener].behaviour = behaviour;
    for (struct link *link = proxy->links; link < proxy->links + LINKS; link++) {
        bool is_concerned = link->used && link->listener == listener && link->mode != PROXY_SILENT;
        if (is_concerned && (behaviour.mode == PROXY_PASS || roll(&behaviour.random, 100) < behaviour.share)) {
            behave(link, &behaviour);
        }
    }
    unlock_and_wake(proxy);
}

void proxy_reset(struct proxy *proxy, int listener)
{
    pthread_mutex_lock(&proxy->mutex);
    for (struct link *link = proxy->links; link < proxy->links + LINKS; link++) {
        if (link->used && link->listener == listener) {
            link->doomed = true;
        }
    }
    unlock_and_wake(proxy);
}
