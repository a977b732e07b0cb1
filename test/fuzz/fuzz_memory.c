#include "fuzz_server.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

/* Descriptors of ours are numbers that no real one has. */
enum { FIRST_FD = 100000 };

/* The linker puts these in place of the calls without the prefix, and calls the originals __real_. */
int __wrap_socket(int family, int type, int protocol);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t size);
ssize_t __wrap_send(int fd, const void *bytes, size_t size, int flags);
ssize_t __wrap_recv(int fd, void *bytes, size_t size, int flags);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
int __wrap_close(int fd);
int __real_close(int fd);

static struct fuzz_client *client_of(int fd)
{
    size_t i = (size_t)(fd - FIRST_FD);
    REQUIRE(fd >= FIRST_FD && i < FUZZ_CLIENTS && fuzz_clients[i].is_used);
    return &fuzz_clients[i];
}

void fuzz_server_end(void)
{
    for (size_t i = 0; i < FUZZ_CLIENTS; i++) {
        REQUIRE(!fuzz_clients[i].is_used); /* left open by the code under test */
    }
}

int __wrap_socket(int family, int type, int protocol)
{
    (void)family;
    (void)type;
    (void)protocol;
    const struct fuzz_client *client = fuzz_server_connect();
    REQUIRE(client != NULL);
    return FIRST_FD + (int)(client - fuzz_clients);
}

int __wrap_connect(int fd, const struct sockaddr *address, socklen_t size)
{
    (void)address;
    (void)size;
    client_of(fd);
    return 0;
}

int __wrap_close(int fd)
{
    if (fd < FIRST_FD) {
        return __real_close(fd);
    }
    client_of(fd)->is_used = false;
    return 0;
}

ssize_t __wrap_send(int fd, const void *bytes, size_t size, int flags)
{
    (void)flags;
    struct fuzz_client *client = client_of(fd);
    size_t room = sizeof client->in - client->used;
    size_t taken = size < room ? size : room;
    if (taken == 0) {
        errno = EAGAIN;
        return -1;
    }
    memcpy(client->in + client->used, bytes, taken);
    client->used += taken;
    return (ssize_t)taken;
}

ssize_t __wrap_recv(int fd, void *bytes, size_t size, int flags)
{
    (void)flags;
    struct fuzz_client *client = client_of(fd);
    size_t ready = fuzz_server_ready(client);
    size_t given = size < ready ? size : ready;
    if (ready == 0 && !client->hung_up) {
        errno = EAGAIN;
        return -1;
    }
    memcpy(bytes, client->out + client->from, given);
    client->from += given;
    if (client->from == client->to) {
        client->from = client->to = 0;
    }
    return (ssize_t)given;
}

static int count_ready(struct pollfd *fds, nfds_t count)
{
    int ready = 0;
    for (nfds_t i = 0; i < count; i++) {
        fds[i].revents = 0;
        if (fds[i].fd >= 0) {
            const struct fuzz_client *client = client_of(fds[i].fd);
            bool has_bytes = client->from < client->to || client->hung_up;
            bool has_room = client->used < sizeof client->in;
            fds[i].revents = (short)(fds[i].events & ((has_bytes ? POLLIN : 0) | (has_room ? POLLOUT : 0)));
        }
        ready += fds[i].revents != 0;
    }
    return ready;
}

int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    (void)timeout_ms;
    for (size_t i = 0; i < FUZZ_CLIENTS; i++) {
        if (fuzz_clients[i].is_used) {
            fuzz_server_answer(&fuzz_clients[i]);
        }
    }
    int ready = count_ready(fds, count);
    return ready == 0 && fuzz_server_ends() ? count_ready(fds, count) : ready;
}
