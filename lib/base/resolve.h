/*
 * Names of hosts to addresses, with a deadline. getaddrinfo() has none, and cannot be interrupted, so it runs in a
 * thread of its own, which is left behind when it takes too long and frees what is its own when it ends.
 */
#ifndef CPI_RESOLVE_H
#define CPI_RESOLVE_H

#include "cachepusher.h"

#include <netdb.h>

/* The addresses of a host, for TCP; freed with freeaddrinfo(). Gives up at deadline_ms (of cpi_now_ms()), and when
 * cancel_fd becomes readable. A numeric address takes no time. Errors are CP_ERR_SYSTEM, retriable, and name the host.
 */
cp_code cpi_resolve(const char *host, int port, int64_t deadline_ms, int cancel_fd, struct addrinfo **addresses,
                    cp_error *err);

#endif
