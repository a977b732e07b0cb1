/* Each entity's functions and listing, and a document that is read to see what it takes. */
#include "doctor/doctor.h"
#include "postgres/listing.h"
#include "postgres/mapping.h"
#include "postgres/rows.h"
#include "postgres/widths.h"
#include "embedded.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TYPE_BYTES = 64, ID_BYTES = 256 };

/* The document that was read. */
struct reading {
    char id[ID_BYTES]; /* "": there is none to read */
    bool exists;
    size_t bytes;
    double took_s;
};

static size_t count_wrong(const struct doctor *doctor)
{
    return doctor->findings.counts[VERDICT_WRONG];
}

/* "integer" or "integer[]" */
static void name_type(const struct cpi_entity *entity, char type[TYPE_BYTES])
{
    snprintf(type, TYPE_BYTES, "%s%s", cpi_id_type_name(entity->id_type), entity->fetch_many ? "[]" : "");
}

/* ---- the functions ---- */

static bool check_function(struct doctor *doctor, const struct cpi_entity *entity, uint32_t index)
{
    char type[TYPE_BYTES];
    char cure[512];
    cp_error err;
    size_t before = count_wrong(doctor);
    name_type(entity, type);
    doctor_ask(doctor, &(struct doctor_query){
                           "function", embedded_doctor_function_sql, {entity->fetch, entity->name, type}, 3});
    if (!doctor->has_postgres || count_wrong(doctor) > before) {
        return false;
    }
    if (cpi_fetch_check(&doctor->pg, entity, index, &err) == CP_OK) {
        findings_add(&doctor->findings, VERDICT_OK, "types", NULL, "%s: %s takes %s and returns documents",
                     entity->name, entity->fetch, type);
        return true;
    }
    if (!cpi_pg_is_open(&doctor->pg)) {
        doctor_tell_error(doctor, "types", &err);
        return false;
    }
    snprintf(cure, sizeof cure, "make it: create function %s(%s) returns %s, or correct \"id_type\" and \"%s\"",
             entity->fetch, type, entity->fetch_many ? "table (id ..., document json)" : "json",
             entity->fetch_many ? "fetch_many" : "fetch");
    findings_add(&doctor->findings, VERDICT_WRONG, "types", cure, "%s", err.message);
    return false;
}

static bool check_list(struct doctor *doctor, const struct cpi_entity *entity)
{
    cp_error err;
    char warning[CPI_WIDTHS_BYTES];
    if (cpi_listing_check(&doctor->pg, entity, &err) == CP_OK &&
        cpi_widths_check(&doctor->pg, entity, warning, &err) == CP_OK) {
        if (warning[0] != '\0') {
            findings_add(&doctor->findings, VERDICT_WARNING, "list",
                         "make \"id_type\", or what the function takes, as wide as the listing's column", "%s",
                         warning);
        } else {
            findings_add(&doctor->findings, VERDICT_OK, "list", NULL, "%s: %s", entity->name, entity->list);
        }
        return true;
    }
    if (cpi_pg_is_open(&doctor->pg) && strstr(err.message, "permission denied") == NULL) {
        findings_add(&doctor->findings, VERDICT_WRONG, "list",
                     "correct \"list\" of the entity in the configuration, or create what it reads", "%s", err.message);
    } else {
        doctor_tell_error(doctor, "list", &err);
    }
    return false;
}

static void check_procedure_of(struct doctor *doctor, const struct cpi_entity *entity)
{
    static const char query[] =
        "select case when p.oid is null or not pg_catalog.has_function_privilege(p.oid, 'execute') then 'wrong' else "
        "'ok' "
        "end, 'procedure', pg_catalog.format('%s: warm-up procedure %s %s', $2::pg_catalog.text, $1::pg_catalog.text,"
        " case when p.oid is null then 'is not there'"
        " when not pg_catalog.has_function_privilege(p.oid, 'execute') then 'is not ours to execute' else 'is there' "
        "end),"
        " case when p.oid is null then 'correct \"warmup_procedure\" in the configuration, or have --warmup scan'"
        " else pg_catalog.format('grant execute on routine %s to %I;', p.oid::pg_catalog.regprocedure, current_user) "
        "end"
        " from (select pg_catalog.to_regproc($1::pg_catalog.text)::pg_catalog.oid as oid) as named"
        " left join pg_catalog.pg_proc as p on p.oid operator(pg_catalog.=) named.oid";
    if (doctor->config->warmup == CPI_WARMUP_TOUCH && entity->warmup_procedure != NULL) {
        doctor_ask(doctor, &(struct doctor_query){"procedure", query, {entity->warmup_procedure, entity->name}, 2});
    }
}

