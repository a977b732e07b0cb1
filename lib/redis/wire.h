/*
 * The bytes between us and a Redis: a socket, an output buffer, a parser of replies (hiredis').
 *
 * Every wait has two deadlines: timeout_ms without progress, and an end that moves on with the bytes that came through,
 * so that a server which only trickles is given up, too. A reply may have no more bytes or elements than its command
 * can have. Nothing raises SIGPIPE, and no program that the process starts inherits the socket.
 *
 * Belongs to one thread. After a failure it is to be closed.
 */
#ifndef CPI_WIRE_H
#define CPI_WIRE_H

#include "redis/output.h"
#include "redis/redis_address.h"

#include <hiredis/hiredis.h>

/* The bounds of a reply, in bytes. */
enum {
    CPI_REPLY_SMALL = 64 * 1024,         /* OK, a number, an error */
    CPI_REPLY_LISTS = 64 * 1024 * 1024,  /* CLIENT LIST, SCAN */
    CPI_REPLY_VALUE = 576 * 1024 * 1024, /* Redis' own limit of a value is 512 MB */
    CPI_REPLY_KEYS = 577 * 1024 * 1024,  /* SCAN: of a key as well */
    CPI_REPLY_ELEMENTS = 1024 * 1024,    /* elements of all arrays of a list */
    CPI_REPLY_FEW = 16                   /* of any other reply, which should have none */
};

struct cpi_wire {
    int fd;        /* -1: closed */
    int cancel_fd; /* readable: give up whatever is waited for */
    int timeout_ms;

    char *out; /* to be sent */
    size_t out_length;
    size_t out_capacity;
    size_t sent;

    char *in; /* received, and not yet parsed */
    size_t in_from;
    size_t in_to;
    redisReader *reader;
    bool is_partial;                    /* the reader holds the beginning of a reply */
    size_t reply_size;                  /* of the reply under way, what has come of it */
    size_t elements;                    /* that it may still have */
    bool has_too_many;                  /* has been refused for them */
    redisReplyObjectFunctions *objects; /* the reader's own */

    bool is_broken; /* by sending: what was received before can still be taken */
    cp_error broken;

    int64_t began_ms; /* of the round */
    int64_t moved_ms; /* the last progress */
    size_t moved;     /* bytes since it began */
};

enum cpi_wire_reply { CPI_WIRE_OK, CPI_WIRE_ZERO, CPI_WIRE_ONE, CPI_WIRE_OBJECT };

/* Closed. */
void cpi_wire_init(struct cpi_wire *wire, int cancel_fd, int timeout_ms);

/* Connects to the address; any of them if its name has several. Failures of all functions here are retriable:
 * CP_ERR_SYSTEM when memory has run out, else CP_ERR_REDIS with a message that does not name the server. */
cp_code cpi_wire_open(struct cpi_wire *wire, const struct cpi_redis_address *address, int connect_timeout_ms,
                      cp_error *err);
bool cpi_wire_is_open(const struct cpi_wire *wire);
void cpi_wire_close(struct cpi_wire *wire);

/* Appends to what is to be sent. */
cp_code cpi_wire_append(struct cpi_wire *wire, const char *bytes, size_t length, cp_error *err);

/* Begins the round's time, and sends everything appended. Reads what comes in meanwhile. If it fails with replies at
 * hand, what they acknowledge was executed: it is CP_OK then, and reply() fails behind the last of them. Unless output
 * is NULL, what was sent is lent to the caller, on success only: it stays as it is, whatever becomes of the wire, until
 * it is given back. */
cp_code cpi_wire_flush(struct cpi_wire *wire, struct cpi_output *output, cp_error *err);
void cpi_wire_give_back(struct cpi_wire *wire, struct cpi_output *output);

/* The next reply, of `limit` bytes at most. Plain ones are told as such ("+OK", 0 and 1); any other is an object,
 * for the caller to free. */
cp_code cpi_wire_reply(struct cpi_wire *wire, size_t limit, enum cpi_wire_reply *kind, redisReply **object,
                       cp_error *err);

#endif
