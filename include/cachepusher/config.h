/* Configurations: settings and entities, to make a syncer of. Part of cachepusher.h, which has the rules. */
#ifndef CACHEPUSHER_CONFIG_H
#define CACHEPUSHER_CONFIG_H

#include "error.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- configuration ---- */

/* Settings and entities, to make a syncer of. Once a syncer owns it, it can be read but not changed
 * (CP_ERR_ARGUMENT). */
typedef struct cp_config cp_config;

/* A configuration with every setting at its default and the customer example as its only entity. NULL when out of
 * memory. */
CP_API cp_config *cp_config_create(cp_error *err);

/* Reads a JSON file over what config holds: settings the file does not name stay; its "entities", if any, replace those
 * of config. On failure (CP_ERR_CONFIG; "FILE:LINE: …" or "FILE: path.within.it: …") config is unchanged. */
CP_API cp_code cp_config_load(cp_config *config, const char *path, cp_error *err);

/* The same from text in memory; `name` takes the place of the file's name in messages. */
CP_API cp_code cp_config_parse(cp_config *config, const char *json, const char *name, cp_error *err);

/* Sets one setting from text, as a flag or an environment variable would. Their names, those of the file:
 * (written by scripts/generate-docs)
 *
 *     postgres               Postgres, as a libpq connection string or URI; empty: libpq's own defaults and PG*
 *                            variables. Default: empty
 *     redis                  Redis: HOST[:PORT], redis://[[USER]:PASSWORD@]HOST[:PORT][/DB] or unix:PATH. Default:
 *                            127.0.0.1:6379
 *     postgres_password_file a file whose first line is the password for Postgres, read at each connect; a path that
 *                            does not begin with / is one of systemd's credentials, where there are any
 *                            ($CREDENTIALS_DIRECTORY). Default: empty
 *     redis_password_file    the same for Redis; with a user of an ACL, redis is redis://USER:@HOST. Default: empty
 *     prefix                 what {prefix} in key templates stands for. Default: customer
 *     name                   instances that share a name and a database elect one writer, and the others stand by; what
 *                            writes the same keys needs the same name, and what writes other keys, or to another Redis,
 *                            another one; empty: the prefix. Default: empty
 *     standby                while another instance of the name is the writer, wait for its end; false: fail to start.
 *                            Default: true
 *     role                   write stores documents in Redis, one writer of a name at a time; follow, for programs that
 *                            embed the library, any number beside it, has no Redis and only tells its host of each
 *                            document. Default: write
 *     threads                workers, each with a connection to either server; 1 to 64. Default: 4
 *     warmup                 how documents are filled in at the start: scan lists the ids and reads each document,
 *                            touch calls the warm-up procedure and follows the changes it makes, none only follows
 *                            changes. Default: scan
 *     source                 where changes are learned from: notify listens to notifications, wal reads a logical
 *                            replication slot and goes on from there after a restart; in a file also "source": {"type":
 *                            …}, with the settings that begin with source_. Default: notify
 *     source_announce        how the wal source learns of a change: tables reads the rows of each entity's "watch" and
 *                            needs no trigger, messages reads what triggers write into the log. Default: tables
 *     source_slot            the wal source's replication slot, made when there is none; empty: cachepusher_ and the
 *                            name. Default: empty
 *     source_publication     the wal source's publication, which cachepusher setup makes; empty: that of the slot.
 *                            Default: empty
 *     source_retained_mb     warn when the slot makes Postgres keep more write-ahead log than this; 1 to 1,000,000,000.
 *                            Default: 1,024
 *     flush                  first delete every key under each entity's prefix; fails to start while another instance
 *                            of the name is the writer. Default: false
 *     batch                  documents read by one statement; 1 to 10,000. Default: 256
 *     batch_bytes            of a batch's documents, stored as soon as so many have arrived: a worker needs memory for
 *                            a few times this and its largest document; 65,536 to 1,073,741,824. Default: 2,097,152
 *     max_pending            distinct ids kept while a server is away or they fail; beyond it they are dropped and a
 *                            resync is made instead, which keeps as many keys of an entity in memory and looks the rest
 *                            up in Postgres; 1,000 to 100,000,000. Default: 1,000,000
 *     max_delete_percent     a resync deletes no more of an entity's keys than this, or 200, whether Postgres does not
 *                            list them or the fetch function gives no document; the others are kept until a "*" on one
 *                            of the entity's channels says that they are to go (TRUNCATE sends it); 100: no limit; 0 to
 *                            100. Default: 50
 *     max_lag_ms             how long the oldest change may wait to be stored before health says "lagging" instead of
 *                            "ready"; 100 to 86,400,000. Default: 10,000
 *     catalog_check_ms       how often to look (less often where a look takes longer than a fiftieth of this) whether
 *                            what documents hang on has changed without a trigger (functions, columns, partitions,
 *                            materialized views, enums, policies, settings of the role) and to resync what hangs on it;
 *                            0: never; 0 to 3,600,000. Default: 2,000
 *     connect_timeout_ms     for one attempt to connect; 100 to 600,000. Default: 5,000
 *     fetch_timeout_ms       for one statement that reads a document by itself, or one page of a listing; a worker's
 *                            batches have 5 s; 100 to 86,400,000. Default: 30,000
 *     redis_timeout_ms       for Redis to take and answer one batch; 100 to 600,000. Default: 5,000
 *     audit_per_second       documents compared with Redis in the background each second, to find what no trigger has
 *                            announced; 0: none; in a file also "audit": {"per_second": N}; 0 to 100,000. Default: 0
 *     log_level              how much the command logs: error, warn, info or debug, which shows each document (those
 *                            only if it starts with it); a program that embeds the library gets everything. Default:
 *                            info
 */