/* ---- a document ---- */

/* One that is listed, else an id that no document need have: what it takes to find that out is worth knowing, too. */
static bool pick_id(struct doctor *doctor, const struct cpi_entity *entity, struct cpi_id_array *ids,
                    struct reading *reading, cp_error *err)
{
    char digits[CPI_ID_NUMBER_BYTES];
    char *sql = NULL;
    if (!cpi_id_array_clear(ids, entity->id_type) ||
        asprintf(&sql, "select listed.id::%s from (%s\n) as listed(id) where listed.id is not null limit 1",
                 cpi_id_wire_type(entity->id_type), entity->list) < 0) {
        return cpi_pg_no_memory(&doctor->pg, err) == CP_OK;
    }
    struct cpi_rows *rows = cpi_pg_query(&doctor->pg, sql, NULL, 0, true, err);
    free(sql);
    if (rows == NULL) {
        return false;
    }
    union cpi_id id = {.number = 0};
    if (cpi_rows_count(rows) > 0) {
        id = cpi_fetch_id(entity, rows, 0, 0);
        snprintf(reading->id, sizeof reading->id, "%s", cpi_id_text(entity->id_type, &id, digits));
    } else if (cpi_id_is_text(entity->id_type)) {
        id.text = entity->id_type == CPI_ID_UUID ? "00000000-0000-0000-0000-000000000000" : "";
    }
    bool added = cpi_id_array_add(ids, &id);
    cpi_rows_free(rows);
    return added || cpi_pg_no_memory(&doctor->pg, err) == CP_OK;
}

/* What a function that writes fails with in our transaction is no sign of a server that has been demoted, which a
 * session that has run prepared statements would take it for and end. */
static bool read_one(struct doctor *doctor, const struct cpi_entity *entity, uint32_t index, struct reading *reading,
                     cp_error *err)
{
    char statement[CPI_FETCH_STATEMENT_BYTES];
    struct cpi_id_array ids = {0};
    cpi_fetch_statement(index, statement);
    doctor->pg.proven = false;
    bool is_read = pick_id(doctor, entity, &ids, reading, err);
    if (is_read) {
        struct cpi_pg_parameter parameter = cpi_id_array_parameter(&ids);
        double began = doctor_host_time();
        doctor->pg.proven = false;
        struct cpi_rows *rows = cpi_pg_execute(&doctor->pg, statement, &parameter, 1, true, err);
        reading->took_s = doctor_host_time() - began;
        reading->exists = cpi_rows_count(rows) > 0 && !cpi_rows_is_null(rows, 0, 1);
        reading->bytes = cpi_rows_length(rows, 0, 1);
        is_read = rows != NULL;
        cpi_rows_free(rows);
    }
    cpi_id_array_fini(&ids);
    return is_read;
}

static void tell_document(struct doctor *doctor, const struct cpi_entity *entity, const struct reading *reading)
{
    struct findings *findings = &doctor->findings;
    if (reading->id[0] == '\0') {
        findings_add(findings, VERDICT_OK, "document", NULL, "%s: none exists yet", entity->name);
    } else if (!reading->exists) {
        findings_add(findings, VERDICT_WARNING, "document", "have \"list\" and the fetch function agree on what exists",
                     "%s: %s is listed, and the fetch function has no document of it: its key would be deleted",
                     entity->name, reading->id);
    } else {
        findings_add(findings, VERDICT_OK, "document", NULL, "%s: %s has %zu bytes, read in %.1f ms", entity->name,
                     reading->id, reading->bytes, 1000 * reading->took_s);
    }
}

static void tell_unread(struct doctor *doctor, const struct cpi_entity *entity, const cp_error *err)
{
    if (cpi_pg_is_open(&doctor->pg) && strstr(err->message, "read-only transaction") != NULL) {
        findings_add(&doctor->findings, VERDICT_WARNING, "document", "have the fetch function read only",
                     "%s: the fetch function writes, and is called often: %s", entity->name, err->message);
        return;
    }
    doctor_tell_error(doctor, "document", err);
}

