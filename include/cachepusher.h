/*
 * libcachepusher: keeps JSON documents in Redis equal to what Postgres holds.
 *
 * An application writes rows; triggers announce the ids of the documents that changed; the syncer reads each document
 * again with a function of yours and stores it in Redis under its key. A complete program (error messages left to the
 * reader):
 *
 *     #include <cachepusher.h>
 *     #include <stdio.h>
 *
 *     int main(void)
 *     {
 *         cp_error err;
 *         cp_config *config = cp_config_create(&err);
 *         cp_config_set(config, "postgres", "host=/run/postgresql dbname=shop", &err);
 *         cp_config_set(config, "redis", "127.0.0.1:6379", &err);
 *
 *         cp_syncer *syncer = cp_syncer_create(config, NULL, &err);   // owns config from here on
 *         if (syncer == NULL || cp_syncer_start(syncer, &err) != CP_OK ||
 *             cp_syncer_wait_ready(syncer, 60000, &err) != CP_OK) {
 *             fprintf(stderr, "%s\n", err.message);
 *             return 1;
 *         }
 *         puts("every customer is in Redis and follows Postgres; press return to stop");
 *         getchar();
 *         cp_syncer_stop(syncer, 5000, &err);
 *         cp_syncer_destroy(syncer);
 *         return 0;
 *     }
 *
 *     cc example.c $(pkg-config --cflags --libs cachepusher)
 *
 * Rules that hold for everything below
 *
 *  - Threads: a cp_config belongs to one thread at a time. A cp_syncer may be used from any number of threads at once,
 *    except for cp_syncer_destroy(), which has to be the last call.
 *  - The library starts threads of its own in cp_syncer_start(), with every signal blocked. It installs no signal
 *    handler, never exits, prints nothing, and keeps no global state: several syncers in one process work.
 *  - Errors: a function that can fail returns a cp_code and fills *err when err is not NULL. The message is one line of
 *    UTF-8 that names the thing concerned, without a newline and never with a password.
 *  - Strings passed in are copied. Strings handed to callbacks live until the callback returns.
 *  - Times are in milliseconds.
 *  - Structs that may grow begin with their size. Set it before the call, and leave what you do not use at zero:
 *        cp_stats stats = {.size = sizeof stats};
 *    The library reads and writes no more than this, so that a program built with an older header keeps working with a
 *    newer library. With an older library, what it does not know is left at zero, and asking it for that is
 *    CP_ERR_ARGUMENT, as is a size that cannot be true. Structs that the library hands out carry its own size.
 */
#ifndef CACHEPUSHER_H
#define CACHEPUSHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of this header; cp_version() has the library's. */
#define CP_VERSION "0.1.0"

#if defined(__GNUC__)
#define CP_API __attribute__((visibility("default")))
#else
#define CP_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- errors ---- */

/* What kind of failure it was. */
typedef enum cp_code {
    CP_OK = 0,
    CP_ERR_ARGUMENT, /* the call is wrong: unknown entity, not an id, syncer stopped */
    CP_ERR_CONFIG,   /* a configuration file or value is wrong */
    CP_ERR_SYSTEM,   /* out of memory, threads or file descriptors */
    CP_ERR_POSTGRES, /* Postgres cannot be reached, refused, or lacks a function or table */
    CP_ERR_REDIS,    /* Redis cannot be reached or refused */
    CP_ERR_TIMEOUT   /* the time given has passed */
} cp_code;

/* A failure. */
typedef struct cp_error {
    cp_code code;
    bool retriable; /* the same call may succeed later without anybody changing the configuration */
    char message[512];
} cp_error;

/* The name of a code, such as "postgres". Never NULL; the string is static. */
CP_API const char *cp_code_name(cp_code code);

/* The version of the library that runs, as CP_VERSION was when it was built. */
CP_API const char *cp_version(void);

/* ---- configuration ---- */

/* Settings and entities, to make a syncer of. */
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

/* Whether two configurations have the same of a setting, or of "entities"; false, too, where there is no such setting.
 */
CP_API bool cp_config_same(const cp_config *config, const cp_config *other, const char *name);

/* The password that the file of a setting (postgres_password_file, redis_password_file) holds now; "" where the setting
 * names none. CP_ERR_CONFIG: it cannot be read. CP_ERR_ARGUMENT: no such setting, or size is too small. */
