#include "config/config_internal.h"

#include "base/error.h"
#include "base/nearest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What Postgres keeps of a channel's name. */
enum { CHANNEL_BYTES = 64 };

/* ---- lists of names ---- */

static bool names_add(struct cpi_names *names, const char *name)
{
    char **grown = realloc(names->items, (names->count + 1) * sizeof *grown);
    if (grown == NULL) {
        return false;
    }
    names->items = grown;
    grown[names->count] = strdup(name);
    if (grown[names->count] == NULL) {
        return false;
    }
    names->count++;
    return true;
}

static bool names_have(const struct cpi_names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->items[i], name) == 0) {
            return true;
        }
    }
    return false;
}

bool cpi_names_same(const struct cpi_names *a, const struct cpi_names *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++) {
        same = strcmp(a->items[i], b->items[i]) == 0;
    }
    return same;
}

void cpi_names_fini(struct cpi_names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        free(names->items[i]);
    }
    free(names->items);
    *names = (struct cpi_names){0};
}

void cpi_watch_fini(struct cpi_watch *watch)
{
    free(watch->table);
    free(watch->maps);
    cpi_names_fini(&watch->columns);
    cpi_names_fini(&watch->reads);
    cpi_names_fini(&watch->channels);
    *watch = (struct cpi_watch){0};
}

/* ---- reading ---- */

static cp_code read_column(struct cpi_reader *reader, const json_t *value, struct cpi_names *names)
{
    char *name = NULL;
    cp_code code = cpi_read_string(reader, value, &name);
    if (code == CP_OK && !cpi_is_sql_column(name)) {
        code = cpi_reader_reject(reader, "\"%.*s\" is not the name of a column (expected name, or \"Quoted Name\")",
                                 cpi_shown(name), name);
    } else if (code == CP_OK && names_have(names, name)) {
        code = cpi_reader_reject(reader, "\"%.*s\" is listed twice", cpi_shown(name), name);
    } else if (code == CP_OK && !names_add(names, name)) {
        code = cpi_error_memory(reader->err);
    }
    free(name);
    return code;
}

static cp_code read_columns(struct cpi_reader *reader, const json_t *array, struct cpi_names *names)
{
    size_t path_length = strlen(reader->path);
    cp_code code = CP_OK;
    for (size_t i = 0; i < json_array_size(array) && code == CP_OK; i++) {
        snprintf(reader->path + path_length, sizeof reader->path - path_length, "[%zu]", i);
        code = read_column(reader, json_array_get(array, i), names);
    }
    if (code == CP_OK) {
        reader->path[path_length] = '\0';
    }
    return code;
}

static cp_code read_key_columns(struct cpi_reader *reader, const json_t *value, struct cpi_watch *watch)
{
    if (!json_is_array(value)) {
        return read_column(reader, value, &watch->columns);
    }
    if (json_array_size(value) < 1 || json_array_size(value) > CPI_ID_COLUMNS_MAX) {
        return cpi_reader_reject(reader, "expected 1 to %d columns", CPI_ID_COLUMNS_MAX);
    }
    return read_columns(reader, value, &watch->columns);
}

static cp_code read_table(struct cpi_reader *reader, const json_t *value, struct cpi_watch *watch)
{
    cp_code code = cpi_read_string(reader, value, &watch->table);
    return code != CP_OK || cpi_is_sql_name(watch->table)
               ? code
               : cpi_reader_reject(reader,
                                   "\"%.*s\" is not the name of a table (expected name, schema.name or "
                                   "\"Quoted Name\")",
                                   cpi_shown(watch->table), watch->table);
}

static cp_code read_maps(struct cpi_reader *reader, const json_t *value, struct cpi_watch *watch)
{
    cp_code code = cpi_read_string(reader, value, &watch->maps);
    return code != CP_OK || strstr(watch->maps, "$1") != NULL
               ? code
               : cpi_reader_reject(reader,
                                   "expected a query for ids of documents that has $1, an array of values of the "
                                   "column, in it");
}

static cp_code read_reads(struct cpi_reader *reader, const json_t *value, struct cpi_watch *watch)
{
    if (!json_is_array(value)) {
        return cpi_reader_reject_type(reader, value, "an array of columns");
    }
    watch->has_reads = true;
    return read_columns(reader, value, &watch->reads);
}

static cp_code read_own_channel(struct cpi_reader *reader, const json_t *value, struct cpi_watch *watch)
{
    char *channel = NULL;
    cp_code code = cpi_read_string(reader, value, &channel);
    if (code == CP_OK && strlen(channel) >= CHANNEL_BYTES) {
        code = cpi_reader_reject(reader, "\"%.*s\" has more than the %d bytes that Postgres keeps of a channel's name",
                                 cpi_shown(channel), channel, CHANNEL_BYTES - 1);
    } else if (code == CP_OK && !names_add(&watch->channels, channel)) {
        code = cpi_error_memory(reader->err);
    }
    watch->has_channel = code == CP_OK;
    free(channel);
    return code;
}

