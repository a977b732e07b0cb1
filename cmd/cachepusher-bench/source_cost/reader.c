#include "source_cost/reader.h"

#include "fatal.h"
#include "sources/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define LAST "last"

enum { CHUNK = 65536, PATIENCE_S = 600, LOOK_EVERY_MS = 2 };

static void take_notifications(struct reader *reader, PGconn *pg)
{
    if (PQconsumeInput(pg) != 1) {
        fatal("the listener: %s", PQerrorMessage(pg));
    }
    for (PGnotify *notify; (notify = PQnotifies(pg)) != NULL; PQfreemem(notify)) {
        if (strcmp(notify->extra, LAST) != 0) {
            reader->received++;
        } else if (eventfd_write(reader->last, 1) != 0) {
            fatal("eventfd: %s", strerror(errno));
        }
    }
}

static void listen_to_all(struct reader *reader)
{
    PGconn *pg = servers_postgres(reader->servers);
    pg_do(pg, "listen customer_updated");
    pthread_barrier_wait(&reader->reading);
    struct pollfd fds[] = {{.fd = PQsocket(pg), .events = POLLIN}, {.fd = reader->stop[0], .events = POLLIN}};
    while (fds[1].revents == 0) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR) {
            fatal("the reader: %s", strerror(errno));
        }
        if (fds[0].revents != 0) {
            take_notifications(reader, pg);
        }
    }
    PQfinish(pg);
}

/* To the end: what has been sent is not all written when it is told to stop. */
static void read_all(struct reader *reader)
{
    static char chunk[CHUNK];
    struct pollfd stop = {.fd = reader->stop[0], .events = POLLIN};
    ssize_t got;
    pthread_barrier_wait(&reader->reading);
    while ((got = read(reader->stream.output, chunk, sizeof chunk)) > 0 || (got < 0 && errno == EINTR)) {
        reader->received += got > 0 ? got : 0;
    }
    if (poll(&stop, 1, 0) != 1) {
        fatal("pg_recvlogical has ended");
    }
}

static void *take_all(void *context)
{
    struct reader *reader = context;
    if (reader->source == SOURCE_NOTIFY) {
        listen_to_all(reader);
    } else {
        read_all(reader);
    }
    return NULL;
}

void reader_start(struct reader *reader, const struct servers *servers, PGconn *pg, enum source source)
{
    *reader = (struct reader){.servers = servers, .source = source, .last = eventfd(0, EFD_CLOEXEC)};
    if (source != SOURCE_NOTIFY) {
        stream_start(&reader->stream, servers, pg, source);
    }
    pthread_barrier_init(&reader->reading, NULL, 2);
    if (reader->last == -1 || pipe2(reader->stop, O_CLOEXEC) != 0 ||
        pthread_create(&reader->thread, NULL, take_all, reader) != 0) {
        fatal("cannot start the reader");
    }
    pthread_barrier_wait(&reader->reading);
}

void reader_catch_up(struct reader *reader, PGconn *pg)
{
    if (reader->source == SOURCE_NOTIFY) {
        struct pollfd last = {.fd = reader->last, .events = POLLIN};
        pg_do(pg, "notify customer_updated, '" LAST "'");
        if (poll(&last, 1, PATIENCE_S * 1000) <= 0) {
            fatal("source-cost: a notification has not arrived after %d s", PATIENCE_S);
        }
        return;
    }
    const struct timespec pause = {.tv_nsec = LOOK_EVERY_MS * 1000000L};
    double deadline_s = clock_s() + (double)PATIENCE_S;
    int64_t end = stream_end(pg);
    while (!stream_has_sent(pg, end)) {
        if (clock_s() > deadline_s) {
            fatal("source-cost: pg_recvlogical has not been sent everything after %d s", PATIENCE_S);
        }
        nanosleep(&pause, NULL);
    }
}

void reader_stop(struct reader *reader)
{
    close(reader->stop[1]);
    if (reader->source != SOURCE_NOTIFY) {
        stream_interrupt(&reader->stream);
    }
    pthread_join(reader->thread, NULL);
    close(reader->stop[0]);
    close(reader->last);
    pthread_barrier_destroy(&reader->reading);
    if (reader->source != SOURCE_NOTIFY) {
        stream_stop(&reader->stream);
    }
    if (reader->received == 0) {
        fatal("source-cost: %s announced nothing", source_name(reader->source));
    }
}
