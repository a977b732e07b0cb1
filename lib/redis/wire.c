#include "redis/wire.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/pulse.h"
#include "base/resolve.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    IN_BYTES = 64 * 1024,
    OUT_KEEP_BYTES = 6 * 1024 * 1024, /* an output buffer that has grown larger is given back after its round */
    SLOWEST_BYTES_PER_MS = 64,        /* of a round that takes longer than PATIENCE times its timeout */
    PATIENCE = 4
};

/* ---- the parser ---- */

/* An array is allocated as soon as its length is read, by the elements that it promises, and an element takes far more
 * memory than bytes: so they are bounded, for all arrays of a reply together, which hiredis does not. */
#if HIREDIS_MAJOR >= 1
static void *create_array(const redisReadTask *task, size_t elements)
#else
static void *create_array(const redisReadTask *task, int elements)
#endif
{
    struct cpi_wire *wire = task->privdata;
    if ((size_t)elements > wire->elements) {
        wire->has_too_many = true;
        return NULL;
    }
    wire->elements -= (size_t)elements;
    return wire->objects->createArray(task, elements);
}

static cp_code make_reader(struct cpi_wire *wire, cp_error *err)
{
    static redisReplyObjectFunctions bounded; /* the same for everyone */
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    wire->reader = redisReaderCreate();
    if (wire->reader == NULL) {
        return cpi_error_memory(err);
    }
    pthread_mutex_lock(&mutex);
    if (bounded.createArray == NULL) {
        bounded = *wire->reader->fn;
        bounded.createArray = create_array;
    }
    pthread_mutex_unlock(&mutex);
    wire->objects = wire->reader->fn;
    wire->reader->privdata = wire;
    wire->reader->fn = &bounded;
    return CP_OK;
}

/* ---- life ---- */

void cpi_wire_init(struct cpi_wire *wire, int cancel_fd, int timeout_ms)
{
    *wire = (struct cpi_wire){.fd = -1, .cancel_fd = cancel_fd, .timeout_ms = timeout_ms};
}

bool cpi_wire_is_open(const struct cpi_wire *wire)
{
    return wire->fd >= 0;
}

void cpi_wire_close(struct cpi_wire *wire)
{
    if (wire->fd >= 0) {
        close(wire->fd);
    }
    if (wire->reader != NULL) {
        redisReaderFree(wire->reader);
    }
    free(wire->out); // NOLINT(clang-analyzer-unix.Malloc): it overlooks that init() clears the pointer
    free(wire->in);
    cpi_wire_init(wire, wire->cancel_fd, wire->timeout_ms);
}

/* ---- waiting ---- */

static cp_code fail(const char *what, cp_error *err)
{
    return cpi_error(err, CP_ERR_REDIS, true, "%s", what);
}

static void begin_round(struct cpi_wire *wire)
{
    wire->began_ms = cpi_now_ms();
    wire->moved_ms = wire->began_ms;
    wire->moved = 0;
}

static void note_progress(struct cpi_wire *wire, size_t bytes)
{
    wire->moved += bytes;
    wire->moved_ms = cpi_now_ms();
}

static int64_t deadline_of(const struct cpi_wire *wire)
{
    int64_t idle_ms = wire->moved_ms + wire->timeout_ms;
    int64_t end_ms =
        wire->began_ms + PATIENCE * (int64_t)wire->timeout_ms + (int64_t)(wire->moved / SLOWEST_BYTES_PER_MS);
    return idle_ms < end_ms ? idle_ms : end_ms;
}

static cp_code wait_for(struct cpi_wire *wire, short events, int64_t deadline_ms, cp_error *err)
{
    struct pollfd fds[] = {{.fd = wire->fd, .events = events}, {.fd = wire->cancel_fd, .events = POLLIN}};
    int ready;
    int left_ms;
    cpi_pulse_waits(CP_WAIT_REDIS);
    do {
        left_ms = cpi_left_ms(deadline_ms);
        ready = poll(fds, 2, cpi_pulse_slice(left_ms));
        cpi_pulse_beat();
    } while (ready == 0 && left_ms > 0);
    cpi_pulse_waits(CP_WAIT_NONE);
    if (ready < 0 && errno != EINTR) {
        return fail(strerror(errno), err);
    }
    if (ready > 0 && fds[1].revents != 0) {
        return fail("given up, stopping", err);
    }
    return ready == 0 ? fail("no answer in time", err) : CP_OK;
}

/* ---- connecting ---- */

static void set_options(int fd)
{
    /* A server that is gone without a word is noticed; where an option is not to be had, the timeouts remain. */
    const struct {
        int level, name, value;
    } options[] = {{SOL_SOCKET, SO_KEEPALIVE, 1},
                   {IPPROTO_TCP, TCP_NODELAY, 1},
                   {IPPROTO_TCP, TCP_KEEPIDLE, 5},
                   {IPPROTO_TCP, TCP_KEEPINTVL, 2},
                   {IPPROTO_TCP, TCP_KEEPCNT, 3}};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof options[i].value);
    }
}