CP_API cp_code cp_config_password(const cp_config *config, const char *name, char *value, size_t size, cp_error *err);

/* Frees a configuration that no syncer owns. NULL is allowed. */
CP_API void cp_config_destroy(cp_config *config);

/* ---- callbacks ---- */

/* How much a message matters. */
typedef enum cp_level { CP_LOG_ERROR, CP_LOG_WARN, CP_LOG_INFO, CP_LOG_DEBUG } cp_level;

/* A message, and what it is about. More may come to be known of one. */
typedef struct cp_log_entry {
    size_t size;
    cp_level level;
    const char *message; /* one line, complete without what follows */
    const char *entity;  /* NULL: none */
    const char *key;     /* in Redis; NULL: none */
    const char *host;    /* HOST:PORT or the like of a server, without a password; NULL: none */
    int64_t duration_ms; /* how long something took or lasted, 1 at least; 0: nothing did */
    uint64_t count;      /* how many of something the message tells of; 0: of none */
} cp_log_entry;

/* A document whose id has settled: Redis has acknowledged what a read made after the change had found. */
typedef struct cp_document {
    size_t size;
    const char *entity;
    const char *key; /* in Redis */
    size_t bytes;    /* of the document; 0 when there is none */
    bool exists;     /* false: no such document, and the key is deleted */
} cp_document;

/* All are called from the library's threads, several at a time, and hold up the thread that calls: return soon, and
 * call no function of the library from them except cp_syncer_stats(), cp_syncer_stat(), cp_syncer_enqueue() and
 * cp_syncer_resync(). */
typedef struct cp_callbacks {
    size_t size;                                                     /* sizeof(cp_callbacks) */
    void (*log)(void *context, cp_level level, const char *message); /* NULL: messages are discarded */
    void (*settled)(void *context, const cp_document *document);     /* NULL: not wanted */
    void *context;
    void (*log_entry)(void *context, const cp_log_entry *entry); /* instead of log, if set; NULL: log has it all */
} cp_callbacks;

/* ---- the syncer ---- */

/* Fills Redis with the documents of a configuration's entities, and follows their changes. */
typedef struct cp_syncer cp_syncer;

/* Validates the configuration as a whole and wires up a syncer; connects to nothing yet. On success the syncer owns
 * config; on failure (NULL) the caller still does. callbacks may be NULL and are copied. */
CP_API cp_syncer *cp_syncer_create(cp_config *config, const cp_callbacks *callbacks, cp_error *err);

/* Connects once to both servers to see that they answer and hold what the configuration names, and starts the threads.
 * Blocks meanwhile; cp_syncer_stop() in another thread cuts it short. When it fails for want of a server, a table or a
 * function, nothing runs and it may be called again: that is how to wait for servers that come up later. Once it has
 * succeeded, lost connections are made again for ever, in the background. */
CP_API cp_code cp_syncer_start(cp_syncer *syncer, cp_error *err);

/* Waits until every document that existed when the warm-up began has settled (with warmup "none": until changes are
 * listened for), timeout_ms at most; -1 waits for ever. CP_ERR_TIMEOUT: not yet. An id whose own fetch fails does not
 * hold this up: it is retried for ever and counted in cp_stats.failing. While another syncer of the name writes, and
 * this one stands by, it is not ready. */
CP_API cp_code cp_syncer_wait_ready(cp_syncer *syncer, int timeout_ms, cp_error *err);

/* Has a document read and stored again, as a notification would: for writes that no trigger sees. `id` is text in the
 * form of the entity's id type. Returns at once; the work is done by the workers, once the syncer runs, or, while it
 * stands by, by the syncer that writes. */
CP_API cp_code cp_syncer_enqueue(cp_syncer *syncer, const char *entity, const char *id, cp_error *err);

/* Has every document of an entity (NULL: of all) read and stored again and keys without a row removed, beside live
 * changes. Returns at once; a request made while a resync runs is served by one more run after it. */
CP_API cp_code cp_syncer_resync(cp_syncer *syncer, const char *entity, cp_error *err);

