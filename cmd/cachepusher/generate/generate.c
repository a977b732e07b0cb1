#include "commands.h"
#include "common/complain.h"
#include "common/exit_code.h"
#include "document/catalog.h"
#include "generate/proposal.h"
#include "generate/write.h"
#include "setup/database.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONNINFO_BYTES = 8192 };

/* Whoever goes on with the file connects to where this has. False: with a password, or it cannot be told. */
static bool read_postgres(const cp_config *config, char postgres[CONNINFO_BYTES])
{
    bool has_password = false;
    if (cp_config_get(config, "postgres", postgres, CONNINFO_BYTES, NULL) != CP_OK) {
        return false;
    }
    PQconninfoOption *options = PQconninfoParse(postgres, NULL);
    for (const PQconninfoOption *at = options; at != NULL && at->keyword != NULL; at++) {
        bool is_password = strcmp(at->keyword, "password") == 0 || strcmp(at->keyword, "sslpassword") == 0;
        has_password = has_password || (is_password && at->val != NULL && *at->val != '\0');
    }
    const bool is_string = options != NULL;
    PQconninfoFree(options);
    return is_string && !has_password;
}

static bool propose(PGconn *pg, const struct catalog *catalog, const struct options *options, const char *postgres)
{
    const struct catalog_table *table;
    if (!catalog_find(catalog, pg, options->table, &table)) {
        return false;
    }
    if (table == NULL) {
        complain("%s: there is no such table that this role can see", options->table);
        return false;
    }
    struct proposal *proposal = malloc(sizeof *proposal);
    if (proposal == NULL) {
        complain("out of memory");
        return false;
    }
    bool is_made = proposal_make(proposal, table, options->depth);
    if (is_made) {
        write_configuration(stdout, proposal, postgres);
    }
    proposal_fini(proposal);
    free(proposal);
    return is_made;
}

int generate(const struct options *options, cp_config *config)
{
    struct catalog catalog = {0};
    char postgres[CONNINFO_BYTES];
    PGconn *pg = database_open(config);
    bool is_open = read_postgres(config, postgres);
    bool is_done =
        pg != NULL && catalog_load(&catalog, pg) && propose(pg, &catalog, options, is_open ? postgres : NULL);
    catalog_fini(&catalog);
    database_close(pg);
    cp_config_destroy(config);
    return is_done ? EXIT_DONE : EXIT_FAILED;
}
