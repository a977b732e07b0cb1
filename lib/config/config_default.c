#include "config/config_internal.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

/* With one column each. */
static bool add_watches(struct cpi_entity *entity, size_t count)
{
    entity->watch = calloc(count, sizeof *entity->watch);
    entity->watch_count = entity->watch != NULL ? count : 0;
    bool fine = entity->watch != NULL;
    for (size_t i = 0; fine && i < count; i++) {
        struct cpi_names *columns = &entity->watch[i].columns;
        columns->items = calloc(1, sizeof *columns->items);
        columns->count = columns->items != NULL;
        fine = columns->items != NULL;
    }
    return fine;
}

/* What db/schema.sql creates. */
static cp_code add_customer(struct cp_config *config, cp_error *err)
{
    struct cpi_entity *entity = calloc(1, sizeof *entity);
    if (entity == NULL) {
        return cpi_error_memory(err);
    }
    config->entities = entity;
    config->entity_count = 1;
    entity->id_type = CPI_ID_INTEGER;
    entity->fetch_many = true;
    entity->channels = calloc(2, sizeof *entity->channels);
    if (entity->channels == NULL) {
        return cpi_error_memory(err);
    }
    entity->channel_count = 2;
    if (!add_watches(entity, 2)) {
        return cpi_error_memory(err);
    }

    const struct {
        char **string;
        const char *value;
    } strings[] = {
        {&entity->name, "customer"},
        {&entity->key_template, "{prefix}:{id}"},
        {&entity->channels[0], "customer_updated"},
        {&entity->channels[1], "customer_deleted"},
        {&entity->watch[0].table, "customer"},
        {&entity->watch[0].columns.items[0], "id_customer"},
        {&entity->watch[1].table, "address"},
        {&entity->watch[1].columns.items[0], "fk_customer"},
        {&entity->fetch, "customer_get_many"},
        {&entity->list, "select id_customer from customer"},
        {&entity->warmup_procedure, "customer_warmup"},
    };
    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++) {
        *strings[i].string = strdup(strings[i].value);
        if (*strings[i].string == NULL) {
            return cpi_error_memory(err);
        }
    }
    return CP_OK;
}

cp_config *cp_config_create(cp_error *err)
{
    cp_config *config = calloc(1, sizeof *config);
    if (config == NULL) {
        cpi_error_memory(err);
        return NULL;
    }
    cp_code code = add_customer(config, err);
    if (code == CP_OK) {
        code = cpi_settings_reset(config, err);
    }
    if (code != CP_OK) {
        cp_config_destroy(config);
        return NULL;
    }
    return config;
}
