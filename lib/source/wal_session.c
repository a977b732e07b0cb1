#include "source/wal_session.h"

#include "base/clock.h"
#include "base/error.h"
#include "source/wal_slot.h"

#include <libpq-fe.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ANSWER_MS = 10000,
    ASK_AGAIN_BASE_MS = 1, /* about a transaction that cannot be seen yet */
    ASK_AGAIN_CAP_MS = 100,
    BARRIER_AGAIN_MS = 10000, /* in case it was lost */
    LOOK_EVERY_MS = 3000      /* at what the slot retains, and at the publication */
};

static const char snapshot_statement[] = "cachepusher_snapshot";

enum looked { RETAINED, SINCE, DIGEST, SHAPE, IS_HELD, LOOKED_AT };

/* $1 slot, $2 publication, $3 oids of the watched tables, $4 names of those that are amiss. What the slot retains, null
 * if there is none; when statistics began, which are thrown away by a recovery from a crash; a digest of how the
 * watched tables, with whatever inherits from them, are published and their rows identified, the same without the
 * partitions' files, and whether what streams from the slot waits for a standby. A table that was taken out of the
 * publication and put back has another entry there, and so has a schema (Postgres 15 and later); a partition that is
 * truncated gets another file, and says nothing. Columns that come and go are the catalogue's concern, and a list of
 * them is in the entry. One that was amiss may have been made again, in whatever schema, or got its column. What else
 * is published, say by a publication for all tables, is nobody's concern here. */
#define LOOK_SQL(SCHEMAS)                                                                                              \
    "with recursive members(oid) as ("                                                                                 \
    "  select t.oid from pg_catalog.unnest($3::pg_catalog.oid[]) as t(oid)"                                            \
    "  union select i.inhrelid from pg_catalog.pg_inherits as i, members as m"                                         \
    "  where i.inhparent operator(pg_catalog.=) m.oid),"                                                               \
    " related(oid) as ("                                                                                               \
    "  select m.oid from members as m union select a.relid::pg_catalog.oid from members as m,"                         \
    "  pg_catalog.pg_partition_ancestors(m.oid::pg_catalog.regclass) as a(relid)),"                                    \
    " parts(shape, files) as (select pg_catalog.concat("                                                               \
    "  (select pg_catalog.string_agg(pg_catalog.concat_ws(' ', p.schemaname, p.tablename,"                             \
    "    pg_catalog.to_jsonb(p) operator(pg_catalog.->>) 'rowfilter'), ';' order by p.schemaname, p.tablename)"        \
    "   from related as t join pg_catalog.pg_class as c on c.oid operator(pg_catalog.=) t.oid"                         \
    "   join pg_catalog.pg_namespace as n on n.oid operator(pg_catalog.=) c.relnamespace"                              \
    "   join pg_catalog.pg_publication_tables as p on p.schemaname operator(pg_catalog.=) n.nspname"                   \
    "   and p.tablename operator(pg_catalog.=) c.relname"                                                              \
    "   where p.pubname operator(pg_catalog.=) $2::pg_catalog.text),"                                                  \
    "  (select pg_catalog.string_agg(pg_catalog.concat(p.oid, ' ', p.xmin, ' ', r.oid, ' ', r.xmin), ';'"              \
    "   order by r.oid) from pg_catalog.pg_publication as p left join pg_catalog.pg_publication_rel as r"              \
    "   on r.prpubid operator(pg_catalog.=) p.oid and exists ("                                                        \
    "    select from related as t where t.oid operator(pg_catalog.=) r.prrelid)"                                       \
    "   where p.pubname operator(pg_catalog.=) $2::pg_catalog.text)," SCHEMAS                                          \
    "  (select pg_catalog.string_agg(pg_catalog.concat(c.oid, ' ', c.relreplident, ' ', c.relpersistence, ' ', ("      \
    "    select pg_catalog.string_agg(i.indkey::pg_catalog.text, ',' order by i.indexrelid)"                           \
    "    from pg_catalog.pg_index as i where i.indrelid operator(pg_catalog.=) c.oid"                                  \
    "    and (i.indisprimary or i.indisreplident))), ';' order by c.oid)"                                              \
    "   from members as m join pg_catalog.pg_class as c on c.oid operator(pg_catalog.=) m.oid),"                       \
    "  (select pg_catalog.string_agg(pg_catalog.concat(c.oid, ' ', n.xmin, ' ', ("                                     \
    "    select pg_catalog.string_agg(a.attname::pg_catalog.text, ',' order by a.attnum)"                              \
    "    from pg_catalog.pg_attribute as a where a.attrelid operator(pg_catalog.=) c.oid and not a.attisdropped)),"    \
    "   ';' order by c.oid) from pg_catalog.pg_class as c"                                                             \
    "   join pg_catalog.pg_namespace as n on n.oid operator(pg_catalog.=) c.relnamespace"                              \
    "   where c.relpersistence operator(pg_catalog.<>) 't'::pg_catalog.\"char\" and c.relname operator(pg_catalog.=)"  \
    "    any (select i.parts[pg_catalog.cardinality(i.parts)]::pg_catalog.name from ("                                 \
    "     select pg_catalog.parse_ident(w.name) from pg_catalog.unnest($4::pg_catalog.text[]) as w(name))"             \
    "     as i(parts)))),"                                                                                             \
    "  (select pg_catalog.string_agg(pg_catalog.concat(c.oid, ' ', c.relfilenode), ';' order by c.oid)"                \
    "   from members as m join pg_catalog.pg_class as c on c.oid operator(pg_catalog.=) m.oid"                         \
    "   where c.relispartition))"                                                                                      \
    " select (select pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), s.restart_lsn)::bigint"               \
    "  from pg_catalog.pg_replication_slots as s where s.slot_name operator(pg_catalog.=) $1::pg_catalog.text),"       \
    " (select (extract(epoch from a.stats_reset) operator(pg_catalog.*) 1000000)::bigint"                              \
    "  from pg_catalog.pg_stat_archiver as a),"                                                                        \
    " pg_catalog.md5(pg_catalog.concat(parts.shape, ' ', parts.files)), pg_catalog.md5(parts.shape),"                  \
    " (select a.wait_event operator(pg_catalog.=) 'WaitForStandbyConfirmation'"                                        \
    "  from pg_catalog.pg_replication_slots as s"                                                                      \
    "  join pg_catalog.pg_stat_activity as a on a.pid operator(pg_catalog.=) s.active_pid"                             \
    "  where s.slot_name operator(pg_catalog.=) $1::pg_catalog.text)"                                                  \
    " from parts"

