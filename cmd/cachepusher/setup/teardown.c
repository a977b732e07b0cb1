#include "commands.h"
#include "common/exit_code.h"
#include "document/documents.h"
#include "setup/database.h"
#include "embedded.h"
#include "setup/names.h"
#include "setup/neighbours.h"
#include "setup/plan.h"
#include "setup/tables.h"

#include <stdio.h>
#include <stdlib.h>

static int tear_down(PGconn *pg, cp_config *config, bool is_dry)
{
    struct tables tables = {0};
    struct documents documents = {0};
    struct names names;
    char *neighbours = NULL;
    size_t changes = 0;
    int exit_code = EXIT_FAILED;
    if (names_read(&names, config) && documents_take_away(&documents, config, pg) &&
        tables_find(&tables, config, pg, false) && database_pin_path(pg) &&
        (neighbours = neighbours_find(config, pg)) != NULL) {
        const struct plan_step steps[] = {
            documents_step(&documents),
            {embedded_setup_teardown_sql, {tables.plan, names.slot, names.publication, neighbours}, 4, false}};
        if (plan_carry_out(pg, steps, sizeof steps / sizeof *steps, is_dry, &changes)) {
            exit_code = EXIT_DONE;
            if (changes == 0) {
                printf("teardown: nothing to do: there is nothing of %s\n", names.slot);
            }
        }
    }
    free(neighbours);
    documents_fini(&documents);
    tables_fini(&tables);
    return exit_code;
}

int teardown(const struct options *options, cp_config *config)
{
    PGconn *pg = database_open(config);
    int exit_code = pg != NULL ? tear_down(pg, config, options->dry_run) : (int)EXIT_FAILED;
    database_close(pg);
    cp_config_destroy(config);
    return exit_code;
}