CP_API cp_code cp_config_set(cp_config *config, const char *name, const char *value, cp_error *err);

/* Which values a setting takes. */
typedef enum cp_setting_type {
    CP_SETTING_STRING,
    CP_SETTING_NUMBER,  /* a whole one */
    CP_SETTING_BOOLEAN, /* true or false */
    CP_SETTING_CHOICE,  /* one of some words, which help names */
    CP_SETTING_STRINGS, /* an array of strings */
    CP_SETTING_OBJECTS, /* an array of objects */
    CP_SETTING_OBJECT
} cp_setting_type;

/* A setting, for whoever explains settings or offers them: the command's --help is made of these. */
typedef struct cp_setting {
    size_t size;
    const char *name;
    cp_setting_type type;
    bool of_entity;          /* each of a file's "entities" has it; cp_config_set() does not know it */
    bool required;           /* of an entity: it has no default */
    int64_t min;             /* of a number */
    int64_t max;             /* of a number */
    const char *unit;        /* such as "milliseconds"; NULL for none */
    const char *initial;     /* the default, in the form that cp_config_set() takes; "" for none; NULL when required */
    const char *help;        /* what it does, in a sentence without a full stop */
    const char *value;       /* what stands for its value in a usage, such as "N"; NULL of an entity */
    const char *flag;        /* of the command cachepusher, such as "--dsn"; NULL: it has none but --set */
    const char *environment; /* read by the command, such as "CP_DSN"; NULL for none */
} cp_setting;

/* How many settings there are. */
CP_API size_t cp_setting_count(void);

/* The index-th: static, and never NULL below the count. */
CP_API const cp_setting *cp_setting_describe(size_t index);

/* A table of an entity's "watch", for whoever sets up a database: strings belong to the configuration. */
typedef struct cp_watch {
    size_t size;
    const char *entity;
    const char *id_type;         /* integer, bigint, uuid or text */
    const char *const *channels; /* where its triggers announce, channel_count of them */
    size_t channel_count;
    const char *table;          /* NAME or SCHEMA.NAME, spelt as in SQL */
    const char *column;         /* spelt as in SQL; of several, the first */
    const char *const *columns; /* column_count of them, 1 at least */
    size_t column_count;
    const char *maps;         /* the query that maps the columns' values to ids; NULL: they are ids */
    bool has_reads;           /* reads is known; else documents may read all of the table's columns */
    const char *const *reads; /* columns that documents read besides these; reads_count of them */
    size_t reads_count;
} cp_watch;

/* The index-th table that is watched, of all entities. Set watch->size before. CP_ERR_ARGUMENT: there are not so many.
 */
CP_API cp_code cp_config_watch(const cp_config *config, size_t index, cp_watch *watch, cp_error *err);

/* A declared document of an entity, for whoever sets up a database: strings belong to the configuration. */
typedef struct cp_declaration {
    size_t size;
    const char *entity;
    size_t index;         /* of the entity in the file, for messages */
    const char *key;      /* the template as it was written; it may have the key's columns in it */
    const char *document; /* the declaration as JSON, without comments and with its members in order */
    const char *digest;   /* of document: 16 hex digits */
} cp_declaration;

/* The index-th declared document. Set declaration->size before. CP_ERR_ARGUMENT: there are not so many. */
CP_API cp_code cp_config_declaration(const cp_config *config, size_t index, cp_declaration *declaration, cp_error *err);

/* Looks up what `cachepusher setup` has made of each declared document, in Postgres, as configured: once, before a
 * syncer is created. Nothing is asked where nothing is declared. CP_ERR_POSTGRES: Postgres is away, or has nothing for
 * a declaration as it stands; config may have some of it then, and the call may be repeated. */
CP_API cp_code cp_config_resolve(cp_config *config, cp_error *err);

/* Takes it from text instead: what the index-th entity's declaration (cp_declaration.index) has been resolved to, a
 * JSON object of id_type, fetch_many, list and watch. For whoever sets up a database. */
CP_API cp_code cp_config_apply(cp_config *config, size_t index, const char *resolved, cp_error *err);

/* What a setting is, as text in the form that cp_config_set() takes; names that are made of others where they are empty
 * (name, source_slot, source_publication) are filled in. With the password, if postgres or redis has one.
 * CP_ERR_CONFIG: no such setting. CP_ERR_ARGUMENT: size is too small. */
CP_API cp_code cp_config_get(const cp_config *config, const char *name, char *value, size_t size, cp_error *err);

/* Whether two configurations have the same of a setting, or of "entities"; false, too, where there is no such setting,
 * or an argument is NULL. */
CP_API bool cp_config_same(const cp_config *config, const cp_config *other, const char *name);

/* The password that the file of a setting (postgres_password_file, redis_password_file) holds now; "" where the setting
 * names none. CP_ERR_CONFIG: it cannot be read. CP_ERR_ARGUMENT: no such setting, or size is too small. */
CP_API cp_code cp_config_password(const cp_config *config, const char *name, char *value, size_t size, cp_error *err);

/* Frees a configuration; one that a syncer owns is left to it. NULL is allowed. */
CP_API void cp_config_destroy(cp_config *config);

#ifdef __cplusplus
}
#endif

#endif
