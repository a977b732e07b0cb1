/* One run: a load, a schedule of faults, and a verdict. See test/chaos/run. */
#include "lineup.h"
#include "probe.h"
#include "reader.h"
#include "schedule.h"
#include "shape.h"
#include "verdict.h"
#include "writers.h"

#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WRITERS = 3, WARM_MS = 30000 };

static const char usage[] =
    "usage: chaos --daemon PROGRAM [OPTION...]\n"
    "  --seed N           of the schedule and the load (default 1)\n"
    "  --seconds S        how long faults strike (default 30)\n"
    "  --faults A,B       draw from these alone\n"
    "  --each [PART/OF]   instead of drawing: every fault once, each after the one before has "
    "healed; or a part of them\n"
    "  --source S         notify or wal (default notify)\n"
    "  --target T         redis: daemons fill it; cache: hosts without Redis fill one each in their "
    "process;\n"
    "                     both: a daemon, and a host beside it; writer: a host that fills Redis, "
    "and a cache with\n"
    "                     what has settled (default redis)\n"
    "  --schema NAME      of test/schemas, with declared documents: beside the customers\n"
    "  --daemons N        on the same servers (default 1 or 2, by the seed)\n"
    "  --log-level L      of the daemon (default info)\n"
    "  --template DIR     of Postgres: copy it instead of making a new one\n"
    "  --prepare DIR      only make such a template, in DIR\n"
    "  --list             only print the names of the faults\n";

struct options {
    const char *program;
    uint64_t seed;
    int seconds;
    const char *names;
    int part; /* 0: drawn */
    int parts;
    int daemons;
    const char *source;
    const struct lineup *lineup;
    const char *schema;
    const char *log_level;
    const char *template;
    const char *prepare;
};

static bool parse_part(struct options *options, const char *text)
{
    options->part = options->parts = 1;
    return text == NULL || (sscanf(text, "%d/%d", &options->part, &options->parts) == 2 && options->part >= 1 &&
                            options->part <= options->parts);
}

static void list(void)
{
    for (size_t i = 0; i < fault_count(); i++) {
        puts(fault_at(i)->name);
    }
    exit(0);
}

static const struct lineup *parse_target(const char *name)
{
    const struct lineup *lineup = lineup_find(name);
    if (lineup == NULL) {
        fprintf(stderr, "chaos: --target %s: expected redis, cache, both or writer\n", name);
        exit(2);
    }
    return lineup;
}

static void check_target(const struct options *options)
{
    const struct lineup *lineup = options->lineup;
    if (strcmp(options->source, "wal") == 0 && !lineup->has_wal) {
        fprintf(stderr, "chaos: --target %s: expected --source notify, as a slot has one reader\n", lineup->name);
        exit(2);
    }
    if (options->schema != NULL && strcmp(lineup->name, "redis") != 0) {
        fprintf(stderr, "chaos: --schema: expected --target redis, as a cache has customers alone\n");
        exit(2);
    }
    if (options->daemons < lineup->least || options->daemons > lineup->most) {
        fprintf(stderr, "chaos: --daemons: expected %d to %d with --target %s\n", lineup->least, lineup->most,
                lineup->name);
        exit(2);
    }
}

static bool parse(int argc, char **argv, struct options *options)
{
    static const struct option names[] = {
        {"daemon", required_argument, NULL, 'd'},   {"seed", required_argument, NULL, 's'},
        {"seconds", required_argument, NULL, 'S'},  {"faults", required_argument, NULL, 'f'},
        {"each", optional_argument, NULL, 'e'},     {"log-level", required_argument, NULL, 'l'},
        {"template", required_argument, NULL, 't'}, {"prepare", required_argument, NULL, 'p'},
        {"list", no_argument, NULL, 'L'},           {"daemons", required_argument, NULL, 'n'},
        {"source", required_argument, NULL, 'o'},   {"schema", required_argument, NULL, 'c'},
        {"target", required_argument, NULL, 'T'},   {0}};
    *options = (struct options){
        .seed = 1, .seconds = 30, .log_level = "info", .source = "notify", .lineup = lineup_find("redis")};
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        switch (c) {
        case 'd':
            options->program = optarg;
            break;
        case 's':
            options->seed = strtoull(optarg, NULL, 10);
            break;
        case 'S':
            options->seconds = atoi(optarg);
            break;
        case 'f':
            options->names = optarg;
            break;
        case 'e':
            if (!parse_part(options, optarg)) {
                return false;
            }
            break;
        case 'o':
            options->source = optarg;
            break;
        case 'c':
            options->schema = optarg;
            break;
        case 'T':
            options->lineup = parse_target(optarg);
            break;
        case 'n':
            options->daemons = atoi(optarg);
            break;
        case 'l':
            options->log_level = optarg;
            break;
        case 't':
            options->template = optarg;
            break;
        case 'p':
            options->prepare = optarg;
            break;
        case 'L':
            list();
            break;
        default:
            return false;
        }
    }
    if (options->daemons == 0) {
        int most = options->lineup->most - options->lineup->least + 1;
        options->daemons = options->lineup->least + (int)(options->seed % (unsigned)most);
    }
    check_target(options);
    return optind == argc && (options->program != NULL || options->prepare != NULL) && options->seconds > 0;
}

