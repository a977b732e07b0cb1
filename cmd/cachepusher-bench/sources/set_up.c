#include "sources/set_up.h"

#include "fatal.h"
#include "servers/process.h"

#include <string.h>
#include <time.h>

enum { PATIENCE_S = 60, LOOK_EVERY_MS = 2, WORDS = 2 * SET_UP_SETTINGS };

static const char slot_setting[] = "source_slot=" SET_UP_SLOT;

const char *const set_up_settings[SOURCES][SET_UP_SETTINGS] = {
    [SOURCE_NOTIFY] = {slot_setting},
    [SOURCE_MESSAGES] = {slot_setting, "source=wal", "source_announce=messages"},
    [SOURCE_TABLES] = {slot_setting, "source=wal", "source_announce=tables"},
};

static void run(const struct servers *servers, const char *command, enum source source)
{
    char *words[WORDS + 5] = {(char *)"cachepusher", (char *)command, (char *)"--dsn", (char *)servers->dsn};
    size_t count = 4;
    for (size_t i = 0; set_up_settings[source][i] != NULL; i++) {
        words[count++] = (char *)"--set";
        words[count++] = (char *)set_up_settings[source][i];
    }
    struct process process;
    struct usage usage;
    process_start(&process, words, true);
    process_succeed(&process, command, &usage);
}

void set_up_wait_for_reader(PGconn *pg, bool reads)
{
    const struct timespec pause = {.tv_nsec = LOOK_EVERY_MS * 1000000L};
    double deadline_s = clock_s() + (double)PATIENCE_S;
    while ((pg_do(pg, "select pg_catalog.count(*) from pg_catalog.pg_replication_slots where active"
                      " and database operator(pg_catalog.=) pg_catalog.current_database()") > 0) != reads) {
        if (clock_s() > deadline_s) {
            fatal(reads ? "nobody reads the replication slot after %d s" : "the replication slot is in use after %d s",
                  PATIENCE_S);
        }
        nanosleep(&pause, NULL);
    }
}

void set_up_nothing(const struct servers *servers, PGconn *pg)
{
    set_up_wait_for_reader(pg, false);
    pg_do(pg, "select pg_catalog.pg_drop_replication_slot(slot_name) from pg_catalog.pg_replication_slots"
              " where slot_name operator(pg_catalog.=) '" SET_UP_SLOT_OF_WAL2JSON "'");
    run(servers, "teardown", SOURCE_NOTIFY);
}

void set_up(const struct servers *servers, PGconn *pg, enum source source)
{
    if (source == SOURCE_WAL2JSON) {
        pg_do(pg, "select pg_catalog.pg_create_logical_replication_slot('" SET_UP_SLOT_OF_WAL2JSON "', 'wal2json')");
    } else {
        run(servers, "setup", source);
    }
}
