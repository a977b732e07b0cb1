#include "cachepusher.h"
#include "db.h"
#include "load.h"
#include "options.h"
#include "report.h"
#include "simulate.h"
#include "stop.h"

#include <stdio.h>
#include <stdlib.h>

enum { EXIT_USAGE = 2 };

static bool open_database(struct db *db)
{
    if (db_connect(db) != DB_OK) {
        report("connecting to Postgres: %s", db->error);
        return false;
    }
    if (db_check_schema(db) != DB_OK) {
        report("%s", db->error);
        return false;
    }
    return true;
}

static int run(const struct options *options)
{
    struct db db;
    bool ok;
    db_init(&db, options->dsn);
    ok = open_database(&db);
    if (ok && options->customers > 0)
        ok = load_customers(&db, options->customers, options->seed, options->quiet);
    if (ok && options->rate > 0)
        ok = simulate(&db, options);
    db_fini(&db);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct options options;

    /* Line by line, so that a reader at the other end of a pipe gets each line when it is complete. */
    setvbuf(stdout, NULL, _IOLBF, 0);
    switch (options_parse(argc, argv, &options)) {
    case OPTIONS_HELP:
        options_print_help();
        return EXIT_SUCCESS;
    case OPTIONS_VERSION:
        puts("cachepusher-fakedata " CP_VERSION);
        return EXIT_SUCCESS;
    case OPTIONS_RUN:
        break;
    default:
        return EXIT_USAGE;
    }
    stop_init();
    return run(&options);
}