/* ---- the world ---- */

static void make_directory_for_run(char *path, size_t size)
{
    const char *parent = getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp";
    format_into(path, size, "%s/chaos.XXXXXX", parent); /* short: a socket's path has 107 bytes at most */
    if (mkdtemp(path) == NULL) {
        die("cannot make %s", path);
    }
    make_directory(path); /* it exists: for its owner */
}

static void make_world(struct world *world, const struct options *options)
{
    *world = (struct world){.daemon_count = options->daemons, .schema = options->schema, .lineup = options->lineup};
    make_directory_for_run(world->dir, sizeof world->dir);
    world->proxy = proxy_create();
    cluster_create(&world->cluster, world->dir, options->template);
    cache_create(&world->cache, world->dir, world->proxy);
    bool is_wal = strcmp(options->source, "wal") == 0;
    if (is_wal) { /* triggers that notify refuse a server that prepares */
        cluster_configure(&world->cluster, "max_prepared_transactions = 8\n");
    }
    cluster_start(&world->cluster);
    if (is_wal) { /* it has to do without triggers */
        cluster_do(&world->cluster, "drop function cachepusher_customer__id_customer() cascade");
        cluster_do(&world->cluster, "drop function cachepusher_address__fk_customer() cascade");
    }
    if (world->schema != NULL) {
        shape_install(world, options->program, options->source);
    }
    if (world->lineup->has_redis) {
        cache_start(&world->cache, 0, (struct start){.empty = true});
    }

    int postgres_port;
    int redis_port;
    world->postgres_door = proxy_listen(world->proxy, world->cluster.socket, &postgres_port);
    world->redis_door = proxy_listen(world->proxy, cache_primary(&world->cache)->socket, &redis_port);
    for (int i = 0; i < world->daemon_count; i++) {
        struct daemon *daemon = &world->daemons[i];
        *daemon = (struct daemon){.program = options->program,
                                  .kind = world->lineup->kinds[i],
                                  .log_level = options->log_level,
                                  .source = options->source,
                                  .config = world->config,
                                  .slot = i};
        FORMAT(daemon->dir, "%s", world->dir);
        FORMAT(daemon->postgres, "host=localhost port=%d user=cachepusher dbname=postgres sslmode=disable",
               postgres_port);
        FORMAT(daemon->redis, "localhost:%d", redis_port);
        FORMAT(daemon->socket, "%s/host%d.sock", world->dir, i);
        daemon_start(daemon);
    }
    lineup_make_views(world);
}

static void unmake_world(struct world *world)
{
    proxy_destroy(world->proxy);
    cluster_stop(&world->cluster, SIGQUIT);
    for (int i = 0; i < NODES; i++) {
        if (world->cache.nodes[i].server.pid != 0) {
            cache_kill(&world->cache, i);
        }
    }
    history_destroy(world->history);
    process_run("/dev/null", AS_OURSELVES, (const char *const[]){"rm", "-rf", world->dir, NULL});
}

/* ---- the run ---- */

struct comparison {
    struct world *world;
    char why[512];
};

static bool is_equal(void *context)
{
    struct comparison *comparison = context;
    return verdict_is_equal(comparison->world, comparison->why, sizeof comparison->why) || is_blamed();
}

static void expect_equal(struct world *world, int timeout_ms, const char *when)
{
    struct comparison comparison = {.world = world};
    if (!is_blamed() && !wait_until(is_equal, &comparison, timeout_ms)) {
        blame("%s, not equal within %d s: %s", when, timeout_ms / 1000, comparison.why);
    }
}

static bool all_at_rest(void *context)
{
    struct world *world = context;
    bool all = true;
    for (int i = 0; i < world->daemon_count; i++) {
        all = all && daemon_is_at_rest(&world->daemons[i]);
    }
    return all;
}

