/* Postgres itself: reached, fit for use, and heard. */
#include "doctor/doctor.h"
#include "lease/lock.h"
#include "postgres/hearing.h"
#include "postgres/rows.h"
#include "embedded.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OTHER_CONNECTIONS = 6 /* of a daemon, besides its workers' */ };

static void check_server(struct doctor *doctor)
{
    char needed[16];
    bool maps = doctor->config->mapping_count > 0; /* which takes a session more */
    snprintf(needed, sizeof needed, "%u", doctor->config->threads + OTHER_CONNECTIONS + maps);
    const char *has_triggers = cpi_config_has_triggers(doctor->config) ? "true" : "false";
    doctor_ask(doctor, &(struct doctor_query){
                           "server", embedded_doctor_server_sql, {needed, has_triggers, doctor->entities}, 3});
}

/* Whose clock is wrong the servers cannot know; what they differ by matters to whoever compares logs, and to keys that
 * expire. */
static void check_postgres_clock(struct doctor *doctor)
{
    static const char query[] = "select pg_catalog.date_part('epoch', pg_catalog.clock_timestamp())::pg_catalog.text";
    cp_error err;
    double before = doctor_host_time();
    struct cpi_rows *rows = cpi_pg_query(&doctor->pg, query, NULL, 0, false, &err);
    if (rows == NULL) {
        doctor_tell_error(doctor, "clock", &err);
        return;
    }
    doctor_tell_clock(doctor, "Postgres", strtod(cpi_rows_value(rows, 0, 0), NULL), before, doctor_host_time());
    cpi_rows_free(rows);
}

static void check_lease(struct doctor *doctor)
{
    const char *name = cpi_config_name(doctor->config);
    struct cpi_lock_holder holder = {.exists = false};
    cp_error err;
    if (cpi_lock_check(&doctor->pg, name, false, &err) != CP_OK ||
        cpi_lock_find_holder(&doctor->pg, name, "", &holder, &err) != CP_OK) {
        doctor_tell_error(doctor, "writer", &err);
        return;
    }
    cpi_lock_find_group(&doctor->pg, name, doctor->config->redis_address.database, doctor->group, &err);
    char cure[160];
    snprintf(cure, sizeof cure,
             "run the doctor as the daemon's role (--dsn); if it is no cachepusher: select "
             "pg_catalog.pg_terminate_backend(%s);",
             holder.pid);
    char role[CPI_LEASE_ROLE_BYTES];
    cpi_config_lease_role(doctor->config, role);
    cpi_lock_differs(&doctor->pg, name, role, &doctor->writer_differs, &err);
    doctor->has_writer = holder.exists;
    if (!holder.exists) {
        findings_add(&doctor->findings, VERDICT_OK, "writer", NULL, "nobody writes under the name %s at present", name);
    } else if (!holder.is_ours) {
        findings_add(&doctor->findings, VERDICT_WARNING, "writer", cure,
                     "the lock of the name %s is held by another role: %s; if that is no cachepusher, none can write",
                     name, holder.line);
    } else {
        findings_add(&doctor->findings, VERDICT_OK, "writer", NULL, "%s writes under the name %s", holder.line, name);
    }
    if (doctor->writer_differs) {
        findings_add(&doctor->findings, VERDICT_WARNING, "version", "restart the daemon, with this configuration",
                     "the daemon that writes serves another version of the declared documents than setup has made of "
                     "this configuration");
    }
}

static void check_hearing(struct doctor *doctor)
{
    char channel[48];
    cp_error err;
    struct cpi_pg other = doctor->pg;
    other.connection = NULL;
    snprintf(channel, sizeof channel, "cachepusher_doctor_%ld", (long)getpid());
    if (cpi_hearing_prove(&doctor->pg, &other, channel, "", &err) == CP_OK) {
        findings_add(&doctor->findings, VERDICT_OK, "notification", NULL,
                     "one to ourselves was heard: no pooler in transaction mode is in between");
    } else if (strstr(err.message, "has not come back") != NULL) {
        findings_add(&doctor->findings, VERDICT_WRONG, "notification",
                     "connect to Postgres itself (--dsn), or put the pooler into session mode (PgBouncer: pool_mode = "
                     "session)",
                     "one to ourselves was not heard within 5 s: a pooler in transaction mode is in between; what else "
                     "there is to ask of Postgres is left out");
        doctor->has_postgres = false;
    } else {
        doctor_tell_error(doctor, "notification", &err);
    }
}

/* ---- the connection ---- */

static void tell_no_connection(struct doctor *doctor, const cp_error *err)
{
    static const struct {
        const char *words;
        const char *point;
        const char *cure;
    } known[] = {
        {"is a standby", "standby", "name the primary in --dsn, or both servers: 'host=a,b'"},
        {"password authentication failed", "connection",
         "correct the password in CP_DSN, the configuration or ~/.pgpass"},
        {"no password supplied", "connection", "give the password in CP_DSN, the configuration or ~/.pgpass"},
        {"no pg_hba.conf entry", "connection",
         "add a line for the role, database and address to pg_hba.conf, then: select pg_reload_conf();"},
        {"\" does not exist", "connection", "create it (createuser, createdb), or correct --dsn"},
        {"too many clients", "connection",
         "end some, or: alter system set max_connections = MORE; then restart Postgres"},
        {"or newer is needed", "version", "upgrade Postgres"},
        {"", "connection",
         "start Postgres (systemctl start postgresql), or correct --dsn (CP_DSN, \"postgres\" of the configuration)"},
    };
    size_t i = 0;
    while (strstr(err->message, known[i].words) == NULL) {
        i++;
    }
    findings_add(&doctor->findings, VERDICT_WRONG, known[i].point, known[i].cure, "%s", err->message);
}

/* Names are those of pg_catalog from here on, and nothing can be written. Behind a pooler in transaction mode that
 * would be somebody else's session. */
static void pin_session(struct doctor *doctor)
{
    cp_error err;
    if (!doctor_run(doctor, "set search_path = pg_catalog, pg_temp", &err) ||
        !doctor_run(doctor, "set default_transaction_read_only = on", &err)) {
        doctor_tell_error(doctor, "connection", &err);
        doctor->has_postgres = false;
    }
}

void doctor_check_postgres(struct doctor *doctor)
{
    static void (*const checks[])(struct doctor * doctor) = {check_hearing, pin_session, check_server,
                                                             check_postgres_clock, check_lease};
    const struct cp_config *config = doctor->config;
    cp_error err;
    findings_group(&doctor->findings, "Postgres");
    doctor->pg = (struct cpi_pg){.conninfo = config->postgres,
                                 .password_file = config->postgres_password_file,
                                 .role = "cachepusher doctor",
                                 .cancel_fd = doctor->deadline_fd,
                                 .connect_timeout_ms = config->connect_timeout_ms,
                                 .statement_timeout_ms = DOCTOR_STATEMENT_MS};
    doctor_set_deadline(doctor);
    doctor->has_postgres = cpi_pg_open(&doctor->pg, &err) == CP_OK;
    if (!doctor->has_postgres) {
        tell_no_connection(doctor, &err);
    }
    for (size_t i = 0; i < sizeof checks / sizeof *checks && doctor->has_postgres; i++) {
        checks[i](doctor);
    }
}