/* Why everything was read again. */
typedef enum cp_cause {
    CP_CAUSE_START,      /* it listened for the first time: the warm-up, as configured */
    CP_CAUSE_LISTENER,   /* it listened again, and may have missed changes */
    CP_CAUSE_TRUNCATE,   /* a notification of "*" */
    CP_CAUSE_OVERFLOW,   /* max_pending was passed, or memory ran out */
    CP_CAUSE_REDIS,      /* Redis has lost data, or may have */
    CP_CAUSE_REQUEST,    /* cp_syncer_resync() */
    CP_CAUSE_RETRY,      /* what had failed in the run before */
    CP_CAUSE_UNREADABLE, /* a notification could not be read, and may have named anything */
    CP_CAUSE_CATALOG,    /* what documents hang on has changed: a function, a column, a partition, ... */
    CP_CAUSE_RESUME,     /* no resync: the wal source goes on where it was, and what was missed is caught up with */
    CP_CAUSES            /* how many this header knows */
} cp_cause;

/* In words, such as "Redis has lost data". Never NULL; the string is static. */
CP_API const char *cp_cause_name(cp_cause cause);

enum { CP_CAUSES_ROOM = 16 }; /* for causes to come */

/* What a syncer has done since it was created, and what waits. */
typedef struct cp_stats {
    size_t size; /* sizeof(cp_stats) */
    /* Since the start: */
    uint64_t events;                 /* ids named by notifications and cp_syncer_enqueue() */
    uint64_t resync_ids;             /* ids put through the lanes by resyncs, warm-up included */
    uint64_t coalesced;              /* of these two, folded into an id that was waiting already */
    uint64_t bad_payloads;           /* notifications of which something was no id of the entity, and not '*' */
    uint64_t fetches;                /* statements sent to read documents */
    uint64_t stored;                 /* documents settled by SET */
    uint64_t deleted;                /* ids settled by DEL, or without a key: no such document */
    uint64_t bytes;                  /* of the documents stored */
    uint64_t failures;               /* tries to settle an id that failed: it stays queued, or is parked */
    uint64_t retries;                /* waits for a server that was away, or refused, before another try */
    uint64_t reconnects;             /* connections lost and made again */
    uint64_t overflows;              /* times that max_pending was passed and a resync asked for */
    uint64_t resyncs;                /* completed, warm-up included */
    uint64_t causes[CP_CAUSES_ROOM]; /* runs begun for each cp_cause; one run may have several */
    uint64_t audited; /* documents and keys that the auditor has compared; 0 unless audit_per_second is set */
    uint64_t stale;   /* of these, found to be wrong for seconds on end, and sent to be read again */
    /* Now: */
    uint64_t pending;         /* distinct ids known to the workers that have not settled */
    uint64_t failing;         /* of these, ids set aside since their own fetch or store fails; retried for ever */
    uint64_t resync_estimate; /* documents that the running or last resync expects to list; the planner's estimate */
    bool ready;               /* what cp_syncer_wait_ready() waits for */
    bool writer;    /* false: the lease is not held, or another syncer of this name writes and this one stands by */
    bool listening; /* changes are listened for; false: not the writer, or not connected */
    /* Since the start: */
    uint64_t unreadable; /* ids in notifications and listings that cannot be ids of their entity */
    uint64_t strangers;  /* looks, one a second, at which another role held the lock of the lease, or that
                          * of the listener */
    uint64_t doubled;    /* documents of a fetch function beyond the first for an id, which alone is stored */
    uint64_t withheld;   /* keys without a document that a resync has kept, since it would delete more than
                          * max_delete_percent */
    /* Now: */
    uint64_t retained_bytes; /* write-ahead log that Postgres keeps for the wal source's slot, looked at every 3 s */
    uint64_t notification_queue; /* how much of Postgres' queue of notifications is filled, in millionths */
    /* Since the start, of all threads, work with a server that failed and is tried again: */
    uint64_t postgres_away;    /* it did not answer, or ended the connection */
    uint64_t postgres_refused; /* it said that somebody has to do something about it */
    uint64_t redis_away;
    uint64_t redis_refused;
    /* Now: */
    uint64_t postgres_connections; /* that are open */
    uint64_t redis_connections;
    /* Since the start: */
    uint64_t mapped;         /* rows that announced themselves, to be mapped to documents they are part of ("maps") */
    uint64_t unread_updates; /* of rows, left out since they changed nothing that documents read; wal source only */
} cp_stats;