static const struct {
    const char *name;
    cp_code (*read)(struct cpi_reader *reader, const json_t *value, struct cpi_watch *watch);
} members[] = {
    {"table", read_table}, {"column", read_key_columns},  {"maps", read_maps},
    {"reads", read_reads}, {"channel", read_own_channel},
};

static cp_code read_member(struct cpi_reader *reader, const char *name, const json_t *value, struct cpi_watch *watch)
{
    struct cpi_nearest nearest = {.name = name};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        if (strcmp(name, members[i].name) == 0) {
            return members[i].read(reader, value, watch);
        }
        cpi_nearest_offer(&nearest, members[i].name);
    }
    return nearest.found != NULL ? cpi_reader_reject(reader, "unknown; did you mean %s?", nearest.found)
                                 : cpi_reader_reject(reader, "unknown; expected table, column, maps, reads or channel");
}

static cp_code read_watch(struct cpi_reader *reader, json_t *object, struct cpi_watch *watch)
{
    size_t path_length = strlen(reader->path);
    if (!json_is_object(object)) {
        return cpi_reader_reject_type(reader, object, "an object");
    }
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value)
    {
        if (cpi_is_comment(name)) {
            continue;
        }
        snprintf(reader->path + path_length, sizeof reader->path - path_length, ".%.*s", cpi_shown(name), name);
        cp_code code = read_member(reader, name, value, watch);
        if (code != CP_OK) {
            return code;
        }
    }
    reader->path[path_length] = '\0';
    return watch->table != NULL && watch->columns.count > 0
               ? CP_OK
               : cpi_reader_reject(reader, "%s is missing", watch->table == NULL ? "table" : "column");
}

cp_code cpi_read_watches(struct cpi_reader *reader, json_t *value, struct cpi_entity *entity)
{
    if (!json_is_array(value)) {
        return cpi_reader_reject_type(reader, value, "an array of objects");
    }
    size_t count = json_array_size(value);
    if (count == 0) {
        return cpi_reader_reject(reader, "expected at least one table");
    }
    entity->watch = calloc(count, sizeof *entity->watch);
    if (entity->watch == NULL) {
        return cpi_error_memory(reader->err);
    }
    entity->watch_count = count;
    size_t path_length = strlen(reader->path);
    for (size_t i = 0; i < count; i++) {
        snprintf(reader->path + path_length, sizeof reader->path - path_length, "[%zu]", i);
        cp_code code = read_watch(reader, json_array_get(value, i), &entity->watch[i]);
        if (code != CP_OK) {
            return code;
        }
    }
    return CP_OK;
}

/* ---- where tables announce ----
 *
 * A table's triggers announce the values of a column on one channel, whoever listens. The channels of an entity that
 * was configured by hand carry its ids, so a table that it watches for itself announces there. What is mapped, or
 * belongs to a declared entity, has a channel of the table and the column; or those of the entity by hand that watches
 * the same. */

static bool is_direct_by_hand(const struct cpi_entity *entity, const struct cpi_watch *watch)
{
    return entity->document == NULL && watch->maps == NULL;
}

/* The entity by hand whose channels carry the same values; NULL: none. */
static const struct cpi_entity *same_by_hand(const struct cp_config *config, const struct cpi_watch *watch,
                                             const struct cpi_watch **of)
{
    for (size_t e = 0; e < config->entity_count; e++) {
        const struct cpi_entity *entity = &config->entities[e];
        for (size_t w = 0; w < entity->watch_count; w++) {
            *of = &entity->watch[w];
            if (is_direct_by_hand(entity, *of) && strcmp((*of)->table, watch->table) == 0 &&
                cpi_names_same(&(*of)->columns, &watch->columns)) {
                return entity;
            }
        }
    }
    return NULL;
}

static bool add_made_channel(struct cpi_watch *watch)
{
    size_t size = sizeof "cachepusher:." + strlen(watch->table);
    for (size_t i = 0; i < watch->columns.count; i++) {
        size += strlen(watch->columns.items[i]) + 1;
    }
    char *name = malloc(size + CHANNEL_BYTES);
    if (name == NULL) {
        return false;
    }
    int length = sprintf(name, "cachepusher:%s", watch->table);
    for (size_t i = 0; i < watch->columns.count; i++) {
        length += sprintf(name + length, "%c%s", i == 0 ? '.' : ',', watch->columns.items[i]);
    }
    if (length >= CHANNEL_BYTES) {
        union cpi_id whole = {.text = name};
        uint64_t hash = cpi_id_hash(CPI_ID_TEXT, &whole, 4);
        sprintf(name, "cachepusher:%016llx", (unsigned long long)hash);
    }
    bool added = names_add(&watch->channels, name);
    free(name);
    return added;
}

