/* Where Redis is: HOST[:PORT], redis://[[USER]:PASSWORD@]HOST[:PORT][/DB], unix:PATH. */
#ifndef CPI_REDIS_ADDRESS_H
#define CPI_REDIS_ADDRESS_H

#include "cachepusher.h"

struct cpi_redis_address {
    char *path; /* unix socket; NULL for TCP */
    char *host; /* NULL for a unix socket */
    int port;
    char *user;                /* NULL: none */
    char *password;            /* NULL: none. Never logged */
    const char *password_file; /* in place of a password, not owned; NULL: none */
    int database;
};

/* Port 6379 and database 0 where none is given; [::1]:6379 for IPv6; USER and PASSWORD are percent-decoded. PASSWORD
 * may be empty, for one that is in a file. "rediss://" is refused with a message of its own: TLS is not supported.
 * CP_ERR_CONFIG on anything else, with a message that never repeats what may be a password. */
cp_code cpi_redis_address_parse(struct cpi_redis_address *address, const char *text, cp_error *err);
void cpi_redis_address_fini(struct cpi_redis_address *address);

/* "127.0.0.1:6379" or "unix:/run/redis.sock", for messages. Truncated to what fits. */
void cpi_redis_address_name(const struct cpi_redis_address *address, char *buffer, size_t size);

#endif
