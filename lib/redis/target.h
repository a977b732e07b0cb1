/*
 * Where documents are stored: an interface to a Redis, however it is made up of servers, to a store of the host's own
 * (host_store.h), or to none (follower.h).
 *
 * A target is used in rounds. Commands are appended; flush() sends them; result(i) gives what came of the i-th.
 * Scanning, the marker and fencing are the target's as well, since where there are several servers each has its own
 * part of them.
 *
 * A target that has lost a connection is closed at once, and what was unanswered may still be executed: the next open()
 * has the server give up the connection before it. Error replies of the server close nothing, unless they say that this
 * is not, or no longer, the server to write to.
 *
 * Belongs to one thread at a time.
 */
#ifndef CPI_TARGET_H
#define CPI_TARGET_H

#include "base/stats.h"
#include "model/key.h"
#include "redis/keyspace.h"
#include "redis/output.h"
#include "redis/redis_address.h"

enum cpi_answer {
    CPI_ANSWER_NONE,      /* the connection was lost before: whether the command was executed is unknown */
    CPI_ANSWER_DONE,      /* acknowledged, or what was asked for was read */
    CPI_ANSWER_WAIT,      /* the server is busy, loading or full: try again later */
    CPI_ANSWER_RECONNECT, /* this is not, or no longer, the server to write to; the target is closed */
    CPI_ANSWER_REFUSED,   /* somebody has to change something */
    CPI_ANSWER_NONSENSE   /* no reply that this command has; the target is closed */
};

enum cpi_value { CPI_VALUE_NONE, CPI_VALUE_STRING, CPI_VALUE_OTHER_TYPE };

/* Bytes of a value: Redis' own limit, of a string. */
#define CPI_TARGET_VALUE_MAX ((size_t)512 * 1024 * 1024)

struct cpi_result {
    enum cpi_answer answer;
    const char *message; /* unless DONE: what the server said, or why nothing came */
    enum cpi_value kind; /* of a get that is DONE, like the two below */
    const char *bytes;   /* of a string */
    size_t length;
    bool exists; /* of an exists that is DONE: there is such a key, of whatever type */
};

struct cpi_target_ops;

struct cpi_target {
    const struct cpi_target_ops *ops;
};

struct cpi_kept_keys;

struct cpi_target_options {
    const cp_store *store;      /* of the host, in Redis' place; NULL: none */
    struct cpi_kept_keys *kept; /* of that, and of a follower, which has no store at all; NULL: there is a Redis */
    const struct cpi_redis_address *address;
    const char *role;        /* names its connections on the server: letters and dashes */
    struct cpi_stats *stats; /* where open connections are counted; NULL: nowhere */
    int cancel_fd;           /* readable: give up whatever is waited for */
    int connect_timeout_ms;
    int timeout_ms; /* for the server to take and answer one round */
    bool is_told;   /* somebody wants to see documents once they have settled: what is flushed will be lent */
};

struct cpi_target_ops {
    /* Connects, in place of the connection there was. Refuses a replica. Closing a closed one is harmless. */
    cp_code (*open)(struct cpi_target *target, cp_error *err);
    bool (*is_open)(const struct cpi_target *target);
    void (*close)(struct cpi_target *target);
    void (*destroy)(struct cpi_target *target);

    /* While open: append one command. The value is copied into the output buffer and nowhere else: *at tells where it
     * begins in what flush() lends (NULL: not wanted). set and del fail unless the target has been admitted.
     * ttl_s 0: for ever. */
    cp_code (*set)(struct cpi_target *target, const struct cpi_key *key, const char *id, const char *value,
                   size_t length, int64_t ttl_s, size_t *at, cp_error *err);
    cp_code (*del)(struct cpi_target *target, const struct cpi_key *key, const char *id, cp_error *err);
    cp_code (*get)(struct cpi_target *target, const struct cpi_key *key, const char *id, cp_error *err);
    cp_code (*exists)(struct cpi_target *target, const struct cpi_key *key, const char *id, cp_error *err);

    /* Sends what has been appended. From here on the server has timeout_ms to answer all of it. Unless output is NULL,
     * what was sent is lent to the caller, on success only: it stays as it is, whatever becomes of the connection,
     * until give_back(), which has to come before anything is appended again. */
    cp_code (*flush)(struct cpi_target *target, struct cpi_output *output, cp_error *err);
    void (*give_back)(struct cpi_target *target, struct cpi_output *output);

    /* What came of the i-th command since the round began: in order of i, each once, after flush() has succeeded or
     * failed. What it points to is valid until the next call of the target. */
    struct cpi_result (*result)(struct cpi_target *target, uint32_t i);

    /* While open, the first two steps of admission: names the connections after group and token, and has the server end
     * every connection that is named after the same group and another token. */
    cp_code (*fence)(struct cpi_target *target, const char *group, const char *token, cp_error *err);

    /* Whether it may write, from now until it is closed. */
    void (*admit)(struct cpi_target *target);
    bool (*is_admitted)(const struct cpi_target *target);

    /* While open: whether this is a server as it is needed (one, a primary, neither a node of a cluster nor a
     * Sentinel), and whether everything that trouble will take is allowed and works: with the keys, the marker, and
     * with connections, of which one of our own is made and ended. Writes nothing but a key beside the marker, which it
     * deletes. warning: what is missing and can be done without; "" if nothing is. */
    cp_code (*prove)(struct cpi_target *target, const struct cpi_key *const *keys, size_t count, const char *marker,
                     char *warning, size_t size, cp_error *err);

    /* While open: the next page of keys. A lost connection means starting over with a new cursor. */
    cp_code (*scan)(struct cpi_target *target, struct cpi_cursor *cursor, struct cpi_keys *keys, cp_error *err);

    /* While open and admitted: deletes those of the keys that begin with a key's prefix, literally. Adds to *count how
     * many there were. */
    cp_code (*unlink)(struct cpi_target *target, const struct cpi_key *key, const struct cpi_keys *keys,
                      uint64_t *count, cp_error *err);

    /* While open and admitted: increments the number in a key and tells what it is now; 0 for a key that holds none. On
     * failure it may have been incremented. */
    cp_code (*advance_marker)(struct cpi_target *target, const char *key, int64_t *number, cp_error *err);

    /* While open and admitted: writes a number. */
    cp_code (*write_marker)(struct cpi_target *target, const char *key, int64_t number, cp_error *err);

    /* While open: whether the server is still the primary it was. After a failover the one before lives on as a
     * replica, with its connections. Closes when it is a replica. A server that does not say passes. */
    cp_code (*check_primary)(struct cpi_target *target, cp_error *err);

    /* Whether open() or check_primary() have found another server process, or another primary's data, than the time
     * before, so that data may be older. Asking clears it, unless peek. */
    bool (*data_may_differ)(struct cpi_target *target, bool peek);
};

/* Closed. What the options point to has to outlive it. NULL: out of memory. */
struct cpi_target *cpi_target_create(const struct cpi_target_options *options);

/* NULL is allowed. */
void cpi_target_destroy(struct cpi_target *target);

/* Opens it unless it is open. */
cp_code cpi_target_ensure_open(struct cpi_target *target, cp_error *err);

#endif
