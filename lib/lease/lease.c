#include "lease/lease.h"

#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A lock's number is made of a text. pg_locks shows it in two halves. */
#define KEY(text) "pg_catalog.hashtextextended('cachepusher ' || " text ", 0)"
#define IS_LOCK(l, text)                                                                                               \
    l ".locktype = 'advisory' and " l ".objsubid = 1 and " l ".granted and " l ".database ="                           \
      " (select oid from pg_catalog.pg_database where datname = current_database()) and"                               \
      " (" l ".classid::bigint << 32 | " l ".objid::bigint) = " KEY(text)

/* Who has the lock: its process, whether it is the session of token $2, whether it is silent, a line for people. What
 * another role does may not be ours to see: then it is not silent. */
static const char holder_sql[] =
    "select l.pid, exists (select from pg_catalog.pg_locks t where t.pid = l.pid and " IS_LOCK(
        "t", "$2") "),"
                   " coalesce(a.state = 'idle' and clock_timestamp() - a.state_change > $3::bigint * interval '1 ms', "
                   "false),"
                   " 'Postgres process ' || l.pid || coalesce(' from ' || host(a.client_addr), '')"
                   " from pg_catalog.pg_locks l left join pg_catalog.pg_stat_activity a using (pid) where " IS_LOCK(
                       "l", "$1");

static const char take_sql[] = "select case when pg_try_advisory_lock(" KEY("$1") ") then pg_try_advisory_lock(" KEY(
    "$2") ") else false end,"
          " to_hex(pg_catalog.hashtextextended(concat_ws(' ', $1, current_database(), c.system_identifier, $3::text), "
          "0))"
          " from pg_control_system() c";

