#include "wal.h"

#include "servers.h"
#include "sources.h"

#include <stdio.h>

static void insert_customers(struct fixture *f)
{
    sqlf(f,
         "insert into customer (id_customer, name) select i, 'customer ' || i from generate_series(1, %d) i;"
         "insert into address (description, fk_customer) select 'address ' || i, i from generate_series(1, %d) i",
         CUSTOMERS, CUSTOMERS);
}

struct fixture *open_wal(void)
{
    struct fixture *f = fixture_open();
    sql(f, "set client_min_messages = warning; drop function cachepusher_customer__id_customer() cascade;"
           "drop function cachepusher_address__fk_customer() cascade; alter table address replica identity full");
    sqlf(f, "create publication cachepusher_%s for table customer, address with (publish_via_partition_root)",
         f->prefix);
    insert_customers(f);
    return f;
}

void wait_moved_on(struct fixture *f)
{
    char query[512];
    snprintf(query, sizeof query,
             "select count(*) from pg_replication_slots where slot_name = 'cachepusher_%s' and confirmed_flush_lsn >= "
             "(select max(at) from confirmed_from)",
             f->prefix);
    sql(f,
        "drop table if exists confirmed_from; create table confirmed_from as select pg_current_wal_insert_lsn() as at;"
        "update address set description = description where fk_customer = 1");
    WAIT_UNTIL(sql_number(f, query) == 1);
}

void wait_confirmed(struct fixture *f)
{
    wait_moved_on(f);
    WAIT_UNTIL(*source_checkpoint(f) != '\0');
}

cp_syncer *run_wal(struct fixture *f)
{
    return run_syncer(f, NULL, SETTINGS(WAL));
}

void require_resumed(cp_syncer *syncer)
{
    REQUIRE_INT(stats_of(syncer).causes[CP_CAUSE_RESUME], ==, 1);
    REQUIRE_INT(stats_of(syncer).resyncs, ==, 0);
}

void require_warmed(cp_syncer *syncer)
{
    REQUIRE_INT(stats_of(syncer).causes[CP_CAUSE_RESUME], ==, 0);
    REQUIRE_INT(stats_of(syncer).causes[CP_CAUSE_START], ==, 1);
    REQUIRE_INT(stats_of(syncer).resyncs, >=, 1);
}
