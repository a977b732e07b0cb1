#include "sources.h"

#include "servers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PUBLICATION "tests"

bool is_over_wal(void)
{
    const char *source = getenv("CP_TEST_SOURCE");
    return source != NULL && strcmp(source, "wal") == 0;
}

/* ---- what is of notifications ---- */

/* The one list of what does not run over wal: suites, and single tests of others. Everything else runs over both. */
static const char *const only_notify[] = {
    /* What triggers announce, in which words, and how notifications are heard or kept from being heard. What is said
     * in the log instead is in wal and watch_messages, which have servers of their own kind. */
    "payloads", "triggers", "watch", "watch_messages", "watch_reads", "wal", "wal_losses", "wal_parts", "wal_tables",

    /* How notifications are folded, lost among others, or dropped: Postgres keeps what the lanes have no room for, see
     * wal: more_rows_than_may_wait. */
    "a_flood_is_dropped_and_read_again_by_a_resync", "as_many_as_may_wait", "more_than_may_wait_while_it_is_down",

    "while_notifications_are_held_up",
    /* Followers, and stores that cannot keep a checkpoint. */
    "followers_are_told_of_what_is_made", "store_lacking",

    /* Sessions that listen. */
    "a_former_session_that_listens_is_ended", "a_stranger_that_holds_the_listeners_lock_makes_nobody_deaf",
    "a_session_that_may_not_be_ended_keeps_nobody_from_listening",

    /* Followers listen. */
    "a_follower_needs_nothing_else",

    /* Who listens again reads everything; the log is read on, see wal: resumes_after_the_stream_is_cut. */
    "stopped_before_a_requested_resync_has_ended", "missed_notifications_are_not_ready",

    /* The catalogue's look at triggers, of which wal needs none. */
    "triggers_are_amiss", "a_trigger_is_missing", "a_watched_table_is_made_again", "tables_are_swapped",
    "a_misspelt_channel", "nothing_is_watched", "a_table_that_nobody_watches", "what_is_announced_in_other_ways",

    /* Rows that change while no trigger sees it. The log has them. */
    "enqueued_by_hand", "equal_but_not_the_same", "one_entity_cannot_be_listed", "finds_and_repairs",
    "several_entities", "finds_much", "hot_and_stale", "repairs_by_its_own_syncer", "repairs_by_another",
    "text_and_uuid_ids",

    /* Tables that are not there: the wal source looks at them first, and does without none. See wal: refusals. */
    "start_fails_until_everything_is_there", "not_ready_before_all_is_listed"};

bool source_has(const char *name)
{
    for (size_t i = 0; i < sizeof only_notify / sizeof *only_notify; i++) {
        if (is_over_wal() && strcmp(only_notify[i], name) == 0) {
            return false;
        }
    }
    return true;
}

void add_test(TCase *tcase, const TTest *test)
{
    if (source_has(test->name)) {
        tcase_add_test(tcase, test);
    }
}

/* ---- the fixture's part ---- */

void source_open(struct fixture *f)
{
    sqlf(f,
         "create function announce(channel text, payload text) returns void language sql"
         " as $$ select %s, payload) $$",
         is_over_wal() ? "pg_logical_emit_message(true, 'cachepusher:' || channel" : "pg_notify(channel");
    if (is_over_wal()) {
        sql(f, "set client_min_messages = warning; drop function cachepusher_customer__id_customer() cascade;"
               "drop function cachepusher_address__fk_customer() cascade; create publication " PUBLICATION
               " with (publish_via_partition_root)");
    }
}

/* A table whose primary key has the column tells it by itself. Somebody may have made an operator of his own. */
static const char tables_sql[] =
    "do $do$ declare watched record; begin"
    " perform pg_catalog.set_config('search_path', pg_catalog.concat('pg_catalog, ',"
    "  pg_catalog.current_setting('search_path')), true);"
    " for watched in select distinct to_regclass(w ->> 'table') as relation, w ->> 'column' as name"
    "  from json_array_elements(%s::json -> 'entities') as e, json_array_elements(e -> 'watch') as w"
    "  where to_regclass(w ->> 'table') is not null loop"
    "  if not exists (select from pg_publication_rel where prrelid = watched.relation) then"
    "   execute format('alter publication " PUBLICATION " add table %%s', watched.relation);"
    "  end if;"
    "  if (select relreplident from pg_class where oid = watched.relation) <> 'f' and not exists ("
    "   select from pg_index i join pg_attribute a on a.attrelid = indrelid and a.attnum = any (indkey)"
    "   where indrelid = watched.relation and indisprimary and attname = watched.name) then"
    "   execute format('alter table %%s replica identity full', watched.relation);"
    "  end if;"
    " end loop; end $do$";

static bool has_slot(struct fixture *f, const char *name)
{
    const char *values[] = {name};
    PGresult *result = PQexecParams(f->pg,
                                    "select from pg_catalog.pg_replication_slots"
                                    " where slot_name operator(pg_catalog.=) $1::pg_catalog.text",
                                    1, NULL, values, NULL, NULL, 0);
    REQUIRE(PQresultStatus(result) == PGRES_TUPLES_OK);
    bool has = PQntuples(result) > 0;
    PQclear(result);
    return has;
}

void source_prepare(struct fixture *f, const char *entities)
{
    static const char customers[] =
        "{\"entities\": [{\"watch\": [{\"table\": \"customer\", \"column\": \"id_customer\"},"
        " {\"table\": \"address\", \"column\": \"fk_customer\"}]}]}";
    if (!is_over_wal()) {
        return;
    }
    const char *json = entities != NULL ? entities : customers;
    char *literal = PQescapeLiteral(f->pg, json, strlen(json));
    REQUIRE(literal != NULL);
    sqlf(f, tables_sql, literal);
    PQfreemem(literal);
    char slot[160];
    snprintf(slot, sizeof slot, "cachepusher_%s", f->prefix);
    if (strcmp(f->prefix, f->base) == 0 && !has_slot(f, slot)) { /* of another name the syncer makes it by itself */
        sqlf(f, "select pg_catalog.pg_create_logical_replication_slot('%s', 'pgoutput')", slot);
    }
}

const char *const *source_settings(void)
{
    static const char *const wal[] = {"source", "wal", "source_publication", PUBLICATION, NULL};
    return is_over_wal() ? wal : NO_SETTINGS;
}

uint64_t new_beginnings(const cp_syncer *syncer)
{
    cp_stats stats = stats_of(syncer);
    return stats.causes[CP_CAUSE_LISTENER] + stats.causes[CP_CAUSE_RESUME];
}

char *source_checkpoint(struct fixture *f)
{
    static char key[128];
    redisReply *keys = redis_do(f, "KEYS cachepusher:marker:*:wal");
    key[0] = '\0';
    for (size_t i = 0; i < keys->elements; i++) { /* of this fixture's: others' tests run beside */
        char slot[160];
        snprintf(slot, sizeof slot, " cachepusher_%s ", f->prefix);
        redisReply *value = redisCommand(f->redis, "GET %s", keys->element[i]->str);
        if (value != NULL && value->type == REDIS_REPLY_STRING && strstr(value->str, slot) != NULL) {
            snprintf(key, sizeof key, "%s", keys->element[i]->str);
        }
        freeReplyObject(value);
    }
    freeReplyObject(keys);
    return key;
}

void source_forget(struct fixture *f)
{
    if (is_over_wal()) {
        redis_run(f, "DEL %s", source_checkpoint(f));
    }
}
