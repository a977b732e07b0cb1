/*
 * A round of commands for the host's store: each is given to it when it is appended, flush() has them done, and
 * result() tells what came of the i-th (target.h).
 *
 * Once the host has answered WAIT the rest of the round is not given to it, and gets the same answer. A session that is
 * lost takes the round along: what was not answered for good is done again in the next one. Belongs to its target's
 * thread.
 */
#ifndef CPI_HOST_ROUND_H
#define CPI_HOST_ROUND_H

#include "redis/copies.h"
#include "redis/host_session.h"
#include "redis/target.h"

struct cpi_host_command;

/* Zero, but for host and is_told, is a valid empty one. */
struct cpi_host_round {
    struct cpi_host_session *host;
    struct cpi_host_command *commands;
    cp_store_answer *answers; /* room for those of a round */
    char *text;               /* of a key, for the call that is made next */
    size_t text_capacity;
    uint32_t count; /* of commands */
    uint32_t capacity;
    struct cpi_copies copies; /* of the round's documents, if somebody is told of them */
    bool is_told;
    bool is_sent;  /* it has been flushed: what is appended next begins another */
    bool puts_off; /* the host has answered WAIT */
};

/* Forgets what has been appended. */
void cpi_host_round_clear(struct cpi_host_round *round);
void cpi_host_round_fini(struct cpi_host_round *round);

/* What target.h says of these. */
cp_code cpi_host_round_set(struct cpi_host_round *round, const struct cpi_key *key, const char *id, const char *value,
                           size_t length, int64_t ttl_s, size_t *at, cp_error *err);
cp_code cpi_host_round_del(struct cpi_host_round *round, const struct cpi_key *key, const char *id, cp_error *err);
cp_code cpi_host_round_get(struct cpi_host_round *round, const struct cpi_key *key, const char *id, cp_error *err);
cp_code cpi_host_round_exists(struct cpi_host_round *round, const struct cpi_key *key, const char *id, cp_error *err);
cp_code cpi_host_round_flush(struct cpi_host_round *round, struct cpi_output *output, cp_error *err);
struct cpi_result cpi_host_round_result(struct cpi_host_round *round, uint32_t i);

#endif