static bool choose_channels(const struct cp_config *config, const struct cpi_entity *entity, struct cpi_watch *watch)
{
    if (watch->has_channel) {
        return true;
    }
    cpi_names_fini(&watch->channels);
    if (is_direct_by_hand(entity, watch)) {
        return true; /* the entity's */
    }
    const struct cpi_watch *of;
    const struct cpi_entity *other = same_by_hand(config, watch, &of);
    if (other == NULL) {
        return add_made_channel(watch);
    }
    bool own = of->has_channel;
    size_t count = own ? of->channels.count : other->channel_count;
    bool added = true;
    for (size_t i = 0; i < count && added; i++) {
        added = names_add(&watch->channels, own ? of->channels.items[i] : other->channels[i]);
    }
    return added;
}

/* An entity listens to the channels of the tables that name its documents. */
static bool listen_to(struct cpi_entity *entity, const struct cpi_watch *watch)
{
    struct cpi_names channels = {.items = entity->channels, .count = entity->channel_count};
    bool added = true;
    for (size_t i = 0; i < watch->channels.count && added; i++) {
        added = names_have(&channels, watch->channels.items[i]) || names_add(&channels, watch->channels.items[i]);
    }
    entity->channels = channels.items;
    entity->channel_count = channels.count;
    return added;
}

/* ---- what is mapped ---- */

static bool add_mapping(struct cp_config *config, size_t target, const struct cpi_watch *watch)
{
    size_t total = config->entity_count + config->mapping_count;
    struct cpi_entity *grown = realloc(config->entities, (total + 1) * sizeof *grown);
    if (grown == NULL) {
        return false;
    }
    config->entities = grown;
    config->mapping_count++;
    struct cpi_entity *mapping = &grown[total];
    *mapping = (struct cpi_entity){.name = strdup(grown[target].name),
                                   .id_type = CPI_ID_TEXT,
                                   .maps = watch->maps, /* both are the entity's own */
                                   .table = watch->table,
                                   .target = (uint16_t)target};
    return mapping->name != NULL && listen_to(mapping, watch);
}

static void drop_mappings(struct cp_config *config)
{
    for (; config->mapping_count > 0; config->mapping_count--) {
        cpi_entity_fini(&config->entities[config->entity_count + config->mapping_count - 1]);
    }
}

static bool wire_channels(struct cp_config *config)
{
    bool fine = true;
    for (size_t e = 0; e < config->entity_count; e++) {
        struct cpi_entity *entity = &config->entities[e];
        for (size_t w = 0; w < entity->watch_count && fine; w++) {
            fine = choose_channels(config, entity, &entity->watch[w]) &&
                   (entity->watch[w].maps != NULL || listen_to(entity, &entity->watch[w]));
        }
    }
    return fine;
}

cp_code cpi_config_wire(struct cp_config *config, cp_error *err)
{
    drop_mappings(config);
    bool fine = wire_channels(config);
    for (size_t e = 0; e < config->entity_count; e++) {
        for (size_t w = 0; w < config->entities[e].watch_count && fine; w++) {
            const struct cpi_watch *watch = &config->entities[e].watch[w];
            if (watch->maps != NULL && config->entity_count + config->mapping_count >= CPI_ENTITIES_MAX) {
                return cpi_error(err, CP_ERR_CONFIG, false, "entities[%zu].watch[%zu]: more than %d entities and maps",
                                 e, w, CPI_ENTITIES_MAX);
            }
            fine = watch->maps == NULL || add_mapping(config, e, watch);
        }
    }
    return fine ? CP_OK : cpi_error_memory(err);
}

size_t cpi_config_event_index(const struct cp_config *config, size_t entity, size_t watch)
{
    if (config->entities[entity].watch[watch].maps == NULL) {
        return entity;
    }
    size_t index = config->entity_count;
    for (size_t e = 0; e <= entity; e++) {
        size_t count = e < entity ? config->entities[e].watch_count : watch;
        for (size_t w = 0; w < count; w++) {
            index += config->entities[e].watch[w].maps != NULL;
        }
    }
    return index;
}

const struct cpi_watch *cpi_config_mapped_watch(const struct cp_config *config, size_t index)
{
    const struct cpi_entity *target = &config->entities[config->entities[index].target];
    size_t w = 0;
    while (target->watch[w].maps != config->entities[index].maps) { /* it is that watch's own text */
        w++;
    }
    return &target->watch[w];
}