static const char look_sql[] = LOOK_SQL("");
static const char look_15_sql[] =
    LOOK_SQL("  (select pg_catalog.string_agg(pg_catalog.concat(s.oid, ' ', s.xmin), ';' order by s.oid)"
             "   from pg_catalog.pg_publication as p"
             "   join pg_catalog.pg_publication_namespace as s on s.pnpubid operator(pg_catalog.=) p.oid"
             "   where p.pubname operator(pg_catalog.=) $2::pg_catalog.text and exists ("
             "    select from related as t join pg_catalog.pg_class as c on c.oid operator(pg_catalog.=) t.oid"
             "    where c.relnamespace operator(pg_catalog.=) s.pnnspid)),");

static const char *look_sql_of(const struct cpi_wal_session *session)
{
    return PQserverVersion(session->pg.connection) >= 150000 ? look_15_sql : look_sql;
}

static cp_code session_lost(struct cpi_wal_session *session, cp_error *err)
{
    return cpi_error(err, CP_ERR_POSTGRES, true, "Postgres: %s", PQerrorMessage(session->pg.connection));
}

static cp_code ask_session(struct cpi_wal_session *session, enum cpi_wal_question question, cp_error *err)
{
    PGconn *connection = session->pg.connection;
    char number[24];
    snprintf(number, sizeof number, "%lld", (long long)session->barrier);
    const char *values[] = {session->env->channel, number};
    const char *looked_at[] = {session->slot, session->publication, session->tables, session->amiss};
    int sent = 0;
    switch (question) {
    case CPI_WAL_NOTHING:
    case CPI_WAL_SNAPSHOT:
        sent = PQsendQueryPrepared(connection, snapshot_statement, 0, NULL, NULL, NULL, 0);
        break;
    case CPI_WAL_BARRIER:
        sent = PQsendQueryParams(connection,
                                 "select pg_catalog.pg_logical_emit_message(true,"
                                 " pg_catalog.concat('cachepusher:', $1::pg_catalog.text), $2::pg_catalog.text)",
                                 2, NULL, values, NULL, NULL, 0);
        break;
    case CPI_WAL_LOOK:
        sent = PQsendQueryParams(connection, look_sql_of(session), 4, NULL, looked_at, NULL, NULL, 0);
        break;
    }
    if (sent == 0 || PQflush(connection) < 0) {
        return session_lost(session, err);
    }
    session->asked = question;
    session->asked_ms = cpi_now_ms();
    session->has_come = session->has_come && question != CPI_WAL_SNAPSHOT;
    return CP_OK;
}

