/* The tables that documents are made of: triggers, channels, indexes. */
#include "doctor/doctor.h"
#include "embedded.h"

/* What another configuration has set up is for setup to leave alone: nothing of it is wrong here. */
static const char no_neighbours[] = "[]";

/* What setup would do about schema cachepusher and the triggers. */
static void check_triggers(struct doctor *doctor)
{
    const char *announce = doctor->config->source == CPI_SOURCE_WAL ? "message" : "notify";
    const struct doctor_plan channels = {.point = "channels",
                                         .sql = embedded_setup_channels_sql,
                                         .parameters = {doctor_watched(doctor, WATCHED_PLAN), no_neighbours},
                                         .count = 2,
                                         .fine = "what several entities watch announces on one"};
    const struct doctor_plan schema = {.point = "schema",
                                       .sql = embedded_setup_functions_sql,
                                       .parameters = {embedded_cachepusher_sql},
                                       .count = 1,
                                       .fine = "cachepusher is what this program's setup makes",
                                       .is_for_owner = true};
    const struct doctor_plan triggers = {.point = "triggers",
                                         .sql = embedded_setup_triggers_sql,
                                         .parameters = {doctor_watched(doctor, WATCHED_PLAN), announce},
                                         .count = 2,
                                         .lacks =
                                             "some are missing, or not as they have to be: changes are not announced",
                                         .fine = "all that cachepusher.watch() makes are there",
                                         .skips_notes = true};
    doctor_ask_plan(doctor, &channels);
    size_t before = doctor->findings.counts[VERDICT_WRONG];
    doctor_ask_plan(doctor, &schema);
    bool has_functions = doctor->findings.counts[VERDICT_WRONG] == before;
    if (has_functions && doctor->has_postgres) { /* with what they make triggers are compared */
        doctor_ask_plan(doctor, &triggers);
    }
}

void doctor_check_watch(struct doctor *doctor)
{
    cp_error err;
    findings_group(&doctor->findings, "Tables and triggers");
    if (!doctor->has_postgres || doctor->watched == NULL) {
        return;
    }
    if (!doctor_run(doctor, "set search_path = pg_catalog, pg_temp", &err)) {
        doctor_tell_error(doctor, "watch", &err);
        return;
    }
    doctor_ask(doctor,
               &(struct doctor_query){
                   "watch", embedded_doctor_watch_sql, {doctor_watched(doctor, WATCHED_JSON), doctor->entities}, 2});
    if (cpi_config_has_triggers(doctor->config) && *doctor_watched(doctor, WATCHED_IS_WHOLE) == 't') {
        check_triggers(doctor);
    }
}
