#include "lease.h"

#include "error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The lock's number is made of the name. pg_locks shows it in two halves. A role may not see when another one's session
 * began: then the process id has to do. */
#define LOCK "pg_catalog.hashtextextended('cachepusher ' || $1, 0)"
#define BEGAN "coalesce((extract(epoch from a.backend_start) * 1000000)::bigint, 0)"
#define HOLDERS                                                                                                        \
    " from pg_catalog.pg_locks l left join pg_catalog.pg_stat_activity a using (pid)"                                  \
    " where l.locktype = 'advisory' and l.objsubid = 1 and l.granted"                                                  \
    " and l.database = (select oid from pg_catalog.pg_database where datname = current_database())"                    \
    " and (l.classid::bigint << 32 | l.objid::bigint) = " LOCK

void cpi_lease_init(struct cpi_lease *lease, const struct cp_config *config, const char *token)
{
    *lease = (struct cpi_lease){.config = config, .token = token, .state = CPI_LEASE_NONE};
    pthread_mutex_init(&lease->mutex, NULL);
}

void cpi_lease_fini(struct cpi_lease *lease)
{
    pthread_mutex_destroy(&lease->mutex);
}

enum cpi_lease_state cpi_lease_state(struct cpi_lease *lease)
{
    pthread_mutex_lock(&lease->mutex);
    enum cpi_lease_state state = lease->state;
    pthread_mutex_unlock(&lease->mutex);
    return state;
}

void cpi_lease_set_bell(struct cpi_lease *lease, struct cpi_bell *bell)
{
    lease->bell = bell;
}

uint64_t cpi_lease_generation(struct cpi_lease *lease)
{
    pthread_mutex_lock(&lease->mutex);
    uint64_t generation = lease->generation;
    pthread_mutex_unlock(&lease->mutex);
    return generation;
}

bool cpi_lease_is_held(struct cpi_lease *lease)
{
    enum cpi_lease_state state = cpi_lease_state(lease);
    return state == CPI_LEASE_HELD || state == CPI_LEASE_INHERITED;
}

void cpi_lease_lose(struct cpi_lease *lease)
{
    pthread_mutex_lock(&lease->mutex);
    lease->state = lease->state == CPI_LEASE_TAKEN ? CPI_LEASE_TAKEN : CPI_LEASE_NONE;
    pthread_mutex_unlock(&lease->mutex);
}

/* ---- the lock ---- */

static PGresult *query_with_name(const struct cp_config *config, struct cpi_pg *pg, const char *sql, cp_error *err)
{
    struct cpi_pg_parameter name = {.value = cpi_config_name(config)};
    return cpi_pg_query(pg, sql, &name, 1, false, err);
}

/* Who has the lock: pid, since and a line for people; no row: nobody. */
static PGresult *query_holder(const struct cp_config *config, struct cpi_pg *pg, cp_error *err)
{
    return query_with_name(config, pg,
                           "select l.pid, " BEGAN ", 'Postgres process ' || l.pid ||"
                           " coalesce(' from ' || host(a.client_addr), '')" HOLDERS,
                           err);
}

static void describe(const PGresult *holders, char holder[CPI_HOLDER_BYTES])
{
    snprintf(holder, CPI_HOLDER_BYTES, "%s", PQntuples(holders) > 0 ? PQgetvalue(holders, 0, 2) : "unknown");
}

cp_code cpi_lease_check_free(const struct cp_config *config, struct cpi_pg *pg, cp_error *err)
{
    PGresult *holders = query_holder(config, pg, err);
    if (holders == NULL) {
        return CP_ERR_POSTGRES;
    }
    cp_code code = CP_OK;
    if (PQntuples(holders) > 0) {
        char holder[CPI_HOLDER_BYTES];
        describe(holders, holder);
        code = cpi_error(err, CP_ERR_POSTGRES, true,
                         "another cachepusher named \"%.*s\" writes already (%s): stop it first, or have it read "
                         "everything again with SIGHUP; one that writes other keys, or to another Redis, needs another "
                         "name",
                         cpi_shown(cpi_config_name(config)), cpi_config_name(config), holder);
    }
    PQclear(holders);
    return code;
}

