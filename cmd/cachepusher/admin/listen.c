#include "admin/listen.h"

#include "admin/address.h"
#include "common/complain.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 16 };

static bool fail(struct listen_socket *made, const char *address, const char *what)
{
    complain("--admin: %s: %s", address, what);
    if (made->fd != -1) {
        close(made->fd);
        made->fd = -1;
    }
    return false;
}

/* ---- a path ---- */

/* A socket that nobody listens at any more, as a daemon that was killed leaves it. */
static bool is_stale(const struct sockaddr_un *address)
{
    struct stat status;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool stale = fd != -1 && stat(address->sun_path, &status) == 0 && S_ISSOCK(status.st_mode) &&
                 connect(fd, (const struct sockaddr *)address, sizeof *address) == -1 && errno == ECONNREFUSED;
    if (fd != -1) {
        close(fd);
    }
    return stale;
}

static bool listen_at_path(struct listen_socket *made, const char *path, const char *address)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    if (*path == '\0' || strlen(path) >= sizeof name.sun_path) {
        return fail(made, address, *path == '\0' ? "expected a path" : "the path is too long for a socket");
    }
    memcpy(name.sun_path, path, strlen(path) + 1);
    if (is_stale(&name)) {
        unlink(path);
    }
    made->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    mode_t before = umask(0117); /* for our user and group */
    bool is_bound = made->fd != -1 && bind(made->fd, (const struct sockaddr *)&name, sizeof name) == 0;
    int failure = errno;
    umask(before);
    if (!is_bound) {
        return fail(made, address, strerror(failure));
    }
    struct stat status = {0};
    stat(path, &status);
    made->path = strdup(path);
    made->device = status.st_dev;
    made->inode = status.st_ino;
    made->is_loopback = true;
    return listen(made->fd, BACKLOG) == 0 || fail(made, address, strerror(errno));
}

/* ---- an address ---- */

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        return ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr) >> 24 == 127;
    }
    return address->sa_family == AF_INET6 &&
           IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr);
}

static bool listen_at_host(struct listen_socket *made, const char *address)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    char host[ADDRESS_HOST_BYTES];
    const char *port;
    if (!address_split(address, host, &port)) {
        return fail(made, address, "expected HOST:PORT, :PORT or unix:PATH");
    }
    int failure = getaddrinfo(host, port, &hints, &found);
    if (failure != 0) {
        return fail(made, address, gai_strerror(failure));
    }
    int on = 1;
    made->fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool listens = made->fd != -1 && setsockopt(made->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
                   bind(made->fd, found->ai_addr, found->ai_addrlen) == 0 && listen(made->fd, BACKLOG) == 0;
    failure = errno;
    made->is_loopback = is_loopback(found->ai_addr);
    freeaddrinfo(found);
    return listens || fail(made, address, strerror(failure));
}

bool listen_open(struct listen_socket *made, const char *address)
{
    *made = (struct listen_socket){.fd = -1};
    const char *path = address_path(address);
    return path != NULL ? listen_at_path(made, path, address) : listen_at_host(made, address);
}

void listen_close(struct listen_socket *made)
{
    if (made->fd != -1) {
        close(made->fd);
        made->fd = -1;
    }
    struct stat status;
    if (made->path != NULL) {
        if (stat(made->path, &status) == 0 && status.st_dev == made->device && status.st_ino == made->inode) {
            unlink(made->path);
        }
        free(made->path);
        made->path = NULL;
    }
}
