/*
 * A TCP proxy that misbehaves on demand: one thread, a poll loop, any number of ports of 127.0.0.1, each with an
 * upstream unix socket. Every function may be called from any thread.
 */
#ifndef PROXY_H
#define PROXY_H

#include <stdbool.h>
#include <stdint.h>

enum proxy_mode {
    PROXY_PASS,
    PROXY_RESET,   /* connections are reset, and new ones at once */
    PROXY_DELAY,   /* whatever comes is passed on delay_ms later */
    PROXY_CUT,     /* after cut_bytes more towards the client it is cut off, in the middle of whatever that is */
    PROXY_SILENT,  /* whatever comes is dropped, for ever: it stays so for a connection that has once been silent */
    PROXY_LATE,    /* existing ones hold back everything until they are healed; then what a client that has long given
                      up had sent is delivered to the server after all. New ones pass */
    PROXY_TRICKLE, /* a byte at a time */
    PROXY_STALL,   /* nothing is read or passed on, until healed */
};

struct proxy_behaviour {
    enum proxy_mode mode;
    int delay_ms;
    int cut_bytes;   /* at most; drawn for each connection */
    uint32_t share;  /* of the existing connections, percent; new ones all behave so */
    uint64_t random; /* what is drawn is drawn from here */
};

struct proxy;

struct proxy *proxy_create(void);
void proxy_destroy(struct proxy *proxy);

/* A new port; *port is its number. */
int proxy_listen(struct proxy *proxy, const char *upstream, int *port);

/* From now on new connections go there. */
void proxy_point(struct proxy *proxy, int listener, const char *upstream);

void proxy_behave(struct proxy *proxy, int listener, struct proxy_behaviour behaviour);

/* Resets its existing connections. */
void proxy_reset(struct proxy *proxy, int listener);

#endif