static void note_held(struct cpi_lease *lease, const PGresult *session)
{
    struct cpi_lease_session now;
    snprintf(now.pid, sizeof now.pid, "%s", PQgetvalue(session, 0, 1));
    snprintf(now.since, sizeof now.since, "%s", PQgetvalue(session, 0, 2));
    snprintf(now.group, sizeof now.group, "%s", PQgetvalue(session, 0, 3));
    pthread_mutex_lock(&lease->mutex);
    lease->session = now;
    lease->state = CPI_LEASE_HELD;
    lease->generation++;
    pthread_mutex_unlock(&lease->mutex);
}

/* Postgres may take hours to notice that a client is gone without a word. */
static cp_code end_former_session(struct cpi_pg *pg, const char *pid, cp_error *err)
{
    struct cpi_pg_parameter parameter = {.value = pid};
    PGresult *ended = cpi_pg_query(pg, "select pg_terminate_backend($1::int)", &parameter, 1, false, err);
    PQclear(ended);
    return ended != NULL ? CP_OK : CP_ERR_POSTGRES;
}

static cp_code note_taken(struct cpi_lease *lease, struct cpi_pg *pg, enum cpi_lease_state *state,
                          char holder[CPI_HOLDER_BYTES], cp_error *err)
{
    PGresult *holders = query_holder(lease->config, pg, err);
    if (holders == NULL) {
        return CP_ERR_POSTGRES;
    }
    describe(holders, holder);
    const struct cpi_lease_session *last = &lease->session; /* only the listener, which this is, writes it */
    bool ours = PQntuples(holders) > 0 && strcmp(PQgetvalue(holders, 0, 0), last->pid) == 0 &&
                strcmp(PQgetvalue(holders, 0, 1), last->since) == 0;
    cp_code code = ours ? end_former_session(pg, last->pid, err) : CP_OK;
    /* Neither ours nor anybody's when it has just been let go: the next try tells. */
    *state = ours ? CPI_LEASE_INHERITED : PQntuples(holders) == 0 ? CPI_LEASE_NONE : CPI_LEASE_TAKEN;
    PQclear(holders);
    if (code == CP_OK) {
        pthread_mutex_lock(&lease->mutex);
        lease->state = *state;
        pthread_mutex_unlock(&lease->mutex);
    }
    return code;
}

cp_code cpi_lease_take(struct cpi_lease *lease, struct cpi_pg *pg, enum cpi_lease_state *state,
                       char holder[CPI_HOLDER_BYTES], cp_error *err)
{
    PGresult *session = query_with_name(lease->config, pg,
                                        "select pg_try_advisory_lock(" LOCK "), a.pid, " BEGAN
                                        ", to_hex(pg_catalog.hashtextextended(concat_ws(' ', $1,"
                                        " current_database(), (select system_identifier from pg_control_system())), 0))"
                                        " from pg_catalog.pg_stat_activity a where a.pid = pg_backend_pid()",
                                        err);
    if (session == NULL) {
        return CP_ERR_POSTGRES;
    }
    cp_code code = CP_OK;
    if (PQntuples(session) == 1 && strcmp(PQgetvalue(session, 0, 0), "t") == 0) {
        note_held(lease, session);
        *state = CPI_LEASE_HELD;
    } else {
        code = note_taken(lease, pg, state, holder, err);
    }
    PQclear(session);
    return code;
}

/* ---- being admitted ---- */

static cp_code run(struct cpi_redis *redis, int argc, const char **argv, cp_error *err)
{
    redisReply *reply = cpi_redis_command(redis, argc, argv, NULL, err);
    if (reply == NULL) {
        return CP_ERR_REDIS;
    }
    freeReplyObject(reply);
    return CP_OK;
}

static cp_code set_name(const struct cpi_lease *lease, const struct cpi_lease_session *session, struct cpi_redis *redis,
                        cp_error *err)
{
    char name[128];
    snprintf(name, sizeof name, "%s:%s:%s", redis->role, session->group, lease->token);
    const char *command[] = {"CLIENT", "SETNAME", name};
    return run(redis, 3, command, err);
}

