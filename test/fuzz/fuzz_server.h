/*
 * A hostile server, in the thread of the code under test: it has its turn whenever that code waits (the linker puts our
 * poll() in place of the real one), and when it has nothing more to say it hangs up instead of letting anybody wait. So
 * an input takes no time but the code's own, and does the same each time.
 *
 * fuzz_memory.c connects it to code that calls socket(), send() and so on itself, without a system call; fuzz_sockets.c
 * to a library that does.
 */
#ifndef FUZZ_SERVER_H
#define FUZZ_SERVER_H

#include "fuzz.h"

enum { FUZZ_CLIENTS = 8, FUZZ_IN_BYTES = 16 * 1024, FUZZ_OUT_BYTES = 64 * 1024 };

/* A connection, as the server has it. */
struct fuzz_client {
    bool is_used;
    bool hung_up; /* nothing more is said to it */
    int stage;    /* for whoever answers; 0 at first */
    int fd;       /* for fuzz_sockets.c */
    long long number;
    char in[FUZZ_IN_BYTES]; /* what it has sent that is not answered yet */
    size_t used;
    char out[FUZZ_OUT_BYTES]; /* what it has still to be sent */
    size_t from;
    size_t to;
};

/* Answers the first request that is in client->in, if it is complete, and tells how many bytes that had; 0: it is not
 * there yet. */
typedef size_t fuzz_answer(struct fuzz_client *client);

/* What follows is one input's. The script is what the server will say, in pieces that a '|' ends. */
struct fuzz_server_options {
    const uint8_t *script;
    size_t size;
    fuzz_answer *answer;
    bool dribbles;  /* what it sends comes byte by byte */
    bool times_out; /* the first time that it has nothing to say it is silent, and does not hang up */
};
void fuzz_server_begin(const struct fuzz_server_options *options);
void fuzz_server_end(void);

/* The next piece of the script; NULL: there is none. */
const uint8_t *fuzz_server_next(size_t *size);

void fuzz_server_say(struct fuzz_client *client, const void *bytes, size_t size);
void fuzz_server_hang_up(struct fuzz_client *client);

/* The connection of that number; NULL: there is none. Numbers begin at 1 with each input. */
struct fuzz_client *fuzz_server_client(long long number);

/* For the two that connect it. All connections; a new one, NULL if there are too many; answers what it has sent; how
 * much may be sent to it now. */
extern struct fuzz_client fuzz_clients[FUZZ_CLIENTS];
struct fuzz_client *fuzz_server_connect(void);
void fuzz_server_answer(struct fuzz_client *client);
size_t fuzz_server_ready(const struct fuzz_client *client);

/* Nobody has anything to do. False: the wait times out. True: the server hangs up. */
bool fuzz_server_ends(void);

/* fuzz_sockets.c: the directory of a socket of this name. Once; both are removed at exit. */
const char *fuzz_server_start(const char *name);

/* Reads every byte, so that a sanitizer looks at all of them. */
static inline unsigned fuzz_touch(const void *bytes, size_t size)
{
    unsigned sum = 0;
    for (size_t i = 0; i < size; i++) {
        sum += ((const unsigned char *)bytes)[i];
    }
    return sum;
}

/* What holds of every error of a server. */
static inline void fuzz_check_server_error(const cp_error *err, cp_code expected)
{
    REQUIRE(err->code == expected || err->code == CP_ERR_SYSTEM);
    size_t length = strnlen(err->message, sizeof err->message);
    REQUIRE(length > 0 && length < sizeof err->message);
    REQUIRE(cpi_utf8_valid(err->message, length));
    REQUIRE(strpbrk(err->message, "\r\n") == NULL);
}

#endif
