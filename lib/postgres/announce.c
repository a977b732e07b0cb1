#include "postgres/announce.h"

#include "base/error.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Postgres refuses 8,000 and more. */
enum { PAYLOAD_BYTES = 7999 };

/* A JSON array under construction. */
struct payload {
    char text[PAYLOAD_BYTES + 1];
    size_t length;
};

static cp_code notify(struct cpi_pg *pg, const struct cpi_entity *entity, const char *payload, cp_error *err)
{
    struct cpi_pg_parameter parameters[] = {{.value = entity->channels[0]}, {.value = payload}};
    struct cpi_rows *result = cpi_pg_query(pg, "select pg_catalog.pg_notify($1, $2)", parameters, 2, false, err);
    cpi_rows_free(result);
    return result != NULL ? CP_OK : CP_ERR_POSTGRES;
}

static cp_code announce_send(struct cpi_pg *pg, const struct cpi_entity *entity, struct payload *payload, cp_error *err)
{
    if (payload->length == 0) {
        return CP_OK;
    }
    payload->text[payload->length++] = ']';
    payload->text[payload->length] = '\0';
    payload->length = 0;
    return notify(pg, entity, payload->text, err);
}

/* The id as JSON, from malloc. */
static char *quote(enum cpi_id_type type, const union cpi_id *id)
{
    json_t *value = cpi_id_is_text(type) ? json_string(id->text) : json_integer(id->number);
    char *text = value != NULL ? json_dumps(value, JSON_ENCODE_ANY) : NULL;
    json_decref(value);
    return text;
}

static cp_code announce_add(struct cpi_pg *pg, const struct cpi_entity *entity, struct payload *payload,
                            const union cpi_id *id, cp_error *err)
{
    char *text = quote(entity->id_type, id);
    if (text == NULL) {
        return cpi_error_memory(err);
    }
    cp_code code = CP_OK;
    size_t length = strlen(text);
    if (length + 2 > PAYLOAD_BYTES) {
        free(text);
        return notify(pg, entity, "*", err);
    }
    if (payload->length + 1 + length + 1 > PAYLOAD_BYTES) {
        code = announce_send(pg, entity, payload, err);
    }
    payload->text[payload->length] = payload->length == 0 ? '[' : ',';
    memcpy(payload->text + payload->length + 1, text, length);
    payload->length += 1 + length;
    free(text);
    return code;
}

static cp_code announce_ids(struct cpi_pg *pg, const struct cpi_entity *entities, const struct cpi_event *first,
                            size_t stride, size_t count, cp_error *err)
{
    struct payload payload = {.length = 0};
    const struct cpi_entity *entity = NULL;
    cp_code code = CP_OK;
    for (size_t i = 0; i < count && code == CP_OK; i++) {
        const struct cpi_event *event = (const void *)((const char *)first + i * stride);
        if (entity != NULL && entity != &entities[event->entity]) {
            code = announce_send(pg, entity, &payload, err);
        }
        entity = &entities[event->entity];
        code = code == CP_OK ? announce_add(pg, entity, &payload, &event->id, err) : code;
    }
    return code == CP_OK && entity != NULL ? announce_send(pg, entity, &payload, err) : code;
}

static cp_code announce_everything(struct cpi_pg *pg, const struct cpi_entity *entities, size_t count, cp_error *err)
{
    cp_code code = CP_OK;
    for (size_t e = 0; e < count && code == CP_OK; e++) {
        code = notify(pg, &entities[e], "**", err); /* "*" would be the word for deleting everything, see share.h */
    }
    return code;
}

const struct cpi_announcer cpi_announce_by_notify = {.ids = announce_ids, .everything = announce_everything};