/* Whether a line of CLIENT LIST is about a connection of another syncer under the same lease. */
static bool is_former(const struct cpi_lease *lease, const struct cpi_lease_session *session, const char *line)
{
    const char *name = strstr(line, " name=");
    if (name == NULL) {
        return false;
    }
    char role[64];
    char group[sizeof session->group];
    char token[64];
    return sscanf(name, " name=%63[^: ]:%19[^: ]:%63[^: ]", role, group, token) == 3 &&
           strncmp(role, "cachepusher-", strlen("cachepusher-")) == 0 && strcmp(group, session->group) == 0 &&
           strcmp(token, lease->token) != 0;
}

static cp_code evict(const struct cpi_lease *lease, const struct cpi_lease_session *session, struct cpi_redis *redis,
                     cp_error *err)
{
    const char *command[] = {"CLIENT", "LIST"};
    redisReply *list = cpi_redis_command(redis, 2, command, NULL, err);
    if (list == NULL) {
        return CP_ERR_REDIS;
    }
    cp_code code = CP_OK;
    char *rest = NULL;
    char *line = list->str != NULL ? strtok_r(list->str, "\n", &rest) : NULL;
    for (; line != NULL && code == CP_OK; line = strtok_r(NULL, "\n", &rest)) {
        char id[24];
        if (is_former(lease, session, line) && sscanf(line, "id=%23[0-9]", id) == 1) {
            const char *kill[] = {"CLIENT", "KILL", "ID", id};
            code = run(redis, 4, kill, err);
        }
    }
    freeReplyObject(list);
    return code;
}

/* The session is gone and its owner has not noticed, unless it has another one by now. */
static void tell_listener(struct cpi_lease *lease, const struct cpi_lease_session *session, bool taken)
{
    pthread_mutex_lock(&lease->mutex);
    if (strcmp(lease->session.pid, session->pid) == 0 && strcmp(lease->session.since, session->since) == 0) {
        lease->state = taken ? CPI_LEASE_TAKEN : CPI_LEASE_NONE;
    }
    pthread_mutex_unlock(&lease->mutex);
    cpi_bell_ring(lease->bell);
}

static cp_code confirm(struct cpi_lease *lease, const struct cpi_lease_session *session, struct cpi_pg *pg,
                       cp_error *err)
{
    struct cpi_pg_parameter parameters[] = {
        {.value = cpi_config_name(lease->config)}, {.value = session->pid}, {.value = session->since}};
    PGresult *holder =
        cpi_pg_query(pg, "select l.pid = $2::int and " BEGAN " = $3::bigint" HOLDERS, parameters, 3, false, err);
    if (holder == NULL) {
        return CP_ERR_POSTGRES;
    }
    bool taken = PQntuples(holder) > 0;
    bool ours = taken && strcmp(PQgetvalue(holder, 0, 0), "t") == 0;
    PQclear(holder);
    if (!ours) {
        tell_listener(lease, session, taken);
        return cpi_error(err, CP_ERR_POSTGRES, true, "the right to write has been lost");
    }
    return CP_OK;
}

cp_code cpi_lease_admit(struct cpi_lease *lease, struct cpi_pg *pg, struct cpi_redis *redis, cp_error *err)
{
    pthread_mutex_lock(&lease->mutex);
    enum cpi_lease_state state = lease->state;
    struct cpi_lease_session session = lease->session;
    pthread_mutex_unlock(&lease->mutex);
    if (state != CPI_LEASE_HELD && state != CPI_LEASE_INHERITED) {
        return cpi_error(err, CP_ERR_POSTGRES, true,
                         state == CPI_LEASE_TAKEN ? "another cachepusher writes now"
                                                  : "the listener is not connected, which the right to write "
                                                    "hangs on");
    }
    cp_code code = set_name(lease, &session, redis, err);
    if (code == CP_OK) {
        code = evict(lease, &session, redis, err);
    }
    if (code == CP_OK) {
        code = confirm(lease, &session, pg, err);
    }
    redis->may_write = code == CP_OK;
    return code;
}