enum cpi_wal_question cpi_wal_session_question(const struct cpi_wal_session *session, int64_t now_ms)
{
    if (session->barrier != 0 && now_ms >= session->barrier_at_ms) {
        return CPI_WAL_BARRIER;
    }
    bool waits = cpi_wal_changes_wait(session->changes) && (session->has_come || now_ms >= session->ask_at_ms);
    if (waits && now_ms < session->look_at_ms + LOOK_EVERY_MS) {
        return CPI_WAL_SNAPSHOT;
    }
    if (now_ms >= session->look_at_ms) {
        return CPI_WAL_LOOK;
    }
    return CPI_WAL_NOTHING;
}

/* One question at a time. */
static cp_code ask_what_is_due(struct cpi_wal_session *session, cp_error *err)
{
    int64_t now_ms = cpi_now_ms();
    if (session->asked != CPI_WAL_NOTHING) {
        return now_ms - session->asked_ms <= ANSWER_MS
                   ? CP_OK
                   : cpi_error(err, CP_ERR_POSTGRES, true, "Postgres: no answer in time");
    }
    enum cpi_wal_question question = cpi_wal_session_question(session, now_ms);
    session->barrier_at_ms = question == CPI_WAL_BARRIER ? now_ms + BARRIER_AGAIN_MS : session->barrier_at_ms;
    session->look_at_ms = question == CPI_WAL_LOOK ? now_ms + LOOK_EVERY_MS : session->look_at_ms;
    return question != CPI_WAL_NOTHING ? ask_session(session, question, err) : CP_OK;
}

static void note_retained(struct cpi_wal_session *session, const char *text)
{
    long long bytes = strtoll(text, NULL, 10);
    bool too_much = bytes > (long long)session->env->config->source_retained_mb * 1024 * 1024;
    cpi_stats_set(session->env->stats, CPI_STAT_RETAINED, bytes > 0 ? (uint64_t)bytes : 0);
    if (too_much && !session->retains) {
        cpi_log(&session->env->log, CP_LOG_WARN,
                "replication: slot \"%s\" makes Postgres keep %lld MiB of its log: what has not settled, or a "
                "transaction that is open for long, holds it",
                session->slot, bytes / 1024 / 1024);
    }
    session->retains = too_much;
}

/* From Postgres 17 on, a slot that standbys keep a copy of is not ahead of those in synchronized_standby_slots. One
 * that goes along is waited for now and then; one that is away makes documents go stale, and nothing else tells of it.
 */
static void note_held(struct cpi_wal_session *session, bool waits)
{
    uint64_t position = session->changes->position;
    bool is_held = waits && session->held_at == position;
    if (is_held && !session->is_held) {
        cpi_log(&session->env->log, CP_LOG_WARN,
                "replication: slot \"%s\" waits for a standby of synchronized_standby_slots, which is away or slow: no "
                "change comes until then",
                session->slot);
    }
    session->is_held = is_held;
    session->held_at = waits ? position : 0;
}

