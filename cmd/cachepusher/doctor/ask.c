#include "doctor/doctor.h"
#include "postgres/message.h"
#include "postgres/rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CURE_BYTES = 4096 };

enum { FOUND_VERDICT, FOUND_POINT, FOUND_MESSAGE, FOUND_CURE };
enum { PLANNED_KIND, PLANNED_BODY, PLANNED_WHY };

/* ---- failures ---- */

static void make_grant(struct doctor *doctor, const char *message, char *cure, size_t size)
{
    cp_error ignored;
    char grant[CURE_BYTES / 2];
    if (!cpi_message_grant(message, "", grant, sizeof grant)) {
        return;
    }
    struct cpi_rows *rows =
        cpi_pg_query(&doctor->pg, "select pg_catalog.quote_ident(current_user)", NULL, 0, false, &ignored);
    if (cpi_message_grant(message, rows != NULL ? cpi_rows_value(rows, 0, 0) : "ROLE", grant, sizeof grant)) {
        snprintf(cure, size, "%s;", grant);
    }
    cpi_rows_free(rows);
}

void doctor_tell_error(struct doctor *doctor, const char *point, const cp_error *err)
{
    char cure[CURE_BYTES] = "";
    if (!cpi_pg_is_open(&doctor->pg)) {
        findings_add(&doctor->findings, VERDICT_WRONG, point, "run cachepusher doctor again, or look at Postgres' log",
                     "%s; what else there is to ask of Postgres is left out", doctor_reason(err));
        doctor->has_postgres = false;
        return;
    }
    make_grant(doctor, err->message, cure, sizeof cure);
    findings_add(&doctor->findings, VERDICT_WRONG, point, cure, "%s", err->message);
}

/* ---- queries ---- */

static struct cpi_rows *run_query(struct doctor *doctor, const char *point, const char *sql,
                                  const char *const *parameters, int count)
{
    struct cpi_pg_parameter given[DOCTOR_PARAMETERS] = {{0}};
    cp_error err;
    if (!doctor->has_postgres) {
        return NULL;
    }
    for (int i = 0; i < count; i++) {
        given[i].value = parameters[i];
    }
    struct cpi_rows *rows = cpi_pg_query(&doctor->pg, sql, given, count, false, &err);
    if (rows == NULL) {
        doctor_tell_error(doctor, point, &err);
    }
    return rows;
}

bool doctor_run(struct doctor *doctor, const char *sql, cp_error *err)
{
    struct cpi_rows *rows = cpi_pg_query(&doctor->pg, sql, NULL, 0, false, err);
    cpi_rows_free(rows);
    return rows != NULL;
}

/* Queries do not know how this program is called: "{setup}" stands for it. */
static void fill_in_setup(const struct doctor *doctor, const char *cure, char *filled, size_t size)
{
    static const char place[] = "{setup}";
    const char *found = strstr(cure, place);
    if (found == NULL) {
        snprintf(filled, size, "%s", cure);
    } else {
        snprintf(filled, size, "%.*s%s%s", (int)(found - cure), cure, doctor->setup, found + strlen(place));
    }
}

static enum verdict read_verdict(const char *word)
{
    return strcmp(word, "ok") == 0 ? VERDICT_OK : strcmp(word, "warning") == 0 ? VERDICT_WARNING : VERDICT_WRONG;
}

void doctor_ask(struct doctor *doctor, const struct doctor_query *query)
{
    char cure[CURE_BYTES];
    struct cpi_rows *rows = run_query(doctor, query->point, query->sql, query->parameters, query->count);
    for (int row = 0; row < cpi_rows_count(rows); row++) {
        fill_in_setup(doctor, cpi_rows_value(rows, row, FOUND_CURE), cure, sizeof cure);
        findings_add(&doctor->findings, read_verdict(cpi_rows_value(rows, row, FOUND_VERDICT)),
                     cpi_rows_value(rows, row, FOUND_POINT), cure, "%s", cpi_rows_value(rows, row, FOUND_MESSAGE));
    }
    cpi_rows_free(rows);
}

/* ---- plans ---- */

/* What setup says of itself in a note is "what is so: the statement". */
static void tell_note(struct doctor *doctor, const char *point, const char *note)
{
    const char *colon = strstr(note, ": ");
    const char *cure = colon != NULL ? colon + 2 : NULL;
    findings_add(&doctor->findings, VERDICT_WARNING, point, cure, "%.*s",
                 (int)(colon != NULL ? colon - note : (ptrdiff_t)strlen(note)), note);
}

static void tell_planned(struct doctor *doctor, const struct doctor_plan *plan, const struct cpi_rows *rows, int row)
{
    const char *kind = cpi_rows_value(rows, row, PLANNED_KIND);
    const char *body = cpi_rows_value(rows, row, PLANNED_BODY);
    const char *why = cpi_rows_value(rows, row, PLANNED_WHY);
    char cure[CURE_BYTES];
    if (strcmp(kind, "error") == 0) {
        findings_add(&doctor->findings, plan->is_for_owner ? VERDICT_WARNING : VERDICT_WRONG, plan->point,
                     doctor->setup, "%s%s%s", plan->lacks != NULL ? plan->lacks : "", plan->lacks != NULL ? "; " : "",
                     body);
    } else if (strcmp(kind, "note") == 0) {
        if (!plan->skips_notes) {
            tell_note(doctor, plan->point, body);
        }
    } else if (strcmp(kind, "load") == 0) {
        bool is_missing = strstr(why, "missing") != NULL;
        findings_add(&doctor->findings, is_missing ? VERDICT_WRONG : VERDICT_WARNING, plan->point, doctor->setup, "%s",
                     why);
    } else {
        snprintf(cure, sizeof cure, "%s;", body);
        findings_add(&doctor->findings, VERDICT_WRONG, plan->point, cure, "%s",
                     *why != '\0' || plan->lacks == NULL ? why : plan->lacks);
    }
}

void doctor_ask_plan(struct doctor *doctor, const struct doctor_plan *plan)
{
    struct cpi_rows *rows = run_query(doctor, plan->point, plan->sql, plan->parameters, plan->count);
    int count = cpi_rows_count(rows);
    bool has_error = false;
    for (int row = 0; row < count; row++) {
        bool is_error = strcmp(cpi_rows_value(rows, row, PLANNED_KIND), "error") == 0;
        if (!is_error || !has_error) { /* setup, too, tells the first only: mostly they have one cause */
            tell_planned(doctor, plan, rows, row);
        }
        has_error = has_error || is_error;
    }
    if (rows != NULL && count == 0) {
        findings_add(&doctor->findings, VERDICT_OK, plan->point, NULL, "%s", plan->fine);
    }
    cpi_rows_free(rows);
}