/* A snapshot; the figures are each exact but not all of the same instant. Any time between create and destroy. */
CP_API cp_code cp_syncer_stats(const cp_syncer *syncer, cp_stats *stats, cp_error *err);

/* How a figure moves. */
typedef enum cp_stat_kind {
    CP_STAT_COUNTER, /* since the start; only grows */
    CP_STAT_GAUGE    /* now */
} cp_stat_kind;

/* The figures of cp_stats as a table, for whoever passes them on (metrics, logs) without knowing each: one of them.
 * Names and units follow Prometheus' conventions. Those with a label are one figure for each of its values: they share
 * name, help, unit and kind, and stand next to each other. */
typedef struct cp_stat {
    size_t size;
    const char *name; /* such as "cachepusher_events_total" */
    const char *help; /* one line, without a full stop */
    const char *unit; /* "bytes", "ratio"; NULL for a number of something */
    cp_stat_kind kind;
    const char *label;       /* such as "cause"; NULL: it has none */
    const char *label_value; /* such as "overflow"; NULL with label */
    double scale;            /* what the value is to be multiplied with: 1, unless the unit is a large one */
} cp_stat;

/* How many figures there are. Another version of the library may have others at other indexes. */
CP_API size_t cp_stat_count(void);

/* What the index-th is: static, and never NULL below the count. */
CP_API const cp_stat *cp_stat_describe(size_t index);

/* The value of one, at any time between create and destroy; 0 when there is no such figure. */
CP_API uint64_t cp_syncer_stat(const cp_syncer *syncer, size_t index);

/* ---- watching it ----
 *
 * What the syncer is doing, for health checks, metrics and whoever is called at night. All of it may be asked at any
 * time between create and destroy, from any thread, waits for nothing but copies, and costs those who work nothing. */

enum { CP_BUCKETS_ROOM = 32 };

/* How long something took: counts by upper bound. In seconds. */
typedef struct cp_histogram {
    size_t size;                      /* sizeof(cp_histogram) */
    const char *name;                 /* such as "cachepusher_settle_seconds" */
    const char *help;                 /* one line, without a full stop */
    size_t buckets;                   /* how many there are */
    const double *bounds;             /* upper bounds, inclusive, of all but the last, which has none; static */
    uint64_t counts[CP_BUCKETS_ROOM]; /* of each bucket by itself */
    uint64_t count;                   /* of all */
    double sum;
} cp_histogram;

/* The index-th. CP_ERR_ARGUMENT: there are not so many. */
CP_API cp_code cp_syncer_histogram(const cp_syncer *syncer, size_t index, cp_histogram *histogram, cp_error *err);

/* What cp_stats counts of all entities, of one of them; since the start. */
typedef struct cp_entity_stats {
    size_t size;        /* sizeof(cp_entity_stats) */
    const char *entity; /* belongs to the syncer */
    uint64_t events;
    uint64_t stored;
    uint64_t deleted;
    uint64_t bytes;
    uint64_t failures;
} cp_entity_stats;

/* The index-th entity of the configuration. CP_ERR_ARGUMENT: there are not so many. */
CP_API cp_code cp_syncer_entity(const cp_syncer *syncer, size_t index, cp_entity_stats *stats, cp_error *err);

/* The way from the listener to one worker, and what waits there now. */
typedef struct cp_lane {
    size_t size;        /* sizeof(cp_lane) */
    uint64_t in_ring;   /* events that the worker has not taken yet, and ids of a resync */
    uint64_t live;      /* distinct ids that the worker has: announced, */
    uint64_t crowd;     /* announced with thousands of others, */
    uint64_t bulk;      /* listed by a resync, */
    uint64_t parked;    /* and those that fail by themselves, and are tried again now and then */
    uint64_t oldest_us; /* how long the oldest event that has not settled has waited; parked ones do not count */
} cp_lane;

/* The index-th of the configuration's threads. CP_ERR_ARGUMENT: there are not so many. */
CP_API cp_code cp_syncer_lane(const cp_syncer *syncer, size_t index, cp_lane *lane, cp_error *err);