/* One that is not connected, or in the middle of a resync, could not but tell that something is left undone. */
static void stop_daemons(struct world *world)
{
    if (!is_blamed() && !wait_until(all_at_rest, world, heal_timeout_ms())) {
        blame("a daemon is not connected and through with its resync within %d s", heal_timeout_ms() / 1000);
    }
    resuming_finish(world);
    expect_equal(world, heal_timeout_ms(), "before the daemons are stopped"); /* caches in processes end with them */
    for (int i = 0; i < world->daemon_count && !is_blamed(); i++) {
        daemon_stop(&world->daemons[i], false);
    }
    expect_equal(world, 0, "after the daemon has stopped");
}

static void describe(const struct world *world, const struct options *options, char *figures, size_t size)
{
    if (strcmp(options->source, "wal") == 0) {
        size_t length = strlen(figures);
        snprintf(figures + length, size - length, ", %u writers killed, %u of %u owed resumed", world->resuming.kills,
                 world->resuming.seen, world->resuming.owed);
    }
}

static int conclude(struct world *world, const struct options *options, const char *figures)
{
    if (!is_blamed()) {
        unmake_world(world);
        printf("seed %" PRIu64 ": ok, %s\n", options->seed, figures);
        return 0;
    }
    printf("all logs are in %s; to repeat it: test/chaos/run --seed %" PRIu64
           " --seconds %d -- --target %s --source %s --daemons %d",
           world->dir, options->seed, options->seconds, options->lineup->name, options->source, options->daemons);
    if (options->part > 0) {
        printf(" --each=%d/%d", options->part, options->parts);
    }
    if (options->schema != NULL) {
        printf(" --schema %s", options->schema);
    }
    printf("%s%s\n", options->names != NULL ? " --faults " : "", options->names != NULL ? options->names : "");
    printf("seed %" PRIu64 ": FAILED: %s\n", options->seed, reason());
    fflush(stdout);
    _exit(1); /* threads may hang; what was started dies with us */
}

static uint64_t count_samples(const struct world *world, struct reader *const readers[VIEWS])
{
    uint64_t count = 0;
    for (int i = 0; i < world->view_count; i++) {
        count += reader_samples(readers[i]);
    }
    return count;
}

static int run(struct world *world, const struct options *options, struct schedule *schedule)
{
    make_world(world, options);
    say("everything is in %s", world->dir);
    expect_equal(world, WARM_MS * slowness(), "after the start");
    struct reader *readers[VIEWS];
    for (int i = 0; i < world->view_count; i++) {
        readers[i] = reader_start(world->views[i].cache, world->history, i, options->seed + 1000 + (unsigned)i);
    }
    struct writers *writers = writers_start(&world->cluster, world->history, WRITERS, options->seed + 2000);
    struct shape_writers *others = shape_writers_start(world, options->seed + 3000);
    struct probes *probes = probes_start(world);

    if (options->part > 0) {
        schedule_run_each(schedule, world, probes);
    } else {
        schedule_run(schedule, world, probes);
    }
    uint64_t commits = writers_commits(writers) + shape_writers_commits(others);
    if (!is_blamed()) {
        writers_stop(writers);
        shape_writers_stop(others);
    }
    say("the writers have stopped, all faults are healed");
    int64_t healed_ms = now_ms();
    expect_equal(world, heal_timeout_ms(), "after the last fault was healed and the last write");
    double equal_s = (double)(now_ms() - healed_ms) / 1000.0;
    char figures[256];
    FORMAT(figures, "%" PRIu64 " commits, %" PRIu64 " samples, %zu faults, equal after %.3f s", commits,
           count_samples(world, readers), schedule->count, equal_s);
    if (!is_blamed()) {
        probes_stop(probes);
        say("equal after %.3f s", equal_s);
    }
    resuming_watch(world);
    stop_daemons(world);
    describe(world, options, figures, sizeof figures);
    for (int i = 0; i < world->view_count && !is_blamed(); i++) {
        reader_stop(readers[i]);
    }
    for (int i = 0; i < world->daemon_count; i++) {
        daemon_read_logs(&world->daemons[i]);
    }
    return conclude(world, options, figures);
}

int main(int argc, char **argv)
{
    struct options options;
    if (!parse(argc, argv, &options)) {
        fputs(usage, stderr);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    if (options.prepare != NULL) {
        struct cluster cluster;
        make_directory(options.prepare);
        cluster_create(&cluster, options.prepare, NULL);
        return 0;
    }
    const struct scope scope = {.wal = strcmp(options.source, "wal") == 0, .redis = options.lineup->has_redis};
    struct schedule schedule;
    if (options.part > 0) {
        schedule_each(&schedule, options.seed, options.part, options.parts, scope);
    } else if (!schedule_draw(&schedule, options.seed, options.seconds, options.names, scope)) {
        return 2;
    }
    schedule_print(&schedule);
    static struct world world;
    int code = run(&world, &options, &schedule);
    schedule_fini(&schedule);
    return code;
}