void cpi_lease_init(struct cpi_lease *lease, const struct cp_config *config, const struct cpi_log *log,
                    const char *token)
{
    *lease = (struct cpi_lease){.config = config, .log = log, .token = token, .state = CPI_LEASE_NONE};
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

uint64_t cpi_lease_term(struct cpi_lease *lease)
{
    pthread_mutex_lock(&lease->mutex);
    uint64_t term = lease->term;
    pthread_mutex_unlock(&lease->mutex);
    return term;
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

static struct cpi_rows *query_holder(const struct cp_config *config, struct cpi_pg *pg, const char *token,
                                     cp_error *err)
{
    char lease_ms[16];
    snprintf(lease_ms, sizeof lease_ms, "%d", CPI_LEASE_MS);
    struct cpi_pg_parameter parameters[] = {{.value = cpi_config_name(config)}, {.value = token}, {.value = lease_ms}};
    return cpi_pg_query(pg, holder_sql, parameters, 3, false, err);
}

static void describe(const struct cpi_rows *holder, char line[CPI_HOLDER_BYTES])
{
    snprintf(line, CPI_HOLDER_BYTES, "%s", cpi_rows_count(holder) > 0 ? cpi_rows_value(holder, 0, 3) : "unknown");
}

cp_code cpi_lease_check(const struct cp_config *config, struct cpi_pg *pg, bool must_be_free, cp_error *err)
{
    struct cpi_rows *cluster =
        cpi_pg_query(pg, "select system_identifier from pg_control_system()", NULL, 0, false, err);
    cpi_rows_free(cluster);
    struct cpi_rows *holder = cluster != NULL ? query_holder(config, pg, "", err) : NULL;
    if (holder == NULL) {
        return CP_ERR_POSTGRES;
    }
    cp_code code = CP_OK;
    if (cpi_rows_count(holder) > 0 && must_be_free) {
        char line[CPI_HOLDER_BYTES];
        describe(holder, line);
        code = cpi_error(err, CP_ERR_POSTGRES, true,
                         "another cachepusher named \"%.*s\" writes already (%s): stop it first, or have it read "
                         "everything again with SIGHUP; one that writes other keys, or to another Redis, needs another "
                         "name",
                         cpi_shown(cpi_config_name(config)), cpi_config_name(config), line);
    }
    cpi_rows_free(holder);
    return code;
}

static void note_state(struct cpi_lease *lease, enum cpi_lease_state state)
{
    pthread_mutex_lock(&lease->mutex);
    lease->state = state;
    pthread_mutex_unlock(&lease->mutex);
}

static void note_held(struct cpi_lease *lease, const char *token, const char *group)
{
    struct cpi_lease_session session;
    snprintf(session.token, sizeof session.token, "%s", token);
    snprintf(session.group, sizeof session.group, "%s", group);
    pthread_mutex_lock(&lease->mutex);
    lease->session = session;
    lease->state = CPI_LEASE_HELD;
    lease->term++;
    pthread_mutex_unlock(&lease->mutex);
}

/* Postgres may take hours to notice that a client is gone without a word. Where we have no right to end the session we
 * wait, like everybody else. */
static void end_session(struct cpi_lease *lease, struct cpi_pg *pg, const char *pid, const char *whose)
{
    cp_error err;
    struct cpi_pg_parameter parameter = {.value = pid};
    struct cpi_rows *ended = cpi_pg_query(pg, "select pg_terminate_backend($1::int)", &parameter, 1, false, &err);
    cpi_log_limited(lease->log, &lease->ending, ended != NULL ? CP_LOG_INFO : CP_LOG_WARN,
                    "ending the session of %s, Postgres process %s: %s", whose, pid,
                    ended != NULL ? "done" : err.message);
    cpi_rows_free(ended);
}

static cp_code note_taken(struct cpi_lease *lease, struct cpi_pg *pg, enum cpi_lease_state *state,
                          char line[CPI_HOLDER_BYTES], cp_error *err)
{
    /* Only the listener, which this is, writes the session. */
    struct cpi_rows *holder = query_holder(lease->config, pg, lease->session.token, err);
    if (holder == NULL) {
        return CP_ERR_POSTGRES;
    }
    describe(holder, line);
    if (cpi_rows_count(holder) == 0) { /* it has just been let go: the next try tells */
        *state = CPI_LEASE_NONE;
    } else if (cpi_rows_is_true(holder, 1)) {
        end_session(lease, pg, cpi_rows_value(holder, 0, 0), "a former connection of ours");
        *state = CPI_LEASE_INHERITED;
    } else {
        if (cpi_rows_is_true(holder, 2)) {
            end_session(lease, pg, cpi_rows_value(holder, 0, 0), "a cachepusher that has gone silent");
        }
        *state = CPI_LEASE_TAKEN;
    }
    cpi_rows_free(holder);
    note_state(lease, *state);
    return CP_OK;
}

cp_code cpi_lease_take(struct cpi_lease *lease, struct cpi_pg *pg, enum cpi_lease_state *state,
                       char holder[CPI_HOLDER_BYTES], cp_error *err)
{
    char token[sizeof lease->session.token];
    char database[16];
    snprintf(token, sizeof token, "%s-%u", lease->token, ++lease->tries);
    snprintf(database, sizeof database, "%d", lease->config->redis_address.database);
    struct cpi_pg_parameter parameters[] = {
        {.value = cpi_config_name(lease->config)}, {.value = token}, {.value = database}};
    struct cpi_rows *taken = cpi_pg_query(pg, take_sql, parameters, 3, false, err);
    if (taken == NULL) {
        return CP_ERR_POSTGRES;
    }
    cp_code code = CP_OK;
    if (cpi_rows_is_true(taken, 0)) {
        note_held(lease, token, cpi_rows_value(taken, 0, 1));
        *state = CPI_LEASE_HELD;
    } else {
        code = note_taken(lease, pg, state, holder, err);
    }
    cpi_rows_free(taken);
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

static cp_code kill_former_owners(const struct cpi_lease *lease, const struct cpi_lease_session *session,
                                  struct cpi_redis *redis, cp_error *err)
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
    if (strcmp(lease->session.token, session->token) == 0) {
        lease->state = taken ? CPI_LEASE_TAKEN : CPI_LEASE_NONE;
    }
    pthread_mutex_unlock(&lease->mutex);
    cpi_bell_ring(lease->bell);
}

static cp_code confirm(struct cpi_lease *lease, const struct cpi_lease_session *session, struct cpi_pg *pg,
                       cp_error *err)
{
    struct cpi_rows *holder = query_holder(lease->config, pg, session->token, err);
    if (holder == NULL) {
        return CP_ERR_POSTGRES;
    }
    bool taken = cpi_rows_count(holder) > 0;
    bool ours = cpi_rows_is_true(holder, 1);
    cpi_rows_free(holder);
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
        code = kill_former_owners(lease, &session, redis, err);
    }
    if (code == CP_OK) {
        code = confirm(lease, &session, pg, err);
    }
    redis->may_write = code == CP_OK && cpi_redis_is_open(redis);
    return code;
}