/* What a thread waits for. */
typedef enum cp_wait {
    CP_WAIT_NONE,     /* it runs, or is in a callback */
    CP_WAIT_WORK,     /* for something to do, or until it is time */
    CP_WAIT_POSTGRES, /* for Postgres' answer, and the like */
    CP_WAIT_REDIS,
    CP_WAIT_NAMES, /* for the address of a host */
    CP_WAIT_THREAD /* for another thread of ours, which waits for a server */
} cp_wait;

/* A thread of the library. */
typedef struct cp_thread {
    size_t size;       /* sizeof(cp_thread) */
    char name[16];     /* such as "cp-worker-0" */
    bool runs;         /* false: not yet, or no more */
    bool stuck;        /* it has neither moved nor waited for something that explains it for over three seconds */
    bool failing;      /* what it does fails, and is tried again: error says why */
    const char *doing; /* such as "storing documents"; static; NULL: nothing to tell */
    cp_wait waits_for;
    uint64_t for_ms;     /* how long it has been doing that, or waiting */
    uint64_t silent_ms;  /* since its last sign of life */
    uint64_t failing_ms; /* since the first failure in a row */
    uint64_t error_ms;   /* since the newest one, whether or not it is over */
    cp_code code;        /* of the newest error; CP_OK: there was none yet */
    char error[512];     /* its message; "" */
} cp_thread;

/* The index-th of the syncer's own threads. CP_ERR_ARGUMENT: there are not so many. */
CP_API cp_code cp_syncer_thread(const cp_syncer *syncer, size_t index, cp_thread *thread, cp_error *err);

/* An id that fails by itself: its document cannot be read, or is refused by Redis. Tried again for ever, and at once
 * after cp_syncer_enqueue(). Strings live until the visit returns. */
typedef struct cp_parked {
    size_t size;
    const char *entity;
    const char *id;
    const char *why;    /* the newest failure */
    uint64_t tries;     /* failed ones */
    uint64_t first_ms;  /* how long ago it failed first */
    uint64_t newest_ms; /* and the last time */
} cp_parked;

/* Visits those that fail now, in no order, from the calling thread; *more: how many there are besides, since each
 * worker remembers the reasons of a hundred. The visit must call no function of the library but cp_syncer_enqueue(). */
CP_API cp_code cp_syncer_parked(const cp_syncer *syncer, void (*visit)(void *context, const cp_parked *parked),
                                void *context, uint64_t *more, cp_error *err);

/* How far a syncer has come, or what keeps it. */
typedef enum cp_state {
    CP_STATE_CREATED,
    CP_STATE_STARTING, /* it connects, and finds out who writes */
    CP_STATE_STANDBY,  /* another syncer of the name writes */
    CP_STATE_WARMING,  /* documents that were there at the start are still missing, or all are being read again since
                        * Redis or notifications were lost */
    CP_STATE_READY,
    CP_STATE_LAGGING,  /* it follows, and is behind by more than max_lag_ms */
    CP_STATE_DEGRADED, /* something is in the way: why says what. Documents may be old */
    CP_STATE_STOPPING,
    CP_STATE_STOPPED,
    CP_STATES /* how many this header knows */
} cp_state;

/* A word: "ready". Never NULL; the string is static. */
CP_API const char *cp_state_name(cp_state state);

/* Whether a syncer does what it is there for. */
typedef struct cp_health {
    size_t size; /* sizeof(cp_health) */
    cp_state state;
    bool alive;      /* no thread of the syncer is stuck. Where one is only a new process helps */
    bool ready;      /* Redis can be read from: warm, listening and not behind; or standing by, for another writer */
    uint64_t lag_us; /* how long the oldest event that has not settled has waited */
    uint64_t silence_ms; /* since Postgres was last heard by whoever listens to it; 0: nobody listens */
    uint64_t term;       /* grows with each change of the writer; 0: never */
    char why[512];       /* one line: what is in the way of alive or ready; "" */
} cp_health;

/* What to tell a load balancer, a supervisor, or a person. */
CP_API cp_code cp_syncer_health(const cp_syncer *syncer, cp_health *health, cp_error *err);

/* ---- verification ---- */

/* In what way Redis and Postgres are not equal. */
typedef enum cp_difference_kind {
    CP_MISSING,   /* a document has no key */
    CP_DIFFERENT, /* the key holds something else than the document */
    CP_ORPHAN     /* the key has no document */
} cp_difference_kind;

