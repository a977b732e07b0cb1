#include "commands.h"
#include "common/complain.h"
#include "common/exit_code.h"
#include "setup/database.h"
#include "embedded.h"
#include "setup/names.h"

#include <stdio.h>

enum column { COLUMN_PROBLEM, COLUMN_JSON, COLUMN_TEXT };

static int show(PGconn *pg, const struct names *names, bool as_json)
{
    const char *const parameters[] = {names->slot, names->source};
    PGresult *state = database_query(pg, embedded_setup_slot_state_sql, 2, parameters);
    if (state == NULL) {
        return EXIT_FAILED;
    }
    bool is_wrong = PQgetisnull(state, 0, COLUMN_PROBLEM) == 0;
    fputs(PQgetvalue(state, 0, as_json ? COLUMN_JSON : COLUMN_TEXT), stdout);
    if (as_json) {
        putchar('\n');
    }
    fflush(stdout);
    if (is_wrong) {
        complain("replication slot %s: %s", names->slot, PQgetvalue(state, 0, COLUMN_PROBLEM));
    }
    PQclear(state);
    return is_wrong ? EXIT_FAILED : EXIT_DONE;
}

int slot(const struct options *options, cp_config *config)
{
    struct names names;
    PGconn *pg = database_open(config);
    int exit_code = EXIT_FAILED;
    if (pg != NULL && names_read(&names, config) && database_pin_path(pg)) {
        exit_code = show(pg, &names, options->json);
    }
    database_close(pg);
    cp_config_destroy(config);
    return exit_code;
}