/* In the transaction that has read the document, by the role's search_path first and then without it. */
static void check_reads(struct doctor *doctor, const struct cpi_entity *entity)
{
    cp_error err;
    struct cpi_pg_parameter fetch = {.value = entity->fetch};
    struct cpi_rows *rows = cpi_pg_query(
        &doctor->pg, "select pg_catalog.to_regproc($1::pg_catalog.text)::pg_catalog.oid", &fetch, 1, false, &err);
    if (rows == NULL || !doctor_run(doctor, "set local search_path = pg_catalog, pg_temp", &err)) {
        doctor_tell_error(doctor, "reads", &err);
    } else {
        const char *oid = cpi_rows_is_null(rows, 0, 0) ? "0" : cpi_rows_value(rows, 0, 0);
        doctor_ask(doctor,
                   &(struct doctor_query){"reads",
                                          embedded_doctor_reads_sql,
                                          {doctor_watched(doctor, WATCHED_JSON), doctor->entities, entity->name, oid},
                                          4});
    }
    cpi_rows_free(rows);
}

static void check_document(struct doctor *doctor, const struct cpi_entity *entity, uint32_t index)
{
    cp_error err;
    struct reading reading = {.id = ""};
    bool is_read = doctor_run(doctor, "begin isolation level read committed read only", &err) &&
                   read_one(doctor, entity, index, &reading, &err);
    if (is_read) {
        tell_document(doctor, entity, &reading);
        check_reads(doctor, entity);
    }
    cp_error ignored;
    if (cpi_pg_is_open(&doctor->pg)) {
        doctor_run(doctor, "rollback", &ignored);
    }
    if (!is_read) {
        doctor->has_unreadable = true;
        tell_unread(doctor, entity, &err);
    }
}

/* ---- what is mapped ---- */

static void check_maps(struct doctor *doctor)
{
    const struct cp_config *config = doctor->config;
    cp_error err;
    for (size_t i = 0; i < config->mapping_count && doctor->has_postgres; i++) {
        const struct cpi_entity *mapping = &config->entities[config->entity_count + i];
        const struct cpi_entity *target = &config->entities[mapping->target];
        const struct cpi_watch *watch = cpi_config_mapped_watch(config, config->entity_count + i);
        if (cpi_mapping_check(&doctor->pg, mapping, target, watch, &err) == CP_OK) {
            findings_add(&doctor->findings, VERDICT_OK, "maps", NULL, "%s: rows of %s can be mapped", target->name,
                         watch->table);
        } else if (cpi_pg_is_open(&doctor->pg) && strstr(err.message, "permission denied") == NULL) {
            findings_add(&doctor->findings, VERDICT_WRONG, "maps", "correct \"maps\" of the watch in the configuration",
                         "%s", err.message);
        } else {
            doctor_tell_error(doctor, "maps", &err);
        }
    }
}

/* ---- all entities ---- */

static bool look_up_tables(struct doctor *doctor)
{
    cp_error err;
    char *described = watched_describe(doctor->config);
    struct cpi_pg_parameter parameter = {.value = described};
    if (described == NULL) {
        cpi_pg_no_memory(&doctor->pg, &err);
    } else if (doctor_run(doctor, "reset search_path", &err)) {
        doctor->watched = cpi_pg_query(&doctor->pg, embedded_setup_watched_sql, &parameter, 1, false, &err);
    }
    free(described);
    if (doctor->watched == NULL) {
        doctor_tell_error(doctor, "watch", &err);
    }
    return doctor->watched != NULL;
}

void doctor_check_documents(struct doctor *doctor)
{
    findings_group(&doctor->findings, "Documents");
    if (!doctor->has_postgres || !look_up_tables(doctor)) {
        return;
    }
    for (uint32_t e = 0; e < doctor->config->entity_count && doctor->has_postgres; e++) {
        const struct cpi_entity *entity = &doctor->config->entities[e];
        bool is_whole = check_function(doctor, entity, e);
        is_whole = doctor->has_postgres && check_list(doctor, entity) && is_whole;
        if (doctor->has_postgres) {
            check_procedure_of(doctor, entity);
        }
        doctor->has_unreadable = doctor->has_unreadable || !is_whole;
        if (doctor->has_postgres && is_whole) {
            check_document(doctor, entity, e);
        }
    }
    check_maps(doctor);
}