/* What was not published for a while, or did not tell of old values, has been missed. */
static cp_code take_look(struct cpi_wal_session *session, const PGresult *result, cp_error *err)
{
    session->is_gone = PQgetisnull(result, 0, RETAINED) != 0;
    session->has_changed = strcmp(PQgetvalue(result, 0, DIGEST), session->digest) != 0;
    if (session->is_gone) {
        return cpi_error(err, CP_ERR_POSTGRES, true, "replication: slot \"%s\" is gone", session->slot);
    }
    if (session->has_changed) {
        bool is_file = strcmp(PQgetvalue(result, 0, SHAPE), session->shape) == 0;
        return cpi_error(err, CP_ERR_POSTGRES, true,
                         is_file
                             ? "replication: a partition of a watched table was truncated or written anew, of "
                               "which nothing tells more (TRUNCATE, VACUUM FULL, CLUSTER, ALTER TABLE)"
                             : "replication: the publication, or what watched tables tell of old rows, has changed");
    }
    note_retained(session, PQgetvalue(result, 0, RETAINED));
    note_held(session, strcmp(PQgetvalue(result, 0, IS_HELD), "t") == 0);
    return CP_OK;
}

static cp_code take_answer(struct cpi_wal_session *session, const PGresult *result, struct cpi_arrivals *arrivals,
                           cp_error *err)
{
    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        return cpi_error(err, CP_ERR_POSTGRES, true, "Postgres: %s", PQresultErrorMessage(result));
    }
    if (PQntuples(result) != 1 || PQnfields(result) != (session->asked == CPI_WAL_LOOK ? (int)LOOKED_AT : 1)) {
        return cpi_error(err, CP_ERR_POSTGRES, true, "Postgres: a strange answer");
    }
    if (session->asked == CPI_WAL_SNAPSHOT) {
        cp_code code = cpi_wal_changes_see(session->changes, PQgetvalue(result, 0, 0), arrivals, err);
        bool waits = cpi_wal_changes_wait(session->changes);
        session->ask_again_ms = !waits                                         ? ASK_AGAIN_BASE_MS
                                : 2 * session->ask_again_ms < ASK_AGAIN_CAP_MS ? 2 * session->ask_again_ms
                                                                               : ASK_AGAIN_CAP_MS;
        session->ask_at_ms = cpi_now_ms() + session->ask_again_ms;
        return code;
    }
    return session->asked == CPI_WAL_LOOK ? take_look(session, result, err) : CP_OK;
}

static cp_code read_session(struct cpi_wal_session *session, struct cpi_arrivals *arrivals, cp_error *err)
{
    if (PQconsumeInput(session->pg.connection) == 0) {
        return session_lost(session, err);
    }
    cp_code code = CP_OK;
    while (session->asked != CPI_WAL_NOTHING && code == CP_OK && PQisBusy(session->pg.connection) == 0) {
        PGresult *result = PQgetResult(session->pg.connection);
        if (result == NULL) {
            session->asked = CPI_WAL_NOTHING;
        } else {
            code = take_answer(session, result, arrivals, err);
        }
        PQclear(result);
    }
    return code == CP_OK && PQstatus(session->pg.connection) != CONNECTION_OK ? session_lost(session, err) : code;
}

/* ---- the tables ---- */

static cp_code look_up_tables(struct cpi_wal_session *session, cp_error *err)
{
    return session->env->config->source_announce == CPI_ANNOUNCE_TABLES
               ? cpi_wal_tables_look_up(&session->changes->tables, session->env->config, &session->pg, err)
               : CP_OK;
}

static cp_code name_tables(struct cpi_wal_session *session, cp_error *err)
{
    cpi_wal_session_fini(session);
    session->tables = cpi_wal_tables_oids(&session->changes->tables);
    session->amiss = cpi_wal_tables_amiss(&session->changes->tables);
    return session->tables != NULL && session->amiss != NULL ? CP_OK : cpi_error_memory(err);
}

static cp_code note_shape(struct cpi_wal_session *session, cp_error *err)
{
    struct cpi_pg_parameter parameters[] = {{.value = session->slot},
                                            {.value = session->publication},
                                            {.value = session->tables},
                                            {.value = session->amiss}};
    struct cpi_rows *rows = cpi_pg_query(&session->pg, look_sql_of(session), parameters, 4, false, err);
    snprintf(session->since, sizeof session->since, "%s", cpi_rows_value(rows, 0, SINCE));
    snprintf(session->shape, sizeof session->shape, "%s", cpi_rows_value(rows, 0, SHAPE));
    snprintf(session->digest, sizeof session->digest, "%s", cpi_rows_value(rows, 0, DIGEST));
    cpi_rows_free(rows);
    return rows != NULL ? CP_OK : CP_ERR_POSTGRES;
}

