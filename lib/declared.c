/* What cachepusher setup has made of the declared documents: it is kept in Postgres, beside the functions. */

#include "config/config.h"

#include "base/error.h"
#include "base/thread.h"
#include "postgres/pg.h"

#include <stdio.h>

static bool has_declared(const struct cp_config *config)
{
    bool found = false;
    for (size_t e = 0; e < config->entity_count; e++) {
        found = found || config->entities[e].document != NULL;
    }
    return found;
}

static cp_code not_set_up(const struct cpi_entity *entity, size_t index, cp_error *err)
{
    return cpi_error(err, CP_ERR_POSTGRES, true,
                     "entities[%zu].document (%s) is not set up as declared here: run cachepusher setup", index,
                     entity->name);
}

static cp_code has_table(struct cpi_pg *pg, bool *found, cp_error *err)
{
    static const char query[] = "select pg_catalog.to_regclass('cachepusher.document') is not null";
    struct cpi_rows *rows = cpi_pg_query(pg, query, NULL, 0, false, err);
    *found = cpi_rows_is_true(rows, 0);
    cpi_rows_free(rows);
    return rows != NULL ? CP_OK : err->code;
}

/* A declaration can be resolved anew, when a table has another column: then the last one counts. */
static cp_code look_up(struct cpi_pg *pg, struct cp_config *config, size_t index, cp_error *err)
{
    static const char query[] = "select entity from cachepusher.document"
                                " where name operator(pg_catalog.=) $1::pg_catalog.text"
                                " and digest operator(pg_catalog.=) $2::pg_catalog.text"
                                " order by made_at desc limit 1";
    const struct cpi_entity *entity = &config->entities[index];
    const struct cpi_pg_parameter parameters[] = {{.value = entity->name}, {.value = entity->digest}};
    struct cpi_rows *rows = cpi_pg_query(pg, query, parameters, 2, false, err);
    if (rows == NULL) {
        return err->code;
    }
    cp_code code = cpi_rows_count(rows) == 1 ? cp_config_apply(config, index, cpi_rows_value(rows, 0, 0), err)
                                             : not_set_up(entity, index, err);
    cpi_rows_free(rows);
    return code;
}

static cp_code look_up_all(struct cpi_pg *pg, struct cp_config *config, cp_error *err)
{
    bool found = false;
    cp_code code = has_table(pg, &found, err);
    for (size_t e = 0; e < config->entity_count && code == CP_OK; e++) {
        if (config->entities[e].document != NULL) {
            code = found ? look_up(pg, config, e, err) : not_set_up(&config->entities[e], e, err);
        }
    }
    return code;
}

struct question {
    struct cp_config *config;
    cp_code code;
    cp_error *err;
};

static void *ask(void *context)
{
    struct question *question = context;
    const struct cp_config *config = question->config;
    struct cpi_pg pg = {.conninfo = config->postgres,
                        .password_file = config->postgres_password_file,
                        .role = "cachepusher start",
                        .cancel_fd = -1,
                        .connect_timeout_ms = config->connect_timeout_ms,
                        .statement_timeout_ms = config->fetch_timeout_ms};
    question->code = cpi_pg_open(&pg, question->err);
    if (question->code == CP_OK) {
        question->code = look_up_all(&pg, question->config, question->err);
    }
    cpi_pg_close(&pg);
    return NULL;
}

/* In a thread of the library's, with signals blocked and a stack that suffices: the caller's may be of any kind. */
cp_code cp_config_resolve(cp_config *config, cp_error *err)
{
    cp_error ignored;
    struct question question = {.config = config, .err = err != NULL ? err : &ignored};
    struct cpi_thread thread = {0};
    cp_code code = cpi_config_check_change(config, "cp_config_resolve", err);
    if (code != CP_OK || !has_declared(config)) {
        return code;
    }
    code = cpi_thread_start(&thread, NULL, "cp-declared", ask, &question, err);
    cpi_thread_join(&thread);
    return code == CP_OK ? question.code : code;
}
