/*
 * The configuration: one struct, written by cp_config_*() and read-only once a syncer owns it.
 */
#ifndef CPI_CONFIG_H
#define CPI_CONFIG_H

#include "model/id.h"
#include "model/key.h"

/* One kind of document. Every string is owned by the entity and never NULL unless said otherwise. */
struct cpi_entity {
    char *name;
    char *key_template;
    struct cpi_key key; /* of key_template; made by cpi_config_finish() since it takes the final prefix */
    enum cpi_id_type id_type;
    char **channels; /* each means: read this id again. A channel may belong to several entities */
    size_t channel_count;
    char *fetch;            /* the fetch function, checked to be a name ("schema.name", quoted or not) */
    bool fetch_many;        /* it takes an array and returns rows (id, document) instead of one id and one document */
    char *list;             /* a query with one column: the id of every document */
    char *warmup_procedure; /* a name; NULL when there is none */
    int64_t ttl_s;          /* 0: keys do not expire */
};

enum cpi_warmup { CPI_WARMUP_SCAN, CPI_WARMUP_TOUCH, CPI_WARMUP_NONE };

struct cpi_redis_address {
    char *path; /* unix socket; NULL for TCP */
    char *host; /* NULL for a unix socket */
    int port;
    char *user;     /* NULL: none */
    char *password; /* NULL: none. Never logged */
    int database;
};

struct cp_config {
    char *postgres; /* may hold a password: never logged */
    char *redis;    /* as given; may hold a password: never logged */
    char *prefix;
    bool prefix_set;                        /* by cp_config_set() or a file, not by default */
    struct cpi_redis_address redis_address; /* of redis; made when redis is set */
    unsigned threads;
    char *name; /* "": the prefix; see cpi_config_name() */
    bool standby;
    enum cpi_warmup warmup;
    bool flush;
    unsigned batch;
    unsigned max_pending;
    int connect_timeout_ms;
    int fetch_timeout_ms;
    int redis_timeout_ms;
    unsigned audit_per_second; /* 0: off */
    struct cpi_entity *entities;
    size_t entity_count;
};

/* Keys of cachepusher itself begin with it; no entity's may. */
#define CPI_MARKER_PREFIX "cachepusher:marker:"

/* Checks what can only be checked as a whole (templates with the final prefix, overlapping keys, names used twice, a
 * prefix that no template uses, touch without a procedure, libpq's view of the connection string) and makes each
 * entity's key. Called by cp_syncer_create(). */
cp_code cpi_config_finish(struct cp_config *config, cp_error *err);

/* The name under which one syncer at a time writes. */
const char *cpi_config_name(const struct cp_config *config);

/* The entity called name, or NULL. */
const struct cpi_entity *cpi_config_entity(const struct cp_config *config, const char *name);

#endif
