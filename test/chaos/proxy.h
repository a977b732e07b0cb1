/*
 * A TCP proxy that misbehaves on demand: one thread with a poll loop, and any number of ports of 127.0.0.1, each with
 * an upstream Unix socket. Every function may be called from any thread.
 */
#ifndef PROXY_H
#define PROXY_H

#include <stdbool.h>
#include <stdint.h>

enum proxy_mode {
    PROXY_PASS,
    PROXY_RESET,   /* connections are reset, and new ones at once */
    PROXY_DELAY,   /* data is passed on delay_ms later */
    PROXY_CUT,     /* after cut_bytes more to the client the connection is cut, in the middle of anything */
    PROXY_SILENT,  /* data is dropped; a connection that was silent once stays so */
    PROXY_LATE,    /* existing connections hold everything back until healed; then data of clients that have given up
                      is delivered to the server after all. New connections pass */
    PROXY_TRICKLE, /* one byte at a time */
    PROXY_STALL,   /* nothing is read or passed on, until healed */
};

struct proxy_behaviour {
    enum proxy_mode mode;
    int delay_ms;
    int cut_bytes;   /* the maximum; drawn for each connection */
    uint32_t share;  /* percentage of existing connections; all new ones are affected */
    uint64_t random; /* state of the random numbers */
};

struct proxy;

struct proxy *proxy_create(void);
void proxy_destroy(struct proxy *proxy);

/* A new port; *port is its number. */
int proxy_listen(struct proxy *proxy, const char *upstream, int *port);

/* From now on new connections go to this upstream. */
void proxy_point(struct proxy *proxy, int listener, const char *upstream);

void proxy_behave(struct proxy *proxy, int listener, struct proxy_behaviour behaviour);

/* Resets its existing connections. */
void proxy_reset(struct proxy *proxy, int listener);

#endif
