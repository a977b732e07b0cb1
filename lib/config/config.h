/*
 * The configuration: one struct, written by cp_config_*() and read-only once a syncer owns it.
 */
#ifndef CPI_CONFIG_H
#define CPI_CONFIG_H

#include "model/entity.h"
#include "redis/redis_address.h"

enum cpi_warmup { CPI_WARMUP_SCAN, CPI_WARMUP_TOUCH, CPI_WARMUP_NONE };

/* What a syncer does with documents: stores them, or only tells its host. */
enum cpi_role { CPI_ROLE_WRITE, CPI_ROLE_FOLLOW };

enum cpi_source_kind { CPI_SOURCE_NOTIFY, CPI_SOURCE_WAL };
enum cpi_announce_kind { CPI_ANNOUNCE_TABLES, CPI_ANNOUNCE_MESSAGES };

struct cp_config {
    char *postgres;               /* may hold a password: never logged */
    char *redis;                  /* as given; may hold a password: never logged */
    char *postgres_password_file; /* "": none */
    char *redis_password_file;    /* "": none */
    char *prefix;
    bool is_owned;                          /* a syncer frees it */
    bool prefix_set;                        /* by cp_config_set() or a file, not by default */
    struct cpi_redis_address redis_address; /* of redis; made when redis is set */
    unsigned threads;
    enum cpi_role role;
    char *name; /* "": the prefix; see cpi_config_name() */
    bool standby;
    enum cpi_warmup warmup;
    enum cpi_source_kind source;
    enum cpi_announce_kind source_announce;
    char *source_slot;        /* "": see cpi_config_slot() */
    char *source_publication; /* "": see cpi_config_publication() */
    unsigned source_retained_mb;
    bool flush;
    unsigned batch;
    unsigned batch_bytes;
    unsigned max_pending;
    unsigned max_delete_percent;
    int catalog_check_ms; /* 0: off */
    int max_lag_ms;
    int connect_timeout_ms;
    int fetch_timeout_ms;
    int redis_timeout_ms;
    unsigned audit_per_second;   /* 0: off */
    unsigned log_level;          /* cp_level; the embedder's to heed */
    struct cpi_entity *entities; /* entity_count of them, and behind them what is mapped to ids of theirs */
    size_t entity_count;
    size_t mapping_count;
};

/* Keys of cachepusher itself begin with it; no entity's may. */
#define CPI_MARKER_PREFIX "cachepusher:marker:"

/* Of a public function that changes a configuration or takes it over: CP_ERR_ARGUMENT where there is none, or it is a
 * syncer's, whose threads read it. */
cp_code cpi_config_check_change(const struct cp_config *config, const char *function, cp_error *err);

/* Checks what can only be checked as a whole (templates with the final prefix, overlapping keys, names used twice, a
 * prefix that no template uses, touch without a procedure, libpq's view of the connection string) and makes each
 * entity's key. Called by cp_syncer_create(). */
cp_code cpi_config_finish(struct cp_config *config, cp_error *err);

/* The name under which one syncer at a time writes. */
const char *cpi_config_name(const struct cp_config *config);

/* What the lease's session is called in Postgres. Of declared documents it tells the version: others see by it whether
 * the writer serves what they have resolved. */
enum { CPI_LEASE_ROLE_BYTES = 64 };
void cpi_config_lease_role(const struct cp_config *config, char role[CPI_LEASE_ROLE_BYTES]);

/* What the wal source's slot and publication are called: as configured, or made of the name. */
enum { CPI_SLOT_BYTES = 64 };
void cpi_config_slot(const struct cp_config *config, char slot[CPI_SLOT_BYTES]);
void cpi_config_publication(const struct cp_config *config, char publication[CPI_SLOT_BYTES]);

/* The key of the marker (resync/marker.h), made of the name and the entities' key templates: those who take turns have
 * the same, and nobody else. */
enum { CPI_MARKER_KEY_BYTES = 48 };
void cpi_config_marker_key(const struct cp_config *config, char key[CPI_MARKER_KEY_BYTES]);

/* What marks of an entity, or of what is mapped to it, are of. */
static inline size_t cpi_config_target(const struct cp_config *config, size_t index)
{
    return index < config->entity_count ? index : config->entities[index].target;
}

/* The index that events of an entity's table have: the entity's own, or that of what is mapped to it, which stand in
 * the order of the entities and of their tables. */
size_t cpi_config_event_index(const struct cp_config *config, size_t entity, size_t watch);

/* The table whose rows announce what is mapped; index: of an event, and no entity's. */
const struct cpi_watch *cpi_config_mapped_watch(const struct cp_config *config, size_t index);

/* Whether changes are announced by triggers. */
static inline bool cpi_config_has_triggers(const struct cp_config *config)
{
    return config->source == CPI_SOURCE_NOTIFY || config->source_announce == CPI_ANNOUNCE_MESSAGES;
}

/* The entity called name, or NULL. */
const struct cpi_entity *cpi_config_entity(const struct cp_config *config, const char *name);

#endif