/* A key that is not equal to its document. */
typedef struct cp_difference {
    size_t size;
    cp_difference_kind kind;
    const char *entity;
    const char *key;      /* in Redis */
    size_t at;            /* the first byte that differs */
    const char *document; /* short excerpts around that byte of what Postgres gives, */
    const char *held;     /* and of what Redis holds, whatever bytes that are; "" where there is nothing */
} cp_difference;

/* What is being done, in this order. */
typedef enum cp_verify_stage { CP_VERIFY_COMPARING, CP_VERIFY_RECHECKING, CP_VERIFY_REPAIRING } cp_verify_stage;

/* What a verification has found so far, or in all. */
typedef struct cp_verify_result {
    size_t size;           /* sizeof(cp_verify_result) */
    cp_verify_stage stage; /* that it has reached */
    uint64_t expected;     /* documents to compare; the planner's estimate, or of a sample its size */
    uint64_t compared;     /* documents that Postgres lists, and keys in Redis without one */
    uint64_t equal;        /* of these */
    uint64_t missing;      /* documents without a key: this and the next two are the differences */
    uint64_t different;    /* documents that are not what their key holds */
    uint64_t orphans;      /* keys without a document */
    uint64_t in_flight;    /* changed so often that they were never seen at rest: no differences */
    uint64_t expired;      /* without a key, which may have expired (ttl_s): no differences */
    uint64_t unreadable;   /* their fetch function fails: nothing can be said about them */
    uint64_t unmanaged;    /* keys under an entity's prefix that cannot be documents of it; they are left alone */
    uint64_t rechecking;   /* not equal at the first look, and not decided on yet */
    uint64_t repaired;     /* of the differences: equal now */
    bool incomplete;       /* it ended early, since more ids were not equal than memory is meant for (a million) */
} cp_verify_result;

/* Zero but for the size is a valid one: everything, without repair. */
typedef struct cp_verify_options {
    size_t size;     /* sizeof(cp_verify_options) */
    uint64_t sample; /* compare this many documents and this many keys, picked at random, a million at most; 0: all */
    bool repair;     /* announce what differs on the entity's first channel, and wait until it is equal */
    int recheck_ms;  /* how long a difference has to last to count: longer than a change takes to arrive. 0: 2000 */
    /* Called in the calling thread, ten times a second; it may call cp_syncer_stop() to give up. NULL: not wanted. */
    void (*progress)(void *context, const cp_verify_result *so_far);
    /* Called for each difference, one at a time, from threads of the library: return soon, and call no function of the
     * library. NULL: not wanted. */
    void (*difference)(void *context, const cp_difference *difference);
    void *context;
} cp_verify_options;

/* Compares Redis with Postgres, byte for byte. Reads only, with connections and threads of its own: the syncer may be
 * started or not, and changes may go on. What is not equal is looked at again and again for recheck_ms; it counts as
 * a difference when Redis holds the same all the time and Postgres something else at each look, so that what a syncer
 * is about to bring over does not count.
 *
 * To repair it takes a syncer that follows: this one, started, or one in another process. What that has not made equal
 * within 15 times recheck_ms of the last progress is left: missing + different + orphans - repaired.
 *
 * options may be NULL. CP_OK: it has run to its end; *result, which is filled unless its size is wrong, has what it
 * found. Anything else: it could not tell, since a server stayed away for some seconds, a query fails, too many
 * documents cannot be read, or the syncer is stopping. cp_syncer_stop() in another thread cuts it short. */
CP_API cp_code cp_syncer_verify(cp_syncer *syncer, const cp_verify_options *options, cp_verify_result *result,
                                cp_error *err);

/* ---- the end of a syncer ---- */

/* Stops listening, settles what is queued within grace_ms, and ends the threads. CP_OK: everything received has
 * settled. CP_ERR_TIMEOUT: the message says how many ids had not, or that a resync was cut short which an overflow or
 * '*' had called for; the next warm-up repairs them. May take a connection's timeout longer than grace_ms when a server
 * hangs. Stopped stays stopped; calling it again is harmless. */
CP_API cp_code cp_syncer_stop(cp_syncer *syncer, int grace_ms, cp_error *err);

/* Stops without grace if still running, and frees. NULL is allowed. */
CP_API void cp_syncer_destroy(cp_syncer *syncer);

#ifdef __cplusplus
}
#endif

#endif