/* Of a table that was dropped in between nothing would tell when it is made again. */
static cp_code look_again(struct cpi_wal_session *session, cp_error *err)
{
    cp_code code = look_up_tables(session, err);
    char *amiss = code == CP_OK ? cpi_wal_tables_amiss(&session->changes->tables) : NULL;
    if (code == CP_OK && amiss == NULL) {
        return cpi_error_memory(err);
    }
    bool same = code != CP_OK || strcmp(amiss, session->amiss) == 0;
    free(amiss);
    return same ? code
                : cpi_error(err, CP_ERR_POSTGRES, true, "replication: watched tables have changed while looked at");
}

static void tell_what_is_amiss(const struct cpi_wal_session *session)
{
    const struct cpi_wal_tables *tables = &session->changes->tables;
    if (tables->amiss[0] != '\0') {
        cpi_log(&session->env->log, CP_LOG_ERROR,
                "replication: %s; until then documents of that entity are out of date, and all others are followed",
                tables->amiss);
    }
    if (tables->blind[0] != '\0') {
        cpi_log(&session->env->log, CP_LOG_WARN,
                "replication: %s; until then what changes there has all of it read again", tables->blind);
    }
}

/* ---- the public part ---- */

/* Once more after their state has been noted: what has changed since the first time is known then, and what changes
 * later is seen to differ. */
cp_code cpi_wal_session_know_tables(struct cpi_wal_session *session, cp_error *err)
{
    cp_code code = cpi_wal_slot_check(session->env, &session->pg, err);
    code = code == CP_OK ? look_up_tables(session, err) : code;
    code = code == CP_OK ? name_tables(session, err) : code;
    code = code == CP_OK ? note_shape(session, err) : code;
    code = code == CP_OK ? look_again(session, err) : code;
    if (code == CP_OK) {
        tell_what_is_amiss(session);
    }
    return code;
}

void cpi_wal_session_fini(struct cpi_wal_session *session)
{
    free(session->tables);
    free(session->amiss);
    session->tables = NULL;
    session->amiss = NULL;
}

cp_code cpi_wal_session_read(struct cpi_wal_session *session, struct cpi_arrivals *arrivals, cp_error *err)
{
    cp_code code = read_session(session, arrivals, err);
    return code == CP_OK ? ask_what_is_due(session, err) : code;
}

cp_code cpi_wal_session_begin(struct cpi_wal_session *session, cp_error *err)
{
    session->asked = CPI_WAL_NOTHING;
    session->ask_at_ms = 0;
    session->ask_again_ms = ASK_AGAIN_BASE_MS;
    session->has_come = false;
    session->barrier = 0;
    session->look_at_ms = cpi_now_ms();
    session->held_at = 0;
    session->is_gone = false;
    session->has_changed = false;
    /* A barrier must not wait for a standby: its process would be left behind, and with it one more for each try. */
    struct cpi_rows *rows = cpi_pg_query(
        &session->pg, "select pg_catalog.set_config('synchronous_commit', 'local', false)", NULL, 0, false, err);
    cpi_rows_free(rows);
    return rows != NULL
               ? cpi_pg_prepare(&session->pg, snapshot_statement, "select pg_catalog.pg_current_snapshot()", err)
               : CP_ERR_POSTGRES;
}

static int session_sooner(int a_ms, int b_ms)
{
    return a_ms < b_ms ? a_ms : b_ms;
}

int cpi_wal_session_due_ms(const struct cpi_wal_session *session)
{
    if (session->asked != CPI_WAL_NOTHING) {
        return cpi_left_ms(session->asked_ms + ANSWER_MS);
    }
    int due_ms = cpi_left_ms(session->look_at_ms);
    due_ms = session->barrier != 0 ? session_sooner(due_ms, cpi_left_ms(session->barrier_at_ms)) : due_ms;
    return cpi_wal_changes_wait(session->changes) ? session_sooner(due_ms, cpi_left_ms(session->ask_at_ms)) : due_ms;
}

void cpi_wal_session_barrier(struct cpi_wal_session *session, int64_t number)
{
    session->barrier = number;
    session->barrier_at_ms = 0;
}
