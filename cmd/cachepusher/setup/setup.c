#include "commands.h"
#include "common/complain.h"
#include "common/exit_code.h"
#include "document/documents.h"
#include "setup/database.h"
#include "embedded.h"
#include "setup/maps.h"
#include "setup/names.h"
#include "setup/neighbours.h"
#include "setup/plan.h"
#include "setup/tables.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS_MAX = 10 };

/* The order matters: lists and filters go before an identity changes, a table is published once it has an identity,
 * and the slot comes behind that, since it has to find the publication.
 *
 * Declared documents come last. A daemon takes up a new version when it starts and finds it there: by then whatever the
 * version watches is announced, and a daemon that starts reads every document once. One that works with the former
 * version keeps its function, and its tables stay watched. watch() replaces triggers and their functions in one
 * transaction, with locks that it takes first: writes under way with the former ones have ended by then. */
static size_t list_steps(struct plan_step steps[STEPS_MAX], const struct tables *tables, const struct names *names,
                         const struct documents *documents, const char *neighbours, bool makes_indexes)
{
    const bool is_wal = strcmp(names->source, "wal") == 0;
    const bool reads_tables = is_wal && strcmp(names->announce, "tables") == 0;
    const char *const oids = reads_tables ? tables->oids : "{}";
    size_t count = 0;
    if (is_wal) {
        steps[count++] = (struct plan_step){embedded_setup_server_sql, {names->announce, names->slot}, 2, false};
    }
    if (reads_tables && documents->count > 0) {
        steps[count++] = (struct plan_step){embedded_setup_functions_sql, {embedded_cachepusher_sql}, 1, false};
    }
    if (reads_tables) {
        const char *const publication = names->publication;
        steps[count++] = (struct plan_step){embedded_setup_tables_sql, {tables->plan}, 1, false};
        steps[count++] = (struct plan_step){embedded_setup_publication_sql, {oids, "before", publication}, 3, false};
        steps[count++] = (struct plan_step){embedded_setup_identity_sql, {tables->plan, publication}, 2, false};
    } else {
        steps[count++] = (struct plan_step){embedded_setup_channels_sql, {tables->plan, neighbours}, 2, false};
        steps[count++] = (struct plan_step){embedded_setup_functions_sql, {embedded_cachepusher_sql}, 1, false};
        steps[count++] =
            (struct plan_step){embedded_setup_triggers_sql, {tables->plan, is_wal ? "message" : "notify"}, 2, true};
    }
    if (is_wal) {
        steps[count++] = (struct plan_step){
            embedded_setup_publication_sql, {oids, reads_tables ? "after" : "all", names->publication}, 3, false};
        steps[count++] = (struct plan_step){embedded_setup_slot_sql, {names->slot}, 1, false};
    }
    if (documents->count > 0) {
        steps[count++] = documents_index_step(documents, makes_indexes);
        steps[count++] = documents_step(documents);
    }
    return count;
}

static int set_up(PGconn *pg, cp_config *config, const struct options *options)
{
    struct tables tables = {0};
    struct documents documents = {0};
    struct names names;
    struct plan_step steps[STEPS_MAX];
    char *neighbours = NULL;
    size_t changes = 0;
    int exit_code = EXIT_FAILED;
    if (names_read(&names, config) && documents_resolve(&documents, config, pg) &&
        tables_find(&tables, config, pg, true) && maps_check(config, pg) && database_pin_path(pg) &&
        (neighbours = neighbours_find(config, pg)) != NULL &&
        plan_carry_out(pg, steps, list_steps(steps, &tables, &names, &documents, neighbours, options->indexes),
                       options->dry_run, &changes)) {
        exit_code = EXIT_DONE;
        if (changes == 0) {
            printf("setup: nothing to do: all is as the %s source needs it\n", names.source);
        }
    }
    free(neighbours);
    documents_fini(&documents);
    tables_fini(&tables);
    return exit_code;
}

int setup(const struct options *options, cp_config *config)
{
    PGconn *pg = database_open(config);
    int exit_code = pg != NULL ? set_up(pg, config, options) : (int)EXIT_FAILED;
    database_close(pg);
    cp_config_destroy(config);
    return exit_code;
}
