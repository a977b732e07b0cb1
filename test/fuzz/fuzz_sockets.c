#include "fuzz_server.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char directory[32];
static char path[64];
static int listener = -1;

/* The linker puts the one in place of poll(), and calls that the other. */
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
int __real_poll(struct pollfd *fds, nfds_t count, int timeout_ms);

/* ---- life ---- */

static void remove_socket(void)
{
    unlink(path);
    rmdir(directory);
}

const char *fuzz_server_start(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(directory, sizeof directory, "/tmp/cp-fuzz-XXXXXX");
    REQUIRE(mkdtemp(directory) != NULL);
    snprintf(path, sizeof path, "%s/%s", directory, name);
    memcpy(address.sun_path, path, strlen(path) + 1);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    REQUIRE(listener >= 0);
    REQUIRE(bind(listener, (struct sockaddr *)&address, sizeof address) == 0);
    REQUIRE(listen(listener, 64) == 0);
    REQUIRE(atexit(remove_socket) == 0);
    return directory;
}

static void drop(struct fuzz_client *client)
{
    close(client->fd);
    client->is_used = false;
}

void fuzz_server_end(void)
{
    for (size_t i = 0; i < FUZZ_CLIENTS; i++) {
        if (fuzz_clients[i].is_used) {
            drop(&fuzz_clients[i]);
        }
    }
    for (int fd; listener >= 0 && (fd = accept(listener, NULL, NULL)) >= 0;) {
        close(fd);
    }
}

/* ---- its turn ---- */

static void accept_all(void)
{
    for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
        struct fuzz_client *client = fuzz_server_connect();
        if (client == NULL) {
            close(fd);
            return;
        }
        client->fd = fd;
    }
}

/* Reads what the client has sent and answers it. */
static void serve(struct fuzz_client *client)
{
    ssize_t got = read(client->fd, client->in + client->used, sizeof client->in - client->used);
    if (got == 0 && client->used < sizeof client->in) {
        drop(client); /* it has gone */
        return;
    }
    client->used += got > 0 ? (size_t)got : 0;
    fuzz_server_answer(client);
}

static void send_ready(struct fuzz_client *client)
{
    size_t ready = fuzz_server_ready(client);
    ssize_t sent = ready > 0 ? send(client->fd, client->out + client->from, ready, MSG_NOSIGNAL) : 0;
    client->from = sent >= 0 ? client->from + (size_t)sent : client->to;
    if (client->from == client->to) {
        client->from = client->to = 0;
        if (client->hung_up) {
            shutdown(client->fd, SHUT_WR);
        }
    }
}

static void send_all_ready(void)
{
    for (size_t i = 0; i < FUZZ_CLIENTS; i++) {
        if (fuzz_clients[i].is_used) {
            send_ready(&fuzz_clients[i]);
        }
    }
}

int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    (void)timeout_ms;
    for (size_t i = 0; i < FUZZ_CLIENTS; i++) {
        if (fuzz_clients[i].is_used) {
            serve(&fuzz_clients[i]);
        }
    }
    accept_all();
    send_all_ready();
    int ready = __real_poll(fds, count, 0);
    if (ready == 0 && fuzz_server_ends()) {
        send_all_ready();
        ready = __real_poll(fds, count, 0);
    }
    return ready;
}
