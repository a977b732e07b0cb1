#include "status/client.h"

#include "admin/address.h"
#include "common/clock.h"
#include "common/complain.h"

#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { PATIENCE_S = 5, FIRST_BYTES = 16384, ANSWER_MAX_BYTES = 64 * 1024 * 1024 };

static int fail(const char *address, const char *what)
{
    complain("no answer from the daemon at %s: %s; is it running with --admin?", address, what);
    return -1;
}

static int connect_with(int family, const struct sockaddr *to, socklen_t size)
{
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd == -1) {
        return -1;
    }
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (connect(fd, to, size) == -1) {
        int failure = errno;
        close(fd);
        errno = failure;
        return -1;
    }
    return fd;
}

static int connect_path(const char *address, const char *path)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof name.sun_path) {
        return fail(address, "the path is too long for a socket");
    }
    memcpy(name.sun_path, path, strlen(path) + 1);
    int fd = connect_with(AF_UNIX, (const struct sockaddr *)&name, sizeof name);
    return fd != -1 ? fd : fail(address, strerror(errno));
}

static int connect_host(const char *address)
{
    char host[ADDRESS_HOST_BYTES];
    const char *port;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    if (!address_split(address, host, &port)) {
        complain("--admin: %s: expected HOST:PORT, :PORT or unix:PATH", address);
        return -1;
    }
    int failure = getaddrinfo(host, port, &hints, &found);
    if (failure != 0) {
        return fail(address, gai_strerror(failure));
    }
    int fd = connect_with(found->ai_family, found->ai_addr, found->ai_addrlen);
    failure = errno;
    freeaddrinfo(found);
    return fd != -1 ? fd : fail(address, strerror(failure));
}

static bool send_request(int fd, const char *path, const char *body)
{
    char *request = NULL;
    int length =
        asprintf(&request,
                 "%s %s HTTP/1.0\r\nHost: localhost\r\nX-Cachepusher: 1\r\n"
                 "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                 body != NULL ? "POST" : "GET", path, body != NULL ? strlen(body) : 0, body != NULL ? body : "");
    for (int sent = 0; length > 0 && sent < length;) {
        ssize_t n = send(fd, request + sent, (size_t)(length - sent), MSG_NOSIGNAL);
        if (n <= 0) {
            length = -1;
        }
        sent += (int)n;
    }
    free(request);
    return length > 0;
}

/* All that comes until the server closes, as HTTP/1.0 has it. NULL with errno: it did not. */
static char *receive_all(int fd)
{
    double until_s = clock_now_s() + (double)PATIENCE_S;
    size_t size = FIRST_BYTES;
    size_t length = 0;
    char *text = malloc(size);
    while (text != NULL) {
        ssize_t n = clock_now_s() < until_s ? recv(fd, text + length, size - length - 1, 0) : -1;
        if (n == 0) {
            text[length] = '\0';
            return text;
        }
        length += n > 0 ? (size_t)n : 0;
        char *larger = text;
        if (n > 0 && length + 1 == size) {
            size *= 2;
            larger = size <= ANSWER_MAX_BYTES ? realloc(text, size) : NULL;
        }
        if (n < 0 || larger == NULL) {
            int failure = n < 0 ? errno : ENOMEM;
            free(text);
            errno = failure == EAGAIN || clock_now_s() >= until_s ? ETIMEDOUT : failure;
            return NULL;
        }
        text = larger;
    }
    return NULL;
}

static int take_answer(const char *address, char *text, char **answer)
{
    int code = 0;
    char *body = strstr(text, "\r\n\r\n");
    if (sscanf(text, "HTTP/1.%*d %d", &code) != 1 || body == NULL) {
        fail(address, "what answers there is not a cachepusher");
        return 0;
    }
    *answer = strdup(body + 4);
    if (*answer == NULL) {
        complain("out of memory");
        return 0;
    }
    return code;
}

int client_ask(const char *address, const char *path, const char *body, char **answer)
{
    *answer = NULL;
    const char *socket_path = address_path(address);
    int fd = socket_path != NULL ? connect_path(address, socket_path) : connect_host(address);
    if (fd == -1) {
        return 0;
    }
    char *text = send_request(fd, path, body) ? receive_all(fd) : NULL;
    int failure = errno;
    close(fd);
    if (text == NULL) {
        fail(address, strerror(failure));
        return 0;
    }
    int code = take_answer(address, text, answer);
    free(text);
    return code;
}