/* Connects to one address, with the socket left in wire->fd. */
static cp_code connect_to(struct cpi_wire *wire, int family, const struct sockaddr *address, socklen_t size,
                          int64_t deadline_ms, cp_error *err)
{
    if (wire->fd >= 0) {
        close(wire->fd);
    }
    wire->fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (wire->fd < 0) {
        return fail(strerror(errno), err);
    }
    if (family != AF_UNIX) {
        set_options(wire->fd);
    }
    int failure = connect(wire->fd, address, size) == 0 ? 0 : errno;
    if (failure == EINPROGRESS || failure == EINTR) {
        struct pollfd fd = {.fd = wire->fd, .events = POLLOUT};
        do {
            if (wait_for(wire, POLLOUT, deadline_ms, err) != CP_OK) {
                return CP_ERR_REDIS;
            }
        } while (poll(&fd, 1, 0) == 0);
        socklen_t length = sizeof failure;
        getsockopt(wire->fd, SOL_SOCKET, SO_ERROR, &failure, &length);
    }
    return failure == 0 ? CP_OK : fail(strerror(failure), err);
}

static cp_code connect_path(struct cpi_wire *wire, const char *path, int64_t deadline_ms, cp_error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        return fail("the path of the socket is too long", err);
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    cp_code code = connect_to(wire, AF_UNIX, (const struct sockaddr *)&address, sizeof address, deadline_ms, err);
    return code;
}

static cp_code connect_host(struct cpi_wire *wire, const struct cpi_redis_address *address, int64_t deadline_ms,
                            cp_error *err)
{
    struct addrinfo *addresses = NULL;
    cp_error why;
    if (cpi_resolve(address->host, address->port, deadline_ms, wire->cancel_fd, &addresses, &why) != CP_OK) {
        return fail(why.message, err);
    }
    cp_code code = CP_ERR_REDIS;
    int left = 0;
    for (const struct addrinfo *at = addresses; at != NULL; at = at->ai_next) {
        left++;
    }
    /* One that is silent leaves the others their share of the time. */
    for (const struct addrinfo *at = addresses; at != NULL && code != CP_OK; at = at->ai_next) {
        int64_t now_ms = cpi_now_ms();
        int64_t share_ms = (deadline_ms - now_ms) / left--;
        code = connect_to(wire, at->ai_family, at->ai_addr, at->ai_addrlen, now_ms + share_ms, err);
    }
    freeaddrinfo(addresses);
    return code;
}

cp_code cpi_wire_open(struct cpi_wire *wire, const struct cpi_redis_address *address, int connect_timeout_ms,
                      cp_error *err)
{
    cpi_wire_close(wire);
    int64_t deadline_ms = cpi_now_ms() + connect_timeout_ms;
    wire->in = malloc(IN_BYTES);
    if (wire->in == NULL) {
        return cpi_error_memory(err);
    }
    cp_code code = make_reader(wire, err);
    if (code == CP_OK) {
        code = address->path != NULL ? connect_path(wire, address->path, deadline_ms, err)
                                     : connect_host(wire, address, deadline_ms, err);
    }
    if (code != CP_OK) {
        cpi_wire_close(wire);
    }
    begin_round(wire);
    return code;
}

/* ---- sending ---- */

cp_code cpi_wire_append(struct cpi_wire *wire, const char *bytes, size_t length, cp_error *err)
{
    if (wire->out_length + length > wire->out_capacity) {
        size_t capacity = wire->out_capacity + wire->out_capacity / 2;
        capacity = capacity > wire->out_length + length ? capacity : wire->out_length + length + 4096;
        char *out = realloc(wire->out, capacity);
        if (out == NULL) {
            return cpi_error_memory(err);
        }
        wire->out = out;
        wire->out_capacity = capacity;
    }
    memcpy(wire->out + wire->out_length, bytes, length);
    wire->out_length += length;
    return CP_OK;
}

static void trim_output(struct cpi_wire *wire)
{
    if (wire->out_capacity > OUT_KEEP_BYTES) {
        free(wire->out);
        wire->out = NULL;
        wire->out_capacity = 0;
    }
}

/* Reads what is there, unless the buffer is full. */
static cp_code receive(struct cpi_wire *wire, cp_error *err)
{
    if (wire->in_from == wire->in_to) {
        wire->in_from = wire->in_to = 0;
    }
    if (wire->in_from > 0 && wire->in_to == IN_BYTES) {
        memmove(wire->in, wire->in + wire->in_from, wire->in_to - wire->in_from);
        wire->in_to -= wire->in_from;
        wire->in_from = 0;
    }
    ssize_t n = recv(wire->fd, wire->in + wire->in_to, IN_BYTES - wire->in_to, 0);
    if (n == 0 && wire->in_to < IN_BYTES) {
        return fail("the server closed the connection", err);
    }
    if (n < 0) {
        return errno == EAGAIN || errno == EINTR ? CP_OK : fail(strerror(errno), err);
    }
    wire->in_to += (size_t)n;
    note_progress(wire, (size_t)n);
    return CP_OK;
}

/* A server that has a full output buffer stops reading: what it sends is taken, as far as there is room for it, which a
 * round's plain replies never fill. */
