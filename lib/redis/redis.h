/*
 * A Redis connection of one thread: made, used in pipelines with deadlines, lost and made again.
 *
 * An error reply is a failure even though the connection is fine; cpi_reply_error() sorts it. A connection on which
 * anything went wrong below that (timeout, reset, a reply that is no reply) is closed at once and never used again.
 */
#ifndef CPI_REDIS_H
#define CPI_REDIS_H

#include "base/stats.h"
#include "model/key.h"
#include "redis/redis_address.h"
#include "redis/wire.h"

struct cpi_redis {
    struct cpi_wire wire;
    const struct cpi_redis_address *address;
    int connect_timeout_ms;
    const char *role;        /* for CLIENT SETNAME: letters and dashes */
    int unanswered;          /* commands appended since the last reply that was read */
    struct cpi_stats *stats; /* where it is counted while it is open; NULL: nowhere */
    bool is_counted;         /* it has been */
    unsigned socket;         /* its note there */

    /* Of the connection before this one, to find out what has become of it. */
    char run_id[41];      /* of the server process; "" when unknown */
    char history[41];     /* of its data: the replication id, a new one for each primary; "" when unknown */
    long long client_id;  /* 0: unknown */
    bool left_unanswered; /* it was closed with commands under way */
    bool data_may_differ; /* set by open and check_primary: another process answers than before, or another primary's
                             data, which may be older. The caller clears it when it has acted on it */
};

/* Connects, authenticates, selects the database and names the connection. Refuses a replica. When the connection before
 * was lost with commands unanswered, has the server kill it first: a SET that comes through late must not overwrite a
 * newer one. */
cp_code cpi_redis_open(struct cpi_redis *redis, cp_error *err);

/* Whether the server is still the primary it was: after a failover the one before lives on as a replica, with its
 * connections, and reading from it goes on working. Closes when it is a replica. A server that does not tell (INFO is
 * not allowed) passes. */
cp_code cpi_redis_check_primary(struct cpi_redis *redis, cp_error *err);

/* A value of a section of INFO, such as that of "run_id:"; "" where it is not told, or INFO is not allowed. */
cp_code cpi_redis_read_info(struct cpi_redis *redis, const char *section, const char *name, char value[41],
                            cp_error *err);

bool cpi_redis_is_open(const struct cpi_redis *redis);
void cpi_redis_close(struct cpi_redis *redis);

/* Appends one command to the output buffer, unsent. The value is copied there and nowhere else: *at tells where it
 * begins in it (NULL: not wanted). */
cp_code cpi_redis_append_set(struct cpi_redis *redis, const struct cpi_key *key, const char *id, const char *value,
                             size_t length, int64_t ttl_s, size_t *at, cp_error *err);
cp_code cpi_redis_append_del(struct cpi_redis *redis, const struct cpi_key *key, const char *id, cp_error *err);
cp_code cpi_redis_append_get(struct cpi_redis *redis, const struct cpi_key *key, const char *id, cp_error *err);
cp_code cpi_redis_append_exists(struct cpi_redis *redis, const struct cpi_key *key, const char *id, cp_error *err);
cp_code cpi_redis_append(struct cpi_redis *redis, int argc, const char **argv, const size_t *lengths, cp_error *err);

/* Sends everything appended, and reads what comes in meanwhile. From here on Redis has the wire's time to answer.
 * output: NULL, or what was sent is lent to the caller (wire.h). */
cp_code cpi_redis_flush(struct cpi_redis *redis, struct cpi_output *output, cp_error *err);

/* The next reply, in order, of `limit` bytes at most (see wire.h); error replies are CP_OK here. The caller frees an
 * object with freeReplyObject(). */
cp_code cpi_redis_reply(struct cpi_redis *redis, size_t limit, enum cpi_wire_reply *kind, redisReply **object,
                        cp_error *err);

/* One command and its reply; an error reply is a failure. lengths may be NULL: the arguments are strings. */
redisReply *cpi_redis_command(struct cpi_redis *redis, int argc, const char **argv, const size_t *lengths,
                              cp_error *err);

/* What to do about an error reply. */
enum cpi_reply_error {
    CPI_REPLY_WAIT,      /* the server is busy, loading or full: try again later */
    CPI_REPLY_RECONNECT, /* this node is not, or no longer, the one to write to */
    CPI_REPLY_OPERATOR   /* somebody has to change something */
};
enum cpi_reply_error cpi_reply_error(const char *message);

/* What the server said, fit for a log: it may quote the arguments of a command, which are documents and passwords. */
enum { CPI_REPLY_TEXT = 160 };
void cpi_reply_text(const char *message, char text[CPI_REPLY_TEXT]);

#endif
