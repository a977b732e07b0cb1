#include "source_cost/ways.h"

#include "sources/set_up.h"

static const char by_row[] =
    "create function announce_row() returns trigger language plpgsql as $$"
    " begin perform pg_catalog.pg_notify('customer_updated', new.id_customer::pg_catalog.text);"
    " return null; end $$;"
    " create trigger announce_row after update on customer"
    " for each row execute function announce_row()";

const struct way ways[WAYS] = {
    {"none", "nobody", READ_BY_NOBODY, false, SOURCES},
    {"row", "a reader", READ_BY_READER, true, SOURCE_NOTIFY},
    {"watch", "a reader", READ_BY_READER, false, SOURCE_NOTIFY},
    {"messages", "a reader", READ_BY_READER, false, SOURCE_MESSAGES},
    {"tables", "a reader", READ_BY_READER, false, SOURCE_TABLES},
    {"wal2json", "a reader", READ_BY_READER, false, SOURCE_WAL2JSON},
    {"watch", "cachepusher", READ_BY_FOLLOWER, false, SOURCE_NOTIFY},
    {"messages", "cachepusher", READ_BY_FOLLOWER, false, SOURCE_MESSAGES},
    {"tables", "cachepusher", READ_BY_FOLLOWER, false, SOURCE_TABLES},
    {"wal2json", "a loop", READ_BY_FOLLOWER, false, SOURCE_WAL2JSON},
};

bool way_is_chosen(const struct way *way, const bool sources[SOURCES])
{
    return way->reading == READ_BY_NOBODY || sources[way->source];
}

void way_clear(const struct servers *servers, PGconn *pg)
{
    pg_do(pg, "drop function if exists announce_row() cascade");
    set_up_nothing(servers, pg);
}

void way_set_up(const struct servers *servers, PGconn *pg, const struct way *way)
{
    if (way->by_row) {
        pg_do(pg, by_row);
    } else if (way->reading != READ_BY_NOBODY) {
        set_up(servers, pg, way->source);
    }
}
