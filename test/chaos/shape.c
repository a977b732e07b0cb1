#include "shape.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WRITERS = 2, REST_MS = 25, RECONNECT_MS = 20 };

/* What db/config.example.json has, which the daemon serves without a file. */
static const char customer[] =
    "{\"name\": \"customer\", \"key\": \"customer:{id}\", \"channels\": [\"customer_updated\", \"customer_deleted\"],"
    " \"watch\": [{\"table\": \"customer\", \"column\": \"id_customer\"},"
    " {\"table\": \"address\", \"column\": \"fk_customer\"}],"
    " \"fetch_many\": \"customer_get_many\", \"list\": \"select id_customer from customer\"}";

struct shape_writer {
    struct shape_writers *writers;
    pthread_t thread;
    uint64_t random;
};

struct shape_writers {
    const struct cluster *cluster;
    atomic_bool stopping;
    atomic_uint_fast64_t commits;
    struct shape_writer all[WRITERS];
};

static char *read_text(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = NULL;
    size_t capacity = 0;
    if (file == NULL || getdelim(&text, &capacity, '\0', file) <= 0) {
        die("cannot read %s", path);
    }
    fclose(file);
    return text;
}

static void path_of(const struct world *world, const char *file, char *path, size_t size)
{
    format_into(path, size, SCHEMAS_DIR "/%s/%s", world->schema, file);
}

/* ---- making it ---- */

/* The customers' entity becomes the first of the declaration's. */
static void write_config(struct world *world)
{
    char path[2 * PATH_BYTES];
    path_of(world, "declaration.json", path, sizeof path);
    char *declaration = read_text(path);
    char *entities = strstr(declaration, "\"entities\"");
    char *first = entities != NULL ? strchr(entities, '[') : NULL;
    FORMAT(world->config, "%s/config.json", world->dir);
    FILE *file = fopen(world->config, "w");
    if (first == NULL || file == NULL) {
        die("cannot make %s of %s", world->config, path);
    }
    fprintf(file, "%.*s%s,%s", (int)(first + 1 - declaration), declaration, customer, first + 1);
    if (fclose(file) != 0) {
        die("cannot write %s", world->config);
    }
    free(declaration);
}

static void run_file(const struct world *world, const char *path)
{
    process_run(world->cluster.log, AS_OURSELVES,
                (const char *const[]){"psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-v", "scale=1", "-d",
                                      world->cluster.dsn, "-f", path, NULL});
}

void shape_install(struct world *world, const char *program, const char *source)
{
    static const char *const files[] = {"schema.sql", "data.sql", "writes.sql"};
    char path[2 * PATH_BYTES];
    run_file(world, SCHEMAS_DIR "/helpers.sql");
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        path_of(world, files[i], path, sizeof path);
        run_file(world, path);
    }
    cluster_do(&world->cluster,
               "do $$ declare place name; begin for place in select nspname from pg_namespace where nspname !~ "
               "'^pg_|^information_schema$' loop execute format('grant usage on schema %I to cachepusher; grant select "
               "on all tables in schema %I to cachepusher', place, place); end loop; end $$");
    cluster_do(&world->cluster, "analyze");
    write_config(world);
    process_run(world->cluster.log, AS_OURSELVES,
                (const char *const[]){program, "setup", "--config", world->config, "--dsn", world->cluster.dsn,
                                      "--source", source, NULL});
}

/* ---- writing ---- */

/* What may happen while servers die and writers meet. */
static bool is_excused(PGconn *connection, const PGresult *result)
{
    static const char *const excused[] = {"08", "23", "25P02", "40", "53", "55", "57", NULL};
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    bool excuses = sqlstate == NULL || PQstatus(connection) != CONNECTION_OK;
    for (int i = 0; excused[i] != NULL && !excuses; i++) {
        excuses = strncmp(sqlstate, excused[i], strlen(excused[i])) == 0;
    }
    return excuses;
}

static bool write_once(struct shape_writer *writer, PGconn *connection)
{
    char statement[96];
    FORMAT(statement, "select random_write(%u, false)", roll(&writer->random, 1000000000));
    PGresult *result = PQexec(connection, statement);
    bool done = PQresultStatus(result) == PGRES_TUPLES_OK;
    if (!done && !is_excused(connection, result)) {
        die("%s: %s", statement, PQerrorMessage(connection));
    }
    PQclear(result);
    return done;
}

static void *write_on(void *context)
{
    struct shape_writer *writer = context;
    PGconn *connection = NULL;
    while (!atomic_load(&writer->writers->stopping)) {
        if (connection == NULL) {
            connection = cluster_connect(writer->writers->cluster);
        }
        if (connection == NULL) {
            poll(NULL, 0, RECONNECT_MS);
            continue;
        }
        atomic_fetch_add(&writer->writers->commits, write_once(writer, connection));
        if (PQstatus(connection) != CONNECTION_OK) {
            PQfinish(connection);
            connection = NULL;
        }
        poll(NULL, 0, (int)roll(&writer->random, REST_MS)); /* the load, not a wait for anything */
    }
    PQfinish(connection);
    return NULL;
}

struct shape_writers *shape_writers_start(const struct world *world, uint64_t seed)
{
    struct shape_writers *writers = calloc(1, sizeof *writers);
    if (writers == NULL) {
        die("out of memory");
    }
    writers->cluster = &world->cluster;
    for (int i = 0; i < WRITERS && world->schema != NULL; i++) {
        writers->all[i] = (struct shape_writer){.writers = writers, .random = seed + (uint64_t)i};
        if (pthread_create(&writers->all[i].thread, NULL, write_on, &writers->all[i]) != 0) {
            die("cannot start a writer");
        }
    }
    return writers;
}

uint64_t shape_writers_commits(const struct shape_writers *writers)
{
    return atomic_load(&writers->commits);
}

void shape_writers_stop(struct shape_writers *writers)
{
    atomic_store(&writers->stopping, true);
    for (int i = 0; i < WRITERS && writers->all[i].writers != NULL; i++) {
        pthread_join(writers->all[i].thread, NULL);
    }
    free(writers);
}

/* ---- what there has to be ---- */

PGresult *shape_read(const struct world *world)
{
    if (world->schema == NULL) {
        return NULL;
    }
    char path[2 * PATH_BYTES];
    path_of(world, "expected.sql", path, sizeof path);
    char *expected = read_text(path);
    char *end = strrchr(expected, ';');
    size_t size = strlen(expected) + 128;
    char *statement = malloc(size);
    if (end == NULL || statement == NULL) {
        die("%s: no statement", path);
    }
    *end = '\0';
    format_into(statement, size,
                "select key, document from (%s\n) as expected (key, document) order by key collate \"C\"", expected);
    PGresult *rows = cluster_query(&world->cluster, statement);
    free(statement);
    free(expected);
    return rows;
}