static cp_code send_all(struct cpi_wire *wire, cp_error *err)
{
    while (wire->sent < wire->out_length) {
        ssize_t n = send(wire->fd, wire->out + wire->sent, wire->out_length - wire->sent, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            return fail(strerror(errno), err);
        }
        if (n > 0) {
            wire->sent += (size_t)n;
            note_progress(wire, (size_t)n);
            continue;
        }
        bool has_room = wire->in_to - wire->in_from < IN_BYTES;
        cp_code code = wait_for(wire, (short)(has_room ? POLLIN | POLLOUT : POLLOUT), deadline_of(wire), err);
        code = code == CP_OK && has_room ? receive(wire, err) : code;
        if (code != CP_OK) {
            return code;
        }
    }
    return CP_OK;
}

cp_code cpi_wire_flush(struct cpi_wire *wire, struct cpi_output *output, cp_error *err)
{
    begin_round(wire);
    wire->is_broken = send_all(wire, &wire->broken) != CP_OK;
    wire->out_length = 0;
    wire->sent = 0;
    cp_code code = wire->is_broken && wire->in_to == wire->in_from ? fail(wire->broken.message, err) : CP_OK;
    if (output != NULL && code == CP_OK) {
        *output = (struct cpi_output){.bytes = wire->out, .capacity = wire->out_capacity};
        wire->out = NULL;
        wire->out_capacity = 0;
    }
    trim_output(wire);
    return code;
}

void cpi_wire_give_back(struct cpi_wire *wire, struct cpi_output *output)
{
    if (cpi_wire_is_open(wire) && wire->out == NULL) {
        wire->out = output->bytes;
        wire->out_capacity = output->capacity;
        trim_output(wire);
    } else {
        free(output->bytes);
    }
    *output = (struct cpi_output){0};
}

/* ---- replies ---- */

/* The plain replies, without making an object. False: it is another one, or not there yet. */
static bool take_plain(struct cpi_wire *wire, enum cpi_wire_reply *kind)
{
    const char *at = wire->in + wire->in_from;
    size_t length = wire->in_to - wire->in_from;
    if (length >= 5 && memcmp(at, "+OK\r\n", 5) == 0) {
        *kind = CPI_WIRE_OK;
        wire->in_from += 5;
        return true;
    }
    if (length >= 4 && at[0] == ':' && (at[1] == '0' || at[1] == '1') && at[2] == '\r' && at[3] == '\n') {
        *kind = at[1] == '1' ? CPI_WIRE_ONE : CPI_WIRE_ZERO;
        wire->in_from += 4;
        return true;
    }
    return false;
}

/* The reader takes a refused array for one that there was no memory for. */
static cp_code parse_failed(const struct cpi_wire *wire, cp_error *err)
{
    if (wire->has_too_many) {
        return fail("a reply has more elements than the command can have", err);
    }
    return wire->reader->err == REDIS_ERR_OOM ? cpi_error_memory(err) : fail(wire->reader->errstr, err);
}

/* What has been received goes to the reader, and the next reply comes out of it, if it is complete. */
static cp_code parse(struct cpi_wire *wire, size_t limit, redisReply **object, cp_error *err)
{
    void *parsed = NULL;
    size_t length = wire->in_to - wire->in_from;
    if (length > 0) {
        if (redisReaderFeed(wire->reader, wire->in + wire->in_from, length) != REDIS_OK) {
            return parse_failed(wire, err);
        }
        wire->in_from = wire->in_to = 0;
        wire->reply_size += length;
    }
    if (redisReaderGetReply(wire->reader, &parsed) != REDIS_OK) {
        return parse_failed(wire, err);
    }
    *object = parsed;
    size_t held = wire->reader->len - wire->reader->pos;
    wire->is_partial = held > 0 || parsed == NULL;
    if (parsed != NULL) {
        wire->reply_size = held;
        return CP_OK;
    }
    return wire->reply_size <= limit ? CP_OK : fail("a reply is larger than the command can have", err);
}

cp_code cpi_wire_reply(struct cpi_wire *wire, size_t limit, enum cpi_wire_reply *kind, redisReply **object,
                       cp_error *err)
{
    wire->elements = limit == CPI_REPLY_LISTS || limit == CPI_REPLY_KEYS ? CPI_REPLY_ELEMENTS : CPI_REPLY_FEW;
    for (;;) {
        if (!wire->is_partial && take_plain(wire, kind)) {
            return CP_OK;
        }
        *object = NULL;
        bool has_something = wire->is_partial || wire->in_to > wire->in_from;
        cp_code code = has_something ? parse(wire, limit, object, err) : CP_OK;
        if (code == CP_OK && *object != NULL) {
            *kind = CPI_WIRE_OBJECT;
            return CP_OK;
        }
        code = code == CP_OK && wire->is_broken ? fail(wire->broken.message, err) : code;
        code = code == CP_OK ? wait_for(wire, POLLIN, deadline_of(wire), err) : code;
        code = code == CP_OK ? receive(wire, err) : code;
        if (code != CP_OK) {
            return code;
        }
    }
}
