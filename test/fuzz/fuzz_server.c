#include "fuzz_server.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { CLIENTS = 8, PENDING_BYTES = 64 * 1024 };

/* What a client has still to be sent. */
struct pending {
    char bytes[PENDING_BYTES];
    size_t from;
    size_t to;
};

static struct {
    char directory[32];
    char path[64];
    int listener;
    struct fuzz_server_options options;
    size_t at; /* in the script */
    bool was_silent;
    long long numbers;
    struct fuzz_client clients[CLIENTS];
    struct pending pending[CLIENTS];
} server = {.listener = -1};

/* ---- life ---- */

static void remove_socket(void)
{
    unlink(server.path);
    rmdir(server.directory);
}

const char *fuzz_server_start(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(server.directory, sizeof server.directory, "/tmp/cp-fuzz-XXXXXX");
    REQUIRE(mkdtemp(server.directory) != NULL);
    snprintf(server.path, sizeof server.path, "%s/%s", server.directory, name);
    memcpy(address.sun_path, server.path, strlen(server.path) + 1);
    server.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    REQUIRE(server.listener >= 0);
    REQUIRE(bind(server.listener, (struct sockaddr *)&address, sizeof address) == 0);
    REQUIRE(listen(server.listener, 64) == 0);
    REQUIRE(atexit(remove_socket) == 0);
    for (size_t i = 0; i < CLIENTS; i++) {
        server.clients[i].fd = -1;
    }
    return server.directory;
}

void fuzz_server_begin(const struct fuzz_server_options *options)
{
    server.options = *options;
    server.at = 0;
    server.was_silent = false;
    server.numbers = 0;
}

static void drop(size_t i)
{
    close(server.clients[i].fd);
    server.clients[i].fd = -1;
}

void fuzz_server_end(void)
{
    for (size_t i = 0; i < CLIENTS; i++) {
        if (server.clients[i].fd >= 0) {
            drop(i);
        }
    }
    for (int fd; (fd = accept(server.listener, NULL, NULL)) >= 0;) {
        close(fd);
    }
}

/* ---- what it says ---- */

const uint8_t *fuzz_server_next(size_t *size)
{
    const uint8_t *from = server.options.script + server.at;
    size_t left = server.options.size - server.at;
    if (left == 0) {
        return NULL;
    }
    const uint8_t *end = memchr(from, '|', left);
    *size = end != NULL ? (size_t)(end - from) : left;
    server.at += *size + (end != NULL);
    return from;
}

void fuzz_server_say(struct fuzz_client *client, const void *bytes, size_t size)
{
    struct pending *pending = &server.pending[client - server.clients];
    size_t room = sizeof pending->bytes - pending->to;
    size_t kept = size < room ? size : room;
    memcpy(pending->bytes + pending->to, bytes, kept);
    pending->to += kept;
}

void fuzz_server_hang_up(struct fuzz_client *client)
{
    client->hung_up = true;
}

struct fuzz_client *fuzz_server_client(long long number)
{
    for (size_t i = 0; i < CLIENTS; i++) {
        if (server.clients[i].fd >= 0 && server.clients[i].number == number) {
            return &server.clients[i];
        }
    }
    return NULL;
}

/* ---- its turn ---- */

static void accept_all(void)
{
    for (size_t i = 0; i < CLIENTS; i++) {
        struct fuzz_client *client = &server.clients[i];
        if (client->fd < 0) {
            client->fd = accept4(server.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (client->fd < 0) {
                return;
            }
            client->hung_up = false;
            client->stage = 0;
            client->number = ++server.numbers;
            client->used = 0;
            server.pending[i].from = server.pending[i].to = 0;
        }
    }
}

/* Reads what the client has sent and answers it; false: it has gone. */
static bool serve(struct fuzz_client *client)
{
    ssize_t got = read(client->fd, client->in + client->used, sizeof client->in - client->used);
    if (got == 0 && client->used < sizeof client->in) {
        return false;
    }
    client->used += got > 0 ? (size_t)got : 0;
    for (size_t length; client->used > 0 && (length = server.options.answer(client)) > 0;) {
        client->used -= length;
        memmove(client->in, client->in + length, client->used);
    }
    return true;
}

static void send_pending(struct fuzz_client *client, struct pending *pending)
{
    size_t left = pending->to - pending->from;
    if (left > 0) {
        ssize_t sent =
            send(client->fd, pending->bytes + pending->from, server.options.dribbles ? 1 : left, MSG_NOSIGNAL);
        pending->from += sent > 0 ? (size_t)sent : 0;
        left = sent > 0 ? left - (size_t)sent : 0;
    }
    if (left == 0) {
        pending->from = pending->to = 0;
        if (client->hung_up) {
            shutdown(client->fd, SHUT_WR);
        }
    }
}

static void take_turn(void)
{
    accept_all();
    for (size_t i = 0; i < CLIENTS; i++) {
        if (server.clients[i].fd >= 0 && !serve(&server.clients[i])) {
            drop(i);
        }
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        if (server.clients[i].fd >= 0) {
            send_pending(&server.clients[i], &server.pending[i]);
        }
    }
}

/* The linker puts the one in place of poll() and calls that the other. */
int __real_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms);

int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    (void)timeout_ms;
    take_turn();
    int ready = __real_poll(fds, count, 0);
    if (ready != 0 || (server.options.times_out && !server.was_silent)) {
        server.was_silent = server.was_silent || ready == 0;
        return ready;
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        if (server.clients[i].fd >= 0) {
            fuzz_server_hang_up(&server.clients[i]);
            send_pending(&server.clients[i], &server.pending[i]);
        }
    }
    return __real_poll(fds, count, 0);
}
