/* What the wal source needs of Postgres; without it, slots that nobody reads. */
#include "doctor/doctor.h"
#include "embedded.h"

#include <stdio.h>

static void check_replication(struct doctor *doctor)
{
    cp_error err;
    struct cpi_pg pg = doctor->pg;
    pg.connection = NULL;
    pg.replicates = true;
    if (cpi_pg_open(&pg, &err) == CP_OK) {
        findings_add(&doctor->findings, VERDICT_OK, "replication", NULL, "a connection for it can be made");
    } else {
        findings_add(&doctor->findings, VERDICT_WRONG, "replication",
                     "see what it says; the role needs REPLICATION, and pg_hba.conf a line for it", "%s", err.message);
    }
    cpi_pg_close(&pg);
}

static void check_plans(struct doctor *doctor)
{
    const bool reads_tables = doctor->config->source_announce == CPI_ANNOUNCE_TABLES;
    const char *const oids = reads_tables ? doctor_watched(doctor, WATCHED_OIDS) : "{}";
    const char *const plan = reads_tables ? doctor_watched(doctor, WATCHED_PLAN) : "[]";
    const struct doctor_plan plans[] = {
        {.point = "tables",
         .sql = embedded_setup_tables_sql,
         .parameters = {plan},
         .count = 1,
         .fine = "all that are watched can be followed"},
        {.point = "publication",
         .sql = embedded_setup_publication_sql,
         .parameters = {oids, "all", doctor->names.publication},
         .count = 3,
         .lacks = "it is missing, or not all that happens to every watched table is in it",
         .fine = "it has every watched table, and all that happens to it"},
        {.point = "identity",
         .sql = embedded_setup_identity_sql,
         .parameters = {plan, doctor->names.publication},
         .count = 2,
         .lacks = "an update or delete does not tell the old id",
         .fine = "updates and deletes tell the old id"},
    };
    if (reads_tables && *doctor_watched(doctor, WATCHED_IS_WHOLE) != 't') {
        findings_add(&doctor->findings, VERDICT_WRONG, "tables",
                     "correct \"watch\" of the entity in the configuration, or create the table",
                     "the wal source reads the tables that are watched, and not all exist");
        return;
    }
    for (size_t i = 0; i < sizeof plans / sizeof *plans && doctor->has_postgres; i++) {
        doctor_ask_plan(doctor, &plans[i]);
    }
}

void doctor_check_wal(struct doctor *doctor)
{
    const bool is_wal = doctor->config->source == CPI_SOURCE_WAL;
    char retained_mb[16];
    findings_group(&doctor->findings, "Write-ahead log");
    if (!doctor->has_postgres || doctor->watched == NULL) {
        return;
    }
    snprintf(retained_mb, sizeof retained_mb, "%u", doctor->config->source_retained_mb);
    doctor_ask(doctor,
               &(struct doctor_query){
                   "server", embedded_doctor_wal_sql, {doctor->names.slot, retained_mb, is_wal ? "true" : "false"}, 3});
    if (is_wal && doctor->has_postgres) {
        check_replication(doctor);
        check_plans(doctor);
    }
}
